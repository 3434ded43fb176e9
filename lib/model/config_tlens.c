/* HookedTransformerConfig, the config.json of TransformerLens's own models (attn-only, gelu and solu ones with 1 to 12
   layers, algorithmic ones). Nothing in it may be passed over: a field is read (keys.c), or is known to change nothing,
   or is refused by name. */
#include "model/config.h"

#include <string.h>

/* Fields that change nothing here: of loading, of training, of what is hooked, of options that are refused if on. */
const char weir_lens_without_effect[] =
    " model_name model_family architecture architectures model_type tokenizer_name tokenizer_prepends_bos"
    " default_prepend_bos decoder_start_token_id from_checkpoint checkpoint_index checkpoint_label_type"
    " checkpoint_value device n_devices num_devices dtype torch_dtype n_params seed init_mode init_weights"
    " initializer_range trust_remote_code use_attn_result use_attn_in use_split_qkv_input use_hook_mlp_in"
    " use_hook_tokens ungroup_grouped_query_attention tie_word_embeddings uses_rms_norm layer_norm_folding"
    " norm_topk_prob transformers_version relative_attention_max_distance relative_attention_num_buckets"
    " train_seq_length NTK_by_parts_low_freq_factor NTK_by_parts_high_freq_factor NTK_by_parts_factor"
    " NTK_original_ctx_len yarn_factor yarn_attention_factor yarn_beta_fast yarn_beta_slow yarn_truncate"
    " yarn_global_attn_only yarn_original_max_position_embeddings lr lr_hidden lr_vector lr_schedule betas"
    " weight_decay grad_norm_clip batch_size batch_size_per_device batches_per_step tokens_per_step max_tokens"
    " max_steps warmup_tokens warmup_steps train_loss_ewma_beta truncate_tokens shuffled_data dataset_name"
    " dataset_subset_name debug debug_batch debug_overfit version control use_float16 use_bfloat16"
    " use_bfloat16_matmul save_checkpoints_to_bfloat16 right_multiply_matrices use_checkpoint_schedule"
    " checkpoint_every_tokens W_O_init_scale weight_init_scale scale_init_by_depth fixed_init store_init use_ema"
    " use_acc apply_anthropic_hyperparams ";

static weir_status not_implemented(const char *file, const char *key, const char *value)
{
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: \"%s\": \"%s\" is not implemented", file, key, value);
}

/* "LN", "RMS", either with "Pre" when weights were folded into what reads the norm, or null. */
static weir_status read_norms(struct weir_config *c, const cJSON *json, const char *file)
{
    const char *key = cJSON_HasObjectItem(json, "normalization_type") ? "normalization_type" : "normalization";
    const char *type = cJSON_HasObjectItem(json, key) ? NULL : "LN";
    bool final_rms = false;
    TRY(weir_json_string(json, file, key, &type));
    TRY(weir_json_bool(json, file, "final_rms", &final_rms));
    if (type && strcmp(type, "LN") != 0 && strcmp(type, "LNPre") != 0 && strcmp(type, "RMS") != 0 &&
        strcmp(type, "RMSPre") != 0)
        return not_implemented(file, key, type);
    c->norms_bare = !type || strstr(type, "Pre");
    c->norm = !type ? WEIR_NORM_NONE : type[0] == 'R' ? WEIR_NORM_RMS : WEIR_NORM_LAYER;
    c->final_norm = final_rms && type ? WEIR_NORM_RMS : WEIR_NORM_NONE;
    return WEIR_OK;
}

static weir_status read_lens_positions(struct weir_config *c, const cJSON *json, const char *file)
{
    const char *kind = "standard";
    bool pairs = false, shortformer = false;
    TRY(weir_json_bool(json, file, "shortformer_pos", &shortformer));
    if (shortformer)
        kind = "shortformer";
    TRY(weir_json_string(json, file, "positional_embedding_type", &kind));
    TRY(weir_json_bool(json, file, "rotary_adjacent_pairs", &pairs));
    c->positions_to_qk = strcmp(kind, "shortformer") == 0;
    c->learned_positions = c->positions_to_qk || strcmp(kind, "standard") == 0;
    if (strcmp(kind, "rotary") == 0)
        c->rotary = pairs ? WEIR_ROTARY_PAIRS : WEIR_ROTARY_HALVES;
    else if (!c->learned_positions)
        return not_implemented(file, "positional_embedding_type", kind);
    return WEIR_OK;
}

