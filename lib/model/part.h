/* What the parts of a model are made of: tensors found by their names in a family's table (find.c), and the vectors,
   norms and matrices made from them (part.c). Errors name the file and the tensor. */
#ifndef WEIR_MODEL_PART_H
#define WEIR_MODEL_PART_H

#include "model/model.h"

enum { WEIR_NAME_SIZE = 200 };

/* Which of a model's parts: the layer, and the expert or head where there is one of each. */
struct weir_place {
    int layer, index;
};

static const struct weir_place weir_outside = {-1, -1}; /* the layers */

/* Which of a part's tensors: MXFP4 has a weight's values and scales apart. */
enum weir_tensor_part { WEIR_TENSOR_WEIGHT, WEIR_TENSOR_BIAS, WEIR_TENSOR_BLOCKS, WEIR_TENSOR_SCALES };

/* ---- find.c ---- */

/* The names of a part's tensors: "h.{}.attn", alternatives with | between; NULL where the family has no such part. */
const char *weir_pattern_of(const struct weir_model *model, enum weir_role role);
/* What this file's names begin with: the family's prefix, less of it, or more in front (torch.compile's "_orig_mod."),
   which is noted. For before any tensor is taken. */
WEIR_CHECKED weir_status weir_find_prefix(struct weir_model *model);
/* The tensor of a part, which from now on counts as used; NULL when there is none that can be read. `name` gets its
   name, or one that was looked for. */
const struct weir_tensor *weir_take_tensor(struct weir_model *model, enum weir_role role, struct weir_place at,
                                           enum weir_tensor_part which, char name[WEIR_NAME_SIZE]);
/* Whether there is one, without using it. */
bool weir_has_tensor(const struct weir_model *model, enum weir_role role, struct weir_place at,
                     enum weir_tensor_part which);
bool weir_has_shape3(const struct weir_tensor *tensor, const size_t wanted[3]);

/* WEIR_E_UNSUPPORTED, naming the first tensor that was wanted and cannot be read; WEIR_OK where there was none. */
WEIR_CHECKED weir_status weir_check_unread(const struct weir_model *model);
/* The same, or WEIR_E_INPUT: it is missing, and what is there in its place. */
weir_status weir_tensor_missing(const struct weir_model *model, const char *name);
/* WEIR_E_INPUT; `wanted` has n dimensions, up to 4; a matrix, or a vector where `columns` is 0. */
weir_status weir_not_of_shape(const struct weir_tensor *tensor, const size_t *wanted, int n);
weir_status weir_wrong_shape(const struct weir_tensor *tensor, size_t rows, size_t columns);

/* ---- part.c: vectors, in float32, belong to the model ---- */

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

/* ---- part.c: matrices are views into the map of the file ---- */

/* Of a tensor [n_out, n_in], or [n_in, n_out] where it is input-major. */
WEIR_CHECKED weir_status weir_view_matrix(struct weir_matrix *w, const struct weir_tensor *tensor, size_t n_out,
                                          size_t n_in, bool input_major);
WEIR_CHECKED weir_status weir_load_matrix(struct weir_matrix *w, struct weir_model *model, enum weir_role role,
                                          struct weir_place at, size_t n_out, size_t n_in);
/* With its bias. */
WEIR_CHECKED weir_status weir_load_linear(struct weir_linear *linear, struct weir_model *model, enum weir_role role,
                                          struct weir_place at, size_t n_out, size_t n_in);

/* Which rows of a fused matrix: n in all, in runs of `run` that begin at `first` and every `every` rows. */
struct weir_rows {
    size_t first, n, run, every;
};

/* Those outputs of a fused matrix as a matrix of their own. */
WEIR_CHECKED weir_status weir_cut_linear(struct weir_linear *out, struct weir_model *model,
                                         const struct weir_linear *fused, struct weir_rows rows);
/* llama.cpp's converter reorders the rows of q and k of some families: reads them back in order. */
WEIR_CHECKED weir_status weir_undo_pairs(struct weir_model *model, struct weir_linear *linear, size_t n_out,
                                         size_t d_head);

#endif
