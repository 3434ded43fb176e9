/* The tables of the layout, and the choice between contiguous and chunked. */
#include "store/layout.h"

#include "base/sizes.h"

#include <string.h>

static const size_t CHUNK_BYTES = (size_t)1 << 20;

enum {
    UNEQUAL_ROWS = 64, /* rows of a chunk when prompts differ: a short prompt takes no more than it must */
    UNEQUAL_PATTERN = 128,
    NEURON_ROWS = 512, /* tiles that make reading one neuron over all rows quick */
    NEURON_WIDTH = 256,
    SINGLE_ROWS = 1024, /* and those of captures of single neurons */
    SINGLE_WIDTH = 8
};

const char *weir_dim_name(int dim)
{
    if (dim == WEIR_DIM_TOKEN)
        return "token";
    if (dim == WEIR_DIM_TOP)
        return "top";
    if (dim == WEIR_DIM_WORD)
        return "word";
    if (dim == WEIR_DIM_METRIC)
        return "metric";
    return weir_axis_name((weir_axis)dim);
}

size_t weir_dim_limit(int dim)
{
    return dim == WEIR_AXIS_LAYER ? (size_t)1 << 14 : dim == WEIR_AXIS_PROMPT ? (size_t)1 << 30 : (size_t)1 << 24;
}

static const struct {
    const char *name;
    size_t size;
} elems[] = {
    [WEIR_ELEM_F32] = {"float32", 4}, [WEIR_ELEM_F16] = {"float16", 2}, [WEIR_ELEM_BF16] = {"bfloat16", 2},
    [WEIR_ELEM_I32] = {"int32", 4},   [WEIR_ELEM_TEXT] = {"string", 0}, [WEIR_ELEM_CHARS] = {"chars", 0},
};

size_t weir_elem_size(enum weir_elem elem)
{
    return elems[elem].size;
}

const char *weir_elem_name(enum weir_elem elem)
{
    return elems[elem].name;
}

enum weir_elem weir_point_elem(const weir_point *point, weir_dtype dtype)
{
    if (point->id == WEIR_P_EXPERT_INDICES)
        return WEIR_ELEM_I32;
    return dtype == WEIR_F16 ? WEIR_ELEM_F16 : dtype == WEIR_BF16 ? WEIR_ELEM_BF16 : WEIR_ELEM_F32;
}

const char *weir_dtype_name(weir_dtype dtype)
{
    return dtype == WEIR_F16 ? "f16" : dtype == WEIR_BF16 ? "bf16" : "f32";
}

