/* Which hook points a model has, where, and how large: asked by listings and by the plan. */
#include "model/model.h"
#include "points/points.h"

/* Why a layer does not have the point; NULL when it has. */
static const char *layer_lacks(const struct weir_layer_spec *spec, int point)
{
    switch (point) {
    case WEIR_P_ROT_Q:
    case WEIR_P_ROT_K:
        return spec->rotary ? NULL : "its positions are not rotated into queries and keys";
    case WEIR_P_Q_NORMED:
    case WEIR_P_K_NORMED:
        return "its queries and keys are not normed";
    case WEIR_P_RESID_MID:
        return spec->parallel ? "attention and MLP are added to the stream together" : NULL;
    case WEIR_P_MLP_PRE_LINEAR:
        return spec->gated ? NULL : "its MLPs are not gated";
    case WEIR_P_ROUTER:
    case WEIR_P_EXPERT_WEIGHTS:
    case WEIR_P_EXPERT_INDICES:
    case WEIR_P_EXPERT_PRE:
    case WEIR_P_EXPERT_PRE_LINEAR:
    case WEIR_P_EXPERT_POST:
        return "its MLPs are dense";
    case WEIR_P_LN1_POST_SCALE:
    case WEIR_P_LN1_POST_NORMALIZED:
    case WEIR_P_LN2_POST_SCALE:
    case WEIR_P_LN2_POST_NORMALIZED:
        return "its branches' outputs are not normed";
    default:
        return NULL;
    }
}

bool weir_model_has_point(const weir_model *model, int point, int layer, const char **why)
{
    const weir_point *p = weir_point_at(point);
    const char *reason = NULL;
    if (!p)
        reason = "there is no such point";
    else if (p->per_layer && (layer < 0 || layer >= model->config.n_layers))
        reason = "there is no such layer";
    else if (!p->per_layer && layer >= 0)
        reason = "the point stands outside the blocks";
    else if (p->per_layer)
        reason = layer_lacks(&model->layers[layer].spec, point);
    else if (point == WEIR_P_POS_EMBED && !model->config.learned_positions)
        reason = "it has no learned position embedding";
    if (why)
        *why = reason;
    return reason == NULL;
}

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
        return (size_t)c->n_vocab;
    default: /* lengths of prompts; experts, of which there are none */
        return 0;
    }
}

int weir_model_shape(const weir_model *model, int point, size_t shape[WEIR_MAX_AXES])
{
    const weir_point *p = weir_point_at(point);
    for (int i = 0; i < p->n_axes; i++)
        shape[i] = axis_size(&model->config, p->axes[i]);
    return p->n_axes;
}
