/* The kernels of every instruction set against plain double arithmetic, at lengths off every vector size. */
#include "base/cpu.h"
#include "tensor/gemm.h"
#include "tensor/matmul.h"
#include "tensor/ops.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LONGEST = 131 };

static float x[LONGEST], y[LONGEST], out[LONGEST];

static void fill(void)
{
    srand(7);
    for (int i = 0; i < LONGEST; i++) {
        x[i] = (float)(rand() % 2001 - 1000) / 120.0f;
        y[i] = (float)(rand() % 2001 - 1000) / 333.0f;
    }
}

/* Calls fn once for each instruction set that this processor has. */
static void on_each_isa(void (*fn)(const char *isa))
{
    static const struct {
        enum weir_isa isa;
        const char *name;
    } all[] = {{WEIR_ISA_PLAIN, "plain"}, {WEIR_ISA_AVX2, "avx2"}, {WEIR_ISA_AVX512, "avx512"}};
    fill();
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (weir_isa_use(all[i].isa))
            fn(all[i].name);
}

static void close_to(double got, double wanted, double tolerance, const char *what, const char *isa, int i)
{
    cr_assert(fabs(got - wanted) <= tolerance * (1 + fabs(wanted)), "%s (%s) at %d: %.9g, expected %.9g", what, isa, i,
              got, wanted);
}

static void check_softmax(const char *isa)
{
    for (int n = 1; n <= LONGEST; n += 13) {
        double most = -INFINITY, sum = 0;
        for (int i = 0; i < n; i++)
            most = fmax(most, (double)x[i]);
        for (int i = 0; i < n; i++)
            sum += exp((double)x[i] - most);
        weir_ops()->softmax(out, x, (size_t)n);
        for (int i = 0; i < n; i++)
            close_to((double)out[i], exp((double)x[i] - most) / sum, 3e-7, "softmax", isa, i);
        close_to((double)weir_ops()->logsumexp(x, (size_t)n), most + log(sum), 1e-6, "logsumexp", isa, n);
    }
}

Test(ops, softmax_and_logsumexp_are_right_on_every_instruction_set)
{
    on_each_isa(check_softmax);
}

static void check_masked(const char *isa)
{
    float scores[5] = {-INFINITY, 1, -INFINITY, 1, -1e30f};
    weir_ops()->softmax(out, scores, 5);
    cr_assert(out[0] == 0 && out[2] == 0 && out[4] == 0, "%s", isa);
    close_to((double)out[1], 0.5, 1e-7, "softmax", isa, 1);
}

Test(ops, softmax_gives_exact_zeros_where_masked)
{
    on_each_isa(check_masked);
}

static double gelu(double v)
{
    return 0.5 * v * (1 + erf(v / sqrt(2)));
}

static double gelu_tanh(double v)
{
    return 0.5 * v * (1 + tanh(sqrt(2 / M_PI) * (v + 0.044715 * v * v * v)));
}

static double quick_gelu(double v)
{
    return v / (1 + exp(-1.702 * v));
}

static double silu(double v)
{
    return v / (1 + exp(-v));
}

static double relu(double v)
{
    return v > 0 ? v : 0;
}

static double relu2(double v)
{
    return v > 0 ? v * v : 0;
}

enum { ELEMENTWISE = WEIR_ACT_SOLU }; /* the activations before this one */

static void check_activations(const char *isa)
{
    static double (*const exact[])(double) = {
        [WEIR_ACT_GELU] = gelu, [WEIR_ACT_GELU_TANH] = gelu_tanh, [WEIR_ACT_GELU_QUICK] = quick_gelu,
        [WEIR_ACT_SILU] = silu, [WEIR_ACT_RELU] = relu,           [WEIR_ACT_RELU2] = relu2};
    for (int act = 0; act < ELEMENTWISE; act++) {
        weir_ops()->act[act](out, x, LONGEST);
        for (int i = 0; i < LONGEST; i++)
            close_to((double)out[i], exact[act]((double)x[i]), 1e-6, "activation", isa, 1000 * act + i);
    }
}

Test(ops, activations_are_right_on_every_instruction_set)
{
    on_each_isa(check_activations);
}

static void check_solu(const char *isa)
{
    double sum = 0;
    for (int i = 0; i < LONGEST; i++)
        sum += exp((double)x[i]);
    weir_ops()->act[WEIR_ACT_SOLU](out, x, LONGEST);
    for (int i = 0; i < LONGEST; i++)
        close_to((double)out[i], (double)x[i] * exp((double)x[i]) / sum, 1e-6, "solu", isa, i);
}

