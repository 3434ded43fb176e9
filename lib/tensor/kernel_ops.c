/* The loops of tensor/ops.h in plain C, written so that compilers vectorize them. Compiled once per instruction set
   (meson.build defines WEIR_ISA). Sums over a row run in several lanes at once, in double where a row is reduced to one
   number: float32 alone would cost the norms a digit. */
#include "tensor/ops.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)

static void add_arrays(float *out, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] + b[i];
}

static void scale_array(float *out, const float *x, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = factor * x[i];
}

static void multiply_arrays(float *out, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] * b[i];
}

/* ---- norms ---- */

static void moments(const float *x, size_t d, float eps, int centred, float *mean, float *scale_out)
{
    double sum = 0, squares = 0;
    if (centred) {
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < d; i++)
            sum += (double)x[i];
    }
    double middle = sum / (double)d;
#pragma omp simd reduction(+ : squares)
    for (size_t i = 0; i < d; i++) {
        double from_middle = (double)x[i] - middle;
        squares += from_middle * from_middle;
    }
    *mean = (float)middle;
    *scale_out = (float)sqrt(squares / (double)d + (double)eps);
}

static void normalize(float *out, const float *x, float mean, float by, size_t d)
{
    float inverse = 1.0f / by;
    for (size_t i = 0; i < d; i++)
        out[i] = (x[i] - mean) * inverse;
}

static void affine(float *out, const float *x, const float *weight, const float *bias, size_t d)
{
    if (weight && bias)
        for (size_t i = 0; i < d; i++)
            out[i] = x[i] * weight[i] + bias[i];
    else if (weight)
        multiply_arrays(out, x, weight, d);
    else if (bias)
        add_arrays(out, x, bias, d);
    else if (out != x)
        memcpy(out, x, d * sizeof *out);
}

static void norm(float *out, const float *x, float mean, float by, const float *weight, const float *bias, size_t d)
{
    float inverse = 1.0f / by;
    if (weight && bias)
        for (size_t i = 0; i < d; i++)
            out[i] = (x[i] - mean) * inverse * weight[i] + bias[i];
    else if (weight)
        for (size_t i = 0; i < d; i++)
            out[i] = (x[i] - mean) * inverse * weight[i];
    else {
        normalize(out, x, mean, by, d);
        affine(out, out, NULL, bias, d);
    }
}

/* ---- what rows hold ---- */

/* 1 for infinities and NaN, by their bits: a comparison would miss NaN. */
static inline int32_t is_not_finite(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (bits & 0x7f800000) == 0x7f800000;
}

/* One pass for sum, smallest and largest. @return 0 where a value is not finite. */
static int survey(const float *x, size_t n, double *sum_out, float *min_out, float *max_out)
{
    double sum = 0;
    float low = x[0], high = x[0];
    int32_t odd = 0;
#pragma omp simd reduction(+ : sum) reduction(min : low) reduction(max : high) reduction(| : odd)
    for (size_t i = 0; i < n; i++) {
        odd |= is_not_finite(x[i]);
        sum += (double)x[i];
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    *sum_out = sum;
    *min_out = low;
    *max_out = high;
    return !odd;
}

static double squares(const float *x, size_t n, double mean)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        double from_mean = (double)x[i] - mean;
        sum += from_mean * from_mean;
    }
    return sum;
}

static int max_difference(const float *a, const float *b, size_t n, float *difference_out, float *scale_out)
{
    float most = 0, scaled = 0;
    int32_t odd = 0;
#pragma omp simd reduction(max : most, scaled) reduction(| : odd)
    for (size_t i = 0; i < n; i++) {
        float x = fabsf(a[i]), y = fabsf(b[i]), between = fabsf(a[i] - b[i]);
        odd |= is_not_finite(a[i]) | is_not_finite(b[i]) |
               is_not_finite(between); /* two finite values may be too far apart */
        most = between > most ? between : most;
        scaled = x > scaled ? x : scaled;
        scaled = y > scaled ? y : scaled;
    }
    *difference_out = most;
    *scale_out = scaled;
    return !odd;
}

/* Whole runs are asked at once whether any of them is over: in a long search most are not. */
static size_t first_over(const float *x, size_t n, float limit)
{
    enum { RUN = 64 };
    size_t i = 0;
    for (; i + RUN <= n; i += RUN) {
        int32_t over = 0;
#pragma omp simd reduction(| : over)
        for (size_t j = 0; j < RUN; j++)
            over |= x[i + j] > limit;
        if (over)
            break;
    }
    while (i < n && !(x[i] > limit))
        i++;
    return i;
}

