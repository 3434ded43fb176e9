/* Both ends of a pass: tokens to the stream, the stream to logits. */
#include "engine/start.h"
#include "engine/steps.h"
#include "points/points.h"
#include "tensor/ops.h"

#include <string.h>

static const struct weir_norm_points no_points = {WEIR_NO_POINT, WEIR_NO_POINT, WEIR_NO_POINT};
static const struct weir_norm_points ln_final_points = {WEIR_P_LN_FINAL_SCALE, WEIR_P_LN_FINAL_NORMALIZED,
                                                        WEIR_P_LN_FINAL_OUT};

/* ---- embedding ---- */

static void embed_tokens(const struct weir_run *run, float *out /* [total_pos, d_embed] */)
{
    const struct weir_batch *batch = &run->batch;
    const struct weir_matrix *w = &run->model->embed;
    for (size_t i = 0; i < batch->n; i++)
        for (size_t pos = 0; pos < weir_batch_rows(batch, i); pos++, out += w->n_in)
            weir_matrix_row(out, w, (size_t)weir_batch_prompt(batch, i)->ids[pos]);
}

static void embed_positions(const struct weir_run *run, float *out /* [total_pos, d_model] */)
{
    const struct weir_batch *batch = &run->batch;
    const struct weir_matrix *w = &run->model->pos_embed;
    for (size_t i = 0; i < batch->n; i++)
        for (size_t pos = batch->past[i]; pos < weir_batch_keys(batch, i); pos++, out += w->n_in)
            weir_matrix_row(out, w, pos + (size_t)run->model->config.position_offset);
}

/* Tokens' embeddings at the stream's width, scaled and normed. */
static weir_status embed_into_stream(struct weir_run *run)
{
    const struct weir_model *model = run->model;
    TRY(weir_value_take_rows(run, &run->values.stream, (size_t)model->config.d_embed));
    embed_tokens(run, run->values.stream->data);
    if (model->embed_in.w.n_out > 0) {
        TRY(weir_step_linear(run, &run->values.spare, run->values.stream, &model->embed_in));
        weir_value_move(&run->values.stream, &run->values.spare);
    }
    TRY(weir_step_scale(run, &run->values.stream, (size_t)model->config.d_model, model->config.embed_scale));
    TRY(weir_step_norm(run, &run->values.spare, run->values.stream, &model->embed_norm, (float)model->config.eps,
                       no_points, -1));
    weir_value_move(&run->values.stream, &run->values.spare);
    return WEIR_OK;
}

static weir_status take_positions(struct weir_run *run)
{
    TRY(weir_value_take_rows(run, &run->values.spare, (size_t)run->model->config.d_model));
    embed_positions(run, run->values.spare->data);
    return weir_at(run, WEIR_P_POS_EMBED, -1, &run->values.spare);
}

weir_status weir_embed(struct weir_run *run)
{
    TRY(embed_into_stream(run));
    TRY(weir_at(run, WEIR_P_EMBED, -1, &run->values.stream));
    if (!run->model->config.learned_positions)
        return WEIR_OK;
    TRY(take_positions(run));
    if (run->model->config.positions_to_qk) {
        weir_value_move(&run->values.positions, &run->values.spare);
        return WEIR_OK;
    }
    TRY(weir_stream_add(run, run->values.spare));
    weir_value_drop(&run->values.spare);
    return WEIR_OK;
}

/* ---- what is kept ---- */

/* Each prompt's rows of what it had kept of the stream. */
static weir_status gather_stream(struct weir_run *run)
{
    const struct weir_batch *batch = &run->batch;
    size_t d_model = (size_t)run->model->config.d_model;
    TRY(weir_value_take_rows(run, &run->values.stream, d_model));
    for (size_t i = 0; i < batch->n; i++)
        memcpy(run->values.stream->data + batch->start[i] * d_model,
               weir_kept_stream(batch->from->kept[batch->numbers[i]], batch->from->layer) + batch->past[i] * d_model,
               weir_batch_rows(batch, i) * d_model * sizeof(float));
    return WEIR_OK;
}

weir_status weir_resume(struct weir_run *run)
{
    TRY(gather_stream(run));
    if (!run->model->config.positions_to_qk)
        return WEIR_OK;
    TRY(take_positions(run));
    weir_value_move(&run->values.positions, &run->values.spare);
    return WEIR_OK;
}

/* ---- unembedding ---- */

static void cap_row(float *out, const float *in, size_t n, const void *cap)
{
    weir_ops()->cap(out, in, *(const float *)cap, n);
}

/* Logits from what W_U gives: scaled, capped. */
static weir_status finish_logits(struct weir_run *run)
{
    const struct weir_config *c = &run->model->config;
    float cap = (float)c->logit_cap;
    TRY(weir_step_scale(run, &run->values.logits, (size_t)c->n_outputs, c->logit_scale));
    TRY(weir_step_scale(run, &run->values.logits, (size_t)c->n_outputs,
                        c->logit_divisor > 0 ? 1 / c->logit_divisor : 1));
    if (cap > 0)
        TRY(weir_step_map(run, &run->values.logits, (size_t)c->n_outputs, cap_row, &cap));
    return WEIR_OK;
}

weir_status weir_unembed(struct weir_run *run)
{
    const struct weir_model *model = run->model;
    TRY(weir_step_norm(run, &run->values.normed, run->values.stream, &model->ln_final, (float)model->config.eps,
                       ln_final_points, -1));
    if (!weir_plan_goes_past(&run->plan, WEIR_P_LN_FINAL_OUT, model->config.n_layers))
        return WEIR_OK;
    if (model->embed_out.w.n_out > 0) {
        TRY(weir_step_linear(run, &run->values.spare, run->values.normed, &model->embed_out));
        weir_value_move(&run->values.normed, &run->values.spare);
    }
    TRY(weir_step_linear(run, &run->values.logits, run->values.normed, &model->unembed));
    TRY(weir_at(run, WEIR_P_UNEMBED, -1, &run->values.logits));
    TRY(finish_logits(run));
    return weir_at(run, WEIR_P_LOGITS, -1, &run->values.logits);
}
