/* The regular expressions of tokenizer files. They are written for Oniguruma (Ruby's syntax) and its Unicode; here they
   are rewritten for PCRE2 with every class spelled out as ranges, so that both find the same matches. */
#ifndef WEIR_TOKEN_REGEX_H
#define WEIR_TOKEN_REGEX_H

#include "base/status.h"

struct weir_regex; /* constant after it is made: threads may share it */
struct weir_match; /* the work space of one thread */

/* Compiles n bytes of UTF-8. WEIR_E_UNSUPPORTED, naming `file` and the construct, for what is not translated. */
WEIR_CHECKED weir_status weir_regex_open(struct weir_regex **out, const char *file, const char *pattern, size_t n);
/* One that matches exactly those bytes. */
WEIR_CHECKED weir_status weir_regex_open_literal(struct weir_regex **out, const char *file, const char *text, size_t n);
void weir_regex_close(struct weir_regex *regex);

WEIR_CHECKED weir_status weir_match_open(struct weir_match **out);
/* Begins a text of n bytes: patterns that go back and forth over it end with WEIR_E_UNSUPPORTED once all
   matches together have taken more steps than a text of that length may. */
void weir_match_begin(struct weir_match *match, size_t n);
void weir_match_close(struct weir_match *match);

/* The first match in `text` [n] that begins at `from` or after it; look-behind sees what is before `from`.
 *found is false when there is none. */
WEIR_CHECKED weir_status weir_regex_find(const struct weir_regex *regex, struct weir_match *match, const char *text,
                                         size_t n, size_t from, bool *found, size_t *start, size_t *end);

/* The matches in one text, one after the other. Begins all zero. */
struct weir_matches {
    bool found;        /* there was one more: */
    size_t start, end; /* its place */
    bool any;          /* there was one before */
};

/* The next match. An empty one right after the last is skipped, as by the iterator that tokenizers uses. */
WEIR_CHECKED weir_status weir_regex_next(struct weir_matches *matches, const struct weir_regex *regex,
                                         struct weir_match *match, const char *text, size_t n);

#endif
