/* Reading cache files. A file may be anything: what its headers claim is checked against the layout before use, and no
   memory is taken for more than one value, one prompt, or a list that the file's own size vouches for. */
#include "base/alloc.h"
#include "store/stored.h"
#include "store/units.h"
#include "tensor/absent.h"
#include "tensor/dtype.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const size_t PIECE = (size_t)1 << 18; /* values converted at once */

enum { TOKENS_AT_ONCE = 256 }; /* texts of tokens are read in such blocks, as they are asked for */

struct point {
    weir_file_point info;
    char *path;
    char *units;
    struct weir_units which; /* the same, read */
    bool *layers;            /* [n_layers] */
    int n_layers;
    size_t n_units; /* along the axis of heads or neurons; 0: there is none */
    enum weir_elem elem;
    struct weir_stored stored;
};

/* What has been read of one prompt; kept until close, as its pointers are the caller's. */
struct prompt {
    int32_t *ids;        /* [n] */
    int32_t *positions;  /* [n_positions] */
    char *text, *fields; /* NULL: none */
    char **tokens;       /* [n / TOKENS_AT_ONCE, rounded up] each [TOKENS_AT_ONCE, width + 1]; NULL until asked for */
    size_t n, n_rows;
};

/* The tokens that are among the likeliest somewhere; read when asked for. */
struct words {
    int32_t *ids; /* [n] ascending; NULL: not read yet */
    char *texts;  /* [n, width + 1] each ended by NUL */
    size_t n, width;
};

/* A table of the layout, as it is in this file. */
struct table {
    bool stored;
    struct weir_stored columns[WEIR_MAX_COLUMNS];
};

struct weir_file {
    char *path;
    struct weir_h5_source source;
    weir_file_info info;
    char *texts[WEIR_N_ROOT_ATTRS];
    struct weir_sizes sizes;
    struct point *points;     /* [info.n_points] */
    int32_t *lengths;         /* [n_prompts] tokens */
    float *losses;            /* [n_prompts] or NULL */
    struct prompt **prompts;  /* [n_prompts] NULL until asked for */
    struct weir_stored *sets; /* [WEIR_N_SETS] */
    struct table *tables;     /* [WEIR_N_TABLES] */
    size_t token_width;
    struct words *words;
};

static weir_status bad(const weir_file *file, const char *object, const char *what)
{
    return weir_fail(WEIR_E_INPUT, "%s: %s: %s", file->path, object, what);
}

/* ---- opening: what the file holds ---- */

static weir_status read_schema(weir_file *file)
{
    int64_t schema = 0;
    if (H5Aexists(file->source.file, weir_attr_at(WEIR_A_SCHEMA)->name) <= 0)
        return weir_fail(WEIR_E_INPUT, "%s: an HDF5 file, and not one that weir wrote (no attribute %s)", file->path,
                         weir_attr_at(WEIR_A_SCHEMA)->name);
    TRY(weir_h5_get_int(file->source.file, WEIR_A_SCHEMA, &schema, file->path));
    if (schema != WEIR_SCHEMA)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: layout version %lld; this weir reads version %d", file->path,
                         (long long)schema, WEIR_SCHEMA);
    file->info.schema = (int)schema;
    return WEIR_OK;
}

static weir_status read_dtype(weir_file *file)
{
    for (int t = WEIR_F32; t <= WEIR_BF16; t++)
        if (strcmp(file->texts[WEIR_A_DTYPE], weir_dtype_name((weir_dtype)t)) == 0) {
            file->info.dtype = (weir_dtype)t;
            return WEIR_OK;
        }
    return bad(file, "attribute dtype", "must be f32, f16 or bf16");
}

static weir_status read_root(weir_file *file)
{
    TRY(read_schema(file));
    for (int a = 0; a < WEIR_N_ROOT_ATTRS; a++)
        if (weir_attr_at(a)->kind == WEIR_ATTR_TEXT)
            TRY(weir_h5_get_text(file->source.file, a, &file->texts[a], file->path));
    TRY(read_dtype(file));
    file->info.model = file->texts[WEIR_A_MODEL];
    file->info.family = file->texts[WEIR_A_FAMILY];
    file->info.created = file->texts[WEIR_A_CREATED];
    file->info.command = file->texts[WEIR_A_COMMAND] ? file->texts[WEIR_A_COMMAND] : "";
    file->info.compute = file->texts[WEIR_A_COMPUTE] ? file->texts[WEIR_A_COMPUTE] : "f32";
    file->info.config = file->texts[WEIR_A_CONFIG];
    file->info.digest = file->texts[WEIR_A_DIGEST];
    return WEIR_OK;
}

