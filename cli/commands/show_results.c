/* Prints results: matrices with their middles left out, metrics as a table by prompt, everything as JSON; and draws
   grids of patches from the file, without a run. */
#include "cli/commands/show_results.h"
#include "cli/commands/patch_figure.h"
#include "cli/print/edges.h"
#include "cli/print/json.h"
#include "cli/print/label.h"
#include "cli/print/table.h"
#include "cli/print/text.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LABEL = 16, MOST_HEAD = 700 };

/* One result on its way to standard output. */
struct shown_result {
    const weir_file *file;
    const struct weir_stored_grid *grid;
    const float *values;
    size_t place[WEIR_GRID_RANK]; /* of the matrix at hand, along the axes before it */
    bool *first;                  /* nothing is printed yet */
};

/* ---- matrices ---- */

static const char *result_number(char to[32], float value)
{
    return isnan(value) ? "-" : short_number(to, (double)value);
}

static size_t cell_of_result(const struct shown_result *shown, size_t row, size_t column)
{
    const struct weir_stored_grid *grid = shown->grid;
    size_t at = 0;
    for (int a = 0; a < grid->rank; a++)
        at = at * grid->shape[a] + (a == grid->rank - 1 ? column : a == grid->rank - 2 ? row : shown->place[a]);
    return at;
}

/* "    3 | cat|" and the values of that row; a list has one row, without a number. */
static void print_result_row(const struct shown_result *shown, size_t row, size_t edge)
{
    const struct weir_stored_grid *grid = shown->grid;
    size_t n = grid->shape[grid->rank - 1];
    char label[4 * LABEL + 8] = "", number[32];
    const char *token = grid->rank < 2 ? NULL : result_token(shown->file, grid, grid->rank - 2, row);
    if (token)
        token_label(label, sizeof label, token, LABEL);
    if (grid->rank > 1)
        printf("%5zu ", row);
    else
        print_spaces(6);
    print_left(label, LABEL);
    for (size_t i = 0; i < n; i = next_shown(i, n, edge)) {
        print_right(result_number(number, shown->values[cell_of_result(shown, row, i)]), EDGE_CELL);
        fputs(is_gap(i, edge) ? " ..." : "", stdout);
    }
    putchar('\n');
}

static void print_result_matrix(const struct shown_result *shown)
{
    const struct weir_stored_grid *grid = shown->grid;
    int last = grid->rank - 1;
    size_t n_rows = last > 0 ? grid->shape[last - 1] : 1, n_columns = grid->shape[last];
    size_t row_edge = edge_of(n_rows, EDGE_ROWS), edge = edge_of_columns(n_columns, 6 + LABEL);
    char name[2 * WEIR_GRID_AXIS], row[WEIR_GRID_AXIS] = "", column[WEIR_GRID_AXIS];
    if (last > 0)
        weir_stored_grid_axis(row, grid, last - 1);
    weir_stored_grid_axis(column, grid, last);
    snprintf(name, sizeof name, "%5s %s", row, column);
    print_left(name, 6 + LABEL);
    print_edge_numbers(NULL, n_columns, edge);
    for (size_t i = 0; i < n_rows; i = next_shown(i, n_rows, row_edge)) {
        print_result_row(shown, i, edge);
        if (is_gap(i, row_edge))
            printf("%5s\n", "...");
    }
}

/* "metric logprob(answer)", "head 3" */
static void print_outer_place(const struct shown_result *shown, int axis, size_t index)
{
    if (shown->grid->dims[axis] == WEIR_DIM_METRIC) {
        fputs("metric ", stdout);
        print_text(shown->grid->texts[index]);
        putchar('\n');
    } else {
        char name[WEIR_GRID_AXIS];
        weir_stored_grid_axis(name, shown->grid, axis);
        printf("%s %zu\n", name, index);
    }
}

/* A matrix for each index of the axes before the last two. */
static void print_outer_axis(struct shown_result *shown, int axis)
{
    const struct weir_stored_grid *grid = shown->grid;
    if (axis >= grid->rank - 2) {
        print_result_matrix(shown);
        return;
    }
    size_t n = grid->shape[axis], edge = edge_of(n, EDGE_OUTER);
    for (size_t i = 0; i < n; i = next_shown(i, n, edge)) {
        shown->place[axis] = i;
        print_outer_place(shown, axis, i);
        print_outer_axis(shown, axis + 1);
        if (is_gap(i, edge))
            puts("...");
    }
}

