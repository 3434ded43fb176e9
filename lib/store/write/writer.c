/* Creates a store, commits and closes it: what comes before its thread begins, and after it has ended. */
#include "store/write/writer.h"

#include "base/alloc.h"
#include "store/write/grids.h"
#include "store/write/store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static weir_status alloc_work_space(struct weir_store *store)
{
    size_t widest = 1;
    for (int dim = 0; dim < WEIR_N_DIMS; dim++)
        if (store->sizes.size[dim] > widest)
            widest = store->sizes.size[dim];
    TRY(weir_alloc(&store->row_map, store->sizes.size[WEIR_AXIS_POS], sizeof *store->row_map));
    TRY(weir_alloc(&store->unit_map, widest, sizeof *store->unit_map));
    return weir_scratch_open(&store->scratch, store->datasets, store->n_datasets);
}

/* Room for one value per prompt, which reads as not stored until it is given. */
static weir_status hold_columns(struct weir_written_table *table, size_t n_prompts)
{
    for (int c = 0; c < table->table->n_columns; c++) {
        TRY(weir_alloc(&table->held[c], n_prompts, sizeof *table->held[c]));
        for (size_t i = 0; i < n_prompts; i++)
            table->held[c][i] = weir_fill_bits(table->table->columns[c].elem);
    }
    return WEIR_OK;
}

/* The spec's tables; their columns' datasets follow those of the points. */
static weir_status new_tables(struct weir_store *store)
{
    const struct weir_store_spec *spec = store->spec;
    struct weir_dataset *next = store->datasets + spec->n_points;
    TRY(weir_alloc_zero(&store->tables, spec->n_tables, sizeof *store->tables));
    for (size_t i = 0; i < spec->n_tables; i++) {
        struct weir_written_table *table = &store->tables[i];
        *table = (struct weir_written_table){
            .table = spec->tables[i].table, .width = spec->tables[i].width, .datasets = next};
        if (weir_table_has_rows(table->table))
            next += table->table->n_columns;
        else
            TRY(hold_columns(table, spec->n_prompts));
    }
    return WEIR_OK;
}

static size_t count_datasets(const struct weir_store_spec *spec)
{
    size_t n = spec->n_points;
    for (size_t i = 0; i < spec->n_tables; i++)
        n += weir_table_has_rows(spec->tables[i].table) ? (size_t)spec->tables[i].table->n_columns : 0;
    return n;
}

static weir_status new_store(struct weir_store **out, const struct weir_store_spec *spec)
{
    TRY(weir_alloc_zero(out, 1, sizeof **out));
    struct weir_store *store = *out;
    store->spec = spec;
    store->file = H5I_INVALID_HID;
    store->output.straight = -1;
    store->last = &store->first;
    pthread_mutex_init(&store->lock, NULL);
    pthread_cond_init(&store->more, NULL);
    pthread_cond_init(&store->less, NULL);
    TRY(weir_sizes_of(&store->sizes, spec));
    size_t n = count_datasets(spec);
    TRY(weir_alloc_zero(&store->datasets, n, sizeof *store->datasets));
    for (size_t i = 0; i < n; i++)
        store->datasets[i].id = H5I_INVALID_HID;
    store->n_datasets = n;
    return new_tables(store);
}

weir_status weir_store_create(struct weir_store **out, const char *path, const struct weir_store_spec *spec)
{
    struct weir_store *store = NULL;
    weir_status status;
    *out = NULL;
    if (weir_store_is_writing())
        return weir_fail(WEIR_E_USAGE,
                         "%s: another capture is being written, and HDF5 writes one at a time: commit or "
                         "close that first",
                         path);
    weir_h5_begin();
    TRY_DONE(new_store(&store, spec));
    TRY_DONE(weir_partial_open(&store->partial, path, spec->force));
    TRY_DONE(weir_partial_room(store->partial, weir_store_size(spec)));
    weir_output_open(&store->output, store->partial->fd, store->partial->path, store->partial->target.final);
    TRY_DONE(weir_create_file(&store->file, store->partial->path, &store->output));
    TRY_DONE(weir_create_content(store->file, store->datasets, spec, &store->sizes, store->partial->target.final));
    TRY_DONE(alloc_work_space(store));
    TRY_DONE(weir_store_start(store));
    *out = store;
    store = NULL;
done:
    weir_store_close(store);
    return status;
}

/* The point or the table that dataset i belongs to. */
static const char *dataset_name(const struct weir_store *store, size_t i)
{
    const struct weir_written_table *table = store->tables;
    if (i < store->spec->n_points)
        return store->spec->points[i].point->name;
    while (!weir_table_has_rows(table->table) || &store->datasets[i] >= table->datasets + table->table->n_columns)
        table++;
    return table->table->name;
}

