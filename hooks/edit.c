/* Edits as hooks: resolved when they are added, checked against the prompts before a pass, applied as the pass goes by.
 */
#include "hooks/edit.h"

#include "base/alloc.h"
#include "engine/start.h"
#include "hooks/basis.h"
#include "hooks/place.h"
#include "hooks/sources/source.h"
#include "points/points.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* One edit of a run. */
struct run_edit {
    struct weir_run *run;
    weir_edit *edit;
    struct weir_scope *scope;
    struct weir_change change;
    struct weir_basis basis;         /* of change along directions; width 0: none */
    float number;                    /* where the source is one */
    struct weir_edit_source *source; /* of a source that is none of the run's; NULL */
    struct weir_run_place place;     /* of a source in the run; no sites: it is not */
    struct weir_place_reading
        *readings; /* [n_readings] those of each site and prompt that the place needs, box by box */
    size_t n_readings, cap_readings;
    size_t *first;                  /* [n_sites * n_prompts + 1] where those of each begin */
    bool names_experts, met_expert; /* it names experts; one of them was chosen where it acts */
    size_t n_prompts;
    bool reads_own; /* the place is in the prompt that it changes */

    /* in a sweep, whose prompts ran whole: by what each box was changed, for the passes of its variants */
    struct weir_operand *kept; /* [n_boxes]; data is the edit's own */
    size_t *first_kept;        /* [n_sites * n_kept_prompts + 1] where those of each site and prompt begin */
    size_t n_kept_prompts;
};

enum edit_phase {
    EDITS_PASS,   /* a pass of prompts */
    EDITS_KEEP,   /* of those of a sweep: what they are changed by is kept */
    EDITS_REPLAY, /* of variants of them: what was kept changes them too */
};

struct weir_run_edits {
    struct weir_run *run;
    struct run_edit **list; /* [n] in the order in which they act */
    size_t n, capacity;
    enum edit_phase phase;
};

static enum edit_phase phase_of(const struct run_edit *edit)
{
    return edit->run->edits ? edit->run->edits->phase : EDITS_PASS;
}

/* True where what it changes by is the same whatever else is changed: it comes from a file, by chance, from another
   prompt. */
static bool has_kept_operands(const struct run_edit *edit)
{
    return edit->source || (edit->place.sites && !edit->reads_own);
}

static weir_status fail_in_edit(const struct run_edit *edit, size_t at, weir_status status)
{
    return weir_in_character(status, edit->edit->text, at);
}

/* Names the edit in front of what went wrong when it ran: there may be several. */
static weir_status in_edit(const struct run_edit *edit, weir_status status)
{
    return weir_in(status, edit->edit->text);
}

static struct weir_cells cells_in(const struct run_edit *edit, const weir_event *event)
{
    size_t window = event->layer < 0 ? 0 : (size_t)edit->run->model->layers[event->layer].spec.window;
    return weir_cells_of(event, window);
}

/* ---- before a pass ---- */

static void forget_readings(struct run_edit *edit)
{
    for (size_t i = 0; i < edit->n_readings; i++)
        weir_reading_close(&edit->readings[i]);
    edit->n_readings = 0;
    weir_free(edit->first);
    edit->first = NULL;
    edit->n_prompts = 0;
}

/* The value of a point of which only the shape is known yet: what it will be in a prompt. */
static struct weir_cells cells_to_come(const struct run_edit *edit, const struct weir_site *site, size_t prompt)
{
    weir_event event = {.point = weir_point_at(site->point), .layer = site->layer};
    event.axes = event.point->axes;
    event.n_axes = weir_model_shape(edit->run->model, site->point, event.shape);
    if (weir_scope_is_by_query(edit->scope, site))
        event.shape[weir_point_unit_axis(event.point)] = (size_t)edit->run->model->config.n_heads;
    event.first = weir_run_past(edit->run, prompt);
    for (int i = 0; i < event.n_axes; i++)
        if (event.axes[i] == WEIR_AXIS_KEY)
            event.shape[i] = event.first + edit->run->schedule.prompts[prompt].n;
        else if (weir_axis_is_position(event.axes[i]))
            event.shape[i] = edit->run->schedule.prompts[prompt].n;
    struct weir_cells cells = cells_in(edit, &event);
    if (weir_scope_is_by_expert(edit->scope, site))
        weir_cells_by_expert(&cells, edit->run->model, NULL);
    return cells;
}

