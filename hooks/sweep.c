/* Sweeps: many variants of a few prompts, each with one value of another prompt in place of its own. A variant begins
   in the layer and at the position where it first differs, with what a pass over the whole prompts has kept; those that
   begin in one layer run side by side. The run's metrics are measured of each. */
#include "base/alloc.h"
#include "base/sizes.h"
#include "engine/start.h"
#include "hooks/edit.h"
#include "hooks/metric_sweep.h"
#include "points/points.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* ---- what is asked ---- */

static weir_status check_index(const char *what, int index, size_t n)
{
    if (index >= 0 && (size_t)index < n)
        return WEIR_OK;
    return weir_fail(WEIR_E_USAGE, "its %s is %d, and there are %zu", what, index, n);
}

/* -1 stands for all. */
static weir_status check_choice(const char *what, int index, bool has, size_t n)
{
    if (index == -1)
        return WEIR_OK;
    if (!has)
        return weir_fail(WEIR_E_USAGE, "its point has no %s to choose from: give -1", what);
    return check_index(what, index, n);
}

/* A value that another can take the place of: its axes, and where they are. */
struct slots {
    size_t shape[WEIR_MAX_AXES]; /* those beyond the point's are 1 */
    int row, unit, key;          /* indices into shape; -1: there is none */
};

static struct slots slots_of(const struct weir_model *model, int point)
{
    struct slots s = {.shape = {1, 1, 1}, .key = -1};
    const weir_point *p = weir_point_at(point);
    int n_axes = weir_model_shape(model, point, s.shape);
    s.row = weir_point_row_axis(p);
    s.unit = weir_point_unit_axis(p);
    if (p->axes[n_axes - 1] == WEIR_AXIS_KEY)
        s.key = n_axes - 1;
    return s;
}

static weir_status check_variant(const struct weir_run *run, const weir_tokens *prompts, size_t n_prompts,
                                 const weir_variant *v)
{
    const char *why;
    TRY(check_index("prompt", v->prompt, n_prompts));
    if (v->point == WEIR_NO_POINT)
        return WEIR_OK;
    TRY(check_index("source", v->source, n_prompts));
    if (!weir_point_at(v->point))
        return weir_fail(WEIR_E_USAGE, "its point is %d, which is none", v->point);
    if (!weir_model_has_point(run->model, v->point, v->layer, &why))
        return weir_fail(WEIR_E_UNSUPPORTED, "%s in layer %d: %s", weir_point_at(v->point)->name, v->layer, why);
    size_t n = prompts[v->prompt].n;
    struct slots s = slots_of(run->model, v->point);
    bool one_row = v->position >= 0 && s.key < 0;
    if (prompts[v->source].n != n && !one_row)
        return weir_fail(WEIR_E_USAGE, "prompt %d has %zu tokens and prompt %d, its source, %zu: give equally many",
                         v->prompt, n, v->source, prompts[v->source].n);
    if (v->shift != 0 && !one_row)
        return weir_fail(WEIR_E_USAGE,
                         "its shift is %d: only one row, of what has no keys, is taken from another "
                         "position",
                         v->shift);
    TRY(check_choice("position", v->position, s.row >= 0, n));
    if (one_row)
        TRY(check_index("source's position", v->shift > INT_MAX - v->position ? INT_MAX : v->position + v->shift,
                        prompts[v->source].n));
    TRY(check_choice("key", v->key, s.key >= 0, n));
    return check_choice("unit", v->unit, s.unit >= 0, s.unit >= 0 ? s.shape[s.unit] : 0);
}

/* ---- a sweep ---- */

/* How a variant runs. */
struct passage {
    int layer;      /* in whose stream it begins; -1: with the tokens; n_layers: after the blocks */
    weir_rows rows; /* that are wanted; n 0: none, it does not run */
    bool changes;   /* anything at them */
};

