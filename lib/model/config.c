#include "model/config.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What can be read: the field, its names in config.json (in order of preference, `|` between; "a.b" is b inside a) and
   in GGUF metadata (behind the architecture's name). */
enum kind { INT, INT_OR_0 /* in GGUF: 0 says none */, DOUBLE, BOOL };

#define FIELD(member) offsetof(struct weir_config, member)

static const struct key {
    size_t field;
    enum kind kind;
    const char *json, *gguf;
    int64_t max; /* of integers; they are at least 1 */
} keys[] = {
    {FIELD(n_layers), INT, "num_hidden_layers|n_layer|n_layers|num_layers", "block_count", WEIR_MAX_LAYERS - 1},
    {FIELD(n_heads), INT, "num_attention_heads|n_head|n_heads|num_heads", "attention.head_count", 65536},
    {FIELD(n_kv_heads), INT, "num_key_value_heads|num_kv_heads|n_key_value_heads", "attention.head_count_kv", 65536},
    {FIELD(d_head), INT, "head_dim|d_head", "attention.key_length", 65536},
    {FIELD(d_model), INT, "hidden_size|n_embd|d_model", "embedding_length", 1 << 20},
    {FIELD(d_mlp), INT, "intermediate_size|n_inner|ffn_dim|ffn_hidden_size|d_mlp", "feed_forward_length", 1 << 22},
    {FIELD(n_vocab), INT, "vocab_size|d_vocab", "vocab_size", 1 << 26},
    {FIELD(n_context), INT, "max_position_embeddings|n_positions|n_ctx|max_seq_len|seq_length", "context_length",
     1 << 30},
    {FIELD(d_embed), INT, "word_embed_proj_dim", NULL, 1 << 20},
    {FIELD(eps), DOUBLE, "rms_norm_eps|layer_norm_epsilon|layer_norm_eps|norm_epsilon|norm_eps|eps|ln_eps",
     "attention.layer_norm_rms_epsilon", 0},
    {FIELD(eps), DOUBLE, NULL, "attention.layer_norm_epsilon", 0},
    {FIELD(tied), BOOL, "tie_word_embeddings", NULL, 0},
    {FIELD(parallel), BOOL, "use_parallel_residual|parallel_attn|parallel_attn_mlp", "use_parallel_residual", 0},
    {FIELD(window), INT_OR_0, "sliding_window|window_size", "attention.sliding_window", 1 << 30},
    {FIELD(qkv_clip), DOUBLE, "clip_qkv|attn_config.clip_qkv", "attention.clamp_kqv", 0},
    {FIELD(score_scale), DOUBLE, "attention_multiplier|attn_config.softmax_scale", "attention.scale", 0},
    {FIELD(score_scalar), DOUBLE, "query_pre_attn_scalar", NULL, 0},
    {FIELD(scores_by_layer), BOOL, "scale_attn_by_inverse_layer_idx", NULL, 0},
    {FIELD(score_cap), DOUBLE, "attn_logit_softcapping|attn_scores_soft_cap", "attn_logit_softcapping", 0},
    {FIELD(logit_cap), DOUBLE, "final_logit_softcapping|output_logits_soft_cap", "final_logit_softcapping", 0},
    {FIELD(logit_scale), DOUBLE, "logit_scale", NULL, 0},
    {FIELD(logit_divisor), DOUBLE, "logits_scaling", "logit_scale", 0},
    {FIELD(embed_scale), DOUBLE, "embedding_multiplier", "embedding_scale", 0},
    {FIELD(branch_scale), DOUBLE, "residual_multiplier", "residual_scale", 0},
    {FIELD(alibi_max), DOUBLE, "attn_config.alibi_bias_max", "attention.max_alibi_bias", 0},
    {FIELD(rope[0].theta), DOUBLE, "rope_theta|rotary_emb_base|rotary_base", "rope.freq_base", 0},
    {FIELD(rope[1].theta), DOUBLE, "rope_local_base_freq", "rope.freq_base_swa", 0},
    {FIELD(rotary_dims), INT, "rotary_dim", "rope.dimension_count", 65536},
    {FIELD(rotary_factor), DOUBLE, "partial_rotary_factor|rotary_pct", NULL, 0},
    {FIELD(rope[0].factor), DOUBLE, NULL, "rope.scaling.factor", 0},
    {FIELD(rope[0].original_context), DOUBLE, "original_max_position_embeddings",
     "rope.scaling.original_context_length", 0},
    {FIELD(rope[0].attention_factor), DOUBLE, NULL, "rope.scaling.attn_factor", 0},
    {FIELD(rope[0].attention_factor), DOUBLE, NULL, "rope.scaling.yarn_attn_factor", 0},
    {FIELD(rope[0].beta_fast), DOUBLE, NULL, "rope.scaling.yarn_beta_fast", 0},
    {FIELD(rope[0].beta_slow), DOUBLE, NULL, "rope.scaling.yarn_beta_slow", 0},
    {FIELD(n_experts), INT_OR_0, "num_local_experts|num_experts|n_routed_experts", "expert_count", 65536},
    {FIELD(n_active), INT_OR_0, "num_experts_per_tok", "expert_used_count", 65536},
    {FIELD(d_expert), INT_OR_0, "moe_intermediate_size", "expert_feed_forward_length", 1 << 22},
    {FIELD(active_sum_to_one), BOOL, "norm_topk_prob", "expert_weights_norm", 0},
    {FIELD(attn_only), BOOL, "attn_only", NULL, 0},
    {FIELD(router_jitter), DOUBLE, "router_jitter_noise", NULL, 0},
    {FIELD(mlp_limit), DOUBLE, "swiglu_limit", NULL, 0},
    {FIELD(sparse_step), INT, "decoder_sparse_step", NULL, WEIR_MAX_LAYERS},
};

static const struct {
    const char *name;
    enum weir_act act;
} activations[] = {
    {"gelu", WEIR_ACT_GELU},
    {"gelu_python", WEIR_ACT_GELU},
    {"gelu_new", WEIR_ACT_GELU_TANH},
    {"gelu_pytorch_tanh", WEIR_ACT_GELU_TANH},
    {"gelu_fast", WEIR_ACT_GELU_TANH},
    {"gelu_accurate", WEIR_ACT_GELU_TANH},
    {"quick_gelu", WEIR_ACT_GELU_QUICK},
    {"silu", WEIR_ACT_SILU},
    {"swish", WEIR_ACT_SILU},
    {"relu", WEIR_ACT_RELU},
    {"relu2", WEIR_ACT_RELU2},
    {"solu", WEIR_ACT_SOLU},
    {"solu_ln", WEIR_ACT_SOLU},
};

/* In any family that has them. */
static const struct weir_neutral neutral[] = {
    {"add_cross_attention", 0},
    {"is_encoder_decoder", 0},
    {"do_layer_norm_before", 1},
    {"apply_residual_connection_post_layernorm", 0},
    {"attn_config.qk_ln", 0},
    {"attn_config.prefix_lm", 0},
    {"attn_config.attn_uses_sequence_id", 0},
    {"use_bidirectional_attention", 0},
    {"embedding_fraction", 1},
    {"swiglu_alpha", 1.702},
};

#define QKV_ROLES    (WEIR_ROLE(QKV) | WEIR_ROLE(Q) | WEIR_ROLE(K) | WEIR_ROLE(V))
#define MLP_ROLES    (WEIR_ROLE(GATE_AND_IN) | WEIR_ROLE(MLP_GATE) | WEIR_ROLE(MLP_IN) | WEIR_ROLE(MLP_OUT))
#define LINEAR_ROLES (QKV_ROLES | WEIR_ROLE(O) | MLP_ROLES)

/* Keys that say which maps have a bias: then its tensor must be there. */
static const struct {
    const char *key;
    uint64_t roles;
} biases[] = {
    {"attention_bias", QKV_ROLES | WEIR_ROLE(O)},
    {"use_qkv_bias", QKV_ROLES},
    {"mlp_bias", MLP_ROLES},
    {"use_bias", LINEAR_ROLES},
    {"bias", LINEAR_ROLES},
    {"lm_head_bias", WEIR_ROLE(UNEMBED)},
};

static void *field(struct weir_config *config, size_t offset)
{
    return (char *)config + offset;
}

/* ---- config.json ---- */

/* The member called name[0..n), "a.b" being b inside a; *parent is the object that has it. NULL when there is none. */
static const cJSON *member_of(const cJSON *object, const char *name, size_t n, const cJSON **parent, char last[64])
{
    size_t dot = 0;
    *parent = object;
    while (dot < n && name[dot] != '.')
        dot++;
    if (dot < n) {
        snprintf(last, 64, "%.*s", (int)dot, name);
        *parent = cJSON_GetObjectItemCaseSensitive(object, last);
        name += dot + 1;
        n -= dot + 1;
    }
    snprintf(last, 64, "%.*s", (int)n, name);
    return cJSON_GetObjectItemCaseSensitive(*parent, last);
}

/* The first of "a|b|c" that the object has; NULL when it has none. null counts as there. */
static const cJSON *first_present(const cJSON *object, const char *names, const cJSON **parent, char name[64])
{
    while (names && *names) {
        size_t n = strcspn(names, "|");
        const cJSON *member = member_of(object, names, n, parent, name);
        if (member)
            return member;
        names += n + (names[n] == '|');
    }
    return NULL;
}

static weir_status read_json_key(struct weir_config *config, const struct key *key, const cJSON *json, const char *file)
{
    char name[64];
    const cJSON *parent;
    const cJSON *member = first_present(json, key->json, &parent, name);
    int64_t number = 0;
    if (!member)
        return WEIR_OK;
    if (cJSON_IsNull(member)) { /* "none", for a window; "derived", for a size */
        if (key->kind == INT || key->kind == INT_OR_0)
            *(int *)field(config, key->field) = 0;
        else if (key->kind == DOUBLE)
            *(double *)field(config, key->field) = 0;
        return WEIR_OK;
    }
    if (key->kind == DOUBLE)
        return weir_json_number(parent, file, name, field(config, key->field));
    if (key->kind == BOOL)
        return weir_json_bool(parent, file, name, field(config, key->field));
    TRY(weir_json_int(parent, file, name, 1, key->max, &number));
    *(int *)field(config, key->field) = (int)number;
    return WEIR_OK;
}

static weir_status read_activation(struct weir_config *config, const cJSON *json, const char *file)
{
    char key[64];
    const cJSON *parent;
    const char *name = NULL;
    if (!first_present(json, "hidden_activation|hidden_act|activation_function|activation|act_fn", &parent, key) ||
        config->attn_only)
        return WEIR_OK;
    TRY(weir_json_string(parent, file, key, &name));
    if (!name)
        return WEIR_OK;
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (strcmp(activations[i].name, name) == 0) {
            config->activation = activations[i].act;
            return WEIR_OK;
        }
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: \"%s\" is \"%s\", an activation that weir does not know", file, key,
                     name);
}

