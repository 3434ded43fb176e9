/* Help, docs/cli.md and manual pages, printed from the option tables. */
#ifndef WEIR_CLI_ARGS_HELP_H
#define WEIR_CLI_ARGS_HELP_H

#include "cli/args/args.h"

#include <stdio.h>

/* Help for one command, for all, and docs/cli.md; wrapped to `width`. */
void help_command(FILE *to, const struct command *command, size_t width);
void help_all(FILE *to, const struct command *const *commands, size_t n, size_t width);
void help_markdown(FILE *to, const struct command *const *commands, size_t n);
/* Texts for all commands: what weir is, what exit codes mean, and environment variables, of which the last has no
   name. */
struct variable {
    const char *name, *help;
};
const char *help_what(void);
const char *help_codes(void);
const struct variable *help_variables(void);
/* Manual pages: weir-COMMAND(1), and weir(1). */
void man_command(FILE *to, const struct command *command);
void man_all(FILE *to, const struct command *const *commands, size_t n);

#endif
