/* Reads prompts from options, files and standard input, and tokenizes them. */
#include "cli/args/prompts.h"

#include "cli/args/jsonl.h"
#include "cli/print/say.h"
#include "cli/print/text.h"

#include "base/alloc.h"
#include "base/input.h"
#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BARS = 320 }; /* of a line's tokens, in messages */

static bool has_sides(const struct prompt_opts *opts)
{
    return opts->sides && opts->sides->n > 0;
}

static weir_status next_prompt_slot(struct prompts *prompts, weir_tokens **out)
{
    TRY(weir_grow(&prompts->list, &prompts->capacity, prompts->n + 1, sizeof *prompts->list));
    *out = &prompts->list[prompts->n];
    return WEIR_OK;
}

static weir_status add_text_prompt(struct prompts *prompts, const weir_model *model, const char *text, size_t n,
                                   weir_bos bos)
{
    weir_tokens *slot;
    TRY(next_prompt_slot(prompts, &slot));
    TRY(weir_tokenize(slot, model, text, n, bos));
    slot->line = prompts->n_lines++;
    prompts->n++;
    return WEIR_OK;
}

/* "1,2,3" to ids: *out is new memory. */
static weir_status parse_id_list(int32_t **out, size_t *n, const char *text, const char *option)
{
    size_t room = 1;
    for (const char *p = text; *p; p++)
        room += *p == ',';
    TRY(weir_alloc(out, room, sizeof **out));
    for (*n = 0; *n < room; text++) {
        char *end;
        errno = 0;
        long id = strtol(text, &end, 10);
        if (end == text || (*end && *end != ',') || errno || id < 0 || id > INT32_MAX) {
            weir_free(*out);
            *out = NULL;
            return weir_fail(WEIR_E_USAGE,
                             "--%s: '%.20s' does not begin with a token id; separate ids with commas, as in 1,2,3",
                             option, text);
        }
        (*out)[(*n)++] = (int32_t)id;
        text = end;
    }
    return WEIR_OK;
}

static weir_status add_ids_prompt(struct prompts *prompts, const weir_model *model, const char *text,
                                  const char *option)
{
    weir_tokens *slot;
    int32_t *ids;
    size_t n;
    TRY(next_prompt_slot(prompts, &slot));
    TRY(parse_id_list(&ids, &n, text, option));
    weir_status status = weir_tokens_from_ids(slot, model, ids, n);
    weir_free(ids);
    if (status != WEIR_OK)
        return status;
    slot->line = prompts->n_lines++;
    prompts->n++;
    return WEIR_OK;
}

/* The next line without its end; *line is getline's. False at the end of the file. */
static bool read_prompt_line(FILE *file, char **line, size_t *capacity, size_t *n)
{
    ssize_t got = getline(line, capacity, file);
    if (got < 0)
        return false;
    *n = (size_t)got;
    if (*n > 0 && (*line)[*n - 1] == '\n')
        (*n)--;
    if (*n > 0 && (*line)[*n - 1] == '\r')
        (*n)--;
    return true;
}

/* A file of prompts while it is read. */
struct reading {
    struct prompts *prompts;
    const weir_model *model;
    const struct prompt_opts *opts;
    const char *name; /* for messages */
    weir_bos bos;
    bool json;               /* an object a line */
    size_t line, n, n_blank; /* lines and prompts so far */
    size_t first_blank;
};

/* One prompt of line `number` of all, of JSON: its ids, or its text tokenized; with ids its text is kept beside them.
 */
static weir_status make_json_prompt(weir_tokens *out, const weir_model *model, struct jsonl *line, weir_bos bos,
                                    size_t number)
{
    if (!line->ids)
        TRY(weir_tokenize(out, model, line->text, strlen(line->text), bos));
    else
        TRY(weir_tokens_from_ids(out, model, line->ids, line->n));
    if (line->ids && line->text) {
        out->text = line->text;
        out->n_text = strlen(line->text);
        line->text = NULL;
    }
    out->fields = line->fields;
    line->fields = NULL;
    out->side = line->side;
    line->side = NULL;
    out->line = line->line >= 0 ? (size_t)line->line : number;
    return WEIR_OK;
}

static weir_status add_json_prompt(struct reading *reading, struct jsonl *line, const char *where)
{
    weir_tokens *slot;
    TRY(next_prompt_slot(reading->prompts, &slot));
    weir_status status =
        weir_in(make_json_prompt(slot, reading->model, line, reading->bos, reading->prompts->n_lines), where);
    reading->prompts->n += status == WEIR_OK;
    return status;
}

