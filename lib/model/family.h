/* Families: one row each. A row says how its configuration departs from the common one and what its weights are called.
 */
#ifndef WEIR_MODEL_FAMILY_H
#define WEIR_MODEL_FAMILY_H

#include "model/spec.h"

/* Parts of a model that have weights. */
enum weir_role {
    WEIR_R_EMBED,
    WEIR_R_POS_EMBED,
    WEIR_R_LN1,
    WEIR_R_QKV, /* q, k and v in one matrix; else the three that follow */
    WEIR_R_Q,
    WEIR_R_K,
    WEIR_R_V,
    WEIR_R_O,
    WEIR_R_LN2,
    WEIR_R_MLP_GATE,
    WEIR_R_MLP_IN, /* W_in, or the linear branch of a gated MLP */
    WEIR_R_MLP_OUT,
    WEIR_R_LN_FINAL,
    WEIR_R_UNEMBED,
    WEIR_N_ROLES
};

/* A tensor's name without ".weight" or ".bias"; "{}" stands for the layer. NULL: the family has no such part. */
typedef const char *weir_names[WEIR_N_ROLES];

/* Whose rows come after whose in a fused matrix. */
enum weir_fused {
    WEIR_FUSED_NONE,
    WEIR_FUSED_CONCAT /* all of q, then all of k, then all of v */
};

/* What can be said for all layers at once: the common part of config.json and GGUF metadata. */
struct weir_config {
    int n_layers, n_heads, n_kv_heads, d_head, d_model, d_mlp, n_vocab, n_context;
    double eps;
    bool tied; /* W_U is the embedding; a file that has an unembedding all the same wins */
    enum weir_norm_kind norm;
    bool learned_positions;
    bool gated;
    enum weir_act activation;
    int window; /* 0: none */
    enum weir_rotary rotary;
    int rotary_dims; /* 0: all of d_head */
    double rope_theta;
    struct {
        char type[16]; /* "default", "linear", "llama3" */
        double factor, low_freq_factor, high_freq_factor, original_context;
    } rope;
    bool scores_unscaled; /* scale_attn_weights: false */
    bool scores_by_layer; /* scale_attn_by_inverse_layer_idx */
};

struct weir_family {
    const char *model_type;   /* config.json */
    const char *gguf;         /* general.architecture; NULL: llama.cpp has none */
    const char *const *names; /* [WEIR_N_ROLES] in safetensors files */
    const char *prefix;       /* in front of all names, in files that were saved with a head; may be absent */
    enum weir_fused qkv;
    bool biased;                 /* every linear map and norm has a bias; else those that the file has */
    bool input_major;            /* matrices are [in, out], as GPT-2's Conv1D keeps them (safetensors only) */
    bool gguf_rotates_rows;      /* GGUF files have q and k rows in pairs order: undone at load */
    struct weir_config defaults; /* what an absent key means */
};

/* NULL when there is none. */
const struct weir_family *weir_family_of_model_type(const char *model_type);
const struct weir_family *weir_family_of_gguf(const char *architecture);
const struct weir_family *weir_family_at(size_t i); /* for listings; NULL past the end */

/* The names that llama.cpp gives to the parts, the same for every architecture. */
extern const weir_names weir_gguf_names;

#endif
