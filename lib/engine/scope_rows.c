/* The cells that a scope's groups have in each prompt: the boxes of their terms, added and taken away in order. */
#include "base/alloc.h"
#include "engine/positions.h"
#include "engine/scope.h"
#include "points/sides.h"

#include <stdio.h>
#include <string.h>

/* What the search for one prompt's cells needs. */
struct cell_search {
    struct weir_scope *scope;
    struct weir_prompt_lookup of; /* the prompt */
    size_t past, end;             /* positions whose rows run: from past to end - 1 */
    const bool *meant;            /* [terms, prompts] whether a term means a prompt */
    size_t prompt, n_prompts;
    bool *narrowed; /* [all positions] to what the scope's positions name */
    bool *marked;   /* [all positions] room */
};

/* Names the term, or the whole text that it is in: there may be several. */
static weir_status in_whole(const struct weir_scope *scope, const struct weir_term *term, weir_status status)
{
    return weir_in(status, scope->selection->whole ? scope->selection->whole : term->text);
}

static size_t all_positions(const struct cell_search *search)
{
    return search->of.lookup.n;
}

/* ---- the box of a term ---- */

static weir_status find_named_units(struct weir_some *out, const struct weir_scope_group *group,
                                    const struct weir_term *term)
{
    bool *marked;
    TRY(weir_alloc_zero(&marked, group->n_units, sizeof *marked));
    weir_status status = weir_slices_mark(&term->where.units, marked, group->n_units, "unit");
    if (status == WEIR_OK)
        status = weir_some_marked(out, marked, group->n_units);
    weir_free(marked);
    return status;
}

static weir_status find_named_keys(struct weir_some *out, struct cell_search *search,
                                   const struct weir_scope_group *group, const struct weir_term *term)
{
    *out = (struct weir_some){.n = group->has_keys ? search->end : 0};
    if (!group->has_keys || term->where.keys.n == 0)
        return WEIR_OK;
    memset(search->marked, 0, all_positions(search) * sizeof *search->marked);
    TRY(weir_scope_in_term(search->scope, term, term->where.at.keys,
                           weir_lookup_mark(search->marked, &search->of.lookup, &term->where.keys, "key")));
    return weir_some_marked(out, search->marked, search->end);
}

static weir_status find_named_neurons(struct weir_some *out, const struct cell_search *search,
                                      const struct weir_scope_group *group, const struct weir_term *term)
{
    bool *marked;
    TRY(weir_alloc_zero(&marked, group->n_neurons, sizeof *marked));
    weir_status status = weir_slices_mark(&term->where.neurons, marked, group->n_neurons, "neuron");
    if (status == WEIR_OK)
        status = weir_some_marked(out, marked, group->n_neurons);
    weir_free(marked);
    return weir_scope_in_term(search->scope, term, term->where.at.neurons, status);
}

static weir_status put_box(struct weir_region *region, const struct weir_term *term, const struct weir_box *box)
{
    return term->takes_away ? weir_region_take(region, box) : weir_region_add(region, box);
}

/* A pair is a box of one cell of each unit. */
static weir_status put_pair(struct weir_region *region, const struct cell_search *search, const struct weir_term *term,
                            const struct weir_box *box, int32_t query, int32_t key)
{
    int32_t row = query - (int32_t)search->past;
    const struct weir_box cell = {.units = box->units, .rows = {&row, 1}, .keys = {&key, 1}};
    bool runs = row >= 0 && (size_t)query < search->end && (size_t)key < search->end;
    return runs && search->narrowed[query] ? put_box(region, term, &cell) : WEIR_OK;
}

static weir_status put_pairs(struct weir_region *region, const struct cell_search *search,
                             const struct weir_scope_group *group, const struct weir_term *term,
                             const struct weir_box *box, const struct weir_positions *positions)
{
    if (!group->has_keys)
        return weir_fail(WEIR_E_USAGE, "pairs of query and key: only pattern and attn_scores have keys");
    if (search->scope->rows_for)
        return weir_fail(WEIR_E_USAGE, "pairs of query and key: %s all keys of a query", search->scope->rows_for);
    if (term->where.keys.n > 0)
        return weir_fail(WEIR_E_USAGE, "pairs of query and key have their keys already: omit the /");
    for (size_t i = 0; i < positions->n; i++)
        if (positions->keys[i] >= 0)
            TRY(put_pair(region, search, term, box, positions->list[i], positions->keys[i]));
    return WEIR_OK;
}

