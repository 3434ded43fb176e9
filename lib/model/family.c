/* The table of families: one row each. */
#include "model/family.h"

#include "base/json.h"
#include "format/gguf.h"
#include "model/config.h"
#include "model/keys.h"
#include "points/nearest.h"

#include <string.h>

/* ---- what a table cannot say ---- */

/* attention_types [[["global", "local"], 2], ...], kinds of layers and how often they follow each other. */
static weir_status read_attention_types(struct weir_config *c, const void *json, const char *file)
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
        return weir_fail(WEIR_E_INPUT, "%s: \"attention_types\" lists %d layers, the model has %d", file, layer,
                         c->n_layers);
    return WEIR_OK;
}

/* GPT-Neo: most files also have what transformers made of these types, and there that wins. */
static weir_status refine_gpt_neo(struct weir_config *c, const void *json, const char *file)
{
    if (weir_json_get(json, "attention_layers"))
        return weir_config_read_sliding(c, json, file, "attention_layers", "local", " global ");
    return read_attention_types(c, json, file);
}

/* A truth value, null being false; absent it stays. */
static weir_status read_option(bool *out, const cJSON *json, const char *file, const char *key)
{
    if (cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(json, key)))
        *out = false;
    return weir_json_bool(json, file, key, out);
}

/* Falcon: three ways to lay out q, k and v, and one or two norms in a parallel block. */
static weir_status refine_falcon(struct weir_config *c, const void *json, const char *file)
{
    bool new_decoder = false, multi_query = true, alibi = false;
    int64_t n_norms = 2;
    TRY(read_option(&new_decoder, json, file, "new_decoder_architecture"));
    TRY(read_option(&multi_query, json, file, "multi_query"));
    TRY(read_option(&alibi, json, file, "alibi"));
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
    TRY(read_option(&multi_query, json, file, "multi_query"));
    c->qkv_concat = multi_query;
    c->n_kv_heads = multi_query ? 1 : c->n_heads;
    return WEIR_OK;
}

/* Families that have nothing else than experts: null is no number of them. */
static weir_status refine_sparse(struct weir_config *c, const void *json, const char *file)
{
    (void)json;
    return c->n_experts > 0 ? WEIR_OK : weir_fail(WEIR_E_INPUT, "%s: does not give the number of experts", file);
}

static weir_status refine_olmoe(struct weir_config *c, const void *json, const char *file)
{
    TRY(refine_sparse(c, json, file));
    if (c->qkv_clip > 0)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: \"clip_qkv\" is not implemented for olmoe (it clips after its norms)",
                         file);
    return WEIR_OK;
}

/* True where a config.json says anything of how rotation is stretched, for classes that else stretch it in their own
 * way. */
static bool has_rope(const void *json)
{
    const cJSON *scaling = weir_json_get(json, "rope_scaling");
    return weir_json_get(json, "rope_parameters") || (scaling && scaling->child);
}

/* GPT-OSS: YaRN stretches the rotation where the config says nothing of it. */
static weir_status refine_gpt_oss(struct weir_config *c, const void *json, const char *file)
{
    struct weir_rope_config *rope = &c->rope[0];
    TRY(refine_sparse(c, json, file));
    if (!(c->mlp_limit > 0))
        return weir_fail(WEIR_E_INPUT, "%s: \"swiglu_limit\" is %g; it must be above 0", file, c->mlp_limit);
    if (has_rope(json))
        return WEIR_OK;
    strcpy(rope->type, "yarn");
    rope->factor = 32;
    rope->original_context = rope->original_context > 0 ? rope->original_context : 4096;
    rope->untruncated = true;
    return WEIR_OK;
}

/* SmolLM3: where no list says which, a window is for layers without rotation. */
static weir_status refine_smollm3(struct weir_config *c, const void *json, const char *file)
{
    (void)json;
    (void)file;
    for (int i = 0; !c->some_sliding && i < c->n_layers; i++)
        c->sliding[i] = c->unrotated_every > 0 ? (i + 1) % c->unrotated_every == 0 : c->unrotated[i];
    c->some_sliding = true;
    return WEIR_OK;
}

