/* Makes the parts of a model from their tensors: vectors, norms, matrices, slices of fused ones. */
#include "model/load.h"

#include "base/alloc.h"

#include <string.h>

/* ---- vectors: norms and biases, small, kept in float32 ---- */

/* i of `pair_rows` in order -> where llama.cpp put it (tensor/matmul.h) */
static void undo_pairs_of_vector(float *out, const float *stored, size_t n, size_t pair_rows)
{
    size_t half = pair_rows / 2;
    for (size_t i = 0; i < n; i++) {
        size_t head = i / pair_rows * pair_rows, in_head = i % pair_rows;
        out[i] = stored[head + (in_head < half ? 2 * in_head : 2 * (in_head - half) + 1)];
    }
}

weir_status weir_new_vector(float **out, struct weir_model *model, size_t n)
{
    TRY(weir_grow(&model->vectors, &model->cap_vectors, model->n_vectors + 1, sizeof *model->vectors));
    TRY(weir_alloc_aligned(out, n, sizeof **out));
    model->vectors[model->n_vectors++] = *out;
    return WEIR_OK;
}

weir_status weir_load_vector(float **out, struct weir_model *model, const struct weir_tensor *tensor, size_t n)
{
    if (tensor->n != n || (tensor->n_dims != 1 && !model->config.lens_layout))
        return weir_wrong_shape(tensor, n, 0);
    TRY(weir_new_vector(out, model, n));
    weir_to_f32(*out, tensor->data, tensor->type, n);
    return WEIR_OK;
}

weir_status weir_load_bias(float **out, struct weir_model *model, enum weir_role role, struct weir_place at, size_t n)
{
    char name[WEIR_NAME_SIZE];
    const struct weir_tensor *tensor = weir_take_tensor(model, role, at, WEIR_TENSOR_BIAS, name);
    *out = NULL;
    if (tensor)
        return weir_load_vector(out, model, tensor, n);
    bool filled_in = model->config.lens_layout && role == WEIR_R_UNEMBED; /* TransformerLens does */
    bool needed = model->config.biases >> role & 1 && !filled_in;
    return needed ? weir_tensor_missing(model, name) : WEIR_OK;
}

/* Weights that a file keeps less one. */
static void add_one(const struct weir_model *model, float *weight, size_t n)
{
    bool added = model->gguf && model->family->gguf_adds_one;
    for (size_t i = 0; model->config.norm_plus_one && !added && i < n; i++)
        weight[i] += 1;
}

weir_status weir_load_norm(struct weir_norm *norm, struct weir_model *model, enum weir_role role, struct weir_place at,
                           enum weir_norm_kind kind, size_t d)
{
    char name[WEIR_NAME_SIZE];
    norm->kind = kind;
    norm->d = d;
    if (kind == WEIR_NORM_NONE || model->config.norms_bare || !model->family->names[role])
        return WEIR_OK;
    const struct weir_tensor *tensor = weir_take_tensor(model, role, at, WEIR_TENSOR_WEIGHT, name);
    if (!tensor)
        return weir_tensor_missing(model, name);
    TRY(weir_load_vector(&norm->weight, model, tensor, d));
    add_one(model, norm->weight, d);
    return weir_load_bias(&norm->bias, model, role, at, d);
}

/* ---- norms of queries and keys: one vector over all heads, however they are kept ---- */

static void repeat_vector(float *out, const float *vector, size_t n, size_t times)
{
    for (size_t i = 0; i < times; i++)
        memcpy(out + i * n, vector, n * sizeof *out);
}

/* A tensor of [d_head], [head, d_head] or [head * d_head] into out [head * d_head]. */
static weir_status read_head_vector(float *out, const struct weir_tensor *tensor, size_t n_heads, size_t d_head,
                                    enum weir_qk_norm scope)
{
    bool shared = scope == WEIR_QK_NORM_HEAD && tensor->n == d_head;
    if (!shared && tensor->n != n_heads * d_head)
        return weir_wrong_shape(tensor, scope == WEIR_QK_NORM_HEAD ? d_head : n_heads * d_head, 0);
    weir_to_f32(out, tensor->data, tensor->type, tensor->n);
    if (shared)
        repeat_vector(out + d_head, out, d_head, n_heads - 1);
    return WEIR_OK;
}

