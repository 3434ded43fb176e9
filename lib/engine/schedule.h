/* The order in which the prompts of a run pass, and which pass together: a prompt that others read runs no later than
   they do. To the prompts given come copies that hooks/ asks for, unedited ones; hooks and captures do not see them. */
#ifndef WEIR_ENGINE_SCHEDULE_H
#define WEIR_ENGINE_SCHEDULE_H

#include "base/status.h"

/* One prompt reads what another computes. */
struct weir_need {
    size_t reader, source;
    bool strictly; /* the source is computed later in a pass than where it is read: it runs in an earlier one */
};

struct weir_schedule {
    weir_tokens *prompts; /* [n] those given, then the copies; texts and ids stay the caller's */
    size_t n, cap_prompts, n_given;
    size_t *copy; /* [n_given] the number of a prompt's copy; 0: it has none */
    struct weir_need *needs;
    size_t n_needs, cap_needs;
    size_t *order; /* [n] numbers of prompts, in the order in which they pass */
    size_t *ends;  /* [n_batches] where in `order` each batch ends */
    size_t n_batches;
};

/* The prompts in the order given. @return WEIR_E_MEMORY, here and below. */
WEIR_CHECKED weir_status weir_schedule_open(struct weir_schedule *schedule, const weir_tokens *prompts, size_t n);
void weir_schedule_close(struct weir_schedule *schedule);
/* *number: that of an unedited copy of a prompt given, which is made when it is first asked for. */
WEIR_CHECKED weir_status weir_schedule_copy(size_t *number, struct weir_schedule *schedule, size_t prompt);
/* `reader` reads `source`: another prompt, in the same pass or an earlier one; `strictly`: in an earlier one. */
WEIR_CHECKED weir_status weir_schedule_need(struct weir_schedule *schedule, size_t reader, size_t source,
                                            bool strictly);
/* Finds order and batches, of up to `positions` but for prompts that read each other, which share one. *cycle, where it
   is not NULL: a need that cannot be met, because its reader is needed by its source (NULL: none). */
WEIR_CHECKED weir_status weir_schedule_settle(struct weir_schedule *schedule, size_t positions,
                                              const struct weir_need **cycle);

#endif
