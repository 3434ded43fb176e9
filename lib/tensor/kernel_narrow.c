/* The loops of tensor/narrow.h, in AVX-512's instructions for products of bfloat16 (BF16) and of bytes (VNNI): each
   multiplies the 2 or 4 values in a 32-bit unit of one vector with those of another and adds them up. One source for
   both kinds of unit, since only the step and the ends differ. */
#include "tensor/narrow.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum { WIDE = 16, N_LEVELS = 127, GROUP_UNITS = 16, GROUP = 4 * GROUP_UNITS };

/* Rows that are multiplied at once: as many as registers hold the sums of; bytes need twice as many. */
enum { ROWS_BF16 = 8, ROWS_INT8 = 6 };

/* ---- rows of units ---- */

static void row_bf16(uint32_t *out, float *scales, const float *x, size_t n)
{
    (void)scales;
    for (size_t i = 0; i < n; i += 2 * WIDE) {
        size_t left = n - i;
        __mmask16 low = left >= WIDE ? 0xffff : (__mmask16)((1u << left) - 1);
        __mmask16 high = left >= 2 * WIDE ? 0xffff : left > WIDE ? (__mmask16)((1u << (left - WIDE)) - 1) : 0;
        __mmask16 units = left >= 2 * WIDE ? 0xffff : (__mmask16)((1u << (left + 1) / 2) - 1);
        __m512 a = _mm512_maskz_loadu_ps(low, x + i), b = _mm512_maskz_loadu_ps(high, x + i + WIDE);
        _mm512_mask_storeu_epi32(out + i / 2, units, (__m512i)_mm512_cvtne2ps_pbh(b, a));
    }
}

/* The largest magnitude of x [n] by its bits, so that NaN is the largest of all. */
static float largest_magnitude(const float *x, size_t n)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    __m512i most = _mm512_setzero_si512();
    for (size_t i = 0; i < n; i += WIDE) {
        __mmask16 some = n - i >= WIDE ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
        most = _mm512_max_epi32(most, _mm512_and_si512(magnitude, _mm512_maskz_loadu_epi32(some, x + i)));
    }
    int bits = _mm512_reduce_max_epi32(most);
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

/* Signed bytes of x / scale, the largest magnitude becoming 127; each plus `offset`, and filled up to a group with 0.
   What is NaN or infinite makes the scale so, and with it all that is computed from the group. */
INLINE void group_bytes(uint32_t *out, float *scale, const float *x, size_t n, char offset)
{
    float most = largest_magnitude(x, n);
    *scale = most / N_LEVELS;
    __m512 factor = _mm512_set1_ps(most > 0 ? N_LEVELS / most : 0);
    char *bytes = (char *)out;
    for (size_t i = 0; i < GROUP; i += WIDE) {
        size_t left = i < n ? n - i : 0;
        __mmask16 some = left >= WIDE ? 0xffff : (__mmask16)((1u << left) - 1);
        __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(some, x + i), factor));
        __m128i low = _mm_add_epi8(_mm512_cvtsepi32_epi8(whole), _mm_set1_epi8(offset));
        _mm_storeu_si128((__m128i *)(bytes + i), _mm_maskz_mov_epi8(some, low));
    }
}

/* The instruction multiplies unsigned by signed bytes: inputs are moved up by 128, and sums start where that is undone.
 */
static void row_int8(uint32_t *out, float *scales, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += GROUP)
        group_bytes(out + i / 4, scales++, x + i, n - i < GROUP ? n - i : GROUP, (char)-128);
}

static int32_t sum_of(const uint32_t *units)
{
    const __m512i ones = _mm512_set1_epi8(1);
    return _mm512_reduce_add_epi32(_mm512_dpbusd_epi32(_mm512_setzero_si512(), ones, _mm512_loadu_si512(units)));
}

static void weights_int8(uint32_t *out, float *scales, int32_t *starts, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += GROUP) {
        group_bytes(out + i / 4, scales++, x + i, n - i < GROUP ? n - i : GROUP, 0);
        *starts++ = -128 * sum_of(out + i / 4);
    }
}

static void weights_bf16(uint32_t *out, float *scales, int32_t *starts, const float *x, size_t n)
{
    (void)starts;
    row_bf16(out, scales, x, n);
}

/* ---- panels ---- */

