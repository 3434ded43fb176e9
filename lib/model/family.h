/* Families: one row each. A row says how its configuration departs from the common one and what its weights are called.
 */
#ifndef WEIR_MODEL_FAMILY_H
#define WEIR_MODEL_FAMILY_H

#include "model/spec.h"

/* Parts of a model that have weights. */
enum weir_role {
    WEIR_R_EMBED,
    WEIR_R_EMBED_NORM,
    WEIR_R_EMBED_IN, /* from the embedding's width to the stream's, and back before the unembedding */
    WEIR_R_EMBED_OUT,
    WEIR_R_POS_EMBED,
    WEIR_R_LN1,
    WEIR_R_QKV, /* q, k and v in one matrix; else the three that follow */
    WEIR_R_Q,
    WEIR_R_K,
    WEIR_R_V,
    WEIR_R_Q_NORM,
    WEIR_R_K_NORM,
    WEIR_R_O,
    WEIR_R_SINKS, /* [head] */
    WEIR_R_LN1_POST,
    WEIR_R_LN2,
    WEIR_R_GATE_AND_IN, /* both in one matrix, the gate first; else the two that follow */
    WEIR_R_MLP_GATE,
    WEIR_R_MLP_IN, /* W_in, or the linear branch of a gated MLP */
    WEIR_R_MLP_NORM,
    WEIR_R_MLP_OUT,
    WEIR_R_ROUTER,
    WEIR_R_EXPERT_GATE_AND_IN, /* a gate's row, its linear branch's, the next gate's; else the two that follow */
    WEIR_R_EXPERT_GATE,        /* of experts: one tensor for all, or, with "[]" in the name, one each */
    WEIR_R_EXPERT_IN,
    WEIR_R_EXPERT_OUT,
    WEIR_R_LN2_POST,
    WEIR_R_LN_FINAL,
    WEIR_R_UNEMBED,
    WEIR_N_ROLES
};

/* Sets of them, as bits. */
#define WEIR_ROLE(name)   (UINT64_C(1) << WEIR_R_##name)
#define WEIR_QKV_ROLES    (WEIR_ROLE(QKV) | WEIR_ROLE(Q) | WEIR_ROLE(K) | WEIR_ROLE(V))
#define WEIR_MLP_ROLES    (WEIR_ROLE(GATE_AND_IN) | WEIR_ROLE(MLP_GATE) | WEIR_ROLE(MLP_IN) | WEIR_ROLE(MLP_OUT))
#define WEIR_LINEAR_ROLES (WEIR_QKV_ROLES | WEIR_ROLE(O) | WEIR_MLP_ROLES)
#define WEIR_NORM_ROLES   (WEIR_ROLE(EMBED_NORM) | WEIR_ROLE(LN1) | WEIR_ROLE(LN2) | WEIR_ROLE(LN_FINAL))

/* A tensor's name without ".weight" or ".bias"; "{}" stands for the layer, "[]" for the expert
   or head, and `|` between names for either of them. "a,b" is a weight called a and a bias called b, as they stand.
   NULL: the family has no such part. */
typedef const char *weir_names[WEIR_N_ROLES];

enum { WEIR_MAX_LAYERS = 1024 };

struct weir_wrapper;
struct weir_gguf;
struct weir_key;

/* A configuration, as far as it is the same for all layers: the common part of config.json and GGUF metadata. */
struct weir_config {
    int n_layers, n_heads, n_kv_heads, d_head, d_model, d_mlp, n_vocab, n_context;
    int n_outputs;                        /* logits; 0: n_vocab */
    int n_skipped;                        /* layers of the files that text does not go through; then ... */
    uint16_t file_layer[WEIR_MAX_LAYERS]; /* what a layer is called there */
    const struct weir_wrapper *wrapper;   /* wrapper.h: what the model is the text part of; NULL: it is whole */
    int d_embed;                          /* width of the embedding; 0: d_model */
    bool tied;                            /* W_U is the embedding */
    double embed_scale;                   /* 0: 1 */
    bool embed_scale_by_width;            /* by sqrt(d_model) */
    bool learned_positions, positions_to_qk;
    int position_offset; /* rows of the position embedding before that of position 0 */

    enum weir_norm_kind norm, post_norm, mlp_norm;
    enum weir_norm_kind final_norm; /* NONE: as the others */
    bool final_norm_absent;
    bool norms_bare;    /* norms have no weights */
    bool norm_plus_one; /* weights are kept as w - 1 */
    double eps;
    bool parallel, shared_norm, attn_only;
    double branch_scale; /* 0: 1 */

    double score_scale; /* 0: 1 / sqrt(score_scalar), and that 0: d_head */
    double score_scalar;
    bool scores_unscaled, scores_by_layer;
    double score_cap, logit_cap, logit_scale, logit_divisor;
    bool input_major; /* matrices are [in, out], as GPT-2's Conv1D keeps them (safetensors only) */
    bool qkv_concat;  /* a fused matrix has all of q, then all of k, then all of v; else for each key-value head
                         its query heads, its k, its v (GPT-NeoX, BLOOM, Falcon) */
    bool lens_layout; /* as TransformerLens has it: q, k, v [head, d_model, d_head], o [head, d_head, d_model], biases
                         [head, d_head], the unembedding [d_model, vocab] */
    double qkv_clip;
    uint64_t biases; /* roles that have one: in a folder exactly these, whatever the file has; in a GGUF
                        file, whose metadata say nothing of them, the others may */
    enum weir_qk_norm qk_norm;
    bool head_norms; /* the same as WEIR_QK_NORM_HEAD, for families where a key says so */
    enum weir_norm_kind qk_norm_kind;
    enum weir_alibi alibi;
    double alibi_max;
    bool sinks;

