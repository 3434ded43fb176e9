/* Passes of path patching. A first one, with the sender patched, gives what the receivers would be; a second one, of
   the prompt as it is, gets that in their place. Both begin where they first differ from what a pass over the whole
   prompts has kept; variants that begin together run side by side, a batch at a time. */
#include "analysis/path_parts.h"
#include "base/alloc.h"
#include "base/sizes.h"
#include "engine/start.h"
#include "hooks/change.h"
#include "hooks/metric_sweep.h"

#include <limits.h>
#include <string.h>

/* What the first pass does at a site. */
enum path_mark { MARK_SENDS = 1, MARK_HOLDS = 2, MARK_TAKES = 4 };

/* A value, or the rows of it that a pass had: those from position `first` on. */
struct path_value {
    const float *data;
    size_t first, n_rows, row_step, unit_step, n_inner;
    float *own; /* the memory, where it is a copy */
};

struct path_sweep {
    const struct weir_path *path;
    struct weir_run *run;
    size_t first;                 /* number of prompts[0] among those of the path */
    const weir_tokens *prompts;   /* [n_prompts] */
    const weir_variant *variants; /* [n] */
    size_t n, n_prompts;
    const weir_rows *rows; /* [n_prompts] for the hook; NULL: the last */
    weir_rows *asked;      /* [n] those of a variant that the hook or a metric wants */
    weir_hook_fn *hook;
    void *payload;
    struct weir_keeper keeper; /* of the prompts as they are */
    bool whole;                /* prompts run to their ends */

    /* those that run together, which begin in one layer */
    size_t *order;      /* [n_group] their numbers */
    weir_tokens *rest;  /* [n_group] the tokens of their rows */
    weir_tokens *lines; /* [n_group] their prompts, whole */
    const struct weir_kept **kept;
    size_t *past, *wanted; /* [n_group] */
    size_t n_group;
    uint8_t *marks;           /* [weir_n_sites] of the first pass: path_mark */
    struct path_value *taken; /* [n_group, n_sites of receivers]; of direct paths the first is what was written */
};

static const weir_variant *variant_of(const struct path_sweep *s, size_t i)
{
    return &s->variants[s->order[i]];
}

static weir_rows rows_of_hook(const struct path_sweep *s, const weir_variant *v)
{
    return s->rows ? s->rows[v->prompt] : (weir_rows){s->prompts[v->prompt].n - 1, 1};
}

static weir_rows rows_asked(const struct path_sweep *s, const weir_variant *v)
{
    return s->asked[v - s->variants];
}

/* Logits that nobody wants are computed at one row: a hook is called with them. */
static void find_rows_asked(struct path_sweep *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const weir_variant *v = &s->variants[i];
        s->asked[i] = rows_of_hook(s, v);
        if (v->point != WEIR_NO_POINT)
            weir_metrics_widen(&s->asked[i], s->run, (size_t)v->prompt, v->position > 0 ? (size_t)v->position : 0);
        if (s->asked[i].n == 0)
            s->asked[i] = (weir_rows){s->prompts[v->prompt].n - 1, 1};
    }
}

/* True where a variant is its prompt as it is, as far as anybody asks. */
static bool changes_nothing(const struct path_sweep *s, const weir_variant *v)
{
    weir_rows rows = rows_asked(s, v);
    return v->point == WEIR_NO_POINT || (v->position >= 0 && (size_t)v->position >= rows.first + rows.n) ||
           !weir_path_reaches(s->path, v, s->first + (size_t)v->prompt);
}

static bool receives(const struct path_sweep *s, const struct weir_site *site, const weir_variant *v)
{
    return weir_path_is_behind(s->path, site, v, s->first + (size_t)v->prompt);
}

/* ---- values ---- */

static struct path_value describe_value(const weir_event *event)
{
    const struct weir_cells cells = weir_cells_of(event, 0);
    return (struct path_value){.data = event->data,
                               .first = event->first,
                               .n_rows = cells.n_rows,
                               .row_step = cells.row_step,
                               .unit_step = cells.unit_step,
                               .n_inner = cells.n_inner};
}

