/* From named tensors to the parts of a model: which tensor is what, and whether it has the shape that the config says.
 */
#include "base/alloc.h"
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 200 };

/* ---- finding tensors ---- */

/* Appends text[0..n) with "{}" and "[]" filled in. */
static void expand(char out[NAME_SIZE], size_t at, const char *text, size_t n, int layer, int index)
{
    for (size_t i = 0; i < n && at < NAME_SIZE - 1; i++) {
        bool layer_hole = text[i] == '{', index_hole = text[i] == '[';
        if (layer_hole || index_hole) {
            at += (size_t)snprintf(out + at, NAME_SIZE - at, "%d", layer_hole ? layer : index);
            i++; /* its closing bracket */
        } else {
            out[at++] = text[i];
        }
    }
    out[at < NAME_SIZE - 1 ? at : NAME_SIZE - 1] = '\0';
}

static const char *pattern_of(const struct weir_model *model, enum weir_role role)
{
    return model->gguf ? weir_gguf_names[role] : model->family->names[role];
}

/* Which of a layer's parts: the layer, and the expert or head where there is one of each. */
struct place {
    int layer, index;
};

static const struct place outside = {-1, -1};

/* Which of a part's tensors: MXFP4 has a weight's values and scales apart. */
enum tensor { WEIGHT, BIAS, BLOCKS, SCALES };

/* The tensor's name by pattern[0..n): one name that gets an ending, or the weight's and the bias's with a comma
   between. Empty where the pattern says that there is none. */
static void make_name(char out[NAME_SIZE], const char *prefix, const char *pattern, size_t n, struct place at,
                      enum tensor which)
{
    static const char *const endings[] = {
        [WEIGHT] = ".weight", [BIAS] = ".bias", [BLOCKS] = "_blocks", [SCALES] = "_scales"};
    size_t comma = strcspn(pattern, ",|");
    bool whole = comma < n;
    const char *from = whole && which == BIAS ? pattern + comma + 1 : pattern;
    size_t length = !whole ? n : which == BIAS ? n - comma - 1 : comma;
    out[0] = '\0';
    if (length == 0)
        return;
    expand(out, 0, prefix, strlen(prefix), 0, 0);
    expand(out, strlen(out), from, length, at.layer, at.index);
    if (!whole || which == BLOCKS || which == SCALES)
        expand(out, strlen(out), endings[which], strlen(endings[which]), 0, 0);
}

/* One name of a pattern, without the family's prefix (files saved without a head have none) and with it. */
static const struct weir_tensor *find_one(const struct weir_model *model, enum weir_role role, const char *pattern,
                                          size_t n, struct place at, enum tensor which, char name[NAME_SIZE])
{
    const char *prefix = model->gguf || !model->family->prefix || role == WEIR_R_UNEMBED ? "" : model->family->prefix;
    make_name(name, "", pattern, n, at, which);
    const struct weir_tensor *found = weir_tensors_find(model->tensors, name);
    if (found || !*prefix)
        return found;
    make_name(name, prefix, pattern, n, at, which);
    return weir_tensors_find(model->tensors, name);
}

/* The tensor of a part; NULL when there is none. `name` gets its name, or one that was looked for. */
static const struct weir_tensor *find(const struct weir_model *model, enum weir_role role, struct place at,
                                      enum tensor which, char name[NAME_SIZE])
{
    const char *pattern = pattern_of(model, role);
    name[0] = '\0';
    while (pattern && *pattern) {
        size_t n = strcspn(pattern, "|");
        const struct weir_tensor *found = find_one(model, role, pattern, n, at, which, name);
        if (found)
            return found;
        pattern += n + (pattern[n] == '|');
    }
    return NULL;
}

static bool has(const struct weir_model *model, enum weir_role role, struct place at)
{
    char name[NAME_SIZE];
    return find(model, role, at, WEIGHT, name) != NULL;
}

static weir_status missing(const struct weir_model *model, const char *name)
{
    return weir_fail(WEIR_E_INPUT, "%s: tensor '%s' is missing", model->path, name);
}

