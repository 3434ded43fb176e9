/* The hook mechanism as the pass sees it: at each point, who wants its value is called once for each prompt. */
#include "base/sizes.h"
#include "engine/run.h"
#include "points/points.h"

#include <string.h>

/* The value of one prompt inside a batch's: its shape, and where it begins. */
static void describe_event(weir_event *event, const struct weir_run *run, size_t prompt, weir_buffer *value)
{
    const struct weir_batch *batch = &run->batch;
    bool has_keys = event->point->axes[event->n_axes - 1] == WEIR_AXIS_KEY;
    size_t begin = has_keys ? batch->pattern_start[prompt] : batch->start[prompt];
    for (int i = 0; i < event->n_axes; i++)
        if (event->axes[i] == WEIR_AXIS_KEY)
            event->shape[i] = weir_batch_keys(batch, prompt);
        else if (weir_axis_is_position(event->axes[i]))
            event->shape[i] = weir_batch_rows(batch, prompt);
        else
            begin *= event->shape[i];
    event->prompt = (int)batch->numbers[prompt];
    event->first = batch->past[prompt];
    event->buffer = value;
    event->data = value->data + begin;
    event->indices = event->point->id == WEIR_P_EXPERT_INDICES ? (int32_t *)(void *)event->data : NULL;
}

/* Floats of the whole batch's value. */
static size_t value_size(const struct weir_run *run, const weir_point *point)
{
    const struct weir_batch *batch = &run->batch;
    size_t shape[WEIR_MAX_AXES], n = 1;
    int n_axes = weir_model_shape(run->model, point->id, shape);
    for (int i = 0; i < n_axes; i++)
        n *= shape[i] ? shape[i] : 1;
    return n * (point->axes[n_axes - 1] == WEIR_AXIS_KEY ? batch->pattern_start[batch->n] : batch->start[batch->n]);
}

/* Editors write to the value: not while a capture of an earlier point holds the same memory. */
static weir_status make_private(struct weir_run *run, const weir_point *point, weir_buffer **value)
{
    weir_buffer *old = *value;
    size_t n = value_size(run, point);
    if (!weir_buffer_is_shared(old))
        return WEIR_OK;
    *value = NULL;
    weir_status status = weir_value_take(run, value, old->capacity); /* the slack behind its rows included */
    if (status == WEIR_OK)
        memcpy((*value)->data, old->data, n * sizeof(float));
    weir_buffer_release(old);
    return status;
}

/* The rows and units of a prompt of the batch that a hook's scope names; none of copies, which no scope knows. */
static struct weir_box named_box(const struct weir_run *run, const struct weir_call *call, size_t prompt)
{
    const struct weir_scope *scope = run->plan.hooks[call->hook].scope;
    size_t number = run->batch.numbers[prompt];
    return number < scope->n_prompts ? weir_scope_bound(scope, call->site, number) : (struct weir_box){0};
}

void weir_at_mark_edited(const struct weir_run *run, int point, int layer, uint8_t *marked, size_t n_units, int bit,
                         int own)
{
    size_t first, readers, last;
    weir_plan_calls(&run->plan, point, layer, &first, &readers, &last);
    for (size_t i = first; i < readers; i++)
        for (size_t prompt = 0; prompt < run->batch.n; prompt++) {
            const struct weir_box box = named_box(run, &run->plan.calls[i], prompt);
            for (size_t u = 0; box.rows.n > 0 && u < box.units.n; u++)
                marked[prompt * n_units + weir_some_at(&box.units, u)] |=
                    (uint8_t)(run->plan.hooks[run->plan.calls[i].hook].fn ? bit | own : bit);
        }
}

/* Marks what one call names of one prompt of the batch, of the rows that are still there. */
static void mark_call(const struct weir_run *run, const struct weir_call *call, size_t prompt, uint8_t *marked,
                      size_t n_units)
{
    const struct weir_box box = named_box(run, call, prompt);
    size_t n_rows = weir_min_size(box.rows.n, weir_batch_rows(&run->batch, prompt));
    for (size_t r = 0; r < n_rows; r++)
        for (size_t u = 0; u < box.units.n; u++) {
            size_t row = run->batch.start[prompt] + weir_some_at(&box.rows, r);
            marked[row * n_units + weir_some_at(&box.units, u)] = 1;
        }
}

void weir_at_mark_cells(const struct weir_run *run, int point, int layer, uint8_t *marked, size_t n_units,
                        bool by_query)
{
    size_t first, readers, last;
    weir_plan_calls(&run->plan, point, layer, &first, &readers, &last);
    for (size_t i = first; i < readers; i++) {
        const struct weir_call *call = &run->plan.calls[i];
        if (weir_scope_is_by_query(run->plan.hooks[call->hook].scope, call->site) != by_query)
            continue;
        for (size_t prompt = 0; prompt < run->batch.n; prompt++)
            mark_call(run, call, prompt, marked, n_units);
    }
}

