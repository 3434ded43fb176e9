/* What the commands print: tables, heatmaps, numbers and JSON, as wide and as coloured as the terminal is. */
#ifndef WEIR_CLI_RENDER_H
#define WEIR_CLI_RENDER_H

#include "base/json.h"

#include <stdio.h>

/* ---- terminal.c ---- */

/* Columns of the terminal: COLUMNS, or what standard output says; 0 when it is no terminal (no limit). */
size_t terminal_width(void);
enum colours { COLOURS_NONE, COLOURS_256, COLOURS_24BIT };
/* What standard output can show; none with NO_COLOR set, TERM=dumb, or no terminal. */
enum colours terminal_colours(void);
/* The next character of UTF-8 text, which moves on; for what is no UTF-8 the replacement character, a byte each. */
uint32_t text_next(const char **text);
/* How many columns a character takes: 0 for marks and control characters. */
size_t code_columns(uint32_t code);
/* How many columns UTF-8 text takes. */
size_t text_columns(const char *text);
/* Whether UTF-8 text goes from right to left: its first letter that has a direction says it. */
bool text_is_leftwards(const char *text);
/* Copies text to at most `columns` columns, its end replaced by an ellipsis when cut. */
void text_cut(char *to, size_t size, const char *text, size_t columns);
/* Prints text with what could steer a terminal shown (base/escape.h). */
void print_text(const char *text);
/* A token between bars, so that the spaces at its ends are seen; cut to `columns`. */
void token_label(char *to, size_t size, const char *token, size_t columns);
/* Prints text padded to `columns`. */
void print_left(const char *text, size_t columns);
void print_right(const char *text, size_t columns);
/* "812 B", "3.4 MB". */
const char *human_bytes(char to[16], uint64_t bytes);
/* A number in at most 10 columns. */
const char *short_number(char to[32], double value);

void print_spaces(size_t n);
/* Prints words in lines of `width` columns, the first of which begins after `indent` and the others with as many
   spaces; newlines in them are kept. */
void print_wrapped(FILE *to, const char *text, size_t indent, size_t width);

/* ---- colour.c ---- */

struct rgb {
    uint8_t r, g, b;
};

/* What a picture looks like: its ground, what is written and drawn on it, and what parts of 0 to 1 are. A part of 0 is
   told from the ground, which is what masked cells show. */
struct scheme {
    struct rgb page, ink, faint, line;
    double stops[4][3]; /* red, green, blue at 0, 1/3, 2/3 and 1 */
};
extern const struct scheme scheme_light, scheme_dark;
struct rgb scheme_colour(const struct scheme *scheme, double part);
/* What a part of 0 to 1 looks like in terminals: dark violet, violet, orange, pale yellow. */
struct rgb colour_of(double part);
/* The same where there are no colours: from . to @, so that a space is for what is masked. */
char colour_as_text(double part);
/* The same for -1 to 1: what is under 0 goes from black over blue to pale cyan. */
struct rgb colour_of_signed(double part);
/* The nearest of the 256 colours of a terminal, the first 16 of which are the user's own. */
int colour_nearest_256(struct rgb rgb);
/* How weights become parts: small ones must be told from none, so the square root is what is used unless asked. */
enum scale { SCALE_SQRT, SCALE_LINEAR, SCALE_LOG, N_SCALES };
extern const char *const scale_names[];
#define SCALE_LOG_LEAST 1e-3 /* of the largest: where a logarithmic scale begins */
/* 0 for what is not over 0, 1 for `most` and more; NaN, which stands for masked, stays. */
double scale_part(enum scale scale, double value, double most);
/* What is printed from now on stands on, or in, that colour or the nearest that there is; nothing with COLOURS_NONE. */
void colour_background(enum colours colours, struct rgb rgb);
void colour_foreground(enum colours colours, struct rgb rgb);
void colour_end(enum colours colours);

/* ---- table.c ---- */

