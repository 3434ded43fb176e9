/* Sparse MLPs: a router chooses experts for each position, and only those compute. Shazeer et al. 2017; Mixtral. */
#include "base/alloc.h"
#include "engine/steps.h"
#include "points/points.h"
#include "tensor/ops.h"

#include <math.h>
#include <string.h>

/* ---- choosing ---- */

struct routing {
    const float *logits; /* [total_pos, n_experts] */
    float *weights;      /* [total_pos, n_experts] as applied, 0 where not chosen */
    int32_t *indices;    /* [total_pos, n_active] by falling weight */
    size_t n_experts, n_active;
    const struct weir_layer_spec *spec;
};

static bool is_chosen(const int32_t *chosen, size_t n, size_t expert)
{
    for (size_t i = 0; i < n; i++)
        if ((size_t)chosen[i] == expert)
            return true;
    return false;
}

/* The largest weight that is not chosen yet, the lower expert first among equals. */
static size_t next_best(const float *weights, size_t n, const int32_t *chosen, size_t n_chosen)
{
    size_t best = n;
    for (size_t i = 0; i < n; i++)
        if (!is_chosen(chosen, n_chosen, i) && (best == n || weights[i] > weights[best]))
            best = i;
    return best;
}

/* The best by softmax(logits), their weights as they are or divided by their sum. */
static void route_by_softmax(const struct routing *r, const float *logits, float *weights, int32_t *indices)
{
    float kept = 0;
    weir_ops()->softmax(weights, logits, r->n_experts);
    for (size_t j = 0; j < r->n_active; j++) {
        indices[j] = (int32_t)next_best(weights, r->n_experts, indices, j);
        kept += weights[indices[j]];
    }
    float factor = r->spec->active_sum_to_one && kept > 0 ? 1 / kept : 1;
    for (size_t i = 0; i < r->n_experts; i++)
        weights[i] = is_chosen(indices, r->n_active, i) ? weights[i] * factor : 0;
}

/* 1 / sum of exp(logit - best) over those left that are near the best, itself included. */
static float near_weight(const struct routing *r, const float *logits, const int32_t *taken, size_t n_taken,
                         size_t best)
{
    float sum = 0, most = logits[best];
    for (size_t i = 0; i < r->n_experts; i++) {
        float size = fmaxf(fabsf(logits[i]), most);
        if (!is_chosen(taken, n_taken, i) && !((most - logits[i]) / size > 2 * r->spec->router_jitter))
            sum += expf(logits[i] - most);
    }
    return 1 / sum;
}

/* The best logit, then the best of the others, each with the weight that it has among those near it. */
static void route_by_sparse_mixer(const struct routing *r, const float *logits, float *weights, int32_t *indices)
{
    memset(weights, 0, r->n_experts * sizeof *weights);
    for (size_t j = 0; j < r->n_active; j++) {
        indices[j] = (int32_t)next_best(logits, r->n_experts, indices, j);
        weights[indices[j]] = near_weight(r, logits, indices, j, (size_t)indices[j]);
    }
    if (weights[indices[1]] > weights[indices[0]]) { /* the order of indices is that of weights */
        int32_t first = indices[0];
        indices[0] = indices[1];
        indices[1] = first;
    }
}

static void route_position(const struct routing *r, const float *logits, float *weights, int32_t *indices)
{
    if (r->spec->routing == WEIR_ROUTING_SPARSE_MIXER)
        route_by_sparse_mixer(r, logits, weights, indices);
    else
        route_by_softmax(r, logits, weights, indices);
}

static void route_rows(void *context, size_t first, size_t last, int worker)
{
    const struct routing *r = context;
    (void)worker;
    for (size_t pos = first; pos < last; pos++)
        route_position(r, r->logits + pos * r->n_experts, r->weights + pos * r->n_experts,
                       r->indices + pos * r->n_active);
}

static int32_t *indices_of(const weir_buffer *buffer)
{
    return (int32_t *)(void *)buffer->data;
}

static weir_status route_batch(struct weir_run *run, int layer)
{
    const struct weir_layer *l = &run->model->layers[layer];
    size_t n_experts = (size_t)l->spec.n_experts, n_active = (size_t)l->spec.n_active;
    TRY(weir_step_linear(run, &run->values.router, run->values.normed, &l->router));
    TRY(weir_at(run, WEIR_P_ROUTER, layer, &run->values.router));
    TRY(weir_value_take_rows(run, &run->values.expert_weights, n_experts));
    TRY(weir_value_take_rows(run, &run->values.expert_indices, n_active));
    struct routing r = {.logits = run->values.router->data,
                        .weights = run->values.expert_weights->data,
                        .indices = indices_of(run->values.expert_indices),
                        .n_experts = n_experts,
                        .n_active = n_active,
                        .spec = &l->spec};
    weir_step_rows(run, weir_total_pos(run), n_experts * n_active, route_rows, &r);
    TRY(weir_at(run, WEIR_P_EXPERT_WEIGHTS, layer, &run->values.expert_weights));
    return weir_at(run, WEIR_P_EXPERT_INDICES, layer, &run->values.expert_indices);
}

/* ---- computing ---- */

/* The slots (pos * n_active + j) that one expert was chosen for, and the rows it works on side by side. */
struct work {
    size_t *slots; /* [total_pos * n_active] */
    size_t n;
    weir_buffer *in, *out; /* [n, width] */
};

