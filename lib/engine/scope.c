/* Scopes: selections resolved against a model. */
#include "engine/scope.h"

#include "base/alloc.h"
#include "points/edit.h"

#include <string.h>

static const struct weir_term *group_term(const struct weir_scope *scope, const struct weir_scope_group *group,
                                          size_t i)
{
    return &scope->selection->terms[group->terms[i]];
}

weir_status weir_scope_in_term(const struct weir_scope *scope, const struct weir_term *term, size_t at,
                               weir_status status)
{
    const char *whole = scope->selection->whole;
    return whole ? weir_in_character(status, whole, at) : weir_in(status, term->text);
}

/* ---- sites ---- */

static void mark_sites_of_point(bool *marked, const struct weir_model *model, const struct weir_term *term, int point,
                                const bool *layers, size_t *n_marked, const char **why)
{
    int n_layers = model->config.n_layers, first = weir_point_at(point)->per_layer ? 0 : -1;
    int end = first < 0 ? 0 : n_layers;
    if (first < 0 && term->where.layers.n > 0) {
        *why = "the point is outside the blocks and has no layers";
        return;
    }
    for (int layer = first; layer < end; layer++) {
        if (layer >= 0 && !layers[layer])
            continue;
        if (!weir_model_has_point(model, point, layer, why))
            continue;
        marked[weir_site_index(n_layers, point, layer)] = true;
        ++*n_marked;
    }
}

/* Marks marked[site] for what a term names in the model. */
static weir_status mark_sites(bool *marked, const struct weir_scope *scope, struct weir_term *term)
{
    const struct weir_model *model = scope->model;
    size_t n_layers = (size_t)model->config.n_layers, n_marked = 0;
    const char *why = "no layer is left";
    bool *layers;
    TRY(weir_model_settle(model, term));
    TRY(weir_alloc_zero(&layers, n_layers, sizeof *layers));
    weir_status status = weir_scope_in_term(scope, term, term->where.at.layers,
                                            weir_slices_mark(&term->where.layers, layers, n_layers, "layer"));
    for (int point = 0; status == WEIR_OK && point < WEIR_N_POINTS; point++)
        if (term->points[point])
            mark_sites_of_point(marked, model, term, point, layers, &n_marked, &why);
    weir_free(layers);
    if (status == WEIR_OK && n_marked == 0)
        return weir_fail(WEIR_E_UNSUPPORTED, "'%s': this model does not have it: %s", term->text, why);
    return status;
}

/* Adds the sites of a term to those that are marked; one that takes away has to meet one of them. */
static weir_status mark_term(bool *marked, const struct weir_scope *scope, struct weir_term *term)
{
    size_t n = weir_n_sites(scope->model->config.n_layers);
    bool *own, any = false;
    if (!term->takes_away)
        return mark_sites(marked, scope, term);
    TRY(weir_alloc_zero(&own, n, sizeof *own));
    weir_status status = mark_sites(own, scope, term);
    for (size_t i = 0; i < n; i++)
        any = any || (own[i] && marked[i]);
    weir_free(own);
    if (status == WEIR_OK && !any)
        return weir_fail(WEIR_E_USAGE, "'%s' takes away what no term before it names, as z,-z:9.9 would", term->text);
    return status;
}

/* True where a term names a site that the model has. */
static bool names_site(const struct weir_scope *scope, const struct weir_term *term, int point, int layer)
{
    return term->points[point] &&
           (layer < 0 || weir_slices_name(&term->where.layers, (size_t)layer, (size_t)scope->model->config.n_layers));
}

/* ---- groups ---- */

static bool has_key_axis(const weir_point *point)
{
    return point->axes[point->n_axes - 1] == WEIR_AXIS_KEY;
}

static size_t count_units(const struct weir_model *model, int point)
{
    size_t shape[WEIR_MAX_AXES];
    int axis = weir_point_unit_axis(weir_point_at(point));
    weir_model_shape(model, point, shape);
    return axis < 0 ? 0 : shape[axis];
}

/* True where a term's cells are the same in every prompt: all rows and keys. */
static bool is_whole_term(const struct weir_term *term)
{
    const struct weir_where *where = &term->where;
    return where->positions.n == 0 && where->keys.n == 0 && where->neurons.n == 0 && where->prompts.numbers.n == 0 &&
           !where->prompts.name;
}

/* The terms that matter to a site, in `terms`, room for all of them: none that another takes away again altogether. */
static size_t list_terms(size_t *terms, const struct weir_scope *scope, const struct weir_site *site)
{
    size_t n = 0;
    for (size_t i = 0; i < scope->selection->n; i++) {
        const struct weir_term *term = &scope->selection->terms[i];
        if (!names_site(scope, term, site->point, site->layer))
            continue;
        if (term->takes_away && term->where.units.n == 0 && is_whole_term(term))
            n = 0;
        else if (!term->takes_away || n > 0)
            terms[n++] = i;
    }
    return n;
}