/* Vectors that are changed as one must be there whole, and as wide as the directions. */
static weir_status check_vectors(const struct run_edit *edit, const struct weir_cells *cells,
                                 const struct weir_box *box, const struct weir_site *site)
{
    const char *name = weir_point_at(site->point)->name;
    bool by_expert = weir_scope_is_by_expert(edit->scope, site);
    size_t width = cells->n_inner == 1 && !by_expert ? cells->n_units : cells->n_inner;
    if (edit->basis.width == 0 && !edit->change.keeps_norm)
        return WEIR_OK;
    if (cells->has_keys)
        return fail_in_edit(edit, 0,
                            weir_fail(WEIR_E_USAGE,
                                      "%s has keys where others have channels: it has neither "
                                      "directions nor a norm to keep",
                                      name));
    if (by_expert ? box->keys.list != NULL : cells->n_inner == 1 && box->units.list)
        return fail_in_edit(edit, 0,
                            weir_fail(WEIR_E_USAGE,
                                      "%s: a change along directions, or one that keeps a norm, "
                                      "takes all channels",
                                      name));
    if (edit->basis.width > 0 && edit->basis.width != width)
        return fail_in_edit(
            edit, edit->edit->along.at,
            weir_fail(WEIR_E_USAGE, "directions of %zu numbers, where %s has %zu", edit->basis.width, name, width));
    if (edit->basis.width > 0 && !weir_basis_of(&edit->basis, site->layer))
        return fail_in_edit(
            edit, edit->edit->along.at,
            weir_fail(WEIR_E_USAGE, "%s has no direction for layer %d", edit->edit->along.path, site->layer));
    return WEIR_OK;
}

/* What a prompt reads of itself varies with it. */
static weir_status note_own_reading(struct run_edit *edit, const struct weir_place_reading *reading, size_t prompt)
{
    for (size_t i = 0; i < reading->n_origins; i++)
        edit->reads_own = edit->reads_own || reading->origins[i].prompt == prompt;
    if (!edit->reads_own || phase_of(edit) == EDITS_PASS || !edit->place.term->where.has_prompts)
        return WEIR_OK;
    return fail_in_edit(edit, edit->place.value->at,
                        weir_fail(WEIR_E_UNSUPPORTED,
                                  "prompt %zu reads itself here by a name, which its variants do "
                                  "not have: name no prompt",
                                  prompt));
}

static weir_status plan_box(struct run_edit *edit, size_t site, size_t prompt, const struct weir_box *box,
                            size_t *n_cells)
{
    const struct weir_cells cells = cells_to_come(edit, &edit->scope->sites[site], prompt);
    TRY(check_vectors(edit, &cells, box, &edit->scope->sites[site]));
    if (*n_cells == 0)
        *n_cells = weir_cells_count(&cells, box);
    if (!edit->place.sites)
        return WEIR_OK;
    TRY(weir_grow(&edit->readings, &edit->cap_readings, edit->n_readings + 1, sizeof *edit->readings));
    TRY(weir_place_plan(&edit->readings[edit->n_readings], &edit->place, edit->run, site, prompt, box));
    return note_own_reading(edit, &edit->readings[edit->n_readings++], prompt);
}

/* A program's own hooks write to what key-value heads have, and do not see what query heads read of it. */
static weir_status check_hooks(const struct run_edit *edit)
{
    static const int points[] = {WEIR_P_K_INPUT, WEIR_P_K, WEIR_P_K_NORMED, WEIR_P_ROT_K, WEIR_P_V_INPUT, WEIR_P_V};
    for (size_t i = 0; i < edit->scope->n_sites; i++)
        for (size_t j = 0; j < sizeof points / sizeof *points; j++)
            if (weir_scope_is_by_query(edit->scope, &edit->scope->sites[i]) &&
                weir_plan_edits_by_hook(&edit->run->plan, points[j], edit->scope->sites[i].layer))
                return weir_fail(
                    WEIR_E_USAGE,
                    "a hook edits %s in layer %d, which would not reach what this edit's query heads read: "
                    "name key-value heads",
                    weir_point_at(points[j])->name, edit->scope->sites[i].layer);
    return WEIR_OK;
}

static void forget_kept(struct run_edit *edit)
{
    for (size_t i = 0; edit->kept && i < edit->first_kept[edit->scope->n_sites * edit->n_kept_prompts]; i++)
        weir_free((void *)edit->kept[i].data);
    weir_free(edit->kept);
    weir_free(edit->first_kept);
    edit->kept = NULL;
    edit->first_kept = NULL;
    edit->n_kept_prompts = 0;
}

static weir_status make_room_for_kept(struct run_edit *edit)
{
    size_t n_sites = edit->scope->n_sites, n = 0;
    TRY(weir_alloc_zero(&edit->first_kept, n_sites * edit->n_prompts + 1, sizeof *edit->first_kept));
    edit->n_kept_prompts = edit->n_prompts;
    for (size_t i = 0; i < n_sites * edit->n_prompts; i++) {
        edit->first_kept[i] = n;
        n += weir_scope_region(edit->scope, &edit->scope->sites[i / edit->n_prompts], i % edit->n_prompts).n;
    }
    edit->first_kept[n_sites * edit->n_prompts] = n;
    return weir_alloc_zero(&edit->kept, n, sizeof *edit->kept);
}

