/* The inside of a tokenizer, and what its readers (tokenizer.json, GPT-2's two files, tokenizer.model, GGUF) share. */
#ifndef WEIR_TOKEN_PIPELINE_H
#define WEIR_TOKEN_PIPELINE_H

#include "base/json_text.h"
#include "token/added.h"
#include "token/bpe.h"
#include "token/ids.h"
#include "token/stages.h"
#include "token/tokenizer.h"
#include "token/unigram.h"
#include "token/vocab.h"

/* SentencePiece's sign for a space, and the normalizers that put it there (and, with the prefix, in front). */
#define WEIR_SPACE_MARK "\xe2\x96\x81"
#define WEIR_MARKS      "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"" WEIR_SPACE_MARK "\"}"
#define WEIR_MARKS_WITH_PREFIX                                                                                         \
    "{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"" WEIR_SPACE_MARK "\"}," WEIR_MARKS   \
    "]}"

enum weir_token_model { WEIR_MODEL_BPE, WEIR_MODEL_UNIGRAM };

/* The ways from token strings back to bytes. */
enum weir_spelling {
    WEIR_SPELLING_PLAIN,  /* as they are */
    WEIR_SPELLING_BYTES,  /* byte-level letters */
    WEIR_SPELLING_SPACES, /* U+2581 is a space, <0xNN> a byte */
    WEIR_SPELLING_ENDS    /* end_of_word_suffix is a space */
};

struct weir_tokenizer {
    struct weir_vocab vocab;
    struct weir_added added;
    struct weir_stages normalizers, pre_tokenizers;
    enum weir_token_model model;
    struct weir_bpe bpe; /* one of these two */
    struct weir_unigram unigram;
    struct weir_ids front, back; /* what the post-processor puts around the text */
    int32_t bos, eos;            /* -1: it has none, or the file does not say */
    enum weir_spelling spelling;
    struct weir_vocab shown; /* bytes of every token, by id */
    int32_t last_merged;     /* while reading: what the merge before made */
    size_t size;
};

WEIR_CHECKED weir_status weir_tokenizer_new(struct weir_tokenizer **out);
/* Ids must be worth the memory that a table by id takes: below 16 n + 65536 for n tokens. */
WEIR_CHECKED weir_status weir_check_id(const char *file, double id, size_t n_tokens);
/* A merge of two token strings; `file` and its number are for messages. */
WEIR_CHECKED weir_status weir_add_merge(struct weir_tokenizer *t, const char *file, size_t number, const char *left,
                                        size_t n_left, const char *right, size_t n_right);
/* "LEFT RIGHT" in one string: exactly one space. */
WEIR_CHECKED weir_status weir_add_merge_line(struct weir_tokenizer *t, const char *file, size_t number,
                                             const char *line, size_t n);
/* @return the id of an added token or of the vocabulary, -1 when there is none. */
int32_t weir_token_id(const struct weir_tokenizer *t, const char *string, size_t n);
/* When all is read: indexes for encode, and what weir_tokenizer_bytes shows. */
WEIR_CHECKED weir_status weir_tokenizer_finish(struct weir_tokenizer *t);

/* Stages written in the language of tokenizer.json, for files that say them by a name. NULL adds none. */
WEIR_CHECKED weir_status weir_read_stages(struct weir_tokenizer *t, const char *file, const char *normalizer,
                                          const char *pre_tokenizer);
/* "added_tokens_decoder" of tokenizer_config.json, added tokens by id; NULL, or one without it, adds none. */
WEIR_CHECKED weir_status weir_read_added_decoder(struct weir_tokenizer *t, const cJSON *config, const char *file);
/* A tokenizer.model (SentencePiece) of n bytes. `config`: the tokenizer_config.json beside it, or NULL. It may say
   "legacy": false, as to LlamaConverter of transformers: then only the first of the texts between special tokens has a
   space put in front. */
WEIR_CHECKED weir_status weir_tokenizer_from_sentencepiece(struct weir_tokenizer **out, const void *bytes, size_t n,
                                                           const char *file, const cJSON *config);

/* The large parts of a tokenizer.json, as text. */
struct weir_model_text {
    struct weir_json_text vocab, merges; /* at NULL: absent, or not an array or object */
    const char *lines;                   /* [n_lines] bytes of a merges.txt instead of merges; or NULL */
    size_t n_lines;
};

/* "model" of a tokenizer.json into the tokenizer's vocabulary and BPE or Unigram. `large` has the parts of it that the
   tree leaves out. WEIR_E_UNSUPPORTED for other types. */
WEIR_CHECKED weir_status weir_read_model(struct weir_tokenizer *t, const cJSON *model,
                                         const struct weir_model_text *large, const char *file);
/* The n bytes of a tokenizer.json. */
WEIR_CHECKED weir_status weir_tokenizer_from_json(struct weir_tokenizer **out, const char *text, size_t n,
                                                  const char *file);
/* The same from its tree, with "vocab" and "merges" separate. */
WEIR_CHECKED weir_status weir_tokenizer_from_parts(struct weir_tokenizer **out, const cJSON *json,
                                                   const struct weir_model_text *large, const char *file);

#endif
