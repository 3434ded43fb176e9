/* Results as arrays of numpy's and as tables: what weir export writes of them. */
#ifndef WEIR_CLI_EXPORT_RESULTS_H
#define WEIR_CLI_EXPORT_RESULTS_H

#include "cli/export/buffered.h"
#include "cli/select/results.h"

/* One result; several are refused. */
WEIR_CHECKED weir_status export_result_npy(struct buffered *out, const struct results *results);
/* Each by the last part of its name, patch/z as z. */
WEIR_CHECKED weir_status export_result_npz(struct buffered *out, const struct results *results);
/* A line per value: the name, a column per axis with the text of tokens, and the value. */
WEIR_CHECKED weir_status export_result_csv(struct buffered *out, const struct results *results);

#endif