static const struct weir_attr attrs[WEIR_N_ATTRS] = {
    [WEIR_A_SCHEMA] = {"weir_schema", WEIR_ATTR_INT, true},
    [WEIR_A_VERSION] = {"weir_version", WEIR_ATTR_TEXT, true},
    [WEIR_A_CREATED] = {"created", WEIR_ATTR_TEXT, true},
    [WEIR_A_COMMAND] = {"command", WEIR_ATTR_TEXT, false},
    [WEIR_A_MODEL] = {"model", WEIR_ATTR_TEXT, true},
    [WEIR_A_FAMILY] = {"family", WEIR_ATTR_TEXT, true},
    [WEIR_A_CONFIG] = {"config", WEIR_ATTR_TEXT, true},
    [WEIR_A_DIGEST] = {"digest", WEIR_ATTR_TEXT, true},
    [WEIR_A_CAPTURES] = {"captures", WEIR_ATTR_TEXT, true},
    [WEIR_A_DTYPE] = {"dtype", WEIR_ATTR_TEXT, true},
    [WEIR_A_EDITS] = {"edits", WEIR_ATTR_TEXT, false},
    [WEIR_A_COMPUTE] = {"compute", WEIR_ATTR_TEXT, false}, /* absent: f32 */
    [WEIR_A_PROCESS] = {"process", WEIR_ATTR_TEXT, false}, /* absent: weights as the files have them */
    [WEIR_A_HOOK] = {"hook_name", WEIR_ATTR_TEXT, true},
    [WEIR_A_LAYERS] = {"layers", WEIR_ATTR_INTS, false}, /* required where there is a layer axis */
    [WEIR_A_UNITS] = {"units", WEIR_ATTR_TEXT, false},
    [WEIR_A_SATURATED] = {"saturated", WEIR_ATTR_INT, false}, /* required for 16-bit types */
    [WEIR_A_SINKS] = {"sinks", WEIR_ATTR_INT, false},
    [WEIR_A_COMPUTE_ERROR] = {"compute_error", WEIR_ATTR_REAL, false},
    [WEIR_A_GRID_METRICS] = {"metrics", WEIR_ATTR_TEXT, false},
    [WEIR_A_GRID_DIRECTION] = {"direction", WEIR_ATTR_TEXT, false},
    [WEIR_A_GRID_BY] = {"by", WEIR_ATTR_TEXT, false},
    [WEIR_A_GRID_CLEAN] = {"baseline_clean", WEIR_ATTR_REALS, false},
    [WEIR_A_GRID_CORRUPT] = {"baseline_corrupt", WEIR_ATTR_REALS, false},
    [WEIR_A_GRID_PAIRS] = {"pairs", WEIR_ATTR_REALS, false},
    [WEIR_A_GRID_PATH] = {"path", WEIR_ATTR_TEXT, false},
    [WEIR_A_GRID_FIELD] = {"field", WEIR_ATTR_TEXT, false},
    [WEIR_A_GRID_TO] = {"to", WEIR_ATTR_TEXT, false},
    [WEIR_A_RESULT_UNITS] = {"units", WEIR_ATTR_TEXT, false},
};

static const char *const processings[WEIR_N_PROCESSINGS] = {
    [WEIR_FOLD_LN] = "fold_ln",
    [WEIR_CENTER_WRITING_WEIGHTS] = "center_writing_weights",
    [WEIR_CENTER_UNEMBED] = "center_unembed",
    [WEIR_FOLD_VALUE_BIASES] = "fold_value_biases",
};

const char *weir_processing_name(int id)
{
    return processings[id];
}

int weir_processing_find(const char *text, size_t n)
{
    int id = 0;
    while (id < WEIR_N_PROCESSINGS && (strlen(processings[id]) != n || memcmp(text, processings[id], n) != 0))
        id++;
    return id;
}

const struct weir_attr *weir_attr_at(int id)
{
    return &attrs[id];
}

const char *weir_attr_wanted(int id)
{
    static const char *const wanted[] = {[WEIR_ATTR_INT] = "one whole number",
                                         [WEIR_ATTR_INTS] = "a list of whole numbers",
                                         [WEIR_ATTR_TEXT] = "one string",
                                         [WEIR_ATTR_REAL] = "one number",
                                         [WEIR_ATTR_REALS] = "a list of numbers"};
    return wanted[attrs[id].kind];
}

static const struct weir_set sets[WEIR_N_SETS] = {
    [WEIR_S_PROMPT_TEXT] = {"/prompts/text", WEIR_ELEM_TEXT, 1, {WEIR_AXIS_PROMPT}, true},
    [WEIR_S_PROMPT_LENGTH] = {"/prompts/length", WEIR_ELEM_I32, 1, {WEIR_AXIS_PROMPT}, true},
    [WEIR_S_PROMPT_FIELDS] = {"/prompts/fields", WEIR_ELEM_TEXT, 1, {WEIR_AXIS_PROMPT}, false},
    [WEIR_S_TOKEN_ID] = {"/tokens/id", WEIR_ELEM_I32, 2, {WEIR_AXIS_PROMPT, WEIR_DIM_TOKEN}, true},
    [WEIR_S_TOKEN_TEXT] = {"/tokens/text", WEIR_ELEM_CHARS, 2, {WEIR_AXIS_PROMPT, WEIR_DIM_TOKEN}, true},
    [WEIR_S_TOKEN_POSITION] = {"/tokens/position", WEIR_ELEM_I32, 2, {WEIR_AXIS_PROMPT, WEIR_AXIS_POS}, true},
    [WEIR_S_WORD_ID] = {"/next/word_id", WEIR_ELEM_I32, 1, {WEIR_DIM_WORD}, false},
    [WEIR_S_WORD_TEXT] = {"/next/word_text", WEIR_ELEM_CHARS, 1, {WEIR_DIM_WORD}, false},
};

