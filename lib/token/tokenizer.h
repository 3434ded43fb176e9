/* Text to token ids and back, as the model's own tokenizer files say.

   The stages are those of Hugging Face tokenizers: added tokens are taken out, then normalizer, pre-tokenizer, model,
   post-processor. Each stage is a row of a table by its "type"; a type that is not there is an error that names it. */
#ifndef WEIR_TOKEN_TOKENIZER_H
#define WEIR_TOKEN_TOKENIZER_H

#include "format/gguf.h"

struct weir_tokenizer;

/* From a Hugging Face folder: tokenizer.json, else vocab.json + merges.txt, else tokenizer.model (SentencePiece);
   tokenizer_config.json and special_tokens_map.json (where present) say what BOS is and whether it is added, else
   config.json's bos_token_id. To the last two kinds tokenizer_config.json's added_tokens_decoder adds its tokens.
   Truncation and padding in tokenizer.json are not applied: weir runs texts as long as they are. *out is NULL, with
   WEIR_OK, when the folder has none of them. */
WEIR_CHECKED weir_status weir_tokenizer_from_folder(struct weir_tokenizer **out, const char *folder);
/* From the tokenizer.ggml.* values of a GGUF file, which may be closed afterwards. NULL with WEIR_OK when it has none.
 */
WEIR_CHECKED weir_status weir_tokenizer_from_gguf(struct weir_tokenizer **out, const struct weir_gguf *gguf);
/* Where a GGUF file of byte-level tokens does not say how text is split (tokenizer.ggml.pre): the rule that is used, by
   tokens that only one published vocabulary has at their ids, or else "default" (GPT-2's), which may be wrong. NULL
   where the file says it, or needs none. */
const char *weir_tokenizer_assumed_pre(const struct weir_gguf *gguf);
void weir_tokenizer_close(struct weir_tokenizer *tokenizer);

/* Ids of n bytes of UTF-8; *ids (new memory, weir_free) holds *n_ids. Special tokens written out in the text are
   recognised, as in Hugging Face. AUTO: what the post-processor or add_bos_token says. YES: the BOS token in front,
   unless it is already there; an error when the tokenizer has none. NO: none is added. */
WEIR_CHECKED weir_status weir_tokenizer_encode(const struct weir_tokenizer *tokenizer, const char *text, size_t n,
                                               enum weir_bos bos, int32_t **ids, size_t *n_ids);
/* The bytes that one token stands for, and their number; NULL and 0 for an id that it does not have. Owned by the
   tokenizer. Special tokens give their own text. */
const char *weir_tokenizer_bytes(const struct weir_tokenizer *tokenizer, int32_t id, size_t *n);
/* Largest id + 1. */
size_t weir_tokenizer_size(const struct weir_tokenizer *tokenizer);

/* Writes n bytes as people read them: UTF-8 as it is, other bytes as \xNN, control characters as \n, \t, \xNN. Cut to
   `size`, always ended. @return the whole length. (For labels; needs no tokenizer.) */
size_t weir_show_bytes(char *to, size_t size, const char *bytes, size_t n);

#endif
