/* Values on their way into a file that are not finite: found at the speed of memory, named once, and never taken for
   what is not stored. */
#ifndef WEIR_STORE_WRITE_FINITE_H
#define WEIR_STORE_WRITE_FINITE_H

#include "store/write/gather.h"

/* True where all n values are finite. With `masked`, -inf counts as finite: masked attention scores hold it. */
bool weir_all_finite(const weir_bits *values, size_t n, bool masked);

/* Where a stored value is not finite: its place in the slab of the file, and its bits. */
struct weir_odd {
    size_t n;     /* how many */
    size_t at[3]; /* of the first, as stored */
    weir_bits first;
    bool absent; /* one of them has the bits that stand for "not stored" */
};

/* True where every row of a pattern [head, query, key] that came out of a softmax is finite: its sum is NaN or it is
   not, so one weight shows it for the row, the one on the query's own position, which no mask hides. Queries are the
   last of the keys. */
bool weir_softmax_is_finite(const weir_bits *pattern, const size_t extent[3]);
/* Those among the values that are stored; out->n is 0 when there are none. */
void weir_find_odd(struct weir_odd *out, const struct weir_gather *gather, bool masked);
/* A copy of a value's n numbers in which NaN is the plain one. Free with weir_free. */
WEIR_CHECKED weir_status weir_tame_nan(weir_bits **out, const weir_bits *values, size_t n);

#endif
