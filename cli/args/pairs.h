/* Pairs of prompts, a clean and a corrupt one: from a file of JSON lines, or from two options. */
#ifndef WEIR_CLI_ARGS_PAIRS_H
#define WEIR_CLI_ARGS_PAIRS_H

#include "cli/args/prompts.h"

/* The options that give them; `fields` are those whose values become fields of the pair, by their names; -1 ends it. */
struct pair_opts {
    int file, line, clean, corrupt, bos;
    const int *fields;
    bool any_lengths; /* the sides of a pair need not have equally many tokens: positions are named by field */
};

/* Prompts 2 i and 2 i + 1 are the two sides of pair i, with its line and its other members as their fields.
   WEIR_E_USAGE where there are none or the options contradict each other, WEIR_E_INPUT naming the line. */
WEIR_CHECKED weir_status pairs_read(struct prompts *out, const weir_model *model, const struct args *args,
                                    const struct pair_opts *opts);

#endif
