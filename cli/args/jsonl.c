/* Reads a line of JSON as a prompt; an error names the column. */
#include "cli/args/jsonl.h"

#include "base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_MEMBERS = 1024 };

struct member {
    struct span name, value; /* with their quotes */
    char *key;
    bool used;
};

struct members {
    struct member *list; /* [n] */
    size_t n, capacity;
};

/* ---- the object ---- */

/* Reads "name": value; a name that is there already is an error. */
static weir_status add_member(struct members *members, struct scan *scan)
{
    if (members->n == MOST_MEMBERS) /* each is compared with all before it */
        return scan_fail(scan, scan->p, "an object of more than 1024 names");
    TRY(weir_grow(&members->list, &members->capacity, members->n + 1, sizeof *members->list));
    struct member *member = &members->list[members->n];
    *member = (struct member){0};
    TRY(scan_name(scan, &member->name));
    TRY(scan_text(&member->key, scan, member->name));
    members->n++;
    for (size_t i = 0; i + 1 < members->n; i++)
        if (strcmp(members->list[i].key, member->key) == 0)
            return scan_fail(scan, member->name.from, "the object has this name twice");
    TRY(scan_expect(scan, ':', "a colon is missing"));
    scan_peek(scan);
    member->value.from = scan->p;
    TRY(scan_value(scan, 1));
    member->value.to = scan->p;
    return WEIR_OK;
}

/* One object, nothing but space around it. */
static weir_status scan_line(struct members *members, struct scan *scan)
{
    bool more = true;
    TRY(scan_utf8(scan));
    TRY(scan_expect(scan, '{', "a JSON object is missing here: {\"prompt\": \"...\"}"));
    if (scan_peek(scan) == '}') {
        more = false;
        scan->p++;
    }
    while (more) {
        TRY(add_member(members, scan));
        TRY(scan_next(scan, '}', &more));
    }
    return scan_peek(scan) == '\0' && scan->p == scan->end ? WEIR_OK
                                                           : scan_fail(scan, scan->p, "there is text after the object");
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
        p += strspn(p, " \t\r\n");
        *at = p;
        if (*p == ']')
            return *n == 0;
        char *end;
        errno = 0;
        long id = *p >= '0' && *p <= '9' ? strtol(p, &end, 10) : -1;
        if (id < 0 || errno || id > INT32_MAX)
            return false;
        ids[(*n)++] = (int32_t)id;
        p = end + strspn(end, " \t\r\n");
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
               : scan_fail(scan, at, "token ids must be a list of whole numbers: [464, 3797]");
}

static weir_status take_prompt_text(struct jsonl *out, const struct scan *scan, const struct members *members)
{
    struct member *member = member_named(members, "prompt");
    member = member ? member : member_named(members, "text");
    if (!member)
        return WEIR_OK;
    member->used = true;
    return *member->value.from == '"' ? scan_text(&out->text, scan, member->value)
                                      : scan_fail(scan, member->value.from, "a prompt must be a string");
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
    return side && *side->value.from == '"' ? scan_text(&out->side, scan, side->value) : WEIR_OK;
}

static size_t put_span(char *to, size_t at, struct span span)
{
    memcpy(to + at, span.from, (size_t)(span.to - span.from));
    return at + (size_t)(span.to - span.from);
}

/* The members that were not used, as an object, and `more`, members as text ("" for none), behind them. */
static weir_status take_fields(struct jsonl *out, const struct members *members, const char *more)
{
    char *text;
    size_t at = 0, n_more = strlen(more), n = members->n;
    size_t most = n > 0 ? (size_t)(members->list[n - 1].value.to - members->list[0].name.from) : 0;
    TRY(weir_alloc(&text, most + n_more + 4, 1));
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

static weir_status read_prompt_object(struct jsonl *out, struct scan *scan)
{
    struct members members = {0};
    weir_status status;
    *out = (struct jsonl){0};
    TRY_DONE(scan_line(&members, scan));
    TRY_DONE(take_prompt_text(out, scan, &members));
    TRY_DONE(take_prompt_ids(out, scan, &members));
    if (!out->text && !out->ids)
        TRY_DONE(weir_fail(WEIR_E_INPUT, "%s: the object has none of \"prompt\", \"text\", \"ids\" and \"tokens\"",
                           scan->where));
    TRY_DONE(take_side(out, scan, &members));
    status = take_fields(out, &members, "");
done:
    close_members(&members);
    if (status != WEIR_OK)
        jsonl_close(out);
    return status;
}

weir_status jsonl_read(struct jsonl *out, const char *line, size_t n, const char *where)
{
    struct scan scan = {line, line, line + n, where, false};
    return read_prompt_object(out, &scan);
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
               ? scan_text(&out->text, scan, member->value)
               : scan_fail(scan, member->value.from, "a prompt must be a string, or a list of token ids");
}

/* What is noted of a side's prompt may not be there already. */
static weir_status check_noted(const struct scan *scan, const struct members *members)
{
    for (size_t i = 0; i < members->n; i++)
        if (!members->list[i].used &&
            (strcmp(members->list[i].key, "side") == 0 || strcmp(members->list[i].key, "line") == 0))
            return scan_fail(scan, members->list[i].name.from,
                             "with --side, \"side\" and \"line\" say which prompt of which line it is: rename "
                             "this member");
    return WEIR_OK;
}

static weir_status note_side(struct jsonl *out, const struct members *members, const struct side *side, size_t number)
{
    char more[128];
    if (snprintf(more, sizeof more, "\"side\":\"%s\",\"line\":%zu", side->name, number) >= (int)sizeof more)
        return weir_fail(WEIR_E_USAGE, "--side: %.32s... is longer than a name of a side may be", side->name);
    TRY(weir_copy_string(&out->side, side->name));
    out->line = (int64_t)number;
    return take_fields(out, members, more);
}

static weir_status read_pair_object(struct jsonl *out, const struct sides *sides, size_t number, struct scan *scan)
{
    struct members members = {0};
    weir_status status;
    memset(out, 0, sides->n * sizeof *out);
    TRY_DONE(scan_line(&members, scan));
    for (size_t i = 0; i < sides->n; i++)
        TRY_DONE(take_side_prompt(&out[i], scan, &members, &sides->list[i]));
    TRY_DONE(check_noted(scan, &members));
    for (size_t i = 0; i < sides->n; i++)
        TRY_DONE(note_side(&out[i], &members, &sides->list[i], number));
done:
    close_members(&members);
    for (size_t i = 0; status != WEIR_OK && i < sides->n; i++)
        jsonl_close(&out[i]);
    return status;
}

weir_status jsonl_read_sides(struct jsonl *out, const struct sides *sides, size_t number, const char *line, size_t n,
                             const char *where)
{
    struct scan scan = {line, line, line + n, where, false};
    return read_pair_object(out, sides, number, &scan);
}

weir_status jsonl_check(const struct scan *object, const struct sides *sides)
{
    struct scan scan = *object;
    struct jsonl *read;
    size_t n = sides->n ? sides->n : 1;
    TRY(weir_alloc_zero(&read, n, sizeof *read));
    weir_status status = sides->n ? read_pair_object(read, sides, 0, &scan) : read_prompt_object(read, &scan);
    for (size_t i = 0; i < n; i++)
        jsonl_close(&read[i]);
    weir_free(read);
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
