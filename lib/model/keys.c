/* The keys that each family's code reads: those of transformers' configuration class of that model type with its old
   names, and what its modeling code looks up besides. tests/model/test_config_keys.py holds every list against
   transformers. A family that has n_layers under two names lists first the one that wins; of keys that set one field,
   the last one that is there wins. */
#include "model/keys.h"

#define FIELD(member) offsetof(struct weir_config, member)
#define INT(names, member, most)                                                                                       \
    {                                                                                                                  \
        names, WEIR_KEY_INT, .field = FIELD(member), .max = (most)                                                     \
    }
#define COUNT(names, member, most)                                                                                     \
    {                                                                                                                  \
        names, WEIR_KEY_COUNT, .field = FIELD(member), .max = (most)                                                   \
    }
#define NUMBER(names, member)                                                                                          \
    {                                                                                                                  \
        names, WEIR_KEY_NUMBER, .field = FIELD(member)                                                                 \
    }
#define BOOL(names, member)                                                                                            \
    {                                                                                                                  \
        names, WEIR_KEY_BOOL, .field = FIELD(member)                                                                   \
    }
#define NOT(names, member)                                                                                             \
    {                                                                                                                  \
        names, WEIR_KEY_NOT, .field = FIELD(member)                                                                    \
    }
#define BIASES(names, which)                                                                                           \
    {                                                                                                                  \
        names, WEIR_KEY_BIASES, .roles = (which)                                                                       \
    }
#define ACTIVATION(names)                                                                                              \
    {                                                                                                                  \
        names, WEIR_KEY_ACTIVATION                                                                                     \
    }
#define ONLY(names, value)                                                                                             \
    {                                                                                                                  \
        names, WEIR_KEY_ONLY, .only = (value)                                                                          \
    }
#define READ(names, function)                                                                                          \
    {                                                                                                                  \
        names, WEIR_KEY_READ, .read = (function)                                                                       \
    }
#define REFINED(names)                                                                                                 \
    {                                                                                                                  \
        names, WEIR_KEY_READ                                                                                           \
    } /* the family's refine reads them */
#define END                                                                                                            \
    {                                                                                                                  \
        NULL                                                                                                           \
    }

/* ---- sizes ---- */

#define LAYERS(names)     INT(names, n_layers, WEIR_MAX_LAYERS - 1)
#define HEADS(names)      INT(names, n_heads, WEIR_MAX_HEADS)
#define KV_HEADS(names)   INT(names, n_kv_heads, WEIR_MAX_HEADS)
#define D_HEAD(names)     INT(names, d_head, WEIR_MAX_HEADS)
#define D_MODEL(names)    INT(names, d_model, WEIR_MAX_WIDTH)
#define D_MLP(names)      INT(names, d_mlp, WEIR_MAX_MLP)
#define CONTEXT(names)    INT(names, n_context, WEIR_MAX_CONTEXT)
#define VOCABULARY(names) INT(names, n_vocab, WEIR_MAX_VOCABULARY)
#define WINDOW(names)     READ(names, weir_read_window)
#define EXPERTS(names)    INT(names, n_experts, WEIR_MAX_EXPERTS)
#define ACTIVE(names)     COUNT(names, n_active, WEIR_MAX_EXPERTS)

/* what every configuration class has */
#define COMMON_BUT_MASK                                                                                                \
    VOCABULARY("vocab_size"), BOOL("tie_word_embeddings", tied), READ("quantization_config", weir_read_quantization),  \
        READ("per_layer_config", weir_read_layers_of_their_own)

/* and what those look at that take their masks from transformers, which is all but GPT-Neo */
#define COMMON COMMON_BUT_MASK, ONLY("is_causal", 1)

/* sizes as GPT-2 called them, which go by the later names too: these win */
#define GPT2_SIZES                                                                                                     \
    LAYERS("num_hidden_layers|n_layer"), HEADS("num_attention_heads|n_head"), D_MODEL("hidden_size|n_embd"),           \
        CONTEXT("max_position_embeddings|n_positions"), D_MLP("n_inner")
#define SIZES                                                                                                          \
    LAYERS("num_hidden_layers"), HEADS("num_attention_heads"), D_MODEL("hidden_size"),                                 \
        CONTEXT("max_position_embeddings")

