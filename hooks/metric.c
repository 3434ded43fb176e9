/* Metrics as hooks: each part of one is read in each prompt, row by row, as the pass goes by. */
#include "hooks/metric.h"

#include "base/alloc.h"
#include "engine/positions.h"
#include "engine/start.h"
#include "hooks/metric_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- messages ---- */

/* "METRIC: character N: prompt I: ..." */
static weir_status in_metric(const struct weir_measured *measured, size_t at, weir_status status)
{
    if (status == WEIR_OK)
        return status;
    return weir_in(weir_in_character(status, measured->metric->text, at), measured->metric->text);
}

/* ---- which prompts ---- */

static const weir_tokens *given_prompt(const struct weir_measured *measured, size_t prompt)
{
    return &measured->run->schedule.prompts[prompt];
}

/* The prompt that a name means for one prompt: "base" is its copy without edits. */
static weir_status find_named_prompt(size_t *out, struct weir_measured *measured, size_t prompt, const char *name)
{
    *out = prompt;
    if (strcmp(name, "base") == 0 && measured->sweep && !measured->run->edits)
        return WEIR_OK; /* the prompt as it is */
    if (strcmp(name, "base") == 0)
        return weir_schedule_copy(out, &measured->run->schedule, prompt);
    return weir_prompt_named(out, measured->run->schedule.prompts, measured->n_prompts, name, prompt);
}

static weir_status find_whose(size_t *out, struct weir_measured *measured, size_t prompt,
                              const struct weir_whose *whose)
{
    *out = prompt;
    if (whose->name)
        return find_named_prompt(out, measured, prompt, whose->name);
    if (whose->numbers.n == 0)
        return WEIR_OK;
    const struct weir_slice *slice = &whose->numbers.list[0];
    int64_t n = (int64_t)measured->n_prompts, number = slice->start < 0 ? slice->start + n : slice->start;
    if (whose->numbers.n > 1 || !slice->single)
        return weir_fail(WEIR_E_USAGE, "a metric reads one prompt: give one number, or a side");
    if (number < 0 || number >= n)
        return weir_fail(WEIR_E_USAGE, "there is no prompt %lld: they go from 0 to %lld", (long long)slice->start,
                         (long long)n - 1);
    *out = (size_t)number;
    return WEIR_OK;
}

/* ---- which positions ---- */

static size_t past_of(const struct weir_measured *measured, size_t prompt)
{
    return measured->run->from ? measured->run->from->past[prompt] : 0;
}

/* The positions of a measure in a prompt, or in that of which a copy is read. */
static weir_status find_measure_positions(struct weir_positions *out, const struct weir_measured *measured,
                                          const struct weir_metric *leaf, size_t given)
{
    struct weir_spot last = {.slice = {.has_start = true, .single = true, .start = -1, .step = 1}};
    const struct weir_spots spots = leaf->has_positions ? leaf->positions : (struct weir_spots){&last, 1};
    TRY(weir_positions_find(out, measured->run->model, given_prompt(measured, given), past_of(measured, given), &spots,
                            "position"));
    if (!out->keys)
        return WEIR_OK;
    weir_positions_close(out);
    return weir_fail(WEIR_E_USAGE, "pairs of query and key are no positions of a measure");
}

/* Moves a measure of the token at each position to the row in front of it, which predicts it; the first token, which
   nothing predicts, is left out where others are there. */
static weir_status shift_to_predictions(struct metric_reading *reading, const weir_tokens *prompt, size_t past)
{
    size_t n = 0;
    TRY(weir_alloc(&reading->ids.list, reading->n, sizeof *reading->ids.list));
    for (size_t i = 0; i < reading->n; i++) {
        int32_t position = reading->rows[i];
        if (position == 0)
            continue;
        if ((size_t)position <= past)
            return weir_fail(WEIR_E_USAGE, "what predicts the token at position %d was run before", position);
        reading->ids.list[n] = prompt->ids[(size_t)position - past];
        reading->rows[n++] = position - 1;
    }
    bool had_any = reading->n > 0;
    reading->n = reading->ids.n = n;
    return n > 0 || !had_any ? WEIR_OK
                             : weir_fail(WEIR_E_USAGE, "nothing predicts its first token: loss is of later ones");
}

