/* Loads what the parts of a model are made of, vectors, norms and matrices, from their tensors. Errors name the file
   and the tensor. */
#ifndef WEIR_MODEL_LOAD_H
#define WEIR_MODEL_LOAD_H

#include "model/tensor_names.h"

/* ---- vectors: float32, owned by the model ---- */

WEIR_CHECKED weir_status weir_new_vector(float **out, struct weir_model *model, size_t n);
WEIR_CHECKED weir_status weir_load_vector(float **out, struct weir_model *model, const struct weir_tensor *tensor,
                                          size_t n);
/* NULL where the part has none and needs none. */
WEIR_CHECKED weir_status weir_load_bias(float **out, struct weir_model *model, enum weir_role role,
                                        struct weir_place at, size_t n);
WEIR_CHECKED weir_status weir_load_norm(struct weir_norm *norm, struct weir_model *model, enum weir_role role,
                                        struct weir_place at, enum weir_norm_kind kind, size_t d);
/* Of queries or keys: one vector over all heads, however the file keeps it. */
WEIR_CHECKED weir_status weir_load_qk_norm(struct weir_norm *norm, struct weir_model *model, enum weir_role role,
                                           int layer, size_t n_heads);

/* ---- matrices: views into the map of the file ---- */

/* Of a tensor [n_out, n_in], or [n_in, n_out] where it is input-major. */
WEIR_CHECKED weir_status weir_view_matrix(struct weir_matrix *w, const struct weir_tensor *tensor, size_t n_out,
                                          size_t n_in, bool input_major);
WEIR_CHECKED weir_status weir_load_matrix(struct weir_matrix *w, struct weir_model *model, enum weir_role role,
                                          struct weir_place at, size_t n_out, size_t n_in);
/* With its bias. */
WEIR_CHECKED weir_status weir_load_linear(struct weir_linear *linear, struct weir_model *model, enum weir_role role,
                                          struct weir_place at, size_t n_out, size_t n_in);

/* Some rows of a fused matrix: n in total, in runs of `run` that begin at `first` and then every `every` rows. */
struct weir_row_runs {
    size_t first, n, run, every;
};

/* Those outputs of a fused matrix as a separate matrix. */
WEIR_CHECKED weir_status weir_slice_linear(struct weir_linear *out, struct weir_model *model,
                                           const struct weir_linear *fused, struct weir_row_runs rows);
/* llama.cpp's converter reorders the rows of q and k of some families: reads them back in order. */
WEIR_CHECKED weir_status weir_undo_pairs(struct weir_model *model, struct weir_linear *linear, size_t n_out,
                                         size_t d_head);

#endif