/* ln x of a positive normal number, to about one unit in the last place: x = 2^e m with m between sqrt 1/2 and sqrt 2,
   ln m = r - r^2 / 2 + r^3 p(r) for r = m - 1, p fitted there (error 3e-8; a division would take longer). */
static inline float logarithm(float x)
{
    int32_t bits, exponent;
    float m;
    memcpy(&bits, &x, sizeof bits);
    exponent = (bits - 0x3f3504f3) >> 23; /* what leaves m over sqrt 1/2 */
    bits -= exponent * (1 << 23);
    memcpy(&m, &bits, sizeof m);
    float r = m - 1;
    float p = 7.0376836e-2f;
    p = p * r - 1.1514610e-1f;
    p = p * r + 1.1676999e-1f;
    p = p * r - 1.2420141e-1f;
    p = p * r + 1.4249323e-1f;
    p = p * r - 1.6668058e-1f;
    p = p * r + 2.0000715e-1f;
    p = p * r - 2.4999994e-1f;
    p = p * r + 3.3333331e-1f;
    return (float)exponent * 0.693147181f + (r + r * r * (p * r - 0.5f));
}

static double magnitude(const float *x, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += (double)fabsf(x[i]);
    return sum;
}

/* One pass over a row of a pattern for the sums that scores of heads are made of. */
static void weigh(const float *p, size_t n, struct weir_weighed *sums)
{
    double sum = 0, moment = 0, entropy = 0;
    float low = 0;
#pragma omp simd reduction(+ : sum, moment, entropy) reduction(min : low)
    for (size_t i = 0; i < n; i++) {
        float x = p[i];
        /* of NaN NaN; what is less than FLT_MIN adds nothing that a double would show */
        float surprise = x >= FLT_MIN ? x * logarithm(x) : x - x;
        low = x < low ? x : low;
        sum += (double)x;
        moment += (double)(x * (float)(int32_t)i);
        entropy -= (double)surprise;
    }
    *sums = (struct weir_weighed){sum, low < 0 ? magnitude(p, n) : sum, moment, entropy};
}

static void match(const float *p, const float *d, size_t n, double *product_out, double *difference_out)
{
    double product = 0, difference = 0;
#pragma omp simd reduction(+ : product, difference)
    for (size_t i = 0; i < n; i++) {
        product += (double)p[i] * (double)d[i];
        difference += (double)fabsf(p[i] - d[i]);
    }
    *product_out = product;
    *difference_out = difference;
}

/* ---- exponentials ---- */

/* exp(x) to about one unit in the last place: x = n ln 2 + r, |r| <= ln 2 / 2, Taylor series of degree 7 for exp(r)
   (remainder 6e-9), 2^n by exponent bits. 0 below the normal range, largest finite above it; of NaN NaN, which must not
   come near a conversion to an integer. */
static inline float exponential(float x)
{
    const float low = -87.33654f, high = 88.72283f;
    float clamped = x > low ? (x < high ? x : high) : low;
    float n = nearbyintf(clamped * 1.44269504f);
    float r = clamped - n * 0.693359375f; /* ln 2 in two parts, so that n * the first is exact */
    r -= n * -2.12194440e-4f;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r * r + r + 1.0f;
    /* n may be 128, one more than an exponent holds: half of it at a time */
    int32_t half = (int32_t)n >> 1, rest = (int32_t)n - half;
    int32_t first_bits = (half + 127) << 23, second_bits = (rest + 127) << 23;
    float first, second;
    memcpy(&first, &first_bits, sizeof first);
    memcpy(&second, &second_bits, sizeof second);
    float y = p * first * second;
    return x < low ? 0.0f : x == x ? y : x;
}

static float largest_of_array(const float *x, size_t n)
{
    float most = -INFINITY;
#pragma omp simd reduction(max : most)
    for (size_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    return most;
}

static void softmax(float *out, const float *scores, size_t n)
{
    float most = largest_of_array(scores, n);
    float sum = 0;
    if (most == -INFINITY) /* all masked: nothing to look at */
        most = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        float e = exponential(scores[i] - most);
        out[i] = e;
        sum += e;
    }
    float inverse = sum == 0 ? 0.0f : 1.0f / sum;
    for (size_t i = 0; i < n; i++)
        out[i] *= inverse;
}

static float logsumexp(const float *x, size_t n)
{
    float most = largest_of_array(x, n);
    double sum = 0;
    if (most == -INFINITY) /* as softmax: the log of nothing, or NaN where there is one */
        most = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += (double)exponential(x[i] - most);
    return most + (float)log(sum);
}

