/* The table of element types: sizes of values and blocks, names, conversions. */
#include "tensor/dtype.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "tensor/kernels.h"

static const struct weir_type_info types[WEIR_N_TYPES] = {
    [WEIR_T_F32] = {"F32", 1, 4},       [WEIR_T_F64] = {"F64", 1, 8},       [WEIR_T_F16] = {"F16", 1, 2},
    [WEIR_T_BF16] = {"BF16", 1, 2},     [WEIR_T_Q4_0] = {"Q4_0", 32, 18},   [WEIR_T_Q4_1] = {"Q4_1", 32, 20},
    [WEIR_T_Q5_0] = {"Q5_0", 32, 22},   [WEIR_T_Q5_1] = {"Q5_1", 32, 24},   [WEIR_T_Q8_0] = {"Q8_0", 32, 34},
    [WEIR_T_Q2_K] = {"Q2_K", 256, 84},  [WEIR_T_Q3_K] = {"Q3_K", 256, 110}, [WEIR_T_Q4_K] = {"Q4_K", 256, 144},
    [WEIR_T_Q5_K] = {"Q5_K", 256, 176}, [WEIR_T_Q6_K] = {"Q6_K", 256, 210}, [WEIR_T_IQ4_NL] = {"IQ4_NL", 32, 18},
    [WEIR_T_FP4] = {"FP4", 2, 1},       [WEIR_T_E8M0] = {"E8M0", 1, 1},
};

const struct weir_type_info *weir_type_get_info(enum weir_type type)
{
    return &types[type];
}

weir_status weir_type_bytes(size_t *out, enum weir_type type, size_t n)
{
    const struct weir_type_info *info = &types[type];
    *out = 0;
    if (n % info->block_values != 0)
        return weir_fail(WEIR_E_INPUT, "%zu values of type %s are not whole blocks of %zu", n, info->name,
                         info->block_values);
    return weir_mul(out, n / info->block_values, info->block_bytes);
}

static const struct weir_convert_kernels *convert_kernels(void)
{
#if defined(__x86_64__)
    if (weir_isa() == WEIR_ISA_AVX512)
        return &weir_convert_avx512;
    if (weir_isa() == WEIR_ISA_AVX2)
        return &weir_convert_avx2;
#endif
    return &weir_convert_plain;
}

void weir_to_f32(float *to, const void *from, enum weir_type type, size_t n)
{
    convert_kernels()->to_f32[type](to, from, n);
}

uint64_t weir_f32_to_f16(uint16_t *to, const float *from, size_t n)
{
    return convert_kernels()->f32_to_f16(to, from, n);
}

void weir_f32_to_bf16(uint16_t *to, const float *from, size_t n)
{
    convert_kernels()->f32_to_bf16(to, from, n);
}
