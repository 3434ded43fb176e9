/* Finds the borders of grapheme clusters by the rules of UAX #29. */
#include "token/cluster.h"

#include <string.h>

enum kind { OTHER, ALONE, EXTEND, PREPEND, PICTOGRAPH, HANGUL_L, HANGUL_V, HANGUL_T, HANGUL_LV, HANGUL_LVT };

enum { JOINER = 0x200d };

void weir_clusters_open(struct weir_clusters *clusters)
{
    clusters->extend = weir_unicode_find("cluster extend", strlen("cluster extend"));
    clusters->prepend = weir_unicode_find("cluster prepend", strlen("cluster prepend"));
    clusters->alone = weir_unicode_find("cluster alone", strlen("cluster alone"));
    clusters->pictograph = weir_unicode_find("pictograph", strlen("pictograph"));
}

static bool code_is_between(uint32_t code, uint32_t first, uint32_t last)
{
    return code >= first && code <= last;
}

static enum kind hangul_kind(uint32_t code)
{
    if (code_is_between(code, 0x1100, 0x115f) || code_is_between(code, 0xa960, 0xa97c))
        return HANGUL_L;
    if (code_is_between(code, 0x1160, 0x11a7) || code_is_between(code, 0xd7b0, 0xd7c6))
        return HANGUL_V;
    if (code_is_between(code, 0x11a8, 0x11ff) || code_is_between(code, 0xd7cb, 0xd7fb))
        return HANGUL_T;
    if (code_is_between(code, 0xac00, 0xd7a3))
        return (code - 0xac00) % 28 == 0 ? HANGUL_LV : HANGUL_LVT;
    return OTHER;
}

static enum kind kind_of_code(const struct weir_clusters *clusters, uint32_t code)
{
    if (code_is_between(code, ' ', '~'))
        return OTHER;
    if (weir_unicode_has(clusters->alone, code))
        return ALONE;
    if (weir_unicode_has(clusters->extend, code))
        return EXTEND;
    if (weir_unicode_has(clusters->prepend, code))
        return PREPEND;
    if (weir_unicode_has(clusters->pictograph, code))
        return PICTOGRAPH;
    return hangul_kind(code);
}

/* True where there is no border between two kinds of characters. */
static bool joins_cluster(enum kind before, enum kind next)
{
    if (before == ALONE || next == ALONE)
        return false;
    if (next == EXTEND || before == PREPEND)
        return true;
    switch (before) {
    case HANGUL_L:
        return next == HANGUL_L || next == HANGUL_V || next == HANGUL_LV || next == HANGUL_LVT;
    case HANGUL_V:
    case HANGUL_LV:
        return next == HANGUL_V || next == HANGUL_T;
    case HANGUL_T:
    case HANGUL_LVT:
        return next == HANGUL_T;
    default:
        return false;
    }
}

size_t weir_cluster_length(const struct weir_clusters *clusters, const char *text, size_t n)
{
    size_t at, length;
    if (n >= 2 && text[0] == '\r' && text[1] == '\n')
        return 2;
    enum kind before = kind_of_code(clusters, weir_utf8_decode(text, &at));
    bool pictograph = before == PICTOGRAPH, joined = false; /* joined: a joiner follows a pictograph */
    for (; at < n; at += length) {
        uint32_t code = weir_utf8_decode(text + at, &length);
        enum kind next = kind_of_code(clusters, code);
        if (!joins_cluster(before, next) && !(joined && next == PICTOGRAPH))
            break;
        joined = pictograph && code == JOINER;
        pictograph = next == PICTOGRAPH || (pictograph && next == EXTEND);
        before = next;
    }
    return at;
}
