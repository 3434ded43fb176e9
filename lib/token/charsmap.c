/* Walks the trie of a precompiled character map. */
#include "token/charsmap.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <string.h>

enum { WHOLE = 6 }; /* clusters of less bytes are looked up whole */

weir_status weir_charsmap_open(struct weir_charsmap *map, const char *file, const void *bytes, size_t n)
{
    struct weir_bytes b = {.file = file, .data = bytes, .size = n};
    const uint8_t *texts;
    uint32_t size;
    size_t bad;
    TRY(weir_bytes_u32(&b, &size, "the size of the charsmap's trie"));
    if (size % 4 != 0 || size > n - b.at)
        return weir_fail(WEIR_E_INPUT, "%s: the charsmap's trie of %u bytes does not fit its %zu bytes", file, size, n);
    map->n_units = size / 4;
    TRY(weir_alloc(&map->units, map->n_units, sizeof *map->units));
    for (size_t i = 0; i < map->n_units; i++)
        TRY(weir_bytes_u32(&b, &map->units[i], "a unit of the charsmap's trie"));
    size_t n_texts = n - b.at;
    TRY(weir_bytes_take(&b, &texts, n_texts, "the charsmap's texts"));
    if (!weir_utf8_valid((const char *)texts, n_texts, &bad))
        return weir_fail(WEIR_E_INPUT, "%s: byte %zu of the charsmap's texts is not UTF-8", file, bad);
    weir_clusters_open(&map->clusters);
    return weir_text_add(&map->texts, (const char *)texts, n_texts);
}

static int sextet(char c)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(letters, c) : NULL;
    return at ? (int)(at - letters) : -1;
}

/* @return whether `text` is base64. */
static bool decode_base64(char *to, size_t *n, const char *text)
{
    uint32_t bits = 0;
    size_t length = strlen(text), used = length;
    while (used > 0 && text[used - 1] == '=')
        used--;
    *n = 0;
    for (size_t i = 0; i < used; i++) {
        int six = sextet(text[i]);
        if (six < 0)
            return false;
        bits = bits << 6 | (uint32_t)six;
        if (i % 4 != 0)
            to[(*n)++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    return length % 4 == 0 && length - used <= 2;
}

weir_status weir_charsmap_open_base64(struct weir_charsmap *map, const char *file, const char *text)
{
    char *bytes;
    size_t n;
    TRY(weir_alloc(&bytes, strlen(text), 1));
    weir_status status = decode_base64(bytes, &n, text)
                             ? weir_charsmap_open(map, file, bytes, n)
                             : weir_fail(WEIR_E_INPUT, "%s: \"precompiled_charsmap\" is not base64", file);
    weir_free(bytes);
    return status;
}

void weir_charsmap_close(struct weir_charsmap *map)
{
    weir_free(map->units);
    weir_text_close(&map->texts);
    *map = (struct weir_charsmap){0};
}

/* A unit is the byte that leads to it (bits 0 to 7, and 31: none does), whether a key ends here (8), and by what its
   number and its children's differ (10 up, 9: times 256); the unit of a key's end is where its text begins. */
static uint32_t offset_of(uint32_t unit)
{
    return unit >> 10 << ((unit & 1u << 9) >> 6);
}

/* Where the text for the shortest key that `text` begins with begins; false when there is none. */
static bool find_key(const struct weir_charsmap *map, const char *text, size_t n, uint32_t *at)
{
    if (map->n_units == 0)
        return false;
    size_t node = offset_of(map->units[0]);
    for (size_t i = 0; i < n && text[i] != '\0'; i++) {
        unsigned char byte = (unsigned char)text[i];
        node ^= byte;
        if (node >= map->n_units || (map->units[node] & (1u << 31 | 0xff)) != byte)
            return false;
        bool ends = map->units[node] >> 8 & 1;
        node ^= offset_of(map->units[node]);
        if (ends) {
            *at = node < map->n_units ? map->units[node] & ~(1u << 31) : UINT32_MAX;
            return true;
        }
    }
    return false;
}

/* Maps `text` as a whole; *found is false where the map does not have it. */
static weir_status map_whole(const struct weir_charsmap *map, struct weir_text *out, const char *text, size_t n,
                             bool *found)
{
    uint32_t at = 0;
    *found = find_key(map, text, n, &at) && at < map->texts.n && ((unsigned char)map->texts.data[at] & 0xc0) != 0x80;
    if (!*found)
        return WEIR_OK;
    return weir_text_add(out, map->texts.data + at, strnlen(map->texts.data + at, map->texts.n - at));
}

static weir_status map_cluster(const struct weir_charsmap *map, struct weir_text *out, const char *text, size_t n)
{
    bool found = false;
    if (n < WHOLE)
        TRY(map_whole(map, out, text, n, &found));
    for (size_t at = 0, length; !found && at < n; at += length) {
        bool changed;
        weir_utf8_decode(text + at, &length);
        TRY(map_whole(map, out, text + at, length, &changed));
        if (!changed)
            TRY(weir_text_add(out, text + at, length));
    }
    return WEIR_OK;
}

weir_status weir_charsmap_apply(const struct weir_charsmap *map, struct weir_text *out, size_t most, const char *text,
                                size_t n)
{
    for (size_t at = 0, length; at < n && out->n <= most; at += length) {
        length = weir_cluster_length(&map->clusters, text + at, n - at);
        TRY(map_cluster(map, out, text + at, length));
    }
    return WEIR_OK;
}
