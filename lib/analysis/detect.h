/* The keys that a detection pattern names, query by query. The three that have names are TransformerLens's; a fourth is
   a matrix of the user's. */
#ifndef WEIR_ANALYSIS_DETECT_H
#define WEIR_ANALYSIS_DETECT_H

#include "base/status.h"

enum weir_detection {
    WEIR_DETECT_PREVIOUS,  /* previous_token_head: the key before the query */
    WEIR_DETECT_DUPLICATE, /* duplicate_token_head: earlier keys that hold the query's token */
    WEIR_DETECT_INDUCTION, /* induction_head: the keys after those */
    WEIR_DETECT_MATRIX,
    WEIR_N_DETECTIONS
};

/* ---- detect.c ---- */

/* One prompt's tokens. */
struct weir_echoes {
    int32_t *last; /* [n] where each token stood last before; -1: nowhere */
    size_t n;
};

WEIR_CHECKED weir_status weir_echoes_open(struct weir_echoes *out, const int32_t *ids, size_t n);
void weir_echoes_close(struct weir_echoes *echoes);

/* The keys that `query` should look at by a named pattern, falling: begin with *key = -1 and go on while true. */
bool weir_detect_next(int32_t *key, const struct weir_echoes *echoes, enum weir_detection which, size_t query);

/* ---- matrix.c ---- */

/* The weight that each query should give to each key. */
struct weir_detection_matrix {
    char *path;
    float *values; /* [n, n] query, key */
    size_t n;
};

/* Reads a .npy file of floats, or text: a line per query, numbers separated by commas or blanks. WEIR_E_INPUT, naming
   the place, unless it is square, finite and 0 above the diagonal. */
WEIR_CHECKED weir_status weir_detection_matrix_read(struct weir_detection_matrix **out, const char *path);
/* The same from n bytes, which messages call `name`. */
WEIR_CHECKED weir_status weir_detection_matrix_parse(struct weir_detection_matrix **out, const char *name,
                                                     const void *bytes, size_t n);
void weir_detection_matrix_close(struct weir_detection_matrix *matrix);

#endif
