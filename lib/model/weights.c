/* From named tensors to a model: what its layers are made of, by the config and by what the files have. */
#include "base/alloc.h"
#include "model/load.h"

#include <math.h>
#include <string.h>

/* ---- attention ---- */

/* Rows of q, k and v are one after the other, or interleaved by key-value head. */
static weir_status load_fused_qkv(struct weir_layer *layer, struct weir_model *model, int index)
{
    size_t d_head = (size_t)layer->spec.d_head, n_kv_heads = (size_t)layer->spec.n_kv_heads;
    size_t shared = (size_t)layer->spec.n_heads / n_kv_heads * d_head, group = shared + 2 * d_head;
    size_t n_q = n_kv_heads * shared, n_kv = n_kv_heads * d_head;
    struct weir_linear fused = {0};
    struct weir_row_runs q = {0, n_q, shared, group}, k = {shared, n_kv, d_head, group},
                         v = {shared + d_head, n_kv, d_head, group};
    if (model->config.qkv_concat) {
        q = (struct weir_row_runs){0, n_q, n_q, n_q};
        k = (struct weir_row_runs){n_q, n_kv, n_kv, n_kv};
        v = (struct weir_row_runs){n_q + n_kv, n_kv, n_kv, n_kv};
    }
    TRY(weir_load_linear(&fused, model, WEIR_R_QKV, (struct weir_place){index, -1}, n_q + 2 * n_kv,
                         (size_t)model->config.d_model));
    TRY(weir_slice_linear(&layer->q, model, &fused, q));
    TRY(weir_slice_linear(&layer->k, model, &fused, k));
    return weir_slice_linear(&layer->v, model, &fused, v);
}

static weir_status load_separate_qkv(struct weir_layer *layer, struct weir_model *model, int index)
{
    size_t d_head = (size_t)layer->spec.d_head, d_model = (size_t)model->config.d_model;
    size_t n_q = (size_t)layer->spec.n_heads * d_head, n_kv = (size_t)layer->spec.n_kv_heads * d_head;
    struct weir_place at = {index, -1};
    TRY(weir_load_linear(&layer->q, model, WEIR_R_Q, at, n_q, d_model));
    TRY(weir_load_linear(&layer->k, model, WEIR_R_K, at, n_kv, d_model));
    TRY(weir_load_linear(&layer->v, model, WEIR_R_V, at, n_kv, d_model));
    if (!model->gguf || !model->family->gguf_rotates_rows)
        return WEIR_OK;
    TRY(weir_undo_pairs(model, &layer->q, n_q, d_head));
    return weir_undo_pairs(model, &layer->k, n_kv, d_head);
}

static weir_status load_sinks(struct weir_layer *layer, struct weir_model *model, struct weir_place at)
{
    char name[WEIR_NAME_SIZE];
    if (!layer->spec.sinks)
        return WEIR_OK;
    const struct weir_tensor *tensor = weir_take_tensor(model, WEIR_R_SINKS, at, WEIR_TENSOR_WEIGHT, name);
    return tensor ? weir_load_vector(&layer->sinks, model, tensor, (size_t)layer->spec.n_heads)
                  : weir_tensor_missing(model, name);
}

static weir_status load_attention(struct weir_layer *layer, struct weir_model *model, int index)
{
    struct weir_place at = {index, -1};
    size_t n_q = (size_t)layer->spec.n_heads * (size_t)layer->spec.d_head;
    TRY(weir_has_tensor(model, WEIR_R_QKV, at, WEIR_TENSOR_WEIGHT) ? load_fused_qkv(layer, model, index)
                                                                   : load_separate_qkv(layer, model, index));
    TRY(weir_load_qk_norm(&layer->q_norm, model, WEIR_R_Q_NORM, index, (size_t)layer->spec.n_heads));
    TRY(weir_load_qk_norm(&layer->k_norm, model, WEIR_R_K_NORM, index, (size_t)layer->spec.n_kv_heads));
    TRY(load_sinks(layer, model, at));
    return weir_load_linear(&layer->o, model, WEIR_R_O, at, (size_t)model->config.d_model, n_q);
}

