/* weir stats: mean, spread and range of every stored hook point. */
#include "cli/args/options.h"
#include "cli/commands/commands.h"
#include "cli/commands/stats_results.h"
#include "cli/print/json.h"
#include "cli/print/table.h"
#include "cli/print/text.h"

#include "analysis/analysis.h"

enum { JSON };

static const struct opt opts[] = {[JSON] = OPT_JSON};

/* Called once a layer, and once a point with layer WHOLE and what its layers add up to. */
enum { WHOLE = -2 };
typedef weir_status stats_fn(const weir_file_point *point, int layer, const struct weir_stats *stats, void *payload);

/* Calls `each` for every stored layer of every point, and for each point's total. */
static weir_status each_stats(const weir_file *file, stats_fn *each, void *payload)
{
    for (int i = 0; weir_file_point_at(file, i); i++) {
        const struct weir_source source = {file, weir_file_point_at(file, i)};
        struct weir_stats total = {0};
        for (int j = 0; j < weir_source_layers(&source); j++) {
            struct weir_stats stats;
            int layer = source.point->layers ? j : -1;
            if (!weir_source_has_layer(&source, j))
                continue;
            TRY(weir_stats_layer(&stats, file, source.point, layer));
            TRY(each(source.point, layer, &stats, payload));
            weir_stats_add(&total, &stats);
        }
        TRY(each(source.point, WHOLE, &total, payload));
    }
    return WEIR_OK;
}

static void add_numbers(cJSON *json, const struct weir_stats *stats)
{
    cJSON_AddNumberToObject(json, "count", (double)stats->count);
    cJSON_AddItemToObject(json, "mean", json_number(stats->mean));
    cJSON_AddItemToObject(json, "std", json_number(stats->std));
    cJSON_AddItemToObject(json, "rms", json_number(stats->rms));
    cJSON_AddItemToObject(json, "min", json_number(stats->min));
    cJSON_AddItemToObject(json, "max", json_number(stats->max));
    cJSON_AddItemToObject(json, "norm_mean", json_number(stats->norm_mean));
    cJSON_AddItemToObject(json, "norm_max", json_number(stats->norm_max));
    cJSON_AddNumberToObject(json, "nan", (double)stats->n_nan);
    cJSON_AddNumberToObject(json, "inf", (double)stats->n_inf);
    cJSON_AddNumberToObject(json, "not_stored", (double)stats->absent);
}

/* The point being filled and the list it goes to. */
struct json_stats {
    cJSON *list, *layers;
};

/* Layers are collected until their point's total comes. */
static weir_status add_stats_json(const weir_file_point *point, int layer, const struct weir_stats *stats,
                                  void *payload)
{
    struct json_stats *json = payload;
    cJSON *object = cJSON_CreateObject();
    if (layer != WHOLE) {
        json->layers = json->layers ? json->layers : cJSON_CreateArray();
        cJSON_AddNumberToObject(object, "layer", layer);
        add_numbers(object, stats);
        cJSON_AddItemToArray(json->layers, object);
        return WEIR_OK;
    }
    cJSON_AddStringToObject(object, "name", point->point->hook);
    cJSON_AddStringToObject(object, "short", point->point->name);
    add_numbers(object, stats);
    cJSON_AddNumberToObject(object, "saturated", (double)point->saturated);
    if (point->layers && json->layers)
        cJSON_AddItemToObject(object, "layers", json->layers);
    else
        cJSON_Delete(json->layers);
    json->layers = NULL;
    cJSON_AddItemToArray(json->list, object);
    return WEIR_OK;
}

static weir_status print_stats_json(const weir_file *file)
{
    cJSON *root = cJSON_CreateObject();
    struct json_stats json = {cJSON_AddArrayToObject(root, "hooks"), NULL};
    weir_status status = each_stats(file, add_stats_json, &json);
    if (status == WEIR_OK)
        status = add_json_result_stats(root, file);
    if (status == WEIR_OK)
        return json_print(root);
    cJSON_Delete(json.layers);
    cJSON_Delete(root);
    return status;
}

/* The statistics of one layer, or of several together. */
static weir_status add_numbers_row(struct table *table, const struct weir_stats *stats)
{
    const double values[] = {stats->mean, stats->std,       stats->rms,     stats->min,
                             stats->max,  stats->norm_mean, stats->norm_max};
    char text[32];
    TRY(table_add(table, "%llu", (unsigned long long)stats->count));
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        TRY(table_add(table, "%s", short_number(text, values[i])));
    TRY(table_add(table, "%llu", (unsigned long long)stats->n_nan));
    return table_add(table, "%llu", (unsigned long long)stats->n_inf);
}

struct table_stats {
    struct table table;
    int n_layers; /* of the model */
};

static bool has_several(const weir_file_point *point, int n_layers)
{
    int n = 0;
    for (int i = 0; point->layers && i < n_layers; i++)
        n += point->layers[i];
    return n > 1;
}

/* A row a layer, and where there are several one of all: how many values were too large is known of all alone. */
static weir_status add_stats_row(const weir_file_point *point, int layer, const struct weir_stats *stats, void *payload)
{
    struct table_stats *rows = payload;
    bool several = has_several(point, rows->n_layers);
    if (layer == WHOLE && !several)
        return WEIR_OK;
    TRY(table_add(&rows->table, "%s", point->point->name));
    if (layer >= 0)
        TRY(table_add(&rows->table, "%d", layer));
    else
        TRY(table_add(&rows->table, "%s", layer == WHOLE ? "all" : "-"));
    TRY(add_numbers_row(&rows->table, stats));
    if (layer == WHOLE || !several)
        return table_add(&rows->table, "%llu", (unsigned long long)point->saturated);
    return table_add(&rows->table, "%s", "-");
}

static weir_status print_stats_table(const weir_file *file)
{
    static const char *const names[] = {"hook point", "layer", "count",    "mean", "std", "rms",      "min",
                                        "max",        "norm",  "max norm", "NaN",  "inf", "saturated"};
    static const enum align aligns[] = {FLEXIBLE, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT,
                                        RIGHT,    RIGHT, RIGHT, RIGHT, RIGHT, RIGHT};
    struct table_stats rows = {.table = {.n_columns = sizeof names / sizeof *names, .names = names, .aligns = aligns},
                               .n_layers = weir_file_get_info(file)->n_layers};
    weir_status status = each_stats(file, add_stats_row, &rows);
    bool none = rows.table.n_cells == 0 && weir_file_get_info(file)->n_points == 0;
    if (status == WEIR_OK && !none)
        status = table_print(&rows.table);
    if (status == WEIR_OK)
        status = print_result_stats(file, none);
    table_close(&rows.table);
    return status;
}

static int run_stats(const struct args *args)
{
    weir_file *file;
    TRY(weir_file_open(&file, args->words[0]));
    weir_status status = args->has[JSON] ? print_stats_json(file) : print_stats_table(file);
    weir_file_close(file);
    return (int)status;
}

const struct command cmd_stats = {
    .name = "stats",
    .summary = "print mean, spread and range of every stored hook point and result",
    .usage = "FILE [--json]",
    .notes = "One row per layer, and one for all layers. The columns except NaN and inf cover finite values; values "
             "that were not stored are ignored. norm, max norm: the mean and the largest L2 norm of rows along the "
             "last axis: a position's, or a head's at a position. saturated: values that were too large for f16. "
             "Results have a "
             "row per metric, over the cells that have a value.",
    .example = "weir stats run.h5",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .least_words = 1,
    .most_words = 1,
    .run = run_stats,
    .reads_files = true,
};