struct sweep {
    struct weir_run *run;
    const weir_tokens *prompts;
    size_t n_prompts;
    const weir_variant *variants; /* [n] */
    size_t n;
    const weir_rows *rows; /* [prompt] whose logits the hook wants; NULL: the last */
    weir_hook_fn *hook;    /* NULL: none */
    void *payload;
    struct weir_keeper keeper;    /* of the prompts */
    bool whole;                   /* what a row is depends on the prompt's length: no row is left out at the end */
    struct weir_edit_needs needs; /* of the run's edits */
    struct passage *passages;     /* [n] */
    bool *hooked;                 /* [weir_n_sites] where the group is changed */

    /* those that begin in one layer */
    size_t *order;      /* [n_group] their numbers */
    weir_tokens *rest;  /* [n_group] the tokens of their rows */
    weir_tokens *lines; /* [n_group] their prompts, whole */
    const struct weir_kept **kept;
    size_t *past, *wanted, *origin; /* [n_group] positions; the number of the prompt */
    size_t n_group;
};

static int depth_of(const struct sweep *s)
{
    return s->run->model->config.n_layers;
}

static weir_rows rows_for_hook(const struct sweep *s, size_t prompt)
{
    return !s->hook ? (weir_rows){0} : s->rows ? s->rows[prompt] : (weir_rows){s->prompts[prompt].n - 1, 1};
}

/* The first position that it changes. */
static size_t first_changed(const struct sweep *s, const weir_variant *v)
{
    return v->position < 0 || s->needs.backwards ? 0 : (size_t)v->position;
}

static void plan_passage(struct passage *out, const struct sweep *s, const weir_variant *v)
{
    weir_rows rows = rows_for_hook(s, (size_t)v->prompt);
    bool after_blocks = v->layer < 0 && v->point > WEIR_P_RESID_POST;
    if (v->point != WEIR_NO_POINT)
        weir_metrics_widen(&rows, s->run, (size_t)v->prompt, first_changed(s, v));
    out->rows = rows;
    out->changes = v->point != WEIR_NO_POINT && rows.n > 0 && first_changed(s, v) < rows.first + rows.n;
    out->layer = !out->changes || after_blocks ? depth_of(s) : v->layer;
    out->layer = out->layer < s->needs.layer ? out->layer : s->needs.layer;
}

/* One more prompt of the group: rows from `past` to `end` - 1, those from `wanted` on to the end of the pass. */
static void begin_rows(struct sweep *s, size_t number, size_t prompt, size_t past, size_t wanted, size_t end)
{
    const weir_tokens *whole = &s->prompts[prompt];
    size_t at = s->n_group++;
    s->order[at] = number;
    s->past[at] = past;
    s->wanted[at] = wanted;
    s->kept[at] = s->keeper.kept[prompt];
    s->origin[at] = prompt;
    s->lines[at] = s->rest[at] = *whole;
    s->rest[at].ids += past;
    s->rest[at].n = end - past;
}

static void begin_variant(struct sweep *s, size_t number)
{
    const weir_variant *v = &s->variants[number];
    const struct passage *passage = &s->passages[number];
    weir_rows rows = passage->rows;
    bool to_end = s->whole || s->needs.all_rows;
    size_t end = to_end ? s->prompts[v->prompt].n : rows.first + rows.n, past = rows.first;
    if (passage->layer < depth_of(s))
        past = weir_min_size(past, first_changed(s, v));
    if (s->needs.all_rows)
        past = 0;
    begin_rows(s, number, (size_t)v->prompt, past, s->needs.late ? past : rows.first, end);
}

/* ---- replacing ---- */

/* Some of an axis. */
struct range {
    size_t first, n;
};

/* The rows, units and keys of the variant in a value of `shape`, whose first row is position `past`. @return false
   where it has none of them. */
