/* Walks JSON text value by value, without a tree. */
#include "base/json_text.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

static weir_status not_json(const struct weir_json_text *t)
{
    return weir_fail(WEIR_E_INPUT, "%s: byte %zu: not valid JSON", t->file, (size_t)(t->at - t->begin));
}

char weir_json_peek(struct weir_json_text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t' || *t->at == '\r'))
        t->at++;
    return t->at < t->end ? *t->at : '\0';
}

weir_status weir_json_take(struct weir_json_text *t, char c)
{
    if (weir_json_peek(t) != c || t->at == t->end)
        return not_json(t);
    t->at++;
    return WEIR_OK;
}

weir_status weir_json_enter(struct weir_json_text *t, char open, char close, bool *more)
{
    TRY(weir_json_take(t, open));
    *more = weir_json_peek(t) != close;
    return *more ? WEIR_OK : weir_json_take(t, close);
}

weir_status weir_json_next(struct weir_json_text *t, char close, bool *more)
{
    *more = weir_json_peek(t) == ',';
    return weir_json_take(t, *more ? ',' : close);
}

/* ---- strings and numbers --------------------------------------------------------------------------------------- */

static bool four_digits(const struct weir_json_text *t, const char *at, uint32_t *out)
{
    *out = 0;
    if (t->end - at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        *out = *out << 4 | (uint32_t)digit;
    }
    return true;
}

/* At the digits of \uXXXX, or of two of them that are surrogates of one character. */
static weir_status take_code(struct weir_json_text *t, char *to, size_t *n)
{
    uint32_t code, low;
    if (!four_digits(t, t->at, &code))
        return not_json(t);
    if (code == 0)
        return weir_fail(WEIR_E_INPUT, "%s: byte %zu: \\u0000 in a string is not supported", t->file,
                         (size_t)(t->at - 2 - t->begin));
    if (code >= 0xd800 && code < 0xe000) {
        if (code >= 0xdc00 || t->end - t->at < 10 || memcmp(t->at + 4, "\\u", 2) != 0 ||
            !four_digits(t, t->at + 6, &low) || low < 0xdc00 || low >= 0xe000)
            return not_json(t);
        code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
        t->at += 6;
    }
    t->at += 4;
    *n = weir_utf8_encode(to, code);
    return WEIR_OK;
}

/* The character of an escape as UTF-8; two \u escapes make one where they are surrogates. */
static weir_status take_escape(struct weir_json_text *t, char *to, size_t *n)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    if (t->end - t->at < 2)
        return not_json(t);
    char c = t->at[1];
    const char *known = c ? strchr(from, c) : NULL;
    if (!known && c != 'u')
        return not_json(t);
    t->at += 2;
    *n = 1;
    if (!known)
        return take_code(t, to, n);
    *to = into[known - from];
    return WEIR_OK;
}

/* Up to the quote, backslash or NUL that comes first. */
static const char *plain_end(const char *at, const char *end)
{
    while (at < end && *at != '"' && *at != '\\' && *at != '\0')
        at++;
    return at;
}

static weir_status keep_string(struct weir_json_chars *out, const char *bytes, size_t n)
{
    if (out->n + n > out->capacity)
        TRY(weir_grow(&out->own, &out->capacity, out->n + n, 1));
    memcpy(out->own + out->n, bytes, n);
    out->n += n;
    return WEIR_OK;
}

/* The first escape is at t->at, after `from`. */
static weir_status take_escaped(struct weir_json_text *t, struct weir_json_chars *out, const char *from)
{
    char code[4];
    size_t n = 0;
    out->n = 0;
    for (;;) {
        if (t->at > from)
            TRY(keep_string(out, from, (size_t)(t->at - from)));
        if (t->at == t->end || *t->at == '\0')
            return not_json(t);
        if (*t->at++ == '"')
            break;
        t->at--;
        TRY(take_escape(t, code, &n));
        TRY(keep_string(out, code, n));
        from = t->at;
        t->at = plain_end(from, t->end);
    }
    out->text = out->own;
    return WEIR_OK;
}

weir_status weir_json_take_string(struct weir_json_text *t, struct weir_json_chars *out)
{
    TRY(weir_json_take(t, '"'));
    const char *from = t->at;
    t->at = plain_end(from, t->end);
    if (t->at == t->end || *t->at != '"')
        return take_escaped(t, out, from);
    out->text = from;
    out->n = (size_t)(t->at++ - from);
    return WEIR_OK;
}

