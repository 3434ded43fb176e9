/* Conversions between element types. Compiled once per instruction set (meson.build defines WEIR_ISA), all of
   which agree to the last bit. */
#include "tensor/absent.h"
#include "tensor/half.h"
#include "tensor/kernels.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)

static void from_f32(float *to, const void *from, size_t n)
{
    memcpy(to, from, n * sizeof *to);
}

static void from_f64(float *restrict to, const void *restrict from, size_t n)
{
    const uint8_t *p = from;
    for (size_t i = 0; i < n; i++) {
        double x;
        memcpy(&x, p + 8 * i, sizeof x);
        to[i] = (float)x;
    }
}

static void from_f16(float *restrict to, const void *restrict from, size_t n)
{
    const uint8_t *p = from;
    for (size_t i = 0; i < n; i++)
        to[i] = load_half(p + 2 * i);
}

static void from_bf16(float *restrict to, const void *restrict from, size_t n)
{
    const uint8_t *p = from;
    for (size_t i = 0; i < n; i++)
        to[i] = float_of((uint32_t)load_u16(p + 2 * i) << 16);
}

/* `yes ? a : b` that stays arithmetic: gcc makes branches of several ?: in a row and then no vectors of the loop. */
static inline uint32_t select_bits(bool yes, uint32_t a, uint32_t b)
{
    uint32_t mask = 0u - (uint32_t)yes;
    return (a & mask) | (b & ~mask);
}

/* Bits of |x| as a float16. What no rounding brings below 65520 becomes 65504. Of NaN there are two: what is not
   stored, and the plain one. */
static inline uint32_t half_magnitude(uint32_t x, uint32_t bits)
{
    uint32_t normal = ((x + 0xfff + (x >> 13 & 1)) >> 13) - (112u << 10);
    uint32_t tiny = bits_of(float_of(x) + 0.5f) - bits_of(0.5f); /* the sum rounds to steps of 2^-24 */
    uint32_t nan = select_bits(bits == WEIR_ABSENT_F32, WEIR_ABSENT_F16, WEIR_NAN_F16);
    uint32_t finite = select_bits(x < 0x38800000, tiny, select_bits(x < 0x477ff000, normal, 0x7bff));
    return select_bits(x < 0x7f800000, finite, select_bits(x == 0x7f800000, 0x7c00, nan));
}

static uint64_t f32_to_f16(uint16_t *restrict to, const float *restrict from, size_t n)
{
    uint64_t saturated = 0;
    for (size_t first = 0; first < n; first += 4096) { /* pieces whose count fits the lanes of the inner loop */
        size_t last = n - first < 4096 ? n : first + 4096;
        uint32_t count = 0;
        for (size_t i = first; i < last; i++) {
            uint32_t bits = bits_of(from[i]), x = bits & 0x7fffffff;
            count += (uint32_t)(x >= 0x477ff000) & (uint32_t)(x < 0x7f800000);
            to[i] = (uint16_t)(bits >> 16 & 0x8000) | (uint16_t)half_magnitude(x, bits);
        }
        saturated += count;
    }
    return saturated;
}

static inline uint32_t bf16_magnitude(uint32_t x, uint32_t bits)
{
    uint32_t rounded = (x + 0x7fff + (x >> 16 & 1)) >> 16;
    uint32_t finite = select_bits(rounded < 0x7f80, rounded, 0x7f7f);
    uint32_t nan = select_bits(bits == WEIR_ABSENT_F32, WEIR_ABSENT_BF16, WEIR_NAN_BF16);
    return select_bits(x < 0x7f800000, finite, select_bits(x == 0x7f800000, 0x7f80, nan));
}

static void f32_to_bf16(uint16_t *restrict to, const float *restrict from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = bits_of(from[i]);
        to[i] = (uint16_t)(bits >> 16 & 0x8000) | (uint16_t)bf16_magnitude(bits & 0x7fffffff, bits);
    }
}

/* ---- blocks of 32 values: each is d * q, or d * q + m --------------------------------------------------------- */

/* The loop that the functions below are made of: `value` is an expression in i. */
#define DECODE(to, length, value)                                                                                      \
    for (int i = 0; i < (length); i++)                                                                                 \
    (to)[i] = (value)

/* The two values of a byte. */
static inline float low_nibble(uint8_t byte, int offset)
{
    return (float)((byte & 15) - offset);
}

static inline float high_nibble(uint8_t byte, int offset)
{
    return (float)((byte >> 4) - offset);
}

static void from_q4_0(float *restrict to, const void *restrict from, size_t n)
{
    const uint8_t *p = from; /* d, 16 bytes of two values */
    for (; n > 0; n -= 32, to += 32, p += 18) {
        float d = load_half(p);
        DECODE(to, 16, d * low_nibble(p[2 + i], 8));
        DECODE(to + 16, 16, d * high_nibble(p[2 + i], 8));
    }
}

