/* What heads read and write one by one, where hooks want to see or change it: copies of the stream that each head's
   projections read, and what each head adds to attention's output. Only heads and rows that an edit has changed are
   computed by themselves; all others have what the common products give. */
#ifndef WEIR_ENGINE_BY_HEAD_H
#define WEIR_ENGINE_BY_HEAD_H

#include "engine/steps.h"

/* The points of ln1. Edits of them change what the norm gives to heads that read copies of their own too. */
extern const struct weir_norm_points weir_ln1_points;

/* The stream once a head. */
struct weir_head_copies {
    weir_buffer
        *values;      /* [total_pos, n_heads, d_model]; where only edits look, no more than what they name is filled */
    uint8_t *changed; /* [total_pos, n_heads] not the stream any more; NULL: nothing is */
    size_t n_heads;
};

/* One of q, k, v: where from, by what, where to. */
struct weir_projection {
    weir_buffer **out;
    weir_buffer **by_query; /* what query heads read of it, where edits name them; NULL: of q */
    const struct weir_linear *linear;
    int point, input;
    size_t n_heads, shared;       /* shared: by so many query heads each */
    const weir_buffer *in;        /* [total_pos, d_model]: the common norm's output, with positions where they count */
    const weir_buffer *positions; /* [total_pos, d_model] those positions; NULL: they do not */
};

/* Reads the point `point`, [pos, head, d_model], of copies of the stream, or of `from`, by query heads, where that has
   changed (NULL: nowhere): copies[0], and where edits name query heads, or those of a key-value head differ in `from`,
   copies[1], with one for each of those. Nothing where nobody wants it and nothing has changed. Close both, after a
   failure too. @return WEIR_E_USAGE where a program's own hook would change only what key-value heads have. */
WEIR_CHECKED weir_status weir_by_head_read(struct weir_run *run, struct weir_head_copies copies[2],
                                           const struct weir_head_copies *from, int point, size_t n_heads, int layer);
void weir_head_copies_close(struct weir_head_copies *copies);
/* *p->out, [total_pos, n_heads, d_head], of the heads and rows that have changed: through ln1 and the edits of its
   points, each from its own copy.
   And *p->by_query, [total_pos, head, d_head], if edits name query heads here or of the input. */
WEIR_CHECKED weir_status weir_by_head_project(struct weir_run *run, const struct weir_projection *p,
                                              const struct weir_head_copies copies[2], int layer);
/* What query heads read of a point by key-value heads, in *out unless it is there: only where edits name them there. */
WEIR_CHECKED weir_status weir_by_query_read(struct weir_run *run, weir_buffer **out, const weir_buffer *value,
                                            int point, int layer);
/* attn_out, with the point result, [pos, head, d_model], before it. */
WEIR_CHECKED weir_status weir_by_head_write(struct weir_run *run, int layer);

#endif
