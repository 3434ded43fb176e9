/* Prompts of the command line, tokenized. */
#ifndef WEIR_CLI_ARGS_PROMPTS_H
#define WEIR_CLI_ARGS_PROMPTS_H

#include "cli/args/sides.h"

#include "weir.h"

struct prompts {
    weir_tokens *list; /* [n] each with the number of its line, from 0: of lines of files and other prompts together */
    size_t n, capacity, n_lines;
};

/* The options of a command that give prompts; -1: it has no such option. */
struct prompt_opts {
    int text, file, tokens, line, bos;
    const struct sides
        *sides;       /* that each line of JSON has a prompt of, side by side; NULL or none: one prompt a line */
    bool any_lengths; /* the sides of a line need not have equally many tokens: positions are named by field */
};

/* What the option `opt` (OPT_BOS; -1: the command has none) says of the token in front of texts. */
weir_bos prompts_bos(const struct args *args, int opt);
/* Every prompt on the command line in the order given, tokenized. WEIR_E_USAGE when there is none, and with sides for
   prompts that are no lines of JSON; WEIR_E_INPUT for a line whose sides have unequally many tokens. */
WEIR_CHECKED weir_status prompts_read(struct prompts *out, const weir_model *model, const struct args *args,
                                      const struct prompt_opts *opts);
/* Sides are patched into each other position by position. @return WEIR_E_INPUT, with both as tokens, for n of them that
   have unequally many; `where` is where they come from. */
WEIR_CHECKED weir_status prompts_check_lengths(const weir_model *model, const weir_tokens *sides, size_t n,
                                               const char *where);
void prompts_close(struct prompts *prompts);
/* True where a file's name ends with `end`, as ".jsonl". */
bool path_ends(const char *path, const char *end);

#endif
