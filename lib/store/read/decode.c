/* Undoing HDF5's filters deflate, shuffle and fletcher32 into buffers whose sizes are known beforehand. */
#include "store/read/decode.h"

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
    uint32_t stored = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return stored == sum_fletcher(data, n);
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

/* The length of the chunk before filter i is applied to it; only deflate's result has a length not known beforehand. */
static size_t length_before(const struct weir_packed *packed, int i, size_t bytes)
{
    for (int k = 0; k < i; k++)
        bytes += packed->filters[k] == WEIR_FILTER_FLETCHER && !(packed->skipped >> k & 1) ? 4 : 0;
    return bytes;
}

/* The bytes that are left to decode: n at `from`. */
struct undoing {
    const uint8_t *from;
    size_t n;
    const char *why; /* it could not be gone on with */
};

static bool drop_checksum(struct undoing *now)
{
    now->why = "does not have its checksum";
    if (now->n < 4 || !check_fletcher(now->from, now->n - 4))
        return false;
    now->n -= 4;
    return true;
}

/* Undoes a filter that makes other bytes, into `to`, which has room for `room`. */
static bool undo_rewriting_filter(struct undoing *now, uint8_t *to, size_t room, const struct weir_packed *packed,
                                  int i, size_t bytes)
{
    uLongf before = packed->filters[i] == WEIR_FILTER_DEFLATE ? length_before(packed, i, bytes) : now->n, got = before;
    now->why = packed->filters[i] == WEIR_FILTER_DEFLATE ? "does not decompress to its size" : "is not of its size";
    if (before > room)
        return false;
    if (packed->filters[i] == WEIR_FILTER_SHUFFLE)
        unshuffle(to, now->from, before, packed->element);
    else if (uncompress(to, &got, now->from, now->n) != Z_OK || got != before)
        return false;
    now->from = to;
    now->n = before;
    return true;
}

bool weir_decode(uint8_t *out, uint8_t *spare, size_t bytes, const struct weir_packed *packed, const char **why)
{
    struct undoing now = {packed->from, packed->n, "is not of its size"};
    bool fine = true;
    for (int i = packed->n_filters - 1; i >= 0 && fine; i--) {
        if (packed->skipped >> i & 1)
            continue;
        if (packed->filters[i] == WEIR_FILTER_FLETCHER)
            fine = drop_checksum(&now);
        else
            fine = undo_rewriting_filter(&now, now.from == out ? spare : out, bytes + 4, packed, i, bytes);
    }
    *why = fine ? "is not of its size" : now.why;
    if (!fine || now.n != bytes)
        return false;
    if (now.from != out)
        memcpy(out, now.from, bytes);
    return true;
}
