/* Allocates memory with checked sizes, and fails on request for tests. */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static const size_t CACHE_LINE = 64, PAGE = 4096, HUGE_PAGE = (size_t)2 << 20;

static atomic_long countdown = -1; /* allocations until one fails; negative: none does */

void weir_alloc_fail_after(long n)
{
    atomic_store(&countdown, n);
}

static bool fails_now(void)
{
    return atomic_load_explicit(&countdown, memory_order_relaxed) >= 0 && atomic_fetch_sub(&countdown, 1) == 0;
}

static weir_status out_of_memory(size_t bytes)
{
    return weir_fail(WEIR_E_MEMORY, "out of memory: could not get %zu bytes; use fewer hooks, prompts or positions",
                     bytes);
}

weir_status weir_mul(size_t *out, size_t count, size_t size)
{
    *out = 0;
    if (__builtin_mul_overflow(count, size, out))
        return weir_fail(WEIR_E_INPUT, "a size of %zu times %zu bytes is more than memory can address", count, size);
    return WEIR_OK;
}

enum how { PLAIN, ZEROED, ALIGNED };

static void *allocate_bytes(size_t bytes, enum how how)
{
    if (fails_now())
        return NULL;
    if (how == ZEROED)
        return calloc(1, bytes);
    if (how == PLAIN)
        return malloc(bytes);
    /* whole pages can go to a disk as they are */
    size_t align = bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : bytes >= 8 * PAGE ? PAGE : CACHE_LINE;
    if (bytes > SIZE_MAX - align)
        return NULL;
    size_t whole = (bytes + align - 1) / align * align;
    void *memory = aligned_alloc(align, whole);
    if (memory && align == HUGE_PAGE)
        madvise(memory, whole, MADV_HUGEPAGE); /* only a hint: no fault here is worth a failure */
    return memory;
}

static weir_status allocate_checked(void *out, size_t count, size_t size, enum how how)
{
    void *memory = NULL;
    size_t bytes;
    memcpy(out, &memory, sizeof memory);
    TRY(weir_mul(&bytes, count, size));
    memory = allocate_bytes(bytes ? bytes : 1, how);
    if (!memory)
        return out_of_memory(bytes);
    memcpy(out, &memory, sizeof memory);
    return WEIR_OK;
}

weir_status weir_alloc(void *out, size_t count, size_t size)
{
    return allocate_checked(out, count, size, PLAIN);
}

weir_status weir_alloc_zero(void *out, size_t count, size_t size)
{
    return allocate_checked(out, count, size, ZEROED);
}

weir_status weir_alloc_aligned(void *out, size_t count, size_t size)
{
    return allocate_checked(out, count, size, ALIGNED);
}

weir_status weir_grow(void *array, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity)
        return WEIR_OK;
    size_t larger = *capacity + *capacity / 2 + 16, bytes;
    if (larger < needed)
        larger = needed;
    TRY(weir_mul(&bytes, larger, size));
    void *old;
    memcpy(&old, array, sizeof old);
    void *memory = fails_now() ? NULL : realloc(old, bytes);
    if (!memory)
        return out_of_memory(bytes);
    memcpy(array, &memory, sizeof memory);
    *capacity = larger;
    return WEIR_OK;
}

weir_status weir_copy_bytes(char **out, const char *bytes, size_t n)
{
    TRY(weir_alloc(out, n + 1, 1));
    if (n)
        memcpy(*out, bytes, n);
    (*out)[n] = '\0';
    return WEIR_OK;
}

weir_status weir_copy_string(char **out, const char *text)
{
    return weir_copy_bytes(out, text, strlen(text));
}

weir_status weir_format(char **out, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    weir_status status = weir_alloc(out, (size_t)n + 1, 1);
    if (status == WEIR_OK)
        vsnprintf(*out, (size_t)n + 1, format, again);
    va_end(again);
    return status;
}

void weir_free(void *memory)
{
    free(memory);
}
