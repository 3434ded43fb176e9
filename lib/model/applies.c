/* Answers which hook points a model has, in which layers, and how large they are, for listings and the plan. */
#include "model/model.h"
#include "points/select.h"

/* Why a layer does not have a point of its attention; NULL when it has. */
static const char *attention_lacks(const struct weir_layer_spec *spec, int point)
{
    switch (point) {
    case WEIR_P_LN1_SCALE:
    case WEIR_P_LN1_NORMALIZED:
    case WEIR_P_LN1_OUT:
        return spec->norm ? NULL : "its branches read the stream without a norm";
    case WEIR_P_Q_NORMED:
    case WEIR_P_K_NORMED:
        return spec->qk_norm ? NULL : "its queries and keys are not normed";
    case WEIR_P_ROT_Q:
    case WEIR_P_ROT_K:
        return spec->rotary ? NULL : "its positions are not rotated into queries and keys";
    case WEIR_P_LN1_POST_SCALE:
    case WEIR_P_LN1_POST_NORMALIZED:
        return spec->post_norm ? NULL : "its branches' outputs are not normed";
    default:
        return NULL;
    }
}

/* The same for its MLP and the stream around it. */
static const char *mlp_lacks(const struct weir_layer_spec *spec, int point)
{
    if (spec->attn_only && point != WEIR_P_ATTN_OUT && point != WEIR_P_RESID_POST)
        return "its layers have no MLP";
    switch (point) {
    case WEIR_P_RESID_MID:
        return spec->parallel ? "attention and MLP are added to the stream together" : NULL;
    case WEIR_P_MLP_IN:
        return spec->shared_norm ? "its MLP reads what ln1 gives" : NULL;
    case WEIR_P_LN2_SCALE:
    case WEIR_P_LN2_NORMALIZED:
    case WEIR_P_LN2_OUT:
        return spec->shared_norm ? "its MLP reads what ln1 gives"
               : spec->norm      ? NULL
                                 : "its branches read the stream without a norm";
    case WEIR_P_LN2_POST_SCALE:
    case WEIR_P_LN2_POST_NORMALIZED:
        return spec->post_norm ? NULL : "its branches' outputs are not normed";
    case WEIR_P_MLP_PRE_LINEAR:
        if (!spec->gated)
            return "its MLPs are not gated";
        return spec->n_experts ? "its MLP is sparse: see expert_pre_linear" : NULL;
    case WEIR_P_MLP_MID:
    case WEIR_P_MLP_LN_SCALE:
    case WEIR_P_MLP_LN_NORMALIZED:
        return spec->mlp_norm ? NULL : "its neurons are not normed";
    case WEIR_P_MLP_PRE:
    case WEIR_P_MLP_POST:
        return spec->n_experts ? "its MLP is sparse: see expert_pre and expert_post" : NULL;
    case WEIR_P_EXPERT_PRE_LINEAR:
        if (spec->n_experts && !spec->gated)
            return "its experts are not gated";
        return spec->n_experts ? NULL : "its MLP is dense";
    case WEIR_P_ROUTER:
    case WEIR_P_EXPERT_WEIGHTS:
    case WEIR_P_EXPERT_INDICES:
    case WEIR_P_EXPERT_PRE:
    case WEIR_P_EXPERT_POST:
        return spec->n_experts ? NULL : "its MLP is dense";
    default:
        return NULL;
    }
}

static const char *model_lacks(const struct weir_model *model, int point)
{
    switch (point) {
    case WEIR_P_POS_EMBED:
        return model->config.learned_positions ? NULL : "it has no learned position embedding";
    case WEIR_P_LN_FINAL_SCALE:
    case WEIR_P_LN_FINAL_NORMALIZED:
    case WEIR_P_LN_FINAL_OUT:
        return model->ln_final.kind ? NULL : "it has no final norm";
    case WEIR_P_UNEMBED:
    case WEIR_P_LOGITS:
        return model->unembed.w.n_out > 0 ? NULL : "its files have no unembedding (it embeds, scores or classifies)";
    default:
        return NULL;
    }
}

bool weir_model_has_point(const weir_model *model, int point, int layer, const char **why)
{
    const weir_point *p = weir_point_at(point);
    const char *reason = NULL;
    if (!model)
        reason = "there is no model";
    else if (!p)
        reason = "there is no such point";
    else if (model->tokenizer_only)
        reason = "only its tokenizer is open";
    else if (p->per_layer && (layer < 0 || layer >= model->config.n_layers))
        reason = "there is no such layer";
    else if (!p->per_layer && layer != -1)
        reason = "the point is outside the blocks";
    else if (p->per_layer)
        reason = point < WEIR_P_ATTN_OUT ? attention_lacks(&model->layers[layer].spec, point)
                                         : mlp_lacks(&model->layers[layer].spec, point);
    else
        reason = model_lacks(model, point);
    if (why)
        *why = reason;
    return reason == NULL;
}

/* ---- names that mean one point or another ---- */

/* A branch's output is added to the stream as its last map gives it. */
static bool added_as_it_is(const struct weir_model *model, const struct weir_layer_spec *spec, uint64_t map)
{
    return !spec->post_norm && !(spec->branch_scale < 1 || spec->branch_scale > 1) &&
           !(model->family->adds_stream & map);
}

/* True where a TransformerLens name that depends on the architecture means a point in this layer. */
static bool alias_applies(const struct weir_model *model, const struct weir_layer_spec *spec, enum weir_alias_when when)
{
    const struct weir_config *c = &model->config;
    switch (when) {
    case WEIR_WHEN_NORM_BEFORE:
        return spec->norm;
    case WEIR_WHEN_NO_NORM_BEFORE:
        return !spec->norm;
    case WEIR_WHEN_LN2:
        return spec->norm && !spec->shared_norm;
    case WEIR_WHEN_SHARED_NORM:
        return spec->norm && spec->shared_norm;
    case WEIR_WHEN_UNCLIPPED:
        return !(spec->qkv_clip > 0);
    case WEIR_WHEN_ATTN_ADDED_AS_IT_IS:
        return added_as_it_is(model, spec, WEIR_ROLE(O));
    case WEIR_WHEN_ATTN_WITH_STREAM:
        return model->family->adds_stream & WEIR_ROLE(O);
    case WEIR_WHEN_MLP_ADDED_AS_IT_IS:
        return added_as_it_is(model, spec, WEIR_ROLE(MLP_OUT));
    case WEIR_WHEN_MLP_WITH_STREAM:
        return model->family->adds_stream & WEIR_ROLE(MLP_OUT);
    case WEIR_WHEN_DENSE_UNGATED:
        return !spec->n_experts && !spec->gated;
    case WEIR_WHEN_DENSE_GATED:
        return !spec->n_experts && spec->gated;
    case WEIR_WHEN_SPARSE:
        return spec->n_experts > 0;
    case WEIR_WHEN_EMBED_AS_IT_IS:
        return c->d_embed == c->d_model && model->embed_norm.kind == WEIR_NORM_NONE;
    case WEIR_WHEN_FULL_WIDTH:
        return c->d_embed == c->d_model;
    default:
        return true;
    }
}

/* For names that mean none of weir's points: what they do mean, by the first row that matches. */
static const char *explain_alias(enum weir_alias_when when)
{
    switch (when) {
    case WEIR_WHEN_UNCLIPPED:
        return "before the clip; q, k and v are after it";
    case WEIR_WHEN_ATTN_ADDED_AS_IT_IS:
        return "before the norm or the multiplier that follows; attn_out is after it";
    case WEIR_WHEN_MLP_ADDED_AS_IT_IS:
        return "before the norm or the multiplier that follows; mlp_out is after it";
    case WEIR_WHEN_EMBED_AS_IT_IS:
        return "before the norm or the projection that follows; embed is after it";
    case WEIR_WHEN_FULL_WIDTH:
        return "after a projection; ln_final_out is before it";
    default:
        return "in no layer: see weir hooks";
    }
}

weir_status weir_model_settle(const struct weir_model *model, struct weir_term *term)
{
    bool any = false;
    for (const struct weir_alias *row = term->alias; row; row = weir_alias_next(row)) {
        bool here = false;
        for (int i = 0; i < model->config.n_layers; i++)
            here |= alias_applies(model, &model->layers[i].spec, row->when);
        term->points[weir_alias_point(row)->id] = here;
        any |= here;
    }
    if (!term->alias || any)
        return WEIR_OK;
    return weir_fail(WEIR_E_UNSUPPORTED, "'%s': in this model TransformerLens's is %s", term->text,
                     explain_alias(term->alias->when));
}

/* The size of an axis in this model; 0 for those that depend on the prompts. */
static size_t axis_size(const struct weir_config *c, weir_axis axis)
{
    switch (axis) {
    case WEIR_AXIS_HEAD:
        return (size_t)c->n_heads;
    case WEIR_AXIS_KV_HEAD:
        return (size_t)c->n_kv_heads;
    case WEIR_AXIS_D_HEAD:
        return (size_t)c->d_head;
    case WEIR_AXIS_D_MODEL:
        return (size_t)c->d_model;
    case WEIR_AXIS_D_MLP:
        return (size_t)c->d_mlp;
    case WEIR_AXIS_VOCAB:
        return (size_t)c->n_outputs;
    case WEIR_AXIS_EXPERT:
        return (size_t)c->n_experts;
    case WEIR_AXIS_EXPERT_K:
        return (size_t)(c->n_experts ? c->n_active : 0);
    case WEIR_AXIS_D_EXPERT:
        return (size_t)(c->n_experts ? c->d_expert : 0);
    default: /* lengths of prompts */
        return 0;
    }
}

int weir_model_shape(const weir_model *model, int point, size_t shape[WEIR_MAX_AXES])
{
    const weir_point *p = weir_point_at(point);
    if (!model || !p || !shape)
        return 0;
    for (int i = 0; i < p->n_axes; i++)
        shape[i] = axis_size(&model->config, p->axes[i]);
    return p->n_axes;
}
