/* What sources read of a cache: for each prompt that is changed the prompts that serve it, and of those one table of
   numbers, averaged where the edit says so. Prompts that are served by the same prompts share a table. */
#include "hooks/sources/parts.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* ---- which prompts ----------------------------------------------------------------------------------------------- */

static weir_status add_cached_prompt(struct weir_source_table *table, const struct weir_edit_source *source,
                                     size_t number)
{
    TRY(weir_grow(&table->prompts, &table->capacity, table->n + 1, sizeof *table->prompts));
    struct weir_cached_prompt *prompt = &table->prompts[table->n];
    *prompt = (struct weir_cached_prompt){.number = (int)number};
    TRY(weir_file_get_prompt(source->cache->file, (int)number, &prompt->info));
    table->n++;
    return WEIR_OK;
}

static struct weir_sides sides_of(const struct weir_edit_source *source)
{
    return weir_stored_sides_of(&source->cache->sides, weir_source_path(source));
}

static weir_status own_number(size_t *out, const struct weir_edit_source *source, size_t prompt)
{
    int n = weir_file_get_info(source->cache->file)->n_prompts;
    *out = prompt;
    return prompt < (size_t)n
               ? WEIR_OK
               : weir_fail(WEIR_E_USAGE, "prompt %zu is changed, and %s has %d: name one for all, as in [#0]", prompt,
                           weir_source_path(source), n);
}

/* The prompts that the place writes for the changed one: one, or all that are averaged. */
static weir_status find_written_prompts(struct weir_pairs *out, const struct weir_edit_source *source, size_t prompt)
{
    const struct weir_sides sides = sides_of(source);
    const struct weir_value *value = &source->edit->value;
    TRY(weir_pairs_prompts(out, value, &weir_source_where(source)->prompts, &sides, source->scope->prompts, prompt));
    weir_pairs_draw(out, value, prompt, WEIR_DRAW_PROMPT);
    return weir_pairs_take_turn(out, source->turns[prompt], source->n_changed, "prompt");
}

static weir_status find_cached_prompts(struct weir_source_table *table, const struct weir_edit_source *source,
                                       size_t prompt)
{
    struct weir_pairs list = {0};
    size_t number;
    if (!weir_source_where(source)->has_prompts) {
        TRY(own_number(&number, source, prompt));
        return add_cached_prompt(table, source, number);
    }
    weir_status status = find_written_prompts(&list, source, prompt);
    for (size_t i = 0; i < list.n && status == WEIR_OK; i++)
        status = add_cached_prompt(table, source, (size_t)list.list[i]);
    weir_free(list.list);
    return status;
}

/* ---- which positions --------------------------------------------------------------------------------------------- */

/* The positions that spots name in a prompt of the cache, in the order in which they name them, or the one that is
   drawn of them for the changed prompt. */
static weir_status find_spots(struct weir_pairs *out, const struct weir_edit_source *source, size_t prompt, int cached,
                              const struct weir_spots *spots, enum weir_draw axis)
{
    const char *what = axis == WEIR_DRAW_KEY ? "key" : "position";
    const struct weir_value *value = &source->edit->value;
    struct weir_positions found;
    weir_status status = weir_stored_positions(&found, source->cache->file, cached, spots, what);
    if (status == WEIR_OK)
        status = weir_pairs_positions(out, value, &found, what);
    if (status == WEIR_OK)
        weir_pairs_draw(out, value, prompt, axis);
    weir_positions_close(&found);
    return weir_in(weir_in_prompt(status, (size_t)cached), weir_source_path(source));
}

static weir_status find_written_positions(struct weir_source_table *table, const struct weir_edit_source *source,
                                          size_t prompt)
{
    const struct weir_where *where = weir_source_where(source);
    for (size_t i = 0; i < table->n; i++) {
        struct weir_cached_prompt *cached = &table->prompts[i];
        if (where->has_positions)
            TRY(find_spots(&cached->rows, source, prompt, cached->number, &where->positions, WEIR_DRAW_POSITION));
        if (where->has_keys)
            TRY(find_spots(&cached->keys, source, prompt, cached->number, &where->keys, WEIR_DRAW_KEY));
    }
    return WEIR_OK;
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static void close_table(struct weir_source_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->n; i++) {
        weir_free(table->prompts[i].rows.list);
        weir_free(table->prompts[i].keys.list);
    }
    weir_free(table->prompts);
    weir_free(table->wanted);
    weir_free(table->rows.list);
    weir_free(table->data);
    weir_free(table);
}

void weir_cache_source_forget(struct weir_cache_source *cache)
{
    for (size_t i = 0; i < cache->n; i++)
        close_table(cache->tables[i]);
    cache->n = 0;
}

