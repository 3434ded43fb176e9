/* From the bytes of a chunk in the file to its values: the three filters that are allowed, undone. */
#ifndef WEIR_STORE_READ_DECODE_H
#define WEIR_STORE_READ_DECODE_H

#include "base/status.h"

enum weir_filter { WEIR_FILTER_DEFLATE, WEIR_FILTER_SHUFFLE, WEIR_FILTER_FLETCHER };

struct weir_packed {
    const int *filters; /* [n_filters] in the order in which they were applied */
    int n_filters;
    unsigned skipped;    /* bit i: filter i was not applied to this chunk */
    size_t element;      /* bytes */
    const uint8_t *from; /* [n] the chunk as stored in the file */
    size_t n;
};

/* Into out, `bytes` of them and no other number; `out` and `spare` have room for 4 more. What is wrong in *why on
   failure. */
bool weir_decode(uint8_t *out, uint8_t *spare, size_t bytes, const struct weir_packed *packed, const char **why);

#endif
