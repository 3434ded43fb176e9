/* The model that comes with weir, which commands use where none is named. */
#ifndef WEIR_CLI_BUNDLED_H
#define WEIR_CLI_BUNDLED_H

#include "cli/opt.h"

/* The folder of the bundled model, beside this executable; it stays valid. WEIR_E_INPUT when it is not there. */
WEIR_CHECKED weir_status bundled_where(const char **out);
/* What WEIR_MODEL in the environment names, or without it the bundled model. */
WEIR_CHECKED weir_status model_by_default(const char **out);
/* What the option names (OPT_MODEL), or without it the same. */
WEIR_CHECKED weir_status model_where(const char **out, const struct args *args, int opt);

#endif