const struct weir_set *weir_set_at(int id)
{
    return &sets[id];
}

static const struct weir_table_kind tables[WEIR_N_TABLES] = {
    [WEIR_TABLE_LOSS] =
        {
            .name = "loss",
            .group = WEIR_GROUP_PROMPTS,
            .n_columns = 1,
            .columns = {{"/prompts/loss", WEIR_ELEM_F32, 1, {WEIR_AXIS_PROMPT}, false, "nats"}},
        },
    [WEIR_TABLE_NEXT] =
        {
            .name = "next",
            .group = WEIR_GROUP_NEXT,
            .token_ids = true,
            .n_columns = 3,
            .columns =
                {{"/next/id", WEIR_ELEM_I32, 3, {WEIR_AXIS_PROMPT, WEIR_AXIS_POS, WEIR_DIM_TOP}, false, NULL},
                 {"/next/logit", WEIR_ELEM_F32, 3, {WEIR_AXIS_PROMPT, WEIR_AXIS_POS, WEIR_DIM_TOP}, false, "nats"},
                 {"/next/logprob", WEIR_ELEM_F32, 3, {WEIR_AXIS_PROMPT, WEIR_AXIS_POS, WEIR_DIM_TOP}, false, "nats"}},
        },
};

const struct weir_table_kind *weir_table_at(int id)
{
    return &tables[id];
}

int weir_table_width_dim(const struct weir_table_kind *table)
{
    return table->columns[0].rank == WEIR_SET_RANK ? table->columns[0].dims[WEIR_SET_RANK - 1] : -1;
}

bool weir_table_has_rows(const struct weir_table_kind *table)
{
    return table->columns[0].rank > 1;
}

static const struct weir_result results[WEIR_N_RESULTS] = {
    [WEIR_RESULT_METRICS] = {"metrics", 2, {WEIR_DIM_METRIC, WEIR_AXIS_PROMPT}},
    [WEIR_RESULT_METRICS_BASE] = {"metrics_base", 2, {WEIR_DIM_METRIC, WEIR_AXIS_PROMPT}},
    [WEIR_RESULT_METRICS_KL] = {"metrics_kl", 1, {WEIR_AXIS_PROMPT}},
};

const struct weir_result *weir_result_at(int id)
{
    return &results[id];
}

const char *weir_grid_suffix(enum weir_grid_kind kind)
{
    static const char *const suffixes[WEIR_N_GRID_KINDS] = {"", "_stderr", "_normalised", "_pairs"};
    return suffixes[kind];
}

/* ---- sizes ---- */

static weir_status set_size(struct weir_sizes *sizes, int dim, size_t size, const char *who)
{
    if (size == 0 || size > weir_dim_limit(dim))
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: %zu along %s cannot be stored: 1 to %zu", who, size,
                         weir_dim_name(dim), weir_dim_limit(dim));
    if (sizes->size[dim] != 0 && sizes->size[dim] != size)
        return weir_fail(WEIR_E_UNSUPPORTED,
                         "%s: %s is %zu there and %zu elsewhere; a file has one size for each: capture them apart", who,
                         weir_dim_name(dim), size, sizes->size[dim]);
    sizes->size[dim] = size;
    return WEIR_OK;
}

