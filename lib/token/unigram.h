/* Unigram: every token has a score, and of all ways to split a piece into tokens the one with the best sum is taken. */
#ifndef WEIR_TOKEN_UNIGRAM_H
#define WEIR_TOKEN_UNIGRAM_H

#include "token/ids.h"
#include "token/vocab.h"

/* All zero is empty. */
struct weir_unigram {
    double *scores; /* [n_entries of the vocabulary] by id */
    double unknown_score;
    int32_t unknown; /* -1: there is none */
    int32_t bytes[256];
    bool byte_fallback;
    struct weir_branch { /* of the trie of all tokens */
        uint64_t from;   /* node << 8 | byte; UINT64_MAX: free */
        uint32_t to;     /* node; 0 is the root */
        int32_t id;      /* of the token that ends there, or -1 */
    } * branches;        /* [mask + 1] open-addressed by `from` */
    size_t mask, n_branches;
};

/* Work space of one thread; all zero is empty. */
struct weir_unigram_work {
    struct weir_best {
        double score;      /* of the best way to here */
        uint32_t from, to; /* where its last token begins; where, on the way that is taken, the next one ends */
        int32_t id;        /* of its last token */
        bool reached;
    } * best; /* [n + 1] by byte */
    size_t capacity;
};

/* Prepares what encode looks up: with the scores and options set, after the vocabulary is whole. */
WEIR_CHECKED weir_status weir_unigram_index(struct weir_unigram *unigram, const struct weir_vocab *vocab);
void weir_unigram_close(struct weir_unigram *unigram);

/* Appends the ids of a piece (n bytes of UTF-8, not more than 1 GiB) to `out`. A character that the vocabulary lacks is
   WEIR_E_INPUT where there is no unknown token. */
WEIR_CHECKED weir_status weir_unigram_encode(const struct weir_unigram *unigram, const struct weir_vocab *vocab,
                                             struct weir_unigram_work *work, const char *piece, size_t n,
                                             struct weir_ids *out);
void weir_unigram_work_close(struct weir_unigram_work *work);

#endif