/* ---- metrics by prompt ---- */

static weir_status print_by_prompt(const struct shown_result *shown)
{
    const struct weir_stored_grid *grid = shown->grid;
    bool by_metric = grid->rank > 1;
    size_t n_columns = by_metric ? grid->shape[0] : 1, n_prompts = grid->shape[grid->rank - 1];
    struct table table = {.n_columns = n_columns + 1};
    const char **names = NULL;
    enum align *aligns = NULL;
    weir_status status;
    TRY_DONE(weir_alloc(&names, n_columns + 1, sizeof *names));
    TRY_DONE(weir_alloc(&aligns, n_columns + 1, sizeof *aligns));
    for (size_t c = 0; c <= n_columns; c++) {
        names[c] = c == 0 ? "prompt" : grid->texts[c - 1];
        aligns[c] = RIGHT;
    }
    table.names = names;
    table.aligns = aligns;
    for (size_t i = 0; i < n_prompts; i++) {
        TRY_DONE(table_add(&table, "%zu", i));
        for (size_t c = 0; c < n_columns; c++)
            TRY_DONE(table_add(&table, "%.6g", (double)shown->values[c * n_prompts + i]));
    }
    TRY_DONE(table_print(&table));
done:
    table_close(&table);
    weir_free(names);
    weir_free(aligns);
    return status;
}

static bool is_by_prompt(const struct weir_stored_grid *grid)
{
    int last = grid->rank - 1;
    return grid->dims[last] == WEIR_AXIS_PROMPT && last <= 1 && (last == 0 || grid->dims[0] == WEIR_DIM_METRIC);
}

/* ---- text ---- */

/* "patch/z by head, denoise, 8 pairs: [metric 1, layer 4, head 5]", and what each metric is without patches. */
static void print_result_head(const struct weir_stored_grid *grid)
{
    char clean[64], corrupt[64];
    printf("%s", grid->name);
    if (grid->by) {
        fputs(" by ", stdout);
        print_text(grid->by);
    }
    if (grid->direction) {
        fputs(", ", stdout);
        print_text(grid->direction);
    }
    if (grid->path && grid->to) {
        fputs(", path to ", stdout);
        print_text(grid->to);
        fputs(" (", stdout);
        print_text(grid->path);
        putchar(')');
    }
    if (grid->n_pairs)
        printf(", %zu pair%s", grid->n_pairs, plural(grid->n_pairs));
    for (int a = 0; a < grid->rank; a++) {
        char axis[WEIR_GRID_AXIS];
        weir_stored_grid_axis(axis, grid, a);
        printf("%s%s %zu", a ? ", " : ": [", axis, grid->shape[a]);
    }
    puts("]");
    for (size_t m = 0; m < grid->n_metrics && grid->clean && grid->corrupt; m++) {
        print_text(grid->texts[m]);
        printf(" is %s clean, %s corrupt\n", fixed_number(clean, 4, grid->clean[m]),
               fixed_number(corrupt, 4, grid->corrupt[m]));
    }
}

static weir_status print_result(const struct weir_stored_grid *grid, const float *values, void *payload)
{
    struct shown_result *shown = payload;
    fputs(*shown->first ? "" : "\n", stdout);
    *shown->first = false;
    shown->grid = grid;
    shown->values = values;
    print_result_head(grid);
    if (is_by_prompt(grid))
        return print_by_prompt(shown);
    print_outer_axis(shown, 0);
    return WEIR_OK;
}

weir_status print_results(const struct results *results)
{
    bool first = true;
    struct shown_result shown = {.file = results->file, .first = &first};
    return results_each(results, print_result, &shown);
}

/* ---- JSON ---- */

static cJSON *json_reals(const double *values, size_t n)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToArray(list, json_number(values[i]));
    return list;
}

