/* One thread's matrix product by the library that was found at start: oneDNN, a CBLAS, or plain C. The only file that
   knows which. */
#ifndef WEIR_TENSOR_GEMM_H
#define WEIR_TENSOR_GEMM_H

#include "base/status.h"

/* Finds the library and checks one small product against plain C: libraries older than the processor have been seen to
   compute wrong results. Once a process; later calls give the same answer. WEIR_MATMUL=plain in the environment skips
   the library. */
WEIR_CHECKED weir_status weir_gemm_start(void);
/* "oneDNN", "CBLAS" or "plain C" */
const char *weir_gemm_library(void);

/* On the calling thread alone: out[m, n] = alpha a[m, k] b, where b is [n, ldb] (transposed) or [k, ldb]. */
void weir_gemm(bool b_transposed, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda, const float *b,
               size_t ldb, float *out, size_t ldo);

/* How many rows to compute so that m of them come out with the same bits whatever m is: libraries sum the last few
   rows, or few rows, in another order, and a prompt should give the same alone as in a batch. At most WEIR_GEMM_SLACK
   more than m: a and out need room for them, their contents do not matter. */
enum { WEIR_GEMM_SLACK = 16 };
size_t weir_gemm_rows(size_t m);

#endif