/* `wanted` has n dimensions, up to 4. */
static weir_status not_of_shape(const struct weir_tensor *tensor, const size_t *wanted, int n)
{
    char have[96] = "", want[96] = "";
    size_t at = 0;
    for (int i = 0; i < tensor->n_dims && at < sizeof have; i++)
        at += (size_t)snprintf(have + at, sizeof have - at, "%s%zu", i ? ", " : "", tensor->shape[i]);
    at = 0;
    for (int i = 0; i < n && at < sizeof want; i++)
        at += (size_t)snprintf(want + at, sizeof want - at, "%s%zu", i ? ", " : "", wanted[i]);
    return weir_fail(WEIR_E_INPUT, "%s: tensor '%s' has shape [%s], the config makes it [%s]", tensor->file,
                     tensor->name, have, want);
}

/* A matrix, or a vector where `columns` is 0. */
static weir_status wrong_shape(const struct weir_tensor *tensor, size_t rows, size_t columns)
{
    return not_of_shape(tensor, (const size_t[]){rows, columns}, columns ? 2 : 1);
}

static bool has_shape3(const struct weir_tensor *tensor, const size_t wanted[3])
{
    return tensor->n_dims == 3 && memcmp(tensor->shape, wanted, 3 * sizeof *wanted) == 0;
}

/* ---- vectors: norms and biases, small, kept in float32 ---- */

/* i of `pair_rows` in order -> where llama.cpp put it (tensor/matmul.h) */
static void unpair(float *out, const float *stored, size_t n, size_t pair_rows)
{
    size_t half = pair_rows / 2;
    for (size_t i = 0; i < n; i++) {
        size_t head = i / pair_rows * pair_rows, in_head = i % pair_rows;
        out[i] = stored[head + (in_head < half ? 2 * in_head : 2 * (in_head - half) + 1)];
    }
}

static weir_status new_vector(float **out, struct weir_model *model, size_t n)
{
    TRY(weir_grow(&model->vectors, &model->cap_vectors, model->n_vectors + 1, sizeof *model->vectors));
    TRY(weir_alloc_aligned(out, n, sizeof **out));
    model->vectors[model->n_vectors++] = *out;
    return WEIR_OK;
}

static weir_status load_vector(float **out, struct weir_model *model, const struct weir_tensor *tensor, size_t n)
{
    if (tensor->n != n || (tensor->n_dims != 1 && !model->config.lens_layout))
        return wrong_shape(tensor, n, 0);
    TRY(new_vector(out, model, n));
    weir_to_f32(*out, tensor->data, tensor->type, n);
    return WEIR_OK;
}

/* The bias of a part, where there is one. */
static weir_status load_bias(float **out, struct weir_model *model, enum weir_role role, struct place at, size_t n)
{
    char name[NAME_SIZE];
    const struct weir_tensor *tensor = find(model, role, at, BIAS, name);
    *out = NULL;
    if (tensor)
        return load_vector(out, model, tensor, n);
    bool needed = (model->family->biased && role != WEIR_R_UNEMBED) || model->config.biases >> role & 1;
    return needed ? missing(model, name) : WEIR_OK;
}

/* Weights that a file keeps less one. */
static void add_one(const struct weir_model *model, float *weight, size_t n)
{
    bool added = model->gguf && model->family->gguf_adds_one;
    for (size_t i = 0; model->config.norm_plus_one && !added && i < n; i++)
        weight[i] += 1;
}

static weir_status load_norm(struct weir_norm *norm, struct weir_model *model, enum weir_role role, struct place at,
                             enum weir_norm_kind kind, size_t d)
{
    char name[NAME_SIZE];
    const struct weir_tensor *tensor = find(model, role, at, WEIGHT, name);
    norm->kind = kind;
    norm->d = d;
    if (kind == WEIR_NORM_NONE || model->config.norms_bare || !model->family->names[role])
        return WEIR_OK;
    if (!tensor)
        return missing(model, name);
    TRY(load_vector(&norm->weight, model, tensor, d));
    add_one(model, norm->weight, d);
    return load_bias(&norm->bias, model, role, at, d);
}

/* ---- norms of queries and keys: one vector over all heads, however they are kept ---- */

static void repeat(float *out, const float *vector, size_t n, size_t times)
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
        return wrong_shape(tensor, scope == WEIR_QK_NORM_HEAD ? d_head : n_heads * d_head, 0);
    weir_to_f32(out, tensor->data, tensor->type, tensor->n);
    if (shared)
        repeat(out + d_head, out, d_head, n_heads - 1);
    return WEIR_OK;
}

