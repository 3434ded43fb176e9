/* Any bytes as a selection of hook points, with brackets: parsed, and its slices laid over axes of several lengths. */
#include "base/alloc.h"
#include "points/select.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Spots without names mark what slices would; those with names are refused. */
static void mark_spots(const struct weir_spots *spots)
{
    bool marks[40] = {false};
    bool named = false;
    for (size_t i = 0; i < spots->n; i++)
        named |= spots->list[i].name != NULL;
    if (weir_spots_mark(spots, marks, sizeof marks, "position") == WEIR_OK && named)
        __builtin_trap();
    if (!weir_spots_equal(spots, spots))
        __builtin_trap();
}

static void mark(const struct weir_slices *slices)
{
    bool marks[40];
    for (size_t length = 0; length <= sizeof marks; length += 8) {
        memset(marks, 0, sizeof marks);
        if (weir_slices_mark(slices, marks, length, "position") != WEIR_OK)
            continue;
        for (size_t i = 0; i < length; i++)
            if (marks[i] != weir_slices_name(slices, i, length))
                __builtin_trap();
    }
}

/* What brackets name lies within the axes, whatever their sizes. */
static void resolve(const struct weir_index *index)
{
    static const char *const names[WEIR_MAX_INDEX] = {"a", "b", "c", "d", "e"};
    struct weir_range ranges[WEIR_MAX_INDEX];
    size_t shape[WEIR_MAX_INDEX];
    for (size_t size = 0; size < 4 * 7; size += 7) {
        for (int a = 0; a < WEIR_MAX_INDEX; a++)
            shape[a] = size + (size_t)a;
        if (weir_index_resolve(ranges, index, shape, names, WEIR_MAX_INDEX) != WEIR_OK)
            continue;
        for (int a = 0; a < WEIR_MAX_INDEX; a++) {
            const struct weir_range *r = &ranges[a];
            int64_t last = (int64_t)r->first + ((int64_t)r->n - 1) * r->step;
            if (r->n > 0 && (r->first >= shape[a] || last < 0 || last >= (int64_t)shape[a]))
                __builtin_trap();
        }
    }
}

/* Every fault lies within the text, and a term begins in it. */
static void parse_part(const char *text)
{
    struct weir_selection *selection = NULL;
    struct weir_term *place = NULL;
    size_t n = strlen(text), fault = 0;
    if (weir_selection_parse_part(&selection, text, 0, n, &fault) != WEIR_OK && fault > n)
        __builtin_trap();
    for (size_t i = 0; selection && i < selection->n; i++) {
        if (selection->terms[i].at >= n)
            __builtin_trap();
        mark_spots(&selection->terms[i].where.positions);
        mark_spots(&selection->terms[i].where.keys);
    }
    if (weir_place_parse(&place, text, 0, n, &fault) != WEIR_OK && fault > n)
        __builtin_trap();
    weir_place_close(place);
    weir_selection_close(selection);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_selection *selection = NULL;
    char *text;
    if (weir_copy_bytes(&text, (const char *)data, size) != WEIR_OK)
        return 0;
    if (weir_selection_parse_stored(&selection, text) == WEIR_OK)
        for (size_t i = 0; i < selection->n; i++) {
            mark(&selection->terms[i].where.layers);
            mark(&selection->terms[i].where.units);
            if (selection->terms[i].index.given)
                resolve(&selection->terms[i].index);
        }
    weir_selection_close(selection);
    parse_part(text);
    weir_free(text);
    return 0;
}
