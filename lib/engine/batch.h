/* The prompts that a pass computes at once, and what attention and rotation need of them. */
#ifndef WEIR_ENGINE_BATCH_H
#define WEIR_ENGINE_BATCH_H

#include "base/status.h"

struct weir_run;
struct weir_start;

enum { WEIR_TILE = 64 }; /* queries that attention handles at once */

/* Some queries of one head of one prompt. No tile crosses a position that is a multiple of WEIR_TILE, wherever the rows
   begin: then a query's sums come in the same order. */
struct weir_tile {
    int prompt; /* index in the batch */
    int head;
    size_t first;    /* query: a row of the prompt */
    size_t position; /* of that */
};

/* Prompts packed one behind the other, never padded. A prompt's rows are its positions from past[i] on; its keys are
   all of its positions, those before the first row too. */
struct weir_batch {
    const weir_tokens *prompts; /* those of the run */
    const size_t *numbers;      /* [n] which of them: each prompt's number in the run */
    size_t n;
    size_t *past;          /* [n] position of each prompt's first row */
    size_t *start;         /* [n + 1] first row of each prompt; start[n] is total_pos */
    size_t *key_past;      /* [n] position of each prompt's first key that this pass computed: those before are kept */
    size_t *key_start;     /* [n + 1] row of that key. As past and start, until the batch is narrowed */
    size_t *pattern_start; /* [n + 1] the same, summing rows * keys: where patterns of one head begin */
    size_t most_keys;      /* of a prompt */
    struct weir_tile *tiles; /* [n_tiles] all of attention, the longest pieces first */
    size_t n_tiles;

    const struct weir_start *from; /* where the run's prompts begin; NULL: with their first tokens */
};

static inline const weir_tokens *weir_batch_prompt(const struct weir_batch *batch, size_t prompt)
{
    return &batch->prompts[batch->numbers[prompt]];
}

static inline size_t weir_batch_rows(const struct weir_batch *batch, size_t prompt)
{
    return batch->start[prompt + 1] - batch->start[prompt];
}

static inline size_t weir_batch_keys(const struct weir_batch *batch, size_t prompt)
{
    return batch->past[prompt] + weir_batch_rows(batch, prompt);
}

/* Cosines and sines of positions' angles, [rows, n]. Row of a position: itself; where the frequencies depend on a
   prompt's length, its row in the batch. */
struct weir_angles {
    float *cosines, *sines;
    size_t rows;
    bool by_prompt;
};

/* Makes n of the run's prompts, by number, its batch: offsets, tiles, angles, scratch. Prompts and numbers stay the
   caller's. @return WEIR_E_MEMORY, and WEIR_E_INPUT for sizes that memory cannot address. */
WEIR_CHECKED weir_status weir_batch_begin(struct weir_run *run, const weir_tokens *prompts, const size_t *numbers,
                                          size_t n);
/* Drops the rows before the wanted positions from stream, norm and queries, and makes the rest the batch's rows. Their
   keys and values stay. */
WEIR_CHECKED weir_status weir_batch_narrow(struct weir_run *run);
/* Frees what belongs to a batch, and what is kept from one to the next. */
void weir_batch_close(struct weir_run *run);

#endif
