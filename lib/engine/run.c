/* Runs: opening and closing, hooks, and the passes of weir_run_forward. */
#include "engine/run.h"

#include "base/alloc.h"
#include "engine/start.h"
#include "points/sides.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum {
    BATCH_POSITIONS = 2048
}; /* packed prompts a pass: enough to keep the products busy, few enough to stay in memory */

/* ---- opening ---- */

static weir_status reserve_matrix(struct weir_matrix *matrix, void *payload)
{
    return weir_matmul_reserve(payload, matrix);
}

weir_status weir_run_open(weir_run **out, weir_model *model, const weir_run_options *options)
{
    struct weir_run *run = NULL;
    weir_status status;
    TRY_GIVEN(out);
    *out = NULL;
    TRY_GIVEN(model);
    if (model->tokenizer_only)
        return weir_fail(WEIR_E_USAGE, "%s: only its tokenizer is open (tokenizer_only), which cannot be run",
                         model->path);
    TRY_DONE(weir_alloc_zero(&run, 1, sizeof *run));
    run->model = model;
    run->process = getpid();
    run->holders = 1;
    weir_model_hold(model);
    run->batch_positions = options && options->batch_positions ? options->batch_positions : BATCH_POSITIONS;
    TRY_DONE(weir_plan_open(&run->plan, model->config.n_layers));
    TRY_DONE(weir_buffers_open(&run->buffers));
    TRY_DONE(weir_pool_open(&run->pool, model->n_threads));
    TRY_DONE(weir_matmul_open(&run->matmul, run->pool, options ? options->compute : WEIR_COMPUTE_F32));
    *out = run;
    run = NULL;
done:
    weir_run_close(run);
    return status;
}

static void destroy_run(struct weir_run *run)
{
    for (size_t i = 0; i < run->n_companions; i++)
        run->companions[i].close(run->companions[i].payload);
    weir_free(run->companions);
    weir_values_drop(run);
    weir_batch_close(run);
    weir_plan_close(&run->plan);
    weir_matmul_close(run->matmul);
    weir_pool_close(run->pool);
    weir_buffers_close(run->buffers);
    weir_model_release(run->model);
    weir_free(run);
}

/* ---- who may use it, and when it goes ---- */

bool weir_run_is_forked(const struct weir_run *run)
{
    return run->process != getpid();
}

weir_status weir_run_usable(const struct weir_run *run, const char *function)
{
    if (weir_run_is_forked(run))
        return weir_fail(WEIR_E_USAGE, "%s: the run was opened before this process was forked: open one here",
                         function);
    if (run->running)
        return weir_fail(WEIR_E_USAGE, "%s: called in a hook of the run: call it after weir_run_forward has returned",
                         function);
    return WEIR_OK;
}

void weir_run_hold(struct weir_run *run)
{
    run->holders++;
}

void weir_run_release(struct weir_run *run)
{
    if (--run->holders == 0)
        destroy_run(run);
}

void weir_run_defer(struct weir_run *run, struct weir_deferred *deferred, const char *function)
{
    run->misused = function;
    deferred->next = run->at_end;
    run->at_end = deferred;
}

static void begin_pass(struct weir_run *run)
{
    weir_run_hold(run);
    run->running = true;
    run->n_begun++;
}

static void end_pass(struct weir_run *run)
{
    run->running = false;
    run->misused = NULL;
    for (size_t i = 0; i < run->n_companions; i++)
        if (run->companions[i].finish)
            run->companions[i].finish(run->companions[i].payload);
    weir_schedule_close(&run->schedule);
    while (run->at_end) {
        struct weir_deferred *deferred = run->at_end;
        run->at_end = deferred->next;
        deferred->close(deferred->what);
    }
    weir_run_release(run);
}

void weir_run_close(weir_run *run)
{
    if (!run || run->closed || weir_run_is_forked(run))
        return;
    run->closed = true;
    if (run->running)
        run->misused = __func__;
    weir_run_release(run);
}

/* ---- hooks ---- */

static weir_status check_hook(const struct weir_run *run, weir_access access, const char *function)
{
    if (access != WEIR_READ && access != WEIR_EDIT)
        return weir_fail(WEIR_E_USAGE, "%s: access is %d, which is not a weir_access", function, (int)access);
    return weir_run_usable(run, function);
}

weir_status weir_run_hook(weir_run *run, const char *selection, weir_access access, weir_hook_fn *hook, void *payload)
{
    struct weir_scope *scope = NULL;
    weir_status status;
    TRY_GIVEN(run);
    TRY_GIVEN(selection);
    TRY_GIVEN(hook);
    TRY(check_hook(run, access, __func__));
    TRY_DONE(weir_scope_open(&scope, run->model, selection, NULL));
    TRY_DONE(weir_scope_take_boxes(scope, "a hook gets"));
    TRY_DONE(weir_plan_add(&run->plan, scope, access, hook, payload));
done:
    weir_scope_close(scope);
    return status;
}

weir_status weir_run_hook_at(weir_run *run, int point, int layer, weir_access access, weir_hook_fn *hook, void *payload)
{
    struct weir_scope *scope;
    TRY_GIVEN(run);
    TRY_GIVEN(hook);
    TRY(check_hook(run, access, __func__));
    TRY(weir_scope_open_at(&scope, run->model, point, layer));
    weir_status status = weir_plan_add(&run->plan, scope, access, hook, payload);
    weir_scope_close(scope);
    return status;
}

