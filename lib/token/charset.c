/* Set arithmetic on sorted ranges of code points. */
#include "token/charset.h"

#include "base/alloc.h"
#include "token/unicode.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAST = 0x10ffff, SURROGATE = 0xd800, SURROGATE_LAST = 0xdfff };

void weir_charset_close(struct weir_charset *set)
{
    weir_free(set->ranges);
    *set = (struct weir_charset){0};
}

weir_status weir_charset_add(struct weir_charset *set, uint32_t first, uint32_t last)
{
    if (set->n == set->capacity)
        TRY(weir_grow(&set->ranges, &set->capacity, set->n + 1, sizeof *set->ranges));
    set->ranges[set->n++] = (struct weir_code_range){first, last};
    return WEIR_OK;
}

weir_status weir_charset_add_set(struct weir_charset *set, const struct weir_charset *other)
{
    for (size_t i = 0; i < other->n; i++)
        TRY(weir_charset_add(set, other->ranges[i].first, other->ranges[i].last));
    weir_charset_tidy(set);
    return WEIR_OK;
}

static weir_status add_class(struct weir_charset *set, const struct weir_unicode_class *class)
{
    for (size_t i = 0; i < class->n; i++)
        TRY(weir_charset_add(set, weir_unicode_ranges[class->first + i].first,
                             weir_unicode_ranges[class->first + i].last));
    return WEIR_OK;
}

/* Long names of \p{...}, in the form that simplify gives. */
static const struct {
    const char *name, *class;
} aliases[] = {
    {"letter", "L"},
    {"mark", "M"},
    {"number", "N"},
    {"punctuation", "P"},
    {"symbol", "S"},
    {"separator", "Z"},
    {"other", "C"},
    {"uppercaseletter", "Lu"},
    {"lowercaseletter", "Ll"},
    {"decimalnumber", "Nd"},
    {"whitespace", "posix space"},
    {"space", "posix space"},
    {"alpha", "posix alpha"},
    {"alphabetic", "posix alpha"},
    {"digit", "Nd"},
    {"punct", "P"},
    {"alnum", "posix alnum"},
    {"upper", "posix upper"},
    {"lower", "posix lower"},
    {"word", "posix word"},
};

/* Names are compared without case, spaces, hyphens and underscores. */
static void simplify_name(char *to, size_t size, const char *name, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n && used + 1 < size; i++)
        if (name[i] != ' ' && name[i] != '_' && name[i] != '-')
            to[used++] = (char)tolower((unsigned char)name[i]);
    to[used] = '\0';
}

weir_status weir_charset_add_named(struct weir_charset *set, const char *name, size_t n, bool *known)
{
    char simple[32], candidate[32];
    const char *wanted = simple;
    *known = false;
    if (n >= sizeof simple)
        return WEIR_OK;
    if (n > 6 && memcmp(name, "posix ", 6) == 0) {
        memcpy(simple, name, n);
        simple[n] = '\0';
    } else {
        simplify_name(simple, sizeof simple, name, n);
    }
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcmp(aliases[i].name, simple) == 0)
            wanted = aliases[i].class;
    for (size_t i = 0; i < weir_n_unicode_classes; i++) {
        const struct weir_unicode_class *class = &weir_unicode_classes[i];
        simplify_name(candidate, sizeof candidate, class->name, strlen(class->name));
        /* a group is the union of the categories that begin with its letter */
        bool in_group = strlen(wanted) == 1 && strlen(candidate) == 2 && candidate[0] == tolower(wanted[0]);
        if (in_group || strcmp(class->name, wanted) == 0 || (wanted == simple && strcmp(candidate, wanted) == 0)) {
            *known = true;
            TRY(add_class(set, class));
        }
    }
    weir_charset_tidy(set);
    return WEIR_OK;
}

