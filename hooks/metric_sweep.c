/* Measures the variants of a sweep: rows and sites that a variant does not have are those of its prompt. */
#include "hooks/metric_sweep.h"

#include "base/alloc.h"
#include "base/sizes.h"
#include "hooks/metric_parts.h"

#include <string.h>

static struct metric_reading *reading_of(const struct weir_measured *measured, size_t atom, size_t prompt)
{
    return &measured->readings[atom * measured->n_prompts + prompt];
}

static size_t prompt_of(const struct metric_sweep *sweep, size_t in_group)
{
    return (size_t)sweep->variants[sweep->group[in_group]].prompt;
}

/* ---- the prompts as they are ---- */

const struct weir_measured *weir_metrics_next(const struct weir_measured *measured)
{
    return measured->next;
}

static bool reads_logits(const struct weir_measured *measured)
{
    for (size_t i = 0; i < measured->n_atoms; i++)
        if (!measured->atoms[i].is_place)
            return true;
    return false;
}

static bool any_reads_logits(const struct weir_run *run)
{
    for (const struct weir_measured *m = run->measures; m; m = m->next)
        if (reads_logits(m))
            return true;
    return false;
}

/* Leaves logits out of the passes that follow. */
static void hide_logits(struct weir_run *run)
{
    for (struct weir_measured *m = run->measures; m; m = m->next)
        weir_metric_unhook_logits(m);
}

static weir_status show_logits(struct weir_run *run)
{
    hide_logits(run);
    for (struct weir_measured *m = run->measures; m; m = m->next)
        if (reads_logits(m))
            TRY(weir_metric_hook_logits(m));
    return WEIR_OK;
}

static void set_phase(struct weir_run *run, enum metric_phase phase)
{
    for (struct weir_measured *m = run->measures; m; m = m->next)
        m->sweep->phase = phase;
}

void weir_metrics_rest(struct weir_run *run)
{
    hide_logits(run);
    set_phase(run, METRIC_IDLE);
}

/* ---- beginning and end ---- */

static weir_status begin_metric(struct weir_measured *measured, const weir_variant *variants, size_t n)
{
    struct metric_sweep *sweep;
    TRY(weir_alloc_zero(&measured->sweep, 1, sizeof *measured->sweep));
    sweep = measured->sweep;
    *sweep = (struct metric_sweep){.phase = METRIC_PROMPTS, .variants = variants, .n = n};
    return weir_alloc_zero(&sweep->values, n, sizeof *sweep->values);
}

weir_status weir_metrics_begin(struct weir_run *run, const weir_variant *variants, size_t n)
{
    for (struct weir_measured *m = run->measures; m; m = m->next)
        TRY(begin_metric(m, variants, n));
    return WEIR_OK;
}

static void end_metric(struct weir_measured *measured, bool complete)
{
    struct metric_sweep *sweep = measured->sweep;
    weir_metric_forget(measured);
    if (!sweep)
        return;
    if (complete) {
        measured->swept = sweep->values;
        measured->n_swept = sweep->n;
        measured->pass = measured->run->last_done;
        sweep->values = NULL;
    }
    weir_free(sweep->values);
    weir_free(sweep->sums);
    weir_free(sweep);
    measured->sweep = NULL;
}

weir_status weir_metrics_end(struct weir_run *run, bool complete)
{
    for (struct weir_measured *m = run->measures; m; m = m->next)
        end_metric(m, complete);
    return show_logits(run);
}

/* ---- what is read where ---- */

static void widen_to(weir_rows *rows, size_t at)
{
    size_t end = rows->first + rows->n;
    size_t first = rows->n == 0 || at < rows->first ? at : rows->first;
    rows->n = (rows->n == 0 || at >= end ? at + 1 : end) - first;
    rows->first = first;
}

static void widen_to_reading(weir_rows *rows, const struct metric_reading *reading, size_t first)
{
    for (size_t i = 0; reading->rows && i < reading->n; i++)
        if ((size_t)reading->rows[i] >= first)
            widen_to(rows, (size_t)reading->rows[i]);
    if (reading->row_sums && reading->last >= first) {
        widen_to(rows, weir_max_size(first, reading->first));
        widen_to(rows, reading->last);
    }
}

