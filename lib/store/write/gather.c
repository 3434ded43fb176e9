/* Copies the stored rows and units of a value into a box of the file. */
#include "store/write/gather.h"

#include <string.h>

bool weir_gather_is_whole(const struct weir_gather *gather)
{
    for (int a = 0; a < 3; a++)
        if (gather->map[a] || gather->extent[a] != gather->shape[a])
            return false;
    return true;
}

ptrdiff_t weir_gather_source(const struct weir_gather *gather, int axis, size_t i)
{
    if (i >= gather->shape[axis])
        return -1;
    if (gather->map[axis])
        return gather->map[axis][i];
    return i < gather->extent[axis] ? (ptrdiff_t)i : -1;
}

bool weir_gather_touches(const struct weir_gather *gather, const struct weir_slab_box *box)
{
    for (int a = 0; a < 3; a++) {
        bool any = false;
        for (size_t i = 0; i < box->count[a] && !any; i++)
            any = weir_gather_source(gather, a, box->start[a] + i) >= 0;
        if (!any)
            return false;
    }
    return true;
}

const weir_bits *weir_gather_direct(const struct weir_gather *gather, const struct weir_slab_box *box)
{
    bool wide = false; /* an axis further out has more than one index in the box */
    for (int a = 0; a < 3; a++) {
        if (gather->map[a] || box->start[a] + box->count[a] > gather->extent[a])
            return NULL;
        if (wide && box->count[a] != gather->extent[a])
            return NULL;
        wide = wide || box->count[a] > 1;
    }
    return gather->data + (box->start[0] * gather->extent[1] + box->start[1]) * gather->extent[2] + box->start[2];
}

static void fill_run(weir_bits *out, size_t n, uint32_t fill)
{
    for (size_t i = 0; i < n; i++)
        out[i] = fill;
}

static void gather_run(weir_bits *out, const struct weir_gather *gather, const weir_bits *row,
                       const struct weir_slab_box *box, bool keep)
{
    size_t start = box->start[2], count = box->count[2], i = 0;
    if (!gather->map[2] && start < gather->extent[2]) {
        i = gather->extent[2] - start < count ? gather->extent[2] - start : count;
        memcpy(out, row + start, i * sizeof *out);
    }
    for (; i < count; i++) {
        ptrdiff_t from = weir_gather_source(gather, 2, start + i);
        if (from >= 0)
            out[i] = row[from];
        else if (!keep)
            out[i] = gather->fill;
    }
}

void weir_gather_box(weir_bits *out, const struct weir_gather *gather, const struct weir_slab_box *box, bool keep)
{
    for (size_t i = 0; i < box->count[0]; i++)
        for (size_t j = 0; j < box->count[1]; j++, out += box->count[2]) {
            ptrdiff_t a = weir_gather_source(gather, 0, box->start[0] + i),
                      b = weir_gather_source(gather, 1, box->start[1] + j);
            if (a >= 0 && b >= 0)
                gather_run(out, gather, gather->data + ((size_t)a * gather->extent[1] + (size_t)b) * gather->extent[2],
                           box, keep);
            else if (!keep)
                fill_run(out, box->count[2], gather->fill);
        }
}
