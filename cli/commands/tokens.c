/* weir tokens: texts as tokens, and token ids as text. */
#include "cli/args/model.h"
#include "cli/args/options.h"
#include "cli/args/prompts.h"
#include "cli/commands/commands.h"
#include "cli/print/json.h"
#include "cli/print/table.h"

enum { MODEL, PULL, TEXT, FROM, IDS, BOS, JSON, MOST_TEXT = 512 };

static const struct opt opts[] = {
    [MODEL] = OPT_MODEL,
    [PULL] = OPT_PULL,
    [TEXT] = {'p', "prompt", OPT_TEXT, "TEXT", "a text; may repeat", .repeats = true},
    [FROM] = OPT_PROMPT_FILE,
    [IDS] = {0, "ids", OPT_TEXT, "IDS", "token ids to show as text, 1,2,3; may repeat", .repeats = true},
    [BOS] = OPT_BOS,
    [JSON] = OPT_JSON,
};

static cJSON *json_tokens(const weir_model *model, const weir_tokens *tokens)
{
    char text[MOST_TEXT];
    cJSON *prompt = cJSON_CreateObject();
    cJSON *ids = cJSON_AddArrayToObject(prompt, "ids"), *texts = cJSON_AddArrayToObject(prompt, "text");
    for (size_t i = 0; i < tokens->n; i++) {
        weir_token_text(model, tokens->ids[i], text, sizeof text);
        cJSON_AddItemToArray(ids, cJSON_CreateNumber(tokens->ids[i]));
        cJSON_AddItemToArray(texts, cJSON_CreateString(text));
    }
    return prompt;
}

static weir_status print_tokens_json(const weir_model *model, const struct prompts *prompts)
{
    cJSON *root = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(root, "prompts");
    for (size_t i = 0; i < prompts->n; i++)
        cJSON_AddItemToArray(list, json_tokens(model, &prompts->list[i]));
    return json_print(root);
}

/* Token texts in bars, so that spaces at their ends are seen. */
static weir_status print_tokens_table(const weir_model *model, const weir_tokens *tokens)
{
    static const char *const names[] = {"index", "id", "text"};
    static const enum align aligns[] = {RIGHT, RIGHT, FLEXIBLE};
    struct table table = {.n_columns = 3, .names = names, .aligns = aligns};
    char text[MOST_TEXT];
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < tokens->n; i++) {
        weir_token_text(model, tokens->ids[i], text, sizeof text);
        TRY_DONE(table_add(&table, "%zu", i));
        TRY_DONE(table_add(&table, "%d", tokens->ids[i]));
        TRY_DONE(table_add(&table, "|%s|", text));
    }
    TRY_DONE(table_print(&table));
done:
    table_close(&table);
    return status;
}

static weir_status print_tokens_tables(const weir_model *model, const struct prompts *prompts)
{
    for (size_t i = 0; i < prompts->n; i++) {
        if (prompts->n > 1)
            printf("%sprompt %zu\n", i ? "\n" : "", i);
        TRY(print_tokens_table(model, &prompts->list[i]));
    }
    return WEIR_OK;
}

static int run_tokens(const struct args *args)
{
    const struct prompt_opts which = {TEXT, FROM, IDS, -1, BOS};
    weir_model *model = NULL;
    struct prompts prompts = {0};
    const char *where;
    weir_status status;
    if (!args->has[TEXT] && !args->has[FROM] && !args->has[IDS])
        return weir_fail(WEIR_E_USAGE, "there are no texts: give -p TEXT, -f FILE or --ids IDS");
    TRY_DONE(model_where(&where, args, MODEL, PULL));
    TRY_DONE(open_with_notes(&model, where, &(weir_model_options){.tokenizer_only = true}));
    TRY_DONE(prompts_read(&prompts, model, args, &which));
    status = args->has[JSON] ? print_tokens_json(model, &prompts) : print_tokens_tables(model, &prompts);
done:
    prompts_close(&prompts);
    weir_model_close(model);
    return (int)status;
}

const struct command cmd_tokens = {
    .name = "tokens",
    .summary = "show how a model tokenizes a text, and the tokens of ids",
    .notes = "A beginning-of-sequence token (BOS) is added if the tokenizer's own rules add one, as in AutoTokenizer. "
             "TransformerLens adds one to every text unless prepend_bos=False is given: --bos yes does the same (for "
             "GPT-2 and Pythia, whose rules add none). docs/tokenizers.md lists the supported tokenizers.",
    .usage = "[-m MODEL] (-p TEXT | -f FILE | --ids IDS)... [OPTIONS]",
    .example = "weir tokens -m model.gguf -p \"The cat sat\"",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .run = run_tokens,
};
