/* Reads a chain of stages from JSON and runs it. */
#include "token/stages.h"

#include "base/alloc.h"

#include <string.h>

static void stage_close(struct weir_stage *stage)
{
    weir_regex_close(stage->regex);
    weir_text_close(&stage->string);
    weir_charsmap_close(&stage->charsmap);
}

void weir_stages_close(struct weir_stages *stages)
{
    for (size_t i = 0; i < stages->n; i++)
        stage_close(&stages->stages[i]);
    weir_free(stages->stages);
    *stages = (struct weir_stages){0};
}

weir_status weir_read_string(const cJSON *json, const char *file, const char *key, const char **out)
{
    *out = NULL;
    TRY(weir_json_string(json, file, key, out));
    return *out ? WEIR_OK : weir_fail(WEIR_E_INPUT, "%s: \"%s\" is missing", file, key);
}

weir_status weir_read_pattern(struct weir_regex **out, const cJSON *json, const char *file)
{
    const cJSON *pattern = weir_json_get(json, "pattern");
    const char *text = NULL;
    if (!cJSON_IsObject(pattern))
        return weir_fail(WEIR_E_INPUT, "%s: \"pattern\" must be {\"String\": ...} or {\"Regex\": ...}", file);
    TRY(weir_json_string(pattern, file, "String", &text));
    if (text)
        return weir_regex_open_literal(out, file, text, strlen(text));
    TRY(weir_read_string(pattern, file, "Regex", &text));
    return weir_regex_open(out, file, text, strlen(text));
}

weir_status weir_stages_add(struct weir_stages *stages, const struct weir_stage_type *type, struct weir_stage **out)
{
    if (stages->n == stages->capacity)
        TRY(weir_grow(&stages->stages, &stages->capacity, stages->n + 1, sizeof *stages->stages));
    *out = &stages->stages[stages->n++];
    **out = (struct weir_stage){.type = type};
    return WEIR_OK;
}

static weir_status add_stage(struct weir_stages *stages, const struct weir_stage_type *type, const cJSON *json,
                             const char *file)
{
    struct weir_stage *stage;
    TRY(weir_stages_add(stages, type, &stage));
    return type->read ? type->read(stage, json, file) : WEIR_OK;
}

/* Passed by weir_stages_read down into Sequences. */
struct reading {
    struct weir_stages *stages;
    const struct weir_stage_type *table;
    size_t n_table;
    const char *what, *members, *file;
};

static weir_status read_one(const struct reading *r, const cJSON *json, int depth);

static weir_status read_sequence(const struct reading *r, const cJSON *json, int depth)
{
    const cJSON *members = weir_json_get(json, r->members), *member;
    if (!cJSON_IsArray(members))
        return weir_fail(WEIR_E_INPUT, "%s: %s Sequence: \"%s\" must be an array", r->file, r->what, r->members);
    if (depth == WEIR_MAX_NESTING)
        return weir_fail(WEIR_E_INPUT, "%s: %s Sequences are nested deeper than %d", r->file, r->what,
                         WEIR_MAX_NESTING);
    cJSON_ArrayForEach(member, members)
    {
        TRY(read_one(r, member, depth + 1));
    }
    return WEIR_OK;
}

static weir_status read_one(const struct reading *r, const cJSON *json, int depth)
{
    const char *type = NULL;
    if (!cJSON_IsObject(json))
        return weir_fail(WEIR_E_INPUT, "%s: a %s must be an object", r->file, r->what);
    TRY(weir_in(weir_read_string(json, r->file, "type", &type), r->what));
    if (strcmp(type, "Sequence") == 0)
        return read_sequence(r, json, depth);
    for (size_t i = 0; i < r->n_table; i++)
        if (strcmp(r->table[i].name, type) == 0)
            return add_stage(r->stages, &r->table[i], json, r->file);
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: %s of type \"%s\" is not supported", r->file, r->what, type);
}

weir_status weir_stages_read(struct weir_stages *stages, const struct weir_stage_type *table, size_t n_table,
                             const char *what, const char *members, const cJSON *json, const char *file)
{
    struct reading r = {stages, table, n_table, what, members, file};
    return !json || cJSON_IsNull(json) ? WEIR_OK : read_one(&r, json, 0);
}

/* GPT-2's way of writing bytes as letters: visible ones stand for themselves, the others follow 256. */
static bool is_visible_byte(unsigned byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

uint32_t weir_byte_code(unsigned char byte)
{
    if (is_visible_byte(byte))
        return byte;
    if (byte <= ' ')
        return 256u + byte;
    return byte == 0xad ? 256 + 67 : 256u + 33 + (byte - 0x7fu);
}

int weir_code_byte(uint32_t code)
{
    if (code < 256)
        return is_visible_byte(code) ? (int)code : -1;
    if (code < 256 + 33)
        return (int)code - 256;
    if (code < 256 + 67)
        return (int)(code - 256 - 33) + 0x7f;
    return code == 256 + 67 ? 0xad : -1;
}