/* "|The| cat|", cut where it gets long. */
static void append_token_bars(char *to, size_t size, const weir_model *model, const weir_tokens *tokens)
{
    char text[64];
    size_t at = strlen(to), most = at + MOST_BARS;
    weir_text_append(to, size, "|");
    for (size_t i = 0; i < tokens->n && strlen(to) < most; i++) {
        weir_token_text(model, tokens->ids[i], text, sizeof text);
        weir_text_append(to, size, "%s|", text);
    }
    if (strlen(to) >= most)
        weir_text_append(to, size, "...");
}

weir_status prompts_check_lengths(const weir_model *model, const weir_tokens *sides, size_t n, const char *where)
{
    char bars[2 * MOST_BARS + 256] = "";
    for (size_t i = 1; i < n; i++) {
        if (sides[i].n == sides->n)
            continue;
        append_token_bars(bars, sizeof bars, model, sides);
        weir_text_append(bars, sizeof bars, " and ");
        append_token_bars(bars, sizeof bars, model, &sides[i]);
        return weir_fail(WEIR_E_INPUT,
                         "%s: %s has %zu tokens and %s has %zu; they must have equally many, unless all positions are "
                         "named by fields: %s",
                         where, sides->side, sides->n, sides[i].side, sides[i].n, bars);
    }
    return WEIR_OK;
}

/* A prompt per side, side by side. */
static weir_status take_json_pair(struct reading *reading, const char *text, size_t n, const char *where)
{
    struct jsonl *line;
    const struct sides *sides = reading->opts->sides;
    size_t first = reading->prompts->n;
    TRY(weir_alloc_zero(&line, sides->n, sizeof *line));
    weir_status status = jsonl_read_sides(line, sides, reading->prompts->n_lines, text, n, where);
    for (size_t i = 0; i < sides->n && status == WEIR_OK; i++)
        status = add_json_prompt(reading, &line[i], where);
    if (status == WEIR_OK && !reading->opts->any_lengths)
        status = prompts_check_lengths(reading->model, reading->prompts->list + first, sides->n, where);
    for (size_t i = 0; i < sides->n; i++)
        jsonl_close(&line[i]);
    weir_free(line);
    return status;
}

static weir_status take_json_prompt(struct reading *reading, const char *text, size_t n, const char *where)
{
    struct jsonl line;
    TRY(jsonl_read(&line, text, n, where));
    weir_status status = add_json_prompt(reading, &line, where);
    jsonl_close(&line);
    return status;
}

/* A text file may begin with a byte order mark, which is no part of its text. */
static void skip_byte_order_mark(const struct reading *reading, char **text, size_t *n)
{
    if (reading->line == 1 && *n >= 3 && memcmp(*text, "\xef\xbb\xbf", 3) == 0) {
        *text += 3;
        *n -= 3;
    }
}

/* Adds the prompt of one line; a file is JSON if its name says so or its first line is an object. */
static weir_status take_prompt_line(struct reading *reading, char *text, size_t n)
{
    char where[512];
    reading->line++;
    skip_byte_order_mark(reading, &text, &n);
    if (n == 0) {
        reading->first_blank = reading->n_blank++ ? reading->first_blank : reading->line;
        return WEIR_OK;
    }
    snprintf(where, sizeof where, "%.480s: line %zu", reading->name, reading->line);
    bool pairs = has_sides(reading->opts);
    reading->json = reading->json || pairs || (reading->n == 0 && jsonl_begins(text, n));
    reading->n++;
    if (reading->json) {
        TRY(pairs ? take_json_pair(reading, text, n, where) : take_json_prompt(reading, text, n, where));
        reading->prompts->n_lines++;
        return WEIR_OK;
    }
    return weir_in(add_text_prompt(reading->prompts, reading->model, text, n, reading->bos), where);
}

static weir_status finish_prompt_lines(const struct reading *reading)
{
    if (reading->n == 0)
        return weir_fail(WEIR_E_USAGE, "%s: contains no prompt", reading->name);
    if (reading->n_blank)
        say("%s: %zu blank line%s skipped, the first is line %zu\n", reading->name, reading->n_blank,
            plural(reading->n_blank), reading->first_blank);
    return WEIR_OK;
}

