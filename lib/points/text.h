/* Points, layers and units as text: what select.h reads, written back. */
#ifndef WEIR_POINTS_TEXT_H
#define WEIR_POINTS_TEXT_H

#include "base/text.h"

/* Appends a term of a selection, "pattern:0:4+7" (nothing after the name where all layers are marked), and the comma in
   front of it where others came before. `layers` [n]; NULL for a point outside the blocks. */
WEIR_CHECKED weir_status weir_text_add_term(struct weir_text *text, const weir_point *point, const bool *layers,
                                            size_t n);
/* Appends one unit of a layer as "5.3" (".3" for layer -1, outside the blocks), with a + in front of it where others
   came before. */
WEIR_CHECKED weir_status weir_text_add_unit(struct weir_text *text, int layer, int32_t unit);

/* What is marked of n, for people: "0-3,7", "none", "-" where `marked` is NULL; a long list ends in ",...". Gives `to`
   back. */
const char *weir_ranges_text(char to[64], const bool *marked, int n);

#endif
