/* Parses JSON into trees with cJSON, and reads values of a known type from them. */
#include "base/json.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/map.h"

#include <math.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

/* Refuses what cJSON accepts: nesting that overflows its stack, bytes that are not UTF-8, strings that end at \u0000.
   And whether there may be numbers that JSON does not have. */
static weir_status check_before_parsing(const char *file, const char *text, size_t n, bool *unusual)
{
    size_t bad, depth = 0;
    *unusual = false;
    if (!weir_utf8_valid(text, n, &bad))
        return weir_fail(WEIR_E_INPUT, "%s: byte %zu: not UTF-8", file, bad);
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (c == '\0')
            return weir_fail(WEIR_E_INPUT, "%s: byte %zu: NUL in JSON", file, i);
        if (in_string && c == '\\') {
            if (n - i >= 6 && memcmp(text + i, "\\u0000", 6) == 0)
                return weir_fail(WEIR_E_INPUT, "%s: byte %zu: \\u0000 in a string is not supported", file, i);
            i++;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string && (c == '{' || c == '[')) {
            if (++depth > MAX_DEPTH)
                return weir_fail(WEIR_E_INPUT, "%s: byte %zu: nested deeper than %d", file, i, MAX_DEPTH);
        } else if (!in_string && (c == '}' || c == ']') && depth > 0) {
            depth--;
        } else if (!in_string && (c == 'N' || c == 'I')) {
            *unusual = true;
        }
    }
    return WEIR_OK;
}

static bool only_space(const char *p, const char *end)
{
    for (; p < end; p++)
        if (*p != ' ' && *p != '\t' && *p != '\n' && *p != '\r')
            return false;
    return true;
}

static weir_status parse_text(cJSON **out, const char *file, const char *text, size_t n)
{
    const char *end = text;
    cJSON *value = cJSON_ParseWithLengthOpts(text, n, &end, false);
    if (!value)
        return weir_fail(WEIR_E_INPUT, "%s: byte %zu: not valid JSON", file, end ? (size_t)(end - text) : 0);
    if (!only_space(end, text + n)) {
        cJSON_Delete(value);
        return weir_fail(WEIR_E_INPUT, "%s: byte %zu: text after the JSON value", file, (size_t)(end - text));
    }
    *out = value;
    return WEIR_OK;
}

static void write_over(char *text, size_t n, const char *word, const char *same_length)
{
    size_t length = strlen(word);
    if (n >= length && memcmp(text, word, length) == 0)
        memcpy(text, same_length, length);
}

/* Python writes NaN and Infinity. The first becomes a NaN, the others an unusable number, so that
   whoever needs a number there refuses them; each as long as the word was, so that the rest keeps its place. */
static void replace_constants(char *text, size_t n)
{
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '"')
            in_string = !in_string;
        else if (in_string && text[i] == '\\')
            i++;
        else if (!in_string && text[i] == 'N')
            write_over(text + i, n - i, "NaN", "[] ");
        else if (!in_string && text[i] == 'I')
            write_over(text + i, n - i, "Infinity", "1e999999");
    }
}

weir_status weir_json_parse(cJSON **out, const char *file, const char *text, size_t n)
{
    char *copy = NULL;
    bool unusual;
    *out = NULL;
    TRY(check_before_parsing(file, text, n, &unusual));
    if (!unusual)
        return parse_text(out, file, text, n);
    TRY(weir_copy_bytes(&copy, text, n));
    replace_constants(copy, n);
    weir_status status = parse_text(out, file, copy, n);
    weir_free(copy);
    return status;
}

weir_status weir_json_read(cJSON **out, const char *path)
{
    struct weir_map *map;
    *out = NULL;
    TRY(weir_map_open(&map, path));
    weir_status status = weir_json_parse(out, path, map->data ? (const char *)map->data : "", map->size);
    weir_map_close(map);
    return status;
}

const cJSON *weir_json_get(const cJSON *object, const char *key)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNull(member) ? NULL : member;
}

static weir_status fail_json_type(const char *file, const char *key, const char *wanted)
{
    return weir_fail(WEIR_E_INPUT, "%s: \"%s\" must be %s", file, key, wanted);
}

weir_status weir_json_int(const cJSON *object, const char *file, const char *key, int64_t min, int64_t max,
                          int64_t *out)
{
    const cJSON *member = weir_json_get(object, key);
    if (!member)
        return WEIR_OK;
    if (!cJSON_IsNumber(member) || member->valuedouble != floor(member->valuedouble))
        return fail_json_type(file, key, "a whole number");
    if (member->valuedouble < (double)min || member->valuedouble > (double)max)
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" is %.17g; it must be from %lld to %lld", file, key,
                         member->valuedouble, (long long)min, (long long)max);
    *out = (int64_t)member->valuedouble;
    return WEIR_OK;
}

weir_status weir_json_number(const cJSON *object, const char *file, const char *key, double *out)
{
    const cJSON *member = weir_json_get(object, key);
    if (!member)
        return WEIR_OK;
    if (!cJSON_IsNumber(member) || !isfinite(member->valuedouble))
        return fail_json_type(file, key, "a number");
    *out = member->valuedouble;
    return WEIR_OK;
}

weir_status weir_json_bool(const cJSON *object, const char *file, const char *key, bool *out)
{
    const cJSON *member = weir_json_get(object, key);
    if (!member)
        return WEIR_OK;
    if (!cJSON_IsBool(member))
        return fail_json_type(file, key, "true or false");
    *out = cJSON_IsTrue(member);
    return WEIR_OK;
}

weir_status weir_json_string(const cJSON *object, const char *file, const char *key, const char **out)
{
    const cJSON *member = weir_json_get(object, key);
    if (!member)
        return WEIR_OK;
    if (!cJSON_IsString(member))
        return fail_json_type(file, key, "a string");
    *out = member->valuestring;
    return WEIR_OK;
}