static bool find_ranges(struct range out[WEIR_MAX_AXES], const struct slots *s, const weir_variant *v,
                        const size_t shape[WEIR_MAX_AXES], size_t past)
{
    for (int i = 0; i < WEIR_MAX_AXES; i++) {
        int chosen = i == s->row ? v->position : i == s->unit ? v->unit : i == s->key ? v->key : -1;
        size_t before = i == s->row ? past : 0;
        out[i] = (struct range){0, shape[i]};
        if (chosen < 0)
            continue;
        if ((size_t)chosen < before || (size_t)chosen - before >= shape[i])
            return false;
        out[i] = (struct range){(size_t)chosen - before, 1};
    }
    return true;
}

static void copy_ranges(float *to, const size_t to_shape[WEIR_MAX_AXES], const float *from,
                        const size_t from_shape[WEIR_MAX_AXES], const struct range r[WEIR_MAX_AXES],
                        const size_t shift[WEIR_MAX_AXES])
{
    for (size_t i = r[0].first; i < r[0].first + r[0].n; i++)
        for (size_t j = r[1].first; j < r[1].first + r[1].n; j++)
            memcpy(to + (i * to_shape[1] + j) * to_shape[2] + r[2].first,
                   from + ((i + shift[0]) * from_shape[1] + j + shift[1]) * from_shape[2] + r[2].first,
                   r[2].n * sizeof *to);
}

/* The editor of all points of a group. */
static weir_status replace_value(const weir_event *event, void *payload)
{
    const struct sweep *s = payload;
    const weir_variant *v = &s->variants[s->order[event->prompt]];
    size_t shape[WEIR_MAX_AXES], from[WEIR_MAX_AXES], shift[WEIR_MAX_AXES] = {0};
    struct range ranges[WEIR_MAX_AXES];
    if (v->point != event->point->id || v->layer != event->layer || !s->passages[s->order[event->prompt]].changes)
        return WEIR_OK;
    struct slots slots = slots_of(s->run->model, v->point);
    for (int i = 0; i < WEIR_MAX_AXES; i++) {
        shape[i] = i < event->n_axes ? event->shape[i] : 1;
        from[i] = i == slots.row || i == slots.key ? s->prompts[v->source].n : slots.shape[i];
    }
    shift[slots.row] = event->first + (size_t)v->shift;
    if (find_ranges(ranges, &slots, v, shape, event->first))
        copy_ranges(event->data, shape, weir_kept_value(s->keeper.kept[v->source], v->point, v->layer), from, ranges,
                    shift);
    return WEIR_OK;
}

/* Hands on the logits of the rows that the hook wants. */
static weir_status report_variant(const weir_event *event, void *payload)
{
    const struct sweep *s = payload;
    size_t number = s->order[event->prompt];
    weir_rows rows = rows_for_hook(s, (size_t)s->variants[number].prompt);
    weir_event e = *event;
    e.prompt = (int)number;
    e.data = rows.n > 0 ? e.data + (rows.first - event->first) * event->shape[1] : NULL;
    e.first = rows.first;
    e.shape[0] = e.n_rows = rows.n;
    return s->hook(&e, s->payload);
}

/* ---- running ---- */

/* Registers a hook of the sweep once for each point and layer that the group replaces. */
static weir_status hook_group(struct sweep *s)
{
    memset(s->hooked, 0, weir_n_sites(depth_of(s)) * sizeof *s->hooked);
    for (size_t i = 0; i < s->n_group; i++) {
        const weir_variant *v = &s->variants[s->order[i]];
        if (!s->passages[s->order[i]].changes)
            continue;
        bool *hooked = &s->hooked[weir_site_index(depth_of(s), v->point, v->layer)];
        if (!*hooked)
            TRY(weir_run_hook_at(s->run, v->point, v->layer, WEIR_EDIT, replace_value, s));
        *hooked = true;
    }
    return s->hook ? weir_run_hook_at(s->run, WEIR_P_LOGITS, -1, WEIR_READ, report_variant, s) : WEIR_OK;
}

