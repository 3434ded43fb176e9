/* Circuits: sets of edges between heads, MLPs, input and logits, and what a model does whose other edges are corrupt.
 */
#ifndef WEIR_ANALYSIS_PATH_CIRCUIT_H
#define WEIR_ANALYSIS_PATH_CIRCUIT_H

#include "base/status.h"

/* Which edges there are. Writers are the input, then of each layer its heads and its MLP; readers are of each layer the
   queries of its heads, their keys and values, each by query head, and its MLP, then the logits. */
struct weir_circuit {
    const struct weir_model *model;
    size_t n_writers, n_readers;
    uint8_t *edges;           /* [n_readers, n_writers] WEIR_EDGE_IN, ... */
    size_t n_edges, n_inside; /* that the model has, and that the circuit has of them */
};

enum { WEIR_EDGE_NONE, WEIR_EDGE_OUT, WEIR_EDGE_IN };

/* Reads the JSON that EAP-IG and the benchmark MIB write: {"cfg": {"n_layers": ...}, "nodes": ..., "edges":
   {"a0.h1->a2.h3<q>": {"in_graph": true}, ...}}. Edges that it does not name are outside the circuit; what it says of
   nodes is not needed. @return WEIR_E_INPUT, naming what is wrong, for anything else and for edges that the model does
   not have; WEIR_E_UNSUPPORTED for parts of nodes ("neurons"), and for models whose branches cannot be fed apart. */
WEIR_CHECKED weir_status weir_circuit_read(struct weir_circuit **out, const struct weir_model *model, const char *path);
void weir_circuit_close(struct weir_circuit *circuit);

/* The number of a writer: head n_heads is the layer's MLP. Of a reader: `of` 0, 1, 2 for q, k, v, 3 for the MLP. */
size_t weir_circuit_head(const struct weir_circuit *circuit, int layer, size_t head);
size_t weir_circuit_reader(const struct weir_circuit *circuit, int layer, int of, size_t head);

/* What is measured: of each metric the clean and the corrupt prompts as they are, and the clean ones in which all edges
   outside the circuit are corrupt. */
struct weir_circuit_values {
    double *clean, *corrupt, *circuit; /* [n_pairs, n_metrics] */
};

struct weir_circuit_options {
    const weir_metric *const *metrics; /* [n_metrics] of the clean prompt in the circuit, of either prompt as it is */
    size_t n_metrics;
    weir_status (*progress)(size_t done, size_t all, void *payload); /* of prompts; NULL: nobody watches */
    void *payload;
};

/* Measures a circuit: prompts 2 i and 2 i + 1 are the clean and the corrupt one of pair i, of equally many tokens. What
   an edge outside it brings is what its writer writes in the corrupt prompt, in the place of what it writes in this
   very pass (Hanna et al. 2024). @return WEIR_E_USAGE for a pair of unequal lengths; what a callback returned. */
WEIR_CHECKED weir_status weir_circuit_measure(const struct weir_circuit_values *values,
                                              const struct weir_circuit *circuit, weir_run *run,
                                              const weir_tokens *prompts, size_t n_pairs,
                                              const struct weir_circuit_options *options);

#endif
