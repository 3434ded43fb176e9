/* Reads a line of JSON as a prompt; an error names the column. */
#include "cli/args/jsonl.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/json.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 64, MOST_MEMBERS = 1024 };

/* A line while it is read. What is kept of it stays as it was written (a number has more digits than a double), so it
   must be JSON by the letter: cJSON alone takes 01, and control characters. */
struct scan {
    const char *line, *p, *end;
    const char *where;
};

/* A place in the line. */
struct span {
    const char *from, *to;
};

struct member {
    struct span name, value; /* with their quotes */
    char *key;
    bool used;
};

struct members {
    struct member *list; /* [n] */
    size_t n, capacity;
};

/* Columns count characters from 1. */
static weir_status fail_at_column(const struct scan *scan, const char *at, const char *what)
{
    size_t column = 1;
    for (const char *p = scan->line; p < at; p++)
        column += ((unsigned char)*p & 0xc0) != 0x80;
    return weir_fail(WEIR_E_INPUT, "%s, column %zu: %s", scan->where, column, what);
}

/* ---- the grammar ---- */

static void skip_space(struct scan *scan)
{
    while (scan->p < scan->end && (*scan->p == ' ' || *scan->p == '\t' || *scan->p == '\r'))
        scan->p++;
}

/* The next byte that is no space; 0 at the end. */
static char peek_character(struct scan *scan)
{
    skip_space(scan);
    return scan->p < scan->end ? *scan->p : '\0';
}

static weir_status expect_character(struct scan *scan, char c, const char *what)
{
    if (peek_character(scan) != c)
        return fail_at_column(scan, scan->p, what);
    scan->p++;
    return WEIR_OK;
}

/* The code unit of \uXXXX at p; -1 for anything else. */
static int code_unit(const struct scan *scan, const char *p)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    int unit = 0;
    if (scan->end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        const char *digit = memchr(digits, p[i], sizeof digits - 1);
        if (!digit)
            return -1;
        unit = 16 * unit + (int)(digit - digits) - (digit - digits < 16 ? 0 : 6);
    }
    return unit;
}

/* The bytes of the escape at p; 0: JSON does not have it, or it is half a surrogate pair, which is no character. */
static size_t escape_length(const struct scan *scan, const char *p)
{
    int unit = code_unit(scan, p);
    if (unit < 0)
        return p[1] && strchr("\"\\/bfnrt", p[1]) ? 2 : 0;
    if (unit < 0xd800 || unit > 0xdfff)
        return 6;
    int low = unit < 0xdc00 ? code_unit(scan, p + 6) : -1;
    return low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}

/* Checks every escape and control character, so that what is kept is JSON by the letter. */
static weir_status scan_string(struct scan *scan, struct span *out)
{
    out->from = scan->p;
    for (scan->p++; scan->p < scan->end && *scan->p != '"'; scan->p++) {
        if ((unsigned char)*scan->p < ' ')
            return fail_at_column(scan, scan->p, "a control character in a string: write it as \\n, \\t or \\uXXXX");
        if (*scan->p != '\\')
            continue;
        if (scan->end - scan->p >= 6 && memcmp(scan->p, "\\u0000", 6) == 0)
            return fail_at_column(scan, scan->p, "\\u0000 in a string is not supported");
        if (scan->end - scan->p < 2)
            break;
        size_t n = escape_length(scan, scan->p);
        if (n == 0)
            return fail_at_column(scan, scan->p, "this escape is not valid in JSON");
        scan->p += n - 1;
    }
    if (scan->p == scan->end || *scan->p != '"')
        return fail_at_column(scan, out->from, "the string that begins here has no end");
    out->to = ++scan->p;
    return WEIR_OK;
}

static bool scan_digits(struct scan *scan)
{
    const char *from = scan->p;
    while (scan->p < scan->end && *scan->p >= '0' && *scan->p <= '9')
        scan->p++;
    return scan->p > from;
}

/* An optional minus, digits without a leading 0, a fraction, an exponent. */
static weir_status scan_number(struct scan *scan)
{
    const char *from = scan->p;
    scan->p += *scan->p == '-';
    const char *first = scan->p;
    bool fine = scan_digits(scan) && (*first != '0' || scan->p == first + 1);
    if (fine && scan->p < scan->end && *scan->p == '.') {
        scan->p++;
        fine = scan_digits(scan);
    }
    if (fine && scan->p < scan->end && (*scan->p == 'e' || *scan->p == 'E')) {
        scan->p++;
        scan->p += scan->p < scan->end && (*scan->p == '-' || *scan->p == '+');
        fine = scan_digits(scan);
    }
    return fine ? WEIR_OK : fail_at_column(scan, from, "this is not a valid JSON number");
}