static weir_status plan_edit(struct run_edit *edit)
{
    size_t n_sites = edit->scope->n_sites, n_cells = 0, n_lists;
    forget_readings(edit);
    TRY(check_hooks(edit));
    edit->n_prompts = edit->run->schedule.n_given;
    edit->names_experts = edit->met_expert = false;
    TRY(weir_mul(&n_lists, n_sites, edit->n_prompts));
    TRY(weir_alloc_zero(&edit->first, n_lists + 1, sizeof *edit->first));
    if (phase_of(edit) == EDITS_REPLAY && !edit->reads_own)
        return WEIR_OK;
    for (size_t site = 0; site < n_sites; site++)
        edit->names_experts |= weir_scope_is_by_expert(edit->scope, &edit->scope->sites[site]);
    for (size_t site = 0; site < n_sites; site++)
        for (size_t prompt = 0; prompt < edit->n_prompts; prompt++) {
            const struct weir_region region = weir_scope_region(edit->scope, &edit->scope->sites[site], prompt);
            edit->first[site * edit->n_prompts + prompt] = edit->n_readings;
            for (size_t box = 0; box < region.n; box++)
                TRY(plan_box(edit, site, prompt, &region.boxes[box], &n_cells));
        }
    edit->first[n_lists] = edit->n_readings;
    if (edit->source)
        TRY(weir_edit_source_find(edit->source, edit->run->from ? edit->run->from->past : NULL));
    if (phase_of(edit) == EDITS_KEEP)
        TRY(make_room_for_kept(edit));
    return n_cells > 0 || phase_of(edit) == EDITS_REPLAY
               ? WEIR_OK
               : fail_in_edit(edit, 0,
                              weir_fail(WEIR_E_USAGE, "this edit changes nothing in any prompt: no "
                                                      "position is left of what it names, or masked ones"));
}

static weir_status prepare_edits(struct weir_run *run, void *payload)
{
    const struct weir_run_edits *edits = payload;
    (void)run;
    for (size_t i = 0; i < edits->n; i++)
        TRY(in_edit(edits->list[i], plan_edit(edits->list[i])));
    return WEIR_OK;
}

/* True where one of an edit's readings of that prompt has that origin. */
static bool needs_prompt(const struct run_edit *edit, const struct weir_need *need)
{
    for (size_t site = 0; edit->place.sites && site < edit->scope->n_sites; site++)
        for (size_t i = edit->first[site * edit->n_prompts + need->reader];
             i < edit->first[site * edit->n_prompts + need->reader + 1]; i++)
            for (size_t origin = 0; origin < edit->readings[i].n_origins; origin++)
                if (edit->readings[i].origins[origin].prompt == need->source)
                    return true;
    return false;
}

static weir_status explain_cycle(const struct weir_need *need, void *payload)
{
    const struct weir_run_edits *edits = payload;
    for (size_t i = 0; i < edits->n; i++) {
        const struct run_edit *edit = edits->list[i];
        if (needs_prompt(edit, need))
            return in_edit(
                edit, weir_in_character(weir_fail(WEIR_E_USAGE,
                                                  "prompt %zu reads here what prompt %zu computes later, which itself "
                                                  "reads from prompt %zu: no order of passes does that",
                                                  need->reader, need->source, need->reader),
                                        edit->edit->text, edit->place.value->at));
    }
    return WEIR_OK;
}

/* Which experts are chosen is known afterwards only. */
static weir_status complete_edits(void *payload)
{
    const struct weir_run_edits *edits = payload;
    for (size_t i = 0; i < edits->n; i++)
        if (edits->list[i]->names_experts && !edits->list[i]->met_expert)
            return in_edit(edits->list[i],
                           fail_in_edit(edits->list[i], 0,
                                        weir_fail(WEIR_E_USAGE, "this edit changed nothing in any prompt: no expert "
                                                                "that it names was chosen where it acts")));
    return WEIR_OK;
}

static void finish_edits(void *payload)
{
    const struct weir_run_edits *edits = payload;
    for (size_t i = 0; i < edits->n; i++)
        forget_readings(edits->list[i]);
}

/* ---- as the pass goes by ---- */