/* Reads the file to its end; what is wrong with a line stops it there. */
static weir_status add_prompt_lines(struct reading *reading, FILE *file)
{
    char *line = NULL;
    size_t capacity = 0, n;
    weir_status status = WEIR_OK;
    while (status == WEIR_OK && read_prompt_line(file, &line, &capacity, &n))
        status = take_prompt_line(reading, line, n);
    if (status == WEIR_OK && ferror(file))
        status = weir_fail(WEIR_E_INPUT, "%s: %s", reading->name, strerror(errno));
    free(line);
    return status == WEIR_OK ? finish_prompt_lines(reading) : status;
}

bool path_ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* "-" is standard input; .json, an array most likely, is refused with the way to make lines of it. */
static weir_status add_prompt_file(struct prompts *prompts, const weir_model *model, const char *path,
                                   const struct prompt_opts *opts, weir_bos bos)
{
    struct reading reading = {.prompts = prompts, .model = model, .opts = opts, .name = path, .bos = bos};
    if (strcmp(path, "-") == 0) {
        reading.name = "standard input";
        return add_prompt_lines(&reading, stdin);
    }
    if (path_ends(path, ".json"))
        return weir_fail(
            WEIR_E_USAGE,
            "%s: JSON prompts must be one object per line, in a .jsonl file: jq -c '.[]' converts an array", path);
    reading.json = path_ends(path, ".jsonl") || path_ends(path, ".ndjson");
    FILE *file;
    TRY(weir_input_stream(&file, path));
    weir_status status = add_prompt_lines(&reading, file);
    fclose(file);
    return status;
}

/* A line of JSON that is given by itself. */
static weir_status add_given_line(struct prompts *prompts, const weir_model *model, const char *text,
                                  const struct prompt_opts *opts, weir_bos bos)
{
    struct reading reading = {.prompts = prompts, .model = model, .opts = opts, .name = "--line", .bos = bos};
    size_t n = strlen(text);
    TRY(has_sides(opts) ? take_json_pair(&reading, text, n, "--line") : take_json_prompt(&reading, text, n, "--line"));
    prompts->n_lines++;
    return WEIR_OK;
}

/* Standard input can be read once. */
static weir_status check_input_once(const struct args *args, const struct prompt_opts *opts)
{
    int n = 0;
    for (size_t i = 0; i < args->n_given; i++)
        n += args->given[i].opt == opts->file && strcmp(args->given[i].text, "-") == 0;
    return n <= 1 ? WEIR_OK : weir_fail(WEIR_E_USAGE, "-f - is given twice; standard input can only be read once");
}

static weir_status add_given_prompts(struct prompts *prompts, const weir_model *model, const struct given *given,
                                     const struct prompt_opts *opts, weir_bos bos, const char *option)
{
    if (has_sides(opts) && (given->opt == opts->text || given->opt == opts->tokens))
        return weir_fail(WEIR_E_USAGE,
                         "--side reads members of lines of JSON, and --%s is none: give them with -f or --line",
                         option);
    if (given->opt == opts->text)
        return add_text_prompt(prompts, model, given->text, strlen(given->text), bos);
    if (given->opt == opts->file)
        return add_prompt_file(prompts, model, given->text, opts, bos);
    if (given->opt == opts->tokens)
        return add_ids_prompt(prompts, model, given->text, option);
    if (given->opt == opts->line)
        return add_given_line(prompts, model, given->text, opts, bos);
    return WEIR_OK;
}

weir_bos prompts_bos(const struct args *args, int opt)
{
    static const weir_bos choices[] = {WEIR_BOS_YES, WEIR_BOS_NO, WEIR_BOS_AUTO}; /* yes|no|auto */
    return opt >= 0 && args->has[opt] ? choices[args->whole[opt]] : WEIR_BOS_AUTO;
}

weir_status prompts_read(struct prompts *out, const weir_model *model, const struct args *args,
                         const struct prompt_opts *opts)
{
    weir_bos bos = prompts_bos(args, opts->bos);
    *out = (struct prompts){0};
    weir_status status = check_input_once(args, opts);
    for (size_t i = 0; i < args->n_given && status == WEIR_OK; i++)
        status =
            add_given_prompts(out, model, &args->given[i], opts, bos, args->command->opts[args->given[i].opt].name);
    if (status == WEIR_OK && out->n == 0)
        status = weir_fail(WEIR_E_USAGE, "there are no prompts; usage: weir %s %s", args->command->name,
                           args->command->usage);
    if (status != WEIR_OK)
        prompts_close(out);
    return status;
}

void prompts_close(struct prompts *prompts)
{
    for (size_t i = 0; i < prompts->n; i++)
        weir_tokens_close(&prompts->list[i]);
    weir_free(prompts->list);
    *prompts = (struct prompts){0};
}
