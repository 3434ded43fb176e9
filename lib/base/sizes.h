/* The smaller and the larger of two sizes. */
#ifndef WEIR_BASE_SIZES_H
#define WEIR_BASE_SIZES_H

#include <stddef.h>

static inline size_t weir_min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t weir_max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif
