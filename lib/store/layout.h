/* The layout of a cache file, in one place: every path, attribute and dimension name, and whether a dataset is
   contiguous or chunked. Writer, reader and validator all read these tables; docs/store.md says the same to users. */
#ifndef WEIR_STORE_LAYOUT_H
#define WEIR_STORE_LAYOUT_H

#include "points/points.h"
#include "store/write/writer.h"

enum {
    WEIR_SCHEMA = 1,      /* version of this layout */
    WEIR_MAX_RANK = 5,    /* layer, prompt and the axes of a value */
    WEIR_TOKEN_TEXT = 128 /* the longest text of one token in /tokens/text, in bytes */
};

/* Dimensions: the axes of hook points (enum weir_axis) and four more. Each is a dataset of its name in the root, a
   dimension scale that holds 0, 1, 2, ... */
enum { WEIR_DIM_TOKEN = WEIR_N_AXES, WEIR_DIM_TOP, WEIR_DIM_WORD, WEIR_DIM_METRIC, WEIR_N_DIMS };

const char *weir_dim_name(int dim);
/* The most a file may claim, so that no reader allocates what a damaged header says. */
size_t weir_dim_limit(int dim);

enum weir_elem { WEIR_ELEM_F32, WEIR_ELEM_F16, WEIR_ELEM_BF16, WEIR_ELEM_I32, WEIR_ELEM_TEXT, WEIR_ELEM_CHARS };

/* Bytes of one element; 0 for texts, which are as long as they are. */
size_t weir_elem_size(enum weir_elem elem);
/* "float32", "float16", "bfloat16", "int32", "string" (variable length), "chars" (fixed length). */
const char *weir_elem_name(enum weir_elem elem);
/* The element in which a file of `dtype` holds activations of a point. */
enum weir_elem weir_point_elem(const weir_point *point, weir_dtype dtype);
/* The attribute `dtype`: "f32", "f16", "bf16". */
const char *weir_dtype_name(weir_dtype dtype);

enum weir_attr_id {
    WEIR_A_SCHEMA,
    WEIR_A_VERSION,
    WEIR_A_CREATED,
    WEIR_A_COMMAND,
    WEIR_A_MODEL,
    WEIR_A_FAMILY,
    WEIR_A_CONFIG,
    WEIR_A_DIGEST,
    WEIR_A_CAPTURES,
    WEIR_A_DTYPE,
    WEIR_A_EDITS,
    WEIR_A_COMPUTE,
    WEIR_A_PROCESS,
    WEIR_N_ROOT_ATTRS,
    WEIR_A_HOOK = WEIR_N_ROOT_ATTRS,
    WEIR_A_LAYERS,
    WEIR_A_UNITS,
    WEIR_A_SATURATED,
    WEIR_A_SINKS,
    WEIR_A_COMPUTE_ERROR,
    WEIR_A_GRID_METRICS, /* of results */
    WEIR_A_GRID_DIRECTION,
    WEIR_A_GRID_BY,
    WEIR_A_GRID_CLEAN,
    WEIR_A_GRID_CORRUPT,
    WEIR_A_GRID_PAIRS,
    WEIR_A_GRID_PATH,
    WEIR_A_GRID_TO,
    WEIR_A_GRID_FIELD,
    WEIR_A_RESULT_UNITS,
    WEIR_N_ATTRS
};

/* Ways to process weights, in the order in which they are done: what the attribute `process` lists. */
enum weir_processing {
    WEIR_FOLD_LN,
    WEIR_CENTER_WRITING_WEIGHTS,
    WEIR_CENTER_UNEMBED,
    WEIR_FOLD_VALUE_BIASES,
    WEIR_N_PROCESSINGS
};

/* "fold_ln": TransformerLens's name for it. */
const char *weir_processing_name(int id);
/* Which one the first n bytes of a text name; WEIR_N_PROCESSINGS for none. */
int weir_processing_find(const char *text, size_t n);

enum weir_attr_kind { WEIR_ATTR_INT, WEIR_ATTR_INTS, WEIR_ATTR_TEXT, WEIR_ATTR_REAL, WEIR_ATTR_REALS };

struct weir_attr {
    const char *name;
    enum weir_attr_kind kind;
    bool required;
};

/* Those of the root come first (to WEIR_N_ROOT_ATTRS - 1), then those of activations, then those of results. */
const struct weir_attr *weir_attr_at(int id);
/* What its value must be, for messages: "one whole number". */
const char *weir_attr_wanted(int id);

enum weir_set_id {
    WEIR_S_PROMPT_TEXT,
    WEIR_S_PROMPT_LENGTH,
    WEIR_S_PROMPT_FIELDS,
    WEIR_S_TOKEN_ID,
    WEIR_S_TOKEN_TEXT,
    WEIR_S_TOKEN_POSITION,
    WEIR_S_WORD_ID,
    WEIR_S_WORD_TEXT,
    WEIR_N_SETS
};

