/* Matrix products on every instruction set against double arithmetic at every edge. */
#include "base/cpu.h"
#include "same_bits.h"
#include "tensor/gemm.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { FEW_M = 13, MOST_M = 521, MOST_N = 140, MOST_K = 300, SLACK = 3 };

static float a[MOST_M * (MOST_K + SLACK)], b[MOST_N * (MOST_K + SLACK) + MOST_K * (MOST_N + SLACK)];
static float out[MOST_M * (MOST_N + SLACK)], alone[MOST_M * (MOST_N + SLACK)];

static void fill(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)((i * 2654435761u) % 1999) / 999 - 1;
}

struct shape {
    bool transposed;
    size_t m, n, k;
};

static void check_values(const struct shape *s, float alpha, const char *what)
{
    size_t lda = s->k + SLACK, ldb = (s->transposed ? s->k : s->n) + SLACK, ldo = s->n + SLACK;
    for (size_t i = 0; i < s->m; i++)
        for (size_t j = 0; j < s->n; j++) {
            double sum = 0, size = 0;
            for (size_t k = 0; k < s->k; k++) {
                double term = (double)a[i * lda + k] * (double)(s->transposed ? b[j * ldb + k] : b[k * ldb + j]);
                sum += term;
                size += fabs(term);
            }
            double got = (double)out[i * ldo + j];
            cr_assert(fabs(got - (double)alpha * sum) <= 1e-6 * size, "%s: [%zu, %zu] of %zu x %zu x %zu: %.9g", what,
                      i, j, s->m, s->n, s->k, got);
        }
}

static void check_shape(weir_gemm_fn *gemm, const struct shape *s, const char *what)
{
    const float alpha = 0.375f;
    float untouched;
    size_t lda = s->k + SLACK, ldb = (s->transposed ? s->k : s->n) + SLACK, ldo = s->n + SLACK;
    memset(&untouched, 0xee, sizeof untouched);
    memset(out, 0xee, sizeof out);
    gemm(s->transposed, s->m, s->n, s->k, alpha, a, lda, b, ldb, out, ldo);
    check_values(s, alpha, what);
    for (size_t i = 0; i < s->m; i++)
        for (size_t j = s->n; j < ldo; j++)
            cr_assert(same_bits(&out[i * ldo + j], &untouched, sizeof untouched), "%s: row %zu is too long", what, i);
}

static void check_edges(weir_gemm_fn *gemm, const char *what)
{
    static const size_t ms[] = {1, 3, 8, 13}, ns[] = {1, 15, 16, 31, 33, 70}, ks[] = {1, 7, 16, 127, 128, 129, 300};
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
        for (size_t j = 0; j < sizeof ns / sizeof *ns; j++)
            for (size_t k = 0; k < sizeof ks / sizeof *ks; k++)
                for (int transposed = 0; transposed < 2; transposed++)
                    check_shape(gemm, &(struct shape){transposed, ms[i], ns[j], ks[k]}, what);
}

static void on_each_isa(void (*check)(weir_gemm_fn *, const char *))
{
    static const char *const names[] = {"plain", "AVX2", "AVX-512"};
    fill(a, sizeof a / sizeof *a);
    fill(b, sizeof b / sizeof *b);
    for (enum weir_isa isa = WEIR_ISA_PLAIN; isa <= WEIR_ISA_AVX512; isa++)
        if (weir_isa_use(isa))
            check(weir_gemm(), names[isa]);
}

Test(gemm, agrees_with_double_arithmetic_at_every_edge_on_every_instruction_set)
{
    on_each_isa(check_edges);
}

/* More rows than are taken at once, and more outputs than are packed at once. */
static void check_blocks(weir_gemm_fn *gemm, const char *what)
{
    static const size_t ms[] = {511, 512, 513, MOST_M};
    for (size_t i = 0; i < sizeof ms / sizeof *ms; i++)
        for (int transposed = 0; transposed < 2; transposed++)
            check_shape(gemm, &(struct shape){transposed, ms[i], MOST_N, 130}, what);
}

Test(gemm, agrees_with_double_arithmetic_from_one_block_to_the_next)
{
    on_each_isa(check_blocks);
}

static void check_rows(weir_gemm_fn *gemm, const char *what)
{
    for (int transposed = 0; transposed < 2; transposed++) {
        size_t ldb = transposed ? MOST_K : MOST_N;
        gemm(transposed, FEW_M, MOST_N, MOST_K, 1, a, MOST_K, b, ldb, out, MOST_N);
        for (size_t m = 1; m < FEW_M; m++) {
            gemm(transposed, m, MOST_N, MOST_K, 1, a, MOST_K, b, ldb, alone, MOST_N);
            cr_assert(same_bits(out, alone, m * MOST_N * sizeof *out), "%s: %zu rows", what, m);
        }
    }
}

Test(gemm, rows_come_out_the_same_beside_any_number_of_others)
{
    on_each_isa(check_rows);
}
