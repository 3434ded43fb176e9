/* The hook that stores what it sees: it hands each value that its scope names to the store, which keeps the engine's
   own buffer until it is written. */
#include "hooks/capture.h"

#include "base/alloc.h"
#include "engine/run.h"
#include "hooks/drift.h"
#include "hooks/edit.h"
#include "hooks/next.h"
#include "points/text.h"
#include "store/layout.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LOSS, NEXT, N_TABLES }; /* the tables of the store, the second only where likely tokens are wanted */

/* What is kept of one point. */
struct kept {
    const struct weir_site *sites; /* [n_sites] of the point, by layer */
    size_t n_sites;
    struct weir_some *site_units; /* [n_sites] that are kept of each, in any prompt */
    bool *layers;                 /* [n_layers] that are kept; none of a point outside the blocks */
    char *units;                  /* "5.3+7.2"; NULL: all */
};

struct weir_capture {
    struct weir_run *run;
    struct weir_deferred deferred; /* its close, if a hook asks for that */
    bool committed;
    struct weir_scope *scope;   /* what is kept */
    const weir_tokens *prompts; /* [n_prompts] not owned */
    size_t n_prompts, longest;
    struct weir_some *rows; /* [n_prompts] that any point has, each a list */
    struct kept *kept;      /* [n_kept] in the order of the points */
    size_t n_kept;
    size_t index_of[WEIR_N_POINTS];          /* into kept */
    struct weir_store_prompt *store_prompts; /* [n_prompts] */
    size_t *pass;                            /* [n_prompts] of the run's n_begun, in which each ran; 0: in none */
    struct weir_store_point *store_points;   /* [n_kept] */
    struct weir_planned_table tables[N_TABLES];
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

/* ---- rows ---- */

/* The rows of a prompt that the file has: those of any site. Only where the selection chooses prompts may there be
 * none.
 */
static weir_status list_rows(struct weir_capture *capture, bool *marked, size_t prompt)
{
    size_t length = capture->prompts[prompt].n;
    struct weir_some *rows = &capture->rows[prompt];
    memset(marked, 0, length * sizeof *marked);
    weir_scope_mark_rows(capture->scope, prompt, marked);
    TRY(weir_alloc(&rows->list, length, sizeof *rows->list));
    for (size_t i = 0; i < length; i++)
        if (marked[i])
            rows->list[rows->n++] = (int32_t)i;
    return rows->n > 0 || weir_scope_has_prompts(capture->scope)
               ? WEIR_OK
               : weir_fail(WEIR_E_USAGE, "no position of prompt %zu (%zu tokens) is selected", prompt, length);
}

static weir_status find_rows(struct weir_capture *capture)
{
    bool *marked;
    TRY(weir_scope_find_rows(capture->scope, capture->prompts, NULL, capture->n_prompts));
    TRY(weir_scope_check_taken(capture->scope));
    TRY(weir_alloc_zero(&capture->rows, capture->n_prompts, sizeof *capture->rows));
    TRY(weir_alloc(&marked, capture->longest, sizeof *marked));
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < capture->n_prompts && status == WEIR_OK; i++)
        status = list_rows(capture, marked, i);
    weir_free(marked);
    return status;
}

/* ---- points ---- */

/* "5.3+7.2": layer and unit of all that is kept where not all units of a layer are. */
static weir_status write_units(struct kept *kept)
{
    struct weir_text text = {0};
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < kept->n_sites && status == WEIR_OK; i++) {
        const struct weir_some *units = &kept->site_units[i];
        for (size_t u = 0; units->list && u < units->n && status == WEIR_OK; u++)
            status = weir_text_add_unit(&text, kept->sites[i].layer, units->list[u]);
    }
    kept->units = text.data;
    return status;
}

