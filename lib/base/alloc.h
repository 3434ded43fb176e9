/* Allocation with checked sizes. Every allocation of the library comes through here, so that tests can fail any. */
#ifndef WEIR_BASE_ALLOC_H
#define WEIR_BASE_ALLOC_H

#include "base/status.h"

/* count * size into *out, or a failure when it does not fit size_t. */
WEIR_CHECKED weir_status weir_mul(size_t *out, size_t count, size_t size);

/* New memory for count * size bytes at *(void **)out, NULL on failure; free with weir_free. A count of 0 gives memory
 * too. */
WEIR_CHECKED weir_status weir_alloc(void *out, size_t count, size_t size);
/* The same, zeroed. */
WEIR_CHECKED weir_status weir_alloc_zero(void *out, size_t count, size_t size);
/* The same, aligned to 64 bytes (from 32 KiB on to pages, which a disk takes as they are; from 4 MiB on to 2 MiB, with
   huge pages asked for); free with weir_free. */
WEIR_CHECKED weir_status weir_alloc_aligned(void *out, size_t count, size_t size);
/* Makes room in a growing array: *array holds *capacity elements of `size`, needs `needed`. Unchanged on failure. */
WEIR_CHECKED weir_status weir_grow(void *array, size_t *capacity, size_t needed, size_t size);
/* A copy of n bytes with a NUL added; of a string. */
WEIR_CHECKED weir_status weir_copy_bytes(char **out, const char *bytes, size_t n);
WEIR_CHECKED weir_status weir_copy_string(char **out, const char *text);
/* printf into new memory. */
__attribute__((format(printf, 2, 3))) WEIR_CHECKED weir_status weir_format(char **out, const char *format, ...);
void weir_free(void *memory);

/* For tests: the allocation after the next `n` fails, once; negative: none does. */
void weir_alloc_fail_after(long n);

#endif
