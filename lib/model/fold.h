/* Arithmetic on weights that leaves what a model computes as it is: folding into the map that follows, centring. */
#ifndef WEIR_MODEL_FOLD_H
#define WEIR_MODEL_FOLD_H

#include "model/model.h"

/* A matrix that changes becomes float32 in the model's memory; sums are float64, and every weight is rounded once per
   call. WEIR_E_MEMORY is the only failure. */
struct weir_fold {
    struct weir_model *model;
    struct weir_pool *pool;
};

/* W diag(weight), b + W bias of a norm whose output the map reads; behind a LayerNorm each output's weights lose their
   mean too, which such a norm's output, of mean 0, does not meet. */
WEIR_CHECKED weir_status weir_fold_norm(const struct weir_fold *fold, struct weir_linear *reader,
                                        const struct weir_norm *norm);
/* b + W shift, for a constant shift [n_in] that the map's input no longer has. */
WEIR_CHECKED weir_status weir_fold_shift(const struct weir_fold *fold, struct weir_linear *linear, const float *shift);
/* Takes from every output what all outputs share: the mean over them of weights and bias. */
WEIR_CHECKED weir_status weir_centre_outputs(const struct weir_fold *fold, struct weir_linear *linear);
/* Takes the mean from every row of a table of embeddings. */
WEIR_CHECKED weir_status weir_centre_rows(const struct weir_fold *fold, struct weir_matrix *table);

#endif
