/* What attention and MLP are made of, and both ends of the pass: embedding, norms, linear maps, unembedding. */
#include "engine/run.h"
#include "points/points.h"
#include "tensor/ops.h"

#include <string.h>

enum { PIECE_FLOATS = 1 << 14 }; /* what a thread takes at a time: enough to be worth waking it */

void weir_rows(const struct weir_run *run, size_t n, size_t row, weir_job *fn, void *context)
{
    size_t grain = PIECE_FLOATS / (row ? row : 1);
    weir_parallel(run->pool, n, grain ? grain : 1, fn, context);
}

/* ---- the stream ---- */

struct addition {
    float *out;
    const float *a, *b;
    size_t row;
};

static void add_rows(void *context, size_t first, size_t last, int worker)
{
    const struct addition *s = context;
    size_t at = first * s->row;
    (void)worker;
    weir_ops()->add(s->out + at, s->a + at, s->b + at, (last - first) * s->row);
}

void weir_add(const struct weir_run *run, weir_buffer *out, const weir_buffer *a, const weir_buffer *b)
{
    size_t d_model = (size_t)run->model->config.d_model;
    struct addition sum = {out->data, a->data, b->data, d_model};
    weir_rows(run, weir_total_pos(run), d_model, add_rows, &sum);
}

weir_status weir_add_to_stream(struct weir_run *run, const weir_buffer *what)
{
    weir_buffer *old;
    TRY(weir_renew(run, &run->stream, &old, (size_t)run->model->config.d_model));
    weir_add(run, run->stream, old, what);
    weir_drop(&old);
    return WEIR_OK;
}

/* ---- values in place ---- */

struct mapping {
    float *out;
    const float *in;
    size_t width;
    weir_row_fn *fn;
    const void *context;
};

static void map_rows(void *context, size_t first, size_t last, int worker)
{
    const struct mapping *m = context;
    (void)worker;
    for (size_t i = first; i < last; i++)
        m->fn(m->out + i * m->width, m->in + i * m->width, m->width, m->context);
}

weir_status weir_map(struct weir_run *run, weir_buffer **value, size_t width, weir_row_fn *fn, const void *context)
{
    weir_buffer *old;
    TRY(weir_renew(run, value, &old, width));
    struct mapping m = {(*value)->data, old->data, width, fn, context};
    weir_rows(run, weir_total_pos(run), width, map_rows, &m);
    weir_drop(&old);
    return WEIR_OK;
}

static void scale_row(float *out, const float *in, size_t n, const void *factor)
{
    weir_ops()->scale(out, in, *(const float *)factor, n);
}

static void cap_row(float *out, const float *in, size_t n, const void *cap)
{
    weir_ops()->cap(out, in, *(const float *)cap, n);
}

static weir_status scale(struct weir_run *run, weir_buffer **value, size_t width, double by)
{
    float factor = (float)by;
    return by == 1 || by == 0 ? WEIR_OK : weir_map(run, value, width, scale_row, &factor);
}

/* ---- embedding ---- */

static void embed_tokens(const struct weir_run *run, float *out /* [total_pos, d_embed] */)
{
    const struct weir_batch *batch = &run->batch;
    const struct weir_matrix *w = &run->model->embed;
    for (size_t i = 0; i < batch->n; i++)
        for (size_t pos = 0; pos < batch->prompts[i].n; pos++, out += w->n_in)
            weir_matrix_row(out, w, (size_t)batch->prompts[i].ids[pos]);
}

static void embed_positions(const struct weir_run *run, float *out /* [total_pos, d_model] */)
{
    const struct weir_batch *batch = &run->batch;
    const struct weir_matrix *w = &run->model->pos_embed;
    for (size_t i = 0; i < batch->n; i++)
        for (size_t pos = 0; pos < batch->prompts[i].n; pos++, out += w->n_in)
            weir_matrix_row(out, w, pos + (size_t)run->model->config.position_offset);
}

