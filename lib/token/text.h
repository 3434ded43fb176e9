/* Code points: in UTF-8, and into growing text. */
#ifndef WEIR_TOKEN_TEXT_H
#define WEIR_TOKEN_TEXT_H

#include "base/bytes.h"
#include "base/text.h"

WEIR_CHECKED weir_status weir_text_add_code(struct weir_text *text, uint32_t code);

/* The code point at `text`, which is valid UTF-8 and has a byte at least; *n is its length. */
uint32_t weir_utf8_decode(const char *text, size_t *n);
/* Length of the code point that ends before `end`, in valid UTF-8 that begins at or before it. */
size_t weir_utf8_back(const char *end);

#endif
