/* Likely next tokens as a table for each prompt (of one position: a list), as JSON or as CSV. */
#include "cli/commands/likely.h"

#include "cli/print/json.h"
#include "cli/print/table.h"
#include "cli/print/text.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>

enum { SHOWN = 3, MOST_SHOWN = 10, LISTED = 10, LONGEST_TEXT = 512 };

/* The rank, from 1, of the token that the prompt goes on with; 0: it is none of the likely ones, or the prompt ends
   here. */
static size_t rank_of_next(const struct likely *likely, size_t row)
{
    size_t position = (size_t)likely->positions[row];
    for (size_t i = 0; position + 1 < likely->n_tokens && i < likely->n_next; i++)
        if (likely->ids[row * likely->n_next + i] == likely->tokens[position + 1])
            return i + 1;
    return 0;
}

static size_t shown_of(const struct likely *likely, const struct likely_form *form)
{
    size_t most = form->top                 ? form->top
                  : form->json || form->csv ? likely->n_next
                  : likely->n_rows == 1     ? LISTED
                                            : SHOWN;
    return most < likely->n_next ? most : likely->n_next;
}

/* ---- tables ---- */

/* A token's text, or its id where the text is not known. */
static const char *word_text(char to[LONGEST_TEXT], const struct likely *likely, int32_t id)
{
    char text[LONGEST_TEXT - 2];
    likely->word_of(text, sizeof text, likely, id);
    snprintf(to, LONGEST_TEXT, *text ? "|%s|" : "%.0s#%d", text, id);
    return to;
}

/* "+0.1021": how much more it is than without edits; NaN has no sign. */
static const char *change_text(char to[64], int digits, double with, double without)
{
    double change = with - without;
    if (isnan(change))
        snprintf(to, 64, "nan");
    else
        snprintf(to, 64, "%+.*f", digits, change);
    return to;
}

static const char *change_of_p(char to[64], const struct likely *likely, size_t at)
{
    return change_text(to, 4, exp((double)likely->logprobs[at]), exp((double)likely->base->logprobs[at]));
}

/* "0.4312 9.21 | mat|", or "0.4312 +0.1021 9.21 | mat|" */
static weir_status add_word(struct table *table, const struct likely *likely, size_t at)
{
    char text[LONGEST_TEXT], p[64], logit[64], change[64];
    if (likely->base)
        return table_add(table, "%6s %s %7s %s", fixed_number(p, 4, exp((double)likely->logprobs[at])),
                         change_of_p(change, likely, at), fixed_number(logit, 3, (double)likely->logits[at]),
                         word_text(text, likely, likely->ids[at]));
    return table_add(table, "%6s %7s %s", fixed_number(p, 4, exp((double)likely->logprobs[at])),
                     fixed_number(logit, 3, (double)likely->logits[at]), word_text(text, likely, likely->ids[at]));
}

static weir_status add_position(struct table *table, const struct likely *likely, size_t row, size_t top)
{
    char token[LONGEST_TEXT];
    size_t rank = rank_of_next(likely, row);
    likely->token_at(token, sizeof token, likely, likely->positions[row]);
    TRY(table_add(table, "%d", likely->positions[row]));
    TRY(table_add(table, "|%s|", token));
    TRY(rank ? table_add(table, "%zu", rank) : table_add(table, "-"));
    for (size_t i = 0; i < top; i++)
        TRY(add_word(table, likely, row * likely->n_next + i));
    return WEIR_OK;
}

static weir_status print_positions(const struct likely *likely, size_t top)
{
    static const char *const names[MOST_SHOWN + 3] = {"pos",    "token", "rank", "most likely: p, logit, token",
                                                      "second", "third", "4th",  "5th",
                                                      "6th",    "7th",   "8th",  "9th",
                                                      "10th"},
                                                *const with_base[MOST_SHOWN + 3] = {
                                                    "pos",    "token", "rank", "most likely: p, change, logit, token",
                                                    "second", "third", "4th",  "5th",
                                                    "6th",    "7th",   "8th",  "9th",
                                                    "10th"};
    static const enum align aligns[MOST_SHOWN + 3] = {RIGHT, FLEXIBLE, RIGHT};
    struct table table = {.n_columns = top + 3, .names = likely->base ? with_base : names, .aligns = aligns};
    weir_status status = WEIR_OK;
    for (size_t row = 0; row < likely->n_rows && status == WEIR_OK; row++)
        status = add_position(&table, likely, row, top);
    if (status == WEIR_OK)
        status = table_print(&table);
    table_close(&table);
    return status;
}

static weir_status add_listed(struct table *table, const struct likely *likely, size_t i)
{
    char text[LONGEST_TEXT], number[64];
    TRY(table_add(table, "%zu", i + 1));
    TRY(table_add(table, "%s", fixed_number(number, 4, exp((double)likely->logprobs[i]))));
    if (likely->base)
        TRY(table_add(table, "%s", change_of_p(number, likely, i)));
    TRY(table_add(table, "%s", fixed_number(number, 3, (double)likely->logits[i])));
    if (likely->base)
        TRY(table_add(table, "%s", change_text(number, 3, (double)likely->logits[i], (double)likely->base->logits[i])));
    return table_add(table, "%s", word_text(text, likely, likely->ids[i]));
}