/* The size of a dimension is that of its scale, and every dataset must agree. */
static weir_status read_dim(weir_file *file, int dim)
{
    const char *name = weir_dim_name(dim);
    struct weir_stored scale;
    enum weir_link link;
    hid_t id;
    TRY(weir_h5_link(&link, file->source.file, name, file->path));
    if (link == WEIR_LINK_NONE)
        return WEIR_OK;
    TRY(weir_h5_open_dataset(&id, file->source.file, name, file->path));
    TRY(weir_stored_open(&scale, &file->source, id, name));
    if (scale.rank == 1)
        file->sizes.size[dim] = scale.shape[0];
    weir_stored_close(&scale);
    if (file->sizes.size[dim] == 0 || file->sizes.size[dim] > weir_dim_limit(dim))
        return weir_fail(WEIR_E_INPUT, "%s: /%s: must have one axis of 1 to %zu", file->path, name,
                         weir_dim_limit(dim));
    return WEIR_OK;
}

static weir_status read_dims(weir_file *file)
{
    static const int needed[] = {WEIR_AXIS_LAYER, WEIR_AXIS_PROMPT, WEIR_AXIS_POS, WEIR_DIM_TOKEN};
    for (int dim = 0; dim < WEIR_N_DIMS; dim++)
        TRY(read_dim(file, dim));
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (file->sizes.size[needed[i]] == 0)
            return bad(file, weir_dim_name(needed[i]), "the dimension is missing");
    file->info.n_layers = (int)file->sizes.size[WEIR_AXIS_LAYER];
    file->info.n_prompts = (int)file->sizes.size[WEIR_AXIS_PROMPT];
    file->info.n_positions = (int)file->sizes.size[WEIR_AXIS_POS];
    file->info.n_key = (int)file->sizes.size[WEIR_DIM_TOKEN];
    file->info.n_next = (int)file->sizes.size[WEIR_DIM_TOP];
    return WEIR_OK;
}

static weir_status check_shape(const weir_file *file, const struct weir_stored *stored, int want_rank, const int *dims)
{
    if (stored->rank != want_rank)
        return weir_fail(WEIR_E_INPUT, "%s: %s: has %d axes, must have %d", file->path, stored->name, stored->rank,
                         want_rank);
    for (int a = 0; a < want_rank; a++)
        if (stored->shape[a] != file->sizes.size[dims[a]])
            return weir_fail(WEIR_E_INPUT, "%s: %s: axis %d (%s) has %zu, the dimension %zu", file->path, stored->name,
                             a, weir_dim_name(dims[a]), stored->shape[a], file->sizes.size[dims[a]]);
    return WEIR_OK;
}

static weir_status type_of_dataset(const weir_file *file, enum weir_elem *elem, size_t *width, hid_t dataset,
                                   const char *path)
{
    hid_t type = H5Dget_type(dataset);
    bool known = type >= 0 && weir_h5_elem(elem, width, type);
    weir_h5_close(&type);
    return known ? WEIR_OK : bad(file, path, "is of a type that the layout does not have");
}

/* Opens the dataset of a set or a column; *width is that of its strings. */
static weir_status open_as(struct weir_stored *stored, size_t *width, const weir_file *file, const struct weir_set *s)
{
    enum weir_elem elem = WEIR_ELEM_F32;
    hid_t id;
    TRY(weir_h5_open_dataset(&id, file->source.file, s->path, file->path));
    TRY(weir_stored_open(stored, &file->source, id, s->path));
    TRY(check_shape(file, stored, s->rank, s->dims));
    TRY(type_of_dataset(file, &elem, width, stored->id, s->path));
    if (elem != s->elem)
        return weir_fail(WEIR_E_INPUT, "%s: %s: holds %s, must hold %s", file->path, s->path, weir_elem_name(elem),
                         weir_elem_name(s->elem));
    if (elem == WEIR_ELEM_CHARS && *width > WEIR_TOKEN_TEXT)
        return bad(file, s->path, "its strings are longer than the layout allows");
    return WEIR_OK;
}

static weir_status open_set(weir_file *file, int set)
{
    const struct weir_set *s = weir_set_at(set);
    enum weir_link link = WEIR_LINK_HARD;
    size_t width = 0;
    if (!s->required)
        TRY(weir_h5_link(&link, file->source.file, s->path, file->path));
    if (link == WEIR_LINK_NONE)
        return WEIR_OK;
    TRY(open_as(&file->sets[set], &width, file, s));
    if (set == WEIR_S_TOKEN_TEXT)
        file->token_width = width;
    if (set == WEIR_S_WORD_TEXT)
        file->words->width = width;
    return WEIR_OK;
}