static weir_status check_measured_rows(const struct weir_measured *measured, const struct metric_reading *reading,
                                       size_t given)
{
    size_t past = past_of(measured, given);
    if (reading->n == 0)
        return weir_fail(WEIR_E_USAGE, "no position is left of what is named");
    for (size_t i = 0; i < reading->n; i++)
        if ((size_t)reading->rows[i] < past)
            return weir_fail(WEIR_E_USAGE, "position %d was run before", reading->rows[i]);
    for (size_t i = 0; i < reading->ids.n; i++)
        if ((size_t)reading->ids.list[i] >= measured->n_vocab)
            return weir_fail(WEIR_E_USAGE, "token %d is none that the model predicts", reading->ids.list[i]);
    return WEIR_OK;
}

/* ---- before a pass ---- */

static weir_status add_use(struct weir_measured *measured, size_t prompt, size_t reading, bool is_against)
{
    TRY(weir_grow(&measured->uses, &measured->cap_uses, measured->n_uses + 1, sizeof *measured->uses));
    measured->uses[measured->n_uses++] = (struct metric_use){prompt, reading, is_against};
    return WEIR_OK;
}

/* Where KL compares: the same positions, as the other prompt has them. */
static weir_status plan_comparison(struct weir_measured *measured, struct metric_reading *reading,
                                   const struct weir_metric *leaf)
{
    struct weir_positions positions;
    TRY(find_whose(&reading->against, measured, reading->prompt, &leaf->against));
    size_t given = reading->against < measured->n_prompts ? reading->against : reading->prompt;
    TRY(weir_in_prompt(find_measure_positions(&positions, measured, leaf, given), given));
    reading->against_rows = positions.list;
    if (positions.n != reading->n)
        return weir_fail(WEIR_E_USAGE, "it has %zu positions, and prompt %zu, with which it is compared, %zu",
                         reading->n, given, positions.n);
    return add_use(measured, reading->against, (size_t)(reading - measured->readings), true);
}

static weir_status plan_measure(struct weir_measured *measured, struct metric_reading *reading,
                                const struct weir_metric *leaf, size_t *fault)
{
    struct weir_positions positions;
    reading->source = reading->prompt;
    reading->is_own = !leaf->side;
    if (leaf->side)
        TRY(find_named_prompt(&reading->source, measured, reading->prompt, leaf->side));
    size_t given = reading->source < measured->n_prompts ? reading->source : reading->prompt;
    TRY(find_measure_positions(&positions, measured, leaf, given));
    reading->rows = positions.list;
    reading->n = positions.n;
    TRY(weir_metric_ids_find(&reading->ids, fault, measured->run->model, leaf, given_prompt(measured, given)));
    *fault = leaf->at;
    if (leaf->measure == WEIR_MEASURE_LOSS)
        TRY(shift_to_predictions(reading, given_prompt(measured, given), past_of(measured, given)));
    TRY(check_measured_rows(measured, reading, given));
    TRY(weir_alloc(&reading->values, reading->n, sizeof *reading->values));
    if (leaf->measure == WEIR_MEASURE_KL)
        TRY(plan_comparison(measured, reading, leaf));
    return add_use(measured, reading->source, (size_t)(reading - measured->readings), false);
}

static weir_status plan_place(struct weir_measured *measured, struct metric_reading *reading,
                              const struct metric_atom *atom)
{
    const struct weir_scope *scope = atom->place.scope;
    const struct weir_whose *whose = &atom->leaf->place->where.prompts;
    reading->is_own = !whose->name && whose->numbers.n == 0;
    TRY(find_whose(&reading->source, measured, reading->prompt, whose));
    size_t given = reading->source < measured->n_prompts ? reading->source : reading->prompt;
    const struct weir_some rows = weir_scope_bound(scope, &scope->sites[0], given).rows;
    reading->n = rows.n;
    if (reading->n == 0)
        return weir_fail(WEIR_E_USAGE, "no position is left of what is named");
    reading->first = past_of(measured, given) + weir_some_at(&rows, 0);
    reading->last = past_of(measured, given) + weir_some_at(&rows, rows.n - 1);
    reading->n_positions = past_of(measured, given) + given_prompt(measured, given)->n;
    if (measured->sweep)
        TRY(weir_alloc_zero(&reading->row_sums, scope->n_sites * reading->n_positions, sizeof *reading->row_sums));
    return add_use(measured, reading->source, (size_t)(reading - measured->readings), false);
}