/* The rows of the positions that are no pairs. */
static weir_status find_named_rows(struct weir_some *out, const struct cell_search *search,
                                   const struct weir_positions *positions)
{
    memset(search->marked, 0, all_positions(search) * sizeof *search->marked);
    for (size_t i = 0; i < positions->n; i++)
        if (!positions->keys || positions->keys[i] < 0)
            search->marked[positions->list[i]] = search->narrowed[positions->list[i]];
    return weir_some_marked(out, search->marked + search->past, search->end - search->past);
}

static weir_status put_term(struct weir_region *region, struct cell_search *search,
                            const struct weir_scope_group *group, const struct weir_term *term)
{
    struct weir_positions positions = {0};
    struct weir_box box = {0};
    weir_status status;
    TRY_DONE(find_named_units(&box.units, group, term));
    TRY_DONE(group->n_neurons > 0 ? find_named_neurons(&box.keys, search, group, term)
                                  : find_named_keys(&box.keys, search, group, term));
    status = weir_lookup_find(&positions, &search->of.lookup, &term->where.positions, "position");
    TRY_DONE(weir_scope_in_term(search->scope, term, term->where.at.positions, status));
    if (positions.keys)
        TRY_DONE(put_pairs(region, search, group, term, &box, &positions));
    TRY_DONE(find_named_rows(&box.rows, search, &positions));
    TRY_DONE(put_box(region, term, &box));
done:
    weir_positions_close(&positions);
    weir_box_close(&box);
    return status;
}

/* ---- the cells of a group ---- */

static struct weir_box whole_box(const struct cell_search *search, const struct weir_scope_group *group)
{
    return (struct weir_box){.rows.n = search->end - search->past,
                             .units.n = group->n_units,
                             .keys.n = group->has_keys ? search->end : group->n_neurons};
}

static bool is_set_by_set(const struct weir_region *region)
{
    return region->n == 0 || (region->n == 1 && !region->boxes[0].keys.list);
}

/* The last of a group's terms that takes away, else the last. */
static const struct weir_term *taking_term(const struct weir_scope *scope, const struct weir_scope_group *group)
{
    const struct weir_term *terms = scope->selection->terms, *last = &terms[group->terms[group->n - 1]];
    for (size_t i = 0; i < group->n; i++)
        if (terms[group->terms[i]].takes_away)
            last = &terms[group->terms[i]];
    return last;
}

static weir_status fail_no_set(const struct weir_scope *scope, const struct weir_scope_group *group)
{
    return weir_fail(WEIR_E_USAGE,
                     "'%s': what the selection names with it is no set of heads or neurons at a set of positions, and "
                     "%s only such sets: name the parts one by one",
                     taking_term(scope, group)->text, scope->rows_for);
}

static weir_status find_group_cells(struct weir_scope_cells *cells, struct cell_search *search,
                                    const struct weir_scope_group *group)
{
    const struct weir_scope *scope = search->scope;
    const struct weir_box all = whole_box(search, group);
    cells->region.by_query_head = group->by_query_head;
    for (size_t i = 0; i < group->n; i++) {
        const struct weir_term *term = &scope->selection->terms[group->terms[i]];
        if (search->meant[group->terms[i] * search->n_prompts + search->prompt])
            TRY(in_whole(scope, term, put_term(&cells->region, search, group, term)));
    }
    if (group->n == 0)
        TRY(weir_region_add(&cells->region, &all));
    TRY(weir_region_join(&cells->region, &all));
    if (scope->boxes_only && !is_set_by_set(&cells->region))
        return fail_no_set(scope, group);
    return weir_region_bound(&cells->bound, &cells->region, &all);
}