Test(ops, solu_is_x_times_its_softmax)
{
    on_each_isa(check_solu);
}

static void check_clamped_gates(const char *isa)
{
    weir_ops()->at_most(out, x, 0.5f, LONGEST);
    for (int i = 0; i < LONGEST; i++)
        close_to((double)out[i], fmin((double)x[i], 0.5), 1e-7, "at most", isa, i);
    weir_ops()->multiply_clipped(out, y, 0.25f, LONGEST);
    for (int i = 0; i < LONGEST; i++)
        close_to((double)out[i], fmin((double)x[i], 0.5) * (1 + fmax(fmin((double)y[i], 0.25), -0.25)), 1e-6, "clipped",
                 isa, i);
}

Test(ops, gates_and_linear_branches_are_cut_where_told)
{
    on_each_isa(check_clamped_gates);
}

/* What edits can leave of a query: no key at all. */
static void check_softmax_of_nothing(const char *isa)
{
    float scores[LONGEST];
    for (int i = 0; i < LONGEST; i++)
        scores[i] = -INFINITY;
    weir_ops()->softmax(out, scores, LONGEST);
    for (int i = 0; i < LONGEST; i++)
        cr_assert(out[i] == 0, "%s: softmax of nothing at %d is %g", isa, i, (double)out[i]);
}

/* The store looks at one weight of a row to know all of it. */
static void check_softmax_of_odd(const char *isa)
{
    const float odd[] = {NAN, -NAN, INFINITY};
    float scores[LONGEST];
    for (int n = 1; n <= LONGEST; n += 13)
        for (int at = 0; at < n; at++) {
            memcpy(scores, x, (size_t)n * sizeof *scores);
            scores[at] = odd[at % 3];
            weir_ops()->softmax(out, scores, (size_t)n);
            for (int i = 0; i < n; i++)
                cr_assert(isnan(out[i]), "%s: %g at %d of %d leaves %g at %d", isa, (double)scores[at], at, n,
                          (double)out[i], i);
        }
}

Test(ops, softmax_of_what_is_not_finite_is_nan_everywhere)
{
    on_each_isa(check_softmax_of_odd);
}

Test(ops, softmax_of_masked_scores_alone_is_zero)
{
    on_each_isa(check_softmax_of_nothing);
}

static void check_ramp(const char *isa)
{
    for (int n = 1; n <= LONGEST; n += 13) {
        weir_ops()->ramp(out, x, 0.3f, -7, (size_t)n);
        for (int i = 0; i < n; i++)
            close_to((double)out[i], (double)x[i] + (double)0.3f * (i - 7), 3e-7, "ramp", isa, i);
    }
}

Test(ops, ramps_count_from_the_first)
{
    on_each_isa(check_ramp);
}

static void check_ramp_rounded(const char *isa)
{
    /* 0.3 is 0.30078125 in bfloat16; times 5 is 1.50390625, half way between 1.5 and 1.5078125: to even */
    float zeros[7] = {0}, expected[7] = {0, 0.30078125f, 0.6015625f, 0.90234375f, 1.203125f, 1.5f, 1.8046875f};
    weir_ops()->ramp_rounded(out, zeros, 0.3f, 0, 2, 7);
    for (int i = 0; i < 7; i++)
        cr_assert(out[i] == 2 * expected[i], "%s: %d is %.9g", isa, i, (double)out[i]);
}

Test(ops, rounded_ramps_are_rounded_twice)
{
    on_each_isa(check_ramp_rounded);
}

static void check_extremes(const char *isa)
{
    float extremes[6] = {-1e30f, -200, -90, 90, 200, 1e30f};
    for (int act = 0; act < ELEMENTWISE; act++) {
        weir_ops()->act[act](out, extremes, 6);
        for (int i = 0; i < 3; i++)
            cr_assert(fabsf(out[i]) <= 1e-30f - 3e-39f * extremes[i], "%s: activation %d of %g is %g", isa, act,
                      (double)extremes[i], (double)out[i]);
        cr_assert(act == WEIR_ACT_RELU2 || out[4] == 200, "%s: activation %d of 200 is %g", isa, act, (double)out[4]);
    }
}

Test(ops, activations_neither_overflow_nor_leave_residue_far_from_zero)
{
    on_each_isa(check_extremes);
}