/* One tensor a head (StableLM). */
static weir_status read_heads(float *out, struct weir_model *model, enum weir_role role, int layer, size_t n_heads,
                              size_t d_head)
{
    char name[NAME_SIZE];
    for (size_t head = 0; head < n_heads; head++) {
        const struct weir_tensor *tensor = find(model, role, (struct place){layer, (int)head}, WEIGHT, name);
        if (!tensor)
            return missing(model, name);
        TRY(read_head_vector(out + head * d_head, tensor, 1, d_head, WEIR_QK_NORM_HEAD));
    }
    return WEIR_OK;
}

static weir_status load_qk_norm(struct weir_norm *norm, struct weir_model *model, enum weir_role role, int layer,
                                size_t n_heads)
{
    const struct weir_layer_spec *spec = &model->layers[layer].spec;
    size_t d_head = (size_t)spec->d_head, n = n_heads * d_head;
    const char *pattern = pattern_of(model, role);
    struct place at = {layer, -1};
    char name[NAME_SIZE];
    norm->kind = spec->qk_norm ? spec->qk_norm_kind : WEIR_NORM_NONE;
    if (norm->kind == WEIR_NORM_NONE)
        return WEIR_OK;
    TRY(new_vector(&norm->weight, model, n));
    const struct weir_tensor *tensor = find(model, role, at, WEIGHT, name);
    if (pattern && strstr(pattern, "[]"))
        TRY(read_heads(norm->weight, model, role, layer, n_heads, d_head));
    else if (!tensor)
        return missing(model, name);
    else
        TRY(read_head_vector(norm->weight, tensor, n_heads, d_head, spec->qk_norm));
    add_one(model, norm->weight, n);
    tensor = find(model, role, at, BIAS, name);
    if (!tensor)
        return WEIR_OK;
    TRY(new_vector(&norm->bias, model, n));
    return read_head_vector(norm->bias, tensor, n_heads, d_head, spec->qk_norm);
}

/* ---- matrices: views into the map ---- */

