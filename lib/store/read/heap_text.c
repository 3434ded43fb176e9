/* Texts of any length, from HDF5's global heap: 16 bytes say how long one is, which collection has it, and where in it.
 */
#include "base/alloc.h"
#include "store/read/sieve.h"
#include "store/read/stored.h"

#include <string.h>

enum { COLLECTION_HEAD = 16, OBJECT_HEAD = 16, LONGEST_TEXT = 1 << 28 };

static uint64_t read_little(const uint8_t *p, int n)
{
    uint64_t number = 0;
    for (int i = n - 1; i >= 0; i--)
        number = number << 8 | p[i];
    return number;
}

/* The offset of object `index` of the collection at `address`, and its length; false when there is none. */
static bool find_object(uint64_t *at, uint64_t *length, const struct weir_h5_source *source, uint64_t address,
                        uint64_t index)
{
    uint8_t head[OBJECT_HEAD];
    struct weir_sieve sieve; /* there may be thousands of objects */
    sieve.first = sieve.n = 0;
    if (!weir_h5_source_read(source, head, address, COLLECTION_HEAD) || memcmp(head, "GCOL\1", 5) != 0)
        return false;
    uint64_t size = read_little(head + 8, 8);
    if (size > source->size - address)
        return false;
    for (uint64_t end = address + size, next = address + COLLECTION_HEAD; next < end && end - next >= OBJECT_HEAD;) {
        if (!weir_sieve_read(&sieve, source, head, next, OBJECT_HEAD, end))
            return false;
        *length = read_little(head + 8, 8);
        *at = next + OBJECT_HEAD;
        if (*length > end - *at || read_little(head, 2) == 0) /* 0: room that is left */
            return false;
        if (read_little(head, 2) == index)
            return true;
        next = *at + (*length + 7) / 8 * 8;
    }
    return false;
}

weir_status weir_stored_text(char **out, const struct weir_h5_source *source, const uint8_t *reference,
                             const char *name)
{
    uint64_t length = read_little(reference, 4), address = read_little(reference + 4, 8),
             index = read_little(reference + 12, 4);
    uint64_t at, has;
    *out = NULL;
    if (length == 0 || address == 0)
        return WEIR_OK;
    if (length > LONGEST_TEXT || address > source->size - source->base ||
        !find_object(&at, &has, source, source->base + address, index) || has < length)
        return weir_fail(WEIR_E_INPUT, "%s: %s: damaged: a text is outside the file", source->path, name);
    TRY(weir_alloc_zero(out, (size_t)length + 1, 1));
    if (weir_h5_source_read(source, *out, at, (size_t)length))
        return WEIR_OK;
    weir_free(*out);
    *out = NULL;
    return weir_fail(WEIR_E_INPUT, "%s: %s: a text cannot be read: the file was cut short", source->path, name);
}
