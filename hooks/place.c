/* Places in the run: resolving them against model and prompts, reading them as the pass goes by. */
#include "hooks/place.h"

#include "base/alloc.h"
#include "engine/positions.h"
#include "hooks/sources/pairs.h"
#include "points/points.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static weir_status fail_at(const struct weir_run_place *place, weir_status status)
{
    return weir_in_character(status, place->edit->text, place->value->at);
}

static bool averages(const struct weir_run_place *place)
{
    return place->edit->value.kind == WEIR_VALUE_MEAN;
}

/* True where the value may take any of what the place names, not as many as the edit changes. */
static bool takes_any(const struct weir_run_place *place)
{
    return place->edit->value.kind == WEIR_VALUE_MEAN || place->edit->value.kind == WEIR_VALUE_RESAMPLE;
}

/* ---- points, layers, units: what the model decides ---- */

static bool reads_keys(int point)
{
    const weir_point *p = weir_point_at(point);
    return p->axes[p->n_axes - 1] == WEIR_AXIS_KEY;
}

static weir_status find_point(int *out, const struct weir_run_place *place, const struct weir_site *site)
{
    *out = site->point;
    if (!place->term->no_hook) {
        TRY(weir_model_settle(place->model, place->term));
        for (int point = 0; point < WEIR_N_POINTS; point++)
            if (place->term->points[point])
                *out = point;
    }
    return reads_keys(*out) == reads_keys(site->point)
               ? WEIR_OK
               : weir_fail(WEIR_E_USAGE, "%s %s keys, %s %s: one cannot be changed by the other",
                           weir_point_at(*out)->name, reads_keys(*out) ? "has" : "has no",
                           weir_point_at(site->point)->name, reads_keys(site->point) ? "has" : "has none");
}

/* The layers that the place writes: one for all of the edit's, or one for each. */
static weir_status choose_layers(struct weir_place_site *out, const struct weir_run_place *place,
                                 const struct weir_site *site)
{
    struct weir_pairs layers;
    size_t n_sites, turn = weir_turn_of_site(place->scope, (size_t)(site - place->scope->sites), &n_sites);
    weir_status status = weir_pairs_list(&layers, &place->edit->value, &place->term->where.layers,
                                         (size_t)place->model->config.n_layers, "layer");
    out->layers = layers.list; /* the site's, to be freed with it */
    TRY(status);
    if (layers.how == WEIR_PAIR_DRAWN && layers.n > 1)
        return weir_fail(WEIR_E_USAGE, "a layer is drawn from files only: name one layer, or none");
    if (layers.how == WEIR_PAIR_LISTED && site->layer < 0)
        return weir_fail(WEIR_E_USAGE, "names %zu layers for %s, which has none: name one", layers.n,
                         weir_point_at(site->point)->name);
    TRY(weir_pairs_take_turn(&layers, turn, n_sites, "layer"));
    out->n_layers = layers.n;
    return WEIR_OK;
}

static weir_status find_layers(struct weir_place_site *out, const struct weir_run_place *place,
                               const struct weir_site *site)
{
    const weir_point *point = weir_point_at(out->point);
    const char *why;
    if (point->per_layer && place->term->where.has_layers) {
        TRY(choose_layers(out, place, site));
    } else {
        TRY(weir_alloc(&out->layers, 1, sizeof *out->layers));
        out->layers[0] = point->per_layer ? site->layer : -1;
        out->n_layers = 1;
        if (!point->per_layer && place->term->where.has_layers)
            return weir_fail(WEIR_E_USAGE, "%s stands outside the layers and has none", point->name);
        if (point->per_layer && site->layer < 0)
            return weir_fail(WEIR_E_USAGE, "name a layer of %s: %s has none", point->name,
                             weir_point_at(site->point)->name);
    }
    for (size_t i = 0; i < out->n_layers; i++)
        if (!weir_model_has_point(place->model, out->point, out->layers[i], &why))
            return weir_fail(WEIR_E_UNSUPPORTED, "%s: this model does not have it in layer %d: %s", point->name,
                             (int)out->layers[i], why);
    return WEIR_OK;
}

