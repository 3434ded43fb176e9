#include "engine/run.h"
#include "points/points.h"
#include "tensor/ops.h"

#include <string.h>

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

weir_status weir_activate(struct weir_run *run, const struct weir_layer_spec *spec, size_t width)
{
    size_t total_pos = weir_total_pos(run);
    weir_buffer *pre;
    TRY(weir_renew(run, &run->mlp_pre, &pre, width));
    weir_drop(&run->mlp_post);
    run->mlp_post = run->mlp_pre;
    run->mlp_pre = NULL;
    struct activation a = {run->mlp_post->data, pre->data,      spec->gated ? run->mlp_linear->data : NULL, width,
                           spec->activation,    spec->mlp_limit};
    weir_rows(run, total_pos, width, activate_rows, &a);
    weir_drop(&pre);
    weir_drop(&run->mlp_linear);
    return WEIR_OK;
}

/* The neurons through a norm of their own, where the layer has one. */
static weir_status norm_neurons(struct weir_run *run, int layer)
{
    const struct weir_layer *weights = &run->model->layers[layer];
    if (!weights->spec.mlp_norm)
        return WEIR_OK;
    TRY(weir_at(run, WEIR_P_MLP_MID, layer, &run->mlp_post));
    TRY(weir_norm(run, &run->spare, run->mlp_post, &weights->mlp_norm, weights->spec.eps, WEIR_P_MLP_LN_SCALE, false,
                  layer));
    weir_drop(&run->mlp_post);
    run->mlp_post = run->spare;
    run->spare = NULL;
    return WEIR_OK;
}

/* mlp_in: the stream as ln2 reads it, apart from the stream itself, so that an edit reaches the MLP only. */
static weir_status read_stream(struct weir_run *run, int layer)
{
    size_t n = weir_total_pos(run) * (size_t)run->model->config.d_model;
    weir_drop(&run->spare);
    if (!weir_plan_wants(&run->plan, WEIR_P_MLP_IN, layer)) {
        run->spare = run->stream;
        weir_buffer_retain(run->spare);
        return WEIR_OK;
    }
    TRY(weir_take_rows(run, &run->spare, (size_t)run->model->config.d_model));
    memcpy(run->spare->data, run->stream->data, n * sizeof(float));
    return weir_at(run, WEIR_P_MLP_IN, layer, &run->spare);
}

static weir_status read_and_norm(struct weir_run *run, int layer)
{
    const struct weir_layer *weights = &run->model->layers[layer];
    TRY(read_stream(run, layer));
    TRY(weir_norm(run, &run->normed, run->spare, &weights->ln2, weights->spec.eps, WEIR_P_LN2_SCALE, true, layer));
    weir_drop(&run->spare);
    return WEIR_OK;
}

weir_status weir_mlp(struct weir_run *run, int layer)
{
    const struct weir_layer *weights = &run->model->layers[layer];
    const struct weir_layer_spec *spec = &weights->spec;

    if (!spec->shared_norm)
        TRY(read_and_norm(run, layer));
    if (spec->n_experts > 0) {
        TRY(weir_experts(run, layer));
        return weir_finish_branch(run, &run->mlp_out, &weights->ln2_post, WEIR_P_LN2_POST_SCALE, WEIR_P_MLP_OUT, layer);
    }
    TRY(weir_linear(run, &run->mlp_pre, run->normed, spec->gated ? &weights->mlp_gate : &weights->mlp_in));
    TRY(weir_at(run, WEIR_P_MLP_PRE, layer, &run->mlp_pre));
    if (spec->gated) {
        TRY(weir_linear(run, &run->mlp_linear, run->normed, &weights->mlp_in));
        TRY(weir_at(run, WEIR_P_MLP_PRE_LINEAR, layer, &run->mlp_linear));
    }
    TRY(weir_activate(run, spec, (size_t)spec->d_mlp));
    TRY(norm_neurons(run, layer));
    TRY(weir_at(run, WEIR_P_MLP_POST, layer, &run->mlp_post));
    if (!weir_plan_goes_on(&run->plan, WEIR_P_MLP_POST + 1, layer))
        return WEIR_OK;
    TRY(weir_linear(run, &run->mlp_out, run->mlp_post, &weights->mlp_out));
    return weir_finish_branch(run, &run->mlp_out, &weights->ln2_post, WEIR_P_LN2_POST_SCALE, WEIR_P_MLP_OUT, layer);
}