/* A table is in the file where its own dimension is, or, without one, its first column; then all columns must be. */
static weir_status open_table(weir_file *file, int id)
{
    const struct weir_table *table = weir_table_at(id);
    struct table *out = &file->tables[id];
    int own = weir_table_width_dim(table);
    enum weir_link link = WEIR_LINK_HARD;
    size_t width;
    if (own < 0)
        TRY(weir_h5_link(&link, file->source.file, table->columns[0].path, file->path));
    if (link == WEIR_LINK_NONE || (own >= 0 && file->sizes.size[own] == 0))
        return WEIR_OK;
    for (int c = 0; c < table->n_columns; c++)
        TRY(open_as(&out->columns[c], &width, file, &table->columns[c]));
    out->stored = true;
    return WEIR_OK;
}

/* Whether a dataset has bytes enough for n of its elements: none of these leaves any out. */
static weir_status check_stored(const weir_file *file, const struct weir_stored *stored, uint64_t n)
{
    return n <= stored->decoded / stored->size ? WEIR_OK : bad(file, stored->name, "holds less than it claims");
}

/* A list of numbers, read whole: the bytes must be there before memory is taken for them. */
static weir_status read_list(const weir_file *file, void *out, const struct weir_stored *stored)
{
    size_t start[WEIR_MAX_RANK] = {0}, count[WEIR_MAX_RANK] = {stored->shape[0]};
    void *memory;
    TRY(check_stored(file, stored, count[0]));
    TRY(weir_alloc(out, count[0], stored->size));
    memcpy(&memory, out, sizeof memory);
    return weir_stored_read(stored, start, count, memory);
}

/* What prompts claim to have against what the tables can hold, since memory is taken for it. */
static weir_status check_tables(const weir_file *file)
{
    uint64_t tokens = 0;
    for (int i = 0; i < file->info.n_prompts; i++)
        tokens += (uint64_t)file->lengths[i];
    TRY(check_stored(file, &file->sets[WEIR_S_TOKEN_ID], tokens));
    TRY(check_stored(file, &file->sets[WEIR_S_TOKEN_TEXT], tokens));
    TRY(check_stored(file, &file->sets[WEIR_S_PROMPT_TEXT], (uint64_t)file->info.n_prompts));
    return check_stored(file, &file->sets[WEIR_S_TOKEN_POSITION],
                        (uint64_t)file->info.n_prompts * (uint64_t)file->info.n_positions);
}

static weir_status read_lengths(weir_file *file)
{
    TRY(read_list(file, &file->lengths, &file->sets[WEIR_S_PROMPT_LENGTH]));
    for (int i = 0; i < file->info.n_prompts; i++)
        if (file->lengths[i] < 0 || file->lengths[i] > file->info.n_key)
            return weir_fail(WEIR_E_INPUT, "%s: /prompts/length: prompt %d has %d tokens of at most %d", file->path, i,
                             file->lengths[i], file->info.n_key);
    TRY(check_tables(file));
    if (file->tables[WEIR_TABLE_LOSS].stored)
        TRY(read_list(file, &file->losses, &file->tables[WEIR_TABLE_LOSS].columns[0]));
    return weir_alloc_zero(&file->prompts, file->sizes.size[WEIR_AXIS_PROMPT], sizeof(void *));
}

/* ---- points ---- */

static weir_status read_layers(const weir_file *file, struct point *point)
{
    int32_t *numbers = NULL;
    size_t n;
    weir_status status;
    TRY_DONE(weir_h5_get_ints(point->stored.id, WEIR_A_LAYERS, &numbers, &n, point->path));
    TRY_DONE(weir_alloc_zero(&point->layers, (size_t)file->info.n_layers, sizeof *point->layers));
    for (size_t i = 0; i < n; i++) {
        if (numbers[i] < 0 || numbers[i] >= file->info.n_layers)
            TRY_DONE(bad(file, point->path, "the attribute layers names a layer that the model does not have"));
        point->layers[numbers[i]] = true;
    }
    point->info.layers = point->layers;
done:
    weir_free(numbers);
    return status;
}

