#include "store/writer.h"

#include "base/alloc.h"
#include "store/create.h"
#include "store/finite.h"
#include "store/partial.h"

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Memory that the queue may keep alive: past it, the engine waits for the disk. */
static const size_t QUEUE_BYTES = (size_t)256 << 20;
static const uint64_t WORD_BYTES = 24; /* of an id and a text */

/* A table of the spec that is being written. */
struct table {
    const struct weir_table *table;
    size_t width;
    struct weir_dataset *datasets;     /* [columns] where it has rows */
    weir_bits *held[WEIR_MAX_COLUMNS]; /* [n_prompts] each, where it has one value per prompt: written at commit */
};

/* A value of a hook point, or one prompt's rows of a table, that waits to be written. */
struct item {
    struct item *next;
    struct weir_store_value value;        /* of a table's rows: prompt only */
    size_t bytes;                         /* that the item keeps alive */
    int32_t *positions, *units;           /* copies */
    const struct table *table;            /* NULL: a value */
    weir_bits *columns[WEIR_MAX_COLUMNS]; /* [n_rows, width] each, copies */
};

struct weir_store {
    const struct weir_store_spec *spec;
    struct weir_sizes sizes;
    struct weir_partial *partial;
    struct weir_output output;
    hid_t file;
    struct weir_dataset *datasets; /* [n_datasets]: the points, then the columns of tables that have rows */
    size_t n_datasets;
    struct table *tables; /* [spec->n_tables] */
    struct weir_scratch scratch;
    int32_t *row_map, *unit_map; /* [pos], [the widest axis of units]: of the value being written */
    bool *words;                 /* [words_room] whether a token is among the likeliest anywhere */
    size_t words_room, n_words;
    weir_not_finite odd; /* count 0: all were finite */

    pthread_t thread;
    bool started, committed;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t more, less;
    struct item *first, **last;
    size_t queued; /* bytes */
    bool closing;
    weir_status failed;
    char message[1024];
};

/* ---- what a value covers ---- */

/* Which row of the value each stored row comes from. *map is NULL when each is itself. */
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

static weir_status write_point_value(struct weir_store *store, const struct item *item)
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

static weir_status write_table(struct weir_store *store, const struct item *item)
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

/* ---- the queue and its thread ---- */

static void free_item(struct item *item)
{
    if (!item)
        return;
    weir_buffer_release(item->value.buffer);
    weir_free(item->positions);
    weir_free(item->units);
    for (int c = 0; c < WEIR_MAX_COLUMNS; c++)
        weir_free(item->columns[c]);
    weir_free(item);
}

/* The next item; NULL when there is none and none will come. *failed: only let go of it. */
static struct item *take_item(struct weir_store *store, bool *failed)
{
    pthread_mutex_lock(&store->lock);
    while (!store->first && !store->closing)
        pthread_cond_wait(&store->more, &store->lock);
    struct item *item = store->first;
    *failed = store->failed != WEIR_OK;
    if (item) {
        store->first = item->next;
        if (!store->first)
            store->last = &store->first;
    }
    pthread_mutex_unlock(&store->lock);
    return item;
}

static void finish_item(struct weir_store *store, struct item *item, weir_status status)
{
    size_t bytes = item->bytes;
    free_item(item);
    pthread_mutex_lock(&store->lock);
    store->queued -= bytes;
    if (status != WEIR_OK && store->failed == WEIR_OK) {
        store->failed = status;
        snprintf(store->message, sizeof store->message, "%s", weir_message());
    }
    pthread_cond_signal(&store->less);
    pthread_mutex_unlock(&store->lock);
}

static void *write_items(void *argument)
{
    struct weir_store *store = argument;
    bool failed;
    weir_h5_begin();
    for (struct item *item; (item = take_item(store, &failed)) != NULL;) {
        weir_status status = WEIR_OK;
        if (!failed)
            status = item->table ? write_table(store, item) : write_point_value(store, item);
        finish_item(store, item, status);
    }
    return NULL;
}

static weir_status thread_failure(const struct weir_store *store)
{
    return store->failed == WEIR_OK ? WEIR_OK : weir_fail(store->failed, "%s", store->message);
}

/* Takes the item over, whatever happens. */
static weir_status enqueue(struct weir_store *store, struct item *item)
{
    pthread_mutex_lock(&store->lock);
    while (store->failed == WEIR_OK && store->queued > 0 && store->queued + item->bytes > QUEUE_BYTES)
        pthread_cond_wait(&store->less, &store->lock);
    weir_status status = thread_failure(store);
    if (status == WEIR_OK) {
        store->queued += item->bytes;
        *store->last = item;
        store->last = &item->next;
        item = NULL;
        pthread_cond_signal(&store->more);
    }
    pthread_mutex_unlock(&store->lock);
    free_item(item);
    return status;
}

