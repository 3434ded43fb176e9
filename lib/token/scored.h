/* SentencePiece's BPE: no list of merges; the better a token's score, the earlier any two tokens are joined to it. */
#ifndef WEIR_TOKEN_SCORED_H
#define WEIR_TOKEN_SCORED_H

#include "token/bpe.h"

/* Opens `bpe` with the merges that the scores [n_entries of the vocabulary] by id stand for: best score first; of one
   score the longer left half first, then the longer right one. Nothing is joined to a token whose score is NaN. */
WEIR_CHECKED weir_status weir_bpe_open_scored(struct weir_bpe *bpe, const struct weir_vocab *vocab,
                                              const double *scores);

#endif
