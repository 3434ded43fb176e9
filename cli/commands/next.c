/* weir next: the stored next-token predictions and losses, as a table or as JSON. */
#include "cli/args/options.h"
#include "cli/commands/commands.h"
#include "cli/print/json.h"
#include "cli/print/table.h"
#include "cli/select/files.h"
#include "cli/select/slices.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { PROMPT, POSITIONS, TOP, JSON };
enum { SHOWN = 3, MOST_SHOWN = 10, LONGEST_TEXT = 512 };

static const struct opt opts[] = {
    [PROMPT] = {0, "prompt", OPT_TEXT, "PROMPTS", "which prompts, as in 0, -1 or 2:5; all by default"},
    [POSITIONS] = {0, "positions", OPT_TEXT, "RANGE",
                   "which positions, as in -1 or 0:16; by default all that are stored"},
    [TOP] = {0, "top", OPT_WHOLE, "K",
             "how many tokens per position; by default 3, and with --json all that are stored", .least = 1,
             .most = INT32_MAX},
    [JSON] = OPT_JSON,
};

/* The choices that options make. */
struct asked {
    const weir_file *file;
    bool *prompts; /* [n_prompts] of the file's, which were asked for */
    int n_prompts;
    struct weir_slices positions;
    size_t top;
    bool json;
};

/* The likely next tokens of one prompt. */
struct likely {
    const struct asked *asked;
    int index;
    weir_file_prompt prompt;
    bool *marked;             /* [prompt.n] positions that were asked for */
    int32_t *ids;             /* [n_rows, n_next], the likeliest first, and so on */
    float *logits, *logprobs; /* [n_rows, n_next] */
    size_t n_next;
};

/* Reads all rows of the prompt, and marks the positions that were asked for. */
static weir_status likely_open(struct likely *out, const struct asked *asked, int index)
{
    size_t n;
    char prompt[32];
    *out = (struct likely){.asked = asked, .index = index};
    out->n_next = (size_t)weir_file_get_info(asked->file)->n_next;
    TRY(weir_file_get_prompt(asked->file, index, &out->prompt));
    TRY(weir_mul(&n, out->prompt.n_rows, out->n_next));
    TRY(weir_alloc_zero(&out->marked, out->prompt.n, sizeof *out->marked));
    snprintf(prompt, sizeof prompt, "prompt %d", index);
    TRY(weir_in(weir_slices_mark(&asked->positions, out->marked, out->prompt.n, "position"), prompt));
    TRY(weir_alloc(&out->ids, n, sizeof *out->ids));
    TRY(weir_alloc(&out->logits, n, sizeof *out->logits));
    TRY(weir_alloc(&out->logprobs, n, sizeof *out->logprobs));
    return weir_file_next(asked->file, index, out->ids, out->logits, out->logprobs);
}

static void likely_close(struct likely *likely)
{
    weir_free(likely->marked);
    weir_free(likely->ids);
    weir_free(likely->logits);
    weir_free(likely->logprobs);
}

/* A token's text, or its id where the file does not have the text. */
static const char *word_text(char to[LONGEST_TEXT], const struct likely *likely, int32_t id)
{
    const char *text = weir_file_next_text(likely->asked->file, id);
    snprintf(to, LONGEST_TEXT, *text ? "|%s|" : "%.0s#%d", text, id);
    return to;
}

/* The rank, from 1, of the token that the prompt goes on with; 0: it is none of the likely ones, or the prompt ends
   here. */
static size_t rank_of_next(const struct likely *likely, size_t row)
{
    size_t position = (size_t)likely->prompt.positions[row];
    for (size_t i = 0; position + 1 < likely->prompt.n && i < likely->n_next; i++)
        if (likely->ids[row * likely->n_next + i] == likely->prompt.ids[position + 1])
            return i + 1;
    return 0;
}

/* ---- tables ---- */

/* "0.4312 9.21 | mat|" */
static weir_status add_word(struct table *table, const struct likely *likely, size_t at)
{
    char text[LONGEST_TEXT];
    return table_add(table, "%.4f %7.3f %s", exp((double)likely->logprobs[at]), (double)likely->logits[at],
                     word_text(text, likely, likely->ids[at]));
}