/* Weights that overflow, or a damaged file's: NaN comes out where it went in, as in PyTorch, and is never converted. */
static void check_nan(const char *isa)
{
    float odd[LONGEST];
    memcpy(odd, x, sizeof odd);
    odd[77] = NAN;
    for (int act = 0; act < ELEMENTWISE; act++) {
        weir_ops()->act[act](out, odd, LONGEST);
        for (int i = 0; i < LONGEST; i++)
            cr_assert((isnan(out[i]) != 0) == (i == 77), "%s: activation %d at %d is %g", isa, act, i, (double)out[i]);
    }
    weir_ops()->cap(out, odd, 30, LONGEST);
    cr_assert(isnan(out[77]) && !isnan(out[76]), "%s: cap", isa);
    cr_assert(isnan(weir_ops()->logsumexp(odd, LONGEST)), "%s: logsumexp", isa);
    weir_ops()->softmax(out, odd, LONGEST);
    for (int i = 0; i < LONGEST; i++)
        cr_assert(isnan(out[i]), "%s: softmax at %d is %g", isa, i, (double)out[i]);
}

Test(ops, nan_is_shown_and_not_hidden)
{
    on_each_isa(check_nan);
}

/* One value over the limit at every place of every length, another behind it; one at the limit and a NaN before it. */
static void check_first_over(const char *isa)
{
    float a[LONGEST] = {0};
    for (size_t n = 0; n <= LONGEST; n++) {
        cr_assert(weir_ops()->first_over(a, n, 0) == n, "%s: %zu zeros", isa, n);
        for (size_t at = 0; at < n; at++) {
            a[n - 1] = 2;
            a[at / 2] = NAN;
            a[at / 3] = 0.5f;
            a[at] = 0.75f;
            cr_assert(weir_ops()->first_over(a, n, 0.5f) == at, "%s: %zu of %zu", isa, at, n);
            memset(a, 0, sizeof a);
        }
    }
}

Test(ops, first_over_finds_the_first)
{
    on_each_isa(check_first_over);
}

/* Every length, since the last few values go another way; then something odd at either end. */
static void check_surveys(const char *isa)
{
    float a[LONGEST], b[LONGEST], low, high, difference, scale;
    double sum;
    for (size_t n = 1; n <= LONGEST; n++) {
        double expected = 0, around = 0, least = INFINITY, most = -INFINITY, between = 0, largest = 0;
        for (size_t i = 0; i < n; i++) {
            a[i] = x[i];
            b[i] = x[i] + (i == n / 2 ? 0.5f : 0.0f);
            expected += (double)a[i];
            around += ((double)a[i] - 0.25) * ((double)a[i] - 0.25);
            least = fmin(least, (double)a[i]);
            most = fmax(most, (double)a[i]);
            between = fmax(between, fabs((double)a[i] - (double)b[i]));
            largest = fmax(largest, fmax(fabs((double)a[i]), fabs((double)b[i])));
        }
        cr_assert(weir_ops()->survey(a, n, &sum, &low, &high), "%s: %zu", isa, n);
        cr_assert(fabs(sum - expected) <= 1e-12 * (double)n && low == (float)least && high == (float)most, "%s: %zu",
                  isa, n);
        cr_assert(fabs(weir_ops()->squares(a, n, 0.25) - around) <= 1e-12 * around + 1e-12, "%s: %zu", isa, n);
        cr_assert(weir_ops()->max_difference(a, b, n, &difference, &scale), "%s: %zu", isa, n);
        cr_assert(fabs((double)difference - between) <= 1e-6 && (double)scale == largest, "%s: %zu", isa, n);
        const float odd[] = {NAN, INFINITY, -INFINITY};
        for (size_t k = 0; k < 3; k++) {
            size_t at = k == 1 ? 0 : n - 1;
            float kept = a[at];
            a[at] = odd[k];
            cr_assert(!weir_ops()->survey(a, n, &sum, &low, &high), "%s: %zu", isa, n);
            cr_assert(!weir_ops()->max_difference(a, b, n, &difference, &scale) &&
                          !weir_ops()->max_difference(b, a, n, &difference, &scale),
                      "%s: %zu", isa, n);
            a[at] = kept;
        }
    }
    a[0] = 3e38f;
    b[0] = -3e38f; /* finite, and too far apart for a float */
    cr_assert(!weir_ops()->max_difference(a, b, 1, &difference, &scale), "%s", isa);
}

