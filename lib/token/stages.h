/* The stages before the model, as tokenizer.json describes them. Each "type" is a row of a table: normalizers in
   normalizer.c, pre-tokenizers in pre_tokenizer.c. A Sequence is read as its members, one after the other. */
#ifndef WEIR_TOKEN_STAGES_H
#define WEIR_TOKEN_STAGES_H

#include "base/json.h"
#include "token/charsmap.h"
#include "token/unicode.h"
#include "token/words.h"

enum { WEIR_MAX_NESTING = 8 }; /* of Sequences */

enum weir_prepend { WEIR_PREPEND_ALWAYS, WEIR_PREPEND_FIRST, WEIR_PREPEND_NEVER };

struct weir_stage {
    const struct weir_stage_type *type;
    struct weir_regex *regex;      /* Split, Replace, ByteLevel */
    struct weir_text string;       /* Replace: the new text; Prepend; Metaspace, CharDelimiterSplit: a character */
    struct weir_charsmap charsmap; /* Precompiled */
    enum weir_behavior behavior;   /* Split, Digits, Punctuation */
    bool invert, prefix_space;
    bool left, right;          /* Strip */
    enum weir_prepend prepend; /* Metaspace */
    bool split;                /* Metaspace */
};

struct weir_stages {
    struct weir_stage *stages; /* [n] */
    size_t n, capacity;
};

struct weir_stage_type {
    const char *name;
    weir_status (*read)(struct weir_stage *stage, const cJSON *json, const char *file);
    /* a normalizer: appends the n bytes at `text`, changed, to `out` */
    weir_status (*normalize)(const struct weir_stage *stage, struct weir_match *match, struct weir_text *out,
                             const char *text, size_t n);
    /* a pre-tokenizer: splits or rewrites all pieces that are text */
    weir_status (*split)(const struct weir_stage *stage, struct weir_words *words);
    enum weir_normal_form form; /* of the normalizers that are one */
};

/* Reads a stage or a Sequence (its members are under `members`) of the types of `table` [n_table]. `what` names the
   kind in messages. NULL or null adds nothing. */
WEIR_CHECKED weir_status weir_stages_read(struct weir_stages *stages, const struct weir_stage_type *table,
                                          size_t n_table, const char *what, const char *members, const cJSON *json,
                                          const char *file);
/* Adds a stage of that type, all its options zero. */
WEIR_CHECKED weir_status weir_stages_add(struct weir_stages *stages, const struct weir_stage_type *type,
                                         struct weir_stage **out);
void weir_stages_close(struct weir_stages *stages);

WEIR_CHECKED weir_status weir_normalizers_read(struct weir_stages *stages, const cJSON *json, const char *file);
/* Adds a Precompiled normalizer with the charsmap of n bytes that a tokenizer.model holds. */
WEIR_CHECKED weir_status weir_normalizers_add_charsmap(struct weir_stages *stages, const char *file, const void *bytes,
                                                       size_t n);
/* Normalizes every piece that is text. Pieces that come out empty are dropped. */
WEIR_CHECKED weir_status weir_normalize_words(const struct weir_stages *stages, struct weir_words *words);
/* Normalizes one string, appended to `out`. */
WEIR_CHECKED weir_status weir_normalize_text(const struct weir_stages *stages, struct weir_match *match,
                                             struct weir_text *out, const char *text, size_t n);

WEIR_CHECKED weir_status weir_pre_tokenizers_read(struct weir_stages *stages, const cJSON *json, const char *file);
WEIR_CHECKED weir_status weir_pre_tokenize(const struct weir_stages *stages, struct weir_words *words);

/* "pattern": {"String": ...} or {"Regex": ...} of a stage. */
WEIR_CHECKED weir_status weir_read_pattern(struct weir_regex **out, const cJSON *json, const char *file);
/* A member that must be there and a string. */
WEIR_CHECKED weir_status weir_read_string(const cJSON *json, const char *file, const char *key, const char **out);

/* Byte-level vocabularies write byte b as code point weir_byte_code(b); back: -1 for a code point that is none. */
uint32_t weir_byte_code(unsigned char byte);
int weir_code_byte(uint32_t code);

#endif
