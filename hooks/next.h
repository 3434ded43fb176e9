/* The most likely next tokens at each position, and a prompt's loss, from its logits. */
#ifndef WEIR_HOOKS_NEXT_H
#define WEIR_HOOKS_NEXT_H

#include "base/parallel.h"

struct weir_next {
    size_t top;
    int32_t *ids;    /* [rows, top], likeliest first */
    float *logits;   /* [rows, top] */
    float *logprobs; /* [rows, top] natural logarithms */
    float loss;      /* mean of -log p(next token) over all positions but the last, in nats; NaN for one token */
    float *losses;   /* [longest] scratch */
};

/* Room for `top` tokens (0: loss only) at up to `longest` rows. */
WEIR_CHECKED weir_status weir_next_open(struct weir_next **out, size_t top, size_t longest);
void weir_next_close(struct weir_next *next);
/* From logits [prompt->n, n_vocab]; likely tokens for the rows at the given positions [n_rows]. */
WEIR_CHECKED weir_status weir_next_compute(struct weir_next *next, struct weir_pool *pool, const float *logits,
                                           size_t n_vocab, const weir_tokens *prompt, const int32_t *positions,
                                           size_t n_rows);

#endif
