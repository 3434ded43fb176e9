/* From Oniguruma's syntax to PCRE2's. */
#ifndef WEIR_TOKEN_REGEX_REWRITE_H
#define WEIR_TOKEN_REGEX_REWRITE_H

#include "token/text.h"

/* Appends to `out` the PCRE2 pattern (for UTF, MULTILINE, newline LF) that matches what the n bytes of `pattern` match
   in tokenizers. WEIR_E_UNSUPPORTED, naming `file` and the construct, when there is none. */
WEIR_CHECKED weir_status weir_regex_rewrite(struct weir_text *out, const char *file, const char *pattern, size_t n);

#endif
