/* Finds results by the names that they can have: no list of what is in the file is asked for. */
#include "store/read/grids.h"

#include "base/alloc.h"
#include "base/escape.h"
#include "base/json.h"
#include "base/sizes.h"
#include "points/points.h"
#include "store/h5.h"
#include "store/read/reader.h"

#include <stdio.h>
#include <string.h>

/* ---- axes ---- */

static int dim_of_label(const char *label)
{
    int dim = 0;
    while (dim < WEIR_N_DIMS && (!label || strcmp(label, weir_dim_name(dim)) != 0))
        dim++;
    return dim;
}

/* Every axis has the label and the size of a dimension of the file. */
static weir_status read_grid_axes(struct weir_stored_grid *out, const weir_file *file, const struct weir_stored *stored)
{
    char *labels[WEIR_GRID_RANK];
    weir_status status = WEIR_OK;
    out->rank = stored->rank;
    out->n_cells = 1;
    weir_h5_labels(labels, stored->id, stored->rank);
    for (int a = 0; a < stored->rank; a++) {
        out->dims[a] = dim_of_label(labels[a]);
        out->shape[a] = stored->shape[a];
        H5free_memory(labels[a]);
    }
    for (int a = 0; a < stored->rank && status == WEIR_OK; a++) {
        if (out->dims[a] == WEIR_N_DIMS || file->sizes.size[out->dims[a]] != out->shape[a])
            return weir_stored_damaged(stored, "has an axis that is not labelled as a dimension of the file, or is not "
                                               "as long");
        status = weir_mul(&out->n_cells, out->n_cells, out->shape[a]);
    }
    for (int a = 0; out->result && a < stored->rank && status == WEIR_OK; a++)
        if (stored->rank != out->result->rank || out->dims[a] != out->result->dims[a])
            return weir_stored_damaged(stored, "has other axes than the layout gives it");
    return status;
}

/* Of 32-bit floats, and as many of them in the file as the shape says. */
static weir_status check_grid_values(const weir_file *file, const struct weir_stored_grid *grid,
                                     const struct weir_stored *stored)
{
    enum weir_elem elem = WEIR_ELEM_I32;
    size_t width;
    hid_t type = H5Dget_type(stored->id);
    bool fits = type >= 0 && weir_h5_elem(&elem, &width, type) && elem == WEIR_ELEM_F32;
    weir_h5_close(&type);
    if (!fits)
        return weir_stored_damaged(stored, "must hold float32");
    return weir_reader_check_stored(file, stored, grid->n_cells);
}

static weir_status open_grid(struct weir_stored *out, const weir_file *file, const char *path)
{
    hid_t id;
    TRY(weir_h5_open_dataset(&id, file->source.file, path, file->path));
    return weir_stored_open(out, &file->source, id, path);
}

/* ---- attributes ---- */

static weir_status list_grid_metrics(struct weir_stored_grid *out, const struct weir_stored *stored)
{
    cJSON *list;
    const cJSON *item;
    if (weir_json_parse(&list, "metrics", out->metrics, strlen(out->metrics)) != WEIR_OK)
        return weir_stored_damaged(stored, "the attribute metrics is not JSON");
    size_t n = cJSON_IsArray(list) ? (size_t)cJSON_GetArraySize(list) : 0;
    weir_status status;
    TRY_DONE(weir_alloc_zero(&out->texts, n, sizeof *out->texts));
    cJSON_ArrayForEach(item, list)
    {
        if (n == 0 || !cJSON_IsString(item))
            TRY_DONE(weir_stored_damaged(stored, "the attribute metrics is not a list of texts"));
        TRY_DONE(weir_copy_string(&out->texts[out->n_metrics], item->valuestring));
        out->n_metrics++;
    }
    bool fits = n > 0;
    for (int a = 0; a < out->rank; a++)
        fits = fits && (out->dims[a] != WEIR_DIM_METRIC || (a == 0 && out->shape[a] == n));
    if (!fits)
        status = weir_stored_damaged(stored, "the attribute metrics has another number of texts than the axis");
done:
    cJSON_Delete(list);
    return status;
}