static weir_status add_position(struct table *table, const struct likely *likely, size_t row)
{
    int position = likely->prompt.positions[row];
    size_t rank = rank_of_next(likely, row);
    TRY(table_add(table, "%d", position));
    TRY(table_add(table, "|%s|", weir_file_token(likely->asked->file, likely->index, position)));
    TRY(rank ? table_add(table, "%zu", rank) : table_add(table, "-"));
    for (size_t i = 0; i < likely->asked->top; i++)
        TRY(add_word(table, likely, row * likely->n_next + i));
    return WEIR_OK;
}

static weir_status print_positions(const struct likely *likely)
{
    static const char *const names[MOST_SHOWN + 3] = {
        "pos", "token", "rank", "most likely: p, logit, token", "second", "third", "4th", "5th", "6th", "7th",
        "8th", "9th",   "10th"};
    static const enum align aligns[MOST_SHOWN + 3] = {RIGHT, FLEXIBLE, RIGHT};
    struct table table = {.n_columns = likely->asked->top + 3, .names = names, .aligns = aligns};
    weir_status status = WEIR_OK;
    for (size_t row = 0; row < likely->prompt.n_rows && status == WEIR_OK; row++)
        if (likely->marked[likely->prompt.positions[row]])
            status = add_position(&table, likely, row);
    if (status == WEIR_OK)
        status = table_print(&table);
    table_close(&table);
    return status;
}

static weir_status print_likely(const struct likely *likely, bool *first)
{
    printf("%sprompt %d of %d", *first ? "" : "\n", likely->index, weir_file_get_info(likely->asked->file)->n_prompts);
    *first = false;
    if (!isnan(likely->prompt.loss))
        printf(", loss %.4f nats per token", (double)likely->prompt.loss);
    putchar('\n');
    return print_positions(likely);
}

/* ---- JSON ---- */

static cJSON *json_word(const struct likely *likely, size_t at)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "id", likely->ids[at]);
    cJSON_AddStringToObject(json, "text", weir_file_next_text(likely->asked->file, likely->ids[at]));
    cJSON_AddItemToObject(json, "probability", json_float(expf(likely->logprobs[at])));
    cJSON_AddItemToObject(json, "logprob", json_float(likely->logprobs[at]));
    cJSON_AddItemToObject(json, "logit", json_float(likely->logits[at]));
    return json;
}

static cJSON *json_position(const struct likely *likely, size_t row)
{
    int position = likely->prompt.positions[row];
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "position", position);
    cJSON_AddNumberToObject(json, "id", likely->prompt.ids[position]);
    cJSON_AddStringToObject(json, "text", weir_file_token(likely->asked->file, likely->index, position));
    cJSON *words = cJSON_AddArrayToObject(json, "next");
    for (size_t i = 0; i < likely->asked->top; i++)
        cJSON_AddItemToArray(words, json_word(likely, row * likely->n_next + i));
    return json;
}

static weir_status json_likely(const struct likely *likely, bool *first)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "prompt", likely->index);
    cJSON_AddItemToObject(json, "loss", json_float(likely->prompt.loss));
    cJSON *positions = cJSON_AddArrayToObject(json, "positions");
    for (size_t row = 0; row < likely->prompt.n_rows; row++)
        if (likely->marked[likely->prompt.positions[row]])
            cJSON_AddItemToArray(positions, json_position(likely, row));
    fputs(*first ? "" : ",", stdout);
    *first = false;
    return json_print_part(json);
}

/* ---- the command ---- */

/* Fails where none of the positions that were asked for has a row. */
static weir_status check_likely_rows(const struct likely *likely)
{
    const weir_file_prompt *prompt = &likely->prompt;
    for (size_t row = 0; row < prompt->n_rows; row++)
        if (likely->marked[prompt->positions[row]])
            return WEIR_OK;
    if (prompt->n_rows == 0)
        return weir_fail(WEIR_E_USAGE, "prompt %d has no stored positions", likely->index);
    return weir_fail(WEIR_E_USAGE, "--positions: prompt %d stores none of them; it has %zu, from %d to %d",
                     likely->index, prompt->n_rows, prompt->positions[0], prompt->positions[prompt->n_rows - 1]);
}

