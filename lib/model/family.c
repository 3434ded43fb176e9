#include "model/family.h"

#include "base/json.h"
#include "format/gguf.h"

#include <string.h>

/* ---- names ---- */

/* Llama's, which most later families took over. */
#define LLAMA_EMBEDDINGS [WEIR_R_EMBED] = "embed_tokens", [WEIR_R_LN_FINAL] = "norm", [WEIR_R_UNEMBED] = "lm_head"
#define LLAMA_QKV                                                                                                      \
    [WEIR_R_Q] = "layers.{}.self_attn.q_proj", [WEIR_R_K] = "layers.{}.self_attn.k_proj",                              \
    [WEIR_R_V] = "layers.{}.self_attn.v_proj"
#define LLAMA_ATTENTION LLAMA_QKV, [WEIR_R_O] = "layers.{}.self_attn.o_proj"
#define LLAMA_QK_NORM   [WEIR_R_Q_NORM] = "layers.{}.self_attn.q_norm", [WEIR_R_K_NORM] = "layers.{}.self_attn.k_norm"
#define LLAMA_NORMS     [WEIR_R_LN1] = "layers.{}.input_layernorm", [WEIR_R_LN2] = "layers.{}.post_attention_layernorm"
#define LLAMA_MLP                                                                                                      \
    [WEIR_R_MLP_GATE] = "layers.{}.mlp.gate_proj", [WEIR_R_MLP_IN] = "layers.{}.mlp.up_proj",                          \
    [WEIR_R_MLP_OUT] = "layers.{}.mlp.down_proj"
#define LLAMA_EXPERTS                                                                                                  \
    [WEIR_R_ROUTER] = "layers.{}.mlp.gate", [WEIR_R_EXPERT_GATE] = "layers.{}.mlp.experts.[].gate_proj",               \
    [WEIR_R_EXPERT_IN] = "layers.{}.mlp.experts.[].up_proj",                                                           \
    [WEIR_R_EXPERT_OUT] = "layers.{}.mlp.experts.[].down_proj"
#define POST_NORMS                                                                                                     \
    [WEIR_R_LN1_POST] = "layers.{}.post_attention_layernorm", [WEIR_R_LN2_POST] = "layers.{}.post_feedforward_"        \
                                                                                  "layernorm"

static const weir_names llama_names = {LLAMA_EMBEDDINGS, LLAMA_ATTENTION, LLAMA_NORMS, LLAMA_MLP};
static const weir_names qwen3_names = {LLAMA_EMBEDDINGS, LLAMA_ATTENTION, LLAMA_QK_NORM, LLAMA_NORMS, LLAMA_MLP};
static const weir_names gemma2_names = {LLAMA_EMBEDDINGS,
                                        LLAMA_ATTENTION,
                                        LLAMA_QK_NORM,
                                        LLAMA_MLP,
                                        POST_NORMS,
                                        [WEIR_R_LN1] = "layers.{}.input_layernorm",
                                        [WEIR_R_LN2] = "layers.{}.pre_feedforward_layernorm"};
static const weir_names olmo_names = {
    [WEIR_R_EMBED] = "embed_tokens", [WEIR_R_UNEMBED] = "lm_head", LLAMA_ATTENTION, LLAMA_MLP};
static const weir_names olmo2_names = {LLAMA_EMBEDDINGS, LLAMA_ATTENTION, LLAMA_QK_NORM, LLAMA_MLP, POST_NORMS};
static const weir_names sparse_names = {LLAMA_EMBEDDINGS, LLAMA_ATTENTION, LLAMA_QK_NORM,
                                        LLAMA_NORMS,      LLAMA_MLP,       LLAMA_EXPERTS};
static const weir_names mixtral_names = {LLAMA_EMBEDDINGS,
                                         LLAMA_ATTENTION,
                                         LLAMA_NORMS,
                                         [WEIR_R_ROUTER] = "layers.{}.block_sparse_moe.gate",
                                         [WEIR_R_EXPERT_GATE] = "layers.{}.block_sparse_moe.experts.[].w1",
                                         [WEIR_R_EXPERT_IN] = "layers.{}.block_sparse_moe.experts.[].w3",
                                         [WEIR_R_EXPERT_OUT] = "layers.{}.block_sparse_moe.experts.[].w2"};
static const weir_names gpt_oss_names = {
    LLAMA_EMBEDDINGS,
    LLAMA_ATTENTION,
    LLAMA_NORMS,
    [WEIR_R_SINKS] = "layers.{}.self_attn.sinks,",
    [WEIR_R_ROUTER] = "layers.{}.mlp.router",
    [WEIR_R_EXPERT_GATE_AND_IN] = "layers.{}.mlp.experts.gate_up_proj,layers.{}.mlp.experts.gate_up_proj_bias",
    [WEIR_R_EXPERT_OUT] = "layers.{}.mlp.experts.down_proj,layers.{}.mlp.experts.down_proj_bias"};