weir_status weir_config_check_neutral(const struct weir_neutral *table, size_t n, const cJSON *json, const char *file)
{
    for (size_t i = 0; i < n; i++) {
        char name[64];
        const cJSON *parent;
        const cJSON *member = member_of(json, table[i].key, strlen(table[i].key), &parent, name);
        double value = cJSON_IsNumber(member) ? member->valuedouble : cJSON_IsTrue(member) ? 1 : 0;
        if (!member || cJSON_IsNull(member))
            continue;
        if (!cJSON_IsNumber(member) && !cJSON_IsBool(member))
            return weir_fail(WEIR_E_INPUT, "%s: \"%s\" must be a number or a truth value", file, table[i].key);
        if (value != table[i].value)
            return weir_fail(WEIR_E_UNSUPPORTED, "%s: \"%s\": %g is not implemented", file, table[i].key, value);
    }
    return WEIR_OK;
}

/* Weights that are kept as blocks and scales of some method under names of its own. */
static weir_status check_quantization(const cJSON *json, const char *file)
{
    const cJSON *quantization = weir_json_get(json, "quantization_config");
    const char *method = NULL;
    if (!quantization)
        return WEIR_OK;
    TRY(weir_json_string(quantization, file, "quant_method", &method));
    if (method && strcmp(method, "mxfp4") == 0) /* told by the tensors: some are, some are not */
        return WEIR_OK;
    return weir_fail(
        WEIR_E_UNSUPPORTED,
        "%s: \"quantization_config\": weights quantized by \"%s\" are not implemented: dequantize the model", file,
        method ? method : "?");
}

