/* How far a run in fewer bits is from float32: the first positions of its first prompt are computed both ways. */
#ifndef WEIR_HOOKS_DRIFT_H
#define WEIR_HOOKS_DRIFT_H

#include "engine/run.h"

struct weir_drift;

/* Runs the first `n_positions` tokens of prompts[0] in float32, keeps what passes the sites of a scope, and
   watches `run` for the same. A position's values do not depend on later ones, so that what the
   run then computes can be compared. */
WEIR_CHECKED weir_status weir_drift_open(struct weir_drift **out, struct weir_run *run, const struct weir_scope *scope,
                                         const weir_tokens *prompt, size_t n_positions);
/* The largest over layers of |value - float32's| / |float32's|, norms over those positions; NaN where nothing was
   compared. */
double weir_drift_of(const struct weir_drift *drift, int point);
void weir_drift_close(struct weir_drift *drift);

#endif