static const weir_names cohere_names = {LLAMA_EMBEDDINGS, LLAMA_ATTENTION, LLAMA_QK_NORM,
                                        LLAMA_MLP, [WEIR_R_LN1] = "layers.{}.input_layernorm"};
static const weir_names phi_names = {LLAMA_QKV,
                                     [WEIR_R_EMBED] = "embed_tokens",
                                     [WEIR_R_LN1] = "layers.{}.input_layernorm",
                                     [WEIR_R_Q_NORM] = "layers.{}.self_attn.q_layernorm",
                                     [WEIR_R_K_NORM] = "layers.{}.self_attn.k_layernorm",
                                     [WEIR_R_O] = "layers.{}.self_attn.dense",
                                     [WEIR_R_MLP_IN] = "layers.{}.mlp.fc1",
                                     [WEIR_R_MLP_OUT] = "layers.{}.mlp.fc2",
                                     [WEIR_R_LN_FINAL] = "final_layernorm",
                                     [WEIR_R_UNEMBED] = "lm_head"};
static const weir_names phi3_names = {LLAMA_EMBEDDINGS,
                                      LLAMA_NORMS,
                                      [WEIR_R_QKV] = "layers.{}.self_attn.qkv_proj",
                                      [WEIR_R_O] = "layers.{}.self_attn.o_proj",
                                      [WEIR_R_GATE_AND_IN] = "layers.{}.mlp.gate_up_proj",
                                      [WEIR_R_MLP_OUT] = "layers.{}.mlp.down_proj"};
static const weir_names stablelm_names = {LLAMA_EMBEDDINGS,
                                          LLAMA_ATTENTION,
                                          LLAMA_NORMS,
                                          LLAMA_MLP,
                                          [WEIR_R_Q_NORM] = "layers.{}.self_attn.q_layernorm.norms.[]",
                                          [WEIR_R_K_NORM] = "layers.{}.self_attn.k_layernorm.norms.[]"};
static const weir_names starcoder2_names = {
    LLAMA_EMBEDDINGS, LLAMA_ATTENTION,
    LLAMA_NORMS, [WEIR_R_MLP_IN] = "layers.{}.mlp.c_fc", [WEIR_R_MLP_OUT] = "layers.{}.mlp.c_proj"};
static const weir_names nemotron_names = {
    LLAMA_EMBEDDINGS, LLAMA_ATTENTION,
    LLAMA_NORMS, [WEIR_R_MLP_IN] = "layers.{}.mlp.up_proj", [WEIR_R_MLP_OUT] = "layers.{}.mlp.down_proj"};