static weir_axis unit_axis(int point)
{
    int axis = weir_point_unit_axis(weir_point_at(point));
    return axis < 0 ? WEIR_N_AXES : weir_point_at(point)->axes[axis];
}

static weir_status list_source_units(struct weir_some *out, const struct weir_run_place *place,
                                     const struct weir_slices *slices, size_t n, const char *what)
{
    struct weir_pairs units;
    weir_status status = weir_pairs_list(&units, &place->edit->value, slices, n, what);
    *out = (struct weir_some){units.list, units.n};
    return status;
}

static weir_status find_source_units(struct weir_place_site *out, const struct weir_run_place *place,
                                     const struct weir_site *site)
{
    const struct weir_where *where = &place->term->where;
    size_t shape[WEIR_MAX_AXES];
    int axis = weir_point_unit_axis(weir_point_at(out->point));
    weir_model_shape(place->model, out->point, shape);
    out->own_units = !where->has_units && unit_axis(out->point) == unit_axis(site->point);
    out->by_query = out->own_units && weir_scope_is_by_query(place->scope, site);
    if (!where->has_units) {
        out->units.n = axis < 0 ? 0 : shape[axis];
        return WEIR_OK;
    }
    if (where->by_query_head) {
        const struct weir_config *c = &place->model->config;
        out->by_query = c->n_heads != c->n_kv_heads;
        shape[axis] = (size_t)c->n_heads;
    }
    if (axis < 0)
        return weir_fail(WEIR_E_USAGE, "%s has no heads or neurons to choose from", weir_point_at(out->point)->name);
    return list_source_units(&out->units, place, &where->units, shape[axis], "unit");
}

/* Neurons of experts are changed by those of experts, of the same point or another. */
static weir_status find_source_experts(struct weir_place_site *out, const struct weir_run_place *place,
                                       const struct weir_site *site)
{
    const struct weir_where *where = &place->term->where;
    size_t n = (size_t)place->model->config.n_experts;
    if (!weir_point_has_experts(weir_point_at(out->point)))
        return weir_fail(WEIR_E_USAGE, "%s has no neurons of experts, as %s has: one cannot be changed by the other",
                         weir_point_at(out->point)->name, weir_point_at(site->point)->name);
    out->by_expert = true;
    out->own_units = !where->has_units;
    out->units.n = n;
    return where->has_units ? list_source_units(&out->units, place, &where->units, n, "expert") : WEIR_OK;
}

static weir_status open_site(struct weir_place_site *out, const struct weir_run_place *place,
                             const struct weir_site *site)
{
    TRY(find_point(&out->point, place, site));
    TRY(find_layers(out, place, site));
    return weir_scope_is_by_expert(place->scope, site) ? find_source_experts(out, place, site)
                                                       : find_source_units(out, place, site);
}

weir_status weir_place_open(struct weir_run_place *place, const struct weir_model *model, const struct weir_edit *edit,
                            const struct weir_value *value, const struct weir_scope *scope)
{
    *place =
        (struct weir_run_place){.model = model, .edit = edit, .scope = scope, .value = value, .term = value->place};
    TRY(weir_alloc_zero(&place->sites, scope->n_sites, sizeof *place->sites));
    for (size_t i = 0; i < scope->n_sites; i++)
        TRY(fail_at(place, open_site(&place->sites[i], place, &scope->sites[i])));
    return WEIR_OK;
}

void weir_place_close_sites(struct weir_run_place *place)
{
    for (size_t i = 0; place->sites && i < place->scope->n_sites; i++) {
        weir_free(place->sites[i].layers);
        weir_free(place->sites[i].units.list);
    }
    weir_free(place->sites);
    place->sites = NULL;
}

bool weir_place_is_at(const struct weir_run_place *place, size_t site, int point, int layer)
{
    const struct weir_place_site *at = &place->sites[site];
    for (size_t i = 0; at->point == point && i < at->n_layers; i++)
        if (at->layers[i] == layer)
            return true;
    return false;
}

/* ---- prompts ---- */

/* What is planned for one box, before it is a reading. */
struct planning {
    const struct weir_run_place *place;
    struct weir_run *run;
    size_t site, reader;
    const struct weir_box *box;
    struct weir_place_reading *out;
};

