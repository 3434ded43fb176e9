#include "engine/run.h"

#include "base/alloc.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BATCH_POSITIONS = 2048
}; /* packed prompts a pass: enough to keep the products busy, few enough to stay in memory */

/* ---- buffers in flight ---- */

weir_status weir_take(struct weir_run *run, weir_buffer **slot, size_t n)
{
    weir_drop(slot);
    return weir_buffer_take(slot, run->buffers, n);
}

weir_status weir_take_rows(struct weir_run *run, weir_buffer **slot, size_t width)
{
    return weir_take(run, slot, weir_total_pos(run) * width);
}

void weir_drop(weir_buffer **slot)
{
    weir_buffer_release(*slot);
    *slot = NULL;
}

weir_status weir_renew(struct weir_run *run, weir_buffer **slot, weir_buffer **old, size_t width)
{
    *old = *slot;
    if (!weir_buffer_is_shared(*slot)) {
        weir_buffer_retain(*old);
        return WEIR_OK;
    }
    *slot = NULL;
    weir_status status = weir_take_rows(run, slot, width);
    if (status != WEIR_OK)
        weir_drop(old);
    return status;
}

static void drop_all(struct weir_run *run)
{
    weir_buffer **slots[] = {&run->positions,
                             &run->stream,
                             &run->normed,
                             &run->norm_mean,
                             &run->norm_scale,
                             &run->norm_middle,
                             &run->q,
                             &run->k,
                             &run->v,
                             &run->scores,
                             &run->pattern,
                             &run->z,
                             &run->result,
                             &run->attn_out,
                             &run->mlp_pre,
                             &run->mlp_linear,
                             &run->mlp_post,
                             &run->router,
                             &run->expert_weights,
                             &run->expert_indices,
                             &run->mlp_out,
                             &run->logits,
                             &run->spare};
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
        weir_drop(slots[i]);
}

/* ---- opening ---- */

static weir_status reserve(struct weir_matrix *matrix, void *payload)
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

static void close_batch(struct weir_batch *batch)
{
    weir_free(batch->start);
    weir_free(batch->square_start);
    weir_free(batch->tiles);
    *batch = (struct weir_batch){0};
}

