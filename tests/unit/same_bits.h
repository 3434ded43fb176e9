/* Whether floats are equal to the bit: NaN equals itself, 0 does not equal -0. */
#ifndef WEIR_TESTS_SAME_BITS_H
#define WEIR_TESTS_SAME_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* void: floats that are compared as memory are what clang-tidy warns of elsewhere */
static inline bool same_bits(const void *one, const void *other, size_t bytes)
{
    return memcmp(one, other, bytes) == 0;
}

#endif
