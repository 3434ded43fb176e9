/* Byte-pair encoding: a piece becomes characters, then the pair whose merge comes first is joined, until none is left.
 */
#ifndef WEIR_TOKEN_BPE_H
#define WEIR_TOKEN_BPE_H

#include "token/text.h"
#include "token/vocab.h"

enum { WEIR_BPE_DIRECT = 0x400 };

struct weir_bpe {
    struct weir_merge {
        uint64_t pair; /* left << 32 | right; UINT64_MAX: free */
        uint32_t rank;
        int32_t id;
    } * merges; /* [mask + 1] open-addressed by pair */
    size_t mask, n_merges;
    int32_t direct[WEIR_BPE_DIRECT]; /* ids of the first code points; -1: look it up */
    int32_t bytes[256];              /* ids of <0xNN>, -1 where there is none */
    int32_t unknown;                 /* id of what stands for unknown characters; -1: they are left out */
    bool fuse_unknown, byte_fallback, ignore_merges;
    struct weir_text prefix, suffix; /* continuing_subword_prefix, end_of_word_suffix */
};

/* Work space of one thread; all zero is empty. */
struct weir_bpe_work {
    struct weir_symbol {
        int32_t id; /* -1: joined to the one before it */
        int32_t previous, next;
    } * symbols; /* [n_symbols] */
    size_t n_symbols, capacity_symbols;
    struct weir_candidate {
        uint64_t order; /* rank << 32 | position */
        int32_t id;
    } * heap; /* [n_heap] */
    size_t n_heap, capacity_heap;
    struct weir_text spelled; /* one character with prefix and suffix */
};

/* Room for n merges at first; the options are still to be set. */
WEIR_CHECKED weir_status weir_bpe_open(struct weir_bpe *bpe, size_t n_merges);
void weir_bpe_close(struct weir_bpe *bpe);
/* The pair (left, right) becomes `id`; a pair that is there already gets the new rank. */
WEIR_CHECKED weir_status weir_bpe_add(struct weir_bpe *bpe, int32_t left, int32_t right, uint32_t rank, int32_t id);
/* Asks the memory for what weir_bpe_add with these two will look at. */
void weir_bpe_prefetch(const struct weir_bpe *bpe, int32_t left, int32_t right);
/* Prepares what encode looks up; after the last add, with the options set. */
void weir_bpe_index(struct weir_bpe *bpe, const struct weir_vocab *vocab);

/* Leaves the ids of a piece (n bytes of UTF-8, not more than 1 GiB) in work->symbols, those that are not -1. */
WEIR_CHECKED weir_status weir_bpe_encode(const struct weir_bpe *bpe, const struct weir_vocab *vocab,
                                         struct weir_bpe_work *work, const char *piece, size_t n);
void weir_bpe_work_close(struct weir_bpe_work *work);

#endif
