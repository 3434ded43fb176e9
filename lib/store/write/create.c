/* Creates the HDF5 file: attributes, dimension scales, prompts, tokens, empty datasets. */
#include "store/write/create.h"

#include "base/alloc.h"
#include "points/text.h"
#include "store/write/driver.h"

#include <hdf5_hl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The state that every step needs. */
struct maker {
    hid_t file;
    hid_t scales[WEIR_N_DIMS]; /* open scales, H5I_INVALID_HID for dimensions not in this file */
    const struct weir_store_spec *spec;
    const struct weir_sizes *sizes;
    const char *path;
};

weir_status weir_create_file(hid_t *out, const char *partial_path, struct weir_output *output)
{
    hid_t fcpl = H5Pcreate(H5P_FILE_CREATE), fapl = H5Pcreate(H5P_FILE_ACCESS);
    *out = H5I_INVALID_HID;
    if (fcpl >= 0 && fapl >= 0 && weir_driver_set(fapl, output) >= 0 &&
        H5Pset_link_creation_order(fcpl, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) >= 0 &&
        H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG) >= 0 && H5Pset_alignment(fapl, 1 << 16, 1 << 12) >= 0 &&
        H5Pset_meta_block_size(fapl, 1 << 16) >= 0)
        *out = H5Fcreate(partial_path, H5F_ACC_TRUNC, fcpl, fapl);
    weir_status status = *out >= 0 ? WEIR_OK : weir_h5_fail(WEIR_E_OUTPUT, output->name, "cannot be created");
    weir_h5_close(&fcpl);
    weir_h5_close(&fapl);
    return status;
}

/* ---- root attributes ---- */

/* Names what is stored, in the grammar of selections as far as that goes: points and layers. */
static weir_status put_captures(const struct maker *m)
{
    struct weir_text text = {0};
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < m->spec->n_points; i++) {
        const struct weir_store_point *p = &m->spec->points[i];
        TRY_DONE(weir_text_add_term(&text, p->point, p->point->per_layer ? p->layers : NULL,
                                    (size_t)m->spec->model->n_layers));
        if (p->units)
            TRY_DONE(weir_text_print(&text, " (%s)", p->units));
    }
    TRY_DONE(weir_h5_put_text(m->file, WEIR_A_CAPTURES, text.data ? text.data : "", m->path));
done:
    weir_text_close(&text);
    return status;
}

/* Attributes of the root; optional ones only where the spec has them. */
static weir_status put_root(const struct maker *m)
{
    char created[32];
    struct tm utc;
    time_t now = time(NULL);
    gmtime_r(&now, &utc);
    strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
    const weir_model_info *model = m->spec->model;
    const struct {
        int attr;
        const char *text;
    } texts[] = {
        {WEIR_A_VERSION, WEIR_VERSION},
        {WEIR_A_CREATED, created},
        {WEIR_A_COMMAND, m->spec->command},
        {WEIR_A_MODEL, model->name},
        {WEIR_A_FAMILY, model->family},
        {WEIR_A_CONFIG, model->config},
        {WEIR_A_DIGEST, model->digest},
        {WEIR_A_EDITS, m->spec->edits},
        {WEIR_A_COMPUTE, m->spec->compute},
        {WEIR_A_DTYPE, weir_dtype_name(m->spec->dtype)},
        {WEIR_A_PROCESS, model->process && *model->process ? model->process : NULL},
    };
    TRY(weir_h5_put_int(m->file, WEIR_A_SCHEMA, WEIR_SCHEMA, m->path));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].text || weir_attr_at(texts[i].attr)->required)
            TRY(weir_h5_put_text(m->file, texts[i].attr, texts[i].text, m->path));
    return put_captures(m);
}

/* ---- dimension scales ---- */

