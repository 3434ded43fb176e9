/* Finds the grids of patches by the names that they can have: no list of what is in the file is asked for. */
#include "store/read/grids.h"

#include "base/alloc.h"
#include "store/h5.h"
#include "store/read/reader.h"

#include <stdio.h>
#include <string.h>

static weir_status read_stored_grid(struct weir_stored_grid *out, const weir_file *file, const char *path)
{
    struct weir_stored stored;
    hid_t id;
    TRY(weir_h5_open_dataset(&id, file->source.file, path, file->path));
    TRY(weir_stored_open(&stored, &file->source, id, path));
    weir_status status = WEIR_OK;
    if (stored.rank < 1 || stored.rank > WEIR_STORED_GRID_RANK)
        TRY_DONE(weir_stored_damaged(&stored, "has more axes than a grid of patches, or none"));
    out->rank = stored.rank;
    memcpy(out->shape, stored.shape, (size_t)stored.rank * sizeof *out->shape);
    TRY_DONE(weir_in(weir_h5_get_text(stored.id, WEIR_A_GRID_METRICS, &out->metrics, path), file->path));
    TRY_DONE(weir_in(weir_h5_get_text(stored.id, WEIR_A_GRID_DIRECTION, &out->direction, path), file->path));
done:
    weir_stored_close(&stored);
    return status;
}

static void free_stored_grid(struct weir_stored_grid *grid)
{
    weir_free(grid->metrics);
    weir_free(grid->direction);
}

/* A dataset without the attributes of grids is of another analysis. */
static weir_status add_stored_grid(struct weir_stored_grid **grids, size_t *n, size_t *capacity, const weir_file *file,
                                   const char *name)
{
    char path[WEIR_LONGEST_PATH];
    enum weir_link link;
    snprintf(path, sizeof path, WEIR_GROUP_RESULTS "/%s", name);
    TRY(weir_h5_link(&link, file->source.file, path, file->path));
    if (link == WEIR_LINK_NONE)
        return WEIR_OK;
    TRY(weir_grow(grids, capacity, *n + 1, sizeof **grids));
    struct weir_stored_grid *grid = &(*grids)[(*n)++];
    *grid = (struct weir_stored_grid){0};
    snprintf(grid->name, sizeof grid->name, "%s", name);
    TRY(read_stored_grid(grid, file, path));
    if (!grid->metrics || !grid->direction)
        free_stored_grid(&(*grids)[--*n]);
    return WEIR_OK;
}

weir_status weir_stored_grids_find(struct weir_stored_grid **out, size_t *n, const weir_file *file)
{
    static const char *const suffixes[] = {"", "_stderr", "_normalised"};
    char name[WEIR_STORED_GRID_NAME];
    size_t capacity = 0;
    weir_status status = WEIR_OK;
    *out = NULL;
    *n = 0;
    for (int p = 0; weir_point_at(p); p++)
        for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
            snprintf(name, sizeof name, "patch/%s%s", weir_point_at(p)->name, suffixes[i]);
            TRY_DONE(add_stored_grid(out, n, &capacity, file, name));
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