static cJSON *json_result_head(const struct weir_stored_grid *grid)
{
    cJSON *json = cJSON_CreateObject(), *units;
    cJSON_AddStringToObject(json, "name", grid->name);
    cJSON *axes = cJSON_AddArrayToObject(json, "axes"), *shape = cJSON_AddArrayToObject(json, "shape");
    for (int a = 0; a < grid->rank; a++) {
        cJSON_AddItemToArray(axes, cJSON_CreateString(weir_dim_name(grid->dims[a])));
        cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)grid->shape[a]));
    }
    cJSON *metrics = cJSON_AddArrayToObject(json, "metrics");
    for (size_t m = 0; m < grid->n_metrics; m++)
        cJSON_AddItemToArray(metrics, cJSON_CreateString(grid->texts[m]));
    if (grid->units && weir_json_parse(&units, "units", grid->units, strlen(grid->units)) == WEIR_OK)
        cJSON_AddItemToObject(json, "units", units);
    if (grid->direction)
        cJSON_AddStringToObject(json, "direction", grid->direction);
    if (grid->by)
        cJSON_AddStringToObject(json, "by", grid->by);
    if (grid->path && grid->to) {
        cJSON_AddStringToObject(json, "path", grid->path);
        cJSON_AddStringToObject(json, "to", grid->to);
    }
    if (grid->n_pairs)
        cJSON_AddNumberToObject(json, "pairs", (double)grid->n_pairs);
    if (grid->clean && grid->corrupt) {
        cJSON_AddItemToObject(json, "baseline_clean", json_reals(grid->clean, grid->n_metrics));
        cJSON_AddItemToObject(json, "baseline_corrupt", json_reals(grid->corrupt, grid->n_metrics));
    }
    return json;
}

/* As many brackets as there are axes that begin, or end, at a cell. */
static void print_brackets(const struct weir_stored_grid *grid, size_t cell, char bracket)
{
    size_t run = 1;
    for (int a = grid->rank - 1; a >= 0; a--) {
        run *= grid->shape[a];
        if (cell % run != 0)
            return;
        putchar(bracket);
    }
}

/* Nested, as numpy would have it; null where there is no value. */
static void print_json_values(const struct weir_stored_grid *grid, const float *values)
{
    for (size_t i = 0; i < grid->n_cells; i++) {
        fputs(i ? "," : "", stdout);
        print_brackets(grid, i, '[');
        json_print_float(stdout, values[i]);
        print_brackets(grid, i + 1, ']');
    }
}

static weir_status print_json_result(const struct weir_stored_grid *grid, const float *values, void *payload)
{
    bool *first = payload;
    fputs(*first ? "" : ",", stdout);
    *first = false;
    TRY(json_print_open(json_result_head(grid)));
    fputs(",\"data\":", stdout);
    print_json_values(grid, values);
    putchar('}');
    return WEIR_OK;
}

weir_status print_results_json(const struct results *results)
{
    bool first = true;
    fputs("{\"results\":[", stdout);
    TRY(results_each(results, print_json_result, &first));
    fputs("]}\n", stdout);
    return ferror(stdout) ? weir_fail(WEIR_E_OUTPUT, "could not write to standard output") : WEIR_OK;
}

/* ---- pictures ---- */

/* Grids as weir patch has them when it has measured. */
struct drawn_grids {
    const struct results *results;
    struct weir_patch patch;
    const struct weir_stored_grid *one; /* the first: metrics, baselines and direction are those of all */
};

static enum weir_patch_by by_of_name(const char *name)
{
    enum weir_patch_by by = WEIR_PATCH_BY_POSITION;
    while (by < WEIR_N_PATCH_BY && (!name || strcmp(name, weir_patch_by_name(by)) != 0))
        by++;
    return by < WEIR_N_PATCH_BY ? by : WEIR_PATCH_BY_POINT;
}

/* Outside the blocks there is one layer, which is none. */
static weir_status take_grid_axes(struct weir_patch_grid *out, const struct weir_stored_grid *grid)
{
    bool outside = grid->rank < 2 || grid->dims[1] != WEIR_AXIS_LAYER;
    if (grid->rank < 2 || grid->dims[0] != WEIR_DIM_METRIC || grid->rank - 1 + outside > WEIR_PATCH_RANK)
        return weir_fail(WEIR_E_USAGE,
                         "%s: a picture shows grids by metric: choose the values themselves, "
                         "_normalised or _stderr",
                         grid->name);
    *out = (struct weir_patch_grid){.point = grid->point,
                                    .field = grid->field,
                                    .by = by_of_name(grid->by),
                                    .points_outside = outside,
                                    .n_cells = 1};
    if (outside) {
        out->axes[out->rank] = WEIR_AXIS_LAYER;
        out->shape[out->rank++] = 1;
    }
    for (int a = 1; a < grid->rank; a++) {
        out->axes[out->rank] = (weir_axis)grid->dims[a];
        out->shape[out->rank++] = grid->shape[a];
        out->n_cells *= grid->shape[a];
    }
    return WEIR_OK;
}

