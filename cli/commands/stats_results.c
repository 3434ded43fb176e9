/* Mean, spread and range of results: of each metric by itself, as metrics have their own scales. */
#include "cli/commands/stats_results.h"
#include "cli/print/json.h"
#include "cli/print/table.h"
#include "cli/print/text.h"

#include "base/alloc.h"
#include "store/read/grids.h"

#include <math.h>
#include <stdio.h>

struct result_stats {
    size_t n, n_nan; /* cells with a value, and without one */
    double mean, std, min, max;
};

static struct result_stats stats_of(const float *values, size_t n)
{
    struct result_stats stats = {.mean = NAN, .std = NAN, .min = NAN, .max = NAN};
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double value = (double)values[i];
        if (isnan(value)) {
            stats.n_nan++;
            continue;
        }
        stats.n++;
        sum += value;
        stats.min = stats.n == 1 || value < stats.min ? value : stats.min;
        stats.max = stats.n == 1 || value > stats.max ? value : stats.max;
    }
    if (stats.n == 0)
        return stats;
    stats.mean = sum / (double)stats.n;
    for (size_t i = 0; i < n; i++)
        squares += isnan(values[i]) ? 0 : ((double)values[i] - stats.mean) * ((double)values[i] - stats.mean);
    stats.std = sqrt(squares / (double)stats.n);
    return stats;
}

/* metric: its text; NULL for a result without that axis. */
typedef weir_status result_stats_fn(const struct weir_stored_grid *grid, const char *metric,
                                    const struct result_stats *stats, void *payload);

static weir_status each_metric(const struct weir_stored_grid *grid, const float *values, result_stats_fn *each,
                               void *payload)
{
    bool by_metric = grid->dims[0] == WEIR_DIM_METRIC;
    size_t n = by_metric ? grid->shape[0] : 1, cells = grid->n_cells / n;
    for (size_t m = 0; m < n; m++) {
        struct result_stats stats = stats_of(values + m * cells, cells);
        TRY(each(grid, by_metric ? grid->texts[m] : NULL, &stats, payload));
    }
    return WEIR_OK;
}

static weir_status each_result_stats(const weir_file *file, result_stats_fn *each, void *payload)
{
    struct weir_stored_grid *grids;
    size_t n;
    TRY(weir_stored_grids_find(&grids, &n, file));
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < n && status == WEIR_OK; i++) {
        float *values;
        status = weir_stored_grid_read(&values, file, &grids[i]);
        if (status == WEIR_OK)
            status = each_metric(&grids[i], values, each, payload);
        weir_free(values);
    }
    weir_stored_grids_free(grids, n);
    return status;
}

static weir_status add_result_stats(const struct weir_stored_grid *grid, const char *metric,
                                    const struct result_stats *stats, void *payload)
{
    const double numbers[] = {stats->mean, stats->std, stats->min, stats->max};
    char text[32];
    TRY(table_add(payload, "%s", grid->name));
    TRY(table_add(payload, "%s", metric ? metric : "-"));
    TRY(table_add(payload, "%zu", stats->n));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        TRY(table_add(payload, "%s", isnan(numbers[i]) ? "-" : short_number(text, numbers[i])));
    return table_add(payload, "%zu", stats->n_nan);
}

weir_status print_result_stats(const weir_file *file, bool first)
{
    static const char *const names[] = {"results", "metric", "count", "mean", "std", "min", "max", "none"};
    static const enum align aligns[] = {LEFT, FLEXIBLE, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT};
    struct table table = {.n_columns = sizeof names / sizeof *names, .names = names, .aligns = aligns};
    weir_status status = each_result_stats(file, add_result_stats, &table);
    if (status == WEIR_OK && table.n_cells > 0) {
        fputs(first ? "" : "\n", stdout);
        status = table_print(&table);
    }
    table_close(&table);
    return status;
}

static weir_status add_json_row(const struct weir_stored_grid *grid, const char *metric,
                                const struct result_stats *stats, void *payload)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", grid->name);
    if (metric)
        cJSON_AddStringToObject(json, "metric", metric);
    cJSON_AddNumberToObject(json, "count", (double)stats->n);
    cJSON_AddItemToObject(json, "mean", json_number(stats->mean));
    cJSON_AddItemToObject(json, "std", json_number(stats->std));
    cJSON_AddItemToObject(json, "min", json_number(stats->min));
    cJSON_AddItemToObject(json, "max", json_number(stats->max));
    cJSON_AddNumberToObject(json, "nan", (double)stats->n_nan);
    cJSON_AddItemToArray(payload, json);
    return WEIR_OK;
}

weir_status add_json_result_stats(cJSON *to, const weir_file *file)
{
    cJSON *list = cJSON_CreateArray();
    weir_status status = each_result_stats(file, add_json_row, list);
    if (status == WEIR_OK && cJSON_GetArraySize(list) > 0)
        cJSON_AddItemToObject(to, "results", list);
    else
        cJSON_Delete(list);
    return status;
}
