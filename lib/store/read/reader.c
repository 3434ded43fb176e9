/* Opens cache files. A file may be anything: what its headers claim is checked against the layout before use, and no
   memory is taken for more than one value, one prompt, or a list that the file's own size vouches for. */
#include "store/read/reader.h"

#include "base/alloc.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static weir_status fail_object(const weir_file *file, const char *object, const char *what)
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
    return fail_object(file, "attribute dtype", "must be f32, f16 or bf16");
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
    file->info.process = file->texts[WEIR_A_PROCESS] ? file->texts[WEIR_A_PROCESS] : "";
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
            return fail_object(file, weir_dim_name(needed[i]), "the dimension is missing");
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
    return known ? WEIR_OK : fail_object(file, path, "is of a type that the layout does not have");
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
        return fail_object(file, s->path, "its strings are longer than the layout allows");
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
    const struct weir_table_kind *table = weir_table_at(id);
    struct weir_stored_table *out = &file->tables[id];
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

weir_status weir_reader_check_stored(const weir_file *file, const struct weir_stored *stored, uint64_t n)
{
    return n <= stored->decoded / stored->size ? WEIR_OK : fail_object(file, stored->name, "holds less than it claims");
}

weir_status weir_reader_list(const weir_file *file, void *out, const struct weir_stored *stored)
{
    size_t start[WEIR_MAX_RANK] = {0}, count[WEIR_MAX_RANK] = {stored->shape[0]};
    void *memory;
    TRY(weir_reader_check_stored(file, stored, count[0]));
    TRY(weir_alloc(out, count[0], stored->size));
    memcpy(&memory, out, sizeof memory);
    return weir_stored_read(stored, start, count, memory);
}

/* A prompt need not have a row, but one has n_positions: so many rows a table holds at least. */
static weir_status check_columns(const weir_file *file, int id)
{
    uint64_t rows = (uint64_t)file->info.n_positions, cells;
    int own = weir_table_width_dim(weir_table_at(id));
    if (!file->tables[id].stored || own < 0)
        return WEIR_OK;
    for (int c = 0; c < weir_table_at(id)->n_columns; c++) {
        const struct weir_stored *column = &file->tables[id].columns[c];
        if (__builtin_mul_overflow(rows, (uint64_t)file->sizes.size[own], &cells))
            return fail_object(file, column->name, "holds less than it claims");
        TRY(weir_reader_check_stored(file, column, cells));
    }
    return WEIR_OK;
}

/* Checks the lengths of prompts against the size of the tables, before memory is taken for them. */
static weir_status check_tables(const weir_file *file)
{
    uint64_t tokens = 0;
    for (int i = 0; i < file->info.n_prompts; i++)
        tokens += (uint64_t)file->lengths[i];
    TRY(weir_reader_check_stored(file, &file->sets[WEIR_S_TOKEN_ID], tokens));
    TRY(weir_reader_check_stored(file, &file->sets[WEIR_S_TOKEN_TEXT], tokens));
    TRY(weir_reader_check_stored(file, &file->sets[WEIR_S_PROMPT_TEXT], (uint64_t)file->info.n_prompts));
    for (int id = 0; id < WEIR_N_TABLES; id++)
        TRY(check_columns(file, id));
    return weir_reader_check_stored(file, &file->sets[WEIR_S_TOKEN_POSITION],
                                    (uint64_t)file->info.n_prompts * (uint64_t)file->info.n_positions);
}

static weir_status read_lengths(weir_file *file)
{
    TRY(weir_reader_list(file, &file->lengths, &file->sets[WEIR_S_PROMPT_LENGTH]));
    for (int i = 0; i < file->info.n_prompts; i++)
        if (file->lengths[i] < 0 || file->lengths[i] > file->info.n_key)
            return weir_fail(WEIR_E_INPUT, "%s: /prompts/length: prompt %d has %d tokens of at most %d", file->path, i,
                             file->lengths[i], file->info.n_key);
    TRY(check_tables(file));
    if (file->tables[WEIR_TABLE_LOSS].stored)
        TRY(weir_reader_list(file, &file->losses, &file->tables[WEIR_TABLE_LOSS].columns[0]));
    return weir_alloc_zero(&file->prompts, file->sizes.size[WEIR_AXIS_PROMPT], sizeof(void *));
}

/* ---- points ---- */

/* The attribute `layers` as one mark per layer of the model. */
static weir_status read_layers(const weir_file *file, struct weir_open_point *point)
{
    int32_t *numbers = NULL;
    size_t n;
    weir_status status;
    TRY_DONE(weir_h5_get_ints(point->stored.id, WEIR_A_LAYERS, &numbers, &n, point->path));
    TRY_DONE(weir_alloc_zero(&point->layers, (size_t)file->info.n_layers, sizeof *point->layers));
    for (size_t i = 0; i < n; i++) {
        if (numbers[i] < 0 || numbers[i] >= file->info.n_layers)
            TRY_DONE(fail_object(file, point->path, "the attribute layers names a layer that the model does not have"));
        point->layers[numbers[i]] = true;
    }
    point->info.layers = point->layers;
done:
    weir_free(numbers);
    return status;
}

/* Opens a point's dataset; axes, sizes and type must be those of the layout. */
static weir_status read_point_shape(const weir_file *file, struct weir_open_point *point)
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
static weir_status read_unit_list(const weir_file *file, struct weir_open_point *point)
{
    int axis = weir_point_unit_axis(point->info.point);
    size_t n_layers = point->info.point->per_layer ? (size_t)file->info.n_layers : 0;
    TRY(weir_h5_get_text(point->stored.id, WEIR_A_UNITS, &point->units, point->path));
    point->n_units = axis < 0 ? 0 : point->info.shape[axis];
    point->info.units = point->units;
    return weir_in(weir_units_parse(&point->which, point->units, n_layers, point->n_units), point->path);
}

/* Everything about a stored point but its values. */
static weir_status read_point(const weir_file *file, struct weir_open_point *point, const weir_point *which)
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

/* In the order in which a pass computes them. Other datasets are ignored here: validate reports them. */
static weir_status read_points(weir_file *file)
{
    weir_status status;
    enum weir_link link;
    char path[WEIR_LONGEST_PATH];
    TRY(weir_h5_link(&link, file->source.file, WEIR_GROUP_ACTIVATIONS, file->path));
    if (link == WEIR_LINK_NONE)
        return fail_object(file, WEIR_GROUP_ACTIVATIONS, "is missing");
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
    TRY_DONE(weir_alloc_zero(&file->texts_failed, 1, sizeof *file->texts_failed));
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
        weir_reader_free_prompt(file->prompts[i]);
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
    weir_free(file->texts_failed);
    weir_free(file->path);
    weir_free(file);
}

weir_status weir_reader_check_prompt(const weir_file *file, int index)
{
    if (index >= 0 && index < file->info.n_prompts)
        return WEIR_OK;
    return weir_fail(WEIR_E_USAGE, "%s: prompt %d: the file has 0 to %d", file->path, index, file->info.n_prompts - 1);
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
    const struct weir_open_point *point = (const struct weir_open_point *)which; /* info is its first member */
    if (!which || unit >= point->n_units)
        return false;
    bool has_layer = point->layers ? layer >= 0 && layer < point->n_layers && point->layers[layer] : layer == -1;
    return has_layer && weir_units_have(&point->which, layer, unit);
}
