/* float16 to float32 in arithmetic that compilers vectorize. Included by kernel files only. */
#ifndef WEIR_TENSOR_HALF_H
#define WEIR_TENSOR_HALF_H

#include <stdint.h>
#include <string.h>

static inline float float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* Exact. Signalling NaNs come out quiet, as from the processor's own instruction. */
static inline float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, x = half & 0x7fffu;
    uint32_t normal = (x << 13) + (112u << 23);
    uint32_t special = 0x7f800000u | x << 13 | (x > 0x7c00 ? 0x400000u : 0);
    /* a subnormal is x steps of 2^-24: whole numbers convert without rounding, and without meeting subnormal floats */
    uint32_t tiny = bits_of((float)(int32_t)x * 0x1p-24f);
    return float_of(sign | (x < 0x0400 ? tiny : x >= 0x7c00 ? special : normal));
}

static inline uint16_t load_u16(const uint8_t *p) /* maps promise no alignment */
{
    uint16_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

static inline float load_half(const uint8_t *p)
{
    return half_to_float(load_u16(p));
}

#endif