static weir_status refine_phimoe(struct weir_config *c, const void *json, const char *file)
{
    const char *type = c->rope[0].type;
    TRY(refine_sparse(c, json, file));
    if (*type && strcmp(type, "default") != 0 && strcmp(type, "longrope") != 0)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: rope type \"%s\" is not implemented for phimoe", file, type);
    return WEIR_OK;
}

/* Mllama: layers that read images are among the others and do nothing to text; the embedding has 8 rows more than the
   vocabulary, for images. */
static weir_status refine_mllama(struct weir_config *c, const void *json, const char *file)
{
    static const int usual[] = {3, 8, 13, 18, 23, 28, 33, 38};
    uint8_t skipped[WEIR_MAX_LAYERS] = {0};
    const cJSON *list = weir_json_get(json, "cross_attention_layers");
    if (list)
        TRY(weir_read_layer_numbers(skipped, WEIR_MAX_LAYERS, list, file, "cross_attention_layers"));
    for (size_t i = 0; !list && i < sizeof usual / sizeof *usual; i++)
        skipped[usual[i]] = 1;
    int n = 0;
    for (int i = 0; i < c->n_layers; i++)
        if (!skipped[i])
            c->file_layer[n++] = (uint16_t)i;
    c->n_skipped = c->n_layers - n;
    c->n_layers = n;
    c->n_outputs = c->n_vocab;
    c->n_vocab += 8;
    return WEIR_OK;
}

/* EXAONE 4 without a window rotates all layers. */
static weir_status refine_exaone4(struct weir_config *c, const void *json, const char *file)
{
    (void)json;
    (void)file;
    c->rotated_by_window = c->window > 0;
    return WEIR_OK;
}

/* CWM: every fourth layer from the first is full. */
static weir_status refine_cwm(struct weir_config *c, const void *json, const char *file)
{
    struct weir_rope_config *rope = &c->rope[0];
    (void)file;
    for (int i = 0; !c->some_sliding && i < c->n_layers; i++)
        c->sliding[i] = i % 4 != 0;
    c->some_sliding = true;
    if (has_rope(json))
        return WEIR_OK;
    strcpy(rope->type, "llama3");
    rope->theta = 1000000;
    rope->factor = 16;
    rope->low_freq_factor = 1;
    rope->high_freq_factor = 4;
    rope->original_context = 8192;
    return WEIR_OK;
}

static weir_status refine_ministral3(struct weir_config *c, const void *json, const char *file)
{
    struct weir_rope_config *rope = &c->rope[0];
    if (!has_rope(json)) {
        strcpy(rope->type, "yarn");
        rope->theta = 1000000;
        rope->factor = 16;
        rope->original_context = 16384;
        rope->mscale = rope->mscale_all_dim = 1;
        rope->query_growth = 0.1;
    }
    c->query_growth = rope->query_growth;
    c->query_growth_from = rope->original_context;
    if (c->query_growth < 0)
        return weir_fail(WEIR_E_UNSUPPORTED,
                         "%s: \"llama_4_scaling_beta\" is %g: queries that shrink are not supported", file,
                         c->query_growth);
    if (c->query_growth > 0 && c->query_growth_from <= 0)
        return weir_fail(WEIR_E_INPUT, "%s: \"llama_4_scaling_beta\" needs \"original_max_position_embeddings\"", file);
    return WEIR_OK;
}

/* ---- options that neither keys nor tensors of a GGUF file have: llama.cpp knows them by the architecture ---- */

/* The largest model scales scores by another rule than the head's size, and is recognized by its number of layers. */
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
    scale_gemma_scores(c, 46); /* 27B */
    return WEIR_OK;
}

