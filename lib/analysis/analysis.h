/* Questions that are answered from a stored file, on the weir_file calls alone: one file per question. Memory does not
   grow with the file; sums are in double. Values that were not stored are left out, never counted as NaN. */
#ifndef WEIR_ANALYSIS_ANALYSIS_H
#define WEIR_ANALYSIS_ANALYSIS_H

#include "base/status.h"
#include "tensor/absent.h"

/* ---- rows.c: every row of a stored point, in turn ---- */

/* The values along the last axis at one place of the axes before it; a single one for points that have only pos. */
struct weir_row {
    int layer, prompt;
    size_t at[2];                /* index along the first one or two axes */
    int32_t position;            /* absolute position of its pos or query */
    const float *values, *other; /* [n]; other: the same row of the second file, else NULL */
    size_t n;
    size_t
        missing; /* rows, of n values each, of which nothing is stored, in either file: values is NULL then; else 0 */
};

typedef weir_status weir_stored_row_fn(const struct weir_row *row, void *payload);

struct weir_source {
    const weir_file *file;
    const weir_file_point *point;
    bool gaps; /* the caller knows rows that are missing */
};

/* Calls `each` for every row of layer `layer` (-1 outside blocks), prompts in order. `other` may be NULL; else it must
   have the same prompts and shape. With gaps, many rows of which neither file has anything come as one call (missing).
   Keys past the end of a prompt are not part of its rows.
   @return the first failure of reading or of `each`, which ends the walk. */
WEIR_CHECKED weir_status weir_each_row(const struct weir_source *source, const struct weir_source *other, int layer,
                                       weir_stored_row_fn *each, void *payload);
/* The same for one prompt. */
WEIR_CHECKED weir_status weir_each_row_of(const struct weir_source *source, const struct weir_source *other, int layer,
                                          int prompt, weir_stored_row_fn *each, void *payload);

/* Heads first to end - 1 of one layer on one prompt. */
struct weir_head_range {
    int layer, prompt;
    size_t first, end;
};

/* The same for some heads of a point whose first axis is head. */
WEIR_CHECKED weir_status weir_rows_of_heads(const struct weir_source *pattern, const struct weir_head_range *range,
                                            weir_stored_row_fn *each, void *payload);

/* @return true where nothing was stored in the row [n]: weir_value_is_absent of all its values. */
bool weir_row_is_absent(const float *values, size_t n);
/* @return WEIR_E_INPUT where the query of a row of a pattern is not one of its keys. */
WEIR_CHECKED weir_status weir_row_check_query(const struct weir_row *row);
/* @return how many layers of a point there are to walk through (outside blocks: 1), and whether the i-th is stored. */
int weir_source_layers(const struct weir_source *source);
bool weir_source_has_layer(const struct weir_source *source, int i);

/* ---- stats.c ---- */

struct weir_stats {
    uint64_t count;        /* finite values: what the next five are over */
    double mean, std, rms; /* std of the whole population; NaN when there are no values */
    double min, max;
    double squares;             /* sum of squared differences from the mean */
    uint64_t n_nan, n_inf;      /* -inf is what masked attention scores hold */
    uint64_t absent;            /* places in which nothing is stored */
    uint64_t rows;              /* with finite values: what the next two are over */
    double norm_mean, norm_max; /* L2 norms of rows, which lie along the last axis; NaN when there are none */
};

/* Statistics of one layer (-1 outside blocks) of a point.
   @return WEIR_E_INPUT where the file cannot be read. */
WEIR_CHECKED weir_status weir_stats_layer(struct weir_stats *out, const weir_file *file, const weir_file_point *point,
                                          int layer);
/* Adds what `more` counted to `total`, which begins as {0}. */
void weir_stats_add(struct weir_stats *total, const struct weir_stats *more);

/* ---- diff.c ---- */

struct weir_difference {
    uint64_t count;            /* values compared */
    uint64_t unlike;           /* finite or stored in one file and not in the other */
    double absolute, relative; /* the largest; relative to the largest value of its row */
    int layer, prompt;         /* where the largest absolute one is */
    int32_t position;
};

/* Compares all layers that both have. @return WEIR_E_INPUT where the shapes differ. */
WEIR_CHECKED weir_status weir_diff_point(struct weir_difference *out, const struct weir_source *a,
                                         const struct weir_source *b);