/* Reads for those sites of the edit that this is the place of: for this site itself, or (`others`) for the others. */
static weir_status read_places(struct run_edit *edit, const struct weir_whole *whole, const struct weir_site *own)
{
    for (size_t site = 0; edit->place.sites && site < edit->scope->n_sites; site++) {
        const struct weir_site *to = &edit->scope->sites[site];
        bool is_own = to->point == whole->site->point && to->layer == whole->site->layer;
        if (is_own != (own != NULL) || !weir_place_is_at(&edit->place, site, whole->site->point, whole->site->layer))
            continue;
        for (size_t i = edit->first[site * edit->n_prompts]; i < edit->first[(site + 1) * edit->n_prompts]; i++)
            TRY(weir_place_read(&edit->readings[i], &edit->place, site, whole));
    }
    return WEIR_OK;
}

static weir_status read_elsewhere(const struct weir_whole *whole, void *payload)
{
    return in_edit(payload, read_places(payload, whole, NULL));
}

/* Those of a sweep's prompts, for passes of their variants. */
static struct weir_operand *kept_operand(const struct run_edit *edit, size_t site, size_t prompt, size_t box)
{
    return &edit->kept[edit->first_kept[site * edit->n_kept_prompts + prompt] + box];
}

/* Keeps a copy of the numbers of one box. */
static weir_status keep_operand(const struct run_edit *edit, size_t site, size_t prompt, size_t box, size_t n_inner,
                                const struct weir_operand *operand)
{
    const struct weir_region region = weir_scope_region(edit->scope, &edit->scope->sites[site], prompt);
    const struct weir_box *of = &region.boxes[box];
    size_t n_units = of->units.n ? of->units.n : 1, inner = of->keys.n ? of->keys.n : n_inner;
    size_t last =
        (of->rows.n - 1) * operand->row_step + (n_units - 1) * operand->unit_step + (inner - 1) * operand->inner_step;
    struct weir_operand *kept = kept_operand(edit, site, prompt, box);
    float *data;
    TRY(weir_alloc(&data, last + 1, sizeof *data));
    memcpy(data, operand->data, (last + 1) * sizeof *data);
    weir_free((void *)kept->data);
    *kept = *operand;
    kept->data = data;
    return WEIR_OK;
}

/* The numbers for one box, and the reading that they are of (NULL: of none). */
static weir_status find_operand(struct weir_operand *out, struct weir_place_reading **reading, struct run_edit *edit,
                                size_t site, size_t prompt, size_t box)
{
    *reading = NULL;
    *out = (struct weir_operand){.data = &edit->number};
    if (phase_of(edit) == EDITS_REPLAY && has_kept_operands(edit)) {
        *out = *kept_operand(edit, site, edit->run->from->origin[prompt], box);
        return WEIR_OK;
    }
    if (edit->source) {
        const struct weir_region region = weir_scope_region(edit->scope, &edit->scope->sites[site], prompt);
        return weir_edit_source_numbers(out, edit->source, site, prompt, &region.boxes[box]);
    }
    if (edit->place.sites) {
        *reading = &edit->readings[edit->first[site * edit->n_prompts + prompt] + box];
        *out = *weir_reading_finish(&edit->place, site, *reading);
    }
    return WEIR_OK;
}

/* Fails where an expert was chosen here that was not chosen where the edit reads: that has no number. */
static weir_status check_experts(struct run_edit *edit, const struct weir_cells *cells, const struct weir_box *box,
                                 const struct weir_operand *operand, size_t prompt)
{
    for (size_t i = 0; i < box->rows.n; i++)
        for (size_t u = 0; u < box->units.n; u++) {
            size_t row = weir_some_at(&box->rows, i), expert = weir_some_at(&box->units, u);
            if (!weir_cells_unit(cells, row, expert))
                continue;
            edit->met_expert = true;
            if (isnan(operand->data[i * operand->row_step + u * operand->unit_step]))
                return fail_in_edit(edit, edit->edit->value.at,
                                    weir_fail(WEIR_E_USAGE,
                                              "expert %zu was chosen at position %zu of prompt %zu, and not where this "
                                              "reads it: it has no neurons there",
                                              expert, cells->first + row, prompt));
        }
    return WEIR_OK;
}

/* Changes what query heads read of the key-value heads of a box, one query head of each at a time: they pair with the
   source as those do. */
static weir_status change_copies(struct run_edit *edit, const struct weir_change *change,
                                 const struct weir_cells *copies, const struct weir_box *box,
                                 const struct weir_operand *operand)
{
    const struct weir_config *c = &edit->run->model->config;
    size_t shared = (size_t)(c->n_heads / c->n_kv_heads);
    int32_t *list;
    TRY(weir_alloc(&list, box->units.n, sizeof *list));
    for (size_t i = 0; i < shared; i++) {
        struct weir_box own = *box;
        for (size_t u = 0; u < box->units.n; u++)
            list[u] = (int32_t)(weir_some_at(&box->units, u) * shared + i);
        own.units.list = list;
        weir_change_box(change, copies, &own, operand, edit->run->pool);
    }
    weir_free(list);
    return WEIR_OK;
}

