/* What is wanted where, resolved before a pass into bits that the pass asks: no names, no strings. */
#ifndef WEIR_ENGINE_PLAN_H
#define WEIR_ENGINE_PLAN_H

#include "engine/scope.h"

struct weir_whole;

/* A hook of weir's own that sees a point's value in all prompts of a batch at once, hidden ones too (at.c). */
typedef weir_status weir_whole_fn(const struct weir_whole *whole, void *payload);

/* One registered hook: `fn`, called for each prompt, or `whole`, for each batch. */
struct weir_hook {
    struct weir_scope *scope; /* where it is called, and with which rows and units */
    weir_access access;
    weir_hook_fn *fn;
    weir_whole_fn *whole;
    bool sees_named_only; /* `whole` looks at nothing but the rows and units that the scope names */
    void *payload;
};

/* A hook at one site of its scope. */
struct weir_call {
    size_t hook; /* index into the plan's hooks */
    const struct weir_site *site;
};

struct weir_plan {
    int n_layers;
    struct weir_hook *hooks; /* [n_hooks] in the order registered */
    size_t n_hooks, cap_hooks;
    struct weir_call *calls; /* of every site in turn: editors, then readers, each in the order registered */
    size_t n_calls, cap_calls;
    size_t *first_call; /* [weir_n_sites + 1] where those of a site begin */
    uint8_t *wanted;    /* [weir_n_sites]: 1 << weir_access */
    int last_layer; /* the last layer in which something is wanted; n_layers when something after the blocks is; -1 */
    int last_point; /* the last point wanted there */
};

/* A plan without hooks. @return WEIR_E_MEMORY, here and below. */
WEIR_CHECKED weir_status weir_plan_open(struct weir_plan *plan, int n_layers);
void weir_plan_close(struct weir_plan *plan);

/* Registers a hook at the sites of a scope, which it holds. */
WEIR_CHECKED weir_status weir_plan_add(struct weir_plan *plan, struct weir_scope *scope, weir_access access,
                                       weir_hook_fn *fn, void *payload);

WEIR_CHECKED weir_status weir_plan_add_whole(struct weir_plan *plan, struct weir_scope *scope, weir_access access,
                                             weir_whole_fn *fn, void *payload);
/* An edit: a whole hook that writes nothing but what its scope names, and, if sees_named_only, looks at nothing else.
 */
WEIR_CHECKED weir_status weir_plan_add_edit(struct weir_plan *plan, struct weir_scope *scope, weir_whole_fn *fn,
                                            bool sees_named_only, void *payload);

/* Takes back all hooks of that function and payload. */
void weir_plan_remove(struct weir_plan *plan, weir_hook_fn *fn, const void *payload);

/* The same for hooks of whole batches, whichever their function. */
void weir_plan_remove_whole(struct weir_plan *plan, const void *payload);

/* How many layers a pass goes through. */
int weir_plan_depth(const struct weir_plan *plan);

/* When a site fires in a pass: of two sites the one with the smaller number first. */
size_t weir_plan_moment(int n_layers, int point, int layer);

/* The calls of a site: calls[*first] to calls[*last - 1], readers from *readers on. */
void weir_plan_calls(const struct weir_plan *plan, int point, int layer, size_t *first, size_t *readers, size_t *last);

/* True where any hook wants the point; where one may change it. */
static inline bool weir_plan_wants(const struct weir_plan *plan, int point, int layer)
{
    return plan->wanted[weir_site_index(plan->n_layers, point, layer)] != 0;
}

static inline bool weir_plan_edits(const struct weir_plan *plan, int point, int layer)
{
    return plan->wanted[weir_site_index(plan->n_layers, point, layer)] >> WEIR_EDIT & 1;
}

/* True where a program's own hook may change the point. */
bool weir_plan_edits_by_hook(const struct weir_plan *plan, int point, int layer);

/* True where an edit names query heads of a point by key-value heads. */
bool weir_plan_edits_by_query(const struct weir_plan *plan, int point, int layer);

/* True where everyone at a site looks only at the rows and units that editors name. */
bool weir_plan_sees_named_only(const struct weir_plan *plan, int point, int layer);

/* True where anything is wanted from `point` in `layer` on (layer n_layers: after the blocks). */
static inline bool weir_plan_goes_on(const struct weir_plan *plan, int point, int layer)
{
    return plan->last_layer > layer || (plan->last_layer == layer && plan->last_point >= point);
}

/* True where anything is wanted after `point` in `layer`. */
static inline bool weir_plan_goes_past(const struct weir_plan *plan, int point, int layer)
{
    return weir_plan_goes_on(plan, point + 1, layer);
}

#endif
