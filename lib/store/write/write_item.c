/* Writes one queued value: which rows and units of it the file keeps, whether all of it is finite, and where it goes.
 */
#include "base/alloc.h"
#include "store/write/finite.h"
#include "store/write/store.h"

#include <string.h>

/* Maps each stored row to a row of the value. *map is NULL where each is the same. */
static weir_status map_stored_rows(const int32_t **map, struct weir_store *store, const struct weir_store_value *value)
{
    const struct weir_store_prompt *prompt = &store->spec->prompts[value->prompt];
    size_t rows = store->sizes.size[WEIR_AXIS_POS], kept = 0;
    bool same = true;
    for (size_t r = 0; r < rows; r++) {
        int32_t at = r < prompt->n_rows ? prompt->positions[r] : -1;
        if (value->positions && (kept >= value->n_rows || at != value->positions[kept]))
            at = -1;
        kept += at >= 0;
        same = same && at == (r < prompt->n ? (int32_t)r : -1);
        store->row_map[r] = at;
    }
    *map = same ? NULL : store->row_map;
    if (value->positions && kept != value->n_rows)
        return weir_fail(WEIR_E_USAGE, "prompt %d: position %d has no row in the file", value->prompt,
                         value->positions[kept]);
    return WEIR_OK;
}

/* Marks the units to store by their own index, all others by -1. */
static weir_status map_units(const int32_t **map, struct weir_store *store, const struct weir_store_value *value,
                             size_t size)
{
    *map = NULL;
    if (!value->units)
        return WEIR_OK;
    for (size_t i = 0; i < size; i++)
        store->unit_map[i] = -1;
    for (size_t i = 0; i < value->n_units; i++) {
        if (value->units[i] < 0 || (size_t)value->units[i] >= size)
            return weir_fail(WEIR_E_USAGE, "unit %d: there are %zu", value->units[i], size);
        store->unit_map[value->units[i]] = value->units[i];
    }
    *map = store->unit_map;
    return WEIR_OK;
}

/* Describes which rows and units of the value go where, its axes padded to three in front. */
static weir_status gather_of(struct weir_gather *gather, struct weir_store *store, const struct weir_store_value *value)
{
    const struct weir_store_point *p = &store->spec->points[value->point];
    const struct weir_dataset *dataset = &store->datasets[value->point];
    const weir_point *point = p->point;
    int pad = 3 - point->n_axes, row = weir_point_row_axis(point), unit = weir_point_unit_axis(point);
    *gather = (struct weir_gather){.data = (const weir_bits *)(const void *)value->data,
                                   .extent = {1, 1, 1},
                                   .fill = weir_fill_bits(dataset->layout.elem)};
    memcpy(gather->shape, dataset->shape, sizeof gather->shape);
    for (int a = 0; a < point->n_axes; a++)
        gather->extent[pad + a] =
            weir_axis_is_position(point->axes[a]) ? store->spec->prompts[value->prompt].n : p->shape[a];
    if (row >= 0)
        TRY(map_stored_rows(&gather->map[pad + row], store, value));
    if (unit >= 0)
        TRY(map_units(&gather->map[pad + unit], store, value, p->shape[unit]));
    return WEIR_OK;
}

static size_t lead_of(const struct weir_store *store, const struct weir_store_value *value)
{
    size_t layer = value->layer < 0 ? 0 : (size_t)value->layer;
    return layer * store->spec->n_prompts + (size_t)value->prompt;
}

/* Counts what is not finite, and keeps where the first of it is. */
static void note_odd(struct weir_store *store, const struct weir_store_value *value, const struct weir_gather *gather,
                     const struct weir_odd *odd)
{
    const weir_point *point = store->spec->points[value->point].point;
    int axis = 3 - point->n_axes + weir_point_row_axis(point);
    if (store->odd.count == 0) {
        store->odd = (weir_not_finite){.point = point, .layer = value->layer, .prompt = value->prompt};
        store->odd.position = (int)weir_gather_source(gather, axis, odd->at[axis]);
        memcpy(&store->odd.value, &odd->first, sizeof odd->first);
    }
    store->odd.count += odd->n;
}

/* A NaN that was computed may have the bits that stand for "not stored": *tamed is then a copy without those. */
static weir_status check_finite(weir_bits **tamed, struct weir_store *store, const struct weir_store_value *value,
                                struct weir_gather *gather)
{
    struct weir_odd odd;
    *tamed = NULL;
    if (store->datasets[value->point].layout.elem == WEIR_ELEM_I32 ||
        (value->softmaxed && weir_softmax_is_finite(gather->data, gather->extent)))
        return WEIR_OK;
    weir_find_odd(&odd, gather, store->spec->points[value->point].point->id == WEIR_P_ATTN_SCORES);
    if (odd.n > 0)
        note_odd(store, value, gather, &odd);
    if (!odd.absent)
        return WEIR_OK;
    TRY(weir_tame_nan(tamed, gather->data, gather->extent[0] * gather->extent[1] * gather->extent[2]));
    gather->data = *tamed;
    return WEIR_OK;
}

static weir_status write_point_value(struct weir_store *store, const struct weir_store_item *item)
{
    const struct weir_store_value *value = &item->value;
    struct weir_gather gather;
    weir_bits *tamed;
    TRY(gather_of(&gather, store, value));
    TRY(check_finite(&tamed, store, value, &gather));
    weir_status status = weir_dataset_write(&store->datasets[value->point], lead_of(store, value), &gather,
                                            &store->scratch, &store->output);
    weir_free(tamed);
    return status;
}

/* Every column has the same rows; they fill the slab of the prompt from its beginning. */
static weir_status write_table(struct weir_store *store, const struct weir_store_item *item)
{
    size_t prompt = (size_t)item->value.prompt;
    for (int c = 0; c < item->table->table->n_columns; c++) {
        struct weir_dataset *dataset = &item->table->datasets[c];
        size_t n_rows = store->spec->prompts[prompt].n_rows;
        bool wide = dataset->layout.rank == WEIR_SET_RANK; /* else the rows are the last axis */
        struct weir_gather gather = {.data = item->columns[c],
                                     .extent = {1, wide ? n_rows : 1, wide ? item->table->width : n_rows},
                                     .fill = weir_fill_bits(dataset->layout.elem)};
        memcpy(gather.shape, dataset->shape, sizeof gather.shape);
        TRY(weir_dataset_write(dataset, prompt, &gather, &store->scratch, &store->output));
    }
    return WEIR_OK;
}

weir_status weir_store_write_item(struct weir_store *store, const struct weir_store_item *item)
{
    return item->table ? write_table(store, item) : write_point_value(store, item);
}
