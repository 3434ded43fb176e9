/* Completions of options and arguments, read from the option tables. */
#ifndef WEIR_CLI_ARGS_COMPLETE_H
#define WEIR_CLI_ARGS_COMPLETE_H

#include "cli/args/args.h"

#include <stdio.h>

enum completes {
    COMPLETES_NOTHING, /* a number, a text */
    COMPLETES_FILES,
    COMPLETES_HOOKS, /* names of hook points with commas between */
    COMPLETES_WORDS  /* one of a few */
};

/* By what help calls the value. Of a flag: nothing. */
enum completes completes_of(const struct opt *opt);
/* Prints the values of COMPLETES_WORDS, or the names of all hook points, with spaces between. */
void put_words(FILE *to, const struct opt *opt);
void put_hooks(FILE *to);
/* The kind of the argument at `index` of a command, options not counted. */
enum completes completes_word(const struct command *command, int index);
/* The beginning of a help text, for where there is little room; line ends and quotes are left out. */
void short_help(char to[80], const char *help);

/* Scripts that complete a command line. */
void complete_bash(FILE *to, const struct command *const *commands, size_t n);
void complete_zsh(FILE *to, const struct command *const *commands, size_t n);
void complete_fish(FILE *to, const struct command *const *commands, size_t n);

#endif
