/* The hook that stores what it sees: resolves a selection into points, layers, units and rows once, then hands each
   value to the store, which keeps the engine's own buffer until it is written. */
#include "base/alloc.h"
#include "engine/run.h"
#include "hooks/drift.h"
#include "hooks/next.h"
#include "points/text.h"
#include "store/layout.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LOSS, NEXT, N_TABLES }; /* the tables of the store, the second only where likely tokens are wanted */

/* What is kept of one point. Per layer (layer + 1: outside blocks at 0): */
struct kept {
    int point;
    bool *layers;        /* [n_layers + 1] */
    int32_t **units;     /* [n_layers + 1] each [n_units[i]]; NULL: all */
    size_t *n_units;     /* [n_layers + 1] */
    bool *stored_layers; /* [n_layers]: `layers` without its first, for the store */
    char *units_text;    /* "5.3+7.2"; NULL: whole */
};

struct weir_capture {
    struct weir_run *run;
    struct weir_deferred deferred; /* its close, if a hook asks for that */
    bool committed;
    struct weir_selection *selection;
    struct weir_slices shared;  /* --positions, for all hooks */
    const weir_tokens *prompts; /* [n_prompts] not owned */
    size_t n_prompts, longest;
    int32_t **rows;    /* [n_prompts] each [n_rows[i]]: absolute positions that get a row */
    size_t *n_rows;    /* [n_prompts] */
    struct kept *kept; /* [n_kept] in the order of the points */
    size_t n_kept;
    size_t index_of[WEIR_N_POINTS];          /* into kept */
    bool *marks;                             /* [longest + 1] scratch for rows */
    int32_t *positions;                      /* [longest + 1] scratch for rows */
    struct weir_store_prompt *store_prompts; /* [n_prompts] */
    struct weir_store_point *store_points;   /* [n_kept] */
    struct weir_store_table tables[N_TABLES];
    char *edits; /* NULL: none */
    struct weir_store_spec spec;
    struct weir_store *store;
    struct weir_next *next;   /* NULL: neither likely tokens nor loss */
    struct weir_drift *drift; /* NULL: nothing is compared with float32 */
    double *errors;           /* [n_kept] what drift found, for the file */
    weir_capture_size size;
};

static size_t n_layers(const struct weir_capture *capture)
{
    return (size_t)capture->run->model->config.n_layers;
}

/* Where a layer stands in the lists above: outside blocks, layer -1, first. */
static size_t slot(int layer)
{
    return (size_t)layer + 1;
}

/* Whether a term of the selection names the point in that layer. */
static bool applies(const struct weir_capture *capture, const struct weir_term *term, int point, int layer)
{
    return term->points[point] && (layer < 0 || weir_slices_name(&term->layers, (size_t)layer, n_layers(capture)));
}

/* ---- rows ---- */

/* Marks the positions of a prompt that are kept of (point, layer), or of any when point is negative. */
static weir_status mark_rows(struct weir_capture *capture, bool *marks, size_t prompt, int point, int layer)
{
    size_t length = capture->prompts[prompt].n;
    bool *shared;
    memset(marks, 0, length * sizeof *marks);
    for (size_t i = 0; i < capture->selection->n; i++) {
        const struct weir_term *term = &capture->selection->terms[i];
        if (point < 0 || applies(capture, term, point, layer))
            TRY(weir_in(weir_slices_mark(&term->positions, marks, length, "position"), term->text));
    }
    if (capture->shared.n == 0)
        return WEIR_OK;
    TRY(weir_alloc_zero(&shared, length, sizeof *shared));
    weir_status status = weir_slices_mark(&capture->shared, shared, length, "position");
    for (size_t i = 0; i < length; i++)
        marks[i] = marks[i] && shared[i];
    weir_free(shared);
    return status;
}

static size_t list_marked(int32_t *out, const bool *marks, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (marks[i])
            out[count++] = (int32_t)i;
    return count;
}

