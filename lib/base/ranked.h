/* A short list of the largest values so far, with something beside each. */
#ifndef WEIR_BASE_RANKED_H
#define WEIR_BASE_RANKED_H

#include <stddef.h>
#include <string.h>

/* Puts a value among the n largest so far, at most k of them in falling order, after its equals; those after it move by
   one, and so do the elements of `size` bytes beside them in `others`. @return its place, into which the caller puts
   its own element of `others`; k: it has none. */
static inline size_t weir_ranked_insert(float *values, void *others, size_t size, size_t *n, size_t k, float value)
{
    char *bytes = others;
    size_t at = *n;
    while (at > 0 && values[at - 1] < value)
        at--;
    if (at == k)
        return k;
    *n += *n < k;
    memmove(values + at + 1, values + at, (*n - 1 - at) * sizeof *values);
    memmove(bytes + (at + 1) * size, bytes + at * size, (*n - 1 - at) * size);
    values[at] = value;
    return at;
}

#endif
