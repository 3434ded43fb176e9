#include "store/gather.h"

#include <string.h>

bool weir_cut_is_whole(const struct weir_cut *cut)
{
    for (int a = 0; a < 3; a++)
        if (cut->map[a] || cut->extent[a] != cut->shape[a])
            return false;
    return true;
}

ptrdiff_t weir_cut_source(const struct weir_cut *cut, int axis, size_t i)
{
    if (i >= cut->shape[axis])
        return -1;
    if (cut->map[axis])
        return cut->map[axis][i];
    return i < cut->extent[axis] ? (ptrdiff_t)i : -1;
}

bool weir_cut_touches(const struct weir_cut *cut, const struct weir_box *box)
{
    for (int a = 0; a < 3; a++) {
        bool any = false;
        for (size_t i = 0; i < box->count[a] && !any; i++)
            any = weir_cut_source(cut, a, box->start[a] + i) >= 0;
        if (!any)
            return false;
    }
    return true;
}

const weir_bits *weir_cut_direct(const struct weir_cut *cut, const struct weir_box *box)
{
    bool wide = false; /* an axis further out has more than one index in the box */
    for (int a = 0; a < 3; a++) {
        if (cut->map[a] || box->start[a] + box->count[a] > cut->extent[a])
            return NULL;
        if (wide && box->count[a] != cut->extent[a])
            return NULL;
        wide = wide || box->count[a] > 1;
    }
    return cut->data + (box->start[0] * cut->extent[1] + box->start[1]) * cut->extent[2] + box->start[2];
}

static void fill_run(weir_bits *out, size_t n, uint32_t fill)
{
    for (size_t i = 0; i < n; i++)
        out[i] = fill;
}

static void gather_run(weir_bits *out, const struct weir_cut *cut, const weir_bits *row, const struct weir_box *box,
                       bool keep)
{
    size_t start = box->start[2], count = box->count[2], i = 0;
    if (!cut->map[2] && start < cut->extent[2]) {
        i = cut->extent[2] - start < count ? cut->extent[2] - start : count;
        memcpy(out, row + start, i * sizeof *out);
    }
    for (; i < count; i++) {
        ptrdiff_t from = weir_cut_source(cut, 2, start + i);
        if (from >= 0)
            out[i] = row[from];
        else if (!keep)
            out[i] = cut->fill;
    }
}

void weir_cut_gather(weir_bits *out, const struct weir_cut *cut, const struct weir_box *box, bool keep)
{
    for (size_t i = 0; i < box->count[0]; i++)
        for (size_t j = 0; j < box->count[1]; j++, out += box->count[2]) {
            ptrdiff_t a = weir_cut_source(cut, 0, box->start[0] + i), b = weir_cut_source(cut, 1, box->start[1] + j);
            if (a >= 0 && b >= 0)
                gather_run(out, cut, cut->data + ((size_t)a * cut->extent[1] + (size_t)b) * cut->extent[2], box, keep);
            else if (!keep)
                fill_run(out, box->count[2], cut->fill);
        }
}