/* True for points of ln1 where heads may have copies of the stream of their own, to whose norms the edit comes again.
 */
static bool is_read_again(const struct run_edit *edit, const struct weir_site *site)
{
    static const int inputs[] = {WEIR_P_ATTN_IN, WEIR_P_Q_INPUT, WEIR_P_K_INPUT, WEIR_P_V_INPUT};
    bool any = false;
    if (site->point != WEIR_P_LN1_SCALE && site->point != WEIR_P_LN1_NORMALIZED && site->point != WEIR_P_LN1_OUT)
        return false;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        any |= weir_plan_edits(&edit->run->plan, inputs[i], site->layer);
    return any;
}

/* `copies`: what query heads read of the value, NULL where that is the same; cells: the value, NULL where the edit
   names query heads. */
static weir_status change_cells(struct run_edit *edit, size_t site, size_t prompt, const struct weir_cells *cells,
                                const struct weir_cells *copies)
{
    const struct weir_region region = weir_scope_region(edit->scope, &edit->scope->sites[site], prompt);
    struct weir_change change = edit->change;
    if (edit->basis.width > 0)
        change.basis = weir_basis_of(&edit->basis, edit->scope->sites[site].layer);
    for (size_t i = 0; i < region.n; i++) {
        struct weir_operand operand;
        struct weir_place_reading *reading;
        TRY(find_operand(&operand, &reading, edit, site, prompt, i));
        if (phase_of(edit) == EDITS_KEEP && has_kept_operands(edit))
            TRY(keep_operand(edit, site, prompt, i, cells ? cells->n_inner : copies->n_inner, &operand));
        if (cells && cells->experts)
            TRY(check_experts(edit, cells, &region.boxes[i], &operand, prompt));
        weir_change_box(&change, cells ? cells : copies, &region.boxes[i], &operand, edit->run->pool);
        if (cells && copies)
            TRY(change_copies(edit, &change, copies, &region.boxes[i], &operand));
        if (reading && !is_read_again(edit, &edit->scope->sites[site]))
            weir_reading_forget(reading);
    }
    return WEIR_OK;
}

/* Indices of experts are changed as numbers, and must be experts afterwards: -1 is none. */
static weir_status change_indices(struct run_edit *edit, size_t site, size_t prompt, weir_event *event)
{
    size_t n = event->shape[0] * event->shape[1];
    int n_experts = edit->run->model->layers[event->layer].spec.n_experts;
    float *numbers;
    weir_status status = WEIR_OK;
    TRY(weir_alloc(&numbers, n, sizeof *numbers));
    for (size_t i = 0; i < n; i++)
        numbers[i] = (float)event->indices[i];
    event->data = numbers;
    const struct weir_cells cells = cells_in(edit, event);
    status = change_cells(edit, site, prompt, &cells, NULL);
    for (size_t i = 0; i < n && status == WEIR_OK; i++)
        if (numbers[i] >= -1 && numbers[i] < (float)n_experts && floorf(numbers[i]) >= numbers[i])
            event->indices[i] = (int32_t)numbers[i];
        else
            status = fail_in_edit(edit, 0,
                                  weir_fail(WEIR_E_USAGE, "expert %g in layer %d: there are 0 to %d, and -1 for none",
                                            (double)numbers[i], event->layer, n_experts - 1));
    weir_free(numbers);
    return status;
}

static weir_status change_prompt(struct run_edit *edit, const struct weir_whole *whole, size_t site, size_t slot)
{
    size_t prompt = whole->run->batch.numbers[slot];
    bool by_query = weir_scope_is_by_query(edit->scope, whole->site);
    struct weir_cells cells, copies;
    weir_event event = weir_whole_event(whole, slot);
    if (event.indices)
        return change_indices(edit, site, prompt, &event);
    cells = cells_in(edit, &event);
    if (weir_scope_is_by_expert(edit->scope, whole->site))
        weir_cells_by_expert(&cells, edit->run->model, weir_whole_experts(whole, slot));
    if (whole->by_query) {
        event = weir_whole_event_by_query(whole, slot);
        copies = cells_in(edit, &event);
    }
    return change_cells(edit, site, prompt, by_query ? NULL : &cells, whole->by_query ? &copies : NULL);
}