static const weir_names gpt2_names = {
    [WEIR_R_EMBED] = "wte",
    [WEIR_R_POS_EMBED] = "wpe",
    [WEIR_R_LN1] = "h.{}.ln_1",
    [WEIR_R_QKV] = "h.{}.attn.c_attn",
    [WEIR_R_O] = "h.{}.attn.c_proj",
    [WEIR_R_LN2] = "h.{}.ln_2",
    [WEIR_R_MLP_IN] = "h.{}.mlp.c_fc",
    [WEIR_R_MLP_OUT] = "h.{}.mlp.c_proj",
    [WEIR_R_LN_FINAL] = "ln_f",
    [WEIR_R_UNEMBED] = "lm_head",
};
static const weir_names gpt_neo_names = {
    [WEIR_R_EMBED] = "wte",
    [WEIR_R_POS_EMBED] = "wpe",
    [WEIR_R_LN1] = "h.{}.ln_1",
    [WEIR_R_Q] = "h.{}.attn.attention.q_proj",
    [WEIR_R_K] = "h.{}.attn.attention.k_proj",
    [WEIR_R_V] = "h.{}.attn.attention.v_proj",
    [WEIR_R_O] = "h.{}.attn.attention.out_proj",
    [WEIR_R_LN2] = "h.{}.ln_2",
    [WEIR_R_MLP_IN] = "h.{}.mlp.c_fc",
    [WEIR_R_MLP_OUT] = "h.{}.mlp.c_proj",
    [WEIR_R_LN_FINAL] = "ln_f",
    [WEIR_R_UNEMBED] = "lm_head",
};
static const weir_names gptj_names = {
    [WEIR_R_EMBED] = "wte",
    [WEIR_R_LN1] = "h.{}.ln_1",
    [WEIR_R_Q] = "h.{}.attn.q_proj",
    [WEIR_R_K] = "h.{}.attn.k_proj",
    [WEIR_R_V] = "h.{}.attn.v_proj",
    [WEIR_R_O] = "h.{}.attn.out_proj",
    [WEIR_R_MLP_IN] = "h.{}.mlp.fc_in",
    [WEIR_R_MLP_OUT] = "h.{}.mlp.fc_out",
    [WEIR_R_LN_FINAL] = "ln_f",
    [WEIR_R_UNEMBED] = "lm_head",
};
static const weir_names gpt_neox_names = {
    [WEIR_R_EMBED] = "embed_in",
    [WEIR_R_LN1] = "layers.{}.input_layernorm",
    [WEIR_R_QKV] = "layers.{}.attention.query_key_value",
    [WEIR_R_O] = "layers.{}.attention.dense",
    [WEIR_R_LN2] = "layers.{}.post_attention_layernorm",
    [WEIR_R_MLP_IN] = "layers.{}.mlp.dense_h_to_4h",
    [WEIR_R_MLP_OUT] = "layers.{}.mlp.dense_4h_to_h",
    [WEIR_R_LN_FINAL] = "final_layer_norm",
    [WEIR_R_UNEMBED] = "embed_out",
};
static const weir_names opt_names = {
    LLAMA_QKV,
    [WEIR_R_EMBED] = "embed_tokens",
    [WEIR_R_EMBED_IN] = "project_in",
    [WEIR_R_EMBED_OUT] = "project_out",
    [WEIR_R_POS_EMBED] = "embed_positions",
    [WEIR_R_LN1] = "layers.{}.self_attn_layer_norm",
    [WEIR_R_O] = "layers.{}.self_attn.out_proj",
    [WEIR_R_LN2] = "layers.{}.final_layer_norm",
    [WEIR_R_MLP_IN] = "layers.{}.fc1",
    [WEIR_R_MLP_OUT] = "layers.{}.fc2",
    [WEIR_R_LN_FINAL] = "final_layer_norm",
    [WEIR_R_UNEMBED] = "lm_head",
};
static const weir_names bloom_names = {
    [WEIR_R_EMBED] = "word_embeddings",
    [WEIR_R_EMBED_NORM] = "word_embeddings_layernorm",
    [WEIR_R_LN1] = "h.{}.input_layernorm",
    [WEIR_R_QKV] = "h.{}.self_attention.query_key_value",
    [WEIR_R_O] = "h.{}.self_attention.dense",
    [WEIR_R_LN2] = "h.{}.post_attention_layernorm",
    [WEIR_R_MLP_IN] = "h.{}.mlp.dense_h_to_4h",
    [WEIR_R_MLP_OUT] = "h.{}.mlp.dense_4h_to_h",
    [WEIR_R_LN_FINAL] = "ln_f",
    [WEIR_R_UNEMBED] = "lm_head",
};
static const weir_names falcon_names = {
    [WEIR_R_EMBED] = "word_embeddings",
    [WEIR_R_LN1] = "h.{}.input_layernorm|h.{}.ln_attn",
    [WEIR_R_QKV] = "h.{}.self_attention.query_key_value",
    [WEIR_R_O] = "h.{}.self_attention.dense",
    [WEIR_R_LN2] = "h.{}.post_attention_layernorm|h.{}.ln_mlp",
    [WEIR_R_MLP_IN] = "h.{}.mlp.dense_h_to_4h",
    [WEIR_R_MLP_OUT] = "h.{}.mlp.dense_4h_to_h",
    [WEIR_R_LN_FINAL] = "ln_f",
    [WEIR_R_UNEMBED] = "lm_head",
};
static const weir_names mpt_names = {
    [WEIR_R_EMBED] = "wte",
    [WEIR_R_LN1] = "blocks.{}.norm_1",
    [WEIR_R_QKV] = "blocks.{}.attn.Wqkv",
    [WEIR_R_O] = "blocks.{}.attn.out_proj",
    [WEIR_R_LN2] = "blocks.{}.norm_2",
    [WEIR_R_MLP_IN] = "blocks.{}.ffn.up_proj",
    [WEIR_R_MLP_OUT] = "blocks.{}.ffn.down_proj",
    [WEIR_R_LN_FINAL] = "norm_f",
    [WEIR_R_UNEMBED] = "lm_head",
};

static const weir_names lens_names = {
    [WEIR_R_EMBED] = "embed.W_E,",
    [WEIR_R_POS_EMBED] = "pos_embed.W_pos,",
    [WEIR_R_LN1] = "blocks.{}.ln1.w,blocks.{}.ln1.b",
    [WEIR_R_Q] = "blocks.{}.attn.W_Q,blocks.{}.attn.b_Q",
    [WEIR_R_K] = "blocks.{}.attn.W_K,blocks.{}.attn.b_K|blocks.{}.attn._W_K,blocks.{}.attn._b_K",
    [WEIR_R_V] = "blocks.{}.attn.W_V,blocks.{}.attn.b_V|blocks.{}.attn._W_V,blocks.{}.attn._b_V",
    [WEIR_R_O] = "blocks.{}.attn.W_O,blocks.{}.attn.b_O",
    [WEIR_R_LN2] = "blocks.{}.ln2.w,blocks.{}.ln2.b",
    [WEIR_R_MLP_IN] = "blocks.{}.mlp.W_in,blocks.{}.mlp.b_in",
    [WEIR_R_MLP_NORM] = "blocks.{}.mlp.ln.w,blocks.{}.mlp.ln.b",
    [WEIR_R_MLP_OUT] = "blocks.{}.mlp.W_out,blocks.{}.mlp.b_out",
    [WEIR_R_LN_FINAL] = "ln_final.w,ln_final.b",
    [WEIR_R_UNEMBED] = "unembed.W_U,unembed.b_U",
};