static weir_status print_each_likely(const struct asked *asked)
{
    bool first = true;
    for (int i = 0; i < asked->n_prompts; i++) {
        struct likely likely;
        if (!asked->prompts[i])
            continue;
        weir_status status = likely_open(&likely, asked, i);
        if (status == WEIR_OK)
            status = check_likely_rows(&likely);
        if (status == WEIR_OK)
            status = asked->json ? json_likely(&likely, &first) : print_likely(&likely, &first);
        likely_close(&likely);
        TRY(status);
    }
    return WEIR_OK;
}

/* Without --prompt, those that have no stored positions are not asked for. */
static weir_status unmark_empty_prompts(const struct asked *asked)
{
    weir_file_prompt prompt;
    size_t n = 0;
    for (int i = 0; i < asked->n_prompts; i++) {
        TRY(weir_file_get_prompt(asked->file, i, &prompt));
        asked->prompts[i] = prompt.n_rows > 0;
        n += prompt.n_rows > 0;
    }
    return n > 0 ? WEIR_OK : weir_fail(WEIR_E_USAGE, "no prompt has stored positions");
}

static weir_status mark_asked_prompts(struct asked *asked, const struct args *args)
{
    size_t n = (size_t)weir_file_get_info(asked->file)->n_prompts;
    struct weir_slices slices;
    weir_status status = slices_mark(&asked->prompts, &slices, n, prompts_text(args, PROMPT), "prompt");
    asked->n_prompts = status == WEIR_OK ? (int)n : 0;
    if (status == WEIR_OK && !args->has[PROMPT])
        status = unmark_empty_prompts(asked);
    weir_slices_close(&slices);
    return status;
}

/* Reads the options, before any values. */
static weir_status choose_next(struct asked *asked, const struct args *args)
{
    size_t n = (size_t)weir_file_get_info(asked->file)->n_next;
    asked->json = args->has[JSON];
    asked->top = (size_t)args_int(args, TOP, asked->json ? INT32_MAX : SHOWN);
    asked->top = asked->top < n ? asked->top : n;
    if (n == 0)
        return weir_fail(WEIR_E_USAGE, "%s: contains no next tokens: weir dump --next K stores them", args->words[0]);
    if (asked->top > MOST_SHOWN && !asked->json)
        return weir_fail(WEIR_E_USAGE, "--top: a table shows at most %d tokens per position; --json has more",
                         MOST_SHOWN);
    TRY(mark_asked_prompts(asked, args));
    return slices_parse(&asked->positions, args->text[POSITIONS], "position");
}

static weir_status print_next(const struct asked *asked)
{
    if (!asked->json)
        return print_each_likely(asked);
    fputs("{\"prompts\":[", stdout);
    TRY(print_each_likely(asked));
    fputs("]}\n", stdout);
    return WEIR_OK;
}

static int run_next(const struct args *args)
{
    struct asked asked = {0};
    weir_file *file;
    TRY(weir_file_open(&file, args->words[0]));
    asked.file = file;
    weir_status status = choose_next(&asked, args);
    if (status == WEIR_OK)
        status = with_texts(print_next(&asked), file);
    weir_slices_close(&asked.positions);
    weir_free(asked.prompts);
    weir_file_close(file);
    return (int)status;
}

const struct command cmd_next = {
    .name = "next",
    .summary = "show the most likely next tokens in a file, and the loss",
    .usage = "FILE [OPTIONS]",
    .notes = "The file must come from weir dump --next K. At each position: the rank among the K of the token that "
             "follows in the prompt (- for none of them), and the most likely tokens with their probability and logit. "
             "The loss is the mean of -log p over the predicted tokens, in nats.",
    .example = "weir next run.h5 --positions -1",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .least_words = 1,
    .most_words = 1,
    .reads_files = true,
    .run = run_next,
};
