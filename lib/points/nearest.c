/* The names nearest to a misspelt one. */
#include "points/nearest.h"

#include "base/ranked.h"
#include "points/points.h"

#include <stdio.h>
#include <string.h>

enum { LONGEST = 63, MOST = 3, FAR = 1000 };

static size_t smaller_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t weir_edit_distance(const char *a, const char *b)
{
    size_t n = strnlen(a, LONGEST), m = strnlen(b, LONGEST);
    size_t rows[3][LONGEST + 1]; /* distances of a's first i - 2, i - 1 and i bytes to b's first j */
    size_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (size_t j = 0; j <= m; j++)
        last[j] = before[j] = j;
    for (size_t i = 1; i <= n; i++) {
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            now[j] = smaller_size(smaller_size(last[j], now[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = smaller_size(now[j], before[j - 2] + 1);
        }
        size_t *free = before;
        before = last;
        last = now;
        now = free;
    }
    return last[m];
}

#define POINT(id, short_name, full, scope, stored, axes, meaning)
#define ALIAS(short_name, full, when) {short_name, full},
static const struct {
    const char *point, *name; /* name is without "blocks.{layer}." */
} aliases[] = {
#include "points/points.def"
};
#undef POINT
#undef ALIAS

/* What stands behind "blocks.ANYTHING.", or the name itself. */
static const char *without_block(const char *name)
{
    const char *dot = strncmp(name, "blocks.", 7) == 0 ? strchr(name + 7, '.') : NULL;
    return dot ? dot + 1 : name;
}

static const char *without_hook(const char *name)
{
    return strncmp(name, "hook_", 5) == 0 && name[5] ? name + 5 : name;
}

/* The most letters that stand side by side in both. */
static size_t shared_letters(const char *a, const char *b)
{
    size_t best = 0;
    for (size_t i = 0; a[i] && i < LONGEST; i++)
        for (size_t j = 0; b[j] && j < LONGEST; j++) {
            size_t n = 0;
            while (a[i + n] && a[i + n] == b[j + n])
                n++;
            best = n > best ? n : best;
        }
    return best;
}

/* The distance between two names, where one may be meant by the other: at most a third of its letters are other ones,
   or more than half of them stand there in a row; else FAR. */
static size_t distance_if_near(const char *name, const char *other)
{
    size_t distance = weir_edit_distance(name, other), n = strnlen(name, LONGEST);
    bool is_near = distance <= (n < 3 ? 1 : n / 3) && distance < n;
    return is_near || (n > 3 && 2 * shared_letters(name, other) > n) ? distance : FAR;
}

/* To the full name, or to its last part alone: "hook_pattern" means attn.hook_pattern. What all have in common, such as
   hook_, says nothing: as many letters may be other ones as if the last part stood there alone. */
static size_t to_full_name(const char *name, const char *full)
{
    const char *dot = strrchr(full, '.'), *given_dot = strrchr(name, '.');
    size_t n = strlen(without_hook(given_dot ? given_dot + 1 : name)), whole = weir_edit_distance(name, full);
    return smaller_size(whole <= (n < 3 ? 1 : n / 3) ? whole : FAR,
                        distance_if_near(without_hook(name), without_hook(dot ? dot + 1 : full)));
}

static size_t to_point(const char *name, const weir_point *point)
{
    const char *rest = without_hook(name);
    size_t best = smaller_size(distance_if_near(name, point->name), to_full_name(name, without_block(point->hook)));
    if (strlen(rest) > 2 && strstr(point->name, rest))
        best = smaller_size(best, 1); /* "scores" is far from attn_scores by letters, and not by meaning */
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(aliases[i].point, point->name) == 0)
            best = smaller_size(best, to_full_name(name, aliases[i].name));
    return best;
}

void weir_nearest_points(char *text, size_t size, const char *name)
{
    bool full = strchr(name, '.') || strstr(name, "hook");
    int ids[MOST + 1];
    float nearness[MOST];
    size_t n = 0, at = 0;
    text[0] = '\0';
    for (int i = 0; i < WEIR_N_POINTS; i++) {
        size_t distance = to_point(without_block(name), weir_point_at(i));
        if (distance != FAR)
            ids[weir_ranked_insert(nearness, ids, sizeof *ids, &n, MOST, -(float)distance)] = i;
    }
    for (size_t i = 0; i < n && nearness[i] == nearness[0]; i++) {
        const weir_point *point = weir_point_at(ids[i]);
        int wrote = snprintf(at < size ? text + at : NULL, at < size ? size - at : 0, "%s%s", i ? ", " : "",
                             full ? point->hook : point->name);
        at += (size_t)wrote;
    }
}

const char *weir_nearest_word(const char *const *words, size_t n, const char *word)
{
    const char *best = NULL;
    size_t least = FAR;
    for (size_t i = 0; i < n; i++) {
        size_t distance = distance_if_near(word, words[i]);
        if (distance < least) {
            least = distance;
            best = words[i];
        }
    }
    return best;
}
