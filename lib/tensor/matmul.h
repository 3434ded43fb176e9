/* Matrix products with weights as files hold them, spread over the pool. */
#ifndef WEIR_TENSOR_MATMUL_H
#define WEIR_TENSOR_MATMUL_H

#include "base/map.h"
#include "base/parallel.h"
#include "tensor/dtype.h"

/* A weight matrix: n_out outputs of n_in inputs, and where its values stand. */
struct weir_matrix {
    const uint8_t *data; /* in a map; any alignment */
    enum weir_type type;
    size_t n_out, n_in;
    size_t stride;         /* values from one stored row to the next */
    bool input_major;      /* stored rows are inputs ([n_in, stride]); else outputs ([n_out, stride]) */
    size_t pair_rows;      /* output rows stand in rotary pairs within heads of so many rows: i and i + half beside each
                              other, as llama.cpp keeps q and k; 0: in order */
    size_t group_rows;     /* outputs stand in runs of so many, */
    size_t group_stride;   /* a run beginning every so many stored rows (input_major: values of a row), the rest being
                              another matrix's; 0: all together */
    const uint8_t *scales; /* E8M0, one for each 32 values of a row, by which they are multiplied; NULL: none */
    float *copy;           /* [n_out, n_in] or [n_in, n_out] in float32, kept over passes; NULL: none.
                              Written while other runs of the model multiply: by weir_matrix_set_copy only */
};

struct weir_matmul; /* the work space of one caller */

WEIR_CHECKED weir_status weir_matmul_open(struct weir_matmul **out, struct weir_pool *pool);
void weir_matmul_close(struct weir_matmul *matmul);
/* Makes the scratch that products with w need: call for every matrix before the first product, since workers do not
 * fail. */
WEIR_CHECKED weir_status weir_matmul_reserve(struct weir_matmul *matmul, const struct weir_matrix *w);

/* out = x W^T + bias: x [m, ldx] of which n_in are read, out [m, ldo] of which n_out are written, bias [n_out] or NULL.
   Weights that are not float32 are converted a piece at a time, into memory that stays in cache. */
void weir_matmul_run(struct weir_matmul *matmul, float *out, size_t ldo, const float *x, size_t ldx, size_t m,
                     const struct weir_matrix *w, const float *bias);

/* Whether products read the matrix where it stands: float32, in order, aligned; or copied. */
bool weir_matrix_is_direct(const struct weir_matrix *w);
/* From now on products read the copy, as weir_matrix_convert makes it. Not owned. */
void weir_matrix_set_copy(struct weir_matrix *w, float *copy);
/* Gives back the memory in which the map of its file keeps the matrix (base/map.h). */
void weir_matrix_let_go(const struct weir_matrix *w);
/* Row i of an output-major matrix (a token's embedding) in float32, [n_in]. */
void weir_matrix_row(float *out, const struct weir_matrix *w, size_t i);
/* Whole matrix in float32, layout as stored, rows in order: [n_out, n_in], or [n_in, n_out] when input_major. */
void weir_matrix_convert(float *out, const struct weir_matrix *w, struct weir_pool *pool);

#endif
