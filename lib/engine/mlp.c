/* The MLP: ln2, the neurons, their activation, what they write. */
#include "engine/steps.h"
#include "points/points.h"
#include "tensor/ops.h"

#include <string.h>

static const struct weir_norm_points ln2_points = {WEIR_P_LN2_SCALE, WEIR_P_LN2_NORMALIZED, WEIR_P_LN2_OUT};
static const struct weir_norm_points ln2_post_points = {WEIR_P_LN2_POST_SCALE, WEIR_P_LN2_POST_NORMALIZED,
                                                        WEIR_P_MLP_OUT};
static const struct weir_norm_points mlp_ln_points = {WEIR_P_MLP_LN_SCALE, WEIR_P_MLP_LN_NORMALIZED, WEIR_NO_POINT};

_Static_assert(WEIR_P_MLP_POST < WEIR_P_LN2_POST_SCALE, "what W_out gives comes after what it reads");

struct activation {
    float *out;          /* [total_pos, width] */
    const float *pre;    /* [total_pos, width] */
    const float *linear; /* [total_pos, width]; NULL: not gated */
    size_t width;
    enum weir_act act;
    float limit; /* as weir_layer_spec's mlp_limit */
};

static void activate_rows(void *context, size_t first, size_t last, int worker)
{
    const struct activation *a = context;
    const struct weir_ops *ops = weir_ops();
    size_t n = a->width;
    (void)worker;
    for (size_t at = first * n; at < last * n; at += n) {
        if (a->limit > 0)
            ops->at_most(a->out + at, a->pre + at, a->limit, n);
        ops->act[a->act](a->out + at, (a->limit > 0 ? a->out : a->pre) + at, n);
        if (a->linear && a->limit > 0)
            ops->multiply_clipped(a->out + at, a->linear + at, a->limit, n);
        else if (a->linear)
            ops->multiply(a->out + at, a->out + at, a->linear + at, n);
    }
}

weir_status weir_step_activate(struct weir_run *run, const struct weir_layer_spec *spec, size_t width)
{
    size_t total_pos = weir_total_pos(run);
    weir_buffer *pre;
    TRY(weir_value_renew(run, &run->values.mlp_pre, &pre, width));
    weir_value_move(&run->values.mlp_post, &run->values.mlp_pre);
    struct activation a = {
        run->values.mlp_post->data, pre->data,      spec->gated ? run->values.mlp_linear->data : NULL, width,
        spec->activation,           spec->mlp_limit};
    weir_step_rows(run, total_pos, width, activate_rows, &a);
    weir_value_drop(&pre);
    weir_value_drop(&run->values.mlp_linear);
    return WEIR_OK;
}

/* The neurons through a norm of their own, where the layer has one. */
static weir_status norm_neurons(struct weir_run *run, int layer)
{
    const struct weir_layer *weights = &run->model->layers[layer];
    if (!weights->spec.mlp_norm)
        return WEIR_OK;
    TRY(weir_at(run, WEIR_P_MLP_MID, layer, &run->values.mlp_post));
    TRY(weir_step_norm(run, &run->values.spare, run->values.mlp_post, &weights->mlp_norm, weights->spec.eps,
                       mlp_ln_points, layer));
    weir_value_move(&run->values.mlp_post, &run->values.spare);
    return WEIR_OK;
}

/* mlp_in: the stream as ln2 reads it, apart from the stream itself, so that an edit reaches the MLP only. */
static weir_status read_mlp_in(struct weir_run *run, int layer)
{
    size_t n = weir_total_pos(run) * (size_t)run->model->config.d_model;
    weir_value_drop(&run->values.spare);
    if (!weir_plan_wants(&run->plan, WEIR_P_MLP_IN, layer)) {
        run->values.spare = run->values.stream;
        weir_buffer_retain(run->values.spare);
        return WEIR_OK;
    }
    TRY(weir_value_take_rows(run, &run->values.spare, (size_t)run->model->config.d_model));
    memcpy(run->values.spare->data, run->values.stream->data, n * sizeof(float));
    return weir_at(run, WEIR_P_MLP_IN, layer, &run->values.spare);
}

static weir_status read_and_norm(struct weir_run *run, int layer)
{
    const struct weir_layer *weights = &run->model->layers[layer];
    TRY(read_mlp_in(run, layer));
    TRY(weir_step_norm(run, &run->values.normed, run->values.spare, &weights->ln2, weights->spec.eps, ln2_points,
                       layer));
    weir_value_drop(&run->values.spare);
    return WEIR_OK;
}

weir_status weir_block_mlp(struct weir_run *run, int layer)
{
    const struct weir_layer *weights = &run->model->layers[layer];
    const struct weir_layer_spec *spec = &weights->spec;

    if (!spec->shared_norm)
        TRY(read_and_norm(run, layer));
    if (spec->n_experts > 0) {
        TRY(weir_block_experts(run, layer));
        return weir_step_finish_branch(run, &run->values.mlp_out, &weights->ln2_post, ln2_post_points, layer);
    }
    TRY(weir_step_linear(run, &run->values.mlp_pre, run->values.normed,
                         spec->gated ? &weights->mlp_gate : &weights->mlp_in));
    TRY(weir_at(run, WEIR_P_MLP_PRE, layer, &run->values.mlp_pre));
    if (spec->gated) {
        TRY(weir_step_linear(run, &run->values.mlp_linear, run->values.normed, &weights->mlp_in));
        TRY(weir_at(run, WEIR_P_MLP_PRE_LINEAR, layer, &run->values.mlp_linear));
    }
    TRY(weir_step_activate(run, spec, (size_t)spec->d_mlp));
    TRY(norm_neurons(run, layer));
    TRY(weir_at(run, WEIR_P_MLP_POST, layer, &run->values.mlp_post));
    if (!weir_plan_goes_past(&run->plan, WEIR_P_MLP_POST, layer))
        return WEIR_OK;
    TRY(weir_step_linear(run, &run->values.mlp_out, run->values.mlp_post, &weights->mlp_out));
    return weir_step_finish_branch(run, &run->values.mlp_out, &weights->ln2_post, ln2_post_points, layer);
}