/* Experts are units where an edit names one of them; else their neurons have only places by rank. */
static void find_experts(struct weir_scope_group *group, const struct weir_scope *scope, int point)
{
    bool named = false;
    for (size_t i = 0; i < group->n; i++)
        named |= group_term(scope, group, i)->where.has_units;
    if (!named || !scope->borrowed || !weir_point_has_experts(weir_point_at(point)))
        return;
    group->n_units = (size_t)scope->model->config.n_experts;
    group->n_neurons = (size_t)scope->model->config.d_expert;
}

/* Query heads and key-value heads are no units of one axis. */
static weir_status find_axis_of_units(struct weir_scope_group *group, const struct weir_scope *scope, int point)
{
    const struct weir_term *by_query = NULL, *by_key = NULL;
    for (size_t i = 0; i < group->n; i++) {
        const struct weir_term *term = group_term(scope, group, i);
        if (term->where.by_query_head)
            by_query = term;
        else if (term->where.units.n > 0)
            by_key = term;
    }
    if (by_query && by_key)
        return weir_fail(WEIR_E_USAGE,
                         "'%s' names query heads and '%s' key-value heads of one value: write both with h, or both "
                         "without",
                         by_query->text, by_key->text);
    group->by_query_head = by_query != NULL;
    group->n_units = by_query ? (size_t)scope->model->config.n_heads : count_units(scope->model, point);
    find_experts(group, scope, point);
    return WEIR_OK;
}

static bool is_same_group(const struct weir_scope_group *a, const struct weir_scope_group *b)
{
    return a->n == b->n && a->n_units == b->n_units && a->n_neurons == b->n_neurons && a->has_keys == b->has_keys &&
           memcmp(a->terms, b->terms, a->n * sizeof *a->terms) == 0;
}

static weir_status add_group(struct weir_scope *scope, struct weir_scope_group *group)
{
    const size_t *terms = group->terms;
    TRY(weir_grow(&scope->groups, &scope->cap_groups, scope->n_groups + 1, sizeof *scope->groups));
    group->whole = scope->positions.n == 0;
    for (size_t i = 0; i < group->n; i++) {
        group->whole &= is_whole_term(group_term(scope, group, i));
        group->takes_away |= group_term(scope, group, i)->takes_away;
    }
    TRY(weir_alloc(&group->terms, group->n, sizeof *group->terms));
    memcpy(group->terms, terms, group->n * sizeof *group->terms);
    scope->groups[scope->n_groups++] = *group;
    return WEIR_OK;
}

/* The group of a site whose terms are given, a new one where no other site has the same. */
static weir_status find_group(struct weir_scope *scope, struct weir_site *site, size_t *terms, size_t n)
{
    struct weir_scope_group group = {.terms = terms, .n = n, .has_keys = has_key_axis(weir_point_at(site->point))};
    TRY(find_axis_of_units(&group, scope, site->point));
    for (site->group = 0; site->group < scope->n_groups; site->group++)
        if (is_same_group(&scope->groups[site->group], &group))
            return WEIR_OK;
    return add_group(scope, &group);
}

/* ---- units ---- */

/* Marks the units that the group's terms name in any prompt; `named` is room for one term's. */
static weir_status mark_units(bool *marked, bool *named, const struct weir_scope *scope, const struct weir_site *site)
{
    const struct weir_scope_group *group = &scope->groups[site->group];
    for (size_t i = 0; i < group->n; i++) {
        const struct weir_term *term = group_term(scope, group, i);
        if (term->where.units.n > 0 && group->n_units == 0)
            return weir_fail(WEIR_E_USAGE, "'%s': single experts are for edits; elsewhere %s is all that were chosen",
                             term->text, weir_point_at(site->point)->name);
        memset(named, 0, group->n_units * sizeof *named);
        TRY(weir_scope_in_term(
            scope, term, term->where.at.units,
            weir_slices_mark(&term->where.units, named, group->n_units, group->n_neurons > 0 ? "expert" : "unit")));
        for (size_t u = 0; u < group->n_units; u++)
            marked[u] = term->takes_away ? marked[u] && !(named[u] && is_whole_term(term)) : marked[u] || named[u];
    }
    return WEIR_OK;
}

