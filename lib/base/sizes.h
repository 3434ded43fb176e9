/* The smaller and the larger of two sizes, sizes as people read them, and how far deflate goes. */
#ifndef WEIR_BASE_SIZES_H
#define WEIR_BASE_SIZES_H

#include <stddef.h>
#include <stdint.h>

enum { WEIR_MOST_EXPANSION = 1032 }; /* deflate makes at most so many bytes of one */

static inline size_t weir_min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t weir_max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* "812 B", "3.4 MB", "10 GB": two digits at least, in powers of 1000. Gives `to` back. */
const char *weir_size_text(char to[16], uint64_t bytes);

#endif