/* Tokens' embeddings at the stream's width, scaled and normed. */
static weir_status embed(struct weir_run *run)
{
    const struct weir_model *model = run->model;
    TRY(weir_take_rows(run, &run->stream, (size_t)model->config.d_embed));
    embed_tokens(run, run->stream->data);
    if (model->embed_in.w.n_out > 0) {
        TRY(weir_linear(run, &run->spare, run->stream, &model->embed_in));
        weir_drop(&run->stream);
        run->stream = run->spare;
        run->spare = NULL;
    }
    TRY(scale(run, &run->stream, (size_t)model->config.d_model, model->config.embed_scale));
    TRY(weir_norm(run, &run->spare, run->stream, &model->embed_norm, (float)model->config.eps, WEIR_NO_POINT, false,
                  -1));
    weir_drop(&run->stream);
    run->stream = run->spare;
    run->spare = NULL;
    return WEIR_OK;
}

weir_status weir_embed(struct weir_run *run)
{
    TRY(embed(run));
    TRY(weir_at(run, WEIR_P_EMBED, -1, &run->stream));
    if (!run->model->config.learned_positions)
        return WEIR_OK;
    TRY(weir_take_rows(run, &run->spare, (size_t)run->model->config.d_model));
    embed_positions(run, run->spare->data);
    TRY(weir_at(run, WEIR_P_POS_EMBED, -1, &run->spare));
    if (run->model->config.positions_to_qk) {
        weir_drop(&run->positions);
        run->positions = run->spare;
        run->spare = NULL;
        return WEIR_OK;
    }
    TRY(weir_add_to_stream(run, run->spare));
    weir_drop(&run->spare);
    return WEIR_OK;
}

/* ---- norms ---- */

struct norming {
    float *out;          /* [total_pos, d] */
    const float *in;     /* [total_pos, d] */
    float *mean, *scale; /* [total_pos] */
    const struct weir_norm *weights;
    size_t d;
    float eps;
    int centred;
};

static void norm_rows(void *context, size_t first, size_t last, int worker)
{
    const struct norming *n = context;
    const struct weir_ops *ops = weir_ops();
    (void)worker;
    for (size_t i = first; i < last; i++) {
        float mean = 0, scale;
        ops->moments(n->in + i * n->d, n->d, n->eps, n->centred, &mean, &scale);
        ops->norm(n->out + i * n->d, n->in + i * n->d, mean, scale, n->weights->weight, n->weights->bias, n->d);
    }
}

static void moment_rows(void *context, size_t first, size_t last, int worker)
{
    const struct norming *n = context;
    (void)worker;
    for (size_t i = first; i < last; i++)
        weir_ops()->moments(n->in + i * n->d, n->d, n->eps, n->centred, &n->mean[i], &n->scale[i]);
}

static void normalize_rows(void *context, size_t first, size_t last, int worker)
{
    const struct norming *n = context;
    (void)worker;
    for (size_t i = first; i < last; i++)
        weir_ops()->normalize(n->out + i * n->d, n->in + i * n->d, n->mean[i], n->scale[i], n->d);
}

static void affine_rows(void *context, size_t first, size_t last, int worker)
{
    const struct norming *n = context;
    (void)worker;
    for (size_t i = first; i < last; i++)
        weir_ops()->affine(n->out + i * n->d, n->in + i * n->d, n->weights->weight, n->weights->bias, n->d);
}

/* Step by step, because someone wants to see, or change, what lies between. */
static weir_status norm_in_steps(struct weir_run *run, weir_buffer **out, struct norming *n, int first_point, int layer)
{
    size_t total_pos = weir_total_pos(run);
    TRY(weir_take(run, &run->norm_mean, total_pos));
    TRY(weir_take(run, &run->norm_scale, total_pos));
    TRY(weir_take(run, &run->norm_middle, total_pos * n->d));
    n->mean = run->norm_mean->data;
    n->scale = run->norm_scale->data;
    weir_rows(run, total_pos, n->d, moment_rows, n);
    TRY(weir_at(run, first_point, layer, &run->norm_scale));
    n->scale = run->norm_scale->data;
    n->out = run->norm_middle->data;
    weir_rows(run, total_pos, n->d, normalize_rows, n);
    TRY(weir_at(run, first_point + 1, layer, &run->norm_middle));
    n->in = run->norm_middle->data;
    n->out = (*out)->data;
    weir_rows(run, total_pos, n->d, affine_rows, n);
    weir_drop(&run->norm_mean);
    weir_drop(&run->norm_scale);
    weir_drop(&run->norm_middle);
    return WEIR_OK;
}