void weir_json_string_close(struct weir_json_chars *string)
{
    weir_free(string->own);
    *string = (struct weir_json_chars){0};
}

weir_status weir_json_take_number(struct weir_json_text *t, double *out)
{
    char digits[64], *end;
    size_t n = 0;
    weir_json_peek(t);
    while (n < sizeof digits - 1 && t->end - t->at > (ptrdiff_t)n && t->at[n] && strchr("0123456789+-.eE", t->at[n])) {
        digits[n] = t->at[n];
        n++;
    }
    digits[n] = '\0';
    *out = 0;
    if (n > 0 && n < 10 && strspn(digits, "0123456789") == n) { /* what ids are: strtod takes its time */
        for (size_t i = 0; i < n; i++)
            *out = 10 * *out + (digits[i] - '0');
    } else {
        char *point = strchr(digits, '.');
        if (point)
            *point = *localeconv()->decimal_point; /* the program's, which strtod wants */
        *out = strtod(digits, &end);
        if (n == 0 || *end != '\0')
            return not_json(t);
    }
    t->at += n;
    return WEIR_OK;
}

/* ---- documents whose large parts stay text --------------------------------------------------------------------- */

/* Over the string at `at`; NULL where it does not end. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : NULL;
}

enum kind { OTHER, QUOTE, COMMA, OPENS, CLOSES };

/* Over the value at `at`, as far as quotes and brackets go: the rest is for who reads it. NULL where it does not end.
   Of an array or object *n_commas is how many elements but one it has. */
static const char *skip_value(const char *at, const char *end, size_t *n_commas)
{
    static const uint8_t kinds[256] = {
        ['"'] = QUOTE, [','] = COMMA, ['{'] = OPENS, ['['] = OPENS, ['}'] = CLOSES, [']'] = CLOSES};
    size_t depth = 0;
    *n_commas = 0;
    if (at < end && *at == '"')
        return skip_string(at, end);
    while (at && at < end) {
        switch (kinds[(uint8_t)*at]) {
        case QUOTE:
            at = skip_string(at, end);
            continue;
        case OPENS:
            depth++;
            break;
        case CLOSES:
            if (depth == 0)
                return at;
            if (--depth == 0)
                return at + 1;
            break;
        case COMMA:
            if (depth == 0)
                return at;
            *n_commas += depth == 1;
            break;
        default:
            break;
        }
        at++;
    }
    return NULL;
}

static bool is_named(const struct weir_json_chars *key, const char *name)
{
    return key->n > 0 && key->n == strlen(name) && memcmp(key->text, name, key->n) == 0;
}

/* The first of the names that this member has and that was not found before; n_names where it is another. */
static size_t name_of(const struct weir_json_chars *key, const char *const *names, size_t n_names,
                      const struct weir_json_text *parts)
{
    for (size_t i = 0; i < n_names; i++)
        if (!parts[i].begin && is_named(key, names[i]))
            return i;
    return n_names;
}

/* Up to the value of the next member. */
static weir_status take_key(struct weir_json_text *t, struct weir_json_chars *key)
{
    TRY(weir_json_take_string(t, key));
    return weir_json_take(t, ':');
}

/* Skips a value; *part: where it is. */
static weir_status find_value(struct weir_json_text *t, struct weir_json_text *part)
{
    char first = weir_json_peek(t);
    size_t n_commas;
    const char *end = skip_value(t->at, t->end, &n_commas);
    if (!end)
        return not_json(t);
    bool large = first == '{' || first == '[';
    size_t n = (size_t)(end - t->at) / 4; /* an element of four bytes is the least that a reader takes */
    *part = (struct weir_json_text){t->file, t->begin, large ? t->at : NULL, large ? end : NULL,
                                    n_commas < n ? n_commas + 1 : n};
    t->at = end;
    return WEIR_OK;
}

/* Over the object at t->at; values with one of the names, the first of each. parts[i].begin is set when the name was
   met. Ends early where the text is not JSON: parsing the rest reports that. */