static weir_status scan_literal(struct scan *scan)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(scan->end - scan->p) >= n && memcmp(scan->p, words[i], n) == 0) {
            scan->p += n;
            return WEIR_OK;
        }
    }
    return fail_at_column(scan, scan->p,
                          "a value is missing here: a string, a number, true, false, null, [...] or {...}");
}

/* "name" of an object. */
static weir_status scan_name(struct scan *scan, struct span *out)
{
    if (peek_character(scan) != '"')
        return fail_at_column(scan, scan->p, "a name in double quotes is missing here");
    return scan_string(scan, out);
}

static weir_status scan_value(struct scan *scan, int depth);

/* The rest of an array or object; names of the latter are passed over. */
static weir_status scan_inside(struct scan *scan, char close, int depth)
{
    struct span name;
    if (depth > MOST_DEPTH)
        return fail_at_column(scan, scan->p, "nested deeper than 64");
    scan->p++;
    if (peek_character(scan) == close) {
        scan->p++;
        return WEIR_OK;
    }
    while (true) {
        if (close == '}') {
            TRY(scan_name(scan, &name));
            TRY(expect_character(scan, ':', "a colon is missing"));
        }
        TRY(scan_value(scan, depth));
        if (peek_character(scan) == close) {
            scan->p++;
            return WEIR_OK;
        }
        TRY(expect_character(scan, ',',
                             close == '}' ? "a comma or } is missing here" : "a comma or ] is missing here"));
    }
}

static weir_status scan_value(struct scan *scan, int depth)
{
    struct span span;
    char c = peek_character(scan);
    if (c == '"')
        return scan_string(scan, &span);
    if (c == '{' || c == '[')
        return scan_inside(scan, c == '{' ? '}' : ']', depth + 1);
    return c == '-' || (c >= '0' && c <= '9') ? scan_number(scan) : scan_literal(scan);
}

/* ---- the object ---- */

/* The text of a JSON string, in new memory. */
static weir_status decode_string(char **out, const struct scan *scan, struct span span)
{
    cJSON *value = cJSON_ParseWithLength(span.from, (size_t)(span.to - span.from));
    weir_status status = cJSON_IsString(value) ? weir_copy_string(out, value->valuestring)
                                               : fail_at_column(scan, span.from, "this string cannot be read");
    cJSON_Delete(value);
    return status;
}

/* Reads "name": value; a name that is there already is an error. */
static weir_status add_member(struct members *members, struct scan *scan)
{
    if (members->n == MOST_MEMBERS) /* each is compared with all before it */
        return fail_at_column(scan, scan->p, "an object of more than 1024 names");
    TRY(weir_grow(&members->list, &members->capacity, members->n + 1, sizeof *members->list));
    struct member *member = &members->list[members->n];
    *member = (struct member){0};
    TRY(scan_name(scan, &member->name));
    TRY(decode_string(&member->key, scan, member->name));
    members->n++;
    for (size_t i = 0; i + 1 < members->n; i++)
        if (strcmp(members->list[i].key, member->key) == 0)
            return fail_at_column(scan, member->name.from, "the object has this name twice");
    TRY(expect_character(scan, ':', "a colon is missing"));
    skip_space(scan);
    member->value.from = scan->p;
    TRY(scan_value(scan, 1));
    member->value.to = scan->p;
    return WEIR_OK;
}

/* One object, nothing but space around it. */
static weir_status scan_line(struct members *members, struct scan *scan)
{
    size_t bad;
    if (!weir_utf8_valid(scan->line, (size_t)(scan->end - scan->line), &bad))
        return fail_at_column(scan, scan->line + bad, "this is not UTF-8");
    TRY(expect_character(scan, '{', "a JSON object is missing here: {\"prompt\": \"...\"}"));
    while (members->n > 0 || peek_character(scan) != '}') {
        TRY(add_member(members, scan));
        if (peek_character(scan) == '}')
            break;
        TRY(expect_character(scan, ',', "a comma or } is missing here"));
    }
    scan->p++;
    return peek_character(scan) == '\0' && scan->p == scan->end
               ? WEIR_OK
               : fail_at_column(scan, scan->p, "there is text after the object");
}