/* One tensor a head (StableLM). */
static weir_status read_heads(float *out, struct weir_model *model, enum weir_role role, int layer, size_t n_heads,
                              size_t d_head)
{
    char name[WEIR_NAME_SIZE];
    for (size_t head = 0; head < n_heads; head++) {
        const struct weir_tensor *tensor =
            weir_take_tensor(model, role, (struct weir_place){layer, (int)head}, WEIR_TENSOR_WEIGHT, name);
        if (!tensor)
            return weir_tensor_missing(model, name);
        TRY(read_head_vector(out + head * d_head, tensor, 1, d_head, WEIR_QK_NORM_HEAD));
    }
    return WEIR_OK;
}

weir_status weir_load_qk_norm(struct weir_norm *norm, struct weir_model *model, enum weir_role role, int layer,
                              size_t n_heads)
{
    const struct weir_layer_spec *spec = &model->layers[layer].spec;
    size_t d_head = (size_t)spec->d_head, n = n_heads * d_head;
    const char *pattern = weir_pattern_of(model, role);
    struct weir_place at = {layer, -1};
    char name[WEIR_NAME_SIZE];
    norm->kind = spec->qk_norm ? spec->qk_norm_kind : WEIR_NORM_NONE;
    if (norm->kind == WEIR_NORM_NONE)
        return WEIR_OK;
    TRY(weir_new_vector(&norm->weight, model, n));
    const struct weir_tensor *tensor = NULL;
    if (pattern && strstr(pattern, "[]"))
        TRY(read_heads(norm->weight, model, role, layer, n_heads, d_head));
    else if (!(tensor = weir_take_tensor(model, role, at, WEIR_TENSOR_WEIGHT, name)))
        return weir_tensor_missing(model, name);
    else
        TRY(read_head_vector(norm->weight, tensor, n_heads, d_head, spec->qk_norm));
    add_one(model, norm->weight, n);
    tensor = weir_take_tensor(model, role, at, WEIR_TENSOR_BIAS, name);
    if (!tensor)
        return WEIR_OK;
    TRY(weir_new_vector(&norm->bias, model, n));
    return read_head_vector(norm->bias, tensor, n_heads, d_head, spec->qk_norm);
}

/* ---- matrices: views into the map ---- */

weir_status weir_view_matrix(struct weir_matrix *w, const struct weir_tensor *tensor, size_t n_out, size_t n_in,
                             bool input_major)
{
    size_t rows = input_major ? n_in : n_out, columns = input_major ? n_out : n_in;
    if (tensor->n_dims != 2 || tensor->shape[0] != rows || tensor->shape[1] != columns)
        return weir_wrong_shape(tensor, rows, columns);
    if (columns % weir_type_get_info(tensor->type)->block_values != 0)
        return weir_fail(WEIR_E_INPUT, "%s: tensor '%s': rows of %zu are not whole blocks of %s", tensor->file,
                         tensor->name, columns, weir_type_get_info(tensor->type)->name);
    *w = (struct weir_matrix){.data = tensor->data,
                              .type = tensor->type,
                              .n_out = n_out,
                              .n_in = n_in,
                              .stride = columns,
                              .input_major = input_major};
    return WEIR_OK;
}