static double **values_of_show(struct weir_patch_grid *grid, enum patch_show show)
{
    return show == SHOW_RAW ? &grid->mean : show == SHOW_STDERR ? &grid->error : &grid->normalised;
}

static enum patch_show show_of_kind(enum weir_grid_kind kind)
{
    return kind == WEIR_GRID_VALUE ? SHOW_RAW : kind == WEIR_GRID_STDERR ? SHOW_STDERR : SHOW_NORMALISED;
}

static weir_status take_drawn_grid(const struct weir_stored_grid *grid, const float *values, void *payload)
{
    struct drawn_grids *drawn = payload;
    struct weir_patch_grid *out = &drawn->patch.grids[drawn->patch.n_grids];
    TRY(take_grid_axes(out, grid));
    drawn->patch.n_grids++;
    double **to = values_of_show(out, show_of_kind(grid->kind));
    TRY(weir_alloc(to, grid->n_cells, sizeof **to));
    for (size_t i = 0; i < grid->n_cells; i++)
        (*to)[i] = (double)values[i];
    return WEIR_OK;
}

static void drawn_token(char *to, size_t size, const void *from, size_t position)
{
    const struct drawn_grids *drawn = from;
    weir_file_prompt prompt;
    bool there = weir_file_get_prompt(drawn->results->file, 0, &prompt) == WEIR_OK && position < prompt.n;
    snprintf(to, size, "%s", there ? weir_file_token(drawn->results->file, 0, (int)position) : "");
}

static weir_status draw_results(struct figure **out, struct drawn_grids *drawn, const struct scheme *scheme)
{
    const struct results *results = drawn->results;
    const struct weir_stored_grid *one = drawn->one;
    const struct patch_look look = {.model = weir_file_get_info(results->file)->model,
                                    .direction = strcmp(one->direction, "noise") == 0 ? WEIR_NOISE : WEIR_DENOISE,
                                    .metrics = (const char *const *)one->texts,
                                    .show = show_of_kind(one->kind),
                                    .path = one->path,
                                    .to = one->to,
                                    .scheme = scheme,
                                    .token_at = one->n_pairs == 1 && !one->field ? drawn_token : NULL,
                                    .from = drawn};
    TRY(weir_alloc_zero(&drawn->patch.grids, results->n, sizeof *drawn->patch.grids));
    TRY(results_each(results, take_drawn_grid, drawn));
    TRY(patch_figure_check(&drawn->patch, look.show));
    return patch_figure(out, &drawn->patch, &look);
}

/* All have the metrics, baselines and direction of the first: they come from one run. */
static weir_status check_alike(const struct results *results)
{
    const struct weir_stored_grid *one = results->list[0];
    for (size_t i = 0; i < results->n; i++) {
        const struct weir_stored_grid *grid = results->list[i];
        if (!grid->point || !grid->direction || !grid->clean || !grid->corrupt || grid->kind == WEIR_GRID_PAIRS)
            return weir_fail(WEIR_E_USAGE,
                             "%s: --png and --svg draw grids of patches with their baselines: patch/z, "
                             "patch/z_normalised, patch/z_stderr, or patch_normalised for all points",
                             grid->name);
        if (strcmp(grid->metrics, one->metrics) != 0 || strcmp(grid->direction, one->direction) != 0)
            return weir_fail(WEIR_E_USAGE, "%s and %s have other metrics or directions: draw one at a time", one->name,
                             grid->name);
    }
    return WEIR_OK;
}

weir_status results_figure(struct figure **out, const struct results *results, const struct scheme *scheme)
{
    *out = NULL;
    TRY(check_alike(results));
    const struct weir_stored_grid *one = results->list[0];
    struct drawn_grids drawn = {
        .results = results,
        .one = one,
        .patch = {.n_pairs = one->n_pairs, .n_metrics = one->n_metrics, .clean = one->clean, .corrupt = one->corrupt}};
    weir_status status = draw_results(out, &drawn, scheme);
    for (size_t i = 0; i < drawn.patch.n_grids; i++) {
        weir_free(drawn.patch.grids[i].mean);
        weir_free(drawn.patch.grids[i].error);
        weir_free(drawn.patch.grids[i].normalised);
    }
    weir_free(drawn.patch.grids);
    return status;
}