static weir_status read_point_shape(const weir_file *file, struct point *point)
{
    const weir_point *p = point->info.point;
    struct weir_stored *stored = &point->stored;
    int dims[WEIR_MAX_RANK], n = 0;
    size_t width;
    hid_t id;
    TRY(weir_h5_open_dataset(&id, file->source.file, point->path, file->path));
    TRY(weir_stored_open(stored, &file->source, id, point->path));
    if (p->per_layer)
        dims[n++] = WEIR_AXIS_LAYER;
    dims[n++] = WEIR_AXIS_PROMPT;
    int lead = n;
    for (int a = 0; a < p->n_axes; a++)
        dims[n++] = (int)p->axes[a];
    TRY(check_shape(file, stored, n, dims));
    for (int a = 0; a < p->n_axes; a++)
        point->info.shape[a] = stored->shape[lead + a];
    TRY(type_of_dataset(file, &point->elem, &width, stored->id, point->path));
    if (point->elem != weir_point_elem(p, file->info.dtype))
        return weir_fail(WEIR_E_INPUT, "%s: %s: holds %s, the file's dtype is %s", file->path, point->path,
                         weir_elem_name(point->elem), weir_dtype_name(file->info.dtype));
    return WEIR_OK;
}

/* The attribute `units`, for points that have heads or neurons. */
static weir_status read_unit_list(const weir_file *file, struct point *point)
{
    int axis = weir_point_unit_axis(point->info.point);
    size_t n_layers = point->info.point->per_layer ? (size_t)file->info.n_layers : 0;
    TRY(weir_h5_get_text(point->stored.id, WEIR_A_UNITS, &point->units, point->path));
    point->n_units = axis < 0 ? 0 : point->info.shape[axis];
    point->info.units = point->units;
    return weir_in(weir_units_parse(&point->which, point->units, n_layers, point->n_units), point->path);
}

static weir_status read_point(const weir_file *file, struct point *point, const weir_point *which)
{
    int64_t saturated = 0, sinks = 0;
    point->info.point = which;
    point->n_layers = file->info.n_layers;
    TRY(weir_format(&point->path, "%s/%s", WEIR_GROUP_ACTIVATIONS, which->name));
    TRY(read_point_shape(file, point));
    if (which->per_layer)
        TRY(weir_in(read_layers(file, point), file->path));
    TRY(weir_in(read_unit_list(file, point), file->path));
    TRY(weir_in(weir_h5_get_int(point->stored.id, WEIR_A_SATURATED, &saturated, point->path), file->path));
    TRY(weir_in(weir_h5_get_int(point->stored.id, WEIR_A_SINKS, &sinks, point->path), file->path));
    point->info.compute_error = NAN;
    TRY(weir_in(weir_h5_get_real(point->stored.id, WEIR_A_COMPUTE_ERROR, &point->info.compute_error, point->path),
                file->path));
    point->info.saturated = saturated > 0 ? (uint64_t)saturated : 0;
    point->info.sinks = sinks != 0;
    point->info.bytes = point->stored.bytes;
    return WEIR_OK;
}

/* In the order in which a pass computes them. What is not a hook point is left alone: validate speaks of it. */
static weir_status read_points(weir_file *file)
{
    weir_status status;
    enum weir_link link;
    char path[WEIR_LONGEST_PATH];
    TRY(weir_h5_link(&link, file->source.file, WEIR_GROUP_ACTIVATIONS, file->path));
    if (link == WEIR_LINK_NONE)
        return bad(file, WEIR_GROUP_ACTIVATIONS, "is missing");
    TRY_DONE(weir_alloc_zero(&file->points, WEIR_N_POINTS, sizeof *file->points));
    for (int i = 0; i < WEIR_N_POINTS; i++)
        file->points[i].stored.id = H5I_INVALID_HID;
    for (int i = 0; i < WEIR_N_POINTS; i++) {
        snprintf(path, sizeof path, "%s/%s", WEIR_GROUP_ACTIVATIONS, weir_point_at(i)->name);
        TRY_DONE(weir_h5_link(&link, file->source.file, path, file->path));
        if (link == WEIR_LINK_HARD)
            TRY_DONE(read_point(file, &file->points[file->info.n_points++], weir_point_at(i)));
    }
done:
    return status;
}

static weir_status read_whole_head(weir_file *file)
{
    TRY(weir_h5_source_open(&file->source, file->path));
    TRY(read_root(file));
    TRY(read_dims(file));
    for (int set = 0; set < WEIR_N_SETS; set++)
        TRY(open_set(file, set));
    for (int table = 0; table < WEIR_N_TABLES; table++)
        TRY(open_table(file, table));
    TRY(read_lengths(file));
    return read_points(file);
}