/* ---- rotation: the keys at the top, then those that win over them ---- */

#define ROPE                                                                                                           \
    NUMBER("rope_theta", rope[0].theta), READ("rope_scaling|rope_parameters", weir_read_rope),                         \
        NUMBER("original_max_position_embeddings", rope[0].original_context)
#define ROPE_IN_PART(function)                                                                                         \
    NUMBER("rope_theta", rope[0].theta), NUMBER("partial_rotary_factor", rotary_factor),                               \
        READ("rope_scaling|rope_parameters", function),                                                                \
        NUMBER("original_max_position_embeddings", rope[0].original_context)
#define PARTIAL_ROPE ROPE_IN_PART(weir_read_partial_rope)

/* ---- Llama's, which most later families took over ---- */

#define QKVO (WEIR_QKV_ROLES | WEIR_ROLE(O))
#define LLAMA_BUT_ROPE                                                                                                 \
    COMMON, SIZES, KV_HEADS("num_key_value_heads"), D_MLP("intermediate_size"), ACTIVATION("hidden_act")
#define LLAMA          LLAMA_BUT_ROPE, ROPE
#define RMS            NUMBER("rms_norm_eps", eps)
#define ATTENTION_BIAS BIASES("attention_bias", QKVO)
#define QKV_BIAS       BIASES("attention_bias", WEIR_QKV_ROLES)
#define MLP_BIAS       BIASES("mlp_bias", WEIR_MLP_ROLES)
#define LAYER_TYPES    READ("layer_types", weir_read_layer_types)
#define WINDOW_IF_USED WINDOW("sliding_window"), NOT("use_sliding_window", window_unused)
#define QWEN_WINDOW    WINDOW_IF_USED, COUNT("max_window_layers", first_sliding, WEIR_MAX_CONTEXT)
#define ROUTED         ACTIVE("num_experts_per_tok")

const struct weir_key weir_keys_llama[] = {LLAMA, RMS, D_HEAD("head_dim"), ATTENTION_BIAS, MLP_BIAS, END};
/* one whose layers differ is what transformers calls Ministral and opens all the same */
const struct weir_key weir_keys_mistral[] = {LLAMA,       RMS, D_HEAD("head_dim"), WINDOW("sliding_window"),
                                             LAYER_TYPES, END};
const struct weir_key weir_keys_qwen2[] = {LLAMA, RMS, D_HEAD("head_dim"), LAYER_TYPES, QWEN_WINDOW, END};
const struct weir_key weir_keys_qwen3[] = {LLAMA,          RMS, D_HEAD("head_dim"), LAYER_TYPES, QWEN_WINDOW,
                                           ATTENTION_BIAS, END};
/* the text parts of Qwen2-VL and Qwen2.5-VL, of Qwen3-VL, of Mllama */
#define MROPE                                                                                                          \
    NUMBER("rope_theta", rope[0].theta), READ("rope_scaling|rope_parameters", weir_read_mrope),                        \
        NUMBER("original_max_position_embeddings", rope[0].original_context)
const struct weir_key weir_keys_qwen2_vl[] = {LLAMA_BUT_ROPE, MROPE, RMS, LAYER_TYPES, QWEN_WINDOW, END};
const struct weir_key weir_keys_qwen3_vl[] = {LLAMA, RMS, D_HEAD("head_dim"), ATTENTION_BIAS, END};
const struct weir_key weir_keys_mllama[] = {LLAMA, RMS, REFINED("cross_attention_layers"), END};
const struct weir_key weir_keys_olmo[] = {LLAMA, D_HEAD("head_dim"), ATTENTION_BIAS, NUMBER("clip_qkv", qkv_clip), END};
const struct weir_key weir_keys_olmo2[] = {LLAMA, RMS, D_HEAD("head_dim"), ATTENTION_BIAS, END};
const struct weir_key weir_keys_granite[] = {LLAMA,
                                             RMS,
                                             D_HEAD("head_dim"),
                                             ATTENTION_BIAS,
                                             MLP_BIAS,
                                             NUMBER("embedding_multiplier", embed_scale),
                                             NUMBER("residual_multiplier", branch_scale),
                                             NUMBER("attention_multiplier", score_scale),
                                             NUMBER("logits_scaling", logit_divisor),
                                             END};
