/* What is wanted where, resolved before a pass into bits that the pass asks: no names, no strings. */
#ifndef WEIR_ENGINE_PLAN_H
#define WEIR_ENGINE_PLAN_H

#include "model/model.h"
#include "points/select.h"

/* One registered hook. */
struct weir_hook {
    bool *at; /* [WEIR_N_POINTS, n_layers + 1]: (point, layer + 1), points outside blocks at layer -1 */
    weir_access access;
    weir_hook_fn *fn;
    void *payload;
};

struct weir_plan {
    int n_layers;
    struct weir_hook *hooks; /* [n_hooks] in the order registered */
    size_t n_hooks, cap_hooks;
    uint8_t *wanted; /* [WEIR_N_POINTS, n_layers + 1]: 1 << weir_access */
    int last_layer;  /* the last layer in which something is wanted; n_layers when something after the blocks is; -1 */
    int last_point;  /* the last point wanted there */
};

WEIR_CHECKED weir_status weir_plan_open(struct weir_plan *plan, int n_layers);
void weir_plan_close(struct weir_plan *plan);

/* Registers a hook; `at` (copied) as in struct weir_hook. */
WEIR_CHECKED weir_status weir_plan_add(struct weir_plan *plan, const bool *at, weir_access access, weir_hook_fn *fn,
                                       void *payload);

/* Takes back all hooks with that payload. */
void weir_plan_remove(struct weir_plan *plan, const void *payload);

/* Marks at[point, layer + 1] for what the terms of a selection name in this model. Points that it does not have are
   errors when named, left out when a glob matched them; a term that leaves nothing is an error. */
WEIR_CHECKED weir_status weir_plan_mark(bool *at, const struct weir_model *model, struct weir_term *term);

static inline size_t weir_plan_index(const struct weir_plan *plan, int point, int layer)
{
    return (size_t)point * ((size_t)plan->n_layers + 1) + (size_t)(layer + 1);
}

/* Whether any hook wants the point; whether one may change it. */
static inline bool weir_plan_wants(const struct weir_plan *plan, int point, int layer)
{
    return plan->wanted[weir_plan_index(plan, point, layer)] != 0;
}

static inline bool weir_plan_edits(const struct weir_plan *plan, int point, int layer)
{
    return plan->wanted[weir_plan_index(plan, point, layer)] >> WEIR_EDIT & 1;
}

/* Whether anything is wanted from `point` in `layer` on (layer n_layers: after the blocks). */
static inline bool weir_plan_goes_on(const struct weir_plan *plan, int point, int layer)
{
    return plan->last_layer > layer || (plan->last_layer == layer && plan->last_point >= point);
}

#endif