/* Baselines of all metrics, or none. */
static weir_status read_baselines(struct weir_stored_grid *out, const struct weir_stored *stored, const char *path)
{
    double *pairs = NULL;
    size_t n_clean, n_corrupt, n_pairs;
    TRY(weir_h5_get_reals(stored->id, WEIR_A_GRID_CLEAN, &out->clean, &n_clean, path));
    TRY(weir_h5_get_reals(stored->id, WEIR_A_GRID_CORRUPT, &out->corrupt, &n_corrupt, path));
    TRY(weir_h5_get_reals(stored->id, WEIR_A_GRID_PAIRS, &pairs, &n_pairs, path));
    if (n_pairs == 1 && pairs[0] >= 1 && pairs[0] <= INT32_MAX)
        out->n_pairs = (size_t)pairs[0];
    weir_free(pairs);
    if ((out->clean && n_clean != out->n_metrics) || (out->corrupt && n_corrupt != out->n_metrics))
        return weir_stored_damaged(stored, "has another number of baselines than of metrics");
    return WEIR_OK;
}

/* One text; the words of a failure have the file in front. */
static weir_status read_grid_text(char **out, const struct weir_stored *stored, int attr, const char *path)
{
    return weir_in(weir_h5_get_text(stored->id, attr, out, path), stored->source->path);
}

/* A dataset without the attributes of results is of another analysis: nothing else is read of it. */
static weir_status read_grid_field(struct weir_stored_grid *out, const struct weir_stored *stored, const char *path)
{
    char *name = NULL;
    TRY(read_grid_text(&name, stored, WEIR_A_GRID_FIELD, path));
    weir_status status = name ? weir_format(&out->field, "@%s", name) : WEIR_OK;
    weir_free(name);
    return status;
}

static weir_status read_grid_notes(struct weir_stored_grid *out, const struct weir_stored *stored, const char *path)
{
    TRY(read_grid_text(&out->metrics, stored, WEIR_A_GRID_METRICS, path));
    TRY(read_grid_text(&out->direction, stored, WEIR_A_GRID_DIRECTION, path));
    TRY(read_grid_text(&out->path, stored, WEIR_A_GRID_PATH, path));
    TRY(read_grid_text(&out->to, stored, WEIR_A_GRID_TO, path));
    TRY(read_grid_field(out, stored, path));
    TRY(read_grid_text(&out->units, stored, WEIR_A_RESULT_UNITS, path));
    return read_grid_text(&out->by, stored, WEIR_A_GRID_BY, path);
}

static bool is_a_grid(const struct weir_stored_grid *grid)
{
    return grid->metrics && (grid->direction || !grid->point);
}

/* ---- one ---- */

static weir_status read_stored_grid(struct weir_stored_grid *out, const weir_file *file, const char *path)
{
    struct weir_stored stored;
    TRY(open_grid(&stored, file, path));
    weir_status status;
    TRY_DONE(read_grid_notes(out, &stored, path));
    if (is_a_grid(out)) {
        TRY_DONE(read_grid_axes(out, file, &stored));
        TRY_DONE(check_grid_values(file, out, &stored));
        TRY_DONE(list_grid_metrics(out, &stored));
        TRY_DONE(weir_in(read_baselines(out, &stored, path), file->path));
    }
done:
    weir_stored_close(&stored);
    return status;
}

static void free_stored_grid(struct weir_stored_grid *grid)
{
    for (size_t i = 0; grid->texts && i < grid->n_metrics; i++)
        weir_free(grid->texts[i]);
    weir_free(grid->texts);
    weir_free(grid->metrics);
    weir_free(grid->direction);
    weir_free(grid->by);
    weir_free(grid->units);
    weir_free(grid->path);
    weir_free(grid->to);
    weir_free(grid->field);
    weir_free(grid->clean);
    weir_free(grid->corrupt);
}

static void path_of_grid(char path[WEIR_LONGEST_PATH], const char *name)
{
    snprintf(path, WEIR_LONGEST_PATH, WEIR_GROUP_RESULTS "/%s", name);
}

/* ---- all ---- */

