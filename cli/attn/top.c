/* The strongest pairs of query and key as a table, JSON or CSV. */
#include "cli/attn/attn.h"
#include "cli/print/json.h"
#include "cli/print/table.h"
#include "cli/print/text.h"

#include "base/alloc.h"

static const char *pair_query_token(const struct map_choice *chosen, const struct weir_pair *pair)
{
    return weir_file_token(chosen->file, pair->prompt, pair->query);
}

static const char *pair_key_token(const struct map_choice *chosen, const struct weir_pair *pair)
{
    return weir_file_token(chosen->file, pair->prompt, pair->key);
}

static weir_status print_pairs_table(const struct map_choice *chosen, const struct weir_pair *pairs, size_t n)
{
    static const char *const names[] = {"weight", "layer", "head", "prompt", "query", "token", "key", "token"};
    static const enum align aligns[] = {RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, FLEXIBLE, RIGHT, FLEXIBLE};
    struct table table = {.n_columns = 8, .names = names, .aligns = aligns};
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < n; i++) {
        const struct weir_pair *pair = &pairs[i];
        const int numbers[] = {pair->layer, pair->head, pair->prompt, pair->query};
        TRY_DONE(table_add(&table, "%.4f", (double)pair->weight));
        for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++)
            TRY_DONE(table_add(&table, "%d", numbers[j]));
        TRY_DONE(table_add(&table, "|%s|", pair_query_token(chosen, pair)));
        TRY_DONE(table_add(&table, "%d", pair->key));
        TRY_DONE(table_add(&table, "|%s|", pair_key_token(chosen, pair)));
    }
    TRY_DONE(table_print(&table));
done:
    table_close(&table);
    return status;
}

static weir_status print_pairs_json(const struct map_choice *chosen, const struct weir_pair *pairs, size_t n)
{
    cJSON *root = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(root, "pairs");
    for (size_t i = 0; i < n; i++) {
        const struct weir_pair *pair = &pairs[i];
        cJSON *json = cJSON_CreateObject();
        cJSON_AddItemToObject(json, "weight", json_float(pair->weight));
        cJSON_AddNumberToObject(json, "layer", pair->layer);
        cJSON_AddNumberToObject(json, "head", pair->head);
        cJSON_AddNumberToObject(json, "prompt", pair->prompt);
        cJSON_AddNumberToObject(json, "query", pair->query);
        cJSON_AddNumberToObject(json, "key", pair->key);
        cJSON_AddStringToObject(json, "query_token", pair_query_token(chosen, pair));
        cJSON_AddStringToObject(json, "key_token", pair_key_token(chosen, pair));
        cJSON_AddItemToArray(list, json);
    }
    return json_print(root);
}

static weir_status print_pairs_csv(const struct map_choice *chosen, const struct weir_pair *pairs, size_t n)
{
    puts("weight,layer,head,prompt,query,key,query_token,key_token");
    for (size_t i = 0; i < n; i++) {
        const struct weir_pair *pair = &pairs[i];
        json_print_float(stdout, pair->weight);
        printf(",%d,%d,%d,%d,%d,", pair->layer, pair->head, pair->prompt, pair->query, pair->key);
        print_csv_text(pair_query_token(chosen, pair));
        putchar(',');
        print_csv_text(pair_key_token(chosen, pair));
        putchar('\n');
    }
    return WEIR_OK;
}

weir_status attn_print_top(struct map_choice *chosen, size_t k, bool drop_self, enum form form)
{
    static weir_status (*const forms[])(const struct map_choice *, const struct weir_pair *, size_t) = {
        [FORM_TABLE] = print_pairs_table, [FORM_JSON] = print_pairs_json, [FORM_CSV] = print_pairs_csv};
    struct weir_top_want want = {.layers = chosen->layers,
                                 .prompts = chosen->prompts,
                                 .heads = chosen->heads,
                                 .tokens = map_choice_tokens,
                                 .payload = chosen,
                                 .drop_first = chosen->drop_first,
                                 .drop_self = drop_self};
    struct weir_pair *pairs;
    size_t n;
    TRY(weir_alloc(&pairs, k, sizeof *pairs));
    weir_status status = weir_top(pairs, k, &n, chosen->file, &want);
    if (status == WEIR_OK && n == 0 && (chosen->queries.n > 0 || chosen->keys.n > 0))
        status = weir_fail(WEIR_E_USAGE, "no prompt has a weight over 0 between the tokens of --query and --key");
    if (status == WEIR_OK)
        status = forms[form](chosen, pairs, n);
    weir_free(pairs);
    return status;
}
