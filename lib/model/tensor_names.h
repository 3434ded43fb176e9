/* The tensors of a model's parts, found by the names that its family uses. Errors name the file and the tensor. */
#ifndef WEIR_MODEL_TENSOR_NAMES_H
#define WEIR_MODEL_TENSOR_NAMES_H

#include "model/model.h"

enum { WEIR_NAME_SIZE = 200 };

/* The place of a part in the model: its layer, and its expert or head where each has one. */
struct weir_place {
    int layer, index;
};

static const struct weir_place weir_outside = {-1, -1}; /* the layers */

/* The tensors of one part. MXFP4 has the values and the scales of a weight in separate ones. */
enum weir_tensor_part { WEIR_TENSOR_WEIGHT, WEIR_TENSOR_BIAS, WEIR_TENSOR_BLOCKS, WEIR_TENSOR_SCALES };

/* The names of a part's tensors: "h.{}.attn", alternatives with | between; NULL where the family has no such part. */
const char *weir_pattern_of(const struct weir_model *model, enum weir_role role);
/* Finds what this file's names begin with: the family's prefix, less of it, or more in front (torch.compile's
   "_orig_mod."), which is noted. For before any tensor is taken. */
WEIR_CHECKED weir_status weir_find_prefix(struct weir_model *model);
/* The tensor of a part, which from now on counts as used; NULL when there is none that can be read. `name` gets its
   name, or one that was looked for. */
const struct weir_tensor *weir_take_tensor(struct weir_model *model, enum weir_role role, struct weir_place at,
                                           enum weir_tensor_part which, char name[WEIR_NAME_SIZE]);
/* True where there is one. Does not count it as used. */
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

#endif