weir_status weir_file_open(weir_file **out, const char *path)
{
    weir_file *file = NULL;
    weir_status status;
    TRY_GIVEN(out);
    *out = NULL;
    TRY_GIVEN(path);
    weir_h5_begin();
    TRY_DONE(weir_alloc_zero(&file, 1, sizeof *file));
    file->source = (struct weir_h5_source){.fd = -1, .file = H5I_INVALID_HID};
    TRY_DONE(weir_alloc_zero(&file->sets, WEIR_N_SETS, sizeof *file->sets));
    TRY_DONE(weir_alloc_zero(&file->words, 1, sizeof *file->words));
    TRY_DONE(weir_alloc_zero(&file->tables, WEIR_N_TABLES, sizeof *file->tables));
    for (int set = 0; set < WEIR_N_SETS; set++)
        file->sets[set].id = H5I_INVALID_HID;
    for (int i = 0; i < WEIR_N_TABLES * WEIR_MAX_COLUMNS; i++)
        file->tables[i / WEIR_MAX_COLUMNS].columns[i % WEIR_MAX_COLUMNS].id = H5I_INVALID_HID;
    TRY_DONE(weir_copy_string(&file->path, path));
    TRY_DONE(read_whole_head(file));
    *out = file;
    file = NULL;
done:
    weir_file_close(file);
    return status;
}

static size_t token_blocks(const struct prompt *prompt)
{
    return (prompt->n + TOKENS_AT_ONCE - 1) / TOKENS_AT_ONCE;
}

static void free_prompt(struct prompt *prompt)
{
    if (!prompt)
        return;
    for (size_t i = 0; prompt->tokens && i < token_blocks(prompt); i++)
        weir_free(prompt->tokens[i]);
    weir_free(prompt->ids);
    weir_free(prompt->positions);
    weir_free(prompt->text);
    weir_free(prompt->fields);
    weir_free(prompt->tokens);
    weir_free(prompt);
}

void weir_file_close(weir_file *file)
{
    if (!file)
        return;
    weir_h5_begin();
    for (int i = 0; i < file->info.n_points; i++) {
        weir_stored_close(&file->points[i].stored);
        weir_free(file->points[i].path);
        weir_free(file->points[i].units);
        weir_units_close(&file->points[i].which);
        weir_free(file->points[i].layers);
    }
    for (int set = 0; file->sets && set < WEIR_N_SETS; set++)
        weir_stored_close(&file->sets[set]);
    for (int i = 0; file->tables && i < WEIR_N_TABLES * WEIR_MAX_COLUMNS; i++)
        weir_stored_close(&file->tables[i / WEIR_MAX_COLUMNS].columns[i % WEIR_MAX_COLUMNS]);
    for (int i = 0; file->prompts && i < file->info.n_prompts; i++)
        free_prompt(file->prompts[i]);
    for (int a = 0; a < WEIR_N_ROOT_ATTRS; a++)
        weir_free(file->texts[a]);
    weir_h5_source_close(&file->source);
    weir_free(file->points);
    weir_free(file->sets);
    weir_free(file->tables);
    weir_free(file->prompts);
    weir_free(file->lengths);
    weir_free(file->losses);
    if (file->words) {
        weir_free(file->words->ids);
        weir_free(file->words->texts);
    }
    weir_free(file->words);
    weir_free(file->path);
    weir_free(file);
}

const weir_file_info *weir_file_get_info(const weir_file *file)
{
    return file ? &file->info : NULL;
}

const weir_file_point *weir_file_point_at(const weir_file *file, int i)
{
    return file && i >= 0 && i < file->info.n_points ? &file->points[i].info : NULL;
}

const weir_file_point *weir_file_find(const weir_file *file, const char *name)
{
    for (int i = 0; file && name && i < file->info.n_points; i++)
        if (strcmp(file->points[i].info.point->name, name) == 0)
            return &file->points[i].info;
    return NULL;
}

bool weir_file_has_unit(const weir_file_point *which, int layer, size_t unit)
{
    const struct point *point = (const struct point *)which; /* info is its first member */
    if (!which || unit >= point->n_units)
        return false;
    bool has_layer = point->layers ? layer >= 0 && layer < point->n_layers && point->layers[layer] : layer == -1;
    return has_layer && weir_units_have(&point->which, layer, unit);
}

/* ---- prompts ---- */

static weir_status read_row(const weir_file *file, int set, int prompt, size_t first, size_t n, void *out)
{
    const size_t start[WEIR_MAX_RANK] = {(size_t)prompt, first}, count[WEIR_MAX_RANK] = {1, n};
    return weir_stored_read(&file->sets[set], start, count, out);
}

static weir_status read_row_positions(const weir_file *file, struct prompt *prompt, int index)
{
    size_t n = (size_t)file->info.n_positions, rows = 0;
    TRY(weir_alloc(&prompt->positions, n, sizeof *prompt->positions));
    TRY(read_row(file, WEIR_S_TOKEN_POSITION, index, 0, n, prompt->positions));
    while (rows < n && prompt->positions[rows] >= 0)
        rows++;
    for (size_t i = 0; i < n; i++)
        if (prompt->positions[i] < -1 || (i >= rows && prompt->positions[i] != -1) ||
            prompt->positions[i] >= file->lengths[index] ||
            (i > 0 && i < rows && prompt->positions[i] <= prompt->positions[i - 1]))
            return weir_fail(WEIR_E_INPUT, "%s: /tokens/position: prompt %d, row %zu: %d is out of order or range",
                             file->path, index, i, prompt->positions[i]);
    prompt->n_rows = rows;
    return WEIR_OK;
}

