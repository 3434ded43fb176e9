/* The names of a model's parts: by family in safetensors files, and llama.cpp's in GGUF files. */
#include "model/family.h"

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

const weir_names weir_llama_names = {LLAMA_EMBEDDINGS, LLAMA_ATTENTION, LLAMA_NORMS, LLAMA_MLP};
const weir_names weir_qwen3_names = {LLAMA_EMBEDDINGS, LLAMA_ATTENTION, LLAMA_QK_NORM, LLAMA_NORMS, LLAMA_MLP};
const weir_names weir_gemma2_names = {LLAMA_EMBEDDINGS,
                                      LLAMA_ATTENTION,
                                      LLAMA_QK_NORM,
                                      LLAMA_MLP,
                                      POST_NORMS,
                                      [WEIR_R_LN1] = "layers.{}.input_layernorm",
                                      [WEIR_R_LN2] = "layers.{}.pre_feedforward_layernorm"};
const weir_names weir_olmo_names = {
    [WEIR_R_EMBED] = "embed_tokens", [WEIR_R_UNEMBED] = "lm_head", LLAMA_ATTENTION, LLAMA_MLP};
const weir_names weir_glm_names = {LLAMA_EMBEDDINGS,
                                   LLAMA_ATTENTION,
                                   LLAMA_NORMS,
                                   [WEIR_R_GATE_AND_IN] = "layers.{}.mlp.gate_up_proj",
                                   [WEIR_R_MLP_OUT] = "layers.{}.mlp.down_proj",
                                   [WEIR_R_LN1_POST] = "layers.{}.post_self_attn_layernorm",
                                   [WEIR_R_LN2_POST] = "layers.{}.post_mlp_layernorm"};
const weir_names weir_flex_olmo_names = {LLAMA_EMBEDDINGS, LLAMA_ATTENTION, LLAMA_QK_NORM, LLAMA_EXPERTS, POST_NORMS};
const weir_names weir_olmo2_names = {LLAMA_EMBEDDINGS, LLAMA_ATTENTION, LLAMA_QK_NORM, LLAMA_MLP, POST_NORMS};
const weir_names weir_sparse_names = {LLAMA_EMBEDDINGS, LLAMA_ATTENTION, LLAMA_QK_NORM,
                                      LLAMA_NORMS,      LLAMA_MLP,       LLAMA_EXPERTS};
const weir_names weir_mixtral_names = {LLAMA_EMBEDDINGS,
                                       LLAMA_ATTENTION,
                                       LLAMA_NORMS,
                                       [WEIR_R_ROUTER] = "layers.{}.block_sparse_moe.gate",
                                       [WEIR_R_EXPERT_GATE] = "layers.{}.block_sparse_moe.experts.[].w1",
                                       [WEIR_R_EXPERT_IN] = "layers.{}.block_sparse_moe.experts.[].w3",
                                       [WEIR_R_EXPERT_OUT] = "layers.{}.block_sparse_moe.experts.[].w2"};
const weir_names weir_gpt_oss_names = {
    LLAMA_EMBEDDINGS,
    LLAMA_ATTENTION,
    LLAMA_NORMS,
    [WEIR_R_SINKS] = "layers.{}.self_attn.sinks,",
    [WEIR_R_ROUTER] = "layers.{}.mlp.router",
    [WEIR_R_EXPERT_GATE_AND_IN] = "layers.{}.mlp.experts.gate_up_proj,layers.{}.mlp.experts.gate_up_proj_bias",
    [WEIR_R_EXPERT_OUT] = "layers.{}.mlp.experts.down_proj,layers.{}.mlp.experts.down_proj_bias"};
const weir_names weir_cohere_names = {LLAMA_EMBEDDINGS, LLAMA_ATTENTION, LLAMA_QK_NORM,
                                      LLAMA_MLP, [WEIR_R_LN1] = "layers.{}.input_layernorm"};
const weir_names weir_phi_names = {LLAMA_QKV,
                                   [WEIR_R_EMBED] = "embed_tokens",
                                   [WEIR_R_LN1] = "layers.{}.input_layernorm",
                                   [WEIR_R_Q_NORM] = "layers.{}.self_attn.q_layernorm",
                                   [WEIR_R_K_NORM] = "layers.{}.self_attn.k_layernorm",
                                   [WEIR_R_O] = "layers.{}.self_attn.dense",
                                   [WEIR_R_MLP_IN] = "layers.{}.mlp.fc1",
                                   [WEIR_R_MLP_OUT] = "layers.{}.mlp.fc2",
                                   [WEIR_R_LN_FINAL] = "final_layernorm",
                                   [WEIR_R_UNEMBED] = "lm_head"};
