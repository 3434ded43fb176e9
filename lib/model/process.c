/* Weight processing as TransformerLens defines it: options that change weights and hook points, not predictions. */
#include "model/process.h"

#include "base/alloc.h"
#include "base/text.h"
#include "model/fold.h"
#include "store/layout.h"

#include <string.h>

/* ---- where the mathematics does not hold ---- */

static const char *forbids_fold_ln(const struct weir_model *model)
{
    for (int i = 0; i < model->config.n_layers; i++) {
        const struct weir_layer_spec *spec = &model->layers[i].spec;
        if (spec->norm == WEIR_NORM_NONE)
            return spec->post_norm ? "its norms are on what branches give (post-norm), and no map comes after them"
                                   : "it has no norms before its branches";
        if (spec->positions_to_qk)
            return "its queries and keys read the positions beside ln1's output, and ln1's weight is not theirs";
    }
    if (model->unembed.w.n_out == 0 && (model->ln_final.weight || model->ln_final.bias))
        return "its files have no unembedding, which the final norm would be folded into";
    return NULL;
}

static const char *forbids_center_writing(const struct weir_model *model)
{
    for (int i = 0; i < model->config.n_layers; i++) {
        const struct weir_layer_spec *spec = &model->layers[i].spec;
        if (spec->norm == WEIR_NORM_NONE)
            return "its branches read the stream without a norm, so that its mean counts";
        if (spec->norm == WEIR_NORM_RMS)
            return "its norms are RMS norms, which do not subtract the stream's mean, so that it counts";
        if (spec->post_norm)
            return "what its branches write is normed once more (post-norm), and that norm's weight brings a mean back";
    }
    if (model->ln_final.kind != WEIR_NORM_LAYER)
        return "its final norm is not a LayerNorm, so that the stream's mean counts";
    if (model->embed_norm.kind != WEIR_NORM_NONE)
        return "its embedding is normed, and what that norm writes to the stream cannot be centred";
    return NULL;
}

static const char *forbids_center_unembed(const struct weir_model *model)
{
    if (model->unembed.w.n_out == 0)
        return "its files have no unembedding";
    if (model->config.logit_cap > 0)
        return "its logits are soft-capped, so that what all of them share counts";
    return NULL;
}

static const char *forbids_fold_value_biases(const struct weir_model *model, bool folds_ln)
{
    for (int i = 0; i < model->config.n_layers; i++) {
        const struct weir_layer *l = &model->layers[i];
        if (!l->v.bias && !(folds_ln && l->ln1.bias))
            continue;
        if (l->sinks)
            return "its heads have attention sinks: the rows of a pattern sum to less than 1, and so a value bias is "
                   "not a constant";
        if (l->spec.qkv_clip > 0)
            return "its values are clipped after their bias";
    }
    return NULL;
}

static const char *forbids_step(const struct weir_model *model, enum weir_processing step,
                                const bool steps[WEIR_N_PROCESSINGS])
{
    switch (step) {
    case WEIR_FOLD_LN:
        return forbids_fold_ln(model);
    case WEIR_CENTER_WRITING_WEIGHTS:
        return forbids_center_writing(model);
    case WEIR_CENTER_UNEMBED:
        return forbids_center_unembed(model);
    default:
        return forbids_fold_value_biases(model, steps[WEIR_FOLD_LN]);
    }
}

/* ---- the steps ---- */

/* The maps of an MLP that read the stream, dense or sparse, through `norm`. */
static weir_status fold_into_mlp(const struct weir_fold *fold, const struct weir_norm *norm, struct weir_layer *l)
{
    TRY(weir_fold_norm(fold, &l->mlp_gate, norm));
    TRY(weir_fold_norm(fold, &l->mlp_in, norm));
    TRY(weir_fold_norm(fold, &l->router, norm));
    for (int i = 0; l->experts && i < l->spec.n_experts; i++) {
        TRY(weir_fold_norm(fold, &l->experts[i].gate, norm));
        TRY(weir_fold_norm(fold, &l->experts[i].in, norm));
    }
    return WEIR_OK;
}

/* The memory is the model's until it closes. */
static void forget_weights(struct weir_norm *norm)
{
    norm->weight = norm->bias = NULL;
}

static weir_status fold_layer_norms(const struct weir_fold *fold, struct weir_layer *l)
{
    TRY(weir_fold_norm(fold, &l->q, &l->ln1));
    TRY(weir_fold_norm(fold, &l->k, &l->ln1));
    TRY(weir_fold_norm(fold, &l->v, &l->ln1));
    TRY(fold_into_mlp(fold, l->spec.shared_norm ? &l->ln1 : &l->ln2, l));
    TRY(weir_fold_norm(fold, &l->mlp_out, &l->mlp_norm));
    forget_weights(&l->ln1);
    forget_weights(&l->ln2);
    forget_weights(&l->mlp_norm);
    return WEIR_OK;
}

static weir_status fold_ln(const struct weir_fold *fold)
{
    struct weir_model *model = fold->model;
    for (int i = 0; i < model->config.n_layers; i++)
        TRY(fold_layer_norms(fold, &model->layers[i]));
    TRY(weir_fold_norm(fold, model->embed_out.w.n_out > 0 ? &model->embed_out : &model->unembed, &model->ln_final));
    forget_weights(&model->ln_final);
    return WEIR_OK;
}

