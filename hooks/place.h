/* Places in the run itself: what an edit reads of other prompts, positions and hook points while the pass goes by them.
 */
#ifndef WEIR_HOOKS_PLACE_H
#define WEIR_HOOKS_PLACE_H

#include "engine/run.h"
#include "hooks/change.h"

/* Where the place of one of an edit's sites is. */
struct weir_place_site {
    int point;
    int32_t *layers; /* [n_layers] -1 outside the blocks; several are averaged */
    size_t n_layers;
    struct weir_some units; /* that it names; of a point that has none, n 0 */
    bool by_query;          /* they are query heads, of a point whose key-value heads several share */
    bool own_units;         /* it names none, and its units are those of the site: it reads the same */
    bool by_expert;         /* they are experts, and what else has keys has their neurons */
};

/* The place of an edit, resolved against the model. */
struct weir_run_place {
    const struct weir_model *model;
    const struct weir_edit *edit;
    const struct weir_scope *scope; /* the edit's */
    const struct weir_value *value; /* of which the place is */
    struct weir_term *term;         /* the place itself */
    struct weir_place_site *sites;  /* [scope's n_sites] */
};

/* One prompt that is read. */
struct weir_origin {
    size_t prompt;      /* its number in the run */
    int32_t *positions; /* [n_positions]; -1: it does not have that one, which is left out of a mean */
    size_t n_positions;
    int32_t *keys; /* [n_keys], or neurons of experts; n_keys 0: the point has neither */
    size_t n_keys;
};

/* What one box of one prompt is changed by. */
struct weir_place_reading {
    struct weir_origin *origins; /* [n_origins]; more than one are averaged */
    size_t n_origins, n_read;    /* how many values of theirs have been read, over layers */
    size_t n_rows, n_units, n_inner;
    struct weir_some units;      /* that are read; not owned */
    size_t shared;               /* so many of them have one head of the value at hand */
    float *data;                 /* [n_rows, n_units, n_inner]; NULL until the first is read */
    double *sums;                /* the same, of a mean */
    size_t *counts;              /* [n_rows, n_units] terms of its sums */
    struct weir_operand operand; /* how `data` is paired with the box */
};

/* @return WEIR_E_USAGE, naming the character, for layers, units and axes that do not fit the edit's. */
WEIR_CHECKED weir_status weir_place_open(struct weir_run_place *place, const struct weir_model *model,
                                         const struct weir_edit *edit, const struct weir_value *value,
                                         const struct weir_scope *scope);
void weir_place_close_sites(struct weir_run_place *place);

/* What box `box` of site `site` reads in prompt `reader` of the run's schedule: which prompts, which rows of them. Asks
   the schedule for copies and order. @return WEIR_E_USAGE, naming the character, for what does not exist or does not
   fit. */
WEIR_CHECKED weir_status weir_place_plan(struct weir_place_reading *out, const struct weir_run_place *place,
                                         struct weir_run *run, size_t site, size_t reader, const struct weir_box *box);
/* Reads what the reading wants of the value at hand, of those of its prompts that are in the batch. */
WEIR_CHECKED weir_status weir_place_read(struct weir_place_reading *reading, const struct weir_run_place *place,
                                         size_t site, const struct weir_whole *whole);
/* The numbers, when all has been read. */
const struct weir_operand *weir_reading_finish(const struct weir_run_place *place, size_t site,
                                               struct weir_place_reading *reading);
/* Gives up the numbers, when they have been used; what is to be read stays. */
void weir_reading_forget(struct weir_place_reading *reading);
void weir_reading_close(struct weir_place_reading *reading);

/* True where the place of the edit's site `site` is that point in that layer. */
bool weir_place_is_at(const struct weir_run_place *place, size_t site, int point, int layer);

#endif
