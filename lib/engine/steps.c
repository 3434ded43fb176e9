/* What attention and MLP are made of: sums, norms, linear maps. */
#include "engine/steps.h"
#include "points/points.h"
#include "tensor/ops.h"

#include <string.h>

enum { PIECE_FLOATS = 1 << 14 }; /* what a thread takes at a time: enough to be worth waking it */

void weir_step_rows(const struct weir_run *run, size_t n, size_t row, weir_job *fn, void *context)
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

void weir_step_add(const struct weir_run *run, weir_buffer *out, const weir_buffer *a, const weir_buffer *b)
{
    size_t d_model = (size_t)run->model->config.d_model;
    struct addition sum = {out->data, a->data, b->data, d_model};
    weir_step_rows(run, weir_total_pos(run), d_model, add_rows, &sum);
}

weir_status weir_stream_add(struct weir_run *run, const weir_buffer *what)
{
    weir_buffer *old;
    TRY(weir_value_renew(run, &run->values.stream, &old, (size_t)run->model->config.d_model));
    weir_step_add(run, run->values.stream, old, what);
    weir_value_drop(&old);
    return WEIR_OK;
}

/* ---- values in place ---- */

struct mapping {
    float *out;
    const float *in;
    size_t width;
    weir_step_fn *fn;
    const void *context;
};

static void map_rows(void *context, size_t first, size_t last, int worker)
{
    const struct mapping *m = context;
    (void)worker;
    for (size_t i = first; i < last; i++)
        m->fn(m->out + i * m->width, m->in + i * m->width, m->width, m->context);
}

weir_status weir_step_map(struct weir_run *run, weir_buffer **value, size_t width, weir_step_fn *fn,
                          const void *context)
{
    weir_buffer *old;
    TRY(weir_value_renew(run, value, &old, width));
    struct mapping m = {(*value)->data, old->data, width, fn, context};
    weir_step_rows(run, weir_total_pos(run), width, map_rows, &m);
    weir_value_drop(&old);
    return WEIR_OK;
}

static void scale_row(float *out, const float *in, size_t n, const void *factor)
{
    weir_ops()->scale(out, in, *(const float *)factor, n);
}

weir_status weir_step_scale(struct weir_run *run, weir_buffer **value, size_t width, double by)
{
    float factor = (float)by;
    return by == 1 || by == 0 ? WEIR_OK : weir_step_map(run, value, width, scale_row, &factor);
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
static weir_status norm_in_steps(struct weir_run *run, weir_buffer **out, struct norming *n,
                                 struct weir_norm_points points, int layer)
{
    size_t total_pos = weir_total_pos(run);
    TRY(weir_value_take(run, &run->values.norm_mean, total_pos));
    TRY(weir_value_take(run, &run->values.norm_scale, total_pos));
    TRY(weir_value_take(run, &run->values.norm_middle, total_pos * n->d));
    n->mean = run->values.norm_mean->data;
    n->scale = run->values.norm_scale->data;
    weir_step_rows(run, total_pos, n->d, moment_rows, n);
    TRY(weir_at(run, points.scale, layer, &run->values.norm_scale));
    n->scale = run->values.norm_scale->data;
    n->out = run->values.norm_middle->data;
    weir_step_rows(run, total_pos, n->d, normalize_rows, n);
    TRY(weir_at(run, points.normalized, layer, &run->values.norm_middle));
    n->in = run->values.norm_middle->data;
    n->out = (*out)->data;
    weir_step_rows(run, total_pos, n->d, affine_rows, n);
    weir_value_drop(&run->values.norm_mean);
    weir_value_drop(&run->values.norm_scale);
    weir_value_drop(&run->values.norm_middle);
    return WEIR_OK;
}

weir_status weir_step_norm(struct weir_run *run, weir_buffer **out, weir_buffer *in, const struct weir_norm *norm,
                           float eps, struct weir_norm_points points, int layer)
{
    size_t d = norm->d, total_pos = weir_total_pos(run);
    struct norming n = {.in = in->data, .weights = norm, .d = d, .eps = eps, .centred = norm->kind == WEIR_NORM_LAYER};
    weir_value_drop(out);
    if (norm->kind == WEIR_NORM_NONE) {
        weir_buffer_retain(in);
        *out = in;
        return WEIR_OK;
    }
    TRY(weir_value_take_rows(run, out, d));
    n.out = (*out)->data;
    bool watched = points.scale != WEIR_NO_POINT && (weir_plan_wants(&run->plan, points.scale, layer) ||
                                                     weir_plan_wants(&run->plan, points.normalized, layer));
    if (watched)
        TRY(norm_in_steps(run, out, &n, points, layer));
    else
        weir_step_rows(run, total_pos, d, norm_rows, &n);
    return points.out != WEIR_NO_POINT ? weir_at(run, points.out, layer, out) : WEIR_OK;
}

weir_status weir_step_finish_branch(struct weir_run *run, weir_buffer **value, const struct weir_norm *norm,
                                    struct weir_norm_points points, int layer)
{
    const struct weir_layer_spec *spec = &run->model->layers[layer].spec;
    const struct weir_norm_points of_norm = {points.scale, points.normalized, WEIR_NO_POINT};
    TRY(weir_step_norm(run, &run->values.spare, *value, norm, spec->eps, of_norm, layer));
    weir_value_move(value, &run->values.spare);
    TRY(weir_step_scale(run, value, (size_t)run->model->config.d_model, (double)spec->branch_scale));
    return weir_at(run, points.out, layer, value);
}

/* ---- linear maps ---- */

weir_status weir_step_linear(struct weir_run *run, weir_buffer **out, const weir_buffer *in,
                             const struct weir_linear *linear)
{
    TRY(weir_value_take_rows(run, out, linear->w.n_out));
    weir_matmul_run(run->matmul, (*out)->data, linear->w.n_out, in->data, linear->w.n_in, weir_total_pos(run),
                    &linear->w, linear->bias);
    return WEIR_OK;
}
