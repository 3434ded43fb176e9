/* Looking for NaN and infinities in values that are stored. */
#include "store/write/finite.h"

#include "base/alloc.h"
#include "tensor/absent.h"

#include <string.h>

enum { AT_ONCE = 4096 };

/* 1 where the bits are not a finite number's. */
static inline uint32_t is_odd_value(uint32_t bits, uint32_t masked)
{
    uint32_t special = (bits & 0x7fffffffu) >= 0x7f800000u;
    return special & ((bits != 0xff800000u) | !masked);
}

/* True where an exponent has all its bits: one more then carries into the place of the sign. Every stored value passes
   here, so this is as little work as there can be. */
static bool any_special(const weir_bits *values, size_t n)
{
    uint32_t carried = 0;
    for (size_t i = 0; i < n; i++)
        carried |= (values[i] & 0x7f800000u) + 0x00800000u;
    return carried >> 31;
}

/* The same for scores, where -inf is not odd. */
static bool any_odd(const weir_bits *values, size_t n)
{
    uint32_t odd = 0;
    for (size_t i = 0; i < n; i++)
        odd |= is_odd_value(values[i], true);
    return odd;
}

bool weir_all_finite(const weir_bits *values, size_t n, bool masked)
{
    for (size_t first = 0; first < n; first += AT_ONCE) {
        size_t some = n - first < AT_ONCE ? n - first : AT_ONCE;
        if (any_special(values + first, some) && (!masked || any_odd(values + first, some)))
            return false;
    }
    return true;
}

bool weir_softmax_is_finite(const weir_bits *pattern, const size_t extent[3])
{
    size_t rows = extent[1], keys = extent[2];
    for (size_t row = 0; row < extent[0] * rows; row++)
        if (is_odd_value(pattern[row * keys + keys - rows + row % rows], false))
            return false;
    return true;
}

static void look_at_run(struct weir_odd *out, const struct weir_gather *gather, const weir_bits *row,
                        const size_t at[2], bool masked)
{
    for (size_t k = 0; k < gather->shape[2]; k++) {
        ptrdiff_t from = weir_gather_source(gather, 2, k);
        if (from < 0 || !is_odd_value(row[from], masked))
            continue;
        if (out->n++ == 0) {
            memcpy(out->at, at, 2 * sizeof *at);
            out->at[2] = k;
            out->first = row[from];
        }
        out->absent = out->absent || row[from] == WEIR_ABSENT_F32;
    }
}

void weir_find_odd(struct weir_odd *out, const struct weir_gather *gather, bool masked)
{
    const size_t *extent = gather->extent;
    *out = (struct weir_odd){0};
    if (weir_gather_is_whole(gather) && weir_all_finite(gather->data, extent[0] * extent[1] * extent[2], masked))
        return;
    for (size_t i = 0; i < gather->shape[0]; i++)
        for (size_t j = 0; j < gather->shape[1]; j++) {
            ptrdiff_t a = weir_gather_source(gather, 0, i), b = weir_gather_source(gather, 1, j);
            if (a < 0 || b < 0)
                continue;
            const weir_bits *row = gather->data + ((size_t)a * extent[1] + (size_t)b) * extent[2];
            if (!weir_all_finite(row, extent[2], masked))
                look_at_run(out, gather, row, (size_t[]){i, j}, masked);
        }
}

weir_status weir_tame_nan(weir_bits **out, const weir_bits *values, size_t n)
{
    TRY(weir_alloc(out, n, sizeof **out));
    for (size_t i = 0; i < n; i++)
        (*out)[i] = (values[i] & 0x7fffffffu) > 0x7f800000u ? WEIR_NAN_F32 : values[i];
    return WEIR_OK;
}
