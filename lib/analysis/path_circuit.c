/* Passes of a circuit: what every node writes in the corrupt prompt is kept, and in a pass of the clean one each reader
   gets it, less what the node has just written, by the edges outside the circuit. */
#include "analysis/path_circuit.h"
#include "base/alloc.h"
#include "base/sizes.h"
#include "engine/run.h"
#include "points/metric.h"
#include "points/points.h"
#include "tensor/ops.h"

#include <stdio.h>
#include <string.h>

enum { MOST_FLOATS = 1 << 26, MLP_OF = 3 }; /* floats that a group of pairs may take, if one pair does not take more */

enum circuit_phase { PHASE_AS_IT_IS, PHASE_CIRCUIT };

struct circuit_work {
    const struct weir_circuit *circuit;
    const struct weir_circuit_options *options;
    const struct weir_circuit_values *values;
    struct weir_run *run;
    const weir_tokens *prompts; /* [2 * n_pairs] */
    weir_measured **measured;   /* [n_metrics] the run's */
    size_t n_pairs, n_heads, d_model, n_done;

    /* the pairs that run together */
    size_t first_pair, n;
    enum circuit_phase phase;
    size_t *start;      /* [n + 1] first of each pair's rows */
    double *of_prompts; /* [2 * n] values of a metric */
    float *apart;       /* [n_writers, rows, d_model] what a writer writes, corrupt less now; until then, corrupt */
    float *written;     /* [n_layers, rows, d_model] the sum over a layer's heads now, with the bias: before the norm */
    float *normed;      /* [n_layers, rows, d_model] behind it; both NULL where there is no such norm */
    float *heads_apart; /* [n_layers, rows, d_model] sums of apart over a layer's heads */
    double *sums;       /* [threads, 2, d_model] what a reader lacks; what it lacks of a layer's heads */
    float *scratch;     /* [threads, d_model] */
};

static size_t n_rows_of(const struct circuit_work *w)
{
    return w->start[w->n];
}

static float *row_of(const struct circuit_work *w, float *of, size_t index, size_t row)
{
    return of + (index * n_rows_of(w) + row) * w->d_model;
}

/* ---- what is written ---- */

static void take_row(const struct circuit_work *w, size_t writer, size_t row, const float *value)
{
    float *apart = row_of(w, w->apart, writer, row);
    if (w->phase == PHASE_AS_IT_IS)
        memcpy(apart, value, w->d_model * sizeof *apart);
    for (size_t i = 0; w->phase == PHASE_CIRCUIT && i < w->d_model; i++)
        apart[i] -= value[i];
}

/* What attention makes of the sum of its heads, in place, before it is added to the stream. */
static void finish_branch(const struct weir_layer *layer, float *x, size_t n)
{
    const struct weir_norm *norm = &layer->ln1_post;
    float mean = 0, scale;
    if (norm->kind != WEIR_NORM_NONE) {
        weir_ops()->moments(x, n, layer->spec.eps, norm->kind == WEIR_NORM_LAYER, &mean, &scale);
        weir_ops()->norm(x, x, mean, scale, norm->weight, norm->bias, n);
    }
    if (layer->spec.branch_scale > 0)
        weir_ops()->scale(x, x, layer->spec.branch_scale, n);
}

static bool has_post_norm(const struct circuit_work *w, size_t layer)
{
    return w->run->model->layers[layer].ln1_post.kind != WEIR_NORM_NONE;
}

/* The sums over the heads of a layer at a row, from results [head, d_model]. */
static void sum_heads(const struct circuit_work *w, size_t layer, size_t row, const float *results)
{
    const struct weir_layer *weights = &w->run->model->layers[layer];
    float *apart = row_of(w, w->heads_apart, layer, row);
    memset(apart, 0, w->d_model * sizeof *apart);
    for (size_t head = 0; head < w->n_heads; head++)
        weir_ops()->add(apart, apart, row_of(w, w->apart, weir_circuit_head(w->circuit, (int)layer, head), row),
                        w->d_model);
    if (!has_post_norm(w, layer))
        return;
    float *written = row_of(w, w->written, layer, row), *normed = row_of(w, w->normed, layer, row);
    memset(written, 0, w->d_model * sizeof *written);
    for (size_t head = 0; head < w->n_heads; head++)
        weir_ops()->add(written, written, results + head * w->d_model, w->d_model);
    if (weights->o.bias)
        weir_ops()->add(written, written, weights->o.bias, w->d_model);
    memcpy(normed, written, w->d_model * sizeof *normed);
    finish_branch(weights, normed, w->d_model);
}