/* *out stays NULL where the text is empty, or the file has no such table. */
static weir_status read_prompt_text(const weir_file *file, char **out, int set, int index)
{
    uint8_t reference[WEIR_TEXT_REFERENCE];
    if (file->sets[set].id < 0)
        return WEIR_OK;
    TRY(read_row(file, set, index, 0, 1, reference));
    TRY(weir_stored_text(out, &file->source, reference, weir_set_at(set)->path));
    if (*out && !**out) {
        weir_free(*out);
        *out = NULL;
    }
    return WEIR_OK;
}

static weir_status load_prompt(struct prompt **out, const weir_file *file, int index)
{
    struct prompt *prompt;
    weir_status status;
    *out = NULL;
    TRY(weir_alloc_zero(&prompt, 1, sizeof *prompt));
    prompt->n = (size_t)file->lengths[index];
    TRY_DONE(weir_alloc(&prompt->ids, prompt->n, sizeof *prompt->ids));
    TRY_DONE(read_row(file, WEIR_S_TOKEN_ID, index, 0, prompt->n, prompt->ids));
    TRY_DONE(read_row_positions(file, prompt, index));
    TRY_DONE(read_prompt_text(file, &prompt->text, WEIR_S_PROMPT_TEXT, index));
    TRY_DONE(read_prompt_text(file, &prompt->fields, WEIR_S_PROMPT_FIELDS, index));
    *out = prompt;
    prompt = NULL;
done:
    free_prompt(prompt);
    return status;
}

/* NULL, and why in *status, when it cannot be had. */
static struct prompt *get_prompt(weir_status *status, const weir_file *file, int index)
{
    *status = WEIR_OK;
    if (index < 0 || index >= file->info.n_prompts) {
        *status =
            weir_fail(WEIR_E_USAGE, "%s: prompt %d: the file has 0 to %d", file->path, index, file->info.n_prompts - 1);
        return NULL;
    }
    if (!file->prompts[index]) {
        weir_h5_begin();
        *status = load_prompt(&file->prompts[index], file, index);
    }
    return file->prompts[index];
}

weir_status weir_file_get_prompt(const weir_file *file, int index, weir_file_prompt *out)
{
    weir_status status;
    TRY_GIVEN(out);
    memset(out, 0, sizeof *out);
    TRY_GIVEN(file);
    const struct prompt *prompt = get_prompt(&status, file, index);
    if (!prompt)
        return status;
    *out = (weir_file_prompt){.ids = prompt->ids,
                              .n = prompt->n,
                              .text = prompt->text,
                              .fields = prompt->fields,
                              .positions = prompt->positions,
                              .n_rows = prompt->n_rows,
                              .loss = file->losses ? file->losses[index] : NAN};
    return WEIR_OK;
}

/* [n, width] to [n, width + 1], each ended by NUL. */
static void spread(char *texts, size_t n, size_t width)
{
    for (size_t i = n; i-- > 0;) {
        memmove(texts + i * (width + 1), texts + i * width, width);
        texts[i * (width + 1) + width] = '\0';
    }
}

/* Block `which` of the texts of tokens, each ended by NUL. */
static weir_status load_tokens(const weir_file *file, struct prompt *prompt, int index, size_t which)
{
    size_t width = file->token_width, first = which * TOKENS_AT_ONCE, left = prompt->n - first;
    size_t n = left < TOKENS_AT_ONCE ? left : TOKENS_AT_ONCE;
    char *tokens = NULL; /* first packed, then spread from the end */
    weir_status status;
    if (!prompt->tokens)
        TRY(weir_alloc_zero(&prompt->tokens, token_blocks(prompt), sizeof *prompt->tokens));
    TRY_DONE(weir_alloc_zero(&tokens, n, width + 1));
    TRY_DONE(read_row(file, WEIR_S_TOKEN_TEXT, index, first, n, tokens));
    spread(tokens, n, width);
    prompt->tokens[which] = tokens;
    tokens = NULL;
done:
    weir_free(tokens);
    return status;
}

