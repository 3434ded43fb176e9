/* From a value as a hook sees it to a piece of the file: which rows and units are kept, and where they go. */
#ifndef WEIR_STORE_WRITE_GATHER_H
#define WEIR_STORE_WRITE_GATHER_H

#include "store/layout.h"

/* 32 bits of a float or an int32. */
typedef uint32_t __attribute__((may_alias)) weir_bits;

/* Axes are padded in front to three. Elements are 32 bits wide, floats or int32, and only moved. */
struct weir_gather {
    const weir_bits *data; /* [extent], C order */
    size_t extent[3];      /* of the value */
    size_t shape[3];       /* of its slab in the file */
    const int32_t *map[3]; /* [shape] file index to value index, -1: not stored; NULL: each to itself, to extent - 1 */
    uint32_t fill;         /* bits of what is not stored */
};

/* A box of the slab; it may reach past the slab's end, as chunks at the edge do. */
struct weir_slab_box {
    size_t start[3], count[3];
};

/* True where the value fills the slab as it is. */
bool weir_gather_is_whole(const struct weir_gather *gather);
/* The index of the value that goes to file index i of an axis; -1: none. */
ptrdiff_t weir_gather_source(const struct weir_gather *gather, int axis, size_t i);
/* True where any of the box is stored. */
bool weir_gather_touches(const struct weir_gather *gather, const struct weir_slab_box *box);
/* The box in the value, if it is one run there; NULL where it must be gathered. */
const weir_bits *weir_gather_direct(const struct weir_gather *gather, const struct weir_slab_box *box);
/* out [count]: the box; what is not stored is left alone with `keep`, else filled. */
void weir_gather_box(weir_bits *out, const struct weir_gather *gather, const struct weir_slab_box *box, bool keep);

#endif