void weir_metrics_widen(weir_rows *rows, const struct weir_run *run, size_t prompt, size_t first)
{
    for (const struct weir_measured *m = run->measures; m; m = m->next)
        for (size_t i = 0; i < m->n_atoms; i++)
            if (reading_of(m, i, prompt)->is_own)
                widen_to_reading(rows, reading_of(m, i, prompt), first);
}

/* ---- the logits of prompts ---- */

/* A pass over some rows of each prompt, from what was kept behind the blocks. */
struct logits_pass {
    weir_tokens *rest;             /* [n] */
    const struct weir_kept **kept; /* [n] */
    size_t *past;                  /* [n] */
};

static void widen_to_logits(weir_rows *rows, const struct weir_run *run, size_t prompt)
{
    for (const struct weir_measured *m = run->measures; m; m = m->next)
        for (size_t i = 0; i < m->n_atoms * m->n_prompts; i++) {
            const struct metric_reading *reading = &m->readings[i];
            for (size_t k = 0; reading->rows && k < reading->n; k++) {
                if (reading->source == prompt)
                    widen_to(rows, (size_t)reading->rows[k]);
                if (reading->against_rows && reading->against == prompt)
                    widen_to(rows, (size_t)reading->against_rows[k]);
            }
        }
}

static weir_status forward_logits(struct logits_pass *pass, struct weir_run *run, const struct weir_keeper *keeper,
                                  const weir_tokens *prompts, size_t n)
{
    TRY(weir_alloc(&pass->rest, n, sizeof *pass->rest));
    TRY(weir_alloc(&pass->kept, n, sizeof(struct weir_kept *)));
    TRY(weir_alloc(&pass->past, n, sizeof *pass->past));
    for (size_t i = 0; i < n; i++) {
        weir_rows rows = {0};
        widen_to_logits(&rows, run, i);
        if (rows.n == 0)
            rows = (weir_rows){prompts[i].n - 1, 1};
        pass->rest[i] = (weir_tokens){.ids = prompts[i].ids + rows.first, .n = rows.n};
        pass->kept[i] = keeper->kept[i];
        pass->past[i] = rows.first;
    }
    const struct weir_start from = {
        .layer = run->model->config.n_layers, .kept = pass->kept, .past = pass->past, .whole = prompts};
    return weir_run_forward_from(run, pass->rest, n, &from);
}

static weir_status run_logits(struct weir_run *run, const struct weir_keeper *keeper, const weir_tokens *prompts,
                              size_t n)
{
    struct logits_pass pass = {0};
    set_phase(run, METRIC_LOGITS);
    weir_status status = forward_logits(&pass, run, keeper, prompts, n);
    weir_free(pass.rest);
    weir_free(pass.kept);
    weir_free(pass.past);
    return status;
}

weir_status weir_metrics_run_prompts(struct weir_run *run, struct weir_keeper *keeper, const weir_tokens *prompts,
                                     size_t n)
{
    bool at_once = run->edits != NULL; /* copies without edits run here only */
    if (!at_once)
        hide_logits(run);
    weir_status status = weir_run_forward(run, prompts, n);
    TRY(show_logits(run));
    TRY(status);
    weir_keeper_rest(keeper);
    return at_once || !any_reads_logits(run) ? WEIR_OK : run_logits(run, keeper, prompts, n);
}

/* ---- variants ---- */

static weir_status begin_metric_group(struct weir_measured *measured, const size_t *numbers, size_t n)
{
    struct metric_sweep *sweep = measured->sweep;
    size_t all;
    sweep->phase = METRIC_VARIANTS;
    sweep->group = numbers;
    sweep->n_group = n;
    TRY(weir_mul(&all, measured->n_atoms, n));
    TRY(weir_grow(&sweep->sums, &sweep->cap_sums, all, sizeof *sweep->sums));
    memset(sweep->sums, 0, all * sizeof *sweep->sums);
    for (size_t i = 0; i < measured->n_atoms; i++)
        if (measured->atoms[i].is_place)
            memset(measured->atoms[i].met, 0, measured->atoms[i].place.scope->n_sites * sizeof *measured->atoms[i].met);
    return WEIR_OK;
}

weir_status weir_metrics_begin_group(struct weir_run *run, const size_t *numbers, size_t n)
{
    TRY(show_logits(run));
    for (struct weir_measured *m = run->measures; m; m = m->next)
        TRY(begin_metric_group(m, numbers, n));
    return WEIR_OK;
}

