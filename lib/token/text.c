/* Code points: in UTF-8, and into growing text. */
#include "token/text.h"

weir_status weir_text_add_code(struct weir_text *text, uint32_t code)
{
    char bytes[4];
    return weir_text_add(text, bytes, weir_utf8_encode(bytes, code));
}

uint32_t weir_utf8_decode(const char *text, size_t *n)
{
    const unsigned char *p = (const unsigned char *)text;
    if (p[0] < 0x80) {
        *n = 1;
        return p[0];
    }
    if (p[0] < 0xe0) {
        *n = 2;
        return ((uint32_t)(p[0] & 0x1f) << 6) | (p[1] & 0x3f);
    }
    if (p[0] < 0xf0) {
        *n = 3;
        return ((uint32_t)(p[0] & 0x0f) << 12) | ((uint32_t)(p[1] & 0x3f) << 6) | (p[2] & 0x3f);
    }
    *n = 4;
    return ((uint32_t)(p[0] & 0x07) << 18) | ((uint32_t)(p[1] & 0x3f) << 12) | ((uint32_t)(p[2] & 0x3f) << 6) |
           (p[3] & 0x3f);
}

size_t weir_utf8_back(const char *end)
{
    size_t n = 1;
    while (n < 4 && ((unsigned char)end[-(ptrdiff_t)n] & 0xc0) == 0x80)
        n++;
    return n;
}