static weir_status copy_numbers(int32_t **out, const int32_t *numbers, size_t n)
{
    if (!numbers)
        return WEIR_OK;
    TRY(weir_alloc(out, n, sizeof **out));
    if (n)
        memcpy(*out, numbers, n * sizeof **out);
    return WEIR_OK;
}

static weir_status check_value_fits(const struct weir_store *store, const struct weir_store_value *value)
{
    const struct weir_store_spec *spec = store->spec;
    if (!store->started || store->closing)
        return weir_fail(WEIR_E_USAGE, "the store is closed");
    if (value->point >= spec->n_points || value->prompt < 0 || (size_t)value->prompt >= spec->n_prompts)
        return weir_fail(WEIR_E_USAGE, "point %zu, prompt %d: not in this store", value->point, value->prompt);
    const struct weir_store_point *p = &spec->points[value->point];
    bool layer_fits = p->point->per_layer
                          ? value->layer >= 0 && value->layer < spec->model->n_layers && p->layers[value->layer]
                          : value->layer == -1;
    return layer_fits ? WEIR_OK : weir_fail(WEIR_E_USAGE, "%s: layer %d is not stored", p->point->name, value->layer);
}

weir_status weir_store_put(struct weir_store *store, const struct weir_store_value *value)
{
    struct item *item = NULL;
    weir_status status;
    TRY(check_value_fits(store, value));
    TRY(weir_alloc_zero(&item, 1, sizeof *item));
    item->value = *value;
    item->value.buffer = NULL;
    TRY_DONE(copy_numbers(&item->positions, value->positions, value->n_rows));
    TRY_DONE(copy_numbers(&item->units, value->units, value->n_units));
    item->value.positions = item->positions;
    item->value.units = item->units;
    if (value->buffer) {
        weir_buffer_retain(value->buffer);
        item->value.buffer = value->buffer;
        item->bytes = value->buffer->capacity * sizeof(float);
    }
    return enqueue(store, item);
done:
    free_item(item);
    return status;
}

/* Notes which tokens are among the likeliest. */
static weir_status mark_words(struct weir_store *store, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t before = store->words_room, id = (size_t)(ids[i] > 0 ? ids[i] : 0);
        TRY(weir_grow(&store->words, &store->words_room, id + 1, sizeof *store->words));
        if (store->words_room > before)
            memset(store->words + before, 0, (store->words_room - before) * sizeof *store->words);
        store->n_words += !store->words[id];
        store->words[id] = true;
    }
    return WEIR_OK;
}

/* Queues copies of one prompt's rows, n values in each column. */
static weir_status put_rows(struct weir_store *store, const struct table *table, size_t prompt,
                            const void *const *columns, size_t n)
{
    struct item *item = NULL;
    weir_status status;
    TRY(weir_alloc_zero(&item, 1, sizeof *item));
    item->table = table;
    item->value.prompt = (int)prompt;
    for (int c = 0; c < table->table->n_columns; c++) {
        TRY_DONE(weir_alloc(&item->columns[c], n, sizeof(weir_bits)));
        if (n)
            memcpy(item->columns[c], columns[c], n * sizeof(weir_bits));
        item->bytes += n * sizeof(weir_bits);
    }
    return enqueue(store, item);
done:
    free_item(item);
    return status;
}

weir_status weir_store_put_table(struct weir_store *store, size_t table, size_t prompt, const void *const *columns)
{
    size_t n;
    if (!store->started || store->closing)
        return weir_fail(WEIR_E_USAGE, "the store is closed");
    if (table >= store->spec->n_tables || prompt >= store->spec->n_prompts)
        return weir_fail(WEIR_E_USAGE, "table %zu, prompt %zu: not in this store", table, prompt);
    struct table *t = &store->tables[table];
    if (!weir_table_has_rows(t->table)) {
        for (int c = 0; c < t->table->n_columns; c++)
            memcpy(&t->held[c][prompt], columns[c], sizeof(weir_bits));
        return WEIR_OK;
    }
    TRY(weir_mul(&n, store->spec->prompts[prompt].n_rows, t->width));
    if (t->table->token_ids)
        TRY(mark_words(store, columns[0], n));
    return put_rows(store, t, prompt, columns, n);
}

/* Lets the thread work off the queue and end. HDF5 is this thread's again afterwards. */
/* The process whose thread writes now; 0: none does. HDF5 is for one thread at a time. */
static _Atomic pid_t writing;

static void join_writer(struct weir_store *store)
{
    if (!store->started)
        return;
    pthread_mutex_lock(&store->lock);
    store->closing = true;
    pthread_cond_signal(&store->more);
    pthread_mutex_unlock(&store->lock);
    pthread_join(store->thread, NULL);
    store->started = false;
    atomic_store(&writing, 0);
}

/* ---- open, commit, close ---- */

static uint64_t round_up(size_t n, size_t step)
{
    return ((uint64_t)n + step - 1) / step * step;
}

