/* Path patching: what a patch changes where it reaches the metric through chosen receivers only. */
#ifndef WEIR_ANALYSIS_PATH_H
#define WEIR_ANALYSIS_PATH_H

#include "base/status.h"

enum weir_path_kind {
    WEIR_PATH_FROZEN, /* receivers get what they are in a pass whose sender is patched and whose other heads are held
                         (Wang et al. 2022) */
    WEIR_PATH_DIRECT  /* what the sender's branch writes otherwise is added to the stream as the receivers read it */
};

struct weir_path_options {
    const char *to; /* selection of the receivers, in the prompt that runs */
    enum weir_path_kind kind;
    bool freeze_mlps; /* frozen paths: the outputs of MLPs are held too */
};

/* "frozen", "frozen with MLPs", "direct". */
const char *weir_path_name(const struct weir_path_options *options);

struct weir_path;

/* Finds the receivers in the prompts of a grid, which stay the caller's until close, as run and options do.
   @return WEIR_E_USAGE for receivers that cannot be, or that such a path cannot end in. */
WEIR_CHECKED weir_status weir_path_open(struct weir_path **out, weir_run *run, const weir_tokens *prompts, size_t n,
                                        const struct weir_path_options *options);
void weir_path_close(struct weir_path *path);

/* @return WEIR_E_USAGE, saying why, where no such path begins at a point. */
WEIR_CHECKED weir_status weir_path_check_sender(const struct weir_path *path, int point, int layer);
/* True where a variant of a prompt, by its number among those of weir_path_open, lies before a receiver. */
bool weir_path_reaches(const struct weir_path *path, const weir_variant *v, size_t prompt);
/* True where it does in any of the prompts, as far as positions do not decide that. */
bool weir_path_reaches_from(const struct weir_path *path, int point, int layer);
/* weir_run_sweep where a variant's change travels by the path only. The prompts are those of weir_path_open from
   `first` on; variants that reach no receiver leave their prompt as it is. The run has no hooks but
   those of metrics. */
WEIR_CHECKED weir_status weir_path_sweep(const struct weir_path *path, size_t first, size_t n_prompts,
                                         const weir_variant *variants, size_t n, const weir_rows *rows,
                                         weir_hook_fn *hook, void *payload);

#endif