static weir_status add_origin(struct planning *p, size_t prompt)
{
    size_t capacity = p->out->n_origins; /* each is added once: prompts are few, or listed at once */
    TRY(weir_grow(&p->out->origins, &capacity, p->out->n_origins + 1, sizeof *p->out->origins));
    p->out->origins[p->out->n_origins++] = (struct weir_origin){.prompt = prompt};
    return WEIR_OK;
}

/* Which of the prompts that the edit changes the reader is, and how many there are. */
static size_t turn_of_reader(const struct planning *p, size_t *n)
{
    const struct weir_scope *scope = p->place->scope;
    size_t turn = 0;
    *n = 0;
    for (size_t prompt = 0; prompt < scope->n_prompts; prompt++) {
        bool changed = weir_scope_changes(scope, prompt);
        if (prompt == p->reader)
            turn = *n;
        *n += changed;
    }
    return turn;
}

/* The prompts that the place names for the reader: one, or all that are averaged. */
static weir_status find_prompts(struct weir_pairs *out, const struct planning *p)
{
    const struct weir_schedule *schedule = &p->run->schedule;
    const struct weir_sides sides = weir_prompt_sides(schedule->prompts, schedule->n_given);
    const struct weir_value *value = &p->place->edit->value;
    size_t n = 0, turn = 0;
    TRY(weir_pairs_prompts(out, value, &p->place->term->where.prompts, &sides, schedule->prompts, p->reader));
    weir_pairs_draw(out, value, p->reader, WEIR_DRAW_PROMPT);
    if (out->how == WEIR_PAIR_LISTED)
        turn = turn_of_reader(p, &n);
    return weir_pairs_take_turn(out, turn, n, "prompt");
}

static weir_status find_origins(struct planning *p)
{
    const struct weir_whose *whose = &p->place->term->where.prompts;
    struct weir_pairs prompts = {0};
    size_t copy;
    if (!p->place->term->where.has_prompts)
        return add_origin(p, p->reader);
    if (whose->name && strcmp(whose->name, "base") == 0) {
        TRY(weir_schedule_copy(&copy, &p->run->schedule, p->reader));
        return add_origin(p, copy);
    }
    weir_status status = find_prompts(&prompts, p);
    for (size_t i = 0; i < prompts.n && status == WEIR_OK; i++)
        status = add_origin(p, (size_t)prompts.list[i]);
    weir_free(prompts.list);
    return status;
}

/* ---- positions and keys ---- */

/* Positions that the place names, in the order in which it names them, or the one of them that is drawn. */
static weir_status find_named(int32_t **list, size_t *n, const struct planning *p, size_t prompt,
                              const struct weir_spots *spots, enum weir_draw axis)
{
    const char *what = axis == WEIR_DRAW_KEY ? "key" : "position";
    const struct weir_value *value = &p->place->edit->value;
    struct weir_positions found = {0};
    struct weir_pairs pairs = {0};
    weir_status status = weir_positions_find(&found, p->place->model, &p->run->schedule.prompts[prompt],
                                             weir_run_past(p->run, prompt), spots, what);
    if (status == WEIR_OK)
        status = weir_pairs_positions(&pairs, value, &found, what);
    if (status == WEIR_OK)
        weir_pairs_draw(&pairs, value, p->reader, axis);
    weir_positions_close(&found);
    *list = pairs.list;
    *n = pairs.n;
    return weir_in_prompt(status, prompt);
}

/* The same positions as the box has; those that the prompt does not have are an error, or left out of a mean. */
static weir_status copy_own(int32_t **list, size_t *n, const struct planning *p, size_t prompt,
                            const struct weir_some *own, size_t first, const char *what)
{
    size_t length = weir_run_past(p->run, prompt) + p->run->schedule.prompts[prompt].n;
    TRY(weir_alloc(list, own->n, sizeof **list));
    *n = own->n;
    for (size_t i = 0; i < own->n; i++) {
        size_t position = first + weir_some_at(own, i);
        if (position >= length && !averages(p->place))
            return weir_fail(WEIR_E_USAGE, "prompt %zu has no %s %zu, which prompt %zu is changed at: it has %zu",
                             prompt, what, position, p->reader, length);
        (*list)[i] = position < length ? (int32_t)position : -1;
    }
    return WEIR_OK;
}

