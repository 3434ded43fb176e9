/* What a metric of a run is made of: for the files that measure it. */
#ifndef WEIR_HOOKS_METRIC_PARTS_H
#define WEIR_HOOKS_METRIC_PARTS_H

#include "hooks/metric.h"
#include "hooks/metric_place.h"

/* One measure, place or product of the metric, and what it counts for. */
struct metric_atom {
    struct weir_measured *measured;
    const struct weir_metric *leaf;
    double factor;
    bool sums; /* over positions, which are averaged otherwise */
    bool is_place;
    struct weir_metric_place place;
    bool *met; /* [sites of the place] in a sweep: passed by the variants at hand, which have what is in front of it */
};

/* What is read of one atom for one prompt. */
struct metric_reading {
    size_t prompt, source;      /* whose value it is; whose logits or values are read, a number of the run's schedule */
    bool is_own;                /* it names no prompt: what is read is the prompt itself, however it is changed */
    int32_t *rows;              /* [n] positions whose logits are read; NULL for places */
    size_t n;                   /* positions */
    struct weir_metric_ids ids; /* the tokens; of loss one for each row, which may be equal */
    double *values;             /* [n] of a measure */
    double sum;                 /* of a place */
    double *row_sums;           /* [sites, n_positions] what it is made of, in a sweep */
    size_t n_positions;         /* of the prompt that is read */
    size_t first, last;         /* position that a place names */
    float *here;                /* [n, n_vocab] logits that are kept; NULL: none */
    bool has_here;

    size_t against; /* KL: the prompt that it compares with */
    int32_t *against_rows;
    float *there; /* [n, n_vocab] */
    bool has_there;
};

/* A prompt of which a reading reads. */
struct metric_use {
    size_t prompt, reading;
    bool is_against;
};

/* What a sweep measures besides its prompts as they are. */
struct metric_sweep {
    enum metric_phase {
        METRIC_PROMPTS, /* they run, unchanged */
        METRIC_LOGITS,  /* their logits are read, in a pass of its own */
        METRIC_IDLE,    /* nothing is: a pass on the way to others */
        METRIC_VARIANTS
    } phase;
    const weir_variant *variants; /* [n] */
    double *values;               /* [n] */
    size_t n;
    const size_t *group; /* [n_group] numbers of the variants that run side by side */
    size_t n_group, cap_sums;
    double *sums; /* [n_atoms, n_group] of rows and sites */
};

struct weir_measured {
    struct weir_run *run;
    weir_metric *metric;
    double constant;
    struct metric_atom *atoms; /* [n_atoms]: do not move any more when their places are open */
    size_t n_atoms, cap_atoms;
    struct metric_reading *readings; /* [n_atoms, n_prompts] */
    size_t n_prompts, n_vocab;
    struct metric_use *uses; /* [n_uses] by prompt */
    size_t n_uses, cap_uses;
    size_t pass; /* the run's n_begun of that pass; 0: none */
    bool keeps;
    struct weir_measured *next; /* of the run */
    struct metric_sweep *sweep; /* that is under way; NULL: none */
    double *swept;              /* [n_swept] values of the variants of the last sweep; NULL: prompts ran since */
    size_t n_swept;
};

/* The measure of row i of a reading. */
struct weir_row_measure weir_metric_measure_at(const struct weir_metric *leaf, const struct metric_reading *reading,
                                               size_t i, size_t n_vocab);
/* What an atom counts for, given the sum over the positions of a reading. */
double weir_metric_atom_value(const struct metric_atom *atom, const struct metric_reading *reading, double sum);
/* The sum over the positions of a reading in the prompts as they ran. */
double weir_metric_reading_sum(const struct metric_atom *atom, const struct metric_reading *reading);
/* The metric's value in a prompt as it ran. */
double weir_metric_value_in(const struct weir_measured *measured, size_t prompt);
/* Registers, and takes back, the hook that reads logits. */
WEIR_CHECKED weir_status weir_metric_hook_logits(struct weir_measured *measured);
void weir_metric_unhook_logits(struct weir_measured *measured);
/* Forgets what was read of the last prompts. */
void weir_metric_forget(struct weir_measured *measured);
/* Hooks in a sweep: logits and places of the variants that run side by side. */
void weir_metric_read_variants(struct weir_measured *measured, const struct weir_whole *whole);
void weir_metric_read_variant_places(struct metric_atom *atom, const struct weir_whole *whole);

#endif