static void find_slots(struct work *work, const struct weir_run *run, size_t n_active, size_t expert)
{
    const int32_t *indices = indices_of(run->values.expert_indices);
    work->n = 0;
    for (size_t slot = 0; slot < weir_total_pos(run) * n_active; slot++)
        if (indices[slot] == (int32_t)expert)
            work->slots[work->n++] = slot;
}

/* The rows of `in` that the slots read, side by side: row slot / per_row. */
static void gather_rows(const struct work *work, const float *in, size_t per_row, size_t width)
{
    for (size_t i = 0; i < work->n; i++)
        memcpy(work->in->data + i * width, in + work->slots[i] / per_row * width, width * sizeof *in);
}

static void multiply_gathered(struct weir_run *run, struct work *work, const struct weir_linear *linear)
{
    weir_matmul_run(run->matmul, work->out->data, linear->w.n_out, work->in->data, linear->w.n_in, work->n, &linear->w,
                    linear->bias);
}

enum part { GATE, IN };

/* *value [total_pos, n_active, d_expert]: each position's chosen experts' W normed */
static weir_status project_experts(struct weir_run *run, weir_buffer **value, struct work *work, int layer,
                                   enum part part)
{
    const struct weir_layer *l = &run->model->layers[layer];
    size_t n_active = (size_t)l->spec.n_active, d_expert = (size_t)l->spec.d_mlp;
    size_t d_model = (size_t)run->model->config.d_model;
    TRY(weir_value_take_rows(run, value, n_active * d_expert));
    memset((*value)->data, 0, weir_total_pos(run) * n_active * d_expert * sizeof(float)); /* slots of no expert */
    for (size_t expert = 0; expert < (size_t)l->spec.n_experts; expert++) {
        find_slots(work, run, n_active, expert);
        if (work->n == 0)
            continue;
        gather_rows(work, run->values.normed->data, n_active, d_model);
        multiply_gathered(run, work, part == GATE ? &l->experts[expert].gate : &l->experts[expert].in);
        for (size_t i = 0; i < work->n; i++)
            memcpy((*value)->data + work->slots[i] * d_expert, work->out->data + i * d_expert,
                   d_expert * sizeof(float));
    }
    return WEIR_OK;
}

/* mlp_out = sum over the chosen experts of weight * W_out post */
static weir_status combine_experts(struct weir_run *run, struct work *work, int layer)
{
    const struct weir_layer *l = &run->model->layers[layer];
    size_t n_active = (size_t)l->spec.n_active, n_experts = (size_t)l->spec.n_experts;
    size_t d_expert = (size_t)l->spec.d_mlp, d_model = (size_t)run->model->config.d_model;
    TRY(weir_value_take_rows(run, &run->values.mlp_out, d_model));
    memset(run->values.mlp_out->data, 0, weir_total_pos(run) * d_model * sizeof(float));
    for (size_t expert = 0; expert < n_experts; expert++) {
        find_slots(work, run, n_active, expert);
        if (work->n == 0)
            continue;
        gather_rows(work, run->values.mlp_post->data, 1, d_expert);
        multiply_gathered(run, work, &l->experts[expert].out);
        for (size_t i = 0; i < work->n; i++) {
            size_t pos = work->slots[i] / n_active;
            weir_ops()->accumulate(run->values.mlp_out->data + pos * d_model, work->out->data + i * d_model,
                                   run->values.expert_weights->data[pos * n_experts + expert], d_model);
        }
    }
    return WEIR_OK;
}

static weir_status compute_experts(struct weir_run *run, struct work *work, int layer)
{
    const struct weir_layer_spec *spec = &run->model->layers[layer].spec;
    TRY(project_experts(run, &run->values.mlp_pre, work, layer, spec->gated ? GATE : IN));
    TRY(weir_at(run, WEIR_P_EXPERT_PRE, layer, &run->values.mlp_pre));
    if (spec->gated) {
        TRY(project_experts(run, &run->values.mlp_linear, work, layer, IN));
        TRY(weir_at(run, WEIR_P_EXPERT_PRE_LINEAR, layer, &run->values.mlp_linear));
    }
    TRY(weir_step_activate(run, spec, (size_t)spec->n_active * (size_t)spec->d_mlp));
    TRY(weir_at(run, WEIR_P_EXPERT_POST, layer, &run->values.mlp_post));
    return combine_experts(run, work, layer);
}

weir_status weir_block_experts(struct weir_run *run, int layer)
{
    const struct weir_layer_spec *spec = &run->model->layers[layer].spec;
    size_t slots = weir_total_pos(run) * (size_t)spec->n_active;
    size_t d_model = (size_t)run->model->config.d_model, d_expert = (size_t)spec->d_mlp;
    size_t widest = d_model > d_expert ? d_model : d_expert;
    struct work work = {0};
    weir_status status;
    TRY_DONE(route_batch(run, layer));
    TRY_DONE(weir_alloc(&work.slots, slots, sizeof *work.slots));
    TRY_DONE(weir_value_take(run, &work.in, slots * widest));
    TRY_DONE(weir_value_take(run, &work.out, slots * widest));
    TRY_DONE(compute_experts(run, &work, layer));
done:
    weir_free(work.slots);
    weir_value_drop(&work.in);
    weir_value_drop(&work.out);
    return status;
}
