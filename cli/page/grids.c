/* Grids of patches in a page: what they are, their values, and the tokens that their positions have. */
#include "cli/page/parts.h"
#include "cli/select/results.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

static bool is_shown_grid(const struct weir_stored_grid *grid)
{
    return grid->point && grid->kind == WEIR_GRID_VALUE && grid->dims[0] == WEIR_DIM_METRIC && grid->rank > 1;
}

/* Cells without the axis of metrics. */
static size_t cells_of_grid(const struct weir_stored_grid *grid)
{
    return grid->n_cells / grid->n_metrics;
}

/* Counts the grids that are shown, and their values: of three kinds by metric, and the numbers of pairs. */
weir_status page_find_grids(struct page *page)
{
    TRY(weir_stored_grids_find(&page->grids, &page->n_grids, page->file));
    for (size_t i = 0; i < page->n_grids; i++)
        if (is_shown_grid(&page->grids[i])) {
            page->n_shown_grids++;
            page->n_grid_values += 3 * page->grids[i].n_cells + cells_of_grid(&page->grids[i]);
        }
    return WEIR_OK;
}

/* ---- values ---- */

/* The dataset of a kind beside a grid; NaN where there is none of that size. */
static weir_status put_grid_values(struct base64 *out, const struct page *page, const struct weir_stored_grid *grid,
                                   enum weir_grid_kind kind)
{
    const struct weir_stored_grid *beside = weir_stored_grid_other(page->grids, page->n_grids, grid, kind);
    size_t n = kind == WEIR_GRID_PAIRS ? cells_of_grid(grid) : grid->n_cells;
    float *values = NULL;
    weir_status status = WEIR_OK;
    if (beside && beside->n_cells == n)
        status = weir_stored_grid_read(&values, page->file, beside);
    for (size_t i = 0; i < n && status == WEIR_OK; i++)
        base64_put_float(out, values ? values[i] : NAN);
    weir_free(values);
    return status;
}

weir_status page_put_grids(struct base64 *out, const struct page *page)
{
    for (size_t i = 0; i < page->n_grids; i++)
        for (enum weir_grid_kind kind = 0; kind < WEIR_N_GRID_KINDS && is_shown_grid(&page->grids[i]); kind++)
            TRY(put_grid_values(out, page, &page->grids[i], kind));
    base64_end(out);
    return WEIR_OK;
}

/* ---- JSON ---- */

static void add_text_or_null(cJSON *to, const char *name, const char *text)
{
    cJSON_AddItemToObject(to, name, text ? cJSON_CreateString(text) : cJSON_CreateNull());
}

static void add_reals(cJSON *to, const char *name, const double *values, size_t n)
{
    cJSON *list = cJSON_AddArrayToObject(to, name);
    for (size_t i = 0; i < n && values; i++)
        cJSON_AddItemToArray(list, isfinite(values[i]) ? cJSON_CreateNumber(values[i]) : cJSON_CreateNull());
}

static cJSON *json_page_grid(const struct weir_stored_grid *grid)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "point", grid->point->name);
    add_text_or_null(json, "by", grid->by);
    add_text_or_null(json, "direction", grid->direction);
    add_text_or_null(json, "path", grid->path);
    add_text_or_null(json, "to", grid->to);
    cJSON_AddNumberToObject(json, "pairs", (double)grid->n_pairs);
    cJSON *axes = cJSON_AddArrayToObject(json, "axes"), *shape = cJSON_AddArrayToObject(json, "shape");
    for (int a = 1; a < grid->rank; a++) {
        char axis[WEIR_GRID_AXIS];
        weir_stored_grid_axis(axis, grid, a);
        cJSON_AddItemToArray(axes, cJSON_CreateString(axis));
        cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)grid->shape[a]));
    }
    cJSON *metrics = cJSON_AddArrayToObject(json, "metrics");
    for (size_t i = 0; i < grid->n_metrics; i++)
        cJSON_AddItemToArray(metrics, cJSON_CreateString(grid->texts[i]));
    add_reals(json, "clean", grid->clean, grid->n_metrics);
    add_reals(json, "corrupt", grid->corrupt, grid->n_metrics);
    return json;
}

/* The token that all clean (first 0), or all corrupt (first 1) prompts have at each position; null where they differ.
 */
static weir_status add_common_tokens(cJSON *to, const char *name, const struct page *page, int first)
{
    weir_file_prompt prompt;
    cJSON *list = cJSON_AddArrayToObject(to, name);
    TRY(weir_file_get_prompt(page->file, first, &prompt));
    for (size_t t = 0; t < prompt.n; t++) {
        const char *token = common_token(page->file, first, t);
        cJSON_AddItemToArray(list, token ? cJSON_CreateString(token) : cJSON_CreateNull());
    }
    return WEIR_OK;
}

weir_status page_add_grids(cJSON *root, const struct page *page)
{
    cJSON *list = cJSON_AddArrayToObject(root, "grids"), *tokens;
    for (size_t i = 0; i < page->n_grids; i++)
        if (is_shown_grid(&page->grids[i]))
            cJSON_AddItemToArray(list, json_page_grid(&page->grids[i]));
    if (!page->n_shown_grids || weir_file_get_info(page->file)->n_prompts < 2)
        return WEIR_OK;
    tokens = cJSON_AddObjectToObject(root, "grid_tokens");
    TRY(add_common_tokens(tokens, "clean", page, 0));
    return add_common_tokens(tokens, "corrupt", page, 1);
}