/* A value is stored as rows by units, and of each layer the same units in all prompts. */
static weir_status list_site_units(struct weir_some *out, const struct weir_capture *capture,
                                   const struct weir_site *site)
{
    size_t n = capture->scope->groups[site->group].n_units;
    bool *marked;
    TRY(weir_alloc_zero(&marked, n, sizeof *marked));
    weir_scope_mark_units(capture->scope, site, marked);
    weir_status status = weir_some_marked(out, marked, n);
    weir_free(marked);
    return status;
}

static weir_status keep_point(struct weir_capture *capture, const struct weir_site *sites, size_t n_sites)
{
    capture->index_of[sites->point] = capture->n_kept;
    struct kept *kept = &capture->kept[capture->n_kept++];
    *kept = (struct kept){.sites = sites, .n_sites = n_sites};
    TRY(weir_alloc_zero(&kept->layers, n_layers(capture), sizeof *kept->layers));
    TRY(weir_alloc_zero(&kept->site_units, n_sites, sizeof *kept->site_units));
    for (size_t i = 0; i < n_sites; i++) {
        TRY(list_site_units(&kept->site_units[i], capture, &sites[i]));
        if (sites[i].layer >= 0)
            kept->layers[sites[i].layer] = true;
    }
    return write_units(kept);
}

static weir_status keep_points(struct weir_capture *capture)
{
    const struct weir_site *sites = capture->scope->sites;
    size_t n = capture->scope->n_sites;
    TRY(weir_alloc_zero(&capture->kept, WEIR_N_POINTS, sizeof *capture->kept));
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && sites[end].point == sites[first].point;)
            end++;
        TRY(keep_point(capture, &sites[first], end - first));
    }
    return WEIR_OK;
}

/* ---- the store's view ---- */

/* True where all units of every site and every row of the file are kept. */
static bool is_whole(const struct weir_capture *capture, const struct kept *kept)
{
    for (size_t prompt = 0; !kept->units && prompt < capture->n_prompts; prompt++)
        for (size_t i = 0; i < kept->n_sites; i++)
            if (weir_scope_rows(capture->scope, &kept->sites[i], prompt).n != capture->rows[prompt].n)
                return false;
    return !kept->units;
}

