/* Attention maps as text with the strongest keys of each query, and as JSON. */
#include "cli/print/text.h"
#include "cli/attn/attn.h"
#include "cli/print/heatmap.h"
#include "cli/print/json.h"
#include "cli/print/table.h"

#include "base/alloc.h"

#include <string.h>

enum { STRONGEST = 3, TITLE = 320 };

static const char *map_token(const struct map *map, int32_t position)
{
    return weir_file_token(map->chosen->file, map->prompt, position);
}

const char *drop_first_note(const struct map_choice *chosen)
{
    return chosen->drop_first ? "The first token is left out, and each row is renormalized." : "";
}

double look_most(const struct look *look, const struct map *map)
{
    const struct weir_attention *attention = map->attention;
    double most = 0;
    if (!look->per_head)
        return map_most(map);
    for (size_t i = 0; i < attention->n_queries * attention->n_keys; i++)
        most = (double)attention->weights[i] > most ? (double)attention->weights[i] : most;
    return most > 0 ? most : 1;
}

/* ---- as text ---- */

/* The map with tokens at its rows; key positions above it, by number where some are left out. */
static weir_status print_map_heatmap(const struct map *map, const struct look *look)
{
    const struct weir_attention *attention = map->attention;
    const char **labels;
    TRY(weir_alloc(&labels, attention->n_queries, sizeof *labels));
    for (size_t i = 0; i < attention->n_queries; i++)
        labels[i] = map_token(map, attention->positions[i]);
    bool in_order = (size_t)attention->keys[attention->n_keys - 1] + 1 == attention->n_keys;
    struct heatmap heatmap = {.n_rows = attention->n_queries,
                              .n_columns = attention->n_keys,
                              .values = attention->weights,
                              .labels = labels,
                              .rows = attention->positions,
                              .columns = in_order ? NULL : attention->keys,
                              .scale = look->scale,
                              .most = look_most(look, map)};
    weir_status status = heatmap_print(&heatmap);
    weir_free(labels);
    return status;
}

/* A map by its rows, or by its columns: a list of tokens, each with weights over another list. */
struct side {
    const int32_t *positions, *others; /* [n], [n_others] */
    size_t n, n_others, step, stride;  /* floats between two of the list, and between two of the others */
};

static struct side map_side(const struct weir_attention *a, bool by_key)
{
    if (by_key)
        return (struct side){a->keys, a->positions, a->n_keys, a->n_queries, 1, a->n_keys};
    return (struct side){a->positions, a->keys, a->n_queries, a->n_keys, a->n_keys, 1};
}

/* One cell for each of the strongest, empty where there are fewer. */
static weir_status add_strongest(struct table *table, const struct map *map, const struct side *side, size_t i)
{
    const float *weights = map->attention->weights + i * side->step;
    size_t found[STRONGEST], n = weir_top_k_strided(found, STRONGEST, weights, side->n_others, side->stride);
    for (size_t j = 0; j < STRONGEST; j++) {
        if (j >= n) {
            TRY(table_add(table, "%s", ""));
            continue;
        }
        int32_t other = side->others[found[j]];
        TRY(table_add(table, "%.3f @%d |%s|", (double)weights[found[j] * side->stride], other, map_token(map, other)));
    }
    return WEIR_OK;
}

/* A row per query with its strongest keys, or the other way round. */
static weir_status print_map_strongest(const struct map *map, bool by_key)
{
    static const char *const by_query_names[] = {"query", "token", "strongest key", "second", "third"},
                             *const by_key_names[] = {"key", "token", "strongest query", "second", "third"};
    static const enum align aligns[] = {RIGHT, FLEXIBLE, FLEXIBLE, FLEXIBLE, FLEXIBLE};
    struct table table = {.n_columns = 5, .names = by_key ? by_key_names : by_query_names, .aligns = aligns};
    struct side side = map_side(map->attention, by_key);
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < side.n; i++) {
        TRY_DONE(table_add(&table, "%d", side.positions[i]));
        TRY_DONE(table_add(&table, "|%s|", map_token(map, side.positions[i])));
        TRY_DONE(add_strongest(&table, map, &side, i));
    }
    TRY_DONE(table_print(&table));
