/* Text split into pieces, as it passes from stage to stage. A piece is text still to be tokenized, or a token already.
 */
#ifndef WEIR_TOKEN_WORDS_H
#define WEIR_TOKEN_WORDS_H

#include "token/regex.h"
#include "token/text.h"

struct weir_piece {
    size_t start, n; /* in the text */
    int32_t id;      /* the token that it is, or -1 */
    bool first;      /* begins where the original text begins */
};

/* All zero but `match` is empty. A stage reads pieces and text, and fills `next` where it splits and `next_text` where
   it rewrites; then the two change places. */
struct weir_words {
    struct weir_match *match; /* work space for regular expressions */
    struct weir_text text, next_text;
    struct weir_piece *pieces, *next; /* [n_pieces], [n_next] */
    size_t n_pieces, capacity_pieces, n_next, capacity_next;
    struct weir_span {
        size_t start, end;
        bool is_match;
    } * spans; /* [n_spans] scratch of split */
    size_t n_spans, capacity_spans;
};

void weir_words_close(struct weir_words *words);
/* Adds a piece to `next`. */
WEIR_CHECKED weir_status weir_words_push(struct weir_words *words, struct weir_piece piece);
/* `next` becomes the pieces; with `text`, next_text becomes the text. */
void weir_words_turn(struct weir_words *words, bool text);

/* The uses of matches: the behaviours of Hugging Face's Split. */
enum weir_behavior { WEIR_REMOVED, WEIR_ISOLATED, WEIR_MERGED_WITH_PREVIOUS, WEIR_MERGED_WITH_NEXT, WEIR_CONTIGUOUS };

/* Where to split: at matches of a regular expression, or (regex NULL) at the code points that `is_match` says. */
struct weir_splitter {
    const struct weir_regex *regex;
    bool (*is_match)(const void *with, uint32_t code);
    const void *with;
    enum weir_behavior behavior;
    bool invert;
};

/* Splits every piece that is text. */
WEIR_CHECKED weir_status weir_words_split(struct weir_words *words, const struct weir_splitter *splitter);

#endif
