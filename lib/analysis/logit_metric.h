/* Metrics of one row of logits, with the tokens that they name looked up in the prompts' lines. */
#ifndef WEIR_ANALYSIS_LOGIT_METRIC_H
#define WEIR_ANALYSIS_LOGIT_METRIC_H

#include "points/metric.h"

struct weir_logit_metric;

/* Looks up the tokens of a metric for each of n prompts: fields are those of its line. @return WEIR_E_USAGE for a token
   that is several or is missing, and WEIR_E_UNSUPPORTED for a metric that needs more than the last position's logits.
 */
WEIR_CHECKED weir_status weir_logit_metric_open(struct weir_logit_metric **out, const weir_model *model,
                                                const struct weir_metric *metric, const weir_tokens *prompts, size_t n);
/* Its value for prompt i of them on logits [n_vocab]. */
double weir_logit_metric_value(const struct weir_logit_metric *metric, const float *logits, size_t i);
void weir_logit_metric_close(struct weir_logit_metric *metric);

#endif