/* 16 x 16 values of 32 bits; strides in bytes */
INLINE void transpose(char *to, size_t ld_to, const char *from, size_t ld_from)
{
    __m512i r[WIDE], t[WIDE];
    for (size_t i = 0; i < WIDE; i++)
        r[i] = _mm512_loadu_si512(from + i * ld_from);
    for (size_t i = 0; i < WIDE; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (size_t i = 0; i < WIDE; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (size_t j = 0; j < 4; j++) { /* r[4 i + j] has columns j, 4 + j, 8 + j, 12 + j of rows 4 i to 4 i + 3 */
        __m512i a = _mm512_shuffle_i32x4(r[j], r[4 + j], 0x88), b = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0x88);
        __m512i c = _mm512_shuffle_i32x4(r[j], r[4 + j], 0xdd), d = _mm512_shuffle_i32x4(r[8 + j], r[12 + j], 0xdd);
        _mm512_storeu_si512(to + j * ld_to, _mm512_shuffle_i32x4(a, b, 0x88));
        _mm512_storeu_si512(to + (4 + j) * ld_to, _mm512_shuffle_i32x4(c, d, 0x88));
        _mm512_storeu_si512(to + (8 + j) * ld_to, _mm512_shuffle_i32x4(a, b, 0xdd));
        _mm512_storeu_si512(to + (12 + j) * ld_to, _mm512_shuffle_i32x4(c, d, 0xdd));
    }
}

static void turn_over(void *to_values, size_t ld_to, const void *from_values, size_t ld_from, size_t m, size_t n)
{
    char *to = to_values;
    const char *from = from_values;
    const size_t size = sizeof(uint32_t), whole_m = m / WIDE * WIDE, whole_n = n / WIDE * WIDE;
    for (size_t i = 0; i < whole_m; i += WIDE)
        for (size_t j = 0; j < whole_n; j += WIDE)
            transpose(to + (j * ld_to + i) * size, ld_to * size, from + (i * ld_from + j) * size, ld_from * size);
    for (size_t i = 0; i < m; i++)
        for (size_t j = i < whole_m ? whole_n : 0; j < n; j++)
            memcpy(to + (j * ld_to + i) * size, from + (i * ld_from + j) * size, size);
}

/* ---- products ---- */

struct tile {
    float *out; /* [rows, ldo] */
    size_t ldo;
    const uint32_t *x;     /* [rows, n_units] */
    const float *scales;   /* [rows, n_groups] */
    const uint32_t *panel; /* as in tensor/narrow.h */
    size_t n_units, n_groups;
    __mmask16 low, high; /* which outputs there are */
};

/* gcc keeps sums in registers only where it is told to unroll the loops over rows. */
#define EACH_ROW _Pragma("GCC unroll 8") for (size_t i = 0; i < rows; i++)

INLINE void store(const struct tile *t, size_t row, __m512 low, __m512 high)
{
    _mm512_mask_storeu_ps(t->out + row * t->ldo, t->low, low);
    _mm512_mask_storeu_ps(t->out + row * t->ldo + WIDE, t->high, high);
}

INLINE void tile_bf16(const struct tile *t, const size_t rows)
{
    __m512 sums[ROWS_BF16][2];
    const uint32_t *w = t->panel;
    EACH_ROW sums[i][0] = sums[i][1] = _mm512_setzero_ps();
    for (size_t u = 0; u < t->n_units; u++, w += WEIR_PANEL) {
        __m512bh low = (__m512bh)_mm512_loadu_si512(w), high = (__m512bh)_mm512_loadu_si512(w + WIDE);
        EACH_ROW
        {
            __m512bh x = (__m512bh)_mm512_set1_epi32((int)t->x[i * t->n_units + u]);
            sums[i][0] = _mm512_dpbf16_ps(sums[i][0], x, low);
            sums[i][1] = _mm512_dpbf16_ps(sums[i][1], x, high);
        }
    }
    EACH_ROW store(t, i, sums[i][0], sums[i][1]);
}

INLINE __m512 add_group(__m512 out, __m512i sum, float scale, const float *scales)
{
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_mul_ps(_mm512_set1_ps(scale), _mm512_loadu_ps(scales)), out);
}