/* ---- MLPs ---- */

/* The gate's and the linear branch's rows in one matrix (Phi-3), which a GGUF file calls ffn_up. */
static weir_status load_gate_and_in(struct weir_layer *layer, struct weir_model *model, enum weir_role role,
                                    struct weir_place at, size_t d_mlp, size_t d_model)
{
    struct weir_linear fused = {0};
    TRY(weir_load_linear(&fused, model, role, at, 2 * d_mlp, d_model));
    TRY(weir_slice_linear(&layer->mlp_gate, model, &fused, (struct weir_row_runs){0, d_mlp, d_mlp, d_mlp}));
    return weir_slice_linear(&layer->mlp_in, model, &fused, (struct weir_row_runs){d_mlp, d_mlp, d_mlp, d_mlp});
}

static weir_status load_dense(struct weir_layer *layer, struct weir_model *model, struct weir_place at)
{
    size_t d_mlp = (size_t)layer->spec.d_mlp, d_model = (size_t)model->config.d_model;
    bool fused_up =
        model->gguf && layer->spec.gated && !weir_has_tensor(model, WEIR_R_MLP_GATE, at, WEIR_TENSOR_WEIGHT);
    TRY(weir_load_norm(&layer->mlp_norm, model, WEIR_R_MLP_NORM, at, layer->spec.mlp_norm, d_mlp));
    if (weir_has_tensor(model, WEIR_R_GATE_AND_IN, at, WEIR_TENSOR_WEIGHT) || fused_up) {
        TRY(load_gate_and_in(layer, model, fused_up ? WEIR_R_MLP_IN : WEIR_R_GATE_AND_IN, at, d_mlp, d_model));
    } else {
        if (layer->spec.gated)
            TRY(weir_load_linear(&layer->mlp_gate, model, WEIR_R_MLP_GATE, at, d_mlp, d_model));
        TRY(weir_load_linear(&layer->mlp_in, model, WEIR_R_MLP_IN, at, d_mlp, d_model));
    }
    return weir_load_linear(&layer->mlp_out, model, WEIR_R_MLP_OUT, at, d_model, d_mlp);
}

/* One expert's bias in a tensor [expert, n_out]. */
static weir_status load_expert_bias(float **out, struct weir_model *model, enum weir_role role, struct weir_place at,
                                    size_t n_out)
{
    size_t n_experts = (size_t)model->config.n_experts, bytes;
    char name[WEIR_NAME_SIZE];
    const struct weir_tensor *all = weir_take_tensor(model, role, at, WEIR_TENSOR_BIAS, name);
    *out = NULL;
    if (!all)
        return WEIR_OK;
    if (all->n_dims != 2 || all->shape[0] != n_experts || all->shape[1] != n_out)
        return weir_wrong_shape(all, n_experts, n_out);
    TRY(weir_type_bytes(&bytes, all->type, n_out));
    TRY(weir_new_vector(out, model, n_out));
    weir_to_f32(*out, all->data + (size_t)at.index * bytes, all->type, n_out);
    return WEIR_OK;
}

/* One expert of MXFP4: values [expert, n_out, n_in / 32, 16 bytes of two], scales [expert, n_out, n_in / 32]. */
static weir_status load_packed_expert(struct weir_linear *linear, struct weir_model *model, enum weir_role role,
                                      struct weir_place at, size_t n_out, size_t n_in)
{
    size_t n_experts = (size_t)model->config.n_experts, runs = n_in / 32;
    const size_t shape[] = {n_experts, n_out, runs, 16};
    char name[WEIR_NAME_SIZE];
    const struct weir_tensor *blocks = weir_take_tensor(model, role, at, WEIR_TENSOR_BLOCKS, name);
    const struct weir_tensor *scales = weir_take_tensor(model, role, at, WEIR_TENSOR_SCALES, name);
    if (!blocks || !scales)
        return weir_tensor_missing(model, name);
    if (n_in % 32 != 0 || blocks->type != WEIR_T_FP4 || blocks->n_dims != 4 ||
        memcmp(blocks->shape, shape, sizeof shape) != 0)
        return weir_not_of_shape(blocks, shape, 4);
    if (scales->type != WEIR_T_E8M0 || !weir_has_shape3(scales, shape))
        return weir_not_of_shape(scales, shape, 3);
    linear->w = (struct weir_matrix){.data = blocks->data + (size_t)at.index * n_out * runs * 16,
                                     .type = WEIR_T_FP4,
                                     .n_out = n_out,
                                     .n_in = n_in,
                                     .stride = n_in,
                                     .scales = scales->data + (size_t)at.index * n_out * runs};
    return load_expert_bias(&linear->bias, model, role, at, n_out);
}

