/* The cells of stored values that terms add and take away, found as boxes. */
#include "cli/select/cells.h"

#include "base/alloc.h"
#include "engine/region.h"
#include "store/read/lookup.h"

#include <stdio.h>
#include <string.h>

bool takes_whole_values(const struct weir_term *term)
{
    return term->where.units.n == 0 && term->where.positions.n == 0 && term->where.keys.n == 0;
}

static bool is_one_spot(const struct weir_spots *spots)
{
    return spots->n == 1 && !spots->list[0].name && spots->list[0].slice.single;
}

/* One value whose cells are found. */
struct cell_choice {
    const struct excerpt *excerpt;
    struct weir_stored_lookup of;
    int unit;      /* the axis of units, or -1 */
    bool has_keys; /* the last axis is of keys */
    bool *marked;  /* [tokens] room */
};

static bool has_key_axis_last(const weir_point *what)
{
    return what->axes[what->n_axes - 1] == WEIR_AXIS_KEY;
}

static weir_status find_shown_units(struct weir_some *out, const struct cell_choice *choice,
                                    const struct weir_term *term)
{
    size_t n = choice->unit < 0 ? 0 : choice->excerpt->point->shape[choice->unit];
    bool *marked;
    TRY(weir_alloc_zero(&marked, n, sizeof *marked));
    weir_status status =
        n ? weir_slices_mark(&term->where.units, marked, n, weir_axis_name(choice->excerpt->what->axes[choice->unit]))
          : WEIR_OK;
    if (status == WEIR_OK)
        status = weir_some_marked(out, marked, n);
    weir_free(marked);
    return status;
}

static weir_status find_shown_keys(struct weir_some *out, struct cell_choice *choice, const struct weir_term *term)
{
    size_t n = choice->has_keys ? choice->of.lookup.n : 0;
    memset(choice->marked, 0, choice->of.lookup.n * sizeof *choice->marked);
    if (n > 0)
        TRY(weir_lookup_mark(choice->marked, &choice->of.lookup, &term->where.keys, "key"));
    return weir_some_marked(out, choice->marked, n);
}

/* Rows are stored positions: those that the absolute positions of the term name. */
static weir_status find_shown_rows(struct weir_some *out, struct cell_choice *choice, const struct weir_term *term)
{
    const weir_file_prompt *tokens = &choice->excerpt->tokens;
    bool *rows;
    struct weir_positions found;
    memset(choice->marked, 0, tokens->n * sizeof *choice->marked);
    TRY(weir_lookup_find(&found, &choice->of.lookup, &term->where.positions, "position"));
    for (size_t i = 0; i < found.n; i++)
        choice->marked[found.list[i]] = true;
    bool pairs = found.keys;
    weir_positions_close(&found);
    if (pairs)
        return weir_fail(WEIR_E_USAGE, "pairs of query and key are no table: name queries and keys, as in @5/1");
    TRY(weir_alloc_zero(&rows, tokens->n_rows, sizeof *rows));
    for (size_t i = 0; i < tokens->n_rows; i++)
        rows[i] = choice->marked[tokens->positions[i]];
    weir_status status = weir_some_marked(out, rows, tokens->n_rows);
    weir_free(rows);
    return status;
}

/* Puts the prompt and the term in front of what is wrong. */
static weir_status say_prompt_and_term(weir_status status, const struct cell_choice *choice,
                                       const struct weir_term *term)
{
    char prompt[32];
    snprintf(prompt, sizeof prompt, "prompt %d", choice->excerpt->prompt);
    return weir_in(weir_in(status, term->text), prompt);
}

static weir_status put_stored_box(struct weir_region *region, struct cell_choice *choice, const struct weir_term *term)
{
    struct weir_box box = {0};
    weir_status status;
    TRY_DONE(find_shown_units(&box.units, choice, term));
    TRY_DONE(find_shown_keys(&box.keys, choice, term));
    TRY_DONE(find_shown_rows(&box.rows, choice, term));
    status = term->takes_away ? weir_region_take(region, &box) : weir_region_add(region, &box);
done:
    weir_box_close(&box);
    return status;
}

