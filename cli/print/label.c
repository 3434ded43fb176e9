/* Makes labels of tokens that are safe to draw. */
#include "cli/print/label.h"

#include "cli/print/text.h"

#include <string.h>
#include <utf8proc.h>

static const struct {
    utf8proc_int32_t code;
    const char *shown;
} marks[] = {{' ', "\u2423"}, {'\n', "\u21b5"}, {'\r', "\u240d"}, {'\t', "\u21e5"}};

/* False for characters that are not drawn, or that change how others are: controls, formats (bidirectional ones among
   them), line and paragraph ends, surrogates, private and unassigned ones. */
static bool is_drawn(utf8proc_int32_t code)
{
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    default:
        return true;
    }
}

/* Puts the character at `text`, or a mark in its place, into `shown`. @return its bytes in the text. */
static size_t next_mark(char shown[8], const char *text)
{
    utf8proc_int32_t code;
    utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &code);
    size_t n = used > 0 ? (size_t)used : 1;
    for (size_t i = 0; used > 0 && i < sizeof marks / sizeof *marks; i++)
        if (marks[i].code == code) {
            snprintf(shown, 8, "%s", marks[i].shown);
            return n;
        }
    if (used > 0 && is_drawn(code))
        snprintf(shown, 8, "%.*s", (int)n, text);
    else
        snprintf(shown, 8, "%s", "\ufffd");
    return n;
}

/* Joiners, which tell letters and parts of an emoji whether to be drawn as one: harmless between two of these. */
static size_t joiner_bytes(const char *begin, const char *at)
{
    bool is_joiner = strncmp(at, "\u200c", 3) == 0 || strncmp(at, "\u200d", 3) == 0;
    bool is_between = at > begin && (unsigned char)at[-1] >= 0x80 && is_joiner && (unsigned char)at[3] >= 0xc2;
    return is_between && strncmp(at + 3, "\u200c", 3) != 0 && strncmp(at + 3, "\u200d", 3) != 0 ? 3 : 0;
}

void label_of(char *to, size_t size, const char *token, size_t columns)
{
    char whole[1024], shown[8];
    const char *begin = token;
    size_t at = 0;
    for (; *token && at + sizeof shown < sizeof whole; at += strlen(whole + at)) {
        size_t n = joiner_bytes(begin, token);
        snprintf(shown, sizeof shown, "%.*s", (int)n, token);
        token += n ? n : next_mark(shown, token);
        snprintf(whole + at, sizeof whole - at, "%s", shown);
    }
    whole[at] = '\0';
    text_shorten(to, size, whole, columns);
}

char *text_clean(char *text)
{
    utf8proc_int32_t code;
    for (char *p = text; *p;) {
        utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)p, -1, &code);
        size_t n = used > 0 ? (size_t)used : 1;
        if (used <= 0 || !is_drawn(code))
            memset(p, '?', n);
        p += n;
    }
    return text;
}
