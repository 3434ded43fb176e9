/* The values in flight during a pass: buffers by reference count, which hooks and captures may hold longer. */
#ifndef WEIR_ENGINE_VALUES_H
#define WEIR_ENGINE_VALUES_H

#include "base/buffer.h"

struct weir_run;

/* NULL where there is none. Their shapes are those of the points; d_attn = head * d_head. */
struct weir_values {
    weir_buffer *positions;   /* [total_pos, d_model] where queries and keys read them */
    weir_buffer *stream;      /* [total_pos, d_model] */
    weir_buffer *normed;      /* [total_pos, d_model] what attention, then the MLP reads */
    weir_buffer *norm_mean;   /* [total_pos] */
    weir_buffer *norm_scale;  /* [total_pos] */
    weir_buffer *norm_middle; /* [total_pos, d_model] */
    weir_buffer *q;           /* [total_pos, d_attn] */
    weir_buffer *k, *v;       /* [total_pos, kv_head * d_head] */
    weir_buffer *k_by_query;  /* [total_pos, d_attn] what each query head reads of them, where edits name query heads */
    weir_buffer *v_by_query;  /* NULL: what its key-value head has */
    weir_buffer *in_by_query; /* [total_pos, head, d_model] the same of k_input and v_input, while they are read */
    weir_buffer *scores;      /* [head, query, key] for each prompt */
    weir_buffer *pattern;     /* [head, query, key] for each prompt */
    weir_buffer *z;           /* [total_pos, d_attn] */
    weir_buffer *result;      /* [total_pos, head, d_model] */
    weir_buffer *attn_out;    /* [total_pos, d_model] */
    weir_buffer *mlp_pre;     /* [total_pos, d_mlp], sparse: [total_pos, expert_k, d_expert] */
    weir_buffer *mlp_linear;  /* the same */
    weir_buffer *mlp_post;    /* the same */
    weir_buffer *router;      /* [total_pos, expert] logits */
    weir_buffer *expert_weights; /* [total_pos, expert] */
    weir_buffer *expert_indices; /* [total_pos, expert_k] int32 */
    weir_buffer *mlp_out;        /* [total_pos, d_model] */
    weir_buffer *logits;         /* [total_pos, vocab] */
    weir_buffer *spare;          /* converted weights, copies for heads */
};

enum { WEIR_N_VALUES = sizeof(struct weir_values) / sizeof(weir_buffer *) };

/* A buffer of n floats in *slot, in place of what was there. @return WEIR_E_MEMORY, here and below. */
WEIR_CHECKED weir_status weir_value_take(struct weir_run *run, weir_buffer **slot, size_t n);
/* The same for total_pos rows of `width` floats. */
WEIR_CHECKED weir_status weir_value_take_rows(struct weir_run *run, weir_buffer **slot, size_t width);
/* Gives up what is in *slot. */
void weir_value_drop(weir_buffer **slot);
/* Moves what is in *from to *to, giving up what was there. */
void weir_value_move(weir_buffer **to, weir_buffer **from);
/* The buffer to write a new value of total_pos rows to, when it may take the place of the one in *slot: that one if
   nobody else holds it, else a new one. The old is kept alive in *old (drop it) so that it can be read. */
WEIR_CHECKED weir_status weir_value_renew(struct weir_run *run, weir_buffer **slot, weir_buffer **old, size_t width);
/* Gives up all that is in flight. */
void weir_values_drop(struct weir_run *run);

#endif
