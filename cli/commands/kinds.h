/* The parts of a model as short texts, for weir info: "" where it has no such part. */
#ifndef WEIR_CLI_COMMANDS_KINDS_H
#define WEIR_CLI_COMMANDS_KINDS_H

#include "model/model.h"

enum { MOST_KIND = 160 };

/* "Q4_K, Q6_K, F32": the types of the tensors in use, those with the most bytes first. */
void weights_text(char to[MOST_KIND], const struct weir_model *model);
/* "RMS norm before the branches and after them" */
void norms_text(char to[MOST_KIND], const struct weir_model *model);
/* "SiLU, gated" */
void activation_text(char to[MOST_KIND], const struct weir_model *model);
/* "rotary, theta 500000, llama3 scaling by 8; the last 512 keys in 20 of 26 layers" */
void positions_text(char to[MOST_KIND], const struct weir_model *model);
/* "8 of 64 a token in 15 of 16 layers" */
void experts_text(char to[MOST_KIND], const struct weir_model *model);
/* "the embedding", "its own", "none: no logits" */
const char *unembedding_text(const struct weir_model *model);

#endif
