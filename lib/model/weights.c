/* From named tensors to the parts of a model: which tensor is what, and whether it has the shape that the config says.
 */
#include "base/alloc.h"
#include "model/model.h"

#include <stdio.h>
#include <string.h>

enum { NAME_SIZE = 160 };

/* "layers.{}.mlp" + layer 3 + ".weight" -> "layers.3.mlp.weight" */
static void expand(char out[NAME_SIZE], const char *prefix, const char *pattern, int layer, const char *suffix)
{
    const char *hole = strstr(pattern, "{}");
    if (hole)
        snprintf(out, NAME_SIZE, "%s%.*s%d%s%s", prefix, (int)(hole - pattern), pattern, layer, hole + 2, suffix);
    else
        snprintf(out, NAME_SIZE, "%s%s%s", prefix, pattern, suffix);
}

static const char *pattern_of(const struct weir_model *model, enum weir_role role)
{
    return model->gguf ? weir_gguf_names[role] : model->family->names[role];
}

/* The tensor of a part; NULL when there is none. `name` gets its name, or the one that was looked for first. */
static const struct weir_tensor *find(const struct weir_model *model, enum weir_role role, int layer,
                                      const char *suffix, char name[NAME_SIZE])
{
    const char *pattern = pattern_of(model, role);
    const char *prefix = model->gguf || !model->family->prefix ? "" : model->family->prefix;
    const struct weir_tensor *found = NULL;
    name[0] = '\0';
    if (!pattern)
        return NULL;
    if (*prefix) { /* saved without a head, the names have no prefix */
        expand(name, "", pattern, layer, suffix);
        found = weir_tensors_find(model->tensors, name);
    }
    if (!found) {
        expand(name, role == WEIR_R_UNEMBED ? "" : prefix, pattern, layer, suffix);
        found = weir_tensors_find(model->tensors, name);
    }
    return found;
}

static weir_status missing(const struct weir_model *model, const char *name)
{
    return weir_fail(WEIR_E_INPUT, "%s: tensor '%s' is missing", model->path, name);
}

static weir_status wrong_shape(const struct weir_tensor *tensor, size_t rows, size_t columns)
{
    char shape[96] = "", wanted[64];
    size_t at = 0;
    for (int i = 0; i < tensor->n_dims && at < sizeof shape; i++)
        at += (size_t)snprintf(shape + at, sizeof shape - at, "%s%zu", i ? ", " : "", tensor->shape[i]);
    snprintf(wanted, sizeof wanted, columns ? "%zu, %zu" : "%zu", rows, columns);
    return weir_fail(WEIR_E_INPUT, "%s: tensor '%s' has shape [%s], the config makes it [%s]", tensor->file,
                     tensor->name, shape, wanted);
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
    if (tensor->n != n || tensor->n_dims != 1)
        return wrong_shape(tensor, n, 0);
    TRY(new_vector(out, model, n));
    weir_to_f32(*out, tensor->data, tensor->type, n);
    return WEIR_OK;
}

/* The ".bias" of a part, where there is one. */
static weir_status load_bias(float **out, struct weir_model *model, enum weir_role role, int layer, size_t n)
{
    char name[NAME_SIZE];
    const struct weir_tensor *tensor = find(model, role, layer, ".bias", name);
    *out = NULL;
    if (tensor)
        return load_vector(out, model, tensor, n);
    return model->family->biased && role != WEIR_R_UNEMBED ? missing(model, name) : WEIR_OK;
}

static weir_status load_norm(struct weir_norm *norm, struct weir_model *model, enum weir_role role, int layer)
{
    char name[NAME_SIZE];
    const struct weir_tensor *tensor = find(model, role, layer, ".weight", name);
    size_t d = (size_t)model->config.d_model;
    if (!tensor)
        return missing(model, name);
    TRY(load_vector(&norm->weight, model, tensor, d));
    return load_bias(&norm->bias, model, role, layer, d);
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

static weir_status load_matrix(struct weir_matrix *w, struct weir_model *model, enum weir_role role, int layer,
                               size_t n_out, size_t n_in)
{
    char name[NAME_SIZE];
    const struct weir_tensor *tensor = find(model, role, layer, ".weight", name);
    bool table = role == WEIR_R_EMBED || role == WEIR_R_POS_EMBED || role == WEIR_R_UNEMBED;
    if (!tensor)
        return missing(model, name);
    return view(w, tensor, n_out, n_in, !table && !model->gguf && model->family->input_major);
}

static weir_status load_linear(struct weir_linear *linear, struct weir_model *model, enum weir_role role, int layer,
                               size_t n_out, size_t n_in)
{
    TRY(load_matrix(&linear->w, model, role, layer, n_out, n_in));
    return load_bias(&linear->bias, model, role, layer, n_out);
}

/* Outputs first to first + n - 1 of a fused matrix. */
static weir_status cut(struct weir_linear *out, const struct weir_linear *fused, size_t first, size_t n)
{
    const struct weir_type_info *type = weir_type_get_info(fused->w.type);
    size_t skipped = fused->w.input_major ? first : first * fused->w.stride;
    if (fused->w.input_major && type->block_values != 1)
        return weir_fail(WEIR_E_UNSUPPORTED, "a fused matrix of type %s cannot be cut by columns", type->name);
    *out = *fused;
    out->w.data += skipped / type->block_values * type->block_bytes;
    out->w.n_out = n;
    out->bias = fused->bias ? fused->bias + first : NULL;
    return WEIR_OK;
}

static weir_status load_fused_qkv(struct weir_layer *layer, struct weir_model *model, int index)
{
    size_t d_head = (size_t)layer->spec.d_head;
    size_t n_q = (size_t)layer->spec.n_heads * d_head, n_kv = (size_t)layer->spec.n_kv_heads * d_head;
    struct weir_linear fused = {0};
    TRY(load_linear(&fused, model, WEIR_R_QKV, index, n_q + 2 * n_kv, (size_t)model->config.d_model));
    TRY(cut(&layer->q, &fused, 0, n_q));
    TRY(cut(&layer->k, &fused, n_q, n_kv));
    return cut(&layer->v, &fused, n_q + n_kv, n_kv);
}

/* llama.cpp's converter reorders the rows of q and k of these families: read them back in order. */
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
    TRY(load_linear(&layer->q, model, WEIR_R_Q, index, n_q, d_model));
    TRY(load_linear(&layer->k, model, WEIR_R_K, index, n_kv, d_model));
    TRY(load_linear(&layer->v, model, WEIR_R_V, index, n_kv, d_model));
    if (!model->gguf || !model->family->gguf_rotates_rows)
        return WEIR_OK;
    TRY(undo_pairs(model, &layer->q, n_q, d_head));
    return undo_pairs(model, &layer->k, n_kv, d_head);
}