/* Many datasets refer to a scale: without tracked attributes HDF5 runs out of room for them at the 4,086th. */
static hid_t create_scale(hid_t file, const char *name, hsize_t size)
{
    hid_t id = H5I_INVALID_HID, dcpl = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, &size, NULL);
    if (dcpl >= 0 && space >= 0 && H5Pset_attr_creation_order(dcpl, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) >= 0)
        id = H5Dcreate2(file, name, H5T_STD_I32LE, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    weir_h5_close(&dcpl);
    weir_h5_close(&space);
    return id;
}

static weir_status make_scale(struct maker *m, int dim)
{
    const char *name = weir_dim_name(dim);
    size_t n = m->sizes->size[dim];
    int32_t *numbers; /* [n] */
    TRY(weir_alloc(&numbers, n, sizeof *numbers));
    for (size_t i = 0; i < n; i++)
        numbers[i] = (int32_t)i;
    hid_t id = m->scales[dim] = create_scale(m->file, name, n);
    bool fine = id >= 0 && H5Dwrite(id, H5T_STD_I32LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers) >= 0 &&
                H5DSset_scale(id, name) >= 0;
    weir_free(numbers);
    return fine ? WEIR_OK : weir_h5_fail(WEIR_E_OUTPUT, m->path, name);
}

/* Names the axes of a dataset and attaches their scales. */
static weir_status label_axes(const struct maker *m, hid_t dataset, int rank, const int *dims)
{
    for (int a = 0; a < rank; a++)
        if (H5DSattach_scale(dataset, m->scales[dims[a]], (unsigned)a) < 0 ||
            H5DSset_label(dataset, (unsigned)a, weir_dim_name(dims[a])) < 0)
            return weir_h5_fail(WEIR_E_OUTPUT, m->path, "cannot label a dimension");
    return WEIR_OK;
}

static weir_status make_group(hid_t *out, const struct maker *m, const char *name)
{
    hid_t gcpl = H5Pcreate(H5P_GROUP_CREATE);
    *out = H5I_INVALID_HID;
    if (gcpl >= 0 && H5Pset_link_creation_order(gcpl, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED) >= 0)
        *out = H5Gcreate2(m->file, name, H5P_DEFAULT, gcpl, H5P_DEFAULT);
    weir_h5_close(&gcpl);
    return *out >= 0 ? WEIR_OK : weir_h5_fail(WEIR_E_OUTPUT, m->path, name);
}

/* ---- prompts and tokens ---- */

static const hsize_t SMALL_TABLE = (hsize_t)1 << 20; /* bytes: beyond, tables by token are compressed */

/* One of the small tables, whole or compressed a prompt at a time. */
static weir_status make_set(hid_t *out, const struct maker *m, const struct weir_set *s, size_t width)
{
    hsize_t shape[3], chunk[3], bytes = width ? width : 4;
    const int32_t none = -1;
    for (int a = 0; a < s->rank; a++) {
        shape[a] = m->sizes->size[s->dims[a]];
        chunk[a] = a ? shape[a] : 1;
        bytes *= shape[a];
    }
    hid_t type = weir_h5_type(s->elem, width), space = H5Screate_simple(s->rank, shape, NULL);
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    bool fine = type >= 0 && space >= 0 && dcpl >= 0;
    if (fine && s->rank > 1 && bytes > SMALL_TABLE)
        fine = H5Pset_chunk(dcpl, s->rank, chunk) >= 0 && H5Pset_shuffle(dcpl) >= 0 && H5Pset_deflate(dcpl, 1) >= 0;
    if (fine && s->elem == WEIR_ELEM_I32)
        fine = H5Pset_fill_value(dcpl, type, &none) >= 0;
    *out = fine ? H5Dcreate2(m->file, s->path, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT) : H5I_INVALID_HID;
    weir_h5_close(&type);
    weir_h5_close(&space);
    weir_h5_close(&dcpl);
    if (*out < 0)
        return weir_h5_fail(WEIR_E_OUTPUT, m->path, s->path);
    return label_axes(m, *out, s->rank, s->dims);
}