/* What the pass over the whole prompts has kept. */
static struct path_value value_kept(const struct path_sweep *s, int prompt, int point, int layer)
{
    weir_event event = {.point = weir_point_at(point), .layer = layer};
    event.axes = event.point->axes;
    event.n_axes = weir_model_shape(s->run->model, point, event.shape);
    for (int i = 0; i < event.n_axes; i++)
        if (event.shape[i] == 0)
            event.shape[i] = s->prompts[prompt].n;
    struct path_value value = describe_value(&event);
    value.data = weir_kept_value(s->keeper.kept[prompt], point, layer);
    return value;
}

static bool has_row(const struct path_value *value, size_t position)
{
    return position >= value->first && position - value->first < value->n_rows;
}

/* Part of one value put into another: the same positions of both. */
struct path_put {
    float *to;
    struct path_value of;         /* what `to` is */
    struct path_value from, less; /* less: taken from it, and the rest is added; data NULL: `from` takes the place */
    size_t shared; /* unit i of `to` gets unit i / shared; SIZE_MAX: all get the row of a value without units */
};

static void put_run(const struct path_put *p, float *to, size_t at_from, size_t at_less, size_t n)
{
    if (!p->less.data)
        memcpy(to, p->from.data + at_from, n * sizeof *to);
    for (size_t i = 0; p->less.data && i < n; i++)
        to[i] = (float)((double)to[i] + ((double)p->from.data[at_from + i] - (double)p->less.data[at_less + i]));
}

static void put_unit(const struct path_put *p, size_t position, size_t unit, const struct weir_some *keys)
{
    bool whole_row = p->shared == SIZE_MAX;
    size_t source = whole_row ? 0 : unit / p->shared, n = weir_min_size(p->of.n_inner, p->from.n_inner);
    float *to = p->to + (position - p->of.first) * p->of.row_step + unit * p->of.unit_step;
    size_t from = (position - p->from.first) * p->from.row_step + source * p->from.unit_step;
    size_t less = p->less.data ? (position - p->less.first) * p->less.row_step + source * p->less.unit_step : 0;
    if (whole_row)
        n = p->of.n_inner;
    for (size_t i = 0; keys->list && i < keys->n; i++)
        if ((size_t)keys->list[i] < n)
            put_run(p, to + keys->list[i], from + (size_t)keys->list[i], less + (size_t)keys->list[i], 1);
    if (!keys->list)
        put_run(p, to, from, less, n);
}

/* Units that stand side by side. */
static void put_row(const struct path_put *p, size_t position)
{
    size_t less = p->less.data ? (position - p->less.first) * p->less.row_step : 0;
    put_run(p, p->to + (position - p->of.first) * p->of.row_step, (position - p->from.first) * p->from.row_step, less,
            p->of.row_step);
}

/* Rows of the box are positions. */
static void put_positions(const struct path_put *p, const struct weir_box *box)
{
    bool at_once = !box->units.list && p->shared == 1 && p->of.unit_step < p->of.row_step;
    for (size_t i = 0; i < box->rows.n; i++) {
        size_t position = weir_some_at(&box->rows, i);
        if (!has_row(&p->of, position) || !has_row(&p->from, position))
            continue;
        if (at_once)
            put_row(p, position);
        for (size_t u = 0; !at_once && u < weir_max_size(box->units.n, 1); u++)
            put_unit(p, position, box->units.n > 0 ? weir_some_at(&box->units, u) : 0, &box->keys);
    }
}

static struct weir_some one_or_all(int32_t *index, size_t n)
{
    return *index < 0 ? (struct weir_some){.n = n} : (struct weir_some){.list = index, .n = 1};
}

static size_t units_of(const weir_event *event)
{
    int units = weir_point_unit_axis(event->point);
    return units >= 0 ? event->shape[units] : 0;
}

/* ---- the first pass ---- */