/* A contiguous dataset has no fill value: all of it must have come. */
static weir_status check_all_written(const struct weir_store *store)
{
    for (size_t i = 0; i < store->n_datasets; i++) {
        const struct weir_dataset *dataset = &store->datasets[i];
        size_t n = weir_layout_lead(&dataset->layout);
        for (size_t lead = 0; dataset->layout.contiguous && lead < n; lead++)
            if (!dataset->seen[lead])
                return weir_fail(WEIR_E_OUTPUT, "%s: %s: layer %zu, prompt %zu was never given to the store",
                                 store->partial->target.final, dataset_name(store, i), lead / store->spec->n_prompts,
                                 lead % store->spec->n_prompts);
    }
    return WEIR_OK;
}

/* The texts of the likeliest tokens, which the file's readers have no other way to. */
static weir_status finish_words(const struct weir_store *store)
{
    int32_t *ids; /* [n_words] */
    size_t n = 0;
    if (store->n_words == 0)
        return WEIR_OK;
    TRY(weir_alloc(&ids, store->n_words, sizeof *ids));
    for (size_t id = 0; id < store->words_room; id++)
        if (store->words[id])
            ids[n++] = (int32_t)id;
    weir_status status = weir_create_words(store->file, store->spec, ids, n, store->partial->target.final);
    weir_free(ids);
    return status;
}

static weir_status finish_content(struct weir_store *store)
{
    const char *path = store->partial->target.final;
    for (size_t i = 0; i < store->spec->n_points; i++)
        if (weir_elem_size(store->datasets[i].layout.elem) == 2)
            TRY(weir_h5_put_int(store->datasets[i].id, WEIR_A_SATURATED, (int64_t)store->datasets[i].saturated, path));
    for (size_t i = 0; store->spec->errors && i < store->spec->n_points; i++)
        if (!isnan(store->spec->errors[i]))
            TRY(weir_h5_put_real(store->datasets[i].id, WEIR_A_COMPUTE_ERROR, store->spec->errors[i], path));
    for (size_t i = 0; i < store->spec->n_tables; i++)
        for (int c = 0; c < WEIR_MAX_COLUMNS && store->tables[i].held[c]; c++)
            TRY(weir_write_column(store->file, &store->tables[i].table->columns[c], store->tables[i].held[c], path));
    TRY(weir_write_grids(store->file, store->spec, path));
    return finish_words(store);
}

/* Sets no message: it may be called after a failure that has one. */
static bool close_file(struct weir_store *store)
{
    for (size_t i = 0; i < store->n_datasets; i++)
        weir_h5_close(&store->datasets[i].id);
    hid_t file = store->file;
    store->file = H5I_INVALID_HID;
    return file < 0 || H5Fclose(file) >= 0;
}

weir_status weir_store_commit(struct weir_store *store)
{
    weir_store_join(store);
    weir_h5_begin();
    TRY(weir_store_failure(store));
    TRY(check_all_written(store));
    TRY(finish_content(store));
    if (H5Fflush(store->file, H5F_SCOPE_LOCAL) <
        0) /* a full disk shows here, while the file can still be abandoned cleanly */
        return weir_h5_fail(WEIR_E_OUTPUT, store->partial->target.final, "cannot be written");
    if (!close_file(store))
        return weir_h5_fail(WEIR_E_OUTPUT, store->partial->target.final, "cannot be completed");
    TRY(weir_partial_commit(store->partial));
    store->committed = true;
    return WEIR_OK;
}

bool weir_store_odd(const struct weir_store *store, weir_not_finite *out)
{
    *out = store->odd;
    return store->odd.count > 0;
}

uint64_t weir_store_saturated(const struct weir_store *store)
{
    uint64_t n = 0;
    for (size_t i = 0; i < store->spec->n_points; i++)
        n += store->datasets[i].saturated;
    return n;
}

void weir_store_close(struct weir_store *store)
{
    if (!store)
        return;
    pthread_mutex_lock(&store->lock);
    if (!store->committed && store->failed == WEIR_OK) { /* what is queued need not be written any more */
        store->failed = WEIR_E_STOPPED;
        snprintf(store->message, sizeof store->message, "the store was closed");
    }
    pthread_mutex_unlock(&store->lock);
    weir_store_join(store);
    weir_h5_begin();
    weir_partial_discard(store->partial); /* first: its space lets HDF5 close even when the disk is full */
    (void)close_file(store);
    for (size_t i = 0; i < store->n_datasets; i++)
        weir_dataset_close(&store->datasets[i]);
    weir_output_close(&store->output);
    weir_partial_close(store->partial);
    weir_scratch_close(&store->scratch);
    weir_free(store->datasets);
    weir_free(store->row_map);
    weir_free(store->unit_map);
    for (size_t i = 0; store->tables && i < store->spec->n_tables; i++)
        for (int c = 0; c < WEIR_MAX_COLUMNS; c++)
            weir_free(store->tables[i].held[c]);
    weir_free(store->tables);
    weir_free(store->words);
    pthread_mutex_destroy(&store->lock);
    pthread_cond_destroy(&store->more);
    pthread_cond_destroy(&store->less);
    weir_free(store);
}