/* One prompt's row: data is what `set` holds below the prompt. */
static weir_status write_prompt_row(const struct maker *m, hid_t dataset, const struct weir_set *s, size_t prompt,
                                    const void *data)
{
    hsize_t start[3] = {prompt}, count[3] = {1};
    for (int a = 1; a < s->rank; a++)
        count[a] = m->sizes->size[s->dims[a]];
    hid_t type = H5Dget_type(dataset), file = H5Dget_space(dataset), memory = H5Screate_simple(s->rank, count, NULL);
    bool fine = type >= 0 && file >= 0 && memory >= 0 &&
                H5Sselect_hyperslab(file, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
                H5Dwrite(dataset, type, memory, file, H5P_DEFAULT, data) >= 0;
    weir_h5_close(&type);
    weir_h5_close(&file);
    weir_h5_close(&memory);
    return fine ? WEIR_OK : weir_h5_fail(WEIR_E_OUTPUT, m->path, s->path);
}

/* Strings in HDF5 end at a NUL: show those of a prompt as \x00. */
static weir_status printable_text(char **out, const struct weir_store_prompt *prompt)
{
    size_t nuls = 0, at = 0;
    for (size_t i = 0; i < prompt->n_text; i++)
        nuls += prompt->text[i] == '\0';
    TRY(weir_alloc(out, prompt->n_text + 3 * nuls + 1, 1));
    for (size_t i = 0; i < prompt->n_text; i++) {
        if (prompt->text[i] == '\0') {
            memcpy(*out + at, "\\x00", 4);
            at += 4;
        } else {
            (*out)[at++] = prompt->text[i];
        }
    }
    (*out)[at] = '\0';
    return WEIR_OK;
}

static weir_status make_texts(const struct maker *m)
{
    const struct weir_set *set = weir_set_at(WEIR_S_PROMPT_TEXT);
    hid_t id;
    weir_status status = make_set(&id, m, set, 0);
    for (size_t i = 0; i < m->spec->n_prompts && status == WEIR_OK; i++) {
        char *text = NULL;
        status = m->spec->prompts[i].text ? printable_text(&text, &m->spec->prompts[i]) : weir_copy_string(&text, "");
        if (status == WEIR_OK)
            status = write_prompt_row(m, id, set, i, &text);
        weir_free(text);
    }
    weir_h5_close(&id);
    return status;
}

static bool any_fields(const struct weir_store_spec *spec)
{
    for (size_t i = 0; i < spec->n_prompts; i++)
        if (spec->prompts[i].fields)
            return true;
    return false;
}

/* Other fields of each prompt; no dataset where no prompt has any. */
static weir_status make_fields(const struct maker *m)
{
    const struct weir_set *set = weir_set_at(WEIR_S_PROMPT_FIELDS);
    hid_t id;
    if (!any_fields(m->spec))
        return WEIR_OK;
    weir_status status = make_set(&id, m, set, 0);
    for (size_t i = 0; i < m->spec->n_prompts && status == WEIR_OK; i++) {
        const char *fields = m->spec->prompts[i].fields ? m->spec->prompts[i].fields : "";
        status = write_prompt_row(m, id, set, i, &fields);
    }
    weir_h5_close(&id);
    return status;
}

/* Fills a row of one of the tables of int32. */
typedef void row_fn(int32_t *row, size_t n, const struct weir_store_prompt *prompt);

static void length_row(int32_t *row, size_t n, const struct weir_store_prompt *prompt)
{
    (void)n;
    row[0] = (int32_t)prompt->n;
}

static void pad_row(int32_t *row, size_t n, const int32_t *values, size_t n_values)
{
    for (size_t i = 0; i < n; i++)
        row[i] = i < n_values ? values[i] : -1;
}

static void id_row(int32_t *row, size_t n, const struct weir_store_prompt *prompt)
{
    pad_row(row, n, prompt->ids, prompt->n);
}

static void position_row(int32_t *row, size_t n, const struct weir_store_prompt *prompt)
{
    pad_row(row, n, prompt->positions, prompt->n_rows);
}

static weir_status make_numbers(const struct maker *m, const struct weir_set *set, row_fn *fill)
{
    size_t n = set->rank > 1 ? m->sizes->size[set->dims[1]] : 1;
    int32_t *row = NULL; /* [n] */
    hid_t id = H5I_INVALID_HID;
    weir_status status;
    TRY_DONE(weir_alloc(&row, n, sizeof *row));
    TRY_DONE(make_set(&id, m, set, 0));
    for (size_t i = 0; i < m->spec->n_prompts; i++) {
        fill(row, n, &m->spec->prompts[i]);
        TRY_DONE(write_prompt_row(m, id, set, i, row));
    }
done:
    weir_h5_close(&id);
    weir_free(row);
    return status;
}

/* A token's text, in at most WEIR_TOKEN_TEXT bytes, shortened at a character's end. @return its length. */
static size_t token_text(char text[WEIR_TOKEN_TEXT + 8], const struct weir_store_spec *spec, int32_t id)
{
    text[0] = '\0';
    if (!spec->token_text)
        return 0;
    size_t n = spec->token_text(spec->token_context, id, text, WEIR_TOKEN_TEXT + 8);
    if (n > WEIR_TOKEN_TEXT)
        for (n = WEIR_TOKEN_TEXT; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
            n--;
    return n;
}

static size_t token_width(const struct weir_store_spec *spec)
{
    char text[WEIR_TOKEN_TEXT + 8];
    size_t width = 1;
    for (size_t i = 0; i < spec->n_prompts; i++)
        for (size_t t = 0; t < spec->prompts[i].n; t++) {
            size_t n = token_text(text, spec, spec->prompts[i].ids[t]);
            width = n > width ? n : width;
        }
    return width;
}

/* One row of fixed-width texts per prompt, as wide as the longest text. */
static weir_status make_token_texts(const struct maker *m)
{
    const struct weir_set *set = weir_set_at(WEIR_S_TOKEN_TEXT);
    size_t width = token_width(m->spec), n = m->sizes->size[WEIR_DIM_TOKEN], bytes;
    char *row = NULL; /* [n, width], padded with NUL */
    hid_t id = H5I_INVALID_HID;
    weir_status status;
    TRY(weir_mul(&bytes, n, width));
    TRY_DONE(weir_alloc(&row, bytes, 1));
    TRY_DONE(make_set(&id, m, set, width));
    for (size_t i = 0; i < m->spec->n_prompts; i++) {
        const struct weir_store_prompt *prompt = &m->spec->prompts[i];
        char text[WEIR_TOKEN_TEXT + 8];
        memset(row, 0, bytes);
        for (size_t t = 0; t < prompt->n; t++)
            memcpy(row + t * width, text, token_text(text, m->spec, prompt->ids[t]));
        TRY_DONE(write_prompt_row(m, id, set, i, row));
    }
done:
    weir_h5_close(&id);
    weir_free(row);
    return status;
}

/* A table may be the first in its group, or join what is there. */
static weir_status ensure_group(const struct maker *m, const char *name)
{
    hid_t group;
    if (H5Lexists(m->file, name, H5P_DEFAULT) > 0)
        return WEIR_OK;
    TRY(make_group(&group, m, name));
    weir_h5_close(&group);
    return WEIR_OK;
}

/* The columns with one value per prompt: small, and written when all prompts have run. */
static weir_status make_prompt_columns(const struct maker *m)
{
    for (size_t i = 0; i < m->spec->n_tables; i++) {
        const struct weir_table_kind *table = m->spec->tables[i].table;
        for (int c = 0; c < table->n_columns && !weir_table_has_rows(table); c++) {
            hid_t id;
            TRY(ensure_group(m, table->group));
            TRY(make_set(&id, m, &table->columns[c], 0));
            weir_h5_close(&id);
        }
    }
    return WEIR_OK;
}

static weir_status make_sets(const struct maker *m)
{
    hid_t prompts = H5I_INVALID_HID, tokens = H5I_INVALID_HID;
    weir_status status;
    TRY_DONE(make_group(&prompts, m, WEIR_GROUP_PROMPTS));
    TRY_DONE(make_texts(m));
    TRY_DONE(make_fields(m));
    TRY_DONE(make_numbers(m, weir_set_at(WEIR_S_PROMPT_LENGTH), length_row));
    TRY_DONE(make_prompt_columns(m));
    TRY_DONE(make_group(&tokens, m, WEIR_GROUP_TOKENS));
    TRY_DONE(make_numbers(m, weir_set_at(WEIR_S_TOKEN_ID), id_row));
    TRY_DONE(make_token_texts(m));
    TRY_DONE(make_numbers(m, weir_set_at(WEIR_S_TOKEN_POSITION), position_row));
done:
    weir_h5_close(&tokens);
    weir_h5_close(&prompts);
    return status;
}

/* [n, width] the text of each token. */
static weir_status word_texts(char **out, size_t *width, const struct weir_store_spec *spec, const int32_t *ids,
                              size_t n)
{
    char text[WEIR_TOKEN_TEXT + 8];
    size_t bytes;
    *width = 1;
    for (size_t i = 0; i < n; i++) {
        size_t length = token_text(text, spec, ids[i]);
        *width = length > *width ? length : *width;
    }
    TRY(weir_mul(&bytes, n, *width));
    TRY(weir_alloc_zero(out, bytes, 1));
    for (size_t i = 0; i < n; i++)
        memcpy(*out + i * *width, text, token_text(text, spec, ids[i]));
    return WEIR_OK;
}

/* A whole dataset at once. */
static weir_status write_whole_set(const struct maker *m, const struct weir_set *set, size_t width, const void *data)
{
    hid_t id;
    TRY(make_set(&id, m, set, width));
    hid_t type = H5Dget_type(id);
    bool fine = type >= 0 && H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0;
    weir_status status = fine ? WEIR_OK : weir_h5_fail(WEIR_E_OUTPUT, m->path, set->path);
    weir_h5_close(&type);
    weir_h5_close(&id);
    return status;
}

weir_status weir_create_words(hid_t file, const struct weir_store_spec *spec, const int32_t *ids, size_t n,
                              const char *path)
{
    struct weir_sizes sizes = {.size[WEIR_DIM_WORD] = n};
    struct maker m = {.file = file, .spec = spec, .sizes = &sizes, .path = path};
    char *texts = NULL;
    size_t width;
    weir_status status;
    for (int dim = 0; dim < WEIR_N_DIMS; dim++)
        m.scales[dim] = H5I_INVALID_HID;
    TRY_DONE(make_scale(&m, WEIR_DIM_WORD));
    TRY_DONE(write_whole_set(&m, weir_set_at(WEIR_S_WORD_ID), 0, ids));
    TRY_DONE(word_texts(&texts, &width, spec, ids, n));
    status = write_whole_set(&m, weir_set_at(WEIR_S_WORD_TEXT), width, texts);
done:
    weir_h5_close(&m.scales[WEIR_DIM_WORD]);
    weir_free(texts);
    return status;
}

weir_status weir_write_column(hid_t file, const struct weir_set *column, const weir_bits *values, const char *path)
{
    hid_t id = H5Dopen2(file, column->path, H5P_DEFAULT), type = weir_h5_type(column->elem, 0);
    bool fine = id >= 0 && type >= 0 && H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
    weir_h5_close(&id);
    weir_h5_close(&type);
    return fine ? WEIR_OK : weir_h5_fail(WEIR_E_OUTPUT, path, column->path);
}

/* ---- datasets of values ---- */

static weir_status put_layers(const struct maker *m, hid_t dataset, const bool *layers)
{
    size_t n = 0, all = m->sizes->size[WEIR_AXIS_LAYER];
    int32_t *numbers; /* [n] the layers that are stored */
    TRY(weir_alloc(&numbers, all, sizeof *numbers));
    for (size_t i = 0; i < all; i++)
        if (layers[i])
            numbers[n++] = (int32_t)i;
    weir_status status = weir_h5_put_ints(dataset, WEIR_A_LAYERS, numbers, n, m->path);
    weir_free(numbers);
    return status;
}

static weir_status make_point(const struct maker *m, hid_t group, struct weir_dataset *out,
                              const struct weir_store_point *point)
{
    struct weir_layout layout;
    weir_layout_of_point(&layout, m->sizes, m->spec, point);
    TRY(weir_dataset_make(out, group, point->point->name, &layout, m->path));
    TRY(label_axes(m, out->id, layout.rank, layout.dims));
    TRY(weir_h5_put_text(out->id, WEIR_A_HOOK, point->point->hook, m->path));
    if (point->units)
        TRY(weir_h5_put_text(out->id, WEIR_A_UNITS, point->units, m->path));
    if (point->sinks)
        TRY(weir_h5_put_int(out->id, WEIR_A_SINKS, 1, m->path));
    return point->point->per_layer ? put_layers(m, out->id, point->layers) : WEIR_OK;
}

static weir_status make_points(const struct maker *m, struct weir_dataset *datasets)
{
    hid_t group;
    weir_status status;
    TRY_DONE(make_group(&group, m, WEIR_GROUP_ACTIVATIONS));
    for (size_t i = 0; i < m->spec->n_points; i++)
        TRY_DONE(make_point(m, group, &datasets[i], &m->spec->points[i]));
done:
    weir_h5_close(&group);
    return status;
}

/* The columns of a table that has rows. */
static weir_status make_columns(const struct maker *m, struct weir_dataset *datasets,
                                const struct weir_table_kind *table)
{
    TRY(ensure_group(m, table->group));
    for (int c = 0; c < table->n_columns; c++) {
        struct weir_layout layout;
        weir_layout_of_column(&layout, m->sizes, &table->columns[c]);
        TRY(weir_dataset_make(&datasets[c], m->file, table->columns[c].path, &layout, m->path));
        TRY(label_axes(m, datasets[c].id, layout.rank, layout.dims));
    }
    return WEIR_OK;
}

static weir_status make_tables(const struct maker *m, struct weir_dataset *datasets)
{
    for (size_t i = 0; i < m->spec->n_tables; i++) {
        const struct weir_table_kind *table = m->spec->tables[i].table;
        if (!weir_table_has_rows(table))
            continue;
        TRY(make_columns(m, datasets, table));
        datasets += table->n_columns;
    }
    return WEIR_OK;
}

weir_status weir_create_content(hid_t file, struct weir_dataset *datasets, const struct weir_store_spec *spec,
                                const struct weir_sizes *sizes, const char *path)
{
    struct maker m = {.file = file, .spec = spec, .sizes = sizes, .path = path};
    weir_status status;
    for (int dim = 0; dim < WEIR_N_DIMS; dim++)
        m.scales[dim] = H5I_INVALID_HID;
    TRY_DONE(put_root(&m));
    for (int dim = 0; dim < WEIR_N_DIMS; dim++)
        if (sizes->size[dim])
            TRY_DONE(make_scale(&m, dim));
    TRY_DONE(make_sets(&m));
    TRY_DONE(make_points(&m, datasets));
    status = make_tables(&m, datasets + spec->n_points);
done:
    for (int dim = 0; dim < WEIR_N_DIMS; dim++)
        weir_h5_close(&m.scales[dim]);
    return status;
}
