/* Scopes: selections resolved against a model. */
#include "engine/scope.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* Which terms name a site. */
struct weir_scope_group {
    size_t *terms; /* [n] indices into the selection */
    size_t n;
    bool whole; /* no positions are chosen: the rows are all rows */
};

static const struct weir_term *group_term(const struct weir_scope *scope, const struct weir_scope_group *group,
                                          size_t i)
{
    return &scope->selection->terms[group->terms[i]];
}

/* Lists the marked of n in `out`, whose list stays NULL where all are. */
static weir_status list_marked(struct weir_some *out, const bool *marked, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += marked[i];
    *out = (struct weir_some){.n = count};
    if (count == n)
        return WEIR_OK;
    TRY(weir_alloc(&out->list, count, sizeof *out->list));
    for (size_t i = 0, at = 0; i < n; i++)
        if (marked[i])
            out->list[at++] = (int32_t)i;
    return WEIR_OK;
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
static weir_status mark_sites(bool *marked, const struct weir_model *model, struct weir_term *term)
{
    size_t n_layers = (size_t)model->config.n_layers, n_marked = 0;
    const char *why = "no layer is left";
    bool *layers;
    TRY(weir_model_settle(model, term));
    TRY(weir_alloc_zero(&layers, n_layers, sizeof *layers));
    weir_status status = weir_in(weir_slices_mark(&term->where.layers, layers, n_layers, "layer"), term->text);
    for (int point = 0; status == WEIR_OK && point < WEIR_N_POINTS; point++)
        if (term->points[point])
            mark_sites_of_point(marked, model, term, point, layers, &n_marked, &why);
    weir_free(layers);
    if (status == WEIR_OK && n_marked == 0)
        return weir_fail(WEIR_E_UNSUPPORTED, "'%s': this model does not have it: %s", term->text, why);
    return status;
}

/* True where a term names a site that the model has. */
static bool names_site(const struct weir_scope *scope, const struct weir_term *term, int point, int layer)
{
    return term->points[point] &&
           (layer < 0 || weir_slices_name(&term->where.layers, (size_t)layer, (size_t)scope->model->config.n_layers));
}

/* ---- groups ---- */

static bool is_group_of(const struct weir_scope_group *group, const size_t *terms, size_t n)
{
    return group->n == n && memcmp(group->terms, terms, n * sizeof *terms) == 0;
}

static weir_status add_group(struct weir_scope *scope, const size_t *terms, size_t n)
{
    TRY(weir_grow(&scope->groups, &scope->cap_groups, scope->n_groups + 1, sizeof *scope->groups));
    struct weir_scope_group *group = &scope->groups[scope->n_groups];
    *group = (struct weir_scope_group){.n = n, .whole = scope->positions.n == 0};
    TRY(weir_alloc(&group->terms, n, sizeof *group->terms));
    scope->n_groups++;
    memcpy(group->terms, terms, n * sizeof *terms);
    for (size_t i = 0; i < n; i++)
        group->whole &= group_term(scope, group, i)->where.positions.n == 0;
    return WEIR_OK;
}

/* The group of a site, a new one where no other site is named by the same terms. `terms` is room for all of them. */
static weir_status find_group(struct weir_scope *scope, struct weir_site *site, size_t *terms)
{
    size_t n = 0;
    for (size_t i = 0; i < scope->selection->n; i++)
        if (names_site(scope, &scope->selection->terms[i], site->point, site->layer))
            terms[n++] = i;
    for (site->group = 0; site->group < scope->n_groups; site->group++)
        if (is_group_of(&scope->groups[site->group], terms, n))
            return WEIR_OK;
    return add_group(scope, terms, n);
}

/* ---- units ---- */

/* Marks the units that the group's terms name; all when one of them names none in particular. */
static weir_status mark_units(const struct weir_scope *scope, const struct weir_site *site, bool *marked, size_t n)
{
    const struct weir_scope_group *group = &scope->groups[site->group];
    for (size_t i = 0; i < group->n; i++) {
        const struct weir_term *term = group_term(scope, group, i);
        if (term->where.units.n > 0 && n == 0)
            return weir_fail(WEIR_E_USAGE, "'%s': %s has no heads or neurons to select", term->text,
                             weir_point_at(site->point)->name);
        TRY(weir_in(weir_slices_mark(&term->where.units, marked, n, "unit"), term->text));
    }
    return WEIR_OK;
}

static size_t count_units(const struct weir_model *model, int point)
{
    size_t shape[WEIR_MAX_AXES];
    int axis = weir_point_unit_axis(weir_point_at(point));
    weir_model_shape(model, point, shape);
    return axis < 0 ? 0 : shape[axis];
}

static weir_status find_units(const struct weir_scope *scope, struct weir_site *site)
{
    size_t n = count_units(scope->model, site->point);
    bool *marked;
    TRY(weir_alloc_zero(&marked, n, sizeof *marked));
    weir_status status = mark_units(scope, site, marked, n);
    if (status == WEIR_OK)
        status = list_marked(&site->units, marked, n);
    weir_free(marked);
    return status;
}

/* ---- opening ---- */

static weir_status add_site(struct weir_scope *scope, int point, int layer, size_t *terms)
{
    TRY(weir_grow(&scope->sites, &scope->cap_sites, scope->n_sites + 1, sizeof *scope->sites));
    struct weir_site *site = &scope->sites[scope->n_sites++];
    *site = (struct weir_site){.point = point, .layer = layer};
    TRY(find_group(scope, site, terms));
    return find_units(scope, site);
}

static weir_status add_sites(struct weir_scope *scope)
{
    int n_layers = scope->model->config.n_layers;
    bool *marked = NULL;
    size_t *terms = NULL;
    weir_status status;
    TRY_DONE(weir_alloc_zero(&marked, weir_n_sites(n_layers), sizeof *marked));
    TRY_DONE(weir_alloc(&terms, scope->selection->n, sizeof *terms));
    for (size_t i = 0; i < scope->selection->n; i++)
        TRY_DONE(mark_sites(marked, scope->model, &scope->selection->terms[i]));
    for (int point = 0; point < WEIR_N_POINTS; point++)
        for (int layer = -1; layer < n_layers; layer++)
            if (marked[weir_site_index(n_layers, point, layer)])
                TRY_DONE(add_site(scope, point, layer, terms));
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
    TRY_DONE(weir_selection_check_plain(scope->selection));
    if (positions)
        TRY_DONE(weir_slices_parse(&scope->positions, positions, strlen(positions), "position"));
    TRY_DONE(add_sites(scope));
    *out = scope;
    scope = NULL;
done:
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
    scope->groups[scope->n_groups++] = (struct weir_scope_group){.whole = true};
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

/* Fails unless the terms of a group together name every unit of any of them at every position of any of them. */
static weir_status check_box(const struct weir_scope *scope, const struct weir_scope_group *group)
{
    const struct weir_term *first = group_term(scope, group, 0), *other = NULL;
    bool same_units = true, same_positions = true;
    for (size_t i = 0; i < group->n; i++) {
        const struct weir_term *term = group_term(scope, group, i);
        if (term->where.units.n == 0 && term->where.positions.n == 0)
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

weir_status weir_scope_check_boxes(const struct weir_scope *scope)
{
    for (size_t i = 0; i < scope->n_groups; i++)
        TRY(check_box(scope, &scope->groups[i]));
    return WEIR_OK;
}

/* ---- rows ---- */

/* Marks the positions of n that the group's terms name; `narrowed` is room for n. */
static weir_status mark_positions(const struct weir_scope *scope, const struct weir_scope_group *group, bool *marked,
                                  bool *narrowed, size_t n)
{
    memset(marked, 0, n * sizeof *marked);
    memset(narrowed, 0, n * sizeof *narrowed);
    for (size_t i = 0; i < group->n; i++) {
        const struct weir_term *term = group_term(scope, group, i);
        TRY(weir_in(weir_spots_mark(&term->where.positions, marked, n, "position"), term->text));
    }
    TRY(weir_slices_mark(&scope->positions, narrowed, n, "position"));
    for (size_t i = 0; i < n; i++)
        marked[i] = marked[i] && narrowed[i];
    return WEIR_OK;
}

/* The rows of one prompt of `length` positions after `past`, for every group. */
static weir_status find_rows_of_prompt(struct weir_scope *scope, struct weir_some *rows, size_t past, size_t length)
{
    size_t n = past + length;
    bool *marked = NULL, *narrowed = NULL;
    weir_status status;
    TRY_DONE(weir_alloc(&marked, n, sizeof *marked));
    TRY_DONE(weir_alloc(&narrowed, n, sizeof *narrowed));
    for (size_t i = 0; i < scope->n_groups; i++) {
        rows[i] = (struct weir_some){.n = length};
        if (scope->groups[i].whole)
            continue;
        TRY_DONE(mark_positions(scope, &scope->groups[i], marked, narrowed, n));
        TRY_DONE(list_marked(&rows[i], marked + past, length));
    }
done:
    weir_free(marked);
    weir_free(narrowed);
    return status;
}

static void drop_rows(struct weir_scope *scope)
{
    for (size_t i = 0; scope->rows && i < scope->n_prompts * scope->n_groups; i++)
        weir_free(scope->rows[i].list);
    weir_free(scope->rows);
    scope->rows = NULL;
    scope->prompts = NULL;
    scope->n_prompts = 0;
}

/* True where no position is chosen anywhere: nothing is kept per prompt then. */
static bool is_whole_scope(const struct weir_scope *scope)
{
    for (size_t i = 0; i < scope->n_groups; i++)
        if (!scope->groups[i].whole)
            return false;
    return true;
}

weir_status weir_scope_find_rows(struct weir_scope *scope, const weir_tokens *prompts, const size_t *past, size_t n)
{
    size_t n_rows;
    drop_rows(scope);
    if (!is_whole_scope(scope)) {
        TRY(weir_mul(&n_rows, n, scope->n_groups));
        TRY(weir_alloc_zero(&scope->rows, n_rows, sizeof *scope->rows));
    }
    scope->prompts = prompts;
    scope->n_prompts = n;
    for (size_t i = 0; scope->rows && i < n; i++) {
        char prompt[32];
        snprintf(prompt, sizeof prompt, "prompt %zu", i);
        TRY(weir_in(find_rows_of_prompt(scope, scope->rows + i * scope->n_groups, past ? past[i] : 0, prompts[i].n),
                    prompt));
    }
    return WEIR_OK;
}

static struct weir_some rows_of_group(const struct weir_scope *scope, size_t group, size_t prompt)
{
    return scope->rows ? scope->rows[prompt * scope->n_groups + group]
                       : (struct weir_some){.n = scope->prompts[prompt].n};
}

struct weir_some weir_scope_rows(const struct weir_scope *scope, const struct weir_site *site, size_t prompt)
{
    return rows_of_group(scope, site->group, prompt);
}

void weir_scope_mark_rows(const struct weir_scope *scope, size_t prompt, bool *marked)
{
    for (size_t i = 0; i < scope->n_groups; i++) {
        const struct weir_some rows = rows_of_group(scope, i, prompt);
        for (size_t r = 0; r < rows.n; r++)
            marked[rows.list ? (size_t)rows.list[r] : r] = true;
    }
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
    drop_rows(scope);
    for (size_t i = 0; i < scope->n_sites; i++)
        weir_free(scope->sites[i].units.list);
    for (size_t i = 0; i < scope->n_groups; i++)
        weir_free(scope->groups[i].terms);
    weir_free(scope->sites);
    weir_free(scope->groups);
    weir_slices_close(&scope->positions);
    weir_selection_close(scope->selection);
    weir_free(scope);
}
