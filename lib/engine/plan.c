/* The plan of a run: its hooks, by point and layer, and where a pass may end. */
#include "engine/plan.h"

#include "base/alloc.h"

#include <string.h>

weir_status weir_plan_open(struct weir_plan *plan, int n_layers)
{
    *plan = (struct weir_plan){.n_layers = n_layers, .last_layer = -1, .last_point = -1};
    TRY(weir_alloc_zero(&plan->first_call, weir_n_sites(n_layers) + 1, sizeof *plan->first_call));
    return weir_alloc_zero(&plan->wanted, weir_n_sites(n_layers), sizeof *plan->wanted);
}

void weir_plan_close(struct weir_plan *plan)
{
    for (size_t i = 0; i < plan->n_hooks; i++)
        weir_scope_close(plan->hooks[i].scope);
    weir_free(plan->hooks);
    weir_free(plan->calls);
    weir_free(plan->first_call);
    weir_free(plan->wanted);
    *plan = (struct weir_plan){0};
}

/* ---- how far a pass goes ---- */

/* The order of points.def is that of a pass, which ends after the last point that is wanted: all points of the blocks
   stand together. What comes before what inside a block is asserted where it is computed. */
#define IS_BLOCK true
#define IS_MODEL false
#define POINT(id, short_name, full, scope, stored, axes, meaning)                                                      \
    _Static_assert(IS_##scope == (WEIR_P_##id >= WEIR_P_RESID_PRE && WEIR_P_##id <= WEIR_P_RESID_POST),                \
                   short_name " stands among points of another scope");
#define ALIAS(short_name, full, when)
#include "points/points.def"
#undef POINT
#undef ALIAS
#undef IS_BLOCK
#undef IS_MODEL

/* Where in the order of a pass a point fires: blocks in turn, what comes after them as if in layer n_layers. */
static int layer_of(const struct weir_plan *plan, int point, int layer)
{
    return layer < 0 && point > WEIR_P_RESID_POST ? plan->n_layers : layer;
}

/* The order of points.def is that in which a reader thinks of them. The projections fire theirs one after the other,
   each its input first, when ln1 has fired its own. */
static size_t moment_in_layer(int point)
{
    static const int attention[] = {WEIR_P_ATTN_IN, WEIR_P_LN1_SCALE, WEIR_P_LN1_NORMALIZED, WEIR_P_LN1_OUT,
                                    WEIR_P_Q_INPUT, WEIR_P_Q,         WEIR_P_K_INPUT,        WEIR_P_K,
                                    WEIR_P_V_INPUT, WEIR_P_V};
    _Static_assert(WEIR_P_V - WEIR_P_ATTN_IN + 1 == sizeof attention / sizeof *attention,
                   "these are the points from attn_in to v");
    for (size_t i = 0; i < sizeof attention / sizeof *attention; i++)
        if (attention[i] == point)
            return (size_t)WEIR_P_ATTN_IN + i;
    return (size_t)point;
}

size_t weir_plan_moment(int n_layers, int point, int layer)
{
    size_t at = layer >= 0 ? (size_t)layer + 1 : point > WEIR_P_RESID_POST ? (size_t)n_layers + 1 : 0;
    return at * WEIR_N_POINTS + moment_in_layer(point);
}

static void note_site(struct weir_plan *plan, const struct weir_site *site, weir_access access)
{
    int at = layer_of(plan, site->point, site->layer);
    plan->wanted[weir_site_index(plan->n_layers, site->point, site->layer)] |= (uint8_t)(1u << access);
    if (at > plan->last_layer || (at == plan->last_layer && site->point > plan->last_point)) {
        plan->last_layer = at;
        plan->last_point = site->point;
    }
}

int weir_plan_depth(const struct weir_plan *plan)
{
    return plan->last_layer < plan->n_layers ? plan->last_layer + 1 : plan->n_layers;
}

/* ---- hooks by site ---- */

/* Writes the calls of all hooks with that access, each at where those of its site have come to. */
static void place_calls(struct weir_plan *plan, weir_access access)
{
    for (size_t h = 0; h < plan->n_hooks; h++) {
        const struct weir_hook *hook = &plan->hooks[h];
        for (size_t i = 0; hook->access == access && i < hook->scope->n_sites; i++) {
            const struct weir_site *site = &hook->scope->sites[i];
            size_t *next = &plan->first_call[weir_site_index(plan->n_layers, site->point, site->layer)];
            plan->calls[(*next)++] = (struct weir_call){h, site};
        }
    }
}