/* True where a term names a value: its point, layer and prompt. */
static weir_status means_value(bool *out, const struct weir_term *term, const struct excerpt *excerpt)
{
    const weir_file_info *info = weir_file_get_info(excerpt->file);
    bool *meant;
    *out = term->points[excerpt->what->id] &&
           (excerpt->layer < 0 ? term->where.layers.n == 0
                               : weir_slices_name(&term->where.layers, (size_t)excerpt->layer, (size_t)info->n_layers));
    if (!*out || !term->where.has_prompts)
        return WEIR_OK;
    TRY(weir_alloc_zero(&meant, (size_t)info->n_prompts, sizeof *meant));
    weir_status status = weir_in(weir_stored_prompts_mark(meant, &term->where.prompts, excerpt->file), term->text);
    *out = meant[excerpt->prompt];
    weir_free(meant);
    return status;
}

/* The cells of the term without what those after it take away. */
static weir_status find_stored_cells(struct weir_region *region, struct cell_choice *choice,
                                     const struct selected *selected)
{
    TRY(say_prompt_and_term(put_stored_box(region, choice, selected->term), choice, selected->term));
    for (const struct weir_term *term = selected->term + 1; term < selected->end; term++) {
        bool meant = false;
        if (term->takes_away)
            TRY(means_value(&meant, term, choice->excerpt));
        if (meant)
            TRY(say_prompt_and_term(put_stored_box(region, choice, term), choice, term));
    }
    const struct weir_box all = {.rows.n = choice->excerpt->tokens.n_rows,
                                 .units.n = choice->unit < 0 ? 0 : choice->excerpt->point->shape[choice->unit],
                                 .keys.n = choice->has_keys ? choice->of.lookup.n : 0};
    TRY(weir_region_join(region, &all));
    if (region->n < 2)
        return WEIR_OK;
    return weir_fail(WEIR_E_USAGE,
                     "'%s': what is left of it is no set of heads or neurons at a set of positions: name the parts one "
                     "by one",
                     selected->term->text);
}

static weir_status picked_of_some(struct picked *out, const struct weir_some *some)
{
    TRY(weir_alloc(&out->list, some->n, sizeof *out->list));
    for (size_t i = 0; i < some->n; i++)
        out->list[i] = weir_some_at(some, i);
    out->n = some->n;
    return WEIR_OK;
}

/* The indices along each axis: of the region's one box, none where it is empty, and all of other axes. */
static weir_status pick_box(struct excerpt *excerpt, const struct cell_choice *choice, const struct weir_region *region,
                            const struct weir_where *where)
{
    static const struct weir_box none;
    const struct weir_box *box = region->n ? region->boxes : &none;
    for (int i = 0; i < excerpt->what->n_axes; i++) {
        struct picked *axis = &excerpt->axes[i];
        bool key = choice->has_keys && i == excerpt->what->n_axes - 1;
        const struct weir_some all = {.n = excerpt->point->shape[i]};
        TRY(picked_of_some(axis, i == excerpt->row   ? &box->rows
                                 : key               ? &box->keys
                                 : i == choice->unit ? &box->units
                                                     : &all));
        axis->single = i == excerpt->row ? is_one_spot(&where->positions)
                       : key             ? is_one_spot(&where->keys)
                                         : i == choice->unit && is_one_index(&where->units);
    }
    return WEIR_OK;
}

weir_status cells_pick(struct excerpt *excerpt, const struct selected *selected)
{
    struct cell_choice choice = {
        .excerpt = excerpt, .unit = weir_point_unit_axis(excerpt->what), .has_keys = has_key_axis_last(excerpt->what)};
    struct weir_region region = {0};
    weir_status status;
    TRY(weir_stored_lookup_open(&choice.of, excerpt->file, excerpt->prompt));
    TRY_DONE(weir_alloc(&choice.marked, choice.of.lookup.n, sizeof *choice.marked));
    TRY_DONE(find_stored_cells(&region, &choice, selected));
    if (choice.of.lookup.begins)
        TRY_DONE(weir_file_check_texts(excerpt->file));
    TRY_DONE(pick_box(excerpt, &choice, &region, &selected->term->where));
done:
    weir_free(choice.marked);
    weir_region_close(&region);
    weir_lookup_close(&choice.of.lookup);
    return status;
}