static weir_status center_writing_weights(const struct weir_fold *fold)
{
    struct weir_model *model = fold->model;
    TRY(model->embed_in.w.n_out > 0 ? weir_centre_outputs(fold, &model->embed_in)
                                    : weir_centre_rows(fold, &model->embed));
    if (!model->config.positions_to_qk) /* which do not write to the stream */
        TRY(weir_centre_rows(fold, &model->pos_embed));
    for (int i = 0; i < model->config.n_layers; i++) {
        struct weir_layer *l = &model->layers[i];
        TRY(weir_centre_outputs(fold, &l->o));
        TRY(weir_centre_outputs(fold, &l->mlp_out));
        for (int e = 0; l->experts && e < l->spec.n_experts; e++)
            TRY(weir_centre_outputs(fold, &l->experts[e].out));
    }
    return WEIR_OK;
}

/* A row of a pattern sums to 1, so that z holds all of its head's value bias, whatever the head looks at. */
static weir_status fold_layer_value_bias(const struct weir_fold *fold, struct weir_layer *l)
{
    size_t n_heads = (size_t)l->spec.n_heads, d_head = (size_t)l->spec.d_head;
    size_t per_kv_head = n_heads / (size_t)l->spec.n_kv_heads;
    float *shift; /* [head, d_head]: each query head's copy */
    if (!l->v.bias)
        return WEIR_OK;
    TRY(weir_alloc(&shift, n_heads * d_head, sizeof *shift));
    for (size_t head = 0; head < n_heads; head++)
        memcpy(shift + head * d_head, l->v.bias + head / per_kv_head * d_head, d_head * sizeof *shift);
    weir_status status = weir_fold_shift(fold, &l->o, shift);
    weir_free(shift);
    l->v.bias = NULL;
    return status;
}

static weir_status fold_value_biases(const struct weir_fold *fold)
{
    for (int i = 0; i < fold->model->config.n_layers; i++)
        TRY(fold_layer_value_bias(fold, &fold->model->layers[i]));
    return WEIR_OK;
}

static weir_status do_step(const struct weir_fold *fold, enum weir_processing step)
{
    switch (step) {
    case WEIR_FOLD_LN:
        return fold_ln(fold);
    case WEIR_CENTER_WRITING_WEIGHTS:
        return center_writing_weights(fold);
    case WEIR_CENTER_UNEMBED:
        return weir_centre_outputs(fold, &fold->model->unembed);
    default:
        return fold_value_biases(fold);
    }
}

/* ---- what is asked for ---- */

/* "fold_ln,center_unembed", or "tl" for all four. */
static weir_status parse_steps(bool steps[WEIR_N_PROCESSINGS], bool *by_default, const char *text)
{
    *by_default = strcmp(text, "tl") == 0;
    for (int i = 0; i < WEIR_N_PROCESSINGS; i++)
        steps[i] = *by_default;
    for (const char *name = text; !*by_default; name++) {
        size_t n = strcspn(name, ",");
        int i = weir_processing_find(name, n);
        if (i == WEIR_N_PROCESSINGS)
            return weir_fail(WEIR_E_USAGE,
                             "process: '%.*s' is not a way to process weights: name fold_ln, center_writing_weights, "
                             "center_unembed and fold_value_biases, joined by commas, or tl for all that hold",
                             n < 64 ? (int)n : 64, name);
        steps[i] = true;
        name += n;
        if (!*name)
            break;
    }
    return WEIR_OK;
}

/* Leaves of the steps those that keep what the model computes: fails for one that was asked for by name. */
static weir_status keep_steps_that_hold(struct weir_model *model, bool steps[WEIR_N_PROCESSINGS], bool by_default)
{
    for (int i = 0; i < WEIR_N_PROCESSINGS; i++) {
        const char *why = steps[i] ? forbids_step(model, (enum weir_processing)i, steps) : NULL;
        if (!why)
            continue;
        if (!by_default)
            return weir_fail(WEIR_E_UNSUPPORTED, "%s: %s does not hold for this model: %s", model->path,
                             weir_processing_name(i), why);
        TRY(weir_model_add_note(model, "%s is left out of the processing of weights: %s", weir_processing_name(i),
                                why));
        steps[i] = false;
    }
    return WEIR_OK;
}

static weir_status list_steps(char **out, const bool steps[WEIR_N_PROCESSINGS])
{
    struct weir_text text = {0};
    weir_status status = WEIR_OK;
    for (int i = 0; i < WEIR_N_PROCESSINGS && status == WEIR_OK; i++)
        if (steps[i])
            status = weir_text_print(&text, "%s%s", text.n ? "," : "", weir_processing_name(i));
    *out = text.data;
    return status;
}

weir_status weir_model_process(struct weir_model *model, const char *text)
{
    struct weir_fold fold = {.model = model};
    bool steps[WEIR_N_PROCESSINGS], by_default;
    weir_status status = WEIR_OK;
    TRY(parse_steps(steps, &by_default, text));
    TRY(keep_steps_that_hold(model, steps, by_default));
    TRY(list_steps(&model->process, steps));
    TRY(weir_pool_open(&fold.pool, model->n_threads));
    for (int i = 0; i < WEIR_N_PROCESSINGS && status == WEIR_OK; i++)
        if (steps[i])
            status = do_step(&fold, (enum weir_processing)i);
    weir_pool_close(fold.pool);
    return status;
}
