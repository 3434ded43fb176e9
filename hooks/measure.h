/* Measures of one row of logits, and their derivatives by the logits, in double. */
#ifndef WEIR_HOOKS_MEASURE_H
#define WEIR_HOOKS_MEASURE_H

#include "points/metric.h"

/* A measure at one position: of which tokens, against what. */
struct weir_row_measure {
    enum weir_measure measure;
    const int32_t *ids;   /* [n_ids] different ones, of the model's outputs: its tokens; of loss the one that follows */
    size_t n_ids;         /* 0 for entropy and kl */
    const float *against; /* KL: [n_vocab] the logits that it is compared with; else NULL */
};

/* Its value on logits [n_vocab], in nats where it is one of information; rank is a whole number. */
double weir_row_measure_value(const struct weir_row_measure *of, const float *logits, size_t n_vocab);
/* Adds `factor` times its derivative by the logits to out [n_vocab]; the logits that KL compares with are constants.
   Rank has none. */
void weir_row_measure_derive(double *out, double factor, const struct weir_row_measure *of, const float *logits,
                             size_t n_vocab);

#endif
