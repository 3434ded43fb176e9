/* Rewrites an expression of Oniguruma's syntax for PCRE2, every class as ranges. */
#include "token/regex_rewrite.h"

#include "base/alloc.h"
#include "token/charset.h"

#include <stdio.h>
#include <string.h>

enum { MAX_NESTING = 50, MAX_REWRITTEN = 4 << 20 };

struct rewriter {
    const char *file, *pattern;
    size_t n, at;
    struct weir_text *out;
    size_t atom; /* where in `out` the last atom begins: what a quantifier applies to */
    int depth;   /* of groups, then of brackets */
    bool caseless;
    struct {
        size_t atom;
        bool caseless;
    } groups[MAX_NESTING];
};

static weir_status refuse_syntax(const struct rewriter *r, const char *what)
{
    int shown = (int)(r->n < 80 ? r->n : 80);
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: regular expression \"%.*s\": %s at byte %zu is not supported", r->file,
                     shown, r->pattern, what, r->at);
}

static bool is_next(const struct rewriter *r, const char *text)
{
    size_t n = strlen(text);
    return r->n - r->at >= n && memcmp(r->pattern + r->at, text, n) == 0;
}

static bool skip_text(struct rewriter *r, const char *text)
{
    if (!is_next(r, text))
        return false;
    r->at += strlen(text);
    return true;
}

static weir_status put_text(struct rewriter *r, const char *text)
{
    return weir_text_add(r->out, text, strlen(text));
}