/* A list of the site's, or the one of it that is drawn for a prompt. */
static struct weir_pairs pairs_or_drawn(struct weir_source_table *table, int slot,
                                        const struct weir_edit_source *source, size_t prompt,
                                        const struct weir_pairs *of, enum weir_draw axis)
{
    if (of->how != WEIR_PAIR_DRAWN)
        return *of;
    table->drawn[slot] = of->list[weir_random_draw(source->edit->value.seed, prompt, axis, of->n)];
    return (struct weir_pairs){.how = WEIR_PAIR_ONE, .list = &table->drawn[slot], .n = 1};
}

static weir_status new_table(struct weir_source_table **out, struct weir_edit_source *source, size_t site,
                             size_t prompt)
{
    struct weir_cache_source *cache = source->cache;
    const struct weir_cache_site *at = &cache->sites[site];
    struct weir_source_table *table;
    TRY(weir_grow(&cache->tables, &cache->capacity, cache->n + 1, sizeof(struct weir_source_table *)));
    TRY(weir_alloc_zero(&table, 1, sizeof *table));
    cache->tables[cache->n++] = table;
    *out = table;
    table->cache = cache;
    table->site = site;
    table->is_shared = source->edit->value.kind != WEIR_VALUE_RESAMPLE && weir_source_where(source)->has_prompts;
    table->layers = pairs_or_drawn(table, 0, source, prompt, &at->layers, WEIR_DRAW_LAYER);
    table->heads = pairs_or_drawn(table, 1, source, prompt, &at->heads, WEIR_DRAW_UNIT);
    table->columns = pairs_or_drawn(table, 2, source, prompt, &at->columns, WEIR_DRAW_UNIT);
    table->units = source->scope->sites[site].units;
    table->by_query_head = weir_edit_source_slot_of(source, site, prompt)->by_query_head;
    TRY(find_cached_prompts(table, source, prompt));
    return find_written_positions(table, source, prompt);
}

static bool serves_same(const struct weir_source_table *a, const struct weir_source_table *b)
{
    bool same = a->is_shared && b->is_shared && a->site == b->site && a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++)
        same = a->prompts[i].number == b->prompts[i].number;
    return same;
}

/* A mean over prompts by number is the same whichever prompt is changed. */
static struct weir_source_table *table_for_all(const struct weir_edit_source *source, size_t site)
{
    const struct weir_cache_source *cache = source->cache;
    const struct weir_sides sides = sides_of(source);
    const char *name = weir_source_where(source)->prompts.name;
    bool is_same = source->edit->value.kind == WEIR_VALUE_MEAN && weir_source_where(source)->has_prompts &&
                   (!name || weir_sides_have(&sides, name));
    for (size_t i = cache->n; is_same && i-- > 0;)
        if (cache->tables[i]->site == site)
            return cache->tables[i];
    return NULL;
}

/* The table of a slot: one that another prompt has already, or a new one. */
static weir_status table_of_slot(struct weir_source_table **out, struct weir_edit_source *source, size_t site,
                                 size_t prompt)
{
    struct weir_cache_source *cache = source->cache;
    *out = table_for_all(source, site);
    if (*out)
        return WEIR_OK;
    TRY(new_table(out, source, site, prompt));
    for (size_t i = cache->n - 1; i-- > 0 && cache->tables[i]->site == site;) /* those of a site follow each other */
        if (serves_same(cache->tables[i], *out)) {
            close_table(*out);
            cache->n--;
            *out = cache->tables[i];
            break;
        }
    return WEIR_OK;
}

/* Adds the positions and keys that a slot wants of what the place leaves out. */
static weir_status want_cells(struct weir_source_table *table, const struct weir_edit_source *source, size_t prompt)
{
    const struct weir_edit_source_slot *slot = weir_edit_source_slot_of(source, table->site, prompt);
    size_t past = weir_edit_source_past(source, prompt), end = past + source->scope->prompts[prompt].n;
    if (slot->bound.keys.n > 0)
        table->most_key = table->most_key > weir_some_at(&slot->bound.keys, slot->bound.keys.n - 1)
                              ? table->most_key
                              : weir_some_at(&slot->bound.keys, slot->bound.keys.n - 1) + 1;
    if (weir_source_where(source)->has_positions)
        return WEIR_OK;
    if (end > table->n_wanted) {
        size_t capacity = table->n_wanted;
        TRY(weir_grow(&table->wanted, &capacity, end, sizeof *table->wanted));
        memset(table->wanted + table->n_wanted, 0, (end - table->n_wanted) * sizeof *table->wanted);
        table->n_wanted = end;
    }
    for (size_t i = 0; i < slot->bound.rows.n; i++)
        table->wanted[weir_some_at(&slot->bound.rows, i) + past] = true;
    return WEIR_OK;
}