const weir_names weir_gguf_names = {
    [WEIR_R_EMBED] = "token_embd",
    [WEIR_R_EMBED_NORM] = "token_embd_norm",
    [WEIR_R_POS_EMBED] = "position_embd",
    [WEIR_R_LN1] = "blk.{}.attn_norm_2|blk.{}.attn_norm", /* Falcon's second norm is the attention's */
    [WEIR_R_QKV] = "blk.{}.attn_qkv",
    [WEIR_R_Q] = "blk.{}.attn_q",
    [WEIR_R_K] = "blk.{}.attn_k",
    [WEIR_R_V] = "blk.{}.attn_v",
    [WEIR_R_Q_NORM] = "blk.{}.attn_q_norm",
    [WEIR_R_K_NORM] = "blk.{}.attn_k_norm",
    [WEIR_R_O] = "blk.{}.attn_output",
    [WEIR_R_LN1_POST] = "blk.{}.post_attention_norm",
    [WEIR_R_LN2] = "blk.{}.ffn_norm|blk.{}.attn_norm",
    [WEIR_R_MLP_GATE] = "blk.{}.ffn_gate",
    [WEIR_R_MLP_IN] = "blk.{}.ffn_up",
    [WEIR_R_MLP_OUT] = "blk.{}.ffn_down",
    [WEIR_R_ROUTER] = "blk.{}.ffn_gate_inp",
    [WEIR_R_EXPERT_GATE] = "blk.{}.ffn_gate_exps",
    [WEIR_R_EXPERT_IN] = "blk.{}.ffn_up_exps",
    [WEIR_R_EXPERT_OUT] = "blk.{}.ffn_down_exps",
    [WEIR_R_LN2_POST] = "blk.{}.post_ffw_norm",
    [WEIR_R_LN_FINAL] = "output_norm",
    [WEIR_R_UNEMBED] = "output",
};

/* ---- what a table cannot say ---- */

/* GPT-Neo: attention_types [[["global", "local"], 2], ...], kinds of layers and how often they follow each other. */
static weir_status refine_gpt_neo(struct weir_config *c, const void *json, const char *file)
{
    const cJSON *types = weir_json_get(json, "attention_types"), *entry, *kind;
    int layer = 0;
    c->some_sliding = true;
    cJSON_ArrayForEach(entry, types)
    {
        const cJSON *kinds = cJSON_GetArrayItem(entry, 0), *times = cJSON_GetArrayItem(entry, 1);
        int n = cJSON_IsNumber(times) ? times->valueint : 0;
        n = n < c->n_layers ? n : c->n_layers; /* it may be huge, and the list empty */
        for (int i = 0; i < n && layer < c->n_layers; i++)
            cJSON_ArrayForEach(kind, kinds)
            {
                const char *name = cJSON_IsString(kind) ? kind->valuestring : "?";
                if (strcmp(name, "local") != 0 && strcmp(name, "global") != 0)
                    return weir_fail(WEIR_E_UNSUPPORTED, "%s: attention type \"%s\" is not implemented", file, name);
                if (layer < c->n_layers)
                    c->sliding[layer++] = strcmp(name, "local") == 0;
            }
    }
    if (layer != c->n_layers)
        return weir_fail(WEIR_E_INPUT, "%s: \"attention_types\" speaks of %d layers, there are %d", file, layer,
                         c->n_layers);
    return WEIR_OK;
}

static weir_status refine_opt(struct weir_config *c, const void *json, const char *file)
{
    bool affine = true;
    TRY(weir_json_bool(json, file, "_remove_final_layer_norm", &c->final_norm_absent));
    TRY(weir_json_bool(json, file, "layer_norm_elementwise_affine", &affine));
    if (!affine)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: \"layer_norm_elementwise_affine\": false is not implemented", file);
    return WEIR_OK;
}

/* Falcon: three ways to lay out q, k and v, and one or two norms in a parallel block. */
static weir_status refine_falcon(struct weir_config *c, const void *json, const char *file)
{
    bool new_decoder = false, multi_query = true, alibi = false;
    int64_t n_norms = 2;
    TRY(weir_json_bool(json, file, "new_decoder_architecture", &new_decoder));
    TRY(weir_json_bool(json, file, "multi_query", &multi_query));
    TRY(weir_json_bool(json, file, "alibi", &alibi));
    TRY(weir_json_int(json, file, "num_ln_in_parallel_attn", 1, 2, &n_norms));
    if (alibi) {
        c->alibi = WEIR_ALIBI_ROUNDED;
        c->rotary = WEIR_ROTARY_NONE;
    }
    c->qkv_concat = multi_query && !new_decoder;
    c->parallel = c->parallel || new_decoder;
    c->shared_norm = !new_decoder || n_norms == 1;
    if (!new_decoder)
        c->n_kv_heads = multi_query ? 1 : c->n_heads;
    return WEIR_OK;
}