/* Where the value of a receiver is found in it: what reads the stream is the stream. */
static int point_taken(const struct path_sweep *s, const struct weir_site *receiver)
{
    switch (receiver->point) {
    case WEIR_P_ATTN_IN:
    case WEIR_P_Q_INPUT:
    case WEIR_P_K_INPUT:
    case WEIR_P_V_INPUT:
        return WEIR_P_RESID_PRE;
    case WEIR_P_MLP_IN:
        return s->run->model->layers[receiver->layer].spec.parallel ? WEIR_P_RESID_PRE : WEIR_P_RESID_MID;
    default:
        return receiver->point;
    }
}

/* True where the sender lies among what z of a layer is made of. */
static bool sends_to_z(const weir_variant *v, int layer)
{
    return v->layer == layer && v->point >= WEIR_P_ATTN_IN && v->point < WEIR_P_Z;
}

/* True where it is of one head, or of key-value heads of `shared` each, that this one is not. */
static bool is_of_other_head(const struct path_sweep *s, const weir_variant *v, size_t head)
{
    const weir_point *point = weir_point_at(v->point);
    size_t shared = 1;
    if (!weir_path_by_head(v->point) || v->unit < 0)
        return false;
    if (point->axes[weir_point_unit_axis(point)] == WEIR_AXIS_KV_HEAD)
        shared = weir_path_shared(s->run->model);
    return head / shared != (size_t)v->unit;
}

static bool holds_mlp(const struct path_sweep *s, const weir_variant *v, int layer)
{
    const struct weir_layer_spec *spec = &s->run->model->layers[layer].spec;
    bool of_common_norm = spec->shared_norm && v->point >= WEIR_P_LN1_SCALE && v->point <= WEIR_P_LN1_OUT;
    return v->layer != layer || !(of_common_norm || weir_path_written(v->point) == WEIR_P_MLP_OUT);
}

/* Puts what the prompt has of itself back into z or mlp_out, but for what the sender is part of. */
static void hold_value(const struct path_sweep *s, const weir_variant *v, weir_event *event)
{
    const struct path_put put = {.to = event->data,
                                 .of = describe_value(event),
                                 .from = value_kept(s, v->prompt, event->point->id, event->layer),
                                 .shared = 1};
    struct weir_box box = {.rows.n = s->prompts[v->prompt].n, .units.n = units_of(event)};
    int32_t head = 0, n_heads = (int32_t)box.units.n;
    bool is_z = event->point->id == WEIR_P_Z;
    if (is_z ? !sends_to_z(v, event->layer) : holds_mlp(s, v, event->layer))
        put_positions(&put, &box);
    else if (is_z)
        for (box.units = (struct weir_some){.list = &head, .n = 1}; head < n_heads; head++)
            if (is_of_other_head(s, v, (size_t)head))
                put_positions(&put, &box);
}

static void send_value(const struct path_sweep *s, const weir_variant *v, weir_event *event)
{
    const struct path_put put = {.to = event->data,
                                 .of = describe_value(event),
                                 .from = value_kept(s, v->source, v->point, v->layer),
                                 .shared = 1};
    size_t n = s->prompts[v->prompt].n;
    int32_t position = v->position, unit = v->unit, key = v->key;
    const struct weir_box box = {
        .rows = one_or_all(&position, n), .units = one_or_all(&unit, units_of(event)), .keys = one_or_all(&key, n)};
    put_positions(&put, &box);
}

static weir_status take_value(struct path_sweep *s, size_t at, const weir_event *event)
{
    size_t n = 1;
    struct path_value *taken = &s->taken[at];
    for (int i = 0; i < event->n_axes; i++)
        n *= event->shape[i];
    *taken = describe_value(event);
    TRY(weir_alloc(&taken->own, n, sizeof(float)));
    memcpy(taken->own, event->data, n * sizeof(float));
    taken->data = taken->own;
    return WEIR_OK;
}

/* The values that the receivers of one variant get from here. */
static weir_status take_for_receivers(struct path_sweep *s, size_t i, const weir_event *event)
{
    const struct weir_scope *to = s->path->to;
    const weir_variant *v = variant_of(s, i);
    if (s->path->options->kind == WEIR_PATH_DIRECT)
        return weir_path_written(v->point) == event->point->id ? take_value(s, i * to->n_sites, event) : WEIR_OK;
    for (size_t j = 0; j < to->n_sites; j++)
        if (to->sites[j].layer == event->layer && point_taken(s, &to->sites[j]) == event->point->id &&
            receives(s, &to->sites[j], v))
            TRY(take_value(s, i * to->n_sites + j, event));
    return WEIR_OK;
}

