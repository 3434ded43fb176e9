/* The likely next tokens that a file stores of one prompt. */
#ifndef WEIR_CLI_SELECT_NEXT_H
#define WEIR_CLI_SELECT_NEXT_H

#include "base/status.h"

/* All zero is closed. */
struct stored_next {
    int prompt;
    size_t n_rows, n_next;
    int32_t *ids;             /* [n_rows, n_next] the likeliest first, and so on; NULL: not read */
    float *logits, *logprobs; /* [n_rows, n_next] */
};

/* Reads those of all stored positions. Close after a failure too. */
WEIR_CHECKED weir_status stored_next_read(struct stored_next *out, const weir_file *file, int prompt);
void stored_next_close(struct stored_next *next);

#endif
