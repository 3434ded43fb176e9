/* Weights as files hold them, and their way to float32. */
#ifndef WEIR_TENSOR_MATRIX_H
#define WEIR_TENSOR_MATRIX_H

#include "base/map.h"
#include "base/parallel.h"
#include "tensor/dtype.h"
#include "tensor/narrow.h"

/* A weight matrix: n_out outputs of n_in inputs, and where its values are. */
struct weir_matrix {
    const uint8_t *data; /* in a map, any alignment; or in memory */
    bool in_memory;      /* float32 that the model made and keeps */
    enum weir_type type;
    size_t n_out, n_in;
    size_t stride;         /* values from one stored row to the next */
    bool input_major;      /* stored rows are inputs ([n_in, stride]); else outputs ([n_out, stride]) */
    size_t pair_rows;      /* output rows are in rotary pairs within heads of so many rows: i and i + half beside each
                              other, as llama.cpp keeps q and k; 0: in order */
    size_t group_rows;     /* outputs are in runs of so many, */
    size_t group_stride;   /* a run beginning every so many stored rows (input_major: values of a row), the rest being
                              another matrix's; 0: all together */
    const uint8_t *scales; /* E8M0, one for each 32 values of a row, by which they are multiplied; NULL: none */
    float *copy;           /* [n_out, n_in] or [n_in, n_out] in float32, kept over passes; NULL: none.
                              Written while other runs of the model multiply: by weir_matrix_set_copy only */
    uint32_t *panels[WEIR_N_NARROW]; /* the same for runs that compute in bf16, in int8: each WEIR_PANEL outputs packed,
                                       one panel after the other; weir_matrix_set_panels */
    bool exact;                      /* always multiplied in float32: a router, whose choices would flip */
};

/* True where products read the matrix where it is: float32, in order, aligned; or copied. */
bool weir_matrix_is_direct(const struct weir_matrix *w);
/* Float32 weights in order, and the stride of their rows; NULL when they have to be converted. */
const float *weir_matrix_weights(const struct weir_matrix *w, size_t *ld);
/* The float32 weights of outputs first to first + n - 1, in place or converted into scratch [n * n_in]: [n,
   ld], or [n_in, ld] when input_major. */
const float *weir_matrix_piece(const struct weir_matrix *w, size_t first, size_t n, float *scratch, size_t *ld);
/* From now on products read the copy, as weir_matrix_convert makes it. Not owned. */
void weir_matrix_set_copy(struct weir_matrix *w, float *copy);
void weir_matrix_set_panels(struct weir_matrix *w, weir_compute compute, uint32_t *panels);
/* NULL: none */
const uint32_t *weir_matrix_panels(const struct weir_matrix *w, weir_compute compute);
/* Gives back the memory in which the map of its file keeps the matrix (base/map.h). */
void weir_matrix_release_pages(const struct weir_matrix *w);
/* Row i of an output-major matrix (a token's embedding) in float32, [n_in]. */
void weir_matrix_row(float *out, const struct weir_matrix *w, size_t i);
/* Whole matrix in float32, layout as stored, rows in order: [n_out, n_in], or [n_in, n_out] when input_major. */
void weir_matrix_convert(float *out, const struct weir_matrix *w, struct weir_pool *pool);

#endif