/* The hook of all sites of the first pass. A receiver that is held is taken before: it is what it would be. */
static weir_status visit_first(const struct weir_whole *whole, void *payload)
{
    struct path_sweep *s = payload;
    int point = whole->site->point, layer = whole->site->layer;
    unsigned mark = s->marks[weir_site_index(s->run->model->config.n_layers, point, layer)];
    bool direct = s->path->options->kind == WEIR_PATH_DIRECT;
    for (size_t slot = 0; slot < whole->run->batch.n; slot++) {
        size_t i = whole->run->batch.numbers[slot];
        const weir_variant *v = variant_of(s, i);
        weir_event event = weir_whole_event(whole, slot);
        if (mark & MARK_TAKES && !direct)
            TRY(take_for_receivers(s, i, &event));
        if (mark & MARK_HOLDS)
            hold_value(s, v, &event);
        if (mark & MARK_SENDS && v->point == point && v->layer == layer)
            send_value(s, v, &event);
        if (mark & MARK_TAKES && direct && v->layer == layer)
            TRY(take_for_receivers(s, i, &event));
    }
    return WEIR_OK;
}

static void mark_site(struct path_sweep *s, int point, int layer, enum path_mark mark, size_t *last)
{
    int n_layers = s->run->model->config.n_layers;
    s->marks[weir_site_index(n_layers, point, layer)] |= (uint8_t)mark;
    *last = weir_max_size(*last, weir_plan_moment(n_layers, point, layer));
}

/* Marks what the first pass of a group does, and gives the moment of the last. */
static size_t mark_first(struct path_sweep *s)
{
    const struct weir_scope *to = s->path->to;
    size_t last = 0;
    memset(s->marks, 0, weir_n_sites(s->run->model->config.n_layers));
    for (size_t i = 0; i < s->n_group; i++) {
        const weir_variant *v = variant_of(s, i);
        mark_site(s, v->point, v->layer, MARK_SENDS, &last);
        if (s->path->options->kind == WEIR_PATH_DIRECT)
            mark_site(s, weir_path_written(v->point), v->layer, MARK_TAKES, &last);
        for (size_t j = 0; s->path->options->kind == WEIR_PATH_FROZEN && j < to->n_sites; j++)
            if (receives(s, &to->sites[j], v))
                mark_site(s, point_taken(s, &to->sites[j]), to->sites[j].layer, MARK_TAKES, &last);
    }
    return last;
}

/* What is held lies between the layer in which the pass begins and what it takes last. */
static void mark_held(struct path_sweep *s, int layer, size_t last)
{
    int n_layers = s->run->model->config.n_layers;
    for (int i = layer > 0 ? layer : 0; i < n_layers && s->path->options->kind == WEIR_PATH_FROZEN; i++) {
        if (weir_plan_moment(n_layers, WEIR_P_Z, i) < last)
            s->marks[weir_site_index(n_layers, WEIR_P_Z, i)] |= MARK_HOLDS;
        if (s->path->options->freeze_mlps && !s->run->model->layers[i].spec.attn_only &&
            weir_plan_moment(n_layers, WEIR_P_MLP_OUT, i) < last)
            s->marks[weir_site_index(n_layers, WEIR_P_MLP_OUT, i)] |= MARK_HOLDS;
    }
}

static weir_status hook_first_at(struct path_sweep *s, int point, int layer)
{
    struct weir_scope *scope;
    unsigned mark = s->marks[weir_site_index(s->run->model->config.n_layers, point, layer)];
    if (mark == 0)
        return WEIR_OK;
    TRY(weir_scope_open_at(&scope, s->run->model, point, layer));
    weir_status status =
        weir_plan_add_whole(&s->run->plan, scope, mark == MARK_TAKES ? WEIR_READ : WEIR_EDIT, visit_first, s);
    weir_scope_close(scope);
    return status;
}