static void from_q4_1(float *restrict to, const void *restrict from, size_t n)
{
    const uint8_t *p = from; /* d, m, 16 bytes of two values */
    for (; n > 0; n -= 32, to += 32, p += 20) {
        float d = load_half(p), m = load_half(p + 2);
        DECODE(to, 16, d * low_nibble(p[4 + i], 0) + m);
        DECODE(to + 16, 16, d * high_nibble(p[4 + i], 0) + m);
    }
}

static inline uint32_t load_u32(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

static void from_q5_0(float *restrict to, const void *restrict from, size_t n)
{
    const uint8_t *p = from; /* d, 32 fifth bits, 16 bytes of two values */
    for (; n > 0; n -= 32, to += 32, p += 22) {
        float d = load_half(p);
        uint32_t fifth = load_u32(p + 2);
        DECODE(to, 16, d * (float)(int)((p[6 + i] & 15u) + (fifth >> i & 1) * 16 - 16));
        DECODE(to + 16, 16, d * (float)(int)((p[6 + i] >> 4) + (fifth >> (i + 16) & 1) * 16 - 16));
    }
}

static void from_q5_1(float *restrict to, const void *restrict from, size_t n)
{
    const uint8_t *p = from; /* d, m, 32 fifth bits, 16 bytes of two values */
    for (; n > 0; n -= 32, to += 32, p += 24) {
        float d = load_half(p), m = load_half(p + 2);
        uint32_t fifth = load_u32(p + 4);
        DECODE(to, 16, d * (float)(int)((p[8 + i] & 15u) + (fifth >> i & 1) * 16) + m);
        DECODE(to + 16, 16, d * (float)(int)((p[8 + i] >> 4) + (fifth >> (i + 16) & 1) * 16) + m);
    }
}

static void from_q8_0(float *restrict to, const void *restrict from, size_t n)
{
    const uint8_t *p = from; /* d, 32 signed bytes */
    for (; n > 0; n -= 32, to += 32, p += 34) {
        float d = load_half(p);
        DECODE(to, 32, d * (float)(int8_t)p[2 + i]);
    }
}

static void from_fp4(float *restrict to, const void *restrict from, size_t n)
{
    static const float levels[16] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6};
    const uint8_t *p = from;
    for (size_t i = 0; i < n; i += 2, p++) {
        to[i] = levels[*p & 15];
        to[i + 1] = levels[*p >> 4];
    }
}

/* 2^(x - 127); 255 is NaN */
static void from_e8m0(float *restrict to, const void *restrict from, size_t n)
{
    const uint8_t *p = from;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = p[i] == 255 ? 0x7fc00000u : p[i] == 0 ? 0x00400000u : (uint32_t)p[i] << 23;
        memcpy(to + i, &bits, sizeof bits);
    }
}

static void from_iq4_nl(float *restrict to, const void *restrict from, size_t n)
{
    static const float levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    const uint8_t *p = from; /* d, 16 bytes of two values */
    for (; n > 0; n -= 32, to += 32, p += 18) {
        float d = load_half(p);
        DECODE(to, 16, d * levels[p[2 + i] & 15]);
        DECODE(to + 16, 16, d * levels[p[2 + i] >> 4]);
    }
}

/* ---- blocks of 256 values in runs of 16 or 32, each with its own scale ----------------------------------------
 */

static void from_q2_k(float *restrict to, const void *restrict from, size_t n)
{
    const uint8_t *p = from; /* 16 scales and minima of 4 bits, 64 bytes of four values, d, dmin */
    for (; n > 0; n -= 256, to += 256, p += 84) {
        float d = load_half(p + 80), d_min = load_half(p + 82);
        for (int run = 0; run < 16; run++) {
            const uint8_t *q = p + 16 + run / 8 * 32 + run % 2 * 16;
            int shift = run % 8 / 2 * 2;
            float scale = d * low_nibble(p[run], 0), min = d_min * high_nibble(p[run], 0);
            DECODE(to + 16 * run, 16, scale * (float)(q[i] >> shift & 3) - min);
        }
    }
}

