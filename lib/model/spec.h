/* The make-up of a model, from its configuration: one layer_spec per layer, because anything may vary by
   layer. The engine reads these fields and nothing else; it never asks for a family. */
#ifndef WEIR_MODEL_SPEC_H
#define WEIR_MODEL_SPEC_H

#include "base/status.h"
#include "tensor/ops.h"

enum weir_norm_kind {
    WEIR_NORM_NONE, /* there is no such norm: what goes in comes out */
    WEIR_NORM_LAYER,
    WEIR_NORM_RMS
};

enum weir_rotary {
    WEIR_ROTARY_NONE,
    WEIR_ROTARY_HALVES, /* dimension i turns with i + rotary_dims / 2 (GPT-NeoX, Llama) */
    WEIR_ROTARY_PAIRS   /* dimension 2i turns with 2i + 1 (GPT-J) */
};

/* The part of queries and keys that is normed together before they are rotated. */
enum weir_qk_norm {
    WEIR_QK_NORM_NONE,
    WEIR_QK_NORM_HEAD, /* each head by itself */
    WEIR_QK_NORM_WIDTH /* all heads of a position together */
};

/* The function from a router's logits to the weights of the experts it chooses. */
enum weir_routing {
    WEIR_ROUTING_SOFTMAX,     /* the largest of softmax(logits) */
    WEIR_ROUTING_SPARSE_MIXER /* two, each by a softmax over the logits near the largest one left (Liu et al. 2023) */
};

/* The term that is added to the scores of a head with slope m. Press et al. 2021 (ALiBi). */
enum weir_alibi {
    WEIR_ALIBI_NONE,
    WEIR_ALIBI_FROM_START, /* m key */
    WEIR_ALIBI_FROM_END,   /* m (key - (length - 1)): the same pattern, other scores */
    WEIR_ALIBI_ROUNDED     /* m key, both m and the product rounded to bfloat16, scaled as q k is (Falcon) */
};

enum { WEIR_MAX_ROPES = 2 }; /* kinds of layers that rotate by different angles */

struct weir_layer_spec {
    /* attention */
    int n_heads, n_kv_heads, d_head;
    float score_scale; /* scores = score_scale q k */
    float score_cap;   /* scores = cap tanh(scores / cap); 0: none */
    float qkv_clip;    /* q, k and v are clipped to +- this; 0: none */
    bool sinks;        /* each head has a learned score that takes its part of the softmax and moves nothing */
    int window;        /* a query sees the last `window` keys, itself included; 0: all before it */
    enum weir_alibi alibi;
    enum weir_rotary rotary;
    int rotary_dims;                       /* the first so many of d_head turn */
    int rope;                              /* which of the model's ropes */
    float query_growth, query_growth_from; /* rotated queries at a position are multiplied by 1 + growth
                                              ln(1 + floor(position / from)) (Ministral 3); 0: they are not */
    enum weir_qk_norm qk_norm;
    enum weir_norm_kind qk_norm_kind;

    /* norms */
    enum weir_norm_kind norm;      /* ln1 and ln2, before the branches */
    bool positions_to_qk;          /* what q and k read is ln1's output plus the position embedding (Shortformer) */
    enum weir_norm_kind post_norm; /* ln1_post and ln2_post, on what the branches give */
    float eps;

    /* MLP */
    bool gated; /* f(x W_gate) * (x W_in), else f(x W_in) */
    enum weir_act activation;
    enum weir_norm_kind mlp_norm; /* of f(x W_in), before W_out */
    float mlp_limit; /* x W_gate is clipped above, x W_in to +- this, and 1 is added to x W_in (GPT-OSS); 0: neither */
    int d_mlp;
    int n_experts;          /* 0: dense */
    int n_active;           /* experts a position */
    bool active_sum_to_one; /* the chosen experts' weights are divided by their sum */
    enum weir_routing routing;
    float router_jitter; /* for the sparse mixer: logits within twice this of the largest, relatively, are near it */

    bool attn_only;     /* there is no MLP */
    bool parallel;      /* attention and MLP read the same stream and are added together */
    bool shared_norm;   /* ... and the same norm of it */
    float branch_scale; /* what a branch gives is multiplied by this before it is added */
};

/* The speed at which each pair of rotated dimensions turns: angle = position * inv_freq[i]; q and k are multiplied by
   `factor` too. Some types choose by the prompt's length: beyond `long_from` positions inv_freq comes from
   `long_inv_freq`, or grows with the length (dynamic). */
struct weir_rope {
    int n;                 /* half of the dimensions that turn */
    int first;             /* the number of position 0 */
    double *inv_freq;      /* [n] */
    double *long_inv_freq; /* [n]; NULL: the same at every length */
    double factor;         /* YaRN and LongRoPE scale q and k; else 1 */
    double long_factor;    /* the same beyond `long_from`; 0: `factor` */
    double dynamic_factor; /* NTK scaling by length; 0: none */
    double theta;          /* for dynamic */
    int rotary_dims;
    double long_from;
};

#endif