static void describe_point(const struct weir_capture *capture, struct weir_store_point *out, const struct kept *kept)
{
    int point = kept->sites->point;
    *out = (struct weir_store_point){.point = weir_point_at(point), .units = kept->units};
    out->sinks = point == WEIR_P_PATTERN && capture->run->model->config.sinks;
    out->layers = out->point->per_layer ? kept->layers : NULL;
    for (size_t i = 0; i < kept->n_sites; i++)
        if (kept->site_units[i].list && kept->site_units[i].n > out->n_units)
            out->n_units = kept->site_units[i].n;
    weir_model_shape(capture->run->model, point, out->shape);
    out->whole = is_whole(capture, kept);
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

/* Appends "resid_pre:1,pattern:0+2": where a program's own hooks that edit are registered by now. */
static weir_status write_edited_points(struct weir_text *text, const struct weir_capture *capture)
{
    weir_status status = WEIR_OK;
    bool *layers;
    TRY(weir_alloc(&layers, n_layers(capture), sizeof *layers));
    for (int point = 0; point < WEIR_N_POINTS && status == WEIR_OK; point++) {
        bool any = weir_plan_edits_by_hook(&capture->run->plan, point, -1);
        for (size_t layer = 0; layer < n_layers(capture); layer++)
            any |= layers[layer] = weir_plan_edits_by_hook(&capture->run->plan, point, (int)layer);
        if (any)
            status = weir_text_add_term(text, weir_point_at(point), weir_point_at(point)->per_layer ? layers : NULL,
                                        n_layers(capture));
    }
    weir_free(layers);
    return status;
}

/* A list in JSON: the edits, then {"hook": POINTS} for what a program's own hooks may change. NULL where nothing is. */
static weir_status write_edits(struct weir_capture *capture)
{
    struct weir_text text = {0}, points = {0};
    weir_status status;
    TRY_DONE(weir_text_print(&text, "["));
    TRY_DONE(weir_edits_to_json(&text, capture->run));
    TRY_DONE(write_edited_points(&points, capture));
    if (points.n > 0)
        TRY_DONE(weir_text_print(&text, "%s{\"hook\": \"%s\"}", text.n > 1 ? ", " : "", points.data));
    if (text.n > 1) {
        TRY_DONE(weir_text_print(&text, "]"));
        capture->edits = text.data;
        text.data = NULL;
    }
done:
    weir_free(text.data);
    weir_text_close(&points);
    return status;
}

static void find_largest(struct weir_capture *capture)
{
    for (size_t i = 0; i < capture->n_kept; i++) {
        uint64_t bytes = weir_store_point_size(&capture->spec, i);
        if (bytes <= capture->size.largest_bytes)
            continue;
        capture->size.largest = capture->kept[i].sites->point;
        capture->size.largest_bytes = bytes;
    }
}

static weir_status describe_capture(struct weir_capture *capture, const weir_capture_options *options)
{
    bool has_text = false;
    TRY(write_edits(capture));
    TRY(weir_alloc_zero(&capture->store_prompts, capture->n_prompts, sizeof *capture->store_prompts));
    TRY(weir_alloc_zero(&capture->pass, capture->n_prompts, sizeof *capture->pass));
    TRY(weir_alloc_zero(&capture->store_points, capture->n_kept, sizeof *capture->store_points));
    TRY(weir_alloc_zero(&capture->errors, capture->n_kept, sizeof *capture->errors));
    for (size_t i = 0; i < capture->n_prompts; i++) {
        const weir_tokens *prompt = &capture->prompts[i];
        capture->store_prompts[i] = (struct weir_store_prompt){.ids = prompt->ids,
                                                               .n = prompt->n,
                                                               .text = prompt->text,
                                                               .n_text = prompt->n_text,
                                                               .fields = prompt->fields,
                                                               .positions = capture->rows[i].list,
                                                               .n_rows = capture->rows[i].n};
        has_text = has_text || prompt->text;
        capture->size.n_positions =
            capture->rows[i].n > capture->size.n_positions ? capture->rows[i].n : capture->size.n_positions;
    }
    for (size_t i = 0; i < capture->n_kept; i++)
        describe_point(capture, &capture->store_points[i], &capture->kept[i]);
    capture->tables[LOSS] = (struct weir_planned_table){weir_table_at(WEIR_TABLE_LOSS), 1};
    capture->tables[NEXT] = (struct weir_planned_table){weir_table_at(WEIR_TABLE_NEXT), (size_t)options->next};
    capture->spec = (struct weir_store_spec){
        .model = weir_model_get_info(capture->run->model),
        .command = options->command,
        .edits = capture->edits,
        .prompts = capture->store_prompts,
        .n_prompts = capture->n_prompts,
        .points = capture->store_points,
        .n_points = capture->n_kept,
        .tables = capture->tables,
        .n_tables = capture->next ? NEXT + (options->next > 0) : 0,
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

/* Refuses a prompt other than those that the file was made for: its rows, sizes and tokens come from them. Marks the
   prompt as run. */
static weir_status take_prompt(struct weir_capture *capture, size_t prompt)
{
    const weir_tokens *runs = &capture->run->schedule.prompts[prompt];
    if (prompt < capture->n_prompts && runs->n == capture->prompts[prompt].n &&
        memcmp(runs->ids, capture->prompts[prompt].ids, runs->n * sizeof *runs->ids) == 0) {
        capture->pass[prompt] = capture->run->n_begun;
        return WEIR_OK;
    }
    return weir_fail(WEIR_E_USAGE, "prompt %zu of the run is not one that the capture was opened for", prompt);
}

/* The units that are kept of a layer: those of the event are one prompt's. */
static const struct weir_some *kept_units(const struct weir_capture *capture, const weir_event *event)
{
    const struct kept *kept = &capture->kept[capture->index_of[event->point->id]];
    size_t i = 0;
    while (kept->sites[i].layer != event->layer)
        i++;
    return &kept->site_units[i];
}

static weir_status store_value(const weir_event *event, void *payload)
{
    struct weir_capture *capture = payload;
    const struct weir_some *units = kept_units(capture, event);
    bool softmaxed =
        event->point->id == WEIR_P_PATTERN && !weir_plan_edits(&capture->run->plan, WEIR_P_PATTERN, event->layer);
    TRY(take_prompt(capture, (size_t)event->prompt));
    return weir_store_put(capture->store, &(struct weir_store_value){.point = capture->index_of[event->point->id],
                                                                     .layer = event->layer,
                                                                     .prompt = event->prompt,
                                                                     .data = event->data,
                                                                     .buffer = event->buffer,
                                                                     .positions = event->rows,
                                                                     .n_rows = event->rows ? event->n_rows : 0,
                                                                     .units = units->list,
                                                                     .n_units = units->list ? units->n : 0,
                                                                     .softmaxed = softmaxed});
}

static weir_status store_next(const weir_event *event, void *payload)
{
    struct weir_capture *capture = payload;
    size_t prompt = (size_t)event->prompt;
    struct weir_next *next = capture->next;
    TRY(take_prompt(capture, prompt));
    TRY(weir_next_compute(next, capture->run->pool, event->data, event->shape[1], &capture->prompts[prompt],
                          capture->rows[prompt].list, capture->rows[prompt].n));
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

static weir_status register_hooks(struct weir_capture *capture, const weir_capture_options *options)
{
    weir_run *run = capture->run;
    if (is_compared(capture, options))
        TRY(weir_drift_open(&capture->drift, run, capture->scope, &capture->prompts[0], (size_t)options->compare));
    TRY(weir_plan_add(&run->plan, capture->scope, WEIR_READ, store_value, capture));
    return capture->next ? weir_run_hook_at(run, WEIR_P_LOGITS, -1, WEIR_READ, store_next, capture) : WEIR_OK;
}

/* ---- open, commit, close ---- */

static weir_status check_options(const weir_capture_options *options, const struct weir_model *model)
{
    static const weir_dtype dtypes[] = {WEIR_F32, WEIR_F16, WEIR_BF16};
    const char *why;
    if ((unsigned)options->dtype >= sizeof dtypes / sizeof *dtypes)
        return weir_fail(WEIR_E_USAGE, "dtype is %d, which is not a weir_dtype", (int)options->dtype);
    if (options->compare < 0)
        return weir_fail(WEIR_E_USAGE, "compare is %d: give how many positions, or 0", options->compare);
    if (options->next > 0 && !weir_model_has_point(model, WEIR_P_LOGITS, -1, &why))
        return weir_fail(WEIR_E_UNSUPPORTED, "this model has no most likely next tokens: %s", why);
    if (options->next < 0 || options->next > model->config.n_outputs)
        return weir_fail(WEIR_E_USAGE, "%d most likely tokens: the vocabulary has %d", options->next,
                         model->config.n_outputs);
    return WEIR_OK;
}

static weir_status prepare_capture(struct weir_capture *capture, const weir_capture_options *options)
{
    TRY(check_options(options, capture->run->model));
    TRY(weir_scope_open(&capture->scope, capture->run->model, options->hooks, options->positions));
    TRY(weir_scope_take_rows(capture->scope, "a file stores"));
    TRY(weir_run_check(capture->run, capture->prompts, capture->n_prompts));
    for (size_t i = 0; i < capture->n_prompts; i++)
        capture->longest = capture->prompts[i].n > capture->longest ? capture->prompts[i].n : capture->longest;
    TRY(find_rows(capture));
    TRY(keep_points(capture));
    if (options->next > 0 || weir_scope_site(capture->scope, WEIR_P_LOGITS, -1))
        TRY(weir_next_open(&capture->next, (size_t)options->next, capture->longest));
    return describe_capture(capture, options);
}

weir_status weir_capture_open(weir_capture **out, weir_run *run, const char *path, const weir_tokens *prompts, size_t n,
                              const weir_capture_options *options)
{
    return weir_capture_open_with(out, run, path, prompts, n, options, NULL, 0);
}

weir_status weir_capture_open_with(weir_capture **out, weir_run *run, const char *path, const weir_tokens *prompts,
                                   size_t n, const weir_capture_options *options, const struct weir_store_grid *grids,
                                   size_t n_grids)
{
    static const weir_capture_options defaults;
    struct weir_capture *capture = NULL;
    weir_status status;
    TRY_GIVEN(out);
    *out = NULL;
    TRY_GIVEN(run);
    TRY_GIVEN(path);
    TRY(weir_run_usable(run, __func__));
    if (run->capture)
        return weir_fail(WEIR_E_USAGE, "weir_capture_open: the run already has a capture: close that first");
    options = options ? options : &defaults;
    TRY_DONE(weir_alloc_zero(&capture, 1, sizeof *capture));
    capture->run = run;
    weir_run_hold(run);
    capture->prompts = prompts;
    capture->n_prompts = n;
    TRY_DONE(prepare_capture(capture, options));
    capture->spec.grids = grids;
    capture->spec.n_grids = n_grids;
    TRY_DONE(weir_store_create(&capture->store, path, &capture->spec));
    TRY_DONE(register_hooks(capture, options));
    run->capture = capture;
    *out = capture;
    capture = NULL;
done:
    weir_capture_close(capture);
    return status;
}

const weir_capture_size *weir_capture_get_size(const weir_capture *capture)
{
    return capture ? &capture->size : NULL;
}

/* A file of prompts that never ran, or only in part, would say that what is missing was not wanted. */
static weir_status all_have_run(const struct weir_capture *capture)
{
    for (size_t i = 0; i < capture->n_prompts; i++) {
        if (capture->rows[i].n == 0 && !capture->next) /* no hook was called for it */
            continue;
        if (capture->pass[i] == 0)
            return weir_fail(WEIR_E_USAGE,
                             "weir_capture_commit: prompt %zu has not run; call weir_run_forward with the prompts that "
                             "the capture was opened for",
                             i);
        if (capture->pass[i] != capture->run->last_done)
            return weir_fail(WEIR_E_USAGE,
                             "weir_capture_commit: weir_run_forward failed while prompt %zu ran; run all prompts again",
                             i);
    }
    return WEIR_OK;
}

weir_status weir_capture_commit(weir_capture *capture)
{
    TRY_GIVEN(capture);
    TRY(weir_run_usable(capture->run, __func__));
    if (capture->committed)
        return weir_fail(WEIR_E_USAGE, "weir_capture_commit: the capture is committed already");
    TRY(all_have_run(capture));
    for (size_t i = 0; i < capture->n_kept; i++)
        capture->errors[i] = weir_capture_error(capture, capture->kept[i].sites->point);
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

static void close_capture(void *what)
{
    struct weir_capture *capture = what;
    if (capture->run->capture == capture)
        capture->run->capture = NULL;
    weir_run_unhook(capture->run, store_value, capture);
    weir_run_unhook(capture->run, store_next, capture);
    weir_drift_close(capture->drift);
    weir_store_close(capture->store);
    for (size_t i = 0; i < capture->n_kept; i++) {
        weir_free(capture->kept[i].layers);
        for (size_t j = 0; capture->kept[i].site_units && j < capture->kept[i].n_sites; j++)
            weir_some_close(&capture->kept[i].site_units[j]);
        weir_free(capture->kept[i].site_units);
        weir_free(capture->kept[i].units);
    }
    for (size_t i = 0; capture->rows && i < capture->n_prompts; i++)
        weir_free(capture->rows[i].list);
    weir_free(capture->kept);
    weir_free(capture->rows);
    weir_free(capture->store_prompts);
    weir_free(capture->pass);
    weir_free(capture->store_points);
    weir_free(capture->errors);
    weir_free(capture->edits);
    weir_next_close(capture->next);
    weir_scope_close(capture->scope);
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