static weir_status read_biases(struct weir_config *config, const cJSON *json, const char *file)
{
    for (size_t i = 0; i < sizeof biases / sizeof *biases; i++) {
        bool biased = false;
        TRY(weir_json_bool(json, file, biases[i].key, &biased));
        config->biases |= biased ? biases[i].roles : 0;
    }
    return WEIR_OK;
}

/* ---- layers that differ ---- */

weir_status weir_config_read_sliding(struct weir_config *config, const cJSON *json, const char *file, const char *key,
                                     const char *sliding, const char *full)
{
    const cJSON *types = weir_json_get(json, key), *type;
    int i = 0;
    if (!types)
        return WEIR_OK;
    if (!cJSON_IsArray(types) || cJSON_GetArraySize(types) != config->n_layers)
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" must list %d layers", file, key, config->n_layers);
    config->some_sliding = true;
    cJSON_ArrayForEach(type, types)
    {
        const char *name = cJSON_IsString(type) ? type->valuestring : "?";
        bool slides = strcmp(name, sliding) == 0;
        if (!slides && strcmp(name, full) != 0)
            return weir_fail(WEIR_E_UNSUPPORTED, "%s: \"%s\": \"%s\" is not implemented", file, key, name);
        config->sliding[i++] = slides;
    }
    return WEIR_OK;
}