static struct member *member_named(const struct members *members, const char *key)
{
    for (size_t i = 0; i < members->n; i++)
        if (strcmp(members->list[i].key, key) == 0)
            return *members->list[i].value.from == 'n' ? NULL : &members->list[i]; /* null is as nothing */
    return NULL;
}

/* ---- members: prompt, ids, and fields that are kept ---- */

/* A list of whole numbers of 0 to INT32_MAX; *at is where it is none. */
static bool list_of_ids(int32_t *ids, size_t *n, struct span span, const char **at)
{
    const char *p = span.from + 1;
    for (*n = 0;; p++) {
        p += strspn(p, " \t\r");
        *at = p;
        if (*p == ']')
            return *n == 0;
        char *end;
        errno = 0;
        long id = *p >= '0' && *p <= '9' ? strtol(p, &end, 10) : -1;
        if (id < 0 || errno || id > INT32_MAX)
            return false;
        ids[(*n)++] = (int32_t)id;
        p = end + strspn(end, " \t\r");
        if (*p == ']')
            return true;
        if (*p != ',')
            return false;
    }
}

static weir_status read_prompt_ids(struct jsonl *out, const struct scan *scan, struct span span)
{
    const char *at = span.from;
    TRY(weir_alloc(&out->ids, (size_t)(span.to - span.from), sizeof *out->ids));
    return *span.from == '[' && list_of_ids(out->ids, &out->n, span, &at)
               ? WEIR_OK
               : fail_at_column(scan, at, "token ids must be a list of whole numbers: [464, 3797]");
}

static weir_status take_prompt_text(struct jsonl *out, const struct scan *scan, const struct members *members)
{
    struct member *member = member_named(members, "prompt");
    member = member ? member : member_named(members, "text");
    if (!member)
        return WEIR_OK;
    member->used = true;
    return *member->value.from == '"' ? decode_string(&out->text, scan, member->value)
                                      : fail_at_column(scan, member->value.from, "a prompt must be a string");
}

static weir_status take_prompt_ids(struct jsonl *out, const struct scan *scan, const struct members *members)
{
    struct member *member = member_named(members, "ids");
    member = member || out->text ? member : member_named(members, "tokens");
    if (!member)
        return WEIR_OK;
    member->used = true;
    return read_prompt_ids(out, scan, member->value);
}

/* Which side of a pair the prompt is, and of which, as weir ls --json prints what --side made. */
static weir_status take_side(struct jsonl *out, const struct scan *scan, const struct members *members)
{
    const struct member *side = member_named(members, "side"), *line = member_named(members, "line");
    size_t digits = line ? strspn(line->value.from, "0123456789") : 0;
    out->line = -1;
    if (digits > 0 && digits < 10 && line->value.from + digits == line->value.to)
        out->line = strtol(line->value.from, NULL, 10);
    return side && *side->value.from == '"' ? decode_string(&out->side, scan, side->value) : WEIR_OK;
}

static size_t put_span(char *to, size_t at, struct span span)
{
    memcpy(to + at, span.from, (size_t)(span.to - span.from));
    return at + (size_t)(span.to - span.from);
}

/* The members that were not used, as an object, and `more`, members as text ("" for none), behind them. */
static weir_status take_fields(struct jsonl *out, const struct scan *scan, const struct members *members,
                               const char *more)
{
    char *text;
    size_t at = 0, n_more = strlen(more);
    TRY(weir_alloc(&text, (size_t)(scan->end - scan->line) + n_more + 4, 1));
    for (size_t i = 0; i < members->n; i++) {
        const struct member *member = &members->list[i];
        if (member->used)
            continue;
        text[at] = at == 0 ? '{' : ',';
        at = put_span(text, at + 1, member->name);
        text[at++] = ':';
        at = put_span(text, at, member->value);
    }
    if (n_more > 0) {
        text[at] = at == 0 ? '{' : ',';
        at = put_span(text, at + 1, (struct span){more, more + n_more});
    }
    if (at == 0) {
        weir_free(text);
        return WEIR_OK;
    }
    text[at] = '}';
    text[at + 1] = '\0';
    out->fields = text;
    return WEIR_OK;
}

static void close_members(struct members *members)
{
    for (size_t i = 0; i < members->n; i++)
        weir_free(members->list[i].key);
    weir_free(members->list);
}

