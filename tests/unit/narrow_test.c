/* Products in bf16 and int8 against double arithmetic on operands that this file rounds itself. */
#include "base/alloc.h"
#include "base/cpu.h"
#include "same_bits.h"
#include "tensor/matmul.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { MOST_M = 40, MOST_N = 100, MOST_K = 777, SLACK = 3 };

static float inputs[MOST_M * MOST_K], weights[MOST_N * (MOST_K + SLACK) + MOST_K * (MOST_N + SLACK)];
static float out[MOST_M * (MOST_N + SLACK)], again[MOST_M * (MOST_N + SLACK)];
static float bias[MOST_N];

static uint32_t seed = 1;

static float random_value(void)
{
    seed = seed * 1664525u + 1013904223u;
    return ((float)(seed >> 8) / (float)(1 << 23) - 1) * ((seed & 7) == 0 ? 8 : 1);
}

static void fill(void)
{
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        inputs[i] = random_value();
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++)
        weights[i] = random_value();
    for (size_t i = 0; i < MOST_N; i++)
        bias[i] = random_value();
}

static bool has(weir_compute compute)
{
    bool wide = weir_isa() == WEIR_ISA_AVX512;
    return wide && (compute == WEIR_COMPUTE_BF16 ? weir_cpu_has_bf16() : weir_cpu_has_vnni());
}

/* ---- what the product should be ---- */

static double rounded_bf16(float value)
{
    uint16_t half;
    uint32_t bits;
    float result;
    weir_f32_to_bf16(&half, &value, 1);
    bits = (uint32_t)half << 16;
    memcpy(&result, &bits, sizeof result);
    return (double)result;
}

enum { GROUP = 64 }; /* bytes that share a scale */

/* Of one group: the largest magnitude becomes 127 steps. */
static void round_group(double *to, const float *from, size_t n, size_t step)
{
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(from[i * step]));
    float factor = most > 0 ? 127 / most : 0;
    for (size_t i = 0; i < n; i++)
        to[i] = (double)rintf(from[i * step] * factor) * ((double)most / 127);
}

/* n values `step` apart, each rounded as the way to compute says */
static void round_values(double *to, const float *from, size_t n, size_t step, weir_compute compute)
{
    for (size_t i = 0; i < n; i++)
        to[i] = rounded_bf16(from[i * step]);
    for (size_t i = 0; i < n && compute == WEIR_COMPUTE_INT8; i += GROUP)
        round_group(to + i, from + i * step, n - i < GROUP ? n - i : GROUP, step);
}

struct shape {
    size_t m, n, k, ld;
    bool input_major;
};

static void expect_product(const struct shape *s, weir_compute compute)
{
    static double a[MOST_K], b[MOST_N][MOST_K];
    for (size_t j = 0; j < s->n; j++)
        round_values(b[j], weights + (s->input_major ? j : j * s->ld), s->k, s->input_major ? s->ld : 1, compute);
    for (size_t i = 0; i < s->m; i++) {
        round_values(a, inputs + i * s->k, s->k, 1, compute);
        for (size_t j = 0; j < s->n; j++) {
            double sum = (double)bias[j], size = fabs(sum);
            for (size_t k = 0; k < s->k; k++) {
                sum += a[k] * b[j][k];
                size += fabs(a[k] * b[j][k]);
            }
            double got = (double)out[i * (s->n + SLACK) + j];
            cr_assert(fabs(got - sum) <= 2e-6 * size + 1e-30, "[%zu, %zu] of %zu x %zu x %zu: %.9g is not %.9g", i, j,
                      s->m, s->n, s->k, got, sum);
        }
    }
}

static struct weir_matrix matrix_of(const struct shape *s)
{
    return (struct weir_matrix){.data = (const uint8_t *)weights,
                                .type = WEIR_T_F32,
                                .n_out = s->n,
                                .n_in = s->k,
                                .stride = s->ld,
                                .input_major = s->input_major};
}

static void multiply(float *to, struct weir_matmul *matmul, struct weir_matrix *w, const struct shape *s)
{
    memset(to, 0xee, sizeof out);
    cr_assert(weir_matmul_reserve(matmul, w) == WEIR_OK);
    cr_assert(weir_matmul_reserve_rows(matmul, s->m) == WEIR_OK);
    weir_matmul_run(matmul, to, s->n + SLACK, inputs, s->k, s->m, w, bias);
}