/* Qwen: a window only when asked for, and from some layer on. */
static weir_status read_window_layers(struct weir_config *config, const cJSON *json, const char *file)
{
    bool used = true;
    int64_t first = 0;
    TRY(weir_json_bool(json, file, "use_sliding_window", &used));
    TRY(weir_json_int(json, file, "max_window_layers", 0, 1 << 30, &first));
    if (!used)
        config->window = 0;
    if (config->some_sliding || !used || first == 0)
        return WEIR_OK;
    config->some_sliding = true;
    for (int i = 0; i < config->n_layers; i++)
        config->sliding[i] = i >= first;
    return WEIR_OK;
}

/* A list of layers' flags, [n_layers] of 0 and 1, into flags[i] = (value == wanted). */
static weir_status read_flags(uint8_t *flags, const struct weir_config *config, const cJSON *json, const char *file,
                              const char *key, int wanted)
{
    const cJSON *list = weir_json_get(json, key), *value;
    int i = 0;
    if (!list)
        return WEIR_OK;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != config->n_layers)
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" must list %d layers", file, key, config->n_layers);
    cJSON_ArrayForEach(value, list)
    {
        if (!cJSON_IsNumber(value) && !cJSON_IsBool(value))
            return weir_fail(WEIR_E_INPUT, "%s: \"%s\" must hold numbers", file, key);
        flags[i++] = (cJSON_IsBool(value) ? cJSON_IsTrue(value) : value->valueint) == wanted;
    }
    return WEIR_OK;
}

