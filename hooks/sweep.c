/* Sweeps: many variants of a few prompts, each with one value of another prompt in place of its own. A variant begins
   in the layer and at the position where it first differs, with what a pass over the whole prompts has kept; those that
   begin in one layer run side by side. */
#include "base/alloc.h"
#include "base/sizes.h"
#include "engine/start.h"
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
    if (prompts[v->source].n != n)
        return weir_fail(WEIR_E_USAGE, "prompt %d has %zu tokens and prompt %d, its source, %zu: give equally many",
                         v->prompt, n, v->source, prompts[v->source].n);
    TRY(check_choice("position", v->position, s.row >= 0, n));
    TRY(check_choice("key", v->key, s.key >= 0, n));
    return check_choice("unit", v->unit, s.unit >= 0, s.unit >= 0 ? s.shape[s.unit] : 0);
}

/* ---- a sweep ---- */

struct sweep {
    struct weir_run *run;
    const weir_tokens *prompts;
    const weir_variant *variants; /* [n] */
    size_t n;
    const weir_rows *rows; /* [prompt] that are wanted; NULL: the last */
    weir_hook_fn *hook;
    void *payload;
    struct weir_keeper keeper; /* of the prompts */
    bool whole;                /* what a row is depends on the prompt's length: no row is left out at the end */

    /* those that begin in one layer */
    size_t *order;     /* [n_group] their numbers */
    weir_tokens *rest; /* [n_group] the tokens of their rows */
    const struct weir_kept **kept;
    size_t *past, *wanted; /* [n_group] */
    size_t n_group;
};

static weir_rows rows_wanted(const struct sweep *s, const weir_variant *v)
{
    return s->rows ? s->rows[v->prompt] : (weir_rows){s->prompts[v->prompt].n - 1, 1};
}

/* True where the variant is its prompt as it is, as far as anybody wants to know. */
static bool is_unchanged(const struct sweep *s, const weir_variant *v)
{
    weir_rows rows = rows_wanted(s, v);
    return v->point == WEIR_NO_POINT || (v->position >= 0 && (size_t)v->position >= rows.first + rows.n);
}

/* The layer in whose stream it begins; -1: with the tokens; n_layers: after the blocks. */
static int first_layer(const struct sweep *s, const weir_variant *v)
{
    if (is_unchanged(s, v) || (v->layer < 0 && v->point > WEIR_P_RESID_POST))
        return s->run->model->config.n_layers;
    return v->layer;
}

static void begin_variant(struct sweep *s, size_t number, int layer)
{
    const weir_variant *v = &s->variants[number];
    const weir_tokens *prompt = &s->prompts[v->prompt];
    weir_rows rows = rows_wanted(s, v);
    size_t end = s->whole ? prompt->n : rows.first + rows.n, at = s->n_group++, past = rows.first;
    if (layer < s->run->model->config.n_layers)
        past = weir_min_size(past, v->position < 0 ? 0 : (size_t)v->position);
    s->order[at] = number;
    s->past[at] = past;
    s->wanted[at] = rows.first;
    s->kept[at] = s->keeper.kept[v->prompt];
    s->rest[at] = (weir_tokens){.ids = prompt->ids + past, .n = end - past};
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
    if (v->point != event->point->id || v->layer != event->layer || is_unchanged(s, v))
        return WEIR_OK;
    struct slots slots = slots_of(s->run->model, v->point);
    for (int i = 0; i < WEIR_MAX_AXES; i++) {
        shape[i] = i < event->n_axes ? event->shape[i] : 1;
        from[i] = i == slots.row || i == slots.key ? s->prompts[v->source].n : slots.shape[i];
    }
    shift[slots.row] = event->first;
    if (find_ranges(ranges, &slots, v, shape, event->first))
        copy_ranges(event->data, shape, weir_kept_value(s->keeper.kept[v->source], v->point, v->layer), from, ranges,
                    shift);
    return WEIR_OK;
}

/* Hands on the logits of the rows that are wanted. */
static weir_status report_variant(const weir_event *event, void *payload)
{
    const struct sweep *s = payload;
    size_t number = s->order[event->prompt];
    weir_rows rows = rows_wanted(s, &s->variants[number]);
    weir_event e = *event;
    e.prompt = (int)number;
    e.data += (rows.first - event->first) * event->shape[1];
    e.first = rows.first;
    e.shape[0] = e.n_rows = rows.n;
    return s->hook(&e, s->payload);
}

/* ---- running ---- */

/* Registers a hook of the sweep once for each point and layer that the group replaces. */
static weir_status hook_group(struct sweep *s)
{
    for (size_t i = 0; i < s->n_group; i++) {
        const weir_variant *v = &s->variants[s->order[i]];
        bool known = is_unchanged(s, v) || weir_plan_edits(&s->run->plan, v->point, v->layer);
        if (!known)
            TRY(weir_run_hook_at(s->run, v->point, v->layer, WEIR_EDIT, replace_value, s));
    }
    return weir_run_hook_at(s->run, WEIR_P_LOGITS, -1, WEIR_READ, report_variant, s);
}