/* Checks a tensor against n_out and n_in and makes the view. */
static weir_status view(struct weir_matrix *w, const struct weir_tensor *tensor, size_t n_out, size_t n_in,
                        bool input_major)
{
    size_t rows = input_major ? n_in : n_out, columns = input_major ? n_out : n_in;
    if (tensor->n_dims != 2 || tensor->shape[0] != rows || tensor->shape[1] != columns)
        return wrong_shape(tensor, rows, columns);
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

/* A tensor [head, d_model, d_head]: an input-major matrix whose outputs stand in runs of a head. */
static weir_status view_heads(struct weir_matrix *w, const struct weir_model *model, const struct weir_tensor *tensor,
                              size_t n_out, size_t n_in)
{
    size_t d_head = (size_t)model->config.d_head;
    const size_t shape[] = {n_out / d_head, n_in, d_head};
    if (!has_shape3(tensor, shape))
        return not_of_shape(tensor, shape, 3);
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

static weir_status load_matrix(struct weir_matrix *w, struct weir_model *model, enum weir_role role, struct place at,
                               size_t n_out, size_t n_in)
{
    char name[NAME_SIZE];
    const struct weir_tensor *tensor = find(model, role, at, WEIGHT, name);
    bool lens = model->config.lens_layout, by_rows = role == WEIR_R_EMBED || role == WEIR_R_POS_EMBED;
    bool table = by_rows || (role == WEIR_R_UNEMBED && !lens);
    if (!tensor)
        return missing(model, name);
    if (lens && (role == WEIR_R_Q || role == WEIR_R_K || role == WEIR_R_V))
        return view_heads(w, model, tensor, n_out, n_in);
    struct weir_tensor flat = *tensor;
    if (lens && role == WEIR_R_O && tensor->n_dims == 3) { /* [head, d_head, d_model] is [head * d_head, d_model] */
        flat.n_dims = 2;
        flat.shape[0] = tensor->n / (tensor->shape[2] ? tensor->shape[2] : 1);
        flat.shape[1] = tensor->shape[2];
    }
    return view(w, &flat, n_out, n_in, !table && !model->gguf && model->config.input_major);
}

static weir_status load_linear(struct weir_linear *linear, struct weir_model *model, enum weir_role role,
                               struct place at, size_t n_out, size_t n_in)
{
    TRY(load_matrix(&linear->w, model, role, at, n_out, n_in));
    return load_bias(&linear->bias, model, role, at, n_out);
}

/* ---- fused matrices ---- */

/* Which rows of a fused matrix: n in all, in runs of `run` that begin at `first` and every `every` rows. */
struct rows {
    size_t first, n, run, every;
};

static weir_status cut_bias(float **out, struct weir_model *model, const float *fused, struct rows rows)
{
    *out = NULL;
    if (!fused)
        return WEIR_OK;
    TRY(new_vector(out, model, rows.n));
    for (size_t i = 0; i < rows.n; i++)
        (*out)[i] = fused[rows.first + i / rows.run * rows.every + i % rows.run];
    return WEIR_OK;
}

/* Those outputs of a fused matrix as a matrix of their own. */
static weir_status cut(struct weir_linear *out, struct weir_model *model, const struct weir_linear *fused,
                       struct rows rows)
{
    const struct weir_type_info *type = weir_type_get_info(fused->w.type);
    size_t skipped = fused->w.input_major ? rows.first : rows.first * fused->w.stride;
    if (fused->w.input_major && type->block_values != 1)
        return weir_fail(WEIR_E_UNSUPPORTED, "a fused matrix of type %s cannot be cut by columns", type->name);
    *out = *fused;
    out->w.data += skipped / type->block_values * type->block_bytes;
    out->w.scales = fused->w.scales ? fused->w.scales + skipped / 32 : NULL;
    out->w.n_out = rows.n;
    out->w.group_rows = rows.run == rows.n ? 0 : rows.run;
    out->w.group_stride = rows.run == rows.n ? 0 : rows.every;
    return cut_bias(&out->bias, model, fused->bias, rows);
}

static weir_status load_fused_qkv(struct weir_layer *layer, struct weir_model *model, int index)
{
    size_t d_head = (size_t)layer->spec.d_head, n_kv_heads = (size_t)layer->spec.n_kv_heads;
    size_t shared = (size_t)layer->spec.n_heads / n_kv_heads * d_head, group = shared + 2 * d_head;
    size_t n_q = n_kv_heads * shared, n_kv = n_kv_heads * d_head;
    struct weir_linear fused = {0};
    struct rows q = {0, n_q, shared, group}, k = {shared, n_kv, d_head, group},
                v = {shared + d_head, n_kv, d_head, group};
    if (model->config.qkv_concat) {
        q = (struct rows){0, n_q, n_q, n_q};
        k = (struct rows){n_q, n_kv, n_kv, n_kv};
        v = (struct rows){n_q + n_kv, n_kv, n_kv, n_kv};
    }
    TRY(load_linear(&fused, model, WEIR_R_QKV, (struct place){index, -1}, n_q + 2 * n_kv,
                    (size_t)model->config.d_model));
    TRY(cut(&layer->q, model, &fused, q));
    TRY(cut(&layer->k, model, &fused, k));
    return cut(&layer->v, model, &fused, v);
}

/* llama.cpp's converter reorders the rows of q and k of some families: read them back in order. */
static weir_status undo_pairs(struct weir_model *model, struct weir_linear *linear, size_t n_out, size_t d_head)
{
    float *bias;
    linear->w.pair_rows = d_head;
    if (!linear->bias)
        return WEIR_OK;
    TRY(new_vector(&bias, model, n_out));
    unpair(bias, linear->bias, n_out, d_head);
    linear->bias = bias;
    return WEIR_OK;
}

static weir_status load_separate_qkv(struct weir_layer *layer, struct weir_model *model, int index)
{
    size_t d_head = (size_t)layer->spec.d_head, d_model = (size_t)model->config.d_model;
    size_t n_q = (size_t)layer->spec.n_heads * d_head, n_kv = (size_t)layer->spec.n_kv_heads * d_head;
    struct place at = {index, -1};
    TRY(load_linear(&layer->q, model, WEIR_R_Q, at, n_q, d_model));
    TRY(load_linear(&layer->k, model, WEIR_R_K, at, n_kv, d_model));
    TRY(load_linear(&layer->v, model, WEIR_R_V, at, n_kv, d_model));
    if (!model->gguf || !model->family->gguf_rotates_rows)
        return WEIR_OK;
    TRY(undo_pairs(model, &layer->q, n_q, d_head));
    return undo_pairs(model, &layer->k, n_kv, d_head);
}

static weir_status load_sinks(struct weir_layer *layer, struct weir_model *model, struct place at)
{
    char name[NAME_SIZE];
    const struct weir_tensor *tensor = find(model, WEIR_R_SINKS, at, WEIGHT, name);
    if (!layer->spec.sinks)
        return WEIR_OK;
    return tensor ? load_vector(&layer->sinks, model, tensor, (size_t)layer->spec.n_heads) : missing(model, name);
}

static weir_status load_attention(struct weir_layer *layer, struct weir_model *model, int index)
{
    struct place at = {index, -1};
    size_t n_q = (size_t)layer->spec.n_heads * (size_t)layer->spec.d_head;
    TRY(has(model, WEIR_R_QKV, at) ? load_fused_qkv(layer, model, index) : load_separate_qkv(layer, model, index));
    TRY(load_qk_norm(&layer->q_norm, model, WEIR_R_Q_NORM, index, (size_t)layer->spec.n_heads));
    TRY(load_qk_norm(&layer->k_norm, model, WEIR_R_K_NORM, index, (size_t)layer->spec.n_kv_heads));
    TRY(load_sinks(layer, model, at));
    return load_linear(&layer->o, model, WEIR_R_O, at, (size_t)model->config.d_model, n_q);
}

/* ---- MLPs ---- */

/* The gate's and the linear branch's rows in one matrix (Phi-3), which a GGUF file calls ffn_up. */
static weir_status load_gate_and_in(struct weir_layer *layer, struct weir_model *model, enum weir_role role,
                                    struct place at, size_t d_mlp, size_t d_model)
{
    struct weir_linear fused = {0};
    TRY(load_linear(&fused, model, role, at, 2 * d_mlp, d_model));
    TRY(cut(&layer->mlp_gate, model, &fused, (struct rows){0, d_mlp, d_mlp, d_mlp}));
    return cut(&layer->mlp_in, model, &fused, (struct rows){d_mlp, d_mlp, d_mlp, d_mlp});
}

static weir_status load_dense(struct weir_layer *layer, struct weir_model *model, struct place at)
{
    size_t d_mlp = (size_t)layer->spec.d_mlp, d_model = (size_t)model->config.d_model;
    bool fused_up = model->gguf && layer->spec.gated && !has(model, WEIR_R_MLP_GATE, at);
    TRY(load_norm(&layer->mlp_norm, model, WEIR_R_MLP_NORM, at, layer->spec.mlp_norm, d_mlp));
    if (has(model, WEIR_R_GATE_AND_IN, at) || fused_up) {
        TRY(load_gate_and_in(layer, model, fused_up ? WEIR_R_MLP_IN : WEIR_R_GATE_AND_IN, at, d_mlp, d_model));
    } else {
        if (layer->spec.gated)
            TRY(load_linear(&layer->mlp_gate, model, WEIR_R_MLP_GATE, at, d_mlp, d_model));
        TRY(load_linear(&layer->mlp_in, model, WEIR_R_MLP_IN, at, d_mlp, d_model));
    }
    return load_linear(&layer->mlp_out, model, WEIR_R_MLP_OUT, at, d_model, d_mlp);
}

/* One expert's bias in a tensor [expert, n_out]. */
static weir_status load_expert_bias(float **out, struct weir_model *model, enum weir_role role, struct place at,
                                    size_t n_out)
{
    size_t n_experts = (size_t)model->config.n_experts, bytes;
    char name[NAME_SIZE];
    const struct weir_tensor *all = find(model, role, at, BIAS, name);
    *out = NULL;
    if (!all)
        return WEIR_OK;
    if (all->n_dims != 2 || all->shape[0] != n_experts || all->shape[1] != n_out)
        return wrong_shape(all, n_experts, n_out);
    TRY(weir_type_bytes(&bytes, all->type, n_out));
    TRY(new_vector(out, model, n_out));
    weir_to_f32(*out, all->data + (size_t)at.index * bytes, all->type, n_out);
    return WEIR_OK;
}

/* One expert of MXFP4: values [expert, n_out, n_in / 32, 16 bytes of two], scales [expert, n_out, n_in / 32]. */
static weir_status load_packed_expert(struct weir_linear *linear, struct weir_model *model, enum weir_role role,
                                      struct place at, size_t n_out, size_t n_in)
{
    size_t n_experts = (size_t)model->config.n_experts, runs = n_in / 32;
    const size_t shape[] = {n_experts, n_out, runs, 16};
    char name[NAME_SIZE];
    const struct weir_tensor *blocks = find(model, role, at, BLOCKS, name);
    const struct weir_tensor *scales = find(model, role, at, SCALES, name);
    if (!scales)
        return missing(model, name);
    if (n_in % 32 != 0 || blocks->type != WEIR_T_FP4 || blocks->n_dims != 4 ||
        memcmp(blocks->shape, shape, sizeof shape) != 0)
        return not_of_shape(blocks, shape, 4);
    if (scales->type != WEIR_T_E8M0 || !has_shape3(scales, shape))
        return not_of_shape(scales, shape, 3);
    linear->w = (struct weir_matrix){.data = blocks->data + (size_t)at.index * n_out * runs * 16,
                                     .type = WEIR_T_FP4,
                                     .n_out = n_out,
                                     .n_in = n_in,
                                     .stride = n_in,
                                     .scales = scales->data + (size_t)at.index * n_out * runs};
    return load_expert_bias(&linear->bias, model, role, at, n_out);
}

/* One expert of a tensor [expert, n_out, n_in] (or [expert, n_in, n_out]), or a tensor of its own. */
static weir_status load_expert_part(struct weir_linear *linear, struct weir_model *model, enum weir_role role,
                                    struct place at, size_t n_out, size_t n_in)
{
    const char *pattern = pattern_of(model, role);
    bool input_major = !model->gguf && model->config.experts_input_major;
    char name[NAME_SIZE];
    if (!pattern || strstr(pattern, "[]"))
        return load_linear(linear, model, role, at, n_out, n_in);
    if (find(model, role, at, BLOCKS, name))
        return load_packed_expert(linear, model, role, at, n_out, n_in);
    const struct weir_tensor *all = find(model, role, at, WEIGHT, name);
    if (!all)
        return missing(model, name);
    const size_t shape[] = {(size_t)model->config.n_experts, input_major ? n_in : n_out, input_major ? n_out : n_in};
    size_t bytes;
    if (!has_shape3(all, shape))
        return not_of_shape(all, shape, 3);
    TRY(weir_type_bytes(&bytes, all->type, n_out * n_in));
    struct weir_tensor one = *all;
    one.n_dims = 2;
    one.shape[0] = shape[1];
    one.shape[1] = shape[2];
    one.n = n_out * n_in;
    one.data += (size_t)at.index * bytes;
    TRY(view(&linear->w, &one, n_out, n_in, input_major));
    return load_expert_bias(&linear->bias, model, role, at, n_out);
}

static weir_status load_expert(struct weir_expert *expert, struct weir_model *model, struct place at, size_t d_expert,
                               size_t d_model)
{
    struct weir_linear fused = {0};
    if (pattern_of(model, WEIR_R_EXPERT_GATE_AND_IN)) {
        TRY(load_expert_part(&fused, model, WEIR_R_EXPERT_GATE_AND_IN, at, 2 * d_expert, d_model));
        TRY(cut(&expert->gate, model, &fused, (struct rows){0, d_expert, 1, 2}));
        TRY(cut(&expert->in, model, &fused, (struct rows){1, d_expert, 1, 2}));
    } else {
        TRY(load_expert_part(&expert->gate, model, WEIR_R_EXPERT_GATE, at, d_expert, d_model));
        TRY(load_expert_part(&expert->in, model, WEIR_R_EXPERT_IN, at, d_expert, d_model));
    }
    return load_expert_part(&expert->out, model, WEIR_R_EXPERT_OUT, at, d_model, d_expert);
}

static weir_status load_sparse(struct weir_layer *layer, struct weir_model *model, int index)
{
    size_t d_expert = (size_t)layer->spec.d_mlp, d_model = (size_t)model->config.d_model;
    size_t n_experts = (size_t)layer->spec.n_experts;
    TRY(load_linear(&layer->router, model, WEIR_R_ROUTER, (struct place){index, -1}, n_experts, d_model));
    layer->router.w.exact = true;
    TRY(weir_alloc_zero(&layer->experts, n_experts, sizeof *layer->experts));
    for (size_t i = 0; i < n_experts; i++)
        TRY(load_expert(&layer->experts[i], model, (struct place){index, (int)i}, d_expert, d_model));
    return WEIR_OK;
}

/* ---- the whole ---- */

static weir_status load_layer(struct weir_model *model, int index)
{
    struct weir_layer *layer = &model->layers[index];
    struct place at = {index, -1};
    size_t d_model = (size_t)model->config.d_model;
    weir_config_layer(&layer->spec, &model->config, index);
    const struct weir_layer_spec *spec = &layer->spec;
    TRY(load_norm(&layer->ln1, model, WEIR_R_LN1, at, spec->norm, d_model));
    TRY(load_attention(layer, model, index));
    TRY(load_norm(&layer->ln1_post, model, WEIR_R_LN1_POST, at, spec->post_norm, d_model));
    if (spec->attn_only)
        return WEIR_OK;
    if (!spec->shared_norm)
        TRY(load_norm(&layer->ln2, model, WEIR_R_LN2, at, spec->norm, d_model));
    TRY(spec->n_experts > 0 ? load_sparse(layer, model, index) : load_dense(layer, model, at));
    return load_norm(&layer->ln2_post, model, WEIR_R_LN2_POST, at, spec->post_norm, d_model);
}

static weir_status count_vocabulary(struct weir_model *model) /* a GGUF file may leave it to the tensor */
{
    char name[NAME_SIZE];
    const struct weir_tensor *tensor = find(model, WEIR_R_EMBED, outside, WEIGHT, name);
    if (!tensor)
        return missing(model, name);
    if (tensor->n_dims != 2 || tensor->shape[0] == 0 || tensor->shape[0] > 1 << 26)
        return weir_fail(WEIR_E_INPUT, "%s: tensor '%s' is not [vocabulary, %d]", tensor->file, tensor->name,
                         model->config.d_embed);
    model->config.n_vocab = model->config.n_outputs = (int)tensor->shape[0];
    return WEIR_OK;
}

static weir_status load_embeddings(struct weir_model *model)
{
    struct weir_config *c = &model->config;
    if (c->n_vocab == 0)
        TRY(count_vocabulary(model));
    size_t n_vocab = (size_t)c->n_vocab, d_model = (size_t)c->d_model, d_embed = (size_t)c->d_embed;
    TRY(load_matrix(&model->embed, model, WEIR_R_EMBED, outside, n_vocab, d_embed));
    if (d_embed != d_model) {
        TRY(load_linear(&model->embed_in, model, WEIR_R_EMBED_IN, outside, d_model, d_embed));
        TRY(load_linear(&model->embed_out, model, WEIR_R_EMBED_OUT, outside, d_embed, d_model));
    }
    TRY(load_norm(&model->embed_norm, model, WEIR_R_EMBED_NORM, outside,
                  model->family->names[WEIR_R_EMBED_NORM] ? c->norm : WEIR_NORM_NONE, d_model));
    if (c->learned_positions)
        TRY(load_matrix(&model->pos_embed, model, WEIR_R_POS_EMBED, outside,
                        (size_t)(c->n_context + c->position_offset), d_model));
    if (model->gguf)
        c->tied = !has(model, WEIR_R_UNEMBED, outside);
    if (!c->tied)
        return load_linear(&model->unembed, model, WEIR_R_UNEMBED, outside, (size_t)c->n_outputs, d_embed);
    model->unembed.w = model->embed;
    return WEIR_OK;
}

/* A config that counts fewer layers than the weights have would silently run another model. */
static weir_status check_no_more_layers(const struct weir_model *model)
{
    char name[NAME_SIZE];
    if (find(model, WEIR_R_O, (struct place){model->config.n_layers, -1}, WEIGHT, name))
        return weir_fail(WEIR_E_INPUT, "%s: the config says %d layers, but tensor '%s' is there", model->path,
                         model->config.n_layers, name);
    return WEIR_OK;
}

static weir_status load_ropes(struct weir_model *model)
{
    const struct weir_tensor *tensor = model->gguf ? weir_tensors_find(model->tensors, "rope_freqs.weight") : NULL;
    float *factors = NULL;
    size_t n = tensor ? tensor->n : 0;
    if (tensor)
        TRY(load_vector(&factors, model, tensor, n));
    for (int kind = 0; kind < WEIR_MAX_ROPES; kind++)
        TRY(weir_in(weir_rope_open(&model->ropes[kind], &model->config, kind, kind == 0 ? factors : NULL, n),
                    model->path));
    return WEIR_OK;
}

/* Slopes of ALiBi: powers of 2^(-max / n) for n heads, n a power of two; other heads come between those of the next
 * power. */
static weir_status make_slopes(struct weir_model *model)
{
    size_t n_heads = (size_t)model->config.n_heads, power = 1;
    if (model->config.alibi == WEIR_ALIBI_NONE)
        return WEIR_OK;
    while (2 * power <= n_heads)
        power *= 2;
    TRY(new_vector(&model->alibi, model, n_heads));
    for (size_t i = 0; i < n_heads; i++) {
        double steps =
            i < power ? (double)(i + 1) / (double)power : (double)(2 * (i - power) + 1) / (double)(2 * power);
        model->alibi[i] = (float)exp2(-model->config.alibi_max * steps);
    }
    return WEIR_OK;
}

static enum weir_norm_kind final_norm(const struct weir_config *c)
{
    if (c->final_norm_absent)
        return WEIR_NORM_NONE;
    return c->final_norm ? c->final_norm : c->norm ? c->norm : c->post_norm;
}

weir_status weir_model_bind(struct weir_model *model)
{
    size_t n_layers = (size_t)model->config.n_layers;
    TRY(load_embeddings(model));
    TRY(load_ropes(model));
    TRY(make_slopes(model));
    TRY(weir_alloc_zero(&model->layers, n_layers, sizeof *model->layers));
    for (size_t i = 0; i < n_layers; i++)
        TRY(load_layer(model, (int)i));
    TRY(check_no_more_layers(model));
    return load_norm(&model->ln_final, model, WEIR_R_LN_FINAL, outside, final_norm(&model->config),
                     (size_t)model->config.d_model);
}

/* ---- all matrices ---- */

static weir_status each_of(struct weir_linear *const *list, weir_matrix_fn *fn, void *payload)
{
    for (size_t i = 0; list[i]; i++)
        if (list[i]->w.n_out > 0)
            TRY(fn(&list[i]->w, payload));
    return WEIR_OK;
}

static weir_status each_in_layer(struct weir_layer *l, weir_matrix_fn *fn, void *payload)
{
    struct weir_linear *const all[] = {&l->q,      &l->k,       &l->v,      &l->o, &l->mlp_gate,
                                       &l->mlp_in, &l->mlp_out, &l->router, NULL};
    TRY(each_of(all, fn, payload));
    for (int i = 0; l->experts && i < l->spec.n_experts; i++) {
        struct weir_expert *e = &l->experts[i];
        struct weir_linear *const parts[] = {&e->gate, &e->in, &e->out, NULL};
        TRY(each_of(parts, fn, payload));
    }
    return WEIR_OK;
}

weir_status weir_model_each_matrix(struct weir_model *model, weir_matrix_fn *fn, void *payload)
{
    struct weir_linear *const ends[] = {&model->embed_in, &model->embed_out, &model->unembed, NULL};
    for (int i = 0; i < model->config.n_layers; i++)
        TRY(each_in_layer(&model->layers[i], fn, payload));
    return each_of(ends, fn, payload);
}

static weir_status let_go(struct weir_matrix *matrix, void *payload)
{
    (void)payload;
    weir_matrix_let_go(matrix);
    return WEIR_OK;
}

void weir_model_let_go(struct weir_model *model, int layer)
{
    weir_status status = each_in_layer(&model->layers[layer], let_go, NULL);
    (void)status; /* letting go does not fail */
}