enum align {
    LEFT,
    RIGHT,
    FLEXIBLE, /* left, and the first to be cut when the table is too wide */
    WRAPPED   /* the last column: never cut. It goes on in its column, or with all that does not fit on lines of its own
               */
};

struct table {
    size_t n_columns, n_cells, capacity;
    const char *const *names; /* [n_columns] */
    const enum align *aligns;
    char **cells; /* [n_cells] row by row */
};

/* Adds the next cell, cut to 2047 bytes. */
WEIR_CHECKED __attribute__((format(printf, 2, 3))) weir_status table_add(struct table *table, const char *format, ...);
WEIR_CHECKED weir_status table_print(struct table *table);
void table_close(struct table *table);

/* ---- heatmap.c ---- */

struct heatmap {
    size_t n_rows, n_columns;
    const float *values;       /* [n_rows, n_columns]; NaN: masked */
    const char *const *labels; /* [n_rows] */
    const int32_t *rows;       /* [n_rows] the number of each row */
    const int32_t *columns;    /* [n_columns] the number of each column; NULL: 0, 1, 2, ... */
    enum scale scale;
    double most; /* what the scale ends at */
};

WEIR_CHECKED weir_status heatmap_print(const struct heatmap *map);

/* A small map without labels, for grids: part of 0 to 1 for each cell. */
struct thumb {
    size_t n_rows, n_columns; /* of cells */
    const float *parts;       /* [n_rows, n_columns]; NaN: masked */
};

/* How many rows of cells a line of the terminal shows: two where there are colours. */
size_t thumb_rows(enum colours colours);
/* Prints line `line` of it. */
void thumb_print(const struct thumb *thumb, size_t line, enum colours colours);
/* The ramp from 0 to `most` and what it is; where anything is masked, what that looks like, below it after `margin`. */
void legend_print(enum colours colours, enum scale scale, double most, bool masked, size_t margin);
/* to [to_rows, to_columns]: each the largest of the values [n_rows, n_columns] that fall into it; NaN, which stands for
   masked, where all of them are. */
void heatmap_reduce(float *to, size_t to_rows, size_t to_columns, const float *values, size_t n_rows, size_t n_columns);

/* ---- label.c ---- */

/* A token as a label: spaces, line ends and what cannot be drawn shown by marks, cut to `columns` with an ellipsis.
   Safe to draw whatever the token is: no control, format or bidirectional characters are left, and it is UTF-8. */
void label_of(char *to, size_t size, const char *token, size_t columns);
/* Makes other text as safe, question marks in place of such characters; gives it back. */
char *text_clean(char *text);

/* ---- grid.c ---- */

struct grid {
    size_t n_rows, n_columns;
    const double *values; /* [n_rows, n_columns]; NaN: nothing to show */
    const int *rows;      /* [n_rows] the number of each row */
    const char *row_name, *column_name;
};

/* Cells coloured from 0 to 1, or to the largest value if that is more, with numbers in them where there is room. */
void grid_print(const struct grid *grid);

/* ---- json_out.c ---- */

/* null for NaN; infinities as 1e999, which readers take for what they are. */
cJSON *json_number(double value);
cJSON *json_float(float value);
/* The same as text: few digits that read back as the same float. */
const char *float_text(char to[32], float value);
void json_print_float(FILE *to, float value);
/* Prints and deletes. WEIR_E_MEMORY for NULL. */
WEIR_CHECKED weir_status json_print(cJSON *value);
/* The same without the end of the line: for answers that are written piece by piece. */
WEIR_CHECKED weir_status json_print_part(cJSON *value);

/* ---- progress.c ---- */

struct progress {
    const char *what;
    uint64_t total;
    double began, drawn; /* seconds */
    bool shown, possible;
};

/* A bar on standard error, if that is a terminal, once the work has taken half a second. */
void progress_begin(struct progress *progress, const char *what, uint64_t total);
void progress_step(struct progress *progress, uint64_t done);
/* Takes the bar away. @return seconds since the beginning. */
double progress_end(struct progress *progress);

#endif