static void check_shape(struct weir_matmul *matmul, const struct shape *s, weir_compute compute)
{
    struct weir_matrix w = matrix_of(s);
    size_t bytes;
    void *copy;
    float untouched;
    memset(&untouched, 0xee, sizeof untouched);
    multiply(out, matmul, &w, s);
    expect_product(s, compute);
    for (size_t i = 0; i < s->m; i++)
        cr_assert(same_bits(&out[i * (s->n + SLACK) + s->n], &untouched, sizeof untouched), "row %zu is too long", i);
    cr_assert(weir_matmul_copy_bytes(&bytes, matmul, &w) == WEIR_OK && bytes > 0);
    cr_assert(weir_alloc_aligned(&copy, bytes, 1) == WEIR_OK);
    weir_matmul_make_copy(matmul, &w, copy);
    multiply(again, matmul, &w, s);
    cr_assert(same_bits(out, again, sizeof out), "packed before is not packed on the way");
    weir_free(copy);
}

static void check_all(weir_compute compute, int threads)
{
    static const size_t ms[] = {1, 5, 12, 13, 40}, ns[] = {1, 16, 31, 33, 100}, ks[] = {1, 2, 3, 31, 64, 777};
    struct weir_pool *pool;
    struct weir_matmul *matmul;
    cr_assert(weir_pool_open(&pool, threads) == WEIR_OK);
    cr_assert(weir_matmul_open(&matmul, pool, compute) == WEIR_OK, "%s", weir_message());
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++)
        for (size_t j = 0; j < sizeof ns / sizeof *ns; j++)
            for (int input_major = 0; input_major < 2; input_major++) {
                struct shape s = {ms[(i + j) % 5], ns[j], ks[i], (input_major ? ns[j] : ks[i]) + SLACK, input_major};
                check_shape(matmul, &s, compute);
            }
    weir_matmul_close(matmul);
    weir_pool_close(pool);
}

Test(narrow, products_are_those_of_rounded_operands_in_both_layouts_packed_or_not)
{
    fill();
    for (weir_compute compute = WEIR_COMPUTE_BF16; compute <= WEIR_COMPUTE_INT8; compute++) {
        if (!has(compute))
            continue;
        check_all(compute, 1);
        check_all(compute, 3);
    }
}

static void with_one(weir_compute compute, void (*check)(struct weir_matmul *, struct weir_matrix *, struct shape *))
{
    struct weir_pool *pool;
    struct weir_matmul *matmul;
    struct shape s = {MOST_M, MOST_N, MOST_K, MOST_K, false};
    struct weir_matrix w = matrix_of(&s);
    if (!has(compute))
        return;
    fill();
    cr_assert(weir_pool_open(&pool, 2) == WEIR_OK);
    cr_assert(weir_matmul_open(&matmul, pool, compute) == WEIR_OK);
    check(matmul, &w, &s);
    weir_matmul_close(matmul);
    weir_pool_close(pool);
}

static void check_rows(struct weir_matmul *matmul, struct weir_matrix *w, struct shape *s)
{
    size_t row = s->n + SLACK;
    multiply(out, matmul, w, s);
    for (size_t m = 1; m < s->m; m++) {
        struct shape few = *s;
        few.m = m;
        multiply(again, matmul, w, &few);
        for (size_t i = 0; i < m; i++)
            cr_assert(same_bits(out + i * row, again + i * row, s->n * sizeof *out), "row %zu of %zu", i, m);
    }
}

Test(narrow, a_row_comes_out_the_same_beside_any_number_of_others)
{
    with_one(WEIR_COMPUTE_BF16, check_rows);
    with_one(WEIR_COMPUTE_INT8, check_rows);
}

static void check_odd(struct weir_matmul *matmul, struct weir_matrix *w, struct shape *s)
{
    size_t row = s->n + SLACK;
    inputs[2 * MOST_K + 5] = NAN;
    inputs[3 * MOST_K + 5] = INFINITY;
    memset(inputs + 4 * MOST_K, 0, MOST_K * sizeof *inputs);
    multiply(out, matmul, w, s);
    for (size_t j = 0; j < s->n; j++) {
        cr_assert(isfinite(out[row + j]), "a NaN reaches the row before it");
        cr_assert(isnan(out[2 * row + j]) && !isfinite(out[3 * row + j]), "a NaN or infinity is lost");
        cr_assert(out[4 * row + j] == bias[j], "zeros give %g", (double)out[4 * row + j]);
    }
}

Test(narrow, nan_and_infinity_stay_in_their_rows_and_are_seen_there)
{
    with_one(WEIR_COMPUTE_BF16, check_odd);
    with_one(WEIR_COMPUTE_INT8, check_odd);
}

Test(narrow, is_refused_by_name_where_the_processor_lacks_it)
{
    const struct weir_narrow *narrow;
    cr_assert(weir_isa_use(WEIR_ISA_PLAIN));
    cr_assert(weir_narrow_find(&narrow, WEIR_COMPUTE_INT8) == WEIR_E_UNSUPPORTED && !narrow);
    cr_assert(strstr(weir_message(), "int8") && strstr(weir_message(), "AVX512-VNNI"), "%s", weir_message());
    cr_assert(weir_narrow_find(&narrow, WEIR_COMPUTE_F32) == WEIR_OK && !narrow);
}