/* "after position 5, | on|, before | the| (rank 1)" */
static void print_place(const struct likely *likely)
{
    char token[LONGEST_TEXT];
    int position = likely->positions[0];
    size_t rank = rank_of_next(likely, 0);
    likely->token_at(token, sizeof token, likely, position);
    printf("after position %d, |", position);
    print_text(token);
    putchar('|');
    if ((size_t)position + 1 < likely->n_tokens) {
        likely->token_at(token, sizeof token, likely, position + 1);
        fputs(", before |", stdout);
        print_text(token);
        printf(rank ? "| (rank %zu)" : "| (not among the first %zu)", rank ? rank : likely->n_next);
    }
    putchar('\n');
}

/* One position has a row for each likely token. */
static weir_status print_list(const struct likely *likely, size_t top)
{
    static const char *const names[] = {"rank", "p", "logit", "token"}, *const with_base[] = {"rank",   "p",
                                                                                              "change", "logit",
                                                                                              "change", "token"};
    static const enum align aligns[] = {RIGHT, RIGHT, RIGHT, FLEXIBLE},
                            aligns_with_base[] = {RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, FLEXIBLE};
    struct table table = {.n_columns = likely->base ? 6 : 4,
                          .names = likely->base ? with_base : names,
                          .aligns = likely->base ? aligns_with_base : aligns};
    weir_status status = WEIR_OK;
    print_place(likely);
    for (size_t i = 0; i < top && status == WEIR_OK; i++)
        status = add_listed(&table, likely, i);
    if (status == WEIR_OK)
        status = table_print(&table);
    table_close(&table);
    return status;
}

/* "without edits the loss is 3.6916, +0.0210; KL 0.0123 nats" */
static void print_base(const struct likely *likely)
{
    const struct likely_base *base = likely->base;
    if (!isnan(base->loss))
        printf("without edits the loss is %.4f, the change %+.4f; ", (double)base->loss,
               (double)likely->loss - (double)base->loss);
    printf("KL from there %.6g nats\n", base->kl);
}

static void print_metrics(const struct likely *likely)
{
    for (size_t i = 0; i < likely->n_metrics; i++) {
        print_text(likely->metrics[i]);
        printf(" = %.6g", likely->values[i]);
        if (likely->base)
            printf(", without edits %.6g, change %+.6g", likely->base->values[i],
                   likely->values[i] - likely->base->values[i]);
        putchar('\n');
    }
}

static weir_status print_tables(const struct likely *likely, const struct likely_form *form)
{
    printf("%sprompt %d of %d", form->is_first ? "" : "\n", likely->prompt, likely->n_prompts);
    if (!isnan(likely->loss))
        printf(", loss %.4f nats per token", (double)likely->loss);
    putchar('\n');
    if (likely->base)
        print_base(likely);
    print_metrics(likely);
    size_t top = shown_of(likely, form);
    return likely->n_rows == 1 ? print_list(likely, top) : print_positions(likely, top);
}

/* ---- JSON ---- */

static cJSON *json_word(const struct likely *likely, size_t at)
{
    char text[LONGEST_TEXT];
    cJSON *json = cJSON_CreateObject();
    likely->word_of(text, sizeof text, likely, likely->ids[at]);
    cJSON_AddNumberToObject(json, "id", likely->ids[at]);
    cJSON_AddStringToObject(json, "text", text);
    cJSON_AddItemToObject(json, "probability", json_float(expf(likely->logprobs[at])));
    cJSON_AddItemToObject(json, "logprob", json_float(likely->logprobs[at]));
    cJSON_AddItemToObject(json, "logit", json_float(likely->logits[at]));
    if (likely->base) {
        cJSON *base = cJSON_AddObjectToObject(json, "base");
        cJSON_AddItemToObject(base, "probability", json_float(expf(likely->base->logprobs[at])));
        cJSON_AddItemToObject(base, "logprob", json_float(likely->base->logprobs[at]));
        cJSON_AddItemToObject(base, "logit", json_float(likely->base->logits[at]));
    }
    return json;
}

static cJSON *json_position(const struct likely *likely, size_t row, size_t top)
{
    char token[LONGEST_TEXT];
    int position = likely->positions[row];
    cJSON *json = cJSON_CreateObject();
    likely->token_at(token, sizeof token, likely, position);
    cJSON_AddNumberToObject(json, "position", position);
    cJSON_AddNumberToObject(json, "id", likely->tokens[position]);
    cJSON_AddStringToObject(json, "text", token);
    cJSON *words = cJSON_AddArrayToObject(json, "next");
    for (size_t i = 0; i < top; i++)
        cJSON_AddItemToArray(words, json_word(likely, row * likely->n_next + i));
    return json;
}

