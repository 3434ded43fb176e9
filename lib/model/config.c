/* From a family's defaults and what a file says to a whole configuration, and from it to the layers' specs. */
#include "model/config.h"

#include "base/alloc.h"
#include "model/keys.h"
#include "model/wrapper.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- what follows from the rest, and whether it makes sense ---- */

static weir_status derive_heads(struct weir_config *c, const char *file)
{
    if (c->n_kv_heads == 0)
        c->n_kv_heads = c->n_heads;
    if (c->n_heads % c->n_kv_heads != 0)
        return weir_fail(WEIR_E_INPUT, "%s: %d heads cannot share %d key-value heads evenly", file, c->n_heads,
                         c->n_kv_heads);
    if (c->d_head > 0)
        return WEIR_OK;
    if (c->d_model % c->n_heads != 0)
        return weir_fail(WEIR_E_INPUT, "%s: %d dimensions cannot be split into %d heads", file, c->d_model, c->n_heads);
    c->d_head = c->d_model / c->n_heads;
    return WEIR_OK;
}

/* The number of rotated dimensions, and the original context where a scaling does not give it. */
static weir_status derive_rotation(struct weir_config *c, const char *file)
{
    if (c->rotary == WEIR_ROTARY_NONE)
        return WEIR_OK;
    if (c->rotary_dims == 0)
        c->rotary_dims =
            (int)((c->rotary_width > 0 ? c->rotary_width : c->d_head) * (c->rotary_factor > 0 ? c->rotary_factor : 1));
    if (c->rotary_dims < 1 || (c->rotary_dims + 1) / 2 * 2 > c->d_head)
        return weir_fail(WEIR_E_INPUT, "%s: %d of %d head dimensions cannot be rotated in pairs", file, c->rotary_dims,
                         c->d_head);
    for (int i = 0; i < (c->two_ropes ? WEIR_MAX_ROPES : 1); i++) {
        if (!(c->rope[i].theta > 0))
            return weir_fail(WEIR_E_INPUT, "%s: \"rope_theta\" must be above 0", file);
        if (c->rope[i].original_context <= 0 && c->rope[i].factor > 0)
            c->rope[i].original_context = c->n_context;
    }
    return WEIR_OK;
}

/* Sets the layers that have a window, and those without rotation, where no list names them. */
static void derive_layers(struct weir_config *c)
{
    if (c->window_unused)
        c->window = 0;
    bool by_rule = !c->some_sliding && (c->first_sliding > 0 || c->full_every > 0);
    for (int i = 0; i < c->n_layers; i++) {
        if (by_rule)
            c->sliding[i] = c->full_every > 0 ? (i + 1) % c->full_every != 0 : i >= c->first_sliding;
        if (c->unrotated_every > 0)
            c->unrotated[i] = (i + 1) % c->unrotated_every == 0;
        if (c->rotated_by_window)
            c->unrotated[i] = c->window == 0 || !c->sliding[i];
    }
    c->some_sliding = c->some_sliding || by_rule;
}

static weir_status derive_experts(struct weir_config *c, const char *file)
{
    if (c->n_experts == 0)
        return WEIR_OK;
    for (int i = 0; c->sparse_step > 1 && i < c->n_layers; i++)
        if ((i + 1) % c->sparse_step != 0)
            c->dense[i] = 1;
    if (c->n_active == 0 || c->n_active > c->n_experts)
        return weir_fail(WEIR_E_INPUT,
                         "%s: %d of %d experts cannot be chosen: num_experts_per_tok (in GGUF files expert_used_count) "
                         "must be from 1 to %d",
                         file, c->n_active, c->n_experts, c->n_experts);
    if (c->d_expert == 0)
        c->d_expert = c->d_mlp;
    return WEIR_OK;
}

weir_status weir_config_derive(struct weir_config *c, const char *file)
{
    if (c->n_layers == 0 || c->n_heads == 0 || c->d_model == 0 || c->n_context == 0)
        return weir_fail(WEIR_E_INPUT, "%s: does not give the number of %s", file,
                         c->n_layers == 0  ? "layers"
                         : c->n_heads == 0 ? "heads"
                         : c->d_model == 0 ? "dimensions"
                                           : "positions");
    TRY(derive_heads(c, file));
    if (c->d_mlp == 0)
        c->d_mlp = 4 * c->d_model;
    if (c->n_outputs == 0)
        c->n_outputs = c->n_vocab;
    if (c->d_embed == 0)
        c->d_embed = c->d_model;
    if (c->head_norms)
        c->qk_norm = WEIR_QK_NORM_HEAD;
    derive_layers(c);
    if (c->embed_scale_by_width)
        c->embed_scale = sqrt((double)c->d_model);
    if (!(c->eps >= 0 && c->eps < 1))
        return weir_fail(WEIR_E_INPUT, "%s: a norm's epsilon of %g makes no sense", file, c->eps);
    TRY(derive_rotation(c, file));
    if (c->alibi && !(c->alibi_max > 0))
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: attention biases of at most %g are not implemented", file,
                         c->alibi_max);
    return derive_experts(c, file);
}

static weir_status read_model_type(const char **model_type, const cJSON *json, const char *file)
{
    *model_type = NULL;
    if (!cJSON_IsObject(json))
        return weir_fail(WEIR_E_INPUT, "%s: is not a JSON object", file);
    TRY(weir_json_string(json, file, "model_type", model_type));
    if (!*model_type && weir_json_get(json, "d_vocab") && weir_json_get(json, "n_ctx")) /* it has no other sign */
        *model_type = "HookedTransformer";
    return *model_type ? WEIR_OK : weir_fail(WEIR_E_INPUT, "%s: has no \"model_type\"", file);
}

