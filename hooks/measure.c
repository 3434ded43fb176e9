/* Measures of a softmax: p = exp(l - log_sum), log p = l - log_sum. */
#include "hooks/measure.h"

#include <math.h>

/* log(sum(exp(logits))) */
static double log_sum_of(const float *logits, size_t n)
{
    double most = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, (double)logits[i]);
    for (size_t i = 0; i < n; i++)
        sum += exp((double)logits[i] - most);
    return most + log(sum);
}

/* p log p, which is 0 where p is. */
static double plogp(double logp)
{
    double p = exp(logp);
    return p > 0 ? p * logp : 0;
}

static double entropy_of(const float *logits, size_t n)
{
    double log_sum = log_sum_of(logits, n), sum = 0;
    for (size_t i = 0; i < n; i++)
        sum -= plogp((double)logits[i] - log_sum);
    return sum;
}

/* KL(reference || here) */
static double kl_of(const float *reference, const float *logits, size_t n)
{
    double there = log_sum_of(reference, n), here = log_sum_of(logits, n), sum = 0;
    for (size_t i = 0; i < n; i++) {
        double logp = (double)reference[i] - there, p = exp(logp);
        sum += p > 0 ? p * (logp - ((double)logits[i] - here)) : 0;
    }
    return sum;
}

/* log of the sum of the tokens' probabilities */
static double logprob_of(const struct weir_row_measure *of, const float *logits, size_t n)
{
    double most = -INFINITY, sum = 0, log_sum = log_sum_of(logits, n);
    for (size_t i = 0; i < of->n_ids; i++)
        most = fmax(most, (double)logits[of->ids[i]]);
    if (isinf(most))
        return most - log_sum;
    for (size_t i = 0; i < of->n_ids; i++)
        sum += exp((double)logits[of->ids[i]] - most);
    return most + log(sum) - log_sum;
}

static double mean_of_tokens(const struct weir_row_measure *of, const float *logits)
{
    double sum = 0;
    for (size_t i = 0; i < of->n_ids; i++)
        sum += (double)logits[of->ids[i]];
    return sum / (double)of->n_ids;
}

/* How many logits are larger than the largest of the tokens'. */
static double rank_of(const struct weir_row_measure *of, const float *logits, size_t n)
{
    float best = logits[of->ids[0]];
    size_t larger = 0;
    for (size_t i = 1; i < of->n_ids; i++)
        best = logits[of->ids[i]] > best ? logits[of->ids[i]] : best;
    for (size_t i = 0; i < n; i++)
        larger += logits[i] > best;
    return (double)larger;
}

double weir_row_measure_value(const struct weir_row_measure *of, const float *logits, size_t n_vocab)
{
    switch (of->measure) {
    case WEIR_MEASURE_LOGIT:
        return mean_of_tokens(of, logits);
    case WEIR_MEASURE_LOGPROB:
        return logprob_of(of, logits, n_vocab);
    case WEIR_MEASURE_PROB:
        return exp(logprob_of(of, logits, n_vocab));
    case WEIR_MEASURE_LOSS:
        return -logprob_of(of, logits, n_vocab);
    case WEIR_MEASURE_RANK:
        return rank_of(of, logits, n_vocab);
    case WEIR_MEASURE_ENTROPY:
        return entropy_of(logits, n_vocab);
    case WEIR_MEASURE_KL:
        return kl_of(of->against, logits, n_vocab);
    default:
        return NAN;
    }
}

/* ---- derivatives ---- */

/* factor * (q - p), q the tokens' share of their own probability. */
static void derive_logprob(double *out, double factor, const struct weir_row_measure *of, const float *logits, size_t n)
{
    double log_sum = log_sum_of(logits, n), of_tokens = logprob_of(of, logits, n) + log_sum;
    for (size_t i = 0; i < n; i++)
        out[i] -= factor * exp((double)logits[i] - log_sum);
    for (size_t i = 0; i < of->n_ids; i++)
        out[of->ids[i]] += factor * exp((double)logits[of->ids[i]] - of_tokens);
}

/* factor * -p (log p + entropy) */
static void derive_entropy(double *out, double factor, const float *logits, size_t n)
{
    double log_sum = log_sum_of(logits, n), entropy = entropy_of(logits, n);
    for (size_t i = 0; i < n; i++) {
        double logp = (double)logits[i] - log_sum;
        out[i] -= factor * (plogp(logp) + exp(logp) * entropy);
    }
}

/* factor * (p - p of the reference) */
static void derive_kl(double *out, double factor, const float *reference, const float *logits, size_t n)
{
    double there = log_sum_of(reference, n), here = log_sum_of(logits, n);
    for (size_t i = 0; i < n; i++)
        out[i] += factor * (exp((double)logits[i] - here) - exp((double)reference[i] - there));
}

void weir_row_measure_derive(double *out, double factor, const struct weir_row_measure *of, const float *logits,
                             size_t n_vocab)
{
    if (of->measure == WEIR_MEASURE_LOGIT)
        for (size_t i = 0; i < of->n_ids; i++)
            out[of->ids[i]] += factor / (double)of->n_ids;
    else if (of->measure == WEIR_MEASURE_PROB)
        derive_logprob(out, factor * exp(logprob_of(of, logits, n_vocab)), of, logits, n_vocab);
    else if (of->measure == WEIR_MEASURE_LOGPROB || of->measure == WEIR_MEASURE_LOSS)
        derive_logprob(out, of->measure == WEIR_MEASURE_LOSS ? -factor : factor, of, logits, n_vocab);
    else if (of->measure == WEIR_MEASURE_ENTROPY)
        derive_entropy(out, factor, logits, n_vocab);
    else if (of->measure == WEIR_MEASURE_KL)
        derive_kl(out, factor, of->against, logits, n_vocab);
}