/* "mlp_only_layers": numbers of the layers that are dense in a sparse model. */
static weir_status read_dense_layers(struct weir_config *config, const cJSON *json, const char *file)
{
    const cJSON *list = weir_json_get(json, "mlp_only_layers"), *value;
    cJSON_ArrayForEach(value, list)
    {
        if (!cJSON_IsNumber(value) || value->valueint < 0 || value->valueint >= config->n_layers)
            return weir_fail(WEIR_E_INPUT, "%s: \"mlp_only_layers\" must hold numbers of layers", file);
        config->dense[value->valueint] = 1;
    }
    for (int i = 0; config->sparse_step > 1 && i < config->n_layers; i++)
        if ((i + 1) % config->sparse_step != 0)
            config->dense[i] = 1;
    return WEIR_OK;
}

static weir_status read_layers(struct weir_config *config, const cJSON *json, const char *file)
{
    TRY(weir_config_read_sliding(config, json, file, "layer_types", "sliding_attention", "full_attention"));
    TRY(read_window_layers(config, json, file));
    TRY(read_flags(config->unrotated, config, json, file, "no_rope_layers", 0));
    return read_dense_layers(config, json, file);
}

/* ---- rotation ---- */

static weir_status read_factors(double **out, int *n, const cJSON *rope, const char *file, const char *key)
{
    const cJSON *list = weir_json_get(rope, key), *value;
    int i = 0;
    if (!list)
        return WEIR_OK;
    *n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (*n == 0 || *n > 4096)
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" must be a list of numbers", file, key);
    weir_free(*out);
    TRY(weir_alloc(out, (size_t)*n, sizeof **out));
    cJSON_ArrayForEach(value, list)
    {
        if (!cJSON_IsNumber(value) || !(value->valuedouble > 0))
            return weir_fail(WEIR_E_INPUT, "%s: \"%s\" must hold numbers above 0", file, key);
        (*out)[i++] = value->valuedouble;
    }
    return WEIR_OK;
}

static weir_status read_one_rope(struct weir_config *config, struct weir_rope_config *out, const cJSON *rope,
                                 const char *file)
{
    static const struct {
        const char *key;
        size_t field;
    } numbers[] = {
        {"rope_theta", offsetof(struct weir_rope_config, theta)},
        {"factor", offsetof(struct weir_rope_config, factor)},
        {"low_freq_factor", offsetof(struct weir_rope_config, low_freq_factor)},
        {"high_freq_factor", offsetof(struct weir_rope_config, high_freq_factor)},
        {"original_max_position_embeddings", offsetof(struct weir_rope_config, original_context)},
        {"beta_fast", offsetof(struct weir_rope_config, beta_fast)},
        {"beta_slow", offsetof(struct weir_rope_config, beta_slow)},
        {"attention_factor", offsetof(struct weir_rope_config, attention_factor)},
        {"mscale", offsetof(struct weir_rope_config, mscale)},
        {"mscale_all_dim", offsetof(struct weir_rope_config, mscale_all_dim)},
        {"short_mscale", offsetof(struct weir_rope_config, short_mscale)},
        {"long_mscale", offsetof(struct weir_rope_config, long_mscale)},
    };
    const char *type = NULL;
    bool truncate = true;
    int n_short = 0;
    TRY(weir_json_string(rope, file, "type", &type));
    TRY(weir_json_string(rope, file, "rope_type", &type));
    if (type && strlen(type) >= sizeof out->type)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: rope type \"%s\" is not implemented", file, type);
    if (type)
        snprintf(out->type, sizeof out->type, "%s", type);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        TRY(weir_json_number(rope, file, numbers[i].key, (double *)(void *)((char *)out + numbers[i].field)));
    TRY(weir_json_bool(rope, file, "truncate", &truncate));
    out->untruncated = !truncate;
    TRY(weir_json_number(rope, file, "partial_rotary_factor", &config->rotary_factor));
    TRY(read_factors(&out->short_factors, &n_short, rope, file, "short_factor"));
    TRY(read_factors(&out->long_factors, &out->n_factors, rope, file, "long_factor"));
    if (n_short != out->n_factors)
        return weir_fail(WEIR_E_INPUT, "%s: \"short_factor\" and \"long_factor\" differ in length", file);
    return WEIR_OK;
}

