/* Tables on standard output, as wide as the terminal allows. */
#ifndef WEIR_CLI_PRINT_TABLE_H
#define WEIR_CLI_PRINT_TABLE_H

#include "base/status.h"

enum align {
    LEFT,
    RIGHT,
    FLEXIBLE, /* left, and the first to be shortened when the table is too wide */
    WRAPPED   /* the last column: never shortened. It wraps in its column, or goes below the row with all that does not
                 fit */
};

struct table {
    size_t n_columns, n_cells, capacity;
    const char *const *names; /* [n_columns] */
    const enum align *aligns;
    char **cells; /* [n_cells] row by row */
};

/* Adds the next cell, of at most 2047 bytes. */
WEIR_CHECKED __attribute__((format(printf, 2, 3))) weir_status table_add(struct table *table, const char *format, ...);
WEIR_CHECKED weir_status table_print(struct table *table);
void table_close(struct table *table);

#endif
