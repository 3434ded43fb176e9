/* Sets of code points, for the classes of regular expressions. */
#ifndef WEIR_TOKEN_CHARSET_H
#define WEIR_TOKEN_CHARSET_H

#include "token/text.h"
#include "token/unicode_tables.h"

/* Ranges; ascending and apart from each other after any of the functions below but add. All zero is the empty set. */
struct weir_charset {
    struct weir_code_range *ranges; /* [n] */
    size_t n, capacity;
};

void weir_charset_close(struct weir_charset *set);
WEIR_CHECKED weir_status weir_charset_add(struct weir_charset *set, uint32_t first, uint32_t last);
WEIR_CHECKED weir_status weir_charset_add_set(struct weir_charset *set, const struct weir_charset *other);
/* By name, as in \p{NAME}: a general category, a group of them, a script, White_Space, or a POSIX class as
   "posix NAME". *known is false when there is none of that name. */
WEIR_CHECKED weir_status weir_charset_add_named(struct weir_charset *set, const char *name, size_t n, bool *known);
void weir_charset_tidy(struct weir_charset *set);
WEIR_CHECKED weir_status weir_charset_invert(struct weir_charset *set);
WEIR_CHECKED weir_status weir_charset_intersect(struct weir_charset *set, const struct weir_charset *other);
/* Adds the other case of every ASCII letter, and what folds to one (U+017F to s, U+212A to k). */
WEIR_CHECKED weir_status weir_charset_fold(struct weir_charset *set);
/* Writes it as a class of PCRE2. The set is put into another order: for close only. */
WEIR_CHECKED weir_status weir_charset_write(struct weir_charset *set, struct weir_text *out);

#endif
