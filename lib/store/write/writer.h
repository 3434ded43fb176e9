/* Writes one cache file (docs/store.md): a separate thread makes all calls of HDF5 while the engine computes.

   The file grows under a partial name beside the final one and is renamed when it is complete and on disk; a store that
   is closed before commit removes what it wrote. */
#ifndef WEIR_STORE_WRITE_WRITER_H
#define WEIR_STORE_WRITE_WRITER_H

#include "base/buffer.h"

struct weir_store;
struct weir_table_kind;

struct weir_store_prompt {
    const int32_t *ids; /* [n] */
    size_t n;
    const char *text; /* [n_text]; NULL where there was none */
    size_t n_text;
    const char *fields;       /* JSON object of what else is known of it; NULL: nothing */
    const int32_t *positions; /* [n_rows] absolute positions that get a row, ascending */
    size_t n_rows;
};

struct weir_store_point {
    const weir_point *point;
    size_t shape[WEIR_MAX_AXES]; /* sizes below layer and prompt; those of pos, query and key are the store's to know */
    const bool *layers;          /* [n_layers] stored or not; NULL outside blocks */
    const char *units;           /* for the attribute: "5.3+7.2"; NULL when whole */
    size_t n_units;              /* how many of them one layer has at most, for estimates; 0: not known */
    bool whole;                  /* every unit and every row, in the layers that are stored */
    bool sinks;                  /* of patterns: the heads have attention sinks */
};

/* Results that the file will have beside activations. */
struct weir_planned_table {
    const struct weir_table_kind *table; /* store/layout.h */
    size_t width;                        /* values per row; 1 where the table has no dimension for it */
};

/* An attribute of a grid: a text, or numbers. */
struct weir_store_note {
    const char *name;
    const char *text;     /* NULL: numbers */
    const double *values; /* [n] */
    size_t n;
};

enum { WEIR_GRID_RANK = 5 };

/* A result that is not by prompt: below /results, in float32. It is small, and written at commit. */
struct weir_store_grid {
    const char *name; /* "patch/z": below /results */
    int rank, dims[WEIR_GRID_RANK];
    size_t shape[WEIR_GRID_RANK];
    const double *values;                /* [shape], NaN where there is none; as they are at commit */
    const struct weir_store_note *notes; /* [n_notes] likewise */
    size_t n_notes;
};

struct weir_store_spec {
    const weir_model_info *model;
    const char *command, *edits;             /* may be NULL */
    const char *compute;                     /* "bf16", "int8"; NULL: float32 */
    const struct weir_store_prompt *prompts; /* [n_prompts] */
    size_t n_prompts;
    const struct weir_store_point *points; /* [n_points] */
    size_t n_points;
    const double *errors; /* [n_points] for the attribute compute_error, read at commit; NaN: none. NULL: none at all */
    const struct weir_planned_table *tables; /* [n_tables] */
    size_t n_tables;
    const struct weir_store_grid *grids; /* [n_grids] */
    size_t n_grids;
    weir_dtype dtype;
    bool gzip, force;
    /* Writes a token's text, for /tokens/text: weir_token_text of a model. @return its length */
    size_t (*token_text)(const void *context, int32_t id, char *text, size_t size);
    const void *token_context;
};

/* About as many bytes as the file will have. */
uint64_t weir_store_size(const struct weir_store_spec *spec);
/* ... and as point i of the spec takes of them. */
uint64_t weir_store_point_size(const struct weir_store_spec *spec, size_t i);

/* Makes the partial file with everything but activations in it. The spec and what it points to stay until close.
   WEIR_E_OUTPUT when the folder cannot be written, the output exists without force, or the disk has less room than
   weir_store_size says. */
WEIR_CHECKED weir_status weir_store_create(struct weir_store **out, const char *path,
                                           const struct weir_store_spec *spec);

/* A value on its way into the file. */
struct weir_store_value {
    size_t point;        /* index into the spec's points */
    int layer, prompt;   /* layer -1 outside blocks */
    const float *data;   /* the whole value, C order, axes of the point, its pos or query axis as long as the prompt */
    weir_buffer *buffer; /* holds data: retained here until written; NULL when data stays valid until commit */
    const int32_t
        *positions;       /* [n_rows] which positions of the value to store, ascending; NULL: all rows of the prompt */
    size_t n_rows;        /* (the arrays are copied) */
    const int32_t *units; /* [n_units] which heads or neurons; NULL: all */
    size_t n_units;
    bool softmaxed; /* its rows came out of a softmax over keys just so: a row is finite where its own position is */
};

/* Queues a value; waits when too much is queued. A failure of the writer thread is reported by the next call. */
WEIR_CHECKED weir_status weir_store_put(struct weir_store *store, const struct weir_store_value *value);
/* Queues what table `table` of the spec has of one prompt: each of `columns` [columns of the table] points to 32-bit
   values, [n_rows of the prompt, width], or to one value where the table has no rows. They are copied. */
WEIR_CHECKED weir_status weir_store_put_table(struct weir_store *store, size_t table, size_t prompt,
                                              const void *const *columns);
/* Waits for the thread, closes the file, fsync, rename, fsync of the folder. */
WEIR_CHECKED weir_status weir_store_commit(struct weir_store *store);
/* The first value that is NaN or infinite (but -inf in attention scores) in the order in which values came, and how
   many there are; false when there are none. For after commit. */
bool weir_store_odd(const struct weir_store *store, weir_not_finite *out);
/* Finite values saturated to f16's range, over all points. */
uint64_t weir_store_saturated(const struct weir_store *store);
void weir_store_close(struct weir_store *store);

#endif
