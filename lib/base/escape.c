/* Makes any bytes safe to print. */
#include "base/escape.h"

#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

uint32_t weir_escape_next(const char **text, bool *valid)
{
    static const uint8_t lead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const uint8_t *p = (const uint8_t *)*text;
    size_t n = weir_utf8_sequence(p, strnlen(*text, 4));
    uint32_t code = n ? p[0] & lead[n] : p[0];
    for (size_t i = 1; i < n; i++)
        code = code << 6 | (p[i] & 0x3f);
    *valid = n > 0;
    *text += n ? n : 1;
    return code;
}

bool weir_escape_needed(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* Writes how a character is shown, or a byte that is not part of one. @return the length. */
static size_t show_character(char to[WEIR_ESCAPED_MOST + 1], uint32_t code, bool valid)
{
    const char *ends = "\nn\tt\rr", *known = valid && code && code < 0x20 ? strchr(ends, (int)code) : NULL;
    if (known)
        return (size_t)snprintf(to, WEIR_ESCAPED_MOST + 1, "\\%c", known[1]);
    if (!valid || code < 0x80)
        return (size_t)snprintf(to, WEIR_ESCAPED_MOST + 1, "\\x%02x", code);
    return (size_t)snprintf(to, WEIR_ESCAPED_MOST + 1, "\\u{%x}", code);
}

size_t weir_escape(char *to, size_t size, const char *text)
{
    size_t at = 0;
    while (*text) {
        char shown[WEIR_ESCAPED_MOST + 1];
        const char *from = text;
        bool valid;
        uint32_t code = weir_escape_next(&text, &valid);
        bool escaped = !valid || weir_escape_needed(code);
        size_t bytes = escaped ? show_character(shown, code, valid) : (size_t)(text - from);
        if (at + bytes >= size)
            break;
        memcpy(to + at, escaped ? shown : from, bytes);
        at += bytes;
    }
    to[at] = '\0';
    return at;
}