/* Bytes of one point's chunks, or all of it; an upper bound where units are selected. */
static uint64_t point_bytes(const struct weir_store_spec *spec, const struct weir_sizes *sizes,
                            const struct weir_store_point *p)
{
    struct weir_layout l;
    weir_layout_of_point(&l, sizes, spec, p);
    uint64_t layers = p->point->per_layer ? 0 : 1, per_layer = 0;
    int unit = weir_point_unit_axis(p->point);
    for (int i = 0; p->point->per_layer && i < spec->model->n_layers; i++)
        layers += p->layers[i];
    for (size_t i = 0; i < spec->n_prompts; i++) {
        uint64_t n = weir_elem_size(l.elem);
        for (int a = l.n_lead; a < l.rank; a++) {
            size_t size = l.dims[a] == WEIR_AXIS_KEY ? spec->prompts[i].n : l.shape[a];
            if (l.dims[a] == WEIR_AXIS_POS || l.dims[a] == WEIR_AXIS_QUERY)
                size = spec->prompts[i].n_rows;
            if (a == l.n_lead + unit && p->n_units)
                size = p->n_units * l.chunk[a] < size ? p->n_units * l.chunk[a] : size;
            n *= l.contiguous ? size : round_up(size, l.chunk[a]);
        }
        per_layer += n;
    }
    return layers * per_layer;
}

/* Bytes of one stored position in all tables. */
static uint64_t row_bytes(const struct weir_store_spec *spec)
{
    uint64_t n = 0;
    for (size_t t = 0; t < spec->n_tables; t++)
        if (weir_table_has_rows(spec->tables[t].table))
            n += spec->tables[t].width * (uint64_t)spec->tables[t].table->n_columns * sizeof(weir_bits);
    return n;
}

/* At most so much of the texts of the likeliest tokens. */
static uint64_t words_bytes(const struct weir_store_spec *spec)
{
    uint64_t n = 0, most = (uint64_t)(spec->model->n_vocab > 0 ? spec->model->n_vocab : 0);
    for (size_t t = 0; t < spec->n_tables; t++)
        for (size_t i = 0; i < spec->n_prompts && spec->tables[t].table->token_ids; i++)
            n += spec->tables[t].width * spec->prompts[i].n_rows;
    return WORD_BYTES * (n < most ? n : most);
}

uint64_t weir_store_point_size(const struct weir_store_spec *spec, size_t i)
{
    struct weir_sizes sizes;
    return weir_sizes_of(&sizes, spec) == WEIR_OK ? point_bytes(spec, &sizes, &spec->points[i]) : 0;
}

uint64_t weir_store_size(const struct weir_store_spec *spec)
{
    struct weir_sizes sizes;
    if (weir_sizes_of(&sizes, spec) != WEIR_OK)
        return 0;
    uint64_t bytes = 65536; /* headers, attributes, scales */
    for (int dim = 0; dim < WEIR_N_DIMS; dim++)
        bytes += 4 * sizes.size[dim];
    for (size_t i = 0; i < spec->n_points; i++)
        bytes += point_bytes(spec, &sizes, &spec->points[i]) + 2048;
    for (size_t i = 0; i < spec->n_prompts; i++)
        bytes += 12 * spec->prompts[i].n + (4 + row_bytes(spec)) * spec->prompts[i].n_rows + spec->prompts[i].n_text +
                 (spec->prompts[i].fields ? strlen(spec->prompts[i].fields) : 0) + 32;
    return bytes + words_bytes(spec);
}

static weir_status start_thread(struct weir_store *store)
{
    if (pthread_create(&store->thread, NULL, write_items, store) != 0)
        return weir_fail(WEIR_E_MEMORY, "could not start the writer thread: use fewer threads");
    store->started = true;
    atomic_store(&writing, getpid());
    return WEIR_OK;
}

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

/* Room for values of which each prompt has one: what is never given reads as not stored. */
static weir_status hold_columns(struct table *table, size_t n_prompts)
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
        struct table *table = &store->tables[i];
        *table = (struct table){.table = spec->tables[i].table, .width = spec->tables[i].width, .datasets = next};
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
    if (atomic_load(&writing) == getpid())
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
    TRY_DONE(start_thread(store));
    *out = store;
    store = NULL;
done:
    weir_store_close(store);
    return status;
}

/* The point or the table that dataset i belongs to. */
static const char *dataset_name(const struct weir_store *store, size_t i)
{
    const struct table *table = store->tables;
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
    join_writer(store);
    weir_h5_begin();
    TRY(thread_failure(store));
    TRY(check_all_written(store));
    TRY(finish_content(store));
    if (H5Fflush(store->file, H5F_SCOPE_LOCAL) < 0) /* a full disk shows here, while the file can be given up cleanly */
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
    join_writer(store);
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
