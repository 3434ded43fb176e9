/* Plugins that a command line names. */
#ifndef WEIR_CLI_ARGS_PLUGINS_H
#define WEIR_CLI_ARGS_PLUGINS_H

#include "cli/args/args.h"

/* Loads those of option `opt` (OPT_PLUGIN) into the run, in the order given. */
WEIR_CHECKED weir_status plugins_load(weir_run *run, const struct args *args, int opt);

#endif