static void add_json_metrics(cJSON *to, const struct likely *likely)
{
    cJSON *list = likely->n_metrics ? cJSON_AddArrayToObject(to, "metrics") : NULL;
    for (size_t i = 0; i < likely->n_metrics; i++) {
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "metric", likely->metrics[i]);
        cJSON_AddItemToObject(json, "value", json_number(likely->values[i]));
        if (likely->base)
            cJSON_AddItemToObject(json, "base", json_number(likely->base->values[i]));
        cJSON_AddItemToArray(list, json);
    }
}

static weir_status print_json(const struct likely *likely, const struct likely_form *form)
{
    cJSON *json = cJSON_CreateObject();
    size_t top = shown_of(likely, form);
    cJSON_AddNumberToObject(json, "prompt", likely->prompt);
    cJSON_AddItemToObject(json, "loss", json_float(likely->loss));
    if (likely->base) {
        cJSON *base = cJSON_AddObjectToObject(json, "base");
        cJSON_AddItemToObject(base, "loss", json_float(likely->base->loss));
        cJSON_AddItemToObject(base, "kl", json_number(likely->base->kl));
    }
    add_json_metrics(json, likely);
    cJSON *positions = cJSON_AddArrayToObject(json, "positions");
    for (size_t row = 0; row < likely->n_rows; row++)
        cJSON_AddItemToArray(positions, json_position(likely, row, top));
    fputs(form->is_first ? "" : ",", stdout);
    return json_print_part(json);
}

/* ---- CSV ---- */

/* The same without edits. */
static void print_csv_base(const struct likely *likely, size_t at)
{
    putchar(',');
    json_print_float(stdout, expf(likely->base->logprobs[at]));
    putchar(',');
    json_print_float(stdout, likely->base->logprobs[at]);
    putchar(',');
    json_print_float(stdout, likely->base->logits[at]);
    for (size_t m = 0; m < likely->n_metrics; m++)
        printf(",%.17g", likely->base->values[m]);
}

static void print_csv_word(const struct likely *likely, size_t row, size_t i)
{
    char text[LONGEST_TEXT];
    size_t at = row * likely->n_next + i;
    printf("%d,%d,%zu,%d,", likely->prompt, likely->positions[row], i + 1, likely->ids[at]);
    json_print_float(stdout, expf(likely->logprobs[at]));
    putchar(',');
    json_print_float(stdout, likely->logprobs[at]);
    putchar(',');
    json_print_float(stdout, likely->logits[at]);
    putchar(',');
    likely->token_at(text, sizeof text, likely, likely->positions[row]);
    print_csv_text(text);
    putchar(',');
    likely->word_of(text, sizeof text, likely, likely->ids[at]);
    print_csv_text(text);
    for (size_t m = 0; m < likely->n_metrics; m++)
        printf(",%.17g", likely->values[m]);
    if (likely->base)
        print_csv_base(likely, at);
    putchar('\n');
}

static weir_status print_csv(const struct likely *likely, const struct likely_form *form)
{
    size_t top = shown_of(likely, form);
    for (size_t row = 0; row < likely->n_rows; row++)
        for (size_t i = 0; i < top; i++)
            print_csv_word(likely, row, i);
    return WEIR_OK;
}

/* ---- all of them ---- */

weir_status likely_check(const struct likely_form *form, size_t n_positions)
{
    if (form->json && form->csv)
        return weir_fail(WEIR_E_USAGE, "give either --json or --csv");
    if (form->top > MOST_SHOWN && n_positions > 1 && !form->json && !form->csv)
        return weir_fail(WEIR_E_USAGE,
                         "--top: a table of several positions shows at most %d tokens at each; --json and --csv have "
                         "more",
                         MOST_SHOWN);
    return WEIR_OK;
}

static weir_status print_csv_names(const struct likely_form *form, const char *const *metrics, size_t n_metrics)
{
    fputs("prompt,position,rank,id,probability,logprob,logit,token,next", stdout);
    for (size_t i = 0; i < n_metrics; i++) {
        putchar(',');
        print_csv_text(metrics[i]);
    }
    if (form->against_base)
        fputs(",base_probability,base_logprob,base_logit", stdout);
    for (size_t i = 0; form->against_base && i < n_metrics; i++) {
        char *name;
        TRY(weir_format(&name, "base %s", metrics[i]));
        putchar(',');
        print_csv_text(name);
        weir_free(name);
    }
    putchar('\n');
    return WEIR_OK;
}

weir_status likely_begin(struct likely_form *form, const char *const *metrics, size_t n_metrics)
{
    form->is_first = true;
    if (form->json)
        fputs("{\"prompts\":[", stdout);
    return form->csv ? print_csv_names(form, metrics, n_metrics) : WEIR_OK;
}

weir_status likely_print(const struct likely *likely, struct likely_form *form)
{
    TRY(form->json ? print_json(likely, form) : form->csv ? print_csv(likely, form) : print_tables(likely, form));
    form->is_first = false;
    return WEIR_OK;
}

void likely_end(const struct likely_form *form)
{
    if (form->json)
        fputs("]}\n", stdout);
}