/* transformers 5 has rope_parameters with everything in it, perhaps by type of layer; before that rope_theta and
   rope_scaling stood side by side. */
static weir_status read_rope(struct weir_config *config, const cJSON *json, const char *file)
{
    const cJSON *rope = weir_json_get(json, "rope_parameters");
    if (!rope)
        rope = weir_json_get(json, "rope_scaling");
    if (!rope)
        return WEIR_OK;
    if (!cJSON_IsObject(rope))
        return weir_fail(WEIR_E_INPUT, "%s: \"rope_parameters\" must be an object", file);
    const cJSON *full = weir_json_get(rope, "full_attention"), *sliding = weir_json_get(rope, "sliding_attention");
    if (full && sliding) {
        config->two_ropes = true;
        TRY(read_one_rope(config, &config->rope[1], sliding, file));
    }
    return read_one_rope(config, &config->rope[0], full ? full : rope, file);
}

/* ---- what follows from the rest, and whether it makes sense ---- */

static weir_status derive_heads(struct weir_config *c, const char *file)
{
    if (c->n_kv_heads == 0)
        c->n_kv_heads = c->n_heads;
    if (c->n_heads % c->n_kv_heads != 0)
        return weir_fail(WEIR_E_INPUT, "%s: %d heads cannot share %d key-value heads evenly", file, c->n_heads,
                         c->n_kv_heads);
    if (c->d_head > 0)
        return WEIR_OK;
    if (c->d_model % c->n_heads != 0)
        return weir_fail(WEIR_E_INPUT, "%s: %d dimensions cannot be cut into %d heads", file, c->d_model, c->n_heads);
    c->d_head = c->d_model / c->n_heads;
    return WEIR_OK;
}

static weir_status derive_rotation(struct weir_config *c, const char *file)
{
    if (c->rotary == WEIR_ROTARY_NONE)
        return WEIR_OK;
    if (c->rotary_dims == 0)
        c->rotary_dims = (int)(c->d_head * (c->rotary_factor > 0 ? c->rotary_factor : 1));
    if (c->rotary_dims < 2 || (c->rotary_dims + 1) / 2 * 2 > c->d_head)
        return weir_fail(WEIR_E_INPUT, "%s: %d of %d head dimensions cannot be rotated in pairs", file, c->rotary_dims,
                         c->d_head);
    for (int i = 0; i < (c->two_ropes ? WEIR_MAX_ROPES : 1); i++)
        if (!(c->rope[i].theta > 0))
            return weir_fail(WEIR_E_INPUT, "%s: \"rope_theta\" must be above 0", file);
    return WEIR_OK;
}

static weir_status derive_experts(struct weir_config *c, const char *file)
{
    if (c->n_experts == 0)
        return WEIR_OK;
    if (c->n_active == 0 || c->n_active > c->n_experts)
        return weir_fail(WEIR_E_INPUT, "%s: %d of %d experts cannot be chosen", file, c->n_active, c->n_experts);
    if (c->d_expert == 0)
        c->d_expert = c->d_mlp;
    return WEIR_OK;
}

static weir_status derive(struct weir_config *c, const char *file)
{
    if (c->n_layers == 0 || c->n_heads == 0 || c->d_model == 0 || c->n_context == 0)
        return weir_fail(WEIR_E_INPUT, "%s: does not say how many %s there are", file,
                         c->n_layers == 0  ? "layers"
                         : c->n_heads == 0 ? "heads"
                         : c->d_model == 0 ? "dimensions"
                                           : "positions");
    TRY(derive_heads(c, file));
    if (c->d_mlp == 0)
        c->d_mlp = 4 * c->d_model;
    if (c->n_outputs == 0)
        c->n_outputs = c->n_vocab;
    if (c->d_embed == 0)
        c->d_embed = c->d_model;
    if (c->embed_scale_by_width)
        c->embed_scale = sqrt((double)c->d_model);
    if (!(c->eps >= 0 && c->eps < 1))
        return weir_fail(WEIR_E_INPUT, "%s: a norm's epsilon of %g makes no sense", file, c->eps);
    TRY(derive_rotation(c, file));
    if (c->alibi && !(c->alibi_max > 0))
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: attention biases of at most %g are not implemented", file,
                         c->alibi_max);
    return derive_experts(c, file);
}