/* The hook of embed, result and mlp_out: of corrupt prompts as they are, of clean ones in the circuit. */
static weir_status take_written(const weir_event *event, void *payload)
{
    const struct circuit_work *w = payload;
    bool of_heads = event->point->id == WEIR_P_RESULT, is_corrupt = event->prompt % 2 == 1;
    size_t n = of_heads ? w->n_heads : 1;
    size_t writer = event->layer < 0 ? 0 : weir_circuit_head(w->circuit, event->layer, of_heads ? 0 : w->n_heads);
    if (is_corrupt != (w->phase == PHASE_AS_IT_IS))
        return WEIR_OK;
    for (size_t r = 0; r < event->shape[0]; r++) {
        size_t row = w->start[event->prompt / 2] + event->first + r;
        const float *values = event->data + r * n * w->d_model;
        for (size_t i = 0; i < n; i++)
            take_row(w, writer + i, row, values + i * w->d_model);
        if (of_heads && w->phase == PHASE_CIRCUIT)
            sum_heads(w, (size_t)event->layer, row, values);
    }
    return WEIR_OK;
}

/* ---- what is read ---- */

static void add_apart(double *sum, const float *apart, double factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += factor * (double)apart[i];
}

/* What the heads of a layer outside the circuit lack at a row, [d_model]: the sum of those outside, or of all less
   those inside. @return false where none is outside. */
static bool add_heads_outside(double *sum, const struct circuit_work *w, const uint8_t *edges, size_t layer, size_t row)
{
    size_t first = weir_circuit_head(w->circuit, (int)layer, 0), n_out = 0;
    for (size_t head = 0; head < w->n_heads; head++)
        n_out += edges[first + head] == WEIR_EDGE_OUT;
    bool from_all = 2 * n_out > w->n_heads;
    if (from_all)
        add_apart(sum, row_of(w, w->heads_apart, layer, row), 1, w->d_model);
    for (size_t head = 0; head < w->n_heads && n_out > 0; head++)
        if ((edges[first + head] == WEIR_EDGE_OUT) != from_all)
            add_apart(sum, row_of(w, w->apart, first + head, row), from_all ? -1 : 1, w->d_model);
    return n_out > 0;
}

/* Behind a norm of the sum, what changes is the norm's output. */
static void add_attention(double *sum, const struct circuit_work *w, const uint8_t *edges, size_t layer, size_t row,
                          float *scratch)
{
    const struct weir_layer *weights = &w->run->model->layers[layer];
    double *heads = sum + w->d_model;
    memset(heads, 0, w->d_model * sizeof *heads);
    if (!add_heads_outside(heads, w, edges, layer, row))
        return;
    const float *written = has_post_norm(w, layer) ? row_of(w, w->written, layer, row) : NULL;
    for (size_t i = 0; i < w->d_model; i++)
        scratch[i] = (float)(heads[i] + (written ? (double)written[i] : 0));
    finish_branch(weights, scratch, w->d_model);
    add_apart(sum, scratch, 1, w->d_model);
    if (written)
        add_apart(sum, row_of(w, w->normed, layer, row), -1, w->d_model);
}

/* Everything of a layer that a reader's edges outside the circuit bring. */
static void add_layer(double *sum, const struct circuit_work *w, const uint8_t *edges, size_t layer, size_t row,
                      float *scratch)
{
    size_t mlp = weir_circuit_head(w->circuit, (int)layer, w->n_heads);
    if (edges[mlp - 1] != WEIR_EDGE_NONE)
        add_attention(sum, w, edges, layer, row, scratch);
    if (edges[mlp] == WEIR_EDGE_OUT)
        add_apart(sum, row_of(w, w->apart, mlp, row), 1, w->d_model);
}