/* Weights as a softmax leaves them, among them none and ones too small for a normal float. */
static void check_weights(const char *isa)
{
    float p[LONGEST], d[LONGEST];
    for (size_t n = 1; n <= LONGEST; n++) {
        double sum = 0, moment = 0, entropy = 0, product = 0, between = 0, got, difference;
        for (size_t i = 0; i < n; i++) {
            p[i] = i % 7 == 3 ? 0 : i % 11 == 5 ? 1e-40f : i == n / 2 ? 0.9999f : expf(x[i] - 9);
            d[i] = i % 3 ? 0 : y[i];
            sum += (double)p[i];
            moment += (double)i * (double)p[i];
            entropy -= p[i] > 0 ? (double)p[i] * log((double)p[i]) : 0;
            product += (double)p[i] * (double)d[i];
            between += fabs((double)p[i] - (double)d[i]);
        }
        struct weir_weighed all;
        weir_ops()->weigh(p, n, &all);
        cr_assert(fabs(all.sum - sum) <= 1e-13 * sum && all.magnitude == all.sum, "%s: %zu", isa, n);
        cr_assert(fabs(all.moment - moment) <= 1e-7 * moment, "%s: %zu", isa, n);
        cr_assert(fabs(all.entropy - entropy) <= 2e-7 * entropy, "%s: %zu: %.9g, not %.9g", isa, n, all.entropy,
                  entropy);
        weir_ops()->match(p, d, n, &got, &difference);
        cr_assert(fabs(got - product) <= 1e-13 * (double)n && fabs(difference - between) <= 1e-7 * (double)n, "%s: %zu",
                  isa, n);
        p[n - 1] = -0.5f;
        sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += fabs((double)p[i]);
        weir_ops()->weigh(p, n, &all);
        cr_assert(fabs(all.magnitude - sum) <= 1e-13 * sum, "%s: %zu", isa, n);
        p[n - 1] = NAN;
        weir_ops()->weigh(p, n, &all);
        cr_assert(isnan(all.sum) && isnan(all.magnitude) && isnan(all.moment) && isnan(all.entropy), "%s: %zu", isa, n);
    }
}

Test(ops, weights_of_a_query_are_summed)
{
    on_each_isa(check_weights);
}

Test(ops, rows_are_surveyed)
{
    on_each_isa(check_surveys);
}

static void check_norm(const char *isa)
{
    for (int centred = 0; centred < 2; centred++) {
        double mean = 0, squares = 0;
        float got_mean = 0, scale, weight[LONGEST];
        for (int i = 0; i < LONGEST; i++) {
            mean += centred ? (double)x[i] / LONGEST : 0;
            weight[i] = 1 + y[i];
        }
        for (int i = 0; i < LONGEST; i++)
            squares += ((double)x[i] - mean) * ((double)x[i] - mean);
        double expected = sqrt(squares / LONGEST + 1e-5);
        weir_ops()->moments(x, LONGEST, 1e-5f, centred, &got_mean, &scale);
        close_to((double)scale, expected, 1e-7, "scale", isa, centred);
        weir_ops()->norm(out, x, got_mean, scale, weight, y, LONGEST);
        for (int i = 0; i < LONGEST; i++)
            close_to((double)out[i], ((double)x[i] - mean) / expected * (double)weight[i] + (double)y[i], 1e-6, "norm",
                     isa, i);
    }
}

Test(ops, norms_are_right_on_every_instruction_set)
{
    on_each_isa(check_norm);
}

static void check_rotation(const char *isa)
{
    float cosines[16], sines[16];
    for (int i = 0; i < 16; i++) {
        cosines[i] = cosf((float)i);
        sines[i] = sinf((float)i);
    }
    weir_ops()->rotate_halves(out, x, cosines, sines, 16);
    for (int i = 0; i < 16; i++) {
        close_to((double)out[i], (double)(x[i] * cosines[i] - x[i + 16] * sines[i]), 1e-6, "halves", isa, i);
        close_to((double)out[i + 16], (double)(x[i + 16] * cosines[i] + x[i] * sines[i]), 1e-6, "halves", isa, i);
    }
    memcpy(out, x, sizeof out);
    weir_ops()->rotate_pairs(out, out, cosines, sines, 16); /* in place */
    for (int i = 0; i < 16; i++)
        close_to((double)out[2 * i + 1], (double)(x[2 * i + 1] * cosines[i] + x[2 * i] * sines[i]), 1e-6, "pairs", isa,
                 i);
}

Test(ops, rotations_are_right_on_every_instruction_set_and_in_place)
{
    on_each_isa(check_rotation);
}

/* ---- products ---- */

enum { M = 9, K = 33, N = 50 };