static weir_status change_site(const struct weir_whole *whole, void *payload)
{
    struct run_edit *edit = payload;
    const struct weir_batch *batch = &whole->run->batch;
    size_t site = (size_t)(whole->site - edit->scope->sites);
    if (weir_start_is_at(whole->run, whole->site->point, whole->site->layer))
        return WEIR_OK; /* the stream that was kept is edited */
    if (!whole->again)
        TRY(in_edit(edit, read_places(edit, whole, whole->site)));
    for (size_t slot = 0; slot < batch->n; slot++) {
        size_t prompt = batch->numbers[slot];
        if (prompt >= edit->n_prompts || weir_scope_region(edit->scope, whole->site, prompt).n == 0)
            continue;
        TRY(in_edit(edit, change_prompt(edit, whole, site, slot)));
    }
    return WEIR_OK;
}

/* ---- nothing left to choose ---- */

static bool any_left(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] > -INFINITY)
            return true;
    return false;
}

/* A query that no key is left to, or a position that no expert is left to. */
static weir_status check_box_left(const struct run_edit *edit, const weir_event *event, const struct weir_box *box)
{
    const struct weir_cells cells = cells_in(edit, event);
    for (size_t i = 0; i < box->rows.n; i++) {
        size_t row = weir_some_at(&box->rows, i), begin, end;
        weir_cells_visible(&cells, row, &begin, &end);
        if (!cells.has_keys && !any_left(cells.data + row * cells.row_step, cells.n_units))
            return weir_fail(WEIR_E_USAGE, "no expert is left to position %zu of prompt %d in layer %d",
                             cells.first + row, event->prompt, event->layer);
        for (size_t u = 0; cells.has_keys && u < box->units.n; u++) {
            size_t head = weir_some_at(&box->units, u);
            if (!any_left(cells.data + row * cells.row_step + head * cells.unit_step + begin, end - begin))
                return weir_fail(WEIR_E_USAGE,
                                 "no key is left to query %zu of prompt %d in head %zu of layer %d: a softmax of "
                                 "nothing is not a number",
                                 cells.first + row, event->prompt, head, event->layer);
        }
    }
    return WEIR_OK;
}

/* Looks at what all edits of a site have left, where this one acts. */
static weir_status check_left(const struct weir_whole *whole, void *payload)
{
    const struct run_edit *edit = payload;
    const struct weir_site *site = weir_scope_site(edit->scope, whole->site->point, whole->site->layer);
    const struct weir_batch *batch = &whole->run->batch;
    if (site->point == WEIR_P_ATTN_SCORES && whole->run->model->layers[site->layer].sinks)
        return WEIR_OK; /* a sink takes what is left */
    for (size_t slot = 0; slot < batch->n; slot++) {
        size_t prompt = batch->numbers[slot];
        if (prompt >= edit->n_prompts)
            continue;
        const struct weir_region region = weir_scope_region(edit->scope, site, prompt);
        weir_event event = weir_whole_event(whole, slot);
        for (size_t i = 0; i < region.n; i++)
            TRY(in_edit(edit, check_box_left(edit, &event, &region.boxes[i])));
    }
    return WEIR_OK;
}

/* ---- adding ---- */

static weir_status open_along(struct run_edit *edit)
{
    const struct weir_file_name *along = &edit->edit->along;
    return !along->path ? WEIR_OK
                        : weir_in_character(weir_basis_open(&edit->basis, along, edit->run->model->config.n_layers),
                                            edit->edit->text, along->at);
}

/* Values are float32, in which a larger number would be infinite. */
static weir_status check_float32(const struct run_edit *edit)
{
    const struct weir_value *value = &edit->edit->value;
    double number = fabs(value->factor) > FLT_MAX ? value->factor : value->number;
    if (isinf(number) || fabs(number) <= FLT_MAX)
        return WEIR_OK;
    return fail_in_edit(edit, value->at,
                        weir_fail(WEIR_E_USAGE, "%g is no float32, as which values are computed: the largest is %g",
                                  number, (double)FLT_MAX));
}

static weir_status open_value(struct run_edit *edit)
{
    const struct weir_value *value = &edit->edit->value;
    const struct weir_value *place = value->kind == WEIR_VALUE_PLACE ? value : value->of;
    TRY(check_float32(edit));
    edit->change.op = edit->edit->op;
    edit->change.rank = edit->basis.rank;
    edit->change.width = edit->basis.width;
    edit->change.factor = 1;
    edit->change.keeps_norm = edit->edit->keeps_norm;
    edit->change.by_coordinate = value->kind == WEIR_VALUE_NUMBER;
    if (value->kind == WEIR_VALUE_NUMBER) {
        edit->number = (float)value->number;
        return WEIR_OK;
    }
    edit->change.factor = (float)value->factor;
    if (place && place->kind == WEIR_VALUE_PLACE && !place->file.path)
        return weir_place_open(&edit->place, edit->run->model, edit->edit, place, edit->scope);
    return weir_edit_source_open(&edit->source, edit->run->model, edit->edit, edit->scope);
}