static weir_status hook_first(struct path_sweep *s, int layer)
{
    mark_held(s, layer, mark_first(s));
    for (int i = -1; i < s->run->model->config.n_layers; i++)
        for (int point = 0; point < WEIR_N_POINTS; point++)
            TRY(hook_first_at(s, point, i));
    return WEIR_OK;
}

static weir_status run_first(struct path_sweep *s, int layer)
{
    struct weir_start from = {.layer = layer, .kept = s->kept, .past = s->past};
    weir_status status;
    for (size_t i = 0; i < s->n_group; i++) {
        const weir_variant *v = variant_of(s, i);
        const weir_tokens *prompt = &s->prompts[v->prompt];
        weir_rows rows = rows_asked(s, v);
        s->past[i] = v->position > 0 ? (size_t)v->position : 0;
        s->rest[i] = (weir_tokens){.ids = prompt->ids + s->past[i],
                                   .n = (s->whole ? prompt->n : rows.first + rows.n) - s->past[i]};
    }
    weir_metrics_rest(s->run);
    TRY_DONE(hook_first(s, layer));
    TRY_DONE(weir_run_forward_from(s->run, s->rest, s->n_group, &from));
done:
    weir_plan_remove_whole(&s->run->plan, s);
    return status;
}

/* ---- the second pass ---- */

static void put_received(const struct path_sweep *s, const weir_variant *v, const struct path_value *taken,
                         const struct weir_site *receiver, weir_event *event)
{
    const struct weir_path *path = s->path;
    struct path_put put = {.to = event->data, .of = describe_value(event), .from = *taken, .shared = 1};
    bool direct = path->options->kind == WEIR_PATH_DIRECT;
    const struct weir_region region = weir_scope_region(path->to, receiver, s->first + (size_t)v->prompt);
    if (direct)
        put.less = value_kept(s, v->prompt, weir_path_written(v->point), v->layer);
    if ((direct || point_taken(s, receiver) != receiver->point) && weir_path_by_head(receiver->point))
        put.shared = SIZE_MAX;
    else if (weir_scope_is_by_query(path->to, receiver))
        put.shared = weir_path_shared(s->run->model);
    for (size_t i = 0; i < region.n; i++)
        put_positions(&put, &region.boxes[i]);
}

/* The editor of a receiver's site. */
static weir_status visit_second(const struct weir_whole *whole, void *payload)
{
    const struct path_sweep *s = payload;
    const struct weir_scope *to = s->path->to;
    const struct weir_site *receiver = weir_scope_site(to, whole->site->point, whole->site->layer);
    bool direct = s->path->options->kind == WEIR_PATH_DIRECT;
    for (size_t slot = 0; slot < whole->run->batch.n; slot++) {
        size_t i = whole->run->batch.numbers[slot], j = direct ? 0 : (size_t)(receiver - to->sites);
        const weir_variant *v = variant_of(s, i);
        weir_event event = weir_scope_is_by_query(to, receiver) ? weir_whole_event_by_query(whole, slot)
                                                                : weir_whole_event(whole, slot);
        if (!changes_nothing(s, v) && receives(s, receiver, v))
            put_received(s, v, &s->taken[i * to->n_sites + j], receiver, &event);
    }
    return WEIR_OK;
}

/* Hands on the logits that were asked for. */
static weir_status hand_on(const weir_event *event, void *payload)
{
    const struct path_sweep *s = payload;
    weir_rows rows = rows_of_hook(s, variant_of(s, (size_t)event->prompt));
    weir_event of_variant = *event;
    of_variant.prompt = (int)s->order[event->prompt];
    of_variant.first = rows.first;
    of_variant.data = rows.n > 0 ? event->data + (rows.first - event->first) * event->shape[1] : NULL;
    of_variant.shape[0] = of_variant.n_rows = rows.n;
    return s->hook(&of_variant, s->payload);
}

static bool is_received(const struct path_sweep *s, const struct weir_site *site)
{
    for (size_t i = 0; i < s->n_group; i++)
        if (!changes_nothing(s, variant_of(s, i)) && receives(s, site, variant_of(s, i)))
            return true;
    return false;
}

