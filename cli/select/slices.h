/* Slices in the text of an option, as lists and as marks; and the units of a hook point that are stored. */
#ifndef WEIR_CLI_SELECT_SLICES_H
#define WEIR_CLI_SELECT_SLICES_H

#include "points/select.h"

/* The slices of a text; NULL or "" names everything. `what` is the thing in messages: "layer". Close them with
   weir_slices_close, after a failure too. */
WEIR_CHECKED weir_status slices_parse(struct weir_slices *out, const char *text, const char *what);
/* The same, and marks, in new memory [n], of what they name of n things. */
WEIR_CHECKED weir_status slices_mark(bool **marked, struct weir_slices *slices, size_t n, const char *text,
                                     const char *what);
/* Marks, in new memory [n], of the heads or neurons that any of the marked layers has stored. `layers` [n_layers];
   NULL: any layer counts. */
WEIR_CHECKED weir_status stored_units_mark(bool **marked, size_t n, const weir_file_point *point, const bool *layers,
                                           int n_layers);

#endif
