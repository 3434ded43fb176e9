/* A store that is being written, from the inside: its queue, its thread and what they work in. */
#ifndef WEIR_STORE_WRITE_STORE_H
#define WEIR_STORE_WRITE_STORE_H

#include "store/write/create.h"
#include "store/write/partial.h"
#include "store/write/writer.h"

#include <pthread.h>

/* A table of the spec that is being written. */
struct weir_written_table {
    const struct weir_table_kind *table;
    size_t width;
    struct weir_dataset *datasets;     /* [columns] where it has rows */
    weir_bits *held[WEIR_MAX_COLUMNS]; /* [n_prompts] each, where it has one value per prompt: written at commit */
};

/* A value of a hook point, or one prompt's rows of a table, that waits to be written. */
struct weir_store_item {
    struct weir_store_item *next;
    struct weir_store_value value;          /* of a table's rows: prompt only */
    size_t bytes;                           /* that the item keeps alive */
    int32_t *positions, *units;             /* copies */
    const struct weir_written_table *table; /* NULL: a value */
    weir_bits *columns[WEIR_MAX_COLUMNS];   /* [n_rows, width] each, copies */
};

struct weir_store {
    const struct weir_store_spec *spec;
    struct weir_sizes sizes;
    struct weir_partial *partial;
    struct weir_output output;
    hid_t file;
    struct weir_dataset *datasets; /* [n_datasets]: the points, then the columns of tables that have rows */
    size_t n_datasets;
    struct weir_written_table *tables; /* [spec->n_tables] */
    struct weir_scratch scratch;
    int32_t *row_map, *unit_map; /* [pos], [the widest axis of units]: of the value being written */
    bool *words;                 /* [words_room] whether a token is among the likeliest anywhere */
    size_t words_room, n_words;
    weir_not_finite odd; /* count 0: all were finite */

    pthread_t thread;
    bool started, committed;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t more, less;
    struct weir_store_item *first, **last;
    size_t queued; /* bytes */
    bool closing;
    weir_status failed;
    char message[1024];
};

/* ---- write_item.c ---- */

/* Writes a value, or rows of a table, into its datasets. For the store's thread only. */
WEIR_CHECKED weir_status weir_store_write_item(struct weir_store *store, const struct weir_store_item *item);

/* ---- queue.c ---- */

/* Starts the thread. From here on HDF5 is its own, until weir_store_join. */
WEIR_CHECKED weir_status weir_store_start(struct weir_store *store);
/* The thread finishes what is queued and ends. Does nothing where it has ended. */
void weir_store_join(struct weir_store *store);
/* True while a store's thread of this process writes: HDF5 is for one thread at a time. */
bool weir_store_is_writing(void);
/* Why the thread could not write, with its message; WEIR_OK if it could. */
WEIR_CHECKED weir_status weir_store_failure(const struct weir_store *store);

#endif