static weir_status refine_gguf_gemma3(struct weir_config *c, const struct weir_gguf *gguf)
{
    (void)gguf;
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
#define GLM                                                                                                            \
    LLAMA, .n_kv_heads = 2, .d_head = 128, .eps = 0.00000015625, .biases = WEIR_QKV_ROLES,                             \
           .rotary = WEIR_ROTARY_PAIRS, .rotary_factor = 0.5, .n_context = 131072
#define QWEN2_VL                                                                                                       \
    LLAMA, SIZES(152064, 8192, 29568, 80, 64), .n_kv_heads = 8, .eps = 1e-5, .window_unused = true,                    \
                                               .first_sliding = 80, .biases = WEIR_QKV_ROLES, .window = 4096,          \
                                               .rope = {{.theta = 1000000}}, .n_context = 32768
#define SIZES(vocabulary, width, mlp, layers, heads)                                                                   \
    .n_vocab = (vocabulary), .d_model = (width), .d_mlp = (mlp), .n_layers = (layers), .n_heads = (heads)

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init" /* a row begins with its relatives' defaults and departs from them */
static const struct weir_family families[] = {
    {.model_type = "gpt2",
     .gguf = "gpt2",
     .names = weir_gpt2_names,
     .keys = weir_keys_gpt2,
     .prefix = "transformer.",
     .defaults = {GPT, .biases = WEIR_LINEAR_ROLES | WEIR_NORM_ROLES, .input_major = true, .qkv_concat = true,
                  .learned_positions = true, .tied = true, .n_context = 1024}},
    {.model_type = "gpt_neo",
     .names = weir_gpt_neo_names,
     .keys = weir_keys_gpt_neo,
     .prefix = "transformer.",
     .refine = refine_gpt_neo,
     .defaults = {GPT, .biases = WEIR_ROLE(O) | WEIR_MLP_ROLES | WEIR_NORM_ROLES, .learned_positions = true,
                  .tied = true, .scores_unscaled = true, .window = 256}},
    {.model_type = "gptj",
     .gguf = "gptj",
     .names = weir_gptj_names,
     .keys = weir_keys_gptj,
     .prefix = "transformer.",
     .defaults = {GPT, .biases = WEIR_MLP_ROLES | WEIR_NORM_ROLES | WEIR_ROLE(UNEMBED), .parallel = true,
                  .shared_norm = true, .rotary = WEIR_ROTARY_PAIRS, .rotary_dims = 64, .rope = {{.theta = 10000}}}},
    {.model_type = "gpt_neox",
     .gguf = "gptneox",
     .names = weir_gpt_neox_names,
     .keys = weir_keys_gpt_neox,
     .prefix = "gpt_neox.",
     .defaults = {GPT, .biases = WEIR_LINEAR_ROLES | WEIR_NORM_ROLES, ROTATED(10000), .activation = WEIR_ACT_GELU,
                  .rotary_factor = 0.25, .parallel = true}},
    {.model_type = "opt",
     .names = weir_opt_names,
     .keys = weir_keys_opt,
     .prefix = "model.decoder.",
     .defaults = {GPT, .biases = WEIR_LINEAR_ROLES | WEIR_NORM_ROLES, .activation = WEIR_ACT_RELU,
                  .learned_positions = true, .position_offset = 2, .tied = true}},
    {.model_type = "bloom",
     .gguf = "bloom",
     .names = weir_bloom_names,
     .keys = weir_keys_bloom,
     .prefix = "transformer.",
     .adds_stream = WEIR_ROLE(O) | WEIR_ROLE(MLP_OUT),
     .defaults = {GPT, .biases = WEIR_LINEAR_ROLES | WEIR_NORM_ROLES, .alibi = WEIR_ALIBI_FROM_START, .alibi_max = 8,
                  .tied = true}},
    {.model_type = "llama",
     .gguf = "llama",
     .names = weir_llama_names,
     .keys = weir_keys_llama,
     .prefix = "model.",
     .gguf_rotates_rows = true,
     .defaults = {LLAMA, SIZES(32000, 4096, 11008, 32, 32)}},
    {.model_type = "mistral",
     .gguf = "llama",
     .names = weir_llama_names,
     .keys = weir_keys_mistral,
     .prefix = "model.",
     .defaults = {LLAMA, SIZES(32000, 4096, 14336, 32, 32), .n_kv_heads = 8, .window = 4096}},
    {.model_type = "qwen2",
     .gguf = "qwen2",
     .names = weir_llama_names,
     .keys = weir_keys_qwen2,
     .prefix = "model.",
     .defaults = {LLAMA, SIZES(151936, 4096, 22016, 32, 32), .n_kv_heads = 32, .window_unused = true,
                  .first_sliding = 28, .biases = WEIR_QKV_ROLES, .window = 4096}},
    {.model_type = "qwen2_vl_text",
     .names = weir_llama_names,
     .keys = weir_keys_qwen2_vl,
     .prefix = "model.",
     .defaults = {QWEN2_VL}},
    {.model_type = "qwen2_5_vl_text",
     .names = weir_llama_names,
     .keys = weir_keys_qwen2_vl,
     .prefix = "model.",
     .defaults = {QWEN2_VL}},
    {.model_type = "qwen3",
     .gguf = "qwen3",
     .names = weir_qwen3_names,
     .keys = weir_keys_qwen3,
     .prefix = "model.",
     .defaults = {LLAMA, .n_kv_heads = 32, .window_unused = true, .first_sliding = 28, .d_head = 128,
                  .qk_norm = WEIR_QK_NORM_HEAD, .qk_norm_kind = WEIR_NORM_RMS, .window = 4096}},
    {.model_type = "qwen3_vl_text",
     .names = weir_qwen3_names,
     .keys = weir_keys_qwen3_vl,
     .prefix = "model.",
     .defaults = {LLAMA, SIZES(151936, 4096, 22016, 32, 32), .n_kv_heads = 32, .d_head = 128,
                  .qk_norm = WEIR_QK_NORM_HEAD, .qk_norm_kind = WEIR_NORM_RMS, .rope = {{.theta = 500000}},
                  .n_context = 128000}},
    {.model_type = "gemma",
     .gguf = "gemma",
     .names = weir_llama_names,
     .keys = weir_keys_gemma,
     .prefix = "model.",
     .gguf_adds_one = true,
     .defaults = {GEMMA, SIZES(256000, 3072, 24576, 28, 16), .n_kv_heads = 16, .d_head = 256}},
    {.model_type = "gemma2",
     .gguf = "gemma2",
     .names = weir_gemma2_names,
     .keys = weir_keys_gemma2,
     .prefix = "model.",
     .gguf_adds_one = true,
     .refine_gguf = refine_gguf_gemma2,
     .defaults = {GEMMA, SIZES(256000, 2304, 9216, 26, 8), .n_kv_heads = 4, .full_every = 2, .d_head = 256,
                  .post_norm = WEIR_NORM_RMS, .score_scalar = 256, .window = 4096, .score_cap = 50, .logit_cap = 30}},
    {.model_type = "gemma3_text",
     .gguf = "gemma3",
     .names = weir_gemma2_names,
     .keys = weir_keys_gemma3,
     .prefix = "model.",
     .gguf_adds_one = true,
     .refine_gguf = refine_gguf_gemma3,
     .defaults = {GEMMA, SIZES(262208, 2304, 9216, 26, 8), .n_kv_heads = 4, .full_every = 6, .d_head = 256,
                  .post_norm = WEIR_NORM_RMS, .qk_norm = WEIR_QK_NORM_HEAD, .qk_norm_kind = WEIR_NORM_RMS,
                  .score_scalar = 256, .window = 4096, .two_ropes = true,
                  .rope = {{.theta = 1000000}, {.theta = 10000}}, .n_context = 131072}},
    {.model_type = "phi",
     .gguf = "phi2",
     .names = weir_phi_names,
     .keys = weir_keys_phi,
     .prefix = "model.",
     .defaults = {GPT,
                  .biases =
                      WEIR_LINEAR_ROLES | WEIR_NORM_ROLES | WEIR_ROLE(UNEMBED) | WEIR_ROLE(Q_NORM) | WEIR_ROLE(K_NORM),
                  ROTATED(10000), .rotary_factor = 0.5, .parallel = true, .shared_norm = true,
                  .qk_norm_kind = WEIR_NORM_LAYER}},
    {.model_type = "phi3",
     .gguf = "phi3",
     .names = weir_phi3_names,
     .keys = weir_keys_phi3,
     .prefix = "model.",
     .defaults = {LLAMA, .rope = {{.theta = 10000, .original_context = 4096}}, .eps = 1e-5, .qkv_concat = true,
                  .n_context = 4096}},
    {.model_type = "stablelm",
     .gguf = "stablelm",
     .names = weir_stablelm_names,
     .keys = weir_keys_stablelm,
     .prefix = "model.",
     .refine_gguf = refine_gguf_stablelm,
     .defaults = {LLAMA, .n_kv_heads = 32, .biases = WEIR_NORM_ROLES, .eps = 1e-5, .norm = WEIR_NORM_LAYER,
                  .rotary_factor = 0.25, .shared_norm = true, .qk_norm_kind = WEIR_NORM_LAYER, .n_context = 4096}},
    {.model_type = "olmo",
     .gguf = "olmo",
     .names = weir_olmo_names,
     .keys = weir_keys_olmo,
     .prefix = "model.",
     .gguf_rotates_rows = true,
     .defaults = {LLAMA, .eps = 1e-5, .norm = WEIR_NORM_LAYER}},
    {.model_type = "olmo2",
     .gguf = "olmo2",
     .names = weir_olmo2_names,
     .keys = weir_keys_olmo2,
     .prefix = "model.",
     .defaults = {LLAMA, .eps = 1e-5, .norm = WEIR_NORM_NONE, .post_norm = WEIR_NORM_RMS, .qk_norm = WEIR_QK_NORM_WIDTH,
                  .qk_norm_kind = WEIR_NORM_RMS}},
    {.model_type = "starcoder2",
     .gguf = "starcoder2",
     .names = weir_starcoder2_names,
     .keys = weir_keys_starcoder2,
     .prefix = "model.",
     .defaults = {GPT, .n_kv_heads = 2, .biases = WEIR_LINEAR_ROLES | WEIR_NORM_ROLES, ROTATED(10000), .tied = true,
                  .n_context = 4096}},
    {.model_type = "granite",
     .gguf = "granite",
     .names = weir_llama_names,
     .keys = weir_keys_granite,
     .prefix = "model.",
     .gguf_rotates_rows = true,
     .defaults = {LLAMA, .score_scale = 1}},
    {.model_type = "falcon",
     .gguf = "falcon",
     .names = weir_falcon_names,
     .keys = weir_keys_falcon,
     .prefix = "transformer.",
     .refine = refine_falcon,
     .defaults = {GPT, .biases = WEIR_NORM_ROLES, ROTATED(10000), .activation = WEIR_ACT_GELU, .parallel = true,
                  .tied = true, .alibi_max = 8}},
    {.model_type = "mpt",
     .gguf = "mpt",
     .names = weir_mpt_names,
     .keys = weir_keys_mpt,
     .prefix = "transformer.",
     .adds_stream = WEIR_ROLE(MLP_OUT),
     .defaults = {GPT, .activation = WEIR_ACT_GELU, .qkv_concat = true, .alibi = WEIR_ALIBI_FROM_END, .alibi_max = 8,
                  .tied = true}},
    {.model_type = "mixtral",
     .gguf = "llama",
     .names = weir_mixtral_names,
     .keys = weir_keys_mixtral,
     .prefix = "model.",
     .refine = refine_sparse,
     .defaults = {LLAMA, .n_kv_heads = 8, .eps = 1e-5, .rope = {{.theta = 1000000}}, .n_experts = 8, .n_active = 2,
                  .active_sum_to_one = true, .n_context = 131072}},
    {.model_type = "phimoe",
     .names = weir_mixtral_names,
     .keys = weir_keys_phimoe,
     .prefix = "model.",
     .refine = refine_phimoe,
     .defaults = {LLAMA, .n_kv_heads = 8, .biases = WEIR_NORM_ROLES, .eps = 1e-5, .norm = WEIR_NORM_LAYER,
                  .routing = WEIR_ROUTING_SPARSE_MIXER, .router_jitter = 0.01, .n_experts = 16, .n_active = 2,
                  .n_context = 131072, .rope = {{.theta = 1000000, .by_mscale = true}}}},
    {.model_type = "gpt_oss",
     .names = weir_gpt_oss_names,
     .keys = weir_keys_gpt_oss,
     .prefix = "model.",
     .refine = refine_gpt_oss,
     .defaults = {LLAMA, .activation = WEIR_ACT_GELU_QUICK, .n_kv_heads = 8, .full_every = 2,
                  .biases = WEIR_QKV_ROLES | WEIR_ROLE(O) | WEIR_ROLE(ROUTER) | WEIR_ROLE(EXPERT_GATE_AND_IN) |
                            WEIR_ROLE(EXPERT_OUT),
                  .eps = 1e-5, .d_head = 64, .sinks = true, .window = 128, .mlp_limit = 7, .n_experts = 128,
                  .n_active = 4, .active_sum_to_one = true, .experts_input_major = true, .rope = {{.theta = 150000}},
                  .n_context = 131072}},
    {.model_type = "qwen3_moe",
     .gguf = "qwen3moe",
     .names = weir_sparse_names,
     .keys = weir_keys_qwen3_moe,
     .prefix = "model.",
     .defaults = {LLAMA, .n_kv_heads = 4, .window_unused = true, SPARSE, .qk_norm = WEIR_QK_NORM_HEAD,
                  .qk_norm_kind = WEIR_NORM_RMS, .n_experts = 128, .d_expert = 768, .window = 4096}},
    {.model_type = "olmoe",
     .gguf = "olmoe",
     .names = weir_sparse_names,
     .keys = weir_keys_olmoe,
     .prefix = "model.",
     .refine = refine_olmoe,
     .refine_gguf = refine_gguf_olmoe,
     .defaults = {LLAMA, SPARSE, .eps = 1e-5, .qk_norm = WEIR_QK_NORM_WIDTH, .qk_norm_kind = WEIR_NORM_RMS,
                  .n_experts = 64, .n_context = 4096}},
    {.model_type = "smollm3",
     .gguf = "smollm3",
     .names = weir_llama_names,
     .keys = weir_keys_smollm3,
     .prefix = "model.",
     .refine = refine_smollm3,
     .gguf_rotates_rows = true,
     .defaults = {LLAMA, .n_kv_heads = 4, .window_unused = true, .unrotated_every = 4, .tied = true,
                  .rope = {{.theta = 2000000}}, .n_context = 32768}},
    {.model_type = "cohere",
     .gguf = "command-r",
     .names = weir_cohere_names,
     .keys = weir_keys_cohere,
     .prefix = "model.",
     .refine_gguf = refine_gguf_cohere,
     .defaults = {LLAMA, .eps = 1e-5, .norm = WEIR_NORM_LAYER, .parallel = true, .shared_norm = true, .tied = true,
                  .rotary = WEIR_ROTARY_PAIRS, .rope = {{.theta = 500000}}, .logit_scale = 0.0625,
                  .qk_norm_kind = WEIR_NORM_LAYER, .n_context = 8192}},
    {.model_type = "gpt_bigcode",
     .gguf = "starcoder",
     .names = weir_gpt2_names,
     .keys = weir_keys_gpt_bigcode,
     .prefix = "transformer.",
     .refine = refine_gpt_bigcode,
     .defaults = {GPT, .biases = WEIR_LINEAR_ROLES | WEIR_NORM_ROLES, .learned_positions = true, .tied = true,
                  .n_context = 1024}},
    {.model_type = "nemotron",
     .gguf = "nemotron",
     .names = weir_nemotron_names,
     .keys = weir_keys_nemotron,
     .prefix = "model.",
     .gguf_adds_one = true,
     .defaults = {GPT, .biases = WEIR_NORM_ROLES, ROTATED(10000), .activation = WEIR_ACT_RELU2, .norm_plus_one = true,
                  .rotary_factor = 0.5, .n_context = 4096}},
    {.model_type = "mllama_text_model",
     .names = weir_llama_names,
     .keys = weir_keys_mllama,
     .prefix = "model.",
     .refine = refine_mllama,
     .defaults = {LLAMA, SIZES(128256, 4096, 14336, 40, 32), .n_kv_heads = 8, .eps = 1e-5, .rope = {{.theta = 500000}},
                  .n_context = 131072}},
    {.model_type = "olmo3",
     .names = weir_olmo2_names,
     .keys = weir_keys_olmo3,
     .prefix = "model.",
     .defaults = {LLAMA, .eps = 1e-5, .norm = WEIR_NORM_NONE, .post_norm = WEIR_NORM_RMS, .qk_norm = WEIR_QK_NORM_WIDTH,
                  .qk_norm_kind = WEIR_NORM_RMS, .window = 4096, .full_every = 4, .two_ropes = true,
                  .rope = {{.theta = 500000}, {.theta = 500000}}}},
    {.model_type = "cohere2",
     .names = weir_cohere_names,
     .keys = weir_keys_cohere2,
     .prefix = "model.",
     .defaults = {LLAMA, .eps = 1e-5, .norm = WEIR_NORM_LAYER, .parallel = true, .shared_norm = true, .tied = true,
                  .rotary = WEIR_ROTARY_PAIRS, .rope = {{.theta = 10000}}, .logit_scale = 0.0625, .window = 4096,
                  .full_every = 4, .rotated_by_window = true, .n_context = 8192}},
    {.model_type = "exaone4",
     .names = weir_olmo2_names,
     .keys = weir_keys_exaone4,
     .prefix = "model.",
     .refine = refine_exaone4,
     .defaults = {LLAMA, .n_kv_heads = 32, .eps = 1e-5, .norm = WEIR_NORM_NONE, .post_norm = WEIR_NORM_RMS,
                  .qk_norm = WEIR_QK_NORM_HEAD, .qk_norm_kind = WEIR_NORM_RMS, .window = 4096, .full_every = 4}},
    {.model_type = "glm", .names = weir_glm_names, .keys = weir_keys_glm, .prefix = "model.", .defaults = {GLM}},
    {.model_type = "glm4",
     .names = weir_glm_names,
     .keys = weir_keys_glm,
     .prefix = "model.",
     .defaults = {GLM, .post_norm = WEIR_NORM_RMS}},
    {.model_type = "ernie4_5",
     .names = weir_llama_names,
     .keys = weir_keys_ernie4_5,
     .prefix = "model.",
     .defaults = {LLAMA, .n_kv_heads = 2, .d_head = 128, .eps = 1e-5, .tied = true, .rotary = WEIR_ROTARY_PAIRS,
                  .rope = {{.theta = 500000}}, .n_context = 131072}},
    {.model_type = "seed_oss",
     .names = weir_llama_names,
     .keys = weir_keys_seed_oss,
     .prefix = "model.",
     .defaults = {LLAMA, .n_kv_heads = 8, .d_head = 128, .biases = WEIR_QKV_ROLES, .n_context = 524288}},
    {.model_type = "helium",
     .names = weir_llama_names,
     .keys = weir_keys_helium,
     .prefix = "model.",
     .defaults = {LLAMA, .n_kv_heads = 20, .d_head = 128, .eps = 1e-8, .rotary = WEIR_ROTARY_PAIRS,
                  .rope = {{.theta = 100000}}, .n_context = 4096}},
    {.model_type = "arcee",
     .names = weir_nemotron_names,
     .keys = weir_keys_arcee,
     .prefix = "model.",
     .defaults = {LLAMA, .eps = 1e-5, .gated = false, .activation = WEIR_ACT_RELU2, .n_context = 4096}},
    {.model_type = "jais2",
     .names = weir_nemotron_names,
     .keys = weir_keys_jais2,
     .prefix = "model.",
     .defaults = {LLAMA, .eps = 1e-5, .norm = WEIR_NORM_LAYER, .gated = false, .activation = WEIR_ACT_RELU2,
                  .biases = WEIR_LINEAR_ROLES | WEIR_NORM_ROLES, .n_context = 8192}},
    {.model_type = "vaultgemma",
     .names = weir_gemma2_names,
     .keys = weir_keys_vaultgemma,
     .prefix = "model.",
     .defaults = {GEMMA, .n_kv_heads = 4, .full_every = 2, .d_head = 256, .score_scalar = 256, .window = 4096,
                  .score_cap = 50, .logit_cap = 30}},
    {.model_type = "flex_olmo",
     .names = weir_flex_olmo_names,
     .keys = weir_keys_flex_olmo,
     .prefix = "model.",
     .refine = refine_sparse,
     .defaults = {LLAMA, .norm = WEIR_NORM_NONE, .post_norm = WEIR_NORM_RMS, .qk_norm = WEIR_QK_NORM_WIDTH,
                  .qk_norm_kind = WEIR_NORM_RMS, .n_experts = 7, .n_active = 5, .rope = {{.theta = 500000}},
                  .n_context = 4096}},
    {.model_type = "persimmon",
     .names = weir_persimmon_names,
     .keys = weir_keys_persimmon,
     .prefix = "model.",
     .defaults = {GPT, .biases = WEIR_LINEAR_ROLES | WEIR_NORM_ROLES | WEIR_ROLE(Q_NORM) | WEIR_ROLE(K_NORM),
                  ROTATED(10000), .activation = WEIR_ACT_RELU2, .rotary_factor = 0.5, .head_norms = true,
                  .qk_norm_kind = WEIR_NORM_LAYER, .n_context = 16384}},
    {.model_type = "biogpt",
     .names = weir_biogpt_names,
     .keys = weir_keys_biogpt,
     .prefix = "biogpt.",
     .defaults = {GPT, .biases = WEIR_LINEAR_ROLES | WEIR_NORM_ROLES, .activation = WEIR_ACT_GELU,
                  .learned_positions = true, .position_offset = 2, .embed_scale_by_width = true, .tied = true,
                  .n_context = 1024}},
    {.model_type = "internlm3",
     .names = weir_llama_names,
     .keys = weir_keys_internlm3,
     .prefix = "model.",
     .defaults = {LLAMA, .n_kv_heads = 2, .d_head = 128, .eps = 1e-5, .n_context = 32768}},
    {.model_type = "iquestcoder",
     .names = weir_llama_names,
     .keys = weir_keys_llama,
     .prefix = "model.",
     .defaults = {LLAMA, .n_kv_heads = 8, .d_head = 128, .eps = 1e-5, .n_context = 131072}},
    {.model_type = "cwm",
     .names = weir_llama_names,
     .keys = weir_keys_cwm,
     .prefix = "model.",
     .refine = refine_cwm,
     .defaults = {LLAMA, .n_kv_heads = 8, .d_head = 128, .eps = 1e-5, .window = 8192, .rope = {{.theta = 1000000}},
                  .n_context = 131072}},
    {.model_type = "ministral3",
     .names = weir_llama_names,
     .keys = weir_keys_ministral3,
     .prefix = "model.",
     .refine = refine_ministral3,
     .defaults = {LLAMA, SIZES(131072, 4096, 14336, 34, 32), .n_kv_heads = 8, .d_head = 128, .eps = 1e-5,
                  .n_context = 262144}},
    {.model_type = "HookedTransformer", /* TransformerLens's own: its config.json has no model_type */
     .names = weir_lens_names,
     .keys = weir_keys_lens,
     .refine = weir_refine_lens,
     .without_effect = weir_lens_without_effect,
     .defaults = {.eps = 1e-5,
                  .norm = WEIR_NORM_LAYER,
                  .activation = WEIR_ACT_RELU,
                  .input_major = true,
                  .lens_layout = true,
                  .rope = {{.theta = 10000}}}},
};
#pragma GCC diagnostic pop

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

/* ---- others ---- */

/* Names of model types before transformers had them, under which the models are still about. */
static const char *later_name(const char *name)
{
    static const struct {
        const char *old, *later;
    } names[] = {
        {"phi-msft", "phi"},           {"mixformer-sequential", "phi"}, {"RefinedWeb", "falcon"},
        {"RefinedWebModel", "falcon"}, {"stablelm_epoch", "stablelm"},  {"hf_olmo", "olmo"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].old, name) == 0)
            return names[i].later;
    return NULL;
}

/* NULL where none is near: less than half of it would be another. */
static const char *nearest_family(const char *name)
{
    size_t best = strlen(name) / 3 < 3 ? strlen(name) / 3 : 3;
    const char *found = NULL;
    for (size_t i = 0; best > 0 && i < sizeof families / sizeof *families; i++) {
        size_t distance = weir_edit_distance(name, families[i].model_type);
        if (distance > best)
            continue;
        best = distance - (distance > 0);
        found = families[i].model_type;
    }
    return found;
}

weir_status weir_family_unknown(const char *file, const char *key, const char *name)
{
    const char *later = later_name(name), *near = nearest_family(name);
    if (later)
        return weir_fail(
            WEIR_E_UNSUPPORTED,
            "%s: %s \"%s\" is the model's first revision, with its own code: the newer revision has model_type \"%s\"",
            file, key, name, later);
    return weir_fail(WEIR_E_UNSUPPORTED,
                     "%s: %s \"%s\" is not a family that weir knows%s%s%s (docs/families.md lists them)", file, key,
                     name, near ? "; nearest by name is \"" : "", near ? near : "", near ? "\"" : "");
}
