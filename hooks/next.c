/* Next tokens: the largest logits of each row, and the loss of a prompt. */
#include "hooks/next.h"

#include "base/alloc.h"
#include "base/ranked.h"
#include "tensor/ops.h"

#include <math.h>

weir_status weir_next_open(struct weir_next **out, size_t top, size_t longest)
{
    struct weir_next *next = NULL;
    size_t n;
    weir_status status;
    *out = NULL;
    TRY(weir_mul(&n, top, longest));
    TRY_DONE(weir_alloc_zero(&next, 1, sizeof *next));
    next->top = top;
    TRY_DONE(weir_alloc(&next->ids, n, sizeof *next->ids));
    TRY_DONE(weir_alloc(&next->logits, n, sizeof *next->logits));
    TRY_DONE(weir_alloc(&next->logprobs, n, sizeof *next->logprobs));
    TRY_DONE(weir_alloc(&next->losses, longest, sizeof *next->losses));
    *out = next;
    next = NULL;
done:
    weir_next_close(next);
    return status;
}

void weir_next_close(struct weir_next *next)
{
    if (!next)
        return;
    weir_free(next->ids);
    weir_free(next->logits);
    weir_free(next->logprobs);
    weir_free(next->losses);
    weir_free(next);
}

struct looking {
    struct weir_next *next;
    const float *logits; /* [prompt->n, n_vocab] */
    size_t n_vocab;
    const weir_tokens *prompt;
    const int32_t *positions; /* [n_rows] */
};

/* The `top` largest of n logits, falling, the lower id first among equals: most of the vocabulary is turned away by one
   comparison. */
static void find_top(int32_t *ids, float *values, size_t top, const float *logits, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        if (found < top || logits[i] > values[top - 1])
            ids[weir_ranked_insert(values, ids, sizeof *ids, &found, top, logits[i])] = (int32_t)i;
}

static void top_rows(void *context, size_t first, size_t last, int worker)
{
    const struct looking *l = context;
    size_t top = l->next->top;
    (void)worker;
    for (size_t row = first; row < last; row++) {
        const float *logits = l->logits + (size_t)l->positions[row] * l->n_vocab;
        float *values = l->next->logits + row * top, sum = weir_ops()->logsumexp(logits, l->n_vocab);
        find_top(l->next->ids + row * top, values, top, logits, l->n_vocab);
        for (size_t i = 0; i < top; i++)
            l->next->logprobs[row * top + i] = values[i] - sum;
    }
}

static void loss_rows(void *context, size_t first, size_t last, int worker)
{
    const struct looking *l = context;
    (void)worker;
    for (size_t pos = first; pos < last; pos++) {
        const float *logits = l->logits + pos * l->n_vocab;
        size_t id =
            (size_t)l->prompt->ids[pos + 1]; /* may be none of the outputs, where a model has others than inputs */
        l->next->losses[pos] = id < l->n_vocab ? weir_ops()->logsumexp(logits, l->n_vocab) - logits[id] : NAN;
    }
}

weir_status weir_next_compute(struct weir_next *next, struct weir_pool *pool, const float *logits, size_t n_vocab,
                              const weir_tokens *prompt, const int32_t *positions, size_t n_rows)
{
    struct looking l = {next, logits, n_vocab, prompt, positions};
    double sum = 0;
    if (next->top > 0)
        weir_parallel(pool, n_rows, 4, top_rows, &l);
    weir_parallel(pool, prompt->n - 1, 4, loss_rows, &l);
    for (size_t pos = 0; pos + 1 < prompt->n; pos++)
        sum += (double)next->losses[pos];
    next->loss = prompt->n > 1 ? (float)(sum / (double)(prompt->n - 1)) : NAN;
    return WEIR_OK;
}