/* Rows of what some readers of a layer read: of heads, or one. */
struct corruption {
    const struct circuit_work *work;
    float *data;                /* [rows, n_readers, d_model] */
    size_t reader, n_readers;   /* the first, and how many stand side by side */
    size_t first_row, n_layers; /* of the work's rows; that have written before */
};

static void corrupt_reader(const struct corruption *c, size_t row, size_t i, int worker)
{
    const struct circuit_work *w = c->work;
    const uint8_t *edges = w->circuit->edges + (c->reader + i) * w->circuit->n_writers;
    double *sum = w->sums + (size_t)worker * 2 * w->d_model;
    float *scratch = w->scratch + (size_t)worker * w->d_model, *x = c->data + (row * c->n_readers + i) * w->d_model;
    if (!memchr(edges, WEIR_EDGE_OUT, w->circuit->n_writers))
        return;
    memset(sum, 0, w->d_model * sizeof *sum);
    if (edges[0] == WEIR_EDGE_OUT)
        add_apart(sum, row_of(w, w->apart, 0, c->first_row + row), 1, w->d_model);
    for (size_t layer = 0; layer < c->n_layers; layer++)
        add_layer(sum, w, edges, layer, c->first_row + row, scratch);
    for (size_t d = 0; d < w->d_model; d++)
        x[d] = (float)((double)x[d] + sum[d]);
}

static void corrupt_rows(void *context, size_t first, size_t last, int worker)
{
    const struct corruption *c = context;
    for (size_t at = first; at < last; at++)
        corrupt_reader(c, at / c->n_readers, at % c->n_readers, worker);
}

/* The editor of what is read: q_input, k_input, v_input, mlp_in, and the last resid_post. */
static weir_status corrupt_read(const struct weir_whole *whole, void *payload)
{
    const struct circuit_work *w = payload;
    int point = whole->site->point, layer = whole->site->layer;
    int of = point == WEIR_P_Q_INPUT ? 0 : point == WEIR_P_K_INPUT ? 1 : point == WEIR_P_V_INPUT ? 2 : MLP_OF;
    for (size_t slot = 0; slot < whole->run->batch.n; slot++) {
        size_t number = whole->run->batch.numbers[slot];
        if (number >= 2 * w->n || number % 2 == 1)
            continue; /* a corrupt one, or a copy for a metric */
        const weir_event event =
            whole->by_query ? weir_whole_event_by_query(whole, slot) : weir_whole_event(whole, slot);
        struct corruption c = {.work = w,
                               .data = event.data,
                               .reader = weir_circuit_reader(w->circuit, layer, of, 0),
                               .n_readers = of == MLP_OF ? 1 : w->n_heads,
                               .first_row = w->start[number / 2] + event.first,
                               .n_layers = (size_t)layer + (of == MLP_OF)};
        if (point == WEIR_P_RESID_POST)
            c.reader = w->circuit->n_readers - 1;
        weir_parallel(w->run->pool, event.shape[0] * c.n_readers, 1, corrupt_rows, &c);
    }
    return WEIR_OK;
}

/* ---- hooks ---- */

static weir_status hook_read(struct circuit_work *w, int point, int layer)
{
    struct weir_scope *scope;
    char text[64];
    bool by_query = (point == WEIR_P_K_INPUT || point == WEIR_P_V_INPUT) &&
                    w->run->model->config.n_heads != w->run->model->config.n_kv_heads;
    snprintf(text, sizeof text, by_query ? "%s:%d.h0:%d" : "%s:%d", weir_point_at(point)->name, layer,
             w->run->model->config.n_heads);
    TRY(weir_scope_open(&scope, w->run->model, text, NULL));
    weir_status status = weir_plan_add_edit(&w->run->plan, scope, corrupt_read, true, w);
    weir_scope_close(scope);
    return status;
}