/* Registers the receivers that any of the group has; *layer: the first of theirs, n_layers: behind the blocks. */
static weir_status hook_second(struct path_sweep *s, int *layer, bool *by_query)
{
    const struct weir_scope *to = s->path->to;
    *layer = s->run->model->config.n_layers;
    *by_query = false;
    for (size_t j = 0; j < to->n_sites; j++) {
        const struct weir_site *site = &to->sites[j];
        if (!is_received(s, site))
            continue;
        if (site->point <= WEIR_P_RESID_POST && site->layer < *layer)
            *layer = site->layer;
        *by_query = *by_query || weir_scope_is_by_query(to, site);
        TRY(weir_plan_add_edit(&s->run->plan, s->path->hooked[j], visit_second, true, s));
    }
    return weir_run_hook_at(s->run, WEIR_P_LOGITS, -1, WEIR_READ, hand_on, s);
}

/* Copies for query heads are made of keys that the pass itself computes: of all positions. */
static void begin_second(struct path_sweep *s, int layer, bool by_query)
{
    for (size_t i = 0; i < s->n_group; i++) {
        const weir_variant *v = variant_of(s, i);
        const weir_tokens *prompt = &s->prompts[v->prompt];
        weir_rows rows = rows_asked(s, v);
        size_t past = rows.first;
        if (layer < s->run->model->config.n_layers && !changes_nothing(s, v))
            past = by_query ? 0 : weir_min_size(past, v->position > 0 ? (size_t)v->position : 0);
        s->past[i] = past;
        s->wanted[i] = rows.first;
        s->lines[i] = *prompt;
        s->rest[i] = (weir_tokens){.ids = prompt->ids + past, .n = (s->whole ? prompt->n : rows.first + rows.n) - past};
    }
}

static weir_status run_second(struct path_sweep *s)
{
    int layer;
    bool by_query;
    weir_status status;
    TRY_DONE(hook_second(s, &layer, &by_query));
    begin_second(s, layer, by_query);
    const struct weir_start from = {
        .layer = layer, .kept = s->kept, .past = s->past, .wanted = s->wanted, .whole = s->lines};
    TRY_DONE(weir_metrics_begin_group(s->run, s->order, s->n_group));
    TRY_DONE(weir_run_forward_from(s->run, s->rest, s->n_group, &from));
    weir_metrics_end_group(s->run);
done:
    weir_plan_remove_whole(&s->run->plan, s);
    weir_run_unhook(s->run, hand_on, s);
    return status;
}

/* ---- groups ---- */

static void forget_taken(struct path_sweep *s)
{
    for (size_t i = 0; i < s->n_group * s->path->to->n_sites; i++)
        weir_free(s->taken[i].own);
    weir_free(s->taken);
    s->taken = NULL;
}

static weir_status run_group_of(struct path_sweep *s, int layer)
{
    weir_status status;
    for (size_t i = 0; i < s->n_group; i++)
        s->kept[i] = s->keeper.kept[variant_of(s, i)->prompt];
    TRY(weir_alloc_zero(&s->taken, s->n_group * s->path->to->n_sites, sizeof *s->taken));
    if (layer < s->run->model->config.n_layers)
        TRY_DONE(run_first(s, layer));
    TRY_DONE(run_second(s));
done:
    forget_taken(s);
    s->n_group = 0;
    return status;
}

/* Where the first pass of a variant begins; n_layers: it has none. */
static int layer_sent(const struct path_sweep *s, const weir_variant *v)
{
    return changes_nothing(s, v) ? s->run->model->config.n_layers : v->layer;
}

/* Variants that begin in a layer, as many at a time as make a batch. */
static weir_status run_layer(struct path_sweep *s, int layer)
{
    size_t positions = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (layer_sent(s, &s->variants[i]) != layer)
            continue;
        s->order[s->n_group++] = i;
        positions += s->prompts[s->variants[i].prompt].n;
        if (positions >= s->run->batch_positions) {
            TRY(run_group_of(s, layer));
            positions = 0;
        }
    }
    return s->n_group > 0 ? run_group_of(s, layer) : WEIR_OK;
}

/* ---- what is kept ---- */