/* A tensor [head, d_model, d_head]: an input-major matrix whose outputs are in runs of a head. */
static weir_status view_heads(struct weir_matrix *w, const struct weir_model *model, const struct weir_tensor *tensor,
                              size_t n_out, size_t n_in)
{
    size_t d_head = (size_t)model->config.d_head;
    const size_t shape[] = {n_out / d_head, n_in, d_head};
    if (!weir_has_shape3(tensor, shape))
        return weir_not_of_shape(tensor, shape, 3);
    *w = (struct weir_matrix){.data = tensor->data,
                              .type = tensor->type,
                              .n_out = n_out,
                              .n_in = n_in,
                              .stride = d_head,
                              .input_major = true,
                              .group_rows = d_head,
                              .group_stride = n_in * d_head};
    return WEIR_OK;
}

weir_status weir_load_matrix(struct weir_matrix *w, struct weir_model *model, enum weir_role role, struct weir_place at,
                             size_t n_out, size_t n_in)
{
    char name[WEIR_NAME_SIZE];
    const struct weir_tensor *tensor = weir_take_tensor(model, role, at, WEIR_TENSOR_WEIGHT, name);
    bool lens = model->config.lens_layout, by_rows = role == WEIR_R_EMBED || role == WEIR_R_POS_EMBED;
    bool table = by_rows || (role == WEIR_R_UNEMBED && !lens);
    if (!tensor)
        return weir_tensor_missing(model, name);
    if (lens && (role == WEIR_R_Q || role == WEIR_R_K || role == WEIR_R_V))
        return view_heads(w, model, tensor, n_out, n_in);
    struct weir_tensor flat = *tensor;
    if (lens && role == WEIR_R_O && tensor->n_dims == 3) { /* [head, d_head, d_model] is [head * d_head, d_model] */
        flat.n_dims = 2;
        flat.shape[0] = tensor->n / (tensor->shape[2] ? tensor->shape[2] : 1);
        flat.shape[1] = tensor->shape[2];
    }
    return weir_view_matrix(w, &flat, n_out, n_in, !table && !model->gguf && model->config.input_major);
}

weir_status weir_load_linear(struct weir_linear *linear, struct weir_model *model, enum weir_role role,
                             struct weir_place at, size_t n_out, size_t n_in)
{
    TRY(weir_load_matrix(&linear->w, model, role, at, n_out, n_in));
    return weir_load_bias(&linear->bias, model, role, at, n_out);
}

/* ---- fused matrices ---- */

static weir_status slice_bias(float **out, struct weir_model *model, const float *fused, struct weir_row_runs rows)
{
    *out = NULL;
    if (!fused)
        return WEIR_OK;
    TRY(weir_new_vector(out, model, rows.n));
    for (size_t i = 0; i < rows.n; i++)
        (*out)[i] = fused[rows.first + i / rows.run * rows.every + i % rows.run];
    return WEIR_OK;
}

weir_status weir_slice_linear(struct weir_linear *out, struct weir_model *model, const struct weir_linear *fused,
                              struct weir_row_runs rows)
{
    const struct weir_type_info *type = weir_type_get_info(fused->w.type);
    size_t skipped = fused->w.input_major ? rows.first : rows.first * fused->w.stride;
    if (fused->w.input_major && type->block_values != 1)
        return weir_fail(WEIR_E_UNSUPPORTED, "a fused matrix of type %s cannot be split by columns", type->name);
    *out = *fused;
    out->w.data += skipped / type->block_values * type->block_bytes;
    out->w.scales = fused->w.scales ? fused->w.scales + skipped / 32 : NULL;
    out->w.n_out = rows.n;
    out->w.group_rows = rows.run == rows.n ? 0 : rows.run;
    out->w.group_stride = rows.run == rows.n ? 0 : rows.every;
    return slice_bias(&out->bias, model, fused->bias, rows);
}

weir_status weir_undo_pairs(struct weir_model *model, struct weir_linear *linear, size_t n_out, size_t d_head)
{
    float *bias;
    linear->w.pair_rows = d_head;
    if (!linear->bias)
        return WEIR_OK;
    TRY(weir_new_vector(&bias, model, n_out));
    undo_pairs_of_vector(bias, linear->bias, n_out, d_head);
    linear->bias = bias;
    return WEIR_OK;
}
