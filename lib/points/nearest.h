/* Which names a misspelt one may have meant: those that share most of their letters with it. */
#ifndef WEIR_POINTS_NEAREST_H
#define WEIR_POINTS_NEAREST_H

#include "base/status.h"

/* How many single changes (a letter more, less or other, two neighbours swapped) make `b` of `a`; names are compared by
   their first 63 bytes. */
size_t weir_edit_distance(const char *a, const char *b);

/* The hook points whose short name, full name or alias is nearest to `name`, best first, as "pattern, z"; full names
   when `name` looks like one. Written to `text` (cut to `size`, always ended); "" where none is near. */
void weir_nearest_points(char *text, size_t size, const char *name);

/* The one of n words that `word` may have been meant to be; NULL where none is near. */
const char *weir_nearest_word(const char *const *words, size_t n, const char *word);

#endif
