/* A number per layer and head as a grid of coloured cells. */
#ifndef WEIR_CLI_PRINT_GRID_H
#define WEIR_CLI_PRINT_GRID_H

#include "base/status.h"

struct grid {
    size_t n_rows, n_columns;
    const double *values; /* [n_rows, n_columns]; NaN: nothing to show */
    const int *rows;      /* [n_rows] the number of each row */
    const char *row_name, *column_name;
};

/* Cells coloured from 0 to 1, or to the largest value if that is more, with numbers in them where there is room. */
void grid_print(const struct grid *grid);

#endif