static void from_q3_k(float *restrict to, const void *restrict from, size_t n)
{
    const uint8_t *p = from; /* 256 third bits, 64 bytes of four values, 16 scales of 6 bits, d */
    for (; n > 0; n -= 256, to += 256, p += 110) {
        const uint8_t *scales = p + 96;
        float d = load_half(p + 108);
        for (int run = 0; run < 16; run++) {
            const uint8_t *q = p + 32 + run / 8 * 32 + run % 2 * 16, *third = p + run % 2 * 16;
            int shift = run % 8 / 2 * 2, bit = run / 2;
            int scale = (scales[run % 8] >> run / 8 * 4 & 15) | (scales[8 + run % 4] >> run / 4 * 2 & 3) << 4;
            float s = d * (float)(scale - 32);
            DECODE(to + 16 * run, 16, s * (float)((q[i] >> shift & 3) + (third[i] >> bit & 1) * 4 - 4));
        }
    }
}

/* Scale and minimum of run 0 to 7 out of the 12 bytes that hold them with 6 bits each: four of each in the low bits of
   bytes 0 to 7; the other four in halves of bytes 8 to 11, their upper two bits atop bytes 0 to 7. */
static inline void scale_and_min(const uint8_t *p, int run, float *scale, float *min)
{
    int k = run % 4;
    *scale = (float)(run < 4 ? p[k] & 63 : (p[8 + k] & 15) | p[k] >> 6 << 4);
    *min = (float)(run < 4 ? p[4 + k] & 63 : p[8 + k] >> 4 | p[4 + k] >> 6 << 4);
}

static void from_q4_k(float *restrict to, const void *restrict from, size_t n)
{
    const uint8_t *p = from; /* d, dmin, 12 bytes of scales and minima, 128 bytes of two values */
    for (; n > 0; n -= 256, to += 256, p += 144) {
        float d = load_half(p), d_min = load_half(p + 2);
        for (int run = 0; run < 8; run++) {
            const uint8_t *q = p + 16 + run / 2 * 32;
            int shift = run % 2 * 4;
            float scale, min;
            scale_and_min(p + 4, run, &scale, &min);
            scale *= d;
            min *= d_min;
            DECODE(to + 32 * run, 32, scale * (float)(q[i] >> shift & 15) - min);
        }
    }
}

static void from_q5_k(float *restrict to, const void *restrict from, size_t n)
{
    const uint8_t *p = from; /* d, dmin, 12 bytes of scales and minima, 256 fifth bits, 128 bytes of two values */
    for (; n > 0; n -= 256, to += 256, p += 176) {
        float d = load_half(p), d_min = load_half(p + 2);
        for (int run = 0; run < 8; run++) {
            const uint8_t *q = p + 48 + run / 2 * 32, *fifth = p + 16;
            int shift = run % 2 * 4;
            float scale, min;
            scale_and_min(p + 4, run, &scale, &min);
            scale *= d;
            min *= d_min;
            DECODE(to + 32 * run, 32, scale * (float)((q[i] >> shift & 15) + (fifth[i] >> run & 1) * 16) - min);
        }
    }
}

static void from_q6_k(float *restrict to, const void *restrict from, size_t n)
{
    const uint8_t *p = from; /* 128 bytes of two values' low bits, 64 of four values' upper two, 16 signed scales, d */
    for (; n > 0; n -= 256, to += 256, p += 210) {
        float d = load_half(p + 208);
        for (int run = 0; run < 16; run++) {
            const uint8_t *q = p + run / 8 * 64 + run % 4 * 16, *upper = p + 128 + run / 8 * 32 + run % 2 * 16;
            int shift = run % 8 / 4 * 4, upper_shift = run % 8 / 2 * 2;
            float scale = d * (float)(int8_t)p[192 + run];
            DECODE(to + 16 * run, 16, scale * (float)((q[i] >> shift & 15) + (upper[i] >> upper_shift & 3) * 16 - 32));
        }
    }
}

const struct weir_convert_kernels JOIN(weir_convert_, WEIR_ISA) = {
    .to_f32 =
        {
            [WEIR_T_F32] = from_f32,
            [WEIR_T_F64] = from_f64,
            [WEIR_T_F16] = from_f16,
            [WEIR_T_BF16] = from_bf16,
            [WEIR_T_Q4_0] = from_q4_0,
            [WEIR_T_Q4_1] = from_q4_1,
            [WEIR_T_Q5_0] = from_q5_0,
            [WEIR_T_Q5_1] = from_q5_1,
            [WEIR_T_Q8_0] = from_q8_0,
            [WEIR_T_Q2_K] = from_q2_k,
            [WEIR_T_Q3_K] = from_q3_k,
            [WEIR_T_Q4_K] = from_q4_k,
            [WEIR_T_Q5_K] = from_q5_k,
            [WEIR_T_Q6_K] = from_q6_k,
            [WEIR_T_IQ4_NL] = from_iq4_nl,
            [WEIR_T_FP4] = from_fp4,
            [WEIR_T_E8M0] = from_e8m0,
        },
    .f32_to_f16 = f32_to_f16,
    .f32_to_bf16 = f32_to_bf16,
};