    int window;                       /* 0: none */
    uint8_t sliding[WEIR_MAX_LAYERS]; /* layers that have the window */
    uint8_t unrotated[WEIR_MAX_LAYERS];
    bool some_sliding;      /* `sliding` counts; else a window is every layer's */
    bool window_unused;     /* a window counts for nothing */
    int first_sliding;      /* where no list says which: those from this one on */
    int full_every;         /* or all but every so many; 0: all */
    bool rotated_by_window; /* only layers that have the window are rotated */
    double query_growth,
        query_growth_from; /* queries at a position are multiplied by 1 + growth ln(1 + floor(position / from)) */
    int unrotated_every;   /* every so many layers have no rotation; 0: none but those of `unrotated` */

    enum weir_rotary rotary;
    int rotary_width;     /* 0: d_head */
    int rotary_dims;      /* 0: rotary_factor * rotary_width; where odd, the last frequency turns one dimension more */
    double rotary_factor; /* 0: 1 */
    struct weir_rope_config {
        char type[16]; /* "default", "linear", "llama3", ... */
        double theta, factor, low_freq_factor, high_freq_factor, original_context;
        double beta_fast, beta_slow, attention_factor, mscale, mscale_all_dim, query_growth;
        bool by_mscale; /* LongRoPE of Phi-MoE: the two that follow instead of a computed factor, and, as transformers
                           has it, the short frequencies at every length */
        double short_mscale, long_mscale;
        bool untruncated;                     /* YaRN's range is not rounded */
        double *short_factors, *long_factors; /* [rotary_dims / 2] LongRoPE; owned by the config */
        int n_factors;
    } rope[WEIR_MAX_ROPES]; /* of all layers, or of full ones and of sliding ones */
    bool two_ropes;
    int first_position; /* what rotation counts position 0 as */

    bool gated;
    enum weir_act activation;
    double mlp_limit;
    int n_experts, n_active, d_expert;
    bool active_sum_to_one;
    enum weir_routing routing;
    double router_jitter;
    bool experts_input_major;       /* as input_major, of experts' tensors */
    int sparse_step;                /* every so many layers are sparse; 0: all */
    uint8_t dense[WEIR_MAX_LAYERS]; /* layers that are not */
};

struct weir_family {
    const char *model_type;      /* config.json */
    const char *gguf;            /* general.architecture, of which the first row reads all files; NULL: none */
    const char *const *names;    /* [WEIR_N_ROLES] in safetensors files */
    const char *prefix;          /* in front of all names but the unembedding's; may be absent in a file */
    const struct weir_key *keys; /* keys.h: all that is read of a config.json */
    const char *without_effect;  /* then any other key is refused but these, each between spaces; NULL: none is */
    uint64_t adds_stream;   /* roles of maps after which transformers' own module adds the stream: what is seen of it
                               from outside is not what it adds */
    bool gguf_rotates_rows; /* GGUF files have q and k rows in pairs order: undone at load */
    bool gguf_adds_one;     /* GGUF files have norm_plus_one added already */
    struct weir_config defaults; /* what an absent key means; sizes, only in folders */
    /* Reads what a table cannot express, in config.json and in GGUF; may be NULL. Called after the keys were read;
       `json` is the object with the listed keys only. */
    weir_status (*refine)(struct weir_config *config, const void *json, const char *file);
    weir_status (*refine_gguf)(struct weir_config *config, const struct weir_gguf *gguf);
};
/* NULL when there is none. */
const struct weir_family *weir_family_of_model_type(const char *model_type);
const struct weir_family *weir_family_of_gguf(const char *architecture);
/* WEIR_E_UNSUPPORTED for a name that neither knows, from `file`, key `key`: with what is near it, or known
   of it. */
WEIR_CHECKED weir_status weir_family_unknown(const char *file, const char *key, const char *name);

/* config_tlens.c: HookedTransformer's configuration. */
extern const char weir_lens_without_effect[];
weir_status weir_refine_lens(struct weir_config *config, const void *json, const char *file);

/* family_names.c: what the parts are called in safetensors files, by the family that had these names first, and in GGUF
   files, where llama.cpp gives every architecture the same. */
extern const weir_names weir_llama_names, weir_qwen3_names, weir_gemma2_names, weir_olmo_names, weir_olmo2_names,
    weir_sparse_names, weir_mixtral_names, weir_gpt_oss_names, weir_cohere_names, weir_phi_names, weir_phi3_names,
    weir_stablelm_names, weir_starcoder2_names, weir_nemotron_names, weir_gpt2_names, weir_gpt_neo_names,
    weir_gptj_names, weir_gpt_neox_names, weir_opt_names, weir_bloom_names, weir_falcon_names, weir_mpt_names,
    weir_glm_names, weir_flex_olmo_names, weir_persimmon_names, weir_biogpt_names, weir_lens_names;
extern const weir_names weir_gguf_names;

#endif