const char *weir_file_token(const weir_file *file, int index, int token)
{
    weir_status status;
    struct prompt *prompt = file ? get_prompt(&status, file, index) : NULL;
    if (!prompt || token < 0 || (size_t)token >= prompt->n)
        return "";
    size_t which = (size_t)token / TOKENS_AT_ONCE, in = (size_t)token % TOKENS_AT_ONCE;
    if (!prompt->tokens || !prompt->tokens[which]) {
        weir_h5_begin();
        if (load_tokens(file, prompt, index, which) != WEIR_OK)
            return "";
    }
    return prompt->tokens[which] + in * (file->token_width + 1);
}

/* ---- values ---- */

/* The box of a stored value in the dataset: start and count along all its axes. */
struct box {
    size_t start[WEIR_MAX_RANK], count[WEIR_MAX_RANK];
    int rank, n_lead;
};

static weir_status box_of(struct box *out, const weir_file *file, const struct point *point, int layer, int prompt,
                          const weir_block *block)
{
    const weir_point *p = point->info.point;
    memset(out, 0, sizeof *out);
    if (prompt < 0 || prompt >= file->info.n_prompts)
        return weir_fail(WEIR_E_USAGE, "%s: prompt %d: the file has 0 to %d", file->path, prompt,
                         file->info.n_prompts - 1);
    if (p->per_layer ? layer < 0 || layer >= file->info.n_layers : layer != -1)
        return weir_fail(WEIR_E_USAGE, "%s: %s: layer %d is out of range", file->path, point->path, layer);
    if (p->per_layer)
        out->start[out->rank++] = (size_t)layer;
    out->start[out->rank++] = (size_t)prompt;
    out->n_lead = out->rank;
    for (int i = 0; i < out->rank; i++)
        out->count[i] = 1;
    for (int a = 0; a < p->n_axes; a++) {
        size_t size = point->info.shape[a], start = block ? block->start[a] : 0, count = block ? block->count[a] : size;
        if (start > size || count > size - start)
            return weir_fail(WEIR_E_USAGE, "%s: %s: %zu to %zu of %s: there are %zu", file->path, point->path, start,
                             start + count, weir_axis_name(p->axes[a]), size);
        out->start[out->rank] = start;
        out->count[out->rank++] = count;
    }
    return WEIR_OK;
}

static size_t box_size(const struct box *box)
{
    size_t n = 1;
    for (int a = 0; a < box->rank; a++)
        n *= box->count[a];
    return n;
}

static weir_status read_converted(const struct point *point, const struct box *box, float *out)
{
    size_t n = box_size(box);
    uint16_t *halves; /* [n] of the box */
    TRY(weir_alloc(&halves, n, sizeof *halves));
    weir_status status = weir_stored_read(&point->stored, box->start, box->count, halves);
    if (status == WEIR_OK)
        weir_to_f32(out, halves, point->elem == WEIR_ELEM_F16 ? WEIR_T_F16 : WEIR_T_BF16, n);
    weir_free(halves);
    return status;
}

/* 16-bit values in slices of the outermost axis that is longer than one, so that what is in between stays small. */
static weir_status read_halves(const struct point *point, const struct box *box, float *out)
{
    int axis = box->n_lead;
    while (axis < box->rank - 1 && box->count[axis] == 1)
        axis++;
    size_t all = box->count[axis], one = 1;
    for (int a = axis + 1; a < box->rank; a++)
        one *= box->count[a];
    size_t step = one && PIECE / one ? PIECE / one : 1;
    for (size_t i = 0; i < all; i += step) {
        struct box slice = *box;
        slice.start[axis] += i;
        slice.count[axis] = all - i < step ? all - i : step;
        TRY(read_converted(point, &slice, out + i * one));
    }
    return WEIR_OK;
}

static void integers_to_floats(float *values, size_t n)
{
    const uint32_t absent = WEIR_ABSENT_F32;
    for (size_t i = 0; i < n; i++) {
        int32_t number;
        memcpy(&number, &values[i], sizeof number);
        values[i] = (float)number;
        if (number == -1)
            memcpy(&values[i], &absent, sizeof absent);
    }
}

/* In files that knew one NaN only, what is not stored gets the one that stands for it now. */
static void tell_absent(float *values, size_t n)
{
    const uint32_t absent = WEIR_ABSENT_F32;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        if (bits == WEIR_NAN_F32)
            memcpy(&values[i], &absent, sizeof absent);
    }
}

bool weir_is_stored(float value)
{
    return !weir_value_is_absent(value);
}

/* Whether the fill value is the plain NaN, of a dataset in which something may be missing. */
static bool has_plain_fill(const struct point *point)
{
    uint32_t bits = 0;
    memcpy(&bits, point->stored.fill, weir_elem_size(point->elem));
    return !point->stored.contiguous && bits == (point->elem == WEIR_ELEM_F32    ? WEIR_NAN_F32
                                                 : point->elem == WEIR_ELEM_F16  ? WEIR_NAN_F16
                                                 : point->elem == WEIR_ELEM_BF16 ? WEIR_NAN_BF16
                                                                                 : 1);
}

