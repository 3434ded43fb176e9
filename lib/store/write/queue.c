/* The queue between the engine and the thread that writes: values wait here while HDF5 is busy, up to a limit of bytes.
 */
#include "base/alloc.h"
#include "store/write/store.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Memory that the queue may keep alive: past it, the engine waits for the disk. */
static const size_t QUEUE_BYTES = (size_t)256 << 20;

/* The process whose thread writes now; 0: none does. HDF5 is for one thread at a time. */
static _Atomic pid_t writing;

static void free_item(struct weir_store_item *item)
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

/* The next item; NULL when there is none and none will come. *failed: it is only to be freed. */
static struct weir_store_item *take_item(struct weir_store *store, bool *failed)
{
    pthread_mutex_lock(&store->lock);
    while (!store->first && !store->closing)
        pthread_cond_wait(&store->more, &store->lock);
    struct weir_store_item *item = store->first;
    *failed = store->failed != WEIR_OK;
    if (item) {
        store->first = item->next;
        if (!store->first)
            store->last = &store->first;
    }
    pthread_mutex_unlock(&store->lock);
    return item;
}

static void finish_item(struct weir_store *store, struct weir_store_item *item, weir_status status)
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
    for (struct weir_store_item *item; (item = take_item(store, &failed)) != NULL;) {
        weir_status status = WEIR_OK;
        if (!failed)
            status = weir_store_write_item(store, item);
        finish_item(store, item, status);
    }
    return NULL;
}

weir_status weir_store_failure(const struct weir_store *store)
{
    return store->failed == WEIR_OK ? WEIR_OK : weir_fail(store->failed, "%s", store->message);
}

/* Takes the item over, also on failure. */
static weir_status enqueue(struct weir_store *store, struct weir_store_item *item)
{
    pthread_mutex_lock(&store->lock);
    while (store->failed == WEIR_OK && store->queued > 0 && store->queued + item->bytes > QUEUE_BYTES)
        pthread_cond_wait(&store->less, &store->lock);
    weir_status status = weir_store_failure(store);
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
    struct weir_store_item *item = NULL;
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
static weir_status put_rows(struct weir_store *store, const struct weir_written_table *table, size_t prompt,
                            const void *const *columns, size_t n)
{
    struct weir_store_item *item = NULL;
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
    struct weir_written_table *t = &store->tables[table];
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

/* ---- the thread ---- */

weir_status weir_store_start(struct weir_store *store)
{
    if (pthread_create(&store->thread, NULL, write_items, store) != 0)
        return weir_fail(WEIR_E_MEMORY, "could not start the writer thread: use fewer threads");
    store->started = true;
    atomic_store(&writing, getpid());
    return WEIR_OK;
}

void weir_store_join(struct weir_store *store)
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

bool weir_store_is_writing(void)
{
    return atomic_load(&writing) == getpid();
}
