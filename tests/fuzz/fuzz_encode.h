/* What the targets that make tokenizers do with one. */
#ifndef WEIR_FUZZ_ENCODE_H
#define WEIR_FUZZ_ENCODE_H

#include "base/alloc.h"
#include "token/pipeline.h"

static inline void encode(const struct weir_tokenizer *tokenizer, const char *text, size_t n)
{
    int32_t *ids = NULL;
    size_t n_ids, length;
    if (weir_tokenizer_encode(tokenizer, text, n, WEIR_BOS_AUTO, &ids, &n_ids) == WEIR_OK)
        for (size_t i = 0; i < n_ids; i++)
            if (ids[i] < 0 || (weir_tokenizer_bytes(tokenizer, ids[i], &length) == NULL && length != 0))
                __builtin_trap();
    weir_free(ids);
}

/* A text that every stage has something to do with, and the file itself. */
static inline void encode_some(const struct weir_tokenizer *tokenizer, const uint8_t *data, size_t size)
{
    static const char text[] = " it's 12 A\xcc\x81 \xe6\xbc\xa2<s>\xef\xac\x81\n";
    encode(tokenizer, text, sizeof text - 1);
    encode(tokenizer, (const char *)data, size);
}

#endif