weir_status weir_file_read(const weir_file *file, const weir_file_point *which, int layer, int prompt,
                           const weir_block *block, float *out)
{
    const struct point *point = (const struct point *)which; /* info is its first member */
    struct box box;
    TRY_GIVEN(file);
    TRY_GIVEN(which);
    TRY_GIVEN(out);
    if (point < file->points || point >= file->points + file->info.n_points)
        return weir_fail(WEIR_E_USAGE, "weir_file_read: which is a point of another file than %s", file->path);
    weir_h5_begin();
    TRY(box_of(&box, file, point, layer, prompt, block));
    size_t n = box_size(&box);
    if (n == 0)
        return WEIR_OK;
    if (weir_elem_size(point->elem) == 2)
        TRY(read_halves(point, &box, out));
    else
        TRY(weir_stored_read(&point->stored, box.start, box.count, out));
    if (point->elem == WEIR_ELEM_I32)
        integers_to_floats(out, n);
    else if (has_plain_fill(point))
        tell_absent(out, n);
    return WEIR_OK;
}

bool weir_file_has(const weir_file *file, const weir_file_point *which, int layer, int prompt, const weir_block *block)
{
    const struct point *point = (const struct point *)which;
    struct box box;
    if (!file || !which)
        return false;
    weir_h5_begin();
    return box_of(&box, file, point, layer, prompt, block) == WEIR_OK &&
           weir_stored_has(&point->stored, box.start, box.count);
}

/* One prompt's rows of a table that has rows; columns that are NULL are not read. */
static weir_status read_table(const weir_file *file, int id, int index, void *const *columns)
{
    const struct weir_table *table = weir_table_at(id);
    int own = weir_table_width_dim(table);
    weir_status status;
    const struct prompt *prompt = get_prompt(&status, file, index);
    if (!prompt)
        return status;
    const size_t start[WEIR_MAX_RANK] = {(size_t)index},
                 count[WEIR_MAX_RANK] = {1, prompt->n_rows, own < 0 ? 0 : file->sizes.size[own]};
    for (int c = 0; c < table->n_columns; c++)
        if (columns[c])
            TRY(weir_stored_read(&file->tables[id].columns[c], start, count, columns[c]));
    return WEIR_OK;
}

weir_status weir_file_next(const weir_file *file, int index, int32_t *ids, float *logits, float *logprobs)
{
    TRY_GIVEN(file);
    weir_h5_begin();
    if (!file->tables[WEIR_TABLE_NEXT].stored)
        return weir_fail(WEIR_E_USAGE, "%s: holds no next tokens: dump with --next K", file->path);
    return read_table(file, WEIR_TABLE_NEXT, index, (void *const[]){ids, logits, logprobs});
}

static weir_status load_words(const weir_file *file, struct words *words)
{
    const size_t start[WEIR_MAX_RANK] = {0}, count[WEIR_MAX_RANK] = {file->sizes.size[WEIR_DIM_WORD]};
    size_t n = count[0];
    char *texts = NULL;
    int32_t *ids = NULL;
    weir_status status;
    TRY(check_stored(file, &file->sets[WEIR_S_WORD_TEXT], n));
    TRY_DONE(read_list(file, &ids, &file->sets[WEIR_S_WORD_ID]));
    TRY_DONE(weir_alloc_zero(&texts, n, words->width + 1));
    TRY_DONE(weir_stored_read(&file->sets[WEIR_S_WORD_TEXT], start, count, texts));
    spread(texts, n, words->width);
    *words = (struct words){ids, texts, n, words->width};
    ids = NULL;
    texts = NULL;
done:
    weir_free(ids);
    weir_free(texts);
    return status;
}

const char *weir_file_next_text(const weir_file *file, int32_t id)
{
    struct words *words = file ? file->words : NULL;
    if (!words || file->sets[WEIR_S_WORD_ID].id < 0 || file->sets[WEIR_S_WORD_TEXT].id < 0)
        return "";
    weir_h5_begin();
    if (!words->ids && load_words(file, words) != WEIR_OK)
        return "";
    size_t first = 0, last = words->n;
    while (first < last) {
        size_t middle = first + (last - first) / 2;
        if (words->ids[middle] == id)
            return words->texts + middle * (words->width + 1);
        if (words->ids[middle] < id)
            first = middle + 1;
        else
            last = middle;
    }
    return "";
}
