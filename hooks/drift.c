/* How far a run in fewer bits is from float32: a second run in float32 keeps its values, the run is compared. */
#include "hooks/drift.h"

#include "base/alloc.h"
#include "points/points.h"

#include <math.h>
#include <string.h>

struct weir_drift {
    struct weir_run *run;
    float **kept;     /* [WEIR_N_POINTS, n_layers + 1] float32's values; NULL where there is none */
    size_t n_kept;    /* slots of it */
    size_t positions; /* of the prompt, computed both ways */
    double largest[WEIR_N_POINTS];
};

static float **kept_slot(struct weir_drift *drift, const weir_event *event)
{
    return &drift->kept[weir_site_index(drift->run->model->config.n_layers, event->point->id, event->layer)];
}

static size_t n_values(const weir_event *event)
{
    size_t n = 1;
    for (int i = 0; i < event->n_axes; i++)
        n *= event->shape[i];
    return n;
}

static weir_status keep_exact(const weir_event *event, void *payload)
{
    float **to = kept_slot(payload, event);
    size_t n = n_values(event);
    if (event->point->id == WEIR_P_EXPERT_INDICES) /* no floats */
        return WEIR_OK;
    TRY(weir_alloc(to, n, sizeof **to));
    memcpy(*to, event->data, n * sizeof **to);
    return WEIR_OK;
}

/* ---- comparing ---- */

/* Sizes as float32's pass had them: that of every axis of positions is `positions` there. */
static void kept_shape(size_t to[WEIR_MAX_AXES], const weir_event *event, size_t positions)
{
    for (int i = 0; i < WEIR_MAX_AXES; i++) {
        to[i] = i < event->n_axes ? event->shape[i] : 1;
        if (i < event->n_axes && weir_axis_is_position(event->axes[i]))
            to[i] = positions;
    }
}

struct sums {
    double apart, size; /* of squares */
};

static void add_row(struct sums *sums, const float *value, const float *exact, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double apart = (double)value[i] - (double)exact[i];
        if (!isfinite(exact[i])) /* masked scores */
            continue;
        sums->apart += apart * apart;
        sums->size += (double)exact[i] * (double)exact[i];
    }
}

static weir_status compare_value(const weir_event *event, void *payload)
{
    struct weir_drift *drift = payload;
    const float *exact = *kept_slot(drift, event);
    size_t some[WEIR_MAX_AXES], all[WEIR_MAX_AXES] = {1, 1, 1};
    struct sums sums = {0, 0};
    if (event->prompt != 0 || !exact)
        return WEIR_OK;
    kept_shape(some, event, drift->positions);
    memcpy(all, event->shape, (size_t)event->n_axes * sizeof *all);
    for (size_t i = 0; i < some[0]; i++)
        for (size_t j = 0; j < some[1]; j++)
            add_row(&sums, event->data + (i * all[1] + j) * all[2], exact + (i * some[1] + j) * some[2], some[2]);
    double relative = sums.apart == 0 ? 0 : sqrt(sums.apart / sums.size);
    double *largest = &drift->largest[event->point->id];
    if (isnan(*largest) || !(relative <= *largest))
        *largest = isnan(relative) ? INFINITY : relative; /* a run that gives NaN is infinitely far */
    return WEIR_OK;
}

/* ---- open, close ---- */

/* Registers `fn` at every site of the scope, all of it. */
static weir_status hook_sites(struct weir_drift *drift, struct weir_run *run, const struct weir_scope *scope,
                              weir_hook_fn *fn)
{
    for (size_t i = 0; i < scope->n_sites; i++)
        TRY(weir_run_hook_at(run, scope->sites[i].point, scope->sites[i].layer, WEIR_READ, fn, drift));
    return WEIR_OK;
}

static weir_status run_exactly(struct weir_drift *drift, const struct weir_scope *scope, const weir_tokens *prompt)
{
    const weir_tokens begin = {.ids = prompt->ids, .n = drift->positions};
    struct weir_run *exact;
    TRY(weir_run_open(&exact, drift->run->model, NULL));
    exact->keeps_weights = true; /* the run itself is about to read them */
    weir_status status = hook_sites(drift, exact, scope, keep_exact);
    if (status == WEIR_OK)
        status = weir_run_forward(exact, &begin, 1);
    weir_run_close(exact);
    return status;
}

weir_status weir_drift_open(struct weir_drift **out, struct weir_run *run, const struct weir_scope *scope,
                            const weir_tokens *prompt, size_t n_positions)
{
    struct weir_drift *drift;
    weir_status status;
    TRY(weir_alloc_zero(&drift, 1, sizeof *drift));
    drift->run = run;
    drift->positions = prompt->n < n_positions ? prompt->n : n_positions;
    drift->n_kept = weir_n_sites(run->model->config.n_layers);
    for (int i = 0; i < WEIR_N_POINTS; i++)
        drift->largest[i] = NAN;
    TRY_DONE(weir_alloc_zero(&drift->kept, drift->n_kept, sizeof *drift->kept));
    TRY_DONE(run_exactly(drift, scope, prompt));
    TRY_DONE(hook_sites(drift, run, scope, compare_value));
    *out = drift;
    drift = NULL;
done:
    weir_drift_close(drift);
    return status;
}

double weir_drift_of(const struct weir_drift *drift, int point)
{
    return drift->largest[point];
}

void weir_drift_close(struct weir_drift *drift)
{
    if (!drift)
        return;
    weir_run_unhook(drift->run, compare_value, drift);
    for (size_t i = 0; drift->kept && i < drift->n_kept; i++)
        weir_free(drift->kept[i]);
    weir_free(drift->kept);
    weir_free(drift);
}