static weir_status find_units(const struct weir_scope *scope, struct weir_site *site)
{
    size_t n = scope->groups[site->group].n_units;
    bool *marked = NULL, *named = NULL;
    weir_status status;
    TRY_DONE(weir_alloc_zero(&marked, n, sizeof *marked));
    TRY_DONE(weir_alloc_zero(&named, n, sizeof *named));
    TRY_DONE(mark_units(marked, named, scope, site));
    TRY_DONE(weir_some_marked(&site->units, marked, n));
done:
    weir_free(marked);
    weir_free(named);
    return status;
}

/* ---- opening ---- */

/* Adds the site, unless all of it is taken away again. `terms` is room for all terms. */
static weir_status add_site(struct weir_scope *scope, int point, int layer, size_t *terms)
{
    struct weir_site site = {.point = point, .layer = layer};
    size_t n = list_terms(terms, scope, &site);
    if (n == 0)
        return WEIR_OK;
    TRY(weir_grow(&scope->sites, &scope->cap_sites, scope->n_sites + 1, sizeof *scope->sites));
    TRY(find_group(scope, &site, terms, n));
    scope->sites[scope->n_sites++] = site;
    return find_units(scope, &scope->sites[scope->n_sites - 1]);
}

static weir_status add_marked_sites(struct weir_scope *scope, const bool *marked, size_t *terms)
{
    int n_layers = scope->model->config.n_layers;
    for (int point = 0; point < WEIR_N_POINTS; point++)
        for (int layer = -1; layer < n_layers; layer++)
            if (marked[weir_site_index(n_layers, point, layer)])
                TRY(add_site(scope, point, layer, terms));
    return scope->n_sites > 0 ? WEIR_OK
                              : weir_fail(WEIR_E_USAGE, "'%s' takes away all that is left",
                                          scope->selection->terms[scope->selection->n - 1].text);
}

static weir_status add_sites(struct weir_scope *scope)
{
    bool *marked = NULL;
    size_t *terms = NULL;
    weir_status status;
    TRY_DONE(weir_alloc_zero(&marked, weir_n_sites(scope->model->config.n_layers), sizeof *marked));
    TRY_DONE(weir_alloc(&terms, scope->selection->n, sizeof *terms));
    for (size_t i = 0; i < scope->selection->n; i++)
        TRY_DONE(mark_term(marked, scope, &scope->selection->terms[i]));
    TRY_DONE(add_marked_sites(scope, marked, terms));
done:
    weir_free(terms);
    weir_free(marked);
    return status;
}

static weir_status new_scope(struct weir_scope **out, const struct weir_model *model)
{
    TRY(weir_alloc_zero(out, 1, sizeof **out));
    (*out)->holders = 1;
    (*out)->model = model;
    return WEIR_OK;
}

weir_status weir_scope_open(struct weir_scope **out, const struct weir_model *model, const char *selection,
                            const char *positions)
{
    struct weir_scope *scope = NULL;
    weir_status status;
    *out = NULL;
    TRY_DONE(new_scope(&scope, model));
    TRY_DONE(weir_selection_parse(&scope->selection, selection));
    if (positions)
        TRY_DONE(weir_spots_parse(&scope->positions, positions, strlen(positions), "position"));
    TRY_DONE(add_sites(scope));
    *out = scope;
    scope = NULL;
done:
    weir_scope_close(scope);
    return status;
}

weir_status weir_scope_open_selection(struct weir_scope **out, const struct weir_model *model,
                                      struct weir_selection *selection)
{
    struct weir_scope *scope;
    *out = NULL;
    TRY(new_scope(&scope, model));
    scope->selection = selection;
    scope->borrowed = true;
    scope->keeps_regions = true;
    weir_status status = add_sites(scope);
    if (status == WEIR_OK)
        *out = scope;
    else
        weir_scope_close(scope);
    return status;
}

static weir_status check_site(const struct weir_model *model, int point, int layer)
{
    const char *why;
    if (!weir_point_at(point))
        return weir_fail(WEIR_E_USAGE, "there is no point %d: they go from 0 to %d", point, WEIR_N_POINTS - 1);
    const char *name = weir_point_at(point)->name;
    if (weir_point_at(point)->per_layer && (layer < 0 || layer >= model->config.n_layers))
        return weir_fail(WEIR_E_USAGE, "%s has no layer %d: they go from 0 to %d", name, layer,
                         model->config.n_layers - 1);
    if (!weir_point_at(point)->per_layer && layer != -1)
        return weir_fail(WEIR_E_USAGE, "%s stands outside the layers: its layer is -1, not %d", name, layer);
    if (!weir_model_has_point(model, point, layer, &why))
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: this model does not have it: %s", name, why);
    return WEIR_OK;
}

