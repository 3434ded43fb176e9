/* Which indices of a long axis are printed: its first and its last, with a gap between. */
#ifndef WEIR_CLI_PRINT_EDGES_H
#define WEIR_CLI_PRINT_EDGES_H

#include "base/status.h"

enum { EDGE_CELL = 11, EDGE_ROWS = 16, EDGE_OUTER = 8 }; /* columns of a number; rows, and matrices, that are printed */

/* The first and the last `edge` of n indices are printed, where there are more than `most`; 0: all of them. */
size_t edge_of(size_t n, size_t most);
/* The index after i, past the middle that is left out. */
size_t next_shown(size_t i, size_t n, size_t edge);
/* True where the middle follows. */
bool is_gap(size_t i, size_t edge);
/* The edge of n columns of numbers in what the terminal has beside a margin. */
size_t edge_of_columns(size_t n, size_t margin);
/* The numbers of the columns, the middle left out, and the end of the line. */
void print_edge_numbers(const size_t *numbers, size_t n, size_t edge);

#endif