static weir_status keep_once(struct path_sweep *s, int point, int layer)
{
    return weir_keeper_has(&s->keeper, point, layer) ? WEIR_OK : weir_keep_at(&s->keeper, point, layer);
}

static weir_status keep_for_variants(struct path_sweep *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const weir_variant *v = &s->variants[i];
        if (v->point == WEIR_NO_POINT)
            continue;
        TRY(keep_once(s, v->point, v->layer));
        if (s->path->options->kind == WEIR_PATH_DIRECT)
            TRY(keep_once(s, weir_path_written(v->point), v->layer));
    }
    return WEIR_OK;
}

static weir_status keep_whole_prompts(struct path_sweep *s)
{
    const struct weir_path_options *o = s->path->options;
    int n_layers = s->run->model->config.n_layers, first = n_layers;
    TRY(weir_keeper_open(&s->keeper, s->run, s->n_prompts));
    for (size_t i = 0; i < s->n; i++)
        if (s->variants[i].point != WEIR_NO_POINT && s->variants[i].layer < first)
            first = s->variants[i].layer;
    TRY(weir_keep_from(&s->keeper, first));
    for (int i = first > 0 ? first : 0; i < n_layers && o->kind == WEIR_PATH_FROZEN; i++) {
        TRY(keep_once(s, WEIR_P_Z, i));
        if (o->freeze_mlps && !s->run->model->layers[i].spec.attn_only)
            TRY(keep_once(s, WEIR_P_MLP_OUT, i));
    }
    TRY(keep_for_variants(s));
    return weir_metrics_run_prompts(s->run, &s->keeper, s->prompts, s->n_prompts);
}

static weir_status allocate_groups(struct path_sweep *s)
{
    TRY(weir_alloc(&s->order, s->n, sizeof *s->order));
    TRY(weir_alloc(&s->rest, s->n, sizeof *s->rest));
    TRY(weir_alloc(&s->lines, s->n, sizeof *s->lines));
    TRY(weir_alloc(&s->asked, s->n, sizeof *s->asked));
    TRY(weir_alloc(&s->kept, s->n, sizeof(struct weir_kept *)));
    TRY(weir_alloc(&s->past, s->n, sizeof *s->past));
    TRY(weir_alloc(&s->wanted, s->n, sizeof *s->wanted));
    return weir_alloc_zero(&s->marks, weir_n_sites(s->run->model->config.n_layers), sizeof *s->marks);
}

static void close_path_sweep(struct path_sweep *s)
{
    weir_keeper_close(&s->keeper);
    weir_free(s->order);
    weir_free(s->rest);
    weir_free(s->lines);
    weir_free(s->asked);
    weir_free(s->kept);
    weir_free(s->past);
    weir_free(s->wanted);
    weir_free(s->marks);
}

static weir_status sweep_paths(struct path_sweep *s)
{
    bool kept_weights = s->run->keeps_weights;
    weir_status status;
    s->run->keeps_weights = true;
    TRY_DONE(allocate_groups(s));
    TRY_DONE(weir_metrics_begin(s->run, s->variants, s->n));
    TRY_DONE(keep_whole_prompts(s));
    find_rows_asked(s);
    for (int layer = -1; layer <= s->run->model->config.n_layers; layer++)
        TRY_DONE(run_layer(s, layer));
done:
    s->run->keeps_weights = kept_weights;
    close_path_sweep(s);
    weir_status ended = weir_metrics_end(s->run, status == WEIR_OK);
    return status == WEIR_OK ? ended : status;
}

weir_status weir_path_sweep(const struct weir_path *path, size_t first, size_t n_prompts, const weir_variant *variants,
                            size_t n, const weir_rows *rows, weir_hook_fn *hook, void *payload)
{
    struct path_sweep s = {.path = path,
                           .run = path->run,
                           .first = first,
                           .prompts = path->prompts + first,
                           .variants = variants,
                           .n = n,
                           .n_prompts = n_prompts,
                           .rows = rows,
                           .hook = hook,
                           .payload = payload,
                           .whole = weir_start_needs_whole(path->run->model)};
    return n > 0 ? sweep_paths(&s) : WEIR_OK;
}
