/* Looks up code points in the tables of unicode_tables.c, and normalizes text. */
#include "token/unicode.h"

#include "base/alloc.h"

#include <string.h>

enum {
    HANGUL = 0xac00,
    HANGUL_L = 0x1100,
    HANGUL_V = 0x1161,
    HANGUL_T = 0x11a7,
    N_L = 19,
    N_V = 21,
    N_T = 28,
    N_HANGUL = N_L * N_V * N_T
};

const struct weir_unicode_class *weir_unicode_find(const char *name, size_t n)
{
    for (size_t i = 0; i < weir_n_unicode_classes; i++)
        if (strlen(weir_unicode_classes[i].name) == n && memcmp(weir_unicode_classes[i].name, name, n) == 0)
            return &weir_unicode_classes[i];
    return NULL;
}

bool weir_unicode_has(const struct weir_unicode_class *set, uint32_t code)
{
    if (set->n == 0 || code < weir_unicode_ranges[set->first].first)
        return false;
    size_t low = set->first, high = set->first + set->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > weir_unicode_ranges[middle].last)
            low = middle + 1;
        else if (code < weir_unicode_ranges[middle].first)
            high = middle;
        else
            return true;
    }
    return false;
}

static const struct weir_decomposition *find_decomposition(const struct weir_decomposition *table, size_t n,
                                                           uint32_t code)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > table[middle].code)
            low = middle + 1;
        else if (code < table[middle].code)
            high = middle;
        else
            return &table[middle];
    }
    return NULL;
}

weir_status weir_unicode_lower(struct weir_text *out, uint32_t code)
{
    const struct weir_decomposition *d = find_decomposition(weir_lower, weir_n_lower, code);
    if (!d)
        return weir_text_add_code(out, code);
    for (uint32_t i = 0; i < d->n; i++)
        TRY(weir_text_add_code(out, weir_decomposed[d->at + i]));
    return WEIR_OK;
}

/* The canonical combining class of a code point, by binary search. */
static uint32_t order_of(uint32_t code)
{
    size_t low = 0, high = weir_n_marks;
    if (code < weir_marks[0].first)
        return 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > weir_marks[middle].last)
            low = middle + 1;
        else if (code < weir_marks[middle].first)
            high = middle;
        else
            return weir_marks[middle].order;
    }
    return 0;
}

/* The one code point that a and b make together, 0 when they make none. */
static uint32_t compose_pair(uint32_t a, uint32_t b)
{
    if (a - HANGUL_L < N_L && b - HANGUL_V < N_V)
        return HANGUL + ((a - HANGUL_L) * N_V + (b - HANGUL_V)) * N_T;
    if (a - HANGUL < N_HANGUL && (a - HANGUL) % N_T == 0 && b - HANGUL_T - 1 < N_T - 1)
        return a + (b - HANGUL_T);
    size_t low = 0, high = weir_n_compositions;
    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct weir_composition *c = &weir_compositions[middle];
        if (a > c->a || (a == c->a && b > c->b))
            low = middle + 1;
        else if (a == c->a && b == c->b)
            return c->composed;
        else
            high = middle;
    }
    return 0;
}

/* A starter and the marks after it, before they are put into order. */
struct cluster {
    struct code {
        uint32_t code, order;
    } * codes; /* [n] */
    size_t n, capacity;
    struct code *sorted; /* [capacity_sorted] scratch */
    size_t capacity_sorted;
    bool composes;
    struct weir_text *out;
};

static weir_status cluster_add(struct cluster *c, uint32_t code, uint32_t order)
{
    if (c->n == c->capacity)
        TRY(weir_grow(&c->codes, &c->capacity, c->n + 1, sizeof *c->codes));
    c->codes[c->n++] = (struct code){code, order};
    return WEIR_OK;
}

/* Stable, by combining class; counting, so that a million marks on one letter take no longer than they must. */
static weir_status sort_marks(struct cluster *c)
{
    size_t places[257] = {0};
    bool sorted = true;
    for (size_t i = 1; i < c->n; i++)
        sorted = sorted && c->codes[i - 1].order <= c->codes[i].order;
    if (sorted)
        return WEIR_OK;
    if (c->n > c->capacity_sorted)
        TRY(weir_grow(&c->sorted, &c->capacity_sorted, c->n, sizeof *c->sorted));
    for (size_t i = 0; i < c->n; i++)
        places[c->codes[i].order + 1]++;
    for (size_t k = 1; k < 257; k++)
        places[k] += places[k - 1];
    for (size_t i = 0; i < c->n; i++)
        c->sorted[places[c->codes[i].order]++] = c->codes[i];
    memcpy(c->codes, c->sorted, c->n * sizeof *c->codes);
    return WEIR_OK;
}

