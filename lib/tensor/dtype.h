/* Element types of weights as files hold them, and their way to float32. */
#ifndef WEIR_TENSOR_DTYPE_H
#define WEIR_TENSOR_DTYPE_H

#include "base/status.h"

/* Numbered by us, not by any file format. Quantized types come in blocks (dtype.c has the table). */
enum weir_type {
    WEIR_T_F32,
    WEIR_T_F64,
    WEIR_T_F16,
    WEIR_T_BF16,
    WEIR_T_Q4_0,
    WEIR_T_Q4_1,
    WEIR_T_Q5_0,
    WEIR_T_Q5_1,
    WEIR_T_Q8_0,
    WEIR_T_Q2_K,
    WEIR_T_Q3_K,
    WEIR_T_Q4_K,
    WEIR_T_Q5_K,
    WEIR_T_Q6_K,
    WEIR_T_IQ4_NL,
    WEIR_T_FP4,  /* E2M1, two a byte, the low half first; safetensors only, scales are in another tensor */
    WEIR_T_E8M0, /* powers of two: such scales */
    WEIR_N_TYPES
};

struct weir_type_info {
    const char *name;    /* "Q4_1" */
    size_t block_values; /* values in a block; 1 for plain types */
    size_t block_bytes;
};

const struct weir_type_info *weir_type_get_info(enum weir_type type);

/* Bytes that n values take; fails when n is not whole blocks. */
WEIR_CHECKED weir_status weir_type_bytes(size_t *out, enum weir_type type, size_t n);

/* n values (whole blocks) of any type to float32, exactly as the format defines them. Any alignment of `from`. */
void weir_to_f32(float *to, const void *from, enum weir_type type, size_t n);

/* n float32 to f16 (round to nearest even; what would round past 65504 becomes it; infinities stay; NaN becomes
   the plain one, but for that of tensor/absent.h, which stays itself). @return
   how many finite values were saturated so: those of magnitude 65520 and more. */
uint64_t weir_f32_to_f16(uint16_t *to, const float *from, size_t n);
/* n float32 to bf16 (round to nearest even; finite values stay finite, infinities and NaN as above). */
void weir_f32_to_bf16(uint16_t *to, const float *from, size_t n);

#endif