/* @return WEIR_E_INPUT, naming the place, unless both files hold the same positions of the same prompts. */
WEIR_CHECKED weir_status weir_diff_prompts(const weir_file *a, const weir_file *b);

/* ---- units.c ---- */

/* The most active units (neurons) of one layer of a point [pos, units], by the largest absolute value over the stored
   positions of the prompts; a prompt's first token, whose values dwarf others in many models, does not count. `out` has
   room for k. @return in *n how many: only those over 0. */
WEIR_CHECKED weir_status weir_top_units(size_t *out, size_t *n, size_t k, const struct weir_source *source, int layer,
                                        const size_t *prompts, size_t n_prompts);
/* The length (L2 norm) of every stored row of a point [pos, d_model]: out is [n_rows of the prompt], NaN where nothing
   is stored. */
WEIR_CHECKED weir_status weir_row_norms(float *out, const struct weir_source *source, int layer, int prompt);

/* ---- attention.c ---- */

struct weir_attention {
    size_t n_queries, n_keys;
    int32_t *positions; /* [n_queries] of the queries */
    int32_t *keys;      /* [n_keys] positions of the keys: 0, 1, 2, ... until some are picked */
    float *weights;     /* [n_queries, n_keys] fractions of 1; 0 for keys that are masked */
    int window;         /* a query looks at the last `window` keys, itself included; 0: at all before it */
};

/* The file's pattern. @return WEIR_E_INPUT where it has none. */
WEIR_CHECKED weir_status weir_stored_pattern(const weir_file_point **out, const weir_file *file);
/* One head's pattern on one prompt; queries that were not stored are left out. Negative layers and heads count from the
   end and are replaced by what they mean. Close with weir_attention_close.
   @return WEIR_E_USAGE where a layer, head or prompt is out of range or not stored. */
WEIR_CHECKED weir_status weir_attention_read(struct weir_attention **out, const weir_file *file, int *layer, int *head,
                                             int prompt);
void weir_attention_close(struct weir_attention *attention);
/* Takes the first token's column away and divides each row by what remains; rows that looked at nothing else become
   zeros. For before keys are picked. */
void weir_attention_drop_first(struct weir_attention *attention);
/* Adds another head's weights on the same prompt. @return WEIR_E_INPUT where it was stored at other queries. */
WEIR_CHECKED weir_status weir_attention_add(struct weir_attention *sum, const struct weir_attention *more);
void weir_attention_scale(struct weir_attention *attention, float factor);
/* Keeps the queries and keys at marked positions [tokens of the prompt]; NULL: all. */
void weir_attention_pick(struct weir_attention *attention, const bool *queries, const bool *keys);
/* Indices of the largest of n weights, falling, earlier ones first among equals. @return how many: at most k, and only
   those over 0. */
size_t weir_top_k(size_t *out, size_t k, const float *weights, size_t n);
/* The same for weights that are `stride` apart. */
size_t weir_top_k_strided(size_t *out, size_t k, const float *weights, size_t n, size_t stride);

/* ---- mask.c: which keys a query cannot look at ---- */

/* The window of a layer as the file's configuration says it; 0: none, or not known (a GGUF file's). */
int weir_window_of(const weir_file *file, int layer);
/* @return true for keys after the query, and for keys before its window where there is one. */
bool weir_is_masked(int32_t query, int32_t key, int window);
/* Makes NaN of their weights: 0 is then a weight of a key that a query can look at. */
void weir_attention_mask(struct weir_attention *attention);

/* ---- top.c: the strongest of all weights ---- */

struct weir_pair {
    float weight;
    int layer, prompt, head;
    int32_t query, key; /* positions */
};

/* The queries and keys of a prompt that may be in a pair, by position [tokens of the prompt]; NULL: all. Valid until
   the next call. */
typedef weir_status weir_tokens_fn(const bool **queries, const bool **keys, int prompt, void *payload);

struct weir_top_want {
    const bool *layers, *prompts, *heads; /* marks; NULL: all */
    weir_tokens_fn *tokens;               /* NULL: all */
    void *payload;
    bool drop_first, drop_self; /* leave out pairs whose key is the first token, or the query itself */
};

/* The k largest weights over 0 of a file's patterns, falling; among equals those that come first in the file, which are
   of the lower layer, then prompt, head, query, key. out [k]; *n of them are set. */
WEIR_CHECKED weir_status weir_top(struct weir_pair *out, size_t k, size_t *n, const weir_file *file,
                                  const struct weir_top_want *want);

#endif