static weir_status refine_gpt_bigcode(struct weir_config *c, const void *json, const char *file)
{
    bool multi_query = true;
    TRY(weir_json_bool(json, file, "multi_query", &multi_query));
    c->qkv_concat = multi_query;
    c->n_kv_heads = multi_query ? 1 : c->n_heads;
    return WEIR_OK;
}

static weir_status refine_mpt(struct weir_config *c, const void *json, const char *file)
{
    int64_t ratio = 4;
    const char *norm = "low_precision_layernorm";
    TRY(weir_json_int(json, file, "expansion_ratio", 1, 64, &ratio));
    TRY(weir_json_string(json, file, "norm_type", &norm));
    if (strcmp(norm, "low_precision_layernorm") != 0 && strcmp(norm, "layernorm") != 0)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: \"norm_type\": \"%s\" is not implemented", file, norm);
    c->d_mlp = (int)ratio * c->d_model;
    return WEIR_OK;
}

/* Families whose heads' queries and keys are normed only where the config says so. */
static weir_status refine_qk_layernorm(struct weir_config *c, const void *json, const char *file)
{
    bool normed = false;
    TRY(weir_json_bool(json, file, "qk_layernorm", &normed));
    TRY(weir_json_bool(json, file, "use_qk_norm", &normed));
    c->qk_norm = normed ? WEIR_QK_NORM_HEAD : WEIR_QK_NORM_NONE;
    return WEIR_OK;
}

static weir_status refine_olmoe(struct weir_config *c, const void *json, const char *file)
{
    (void)json;
    if (c->qkv_clip > 0)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: \"clip_qkv\" is not implemented for olmoe (it clips after its norms)",
                         file);
    return WEIR_OK;
}

static void do_not_rotate_every(struct weir_config *c, int64_t interval)
{
    for (int i = 0; i < c->n_layers; i++)
        c->unrotated[i] = (i + 1) % interval == 0;
}

/* SmolLM3: every fourth layer has no rotation, where the config does not list them. */
static weir_status refine_smollm3(struct weir_config *c, const void *json, const char *file)
{
    int64_t interval = 4;
    TRY(weir_json_int(json, file, "no_rope_layer_interval", 1, WEIR_MAX_LAYERS, &interval));
    if (!weir_json_get(json, "no_rope_layers"))
        do_not_rotate_every(c, interval);
    return WEIR_OK;
}

static void slide_all_but_every(struct weir_config *c, int64_t interval)
{
    c->some_sliding = true;
    for (int i = 0; i < c->n_layers; i++)
        c->sliding[i] = (i + 1) % interval != 0;
}

/* GPT-OSS, where the config leaves it out: every second layer slides, the first one does, and YaRN stretches the
   rotation. "hidden_act" is not what its experts compute. */
static weir_status refine_gpt_oss(struct weir_config *c, const void *json, const char *file)
{
    struct weir_rope_config *rope = &c->rope[0];
    if (!(c->mlp_limit > 0))
        return weir_fail(WEIR_E_INPUT, "%s: \"swiglu_limit\" is %g; it must be above 0", file, c->mlp_limit);
    c->activation = WEIR_ACT_GELU_QUICK;
    for (int i = 0; !c->some_sliding && i < c->n_layers; i++)
        c->sliding[i] = i % 2 == 0;
    c->some_sliding = true;
    if (weir_json_get(json, "rope_parameters") || weir_json_get(json, "rope_scaling"))
        return WEIR_OK;
    strcpy(rope->type, "yarn");
    rope->factor = 32;
    rope->original_context = 4096;
    rope->untruncated = true;
    return WEIR_OK;
}

static weir_status refine_phimoe(struct weir_config *c, const void *json, const char *file)
{
    const char *type = c->rope[0].type;
    (void)json;
    if (c->n_active != 2)
        return weir_fail(WEIR_E_UNSUPPORTED,
                         "%s: \"num_experts_per_tok\": %d is not implemented for phimoe (its router picks two)", file,
                         c->n_active);
    if (*type && strcmp(type, "default") != 0 && strcmp(type, "longrope") != 0)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: rope type \"%s\" is not implemented for phimoe", file, type);
    return WEIR_OK;
}

/* Gemma 2 and 3, where the config lists no types: every second layer slides, or all but every sixth. */
static weir_status refine_gemma(struct weir_config *c, const void *json, const char *file)
{
    int64_t pattern = c->rope[1].theta > 0 ? 6 : 2;
    TRY(weir_json_int(json, file, "sliding_window_pattern", 1, WEIR_MAX_LAYERS, &pattern));
    c->two_ropes = c->rope[1].theta > 0;
    if (c->two_ropes)
        c->score_cap = 0; /* Gemma 3's config has the key, the model does not apply it */
    if (!c->some_sliding)
        slide_all_but_every(c, pattern);
    return WEIR_OK;
}