/* The box's positions are sorted; where the edit names them in another order, that is how sources pair with them. */
static weir_status pair_in_order(int32_t *list, size_t n, const struct planning *p)
{
    const struct weir_selection *select = p->place->edit->select;
    const struct weir_some *rows = &p->box->rows;
    int32_t *named = NULL, *sorted = NULL;
    size_t n_named = 0;
    weir_status status;
    if (!list || takes_any(p->place) || n != rows->n || n == 1 || select->n != 1)
        return WEIR_OK;
    TRY_DONE(find_named(&named, &n_named, p, p->reader, &select->terms[0].where.positions, WEIR_DRAW_POSITION));
    TRY_DONE(weir_alloc(&sorted, n, sizeof *sorted));
    for (size_t i = 0; i < n && n_named == n; i++)
        for (size_t j = 0; j < n; j++)
            if ((size_t)named[j] == weir_run_past(p->run, p->reader) + weir_some_at(rows, i))
                sorted[i] = list[j];
    if (n_named == n)
        memcpy(list, sorted, n * sizeof *list);
done:
    weir_free(named);
    weir_free(sorted);
    return status;
}

static weir_status find_neurons(struct weir_origin *origin, const struct planning *p)
{
    const struct weir_where *where = &p->place->term->where;
    const struct weir_some *own = &p->box->keys;
    if (where->has_neurons) {
        struct weir_some named;
        weir_status status =
            list_source_units(&named, p->place, &where->neurons, (size_t)p->place->model->config.d_expert, "neuron");
        origin->keys = named.list;
        origin->n_keys = named.n;
        return status;
    }
    TRY(weir_alloc(&origin->keys, own->n, sizeof *origin->keys));
    origin->n_keys = own->n;
    for (size_t i = 0; i < own->n; i++)
        origin->keys[i] = (int32_t)weir_some_at(own, i);
    return WEIR_OK;
}

static weir_status find_origin_cells(struct planning *p, struct weir_origin *origin)
{
    const struct weir_where *where = &p->place->term->where;
    if (where->has_positions) {
        TRY(find_named(&origin->positions, &origin->n_positions, p, origin->prompt, &where->positions,
                       WEIR_DRAW_POSITION));
        TRY(pair_in_order(origin->positions, origin->n_positions, p));
    } else {
        TRY(copy_own(&origin->positions, &origin->n_positions, p, origin->prompt, &p->box->rows,
                     weir_run_past(p->run, p->reader), "position"));
    }
    if (p->place->sites[p->site].by_expert)
        return find_neurons(origin, p);
    if (!reads_keys(p->place->sites[p->site].point))
        return WEIR_OK;
    if (where->has_keys)
        return find_named(&origin->keys, &origin->n_keys, p, origin->prompt, &where->keys, WEIR_DRAW_KEY);
    TRY(copy_own(&origin->keys, &origin->n_keys, p, origin->prompt, &p->box->keys, 0, "key"));
    for (size_t i = 0; i < origin->n_keys; i++)
        if (origin->keys[i] < 0)
            return weir_fail(WEIR_E_USAGE, "prompt %zu has %zu keys, prompt %zu more: name those that are meant",
                             origin->prompt, p->run->schedule.prompts[origin->prompt].n, p->reader);
    return WEIR_OK;
}

/* ---- shapes ---- */

static size_t inner_size(const struct weir_model *model, int point)
{
    const weir_point *p = weir_point_at(point);
    int rows = weir_point_row_axis(p), units = weir_point_unit_axis(p);
    size_t shape[WEIR_MAX_AXES], n = 1;
    int n_axes = weir_model_shape(model, point, shape);
    for (int i = 0; i < n_axes; i++)
        if (i != rows && i != units)
            n *= shape[i];
    return n;
}

/* True where a unit has keys, or an expert neurons, that a place may choose from. */
static bool has_third_axis(const struct weir_place_site *site)
{
    return reads_keys(site->point) || site->by_expert;
}

