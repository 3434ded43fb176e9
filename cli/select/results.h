/* The results of a file that a command means, by their names below /results: "patch/resid_pre", "metrics". */
#ifndef WEIR_CLI_SELECT_RESULTS_H
#define WEIR_CLI_SELECT_RESULTS_H

#include "store/read/grids.h"

/* Results that were chosen, and all that there are. */
struct results {
    const weir_file *file;
    struct weir_stored_grid *grids; /* [n_grids] */
    size_t n_grids;
    const struct weir_stored_grid **list; /* [n] that were chosen */
    size_t n;
};

/* True for what names results, which no hook point can. */
bool is_result_name(const char *word);
/* Those that the word names: one, or with "patch", "patch_normalised" and so on those of every point. Close after a
   failure too. @return WEIR_E_USAGE where there is none. */
WEIR_CHECKED weir_status results_open(struct results *out, const weir_file *file, const char *word);
void results_close(struct results *results);
/* Calls `each` with every result and its values [n_cells]. */
typedef weir_status result_fn(const struct weir_stored_grid *grid, const float *values, void *payload);
WEIR_CHECKED weir_status results_each(const struct results *results, result_fn *each, void *payload);
/* The text of the token that all clean (first 0) or all corrupt (first 1) prompts of a file of pairs have at a
   position; NULL where they differ. */
const char *common_token(const weir_file *file, int first, size_t position);
/* The same of clean prompts, at an index of an axis of a grid of patches; NULL where the axis is none of positions. */
const char *result_token(const weir_file *file, const struct weir_stored_grid *grid, int axis, size_t index);

#endif