static weir_status add_at(struct run_edit *edit, int point, int layer, weir_whole_fn *fn)
{
    struct weir_scope *scope;
    TRY(weir_scope_open_at(&scope, edit->run->model, point, layer));
    weir_status status = weir_plan_add_whole(&edit->run->plan, scope, WEIR_READ, fn, edit);
    weir_scope_close(scope);
    return status;
}

/* True where a site of the edit has its place in that layer of that point, and is another one. */
static bool reads_from_afar(const struct run_edit *edit, int point, int layer)
{
    for (size_t i = 0; i < edit->scope->n_sites; i++) {
        const struct weir_site *site = &edit->scope->sites[i];
        if (weir_place_is_at(&edit->place, i, point, layer) && (site->point != point || site->layer != layer))
            return true;
    }
    return false;
}

static weir_status add_readers(struct run_edit *edit)
{
    for (int point = 0; edit->place.sites && point < WEIR_N_POINTS; point++)
        for (int layer = -1; layer < edit->run->model->config.n_layers; layer++)
            if (reads_from_afar(edit, point, layer))
                TRY(add_at(edit, point, layer, read_elsewhere));
    for (size_t i = 0; i < edit->scope->n_sites; i++)
        if (edit->scope->sites[i].point == WEIR_P_ATTN_SCORES || edit->scope->sites[i].point == WEIR_P_ROUTER)
            TRY(add_at(edit, edit->scope->sites[i].point, edit->scope->sites[i].layer, check_left));
    return WEIR_OK;
}

static void close_edit(struct run_edit *edit)
{
    if (!edit)
        return;
    forget_readings(edit);
    forget_kept(edit);
    weir_free(edit->readings);
    weir_place_close_sites(&edit->place);
    weir_basis_close(&edit->basis);
    weir_edit_source_close(edit->source);
    weir_scope_close(edit->scope);
    weir_edit_close(edit->edit);
    weir_free(edit);
}

static weir_status open_edit(struct run_edit **out, struct weir_run *run, const char *text)
{
    struct run_edit *edit;
    weir_status status;
    TRY(weir_alloc_zero(&edit, 1, sizeof *edit));
    edit->run = run;
    TRY_DONE(weir_edit_parse(&edit->edit, text));
    TRY_DONE(weir_scope_open_selection(&edit->scope, run->model, edit->edit->select));
    TRY_DONE(open_along(edit));
    TRY_DONE(open_value(edit));
    TRY_DONE(weir_plan_add_edit(&run->plan, edit->scope, change_site, !edit->place.sites, edit));
    TRY_DONE(add_readers(edit));
    *out = edit;
    edit = NULL;
done:
    if (edit)
        weir_plan_remove_whole(&run->plan, edit);
    close_edit(edit);
    return status;
}

static void close_edits(void *payload)
{
    struct weir_run_edits *edits = payload;
    for (size_t i = 0; i < edits->n; i++)
        close_edit(edits->list[i]);
    weir_free(edits->list);
    weir_free(edits);
}

/* The edits of a run; they are made with the first. */
static weir_status edits_of(struct weir_run_edits **out, struct weir_run *run)
{
    *out = run->edits;
    if (*out)
        return WEIR_OK;
    TRY(weir_alloc_zero(out, 1, sizeof **out));
    weir_status status = weir_run_accompany(run, &(struct weir_companion){.prepare = prepare_edits,
                                                                          .explain = explain_cycle,
                                                                          .complete = complete_edits,
                                                                          .finish = finish_edits,
                                                                          .close = close_edits,
                                                                          .payload = *out});
    if (status != WEIR_OK)
        weir_free(*out);
    else
        run->edits = *out;
    return status;
}

weir_status weir_run_edit(weir_run *run, const weir_edit *edit)
{
    struct weir_run_edits *edits;
    TRY_GIVEN(run);
    TRY_GIVEN(edit);
    TRY(weir_run_usable(run, __func__));
    TRY(edits_of(&edits, run));
    TRY(weir_grow(&edits->list, &edits->capacity, edits->n + 1, sizeof(void *)));
    TRY(open_edit(&edits->list[edits->n], run, edit->text));
    edits->n++;
    return WEIR_OK;
}

const char *weir_run_note(const weir_run *run, size_t i)
{
    const struct weir_run_edits *edits = run ? run->edits : NULL;
    for (size_t e = 0; edits && e < edits->n; e++) {
        const struct weir_edit_source *source = edits->list[e]->source;
        const char *note = source ? weir_edit_source_note(source) : NULL;
        if (note && i-- == 0)
            return note;
    }
    return NULL;
}

/* ---- sweeps ---- */

