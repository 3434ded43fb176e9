/* Results as text, as JSON and as pictures: what weir show prints of them. */
#ifndef WEIR_CLI_COMMANDS_SHOW_RESULTS_H
#define WEIR_CLI_COMMANDS_SHOW_RESULTS_H

#include "cli/figure/figure.h"
#include "cli/select/results.h"

WEIR_CHECKED weir_status print_results(const struct results *results);
WEIR_CHECKED weir_status print_results_json(const struct results *results);
/* The grids of patches among them, of one kind, as one picture; close with figure_close. WEIR_E_USAGE where there are
   none. */
WEIR_CHECKED weir_status results_figure(struct figure **out, const struct results *results,
                                        const struct scheme *scheme);

#endif
