/* What a model is made of, after its configuration was read: one layer_spec a layer, because anything may vary by
   layer. The engine reads these fields and nothing else; it never asks for a family. */
#ifndef WEIR_MODEL_SPEC_H
#define WEIR_MODEL_SPEC_H

#include "base/status.h"
#include "tensor/ops.h"

enum weir_norm_kind { WEIR_NORM_NONE, WEIR_NORM_LAYER, WEIR_NORM_RMS };

enum weir_rotary {
    WEIR_ROTARY_NONE,
    WEIR_ROTARY_HALVES, /* dimension i turns with i + rotary_dims / 2 (GPT-NeoX, Llama) */
    WEIR_ROTARY_PAIRS   /* dimension 2i turns with 2i + 1 (GPT-J) */
};

struct weir_layer_spec {
    /* attention */
    int n_heads, n_kv_heads, d_head;
    float score_scale; /* scores = score_scale q k */
    int window;        /* a query sees the last `window` keys, itself included; 0: all before it */
    enum weir_rotary rotary;
    int rotary_dims; /* the first so many of d_head turn */

    /* norms */
    enum weir_norm_kind norm; /* ln1 and ln2 */
    float eps;

    /* MLP */
    bool gated; /* f(x W_gate) * (x W_up), else f(x W_in) */
    enum weir_act activation;
    int d_mlp;

    bool parallel; /* attention and MLP read the same stream and are added together */
};

/* How fast each pair of rotated dimensions turns: angle = position * inv_freq[i]; q and k are multiplied by
   `attention_factor` too. */
struct weir_rope {
    float *inv_freq; /* [rotary_dims / 2] */
    int n;
    float attention_factor; /* YaRN and LongRoPE; else 1 */
};

#endif