static void destroy(struct weir_run *run)
{
    drop_all(run);
    close_batch(&run->batch);
    weir_plan_close(&run->plan);
    weir_matmul_close(run->matmul);
    weir_pool_close(run->pool);
    weir_buffers_close(run->buffers);
    for (int kind = 0; kind < WEIR_MAX_ROPES; kind++) {
        weir_free(run->angles[kind].cosines);
        weir_free(run->angles[kind].sines);
    }
    weir_free(run->tile_scores);
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
        return weir_fail(WEIR_E_USAGE, "%s: the run was opened before this process was forked off: open one here",
                         function);
    if (run->running)
        return weir_fail(WEIR_E_USAGE, "%s: called in a hook of the run: call it when weir_run_forward is through",
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
        destroy(run);
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
}

static void end_pass(struct weir_run *run)
{
    run->running = false;
    run->misused = NULL;
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
        return weir_fail(WEIR_E_USAGE, "%s: access is %d, which is none of weir_access", function, (int)access);
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
    TRY_DONE(weir_scope_check_boxes(scope));
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

int weir_run_depth(const weir_run *run)
{
    return run ? weir_plan_depth(&run->plan) : 0;
}

/* ---- batches ---- */

/* How many prompts from the first on make a batch: as many as fit, at least one. */
static size_t batch_size(const struct weir_run *run, const weir_tokens *prompts, size_t n)
{
    size_t positions = 0, i = 0;
    while (i < n && (i == 0 || positions + prompts[i].n <= run->batch_positions))
        positions += prompts[i++].n;
    return i;
}

static weir_status measure(struct weir_batch *batch)
{
    TRY(weir_alloc(&batch->start, batch->n + 1, sizeof *batch->start));
    TRY(weir_alloc(&batch->square_start, batch->n + 1, sizeof *batch->square_start));
    batch->start[0] = batch->square_start[0] = 0;
    for (size_t i = 0; i < batch->n; i++) {
        size_t length = batch->prompts[i].n;
        batch->start[i + 1] = batch->start[i] + length;
        batch->square_start[i + 1] = batch->square_start[i] + length * length;
        if (length > batch->longest)
            batch->longest = length;
    }
    return WEIR_OK;
}

static int by_falling_work(const void *a, const void *b)
{
    const struct weir_tile *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? 1 : -1;
    if (x->prompt != y->prompt)
        return x->prompt < y->prompt ? -1 : 1;
    return x->head - y->head;
}

static weir_status cut_into_tiles(struct weir_batch *batch, int n_heads)
{
    size_t n = 0;
    for (size_t i = 0; i < batch->n; i++)
        n += (batch->prompts[i].n + WEIR_TILE - 1) / WEIR_TILE * (size_t)n_heads;
    TRY(weir_alloc(&batch->tiles, n, sizeof *batch->tiles));
    for (size_t i = 0; i < batch->n; i++)
        for (int head = 0; head < n_heads; head++)
            for (size_t first = 0; first < batch->prompts[i].n; first += WEIR_TILE)
                batch->tiles[batch->n_tiles++] = (struct weir_tile){(int)i, head, first};
    qsort(batch->tiles, batch->n_tiles, sizeof *batch->tiles, by_falling_work);
    return WEIR_OK;
}

/* Angles of n positions from row `first` on, in double before they are rounded: an angle may be large. */
static void fill_angles(struct weir_angles *angles, size_t first, size_t n, const double *inv_freq,
                        const struct weir_rope *rope)
{
    size_t half = (size_t)rope->n;
    bool beyond = rope->long_from > 0 && (double)n > rope->long_from && rope->long_factor > 0;
    double factor = beyond ? rope->long_factor : rope->factor;
    for (size_t pos = 0; pos < n; pos++)
        for (size_t i = 0; i < half; i++) {
            double angle = (double)pos * inv_freq[i];
            angles->cosines[(first + pos) * half + i] = (float)(cos(angle) * factor);
            angles->sines[(first + pos) * half + i] = (float)(sin(angle) * factor);
        }
}

static weir_status grow_angles(struct weir_angles *angles, size_t rows, size_t half)
{
    size_t n;
    if (rows <= angles->rows)
        return WEIR_OK;
    weir_free(angles->cosines);
    weir_free(angles->sines);
    *angles = (struct weir_angles){.by_prompt = angles->by_prompt};
    TRY(weir_mul(&n, rows, half));
    TRY(weir_alloc_aligned(&angles->cosines, n, sizeof *angles->cosines));
    TRY(weir_alloc_aligned(&angles->sines, n, sizeof *angles->sines));
    angles->rows = rows;
    return WEIR_OK;
}

static weir_status fill_by_prompt(struct weir_run *run, struct weir_angles *angles, const struct weir_rope *rope)
{
    for (size_t i = 0; i < run->batch.n; i++) {
        size_t length = run->batch.start[i + 1] - run->batch.start[i];
        const double *inv_freq;
        double *own;
        TRY(weir_rope_frequencies(&inv_freq, &own, rope, length));
        fill_angles(angles, run->batch.start[i], length, inv_freq, rope);
        weir_free(own);
    }
    return WEIR_OK;
}

static weir_status make_angles(struct weir_run *run, int kind)
{
    const struct weir_rope *rope = &run->model->ropes[kind];
    struct weir_angles *angles = &run->angles[kind];
    size_t longest = run->batch.longest, had = angles->rows;
    if (rope->n == 0)
        return WEIR_OK;
    angles->by_prompt = rope->long_from > 0;
    TRY(grow_angles(angles, angles->by_prompt ? weir_total_pos(run) : longest, (size_t)rope->n));
    if (angles->by_prompt)
        return fill_by_prompt(run, angles, rope);
    if (angles->rows > had)
        fill_angles(angles, 0, longest, rope->inv_freq, rope);
    return WEIR_OK;
}

static weir_status make_scratch(struct weir_run *run, size_t longest)
{
    size_t floats = WEIR_TILE * longest, all;
    if (floats <= run->tile_floats)
        return WEIR_OK;
    TRY(weir_mul(&all, floats, (size_t)weir_pool_size(run->pool)));
    weir_free(run->tile_scores);
    run->tile_floats = 0;
    TRY(weir_alloc_aligned(&run->tile_scores, all, sizeof *run->tile_scores));
    run->tile_floats = floats;
    return WEIR_OK;
}

static weir_status run_batch(struct weir_run *run, const weir_tokens *prompts, size_t n, int first_prompt)
{
    struct weir_batch *batch = &run->batch;
    close_batch(batch);
    batch->prompts = prompts;
    batch->n = n;
    batch->first_prompt = first_prompt;
    TRY(measure(batch));
    TRY(cut_into_tiles(batch, run->model->config.n_heads));
    for (int kind = 0; kind < WEIR_MAX_ROPES; kind++)
        TRY(make_angles(run, kind));
    TRY(make_scratch(run, batch->longest));
    TRY(weir_matmul_reserve_rows(run->matmul, weir_total_pos(run)));
    weir_status status = weir_forward(run);
    drop_all(run);
    return status;
}

/* ---- working copies of weights ---- */

/* Adds what a copy takes to *total. */
struct copies {
    struct weir_run *run;
    size_t total;
};

static weir_status count_copy(struct weir_matrix *matrix, void *payload)
{
    struct copies *copies = payload;
    size_t bytes;
    TRY(weir_matmul_copy_bytes(&bytes, copies->run->matmul, matrix));
    copies->total += bytes;
    return WEIR_OK;
}

static weir_status make_copy(struct weir_matrix *matrix, void *payload)
{
    struct weir_run *run = payload;
    struct weir_model *model = run->model;
    void *copy;
    size_t bytes;
    TRY(weir_matmul_copy_bytes(&bytes, run->matmul, matrix));
    if (bytes == 0)
        return WEIR_OK;
    TRY(weir_grow(&model->copies, &model->cap_copies, model->n_copies + 1, sizeof *model->copies));
    TRY(weir_alloc_aligned(&copy, bytes, 1));
    model->copies[model->n_copies++] = copy;
    weir_matmul_make_copy(run->matmul, matrix, copy);
    return WEIR_OK;
}

/* One pass converts weights piece by piece, which is faster than making a copy. From the second on a copy pays, if a
   quarter of the memory holds it (docs/performance.md). */
static weir_status keep_copies(struct weir_run *run)
{
    struct copies copies = {.run = run};
    size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    weir_status status = WEIR_OK;
    TRY(weir_model_each_matrix(run->model, count_copy, &copies));
    if (copies.total == 0 || copies.total > memory / 4)
        return WEIR_OK;
    pthread_mutex_lock(&run->model->lock);
    status = weir_model_each_matrix(run->model, make_copy, run);
    pthread_mutex_unlock(&run->model->lock);
    return status;
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
        char prompt[32];
        snprintf(prompt, sizeof prompt, "prompt %zu", i);
        TRY(weir_in(weir_model_check_ids(run->model, prompts[i].ids, prompts[i].n), prompt));
    }
    return WEIR_OK;
}

static weir_status forward(struct weir_run *run, const weir_tokens *prompts, size_t n)
{
    if (run->plan.last_layer < 0 && run->plan.last_point < 0)
        return WEIR_OK; /* nobody wants anything */
    for (size_t i = 0; i < run->plan.n_hooks; i++)
        TRY(weir_scope_find_rows(run->plan.hooks[i].scope, prompts, NULL, n));
    TRY(weir_model_each_matrix(run->model, reserve, run->matmul));
    if (run->n_passes > 0)
        TRY(keep_copies(run));
    for (size_t done = 0; done < n;) {
        size_t size = batch_size(run, prompts + done, n - done);
        run->lets_go = run->n_passes == 0 && done + size == n && !run->keeps_weights;
        TRY(run_batch(run, prompts + done, size, (int)done));
        TRY(weir_tensors_check_whole(run->model->tensors));
        done += size;
    }
    run->n_passes++;
    return WEIR_OK;
}

weir_status weir_run_forward(weir_run *run, const weir_tokens *prompts, size_t n)
{
    TRY_GIVEN(run);
    TRY(weir_run_usable(run, __func__));
    TRY(weir_run_check(run, prompts, n));
    begin_pass(run);
    weir_status status = forward(run, prompts, n);
    end_pass(run);
    return status;
}