/* All that follows from the hooks, anew: there is room for the calls. */
static void index_hooks(struct weir_plan *plan)
{
    size_t n_sites = weir_n_sites(plan->n_layers);
    memset(plan->first_call, 0, (n_sites + 1) * sizeof *plan->first_call);
    memset(plan->wanted, 0, n_sites * sizeof *plan->wanted);
    plan->last_layer = plan->last_point = -1;
    plan->n_calls = 0;
    for (size_t h = 0; h < plan->n_hooks; h++)
        for (size_t i = 0; i < plan->hooks[h].scope->n_sites; i++) {
            const struct weir_site *site = &plan->hooks[h].scope->sites[i];
            note_site(plan, site, plan->hooks[h].access);
            plan->first_call[weir_site_index(plan->n_layers, site->point, site->layer) + 1]++;
            plan->n_calls++;
        }
    for (size_t i = 0; i < n_sites; i++)
        plan->first_call[i + 1] += plan->first_call[i];
    place_calls(plan, WEIR_EDIT);
    place_calls(plan, WEIR_READ);
    memmove(plan->first_call + 1, plan->first_call, n_sites * sizeof *plan->first_call); /* each had come to its end */
    plan->first_call[0] = 0;
}

void weir_plan_calls(const struct weir_plan *plan, int point, int layer, size_t *first, size_t *readers, size_t *last)
{
    size_t site = weir_site_index(plan->n_layers, point, layer);
    *first = *readers = plan->first_call[site];
    *last = plan->first_call[site + 1];
    while (*readers < *last && plan->hooks[plan->calls[*readers].hook].access == WEIR_EDIT)
        ++*readers;
}

static weir_status add_hook(struct weir_plan *plan, const struct weir_hook *hook)
{
    TRY(weir_grow(&plan->hooks, &plan->cap_hooks, plan->n_hooks + 1, sizeof *plan->hooks));
    TRY(weir_grow(&plan->calls, &plan->cap_calls, plan->n_calls + hook->scope->n_sites, sizeof *plan->calls));
    plan->hooks[plan->n_hooks++] = *hook;
    weir_scope_hold(hook->scope);
    index_hooks(plan);
    return WEIR_OK;
}

weir_status weir_plan_add(struct weir_plan *plan, struct weir_scope *scope, weir_access access, weir_hook_fn *fn,
                          void *payload)
{
    return add_hook(plan, &(struct weir_hook){.scope = scope, .access = access, .fn = fn, .payload = payload});
}

weir_status weir_plan_add_whole(struct weir_plan *plan, struct weir_scope *scope, weir_access access, weir_whole_fn *fn,
                                void *payload)
{
    return add_hook(plan, &(struct weir_hook){.scope = scope, .access = access, .whole = fn, .payload = payload});
}

weir_status weir_plan_add_edit(struct weir_plan *plan, struct weir_scope *scope, weir_whole_fn *fn,
                               bool sees_named_only, void *payload)
{
    return add_hook(
        plan,
        &(struct weir_hook){
            .scope = scope, .access = WEIR_EDIT, .whole = fn, .sees_named_only = sees_named_only, .payload = payload});
}

bool weir_plan_edits_by_hook(const struct weir_plan *plan, int point, int layer)
{
    size_t first, readers, last;
    weir_plan_calls(plan, point, layer, &first, &readers, &last);
    for (size_t i = first; i < readers; i++)
        if (plan->hooks[plan->calls[i].hook].fn)
            return true;
    return false;
}

bool weir_plan_edits_by_query(const struct weir_plan *plan, int point, int layer)
{
    size_t first, readers, last;
    weir_plan_calls(plan, point, layer, &first, &readers, &last);
    for (size_t i = first; i < readers; i++)
        if (weir_scope_is_by_query(plan->hooks[plan->calls[i].hook].scope, plan->calls[i].site))
            return true;
    return false;
}

bool weir_plan_sees_named_only(const struct weir_plan *plan, int point, int layer)
{
    size_t first, readers, last;
    weir_plan_calls(plan, point, layer, &first, &readers, &last);
    for (size_t i = first; i < last; i++)
        if (!plan->hooks[plan->calls[i].hook].sees_named_only)
            return false;
    return true;
}

/* Those of that function; NULL: those of whole batches. */
static void remove_hooks(struct weir_plan *plan, weir_hook_fn *fn, const void *payload)
{
    size_t kept = 0;
    for (size_t i = 0; i < plan->n_hooks; i++)
        if (plan->hooks[i].fn == fn && plan->hooks[i].payload == payload)
            weir_scope_close(plan->hooks[i].scope);
        else
            plan->hooks[kept++] = plan->hooks[i];
    plan->n_hooks = kept;
    index_hooks(plan);
}

void weir_plan_remove(struct weir_plan *plan, weir_hook_fn *fn, const void *payload)
{
    if (fn)
        remove_hooks(plan, fn, payload);
}

void weir_plan_remove_whole(struct weir_plan *plan, const void *payload)
{
    remove_hooks(plan, NULL, payload);
}