static weir_status find_rows(struct weir_capture *capture)
{
    TRY(weir_alloc_zero(&capture->rows, capture->n_prompts, sizeof *capture->rows));
    TRY(weir_alloc_zero(&capture->n_rows, capture->n_prompts, sizeof *capture->n_rows));
    TRY(weir_alloc(&capture->marks, capture->longest + 1, sizeof *capture->marks));
    TRY(weir_alloc(&capture->positions, capture->longest + 1, sizeof *capture->positions));
    for (size_t i = 0; i < capture->n_prompts; i++) {
        char prompt[32];
        snprintf(prompt, sizeof prompt, "prompt %zu", i);
        TRY(weir_in(mark_rows(capture, capture->marks, i, -1, -1), prompt));
        TRY(weir_alloc(&capture->rows[i], capture->prompts[i].n, sizeof **capture->rows));
        capture->n_rows[i] = list_marked(capture->rows[i], capture->marks, capture->prompts[i].n);
        if (capture->n_rows[i] == 0)
            return weir_fail(WEIR_E_USAGE, "no position of prompt %zu (%zu tokens) is selected", i,
                             capture->prompts[i].n);
    }
    return WEIR_OK;
}

/* ---- units ---- */

/* Marks the units of (point, layer) that terms name; *all when a term names no units. */
static weir_status mark_units(const struct weir_capture *capture, bool *marks, size_t size, int point, int layer,
                              bool *all)
{
    *all = false;
    for (size_t i = 0; i < capture->selection->n; i++) {
        const struct weir_term *term = &capture->selection->terms[i];
        if (!applies(capture, term, point, layer))
            continue;
        if (term->units.n == 0)
            *all = true;
        else if (size == 0)
            return weir_fail(WEIR_E_USAGE, "'%s': %s has no heads or neurons to choose from", term->text,
                             weir_point_at(point)->name);
        else
            TRY(weir_in(weir_slices_mark(&term->units, marks, size, "unit"), term->text));
    }
    return WEIR_OK;
}

static weir_status find_units(struct weir_capture *capture, struct kept *kept, int layer, size_t size)
{
    size_t at = slot(layer);
    bool *marks, all;
    TRY(weir_alloc_zero(&marks, size + 1, sizeof *marks));
    weir_status status = mark_units(capture, marks, size, kept->point, layer, &all);
    if (status == WEIR_OK && !all) {
        status = weir_alloc(&kept->units[at], size, sizeof **kept->units);
        if (status == WEIR_OK)
            kept->n_units[at] = list_marked(kept->units[at], marks, size);
    }
    weir_free(marks);
    if (status == WEIR_OK && kept->units[at] && kept->n_units[at] == size) {
        weir_free(kept->units[at]);
        kept->units[at] = NULL;
    }
    return status;
}

/* "5.3+7.2": layer and unit of all that is kept, for the file's attribute. */
static weir_status write_units(struct weir_capture *capture, struct kept *kept)
{
    struct weir_text text = {0};
    weir_status status = WEIR_OK;
    for (int layer = -1; layer < (int)n_layers(capture) && status == WEIR_OK; layer++)
        for (size_t i = 0; kept->units[slot(layer)] && i < kept->n_units[slot(layer)] && status == WEIR_OK; i++)
            status = weir_text_add_unit(&text, layer, kept->units[slot(layer)][i]);
    kept->units_text = text.data;
    return status;
}

/* ---- points ---- */

static weir_status keep_point(struct weir_capture *capture, struct kept *kept, int point, const bool *at)
{
    size_t layers = n_layers(capture), shape[WEIR_MAX_AXES];
    int unit_axis = weir_point_unit_axis(weir_point_at(point));
    kept->point = point;
    TRY(weir_alloc_zero(&kept->layers, layers + 1, sizeof *kept->layers));
    TRY(weir_alloc_zero(&kept->units, layers + 1, sizeof *kept->units));
    TRY(weir_alloc_zero(&kept->n_units, layers + 1, sizeof *kept->n_units));
    weir_model_shape(capture->run->model, point, shape);
    for (int layer = -1; layer < (int)layers; layer++) {
        kept->layers[layer + 1] = at[weir_plan_index(&capture->run->plan, point, layer)];
        if (kept->layers[layer + 1])
            TRY(find_units(capture, kept, layer, unit_axis < 0 ? 0 : shape[unit_axis]));
    }
    kept->stored_layers = kept->layers + 1;
    return write_units(capture, kept);
}

