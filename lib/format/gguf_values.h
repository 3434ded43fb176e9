/* The values in a GGUF file, for gguf.c. */
#ifndef WEIR_FORMAT_GGUF_VALUES_H
#define WEIR_FORMAT_GGUF_VALUES_H

#include "base/bytes.h"
#include "format/gguf.h"

/* A string: its length, then its bytes, which *out points to. `what` is for messages. */
WEIR_CHECKED weir_status weir_gguf_read_string(struct weir_bytes *b, struct weir_gguf_string *out, const char *what);
/* The number of elements that follow, of `min_bytes` or more each. WEIR_E_INPUT, before memory is taken for them, where
   the rest of the file cannot hold so many. */
WEIR_CHECKED weir_status weir_gguf_read_count(struct weir_bytes *b, size_t *out, size_t min_bytes, const char *what);
/* n keys and values, sorted by key. */
WEIR_CHECKED weir_status weir_gguf_read_values(struct weir_gguf *gguf, struct weir_bytes *b, size_t n);

#endif
