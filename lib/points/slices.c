/* Slices as in Python, joined by +: from text, and what they name of n. */
#include "points/select.h"

#include "base/alloc.h"

#include <string.h>

enum { LONGEST = 255, MOST_DIGITS = 15 };

/* One signed number up to `end`, or none: *has says which. False for anything else. */
static bool take_signed(const char *text, const char *end, bool *has, int64_t *out)
{
    const char *p = text;
    *has = text < end;
    if (!*has)
        return true;
    bool minus = *p == '-';
    p += minus;
    if (p == end || end - p > MOST_DIGITS)
        return false;
    for (*out = 0; p < end; p++) {
        if (*p < '0' || *p > '9')
            return false;
        *out = *out * 10 + (*p - '0');
    }
    if (minus)
        *out = -*out;
    return true;
}

static weir_status malformed(const char *text, const char *end, const char *what)
{
    return weir_fail(WEIR_E_USAGE,
                     "'%.*s' is not a %s: write a number or a slice, as in 3, -1, 0:6, 2:, ::4 or 0+4+6:9",
                     (int)(end - text), text, what);
}

bool weir_slice_split(struct weir_slice *out, const char *text, const char *end)
{
    const char *colon = memchr(text, ':', (size_t)(end - text));
    const char *second = colon ? memchr(colon + 1, ':', (size_t)(end - colon) - 1) : NULL;
    bool has_step = false;
    *out = (struct weir_slice){.step = 1, .single = !colon};
    if (!take_signed(text, colon ? colon : end, &out->has_start, &out->start) || (out->single && !out->has_start))
        return false;
    if (colon && !take_signed(colon + 1, second ? second : end, &out->has_stop, &out->stop))
        return false;
    return !second || take_signed(second + 1, end, &has_step, &out->step);
}

static weir_status parse_one(struct weir_slice *out, const char *text, const char *end, const char *what)
{
    size_t n = (size_t)(end - text);
    if (n == 1 && *text == '*') {
        *out = (struct weir_slice){.step = 1};
        return WEIR_OK;
    }
    if (!weir_slice_split(out, text, end))
        return malformed(text, end, what);
    if (out->step < 1)
        return weir_fail(WEIR_E_USAGE, "'%.*s' is not a %s: steps are 1 or more", (int)n, text, what);
    if (out->has_stop && (out->start < 0) == (out->stop < 0) && out->start >= out->stop)
        return weir_fail(WEIR_E_USAGE, "'%.*s' names no %s: a slice ends before its second number", (int)n, text, what);
    return WEIR_OK;
}

weir_status weir_slices_parse(struct weir_slices *out, const char *text, size_t n, const char *what)
{
    size_t capacity = 0;
    const char *end = text + n;
    weir_status status = WEIR_OK;
    *out = (struct weir_slices){0};
    if (n == 0 || (n == 1 && (*text == ':' || *text == '*')))
        return WEIR_OK;
    if (n > LONGEST)
        return weir_fail(WEIR_E_USAGE, "'%.20s...' is longer than %d bytes", text, LONGEST);
    while (true) {
        const char *plus = memchr(text, '+', (size_t)(end - text));
        TRY_DONE(weir_grow(&out->list, &capacity, out->n + 1, sizeof *out->list));
        TRY_DONE(parse_one(&out->list[out->n], text, plus ? plus : end, what));
        out->n++;
        if (!plus)
            break;
        text = plus + 1;
    }
done:
    if (status != WEIR_OK)
        weir_slices_close(out);
    return status;
}

void weir_slices_close(struct weir_slices *slices)
{
    if (!slices)
        return;
    weir_free(slices->list);
    *slices = (struct weir_slices){0};
}

/* An end of a slice as in Python: from the end when negative, then clipped. */
static size_t clip_bound(int64_t index, size_t length)
{
    if (index < 0)
        index += (int64_t)length;
    if (index < 0)
        return 0;
    return (uint64_t)index < length ? (size_t)index : length;
}

static weir_status mark_one(const struct weir_slice *slice, bool *marked, size_t length, const char *what)
{
    if (slice->single) {
        int64_t index = slice->start < 0 ? slice->start + (int64_t)length : slice->start;
        if (length == 0)
            return weir_fail(WEIR_E_USAGE, "%s %lld is out of range; there are none", what, (long long)slice->start);
        if (index < 0 || (uint64_t)index >= length)
            return weir_fail(WEIR_E_USAGE, "%s %lld is out of range; it goes from 0 to %zu", what,
                             (long long)slice->start, length - 1);
        marked[index] = true;
        return WEIR_OK;
    }
    size_t start = slice->has_start ? clip_bound(slice->start, length) : 0;
    size_t stop = slice->has_stop ? clip_bound(slice->stop, length) : length;
    for (size_t i = start; i < stop; i += (size_t)slice->step)
        marked[i] = true;
    return WEIR_OK;
}

weir_status weir_slices_mark(const struct weir_slices *slices, bool *marked, size_t length, const char *what)
{
    if (slices->n == 0)
        memset(marked, true, length * sizeof *marked);
    for (size_t i = 0; i < slices->n; i++)
        TRY(mark_one(&slices->list[i], marked, length, what));
    return WEIR_OK;
}

static bool slice_names(const struct weir_slice *slice, size_t i, size_t length)
{
    if (slice->single)
        return slice->start == (int64_t)i || slice->start + (int64_t)length == (int64_t)i;
    size_t start = slice->has_start ? clip_bound(slice->start, length) : 0;
    size_t stop = slice->has_stop ? clip_bound(slice->stop, length) : length;
    return i >= start && i < stop && (i - start) % (size_t)slice->step == 0;
}

bool weir_slices_name(const struct weir_slices *slices, size_t i, size_t length)
{
    for (size_t j = 0; j < slices->n; j++)
        if (slice_names(&slices->list[j], i, length))
            return true;
    return slices->n == 0;
}

static bool is_same_slice(const struct weir_slice *a, const struct weir_slice *b)
{
    return a->has_start == b->has_start && a->has_stop == b->has_stop && a->single == b->single &&
           (!a->has_start || a->start == b->start) && (!a->has_stop || a->stop == b->stop) && a->step == b->step;
}

bool weir_slices_equal(const struct weir_slices *a, const struct weir_slices *b)
{
    for (size_t i = 0; a->n == b->n && i < a->n; i++)
        if (!is_same_slice(&a->list[i], &b->list[i]))
            return false;
    return a->n == b->n;
}
