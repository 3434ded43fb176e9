/* Sources of edits: opening them, the cells that they serve, and the numbers of noise. */
#include "hooks/sources/parts.h"

#include "base/alloc.h"
#include "base/random.h"
#include "base/watch.h"
#include "engine/positions.h"

#include <math.h>
#include <string.h>

bool weir_edit_source_serves(const struct weir_value *value)
{
    const struct weir_value *place = weir_edit_source_place(value);
    return place ? place->file.path != NULL : value->kind != WEIR_VALUE_NUMBER;
}

const struct weir_value *weir_edit_source_place(const struct weir_value *value)
{
    if (value->kind == WEIR_VALUE_MEAN || value->kind == WEIR_VALUE_RESAMPLE)
        return value->of;
    return value->kind == WEIR_VALUE_PLACE ? value : NULL;
}

weir_status weir_edit_source_in_edit(const struct weir_edit_source *source, weir_status status)
{
    return weir_in_character(status, source->edit->text, source->edit->value.at);
}

bool weir_edit_source_takes(const struct weir_edit_source *source, size_t site, float value)
{
    int point = source->scope->sites[site].point;
    if (isfinite(value))
        return true;
    return value == -INFINITY && (point == WEIR_P_ATTN_SCORES || point == WEIR_P_ROUTER);
}

/* ---- turns ------------------------------------------------------------------------------------------------------- */

/* Numbers the prompts that the edit changes. */
static weir_status find_turns(struct weir_edit_source *source)
{
    TRY(weir_alloc(&source->turns, source->n_prompts, sizeof *source->turns));
    source->n_changed = 0;
    for (size_t i = 0; i < source->n_prompts; i++) {
        source->turns[i] = source->n_changed;
        source->n_changed += weir_scope_changes(source->scope, i);
    }
    return WEIR_OK;
}

/* ---- noise ------------------------------------------------------------------------------------------------------- */

/* The key of the normal numbers of one head at one position, number `column` of which is that of a column. */
static uint64_t noise_key(const struct weir_edit_source *source, const struct weir_site *site, size_t prompt,
                          size_t position, size_t head)
{
    uint64_t key =
        weir_random_fold(weir_random_mix(source->edit->value.seed), weir_random_name(weir_point_at(site->point)->name));
    key = weir_random_fold(key, (uint64_t)((int64_t)site->layer + 1));
    key = weir_random_fold(key, prompt);
    return weir_random_fold(weir_random_fold(key, position), head);
}

static weir_status make_noise(struct weir_operand *out, struct weir_edit_source *source, size_t site, size_t prompt,
                              const struct weir_box *box)
{
    const struct weir_form *form = &source->forms[site];
    struct weir_some heads, columns;
    size_t n, past = weir_edit_source_past(source, prompt);
    weir_form_box(&heads, &columns, form, box);
    TRY(weir_mul(&n, heads.n, columns.n));
    *out = weir_form_operand(form, NULL, n, columns.n, 1);
    TRY(weir_mul(&n, n, box->rows.n));
    TRY(weir_grow(&source->scratch.data, &source->scratch.capacity, n, sizeof *source->scratch.data));
    float *to = source->scratch.data;
    for (size_t row = 0; row < box->rows.n; row++)
        for (size_t head = 0; head < heads.n; head++) {
            uint64_t key = noise_key(source, &source->scope->sites[site], prompt, weir_some_at(&box->rows, row) + past,
                                     weir_some_at(&heads, head));
            for (size_t column = 0; column < columns.n; column++)
                *to++ = (float)(source->edit->value.number * weir_random_normal(key, weir_some_at(&columns, column)));
        }
    out->data = source->scratch.data;
    return WEIR_OK;
}

/* ---- cells ------------------------------------------------------------------------------------------------------- */

static void close_slots(struct weir_edit_source *source)
{
    for (size_t i = 0; source->slots && i < source->scope->n_sites * source->n_prompts; i++) {
        weir_box_close(&source->slots[i].bound);
        weir_some_close(&source->slots[i].named);
    }
    weir_free(source->slots);
    weir_free(source->turns);
    source->slots = NULL;
    source->turns = NULL;
    source->n_prompts = 0;
}

/* All of a site's value in a prompt, as its regions count it. */
static struct weir_box box_of_value(const struct weir_edit_source *source, size_t site, size_t prompt,
                                    bool by_query_head)
{
    const struct weir_form *form = &source->forms[site];
    size_t n = source->scope->prompts[prompt].n;
    struct weir_box all = {.rows.n = n};
    all.units.n = by_query_head      ? (size_t)source->model->config.n_heads
                  : form->by_heads   ? form->heads
                  : form->by_columns ? form->columns
                                     : 0;
    all.keys.n = form->has_keys ? weir_edit_source_past(source, prompt) + n : form->by_neurons ? form->columns : 0;
    return all;
}