const struct weir_key weir_keys_smollm3[] = {LLAMA,
                                             RMS,
                                             D_HEAD("head_dim"),
                                             ATTENTION_BIAS,
                                             MLP_BIAS,
                                             WINDOW_IF_USED,
                                             INT("no_rope_layer_interval", unrotated_every, WEIR_MAX_LAYERS),
                                             READ("no_rope_layers", weir_read_unrotated),
                                             LAYER_TYPES,
                                             END};
const struct weir_key weir_keys_starcoder2[] = {LLAMA, NUMBER("norm_epsilon", eps), WINDOW("sliding_window"),
                                                BIASES("use_bias", WEIR_LINEAR_ROLES), END};
const struct weir_key weir_keys_cohere[] = {LLAMA,
                                            NUMBER("layer_norm_eps", eps),
                                            D_HEAD("head_dim"),
                                            ATTENTION_BIAS,
                                            NUMBER("logit_scale", logit_scale),
                                            BOOL("use_qk_norm", head_norms),
                                            END};

const struct weir_key weir_keys_olmo3[] = {LLAMA_BUT_ROPE,
                                           READ("rope_parameters|rope_scaling|rope_theta", weir_read_olmo3_ropes),
                                           RMS,
                                           D_HEAD("head_dim"),
                                           ATTENTION_BIAS,
                                           WINDOW("sliding_window"),
                                           LAYER_TYPES,
                                           END};
const struct weir_key weir_keys_cohere2[] = {LLAMA,
                                             NUMBER("layer_norm_eps", eps),
                                             D_HEAD("head_dim"),
                                             ATTENTION_BIAS,
                                             NUMBER("logit_scale", logit_scale),
                                             WINDOW("sliding_window"),
                                             INT("sliding_window_pattern", full_every, WEIR_MAX_LAYERS),
                                             LAYER_TYPES,
                                             END};
const struct weir_key weir_keys_exaone4[] = {LLAMA,
                                             RMS,
                                             D_HEAD("head_dim"),
                                             WINDOW("sliding_window"),
                                             READ("sliding_window_pattern", weir_read_letters_of_layers),
                                             LAYER_TYPES,
                                             END};
const struct weir_key weir_keys_ernie4_5[] = {LLAMA, RMS, D_HEAD("head_dim"), BIASES("use_bias", WEIR_LINEAR_ROLES),
                                              END};
const struct weir_key weir_keys_seed_oss[] = {
    LLAMA, RMS, D_HEAD("head_dim"), QKV_BIAS, BIASES("attention_out_bias", WEIR_ROLE(O)), MLP_BIAS, END};
const struct weir_key weir_keys_helium[] = {LLAMA, RMS, D_HEAD("head_dim"), QKV_BIAS, MLP_BIAS, END};
const struct weir_key weir_keys_arcee[] = {LLAMA, RMS, D_HEAD("head_dim"), ATTENTION_BIAS, MLP_BIAS, END};
const struct weir_key weir_keys_jais2[] = {
    LLAMA, NUMBER("layer_norm_eps", eps), D_HEAD("head_dim"), ATTENTION_BIAS, MLP_BIAS, END};
const struct weir_key weir_keys_internlm3[] = {
    LLAMA, RMS, D_HEAD("head_dim"), BIASES("attention_bias|qkv_bias", QKVO), BIASES("mlp_bias|bias", WEIR_MLP_ROLES),
    END};
const struct weir_key weir_keys_cwm[] = {LLAMA,       RMS, D_HEAD("head_dim"), MLP_BIAS, WINDOW("sliding_window"),
                                         LAYER_TYPES, END};
const struct weir_key weir_keys_ministral3[] = {LLAMA, RMS, D_HEAD("head_dim"), WINDOW("sliding_window"), END};

/* ---- Gemma's ---- */

const struct weir_key weir_keys_gemma[] = {COMMON,
                                           SIZES,
                                           KV_HEADS("num_key_value_heads"),
                                           D_MLP("intermediate_size"),
                                           READ("hidden_act", weir_read_gemma_activation),
                                           ROPE,
                                           RMS,
                                           D_HEAD("head_dim"),
                                           ATTENTION_BIAS,
                                           READ("use_bidirectional_attention", weir_read_bidirectional),
                                           END};