/* ---- what neither the keys nor the tensors of a GGUF file say: llama.cpp knows it by the architecture ---- */

/* The largest model scales scores by another rule than the head's size, and is told by its number of layers. */
static void scale_gemma_scores(struct weir_config *c, int layers_of_largest)
{
    int share = c->n_heads > 0 ? c->d_model / c->n_heads : 0;
    if (c->n_layers == layers_of_largest)
        c->score_scalar = share;
}

static weir_status refine_gguf_gemma2(struct weir_config *c, const struct weir_gguf *gguf)
{
    if (!weir_gguf_find(gguf, "gemma2.attention.sliding_window"))
        c->window = 4096;
    if (!c->some_sliding)
        slide_all_but_every(c, 2);
    scale_gemma_scores(c, 46); /* 27B */
    return WEIR_OK;
}

static weir_status refine_gguf_gemma3(struct weir_config *c, const struct weir_gguf *gguf)
{
    (void)gguf;
    if (!c->some_sliding)
        slide_all_but_every(c, 6);
    c->two_ropes = c->window > 0; /* a file without a window is of full layers only */
    scale_gemma_scores(c, 62);    /* 27B */
    return WEIR_OK;
}

/* Files of the first StableLM say "use_parallel_residual" and have the norm of a sequential block. */
static weir_status refine_gguf_stablelm(struct weir_config *c, const struct weir_gguf *gguf)
{
    c->parallel = !weir_tensors_find(gguf->tensors, "blk.0.ffn_norm.weight");
    return WEIR_OK;
}

/* The key that elsewhere divides logits multiplies them here. */
static weir_status refine_gguf_cohere(struct weir_config *c, const struct weir_gguf *gguf)
{
    (void)gguf;
    c->logit_scale = c->logit_divisor;
    c->logit_divisor = 0;
    return WEIR_OK;
}

static weir_status refine_gguf_smollm3(struct weir_config *c, const struct weir_gguf *gguf)
{
    (void)gguf;
    do_not_rotate_every(c, 4);
    return WEIR_OK;
}

static weir_status refine_gguf_olmoe(struct weir_config *c, const struct weir_gguf *gguf)
{
    if (!weir_gguf_find(gguf, "olmoe.expert_weights_norm"))
        c->active_sum_to_one = false;
    return refine_olmoe(c, NULL, gguf->path);
}

/* ---- the families ---- */

#define ROTATED(theta_) .rotary = WEIR_ROTARY_HALVES, .rope = {{.theta = (theta_)}}
#define LLAMA                                                                                                          \
    .eps = 1e-6, .norm = WEIR_NORM_RMS, .gated = true, .activation = WEIR_ACT_SILU, .n_context = 2048, ROTATED(10000)
#define GEMMA                                                                                                          \
    LLAMA, .activation = WEIR_ACT_GELU_TANH, .tied = true, .embed_scale_by_width = true, .norm_plus_one = true,        \
           .n_context = 8192