static weir_status plan_reading(struct weir_measured *measured, size_t atom, size_t prompt)
{
    struct metric_reading *reading = &measured->readings[atom * measured->n_prompts + prompt];
    const struct metric_atom *of = &measured->atoms[atom];
    size_t fault = of->leaf->at;
    reading->prompt = prompt;
    weir_status status =
        of->is_place ? plan_place(measured, reading, of) : plan_measure(measured, reading, of->leaf, &fault);
    return in_metric(measured, fault, weir_in_prompt(status, prompt));
}

static void close_reading(struct metric_reading *reading)
{
    weir_free(reading->rows);
    weir_metric_ids_close(&reading->ids);
    weir_free(reading->values);
    weir_free(reading->row_sums);
    weir_free(reading->here);
    weir_free(reading->against_rows);
    weir_free(reading->there);
}

void weir_metric_forget(struct weir_measured *measured)
{
    for (size_t i = 0; measured->readings && i < measured->n_atoms * measured->n_prompts; i++)
        close_reading(&measured->readings[i]);
    weir_free(measured->readings);
    measured->readings = NULL;
    measured->n_prompts = measured->n_uses = 0;
    measured->pass = 0;
    weir_free(measured->swept);
    measured->swept = NULL;
}

static int compare_uses(const void *a, const void *b)
{
    const struct metric_use *x = a, *y = b;
    if (x->prompt != y->prompt)
        return x->prompt < y->prompt ? -1 : 1;
    if (x->reading != y->reading)
        return x->reading < y->reading ? -1 : 1;
    return x->is_against - y->is_against;
}

static weir_status prepare_metric(struct weir_run *run, void *payload)
{
    struct weir_measured *measured = payload;
    size_t n, n_prompts = run->schedule.n_given;
    if (measured->sweep && measured->sweep->phase != METRIC_PROMPTS)
        return WEIR_OK; /* the readings of its prompts are those of its variants */
    weir_metric_forget(measured);
    TRY(weir_mul(&n, measured->n_atoms, n_prompts));
    TRY(weir_alloc_zero(&measured->readings, n, sizeof *measured->readings));
    measured->n_prompts = n_prompts;
    for (size_t atom = 0; atom < measured->n_atoms; atom++)
        for (size_t prompt = 0; prompt < n_prompts; prompt++)
            TRY(plan_reading(measured, atom, prompt));
    if (measured->n_uses > 0)
        qsort(measured->uses, measured->n_uses, sizeof *measured->uses, compare_uses);
    measured->pass = run->n_begun;
    return WEIR_OK;
}

weir_status weir_measured_check(weir_measured *measured, const weir_tokens *prompts, size_t n)
{
    struct weir_run *run = measured->run;
    weir_status status;
    for (size_t i = 0; i < measured->n_atoms; i++)
        if (measured->atoms[i].is_place)
            TRY(weir_scope_find_rows(measured->atoms[i].place.scope, prompts, NULL, n));
    TRY_DONE(weir_schedule_open(&run->schedule, prompts, n));
    TRY_DONE(prepare_metric(run, measured));
done:
    weir_metric_forget(measured);
    weir_schedule_close(&run->schedule);
    return status;
}

/* Metrics read in any order. */
static weir_status explain_no_cycle(const struct weir_need *need, void *payload)
{
    (void)need;
    (void)payload;
    return WEIR_OK;
}

static void finish_nothing(void *payload)
{
    (void)payload;
}

/* ---- as the pass goes by ---- */

