/* Where a pass begins: with the tokens, or with what an earlier pass kept of the same prompts, in a later layer or at a
   later position. Sweeps and generation stand on it. */
#ifndef WEIR_ENGINE_START_H
#define WEIR_ENGINE_START_H

#include "engine/run.h"

/* Values of one prompt's pass, held by reference to the buffers in which the pass computed them: any point in any
   layer. A pass can begin where the stream, and the keys and values before its first row, are among them. */
struct weir_kept {
    int holders;
    int n_layers;
    size_t n_positions;    /* that the pass had gone through: rows of each value, from position 0 on */
    weir_buffer **buffers; /* [weir_n_sites]; NULL: not kept */
    const float **values;  /* [weir_n_sites] the prompt's value in the buffer, in the shape of the point */
};

/* Hooks of a run that keep. */
struct weir_keeper {
    struct weir_run *run;
    struct weir_kept **kept; /* [n] of each prompt of the next pass */
    size_t n;
};

/* Registers hooks that keep values of the next n prompts that the run passes over, from their first positions on. The
   keeper stays where it is until weir_keeper_close. */
WEIR_CHECKED weir_status weir_keeper_open(struct weir_keeper *keeper, struct weir_run *run, size_t n);
/* Keeps a point in one layer (-1: outside the blocks). */
WEIR_CHECKED weir_status weir_keep_at(struct weir_keeper *keeper, int point, int layer);
/* True where the point is kept in that layer already. */
bool weir_keeper_has(const struct weir_keeper *keeper, int point, int layer);
/* Keeps what passes that begin in `layer` or later need: streams, keys, values. */
WEIR_CHECKED weir_status weir_keep_from(struct weir_keeper *keeper, int layer);
/* Takes the hooks back: what was kept stays. */
void weir_keeper_rest(struct weir_keeper *keeper);
/* Takes the hooks back, and lets go of what was kept. */
void weir_keeper_close(struct weir_keeper *keeper);

void weir_kept_close(struct weir_kept *kept);

/* The point whose value scores are made of: keys, after any norm and rotation. */
int weir_key_point(const struct weir_layer_spec *spec);
/* A kept value; NULL: it was not kept. */
const float *weir_kept_value(const struct weir_kept *kept, int point, int layer);
/* [n_positions, d_model] entering `layer`, n_layers: leaving the last. */
const float *weir_kept_stream(const struct weir_kept *kept, int layer);

/* Where the prompts of a pass begin. A prompt's tokens are those of its rows: of what follows `past` positions. */
struct weir_start {
    int layer;                           /* all begin there; -1: with the tokens; n_layers: after the blocks */
    const struct weir_kept *const *kept; /* [n] what there is of each prompt; NULL: nothing is needed */
    const size_t *past;                  /* [n] position of the first row; NULL: 0 */
    const size_t *wanted; /* [n] first position whose row is wanted from the last layer's scores on: rows before it are
                             dropped there, and hooks see the others. NULL: all are wanted. Where it is given, hooks of
                             that layer and of what comes after it take whole values. */
    const weir_tokens *whole; /* [n] the prompts from their first token to their last, with their lines: in these hooks
                                 look up positions; NULL: in the rows' tokens */
    const size_t *origin;     /* [n] which prompt of the pass that kept them each is, where `whole` is given */
};

/* True where a row's value depends on how many come after it: slopes counted from a prompt's last key, and rotations
   chosen by its length. Prompts run to their ends then. */
bool weir_start_needs_whole(const struct weir_model *model);

/* True where the pass under way begins with the kept stream of that point in that layer, as edits left it. */
bool weir_start_is_at(const struct weir_run *run, int point, int layer);

/* @return WEIR_E_UNSUPPORTED where a prompt cannot begin there: its keys were turned by angles that depend on another
   length; WEIR_E_USAGE where something it needs was not kept, or the context ends before it does. */
WEIR_CHECKED weir_status weir_start_check(const struct weir_run *run, const weir_tokens *tokens,
                                          const struct weir_start *from, size_t prompt);

/* weir_run_forward for prompts that begin elsewhere. The weights stay in memory. */
WEIR_CHECKED weir_status weir_run_forward_from(struct weir_run *run, const weir_tokens *prompts, size_t n,
                                               const struct weir_start *from);

#endif
