/* Edits of a run from the command line. */
#ifndef WEIR_CLI_ARGS_EDITS_H
#define WEIR_CLI_ARGS_EDITS_H

#include "cli/args/args.h"

#define OPT_EDIT                                                                                                       \
    {                                                                                                                  \
        0, "edit", OPT_TEXT, "EDIT",                                                                                   \
            "change values as they are computed, as in 'z:5.3 = 0'; may repeat; edits act in the order given",         \
            .repeats = true                                                                                            \
    }
#define OPT_ABLATE                                                                                                     \
    {                                                                                                                  \
        0, "ablate", OPT_TEXT, "LIST[=WITH]",                                                                          \
            "set what LIST selects to zero, or WITH mean to its mean over the prompt's positions, or WITH a file "     \
            "that "                                                                                                    \
            "weir wrote to its mean there; may repeat, in order with --edit",                                          \
            .repeats = true                                                                                            \
    }

/* The edit that "z:5.3", "z:5.3=zero", "z:5.3=mean" or "z:5.3=ref.h5" is short for, in new memory. */
WEIR_CHECKED weir_status edits_ablation(char **out, const char *text);
/* Adds edits and ablations to a run, in the order in which they were given; `edit` and `ablate` are the options.
   @return as weir_run_edit, naming the option. */
WEIR_CHECKED weir_status edits_add(weir_run *run, const struct args *args, int edit, int ablate);

#endif