static weir_status insert_text(struct weir_text *text, size_t at, const char *what)
{
    size_t n = strlen(what), behind = text->n - at;
    TRY(weir_text_add(text, what, n));
    memmove(text->data + at + n, text->data + at, behind);
    memcpy(text->data + at, what, n);
    return WEIR_OK;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Up to `most` hex digits; @return how many there were. */
static size_t read_hex(struct rewriter *r, size_t most, uint32_t *code)
{
    size_t n = 0;
    for (*code = 0; n < most && r->at < r->n && is_hex(r->pattern[r->at]); n++, r->at++) {
        char c = r->pattern[r->at];
        *code = *code * 16 + (uint32_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return n;
}

static bool is_scalar(uint32_t code)
{
    return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

/* Escapes for one character, after the backslash; *known is false for the others. */
static weir_status read_escaped_char(struct rewriter *r, uint32_t *code, bool *known)
{
    static const char names[] = "tnrfvae", values[] = "\t\n\r\f\v\a\x1b";
    size_t length;
    *known = true;
    char c = r->pattern[r->at];
    const char *named = memchr(names, c, sizeof names - 1);
    if (named) {
        *code = (unsigned char)values[named - names];
        r->at++;
    } else if (skip_text(r, "x{")) {
        if (read_hex(r, 6, code) == 0 || !skip_text(r, "}") || !is_scalar(*code))
            return refuse_syntax(r, "a bad \\x{...}");
    } else if (skip_text(r, "x")) {
        if (read_hex(r, 2, code) == 0 || *code >= 0x80)
            return refuse_syntax(r, "a byte as \\xNN");
    } else if (skip_text(r, "u")) {
        if (read_hex(r, 4, code) != 4 || !is_scalar(*code))
            return refuse_syntax(r, "a bad \\uNNNN");
    } else if ((unsigned char)c < 0x80 && !(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z')) {
        *code = weir_utf8_decode(r->pattern + r->at, &length);
        r->at += length;
    } else {
        *known = false;
    }
    return WEIR_OK;
}

static bool depends_on_case(const char *name, size_t n)
{
    static const char *const names[] = {"Lu", "Ll", "Lt", "upper", "lower", "Upper", "Lower"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) <= n && memcmp(name, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static weir_status read_property(struct rewriter *r, struct weir_charset *set, bool inverted)
{
    bool known = false;
    if (!skip_text(r, "{"))
        return refuse_syntax(r, "\\p without braces");
    if (skip_text(r, "^"))
        inverted = !inverted;
    const char *name = r->pattern + r->at;
    const char *end = memchr(name, '}', r->n - r->at);
    if (!end)
        return refuse_syntax(r, "\\p without an end");
    if (r->caseless && depends_on_case(name, (size_t)(end - name)))
        return refuse_syntax(r, "a class of upper or lower case in a group that ignores case");
    TRY(weir_charset_add_named(set, name, (size_t)(end - name), &known));
    if (!known)
        return refuse_syntax(r, "this \\p{...}");
    r->at = (size_t)(end - r->pattern) + 1;
    return inverted ? weir_charset_invert(set) : WEIR_OK;
}

/* Escapes for a class, after the backslash; *known is false for the others. */
static weir_status read_escaped_class(struct rewriter *r, struct weir_charset *set, bool in_brackets, bool *known)
{
    static const char lower[] = "sdhw";
    static const char *const classes[] = {"posix space", "posix digit", "posix xdigit", "posix word"};
    char c = r->pattern[r->at];
    *known = true;
    if (c == 'p' || c == 'P') {
        r->at++;
        return read_property(r, set, c == 'P');
    }
    const char *found = memchr(lower, c | 32, sizeof lower - 1);
    if (!found) {
        *known = false;
        return WEIR_OK;
    }
    r->at++;
    const char *name = classes[found - lower];
    if ((c | 32) == 'w' && !in_brackets) {
        /* Oniguruma's \w has six characters more outside brackets; the table's name for that is not a POSIX one */
        name = "bare word";
    }
    TRY(weir_charset_add_named(set, name, strlen(name), known));
    return c < 'a' ? weir_charset_invert(set) : WEIR_OK;
}

static weir_status read_brackets(struct rewriter *r, struct weir_charset *set);

static weir_status read_posix(struct rewriter *r, struct weir_charset *set)
{
    char name[24];
    bool known = false, inverted = skip_text(r, "^");
    size_t n = 0;
    while (r->at + n < r->n && r->pattern[r->at + n] != ':')
        n++;
    int length = snprintf(name, sizeof name, "posix %.*s", (int)(n < 20 ? n : 20), r->pattern + r->at);
    if (r->caseless && depends_on_case(r->pattern + r->at, n))
        return refuse_syntax(r, "a class of upper or lower case in a group that ignores case");
    if (length < (int)sizeof name)
        TRY(weir_charset_add_named(set, name, (size_t)length, &known));
    r->at += n;
    if (!known || !skip_text(r, ":]"))
        return refuse_syntax(r, "this POSIX class");
    return inverted ? weir_charset_invert(set) : WEIR_OK;
}

/* One item of a bracket expression: a set (*single is false) or one character. */
static weir_status read_item(struct rewriter *r, struct weir_charset *set, uint32_t *code, bool *single)
{
    bool known = false;
    size_t length;
    *single = false;
    if (skip_text(r, "[:"))
        return read_posix(r, set);
    if (skip_text(r, "["))
        return read_brackets(r, set);
    if (skip_text(r, "\\")) {
        if (r->at == r->n)
            return refuse_syntax(r, "a lone backslash");
        TRY(read_escaped_class(r, set, true, &known));
        if (known)
            return WEIR_OK;
        if (skip_text(r, "b"))
            return refuse_syntax(r, "\\b in brackets");
        TRY(read_escaped_char(r, code, &known));
        if (!known)
            return refuse_syntax(r, "this escape");
    } else {
        *code = weir_utf8_decode(r->pattern + r->at, &length);
        r->at += length;
    }
    *single = true;
    if (r->caseless && *code >= 0x80)
        return refuse_syntax(r, "a class with letters beyond ASCII in a group that ignores case");
    return WEIR_OK;
}

/* One item of a class, or the range from one character to another. */
static weir_status read_range(struct rewriter *r, struct weir_charset *set)
{
    struct weir_charset item = {0};
    uint32_t first = 0, last = 0;
    bool single;
    weir_status status;
    TRY_DONE(read_item(r, &item, &first, &single));
    if (!single) {
        TRY_DONE(weir_charset_add_set(set, &item));
        goto done;
    }
    last = first;
    if (is_next(r, "-") && r->at + 1 < r->n && r->pattern[r->at + 1] != ']') {
        r->at++;
        TRY_DONE(read_item(r, &item, &last, &single));
        if (!single || last < first)
            TRY_DONE(refuse_syntax(r, "this range"));
    }
    TRY_DONE(weir_charset_add(set, first, last));
done:
    weir_charset_close(&item);
    return status;
}

/* Reads the items up to the next && or the closing bracket, which stay. */
static weir_status read_operand(struct rewriter *r, struct weir_charset *set)
{
    bool first = true;
    while (r->at < r->n && !is_next(r, "&&") && (first || !is_next(r, "]"))) {
        TRY(read_range(r, set));
        first = false;
    }
    if (r->at == r->n)
        return refuse_syntax(r, "a class without an end");
    if (r->caseless)
        TRY(weir_charset_fold(set));
    weir_charset_tidy(set);
    return WEIR_OK;
}

/* A bracket expression, after its opening bracket. */
static weir_status read_brackets(struct rewriter *r, struct weir_charset *set)
{
    struct weir_charset operand = {0};
    weir_status status;
    bool inverted = skip_text(r, "^");
    if (++r->depth >= MAX_NESTING)
        return refuse_syntax(r, "deep nesting");
    TRY_DONE(read_operand(r, set));
    while (skip_text(r, "&&")) {
        weir_charset_close(&operand);
        TRY_DONE(read_operand(r, &operand));
        TRY_DONE(weir_charset_intersect(set, &operand));
    }
    if (!skip_text(r, "]"))
        TRY_DONE(refuse_syntax(r, "a class without an end"));
    if (inverted)
        TRY_DONE(weir_charset_invert(set));
    r->depth--;
done:
    weir_charset_close(&operand);
    return status;
}

/* Classes are complete: PCRE2 must not fold them once more. */
static weir_status put_class(struct rewriter *r, struct weir_charset *set)
{
    if (r->caseless)
        TRY(put_text(r, "(?-i:"));
    TRY(weir_charset_write(set, r->out));
    return r->caseless ? put_text(r, ")") : WEIR_OK;
}

static weir_status put_char(struct rewriter *r, uint32_t code)
{
    char text[16];
    snprintf(text, sizeof text, "\\x{%x}", code);
    return put_text(r, text);
}

/* Writes \b and \B as look-around: PCRE2's own would use another set of word characters. */
static weir_status put_word_boundary(struct rewriter *r, bool inverted)
{
    struct weir_charset word = {0};
    struct weir_text class = {0};
    bool known;
    weir_status status;
    TRY_DONE(weir_charset_add_named(&word, "bare word", 9, &known));
    TRY_DONE(weir_charset_write(&word, &class));
    TRY_DONE(weir_text_add(&class, "", 1));
    TRY_DONE(put_text(r, inverted ? "(?:(?<=" : "(?:(?<!"));
    TRY_DONE(put_text(r, class.data));
    TRY_DONE(put_text(r, ")(?="));
    TRY_DONE(put_text(r, class.data));
    TRY_DONE(put_text(r, inverted ? ")|(?<!" : ")|(?<="));
    TRY_DONE(put_text(r, class.data));
    TRY_DONE(put_text(r, ")(?!"));
    TRY_DONE(put_text(r, class.data));
    TRY_DONE(put_text(r, "))"));
done:
    weir_charset_close(&word);
    weir_text_close(&class);
    return status;
}

/* An escape outside brackets: an assertion, a class, or a character. */
static weir_status rewrite_escape(struct rewriter *r)
{
    struct weir_charset set = {0};
    uint32_t code = 0;
    bool known = false;
    weir_status status;
    if (r->at == r->n)
        return refuse_syntax(r, "a lone backslash");
    r->atom = r->out->n;
    if (skip_text(r, "b"))
        return put_word_boundary(r, false);
    if (skip_text(r, "B"))
        return put_word_boundary(r, true);
    if (skip_text(r, "A"))
        return put_text(r, "\\A");
    if (skip_text(r, "z"))
        return put_text(r, "\\z");
    if (skip_text(r, "Z"))
        return put_text(r, "\\Z");
    TRY_DONE(read_escaped_class(r, &set, false, &known));
    if (known) {
        TRY_DONE(put_class(r, &set));
        goto done;
    }
    TRY_DONE(read_escaped_char(r, &code, &known));
    if (!known)
        TRY_DONE(refuse_syntax(r, "this escape"));
    TRY_DONE(put_char(r, code));
done:
    weir_charset_close(&set);
    return status;
}

/* Group openings that mean the same in both; the second switches case off or on. */
static const struct {
    const char *opening;
    int caseless; /* -1: as around it */
} openings[] = {{"(?:", -1},  {"(?=", -1}, {"(?!", -1}, {"(?<=", -1},
                {"(?<!", -1}, {"(?>", -1}, {"(?i:", 1}, {"(?-i:", 0}};

/* Opens a group and remembers what holds outside of it; plain groups capture nothing. */
static weir_status rewrite_group(struct rewriter *r)
{
    if (r->depth + 1 >= MAX_NESTING)
        return refuse_syntax(r, "deep nesting");
    r->groups[r->depth].atom = r->out->n;
    r->groups[r->depth++].caseless = r->caseless;
    for (size_t i = 0; i < sizeof openings / sizeof openings[0]; i++)
        if (skip_text(r, openings[i].opening)) {
            if (openings[i].caseless >= 0)
                r->caseless = openings[i].caseless;
            return put_text(r, openings[i].opening);
        }
    if (is_next(r, "(?") || is_next(r, "(*"))
        return refuse_syntax(r, "this kind of group");
    r->at++;
    return put_text(r, "(?:");
}

static weir_status close_group(struct rewriter *r)
{
    if (r->depth == 0)
        return refuse_syntax(r, "an unmatched closing parenthesis");
    r->at++;
    r->depth--;
    r->atom = r->groups[r->depth].atom;
    r->caseless = r->groups[r->depth].caseless;
    return put_text(r, ")");
}

/* {n}, {n,}, {n,m} and {,m}; *n is the length, 0 when it is none of these. */
static size_t interval_length(const struct rewriter *r)
{
    size_t i = r->at + 1, digits = 0;
    bool comma = false;
    for (; i < r->n; i++) {
        char c = r->pattern[i];
        if (c >= '0' && c <= '9')
            digits++;
        else if (c == ',' && !comma)
            comma = true;
        else
            break;
    }
    return digits > 0 && i < r->n && r->pattern[i] == '}' ? i + 1 - r->at : 0;
}

/* After an interval Ruby's syntax has no possessive or lazy sign: + and ? are further quantifiers there. */
static weir_status rewrite_interval(struct rewriter *r)
{
    size_t n = interval_length(r);
    if (n == 0)
        return refuse_syntax(r, "a brace that is not an interval");
    TRY(put_text(r, r->pattern[r->at + 1] == ',' ? "{0" : "{"));
    TRY(weir_text_add(r->out, r->pattern + r->at + 1, n - 1));
    bool fixed = !memchr(r->pattern + r->at, ',', n);
    r->at += n;
    if (is_next(r, "+") || is_next(r, "*") || (fixed && is_next(r, "?"))) {
        TRY(insert_text(r->out, r->atom, "(?:"));
        return put_text(r, ")");
    }
    return WEIR_OK;
}

static weir_status rewrite_brackets(struct rewriter *r)
{
    struct weir_charset set = {0};
    weir_status status;
    r->atom = r->out->n;
    r->at++;
    TRY_DONE(read_brackets(r, &set));
    TRY_DONE(put_class(r, &set));
done:
    weir_charset_close(&set);
    return status;
}

static weir_status rewrite_next(struct rewriter *r)
{
    size_t length;
    char c = r->pattern[r->at];
    switch (c) {
    case '\\':
        r->at++;
        return rewrite_escape(r);
    case '[':
        return rewrite_brackets(r);
    case '(':
        return rewrite_group(r);
    case ')':
        return close_group(r);
    case '{':
        return rewrite_interval(r);
    case '.':
    case '^':
    case '$':
        r->atom = r->out->n;
        r->at++;
        return weir_text_add(r->out, &c, 1);
    case '|':
    case '?':
    case '*':
    case '+':
        r->at++;
        return weir_text_add(r->out, &c, 1);
    default:
        r->atom = r->out->n;
        uint32_t code = weir_utf8_decode(r->pattern + r->at, &length);
        if (r->caseless && code >= 0x80)
            return refuse_syntax(r, "a letter beyond ASCII in a group that ignores case");
        r->at += length;
        return put_char(r, code);
    }
}

weir_status weir_regex_rewrite(struct weir_text *out, const char *file, const char *pattern, size_t n)
{
    struct rewriter r = {.file = file, .pattern = pattern, .n = n, .out = out};
    while (r.at < r.n) {
        TRY(rewrite_next(&r));
        if (out->n > MAX_REWRITTEN) /* a class is some 10 kB: a short pattern can be a very long one */
            return refuse_syntax(&r, "a pattern this large");
    }
    return r.depth > 0 ? refuse_syntax(&r, "a group without an end") : WEIR_OK;
}
