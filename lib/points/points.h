/* The hook points as an enumeration, and finding them by name. */
#ifndef WEIR_POINTS_POINTS_H
#define WEIR_POINTS_POINTS_H

#include "base/status.h"

#define POINT(id, short_name, full, scope, stored, axes, meaning) WEIR_P_##id,
#define ALIAS(short_name, full)
enum weir_point_id {
#include "points/points.def"
    WEIR_N_POINTS
};
#undef POINT
#undef ALIAS

/* Axes whose length is a prompt's. */
bool weir_axis_is_position(weir_axis axis); /* pos, query or key */
/* Index of the axis that a selection's UNITS cut (head, kv_head, d_mlp, expert...), -1 when there is none. For points
   [pos, head, d_head] it is the head, for [pos, d_model] and [pos, d_mlp] the last. */
int weir_point_unit_axis(const weir_point *point);
/* Index of the axis that POSITIONS cut: pos or query. */
int weir_point_row_axis(const weir_point *point);

/* The point of exactly that short or full name or alias, a layer number or {layer} or * in place of the layer; NULL if
 *none. layer is the number in the name, -1 where there is none. */
const weir_point *weir_point_find(const char *name, int *layer);

#endif