static weir_status hook_layer(struct circuit_work *w, int layer)
{
    static const int read[] = {WEIR_P_Q_INPUT, WEIR_P_K_INPUT, WEIR_P_V_INPUT, WEIR_P_MLP_IN};
    for (size_t i = 0; w->phase == PHASE_CIRCUIT && i < sizeof read / sizeof *read; i++)
        TRY(hook_read(w, read[i], layer));
    TRY(weir_run_hook_at(w->run, WEIR_P_RESULT, layer, WEIR_READ, take_written, w));
    return weir_run_hook_at(w->run, WEIR_P_MLP_OUT, layer, WEIR_READ, take_written, w);
}

static weir_status count_prompt(const weir_event *event, void *payload)
{
    struct circuit_work *w = payload;
    const struct weir_circuit_options *o = w->options;
    (void)event;
    w->n_done++;
    return o->progress ? o->progress(w->n_done, 4 * w->n_pairs, o->payload) : WEIR_OK;
}

static weir_status hook_phase(struct circuit_work *w)
{
    int last = w->run->model->config.n_layers - 1;
    TRY(weir_run_hook_at(w->run, WEIR_P_EMBED, -1, WEIR_READ, take_written, w));
    for (int layer = 0; layer <= last; layer++)
        TRY(hook_layer(w, layer));
    if (w->phase == PHASE_CIRCUIT)
        TRY(hook_read(w, WEIR_P_RESID_POST, last));
    return weir_run_hook_at(w->run, WEIR_P_RESID_POST, last, WEIR_READ, count_prompt, w);
}

/* ---- running ---- */

static weir_status take_circuit_values(struct circuit_work *w)
{
    size_t n_metrics = w->options->n_metrics;
    for (size_t m = 0; m < n_metrics; m++) {
        TRY(weir_measured_values(w->measured[m], w->of_prompts, 2 * w->n));
        for (size_t i = 0; i < w->n; i++) {
            size_t at = (w->first_pair + i) * n_metrics + m;
            if (w->phase == PHASE_CIRCUIT) {
                w->values->circuit[at] = w->of_prompts[2 * i];
                continue;
            }
            w->values->clean[at] = w->of_prompts[2 * i];
            w->values->corrupt[at] = w->of_prompts[2 * i + 1];
        }
    }
    return WEIR_OK;
}

/* Both prompts of each pair run: a metric of one may name the other. */
static weir_status run_phase(struct circuit_work *w, enum circuit_phase phase)
{
    weir_status status;
    w->phase = phase;
    TRY_DONE(hook_phase(w));
    TRY_DONE(weir_run_forward(w->run, w->prompts + 2 * w->first_pair, 2 * w->n));
    TRY_DONE(take_circuit_values(w));
done:
    weir_plan_remove_whole(&w->run->plan, w);
    weir_run_unhook(w->run, take_written, w);
    weir_run_unhook(w->run, count_prompt, w);
    return status;
}

static weir_status take_floats(const struct circuit_work *w, float **out, size_t count)
{
    size_t n;
    TRY(weir_mul(&n, count, n_rows_of(w)));
    TRY(weir_mul(&n, n, w->d_model));
    return weir_alloc(out, n, sizeof **out);
}

static weir_status open_circuit_group(struct circuit_work *w)
{
    size_t threads = (size_t)weir_pool_size(w->run->pool), n_layers = (size_t)w->run->model->config.n_layers;
    bool norms = false;
    TRY(weir_alloc(&w->of_prompts, 2 * w->n, sizeof *w->of_prompts));
    TRY(weir_alloc_zero(&w->start, w->n + 1, sizeof *w->start));
    for (size_t i = 0; i < w->n; i++)
        w->start[i + 1] = w->start[i] + w->prompts[2 * (w->first_pair + i)].n;
    for (size_t layer = 0; layer < n_layers; layer++)
        norms = norms || has_post_norm(w, layer);
    TRY(take_floats(w, &w->apart, w->circuit->n_writers));
    TRY(take_floats(w, &w->heads_apart, n_layers));
    if (norms) {
        TRY(take_floats(w, &w->written, n_layers));
        TRY(take_floats(w, &w->normed, n_layers));
    }
    TRY(weir_alloc(&w->sums, 2 * threads * w->d_model, sizeof *w->sums));
    return weir_alloc(&w->scratch, threads * w->d_model, sizeof *w->scratch);
}

