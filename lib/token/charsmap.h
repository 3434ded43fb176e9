/* SentencePiece's precompiled character maps, as Hugging Face's Precompiled normalizer applies them: a trie of what is
   replaced, as a double array, followed by the replacements. */
#ifndef WEIR_TOKEN_CHARSMAP_H
#define WEIR_TOKEN_CHARSMAP_H

#include "token/cluster.h"

/* All zero is empty. */
struct weir_charsmap {
    uint32_t *units; /* [n_units] */
    size_t n_units;
    struct weir_text texts; /* each ended by NUL */
    struct weir_clusters clusters;
};

/* From the n bytes that a tokenizer.model holds; `file` is for messages. */
WEIR_CHECKED weir_status weir_charsmap_open(struct weir_charsmap *map, const char *file, const void *bytes, size_t n);
/* The same from base64, as tokenizer.json writes them. */
WEIR_CHECKED weir_status weir_charsmap_open_base64(struct weir_charsmap *map, const char *file, const char *text);
void weir_charsmap_close(struct weir_charsmap *map);

/* Appends to `out` the n bytes of UTF-8 at `text`, mapped, until `out` has more than `most` bytes. */
WEIR_CHECKED weir_status weir_charsmap_apply(const struct weir_charsmap *map, struct weir_text *out, size_t most,
                                             const char *text, size_t n);

#endif