/* True where calls first to last - 1 of the plan name anything in the batch. */
static bool any_called(const struct weir_run *run, size_t first, size_t last)
{
    for (size_t i = first; i < last; i++)
        for (size_t prompt = 0; prompt < run->batch.n; prompt++)
            if (named_box(run, &run->plan.calls[i], prompt).rows.n > 0)
                return true;
    return false;
}

static weir_event event_at(const struct weir_run *run, int point, int layer)
{
    weir_event event = {.point = weir_point_at(point), .layer = layer};
    event.axes = event.point->axes;
    event.n_axes = weir_model_shape(run->model, point, event.shape);
    return event;
}

weir_event weir_whole_event(const struct weir_whole *whole, size_t prompt)
{
    weir_event event = event_at(whole->run, whole->site->point, whole->site->layer);
    describe_event(&event, whole->run, prompt, whole->value);
    return event;
}

weir_event weir_whole_event_by_query(const struct weir_whole *whole, size_t prompt)
{
    weir_event event = event_at(whole->run, whole->site->point, whole->site->layer);
    event.shape[weir_point_unit_axis(event.point)] = (size_t)whole->run->model->config.n_heads;
    describe_event(&event, whole->run, prompt, whole->by_query);
    return event;
}

const int32_t *weir_whole_experts(const struct weir_whole *whole, size_t prompt)
{
    const struct weir_run *run = whole->run;
    const int32_t *all = (const int32_t *)(const void *)run->values.expert_indices->data;
    return all + run->batch.start[prompt] * (size_t)run->model->config.n_active;
}

/* What query heads read of the value of a point by key-value heads; NULL where that is the same. */
static weir_buffer *by_query_of(const struct weir_run *run, int point)
{
    switch (point) {
    case WEIR_P_K_INPUT:
    case WEIR_P_V_INPUT:
        return run->values.in_by_query;
    case WEIR_P_K:
    case WEIR_P_K_NORMED:
    case WEIR_P_ROT_K:
        return run->values.k_by_query;
    case WEIR_P_V:
        return run->values.v_by_query;
    default:
        return NULL;
    }
}

/* Calls a hook with what its scope names of a prompt's value; not where that is no row. */
static weir_status call_hook(struct weir_run *run, weir_event *event, const struct weir_call *call, size_t prompt)
{
    const struct weir_hook *hook = &run->plan.hooks[call->hook];
    const struct weir_box box = named_box(run, call, prompt);
    if (box.rows.n == 0)
        return WEIR_OK;
    event->rows = box.rows.list;
    event->n_rows = box.rows.n;
    event->units = box.units.list;
    event->n_units = box.units.n;
    TRY(hook->fn(event, hook->payload));
    if (run->misused)
        return weir_fail(WEIR_E_USAGE, "%s: called in a hook of the run: call it after weir_run_forward has returned",
                         run->misused);
    return WEIR_OK;
}

/* Calls first to last - 1 of the plan one after the other, each for all prompts: an editor may read what those before
   it have left in any of them. */
static weir_status call_each(struct weir_run *run, int point, int layer, weir_buffer *value, size_t first, size_t last)
{
    weir_event event = event_at(run, point, layer);
    for (size_t i = first; i < last; i++) {
        const struct weir_call *call = &run->plan.calls[i];
        const struct weir_hook *hook = &run->plan.hooks[call->hook];
        if (hook->whole)
            TRY(hook->whole(&(struct weir_whole){run, call->site, value, by_query_of(run, point), false},
                            hook->payload));
        for (size_t prompt = 0; hook->fn && prompt < run->batch.n; prompt++) {
            describe_event(&event, run, prompt, value);
            TRY(call_hook(run, &event, call, prompt));
        }
    }
    return WEIR_OK;
}

/* Edits come again; a program's hook is called once, with the value that all other heads read. */
static weir_status edit_again(struct weir_run *run, int point, int layer, weir_buffer *value, size_t first, size_t last)
{
    if (weir_plan_edits_by_hook(&run->plan, point, layer))
        return weir_fail(WEIR_E_USAGE,
                         "a hook edits %s in layer %d, which would not reach heads that read edited copies of the "
                         "stream: write it as an edit, or edit no input of single heads there",
                         weir_point_at(point)->name, layer);
    for (size_t i = first; i < last; i++) {
        const struct weir_call *call = &run->plan.calls[i];
        const struct weir_hook *hook = &run->plan.hooks[call->hook];
        const struct weir_whole whole = {.run = run, .site = call->site, .value = value, .again = true};
        TRY(hook->whole(&whole, hook->payload));
    }
    return WEIR_OK;
}

weir_status weir_at(struct weir_run *run, int point, int layer, weir_buffer **value)
{
    size_t first, readers, last;
    if (!weir_plan_wants(&run->plan, point, layer))
        return WEIR_OK;
    weir_plan_calls(&run->plan, point, layer, &first, &readers, &last);
    if (run->norms_copies)
        return edit_again(run, point, layer, *value, first, readers);
    if (any_called(run, first, readers))
        TRY(make_private(run, weir_point_at(point), value));
    TRY(call_each(run, point, layer, *value, first, readers));
    return call_each(run, point, layer, *value, readers, last);
}