void weir_run_unhook(weir_run *run, weir_hook_fn *hook, void *payload)
{
    if (!run || weir_run_is_forked(run))
        return;
    if (run->running)
        run->misused = __func__;
    else
        weir_plan_remove(&run->plan, hook, payload);
}

size_t weir_run_past(const struct weir_run *run, size_t prompt)
{
    return run->from && run->from->past ? run->from->past[prompt] : 0;
}

weir_status weir_run_accompany(struct weir_run *run, const struct weir_companion *companion)
{
    TRY(weir_grow(&run->companions, &run->cap_companions, run->n_companions + 1, sizeof *run->companions));
    run->companions[run->n_companions++] = *companion;
    return WEIR_OK;
}

int weir_run_depth(const weir_run *run)
{
    return run ? weir_plan_depth(&run->plan) : 0;
}

/* ---- running ---- */

weir_status weir_run_check(const struct weir_run *run, const weir_tokens *prompts, size_t n)
{
    size_t context = (size_t)run->model->info.n_context;
    if (n == 0)
        return weir_fail(WEIR_E_USAGE, "there is no prompt to run");
    if (n > INT_MAX)
        return weir_fail(WEIR_E_USAGE, "%zu prompts: a run takes up to %d", n, INT_MAX);
    if (!prompts)
        return weir_fail(WEIR_E_USAGE, "%zu prompts, and prompts is NULL", n);
    for (size_t i = 0; i < n; i++) {
        if (prompts[i].n == 0)
            return weir_fail(WEIR_E_USAGE, "prompt %zu has no tokens", i);
        if (!prompts[i].ids)
            return weir_fail(WEIR_E_USAGE, "prompt %zu: ids is NULL", i);
        if (prompts[i].n > context)
            return weir_fail(WEIR_E_USAGE, "prompt %zu has %zu tokens, the model's context is %zu: shorten it", i,
                             prompts[i].n, context);
        TRY(weir_in_prompt(weir_model_check_ids(run->model, prompts[i].ids, prompts[i].n), i));
    }
    return WEIR_OK;
}

static weir_status run_batch(struct weir_run *run, const size_t *numbers, size_t n)
{
    TRY(weir_batch_begin(run, run->schedule.prompts, numbers, n));
    weir_status status = weir_forward(run);
    weir_values_drop(run);
    return status;
}

/* Which prompts run, and in which order: as they were given, unless something that goes with the run needs another. */
static weir_status schedule_prompts(struct weir_run *run)
{
    const struct weir_need *cycle;
    for (size_t i = 0; i < run->n_companions; i++)
        if (run->companions[i].prepare)
            TRY(run->companions[i].prepare(run, run->companions[i].payload));
    TRY(weir_schedule_settle(&run->schedule, run->batch_positions, &cycle));
    for (size_t i = 0; cycle && i < run->n_companions; i++)
        if (run->companions[i].explain)
            TRY(run->companions[i].explain(cycle, run->companions[i].payload));
    return WEIR_OK;
}

static weir_status complete_companions(struct weir_run *run)
{
    for (size_t i = 0; i < run->n_companions; i++)
        if (run->companions[i].complete)
            TRY(run->companions[i].complete(run->companions[i].payload));
    return WEIR_OK;
}

static weir_status run_batches(struct weir_run *run)
{
    const struct weir_schedule *schedule = &run->schedule;
    for (size_t i = 0, done = 0; i < schedule->n_batches; done = schedule->ends[i++]) {
        bool is_last = i + 1 == schedule->n_batches;
        run->frees_weights = run->n_passes == 0 && is_last && !run->keeps_weights && !run->from;
        TRY(run_batch(run, schedule->order + done, schedule->ends[i] - done));
        TRY(weir_tensors_check_whole(run->model->tensors));
    }
    return WEIR_OK;
}

static weir_status run_prompts(struct weir_run *run, const weir_tokens *prompts, size_t n)
{
    if (run->plan.last_layer < 0 && run->plan.last_point < 0)
        return WEIR_OK; /* nobody wants anything */
    const struct weir_start begin = run->from ? *run->from : (struct weir_start){0};
    for (size_t i = 0; i < run->plan.n_hooks; i++)
        TRY(weir_scope_find_rows_of(run->plan.hooks[i].scope, prompts, begin.past, begin.whole, n));
    TRY(weir_schedule_open(&run->schedule, prompts, n));
    TRY(schedule_prompts(run));
    TRY(weir_model_each_matrix(run->model, reserve_matrix, run->matmul));
    if (run->n_passes > 0)
        TRY(weir_run_keep_copies(run));
    TRY(run_batches(run));
    run->n_passes++;
    return complete_companions(run);
}

static weir_status run_pass(struct weir_run *run, const weir_tokens *prompts, size_t n, const struct weir_start *from)
{
    begin_pass(run);
    run->from = from;
    weir_status status = run_prompts(run, prompts, n);
    run->from = NULL;
    if (status == WEIR_OK)
        run->last_done = run->n_begun;
    end_pass(run);
    return status;
}

weir_status weir_run_forward(weir_run *run, const weir_tokens *prompts, size_t n)
{
    TRY_GIVEN(run);
    TRY(weir_run_usable(run, __func__));
    TRY(weir_run_check(run, prompts, n));
    return run_pass(run, prompts, n, NULL);
}

weir_status weir_run_forward_from(struct weir_run *run, const weir_tokens *prompts, size_t n,
                                  const struct weir_start *from)
{
    TRY(weir_run_usable(run, __func__));
    for (size_t i = 0; i < n; i++)
        TRY(weir_start_check(run, &prompts[i], from, i));
    return run_pass(run, prompts, n, from);
}
