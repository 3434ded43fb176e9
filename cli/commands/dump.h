/* Runs a model on the prompts of a command line and may store what passes its hook points: what weir dump and weir run
   share. */
#ifndef WEIR_CLI_COMMANDS_DUMP_H
#define WEIR_CLI_COMMANDS_DUMP_H

#include "cli/args/args.h"
#include "cli/args/edits.h"
#include "cli/args/options.h"
#include "cli/args/plugins.h"
#include "cli/args/prompts.h"
#include "cli/args/sides.h"
#include "cli/commands/metrics.h"
#include "cli/print/progress.h"

/* The options of both, in this order in their tables; those of weir run go on after them. */
enum {
    MODEL,
    PULL,
    PROCESS,
    TEXT,
    FROM,
    TOKENS,
    LINE,
    SIDE,
    OUT,
    HOOKS,
    POSITIONS,
    EDIT,
    ABLATE,
    NEXT,
    METRIC,
    DTYPE,
    COMPRESS,
    COMPUTE,
    PLUGIN,
    BOS,
    THREADS,
    YES,
    FORCE,
    N_DUMP_OPTS,
};

/* The rows that say the same in both; OUT, POSITIONS and NEXT do not. */
#define OPTS_OF_RUNS                                                                                                   \
    [MODEL] = OPT_MODEL, [PULL] = OPT_PULL, [PROCESS] = OPT_PROCESS, [TEXT] = OPT_PROMPT_TEXT,                         \
    [FROM] = OPT_PROMPT_FILE, [TOKENS] = OPT_PROMPT_IDS, [LINE] = OPT_PROMPT_LINE, [SIDE] = OPT_SIDE,                  \
    [HOOKS] =                                                                                                          \
        {0, "hooks", OPT_TEXT, "LIST",                                                                                 \
         "the hook points to store: HOOK[:LAYERS[.UNITS]][@POSITIONS][#PROMPTS], separated by commas; by default "     \
         "resid_pre, pattern, z, mlp_post and resid_post, complete"},                                                  \
    [EDIT] = OPT_EDIT, [ABLATE] = OPT_ABLATE,                                                                          \
    [DTYPE] = {0, "dtype", OPT_CHOICE, "f32|f16|bf16", "the type of stored numbers; f32 by default"},                  \
    [COMPRESS] = {0, "compress", OPT_CHOICE, "none|gzip", "gzip compresses patterns; none by default"},                \
    [COMPUTE] = {0, "compute", OPT_CHOICE, "f32|bf16|int8",                                                            \
                 "precision of the weight matrix products, if the CPU supports it; f32 by default"},                   \
    [PLUGIN] = OPT_PLUGIN, [BOS] = OPT_BOS, [THREADS] = OPT_THREADS,                                                   \
    [YES] = {0, "yes", OPT_FLAG, NULL, "write files of more than 4 GB, which are refused otherwise"},                  \
    [FORCE] = OPT_FORCE

enum { MOST_COMMAND = 32768 };

/* Everything that is open during a dump. */
struct dump {
    const struct args *args;
    weir_model *model;
    struct sides sides;
    struct prompts prompts;
    weir_run *run;
    weir_capture *capture;
    weir_compute compute;
    char command[MOST_COMMAND];
    struct progress progress;
    uint64_t steps; /* layers that have begun, over all prompts */
    int likely;     /* weir run: tokens that are stored by default; --positions are printed ones. 0: weir dump */
    struct metrics metrics;
    const char *kl;                       /* weir run --against base: the metric that compares with it; else NULL */
    weir_status (*finish)(void *payload); /* after the run, before the file is complete; NULL: nothing to do */
    void *payload;
};

/* Refuses options that cannot be, before the model is opened, which may take long. */
WEIR_CHECKED weir_status dump_check(const struct args *args);
/* Opens everything up to the capture, which there is where an output is named; nothing is computed yet. Close after a
   failure too. */
WEIR_CHECKED weir_status dump_open(struct dump *dump);
/* Runs, takes the values of the metrics, and commits and reports what is stored. */
WEIR_CHECKED weir_status dump_run(struct dump *dump);
void dump_close(struct dump *dump);

#endif