/* As many rows and tokens as the prompt that has most of each. */
static weir_status prompt_sizes(struct weir_sizes *out, const struct weir_store_spec *spec)
{
    size_t rows = 0, length = 0;
    if (spec->n_prompts == 0)
        return weir_fail(WEIR_E_USAGE, "no prompts to store");
    out->same_rows = out->same_length = true;
    for (size_t i = 0; i < spec->n_prompts; i++) {
        const struct weir_store_prompt *prompt = &spec->prompts[i];
        out->same_rows = out->same_rows && prompt->n_rows == spec->prompts[0].n_rows;
        out->same_length = out->same_length && prompt->n == spec->prompts[0].n;
        rows = prompt->n_rows > rows ? prompt->n_rows : rows;
        length = prompt->n > length ? prompt->n : length;
    }
    if (rows == 0)
        return weir_fail(WEIR_E_USAGE, "no positions to store: the selection is past the end of every prompt");
    TRY(set_size(out, WEIR_AXIS_PROMPT, spec->n_prompts, "prompts"));
    TRY(set_size(out, WEIR_AXIS_POS, rows, "prompts"));
    TRY(set_size(out, WEIR_AXIS_QUERY, rows, "prompts"));
    TRY(set_size(out, WEIR_AXIS_KEY, length, "prompts"));
    return set_size(out, WEIR_DIM_TOKEN, length, "prompts");
}

weir_status weir_sizes_of(struct weir_sizes *out, const struct weir_store_spec *spec)
{
    memset(out, 0, sizeof *out);
    TRY(prompt_sizes(out, spec));
    TRY(set_size(out, WEIR_AXIS_LAYER, (size_t)spec->model->n_layers, "model"));
    for (size_t i = 0; i < spec->n_tables; i++)
        if (weir_table_width_dim(spec->tables[i].table) >= 0)
            TRY(set_size(out, weir_table_width_dim(spec->tables[i].table), spec->tables[i].width,
                         spec->tables[i].table->name));
    for (size_t i = 0; i < spec->n_grids; i++)
        for (int a = 0; a < spec->grids[i].rank; a++)
            TRY(set_size(out, spec->grids[i].dims[a], spec->grids[i].shape[a], spec->grids[i].name));
    for (size_t i = 0; i < spec->n_points; i++) {
        const weir_point *point = spec->points[i].point;
        for (int a = 0; a < point->n_axes; a++)
            if (!weir_axis_is_position(point->axes[a]))
                TRY(set_size(out, (int)point->axes[a], spec->points[i].shape[a], point->name));
    }
    return WEIR_OK;
}

/* ---- contiguous or chunked ---- */

static bool has_axis(const weir_point *point, weir_axis axis)
{
    for (int a = 0; a < point->n_axes; a++)
        if (point->axes[a] == axis)
            return true;
    return false;
}

/* As many along `axis` as make a chunk of about CHUNK_BYTES, given what the other axes have; at least one. */
static void fill_up(struct weir_layout *l, int axis, size_t most)
{
    l->chunk[axis] = 1;
    size_t others = weir_layout_chunk(l) * weir_elem_size(l->elem);
    size_t fit = CHUNK_BYTES / others;
    l->chunk[axis] = weir_min_size(fit ? fit : 1, weir_min_size(most, l->shape[axis]));
}

/* [head, query, key]: several heads of one prompt. */
static void chunk_pattern(struct weir_layout *l, const struct weir_sizes *sizes, bool single)
{
    size_t *chunk = l->chunk + l->n_lead, *shape = l->shape + l->n_lead;
    size_t most = sizes->same_length && sizes->same_rows ? SIZE_MAX : UNEQUAL_PATTERN;
    chunk[0] = 1;
    chunk[2] = weir_min_size(shape[2], most);
    fill_up(l, l->n_lead + 1, most);
    if (!single)
        fill_up(l, l->n_lead, SIZE_MAX);
}