static weir_status find_prompt_cells(struct cell_search *search)
{
    struct weir_scope *scope = search->scope;
    size_t n = all_positions(search);
    TRY(weir_alloc_zero(&search->narrowed, n, sizeof *search->narrowed));
    TRY(weir_alloc(&search->marked, n, sizeof *search->marked));
    TRY(weir_lookup_mark(search->narrowed, &search->of.lookup, &scope->positions, "position"));
    for (size_t i = 0; i < scope->n_groups; i++)
        TRY(find_group_cells(&scope->cells[search->prompt * scope->n_groups + i], search, &scope->groups[i]));
    return WEIR_OK;
}

/* ---- prompts ---- */

/* The prompts in which positions are looked up, that begin at their first token if they are whole. */
struct looked_up {
    const weir_tokens *prompts;
    const size_t *past; /* NULL: all run from their first position on */
    bool whole;
};

/* Prompts that began elsewhere are some of those that ran: a side may have none of them. */
static bool is_of_no_prompt(const struct weir_whose *whose, const struct looked_up *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!whose->name || (in->prompts[i].side && strcmp(in->prompts[i].side, whose->name) == 0))
            return false;
    return in->whole;
}

/* Marks which prompts each term means, [terms, prompts] in new memory. */
static weir_status mark_meant(bool **out, const struct weir_scope *scope, const struct looked_up *in, size_t n)
{
    size_t n_terms = scope->selection ? scope->selection->n : 0, all;
    TRY(weir_mul(&all, n_terms, n));
    TRY(weir_alloc_zero(out, all, sizeof **out));
    for (size_t i = 0; i < n_terms; i++) {
        const struct weir_term *term = &scope->selection->terms[i];
        if (is_of_no_prompt(&term->where.prompts, in, n))
            continue;
        weir_status status = weir_prompts_mark(*out + i * n, &term->where.prompts, in->prompts, n);
        TRY(in_whole(scope, term, weir_scope_in_term(scope, term, term->where.at.prompts, status)));
    }
    return WEIR_OK;
}

static weir_status find_cells(struct weir_scope *scope, const bool *meant, size_t prompt, const struct looked_up *in)
{
    size_t past = in->past ? in->past[prompt] : 0;
    struct cell_search search = {.scope = scope,
                                 .meant = meant,
                                 .prompt = prompt,
                                 .n_prompts = scope->n_prompts,
                                 .past = past,
                                 .end = past + scope->prompts[prompt].n};
    weir_prompt_lookup_open(&search.of, scope->model, &in->prompts[prompt], in->whole ? 0 : past);
    weir_status status = weir_in_prompt(find_prompt_cells(&search), prompt);
    weir_free(search.narrowed);
    weir_free(search.marked);
    weir_lookup_close(&search.of.lookup);
    return status;
}

static weir_status find_all_cells(struct weir_scope *scope, const struct looked_up *in)
{
    bool *meant = NULL;
    size_t n_cells;
    weir_status status;
    TRY(weir_mul(&n_cells, scope->n_prompts, scope->n_groups));
    TRY(weir_alloc_zero(&scope->cells, n_cells, sizeof *scope->cells));
    TRY_DONE(mark_meant(&meant, scope, in, scope->n_prompts));
    for (size_t i = 0; i < scope->n_prompts; i++)
        TRY_DONE(find_cells(scope, meant, i, in));
done:
    weir_free(meant);
    return status;
}

/* True where no prompt has other cells than all its rows: nothing is kept per prompt then. */
static bool is_whole_scope(const struct weir_scope *scope)
{
    for (size_t i = 0; i < scope->n_groups; i++)
        if (!scope->groups[i].whole)
            return false;
    return !scope->keeps_regions;
}

weir_status weir_scope_find_rows_of(struct weir_scope *scope, const weir_tokens *prompts, const size_t *past,
                                    const weir_tokens *whole, size_t n)
{
    const struct looked_up in = {whole ? whole : prompts, past, whole != NULL};
    weir_scope_drop_cells(scope);
    scope->prompts = prompts;
    scope->n_prompts = n;
    return is_whole_scope(scope) ? WEIR_OK : find_all_cells(scope, &in);
}

weir_status weir_scope_find_rows(struct weir_scope *scope, const weir_tokens *prompts, const size_t *past, size_t n)
{
    return weir_scope_find_rows_of(scope, prompts, past, NULL, n);
}