/* ---- slots ------------------------------------------------------------------------------------------------------- */

/* As many as are changed, in order; `changed` of n_all where the edit chooses some. */
static weir_status serve_listed(struct weir_grid_axis *axis, size_t n, const struct weir_some *changed,
                                const char *what)
{
    axis->how = WEIR_SERVES_LISTED;
    axis->of = *changed;
    return weir_pairs_match(n, changed->n, what);
}

static weir_status serve_rows(struct weir_edit_source_slot *slot, const struct weir_edit_source *source, size_t prompt)
{
    const struct weir_source_table *table = slot->table;
    struct weir_grid_axis *axis = &slot->grid.rows;
    *axis = (struct weir_grid_axis){.step = table->n_heads * table->n_columns};
    if (!weir_source_where(source)->has_positions) {
        axis->how = WEIR_SERVES_LISTED;
        axis->of = (struct weir_some){table->rows.list, table->rows.n};
        axis->first = weir_edit_source_past(source, prompt);
        return WEIR_OK;
    }
    if (table->prompts[0].rows.how != WEIR_PAIR_LISTED)
        return WEIR_OK;
    if (slot->named.n > 0)
        axis->first = weir_edit_source_past(source, prompt);
    return serve_listed(axis, table->n_rows, slot->named.n > 0 ? &slot->named : &slot->bound.rows, "position");
}

static weir_status serve_heads(struct weir_edit_source_slot *slot, const struct weir_form *form)
{
    const struct weir_source_table *table = slot->table;
    const struct weir_some all = {.n = form->heads};
    struct weir_grid_axis *axis = &slot->grid.heads;
    *axis = (struct weir_grid_axis){.step = table->n_columns};
    if (table->heads.how == WEIR_PAIR_OWN) {
        axis->how = WEIR_SERVES_LISTED;
        axis->of = table->units;
        return WEIR_OK;
    }
    return table->heads.how == WEIR_PAIR_LISTED
               ? serve_listed(axis, table->n_heads, form->by_heads ? &slot->bound.units : &all, "head")
               : WEIR_OK;
}

static weir_status serve_columns(struct weir_edit_source_slot *slot, const struct weir_form *form)
{
    const struct weir_source_table *table = slot->table;
    const struct weir_some all = {.n = form->columns};
    enum weir_pairing how = form->has_keys ? table->prompts[0].keys.how : table->columns.how;
    struct weir_grid_axis *axis = &slot->grid.columns;
    *axis = (struct weir_grid_axis){.step = 1};
    if (how == WEIR_PAIR_OWN)
        axis->how = WEIR_SERVES_NUMBER;
    if (how != WEIR_PAIR_LISTED)
        return WEIR_OK;
    if (form->has_keys)
        return serve_listed(axis, table->n_columns, &slot->bound.keys, "key");
    return serve_listed(axis, table->n_columns, form->by_columns ? &slot->bound.units : &all, "unit");
}

static weir_status serve_slot(struct weir_edit_source *source, size_t site, size_t prompt)
{
    struct weir_edit_source_slot *slot = weir_edit_source_slot_of(source, site, prompt);
    TRY(serve_rows(slot, source, prompt));
    TRY(serve_heads(slot, &source->forms[site]));
    TRY(serve_columns(slot, &source->forms[site]));
    slot->grid.data = slot->table->data;
    return WEIR_OK;
}

typedef weir_status slot_fn(struct weir_edit_source *source, size_t site, size_t prompt);

static weir_status find_table(struct weir_edit_source *source, size_t site, size_t prompt)
{
    struct weir_edit_source_slot *slot = weir_edit_source_slot_of(source, site, prompt);
    TRY(table_of_slot(&slot->table, source, site, prompt));
    return want_cells(slot->table, source, prompt);
}

static weir_status each_slot(struct weir_edit_source *source, slot_fn *fn)
{
    for (size_t site = 0; site < source->scope->n_sites; site++)
        for (size_t prompt = 0; prompt < source->n_prompts; prompt++)
            if (weir_edit_source_slot_of(source, site, prompt)->bound.rows.n > 0)
                TRY(fn(source, site, prompt));
    return WEIR_OK;
}

weir_status weir_cache_source_find(struct weir_edit_source *source)
{
    weir_cache_source_forget(source->cache);
    TRY(each_slot(source, find_table));
    for (size_t i = 0; i < source->cache->n; i++)
        TRY(weir_source_table_fill(source, source->cache->tables[i]));
    return each_slot(source, serve_slot);
}