static weir_status add_stored_grid(struct weir_stored_grid **grids, size_t *n, size_t *capacity, const weir_file *file,
                                   const struct weir_stored_grid *named)
{
    char path[WEIR_LONGEST_PATH];
    enum weir_link link;
    path_of_grid(path, named->name);
    TRY(weir_h5_link(&link, file->source.file, path, file->path));
    if (link == WEIR_LINK_NONE)
        return WEIR_OK;
    TRY(weir_grow(grids, capacity, *n + 1, sizeof **grids));
    struct weir_stored_grid *grid = &(*grids)[(*n)++];
    *grid = *named;
    TRY(read_stored_grid(grid, file, path));
    if (!is_a_grid(grid))
        free_stored_grid(&(*grids)[--*n]);
    return WEIR_OK;
}

weir_status weir_stored_grids_find(struct weir_stored_grid **out, size_t *n, const weir_file *file)
{
    size_t capacity = 0;
    weir_status status = WEIR_OK;
    *out = NULL;
    *n = 0;
    for (int p = 0; weir_point_at(p); p++)
        for (enum weir_grid_kind kind = 0; kind < WEIR_N_GRID_KINDS; kind++) {
            struct weir_stored_grid named = {.point = weir_point_at(p), .kind = kind};
            snprintf(named.name, sizeof named.name, WEIR_GROUP_PATCH "/%s%s", named.point->name,
                     weir_grid_suffix(kind));
            TRY_DONE(add_stored_grid(out, n, &capacity, file, &named));
        }
    for (int id = 0; id < WEIR_N_RESULTS; id++) {
        struct weir_stored_grid named = {.kind = WEIR_GRID_VALUE, .result = weir_result_at(id)};
        snprintf(named.name, sizeof named.name, "%s", weir_result_at(id)->name);
        TRY_DONE(add_stored_grid(out, n, &capacity, file, &named));
    }
    return WEIR_OK;
done:
    weir_stored_grids_free(*out, *n);
    *out = NULL;
    *n = 0;
    return status;
}

void weir_stored_grids_free(struct weir_stored_grid *grids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free_stored_grid(&grids[i]);
    weir_free(grids);
}

const struct weir_stored_grid *weir_stored_grid_named(const struct weir_stored_grid *grids, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(grids[i].name, name) == 0)
            return &grids[i];
    return NULL;
}

const struct weir_stored_grid *weir_stored_grid_other(const struct weir_stored_grid *grids, size_t n,
                                                      const struct weir_stored_grid *grid, enum weir_grid_kind kind)
{
    for (size_t i = 0; i < n && grid->point; i++)
        if (grids[i].point == grid->point && grids[i].kind == kind)
            return &grids[i];
    return NULL;
}

weir_status weir_stored_grid_read(float **out, const weir_file *file, const struct weir_stored_grid *grid)
{
    static const size_t start[WEIR_MAX_RANK];
    char path[WEIR_LONGEST_PATH];
    struct weir_stored stored;
    *out = NULL;
    path_of_grid(path, grid->name);
    TRY(open_grid(&stored, file, path));
    weir_status status = weir_alloc(out, grid->n_cells, sizeof **out);
    if (status == WEIR_OK)
        status = weir_stored_read(&stored, start, grid->shape, *out);
    weir_stored_close(&stored);
    return status;
}

static bool is_counted_in_field(const struct weir_stored_grid *grid, int axis)
{
    return grid->field && (grid->dims[axis] == WEIR_AXIS_POS || grid->dims[axis] == WEIR_AXIS_QUERY);
}

void weir_stored_grid_axis(char out[WEIR_GRID_AXIS], const struct weir_stored_grid *grid, int axis)
{
    weir_escape(out, WEIR_GRID_AXIS, is_counted_in_field(grid, axis) ? grid->field : weir_dim_name(grid->dims[axis]));
}

bool weir_stored_grid_has_tokens(const struct weir_stored_grid *grid, int axis)
{
    return grid->point && weir_axis_is_position((weir_axis)grid->dims[axis]) && !is_counted_in_field(grid, axis);
}
