/* The inside of a tokenizer, and what its three readers (tokenizer.json, GPT-2 files, GGUF) share. */
#ifndef WEIR_TOKEN_PIPELINE_H
#define WEIR_TOKEN_PIPELINE_H

#include "token/added.h"
#include "token/bpe.h"
#include "token/stages.h"
#include "token/tokenizer.h"
#include "token/vocab.h"

/* Token ids that grow. */
struct weir_ids {
    int32_t *ids; /* [n] */
    size_t n, capacity;
};

WEIR_CHECKED weir_status weir_ids_add(struct weir_ids *ids, int32_t id);

/* How token strings are turned back into bytes. */
enum weir_spelling {
    WEIR_SPELLING_PLAIN, /* as they are */
    WEIR_SPELLING_BYTES, /* byte-level letters */
    WEIR_SPELLING_SPACES /* U+2581 is a space, <0xNN> a byte */
};

struct weir_tokenizer {
    struct weir_vocab vocab;
    struct weir_added added;
    struct weir_stages normalizers, pre_tokenizers;
    struct weir_bpe bpe;
    struct weir_ids front, back; /* what the post-processor puts around the text */
    int32_t bos;                 /* -1: it has none */
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

/* The whole of a parsed tokenizer.json; `json` stays the caller's. */
WEIR_CHECKED weir_status weir_tokenizer_from_json(struct weir_tokenizer **out, const cJSON *json, const char *file);

#endif