static void close_circuit_group(struct circuit_work *w)
{
    weir_free(w->of_prompts);
    weir_free(w->start);
    weir_free(w->apart);
    weir_free(w->written);
    weir_free(w->normed);
    weir_free(w->heads_apart);
    weir_free(w->sums);
    weir_free(w->scratch);
    w->start = NULL;
    w->apart = w->written = w->normed = w->heads_apart = w->scratch = NULL;
    w->sums = w->of_prompts = NULL;
}

static weir_status run_pairs(struct circuit_work *w)
{
    weir_status status;
    TRY_DONE(open_circuit_group(w));
    for (enum circuit_phase phase = PHASE_AS_IT_IS; phase <= PHASE_CIRCUIT; phase++)
        TRY_DONE(run_phase(w, phase));
done:
    close_circuit_group(w);
    return status;
}

/* How many pairs from the first one on go together; at least one. */
static size_t pairs_of_group(const struct circuit_work *w)
{
    size_t n = 0, floats = 0;
    while (w->first_pair + n < w->n_pairs && (n == 0 || floats < MOST_FLOATS))
        floats += w->prompts[2 * (w->first_pair + n++)].n *
                  (w->circuit->n_writers * w->d_model + 2 * (size_t)w->run->model->config.n_outputs);
    return n;
}

static weir_status check_pair_lengths(const weir_tokens *prompts, size_t n_pairs)
{
    for (size_t i = 0; i < n_pairs; i++)
        if (prompts[2 * i].n != prompts[2 * i + 1].n)
            return weir_fail(
                WEIR_E_USAGE,
                "pair %zu: the clean prompt has %zu tokens and the corrupt one %zu: an edge is corrupted by "
                "what its writer writes at the same position",
                i, prompts[2 * i].n, prompts[2 * i + 1].n);
    return WEIR_OK;
}

/* The circuit's pass is of the clean prompt itself. */
static weir_status check_sides(const struct weir_metric *metric)
{
    return weir_metric_names_side(metric, "clean")
               ? weir_fail(WEIR_E_USAGE,
                           "--metric '%s': #clean is the prompt that runs, and that a circuit changes: #base is "
                           "the same prompt without the circuit",
                           metric->text)
               : WEIR_OK;
}

static weir_status measure_pairs(struct circuit_work *w)
{
    size_t n_metrics = w->options->n_metrics;
    TRY(check_pair_lengths(w->prompts, w->n_pairs));
    TRY(weir_alloc_zero(&w->measured, n_metrics, sizeof(weir_measured *)));
    for (size_t m = 0; m < n_metrics; m++) {
        TRY(check_sides(w->options->metrics[m]));
        TRY(weir_run_measure(&w->measured[m], w->run, w->options->metrics[m]));
    }
    for (; w->first_pair < w->n_pairs; w->first_pair += w->n) {
        w->n = pairs_of_group(w);
        TRY(run_pairs(w));
    }
    return WEIR_OK;
}

weir_status weir_circuit_measure(const struct weir_circuit_values *values, const struct weir_circuit *circuit,
                                 weir_run *run, const weir_tokens *prompts, size_t n_pairs,
                                 const struct weir_circuit_options *options)
{
    bool kept_weights = run->keeps_weights;
    struct circuit_work w = {.circuit = circuit,
                             .options = options,
                             .values = values,
                             .run = run,
                             .prompts = prompts,
                             .n_pairs = n_pairs,
                             .n_heads = (size_t)run->model->config.n_heads,
                             .d_model = (size_t)run->model->config.d_model};
    run->keeps_weights = true;
    weir_status status = measure_pairs(&w);
    run->keeps_weights = kept_weights;
    weir_free(w.measured);
    return status;
}