done:
    table_close(&table);
    return status;
}

static weir_status print_map(const struct map *map, void *payload)
{
    const struct map_choice *chosen = map->chosen;
    char title[TITLE];
    map_title(title, sizeof title, map);
    print_text(weir_file_get_info(chosen->file)->model);
    printf(": %s\nRows are queries, columns are keys.%s%s\n\n", title, chosen->drop_first ? " " : "",
           drop_first_note(chosen));
    TRY(print_map_heatmap(map, payload));
    putchar('\n');
    return print_map_strongest(map, chosen->keys.n > 0 && chosen->queries.n == 0);
}

weir_status attn_print_map(struct map_choice *chosen, const struct look *look)
{
    struct look copy = *look;
    chosen->mask = true;
    return map_choice_each(chosen, print_map, &copy);
}

/* ---- as JSON ---- */

/* One row of a map: its weights, and positions of its strongest keys. */
static cJSON *json_map_query(const struct map *map, size_t query)
{
    const struct weir_attention *attention = map->attention;
    const float *row = attention->weights + query * attention->n_keys;
    size_t strongest[STRONGEST], n = weir_top_k(strongest, STRONGEST, row, attention->n_keys);
    int32_t position = attention->positions[query];
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "position", position);
    cJSON_AddStringToObject(json, "token", map_token(map, position));
    cJSON *weights = cJSON_AddArrayToObject(json, "weights"), *list = cJSON_AddArrayToObject(json, "strongest");
    for (size_t i = 0; i < attention->n_keys; i++)
        cJSON_AddItemToArray(weights, json_float(row[i]));
    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber(attention->keys[strongest[i]]));
    return json;
}

/* The head of a map, or the heads and how they are joined. */
static cJSON *json_map_head(const struct map *map)
{
    const struct map_choice *chosen = map->chosen;
    cJSON *json = cJSON_CreateObject();
    if (map->layer >= 0) {
        cJSON_AddNumberToObject(json, "layer", map->layer);
        cJSON_AddNumberToObject(json, "head", map->head);
    } else {
        cJSON_AddStringToObject(json, "joined", chosen->join == SUM ? "sum" : "mean");
        cJSON_AddItemToObject(json, "layers", json_marked(chosen->layers, chosen->n_layers_all));
        cJSON_AddItemToObject(json, "heads", json_marked(chosen->heads, chosen->n_heads_all));
    }
    cJSON_AddNumberToObject(json, "prompt", map->prompt);
    cJSON_AddBoolToObject(json, "dropped_first", chosen->drop_first);
    return json;
}

static weir_status print_json_map(const struct map *map, void *payload)
{
    bool *first = payload;
    const struct weir_attention *attention = map->attention;
    cJSON *root = json_map_head(map);
    cJSON *positions = cJSON_AddArrayToObject(root, "key_positions"), *keys = cJSON_AddArrayToObject(root, "keys");
    cJSON *queries = cJSON_AddArrayToObject(root, "queries");
    for (size_t i = 0; i < attention->n_keys; i++) {
        cJSON_AddItemToArray(positions, cJSON_CreateNumber(attention->keys[i]));
        cJSON_AddItemToArray(keys, cJSON_CreateString(map_token(map, attention->keys[i])));
    }
    for (size_t i = 0; i < attention->n_queries; i++)
        cJSON_AddItemToArray(queries, json_map_query(map, i));
    fputs(*first ? "{\"maps\":[" : ",", stdout);
    *first = false;
    return json_print_part(root);
}

weir_status attn_print_json(struct map_choice *chosen)
{
    bool first = true;
    TRY(map_choice_each(chosen, print_json_map, &first));
    fputs("]}\n", stdout);
    return WEIR_OK;
}
