/* Conversions to and from float32: against gguf's own values, against the definition, and build against build. */
#include "base/alloc.h"
#include "base/cpu.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "unit/data_path.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const enum weir_isa isas[] = {WEIR_ISA_PLAIN, WEIR_ISA_AVX2, WEIR_ISA_AVX512};

#define EACH_ISA                                                                                                       \
    for (size_t isa = 0; isa < sizeof isas / sizeof *isas; isa++)                                                      \
        if (weir_isa_use(isas[isa]))

static uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* The definition of float16; what it gives for NaN is one. */
static float half_by_definition(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    float magnitude = exponent == 0    ? ldexpf((float)fraction, -24)
                      : exponent == 31 ? (fraction ? NAN : INFINITY)
                                       : ldexpf((float)(1024 + fraction), exponent - 25);
    return half >> 15 ? -magnitude : magnitude;
}

static bool same(float a, float b)
{
    return bits_of(a) == bits_of(b) || (isnan(a) && isnan(b));
}

enum { GGUF_TYPES = WEIR_N_TYPES - 2 }; /* FP4 and E8M0 are of safetensors alone */

Test(convert, decodes_every_type_to_the_bits_of_gguf)
{
    struct weir_gguf *gguf;
    struct weir_tensors *expected;
    cr_assert(weir_gguf_open(&gguf, DATA "types.gguf") == WEIR_OK, "%s", weir_message());
    cr_assert(weir_safetensors_open(&expected, DATA "types.safetensors") == WEIR_OK, "%s", weir_message());
    cr_assert(gguf->tensors->n == GGUF_TYPES && expected->n == GGUF_TYPES);
    EACH_ISA
    for (size_t t = 0; t < GGUF_TYPES; t++) {
        const struct weir_tensor *tensor = &gguf->tensors->list[t];
        const struct weir_tensor *floats = weir_tensors_find(expected, tensor->name);
        float *got; /* [n] */
        cr_assert(floats && floats->n == tensor->n);
        cr_assert(weir_alloc(&got, tensor->n, sizeof *got) == WEIR_OK);
        weir_to_f32(got, tensor->data, tensor->type, tensor->n);
        for (size_t i = 0; i < tensor->n; i++) {
            float want;
            memcpy(&want, floats->data + i * sizeof want, sizeof want);
            cr_assert(bits_of(got[i]) == bits_of(want), "%s, build %d: value %zu is %a, not %a", tensor->name,
                      isas[isa], i, (double)got[i], (double)want);
        }
        weir_free(got);
    }
    weir_tensors_close(expected);
    weir_gguf_close(gguf);
}

Test(convert, reads_every_float16_as_defined)
{
    static uint16_t halves[65536];
    static float got[65536];
    for (size_t i = 0; i < 65536; i++)
        halves[i] = (uint16_t)i;
    EACH_ISA
    {
        weir_to_f32(got, halves, WEIR_T_F16, 65536);
        for (size_t i = 0; i < 65536; i++)
            cr_assert(same(got[i], half_by_definition(halves[i])), "%#zx is %a", i, (double)got[i]);
    }
}

Test(convert, writes_every_float16_back_and_counts_nothing)
{
    static uint16_t halves[65536], again[65536];
    static float floats[65536];
    for (size_t i = 0; i < 65536; i++)
        halves[i] = (uint16_t)i;
    weir_to_f32(floats, halves, WEIR_T_F16, 65536);
    EACH_ISA
    {
        cr_assert(weir_f32_to_f16(again, floats, 65536) == 0);
        for (size_t i = 0; i < 65536; i++) {
            uint16_t nan =
                (halves[i] | 0x200) == 0x7f50 ? 0x7f50 : (halves[i] & 0x8000) | 0x7e00; /* not stored, or plain */
            cr_assert(again[i] == (isnan(floats[i]) ? nan : halves[i]), "%#zx became %#x", i, again[i]);
        }
    }
}

