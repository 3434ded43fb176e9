/* Points, layers and units as text: what select.h reads, written back. */
#include "points/text.h"

#include <stdio.h>

/* The next numbers that are marked side by side, *first to *end - 1, from *end on; false when there are no more. */
static bool next_marked_run(const bool *marked, size_t n, size_t *first, size_t *end)
{
    *first = *end;
    while (*first < n && !marked[*first])
        ++*first;
    *end = *first;
    while (*end < n && marked[*end])
        ++*end;
    return *first < *end;
}

/* ":0:4+7", nothing when all are marked. */
static weir_status add_layers(struct weir_text *text, const bool *layers, size_t n)
{
    char before = ':';
    for (size_t first, end = 0; next_marked_run(layers, n, &first, &end);) {
        if (first == 0 && end == n)
            return WEIR_OK;
        TRY(end == first + 1 ? weir_text_print(text, "%c%zu", before, first)
                             : weir_text_print(text, "%c%zu:%zu", before, first, end));
        before = '+';
    }
    return WEIR_OK;
}

weir_status weir_text_add_term(struct weir_text *text, const weir_point *point, const bool *layers, size_t n)
{
    TRY(weir_text_print(text, "%s%s", text->n ? "," : "", point->name));
    return layers ? add_layers(text, layers, n) : WEIR_OK;
}

weir_status weir_text_add_unit(struct weir_text *text, int layer, int32_t unit)
{
    const char *between = text->n ? "+" : "";
    return layer < 0 ? weir_text_print(text, "%s.%d", between, unit)
                     : weir_text_print(text, "%s%d.%d", between, layer, unit);
}

const char *weir_ranges_text(char to[64], const bool *marked, int n)
{
    enum { FULL = 48 }; /* bytes after which there is no room for another range and the dots */
    size_t at = 0;
    snprintf(to, 64, "%s", marked ? "none" : "-");
    for (size_t first, end = 0; marked && at < FULL && next_marked_run(marked, (size_t)n, &first, &end);) {
        at += (size_t)snprintf(to + at, 64 - at, "%s%zu", at ? "," : "", first);
        if (end > first + 1)
            at += (size_t)snprintf(to + at, 64 - at, "-%zu", end - 1);
        if (at >= FULL)
            snprintf(to + at, 64 - at, ",...");
    }
    return to;
}