static weir_status read_model_type(const char **model_type, const cJSON *json, const char *file)
{
    *model_type = NULL;
    if (!cJSON_IsObject(json))
        return weir_fail(WEIR_E_INPUT, "%s: is not a JSON object", file);
    TRY(weir_json_string(json, file, "model_type", model_type));
    if (!*model_type && weir_json_get(json, "d_vocab") && weir_json_get(json, "n_ctx")) /* it has no other sign */
        *model_type = "HookedTransformer";
    return *model_type ? WEIR_OK : weir_fail(WEIR_E_INPUT, "%s: has no \"model_type\"", file);
}

weir_status weir_config_from_json(struct weir_config *out, const struct weir_family **family, const cJSON *json,
                                  const char *file)
{
    const char *model_type;
    bool scaled = true;
    TRY(read_model_type(&model_type, json, file));
    *family = weir_family_of_model_type(model_type);
    if (!*family)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: model_type \"%s\" is not a family that weir knows", file, model_type);
    *out = (*family)->defaults;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        TRY(read_json_key(out, &keys[i], json, file));
    if (!(*family)->slides) /* left by a conversion: Llama's code does not look at "sliding_window" */
        out->window = 0;
    TRY(read_activation(out, json, file));
    TRY(read_layers(out, json, file));
    TRY(read_rope(out, json, file));
    TRY(weir_config_check_neutral(neutral, sizeof neutral / sizeof *neutral, json, file));
    TRY(check_quantization(json, file));
    TRY(read_biases(out, json, file));
    TRY(weir_json_bool(json, file, "scale_attn_weights", &scaled));
    out->scores_unscaled = out->scores_unscaled || !scaled;
    if (out->n_vocab == 0)
        return weir_fail(WEIR_E_INPUT, "%s: has no \"vocab_size\"", file);
    if ((*family)->refine)
        TRY((*family)->refine(out, json, file));
    return derive(out, file);
}

/* ---- GGUF ---- */

enum { ARCHITECTURE_SIZE = 64 };

static weir_status read_gguf_key(struct weir_config *config, const struct key *key, const struct weir_gguf *gguf,
                                 const char *architecture)
{
    char name[128];
    int64_t number = 0, least = key->kind == INT_OR_0 ? 0 : 1;
    if (!key->gguf)
        return WEIR_OK;
    snprintf(name, sizeof name, "%s.%s", architecture, key->gguf);
    if (!weir_gguf_find(gguf, name))
        return WEIR_OK;
    if (key->kind == DOUBLE)
        return weir_gguf_number(gguf, name, field(config, key->field));
    if (key->kind == BOOL)
        return weir_gguf_bool(gguf, name, field(config, key->field));
    TRY(weir_gguf_int(gguf, name, &number));
    if (number < least || number > key->max)
        return weir_fail(WEIR_E_INPUT, "%s: %s is %lld; it must be from %lld to %lld", gguf->path, name,
                         (long long)number, (long long)least, (long long)key->max);
    *(int *)field(config, key->field) = (int)number;
    return WEIR_OK;
}

/* Rows that the converter has put in the order of pairs can be put back where whole heads turn. */
static weir_status check_row_order(const struct weir_config *c, const struct weir_family *family, const char *file)
{
    if (!family->gguf_rotates_rows || (c->d_head % 2 == 0 && c->rotary_dims == c->d_head))
        return WEIR_OK;
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: a rotation of %d of %d head dimensions is not implemented for %s", file,
                     c->rotary_dims, c->d_head, family->gguf);
}