static uint16_t to_f16(float x, uint64_t *saturated)
{
    uint16_t half;
    *saturated = weir_f32_to_f16(&half, &x, 1);
    return half;
}

Test(convert, rounds_to_the_nearest_float16_and_ties_to_even)
{
    uint64_t count;
    EACH_ISA
    for (uint16_t low = 0; low < 0x7bff; low++) { /* all finite neighbours */
        float middle = (half_by_definition(low) + half_by_definition((uint16_t)(low + 1))) / 2;
        uint16_t even = (uint16_t)(low + (low & 1));
        cr_assert(to_f16(middle, &count) == even, "%a", (double)middle);
        cr_assert(to_f16(nextafterf(middle, 0), &count) == low, "below %a", (double)middle);
        cr_assert(to_f16(nextafterf(middle, INFINITY), &count) == low + 1, "above %a", (double)middle);
        cr_assert(to_f16(-middle, &count) == (0x8000 | even), "-%a", (double)middle);
    }
}

Test(convert, saturates_float16_and_counts_what_was_finite)
{
    const float from[] = {65504, 65519.996f, 65520, -65520, 1e38f, -3.4e38f, INFINITY, -INFINITY, NAN};
    const uint16_t want[] = {0x7bff, 0x7bff, 0x7bff, 0xfbff, 0x7bff, 0xfbff, 0x7c00, 0xfc00};
    uint16_t to[9];
    EACH_ISA
    {
        cr_assert(weir_f32_to_f16(to, from, 9) == 4);
        cr_assert(memcmp(to, want, sizeof want) == 0);
        cr_assert((to[8] & 0x7fff) > 0x7c00);
    }
}

Test(convert, counts_saturation_over_long_rows)
{
    enum { N = 10000 };
    static float from[N];
    static uint16_t to[N];
    for (size_t i = 0; i < N; i++)
        from[i] = i % 3 == 0 ? 1e6f : 1;
    EACH_ISA
    cr_assert(weir_f32_to_f16(to, from, N) == (N + 2) / 3);
}

Test(convert, rounds_to_the_nearest_bfloat16_and_keeps_what_is_not_finite)
{
    const struct {
        uint32_t from;
        uint16_t to;
    } cases[] = {
        {0x3f800000, 0x3f80}, {0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f807fff, 0x3f80}, {0x3f808001, 0x3f81},
        {0x00000001, 0x0000}, {0x80008001, 0x8001}, {0x00008000, 0x0000}, {0x00018000, 0x0002}, {0x7f7f7fff, 0x7f7f},
        {0x7f7f8000, 0x7f7f}, {0x7f7fffff, 0x7f7f}, {0xff7fffff, 0xff7f}, {0x7f800000, 0x7f80}, {0xff800000, 0xff80},
        {0x7f800001, 0x7fc0}, {0xffc00000, 0xffc0}, {0x7fffffff, 0x7fc0}, {0x7fea0000, 0x7fea}, {0xffea0000, 0xffc0},
        {0x7fea0001, 0x7fc0}, {0x7feaffff, 0x7fc0},
    };
    EACH_ISA
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float from = float_of(cases[i].from);
        uint16_t to;
        weir_f32_to_bf16(&to, &from, 1);
        cr_assert(to == cases[i].to, "%#x became %#x, not %#x", cases[i].from, to, cases[i].to);
    }
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Open Compute Project, Microscaling Formats 1.0: E2M1 and E8M0 */
static float fp4_by_definition(unsigned code)
{
    int exponent = code >> 1 & 3, fraction = code & 1;
    float magnitude = exponent == 0 ? 0.5f * (float)fraction : ldexpf(1 + 0.5f * (float)fraction, exponent - 1);
    return code & 8 ? -magnitude : magnitude;
}