/* ---- activations ---- */

/* 1 / (1 + exp(-x)), without overflow: the exponential of the clamp is finite */
static inline float sigmoid(float x)
{
    return 1.0f / (1.0f + exponential(-x));
}

static void act_gelu(float *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = 0.5f * x[i] * (1.0f + erff(x[i] * 0.70710678f));
}

/* 0.5 x (1 + tanh(u)) = x sigmoid(2u), u = sqrt(2 / pi) (x + 0.044715 x^3) */
static void act_gelu_tanh(float *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float v = x[i];
        out[i] = v * sigmoid(1.59576912f * (v + 0.044715f * v * v * v));
    }
}

static void act_gelu_quick(float *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] * sigmoid(1.702f * x[i]);
}

static void act_silu(float *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] * sigmoid(x[i]);
}

static void act_relu(float *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] <= 0 ? 0 : x[i]; /* of NaN NaN */
}

static void act_relu2(float *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] <= 0 ? 0 : x[i] * x[i];
}

static void act_solu(float *out, const float *x, size_t n)
{
    float total = logsumexp(x, n);
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] * exponential(x[i] - total);
}

/* ---- scores ---- */

static void clip_array(float *out, const float *x, float limit, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
}

static void at_most(float *out, const float *x, float limit, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] > limit ? limit : x[i];
}

static void multiply_clipped(float *out, const float *x, float limit, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] *= 1.0f + (x[i] > limit ? limit : x[i] < -limit ? -limit : x[i]);
}

/* tanh(x): an odd polynomial near zero, where 1 - 2 / (exp(2x) + 1) would cancel. */
static inline float hyperbolic_tangent(float x)
{
    float s = x * x;
    float near = x + x * s * (-1.0f / 3 + s * (2.0f / 15 + s * (-17.0f / 315 + s * (62.0f / 2835))));
    float far = 1.0f - 2.0f / (exponential(2.0f * x) + 1.0f);
    return s < 0.04f ? near : far;
}

static void cap(float *out, const float *x, float limit, size_t n)
{
    float inverse = 1.0f / limit;
    for (size_t i = 0; i < n; i++)
        out[i] = limit * hyperbolic_tangent(x[i] * inverse);
}

static void ramp(float *out, const float *x, float slope, float first, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] + slope * (first + (float)(int)i);
}

/* to the nearest, ties to even; x is finite */
static inline float round_to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    memcpy(&x, &bits, sizeof bits);
    return x;
}

static void ramp_rounded(float *out, const float *x, float slope, float first, float factor, size_t n)
{
    float rounded = round_to_bf16(slope);
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] + factor * round_to_bf16(rounded * (first + (float)(int)i));
}

static void accumulate(float *out, const float *x, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] += factor * x[i];
}

/* ---- rotation ---- */

static void rotate_halves(float *out, const float *x, const float *cosines, const float *sines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float a = x[i], b = x[i + n];
        out[i] = a * cosines[i] - b * sines[i];
        out[i + n] = b * cosines[i] + a * sines[i];
    }
}

static void rotate_pairs(float *out, const float *x, const float *cosines, const float *sines, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float a = x[2 * i], b = x[2 * i + 1];
        out[2 * i] = a * cosines[i] - b * sines[i];
        out[2 * i + 1] = b * cosines[i] + a * sines[i];
    }
}

const struct weir_ops JOIN(weir_ops_, WEIR_ISA) = {
    .add = add_arrays,
    .scale = scale_array,
    .moments = moments,
    .normalize = normalize,
    .affine = affine,
    .norm = norm,
    .softmax = softmax,
    .logsumexp = logsumexp,
    .act = {[WEIR_ACT_GELU] = act_gelu,
            [WEIR_ACT_GELU_TANH] = act_gelu_tanh,
            [WEIR_ACT_GELU_QUICK] = act_gelu_quick,
            [WEIR_ACT_SILU] = act_silu,
            [WEIR_ACT_RELU] = act_relu,
            [WEIR_ACT_RELU2] = act_relu2,
            [WEIR_ACT_SOLU] = act_solu},
    .multiply = multiply_arrays,
    .clip = clip_array,
    .at_most = at_most,
    .multiply_clipped = multiply_clipped,
    .cap = cap,
    .ramp = ramp,
    .ramp_rounded = ramp_rounded,
    .accumulate = accumulate,
    .rotate_halves = rotate_halves,
    .rotate_pairs = rotate_pairs,
    .survey = survey,
    .squares = squares,
    .max_difference = max_difference,
    .first_over = first_over,
    .weigh = weigh,
    .match = match,
};
