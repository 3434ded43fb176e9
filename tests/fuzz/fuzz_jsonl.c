/* Any bytes as a file of prompts, a JSON object a line: what is taken is JSON, and what is kept of it says the same
 * again. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "cli/args/jsonl.h"

#include <cjson/cJSON.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool fine)
{
    if (!fine)
        __builtin_trap();
}

static size_t count_members(const cJSON *object)
{
    return (size_t)cJSON_GetArraySize(object);
}

/* cJSON takes more than JSON is, so that what it refuses must not have been taken. */
static cJSON *parse_object(const char *text, size_t n)
{
    cJSON *object = cJSON_ParseWithLength(text, n);
    demand(cJSON_IsObject(object));
    return object;
}

static void check_prompt(const struct jsonl *line)
{
    size_t bad;
    demand(line->text || line->ids);
    demand(!line->text || weir_utf8_valid(line->text, strlen(line->text), &bad));
    for (size_t i = 0; i < line->n; i++)
        demand(line->ids[i] >= 0);
}

/* Fields read again beside a prompt are the same fields; one of them is taken where it could be the prompt's text. */
static void check_fields(const struct jsonl *line, const cJSON *whole)
{
    static const char begin[] = "{\"prompt\":\"\",\"ids\":[],";
    struct jsonl again;
    char *text;
    size_t n = strlen(line->fields);
    cJSON *fields = parse_object(line->fields, n);
    demand(count_members(fields) > 0 && count_members(fields) < count_members(whole));
    bool takes = cJSON_GetObjectItemCaseSensitive(fields, "prompt") || cJSON_GetObjectItemCaseSensitive(fields, "ids");
    cJSON_Delete(fields);
    if (takes || weir_alloc(&text, sizeof begin + n, 1) != WEIR_OK)
        return;
    memcpy(text, begin, sizeof begin - 1);
    memcpy(text + sizeof begin - 1, line->fields + 1, n);
    if (jsonl_read(&again, text, strlen(text), "again") == WEIR_OK) { /* not with 1024 names and two more */
        demand(again.fields && strcmp(again.fields, line->fields) == 0);
        jsonl_close(&again);
    }
    weir_free(text);
}

/* Two sides in one line: each has a prompt, and fields that say which it is. */
static void try_pair(const char *text, size_t n)
{
    struct side both[] = {{"prompt", "prompt"}, {"other", "text"}};
    const struct sides sides = {.list = both, .n = 2};
    struct jsonl lines[2];
    if (jsonl_read_sides(lines, &sides, 7, text, n, "line") != WEIR_OK)
        return;
    for (size_t i = 0; i < 2; i++) {
        check_prompt(&lines[i]);
        demand(lines[i].fields && lines[i].line == 7 && strcmp(lines[i].side, both[i].name) == 0);
        cJSON *fields = parse_object(lines[i].fields, strlen(lines[i].fields));
        demand(strcmp(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(fields, "side")), both[i].name) == 0);
        cJSON_Delete(fields);
        jsonl_close(&lines[i]);
    }
}

static void try_line(const char *text, size_t n)
{
    struct jsonl line;
    bool begins = jsonl_begins(text, n);
    if (jsonl_read(&line, text, n, "line") != WEIR_OK)
        return;
    cJSON *whole = parse_object(text, n);
    check_prompt(&line);
    demand(begins || memchr(text, '\\', n) || memchr(text, '\r', n)); /* names may be written with escapes */
    if (line.fields)
        check_fields(&line, whole);
    cJSON_Delete(whole);
    jsonl_close(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((stop ? stop : end) - at);
        char *line; /* of its own size, so that reading past its end is seen */
        if (weir_alloc(&line, n, 1) != WEIR_OK)
            return 0;
        memcpy(line, at, n);
        try_line(line, n);
        try_pair(line, n);
        weir_free(line);
        at += n + 1;
    }
    return 0;
}
