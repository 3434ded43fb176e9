/* Metrics of the logits of one prompt that runs, whatever was changed in it: for those who have logits and no run. */
#ifndef WEIR_ANALYSIS_LOGIT_METRIC_H
#define WEIR_ANALYSIS_LOGIT_METRIC_H

#include "points/metric.h"

struct weir_logit_metric;

/* Looks up tokens and positions of a metric for each of n prompts. The metric stays the caller's. @return WEIR_E_USAGE
   for tokens and positions that a prompt does not have, and WEIR_E_UNSUPPORTED for a metric that needs more than its
   logits: loss, kl, places, other sides. */
WEIR_CHECKED weir_status weir_logit_metric_open(struct weir_logit_metric **out, const weir_model *model,
                                                const struct weir_metric *metric, const weir_tokens *prompts, size_t n);
/* Makes rows, of prompt i, hold the positions that the metric reads too; n 0: none yet. */
void weir_logit_metric_widen(weir_rows *rows, const struct weir_logit_metric *metric, size_t i);
/* Its value for prompt i on logits [rows, n_vocab], of which the first is of position logits->first. */
double weir_logit_metric_value(const struct weir_logit_metric *metric, const weir_event *logits, size_t i);
void weir_logit_metric_close(struct weir_logit_metric *metric);

#endif
