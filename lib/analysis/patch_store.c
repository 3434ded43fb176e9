/* Writes grids of patches, four datasets for each point: values, their standard errors, normalised, and how many pairs
   have each cell. */
#include "analysis/patch_store.h"

#include "base/alloc.h"
#include "base/json.h"
#include "store/layout.h"

#include <stdio.h>
#include <string.h>

enum { KINDS = WEIR_N_GRID_KINDS, NOTES = 10, MOST_NAME = 64, MOST_EDIT = 128 };

/* One dataset. */
struct stored_grid {
    char name[MOST_NAME], edit[MOST_EDIT];
    struct weir_store_note notes[NOTES];
};

struct weir_patch_store {
    const struct weir_patch *patch;
    const weir_model *model;
    char *metrics; /* JSON list of texts */
    double n_pairs;
    double **n_of_cells;               /* [n_grids] pairs of each cell; known at commit */
    int32_t *positions;                /* [longest] 0, 1, 2, ... */
    struct weir_store_prompt *prompts; /* [2 * n_pairs] */
    struct stored_grid *named;         /* [KINDS * n_grids] */
    struct weir_store_grid *grids;     /* the same */
    struct weir_store_spec spec;
    struct weir_store *store;
};

static size_t show_patched_token(const void *context, int32_t id, char *text, size_t size)
{
    return weir_token_text(context, id, text, size);
}

static weir_status list_metrics(char **out, const struct weir_patch *patch, const struct weir_patch_about *about)
{
    cJSON *list = cJSON_CreateStringArray(about->metrics, (int)patch->n_metrics);
    *out = list ? cJSON_PrintUnformatted(list) : NULL;
    cJSON_Delete(list);
    return *out ? WEIR_OK : weir_fail(WEIR_E_MEMORY, "out of memory");
}

/* Every position of every prompt has a row. */
static weir_status describe_pairs(struct weir_patch_store *s, const weir_tokens *prompts)
{
    size_t n = 2 * s->patch->n_pairs, longest = 0;
    TRY(weir_alloc_zero(&s->prompts, n, sizeof *s->prompts));
    for (size_t i = 0; i < n; i++)
        longest = prompts[i].n > longest ? prompts[i].n : longest;
    TRY(weir_alloc(&s->positions, longest, sizeof *s->positions));
    for (size_t i = 0; i < longest; i++)
        s->positions[i] = (int32_t)i;
    for (size_t i = 0; i < n; i++)
        s->prompts[i] = (struct weir_store_prompt){.ids = prompts[i].ids,
                                                   .n = prompts[i].n,
                                                   .text = prompts[i].text,
                                                   .n_text = prompts[i].n_text,
                                                   .fields = prompts[i].fields,
                                                   .positions = s->positions,
                                                   .n_rows = prompts[i].n};
    return WEIR_OK;
}

/* The edit that each cell is, with the names of the grid's axes in the place of numbers. */
static void write_edit(char to[MOST_EDIT], const struct weir_patch_grid *grid, const struct weir_patch_about *about)
{
    static const char *const cells[WEIR_N_PATCH_BY] = {
        [WEIR_PATCH_BY_POINT] = "",
        [WEIR_PATCH_BY_POSITION] = "@POS",
        [WEIR_PATCH_BY_HEAD] = ".HEAD",
        [WEIR_PATCH_BY_HEAD_POSITION] = ".HEAD@POS",
        [WEIR_PATCH_BY_NEURON] = ".NEURON",
        [WEIR_PATCH_BY_QUERY] = ".HEAD@QUERY",
        [WEIR_PATCH_BY_CELL] = ".HEAD@QUERY/KEY",
    };
    bool noise = about->direction == WEIR_NOISE;
    snprintf(to, MOST_EDIT, "%s%s%s#%s = [#%s]", grid->point->name, grid->points_outside ? "" : ":LAYER",
             cells[grid->by], noise ? "clean" : "corrupt", noise ? "corrupt" : "clean");
}