#define VAULTGEMMA                                                                                                     \
    COMMON, SIZES, KV_HEADS("num_key_value_heads"), D_MLP("intermediate_size"), ACTIVATION("hidden_activation"), RMS,  \
        D_HEAD("head_dim"), ATTENTION_BIAS, NUMBER("query_pre_attn_scalar", score_scalar), WINDOW("sliding_window"),   \
        LAYER_TYPES, NUMBER("final_logit_softcapping", logit_cap)
#define GEMMA2 VAULTGEMMA, READ("use_bidirectional_attention", weir_read_bidirectional)
const struct weir_key weir_keys_vaultgemma[] = {VAULTGEMMA, ROPE, NUMBER("attn_logit_softcapping", score_cap), END};
const struct weir_key weir_keys_gemma2[] = {GEMMA2, ROPE, NUMBER("attn_logit_softcapping", score_cap), END};
const struct weir_key weir_keys_gemma3[] = {GEMMA2,
                                            INT("sliding_window_pattern", full_every, WEIR_MAX_LAYERS),
                                            NUMBER("rope_theta", rope[0].theta),
                                            NUMBER("rope_local_base_freq", rope[1].theta),
                                            READ("rope_parameters|rope_scaling", weir_read_two_ropes),
                                            END};

/* ---- Phi's, and others that rotate a part of each head ---- */

#define QK_LAYERNORM BOOL("qk_layernorm", head_norms)

const struct weir_key weir_keys_phi[] = {LLAMA_BUT_ROPE,     PARTIAL_ROPE, NUMBER("layer_norm_eps", eps),
                                         D_HEAD("head_dim"), QK_LAYERNORM, END};
const struct weir_key weir_keys_phi3[] = {LLAMA_BUT_ROPE,     ROPE_IN_PART(weir_read_phi3_rope), RMS,
                                          D_HEAD("head_dim"), WINDOW("sliding_window"),          END};
const struct weir_key weir_keys_stablelm[] = {LLAMA_BUT_ROPE,
                                              PARTIAL_ROPE,
                                              NUMBER("layer_norm_eps", eps),
                                              BIASES("use_qkv_bias", WEIR_QKV_ROLES),
                                              BOOL("use_parallel_residual", parallel),
                                              QK_LAYERNORM,
                                              END};
const struct weir_key weir_keys_nemotron[] = {
    LLAMA_BUT_ROPE, PARTIAL_ROPE, NUMBER("norm_eps", eps), D_HEAD("head_dim"), ATTENTION_BIAS, MLP_BIAS, END};
const struct weir_key weir_keys_glm[] = {LLAMA_BUT_ROPE, PARTIAL_ROPE, RMS, D_HEAD("head_dim"), QKV_BIAS, END};
const struct weir_key weir_keys_persimmon[] = {COMMON,
                                               SIZES,
                                               D_MLP("intermediate_size"),
                                               ACTIVATION("hidden_act"),
                                               PARTIAL_ROPE,
                                               NUMBER("layer_norm_eps", eps),
                                               QK_LAYERNORM,
                                               END};
const struct weir_key weir_keys_gpt_neox[] = {
    COMMON,
    SIZES,
    D_MLP("intermediate_size"),
    ACTIVATION("hidden_act"),
    NUMBER("layer_norm_eps", eps),
    BOOL("use_parallel_residual", parallel),
    ATTENTION_BIAS,
    INT("head_dim", rotary_width, WEIR_MAX_HEADS), /* heads are as wide as they are */
    NUMBER("rotary_emb_base", rope[0].theta),
    NUMBER("rotary_pct", rotary_factor),
    READ("rope_scaling|rope_parameters", weir_read_partial_rope),
    NUMBER("original_max_position_embeddings", rope[0].original_context),
    END};

/* ---- with experts ---- */

const struct weir_key weir_keys_mixtral[] = {
    LLAMA, RMS, D_HEAD("head_dim"), WINDOW("sliding_window"), EXPERTS("num_experts|num_local_experts"), ROUTED, END};
