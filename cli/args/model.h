/* The model that a command runs: the one that is named, or else the one that comes with weir. */
#ifndef WEIR_CLI_ARGS_MODEL_H
#define WEIR_CLI_ARGS_MODEL_H

#include "cli/args/args.h"

/* The folder of the bundled model, beside this executable; it stays valid. WEIR_E_INPUT when it is not there. */
WEIR_CHECKED weir_status bundled_where(const char **out);
/* The model that WEIR_MODEL in the environment names, or without it the bundled model. */
WEIR_CHECKED weir_status model_by_default(const char **out);
/* The model that the option names (OPT_MODEL), or without it the same; with the option `pull` (OPT_PULL) it is fetched.
 */
WEIR_CHECKED weir_status model_where(const char **out, const struct args *args, int opt, int pull);
/* Fetches the model of that name where the option `pull` is given, and HF_HUB_OFFLINE is not set. WEIR_E_USAGE for what
   is a path; else as hub_pull. */
WEIR_CHECKED weir_status model_pull(const char *where, const struct args *args, int pull);

/* weir_model_open, and its notes on standard error, a line each. */
WEIR_CHECKED weir_status open_with_notes(weir_model **out, const char *where, const weir_model_options *options);

#endif