/* [pos, ...]: whole rows; of wide neurons tiles; of single heads or neurons little else. */
static void chunk_rows(struct weir_layout *l, const struct weir_sizes *sizes, const struct weir_store_point *point)
{
    size_t *chunk = l->chunk + l->n_lead, *shape = l->shape + l->n_lead;
    size_t most = sizes->same_rows ? SIZE_MAX : UNEQUAL_ROWS;
    bool single = point && point->units != NULL;
    bool neurons = point && (has_axis(point->point, WEIR_AXIS_D_MLP) || has_axis(point->point, WEIR_AXIS_EXPERT));
    for (int a = 0; a < l->rank - l->n_lead; a++)
        chunk[a] = shape[a];
    if (l->contiguous) { /* a piece must be one run in the file */
        fill_up(l, l->n_lead, SIZE_MAX);
        return;
    }
    if (l->rank - l->n_lead == 2 && (neurons || single))
        chunk[1] = weir_min_size(shape[1], single ? SINGLE_WIDTH : NEURON_WIDTH);
    if (neurons || (single && l->rank - l->n_lead == 2))
        most = weir_min_size(most, single ? SINGLE_ROWS : NEURON_ROWS);
    if (l->rank - l->n_lead == 3 && single)
        chunk[1] = 1;
    fill_up(l, l->n_lead, most);
}

static bool all_layers(const struct weir_sizes *sizes, const struct weir_store_point *point)
{
    for (size_t i = 0; point->point->per_layer && i < sizes->size[WEIR_AXIS_LAYER]; i++)
        if (!point->layers[i])
            return false;
    return true;
}

/* The decision: contiguous when nothing that the dataset can hold will be missing. */
static bool is_contiguous(const struct weir_sizes *sizes, const struct weir_store_point *point)
{
    return point->whole && sizes->same_rows && all_layers(sizes, point) &&
           (sizes->same_length || !has_axis(point->point, WEIR_AXIS_KEY));
}

static void add_layout_axis(struct weir_layout *l, const struct weir_sizes *sizes, int dim)
{
    l->dims[l->rank] = dim;
    l->shape[l->rank] = sizes->size[dim];
    l->chunk[l->rank] = 1;
    l->rank++;
}

void weir_layout_of_point(struct weir_layout *out, const struct weir_sizes *sizes, const struct weir_store_spec *spec,
                          const struct weir_store_point *point)
{
    *out = (struct weir_layout){.elem = weir_point_elem(point->point, spec->dtype)};
    if (point->point->per_layer)
        add_layout_axis(out, sizes, WEIR_AXIS_LAYER);
    add_layout_axis(out, sizes, WEIR_AXIS_PROMPT);
    out->n_lead = out->rank;
    for (int a = 0; a < point->point->n_axes; a++)
        add_layout_axis(out, sizes, (int)point->point->axes[a]);
    bool pattern = has_axis(point->point, WEIR_AXIS_KEY);
    out->gzip = spec->gzip && pattern;
    out->contiguous = !out->gzip && is_contiguous(sizes, point);
    if (pattern)
        chunk_pattern(out, sizes, point->units != NULL);
    else
        chunk_rows(out, sizes, point);
}

void weir_layout_of_column(struct weir_layout *out, const struct weir_sizes *sizes, const struct weir_set *column)
{
    *out = (struct weir_layout){.elem = column->elem};
    for (int a = 0; a < column->rank; a++)
        add_layout_axis(out, sizes, column->dims[a]);
    out->n_lead = 1;
    out->contiguous = sizes->same_rows;
    chunk_rows(out, sizes, NULL);
}

size_t weir_layout_slab(const struct weir_layout *layout)
{
    size_t n = 1;
    for (int a = layout->n_lead; a < layout->rank; a++)
        n *= layout->shape[a];
    return n;
}

size_t weir_layout_chunk(const struct weir_layout *layout)
{
    size_t n = 1;
    for (int a = 0; a < layout->rank; a++)
        n *= layout->chunk[a];
    return n;
}

size_t weir_layout_lead(const struct weir_layout *layout)
{
    size_t n = 1;
    for (int a = 0; a < layout->n_lead; a++)
        n *= layout->shape[a];
    return n;
}