const struct weir_key weir_keys_phimoe[] = {LLAMA,
                                            RMS,
                                            D_HEAD("head_dim"),
                                            WINDOW("sliding_window"),
                                            EXPERTS("num_local_experts"),
                                            NUMBER("router_jitter_noise", router_jitter),
                                            ATTENTION_BIAS,
                                            BIASES("lm_head_bias", WEIR_ROLE(UNEMBED)),
                                            END};
const struct weir_key weir_keys_gpt_oss[] = {COMMON,
                                             SIZES,
                                             KV_HEADS("num_key_value_heads"),
                                             D_MLP("intermediate_size"),
                                             ROPE,
                                             RMS,
                                             D_HEAD("head_dim"),
                                             WINDOW("sliding_window"),
                                             LAYER_TYPES,
                                             EXPERTS("num_experts|num_local_experts"),
                                             ROUTED,
                                             ATTENTION_BIAS,
                                             NUMBER("swiglu_limit", mlp_limit),
                                             ONLY("swiglu_alpha", 1.702),
                                             END};
const struct weir_key weir_keys_qwen3_moe[] = {LLAMA,
                                               RMS,
                                               D_HEAD("head_dim"),
                                               WINDOW_IF_USED,
                                               ATTENTION_BIAS,
                                               COUNT("num_local_experts|num_experts", n_experts, WEIR_MAX_EXPERTS),
                                               ROUTED,
                                               COUNT("moe_intermediate_size", d_expert, WEIR_MAX_MLP),
                                               BOOL("norm_topk_prob", active_sum_to_one),
                                               INT("decoder_sparse_step", sparse_step, WEIR_MAX_LAYERS),
                                               READ("mlp_only_layers", weir_read_dense_layers),
                                               END};
const struct weir_key weir_keys_olmoe[] = {LLAMA,
                                           RMS,
                                           D_HEAD("head_dim"),
                                           ATTENTION_BIAS,
                                           NUMBER("clip_qkv", qkv_clip),
                                           EXPERTS("num_local_experts|num_experts"),
                                           ROUTED,
                                           BOOL("norm_topk_prob", active_sum_to_one),
                                           END};

const struct weir_key weir_keys_flex_olmo[] = {LLAMA,
                                               RMS,
                                               D_HEAD("head_dim"),
                                               ATTENTION_BIAS,
                                               EXPERTS("num_local_experts|num_experts"),
                                               ROUTED,
                                               BOOL("norm_topk_prob", active_sum_to_one),
                                               END};

/* ---- GPT-2's and older ones, with their own names ---- */

const struct weir_key weir_keys_gpt2[] = {COMMON,
                                          GPT2_SIZES,
                                          ACTIVATION("activation_function"),
                                          NUMBER("layer_norm_epsilon", eps),
                                          NOT("scale_attn_weights", scores_unscaled),
                                          BOOL("scale_attn_by_inverse_layer_idx", scores_by_layer),
                                          ONLY("add_cross_attention", 0),
                                          END};
const struct weir_key weir_keys_gpt_bigcode[] = {COMMON,
                                                 GPT2_SIZES,
                                                 ACTIVATION("activation_function"),
                                                 NUMBER("layer_norm_epsilon", eps),
                                                 NOT("scale_attn_weights", scores_unscaled),
                                                 ONLY("add_cross_attention", 0),
                                                 REFINED("multi_query"),
                                                 END};
const struct weir_key weir_keys_gptj[] = {COMMON,
                                          GPT2_SIZES,
                                          ACTIVATION("activation_function"),
                                          NUMBER("layer_norm_epsilon", eps),
                                          INT("rotary_dim", rotary_dims, WEIR_MAX_HEADS),
                                          END};
const struct weir_key weir_keys_gpt_neo[] = {COMMON_BUT_MASK,
                                             LAYERS("num_hidden_layers|num_layers"),
                                             HEADS("num_attention_heads|num_heads"),
                                             D_MODEL("hidden_size"),
                                             CONTEXT("max_position_embeddings"),
                                             D_MLP("intermediate_size"),
                                             ACTIVATION("activation_function"),
                                             NUMBER("layer_norm_epsilon", eps),
                                             INT("window_size", window, WEIR_MAX_WINDOW),
                                             REFINED("attention_layers|attention_types"),
                                             END};
