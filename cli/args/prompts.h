/* Prompts of the command line, tokenized. */
#ifndef WEIR_CLI_ARGS_PROMPTS_H
#define WEIR_CLI_ARGS_PROMPTS_H

#include "cli/args/args.h"

#include "weir.h"

struct prompts {
    weir_tokens *list; /* [n] */
    size_t n, capacity;
};

/* The options of a command that give prompts; -1: it has no such option. */
struct prompt_opts {
    int text, file, tokens, bos;
};

/* Every prompt on the command line in the order given, tokenized. WEIR_E_USAGE when there is none. */
WEIR_CHECKED weir_status prompts_read(struct prompts *out, const weir_model *model, const struct args *args,
                                      const struct prompt_opts *opts);
void prompts_close(struct prompts *prompts);
/* True where a file's name ends with `end`, as ".jsonl". */
bool path_ends(const char *path, const char *end);

#endif