/* How many numbers along an axis serve `wanted` of them: as many, or one. */
static weir_status pair_axis(size_t *step, size_t has, size_t wanted, size_t apart, const char *what)
{
    *step = has == 1 ? 0 : apart;
    return weir_pairs_match(has, wanted, what);
}

static weir_status pair_with_keys(const struct planning *p)
{
    struct weir_place_reading *out = p->out;
    bool by_expert = p->place->sites[p->site].by_expert;
    TRY(pair_axis(&out->operand.unit_step, out->n_units, p->box->units.n, out->n_inner, by_expert ? "expert" : "head"));
    return pair_axis(&out->operand.inner_step, out->n_inner, p->box->keys.n, 1, by_expert ? "neuron" : "key");
}

/* What a source has at a position is what is changed there, or what each unit of it is, or one number. */
static weir_status pair_numbers(const struct planning *p)
{
    struct weir_place_reading *out = p->out;
    size_t has = out->n_units * out->n_inner, units = p->box->units.n > 0 ? p->box->units.n : 1;
    size_t width = inner_size(p->place->model, p->place->scope->sites[p->site].point);
    if (has == units * width) {
        out->operand.unit_step = width;
        out->operand.inner_step = 1;
    } else if (has == width) {
        out->operand.inner_step = 1;
    } else if (has > 1) {
        return weir_fail(WEIR_E_USAGE, "has %zu numbers at a position, where %zu are changed", has, units * width);
    }
    return WEIR_OK;
}

static weir_status pair_reading(const struct planning *p)
{
    const struct weir_place_site *site = &p->place->sites[p->site];
    const struct weir_where *where = &p->place->term->where;
    struct weir_place_reading *out = p->out;
    const struct weir_origin *first = &out->origins[0];
    bool mean = averages(p->place);
    out->units = site->own_units ? p->box->units : site->units;
    if (where->has_units && p->place->edit->value.kind == WEIR_VALUE_RESAMPLE) {
        size_t drawn = weir_random_draw(p->place->edit->value.seed, p->reader, WEIR_DRAW_UNIT, site->units.n);
        out->units = (struct weir_some){&site->units.list[drawn], 1};
    }
    out->n_units = out->units.n == 0 || (mean && where->has_units) ? 1 : out->units.n;
    out->n_rows = mean && where->has_positions ? 1 : first->n_positions;
    out->n_inner = !has_third_axis(site)                             ? inner_size(p->place->model, site->point)
                   : mean && (where->has_keys || where->has_neurons) ? 1
                                                                     : first->n_keys;
    TRY(pair_axis(&out->operand.row_step, out->n_rows, p->box->rows.n, out->n_units * out->n_inner, "position"));
    return has_third_axis(site) ? pair_with_keys(p) : pair_numbers(p);
}

/* ---- order ---- */

/* "z:2", or "logits" outside the layers. */
static void name_place(char out[64], int point, int layer)
{
    if (layer < 0)
        snprintf(out, 64, "%s", weir_point_at(point)->name);
    else
        snprintf(out, 64, "%s:%d", weir_point_at(point)->name, layer);
}

static weir_status fail_later(int point, int layer, const struct weir_site *to)
{
    char from[64], target[64];
    name_place(from, point, layer);
    name_place(target, to->point, to->layer);
    return weir_fail(WEIR_E_USAGE, "%s is computed after %s in the same prompt: read it from another one, [#base]",
                     from, target);
}

/* Tells the schedule what the reading needs; refuses what comes later in the reader's own pass. */
static weir_status need_origins(const struct planning *p)
{
    const struct weir_place_site *from = &p->place->sites[p->site];
    const struct weir_site *to = &p->place->scope->sites[p->site];
    int n_layers = p->place->model->config.n_layers, latest = from->layers[from->n_layers - 1];
    bool later = weir_plan_moment(n_layers, from->point, latest) > weir_plan_moment(n_layers, to->point, to->layer);
    for (size_t i = 0; i < p->out->n_origins; i++) {
        if (p->out->origins[i].prompt != p->reader)
            TRY(weir_schedule_need(&p->run->schedule, p->reader, p->out->origins[i].prompt, later));
        else if (later)
            return fail_later(from->point, latest, to);
    }
    return WEIR_OK;
}

