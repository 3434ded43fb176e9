/* Metrics of the variants of a sweep: the prompts are measured as they are, then each variant where it differs. */
#ifndef WEIR_HOOKS_METRIC_SWEEP_H
#define WEIR_HOOKS_METRIC_SWEEP_H

#include "engine/start.h"

/* Begins a sweep of all metrics of a run. A prompt that a metric names, by its side or as base, is meant as it is,
   without what variants change. Variants stay the caller's until the end. */
WEIR_CHECKED weir_status weir_metrics_begin(struct weir_run *run, const weir_variant *variants, size_t n);
/* Then the prompts run, as they are, and are measured; what the keeper has registered is kept, it rests afterwards. Of
   logits only the rows that metrics read are computed, unless the run has edits. */
WEIR_CHECKED weir_status weir_metrics_run_prompts(struct weir_run *run, struct weir_keeper *keeper,
                                                  const weir_tokens *prompts, size_t n);
/* Ends it; `complete`: every variant has been measured, and weir_measured_values has their values. */
WEIR_CHECKED weir_status weir_metrics_end(struct weir_run *run, bool complete);

/* The next metric of a run; NULL: there is none. */
const struct weir_measured *weir_metrics_next(const struct weir_measured *measured);
/* The passes that follow, up to the next group, are not measured, and go no further than others want. */
void weir_metrics_rest(struct weir_run *run);

/* Makes rows hold the positions of `prompt` that metrics read, of those from `first` on; rows->n 0: none yet. */
void weir_metrics_widen(weir_rows *rows, const struct weir_run *run, size_t prompt, size_t first);
/* The next pass is over the variants with these numbers [n], which stay the caller's until the group's end. */
WEIR_CHECKED weir_status weir_metrics_begin_group(struct weir_run *run, const size_t *numbers, size_t n);
void weir_metrics_end_group(struct weir_run *run);
/* A variant that does not run: it is its prompt, as far as any metric reads. */
void weir_metrics_take_unchanged(struct weir_run *run, size_t variant);

#endif