/* The first use of a prompt, or where it would be. */
static size_t first_use(const struct weir_measured *measured, size_t prompt)
{
    size_t low = 0, high = measured->n_uses;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (measured->uses[middle].prompt < prompt)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Rows of logits that are measured at once. */
struct row_job {
    const struct weir_metric *leaf;
    struct metric_reading *reading;
    const float *logits; /* of the value of which rows[i] - first is a row; or [n, n_vocab] */
    const int32_t *rows; /* NULL: row i is row i */
    size_t first, n_vocab;
};

static const float *row_of_job(const struct row_job *job, size_t i)
{
    return job->logits + (job->rows ? (size_t)job->rows[i] - job->first : i) * job->n_vocab;
}

struct weir_row_measure weir_metric_measure_at(const struct weir_metric *leaf, const struct metric_reading *reading,
                                               size_t i, size_t n_vocab)
{
    bool each = leaf->measure == WEIR_MEASURE_LOSS;
    return (struct weir_row_measure){.measure = leaf->measure,
                                     .ids = each ? reading->ids.list + i : reading->ids.list,
                                     .n_ids = each ? 1 : reading->ids.n,
                                     .against = reading->there ? reading->there + i * n_vocab : NULL};
}

static void measure_rows(void *context, size_t first, size_t last, int worker)
{
    const struct row_job *job = context;
    (void)worker;
    for (size_t i = first; i < last; i++) {
        const struct weir_row_measure of = weir_metric_measure_at(job->leaf, job->reading, i, job->n_vocab);
        job->reading->values[i] = weir_row_measure_value(&of, row_of_job(job, i), job->n_vocab);
    }
}

static weir_status keep_rows(float **out, const weir_event *event, const int32_t *rows, size_t n)
{
    size_t n_vocab = event->shape[1], n_floats;
    TRY(weir_mul(&n_floats, n, n_vocab));
    TRY(weir_alloc(out, n_floats, sizeof **out));
    for (size_t i = 0; i < n; i++)
        memcpy(*out + i * n_vocab, event->data + ((size_t)rows[i] - event->first) * n_vocab, n_vocab * sizeof(float));
    return WEIR_OK;
}

/* Measures what has been kept of both prompts of a KL, and gives it up unless derivatives need it. */
static void compare_kept(struct weir_measured *measured, struct metric_reading *reading, const struct weir_metric *leaf)
{
    struct row_job job = {.leaf = leaf, .reading = reading, .logits = reading->here, .n_vocab = measured->n_vocab};
    weir_parallel(measured->run->pool, reading->n, 1, measure_rows, &job);
    if (measured->keeps)
        return;
    weir_free(reading->here);
    reading->here = NULL;
    if (measured->sweep)
        return; /* variants are compared with it */
    weir_free(reading->there);
    reading->there = NULL;
}

static weir_status read_logits_of(struct weir_measured *measured, const struct metric_use *use, const weir_event *event)
{
    struct metric_reading *reading = &measured->readings[use->reading];
    const struct weir_metric *leaf = measured->atoms[use->reading / measured->n_prompts].leaf;
    bool is_kl = leaf->measure == WEIR_MEASURE_KL;
    if (use->is_against) {
        TRY(keep_rows(&reading->there, event, reading->against_rows, reading->n));
        reading->has_there = true;
    } else {
        if (is_kl || measured->keeps)
            TRY(keep_rows(&reading->here, event, reading->rows, reading->n));
        reading->has_here = true;
    }
    if (is_kl && reading->has_here && reading->has_there)
        compare_kept(measured, reading, leaf);
    if (is_kl)
        return WEIR_OK;
    struct row_job job = {leaf, reading, event->data, reading->rows, event->first, event->shape[1]};
    weir_parallel(measured->run->pool, reading->n, 1, measure_rows, &job);
    return WEIR_OK;
}

static weir_status read_logits(const struct weir_whole *whole, void *payload)
{
    struct weir_measured *measured = payload;
    const struct weir_batch *batch = &whole->run->batch;
    if (measured->sweep && measured->sweep->phase == METRIC_VARIANTS)
        weir_metric_read_variants(measured, whole);
    if (measured->sweep && measured->sweep->phase >= METRIC_IDLE)
        return WEIR_OK;
    for (size_t slot = 0; slot < batch->n; slot++) {
        size_t number = batch->numbers[slot];
        const weir_event event = weir_whole_event(whole, slot);
        for (size_t i = first_use(measured, number); i < measured->n_uses && measured->uses[i].prompt == number; i++)
            if (!measured->atoms[measured->uses[i].reading / measured->n_prompts].is_place)
                TRY(read_logits_of(measured, &measured->uses[i], &event));
    }
    return WEIR_OK;
}

static weir_status read_metric_value(const struct weir_whole *whole, void *payload)
{
    struct metric_atom *atom = payload;
    struct weir_measured *measured = atom->measured;
    const struct weir_batch *batch = &whole->run->batch;
    size_t site = (size_t)(whole->site - atom->place.scope->sites);
    if (measured->sweep && measured->sweep->phase == METRIC_VARIANTS)
        weir_metric_read_variant_places(atom, whole);
    if (measured->sweep && measured->sweep->phase != METRIC_PROMPTS)
        return WEIR_OK; /* of prompts they were read before */
    for (size_t slot = 0; slot < batch->n; slot++) {
        size_t number = batch->numbers[slot];
        const weir_event event = weir_whole_event(whole, slot);
        for (size_t i = first_use(measured, number); i < measured->n_uses && measured->uses[i].prompt == number; i++) {
            struct metric_reading *reading = &measured->readings[measured->uses[i].reading];
            if (&measured->atoms[measured->uses[i].reading / measured->n_prompts] != atom)
                continue;
            size_t named = number < measured->n_prompts ? number : reading->prompt;
            double *rows = reading->row_sums ? reading->row_sums + site * reading->n_positions : NULL;
            reading->sum += weir_metric_place_sum(rows, &atom->place, site, named, &event, event.first);
            reading->has_here = true;
        }
    }
    return WEIR_OK;
}

/* ---- opening ---- */

/* The metric's parts with what each counts for, in all: factors multiplied, sums taken apart. */
static weir_status add_atoms(struct weir_measured *measured, const struct weir_metric *metric, double factor, bool sums)
{
    factor *= metric->factor;
    if (metric->kind == WEIR_METRIC_NUMBER)
        measured->constant += factor;
    for (size_t i = 0; i < metric->n_children; i++)
        TRY(add_atoms(measured, &metric->children[i], factor, sums || metric->kind == WEIR_METRIC_SUM));
    if (metric->kind == WEIR_METRIC_NUMBER || metric->n_children > 0)
        return WEIR_OK;
    TRY(weir_grow(&measured->atoms, &measured->cap_atoms, measured->n_atoms + 1, sizeof *measured->atoms));
    measured->atoms[measured->n_atoms++] = (struct metric_atom){.measured = measured,
                                                                .leaf = metric,
                                                                .factor = factor,
                                                                .sums = sums,
                                                                .is_place = metric->kind != WEIR_METRIC_MEASURE};
    return WEIR_OK;
}

static weir_status hook_atom(struct weir_measured *measured, struct metric_atom *atom)
{
    TRY(weir_metric_place_open(&atom->place, measured->run->model, atom->leaf));
    TRY(weir_alloc_zero(&atom->met, atom->place.scope->n_sites, sizeof *atom->met));
    return weir_plan_add_whole(&measured->run->plan, atom->place.scope, WEIR_READ, read_metric_value, atom);
}

weir_status weir_metric_hook_logits(struct weir_measured *measured)
{
    struct weir_scope *scope;
    TRY(weir_scope_open_at(&scope, measured->run->model, WEIR_P_LOGITS, -1));
    weir_status status = weir_plan_add_whole(&measured->run->plan, scope, WEIR_READ, read_logits, measured);
    weir_scope_close(scope);
    return status;
}

static weir_status hook_metric(struct weir_measured *measured)
{
    bool reads_logits = false;
    for (size_t i = 0; i < measured->n_atoms; i++)
        if (measured->atoms[i].is_place)
            TRY(in_metric(measured, measured->atoms[i].leaf->at, hook_atom(measured, &measured->atoms[i])));
        else
            reads_logits = true;
    return reads_logits ? weir_metric_hook_logits(measured) : WEIR_OK;
}

static void close_measured(void *payload)
{
    struct weir_measured *measured = payload;
    if (!measured)
        return;
    weir_metric_forget(measured);
    for (size_t i = 0; i < measured->n_atoms; i++)
        if (measured->atoms[i].is_place) {
            weir_metric_place_close(&measured->atoms[i].place);
            weir_free(measured->atoms[i].met);
        }
    weir_free(measured->atoms);
    weir_free(measured->uses);
    weir_metric_close(measured->metric);
    weir_free(measured);
}

static weir_status open_measured(weir_measured **out, weir_run *run, const weir_metric *metric)
{
    size_t shape[WEIR_MAX_AXES];
    TRY(weir_alloc_zero(out, 1, sizeof **out));
    weir_model_shape(run->model, WEIR_P_LOGITS, shape);
    (*out)->run = run;
    (*out)->n_vocab = shape[1];
    TRY(weir_metric_parse(&(*out)->metric, metric->text));
    return add_atoms(*out, (*out)->metric, 1, false);
}

void weir_metric_unhook_logits(struct weir_measured *measured)
{
    weir_plan_remove_whole(&measured->run->plan, measured);
}

/* Takes back the hooks of a metric that could not be registered whole. */
static void unhook_metric(struct weir_measured *measured)
{
    for (size_t i = 0; i < measured->n_atoms; i++)
        weir_plan_remove_whole(&measured->run->plan, &measured->atoms[i]);
    weir_metric_unhook_logits(measured);
}

weir_status weir_run_measure(weir_measured **out, weir_run *run, const weir_metric *metric)
{
    struct weir_measured *measured = NULL;
    weir_status status;
    TRY_GIVEN(out);
    *out = NULL;
    TRY_GIVEN(run);
    TRY_GIVEN(metric);
    TRY(weir_run_usable(run, __func__));
    TRY_DONE(open_measured(&measured, run, metric));
    TRY_DONE(hook_metric(measured));
    TRY_DONE(weir_run_accompany(run, &(struct weir_companion){.prepare = prepare_metric,
                                                              .explain = explain_no_cycle,
                                                              .finish = finish_nothing,
                                                              .close = close_measured,
                                                              .payload = measured}));
    measured->next = run->measures;
    run->measures = measured;
    *out = measured;
    measured = NULL;
done:
    if (measured)
        unhook_metric(measured);
    close_measured(measured);
    return status;
}

/* ---- values ---- */

const char *weir_metric_text(const weir_metric *metric)
{
    return metric ? metric->text : NULL;
}

const char *weir_metric_without_derivative(const weir_metric *metric)
{
    return metric ? weir_metric_lacks_derivative(metric) : NULL;
}

/* @return WEIR_E_USAGE unless the last pass came to its end. */
static weir_status check_measured(const struct weir_measured *measured, const char *function)
{
    TRY(weir_run_usable(measured->run, function));
    if (measured->pass > 0 && measured->pass == measured->run->last_done)
        return WEIR_OK;
    return weir_fail(WEIR_E_USAGE, "%s: no pass of the run has come to its end since: call weir_run_forward", function);
}

double weir_metric_reading_sum(const struct metric_atom *atom, const struct metric_reading *reading)
{
    double sum = reading->sum;
    for (size_t i = 0; !atom->is_place && i < reading->n; i++)
        sum += reading->values[i];
    return sum;
}

double weir_metric_atom_value(const struct metric_atom *atom, const struct metric_reading *reading, double sum)
{
    return atom->factor * (atom->sums ? sum : sum / (double)reading->n);
}

double weir_metric_value_in(const struct weir_measured *measured, size_t prompt)
{
    double value = measured->constant;
    for (size_t i = 0; i < measured->n_atoms; i++) {
        const struct metric_reading *reading = &measured->readings[i * measured->n_prompts + prompt];
        const struct metric_atom *atom = &measured->atoms[i];
        value += weir_metric_atom_value(atom, reading, weir_metric_reading_sum(atom, reading));
    }
    return value;
}

weir_status weir_measured_values(const weir_measured *measured, double *values, size_t n)
{
    TRY_GIVEN(measured);
    TRY_GIVEN(values);
    TRY(check_measured(measured, __func__));
    size_t has = measured->swept ? measured->n_swept : measured->n_prompts;
    if (n != has)
        return weir_fail(WEIR_E_USAGE, "%s: n is %zu, and %zu %s were run", __func__, n, has,
                         measured->swept ? "variants" : "prompts");
    for (size_t i = 0; i < n; i++)
        values[i] = measured->swept ? measured->swept[i] : weir_metric_value_in(measured, i);
    return WEIR_OK;
}

/* ---- derivatives ---- */

weir_status weir_measured_keep(weir_measured *measured)
{
    const char *why = weir_metric_lacks_derivative(measured->metric);
    if (why)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: %s", measured->metric->text, why);
    for (size_t i = 0; i < measured->n_atoms; i++)
        if (measured->atoms[i].is_place)
            return in_metric(measured, measured->atoms[i].leaf->at,
                             weir_fail(WEIR_E_UNSUPPORTED, "a place has no derivative by the logits"));
    measured->keeps = true;
    return WEIR_OK;
}

weir_status weir_measured_positions(int32_t **positions, size_t *n, const weir_measured *measured, size_t prompt)
{
    size_t n_tokens = 0, all = measured->n_atoms * measured->n_prompts;
    bool *marked;
    *n = 0;
    *positions = NULL;
    TRY(check_measured(measured, __func__));
    for (size_t i = 0; i < all; i++)
        for (size_t k = 0; measured->readings[i].rows && k < measured->readings[i].n; k++)
            if (measured->readings[i].source == prompt && (size_t)measured->readings[i].rows[k] >= n_tokens)
                n_tokens = (size_t)measured->readings[i].rows[k] + 1;
    TRY(weir_alloc_zero(&marked, n_tokens, sizeof *marked));
    for (size_t i = 0; i < all; i++)
        for (size_t k = 0; measured->readings[i].rows && k < measured->readings[i].n; k++)
            if (measured->readings[i].source == prompt)
                marked[measured->readings[i].rows[k]] = true;
    weir_status status = weir_alloc(positions, n_tokens, sizeof **positions);
    for (size_t i = 0; status == WEIR_OK && i < n_tokens; i++)
        if (marked[i])
            (*positions)[(*n)++] = (int32_t)i;
    weir_free(marked);
    return status;
}

/* Which row of the derivative a position has. */
static size_t row_in(const int32_t *positions, int32_t position)
{
    size_t row = 0;
    while (positions[row] < position)
        row++;
    return row;
}

static void derive_reading(double *out, const struct weir_measured *measured, const struct metric_atom *atom,
                           const struct metric_reading *reading, const int32_t *positions)
{
    double factor = atom->sums ? atom->factor : atom->factor / (double)reading->n;
    for (size_t i = 0; i < reading->n; i++) {
        const struct weir_row_measure of = weir_metric_measure_at(atom->leaf, reading, i, measured->n_vocab);
        weir_row_measure_derive(out + row_in(positions, reading->rows[i]) * measured->n_vocab, factor, &of,
                                reading->here + i * measured->n_vocab, measured->n_vocab);
    }
}

weir_status weir_measured_derivative(double *out, const weir_measured *measured, size_t prompt)
{
    int32_t *positions;
    size_t n;
    TRY(weir_measured_positions(&positions, &n, measured, prompt));
    memset(out, 0, n * measured->n_vocab * sizeof *out);
    for (size_t i = 0; i < measured->n_atoms * measured->n_prompts; i++) {
        const struct metric_reading *reading = &measured->readings[i];
        if (reading->source != prompt)
            continue;
        if (!reading->here) {
            weir_free(positions);
            return weir_fail(WEIR_E_USAGE, "%s: no pass has kept the logits: weir_measured_keep comes before it",
                             __func__);
        }
        derive_reading(out, measured, &measured->atoms[i / measured->n_prompts], reading, positions);
    }
    weir_free(positions);
    return WEIR_OK;
}
