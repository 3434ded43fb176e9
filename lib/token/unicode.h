/* Classes of code points and normalization, as Hugging Face tokenizers has them. */
#ifndef WEIR_TOKEN_UNICODE_H
#define WEIR_TOKEN_UNICODE_H

#include "token/text.h"
#include "token/unicode_tables.h"

/* The class of that exact name ("Lu", "Han", "posix space", "rust numeric"), NULL when there is none. */
const struct weir_unicode_class *weir_unicode_find(const char *name, size_t n);
bool weir_unicode_has(const struct weir_unicode_class *set, uint32_t code);

/* Appends the code point's lowercase to `out`, which is itself where it has none; of more than one code point, all. */
WEIR_CHECKED weir_status weir_unicode_lower(struct weir_text *out, uint32_t code);

enum weir_normal_form { WEIR_NFC, WEIR_NFD, WEIR_NFKC, WEIR_NFKD };

/* Appends n bytes of UTF-8, normalized, to `out`. */
WEIR_CHECKED weir_status weir_unicode_normalize(struct weir_text *out, const char *text, size_t n,
                                                enum weir_normal_form form);

#endif
