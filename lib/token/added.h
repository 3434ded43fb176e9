/* Added tokens: strings that are tokens wherever the text has them, whatever the model would make of it. */
#ifndef WEIR_TOKEN_ADDED_H
#define WEIR_TOKEN_ADDED_H

#include "token/stages.h"
#include "token/vocab.h"

struct weir_added_token {
    int32_t id;
    char *content; /* [n_content] as the file has it */
    size_t n_content;
    char *match; /* [n_match] what is looked for: normalized where `normalized` */
    size_t n_match;
    bool single_word, lstrip, rstrip, normalized, special;
};

/* The added tokens that are looked for in one kind of text, sorted by what is looked for. */
struct weir_finder {
    struct weir_found {
        const struct weir_added_token *token;
    } * tokens; /* [n] */
    size_t n;
    bool begins[256]; /* whether one begins with that byte */
};

struct weir_added {
    struct weir_added_token *tokens; /* [n] */
    size_t n, capacity;
    struct weir_vocab by_content;       /* place in tokens */
    struct weir_finder raw, normalized; /* in the text as it came; in normalized text */
};

/* Adds a token (a content once: the later replaces the earlier, as in tokenizers); copies content. */
WEIR_CHECKED weir_status weir_added_add(struct weir_added *added, const struct weir_added_token *token);
/* The same for a text that is searched for literally. */
WEIR_CHECKED weir_status weir_added_add_text(struct weir_added *added, const char *text, size_t n, int32_t id,
                                             bool special);
/* @return the added token with that content, NULL when there is none. */
const struct weir_added_token *weir_added_find(const struct weir_added *added, const char *content, size_t n);
/* Prepares the finders: after the last add. */
WEIR_CHECKED weir_status weir_added_index(struct weir_added *added, const struct weir_stages *normalizers);
void weir_added_close(struct weir_added *added);

/* Cuts added tokens out of every piece that is text. */
WEIR_CHECKED weir_status weir_added_split(const struct weir_finder *finder, struct weir_words *words);

#endif
