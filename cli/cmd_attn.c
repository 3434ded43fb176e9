#include "cli/commands.h"
#include "cli/render.h"

#include "analysis/analysis.h"
#include "base/alloc.h"

enum { LAYER, HEAD, PROMPT, JSON, STRONGEST = 3 };

static const struct opt opts[] = {
    [LAYER] = {'l', "layer", OPT_WHOLE, "L", "the layer; negative from the end", -100000, 100000, .required = true},
    [HEAD] = {'H', "head", OPT_WHOLE, "H", "the head; negative from the end", -100000, 100000, .required = true},
    [PROMPT] = OPT_PROMPT_INDEX,
    [JSON] = OPT_JSON,
};

/* One head of one prompt, and the file for its tokens. */
struct view {
    const weir_file *file;
    int prompt;
    const struct weir_attention *attention;
};

static const char *token(const struct view *view, size_t position)
{
    return weir_file_token(view->file, view->prompt, (int)position);
}

static const float *row(const struct view *view, size_t query)
{
    return view->attention->weights + query * view->attention->n_keys;
}

static weir_status print_heatmap(const struct view *view)
{
    const struct weir_attention *attention = view->attention;
    const char **labels;
    TRY(weir_alloc(&labels, attention->n_queries, sizeof *labels));
    for (size_t i = 0; i < attention->n_queries; i++)
        labels[i] = token(view, (size_t)attention->positions[i]);
    struct heatmap map = {attention->n_queries, attention->n_keys, attention->weights, labels, attention->positions};
    weir_status status = heatmap_print(&map);
    weir_free(labels);
    return status;
}

/* One cell for each of the strongest keys, empty where there are fewer. */
static weir_status add_strongest(struct table *table, const struct view *view, size_t query)
{
    size_t keys[STRONGEST], n = weir_strongest(keys, STRONGEST, row(view, query), view->attention->n_keys);
    for (size_t i = 0; i < STRONGEST; i++) {
        if (i < n)
            TRY(table_add(table, "%.3f @%zu |%s|", (double)row(view, query)[keys[i]], keys[i], token(view, keys[i])));
        else
            TRY(table_add(table, "%s", ""));
    }
    return WEIR_OK;
}

static weir_status print_strongest(const struct view *view)
{
    static const char *const names[] = {"query", "token", "strongest key", "second", "third"};
    static const enum align aligns[] = {RIGHT, FLEXIBLE, FLEXIBLE, FLEXIBLE, FLEXIBLE};
    struct table table = {.n_columns = 5, .names = names, .aligns = aligns};
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < view->attention->n_queries; i++) {
        int32_t position = view->attention->positions[i];
        TRY_DONE(table_add(&table, "%d", position));
        TRY_DONE(table_add(&table, "|%s|", token(view, (size_t)position)));
        TRY_DONE(add_strongest(&table, view, i));
    }
    TRY_DONE(table_print(&table));
done:
    table_close(&table);
    return status;
}

static cJSON *json_query(const struct view *view, size_t query)
{
    size_t keys[STRONGEST], n = weir_strongest(keys, STRONGEST, row(view, query), view->attention->n_keys);
    int32_t position = view->attention->positions[query];
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "position", position);
    cJSON_AddStringToObject(json, "token", token(view, (size_t)position));
    cJSON *weights = cJSON_AddArrayToObject(json, "weights"), *strongest = cJSON_AddArrayToObject(json, "strongest");
    for (size_t i = 0; i < view->attention->n_keys; i++)
        cJSON_AddItemToArray(weights, json_float(row(view, query)[i]));
    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToArray(strongest, cJSON_CreateNumber((double)keys[i]));
    return json;
}

static weir_status print_json(const struct view *view, int layer, int head)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "layer", layer);
    cJSON_AddNumberToObject(root, "head", head);
    cJSON_AddNumberToObject(root, "prompt", view->prompt);
    cJSON *keys = cJSON_AddArrayToObject(root, "keys"), *queries = cJSON_AddArrayToObject(root, "queries");
    for (size_t i = 0; i < view->attention->n_keys; i++)
        cJSON_AddItemToArray(keys, cJSON_CreateString(token(view, i)));
    for (size_t i = 0; i < view->attention->n_queries; i++)
        cJSON_AddItemToArray(queries, json_query(view, i));
    return json_print(root);
}

static weir_status print_view(const struct view *view, int layer, int head)
{
    const weir_file_info *info = weir_file_get_info(view->file);
    print_text(info->model);
    printf(": layer %d, head %d, prompt %d of %d\nRows are queries, columns keys.\n\n", layer, head, view->prompt,
           info->n_prompts);
    TRY(print_heatmap(view));
    putchar('\n');
    return print_strongest(view);
}

static int run(const struct args *args)
{
    weir_file *file = NULL;
    struct weir_attention *attention = NULL;
    struct view view;
    int layer = args_int(args, LAYER, 0), head = args_int(args, HEAD, 0);
    weir_status status;
    TRY_DONE(weir_file_open(&file, args->words[0]));
    view.file = file;
    TRY_DONE(prompt_index(&view.prompt, file, args, PROMPT));
    TRY_DONE(weir_attention_read(&attention, file, &layer, &head, view.prompt));
    view.attention = attention;
    status = args->has[JSON] ? print_json(&view, layer, head) : print_view(&view, layer, head);
done:
    weir_attention_close(attention);
    weir_file_close(file);
    return (int)status;
}

const struct command cmd_attn = {
    .name = "attn",
    .summary = "draw one head's attention pattern, with the strongest keys of each query",
    .usage = "FILE --layer L --head H [OPTIONS]",
    .example = "weir attn run.h5 --layer 3 --head 0",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .least_words = 1,
    .most_words = 1,
    .run = run,
};