Test(convert, decodes_fp4_and_its_scales_as_the_format_defines_them)
{
    uint8_t bytes[256];
    float values[512];
    for (int i = 0; i < 256; i++)
        bytes[i] = (uint8_t)i;
    EACH_ISA
    {
        weir_to_f32(values, bytes, WEIR_T_FP4, 512);
        for (unsigned i = 0; i < 256; i++)
            cr_expect(same(values[2 * i], fp4_by_definition(i & 15)) &&
                      same(values[2 * i + 1], fp4_by_definition(i >> 4)));
        weir_to_f32(values, bytes, WEIR_T_E8M0, 256);
        for (int i = 0; i < 256; i++)
            cr_expect(same(values[i], i == 255 ? NAN : ldexpf(1, i - 127)), "%d", i);
    }
}

Test(convert, builds_agree_on_any_bytes_at_any_alignment)
{
    enum { N = 2048 };
    static uint8_t from[N * 8 + 1]; /* from + 1: no alignment */
    static float plain[N], other[N];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof from; i++)
        from[i] = (uint8_t)next_random(&seed);
    EACH_ISA
    for (int type = 0; type < WEIR_N_TYPES; type++) {
        cr_assert(weir_isa_use(WEIR_ISA_PLAIN));
        weir_to_f32(plain, from + 1, (enum weir_type)type, N);
        cr_assert(weir_isa_use(isas[isa]));
        weir_to_f32(other, from + 1, (enum weir_type)type, N);
        for (size_t i = 0; i < N; i++)
            cr_assert(same(plain[i], other[i]), "%s: value %zu", weir_type_get_info((enum weir_type)type)->name, i);
    }
}

Test(convert, builds_agree_on_any_floats)
{
    enum { N = 100000 };
    static float from[N];
    static uint16_t plain[N], other[N];
    uint32_t seed = 2;
    for (size_t i = 0; i < N; i++)
        from[i] = float_of(next_random(&seed) << 16 ^ next_random(&seed));
    EACH_ISA
    {
        cr_assert(weir_isa_use(WEIR_ISA_PLAIN));
        uint64_t saturated = weir_f32_to_f16(plain, from, N);
        cr_assert(weir_isa_use(isas[isa]));
        cr_assert(weir_f32_to_f16(other, from, N) == saturated);
        cr_assert(memcmp(plain, other, sizeof plain) == 0);
        cr_assert(weir_isa_use(WEIR_ISA_PLAIN));
        weir_f32_to_bf16(plain, from, N);
        cr_assert(weir_isa_use(isas[isa]));
        weir_f32_to_bf16(other, from, N);
        cr_assert(memcmp(plain, other, sizeof plain) == 0);
    }
}

/* Memory of its own for each length: the sanitizer sees a byte too many. */
static void convert_exactly(enum weir_type type, size_t n)
{
    size_t bytes;
    uint8_t *from;
    float *to;                                        /* [n] */
    uint16_t *half;                                   /* [n] */
    float zero = type == WEIR_T_E8M0 ? 0x1p-127f : 0; /* what bytes of 0 mean */
    cr_assert(weir_type_bytes(&bytes, type, n) == WEIR_OK);
    cr_assert(weir_alloc_zero(&from, bytes, 1) == WEIR_OK);
    cr_assert(weir_alloc(&to, n, sizeof *to) == WEIR_OK);
    cr_assert(weir_alloc(&half, n, sizeof *half) == WEIR_OK);
    weir_to_f32(to, from, type, n);
    for (size_t i = 0; i < n; i++)
        cr_assert(to[i] == zero, "%s: value %zu of %zu", weir_type_get_info(type)->name, i, n);
    cr_assert(weir_f32_to_f16(half, to, n) == 0);
    weir_f32_to_bf16(half, to, n);
    weir_free(half);
    weir_free(to);
    weir_free(from);
}

Test(convert, touches_no_byte_beyond_any_length)
{
    EACH_ISA
    for (int type = 0; type < WEIR_N_TYPES; type++) {
        size_t block = weir_type_get_info((enum weir_type)type)->block_values;
        for (size_t n = 0; n <= 70 * block; n += block)
            if (block == 1 || n <= 3 * block)
                convert_exactly((enum weir_type)type, n);
    }
}