/* One expert of a tensor [expert, n_out, n_in] (or [expert, n_in, n_out]), or a separate tensor. */
static weir_status load_expert_part(struct weir_linear *linear, struct weir_model *model, enum weir_role role,
                                    struct weir_place at, size_t n_out, size_t n_in)
{
    const char *pattern = weir_pattern_of(model, role);
    bool input_major = !model->gguf && model->config.experts_input_major;
    char name[WEIR_NAME_SIZE];
    if (!pattern || strstr(pattern, "[]"))
        return weir_load_linear(linear, model, role, at, n_out, n_in);
    if (weir_has_tensor(model, role, at, WEIR_TENSOR_BLOCKS))
        return load_packed_expert(linear, model, role, at, n_out, n_in);
    const struct weir_tensor *all = weir_take_tensor(model, role, at, WEIR_TENSOR_WEIGHT, name);
    if (!all)
        return weir_tensor_missing(model, name);
    const size_t shape[] = {(size_t)model->config.n_experts, input_major ? n_in : n_out, input_major ? n_out : n_in};
    size_t bytes;
    if (!weir_has_shape3(all, shape))
        return weir_not_of_shape(all, shape, 3);
    TRY(weir_type_bytes(&bytes, all->type, n_out * n_in));
    struct weir_tensor one = *all;
    one.n_dims = 2;
    one.shape[0] = shape[1];
    one.shape[1] = shape[2];
    one.n = n_out * n_in;
    one.data += (size_t)at.index * bytes;
    TRY(weir_view_matrix(&linear->w, &one, n_out, n_in, input_major));
    return load_expert_bias(&linear->bias, model, role, at, n_out);
}

