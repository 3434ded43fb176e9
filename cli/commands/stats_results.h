/* Statistics of results: what weir stats prints of them. */
#ifndef WEIR_CLI_COMMANDS_STATS_RESULTS_H
#define WEIR_CLI_COMMANDS_STATS_RESULTS_H

#include "base/json.h"

/* A row per result and metric; nothing where there are no results. `first`: nothing is printed yet. */
WEIR_CHECKED weir_status print_result_stats(const weir_file *file, bool first);
/* "results" of the object, the same. */
WEIR_CHECKED weir_status add_json_result_stats(cJSON *to, const weir_file *file);

#endif