static weir_status load_layer(struct weir_layer *layer, struct weir_model *model, int index)
{
    const struct weir_config *c = &model->config;
    size_t d_model = (size_t)c->d_model, d_mlp, n_q;
    weir_config_layer(&layer->spec, c, index);
    d_mlp = (size_t)layer->spec.d_mlp;
    n_q = (size_t)layer->spec.n_heads * (size_t)layer->spec.d_head;
    TRY(load_norm(&layer->ln1, model, WEIR_R_LN1, index));
    TRY(model->family->qkv == WEIR_FUSED_NONE ? load_separate_qkv(layer, model, index)
                                              : load_fused_qkv(layer, model, index));
    TRY(load_linear(&layer->o, model, WEIR_R_O, index, d_model, n_q));
    TRY(load_norm(&layer->ln2, model, WEIR_R_LN2, index));
    if (layer->spec.gated)
        TRY(load_linear(&layer->mlp_gate, model, WEIR_R_MLP_GATE, index, d_mlp, d_model));
    TRY(load_linear(&layer->mlp_in, model, WEIR_R_MLP_IN, index, d_mlp, d_model));
    return load_linear(&layer->mlp_out, model, WEIR_R_MLP_OUT, index, d_model, d_mlp);
}

/* ---- the whole ---- */

static weir_status load_embeddings(struct weir_model *model)
{
    struct weir_config *c = &model->config;
    char name[NAME_SIZE];
    if (c->n_vocab == 0) { /* a GGUF file may leave it to the tensor */
        const struct weir_tensor *tensor = find(model, WEIR_R_EMBED, -1, ".weight", name);
        if (!tensor)
            return missing(model, name);
        if (tensor->n_dims != 2 || tensor->shape[0] > 1 << 26)
            return wrong_shape(tensor, 0, (size_t)c->d_model);
        c->n_vocab = (int)tensor->shape[0];
    }
    size_t n_vocab = (size_t)c->n_vocab, d_model = (size_t)c->d_model;
    TRY(load_matrix(&model->embed, model, WEIR_R_EMBED, -1, n_vocab, d_model));
    if (c->learned_positions)
        TRY(load_matrix(&model->pos_embed, model, WEIR_R_POS_EMBED, -1, (size_t)c->n_context, d_model));
    if (c->tied && !(model->gguf && find(model, WEIR_R_UNEMBED, -1, ".weight", name))) {
        model->unembed.w = model->embed;
        return WEIR_OK;
    }
    return load_linear(&model->unembed, model, WEIR_R_UNEMBED, -1, n_vocab, d_model);
}

/* A config that counts fewer layers than the weights have would silently run another model. */
static weir_status check_no_more_layers(const struct weir_model *model)
{
    char name[NAME_SIZE];
    if (find(model, WEIR_R_LN1, model->config.n_layers, ".weight", name))
        return weir_fail(WEIR_E_INPUT, "%s: the config says %d layers, but tensor '%s' is there", model->path,
                         model->config.n_layers, name);
    return WEIR_OK;
}

static weir_status load_rope(struct weir_model *model)
{
    const struct weir_tensor *tensor = model->gguf ? weir_tensors_find(model->tensors, "rope_freqs.weight") : NULL;
    float *factors = NULL;
    size_t n = tensor ? tensor->n : 0;
    if (tensor)
        TRY(load_vector(&factors, model, tensor, n));
    return weir_in(weir_config_rope(&model->rope, &model->config, factors, n), model->path);
}

weir_status weir_model_bind(struct weir_model *model)
{
    size_t n_layers = (size_t)model->config.n_layers;
    TRY(load_embeddings(model));
    TRY(load_rope(model));
    TRY(weir_alloc_zero(&model->layers, n_layers, sizeof *model->layers));
    for (size_t i = 0; i < n_layers; i++)
        TRY(load_layer(&model->layers[i], model, (int)i));
    TRY(check_no_more_layers(model));
    return load_norm(&model->ln_final, model, WEIR_R_LN_FINAL, -1);
}

weir_status weir_model_each_matrix(struct weir_model *model, weir_matrix_fn *fn, void *payload)
{
    for (int i = 0; i < model->config.n_layers; i++) {
        struct weir_layer *l = &model->layers[i];
        struct weir_linear *all[] = {&l->q, &l->k, &l->v, &l->o, &l->mlp_gate, &l->mlp_in, &l->mlp_out, NULL};
        for (size_t j = 0; all[j]; j++)
            if (all[j]->w.n_out > 0)
                TRY(fn(&all[j]->w, payload));
    }
    return fn(&model->unembed.w, payload);
}