static weir_status forward_group(struct sweep *s, int layer)
{
    const struct weir_start from = {
        .layer = layer, .kept = s->kept, .past = s->past, .wanted = s->wanted, .whole = s->lines, .origin = s->origin};
    return weir_run_forward_from(s->run, s->rest, s->n_group, &from);
}

static weir_status run_group(struct sweep *s, int layer)
{
    weir_status status;
    s->n_group = 0;
    for (size_t i = 0; i < s->n; i++)
        if (s->passages[i].rows.n > 0 && s->passages[i].layer == layer)
            begin_variant(s, i);
    if (s->n_group == 0)
        return WEIR_OK;
    TRY_DONE(hook_group(s));
    TRY_DONE(weir_metrics_begin_group(s->run, s->order, s->n_group));
    TRY_DONE(forward_group(s, layer));
    weir_metrics_end_group(s->run);
done:
    weir_run_unhook(s->run, replace_value, s);
    weir_run_unhook(s->run, report_variant, s);
    return status;
}

/* Variants of which no row is wanted: they are their prompts. */
static weir_status take_unchanged(struct sweep *s)
{
    weir_event event = {.point = weir_point_at(WEIR_P_LOGITS), .layer = -1};
    event.axes = event.point->axes;
    event.n_axes = weir_model_shape(s->run->model, WEIR_P_LOGITS, event.shape);
    event.shape[0] = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (s->passages[i].rows.n > 0)
            continue;
        weir_metrics_take_unchanged(s->run, i);
        event.prompt = (int)i;
        if (s->hook)
            TRY(s->hook(&event, s->payload));
    }
    return WEIR_OK;
}

/* Registers what keeps what variants begin with, and the values that they take from their sources. */
static weir_status keep_values(struct sweep *s)
{
    int first = depth_of(s);
    TRY(weir_keeper_open(&s->keeper, s->run, s->n_prompts));
    for (size_t i = 0; i < s->n; i++)
        if (s->variants[i].point != WEIR_NO_POINT && s->variants[i].layer < first)
            first = s->variants[i].layer;
    TRY(weir_keep_from(&s->keeper, s->run->edits ? 0 : first)); /* an edit may read what lies before */
    for (size_t i = 0; i < s->n; i++) {
        const weir_variant *v = &s->variants[i];
        if (v->point != WEIR_NO_POINT && !weir_keeper_has(&s->keeper, v->point, v->layer))
            TRY(weir_keep_at(&s->keeper, v->point, v->layer));
    }
    return WEIR_OK;
}

/* Goes through the prompts as they are. */
static weir_status run_prompts_of_sweep(struct sweep *s)
{
    TRY(weir_metrics_begin(s->run, s->variants, s->n));
    TRY(weir_edits_keep(s->run));
    TRY(keep_values(s));
    TRY(weir_metrics_run_prompts(s->run, &s->keeper, s->prompts, s->n_prompts));
    s->needs = weir_edits_replay(s->run);
    return WEIR_OK;
}

static weir_status allocate_sweep(struct sweep *s)
{
    size_t most = weir_max_size(s->n, s->n_prompts);
    TRY(weir_alloc_zero(&s->passages, s->n, sizeof *s->passages));
    TRY(weir_alloc_zero(&s->hooked, weir_n_sites(depth_of(s)), sizeof *s->hooked));
    TRY(weir_alloc(&s->order, most, sizeof *s->order));
    TRY(weir_alloc(&s->rest, most, sizeof *s->rest));
    TRY(weir_alloc(&s->lines, most, sizeof *s->lines));
    TRY(weir_alloc(&s->kept, most, sizeof(struct weir_kept *)));
    TRY(weir_alloc(&s->past, most, sizeof *s->past));
    TRY(weir_alloc(&s->origin, most, sizeof *s->origin));
    return weir_alloc(&s->wanted, most, sizeof *s->wanted);
}

