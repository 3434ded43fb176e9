/* Places in metrics: the sum of what one names at a position, or its product with a vector. */
#ifndef WEIR_HOOKS_METRIC_PLACE_H
#define WEIR_HOOKS_METRIC_PLACE_H

#include "engine/run.h"
#include "points/metric.h"

/* A place resolved against a model. May not move: the scope points into it. */
struct weir_metric_place {
    struct weir_term term; /* the metric's, at the last position where it names none; parts stay the metric's */
    struct weir_selection selection; /* of that term */
    struct weir_spot last;
    struct weir_scope *scope;
    double **vectors; /* [scope's n_sites] of dot: [width of the site]; NULL: all are 1 */
};

/* @return what a scope returns; what weir_bag_open and _find return, WEIR_E_USAGE for a vector of another length,
   WEIR_E_INPUT for one that is not finite. */
WEIR_CHECKED weir_status weir_metric_place_open(struct weir_metric_place *out, const struct weir_model *model,
                                                const struct weir_metric *metric);
void weir_metric_place_close(struct weir_metric_place *place);

/* The sum over all that the place names in a value: of prompt `named` of its scope, in site `site`, whose row 0 is
   position `first`; the value may begin later, and positions before that count for nothing. Adds what each position has
   to sums [positions], unless it is NULL. */
double weir_metric_place_sum(double *sums, const struct weir_metric_place *place, size_t site, size_t named,
                             const weir_event *event, size_t first);

#endif
