/* Reads little-endian numbers, strings and UTF-8 from bytes whose end is known. */
#include "base/bytes.h"

#include <string.h>

weir_status weir_bytes_take(struct weir_bytes *b, const uint8_t **out, uint64_t n, const char *what)
{
    *out = NULL;
    if (n > b->size - b->at)
        return weir_fail(WEIR_E_INPUT,
                         "%s: byte %zu: %s needs %llu bytes, the file has %zu left: it is truncated or damaged",
                         b->file, b->at, what, (unsigned long long)n, b->size - b->at);
    *out = b->data + b->at;
    b->at += (size_t)n;
    return WEIR_OK;
}

static weir_status read_little_endian(struct weir_bytes *b, uint64_t *out, size_t n, const char *what)
{
    const uint8_t *p;
    *out = 0;
    TRY(weir_bytes_take(b, &p, n, what));
    for (size_t i = n; p && i-- > 0;)
        *out = *out << 8 | p[i];
    return WEIR_OK;
}

weir_status weir_bytes_u8(struct weir_bytes *b, uint8_t *out, const char *what)
{
    uint64_t x;
    weir_status status = read_little_endian(b, &x, 1, what);
    *out = (uint8_t)x;
    return status;
}

weir_status weir_bytes_u16(struct weir_bytes *b, uint16_t *out, const char *what)
{
    uint64_t x;
    weir_status status = read_little_endian(b, &x, 2, what);
    *out = (uint16_t)x;
    return status;
}

weir_status weir_bytes_u32(struct weir_bytes *b, uint32_t *out, const char *what)
{
    uint64_t x;
    weir_status status = read_little_endian(b, &x, 4, what);
    *out = (uint32_t)x;
    return status;
}

weir_status weir_bytes_u64(struct weir_bytes *b, uint64_t *out, const char *what)
{
    return read_little_endian(b, out, 8, what);
}

size_t weir_utf8_sequence(const uint8_t *p, size_t n)
{
    if (n == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    size_t length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (n < length || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

bool weir_utf8_valid(const char *text, size_t n, size_t *bad)
{
    const uint8_t *p = (const uint8_t *)text;
    for (size_t i = 0; i < n;) {
        uint64_t eight;
        if (n - i >= sizeof eight && (memcpy(&eight, p + i, sizeof eight), (eight & 0x8080808080808080u) == 0)) {
            i += sizeof eight; /* all ASCII */
            continue;
        }
        size_t length = weir_utf8_sequence(p + i, n - i);
        if (length == 0) {
            *bad = i;
            return false;
        }
        i += length;
    }
    return true;
}

size_t weir_utf8_encode(char to[4], uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)(lead[n] | code);
    return n;
}