static weir_status read_architecture(char architecture[ARCHITECTURE_SIZE], const struct weir_gguf *gguf)
{
    char *text = NULL;
    TRY(weir_gguf_text(gguf, "general.architecture", &text));
    bool fits = text && strlen(text) < ARCHITECTURE_SIZE;
    if (fits)
        memcpy(architecture, text, strlen(text) + 1);
    weir_free(text);
    return fits ? WEIR_OK : weir_fail(WEIR_E_INPUT, "%s: general.architecture is absent or too long", gguf->path);
}

weir_status weir_config_from_gguf(struct weir_config *out, const struct weir_family **family,
                                  const struct weir_gguf *gguf)
{
    char architecture[ARCHITECTURE_SIZE];
    TRY(read_architecture(architecture, gguf));
    *family = weir_family_of_gguf(architecture);
    if (!*family)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: architecture \"%s\" is not a family that weir knows", gguf->path,
                         architecture);
    *out = (*family)->defaults;
    weir_gguf_defaults(out);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        TRY(read_gguf_key(out, &keys[i], gguf, architecture));
    TRY(weir_gguf_facts(out, *family, gguf, architecture));
    if ((*family)->refine_gguf)
        TRY((*family)->refine_gguf(out, gguf));
    TRY(derive(out, gguf->path));
    return check_row_order(out, *family, gguf->path);
}

void weir_config_close(struct weir_config *config)
{
    for (int i = 0; i < WEIR_MAX_ROPES; i++) {
        weir_free(config->rope[i].short_factors);
        weir_free(config->rope[i].long_factors);
    }
    *config = (struct weir_config){0};
}

/* ---- specs ---- */

static double score_scale(const struct weir_config *c, int layer)
{
    double scale = c->scores_unscaled   ? 1
                   : c->score_scale > 0 ? c->score_scale
                                        : 1 / sqrt(c->score_scalar > 0 ? c->score_scalar : (double)c->d_head);
    return c->scores_by_layer ? scale / (layer + 1) : scale;
}

void weir_config_layer(struct weir_layer_spec *out, const struct weir_config *c, int layer)
{
    bool sliding = c->window > 0 && (!c->some_sliding || c->sliding[layer]);
    bool sparse = c->n_experts > 0 && !c->dense[layer];
    *out = (struct weir_layer_spec){
        .n_heads = c->n_heads,
        .n_kv_heads = c->n_kv_heads,
        .d_head = c->d_head,
        .score_scale = (float)score_scale(c, layer),
        .score_cap = (float)c->score_cap,
        .qkv_clip = (float)c->qkv_clip,
        .window = sliding ? c->window : 0,
        .sinks = c->sinks,
        .alibi = c->alibi,
        .rotary = c->unrotated[layer] ? WEIR_ROTARY_NONE : c->rotary,
        .rotary_dims = (c->rotary_dims + 1) / 2 * 2,
        .rope = c->two_ropes && c->sliding[layer],
        .qk_norm = c->qk_norm,
        .qk_norm_kind = c->qk_norm_kind,
        .norm = c->norm,
        .positions_to_qk = c->positions_to_qk,
        .post_norm = c->post_norm,
        .eps = (float)c->eps,
        .gated = c->gated,
        .activation = c->activation,
        .mlp_norm = c->mlp_norm,
        .mlp_limit = (float)c->mlp_limit,
        .d_mlp = sparse ? c->d_expert : c->d_mlp,
        .n_experts = sparse ? c->n_experts : 0,
        .n_active = c->n_active,
        .active_sum_to_one = c->active_sum_to_one,
        .routing = c->routing,
        .router_jitter = (float)c->router_jitter,
        .attn_only = c->attn_only,
        .parallel = c->parallel,
        .shared_norm = c->parallel && c->shared_norm,
        .branch_scale = c->branch_scale > 0 ? (float)c->branch_scale : 1,
    };
}