INLINE void tile_int8(const struct tile *t, const size_t rows)
{
    __m512 out[ROWS_INT8][2];
    const float *scales = (const float *)t->panel;
    const uint32_t *starts = t->panel + t->n_groups * WEIR_PANEL, *w = starts + t->n_groups * WEIR_PANEL, *x = t->x;
    EACH_ROW out[i][0] = out[i][1] = _mm512_setzero_ps();
    for (size_t g = 0; g < t->n_groups; g++, scales += WEIR_PANEL, starts += WEIR_PANEL) {
        __m512i sums[ROWS_INT8][2];
        EACH_ROW
        {
            sums[i][0] = _mm512_loadu_si512(starts);
            sums[i][1] = _mm512_loadu_si512(starts + WIDE);
        }
        for (size_t u = 0; u < GROUP_UNITS; u++, w += WEIR_PANEL, x++) {
            __m512i low = _mm512_loadu_si512(w), high = _mm512_loadu_si512(w + WIDE);
            EACH_ROW
            {
                __m512i unit = _mm512_set1_epi32((int)x[i * t->n_units]);
                sums[i][0] = _mm512_dpbusd_epi32(sums[i][0], unit, low);
                sums[i][1] = _mm512_dpbusd_epi32(sums[i][1], unit, high);
            }
        }
        EACH_ROW
        {
            out[i][0] = add_group(out[i][0], sums[i][0], t->scales[i * t->n_groups + g], scales);
            out[i][1] = add_group(out[i][1], sums[i][1], t->scales[i * t->n_groups + g], scales + WIDE);
        }
    }
    EACH_ROW store(t, i, out[i][0], out[i][1]);
}

/* One case for each number of rows, since it has to be known when the loops are unrolled. */
static void some_bf16(const struct tile *t, size_t rows)
{
    switch (rows) {
    case 1:
        tile_bf16(t, 1);
        break;
    case 2:
        tile_bf16(t, 2);
        break;
    case 3:
        tile_bf16(t, 3);
        break;
    case 4:
        tile_bf16(t, 4);
        break;
    case 5:
        tile_bf16(t, 5);
        break;
    case 6:
        tile_bf16(t, 6);
        break;
    case 7:
        tile_bf16(t, 7);
        break;
    default:
        tile_bf16(t, ROWS_BF16);
        break;
    }
}

/* A number of rows that is known at compile time keeps all sums in registers. */
static void some_int8(const struct tile *t, size_t rows)
{
    switch (rows) {
    case 1:
        tile_int8(t, 1);
        break;
    case 2:
        tile_int8(t, 2);
        break;
    case 3:
        tile_int8(t, 3);
        break;
    case 4:
        tile_int8(t, 4);
        break;
    case 5:
        tile_int8(t, 5);
        break;
    default:
        tile_int8(t, ROWS_INT8);
        break;
    }
}

INLINE void product(void some(const struct tile *, size_t), size_t at_once, struct tile t, size_t m, size_t n)
{
    t.low = n >= WIDE ? 0xffff : (__mmask16)((1u << n) - 1);
    t.high = n >= 2 * WIDE ? 0xffff : n > WIDE ? (__mmask16)((1u << (n - WIDE)) - 1) : 0;
    for (size_t i = 0; i < m; i += at_once) {
        some(&t, m - i < at_once ? m - i : at_once);
        t.out += at_once * t.ldo;
        t.x += at_once * t.n_units;
        t.scales += at_once * t.n_groups;
    }
}

static void product_bf16(float *out, size_t ldo, const uint32_t *x, const float *scales, size_t m,
                         const uint32_t *panel, size_t n_units, size_t n)
{
    struct tile t = {.out = out, .ldo = ldo, .x = x, .scales = scales, .panel = panel, .n_units = n_units};
    product(some_bf16, ROWS_BF16, t, m, n);
}

static void product_int8(float *out, size_t ldo, const uint32_t *x, const float *scales, size_t m,
                         const uint32_t *panel, size_t n_units, size_t n)
{
    struct tile t = {.out = out, .ldo = ldo, .x = x, .scales = scales, .panel = panel, .n_units = n_units};
    t.n_groups = n_units / GROUP_UNITS;
    product(some_int8, ROWS_INT8, t, m, n);
}

const struct weir_narrow weir_narrow_bf16 = {
    .per = 2, .row = row_bf16, .weights = weights_bf16, .turn_over = turn_over, .product = product_bf16};
const struct weir_narrow weir_narrow_int8 = {.per = 4,
                                             .group_units = GROUP_UNITS,
                                             .row = row_int8,
                                             .weights = weights_int8,
                                             .turn_over = turn_over,
                                             .product = product_int8};

#endif
