#include "engine/plan.h"

#include "base/alloc.h"

#include <string.h>

weir_status weir_plan_open(struct weir_plan *plan, int n_layers)
{
    *plan = (struct weir_plan){.n_layers = n_layers, .last_layer = -1, .last_point = -1};
    return weir_alloc_zero(&plan->wanted, (size_t)WEIR_N_POINTS * ((size_t)n_layers + 1), sizeof *plan->wanted);
}

void weir_plan_close(struct weir_plan *plan)
{
    for (size_t i = 0; i < plan->n_hooks; i++)
        weir_free(plan->hooks[i].at);
    weir_free(plan->hooks);
    weir_free(plan->wanted);
    *plan = (struct weir_plan){0};
}

/* Where in the order of a pass a point fires: blocks in turn, what comes after them as if in layer n_layers. */
static int layer_of(const struct weir_plan *plan, int point, int layer)
{
    return layer < 0 && point > WEIR_P_RESID_POST ? plan->n_layers : layer;
}

static void note(struct weir_plan *plan, int point, int layer, weir_access access)
{
    int at = layer_of(plan, point, layer);
    plan->wanted[weir_plan_index(plan, point, layer)] |= (uint8_t)(1u << access);
    if (at > plan->last_layer || (at == plan->last_layer && point > plan->last_point)) {
        plan->last_layer = at;
        plan->last_point = point;
    }
}

static void note_all(struct weir_plan *plan, const struct weir_hook *hook)
{
    for (int point = 0; point < WEIR_N_POINTS; point++)
        for (int layer = -1; layer < plan->n_layers; layer++)
            if (hook->at[weir_plan_index(plan, point, layer)])
                note(plan, point, layer, hook->access);
}

weir_status weir_plan_add(struct weir_plan *plan, const bool *at, weir_access access, weir_hook_fn *fn, void *payload)
{
    size_t n = (size_t)WEIR_N_POINTS * ((size_t)plan->n_layers + 1);
    bool *copy;
    TRY(weir_grow(&plan->hooks, &plan->cap_hooks, plan->n_hooks + 1, sizeof *plan->hooks));
    TRY(weir_alloc(&copy, n, sizeof *copy));
    memcpy(copy, at, n * sizeof *copy);
    plan->hooks[plan->n_hooks++] = (struct weir_hook){copy, access, fn, payload};
    note_all(plan, &plan->hooks[plan->n_hooks - 1]);
    return WEIR_OK;
}

void weir_plan_remove(struct weir_plan *plan, const void *payload)
{
    size_t kept = 0;
    for (size_t i = 0; i < plan->n_hooks; i++)
        if (plan->hooks[i].payload == payload)
            weir_free(plan->hooks[i].at);
        else
            plan->hooks[kept++] = plan->hooks[i];
    plan->n_hooks = kept;
    plan->last_layer = plan->last_point = -1;
    memset(plan->wanted, 0, (size_t)WEIR_N_POINTS * ((size_t)plan->n_layers + 1));
    for (size_t i = 0; i < kept; i++)
        note_all(plan, &plan->hooks[i]);
}

static void mark_point(bool *at, const struct weir_model *model, const struct weir_term *term, int point,
                       const bool *layers, size_t *marked, const char **why)
{
    const struct weir_plan shape = {.n_layers = model->config.n_layers};
    int first = weir_point_at(point)->per_layer ? 0 : -1;
    int end = first < 0 ? 0 : shape.n_layers;
    if (first < 0 && term->layers.n > 0) {
        *why = "the point stands outside the blocks and has no layers";
        return;
    }
    for (int layer = first; layer < end; layer++) {
        if (layer >= 0 && !layers[layer])
            continue;
        if (!weir_model_has_point(model, point, layer, why))
            continue;
        at[weir_plan_index(&shape, point, layer)] = true;
        ++*marked;
    }
}

weir_status weir_plan_mark(bool *at, const struct weir_model *model, struct weir_term *term)
{
    size_t n_layers = (size_t)model->config.n_layers, marked = 0;
    const char *why = "no layer is left";
    bool *layers;
    TRY(weir_model_settle(model, term));
    TRY(weir_alloc_zero(&layers, n_layers, sizeof *layers));
    weir_status status = weir_in(weir_slices_mark(&term->layers, layers, n_layers, "layer"), term->text);
    for (int point = 0; status == WEIR_OK && point < WEIR_N_POINTS; point++)
        if (term->points[point])
            mark_point(at, model, term, point, layers, &marked, &why);
    weir_free(layers);
    if (status == WEIR_OK && marked == 0)
        return weir_fail(WEIR_E_UNSUPPORTED, "'%s': this model does not have it: %s", term->text, why);
    return status;
}
