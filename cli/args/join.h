/* What a file keeps as the command that made it. */
#ifndef WEIR_CLI_ARGS_JOIN_H
#define WEIR_CLI_ARGS_JOIN_H

#include "cli/args/args.h"

/* "weir dump --model ...": the options as they were given, as a shell would need them; those after the first `size`
   bytes are left out. */
void args_join(char *to, size_t size, const struct args *args);

#endif