static weir_status find_members(struct weir_json_text *t, const char *const *names, size_t n_names,
                                struct weir_json_text *parts)
{
    struct weir_json_chars key = {0};
    struct weir_json_text unwanted;
    weir_status status;
    bool more;
    TRY(weir_json_enter(t, '{', '}', &more));
    while (more) {
        TRY_DONE(take_key(t, &key));
        size_t i = name_of(&key, names, n_names, parts);
        TRY_DONE(find_value(t, i < n_names ? &parts[i] : &unwanted));
        TRY_DONE(weir_json_next(t, '}', &more));
    }
    status = WEIR_OK;
done:
    weir_json_string_close(&key);
    return status;
}

/* The same of the object that is the first member called `within`. It is nearly all of the text, and is read once. */
static weir_status find_parts(struct weir_json_text *t, const char *within, const char *const *names, size_t n_names,
                              struct weir_json_text *parts)
{
    struct weir_json_chars key = {0};
    struct weir_json_text unwanted;
    weir_status status = WEIR_OK;
    bool met = false, more;
    if (weir_json_peek(t) != '{')
        return WEIR_OK;
    TRY(weir_json_enter(t, '{', '}', &more));
    while (more) {
        TRY_DONE(take_key(t, &key));
        bool first = !met && is_named(&key, within);
        met = met || first;
        if (first && weir_json_peek(t) == '{')
            TRY_DONE(find_members(t, names, n_names, parts));
        else
            TRY_DONE(find_value(t, &unwanted));
        TRY_DONE(weir_json_next(t, '}', &more));
    }
done:
    weir_json_string_close(&key);
    return status;
}

/* The part that begins first at or after `from`; NULL when there is none. */
static const struct weir_json_text *next_part(const struct weir_json_text *parts, size_t n_parts, const char *from)
{
    const struct weir_json_text *next = NULL;
    for (size_t i = 0; i < n_parts; i++)
        if (parts[i].at && parts[i].at >= from && (!next || parts[i].at < next->at))
            next = &parts[i];
    return next;
}

/* Each part becomes a null. */
static weir_status without_parts(char **out, size_t *n_out, const char *text, size_t n,
                                 const struct weir_json_text *parts, size_t n_parts)
{
    const char *from = text, *end = text + n;
    const struct weir_json_text *part;
    size_t at = 0, room = n + 4 * n_parts;
    for (size_t i = 0; i < n_parts; i++)
        room -= (size_t)(parts[i].end - parts[i].at);
    TRY(weir_alloc(out, room, 1));
    while ((part = next_part(parts, n_parts, from))) {
        memcpy(*out + at, from, (size_t)(part->at - from));
        at += (size_t)(part->at - from);
        memcpy(*out + at, "null", 4);
        at += 4;
        from = part->end;
    }
    memcpy(*out + at, from, (size_t)(end - from));
    *n_out = at + (size_t)(end - from);
    return WEIR_OK;
}

/* The message for a document that is not JSON: as parsing it whole would put it, else as it was found. */
static weir_status explain_failure(weir_status found, const char *file, const char *text, size_t n)
{
    cJSON *whole;
    if (found == WEIR_E_MEMORY)
        return found;
    TRY(weir_json_parse(&whole, file, text, n));
    cJSON_Delete(whole);
    return found;
}

static weir_status parse_rest(cJSON **out, const char *file, const char *text, size_t n,
                              const struct weir_json_text *parts, size_t n_parts)
{
    char *rest = NULL;
    size_t n_rest;
    TRY(without_parts(&rest, &n_rest, text, n, parts, n_parts));
    weir_status status = weir_json_parse(out, file, rest, n_rest);
    weir_free(rest);
    return status;
}

weir_status weir_json_parse_without(cJSON **out, const char *file, const char *text, size_t n, const char *within,
                                    const char *const *names, size_t n_names, struct weir_json_text *parts)
{
    static const char mark[] = "\xef\xbb\xbf"; /* of byte order: cJSON lets it pass */
    size_t bad;
    *out = NULL;
    memset(parts, 0, n_names * sizeof *parts);
    if (!weir_utf8_valid(text, n, &bad))
        return weir_fail(WEIR_E_INPUT, "%s: byte %zu: not UTF-8", file, bad);
    struct weir_json_text t = {.file = file, .begin = text, .at = text, .end = text + n};
    if (n > 3 && memcmp(text, mark, 3) == 0)
        t.at += 3;
    weir_status status = find_parts(&t, within, names, n_names, parts);
    if (status == WEIR_OK)
        status = parse_rest(out, file, text, n, parts, n_names);
    return status == WEIR_OK ? WEIR_OK : explain_failure(status, file, text, n);
}
