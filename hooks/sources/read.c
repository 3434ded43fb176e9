/* Reading the values of a cache that a table is made of: rows, heads and columns of some prompts and layers, summed in
   double. */
#include "hooks/sources/parts.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

static size_t size_of_pairs(const struct weir_pairs *pairs, size_t own)
{
    return pairs->how == WEIR_PAIR_OWN ? own : pairs->how == WEIR_PAIR_LISTED ? pairs->n : 1;
}

static weir_status list_wanted(struct weir_source_table *table)
{
    TRY(weir_alloc(&table->rows.list, table->n_wanted, sizeof *table->rows.list));
    for (size_t i = 0; i < table->n_wanted; i++)
        if (table->wanted[i])
            table->rows.list[table->rows.n++] = (int32_t)i;
    return WEIR_OK;
}

static weir_status size_table(struct weir_source_table *table, const struct weir_edit_source *source)
{
    const struct weir_where *where = weir_source_where(source);
    const struct weir_form *form = &table->cache->sites[table->site].form;
    size_t n;
    if (!where->has_positions)
        TRY(list_wanted(table));
    if (!source->forms[table->site].by_heads || !form->by_heads)
        table->units = (struct weir_some){.n = form->heads};
    table->n_rows = where->has_positions ? size_of_pairs(&table->prompts[0].rows, 0) : table->rows.n;
    table->n_heads = size_of_pairs(&table->heads, table->units.n);
    table->n_columns = size_of_pairs(&table->columns, form->columns);
    if (form->has_keys)
        table->n_columns = where->has_keys ? size_of_pairs(&table->prompts[0].keys, 0) : table->most_key;
    TRY(weir_mul(&n, table->n_rows, table->n_heads));
    TRY(weir_mul(&n, n, table->n_columns));
    return weir_alloc_zero(&table->data, n, sizeof *table->data);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* Along an axis: number in[i] of the file goes to number out[i] of the table. */
struct terms {
    int32_t *out, *in; /* [n] */
    size_t n;
    int32_t lowest, highest; /* of `in` */
};

/* Reading one prompt into a table. */
struct table_reading {
    const struct weir_edit_source *source;
    struct weir_source_table *table;
    const struct weir_cached_prompt *prompt;
    struct terms rows, heads, columns;
    float *block;   /* the file's values from the lowest to the highest of each axis */
    double *sums;   /* [n_rows, n_heads, n_columns] */
    size_t *counts; /* [n_rows] terms of each of a row's sums */
};

static void close_terms(struct terms *terms)
{
    weir_free(terms->out);
    weir_free(terms->in);
    *terms = (struct terms){0};
}

static weir_status open_terms(struct terms *terms, size_t most)
{
    *terms = (struct terms){.lowest = INT32_MAX};
    TRY(weir_alloc(&terms->out, most, sizeof *terms->out));
    return weir_alloc(&terms->in, most, sizeof *terms->in);
}

static void add_table_term(struct terms *terms, size_t out, size_t in)
{
    terms->out[terms->n] = (int32_t)out;
    terms->in[terms->n++] = (int32_t)in;
    terms->lowest = (int32_t)in < terms->lowest ? (int32_t)in : terms->lowest;
    terms->highest = (int32_t)in > terms->highest ? (int32_t)in : terms->highest;
}

/* The row of the file that is a position of the prompt. */
static weir_status row_of_position(size_t *out, const struct table_reading *r, size_t position)
{
    const weir_file_prompt *info = &r->prompt->info;
    size_t row = position < info->n_rows && info->positions[position] == (int32_t)position ? position : 0;
    while (row < info->n_rows && info->positions[row] != (int32_t)position)
        row++;
    *out = row;
    if (row < info->n_rows)
        return WEIR_OK;
    return position < info->n ? weir_fail(WEIR_E_INPUT, "%s does not store position %zu of prompt %d: dump it too",
                                          weir_source_path(r->source), position, r->prompt->number)
                              : weir_fail(WEIR_E_USAGE, "prompt %d of %s has no position %zu: it has %zu tokens",
                                          r->prompt->number, weir_source_path(r->source), position, info->n);
}

/* Means leave out prompts that are too short for a position. */
static weir_status find_row_terms(struct table_reading *r)
{
    bool written = weir_source_where(r->source)->has_positions;
    const struct weir_pairs *list = written ? &r->prompt->rows : &r->table->rows;
    bool leaves_out = !written && r->source->edit->value.kind == WEIR_VALUE_MEAN;
    TRY(open_terms(&r->rows, list->n));
    for (size_t i = 0; i < list->n; i++) {
        size_t row, position = (size_t)list->list[i];
        if (leaves_out && position >= r->prompt->info.n)
            continue;
        TRY(row_of_position(&row, r, position));
        add_table_term(&r->rows, !written || list->how == WEIR_PAIR_LISTED ? i : 0, row);
    }
    return WEIR_OK;
}

static weir_status find_list_terms(struct terms *terms, const struct weir_pairs *pairs)
{
    TRY(open_terms(terms, pairs->n + 1));
    for (size_t i = 0; i < pairs->n; i++)
        add_table_term(terms, pairs->how == WEIR_PAIR_LISTED ? i : 0, (size_t)pairs->list[i]);
    if (!pairs->list) /* the only one */
        add_table_term(terms, 0, 0);
    return WEIR_OK;
}

static weir_status find_head_terms(struct table_reading *r)
{
    const struct weir_source_table *table = r->table;
    const struct weir_config *config = &r->source->model->config;
    bool by_query = table->by_query_head && table->cache->sites[table->site].form.head_axis == WEIR_AXIS_KV_HEAD;
    if (table->heads.how != WEIR_PAIR_OWN)
        return find_list_terms(&r->heads, &table->heads);
    TRY(open_terms(&r->heads, table->units.n));
    for (size_t i = 0; i < table->units.n; i++) {
        size_t head = weir_some_at(&table->units, i);
        add_table_term(&r->heads, i, by_query ? head / (size_t)(config->n_heads / config->n_kv_heads) : head);
    }
    return WEIR_OK;
}

/* Keys past the prompt's end are masked for its own rows, and stay 0. */
static weir_status find_key_terms(struct table_reading *r)
{
    const struct weir_where *where = weir_source_where(r->source);
    size_t n = r->table->most_key;
    if (where->has_keys)
        return find_list_terms(&r->columns, &r->prompt->keys);
    if (n > r->prompt->info.n && where->has_positions)
        return weir_fail(WEIR_E_USAGE, "prompt %d of %s has %zu keys, and %zu are changed: name those that are meant",
                         r->prompt->number, weir_source_path(r->source), r->prompt->info.n, n);
    n = n < r->prompt->info.n ? n : r->prompt->info.n;
    TRY(open_terms(&r->columns, n));
    for (size_t i = 0; i < n; i++)
        add_table_term(&r->columns, i, i);
    return WEIR_OK;
}

static weir_status find_column_terms(struct table_reading *r)
{
    const struct weir_form *form = &r->table->cache->sites[r->table->site].form;
    if (form->has_keys)
        return find_key_terms(r);
    if (r->table->columns.how != WEIR_PAIR_OWN)
        return find_list_terms(&r->columns, &r->table->columns);
    TRY(open_terms(&r->columns, form->columns));
    for (size_t i = 0; i < form->columns; i++)
        add_table_term(&r->columns, i, i);
    return WEIR_OK;
}

static weir_status refuse_cell(const struct table_reading *r, int layer, size_t row, size_t head, size_t column,
                               float value)
{
    const struct weir_cache_site *at = &r->table->cache->sites[r->table->site];
    char where[64] = "", unit[32] = "";
    if (layer >= 0)
        snprintf(where, sizeof where, ":%d", layer);
    if (at->form.by_heads || at->form.by_columns)
        snprintf(unit, sizeof unit, ".%zu", at->form.by_heads ? head : column);
    int32_t position = r->prompt->info.positions[row];
    if (!weir_is_stored(value))
        return weir_fail(WEIR_E_INPUT, "%s does not store %s%s%s at position %d of prompt %d: dump it too",
                         weir_source_path(r->source), at->point->point->name, where, unit, (int)position,
                         r->prompt->number);
    return weir_fail(WEIR_E_INPUT, "%s: %s%s%s at position %d of prompt %d is %s: an edit takes finite numbers",
                     weir_source_path(r->source), at->point->point->name, where, unit, (int)position, r->prompt->number,
                     isnan(value) ? "NaN" : "infinite");
}

/* Numbers of one head of a row, at `from`: columns from the lowest on. */
static weir_status add_columns(struct table_reading *r, double *to, const float *from, int layer, size_t row,
                               size_t head)
{
    for (size_t i = 0; i < r->columns.n; i++) {
        float value = from[r->columns.in[i] - r->columns.lowest];
        if (!weir_edit_source_takes(r->source, r->table->site, value))
            return refuse_cell(r, layer, row, head, (size_t)r->columns.in[i], value);
        to[r->columns.out[i]] += (double)value;
    }
    return WEIR_OK;
}

/* Floats from one to the next of a block's axes: those of the point, outermost first. */
static void block_steps(size_t *row_step, size_t *head_step, const weir_point *point, const weir_block *block)
{
    int rows = weir_point_row_axis(point);
    size_t step = 1;
    *head_step = 0;
    for (int axis = point->n_axes - 1; axis >= 0; axis--) {
        if (axis == rows)
            *row_step = step;
        else if (axis < point->n_axes - 1)
            *head_step = step;
        step *= block->count[axis];
    }
}

static weir_status add_block(struct table_reading *r, int layer, const weir_block *block)
{
    const struct weir_source_table *table = r->table;
    size_t row_step = 0, head_step = 0;
    size_t per_cell = (r->heads.n / table->n_heads) * (table->n_columns == 1 ? r->columns.n : 1);
    block_steps(&row_step, &head_step, table->cache->sites[table->site].point->point, block);
    for (size_t i = 0; i < r->rows.n; i++) {
        size_t out_row = (size_t)r->rows.out[i], in_row = (size_t)(r->rows.in[i] - r->rows.lowest);
        r->counts[out_row] += per_cell;
        for (size_t j = 0; j < r->heads.n; j++) {
            size_t out_head = (size_t)r->heads.out[j], in_head = (size_t)(r->heads.in[j] - r->heads.lowest);
            TRY(add_columns(r, r->sums + (out_row * table->n_heads + out_head) * table->n_columns,
                            r->block + in_row * row_step + in_head * head_step, layer, (size_t)r->rows.in[i],
                            (size_t)r->heads.in[j]));
        }
    }
    return WEIR_OK;
}

/* The smallest block of the file's value that holds all terms. */
static weir_block block_of(const struct table_reading *r)
{
    const weir_point *point = r->table->cache->sites[r->table->site].point->point;
    int rows = weir_point_row_axis(point);
    weir_block block = {{0}, {0}};
    for (int axis = 0; axis < point->n_axes; axis++) {
        const struct terms *terms = axis == rows ? &r->rows : axis == point->n_axes - 1 ? &r->columns : &r->heads;
        block.start[axis] = (size_t)terms->lowest;
        block.count[axis] = (size_t)terms->highest - (size_t)terms->lowest + 1;
    }
    return block;
}

static weir_status read_layers_of_prompt(struct table_reading *r)
{
    const struct weir_source_table *table = r->table;
    const struct weir_cache_site *at = &table->cache->sites[table->site];
    if (r->rows.n == 0)
        return WEIR_OK;
    const weir_block block = block_of(r);
    size_t n = 1;
    for (int axis = 0; axis < at->point->point->n_axes; axis++)
        TRY(weir_mul(&n, n, block.count[axis]));
    TRY(weir_alloc(&r->block, n, sizeof *r->block));
    for (size_t i = 0; i < table->layers.n; i++) {
        int layer = (int)table->layers.list[i];
        TRY(weir_in(weir_file_read(table->cache->file, at->point, layer, r->prompt->number, &block, r->block),
                    weir_source_path(r->source)));
        TRY(add_block(r, layer, &block));
    }
    return WEIR_OK;
}

static weir_status read_cached_prompt(struct table_reading *r)
{
    TRY(find_row_terms(r));
    TRY(find_head_terms(r));
    TRY(find_column_terms(r));
    return read_layers_of_prompt(r);
}

static void close_prompt_reading(struct table_reading *r)
{
    close_terms(&r->rows);
    close_terms(&r->heads);
    close_terms(&r->columns);
    weir_free(r->block);
    r->block = NULL;
}

/* Sums to means: each row has its own number of terms. */
static weir_status finish_table(struct table_reading *r)
{
    struct weir_source_table *table = r->table;
    size_t per_row = table->n_heads * table->n_columns;
    for (size_t row = 0; row < table->n_rows; row++) {
        if (r->counts[row] == 0)
            return weir_fail(WEIR_E_USAGE, "no prompt of the mean has position %d: %s", (int)table->rows.list[row],
                             weir_source_path(r->source));
        for (size_t i = 0; i < per_row; i++)
            table->data[row * per_row + i] = (float)(r->sums[row * per_row + i] / (double)r->counts[row]);
    }
    return WEIR_OK;
}

static weir_status read_cached_table(struct table_reading *r)
{
    struct weir_source_table *table = r->table;
    TRY(size_table(table, r->source));
    TRY(weir_alloc_zero(&r->sums, table->n_rows * table->n_heads * table->n_columns, sizeof *r->sums));
    TRY(weir_alloc_zero(&r->counts, table->n_rows, sizeof *r->counts));
    for (size_t i = 0; i < table->n; i++) {
        r->prompt = &table->prompts[i];
        weir_status status = read_cached_prompt(r);
        close_prompt_reading(r);
        TRY(status);
    }
    return finish_table(r);
}

weir_status weir_source_table_fill(const struct weir_edit_source *source, struct weir_source_table *table)
{
    struct table_reading reading = {.source = source, .table = table};
    weir_status status = read_cached_table(&reading);
    close_prompt_reading(&reading);
    weir_free(reading.sums);
    weir_free(reading.counts);
    return status;
}
