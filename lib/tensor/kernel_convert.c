/* Conversions between element types. Compiled once an instruction set (meson.build defines WEIR_ISA). */
#include "tensor/kernels.h"

#include <string.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)

static void from_f32(float *to, const void *from, size_t n)
{
    memcpy(to, from, n * sizeof *to);
}

static void from_bf16(float *to, const void *from, size_t n)
{
    const uint8_t *p = from; /* maps promise no alignment */
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, p + 2 * i, sizeof half);
        uint32_t bits = (uint32_t)half << 16;
        memcpy(&to[i], &bits, sizeof bits);
    }
}

const struct weir_convert_kernels JOIN(weir_convert_, WEIR_ISA) = {
    .to_f32 = {[WEIR_T_F32] = from_f32, [WEIR_T_BF16] = from_bf16},
};
