/* Prompts of random tokens that come twice, for induction heads. */
#ifndef WEIR_CLI_ARGS_REPEATS_H
#define WEIR_CLI_ARGS_REPEATS_H

#include "cli/args/prompts.h"

enum { REPEAT_LENGTH = 50, REPEAT_SEQUENCES = 8 };

struct repeats {
    int length, sequences; /* length 0: REPEAT_LENGTH, or what the model's context holds */
    uint64_t seed;
};

/* Prompts of BOS (where the tokenizer has one), `length` random tokens, and the same tokens again. */
WEIR_CHECKED weir_status repeats_make(struct prompts *out, const weir_model *model, const struct repeats *how);

#endif
