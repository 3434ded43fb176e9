#include "cli/commands.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static weir_status next_slot(struct prompts *prompts, weir_tokens **out)
{
    TRY(weir_grow(&prompts->list, &prompts->capacity, prompts->n + 1, sizeof *prompts->list));
    *out = &prompts->list[prompts->n];
    return WEIR_OK;
}

static weir_status add_text(struct prompts *prompts, const weir_model *model, const char *text, size_t n, weir_bos bos)
{
    weir_tokens *slot;
    TRY(next_slot(prompts, &slot));
    TRY(weir_tokenize(slot, model, text, n, bos));
    prompts->n++;
    return WEIR_OK;
}

/* "1,2,3" to ids: *out is new memory. */
static weir_status parse_ids(int32_t **out, size_t *n, const char *text)
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
                             "--tokens: '%.20s' does not begin with a token id; write ids with commas "
                             "between, as in 1,2,3",
                             text);
        }
        (*out)[(*n)++] = (int32_t)id;
        text = end;
    }
    return WEIR_OK;
}

static weir_status add_ids(struct prompts *prompts, const weir_model *model, const char *text)
{
    weir_tokens *slot;
    int32_t *ids;
    size_t n;
    TRY(next_slot(prompts, &slot));
    TRY(parse_ids(&ids, &n, text));
    weir_status status = weir_tokens_from_ids(slot, model, ids, n);
    weir_free(ids);
    prompts->n += status == WEIR_OK;
    return status;
}

/* The next line without its end; *line is getline's. False at the end of the file. */
static bool read_line(FILE *file, char **line, size_t *capacity, size_t *n)
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

static weir_status add_lines(struct prompts *prompts, const weir_model *model, FILE *file, const char *name,
                             weir_bos bos)
{
    char *line = NULL, where[512];
    size_t capacity = 0, n, number = 0;
    weir_status status = WEIR_OK;
    while (status == WEIR_OK && read_line(file, &line, &capacity, &n)) {
        snprintf(where, sizeof where, "%.480s: line %zu", name, ++number);
        if (n == 0)
            status = weir_fail(WEIR_E_INPUT, "%s is empty; a prompt has at least one byte", where);
        else
            status = weir_in(add_text(prompts, model, line, n, bos), where);
    }
    if (status == WEIR_OK && ferror(file))
        status = weir_fail(WEIR_E_INPUT, "%s: %s", name, strerror(errno));
    free(line);
    return status;
}

static weir_status add_file(struct prompts *prompts, const weir_model *model, const char *path, weir_bos bos)
{
    if (strcmp(path, "-") == 0)
        return add_lines(prompts, model, stdin, "standard input", bos);
    FILE *file = fopen(path, "rbe");
    if (!file)
        return weir_fail(WEIR_E_INPUT, "%s: %s", path, strerror(errno));
    weir_status status = add_lines(prompts, model, file, path, bos);
    fclose(file);
    return status;
}

static weir_status add_given(struct prompts *prompts, const weir_model *model, const struct given *given,
                             const struct prompt_opts *opts, weir_bos bos)
{
    if (given->opt == opts->text)
        return add_text(prompts, model, given->text, strlen(given->text), bos);
    if (given->opt == opts->file)
        return add_file(prompts, model, given->text, bos);
    if (given->opt == opts->tokens)
        return add_ids(prompts, model, given->text);
    return WEIR_OK;
}

weir_status prompts_read(struct prompts *out, const weir_model *model, const struct args *args,
                         const struct prompt_opts *opts)
{
    static const weir_bos choices[] = {WEIR_BOS_YES, WEIR_BOS_NO, WEIR_BOS_AUTO}; /* yes|no|auto */
    weir_bos bos = opts->bos >= 0 && args->has[opts->bos] ? choices[args->whole[opts->bos]] : WEIR_BOS_AUTO;
    weir_status status = WEIR_OK;
    *out = (struct prompts){0};
    for (size_t i = 0; i < args->n_given && status == WEIR_OK; i++)
        status = add_given(out, model, &args->given[i], opts, bos);
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