static bool any_layer(const struct weir_capture *capture, int point, const bool *at)
{
    for (int layer = -1; layer < (int)n_layers(capture); layer++)
        if (at[weir_plan_index(&capture->run->plan, point, layer)])
            return true;
    return false;
}

static weir_status find_points(struct weir_capture *capture, bool *at)
{
    for (size_t i = 0; i < capture->selection->n; i++)
        TRY(weir_plan_mark(at, capture->run->model, &capture->selection->terms[i]));
    TRY(weir_alloc_zero(&capture->kept, WEIR_N_POINTS, sizeof *capture->kept));
    for (int point = 0; point < WEIR_N_POINTS; point++)
        if (any_layer(capture, point, at)) {
            capture->index_of[point] = capture->n_kept;
            TRY(keep_point(capture, &capture->kept[capture->n_kept++], point, at));
        }
    return WEIR_OK;
}

/* ---- the store's view ---- */

/* Whether all units of every stored layer and all positions of every prompt are kept. */
static weir_status is_whole(struct weir_capture *capture, const struct kept *kept, bool *whole)
{
    *whole = kept->units_text == NULL;
    for (size_t prompt = 0; *whole && prompt < capture->n_prompts; prompt++)
        for (int layer = -1; *whole && layer < (int)n_layers(capture); layer++) {
            if (!kept->layers[layer + 1])
                continue;
            TRY(mark_rows(capture, capture->marks, prompt, kept->point, layer));
            size_t n = list_marked(capture->positions, capture->marks, capture->prompts[prompt].n);
            *whole = n == capture->n_rows[prompt];
        }
    return WEIR_OK;
}

static weir_status describe_point(struct weir_capture *capture, struct weir_store_point *out, const struct kept *kept)
{
    *out = (struct weir_store_point){.point = weir_point_at(kept->point), .units = kept->units_text};
    out->sinks = kept->point == WEIR_P_PATTERN && capture->run->model->config.sinks;
    out->layers = out->point->per_layer ? kept->stored_layers : NULL;
    for (size_t i = 0; i <= n_layers(capture); i++)
        out->n_units = kept->units[i] && kept->n_units[i] > out->n_units ? kept->n_units[i] : out->n_units;
    weir_model_shape(capture->run->model, kept->point, out->shape);
    return is_whole(capture, kept, &out->whole);
}

static size_t show_token(const void *model, int32_t id, char *text, size_t size)
{
    return weir_token_text(model, id, text, size);
}

/* Prompts given as ids do not cost reading the tokenizer. */
static size_t show_id(const void *context, int32_t id, char *text, size_t size)
{
    (void)context;
    return (size_t)snprintf(text, size, "%d", id);
}

/* "resid_pre:1,pattern:0+2": where hooks that edit are registered by now. */
static weir_status write_edits(struct weir_capture *capture)
{
    const struct weir_plan *plan = &capture->run->plan;
    struct weir_text text = {0};
    weir_status status = WEIR_OK;
    bool *layers;
    TRY(weir_alloc(&layers, n_layers(capture), sizeof *layers));
    for (int point = 0; point < WEIR_N_POINTS && status == WEIR_OK; point++) {
        bool any = weir_plan_edits(plan, point, -1);
        for (size_t layer = 0; layer < n_layers(capture); layer++)
            any |= layers[layer] = weir_plan_edits(plan, point, (int)layer);
        if (any)
            status = weir_text_add_term(&text, weir_point_at(point), weir_point_at(point)->per_layer ? layers : NULL,
                                        n_layers(capture));
    }
    weir_free(layers);
    capture->edits = text.data;
    return status;
}

static void find_largest(struct weir_capture *capture)
{
    for (size_t i = 0; i < capture->n_kept; i++) {
        uint64_t bytes = weir_store_point_size(&capture->spec, i);
        if (bytes <= capture->size.largest_bytes)
            continue;
        capture->size.largest = capture->kept[i].point;
        capture->size.largest_bytes = bytes;
    }
}

