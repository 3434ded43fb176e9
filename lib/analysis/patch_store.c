/* Writes grids of patches, four datasets for each point: values, their standard errors, normalised, and how many pairs
   have each cell. */
#include "analysis/patch_store.h"

#include "base/alloc.h"
#include "base/json.h"
#include "hooks/edit.h"
#include "store/layout.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KINDS = WEIR_N_GRID_KINDS, NOTES = 12, MOST_NAME = 64, MOST_EDIT = 512 };

/* One dataset. */
struct stored_grid {
    char name[MOST_NAME], edit[MOST_EDIT];
    struct weir_store_note notes[NOTES];
};

struct weir_patch_store {
    const struct weir_patch *patch;
    const weir_model *model;
    char *metrics;          /* JSON list of texts */
    struct weir_text edits; /* JSON list of those that hold in all runs; no bytes: there are none */
    double n_pairs;
    double **values;                   /* [KINDS * n_grids] as stored, known at commit: rows of fields are as many as
                                          positions, which have one size in a file */
    size_t longest;                    /* positions of a prompt */
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

static weir_status list_held_edits(struct weir_text *out, const weir_run *run)
{
    if (!run->edits)
        return WEIR_OK;
    TRY(weir_text_add(out, "[", 1));
    TRY(weir_edits_to_json(out, run));
    return weir_text_print(out, "]"); /* ends it, as an attribute has to */
}

/* Every position of every prompt has a row. */
static weir_status describe_pairs(struct weir_patch_store *s, const weir_tokens *prompts)
{
    size_t n = 2 * s->patch->n_pairs, longest = 0;
    TRY(weir_alloc_zero(&s->prompts, n, sizeof *s->prompts));
    for (size_t i = 0; i < n; i++)
        longest = prompts[i].n > longest ? prompts[i].n : longest;
    s->longest = longest;
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
    const char *runs = noise ? "clean" : "corrupt", *source = noise ? "corrupt" : "clean";
    char cell[MOST_EDIT / 2], from[MOST_EDIT / 2] = "";
    snprintf(cell, sizeof cell, "%s", cells[grid->by]);
    if (grid->field) { /* the field of each side */
        const char *row = strchr(cells[grid->by], '@');
        snprintf(from, sizeof from, "%s[%s]", grid->field, row + 1);
        snprintf(cell, sizeof cell, "%.*s%s", (int)(row - cells[grid->by]), cells[grid->by], from);
    }
    snprintf(to, MOST_EDIT, "%s%s%s#%s = [%s#%s]", grid->point->name, grid->points_outside ? "" : ":LAYER", cell, runs,
             from, source);
}

/* ---- values ---- */

/* How long an axis of a grid is in the file. */
static size_t stored_size(const struct weir_patch_store *s, const struct weir_patch_grid *grid, int axis)
{
    return weir_patch_counts_in_field(grid, axis) ? s->longest : grid->shape[axis];
}

static size_t stored_cells_of(const struct weir_patch_store *s, const struct weir_patch_grid *grid)
{
    size_t n = 1;
    for (int a = 0; a < grid->rank; a++)
        n *= stored_size(s, grid, a);
    return n;
}

/* Where a cell stands among those of the file. */
static size_t place_stored(const struct weir_patch_store *s, const struct weir_patch_grid *grid, size_t cell)
{
    size_t at = 0, stride = 1;
    for (int a = grid->rank; a-- > 0; cell /= grid->shape[a]) {
        at += cell % grid->shape[a] * stride;
        stride *= stored_size(s, grid, a);
    }
    return at;
}

static weir_status make_room_for_values(struct weir_patch_store *s)
{
    TRY(weir_alloc_zero(&s->values, KINDS * s->patch->n_grids, sizeof *s->values));
    for (size_t i = 0; i < KINDS * s->patch->n_grids; i++) {
        size_t n = stored_cells_of(s, &s->patch->grids[i / KINDS]);
        bool of_pairs = i % KINDS == WEIR_GRID_PAIRS;
        TRY(weir_mul(&n, n, of_pairs ? 1 : s->patch->n_metrics));
        TRY(weir_alloc(&s->values[i], n, sizeof **s->values));
        for (size_t at = 0; at < n; at++)
            s->values[i][at] = of_pairs ? 0 : NAN;
    }
    return WEIR_OK;
}

static void take_grid_values(struct weir_patch_store *s, size_t g)
{
    const struct weir_patch_grid *grid = &s->patch->grids[g];
    const double *const values[] = {grid->mean, grid->error, grid->normalised};
    size_t n_stored = stored_cells_of(s, grid);
    for (size_t cell = 0; cell < grid->n_cells; cell++) {
        size_t at = place_stored(s, grid, cell);
        s->values[g * KINDS + WEIR_GRID_PAIRS][at] = (double)grid->n[cell];
        for (size_t m = 0; m < s->patch->n_metrics; m++)
            for (size_t kind = 0; kind < sizeof values / sizeof *values; kind++)
                s->values[g * KINDS + kind][m * n_stored + at] = values[kind][m * grid->n_cells + cell];
    }
}

/* ---- description ---- */

static void describe_grid(struct weir_patch_store *s, size_t g, size_t kind, const struct weir_patch_about *about)
{
    const struct weir_patch *patch = s->patch;
    const struct weir_patch_grid *grid = &patch->grids[g];
    struct stored_grid *named = &s->named[g * KINDS + kind];
    struct weir_store_grid *out = &s->grids[g * KINDS + kind];
    size_t n_notes = 0;
    const struct weir_store_note notes[NOTES] = {
        {"metrics", s->metrics, NULL, 0},
        {"at", about->at, NULL, 0},
        {"by", weir_patch_by_name(grid->by), NULL, 0},
        {"direction", about->direction == WEIR_NOISE ? "noise" : "denoise", NULL, 0},
        {"edits", named->edit, NULL, 0},
        {"baseline_clean", NULL, patch->clean, patch->n_metrics},
        {"baseline_corrupt", NULL, patch->corrupt, patch->n_metrics},
        {"pairs", NULL, &s->n_pairs, 1},
        {"field", grid->field ? grid->field + 1 : NULL, NULL, 0},
        {"held", s->edits.data, NULL, 0},
        {"path", about->path ? weir_path_name(about->path) : NULL, NULL, 0},
        {"to", about->path ? about->path->to : NULL, NULL, 0},
    };
    snprintf(named->name, sizeof named->name, WEIR_GROUP_PATCH "/%s%s", grid->point->name,
             weir_grid_suffix((enum weir_grid_kind)kind));
    write_edit(named->edit, grid, about);
    for (size_t i = 0; i < NOTES; i++)
        if (notes[i].text || notes[i].values)
            named->notes[n_notes++] = notes[i];
    *out = (struct weir_store_grid){
        .name = named->name, .values = s->values[g * KINDS + kind], .notes = named->notes, .n_notes = n_notes};
    if (kind != WEIR_GRID_PAIRS) {
        out->dims[out->rank] = WEIR_DIM_METRIC;
        out->shape[out->rank++] = patch->n_metrics;
    }
    for (int a = grid->points_outside ? 1 : 0; a < grid->rank; a++) {
        out->dims[out->rank] = (int)grid->axes[a];
        out->shape[out->rank++] = stored_size(s, grid, a);
    }
}

static weir_status describe_patch(struct weir_patch_store *s, const weir_tokens *prompts,
                                  const struct weir_patch_about *about)
{
    size_t n = KINDS * s->patch->n_grids;
    TRY(list_metrics(&s->metrics, s->patch, about));
    TRY(list_held_edits(&s->edits, about->run));
    TRY(describe_pairs(s, prompts));
    TRY(weir_alloc_zero(&s->named, n, sizeof *s->named));
    TRY(weir_alloc_zero(&s->grids, n, sizeof *s->grids));
    TRY(make_room_for_values(s));
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
        take_grid_values(store, g);
    return weir_store_commit(store->store);
}

void weir_patch_store_close(struct weir_patch_store *store)
{
    if (!store)
        return;
    weir_store_close(store->store);
    cJSON_free(store->metrics);
    weir_text_close(&store->edits);
    for (size_t i = 0; store->values && i < KINDS * store->patch->n_grids; i++)
        weir_free(store->values[i]);
    weir_free(store->values);
    weir_free(store->positions);
    weir_free(store->prompts);
    weir_free(store->named);
    weir_free(store->grids);
    weir_free(store);
}
