/* Metrics of a run on their way into the file that it writes: /results/metrics (docs/store.md). */
#ifndef WEIR_CLI_COMMANDS_METRICS_H
#define WEIR_CLI_COMMANDS_METRICS_H

#include "cli/args/args.h"

#include "store/layout.h"

enum { MOST_METRIC_NOTES = 2 };

/* What --metric asks for. */
struct metrics {
    weir_metric **list; /* [n] */
    const char **texts; /* [n] as they were written */
    size_t n, n_prompts;
    weir_measured **measured;      /* [n] of the run */
    double *values;                /* [n, n_prompts] */
    double *base, *kl;             /* [n, n_prompts], [n_prompts]: without edits; NULL: not asked for */
    char *names, *units, *kl_name; /* JSON lists of texts */
    struct weir_store_note notes[WEIR_N_RESULTS][MOST_METRIC_NOTES];
    struct weir_store_grid grids[WEIR_N_RESULTS]; /* [n_grids] for the file, filled at commit */
    size_t n_grids;
};

/* Reads every --metric: no model is asked yet. Close after a failure too. */
WEIR_CHECKED weir_status metrics_parse(struct metrics *metrics, const struct args *args, int opt);
/* Room for their values of so many prompts, and what the file says of them; `kl`: the text of the metric that a base is
   compared by, NULL for no base. It stays the caller's until metrics_close. */
WEIR_CHECKED weir_status metrics_describe(struct metrics *metrics, size_t n_prompts, const char *kl);
/* Measures them all in a run; a failure names the metric. */
WEIR_CHECKED weir_status metrics_measure(weir_measured **out, const struct metrics *metrics, weir_run *run);
/* The values of all prompts into values [n, n_prompts], after the run. */
WEIR_CHECKED weir_status metrics_take(double *values, const struct metrics *metrics, weir_measured *const *measured);
void metrics_close(struct metrics *metrics);

#endif
