/* Attention as a map of shades: with labels, or small and without. */
#ifndef WEIR_CLI_PRINT_HEATMAP_H
#define WEIR_CLI_PRINT_HEATMAP_H

#include "cli/print/colour.h"

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

/* The number of rows of cells in a line of the terminal: two where there are colours. */
size_t thumb_rows(enum colours colours);
/* Prints line `line` of it. */
void thumb_print(const struct thumb *thumb, size_t line, enum colours colours);
/* The ramp from 0 to `most` and the name of its scale; where anything is masked, a line below it, after `margin`, shows
   what that looks like. */
void legend_print(enum colours colours, enum scale scale, double most, bool masked, size_t margin);
/* to [to_rows, to_columns]: each the largest of the values [n_rows, n_columns] that fall into it; NaN, which means
   masked, where all of them are. */
void heatmap_reduce(float *to, size_t to_rows, size_t to_columns, const float *values, size_t n_rows, size_t n_columns);

#endif
