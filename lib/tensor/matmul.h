/* Matrix products with weights as files hold them, spread over the pool. */
#ifndef WEIR_TENSOR_MATMUL_H
#define WEIR_TENSOR_MATMUL_H

#include "tensor/matrix.h"

struct weir_matmul; /* the work space of one caller */

/* WEIR_E_UNSUPPORTED where the processor cannot compute that way. */
WEIR_CHECKED weir_status weir_matmul_open(struct weir_matmul **out, struct weir_pool *pool, weir_compute compute);
weir_compute weir_matmul_compute(const struct weir_matmul *matmul);
void weir_matmul_close(struct weir_matmul *matmul);
/* Makes the scratch that products with w need: call for every matrix before the first product, since workers do not
 * fail. */
WEIR_CHECKED weir_status weir_matmul_reserve(struct weir_matmul *matmul, const struct weir_matrix *w);
/* The same for products of up to so many rows with any of those matrices. */
WEIR_CHECKED weir_status weir_matmul_reserve_rows(struct weir_matmul *matmul, size_t m);

/* out = x W^T + bias: x [m, ldx] of which n_in are read, out [m, ldo] of which n_out are written, bias [n_out] or NULL.
   x and out have room for WEIR_GEMM_SLACK more rows (tensor/gemm.h). Weights that are not in the form that is
   multiplied are converted a piece at a time, into memory that stays in cache.
 */
void weir_matmul_run(struct weir_matmul *matmul, float *out, size_t ldo, const float *x, size_t ldx, size_t m,
                     const struct weir_matrix *w, const float *bias);

/* Bytes of a working copy of w in the form that products read; 0: they read w in place, or have a copy. */
WEIR_CHECKED weir_status weir_matmul_copy_bytes(size_t *out, const struct weir_matmul *matmul,
                                                const struct weir_matrix *w);
/* Makes that copy in `copy`, which is aligned and stays as long as w: products read it from now on. */
void weir_matmul_make_copy(struct weir_matmul *matmul, struct weir_matrix *w, void *copy);

#endif
