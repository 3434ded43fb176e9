/* A run: the plan, the prompts of the batch at hand, and the buffers in flight. Private to the engine and hooks/. */
#ifndef WEIR_ENGINE_RUN_H
#define WEIR_ENGINE_RUN_H

#include "base/buffer.h"
#include "base/parallel.h"
#include "engine/plan.h"

#include <sys/types.h>

enum { WEIR_NO_POINT = -1 };
enum { WEIR_TILE = 64 }; /* queries that attention handles at once */

/* Some queries of one head of one prompt. */
struct weir_tile {
    int prompt; /* index in the batch */
    int head;
    size_t first; /* query */
};

/* Prompts packed one behind the other, never padded. */
struct weir_batch {
    const weir_tokens *prompts; /* [n] */
    size_t n;
    int first_prompt;     /* its number in the run */
    size_t *start;        /* [n + 1] first position of each prompt; start[n] is total_pos */
    size_t *square_start; /* [n + 1] the same, summing squares of lengths: where patterns begin */
    size_t longest;
    struct weir_tile *tiles; /* [n_tiles] all of attention, the longest pieces first */
    size_t n_tiles;
};

/* Cosines and sines of positions' angles, [rows, n]. Row of a position: itself; where the frequencies depend on a
   prompt's length, itself behind the prompt's start in the batch. */
struct weir_angles {
    float *cosines, *sines;
    size_t rows;
    bool by_prompt;
};

/* Something that a hook closed, to be closed when nothing of the run is on the stack any more. */
struct weir_deferred {
    void (*close)(void *what);
    void *what;
    struct weir_deferred *next;
};

struct weir_run {
    struct weir_model *model;
    struct weir_plan plan;
    struct weir_pool *pool;
    struct weir_matmul *matmul;
    struct weir_buffers *buffers;
    pid_t process;                /* that opened it: its threads are in no other */
    int holders;                  /* who opened it, its capture, and a pass that is under way */
    bool running, closed;         /* a pass is under way; whoever opened it has closed it */
    const char *misused;          /* the function that a hook called and may not, and that returns no status */
    struct weir_deferred *at_end; /* what waits for the pass to end */
    const void *capture;          /* the one that stores what this run gives; NULL: none */
    size_t batch_positions;
    size_t n_passes;    /* calls of weir_run_forward that came to an end */
    bool keeps_weights; /* a first run too: another one is about to read them */
    bool lets_go;       /* of each layer's weights once it is through: nothing says that they will be read again */

    struct weir_batch batch;
    struct weir_angles angles[WEIR_MAX_ROPES];
    float *tile_scores; /* [pool size, WEIR_TILE, longest] scores that nobody keeps */
    size_t tile_floats;

    /* Values in flight; NULL where there is none. Their shapes are those of the points; d_attn = head * d_head. */
    weir_buffer *positions;                            /* [total_pos, d_model] where queries and keys read them */
    weir_buffer *stream;                               /* [total_pos, d_model] */
    weir_buffer *normed;                               /* [total_pos, d_model] what attention, then the MLP reads */
    weir_buffer *norm_mean, *norm_scale, *norm_middle; /* [total_pos], [total_pos], [total_pos, d_model] */
    weir_buffer *q, *k, *v;                            /* [total_pos, d_attn], [total_pos, kv_head * d_head] */
    weir_buffer *scores, *pattern;                     /* [head, query, key] for each prompt */
    weir_buffer *z;                                    /* [total_pos, d_attn] */
    weir_buffer *result;                               /* [total_pos, head, d_model] */
    weir_buffer *attn_out;                             /* [total_pos, d_model] */
    weir_buffer *mlp_pre, *mlp_linear, *mlp_post;      /* [total_pos, d_mlp], sparse: [total_pos, expert_k, d_expert] */
    weir_buffer *router;                               /* [total_pos, expert] logits */
    weir_buffer *expert_weights;                       /* [total_pos, expert] */
    weir_buffer *expert_indices;                       /* [total_pos, expert_k] int32 */
    weir_buffer *mlp_out;                              /* [total_pos, d_model] */
    weir_buffer *logits;                               /* [total_pos, vocab] */
    weir_buffer *spare;                                /* converted weights, copies for heads */
};

static inline size_t weir_total_pos(const struct weir_run *run)
{
    return run->batch.start[run->batch.n];
}