const weir_names weir_phi3_names = {LLAMA_EMBEDDINGS,
                                    LLAMA_NORMS,
                                    [WEIR_R_QKV] = "layers.{}.self_attn.qkv_proj",
                                    [WEIR_R_O] = "layers.{}.self_attn.o_proj",
                                    [WEIR_R_GATE_AND_IN] = "layers.{}.mlp.gate_up_proj",
                                    [WEIR_R_MLP_OUT] = "layers.{}.mlp.down_proj"};
const weir_names weir_stablelm_names = {LLAMA_EMBEDDINGS,
                                        LLAMA_ATTENTION,
                                        LLAMA_NORMS,
                                        LLAMA_MLP,
                                        [WEIR_R_Q_NORM] = "layers.{}.self_attn.q_layernorm.norms.[]",
                                        [WEIR_R_K_NORM] = "layers.{}.self_attn.k_layernorm.norms.[]"};
const weir_names weir_starcoder2_names = {
    LLAMA_EMBEDDINGS, LLAMA_ATTENTION,
    LLAMA_NORMS, [WEIR_R_MLP_IN] = "layers.{}.mlp.c_fc", [WEIR_R_MLP_OUT] = "layers.{}.mlp.c_proj"};
const weir_names weir_nemotron_names = {
    LLAMA_EMBEDDINGS, LLAMA_ATTENTION,
    LLAMA_NORMS, [WEIR_R_MLP_IN] = "layers.{}.mlp.up_proj", [WEIR_R_MLP_OUT] = "layers.{}.mlp.down_proj"};

const weir_names weir_gpt2_names = {
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
const weir_names weir_gpt_neo_names = {
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
const weir_names weir_gptj_names = {
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
const weir_names weir_gpt_neox_names = {
    [WEIR_R_EMBED] = "embed_in",
    [WEIR_R_LN1] = "layers.{}.input_layernorm",
    [WEIR_R_QKV] = "layers.{}.attention.query_key_value",
    [WEIR_R_O] = "layers.{}.attention.dense",
    [WEIR_R_LN2] = "layers.{}.post_attention_layernorm",
    [WEIR_R_MLP_IN] = "layers.{}.mlp.dense_h_to_4h",
    [WEIR_R_MLP_OUT] = "layers.{}.mlp.dense_4h_to_h",
    [WEIR_R_LN_FINAL] = "final_layer_norm",
    [WEIR_R_UNEMBED] = "embed_out|lm_head",
};
const weir_names weir_persimmon_names = {
    [WEIR_R_EMBED] = "embed_tokens",
    [WEIR_R_LN1] = "layers.{}.input_layernorm",
    [WEIR_R_QKV] = "layers.{}.self_attn.query_key_value",
    [WEIR_R_Q_NORM] = "layers.{}.self_attn.q_layernorm",
    [WEIR_R_K_NORM] = "layers.{}.self_attn.k_layernorm",
    [WEIR_R_O] = "layers.{}.self_attn.dense",
    [WEIR_R_LN2] = "layers.{}.post_attention_layernorm",
    [WEIR_R_MLP_IN] = "layers.{}.mlp.dense_h_to_4h",
    [WEIR_R_MLP_OUT] = "layers.{}.mlp.dense_4h_to_h",
    [WEIR_R_LN_FINAL] = "final_layernorm",
    [WEIR_R_UNEMBED] = "lm_head",
};
const weir_names weir_biogpt_names = {
    LLAMA_QKV,
    [WEIR_R_EMBED] = "embed_tokens",
    [WEIR_R_POS_EMBED] = "embed_positions",
    [WEIR_R_LN1] = "layers.{}.self_attn_layer_norm",
    [WEIR_R_O] = "layers.{}.self_attn.out_proj",
    [WEIR_R_LN2] = "layers.{}.final_layer_norm",
    [WEIR_R_MLP_IN] = "layers.{}.fc1",
    [WEIR_R_MLP_OUT] = "layers.{}.fc2",
    [WEIR_R_LN_FINAL] = "layer_norm",
    [WEIR_R_UNEMBED] = "output_projection",
};
const weir_names weir_opt_names = {
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
const weir_names weir_bloom_names = {
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
const weir_names weir_falcon_names = {
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
const weir_names weir_mpt_names = {
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

const weir_names weir_lens_names = {
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