const struct weir_key weir_keys_opt[] = {COMMON,
                                         SIZES,
                                         D_MLP("ffn_dim"),
                                         INT("word_embed_proj_dim", d_embed, WEIR_MAX_WIDTH),
                                         ACTIVATION("activation_function"),
                                         BIASES("enable_bias", WEIR_LINEAR_ROLES),
                                         ONLY("do_layer_norm_before", 1),
                                         ONLY("layer_norm_elementwise_affine", 1),
                                         BOOL("_remove_final_layer_norm", final_norm_absent),
                                         END};
const struct weir_key weir_keys_biogpt[] = {
    COMMON, SIZES, D_MLP("intermediate_size"), ACTIVATION("hidden_act"), BOOL("scale_embedding", embed_scale_by_width),
    END};
const struct weir_key weir_keys_bloom[] = {COMMON,
                                           LAYERS("num_hidden_layers|n_layer"),
                                           HEADS("num_attention_heads|n_head"),
                                           D_MODEL("hidden_size"),
                                           READ("n_embed", weir_read_n_embed),
                                           NUMBER("layer_norm_epsilon", eps),
                                           ONLY("apply_residual_connection_post_layernorm", 0),
                                           END};
const struct weir_key weir_keys_falcon[] = {
    COMMON,
    SIZES,
    READ("n_embed", weir_read_n_embed),
    KV_HEADS("num_kv_heads"),
    D_MLP("ffn_hidden_size"),
    ACTIVATION("activation"),
    NUMBER("layer_norm_epsilon", eps),
    ROPE,
    BOOL("parallel_attn", parallel),
    BIASES("bias", WEIR_LINEAR_ROLES),
    REFINED("alibi|new_decoder_architecture|multi_query|num_ln_in_parallel_attn"),
    END};
const struct weir_key weir_keys_mpt[] = {COMMON,
                                         LAYERS("num_hidden_layers|n_layers"),
                                         HEADS("num_attention_heads|n_heads"),
                                         D_MODEL("hidden_size|d_model"),
                                         CONTEXT("max_seq_len"),
                                         NUMBER("layer_norm_epsilon", eps),
                                         NUMBER("attn_config.clip_qkv", qkv_clip),
                                         NUMBER("attn_config.softmax_scale", score_scale),
                                         END};

/* ---- HookedTransformer's ---- */

const struct weir_key weir_keys_lens[] = {
    LAYERS("n_layers"),
    HEADS("n_heads"),
    KV_HEADS("n_key_value_heads"),
    D_HEAD("d_head"),
    D_MODEL("d_model"),
    D_MLP("d_mlp"),
    VOCABULARY("d_vocab"),
    CONTEXT("n_ctx"),
    NUMBER("eps|ln_eps", eps),
    BOOL("attn_only", attn_only),
    READ("act_fn", weir_read_lens_activation),
    BOOL("parallel_attn_mlp", parallel),
    WINDOW("window_size"),
    INT("rotary_dim", rotary_dims, WEIR_MAX_HEADS),
    NUMBER("rotary_base", rope[0].theta),
    NUMBER("clip_qkv", qkv_clip),
    NUMBER("attn_scores_soft_cap", score_cap),
    NUMBER("output_logits_soft_cap", logit_cap),
    BOOL("scale_attn_by_inverse_layer_idx", scores_by_layer),
    REFINED("d_vocab_out|use_local_attn|attn_types|final_rms|attention_dir|positional_embedding_type|normalization|"
            "normalization_type|attn_scale|rotary_adjacent_pairs|use_attn_scale|shortformer_pos|original_architecture"),
    ONLY("gated_mlp", 0),
    ONLY("post_embedding_ln", 0),
    ONLY("use_normalization_before_and_after", 0),
    ONLY("use_qk_norm", 0),
    ONLY("use_attention_sinks", 0),
    ONLY("use_logn_attn", 0),
    ONLY("use_dynamic_ntk_rope", 0),
    ONLY("use_NTK_by_parts_rope", 0),
    ONLY("use_yarn_rope", 0),
    ONLY("rotary_scaling_factor", 1),
    ONLY("load_in_4bit", 0),
    ONLY("use_pos_resid", 1),
    ONLY("factored_embed", 0),
    ONLY("neuron_scale", 1),
    ONLY("neuron_temp", 1),
    READ("quantization_config", weir_read_quantization),
    END};
