/* Reads JSON by the letter, value by value; an error names the column. */
#include "cli/args/scan.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <cjson/cJSON.h>
#include <string.h>

enum { MOST_DEPTH = 64 };

weir_status scan_fail(const struct scan *scan, const char *at, const char *what)
{
    size_t line = 1, column = 1;
    for (const char *p = scan->begin; p < at; p++) {
        bool ends = scan->lines && *p == '\n';
        line += ends;
        column = ends ? 1 : column + (((unsigned char)*p & 0xc0) != 0x80);
    }
    if (scan->lines)
        return weir_fail(WEIR_E_INPUT, "%s: line %zu, column %zu: %s", scan->where, line, column, what);
    return weir_fail(WEIR_E_INPUT, "%s, column %zu: %s", scan->where, column, what);
}

weir_status scan_utf8(const struct scan *scan)
{
    size_t bad;
    if (weir_utf8_valid(scan->p, (size_t)(scan->end - scan->p), &bad))
        return WEIR_OK;
    return scan_fail(scan, scan->p + bad, "this is not UTF-8");
}

weir_status scan_next(struct scan *scan, char close, bool *more)
{
    *more = scan_peek(scan) != close;
    if (*more)
        return scan_expect(scan, ',', close == '}' ? "a comma or } is missing here" : "a comma or ] is missing here");
    scan->p++;
    return WEIR_OK;
}

/* ---- the grammar ---- */

char scan_peek(struct scan *scan)
{
    while (scan->p < scan->end &&
           (*scan->p == ' ' || *scan->p == '\t' || *scan->p == '\r' || (*scan->p == '\n' && scan->lines)))
        scan->p++;
    return scan->p < scan->end ? *scan->p : '\0';
}

weir_status scan_expect(struct scan *scan, char c, const char *what)
{
    if (scan_peek(scan) != c)
        return scan_fail(scan, scan->p, what);
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
            return scan_fail(scan, scan->p, "a control character in a string: write it as \\n, \\t or \\uXXXX");
        if (*scan->p != '\\')
            continue;
        if (scan->end - scan->p >= 6 && memcmp(scan->p, "\\u0000", 6) == 0)
            return scan_fail(scan, scan->p, "\\u0000 in a string is not supported");
        if (scan->end - scan->p < 2)
            break;
        size_t n = escape_length(scan, scan->p);
        if (n == 0)
            return scan_fail(scan, scan->p, "this escape is not valid in JSON");
        scan->p += n - 1;
    }
    if (scan->p == scan->end || *scan->p != '"')
        return scan_fail(scan, out->from, "the string that begins here has no end");
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
    return fine ? WEIR_OK : scan_fail(scan, from, "this is not a valid JSON number");
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
    return scan_fail(scan, scan->p, "a value is missing here: a string, a number, true, false, null, [...] or {...}");
}

weir_status scan_name(struct scan *scan, struct span *out)
{
    if (scan_peek(scan) != '"')
        return scan_fail(scan, scan->p, "a name in double quotes is missing here");
    return scan_string(scan, out);
}

/* The rest of an array or object; names of the latter are passed over. */
static weir_status scan_inside(struct scan *scan, char close, int depth)
{
    struct span name;
    bool more = true;
    if (depth > MOST_DEPTH)
        return scan_fail(scan, scan->p, "nested deeper than 64");
    scan->p++;
    if (scan_peek(scan) == close) {
        scan->p++;
        return WEIR_OK;
    }
    while (more) {
        if (close == '}') {
            TRY(scan_name(scan, &name));
            TRY(scan_expect(scan, ':', "a colon is missing"));
        }
        TRY(scan_value(scan, depth));
        TRY(scan_next(scan, close, &more));
    }
    return WEIR_OK;
}

weir_status scan_value(struct scan *scan, int depth)
{
    struct span span;
    char c = scan_peek(scan);
    if (c == '"')
        return scan_string(scan, &span);
    if (c == '{' || c == '[')
        return scan_inside(scan, c == '{' ? '}' : ']', depth + 1);
    return c == '-' || (c >= '0' && c <= '9') ? scan_number(scan) : scan_literal(scan);
}

weir_status scan_text(char **out, const struct scan *scan, struct span span)
{
    cJSON *value = cJSON_ParseWithLength(span.from, (size_t)(span.to - span.from));
    weir_status status = cJSON_IsString(value) ? weir_copy_string(out, value->valuestring)
                                               : scan_fail(scan, span.from, "this string cannot be read");
    cJSON_Delete(value);
    return status;
}
