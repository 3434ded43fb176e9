/* One thread's matrix product. */
#ifndef WEIR_TENSOR_GEMM_H
#define WEIR_TENSOR_GEMM_H

#include "base/status.h"

enum { WEIR_GEMM_PART = 128 }; /* inputs whose products are summed before they are added to those of the part before */

/* out [m, ldo], of which n columns are written, = alpha a [m, lda] b; of a, k columns are read. b is [n, ldb]
   (transposed) or [k, ldb]. A row comes out the same whatever m is. */
typedef void weir_gemm_fn(bool b_transposed, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
                          const float *b, size_t ldb, float *out, size_t ldo);

/* The builds of kernel_gemm.c; only the plain one exists on every architecture. */
extern weir_gemm_fn *const weir_gemm_plain, *const weir_gemm_avx2, *const weir_gemm_avx512;
/* The one for this processor. */
weir_gemm_fn *weir_gemm(void);

#endif