weir_status weir_norm(struct weir_run *run, weir_buffer **out, weir_buffer *in, const struct weir_norm *norm, float eps,
                      int first_point, bool with_out, int layer)
{
    size_t d = norm->d, total_pos = weir_total_pos(run);
    struct norming n = {.in = in->data, .weights = norm, .d = d, .eps = eps, .centred = norm->kind == WEIR_NORM_LAYER};
    weir_drop(out);
    if (norm->kind == WEIR_NORM_NONE) {
        weir_buffer_retain(in);
        *out = in;
        return WEIR_OK;
    }
    TRY(weir_take_rows(run, out, d));
    n.out = (*out)->data;
    bool watched = first_point != WEIR_NO_POINT && (weir_plan_wants(&run->plan, first_point, layer) ||
                                                    weir_plan_wants(&run->plan, first_point + 1, layer));
    if (watched)
        TRY(norm_in_steps(run, out, &n, first_point, layer));
    else
        weir_rows(run, total_pos, d, norm_rows, &n);
    return with_out ? weir_at(run, first_point + 2, layer, out) : WEIR_OK;
}

weir_status weir_finish_branch(struct weir_run *run, weir_buffer **value, const struct weir_norm *norm, int first_point,
                               int out, int layer)
{
    const struct weir_layer_spec *spec = &run->model->layers[layer].spec;
    TRY(weir_norm(run, &run->spare, *value, norm, spec->eps, first_point, false, layer));
    weir_drop(value);
    *value = run->spare;
    run->spare = NULL;
    TRY(scale(run, value, (size_t)run->model->config.d_model, (double)spec->branch_scale));
    return weir_at(run, out, layer, value);
}

/* ---- linear maps ---- */

weir_status weir_linear(struct weir_run *run, weir_buffer **out, const weir_buffer *in,
                        const struct weir_linear *linear)
{
    TRY(weir_take_rows(run, out, linear->w.n_out));
    weir_matmul_run(run->matmul, (*out)->data, linear->w.n_out, in->data, linear->w.n_in, weir_total_pos(run),
                    &linear->w, linear->bias);
    return WEIR_OK;
}

/* ---- unembedding ---- */

/* Logits from what W_U gives: scaled, capped. */
static weir_status finish_logits(struct weir_run *run)
{
    const struct weir_config *c = &run->model->config;
    float cap = (float)c->logit_cap;
    TRY(scale(run, &run->logits, (size_t)c->n_outputs, c->logit_scale));
    TRY(scale(run, &run->logits, (size_t)c->n_outputs, c->logit_divisor > 0 ? 1 / c->logit_divisor : 1));
    if (cap > 0)
        TRY(weir_map(run, &run->logits, (size_t)c->n_outputs, cap_row, &cap));
    return WEIR_OK;
}

weir_status weir_unembed(struct weir_run *run)
{
    const struct weir_model *model = run->model;
    TRY(weir_norm(run, &run->normed, run->stream, &model->ln_final, (float)model->config.eps, WEIR_P_LN_FINAL_SCALE,
                  true, -1));
    if (!weir_plan_goes_on(&run->plan, WEIR_P_UNEMBED, model->config.n_layers))
        return WEIR_OK;
    if (model->embed_out.w.n_out > 0) {
        TRY(weir_linear(run, &run->spare, run->normed, &model->embed_out));
        weir_drop(&run->normed);
        run->normed = run->spare;
        run->spare = NULL;
    }
    TRY(weir_linear(run, &run->logits, run->normed, &model->unembed));
    TRY(weir_at(run, WEIR_P_UNEMBED, -1, &run->logits));
    TRY(finish_logits(run));
    return weir_at(run, WEIR_P_LOGITS, -1, &run->logits);
}
