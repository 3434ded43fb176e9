/* Metrics as hooks: what they read of a run's prompts, and their values and derivatives after a pass. weir.h has the
   public part. */
#ifndef WEIR_HOOKS_METRIC_H
#define WEIR_HOOKS_METRIC_H

#include "engine/run.h"
#include "hooks/measure.h"

/* Token ids that grow; all zero is none. */
struct weir_metric_ids {
    int32_t *list; /* [n] each once */
    size_t n, capacity;
};

/* Appends the tokens that a measure names, with the fields of one prompt's line. @return WEIR_E_USAGE for texts of
   several tokens and ids that the model does not predict, WEIR_E_INPUT for what is wrong with the line; *fault is the
   byte of the metric's text. */
WEIR_CHECKED weir_status weir_metric_ids_find(struct weir_metric_ids *out, size_t *fault,
                                              const struct weir_model *model, const struct weir_metric *metric,
                                              const weir_tokens *prompt);
void weir_metric_ids_close(struct weir_metric_ids *ids);

/* @return what weir_run_forward would return for prompts that do not have the metric's tokens, sides or positions. What
   was measured before is forgotten. */
WEIR_CHECKED weir_status weir_measured_check(weir_measured *measured, const weir_tokens *prompts, size_t n);
/* From the next pass on, keeps the rows of logits that derivatives need. @return WEIR_E_UNSUPPORTED for a metric that
   has no derivative by the logits, with the reason. */
WEIR_CHECKED weir_status weir_measured_keep(weir_measured *measured);
/* The positions, ascending, of prompt i of the last pass whose logits the metric reads: *positions, [n], in new memory,
   from weir_alloc. */
WEIR_CHECKED weir_status weir_measured_positions(int32_t **positions, size_t *n, const weir_measured *measured,
                                                 size_t prompt);
/* The derivative of the sum of all prompts' values by those logits of prompt i: out [n of weir_measured_positions,
   n_vocab]. What kl compares with is constant. @return WEIR_E_USAGE where no pass has kept the logits. */
WEIR_CHECKED weir_status weir_measured_derivative(double *out, const weir_measured *measured, size_t prompt);

#endif