#define GPT    .eps = 1e-5, .norm = WEIR_NORM_LAYER, .activation = WEIR_ACT_GELU_TANH, .n_context = 2048
#define SPARSE .n_active = 8

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init" /* a row begins with its relatives' defaults and departs from them */
static const struct weir_family families[] = {
    {.model_type = "gpt2",
     .gguf = "gpt2",
     .names = gpt2_names,
     .prefix = "transformer.",
     .biased = true,
     .defaults = {GPT, .input_major = true, .qkv_concat = true, .learned_positions = true, .tied = true,
                  .n_context = 1024}},
    {.model_type = "gpt_neo",
     .names = gpt_neo_names,
     .prefix = "transformer.",
     .refine = refine_gpt_neo,
     .slides = true,
     .defaults = {GPT, .learned_positions = true, .tied = true, .scores_unscaled = true, .window = 256}},
    {.model_type = "gptj",
     .gguf = "gptj",
     .names = gptj_names,
     .prefix = "transformer.",
     .defaults = {GPT, .parallel = true, .shared_norm = true, .rotary = WEIR_ROTARY_PAIRS, .rotary_dims = 64,
                  .rope = {{.theta = 10000}}}},
    {.model_type = "gpt_neox",
     .gguf = "gptneox",
     .names = gpt_neox_names,
     .prefix = "gpt_neox.",
     .defaults = {GPT, ROTATED(10000), .activation = WEIR_ACT_GELU, .rotary_factor = 0.25, .parallel = true}},
    {.model_type = "opt",
     .names = opt_names,
     .prefix = "model.decoder.",
     .refine = refine_opt,
     .defaults = {GPT, .activation = WEIR_ACT_RELU, .learned_positions = true, .position_offset = 2, .tied = true}},
    {.model_type = "bloom",
     .gguf = "bloom",
     .names = bloom_names,
     .prefix = "transformer.",
     .defaults = {GPT, .alibi = WEIR_ALIBI_FROM_START, .alibi_max = 8, .tied = true}},
    {.model_type = "llama",
     .gguf = "llama",
     .names = llama_names,
     .prefix = "model.",
     .gguf_rotates_rows = true,
     .defaults = {LLAMA}},
    {.model_type = "mistral",
     .gguf = "llama",
     .names = llama_names,
     .prefix = "model.",
     .slides = true,
     .defaults = {LLAMA, .window = 4096}},
    {.model_type = "qwen2",
     .gguf = "qwen2",
     .names = llama_names,
     .prefix = "model.",
     .slides = true,
     .defaults = {LLAMA, .window = 4096}},
    {.model_type = "qwen3",
     .gguf = "qwen3",
     .names = qwen3_names,
     .prefix = "model.",
     .slides = true,
     .defaults = {LLAMA, .d_head = 128, .qk_norm = WEIR_QK_NORM_HEAD, .qk_norm_kind = WEIR_NORM_RMS, .window = 4096}},
    {.model_type = "gemma",
     .gguf = "gemma",
     .names = llama_names,
     .prefix = "model.",
     .gguf_adds_one = true,
     .defaults = {GEMMA, .d_head = 256}},
    {.model_type = "gemma2",
     .gguf = "gemma2",
     .names = gemma2_names,
     .prefix = "model.",
     .gguf_adds_one = true,
     .refine = refine_gemma,
     .refine_gguf = refine_gguf_gemma2,
     .slides = true,
     .defaults = {GEMMA, .d_head = 256, .post_norm = WEIR_NORM_RMS, .score_scalar = 256, .window = 4096,
                  .score_cap = 50, .logit_cap = 30}},
    {.model_type = "gemma3_text",
     .gguf = "gemma3",
     .names = gemma2_names,
     .prefix = "model.",
     .gguf_adds_one = true,
     .refine = refine_gemma,
     .refine_gguf = refine_gguf_gemma3,
     .slides = true,
     .defaults = {GEMMA, .d_head = 256, .post_norm = WEIR_NORM_RMS, .qk_norm = WEIR_QK_NORM_HEAD,
                  .qk_norm_kind = WEIR_NORM_RMS, .score_scalar = 256, .window = 4096, .two_ropes = true,
                  .rope = {{.theta = 1000000}, {.theta = 10000}}, .n_context = 131072}},
    {.model_type = "phi",
     .gguf = "phi2",
     .names = phi_names,
     .prefix = "model.",
     .refine = refine_qk_layernorm,
     .defaults = {GPT, ROTATED(10000), .rotary_factor = 0.5, .parallel = true, .shared_norm = true,
                  .qk_norm_kind = WEIR_NORM_LAYER}},
    {.model_type = "phi3",
     .gguf = "phi3",
     .names = phi3_names,
     .prefix = "model.",
     .slides = true,
     .defaults = {LLAMA, .eps = 1e-5, .qkv_concat = true, .n_context = 4096}},
    {.model_type = "stablelm",
     .gguf = "stablelm",
     .names = stablelm_names,
     .prefix = "model.",
     .refine = refine_qk_layernorm,
     .refine_gguf = refine_gguf_stablelm,
     .defaults = {LLAMA, .eps = 1e-5, .norm = WEIR_NORM_LAYER, .rotary_factor = 0.25, .shared_norm = true,
                  .qk_norm_kind = WEIR_NORM_LAYER, .n_context = 4096}},
    {.model_type = "olmo",
     .gguf = "olmo",
     .names = olmo_names,
     .prefix = "model.",
     .gguf_rotates_rows = true,
     .defaults = {LLAMA, .eps = 1e-5, .norm = WEIR_NORM_LAYER}},
    {.model_type = "olmo2",
     .gguf = "olmo2",
     .names = olmo2_names,
     .prefix = "model.",
     .defaults = {LLAMA, .eps = 1e-5, .norm = WEIR_NORM_NONE, .post_norm = WEIR_NORM_RMS, .qk_norm = WEIR_QK_NORM_WIDTH,
                  .qk_norm_kind = WEIR_NORM_RMS}},
    {.model_type = "starcoder2",
     .gguf = "starcoder2",
     .names = starcoder2_names,
     .prefix = "model.",
     .slides = true,
     .defaults = {GPT, ROTATED(10000), .tied = true, .n_context = 4096}},
    {.model_type = "granite",
     .gguf = "granite",
     .names = llama_names,
     .prefix = "model.",
     .gguf_rotates_rows = true,
     .defaults = {LLAMA, .score_scale = 1}},
    {.model_type = "falcon",
     .gguf = "falcon",
     .names = falcon_names,
     .prefix = "transformer.",
     .refine = refine_falcon,
     .defaults = {GPT, ROTATED(10000), .activation = WEIR_ACT_GELU, .parallel = true, .tied = true, .alibi_max = 8}},
    {.model_type = "mpt",
     .gguf = "mpt",
     .names = mpt_names,
     .prefix = "transformer.",
     .refine = refine_mpt,
     .defaults = {GPT, .activation = WEIR_ACT_GELU, .qkv_concat = true, .alibi = WEIR_ALIBI_FROM_END, .alibi_max = 8,
                  .tied = true}},
    {.model_type = "mixtral",
     .gguf = "llama",
     .names = mixtral_names,
     .prefix = "model.",
     .slides = true,
     .defaults = {LLAMA, .eps = 1e-5, .rope = {{.theta = 1000000}}, .n_experts = 8, .n_active = 2,
                  .active_sum_to_one = true, .n_context = 131072}},
    {.model_type = "phimoe",
     .names = mixtral_names,
     .prefix = "model.",
     .refine = refine_phimoe,
     .slides = true,
     .defaults = {LLAMA, .eps = 1e-5, .norm = WEIR_NORM_LAYER, .routing = WEIR_ROUTING_SPARSE_MIXER,
                  .router_jitter = 0.01, .n_experts = 16, .n_active = 2, .n_context = 131072,
                  .rope = {{.theta = 1000000, .by_mscale = true}}}},
    {.model_type = "gpt_oss",
     .names = gpt_oss_names,
     .prefix = "model.",
     .refine = refine_gpt_oss,
     .slides = true,
     .defaults = {LLAMA, .eps = 1e-5, .d_head = 64, .sinks = true, .window = 128, .mlp_limit = 7, .n_experts = 128,
                  .n_active = 4, .active_sum_to_one = true, .experts_input_major = true, .rope = {{.theta = 150000}},
                  .n_context = 131072}},
    {.model_type = "qwen3_moe",
     .gguf = "qwen3moe",
     .names = sparse_names,
     .prefix = "model.",
     .slides = true,
     .defaults = {LLAMA, SPARSE, .qk_norm = WEIR_QK_NORM_HEAD, .qk_norm_kind = WEIR_NORM_RMS, .n_experts = 128,
                  .d_expert = 768, .window = 4096}},
    {.model_type = "olmoe",
     .gguf = "olmoe",
     .names = sparse_names,
     .prefix = "model.",
     .refine = refine_olmoe,
     .refine_gguf = refine_gguf_olmoe,
     .defaults = {LLAMA, SPARSE, .eps = 1e-5, .qk_norm = WEIR_QK_NORM_WIDTH, .qk_norm_kind = WEIR_NORM_RMS,
                  .n_experts = 64, .n_context = 4096}},
    {.model_type = "smollm3",
     .gguf = "smollm3",
     .names = llama_names,
     .prefix = "model.",
     .gguf_rotates_rows = true,
     .refine = refine_smollm3,
     .refine_gguf = refine_gguf_smollm3,
     .slides = true,
     .defaults = {LLAMA, .tied = true, .rope = {{.theta = 2000000}}, .n_context = 32768}},
    {.model_type = "cohere",
     .gguf = "command-r",
     .names = cohere_names,
     .prefix = "model.",
     .refine = refine_qk_layernorm,
     .refine_gguf = refine_gguf_cohere,
     .defaults = {LLAMA, .eps = 1e-5, .norm = WEIR_NORM_LAYER, .parallel = true, .shared_norm = true, .tied = true,
                  .rotary = WEIR_ROTARY_PAIRS, .rope = {{.theta = 500000}}, .logit_scale = 0.0625,
                  .qk_norm_kind = WEIR_NORM_LAYER, .n_context = 8192}},
    {.model_type = "gpt_bigcode",
     .gguf = "starcoder",
     .names = gpt2_names,
     .prefix = "transformer.",
     .refine = refine_gpt_bigcode,
     .defaults = {GPT, .learned_positions = true, .tied = true, .n_context = 1024}},
    {.model_type = "nemotron",
     .gguf = "nemotron",
     .names = nemotron_names,
     .prefix = "model.",
     .gguf_adds_one = true,
     .defaults = {GPT, ROTATED(10000), .activation = WEIR_ACT_RELU2, .norm_plus_one = true, .rotary_factor = 0.5,
                  .n_context = 4096}},
    {.model_type = "HookedTransformer", /* TransformerLens's own: its config.json has no model_type */
     .names = lens_names,
     .refine = weir_refine_lens,
     .slides = true,
     .defaults = {.eps = 1e-5,
                  .norm = WEIR_NORM_LAYER,
                  .activation = WEIR_ACT_RELU,
                  .input_major = true,
                  .lens_layout = true,
                  .rope = {{.theta = 10000}}}},
};
#pragma GCC diagnostic pop

const struct weir_family *weir_family_at(size_t i)
{
    return i < sizeof families / sizeof *families ? &families[i] : NULL;
}

const struct weir_family *weir_family_of_model_type(const char *model_type)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (strcmp(families[i].model_type, model_type) == 0)
            return &families[i];
    return NULL;
}

const struct weir_family *weir_family_of_gguf(const char *architecture)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (families[i].gguf && strcmp(families[i].gguf, architecture) == 0)
            return &families[i];
    return NULL;
}
