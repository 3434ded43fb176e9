/* Brackets after a stored point, [3, 0, ..., ::2], as numpy indexes: from text, then to ranges of axes. */
#include "points/select.h"

#include <string.h>

enum { SHOWN = 40 }; /* of a long item, in messages */

/* ---- parsing ---- */

static const char *skip_item_spaces(const char *text, const char *end)
{
    while (text < end && (*text == ' ' || *text == '\t' || *text == '\n'))
        text++;
    return text;
}

static const char *drop_item_spaces(const char *text, const char *end)
{
    while (text < end && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\n'))
        end--;
    return end;
}

static weir_status parse_item(struct weir_index *index, const char *text, const char *end, int rank)
{
    int n = end - text > SHOWN ? SHOWN : (int)(end - text);
    if (index->n == rank)
        return weir_fail(WEIR_E_USAGE, "too many indices: there are %d axes", rank);
    struct weir_slice *item = &index->items[index->n++];
    if (!weir_slice_split(item, text, end))
        return weir_fail(WEIR_E_USAGE, "'%.*s' is not an index: write a number, start:stop:step or ...", n, text);
    return item->step != 0 ? WEIR_OK : weir_fail(WEIR_E_USAGE, "'%.*s': the step of a slice cannot be 0", n, text);
}

weir_status weir_index_parse(struct weir_index *out, const char *text, size_t n, int rank)
{
    const char *end = text + n;
    bool has_ellipsis = false;
    *out = (struct weir_index){.given = true};
    if (rank > WEIR_MAX_INDEX)
        rank = WEIR_MAX_INDEX;
    while (true) {
        const char *comma = memchr(text, ',', (size_t)(end - text)), *stop = comma ? comma : end;
        text = skip_item_spaces(text, stop);
        stop = drop_item_spaces(text, stop);
        if (stop == text && !comma && out->n + has_ellipsis > 0)
            break; /* [3,] is [3] */
        if (stop - text == 3 && memcmp(text, "...", 3) == 0) {
            if (has_ellipsis)
                return weir_fail(WEIR_E_USAGE, "an index has at most one ellipsis (...)");
            has_ellipsis = true;
            out->n_before = out->n;
        } else {
            TRY(parse_item(out, text, stop, rank));
        }
        if (!comma)
            break;
        text = comma + 1;
    }
    if (!has_ellipsis)
        out->n_before = out->n;
    return WEIR_OK;
}

/* ---- what it names ---- */

/* An end of a slice as in Python, within low to high. */
static int64_t clip_end(int64_t at, int64_t length, int64_t low, int64_t high)
{
    if (at < 0)
        at += length;
    return at < low ? low : at > high ? high : at;
}

static struct weir_range range_of(const struct weir_slice *slice, size_t size)
{
    int64_t length = (int64_t)size, step = slice->step, low = step < 0 ? -1 : 0, high = low + length;
    int64_t start = slice->has_start ? clip_end(slice->start, length, low, high) : step < 0 ? high : low;
    int64_t stop = slice->has_stop ? clip_end(slice->stop, length, low, high) : step < 0 ? low : high;
    int64_t apart = step < 0 ? start - stop : stop - start, by = step < 0 ? -step : step;
    size_t n = apart > 0 ? (size_t)((apart - 1) / by) + 1 : 0;
    return (struct weir_range){.first = n ? (size_t)start : 0, .n = n, .step = step};
}

static weir_status resolve_item(struct weir_range *out, const struct weir_slice *slice, size_t size, const char *name)
{
    if (!slice->single) {
        *out = range_of(slice, size);
        return WEIR_OK;
    }
    int64_t at = slice->start < 0 ? slice->start + (int64_t)size : slice->start;
    if (at < 0 || (uint64_t)at >= size)
        return weir_fail(WEIR_E_USAGE, "index %lld is out of bounds for axis %s with size %zu", (long long)slice->start,
                         name, size);
    *out = (struct weir_range){.first = (size_t)at, .n = 1, .step = 1, .single = true};
    return WEIR_OK;
}

weir_status weir_index_resolve(struct weir_range *out, const struct weir_index *index, const size_t *shape,
                               const char *const *names, int rank)
{
    int n_after = index->n - index->n_before;
    for (int a = 0; a < rank; a++) {
        out[a] = (struct weir_range){.n = shape[a], .step = 1};
        if (a < index->n_before)
            TRY(resolve_item(&out[a], &index->items[a], shape[a], names[a]));
        else if (a >= rank - n_after)
            TRY(resolve_item(&out[a], &index->items[a - rank + index->n], shape[a], names[a]));
    }
    return WEIR_OK;
}