static weir_status describe(struct weir_capture *capture, const weir_capture_options *options)
{
    bool has_text = false;
    TRY(write_edits(capture));
    TRY(weir_alloc_zero(&capture->store_prompts, capture->n_prompts, sizeof *capture->store_prompts));
    TRY(weir_alloc_zero(&capture->store_points, capture->n_kept, sizeof *capture->store_points));
    TRY(weir_alloc_zero(&capture->errors, capture->n_kept, sizeof *capture->errors));
    for (size_t i = 0; i < capture->n_prompts; i++) {
        const weir_tokens *prompt = &capture->prompts[i];
        capture->store_prompts[i] = (struct weir_store_prompt){.ids = prompt->ids,
                                                               .n = prompt->n,
                                                               .text = prompt->text,
                                                               .n_text = prompt->n_text,
                                                               .fields = prompt->fields,
                                                               .positions = capture->rows[i],
                                                               .n_rows = capture->n_rows[i]};
        has_text = has_text || prompt->text;
        capture->size.n_positions =
            capture->n_rows[i] > capture->size.n_positions ? capture->n_rows[i] : capture->size.n_positions;
    }
    for (size_t i = 0; i < capture->n_kept; i++)
        TRY(describe_point(capture, &capture->store_points[i], &capture->kept[i]));
    capture->tables[LOSS] = (struct weir_store_table){weir_table_at(WEIR_TABLE_LOSS), 1};
    capture->tables[NEXT] = (struct weir_store_table){weir_table_at(WEIR_TABLE_NEXT), (size_t)options->next};
    capture->spec = (struct weir_store_spec){
        .model = weir_model_get_info(capture->run->model),
        .command = options->command,
        .edits = capture->edits,
        .prompts = capture->store_prompts,
        .n_prompts = capture->n_prompts,
        .points = capture->store_points,
        .n_points = capture->n_kept,
        .tables = capture->tables,
        .n_tables = !capture->next      ? 0
                    : options->next > 0 ? N_TABLES
                                        : N_TABLES - 1,
        .dtype = options->dtype,
        .compute = weir_compute_name(weir_matmul_compute(capture->run->matmul)),
        .errors = capture->errors,
        .gzip = options->gzip,
        .force = options->force,
        .token_text = has_text ? show_token : show_id,
        .token_context = capture->run->model,
    };
    capture->size.n_points = (int)capture->n_kept;
    capture->size.bytes = weir_store_size(&capture->spec);
    find_largest(capture);
    return WEIR_OK;
}

/* ---- at the hook points ---- */

/* Whether what runs is what the file was made for: rows, sizes and tokens in it come from those prompts. */
static weir_status check_prompt(const struct weir_capture *capture, size_t prompt)
{
    const struct weir_batch *batch = &capture->run->batch;
    const weir_tokens *runs = &batch->prompts[prompt - (size_t)batch->first_prompt];
    if (prompt < capture->n_prompts && runs->n == capture->prompts[prompt].n &&
        memcmp(runs->ids, capture->prompts[prompt].ids, runs->n * sizeof *runs->ids) == 0)
        return WEIR_OK;
    return weir_fail(WEIR_E_USAGE, "prompt %zu of the run is not one that the capture was opened for", prompt);
}

static weir_status store_value(const weir_event *event, void *payload)
{
    struct weir_capture *capture = payload;
    size_t prompt = (size_t)event->prompt, at = slot(event->layer);
    TRY(check_prompt(capture, prompt));
    const struct kept *kept = &capture->kept[capture->index_of[event->point->id]];
    struct weir_store_value value = {
        .point = capture->index_of[event->point->id],
        .layer = event->layer,
        .prompt = event->prompt,
        .data = event->data,
        .buffer = event->buffer,
        .units = kept->units[at],
        .n_units = kept->n_units[at],
        .softmaxed =
            event->point->id == WEIR_P_PATTERN && !weir_plan_edits(&capture->run->plan, WEIR_P_PATTERN, event->layer),
    };
    if (!capture->store_points[value.point].whole || capture->n_rows[prompt] != capture->prompts[prompt].n) {
        TRY(mark_rows(capture, capture->marks, prompt, kept->point, event->layer));
        value.positions = capture->positions;
        value.n_rows = list_marked(capture->positions, capture->marks, capture->prompts[prompt].n);
        if (value.n_rows == 0)
            return WEIR_OK;
    }
    return weir_store_put(capture->store, &value);
}

