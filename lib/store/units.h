/* The heads or neurons of a point that are stored: the attribute `units`, LAYER.UNIT+LAYER.UNIT, as weir dump writes
   it; .UNIT+.UNIT outside the blocks. */
#ifndef WEIR_STORE_UNITS_H
#define WEIR_STORE_UNITS_H

#include "base/status.h"

struct weir_unit {
    int32_t layer; /* -1 outside the blocks */
    int32_t unit;
};

/* Ascending by layer, then unit. A layer that is not in the list has all of its units. */
struct weir_units {
    struct weir_unit *list; /* [n] */
    size_t n;
};

/* WEIR_E_INPUT when the text is not of that form, not ascending, or names what is past n_layers or n_units. NULL: an
   empty list. n_layers 0: of a point outside the blocks. Close after a failure too. */
WEIR_CHECKED weir_status weir_units_parse(struct weir_units *out, const char *text, size_t n_layers, size_t n_units);
void weir_units_close(struct weir_units *units);
bool weir_units_have(const struct weir_units *units, int layer, size_t unit);

#endif