weir_status jsonl_read(struct jsonl *out, const char *line, size_t n, const char *where)
{
    struct scan scan = {line, line, line + n, where};
    struct members members = {0};
    weir_status status;
    *out = (struct jsonl){0};
    TRY_DONE(scan_line(&members, &scan));
    TRY_DONE(take_prompt_text(out, &scan, &members));
    TRY_DONE(take_prompt_ids(out, &scan, &members));
    if (!out->text && !out->ids)
        TRY_DONE(
            weir_fail(WEIR_E_INPUT, "%s: the object has none of \"prompt\", \"text\", \"ids\" and \"tokens\"", where));
    TRY_DONE(take_side(out, &scan, &members));
    status = take_fields(out, &scan, &members, "");
done:
    close_members(&members);
    if (status != WEIR_OK)
        jsonl_close(out);
    return status;
}

/* ---- sides ---- */

static weir_status take_side_prompt(struct jsonl *out, const struct scan *scan, const struct members *members,
                                    const struct side *side)
{
    struct member *member = member_named(members, side->field);
    if (!member)
        return weir_fail(WEIR_E_INPUT, "%s: the object has no \"%s\", which is the prompt of side %s", scan->where,
                         side->field, side->name);
    member->used = true;
    if (*member->value.from == '[')
        return read_prompt_ids(out, scan, member->value);
    return *member->value.from == '"'
               ? decode_string(&out->text, scan, member->value)
               : fail_at_column(scan, member->value.from, "a prompt must be a string, or a list of token ids");
}

/* What is noted of a side's prompt may not be there already. */
static weir_status check_noted(const struct scan *scan, const struct members *members)
{
    for (size_t i = 0; i < members->n; i++)
        if (!members->list[i].used &&
            (strcmp(members->list[i].key, "side") == 0 || strcmp(members->list[i].key, "line") == 0))
            return fail_at_column(scan, members->list[i].name.from,
                                  "with --side, \"side\" and \"line\" say which prompt of which line it is: rename "
                                  "this member");
    return WEIR_OK;
}

static weir_status note_side(struct jsonl *out, const struct scan *scan, const struct members *members,
                             const struct side *side, size_t number)
{
    char more[128];
    if (snprintf(more, sizeof more, "\"side\":\"%s\",\"line\":%zu", side->name, number) >= (int)sizeof more)
        return weir_fail(WEIR_E_USAGE, "--side: %.32s... is longer than a name of a side may be", side->name);
    TRY(weir_copy_string(&out->side, side->name));
    out->line = (int64_t)number;
    return take_fields(out, scan, members, more);
}

weir_status jsonl_read_sides(struct jsonl *out, const struct sides *sides, size_t number, const char *line, size_t n,
                             const char *where)
{
    struct scan scan = {line, line, line + n, where};
    struct members members = {0};
    weir_status status;
    memset(out, 0, sides->n * sizeof *out);
    TRY_DONE(scan_line(&members, &scan));
    for (size_t i = 0; i < sides->n; i++)
        TRY_DONE(take_side_prompt(&out[i], &scan, &members, &sides->list[i]));
    TRY_DONE(check_noted(&scan, &members));
    for (size_t i = 0; i < sides->n; i++)
        TRY_DONE(note_side(&out[i], &scan, &members, &sides->list[i], number));
done:
    close_members(&members);
    for (size_t i = 0; status != WEIR_OK && i < sides->n; i++)
        jsonl_close(&out[i]);
    return status;
}

/* ---- which lines are prompts ---- */

/* True where "name": occurs in the line. */
static bool has_member_name(const char *line, size_t n, const char *name)
{
    size_t length = strlen(name);
    for (const char *p = line, *end = line + n; (p = memmem(p, (size_t)(end - p), name, length)) != NULL; p++) {
        const char *behind = p + length;
        while (behind < end && (*behind == ' ' || *behind == '\t'))
            behind++;
        if (behind < end && *behind == ':')
            return true;
    }
    return false;
}

bool jsonl_begins(const char *line, size_t n)
{
    size_t at = 0;
    while (at < n && (line[at] == ' ' || line[at] == '\t'))
        at++;
    return at < n && line[at] == '{' &&
           (has_member_name(line, n, "\"prompt\"") || has_member_name(line, n, "\"text\"") ||
            has_member_name(line, n, "\"ids\"") || has_member_name(line, n, "\"tokens\""));
}

void jsonl_close(struct jsonl *line)
{
    weir_free(line->text);
    weir_free(line->ids);
    weir_free(line->fields);
    weir_free(line->side);
    *line = (struct jsonl){0};
}