/* Puts a buffer of n floats into *slot, giving up what was there. */
WEIR_CHECKED weir_status weir_take(struct weir_run *run, weir_buffer **slot, size_t n);
/* The same for total_pos rows of `width` floats. */
WEIR_CHECKED weir_status weir_take_rows(struct weir_run *run, weir_buffer **slot, size_t width);
/* Gives up what is in *slot. */
void weir_drop(weir_buffer **slot);
/* The buffer to write a new value of total_pos rows to, when it may take the place of the one in *slot: that one if
   nobody else holds it, else a new one. The old is kept alive in *old (drop it) so that it can be read. */
WEIR_CHECKED weir_status weir_renew(struct weir_run *run, weir_buffer **slot, weir_buffer **old, size_t width);

/* at.c: the hook mechanism. Nothing when nobody wants the point; else its hooks, editors first, once a prompt. *value
   may be replaced by a private copy when it is about to be edited. */
WEIR_CHECKED weir_status weir_at(struct weir_run *run, int point, int layer, weir_buffer **value);

/* forward.c */
WEIR_CHECKED weir_status weir_forward(struct weir_run *run);
/* attention.c: stream -> attn_out */
WEIR_CHECKED weir_status weir_attention(struct weir_run *run, int layer);
/* mlp.c: stream -> mlp_out */
WEIR_CHECKED weir_status weir_mlp(struct weir_run *run, int layer);
/* mlp_post = f(mlp_pre) or f(mlp_pre) * mlp_linear, rows of `width`, in the place of mlp_pre when nobody holds that */
WEIR_CHECKED weir_status weir_activate(struct weir_run *run, const struct weir_layer_spec *spec, size_t width);
/* sparse.c: normed -> mlp_out, for layers with experts */
WEIR_CHECKED weir_status weir_experts(struct weir_run *run, int layer);
/* parts.c */
WEIR_CHECKED weir_status weir_embed(struct weir_run *run);   /* ids -> stream */
WEIR_CHECKED weir_status weir_unembed(struct weir_run *run); /* stream -> logits */
/* out = a + b, [total_pos, d_model] each */
void weir_add(const struct weir_run *run, weir_buffer *out, const weir_buffer *a, const weir_buffer *b);
/* stream += what */
WEIR_CHECKED weir_status weir_add_to_stream(struct weir_run *run, const weir_buffer *what);
/* `in` -> *out [total_pos, norm->d], through the points scale, normalized and (if `with_out`) out that begin at
   `first_point`. A norm of kind NONE gives what it gets, and fires nothing. */
WEIR_CHECKED weir_status weir_norm(struct weir_run *run, weir_buffer **out, weir_buffer *in,
                                   const struct weir_norm *norm, float eps, int first_point, bool with_out, int layer);
/* A branch's output to what is added to the stream: its post-norm, its multiplier, in *value; then the point `out`. */
WEIR_CHECKED weir_status weir_finish_branch(struct weir_run *run, weir_buffer **value, const struct weir_norm *norm,
                                            int first_point, int out, int layer);
/* *value = fn(*value) row by row of `width` floats, in place when nobody else holds it. */
typedef void weir_row_fn(float *out, const float *in, size_t n, const void *context);
WEIR_CHECKED weir_status weir_map(struct weir_run *run, weir_buffer **value, size_t width, weir_row_fn *fn,
                                  const void *context);
/* *out [total_pos, n_out] = in [total_pos, n_in] W^T + b */
WEIR_CHECKED weir_status weir_linear(struct weir_run *run, weir_buffer **out, const weir_buffer *in,
                                     const struct weir_linear *linear);
/* Calls fn on pieces of n rows of about `row` floats each, on all threads. */
void weir_rows(const struct weir_run *run, size_t n, size_t row, weir_job *fn, void *context);

/* WEIR_E_USAGE for `function` inside a hook of the run, or in a process that was forked off after the run was opened:
   its threads are not there. */
WEIR_CHECKED weir_status weir_run_usable(const struct weir_run *run, const char *function);
bool weir_run_is_forked(const struct weir_run *run);
/* Ends the pass that is under way with WEIR_E_USAGE, naming `function`, and closes then. */
void weir_run_defer(struct weir_run *run, struct weir_deferred *deferred, const char *function);
/* A run that is closed while a capture of it is open, or in one of its hooks, goes after that. */
void weir_run_hold(struct weir_run *run);
void weir_run_release(struct weir_run *run);
/* Whether prompts can be run: there are some, none empty, none past the context, all of ids that the model has. */
WEIR_CHECKED weir_status weir_run_check(const struct weir_run *run, const weir_tokens *prompts, size_t n);

#endif