/* Rows of a variant in front of those that it computes have what its prompt has there. */
static double sum_of_variant(const struct weir_metric *leaf, const struct metric_reading *reading,
                             const weir_event *logits)
{
    size_t n_vocab = logits->shape[1];
    double sum = 0;
    for (size_t i = 0; i < reading->n; i++) {
        size_t at = (size_t)reading->rows[i];
        const struct weir_row_measure of = weir_metric_measure_at(leaf, reading, i, n_vocab);
        sum += at < logits->first ? reading->values[i]
                                  : weir_row_measure_value(&of, logits->data + (at - logits->first) * n_vocab, n_vocab);
    }
    return sum;
}

/* Variants whose logits are measured at once. */
struct variants_job {
    struct weir_measured *measured;
    const struct weir_whole *whole;
};

static void measure_variants(void *context, size_t first, size_t last, int worker)
{
    const struct variants_job *job = context;
    const struct weir_measured *measured = job->measured;
    struct metric_sweep *sweep = measured->sweep;
    (void)worker;
    for (size_t slot = first; slot < last; slot++) {
        size_t number = job->whole->run->batch.numbers[slot];
        const weir_event event = weir_whole_event(job->whole, slot);
        for (size_t i = 0; i < measured->n_atoms; i++) {
            const struct metric_reading *reading = reading_of(measured, i, prompt_of(sweep, number));
            if (!measured->atoms[i].is_place && reading->is_own)
                sweep->sums[i * sweep->n_group + number] = sum_of_variant(measured->atoms[i].leaf, reading, &event);
        }
    }
}

void weir_metric_read_variants(struct weir_measured *measured, const struct weir_whole *whole)
{
    weir_parallel(measured->run->pool, whole->run->batch.n, 1, measure_variants,
                  &(struct variants_job){measured, whole});
}

void weir_metric_read_variant_places(struct metric_atom *atom, const struct weir_whole *whole)
{
    const struct weir_measured *measured = atom->measured;
    const struct weir_batch *batch = &whole->run->batch;
    struct metric_sweep *sweep = measured->sweep;
    size_t site = (size_t)(whole->site - atom->place.scope->sites), at = (size_t)(atom - measured->atoms);
    atom->met[site] = true;
    for (size_t slot = 0; slot < batch->n; slot++) {
        size_t number = batch->numbers[slot];
        const struct metric_reading *reading = reading_of(measured, at, prompt_of(sweep, number));
        const weir_event event = weir_whole_event(whole, slot);
        double *sum = &sweep->sums[at * sweep->n_group + number];
        if (!reading->is_own)
            continue;
        for (size_t position = 0; position < event.first; position++)
            *sum += reading->row_sums[site * reading->n_positions + position];
        *sum += weir_metric_place_sum(NULL, &atom->place, site, number, &event, weir_run_past(measured->run, number));
    }
}

/* Adds what the variants at hand have not gone past: it lies in front of where they begin. */
static double sum_of_sites(const struct metric_atom *atom, const struct metric_reading *reading, double sum)
{
    for (size_t site = 0; site < atom->place.scope->n_sites; site++)
        for (size_t position = 0; !atom->met[site] && position < reading->n_positions; position++)
            sum += reading->row_sums[site * reading->n_positions + position];
    return sum;
}

static void end_metric_group(struct weir_measured *measured)
{
    struct metric_sweep *sweep = measured->sweep;
    for (size_t number = 0; number < sweep->n_group; number++) {
        double value = measured->constant;
        for (size_t i = 0; i < measured->n_atoms; i++) {
            const struct metric_atom *atom = &measured->atoms[i];
            const struct metric_reading *reading = reading_of(measured, i, prompt_of(sweep, number));
            double sum = sweep->sums[i * sweep->n_group + number];
            if (!reading->is_own)
                sum = weir_metric_reading_sum(atom, reading);
            else if (atom->is_place)
                sum = sum_of_sites(atom, reading, sum);
            value += weir_metric_atom_value(atom, reading, sum);
        }
        sweep->values[sweep->group[number]] = value;
    }
}

void weir_metrics_end_group(struct weir_run *run)
{
    for (struct weir_measured *m = run->measures; m; m = m->next)
        end_metric_group(m);
}

void weir_metrics_take_unchanged(struct weir_run *run, size_t variant)
{
    for (struct weir_measured *m = run->measures; m; m = m->next)
        m->sweep->values[variant] = weir_metric_value_in(m, (size_t)m->sweep->variants[variant].prompt);
}
