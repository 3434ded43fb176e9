/* The hook points as an enumeration, and finding them by name. */
#ifndef WEIR_POINTS_POINTS_H
#define WEIR_POINTS_POINTS_H

#include "base/status.h"

#define POINT(id, short_name, full, scope, stored, axes, meaning) WEIR_P_##id,
#define ALIAS(short_name, full, when)
enum weir_point_id {
#include "points/points.def"
    WEIR_N_POINTS
};
#undef POINT
#undef ALIAS

/* In which models an alias means its point. */
enum weir_alias_when {
    WEIR_WHEN_ALWAYS,
    WEIR_WHEN_NORM_BEFORE, /* ln1 and ln2 stand before the branches */
    WEIR_WHEN_NO_NORM_BEFORE,
    WEIR_WHEN_LN2,
    WEIR_WHEN_SHARED_NORM, /* the MLP reads what ln1 gives */
    WEIR_WHEN_UNCLIPPED,
    WEIR_WHEN_ATTN_ADDED_AS_IT_IS, /* what the module gives is what is added to the stream */
    WEIR_WHEN_ATTN_WITH_STREAM,    /* the module itself adds the stream */
    WEIR_WHEN_MLP_ADDED_AS_IT_IS,
    WEIR_WHEN_MLP_WITH_STREAM,
    WEIR_WHEN_DENSE_UNGATED,
    WEIR_WHEN_DENSE_GATED,
    WEIR_WHEN_SPARSE,
    WEIR_WHEN_EMBED_AS_IT_IS, /* no norm and no projection behind the embedding */
    WEIR_WHEN_FULL_WIDTH,     /* no projection before the unembedding */
};

struct weir_alias {
    const char *name, *hook; /* a point's short name; the alias without "blocks.{layer}." */
    enum weir_alias_when when;
};

/* The points of experts' neurons: [pos, expert_k, d_expert]. */
bool weir_point_has_experts(const weir_point *point);

/* Axes whose length is a prompt's. */
bool weir_axis_is_position(weir_axis axis); /* pos, query or key */

/* The point of exactly that short or full name or alias (of those that mean it in all models), a layer number or
 *{layer} or * in place of the layer; NULL if none. layer is the number in the name, -1 where there is none. */
const weir_point *weir_point_find(const char *name, int *layer);
/* The first row of a name that means one point or another, by the model; NULL if none. layer as above. */
const struct weir_alias *weir_alias_find(const char *name, int *layer);
/* The next row of the same name, NULL after the last. */
const struct weir_alias *weir_alias_next(const struct weir_alias *alias);
const weir_point *weir_alias_point(const struct weir_alias *alias);

#endif