/* Terms that name prompts by number, which variants do not have. */
static weir_status check_swept_edit(const struct run_edit *edit)
{
    const struct weir_selection *select = edit->edit->select;
    for (size_t i = 0; i < select->n; i++)
        if (select->terms[i].where.prompts.numbers.n > 0)
            return in_edit(
                edit, fail_in_edit(edit, select->terms[i].at,
                                   weir_fail(WEIR_E_UNSUPPORTED, "a sweep edits all prompts, or a side of their lines: "
                                                                 "variants have no number of a prompt")));
    return WEIR_OK;
}

weir_status weir_edits_keep(struct weir_run *run)
{
    struct weir_run_edits *edits = run->edits;
    for (size_t i = 0; edits && i < edits->n; i++) {
        forget_kept(edits->list[i]);
        edits->list[i]->reads_own = false;
        TRY(check_swept_edit(edits->list[i]));
    }
    if (edits)
        edits->phase = EDITS_KEEP;
    return WEIR_OK;
}

static bool is_after_blocks(int point, int layer)
{
    return layer < 0 && point > WEIR_P_RESID_POST;
}

/* True where key-value heads that several query heads share may get copies for each of them, which are not kept. */
static bool may_make_copies(const struct run_edit *edit, const struct weir_site *site)
{
    const struct weir_config *c = &edit->run->model->config;
    return c->n_heads != c->n_kv_heads && site->point >= WEIR_P_ATTN_IN && site->point <= WEIR_P_V_INPUT &&
           site->point != WEIR_P_Q;
}

/* Adds what one edit asks of passes that begin later. */
static void add_needs(struct weir_edit_needs *needs, const struct run_edit *edit)
{
    int n_layers = edit->run->model->config.n_layers;
    needs->all_rows = needs->all_rows || edit->source || edit->place.sites;
    needs->backwards = needs->backwards || edit->reads_own;
    for (size_t i = 0; i < edit->scope->n_sites; i++) {
        const struct weir_site *site = &edit->scope->sites[i];
        const weir_point *point = weir_point_at(site->point);
        bool has_keys = point->axes[point->n_axes - 1] == WEIR_AXIS_KEY;
        needs->all_rows =
            needs->all_rows || has_keys || weir_scope_is_by_query(edit->scope, site) || may_make_copies(edit, site);
        needs->late = needs->late || site->layer == n_layers - 1 || is_after_blocks(site->point, site->layer);
        for (size_t k = 0; edit->reads_own && edit->place.sites && k < edit->place.sites[i].n_layers; k++) {
            int layer = edit->place.sites[i].layers[k];
            if (!is_after_blocks(edit->place.sites[i].point, layer) && layer < needs->layer)
                needs->layer = layer;
        }
    }
}

/* Chance and files count prompts; a mean over a side is over that of all lines. */
static bool knows_other_lines(const struct run_edit *edit)
{
    static const char *const own[] = {"clean", "corrupt", "base"};
    if (edit->source || !edit->place.sites)
        return edit->source != NULL;
    const struct weir_whose *whose = &edit->place.term->where.prompts;
    bool in_line = !whose->name;
    for (size_t i = 0; !in_line && i < sizeof own / sizeof *own; i++)
        in_line = strcmp(whose->name, own[i]) == 0 && edit->place.value->kind == WEIR_VALUE_PLACE;
    return !in_line || whose->numbers.n > 0 || edit->place.value->kind == WEIR_VALUE_RESAMPLE;
}

bool weir_edits_know_other_lines(const struct weir_run *run)
{
    for (size_t i = 0; run->edits && i < run->edits->n; i++)
        if (knows_other_lines(run->edits->list[i]))
            return true;
    return false;
}

struct weir_edit_needs weir_edits_replay(struct weir_run *run)
{
    struct weir_run_edits *edits = run->edits;
    struct weir_edit_needs needs = {.layer = run->model->config.n_layers};
    for (size_t i = 0; edits && i < edits->n; i++)
        add_needs(&needs, edits->list[i]);
    if (edits)
        edits->phase = EDITS_REPLAY;
    return needs;
}

void weir_edits_forget(struct weir_run *run)
{
    for (size_t i = 0; run->edits && i < run->edits->n; i++)
        forget_kept(run->edits->list[i]);
    if (run->edits)
        run->edits->phase = EDITS_PASS;
}

/* ---- for the file ---- */

weir_status weir_edits_to_json(struct weir_text *out, const struct weir_run *run)
{
    for (size_t i = 0; run->edits && i < run->edits->n; i++) {
        if (i > 0)
            TRY(weir_text_add(out, ", ", 2));
        TRY(weir_edit_to_json(out, run->edits->list[i]->edit));
    }
    return WEIR_OK;
}
