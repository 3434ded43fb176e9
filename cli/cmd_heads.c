#include "cli/commands.h"
#include "cli/render.h"

#include "analysis/analysis.h"
#include "base/alloc.h"

enum { JSON };

static const struct opt opts[] = {[JSON] = OPT_JSON};

static const char *const columns[] = {"layer", "head", "entropy", "self", "previous", "first", "distance"};

enum { N_COLUMNS = sizeof columns / sizeof *columns, N_VALUES = N_COLUMNS - 2 };

static void values_of(double values[N_VALUES], const struct weir_head *head)
{
    const double all[N_VALUES] = {head->entropy, head->self, head->previous, head->first, head->distance};
    for (int i = 0; i < N_VALUES; i++)
        values[i] = all[i];
}

static weir_status add_json(int layer, int head, const struct weir_head *summary, void *payload)
{
    double values[N_VALUES];
    cJSON *object = cJSON_CreateObject();
    values_of(values, summary);
    cJSON_AddNumberToObject(object, "layer", layer);
    cJSON_AddNumberToObject(object, "head", head);
    cJSON_AddNumberToObject(object, "queries", (double)summary->n);
    for (int i = 0; i < N_VALUES; i++)
        cJSON_AddItemToObject(object, columns[i + 2], json_number(values[i]));
    cJSON_AddItemToArray(payload, object);
    return WEIR_OK;
}

static weir_status add_row(int layer, int head, const struct weir_head *summary, void *payload)
{
    double values[N_VALUES];
    values_of(values, summary);
    TRY(table_add(payload, "%d", layer));
    TRY(table_add(payload, "%d", head));
    for (int i = 0; i < N_VALUES; i++)
        TRY(values[i] == values[i] ? table_add(payload, "%.3f", values[i]) : table_add(payload, "-"));
    return WEIR_OK;
}

typedef weir_status head_fn(int layer, int head, const struct weir_head *summary, void *payload);

/* Every stored head; those without a single query are left out. */
static weir_status each_head(const weir_file *file, head_fn *each, void *payload)
{
    const weir_file_point *pattern = weir_file_find(file, "pattern");
    struct weir_head *heads;
    if (!pattern)
        return weir_fail(WEIR_E_INPUT, "the file has no attention patterns; dump with --hooks pattern");
    int n = (int)pattern->shape[0];
    TRY(weir_alloc(&heads, (size_t)n, sizeof *heads));
    weir_status status = WEIR_OK;
    for (int layer = 0; layer < weir_file_get_info(file)->n_layers && status == WEIR_OK; layer++) {
        if (!pattern->layers[layer])
            continue;
        status = weir_heads_layer(heads, file, pattern, layer);
        for (int i = 0; i < n && status == WEIR_OK; i++)
            if (heads[i].n > 0)
                status = each(layer, i, &heads[i], payload);
    }
    weir_free(heads);
    return status;
}

static weir_status print_json(const weir_file *file)
{
    cJSON *root = cJSON_CreateObject();
    weir_status status = each_head(file, add_json, cJSON_AddArrayToObject(root, "heads"));
    if (status == WEIR_OK)
        return json_print(root);
    cJSON_Delete(root);
    return status;
}

static weir_status print_table(const weir_file *file)
{
    static const enum align aligns[] = {RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT};
    struct table table = {.n_columns = N_COLUMNS, .names = columns, .aligns = aligns};
    weir_status status = each_head(file, add_row, &table);
    if (status == WEIR_OK)
        status = table_print(&table);
    table_close(&table);
    return status;
}

static int run(const struct args *args)
{
    weir_file *file;
    TRY(weir_file_open(&file, args->words[0]));
    weir_status status = args->has[JSON] ? print_json(file) : print_table(file);
    weir_file_close(file);
    return (int)status;
}

const struct command cmd_heads = {
    .name = "heads",
    .summary = "how each attention head attends",
    .usage = "FILE [--json]",
    .notes =
        "Means over all stored queries of all prompts: entropy in nats; the weight on the query's own token, on the "
        "previous one (queries from 1 on) and on the first; distance, query minus key, by weight. What an attention "
        "sink takes "
        "is in none of them.",
    .example = "weir heads run.h5",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .least_words = 1,
    .most_words = 1,
    .run = run,
};