/* A mean takes each position from the prompts that have it: one of them must. */
static weir_status check_mean(const struct planning *p)
{
    const struct weir_place_reading *out = p->out;
    for (size_t row = 0; averages(p->place) && row < out->origins[0].n_positions; row++) {
        bool any = false;
        for (size_t i = 0; i < out->n_origins && !any; i++)
            any = p->place->term->where.has_positions || out->origins[i].positions[row] >= 0;
        if (!any)
            return weir_fail(WEIR_E_USAGE, "none of the prompts that it averages has the %zu positions of prompt %zu",
                             out->origins[0].n_positions, p->reader);
    }
    return WEIR_OK;
}

static weir_status plan_one_reading(struct planning *p)
{
    TRY(find_origins(p));
    for (size_t i = 0; i < p->out->n_origins; i++)
        TRY(find_origin_cells(p, &p->out->origins[i]));
    TRY(check_mean(p));
    TRY(pair_reading(p));
    return need_origins(p);
}

weir_status weir_place_plan(struct weir_place_reading *out, const struct weir_run_place *place, struct weir_run *run,
                            size_t site, size_t reader, const struct weir_box *box)
{
    struct planning planning = {place, run, site, reader, box, out};
    *out = (struct weir_place_reading){0};
    weir_status status = plan_one_reading(&planning);
    if (status != WEIR_OK)
        weir_reading_close(out); /* nobody knows of it yet */
    return fail_at(place, status);
}

/* ---- reading ---- */

static bool takes_masks(int point)
{
    return point == WEIR_P_ATTN_SCORES || point == WEIR_P_ROUTER;
}

static weir_status read_number(struct weir_place_reading *reading, size_t at, float value, bool masks)
{
    if (!isfinite(value) && !(masks && value == -INFINITY))
        return weir_fail(WEIR_E_USAGE, "what it reads is %s", isnan(value) ? "NaN" : "infinite");
    if (reading->sums)
        reading->sums[at] += (double)value;
    else
        reading->data[at] = value;
    return WEIR_OK;
}

/* One unit of a row of the value: n numbers at x, by key where the origin has keys. */
static weir_status read_unit(struct weir_place_reading *reading, const struct weir_origin *origin, size_t at,
                             const float *x, size_t n, bool masks)
{
    size_t count = origin->n_keys > 0 ? origin->n_keys : n;
    for (size_t i = 0; i < count; i++)
        TRY(read_number(reading, at + (reading->n_inner == 1 ? 0 : i),
                        x[origin->n_keys > 0 ? (size_t)origin->keys[i] : i], masks));
    return WEIR_OK;
}

static weir_status read_place_row(struct weir_place_reading *reading, const struct weir_origin *origin, size_t row,
                                  const struct weir_cells *cells, size_t from, bool masks)
{
    size_t units = reading->units.n > 0 ? reading->units.n : 1;
    for (size_t u = 0; u < units; u++) {
        size_t unit = row * reading->n_units + (reading->n_units == 1 ? 0 : u);
        const float *x = weir_cells_unit(cells, from, weir_some_at(&reading->units, u) / reading->shared);
        if (!x) { /* an expert that was not chosen there */
            for (size_t i = 0; !reading->sums && i < reading->n_inner; i++)
                reading->data[unit * reading->n_inner + i] = NAN;
            continue;
        }
        TRY(read_unit(reading, origin, unit * reading->n_inner, x, cells->n_inner, masks));
        if (reading->counts)
            reading->counts[unit]++;
    }
    return WEIR_OK;
}

static weir_status read_origin(struct weir_place_reading *reading, const struct weir_origin *origin,
                               const struct weir_cells *cells, bool masks)
{
    for (size_t i = 0; i < origin->n_positions; i++) {
        size_t position = (size_t)origin->positions[i];
        if (origin->positions[i] < 0)
            continue;
        if (position < cells->first || position - cells->first >= cells->n_rows)
            return weir_fail(WEIR_E_USAGE, "position %zu of prompt %zu is not computed in this pass", position,
                             origin->prompt);
        TRY(read_place_row(reading, origin, reading->n_rows == 1 ? 0 : i, cells, position - cells->first, masks));
    }
    return WEIR_OK;
}