weir_status weir_scope_open_at(struct weir_scope **out, const struct weir_model *model, int point, int layer)
{
    struct weir_scope *scope = NULL;
    weir_status status;
    *out = NULL;
    TRY_DONE(check_site(model, point, layer));
    TRY_DONE(new_scope(&scope, model));
    TRY_DONE(weir_grow(&scope->groups, &scope->cap_groups, 1, sizeof *scope->groups));
    scope->groups[scope->n_groups++] = (struct weir_scope_group){
        .whole = true, .n_units = count_units(model, point), .has_keys = has_key_axis(weir_point_at(point))};
    TRY_DONE(weir_grow(&scope->sites, &scope->cap_sites, 1, sizeof *scope->sites));
    scope->sites[scope->n_sites++] =
        (struct weir_site){.point = point, .layer = layer, .units.n = count_units(model, point)};
    *out = scope;
    scope = NULL;
done:
    weir_scope_close(scope);
    return status;
}

/* ---- asking ---- */

const struct weir_site *weir_scope_site(const struct weir_scope *scope, int point, int layer)
{
    for (size_t i = 0; i < scope->n_sites; i++)
        if (scope->sites[i].point == point && scope->sites[i].layer == layer)
            return &scope->sites[i];
    return NULL;
}

/* The first of a group's terms that has neither the units nor the positions of `term`, or the first of all. */
static const struct weir_term *term_unlike(const struct weir_scope *scope, const struct weir_scope_group *group,
                                           const struct weir_term *term)
{
    for (size_t i = 0; i < group->n; i++) {
        const struct weir_term *one = group_term(scope, group, i);
        if (!weir_slices_equal(&one->where.units, &term->where.units) &&
            !weir_spots_equal(&one->where.positions, &term->where.positions))
            return one;
    }
    return group_term(scope, group, 0);
}

/* Fails unless the terms of a group together name every unit of any of them at every position of any of them. What is
   taken away, and what only some prompts have, is looked at when these are known. */
static weir_status check_box(const struct weir_scope *scope, const struct weir_scope_group *group)
{
    const struct weir_term *first = group->n ? group_term(scope, group, 0) : NULL, *other = NULL;
    bool same_units = true, same_positions = true;
    for (size_t i = 0; i < group->n; i++) {
        const struct weir_term *term = group_term(scope, group, i);
        if (group->takes_away || term->where.has_prompts || (term->where.units.n == 0 && term->where.positions.n == 0))
            return WEIR_OK;
        same_units &= weir_slices_equal(&term->where.units, &first->where.units);
        same_positions &= weir_spots_equal(&term->where.positions, &first->where.positions);
        if (!same_units && !same_positions && !other)
            other = term;
    }
    return !other ? WEIR_OK
                  : weir_fail(WEIR_E_USAGE,
                              "'%s' and '%s' name different heads or neurons at different positions of one value: give "
                              "each a hook of its own",
                              term_unlike(scope, group, other)->text, other->text);
}

weir_status weir_scope_take_rows(struct weir_scope *scope, const char *rows_for)
{
    for (size_t i = 0; scope->selection && i < scope->selection->n; i++) {
        const struct weir_term *term = &scope->selection->terms[i];
        if (term->where.keys.n > 0)
            return weir_fail(WEIR_E_USAGE, "'%s': %s all keys of a query: omit the / and what follows it", term->text,
                             rows_for);
        if (term->where.by_query_head)
            return weir_fail(WEIR_E_USAGE, "'%s': %s key-value heads, not what each query head reads: omit the h",
                             term->text, rows_for);
    }
    scope->rows_for = rows_for;
    return WEIR_OK;
}

weir_status weir_scope_take_boxes(struct weir_scope *scope, const char *rows_for)
{
    TRY(weir_scope_take_rows(scope, rows_for));
    scope->boxes_only = true;
    for (size_t i = 0; i < scope->n_groups; i++)
        TRY(check_box(scope, &scope->groups[i]));
    return WEIR_OK;
}

bool weir_scope_has_prompts(const struct weir_scope *scope)
{
    for (size_t i = 0; scope->selection && i < scope->selection->n; i++)
        if (scope->selection->terms[i].where.has_prompts)
            return true;
    return false;
}

/* ---- closing ---- */

struct weir_scope *weir_scope_hold(struct weir_scope *scope)
{
    scope->holders++;
    return scope;
}

void weir_scope_close(struct weir_scope *scope)
{
    if (!scope || --scope->holders > 0)
        return;
    weir_scope_drop_cells(scope);
    for (size_t i = 0; i < scope->n_sites; i++)
        weir_some_close(&scope->sites[i].units);
    for (size_t i = 0; i < scope->n_groups; i++)
        weir_free(scope->groups[i].terms);
    weir_free(scope->sites);
    weir_free(scope->groups);
    weir_spots_close(&scope->positions);
    if (!scope->borrowed)
        weir_selection_close(scope->selection);
    weir_free(scope);
}