static int by_first(const void *a, const void *b)
{
    const struct weir_code_range *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

static int by_size(const void *a, const void *b)
{
    const struct weir_code_range *x = a, *y = b;
    uint32_t nx = x->last - x->first, ny = y->last - y->first;
    return nx > ny ? -1 : nx < ny ? 1 : by_first(a, b);
}

void weir_charset_tidy(struct weir_charset *set)
{
    size_t kept = 0;
    if (set->n == 0)
        return;
    qsort(set->ranges, set->n, sizeof *set->ranges, by_first);
    for (size_t i = 1; i < set->n; i++) {
        struct weir_code_range *last = &set->ranges[kept], *r = &set->ranges[i];
        if (r->first > last->last + 1)
            set->ranges[++kept] = *r;
        else if (r->last > last->last)
            last->last = r->last;
    }
    set->n = kept + 1;
}

weir_status weir_charset_invert(struct weir_charset *set)
{
    struct weir_charset out = {0};
    weir_status status = WEIR_OK;
    uint32_t next = 0;
    weir_charset_tidy(set);
    for (size_t i = 0; i < set->n; i++) {
        if (set->ranges[i].first > next)
            TRY_DONE(weir_charset_add(&out, next, set->ranges[i].first - 1));
        next = set->ranges[i].last + 1;
    }
    if (next <= LAST)
        TRY_DONE(weir_charset_add(&out, next, LAST));
    weir_charset_close(set);
    *set = out;
    return WEIR_OK;
done:
    weir_charset_close(&out);
    return status;
}

/* A and B is not (not A or not B). */
weir_status weir_charset_intersect(struct weir_charset *set, const struct weir_charset *other)
{
    struct weir_charset not_other = {0};
    weir_status status;
    TRY_DONE(weir_charset_add_set(&not_other, other));
    TRY_DONE(weir_charset_invert(&not_other));
    TRY_DONE(weir_charset_invert(set));
    TRY_DONE(weir_charset_add_set(set, &not_other));
    TRY_DONE(weir_charset_invert(set));
done:
    weir_charset_close(&not_other);
    return status;
}

static bool charset_has(const struct weir_charset *set, uint32_t code)
{
    for (size_t i = 0; i < set->n; i++)
        if (code >= set->ranges[i].first && code <= set->ranges[i].last)
            return true;
    return false;
}

weir_status weir_charset_fold(struct weir_charset *set)
{
    static const uint32_t folds[][3] = {{'s', 'S', 0x17f}, {'k', 'K', 0x212a}};
    weir_charset_tidy(set);
    for (uint32_t c = 'a'; c <= 'z'; c++)
        if (charset_has(set, c) || charset_has(set, c - 32)) {
            TRY(weir_charset_add(set, c, c));
            TRY(weir_charset_add(set, c - 32, c - 32));
        }
    for (size_t i = 0; i < sizeof folds / sizeof folds[0]; i++)
        if (charset_has(set, folds[i][0]) || charset_has(set, folds[i][2]))
            for (size_t j = 0; j < 3; j++)
                TRY(weir_charset_add(set, folds[i][j], folds[i][j]));
    weir_charset_tidy(set);
    return WEIR_OK;
}

static weir_status write_range(struct weir_text *out, uint32_t first, uint32_t last)
{
    char text[40];
    if (first > last)
        return WEIR_OK;
    int n = first == last ? snprintf(text, sizeof text, "\\x{%x}", first)
                          : snprintf(text, sizeof text, "\\x{%x}-\\x{%x}", first, last);
    return weir_text_add(out, text, (size_t)n);
}

weir_status weir_charset_write(struct weir_charset *set, struct weir_text *out)
{
    size_t before;
    weir_charset_tidy(set);
    /* PCRE2 tries the ranges of a class one by one, in this order */
    if (set->n > 0)
        qsort(set->ranges, set->n, sizeof *set->ranges, by_size);
    TRY(weir_text_add(out, "[", 1));
    before = out->n;
    for (size_t i = 0; i < set->n; i++) {
        const struct weir_code_range *r = &set->ranges[i];
        if (r->last < SURROGATE || r->first > SURROGATE_LAST) {
            TRY(write_range(out, r->first, r->last));
        } else { /* PCRE2 refuses surrogates */
            TRY(write_range(out, r->first, SURROGATE - 1));
            TRY(write_range(out, SURROGATE_LAST + 1, r->last));
        }
    }
    if (out->n > before)
        return weir_text_add(out, "]", 1);
    out->n = before - 1;
    return weir_text_add(out, "(?!)", 4);
}