enum { WEIR_SET_RANK = 3 }; /* the most axes of a dataset that is not an activation */

/* A dataset that is not an activation. */
struct weir_set {
    const char *path;
    enum weir_elem elem;
    int rank, dims[WEIR_SET_RANK];
    bool required;
    const char *units; /* of the values; NULL where they are counts, ids or text */
};

const struct weir_set *weir_set_at(int id);

/* ---- tables: results by prompt ---- */

enum { WEIR_MAX_COLUMNS = 4 };

/* Results that are not activations, one dataset per column. All columns have the same axes: [prompt] for one value per
   prompt, [prompt, pos] for one per stored position, [prompt, pos, width] for `width` of them. A new kind of result is
   one row in layout.c. */
struct weir_table_kind {
    const char *name;  /* for messages */
    const char *group; /* that the columns are in */
    bool token_ids;    /* column 0 holds token ids; /next/word_* then has what they show as */
    int n_columns;
    struct weir_set columns[WEIR_MAX_COLUMNS]; /* of 32-bit elements */
};

enum weir_table_id {
    WEIR_TABLE_LOSS, /* [prompt] */
    WEIR_TABLE_NEXT, /* [prompt, pos, top] the most likely next tokens, likeliest first */
    WEIR_N_TABLES
};

const struct weir_table_kind *weir_table_at(int id);
/* The dimension that only this table has, its width; -1 where its axes are prompt, or prompt and pos. */
int weir_table_width_dim(const struct weir_table_kind *table);
/* True where it has a row for each stored position, false where one value per prompt. */
bool weir_table_has_rows(const struct weir_table_kind *table);

/* ---- grids of patches: four datasets below /results/patch for each point ---- */

enum weir_grid_kind {
    WEIR_GRID_VALUE,      /* [metric, ...] means over pairs */
    WEIR_GRID_STDERR,     /* [metric, ...] of those means */
    WEIR_GRID_NORMALISED, /* [metric, ...] 0: as the corrupt prompt, 1: as the clean one */
    WEIR_GRID_PAIRS,      /* [...] how many pairs have each cell */
    WEIR_N_GRID_KINDS
};

/* Behind the point's name: "", "_stderr", "_normalised", "_pairs". */
const char *weir_grid_suffix(enum weir_grid_kind kind);

/* ---- results that are not by point ---- */

enum weir_result_id {
    WEIR_RESULT_METRICS,      /* of the run */
    WEIR_RESULT_METRICS_BASE, /* the same without its edits */
    WEIR_RESULT_METRICS_KL,   /* how far the predictions with edits are from those without */
    WEIR_N_RESULTS
};

/* In float32, below /results. Attributes: `metrics` and `units`, lists of texts in JSON, an item per metric. */
struct weir_result {
    const char *name; /* "metrics" */
    int rank, dims[WEIR_SET_RANK];
};

const struct weir_result *weir_result_at(int id);

#define WEIR_GROUP_PROMPTS     "/prompts"
#define WEIR_GROUP_TOKENS      "/tokens"
#define WEIR_GROUP_ACTIVATIONS "/activations"
#define WEIR_GROUP_NEXT        "/next"
#define WEIR_GROUP_RESULTS     "/results"
#define WEIR_GROUP_PATCH       "patch" /* below /results */

/* One size for each dimension of a file. */
struct weir_sizes {
    size_t size[WEIR_N_DIMS]; /* 0: not in this file */
    bool same_rows;           /* all prompts store as many positions */
    bool same_length;         /* and have as many tokens */
};

/* WEIR_E_USAGE without prompts or rows, WEIR_E_UNSUPPORTED when two points want two sizes of one dimension. */
WEIR_CHECKED weir_status weir_sizes_of(struct weir_sizes *out, const struct weir_store_spec *spec);

/* The shape and storage of one dataset. */
struct weir_layout {
    int rank, n_lead;        /* lead: layer and prompt, or prompt; one value is below them */
    int dims[WEIR_MAX_RANK]; /* which dimension each axis is */
    size_t shape[WEIR_MAX_RANK];
    enum weir_elem elem;
    bool contiguous; /* whole, in one piece, allocated before it is written */
    bool gzip;       /* shuffle and deflate */
    size_t
        chunk[WEIR_MAX_RANK]; /* 1 along layer and prompt: a chunk belongs to one value. Contiguous: a piece of work */
};

void weir_layout_of_point(struct weir_layout *out, const struct weir_sizes *sizes, const struct weir_store_spec *spec,
                          const struct weir_store_point *point);
/* Of a column of a table that has rows. */
void weir_layout_of_column(struct weir_layout *out, const struct weir_sizes *sizes, const struct weir_set *column);
/* Values in one slab below the lead axes; in a chunk. */
size_t weir_layout_slab(const struct weir_layout *layout);
size_t weir_layout_chunk(const struct weir_layout *layout);
/* The number of slabs. */
size_t weir_layout_lead(const struct weir_layout *layout);

#endif