/* TransformerLens's own configurations: nothing in them may be passed over. */
static weir_status check_known(const struct weir_family *family, const cJSON *json, const char *file)
{
    const cJSON *unread = family->without_effect ? weir_config_unread(family, json->child) : NULL;
    if (!unread)
        return WEIR_OK;
    return weir_fail(
        WEIR_E_UNSUPPORTED,
        "%s: \"%s\" is not a field of HookedTransformer that weir knows; if it changes nothing, take it out", file,
        unread->string);
}

weir_status weir_config_of_text(const cJSON **text, cJSON **own, const struct weir_wrapper **wrapper, const cJSON *json,
                                const char *file)
{
    const char *model_type;
    *text = json;
    *own = NULL;
    TRY(read_model_type(&model_type, json, file));
    *wrapper = weir_wrapper_of_model_type(model_type);
    if (*wrapper)
        TRY(weir_wrapper_text(own, *wrapper, json, file));
    *text = *own ? *own : json;
    return WEIR_OK;
}

static weir_status read_text_config(struct weir_config *out, const struct weir_family **family, const cJSON *json,
                                    const char *file)
{
    const char *model_type;
    weir_status status;
    TRY(read_model_type(&model_type, json, file));
    *family = weir_family_of_model_type(model_type);
    if (!*family)
        return weir_family_unknown(file, "model_type", model_type);
    *out = (*family)->defaults;
    cJSON *seen = NULL;
    TRY_DONE(weir_read_keys(out, &seen, *family, json, file));
    TRY_DONE(check_known(*family, json, file));
    if (out->n_vocab == 0)
        TRY_DONE(weir_fail(WEIR_E_INPUT, "%s: has no \"vocab_size\"", file));
    if ((*family)->refine)
        TRY_DONE((*family)->refine(out, seen, file));
    status = weir_config_derive(out, file);
done:
    cJSON_Delete(seen);
    return status;
}

/* A wrapper has its own unembedding. */
static void fit_into_wrapper(struct weir_config *c, const struct weir_wrapper *wrapper)
{
    c->wrapper = wrapper;
    c->first_position = wrapper->first_position;
    c->logit_scale = c->logit_divisor = 0;
    if (!wrapper->caps_logits)
        c->logit_cap = 0;
    c->biases &= ~WEIR_ROLE(UNEMBED);
}

weir_status weir_config_from_json(struct weir_config *out, const struct weir_family **family, const cJSON *json,
                                  const char *file)
{
    const struct weir_wrapper *wrapper;
    const cJSON *text;
    cJSON *own;
    *out = (struct weir_config){0};
    TRY(weir_config_of_text(&text, &own, &wrapper, json, file));
    weir_status status = read_text_config(out, family, text, file);
    if (status == WEIR_OK && wrapper)
        fit_into_wrapper(out, wrapper);
    cJSON_Delete(own);
    return status;
}

void weir_config_close(struct weir_config *config)
{
    for (int i = 0; i < WEIR_MAX_ROPES; i++) {
        weir_free(config->rope[i].short_factors);
        weir_free(config->rope[i].long_factors);
    }
    *config = (struct weir_config){0};
}

/* ---- specs ---- */

static double score_scale(const struct weir_config *c, int layer)
{
    double scale = c->scores_unscaled   ? 1
                   : c->score_scale > 0 ? c->score_scale
                                        : 1 / sqrt(c->score_scalar > 0 ? c->score_scalar : (double)c->d_head);
    return c->scores_by_layer ? scale / (layer + 1) : scale;
}

int weir_config_file_layer(const struct weir_config *c, int layer)
{
    if (layer < 0 || c->n_skipped == 0)
        return layer;
    return layer < c->n_layers ? c->file_layer[layer] : layer + c->n_skipped;
}

void weir_config_layer(struct weir_layer_spec *out, const struct weir_config *c, int layer)
{
    bool sliding = c->window > 0 && (!c->some_sliding || c->sliding[layer]);
    bool sparse = c->n_experts > 0 && !c->dense[layer];
    *out = (struct weir_layer_spec){
        .n_heads = c->n_heads,
        .n_kv_heads = c->n_kv_heads,
        .d_head = c->d_head,
        .score_scale = (float)score_scale(c, layer),
        .score_cap = (float)c->score_cap,
        .qkv_clip = (float)c->qkv_clip,
        .window = sliding ? c->window : 0,
        .sinks = c->sinks,
        .alibi = c->alibi,
        .rotary = c->unrotated[layer] ? WEIR_ROTARY_NONE : c->rotary,
        .rotary_dims = (c->rotary_dims + 1) / 2 * 2,
        .rope = c->two_ropes && c->sliding[layer],
        .query_growth = (float)c->query_growth,
        .query_growth_from = (float)c->query_growth_from,
        .qk_norm = c->qk_norm,
        .qk_norm_kind = c->qk_norm_kind,
        .norm = c->norm,
        .positions_to_qk = c->positions_to_qk,
        .post_norm = c->post_norm,
        .eps = (float)c->eps,
        .gated = c->gated,
        .activation = c->activation,
        .mlp_norm = c->mlp_norm,
        .mlp_limit = (float)c->mlp_limit,
        .d_mlp = sparse ? c->d_expert : c->d_mlp,
        .n_experts = sparse ? c->n_experts : 0,
        .n_active = c->n_active,
        .active_sum_to_one = c->active_sum_to_one,
        .routing = c->routing,
        .router_jitter = (float)c->router_jitter,
        .attn_only = c->attn_only,
        .parallel = c->parallel,
        .shared_norm = c->parallel && c->shared_norm,
        .branch_scale = c->branch_scale > 0 ? (float)c->branch_scale : 1,
    };
}
