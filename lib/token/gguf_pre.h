/* The stages that a name of GGUF (tokenizer.ggml.pre) means: those that the family's own tokenizer.json has, in its
   language, so that there is one reader of stages. */
#ifndef WEIR_TOKEN_GGUF_PRE_H
#define WEIR_TOKEN_GGUF_PRE_H

#include <stdbool.h>

struct weir_gguf_pre {
    const char *name, *normalizer, *pre_tokenizer;
    bool add_bos, ignore_merges; /* add_bos: where tokenizer.ggml.add_bos_token is absent */
};

/* NULL when there is none of that name. */
const struct weir_gguf_pre *weir_gguf_pre_find(const char *name);

#endif