void weir_scope_drop_cells(struct weir_scope *scope)
{
    for (size_t i = 0; scope->cells && i < scope->n_prompts * scope->n_groups; i++) {
        weir_region_close(&scope->cells[i].region);
        weir_box_close(&scope->cells[i].bound);
    }
    weir_free(scope->cells);
    scope->cells = NULL;
    scope->prompts = NULL;
    scope->n_prompts = 0;
}

/* ---- asking ---- */

static const struct weir_scope_cells *cells_of(const struct weir_scope *scope, size_t group, size_t prompt)
{
    return &scope->cells[prompt * scope->n_groups + group];
}

struct weir_region weir_scope_region(const struct weir_scope *scope, const struct weir_site *site, size_t prompt)
{
    return cells_of(scope, site->group, prompt)->region;
}

struct weir_box weir_scope_bound(const struct weir_scope *scope, const struct weir_site *site, size_t prompt)
{
    if (scope->cells)
        return cells_of(scope, site->group, prompt)->bound;
    const struct weir_scope_group *group = &scope->groups[site->group];
    size_t n = scope->prompts[prompt].n;
    return (struct weir_box){.rows.n = n, .units = site->units, .keys.n = group->has_keys ? n : 0};
}

struct weir_some weir_scope_rows(const struct weir_scope *scope, const struct weir_site *site, size_t prompt)
{
    return weir_scope_bound(scope, site, prompt).rows;
}

void weir_scope_mark_rows(const struct weir_scope *scope, size_t prompt, bool *marked)
{
    if (!scope->cells)
        memset(marked, true, scope->prompts[prompt].n * sizeof *marked);
    for (size_t i = 0; scope->cells && i < scope->n_groups; i++) {
        const struct weir_some *rows = &cells_of(scope, i, prompt)->bound.rows;
        for (size_t r = 0; r < rows->n; r++)
            marked[weir_some_at(rows, r)] = true;
    }
}

void weir_scope_mark_units(const struct weir_scope *scope, const struct weir_site *site, bool *marked)
{
    for (size_t i = 0; i < (scope->cells ? scope->n_prompts : 1); i++) {
        const struct weir_some units = weir_scope_bound(scope, site, i).units;
        for (size_t u = 0; u < units.n; u++)
            marked[weir_some_at(&units, u)] = true;
    }
}

/* How many cells there are at the rows of one prompt and the units of all. */
static size_t stored_cells(const struct weir_scope *scope, const struct weir_site *site, size_t prompt, size_t n_units)
{
    const struct weir_scope_group *group = &scope->groups[site->group];
    size_t n_rows = weir_scope_rows(scope, site, prompt).n;
    const struct weir_box box = {.rows.n = n_rows, .units.n = n_units};
    return n_rows == 0 ? 0 : weir_box_size(&box) * (group->has_keys ? scope->prompts[prompt].n : 1);
}

static weir_status check_site_taken(const struct weir_scope *scope, const struct weir_site *site, bool *marked)
{
    const struct weir_scope_group *group = &scope->groups[site->group];
    size_t n = 0;
    memset(marked, 0, group->n_units * sizeof *marked);
    weir_scope_mark_units(scope, site, marked);
    for (size_t u = 0; u < group->n_units; u++)
        n += marked[u];
    for (size_t i = 0; i < scope->n_prompts; i++)
        if (stored_cells(scope, site, i, n) != weir_region_size(&cells_of(scope, site->group, i)->region))
            return fail_no_set(scope, group);
    return WEIR_OK;
}

weir_status weir_scope_check_taken(const struct weir_scope *scope)
{
    for (size_t i = 0; scope->cells && i < scope->n_sites; i++) {
        const struct weir_site *site = &scope->sites[i];
        const struct weir_scope_group *group = &scope->groups[site->group];
        bool *marked;
        if (!group->takes_away)
            continue;
        TRY(weir_alloc(&marked, group->n_units, sizeof *marked));
        weir_status status = check_site_taken(scope, site, marked);
        weir_free(marked);
        TRY(status);
    }
    return WEIR_OK;
}