static weir_status run_group(struct sweep *s, int layer)
{
    struct weir_start from = {.layer = layer, .kept = s->kept, .past = s->past, .wanted = s->wanted};
    weir_status status;
    s->n_group = 0;
    for (size_t i = 0; i < s->n; i++)
        if (first_layer(s, &s->variants[i]) == layer)
            begin_variant(s, i, layer);
    if (s->n_group == 0)
        return WEIR_OK;
    TRY_DONE(hook_group(s));
    TRY_DONE(weir_run_forward_from(s->run, s->rest, s->n_group, &from));
done:
    weir_run_unhook(s->run, replace_value, s);
    weir_run_unhook(s->run, report_variant, s);
    return status;
}

/* Keeps what variants begin with, and the values that they take from their sources. */
static weir_status keep_prompts(struct sweep *s, size_t n_prompts)
{
    int first = s->run->model->config.n_layers;
    TRY(weir_keeper_open(&s->keeper, s->run, n_prompts));
    for (size_t i = 0; i < s->n; i++) {
        const weir_variant *v = &s->variants[i];
        first = first < first_layer(s, v) ? first : first_layer(s, v);
    }
    TRY(weir_keep_from(&s->keeper, first));
    for (size_t i = 0; i < s->n; i++) {
        const weir_variant *v = &s->variants[i];
        if (!is_unchanged(s, v) && !weir_plan_wants(&s->run->plan, v->point, v->layer))
            TRY(weir_keep_at(&s->keeper, v->point, v->layer));
    }
    TRY(weir_run_forward(s->run, s->prompts, n_prompts));
    weir_keeper_rest(&s->keeper);
    return WEIR_OK;
}

static weir_status allocate_group(struct sweep *s)
{
    TRY(weir_alloc(&s->order, s->n, sizeof *s->order));
    TRY(weir_alloc(&s->rest, s->n, sizeof *s->rest));
    TRY(weir_alloc(&s->kept, s->n, sizeof(struct weir_kept *)));
    TRY(weir_alloc(&s->past, s->n, sizeof *s->past));
    return weir_alloc(&s->wanted, s->n, sizeof *s->wanted);
}

static void close_sweep(struct sweep *s)
{
    weir_keeper_close(&s->keeper);
    weir_free(s->order);
    weir_free(s->rest);
    weir_free(s->kept);
    weir_free(s->past);
    weir_free(s->wanted);
}

static weir_status run_sweep(struct sweep *s, size_t n_prompts)
{
    bool kept_weights = s->run->keeps_weights;
    weir_status status;
    s->run->keeps_weights = true;
    TRY_DONE(allocate_group(s));
    TRY_DONE(keep_prompts(s, n_prompts));
    for (int layer = -1; layer <= s->run->model->config.n_layers; layer++)
        TRY_DONE(run_group(s, layer));
done:
    s->run->keeps_weights = kept_weights;
    close_sweep(s);
    return status;
}

static weir_status check_rows(const weir_tokens *prompts, size_t n_prompts, const weir_rows *rows)
{
    for (size_t i = 0; rows && i < n_prompts; i++)
        if (rows[i].n == 0 || rows[i].first >= prompts[i].n || rows[i].n > prompts[i].n - rows[i].first)
            return weir_fail(WEIR_E_USAGE, "rows %zu to %zu are wanted of prompt %zu, which has %zu tokens",
                             rows[i].first, rows[i].first + rows[i].n, i, prompts[i].n);
    return WEIR_OK;
}

weir_status weir_run_sweep(weir_run *run, const weir_tokens *prompts, size_t n_prompts, const weir_variant *variants,
                           size_t n, const weir_rows *rows, weir_hook_fn *hook, void *payload)
{
    TRY_GIVEN(run);
    TRY_GIVEN(hook);
    TRY(weir_run_usable(run, __func__));
    TRY(weir_run_check(run, prompts, n_prompts));
    TRY(check_rows(prompts, n_prompts, rows));
    if (n > INT_MAX)
        return weir_fail(WEIR_E_USAGE, "%zu variants: a sweep takes up to %d", n, INT_MAX);
    if (n > 0)
        TRY_GIVEN(variants);
    if (run->plan.n_hooks > 0 || run->n_companions > 0)
        return weir_fail(WEIR_E_USAGE, "%s: the run has hooks: a sweep takes a run of its own", __func__);
    for (size_t i = 0; i < n; i++) {
        char variant[32];
        snprintf(variant, sizeof variant, "variant %zu", i);
        TRY(weir_in(check_variant(run, prompts, n_prompts, &variants[i]), variant));
    }
    struct sweep s = {.run = run,
                      .prompts = prompts,
                      .variants = variants,
                      .n = n,
                      .rows = rows,
                      .hook = hook,
                      .payload = payload,
                      .whole = weir_start_needs_whole(run->model)};
    return n > 0 ? run_sweep(&s, n_prompts) : WEIR_OK;
}
