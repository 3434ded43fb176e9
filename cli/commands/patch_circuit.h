/* Circuits in weir patch: what a set of edges does by itself, printed. */
#ifndef CLI_COMMANDS_PATCH_CIRCUIT_H
#define CLI_COMMANDS_PATCH_CIRCUIT_H

#include "analysis/path_circuit.h"

struct patch_circuit {
    const char *path; /* the circuit's file */
    weir_run *run;
    const weir_tokens *prompts; /* [2 * n_pairs] clean, corrupt, clean, ... */
    size_t n_pairs;
    const char *const *metrics; /* [options.n_metrics] as written */
    struct weir_circuit_options options;
    bool csv;

    /* made here */
    struct weir_circuit *circuit;
    struct weir_circuit_values values;
};

/* Reads the circuit and measures it. Close, after a failure too. */
WEIR_CHECKED weir_status patch_circuit_measure(struct patch_circuit *what, const weir_model *model);
/* Prints a row per metric. */
WEIR_CHECKED weir_status patch_circuit_print(const struct patch_circuit *what);
void patch_circuit_close(struct patch_circuit *what);

#endif