static void close_sweep(struct sweep *s)
{
    weir_keeper_close(&s->keeper);
    weir_free(s->passages);
    weir_free(s->hooked);
    weir_free(s->order);
    weir_free(s->rest);
    weir_free(s->lines);
    weir_free(s->kept);
    weir_free(s->past);
    weir_free(s->origin);
    weir_free(s->wanted);
}

static weir_status run_sweep(struct sweep *s)
{
    bool kept_weights = s->run->keeps_weights;
    weir_status status;
    s->run->keeps_weights = true;
    TRY_DONE(allocate_sweep(s));
    TRY_DONE(run_prompts_of_sweep(s));
    for (size_t i = 0; i < s->n; i++)
        plan_passage(&s->passages[i], s, &s->variants[i]);
    TRY_DONE(take_unchanged(s));
    for (int layer = -1; layer <= depth_of(s); layer++)
        TRY_DONE(run_group(s, layer));
done:
    s->run->keeps_weights = kept_weights;
    close_sweep(s);
    weir_edits_forget(s->run);
    weir_status ended = weir_metrics_end(s->run, status == WEIR_OK);
    return status == WEIR_OK ? ended : status;
}

static weir_status check_rows(const weir_tokens *prompts, size_t n_prompts, const weir_rows *rows)
{
    for (size_t i = 0; rows && i < n_prompts; i++)
        if (rows[i].n > 0 && (rows[i].first >= prompts[i].n || rows[i].n > prompts[i].n - rows[i].first))
            return weir_fail(WEIR_E_USAGE, "rows %zu to %zu are wanted of prompt %zu, which has %zu tokens",
                             rows[i].first, rows[i].first + rows[i].n, i, prompts[i].n);
    return WEIR_OK;
}

/* What goes with the run must know of variants. */
static weir_status check_run(const struct weir_run *run, bool has_hook)
{
    size_t n_known = run->edits ? 1 : 0;
    for (const struct weir_measured *m = run->measures; m; m = weir_metrics_next(m))
        n_known++;
    for (size_t i = 0; i < run->plan.n_hooks; i++)
        if (run->plan.hooks[i].fn)
            return weir_fail(WEIR_E_USAGE, "weir_run_sweep: the run has hooks: a sweep takes a run without");
    if (run->n_companions > n_known)
        return weir_fail(WEIR_E_USAGE, "weir_run_sweep: the run has plugins or captures: a sweep takes a run without");
    return has_hook || run->measures
               ? WEIR_OK
               : weir_fail(WEIR_E_USAGE, "weir_run_sweep: there is neither a hook nor a metric of the run");
}

weir_status weir_run_sweep(weir_run *run, const weir_tokens *prompts, size_t n_prompts, const weir_variant *variants,
                           size_t n, const weir_rows *rows, weir_hook_fn *hook, void *payload)
{
    TRY_GIVEN(run);
    TRY(weir_run_usable(run, __func__));
    TRY(weir_run_check(run, prompts, n_prompts));
    TRY(check_rows(prompts, n_prompts, rows));
    TRY(check_run(run, hook != NULL));
    if (n > INT_MAX)
        return weir_fail(WEIR_E_USAGE, "%zu variants: a sweep takes up to %d", n, INT_MAX);
    if (n > 0)
        TRY_GIVEN(variants);
    for (size_t i = 0; i < n; i++) {
        char variant[32];
        snprintf(variant, sizeof variant, "variant %zu", i);
        TRY(weir_in(check_variant(run, prompts, n_prompts, &variants[i]), variant));
    }
    struct sweep s = {.run = run,
                      .prompts = prompts,
                      .n_prompts = n_prompts,
                      .variants = variants,
                      .n = n,
                      .rows = rows,
                      .hook = hook,
                      .payload = payload,
                      .whole = weir_start_needs_whole(run->model)};
    return run_sweep(&s);
}
