/* Inner loops, compiled once for each instruction set from the same plain C (kernel_*.c), picked at run time. */
#ifndef WEIR_TENSOR_KERNELS_H
#define WEIR_TENSOR_KERNELS_H

#include "tensor/dtype.h"

/* kernel_convert.c */
struct weir_convert_kernels {
    void (*to_f32[WEIR_N_TYPES])(float *to, const void *from, size_t n); /* n: whole blocks */
    uint64_t (*f32_to_f16)(uint16_t *to, const float *from, size_t n);
    void (*f32_to_bf16)(uint16_t *to, const float *from, size_t n);
};

/* The builds of each; those that the architecture does not have are NULL. */
extern const struct weir_convert_kernels weir_convert_plain, weir_convert_avx2, weir_convert_avx512;

#endif
