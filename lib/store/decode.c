/* Undoing HDF5's filters deflate, shuffle and fletcher32 into buffers whose sizes are known beforehand. */
#include "store/decode.h"

#include <string.h>
#include <zlib.h>

/* Fletcher's checksum over 16-bit words, the high byte first, as HDF5 sums it. */
static uint32_t sum_fletcher(const uint8_t *data, size_t n)
{
    uint32_t a = 0, b = 0;
    size_t words = n / 2;
    while (words > 0) {
        size_t some = words < 360 ? words : 360; /* before the sums could overflow */
        words -= some;
        for (; some > 0; some--, data += 2) {
            a += (uint32_t)data[0] << 8 | data[1];
            b += a;
        }
        a = (a & 0xffff) + (a >> 16);
        b = (b & 0xffff) + (b >> 16);
    }
    if (n % 2) {
        a += (uint32_t)data[0] << 8;
        b += a;
        a = (a & 0xffff) + (a >> 16);
        b = (b & 0xffff) + (b >> 16);
    }
    a = (a & 0xffff) + (a >> 16);
    b = (b & 0xffff) + (b >> 16);
    return b << 16 | a;
}

static bool check_fletcher(const uint8_t *data, size_t n)
{
    const uint8_t *p = data + n;
    uint32_t said = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return said == sum_fletcher(data, n);
}

/* Puts the bytes of each value together again. */
static void unshuffle(uint8_t *to, const uint8_t *from, size_t bytes, size_t size)
{
    size_t n = bytes / size;
    for (size_t k = 0; k < size; k++)
        for (size_t i = 0; i < n; i++)
            to[i * size + k] = from[k * n + i];
    memcpy(to + n * size, from + n * size, bytes - n * size);
}

/* How long the chunk is before filter i is applied to it; deflate's result is the only length not known. */
static size_t length_before(const struct weir_packed *packed, int i, size_t bytes)
{
    for (int k = 0; k < i; k++)
        bytes += packed->filters[k] == WEIR_FILTER_FLETCHER && !(packed->skipped >> k & 1) ? 4 : 0;
    return bytes;
}

/* Undoes filter i: from [n] to `to`, whose contents are then `before` bytes. */
static bool undo(uint8_t *to, const uint8_t *from, size_t n, size_t before, int filter, size_t element,
                 const char **why)
{
    uLongf got = before;
    switch ((enum weir_filter)filter) {
    case WEIR_FILTER_DEFLATE:
        *why = "does not decompress to its size";
        return uncompress(to, &got, from, n) == Z_OK && got == before;
    case WEIR_FILTER_FLETCHER:
        *why = "does not have its checksum";
        if (n != before + 4 || !check_fletcher(from, before))
            return false;
        memcpy(to, from, before);
        return true;
    case WEIR_FILTER_SHUFFLE:
        *why = "is not of its size";
        if (n != before)
            return false;
        unshuffle(to, from, before, element);
        return true;
    }
    return false;
}

bool weir_decode(uint8_t *out, uint8_t *spare, size_t bytes, const struct weir_packed *packed, const char **why)
{
    const uint8_t *from = packed->from;
    size_t n = packed->n;
    int left = 0; /* filters that write: the last of them writes to `out` */
    for (int i = 0; i < packed->n_filters; i++)
        left += !(packed->skipped >> i & 1);
    for (int i = packed->n_filters - 1; i >= 0; i--) {
        if (packed->skipped >> i & 1)
            continue;
        size_t before = length_before(packed, i, bytes);
        uint8_t *to = --left % 2 ? spare : out;
        if (!undo(to, from, n, before, packed->filters[i], packed->element, why))
            return false;
        from = to;
        n = before;
    }
    *why = "is not of its size";
    if (n != bytes)
        return false;
    if (from != out)
        memcpy(out, from, bytes);
    return true;
}