static weir_status store_next(const weir_event *event, void *payload)
{
    struct weir_capture *capture = payload;
    size_t prompt = (size_t)event->prompt;
    struct weir_next *next = capture->next;
    TRY(check_prompt(capture, prompt));
    TRY(weir_next_compute(next, capture->run->pool, event->data, event->shape[1], &capture->prompts[prompt],
                          capture->rows[prompt], capture->n_rows[prompt]));
    TRY(weir_store_put_table(capture->store, LOSS, prompt, (const void *[]){&next->loss}));
    return next->top == 0 ? WEIR_OK
                          : weir_store_put_table(capture->store, NEXT, prompt,
                                                 (const void *[]){next->ids, next->logits, next->logprobs});
}

/* Edits are not made in float32's run, and would be taken for its error. */
static bool is_compared(const struct weir_capture *capture, const weir_capture_options *options)
{
    return options->compare > 0 && weir_matmul_compute(capture->run->matmul) != WEIR_COMPUTE_F32 && !capture->edits;
}

static weir_status register_hooks(struct weir_capture *capture, const weir_capture_options *options, bool *at)
{
    size_t logits = weir_plan_index(&capture->run->plan, WEIR_P_LOGITS, -1);
    if (is_compared(capture, options))
        TRY(weir_drift_open(&capture->drift, capture->run, at, &capture->prompts[0], (size_t)options->compare));
    TRY(weir_run_add(capture->run, at, WEIR_READ, store_value, capture));
    if (!capture->next)
        return WEIR_OK;
    memset(at, 0, (size_t)WEIR_N_POINTS * (n_layers(capture) + 1) * sizeof *at);
    at[logits] = true;
    return weir_run_add(capture->run, at, WEIR_READ, store_next, capture);
}

/* ---- open, commit, close ---- */

static weir_status check_options(const weir_capture_options *options, const struct weir_model *model)
{
    static const weir_dtype dtypes[] = {WEIR_F32, WEIR_F16, WEIR_BF16};
    const char *why;
    if ((unsigned)options->dtype >= sizeof dtypes / sizeof *dtypes)
        return weir_fail(WEIR_E_USAGE, "dtype is %d, which is none of weir_dtype", (int)options->dtype);
    if (options->compare < 0)
        return weir_fail(WEIR_E_USAGE, "compare is %d: give how many positions, or 0", options->compare);
    if (options->next > 0 && !weir_model_has_point(model, WEIR_P_LOGITS, -1, &why))
        return weir_fail(WEIR_E_UNSUPPORTED, "the most likely next tokens: this model does not have them: %s", why);
    if (options->next < 0 || options->next > model->config.n_outputs)
        return weir_fail(WEIR_E_USAGE, "%d most likely tokens: the vocabulary has %d", options->next,
                         model->config.n_outputs);
    return WEIR_OK;
}

static weir_status prepare(struct weir_capture *capture, const weir_capture_options *options, bool *at)
{
    const char *positions = options->positions ? options->positions : "";
    TRY(check_options(options, capture->run->model));
    TRY(weir_selection_parse(&capture->selection, options->hooks));
    if (*positions)
        TRY(weir_slices_parse(&capture->shared, positions, strlen(positions), "positions"));
    TRY(weir_run_check(capture->run, capture->prompts, capture->n_prompts));
    for (size_t i = 0; i < capture->n_prompts; i++)
        capture->longest = capture->prompts[i].n > capture->longest ? capture->prompts[i].n : capture->longest;
    TRY(find_rows(capture));
    TRY(find_points(capture, at));
    if (options->next > 0 || any_layer(capture, WEIR_P_LOGITS, at))
        TRY(weir_next_open(&capture->next, (size_t)options->next, capture->longest));
    return describe(capture, options);
}