static weir_status make_room(struct weir_place_reading *reading, bool mean)
{
    size_t n = reading->n_rows * reading->n_units * reading->n_inner;
    if (reading->data)
        return WEIR_OK;
    TRY(weir_alloc(&reading->data, n, sizeof *reading->data));
    if (!mean)
        return WEIR_OK;
    TRY(weir_alloc_zero(&reading->sums, n, sizeof *reading->sums));
    return weir_alloc_zero(&reading->counts, reading->n_rows * reading->n_units, sizeof *reading->counts);
}

/* Indices as numbers, in new memory: they stand where other points have floats. */
static weir_status convert_indices(float **out, const weir_event *event)
{
    size_t n = event->shape[0] * event->shape[1];
    TRY(weir_alloc(out, n, sizeof **out));
    for (size_t i = 0; i < n; i++)
        (*out)[i] = (float)event->indices[i];
    return WEIR_OK;
}

/* How many query heads read each key-value head. */
static size_t shared_heads(const struct weir_model *model)
{
    return (size_t)(model->config.n_heads / model->config.n_kv_heads);
}

weir_status weir_place_read(struct weir_place_reading *reading, const struct weir_run_place *place, size_t site,
                            const struct weir_whole *whole)
{
    const struct weir_batch *batch = &whole->run->batch;
    bool masks = takes_masks(place->scope->sites[site].point);
    for (size_t i = 0; i < reading->n_origins; i++)
        for (size_t slot = 0; slot < batch->n; slot++) {
            if (batch->numbers[slot] != reading->origins[i].prompt)
                continue;
            weir_event event = weir_whole_event(whole, slot);
            float *numbers = NULL;
            TRY(make_room(reading, averages(place)));
            if (event.indices)
                TRY(convert_indices(&numbers, &event));
            event.data = numbers ? numbers : event.data;
            bool copies = place->sites[site].by_query && whole->by_query;
            if (copies)
                event = weir_whole_event_by_query(whole, slot);
            struct weir_cells cells = weir_cells_of(&event, 0);
            if (place->sites[site].by_expert)
                weir_cells_by_expert(&cells, place->model, weir_whole_experts(whole, slot));
            reading->shared = place->sites[site].by_query && !copies ? shared_heads(place->model) : 1;
            weir_status status = read_origin(reading, &reading->origins[i], &cells, masks);
            weir_free(numbers);
            TRY(fail_at(place, status));
            reading->n_read++;
        }
    return WEIR_OK;
}

const struct weir_operand *weir_reading_finish(const struct weir_run_place *place, size_t site,
                                               struct weir_place_reading *reading)
{
    size_t keys = has_third_axis(&place->sites[site]) ? reading->origins[0].n_keys : reading->n_inner;
    size_t each = keys / reading->n_inner; /* terms of a unit that is read */
    for (size_t unit = 0; reading->sums && unit < reading->n_rows * reading->n_units; unit++)
        for (size_t i = 0; i < reading->n_inner; i++)
            reading->data[unit * reading->n_inner + i] =
                (float)(reading->sums[unit * reading->n_inner + i] / (double)(reading->counts[unit] * each));
    reading->operand.data = reading->data;
    return &reading->operand;
}

void weir_reading_forget(struct weir_place_reading *reading)
{
    weir_free(reading->data);
    weir_free(reading->sums);
    weir_free(reading->counts);
    reading->data = NULL;
    reading->sums = NULL;
    reading->counts = NULL;
    reading->n_read = 0;
}

void weir_reading_close(struct weir_place_reading *reading)
{
    weir_reading_forget(reading);
    for (size_t i = 0; i < reading->n_origins; i++) {
        weir_free(reading->origins[i].positions);
        weir_free(reading->origins[i].keys);
    }
    weir_free(reading->origins);
    *reading = (struct weir_place_reading){0};
}