/* The rows in the order in which the edit names them, where its one term names positions and that is not their own. */
static weir_status find_rows_as_named(struct weir_edit_source *source, struct weir_edit_source_slot *slot,
                                      size_t prompt)
{
    const struct weir_selection *select = source->edit->select;
    struct weir_positions found = {0};
    size_t past = weir_edit_source_past(source, prompt);
    bool in_order = true;
    if (select->n != 1 || select->terms[0].where.positions.n < 2)
        return WEIR_OK;
    TRY(weir_positions_find(&found, source->model, &source->scope->prompts[prompt], past,
                            &select->terms[0].where.positions, "position"));
    for (size_t i = 1; i < found.n; i++)
        in_order &= found.list[i - 1] < found.list[i];
    if (!in_order && !found.keys && found.n == slot->bound.rows.n) {
        slot->named = (struct weir_some){found.list, found.n};
        found.list = NULL;
    }
    weir_positions_close(&found);
    return WEIR_OK;
}

static weir_status find_bounds(struct weir_edit_source *source)
{
    const struct weir_scope *scope = source->scope;
    size_t n;
    TRY(weir_mul(&n, scope->n_sites, scope->n_prompts));
    TRY(weir_alloc_zero(&source->slots, n, sizeof *source->slots));
    source->n_prompts = scope->n_prompts;
    for (size_t site = 0; site < scope->n_sites; site++)
        for (size_t prompt = 0; prompt < scope->n_prompts; prompt++) {
            struct weir_edit_source_slot *slot = weir_edit_source_slot_of(source, site, prompt);
            const struct weir_region region = weir_scope_region(scope, &scope->sites[site], prompt);
            const struct weir_box all = box_of_value(source, site, prompt, region.by_query_head);
            if (region.n == 0)
                continue;
            slot->by_query_head = region.by_query_head;
            TRY(weir_region_bound(&slot->bound, &region, &all));
            TRY(find_rows_as_named(source, slot, prompt));
        }
    return WEIR_OK;
}

typedef weir_status read_fn(struct weir_edit_source *source);

/* Reads the source's file, whose maker may be a stranger. */
static weir_status read_watched(struct weir_edit_source *source, read_fn *array, read_fn *cache)
{
    const struct weir_value *value = &source->edit->value, *place = weir_edit_source_place(value);
    if (value->kind != WEIR_VALUE_FILE && !place)
        return WEIR_OK;
    weir_watch_begin(place ? place->file.path : value->file.path, place ? "libhdf5" : "weir");
    weir_status status = place ? cache(source) : array(source);
    weir_watch_end();
    return weir_edit_source_in_edit(source, status);
}

weir_status weir_edit_source_find(struct weir_edit_source *source, const size_t *past)
{
    close_slots(source);
    source->past = past;
    TRY(find_bounds(source));
    TRY(find_turns(source));
    return read_watched(source, weir_array_source_find, weir_cache_source_find);
}

weir_status weir_edit_source_numbers(struct weir_operand *out, struct weir_edit_source *source, size_t site,
                                     size_t prompt, const struct weir_box *box)
{
    if (source->edit->value.kind == WEIR_VALUE_NOISE)
        return make_noise(out, source, site, prompt, box);
    return weir_grid_operand(out, &weir_edit_source_slot_of(source, site, prompt)->grid, &source->forms[site], box,
                             &source->scratch);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static weir_status open_source_parts(struct weir_edit_source *source)
{
    TRY(weir_alloc(&source->forms, source->scope->n_sites, sizeof *source->forms));
    for (size_t i = 0; i < source->scope->n_sites; i++)
        source->forms[i] = weir_form_of_site(source->scope, &source->scope->sites[i]);
    return read_watched(source, weir_array_source_open, weir_cache_source_open);
}

weir_status weir_edit_source_open(struct weir_edit_source **out, const struct weir_model *model,
                                  const struct weir_edit *edit, const struct weir_scope *scope)
{
    struct weir_edit_source *source;
    *out = NULL;
    TRY(weir_alloc_zero(&source, 1, sizeof *source));
    source->model = model;
    source->edit = edit;
    source->scope = scope;
    weir_status status = open_source_parts(source);
    if (status == WEIR_OK)
        *out = source;
    else
        weir_edit_source_close(source);
    return status;
}

const char *weir_edit_source_note(const struct weir_edit_source *source)
{
    return source->note;
}

void weir_edit_source_close(struct weir_edit_source *source)
{
    if (!source)
        return;
    close_slots(source);
    weir_array_source_close(source->array);
    weir_cache_source_close(source->cache);
    weir_free(source->forms);
    weir_free(source->scratch.data);
    weir_free(source->note);
    weir_free(source);
}