weir_status weir_capture_open(weir_capture **out, weir_run *run, const char *path, const weir_tokens *prompts, size_t n,
                              const weir_capture_options *options)
{
    static const weir_capture_options defaults;
    struct weir_capture *capture = NULL;
    bool *at = NULL; /* [WEIR_N_POINTS, n_layers + 1] */
    weir_status status;
    TRY_GIVEN(out);
    *out = NULL;
    TRY_GIVEN(run);
    TRY_GIVEN(path);
    TRY(weir_run_usable(run, __func__));
    if (run->capture)
        return weir_fail(WEIR_E_USAGE, "weir_capture_open: the run has a capture already: close that first");
    options = options ? options : &defaults;
    TRY_DONE(weir_alloc_zero(&capture, 1, sizeof *capture));
    capture->run = run;
    weir_run_hold(run);
    capture->prompts = prompts;
    capture->n_prompts = n;
    TRY_DONE(weir_alloc_zero(&at, (size_t)WEIR_N_POINTS * (n_layers(capture) + 1), sizeof *at));
    TRY_DONE(prepare(capture, options, at));
    TRY_DONE(weir_store_create(&capture->store, path, &capture->spec));
    TRY_DONE(register_hooks(capture, options, at));
    run->capture = capture;
    *out = capture;
    capture = NULL;
done:
    weir_free(at);
    weir_capture_close(capture);
    return status;
}

const weir_capture_size *weir_capture_get_size(const weir_capture *capture)
{
    return capture ? &capture->size : NULL;
}

weir_status weir_capture_commit(weir_capture *capture)
{
    TRY_GIVEN(capture);
    TRY(weir_run_usable(capture->run, __func__));
    if (capture->committed)
        return weir_fail(WEIR_E_USAGE, "weir_capture_commit: the capture is committed already");
    for (size_t i = 0; i < capture->n_kept; i++)
        capture->errors[i] = weir_capture_error(capture, capture->kept[i].point);
    TRY(weir_store_commit(capture->store));
    capture->committed = true;
    return WEIR_OK;
}

double weir_capture_error(const weir_capture *capture, int point)
{
    return capture && capture->drift && weir_point_at(point) ? weir_drift_of(capture->drift, point) : NAN;
}

bool weir_capture_not_finite(const weir_capture *capture, weir_not_finite *out)
{
    return capture && out && weir_store_odd(capture->store, out);
}

uint64_t weir_capture_saturated(const weir_capture *capture)
{
    return capture ? weir_store_saturated(capture->store) : 0;
}

static void close_kept(struct kept *kept, size_t layers)
{
    for (size_t i = 0; kept->units && i <= layers; i++)
        weir_free(kept->units[i]);
    weir_free(kept->layers);
    weir_free(kept->units);
    weir_free(kept->n_units);
    weir_free(kept->units_text);
}

static void close_capture(void *what)
{
    struct weir_capture *capture = what;
    if (capture->run->capture == capture)
        capture->run->capture = NULL;
    weir_run_remove(capture->run, capture);
    weir_drift_close(capture->drift);
    weir_store_close(capture->store);
    for (size_t i = 0; capture->kept && i < capture->n_kept; i++)
        close_kept(&capture->kept[i], n_layers(capture));
    for (size_t i = 0; capture->rows && i < capture->n_prompts; i++)
        weir_free(capture->rows[i]);
    weir_free(capture->kept);
    weir_free(capture->rows);
    weir_free(capture->n_rows);
    weir_free(capture->marks);
    weir_free(capture->positions);
    weir_free(capture->store_prompts);
    weir_free(capture->store_points);
    weir_free(capture->errors);
    weir_free(capture->edits);
    weir_next_close(capture->next);
    weir_slices_close(&capture->shared);
    weir_selection_close(capture->selection);
    weir_run_release(capture->run);
    weir_free(capture);
}

void weir_capture_close(weir_capture *capture)
{
    if (!capture || capture->deferred.close || weir_run_is_forked(capture->run))
        return;
    capture->deferred = (struct weir_deferred){.close = close_capture, .what = capture};
    if (capture->run->running)
        weir_run_defer(capture->run, &capture->deferred, __func__);
    else
        close_capture(capture);
}