static void expect_product(const float *got, size_t ldo, const float *a, const float *b, bool input_major,
                           const float *bias)
{
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            double sum = bias ? (double)bias[j] : 0;
            for (int k = 0; k < K; k++)
                sum += (double)a[i * K + k] * (double)(input_major ? b[k * N + j] : b[j * K + k]);
            close_to((double)got[(size_t)i * ldo + (size_t)j], sum, 1e-4, "product", input_major ? "input major" : "",
                     j);
        }
}

Test(matmul, agrees_with_plain_arithmetic_in_both_layouts_on_one_and_three_threads)
{
    static float a[M * K], b[N * K], bias[N], product[M * (N + 3)];
    fill();
    for (int i = 0; i < M * K; i++)
        a[i] = x[i % LONGEST];
    for (int i = 0; i < N * K; i++)
        b[i] = y[(i * 7) % LONGEST];
    memcpy(bias, x, sizeof bias);
    for (int threads = 1; threads <= 3; threads += 2)
        for (int input_major = 0; input_major < 2; input_major++) {
            struct weir_pool *pool;
            struct weir_matmul *matmul;
            struct weir_matrix w = {.data = (const uint8_t *)b,
                                    .type = WEIR_T_F32,
                                    .n_out = N,
                                    .n_in = K,
                                    .stride = input_major ? N : K,
                                    .input_major = input_major};
            cr_assert(weir_pool_open(&pool, threads) == WEIR_OK);
            cr_assert(weir_matmul_open(&matmul, pool, WEIR_COMPUTE_F32) == WEIR_OK, "%s", weir_message());
            cr_assert(weir_matmul_reserve(matmul, &w) == WEIR_OK);
            weir_matmul_run(matmul, product, N + 3, a, K, M, &w, bias);
            expect_product(product, N + 3, a, b, input_major, bias);
            weir_matmul_close(matmul);
            weir_pool_close(pool);
        }
}

Test(matmul, reads_rows_that_stand_in_rotary_pairs_back_in_order)
{
    enum { HEAD = 10 };
    static float ordered[N * K], paired[N * K], a[M * K], product[M * N];
    struct weir_pool *pool;
    struct weir_matmul *matmul;
    fill();
    for (int i = 0; i < M * K; i++)
        a[i] = x[i % LONGEST];
    for (int i = 0; i < N * K; i++)
        ordered[i] = y[(i * 3) % LONGEST];
    for (int row = 0; row < N; row++) { /* llama.cpp: first half and second half of a head interleaved */
        int head = row / HEAD * HEAD, in_head = row % HEAD;
        int to = head + (in_head < HEAD / 2 ? 2 * in_head : 2 * (in_head - HEAD / 2) + 1);
        memcpy(paired + to * K, ordered + row * K, K * sizeof(float));
    }
    struct weir_matrix w = {
        .data = (const uint8_t *)paired, .type = WEIR_T_F32, .n_out = N, .n_in = K, .stride = K, .pair_rows = HEAD};
    cr_assert(weir_pool_open(&pool, 2) == WEIR_OK);
    cr_assert(weir_matmul_open(&matmul, pool, WEIR_COMPUTE_F32) == WEIR_OK);
    cr_assert(weir_matmul_reserve(matmul, &w) == WEIR_OK);
    weir_matmul_run(matmul, product, N, a, K, M, &w, NULL);
    expect_product(product, N, a, ordered, false, NULL);
    weir_matmul_close(matmul);
    weir_pool_close(pool);
}

/* Memory that no file stands behind reads as 0 once it is let go: what was, and what must not have been. */
Test(matmul, lets_go_of_a_part_of_a_matrix_and_of_nothing_behind_it)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), n_out = page / sizeof(float), n_in = 4, parts = 3;
    size_t pages = parts * n_in, behind = parts;
    float *values = mmap(NULL, (pages + behind) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert(values != MAP_FAILED);
    for (size_t i = 0; i < (pages + behind) * n_out; i++)
        values[i] = 1;
    for (size_t part = 0; part < parts; part++) { /* q, k, v side by side in rows, as GPT-2 has them */
        struct weir_matrix w = {.data = (const uint8_t *)(values + part * n_out),
                                .type = WEIR_T_F32,
                                .n_out = n_out,
                                .n_in = n_in,
                                .stride = parts * n_out,
                                .input_major = true};
        weir_matrix_release_pages(&w);
    }
    for (size_t i = 0; i < pages; i++)
        cr_expect(values[i * n_out] == 0, "page %zu of the matrix is kept", i);
    for (size_t i = pages; i < pages + behind; i++)
        cr_expect(values[i * n_out] == 1, "page %zu behind the matrix is gone", i - pages);
    munmap(values, (pages + behind) * page);
}
