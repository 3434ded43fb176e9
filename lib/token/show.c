/* Shows the bytes of tokens as text that is safe to print. */
#include "token/tokenizer.h"

#include "base/bytes.h"
#include "token/text.h"

#include <stdio.h>
#include <string.h>

/* Output that is counted whole and kept as far as it fits. */
struct shown {
    char *to;
    size_t size, n;
};

/* A symbol goes in whole or not at all, and nothing after one that did not fit. */
static void add_shown(struct shown *s, const char *text, size_t n)
{
    if (s->n + n < s->size)
        memcpy(s->to + s->n, text, n);
    else if (s->n < s->size) {
        s->to[s->n] = '\0';
        s->size = 0;
    }
    s->n += n;
}

static void add_escaped(struct shown *s, unsigned char byte)
{
    char text[8];
    if (byte == '\n' || byte == '\t' || byte == '\r')
        add_shown(s, byte == '\n' ? "\\n" : byte == '\t' ? "\\t" : "\\r", 2);
    else
        add_shown(s, text, (size_t)snprintf(text, sizeof text, "\\x%02x", byte));
}

/* Bytes of the UTF-8 character at `text`, 0 when there is none. */
static size_t char_length(const char *text, size_t n)
{
    unsigned char first = (unsigned char)text[0];
    size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4, bad;
    return length <= n && weir_utf8_valid(text, length, &bad) ? length : 0;
}

/* C0, DEL and C1, and what ends lines elsewhere. */
static bool is_control(const char *text, size_t n)
{
    size_t length;
    uint32_t code = n > 0 ? weir_utf8_decode(text, &length) : 0;
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

size_t weir_show_bytes(char *to, size_t size, const char *bytes, size_t n)
{
    struct shown s = {.size = size};
    s.to = to;
    for (size_t at = 0; at < n;) {
        size_t length = char_length(bytes + at, n - at);
        bool escape = length == 0 || is_control(bytes + at, length);
        if (length == 0)
            length = 1;
        for (size_t i = 0; escape && i < length; i++)
            add_escaped(&s, (unsigned char)bytes[at + i]);
        if (!escape)
            add_shown(&s, bytes + at, length);
        at += length;
    }
    if (s.n < s.size)
        s.to[s.n] = '\0';
    return s.n;
}