/* Marks that make one code point with the starter, and have none of their own class or above between, go into it. */
static void compose_marks(struct cluster *c)
{
    size_t kept = 1;
    for (size_t i = 1; i < c->n; i++) {
        bool blocked = kept > 1 && c->codes[kept - 1].order >= c->codes[i].order;
        uint32_t composed = blocked ? 0 : compose_pair(c->codes[0].code, c->codes[i].code);
        if (composed)
            c->codes[0].code = composed;
        else
            c->codes[kept++] = c->codes[i];
    }
    c->n = kept;
}

static weir_status cluster_flush(struct cluster *c)
{
    TRY(sort_marks(c));
    if (c->composes && c->n > 0 && c->codes[0].order == 0)
        compose_marks(c);
    for (size_t i = 0; i < c->n; i++)
        TRY(weir_text_add_code(c->out, c->codes[i].code));
    c->n = 0;
    return WEIR_OK;
}

/* One decomposed code point. A starter ends the cluster before it, unless the two make one code point. */
static weir_status take_into_cluster(struct cluster *c, uint32_t code)
{
    uint32_t order = order_of(code);
    if (order == 0 && c->n > 0) {
        if (c->composes) {
            TRY(sort_marks(c));
            if (c->codes[0].order == 0)
                compose_marks(c);
            uint32_t composed = c->n == 1 && c->codes[0].order == 0 ? compose_pair(c->codes[0].code, code) : 0;
            if (composed) {
                c->codes[0].code = composed;
                return WEIR_OK;
            }
        }
        TRY(cluster_flush(c));
    }
    return cluster_add(c, code, order);
}

static weir_status take_hangul(struct cluster *c, uint32_t syllable)
{
    uint32_t i = syllable - HANGUL;
    TRY(take_into_cluster(c, HANGUL_L + i / (N_V * N_T)));
    TRY(take_into_cluster(c, HANGUL_V + i / N_T % N_V));
    return i % N_T ? take_into_cluster(c, HANGUL_T + i % N_T) : WEIR_OK;
}

static weir_status take_decomposed(struct cluster *c, uint32_t code, bool compatible)
{
    if (code - HANGUL < N_HANGUL)
        return take_hangul(c, code);
    const struct weir_decomposition *d = NULL;
    if (code >= 0xa0 && compatible)
        d = find_decomposition(weir_compatible, weir_n_compatible, code);
    if (code >= 0xa0 && !d)
        d = find_decomposition(weir_canonical, weir_n_canonical, code);
    if (!d)
        return take_into_cluster(c, code);
    for (uint32_t i = 0; i < d->n; i++)
        TRY(take_into_cluster(c, weir_decomposed[d->at + i]));
    return WEIR_OK;
}

/* Bytes at the front of `text` that no form changes: ASCII, without its last when something follows it. */
static size_t plain_length(const char *text, size_t n)
{
    size_t i = 0;
    while (i < n && (unsigned char)text[i] < 0x80)
        i++;
    return i < n && i > 0 ? i - 1 : i;
}

weir_status weir_unicode_normalize(struct weir_text *out, const char *text, size_t n, enum weir_normal_form form)
{
    struct cluster c = {.composes = form == WEIR_NFC || form == WEIR_NFKC, .out = out};
    weir_status status = WEIR_OK;
    for (size_t at = 0, length; at < n; at += length) {
        size_t ascii = plain_length(text + at, n - at);
        if (ascii > 0) {
            TRY_DONE(cluster_flush(&c));
            TRY_DONE(weir_text_add(out, text + at, ascii));
            length = ascii;
            continue;
        }
        uint32_t code = weir_utf8_decode(text + at, &length);
        TRY_DONE(take_decomposed(&c, code, form == WEIR_NFKC || form == WEIR_NFKD));
    }
    TRY_DONE(cluster_flush(&c));
done:
    weir_free(c.codes);
    weir_free(c.sorted);
    return status;
}
