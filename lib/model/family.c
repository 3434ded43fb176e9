#include "model/family.h"

#include <string.h>

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

static const weir_names llama_names = {
    [WEIR_R_EMBED] = "embed_tokens",
    [WEIR_R_LN1] = "layers.{}.input_layernorm",
    [WEIR_R_Q] = "layers.{}.self_attn.q_proj",
    [WEIR_R_K] = "layers.{}.self_attn.k_proj",
    [WEIR_R_V] = "layers.{}.self_attn.v_proj",
    [WEIR_R_O] = "layers.{}.self_attn.o_proj",
    [WEIR_R_LN2] = "layers.{}.post_attention_layernorm",
    [WEIR_R_MLP_GATE] = "layers.{}.mlp.gate_proj",
    [WEIR_R_MLP_IN] = "layers.{}.mlp.up_proj",
    [WEIR_R_MLP_OUT] = "layers.{}.mlp.down_proj",
    [WEIR_R_LN_FINAL] = "norm",
    [WEIR_R_UNEMBED] = "lm_head",
};

const weir_names weir_gguf_names = {
    [WEIR_R_EMBED] = "token_embd",         [WEIR_R_POS_EMBED] = "position_embd", [WEIR_R_LN1] = "blk.{}.attn_norm",
    [WEIR_R_QKV] = "blk.{}.attn_qkv",      [WEIR_R_Q] = "blk.{}.attn_q",         [WEIR_R_K] = "blk.{}.attn_k",
    [WEIR_R_V] = "blk.{}.attn_v",          [WEIR_R_O] = "blk.{}.attn_output",    [WEIR_R_LN2] = "blk.{}.ffn_norm",
    [WEIR_R_MLP_GATE] = "blk.{}.ffn_gate", [WEIR_R_MLP_IN] = "blk.{}.ffn_up",    [WEIR_R_MLP_OUT] = "blk.{}.ffn_down",
    [WEIR_R_LN_FINAL] = "output_norm",     [WEIR_R_UNEMBED] = "output",
};

#define LLAMA_DEFAULTS                                                                                                 \
    .eps = 1e-6, .norm = WEIR_NORM_RMS, .gated = true, .activation = WEIR_ACT_SILU, .rotary = WEIR_ROTARY_HALVES,      \
    .rope_theta = 10000.0, .n_context = 2048

static const struct weir_family families[] = {
    {
        .model_type = "gpt2",
        .gguf = "gpt2",
        .names = gpt2_names,
        .prefix = "transformer.",
        .qkv = WEIR_FUSED_CONCAT,
        .biased = true,
        .input_major = true,
        .defaults = {.eps = 1e-5,
                     .norm = WEIR_NORM_LAYER,
                     .activation = WEIR_ACT_GELU_TANH,
                     .learned_positions = true,
                     .tied = true,
                     .n_context = 1024},
    },
    {
        .model_type = "llama",
        .gguf = "llama",
        .names = llama_names,
        .prefix = "model.",
        .gguf_rotates_rows = true,
        .defaults = {LLAMA_DEFAULTS},
    },
    {
        .model_type = "mistral", /* as a GGUF file it is of architecture llama */
        .names = llama_names,
        .prefix = "model.",
        .defaults = {LLAMA_DEFAULTS, .window = 4096},
    },
};

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