static weir_status load_expert(struct weir_expert *expert, struct weir_model *model, struct weir_place at,
                               size_t d_expert, size_t d_model)
{
    struct weir_linear fused = {0};
    if (weir_pattern_of(model, WEIR_R_EXPERT_GATE_AND_IN)) {
        TRY(load_expert_part(&fused, model, WEIR_R_EXPERT_GATE_AND_IN, at, 2 * d_expert, d_model));
        TRY(weir_slice_linear(&expert->gate, model, &fused, (struct weir_row_runs){0, d_expert, 1, 2}));
        TRY(weir_slice_linear(&expert->in, model, &fused, (struct weir_row_runs){1, d_expert, 1, 2}));
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
    TRY(weir_load_linear(&layer->router, model, WEIR_R_ROUTER, (struct weir_place){index, -1}, n_experts, d_model));
    layer->router.w.exact = true;
    TRY(weir_alloc_zero(&layer->experts, n_experts, sizeof *layer->experts));
    for (size_t i = 0; i < n_experts; i++)
        TRY(load_expert(&layer->experts[i], model, (struct weir_place){index, (int)i}, d_expert, d_model));
    return WEIR_OK;
}

/* ---- the whole ---- */

/* In the order of computation: attention with its norms, then the MLP with its own. */
static weir_status load_layer(struct weir_model *model, int index)
{
    struct weir_layer *layer = &model->layers[index];
    struct weir_place at = {index, -1};
    size_t d_model = (size_t)model->config.d_model;
    weir_config_layer(&layer->spec, &model->config, index);
    const struct weir_layer_spec *spec = &layer->spec;
    TRY(weir_load_norm(&layer->ln1, model, WEIR_R_LN1, at, spec->norm, d_model));
    TRY(load_attention(layer, model, index));
    TRY(weir_load_norm(&layer->ln1_post, model, WEIR_R_LN1_POST, at, spec->post_norm, d_model));
    if (spec->attn_only)
        return WEIR_OK;
    if (!spec->shared_norm)
        TRY(weir_load_norm(&layer->ln2, model, WEIR_R_LN2, at, spec->norm, d_model));
    TRY(spec->n_experts > 0 ? load_sparse(layer, model, index) : load_dense(layer, model, at));
    return weir_load_norm(&layer->ln2_post, model, WEIR_R_LN2_POST, at, spec->post_norm, d_model);
}

static weir_status count_vocabulary(struct weir_model *model) /* a GGUF file may leave it to the tensor */
{
    char name[WEIR_NAME_SIZE];
    const struct weir_tensor *tensor = weir_take_tensor(model, WEIR_R_EMBED, weir_outside, WEIR_TENSOR_WEIGHT, name);
    if (!tensor)
        return weir_tensor_missing(model, name);
    if (tensor->n_dims != 2 || tensor->shape[0] == 0 || tensor->shape[0] > 1 << 26)
        return weir_fail(WEIR_E_INPUT, "%s: tensor '%s' is not [vocabulary, %d]", tensor->file, tensor->name,
                         model->config.d_embed);
    model->config.n_vocab = model->config.n_outputs = (int)tensor->shape[0];
    return WEIR_OK;
}

/* Tied weights may be kept under the unembedding's name alone. */
static enum weir_role embedding_role(const struct weir_model *model)
{
    bool swapped = model->config.tied && !weir_has_tensor(model, WEIR_R_EMBED, weir_outside, WEIR_TENSOR_WEIGHT) &&
                   weir_has_tensor(model, WEIR_R_UNEMBED, weir_outside, WEIR_TENSOR_WEIGHT);
    return swapped ? WEIR_R_UNEMBED : WEIR_R_EMBED;
}

/* True where two matrices of one shape hold the same numbers, in any types. */
static bool same_values(const struct weir_tensor *a, const struct weir_tensor *b)
{
    enum { PIECE = 1 << 11 };
    const struct weir_type_info *x = weir_type_get_info(a->type), *y = weir_type_get_info(b->type);
    float left[PIECE], right[PIECE];
    if (a == b || (a->type == b->type && a->n == b->n && memcmp(a->data, b->data, a->bytes) == 0))
        return true;
    for (size_t at = 0; at < a->n; at += PIECE) {
        size_t n = a->n - at < PIECE ? a->n - at : PIECE;
        weir_to_f32(left, a->data + at / x->block_values * x->block_bytes, a->type, n);
        weir_to_f32(right, b->data + at / y->block_values * y->block_bytes, b->type, n);
        for (size_t i = 0; i < n; i++)
            if (!(left[i] == right[i]))
                return false;
    }
    return true;
}

/* A config that calls the two tied where the files have both, with other numbers, is wrong: as transformers has it. */
static weir_status check_tied(struct weir_model *model)
{
    char embed_name[WEIR_NAME_SIZE], name[WEIR_NAME_SIZE];
    enum weir_role role = embedding_role(model);
    if (!weir_has_tensor(model, WEIR_R_UNEMBED, weir_outside, WEIR_TENSOR_WEIGHT))
        return WEIR_OK;
    const struct weir_tensor *a = weir_take_tensor(model, role, weir_outside, WEIR_TENSOR_WEIGHT, embed_name);
    const struct weir_tensor *b = weir_take_tensor(model, WEIR_R_UNEMBED, weir_outside, WEIR_TENSOR_WEIGHT, name);
    if (!a || !b)
        return weir_check_unread(model);
    if (a->n_dims == b->n_dims && memcmp(a->shape, b->shape, sizeof a->shape) == 0 && same_values(a, b))
        return WEIR_OK;
    model->config.tied = false;
    return weir_model_add_note(model,
                               "its config ties the unembedding to the embedding, and its files have both, with other "
                               "values: '%s' is used, as transformers does",
                               name);
}

static weir_status load_unembedding(struct weir_model *model)
{
    struct weir_config *c = &model->config;
    size_t n_outputs = (size_t)c->n_outputs;
    bool there = weir_has_tensor(model, WEIR_R_UNEMBED, weir_outside, WEIR_TENSOR_WEIGHT);
    if (model->gguf)
        c->tied = !there;
    if (c->tied)
        TRY(check_tied(model));
    if (c->tied) {
        model->unembed.w = model->embed;
        return weir_load_bias(&model->unembed.bias, model, WEIR_R_UNEMBED, weir_outside, n_outputs);
    }
    if (!there) /* an embedding or reward model */
        return WEIR_OK;
    return weir_load_linear(&model->unembed, model, WEIR_R_UNEMBED, weir_outside, n_outputs, (size_t)c->d_embed);
}

/* The token embedding, its projections where it is narrower than the stream, its norm, and positions. */
static weir_status load_embeddings(struct weir_model *model)
{
    struct weir_config *c = &model->config;
    if (c->n_vocab == 0)
        TRY(count_vocabulary(model));
    size_t n_vocab = (size_t)c->n_vocab, d_model = (size_t)c->d_model, d_embed = (size_t)c->d_embed;
    TRY(weir_load_matrix(&model->embed, model, embedding_role(model), weir_outside, n_vocab, d_embed));
    if (d_embed != d_model) {
        TRY(weir_load_linear(&model->embed_in, model, WEIR_R_EMBED_IN, weir_outside, d_model, d_embed));
        TRY(weir_load_linear(&model->embed_out, model, WEIR_R_EMBED_OUT, weir_outside, d_embed, d_model));
    }
    TRY(weir_load_norm(&model->embed_norm, model, WEIR_R_EMBED_NORM, weir_outside,
                       model->family->names[WEIR_R_EMBED_NORM] ? c->norm : WEIR_NORM_NONE, d_model));
    if (c->learned_positions)
        TRY(weir_load_matrix(&model->pos_embed, model, WEIR_R_POS_EMBED, weir_outside,
                             (size_t)(c->n_context + c->position_offset), d_model));
    return load_unembedding(model);
}

/* A config that counts fewer layers than the weights have would silently run another model. */
static weir_status check_no_more_layers(struct weir_model *model)
{
    char name[WEIR_NAME_SIZE];
    if (weir_take_tensor(model, WEIR_R_O, (struct weir_place){model->config.n_layers, -1}, WEIR_TENSOR_WEIGHT, name))
        return weir_fail(WEIR_E_INPUT, "%s: the config says %d layers, but tensor '%s' is there", model->path,
                         model->config.n_layers, name);
    return WEIR_OK;
}

static weir_status load_ropes(struct weir_model *model)
{
    struct weir_tensor *tensor = model->gguf ? weir_tensors_find(model->tensors, "rope_freqs.weight") : NULL;
    float *factors = NULL;
    size_t n = tensor ? tensor->n : 0;
    if (tensor) {
        tensor->used = true;
        TRY(weir_load_vector(&factors, model, tensor, n));
    }
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
    TRY(weir_new_vector(&model->alibi, model, n_heads));
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
    TRY(weir_model_note_wrapper(model));
    TRY(weir_find_prefix(model));
    TRY(load_embeddings(model));
    TRY(load_ropes(model));
    TRY(make_slopes(model));
    TRY(weir_alloc_zero(&model->layers, n_layers, sizeof *model->layers));
    for (size_t i = 0; i < n_layers; i++)
        TRY(load_layer(model, (int)i));
    TRY(check_no_more_layers(model));
    TRY(weir_load_norm(&model->ln_final, model, WEIR_R_LN_FINAL, weir_outside, final_norm(&model->config),
                       (size_t)model->config.d_model));
    TRY(weir_check_unread(model));
    return weir_model_note_unused(model);
}
