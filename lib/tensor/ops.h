/* The elementwise and row operations of a pass, picked for this processor. Each works on the rows it is given: the
   engine splits rows over threads. Sizes are in floats; `out` may be an input unless noted otherwise. */
#ifndef WEIR_TENSOR_OPS_H
#define WEIR_TENSOR_OPS_H

#include <stddef.h>

enum weir_act {
    WEIR_ACT_GELU,       /* x Phi(x), by erf */
    WEIR_ACT_GELU_TANH,  /* its tanh approximation: gelu_new, gelu_pytorch_tanh */
    WEIR_ACT_GELU_QUICK, /* x sigmoid(1.702 x) */
    WEIR_ACT_SILU,
    WEIR_ACT_RELU,
    WEIR_ACT_RELU2, /* relu squared */
    WEIR_ACT_SOLU,  /* x softmax(x): over the row, where those before it are elementwise */
    WEIR_N_ACTS
};

struct weir_weighed {
    double sum, magnitude, moment, entropy;
};

struct weir_ops {
    /* out = a + b, [n] */
    void (*add)(float *out, const float *a, const float *b, size_t n);
    /* out = factor x, [n] */
    void (*scale)(float *out, const float *x, float factor, size_t n);
    /* *mean (0 unless centred) and *scale = sqrt(mean of (x - mean)^2 + eps) of x [d] */
    void (*moments)(const float *x, size_t d, float eps, int centred, float *mean, float *scale);
    /* out = (x - mean) / scale, [d] */
    void (*normalize)(float *out, const float *x, float mean, float scale, size_t d);
    /* out = x * weight + bias, [d]; either may be NULL */
    void (*affine)(float *out, const float *x, const float *weight, const float *bias, size_t d);
    /* out = (x - mean) / scale * weight + bias, [d]: the two above in one */
    void (*norm)(float *out, const float *x, float mean, float scale, const float *weight, const float *bias, size_t d);
    /* out = softmax(scores), [n], n > 0; entries of -inf become 0 */
    void (*softmax)(float *out, const float *scores, size_t n);
    /* log(sum(exp(x))) of x [n] */
    float (*logsumexp)(const float *x, size_t n);
    /* out = f(x), [n]: one row */
    void (*act[WEIR_N_ACTS])(float *out, const float *x, size_t n);
    /* out = x clipped to +- limit, [n] */
    void (*clip)(float *out, const float *x, float limit, size_t n);
    /* out = min(x, limit), [n] */
    void (*at_most)(float *out, const float *x, float limit, size_t n);
    /* out *= 1 + x clipped to +- limit, [n] */
    void (*multiply_clipped)(float *out, const float *x, float limit, size_t n);
    /* out = cap tanh(x / cap), [n] */
    void (*cap)(float *out, const float *x, float cap, size_t n);
    /* out = x + slope (first + i), [n]: ALiBi */
    void (*ramp)(float *out, const float *x, float slope, float first, size_t n);
    /* out = x + factor times slope (first + i) rounded to bfloat16, [n]: Falcon's */
    void (*ramp_rounded)(float *out, const float *x, float slope, float first, float factor, size_t n);
    /* out += factor x, [n] */
    void (*accumulate)(float *out, const float *x, float factor, size_t n);
    /* out = a * b, [n] */
    void (*multiply)(float *out, const float *a, const float *b, size_t n);
    /* Rotates the first 2 n dimensions of a head x [>= 2 n] by angles with the given cosines and sines [n]; copies
       nothing else. halves: dimension i with i + n; pairs: 2i with 2i + 1. */
    void (*rotate_halves)(float *out, const float *x, const float *cosines, const float *sines, size_t n);
    void (*rotate_pairs)(float *out, const float *x, const float *cosines, const float *sines, size_t n);
    /* Of x [n], n > 0: *sum, *min, *max; whether all are finite, else what they hold says nothing */
    int (*survey)(const float *x, size_t n, double *sum, float *min, float *max);
    /* sum of (x - mean)^2 of x [n] */
    double (*squares)(const float *x, size_t n, double mean);
    /* Of the weights p [n] that a query gives to its keys: their sum, the sum of their magnitudes, that of index times
       weight, and their entropy in nats, to which weights of 0 or less add nothing */
    void (*weigh)(const float *p, size_t n, struct weir_weighed *sums);
    /* The same for p [n] and what it should be, d: *product the sum of p d, *difference that of |p - d| */
    void (*match)(const float *p, const float *d, size_t n, double *product, double *difference);
    /* *difference the largest |a - b|, *scale the largest |a| or |b|, [n]; @return whether all are finite; if not, both
     * mean nothing */
    int (*max_difference)(const float *a, const float *b, size_t n, float *difference, float *scale);
    /* index of the first of x [n] over limit; n when there is none */
    size_t (*first_over)(const float *x, size_t n, float limit);
};

const struct weir_ops *weir_ops(void);

/* The builds of each; only the plain one exists on every architecture. */
extern const struct weir_ops weir_ops_plain, weir_ops_avx2, weir_ops_avx512;

#endif
