/* The rows of a file on the screen; weir tui reads no others. */
#ifndef WEIR_CLI_TUI_VALUES_H
#define WEIR_CLI_TUI_VALUES_H

#include "cli/tui/state.h"

/* The value at one place: which of the point's axes is which, and how long they are for this prompt. */
struct tui_value {
    const weir_file *file;
    const weir_file_point *point;
    struct tui_place place;
    int layer;
    int row_axis, outer_axis, column_axis; /* -1: it has none */
    weir_file_prompt prompt;
    size_t n_rows, n_columns; /* n_columns is 1 for points that have only positions */
};

/* Some rows of a value, as read last. */
struct tui_band {
    struct tui_value value;
    size_t first, n;
    float *values; /* [n, n_columns] */
    bool is_read, without_first;
};

/* A summary of one row; NaN where it has no finite values. */
struct tui_summary {
    double norm, mean, least, most;
    size_t n_finite;
};

weir_status tui_value_at(struct tui_value *out, const weir_file *file, const struct tui_state *state,
                         const struct tui_place *place);
/* Makes rows first to first + n - 1 of the value be in the band, reading them if they are not. `without_first`: the
   first column, a pattern's first token, counts 0 and the others are divided by what they add up to. */
weir_status tui_band_read(struct tui_band *band, const struct tui_value *value, size_t first, size_t n,
                          bool without_first);
void tui_band_close(struct tui_band *band);
/* Row `row` of the value, which is in the band: [n_columns]. */
const float *tui_band_row(const struct tui_band *band, size_t row);
/* The largest magnitude of the finite values. */
float tui_largest(const float *values, size_t n);
void tui_summarize(struct tui_summary *out, const float *values, size_t n);
bool tui_is_pattern(const struct tui_value *value);

/* Reads the points, layers and heads that a file has. Close with tui_extent_close. */
weir_status tui_extent_read(struct tui_extent *out, const weir_file *file);
void tui_extent_close(struct tui_extent *extent);

#endif
