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
/* How many columns UTF-8 text takes. */
size_t text_columns(const char *text);
/* Copies text to at most `columns` columns, its end replaced by an ellipsis when cut. */
void text_cut(char *to, size_t size, const char *text, size_t columns);
/* Replaces control characters, which a hostile file could steer a terminal with, by question marks; gives text back. */
char *text_tame(char *text);
/* Prints text so tamed. */
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

/* ---- colour.c ---- */

struct rgb {
    uint8_t r, g, b;
};

/* What a part of 0 to 1 looks like everywhere: black, violet, orange, pale yellow. */
struct rgb colour_of(double part);
/* What is printed from now on stands on, or in, that colour or the nearest that there is; nothing with COLOURS_NONE. */
void colour_background(enum colours colours, struct rgb rgb);
void colour_foreground(enum colours colours, struct rgb rgb);
void colour_end(enum colours colours);

/* ---- table.c ---- */

enum align { LEFT, RIGHT, FLEXIBLE /* left, and the first to be cut when the table is too wide */ };

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
    const float *values;       /* [n_rows, n_columns], 0 to 1 */
    const char *const *labels; /* [n_rows] */
    const int32_t *rows;       /* [n_rows] the number of each row */
};

WEIR_CHECKED weir_status heatmap_print(const struct heatmap *map);

/* ---- json_out.c ---- */

/* null for NaN; infinities as 1e999, which readers take for what they are. */
cJSON *json_number(double value);
cJSON *json_float(float value);
/* The same as text: few digits that read back as the same float. */
const char *float_text(char to[32], float value);
void json_print_float(FILE *to, float value);
/* Prints and deletes. WEIR_E_MEMORY for NULL. */
WEIR_CHECKED weir_status json_print(cJSON *value);

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