static void describe_grid(struct weir_patch_store *s, size_t g, size_t kind, const struct weir_patch_about *about)
{
    const struct weir_patch *patch = s->patch;
    const struct weir_patch_grid *grid = &patch->grids[g];
    const double *const values[KINDS] = {grid->mean, grid->error, grid->normalised, s->n_of_cells[g]};
    struct stored_grid *named = &s->named[g * KINDS + kind];
    struct weir_store_grid *out = &s->grids[g * KINDS + kind];
    const struct weir_store_note notes[NOTES] = {
        {"metrics", s->metrics, NULL, 0},
        {"at", about->at, NULL, 0},
        {"by", weir_patch_by_name(grid->by), NULL, 0},
        {"direction", about->direction == WEIR_NOISE ? "noise" : "denoise", NULL, 0},
        {"edits", named->edit, NULL, 0},
        {"baseline_clean", NULL, patch->clean, patch->n_metrics},
        {"baseline_corrupt", NULL, patch->corrupt, patch->n_metrics},
        {"pairs", NULL, &s->n_pairs, 1},
        {"path", about->path ? weir_path_name(about->path) : NULL, NULL, 0},
        {"to", about->path ? about->path->to : NULL, NULL, 0},
    };
    snprintf(named->name, sizeof named->name, WEIR_GROUP_PATCH "/%s%s", grid->point->name,
             weir_grid_suffix((enum weir_grid_kind)kind));
    write_edit(named->edit, grid, about);
    memcpy(named->notes, notes, sizeof notes);
    *out = (struct weir_store_grid){
        .name = named->name, .values = values[kind], .notes = named->notes, .n_notes = about->path ? NOTES : NOTES - 2};
    if (kind != WEIR_GRID_PAIRS) {
        out->dims[out->rank] = WEIR_DIM_METRIC;
        out->shape[out->rank++] = patch->n_metrics;
    }
    for (int a = grid->points_outside ? 1 : 0; a < grid->rank; a++) {
        out->dims[out->rank] = (int)grid->axes[a];
        out->shape[out->rank++] = grid->shape[a];
    }
}

static weir_status describe_patch(struct weir_patch_store *s, const weir_tokens *prompts,
                                  const struct weir_patch_about *about)
{
    size_t n = KINDS * s->patch->n_grids;
    TRY(list_metrics(&s->metrics, s->patch, about));
    TRY(describe_pairs(s, prompts));
    TRY(weir_alloc_zero(&s->named, n, sizeof *s->named));
    TRY(weir_alloc_zero(&s->grids, n, sizeof *s->grids));
    TRY(weir_alloc_zero(&s->n_of_cells, s->patch->n_grids, sizeof *s->n_of_cells));
    for (size_t g = 0; g < s->patch->n_grids; g++)
        TRY(weir_alloc_zero(&s->n_of_cells[g], s->patch->grids[g].n_cells, sizeof **s->n_of_cells));
    for (size_t g = 0; g < s->patch->n_grids; g++)
        for (size_t kind = 0; kind < KINDS; kind++)
            describe_grid(s, g, kind, about);
    s->spec = (struct weir_store_spec){.model = weir_model_get_info(s->model),
                                       .command = about->command,
                                       .prompts = s->prompts,
                                       .n_prompts = 2 * s->patch->n_pairs,
                                       .grids = s->grids,
                                       .n_grids = n,
                                       .force = about->force,
                                       .token_text = show_patched_token,
                                       .token_context = s->model};
    return WEIR_OK;
}

weir_status weir_patch_store_open(struct weir_patch_store **out, const char *path, const weir_model *model,
                                  const struct weir_patch *patch, const weir_tokens *prompts,
                                  const struct weir_patch_about *about)
{
    struct weir_patch_store *s = NULL;
    weir_status status;
    *out = NULL;
    TRY_DONE(weir_alloc_zero(&s, 1, sizeof *s));
    *s = (struct weir_patch_store){.patch = patch, .model = model, .n_pairs = (double)patch->n_pairs};
    TRY_DONE(describe_patch(s, prompts, about));
    TRY_DONE(weir_store_create(&s->store, path, &s->spec));
    *out = s;
    s = NULL;
done:
    weir_patch_store_close(s);
    return status;
}

weir_status weir_patch_store_commit(struct weir_patch_store *store)
{
    for (size_t g = 0; g < store->patch->n_grids; g++)
        for (size_t i = 0; i < store->patch->grids[g].n_cells; i++)
            store->n_of_cells[g][i] = (double)store->patch->grids[g].n[i];
    return weir_store_commit(store->store);
}

void weir_patch_store_close(struct weir_patch_store *store)
{
    if (!store)
        return;
    weir_store_close(store->store);
    cJSON_free(store->metrics);
    for (size_t g = 0; store->n_of_cells && g < store->patch->n_grids; g++)
        weir_free(store->n_of_cells[g]);
    weir_free(store->n_of_cells);
    weir_free(store->positions);
    weir_free(store->prompts);
    weir_free(store->named);
    weir_free(store->grids);
    weir_free(store);
}