/* Scores are divided by attn_scale; -1 is sqrt(d_head). */
static weir_status read_scale(struct weir_config *c, const cJSON *json, const char *file)
{
    bool scaled = true;
    double by = -1;
    TRY(weir_json_bool(json, file, "use_attn_scale", &scaled));
    TRY(weir_json_number(json, file, "attn_scale", &by));
    if (by != -1 && !(by > 0))
        return weir_fail(WEIR_E_INPUT, "%s: \"attn_scale\" must be above 0, or -1", file);
    c->scores_unscaled = !scaled;
    c->score_scale = by > 0 ? 1 / by : 0;
    return WEIR_OK;
}

/* "attn_types": "global" or "local", one a layer, where use_local_attn says so. */
static weir_status read_local(struct weir_config *c, const cJSON *json, const char *file)
{
    bool local = false;
    TRY(weir_json_bool(json, file, "use_local_attn", &local));
    if (!local) {
        c->window = 0;
        return WEIR_OK;
    }
    if (c->window == 0 || !weir_json_get(json, "attn_types"))
        return weir_fail(WEIR_E_INPUT, "%s: \"use_local_attn\" needs \"window_size\" and \"attn_types\"", file);
    return weir_config_read_sliding(c, json, file, "attn_types", "local", " global ");
}

/* The fields that decide what the blocks compute; values that weir does not implement are refused. */
static weir_status read_rest(struct weir_config *c, const cJSON *json, const char *file)
{
    const char *direction = "causal", *act = "", *architecture = "";
    int64_t n_outputs = -1;
    TRY(weir_json_string(json, file, "attention_dir", &direction));
    TRY(weir_json_string(json, file, "original_architecture", &architecture));
    TRY(weir_json_string(json, file, "act_fn", &act));
    TRY(weir_json_int(json, file, "d_vocab_out", -1, 1 << 26, &n_outputs));
    if (strcmp(direction, "causal") != 0)
        return not_implemented(file, "attention_dir", direction);
    if (strncmp(architecture, "Olmo", 4) == 0) /* its blocks norm what branches give */
        return not_implemented(file, "original_architecture", architecture);
    if (!c->attn_only && !*act)
        return weir_fail(WEIR_E_INPUT, "%s: has no \"act_fn\"", file);
    c->n_outputs = n_outputs > 0 ? (int)n_outputs : 0;
    c->mlp_norm = !c->attn_only && strcmp(act, "solu_ln") == 0 ? WEIR_NORM_LAYER : WEIR_NORM_NONE;
    return WEIR_OK;
}

/* Every map has a bias, and every layer norm that has weights. */
static uint64_t roles_with_bias(const struct weir_config *c)
{
    uint64_t maps = WEIR_ROLE(Q) | WEIR_ROLE(K) | WEIR_ROLE(V) | WEIR_ROLE(O) | WEIR_ROLE(MLP_IN) | WEIR_ROLE(MLP_OUT);
    uint64_t norms = WEIR_ROLE(LN1) | WEIR_ROLE(LN2) | (c->final_norm ? 0 : WEIR_ROLE(LN_FINAL));
    return maps | WEIR_ROLE(UNEMBED) | WEIR_ROLE(MLP_NORM) | (c->norm == WEIR_NORM_LAYER ? norms : 0);
}

weir_status weir_refine_lens(struct weir_config *c, const void *json, const char *file)
{
    TRY(read_norms(c, json, file));
    TRY(read_lens_positions(c, json, file));
    TRY(read_scale(c, json, file));
    TRY(read_local(c, json, file));
    TRY(read_rest(c, json, file));
    c->tied = false; /* the weights have both matrices, whatever the field says */
    c->biases = roles_with_bias(c);
    if (c->n_heads == 0 && c->d_head > 0)
        c->n_heads = c->d_model / c->d_head;
    return WEIR_OK;
}
