/* Picks the indices that a selection names along each axis, and reads rows of them. */
#include "cli/select/values.h"

#include "base/alloc.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* ---- indices along one axis ---- */

weir_status picked_of_marks(struct picked *out, const bool *marked, size_t n)
{
    TRY(weir_alloc(&out->list, n, sizeof *out->list));
    out->n = 0;
    for (size_t i = 0; i < n; i++)
        if (marked[i])
            out->list[out->n++] = i;
    return WEIR_OK;
}

static bool is_one_index(const struct weir_slices *slices)
{
    return slices->n == 1 && slices->list[0].single;
}

static bool is_one_spot(const struct weir_spots *spots)
{
    return spots->n == 1 && !spots->list[0].name && spots->list[0].slice.single;
}

/* The indices of n that slices name; all without slices. */
static weir_status pick_slices(struct picked *out, const struct weir_slices *slices, size_t n, const char *what)
{
    bool *marked;
    TRY(weir_alloc_zero(&marked, n, sizeof *marked));
    weir_status status = slices ? weir_slices_mark(slices, marked, n, what) : WEIR_OK;
    if (!slices)
        memset(marked, true, n * sizeof *marked);
    if (status == WEIR_OK)
        status = picked_of_marks(out, marked, n);
    out->single = slices && is_one_index(slices);
    weir_free(marked);
    return status;
}

static weir_status pick_range(struct picked *out, const struct weir_range *range)
{
    TRY(weir_alloc(&out->list, range->n, sizeof *out->list));
    for (size_t i = 0; i < range->n; i++)
        out->list[i] = (size_t)((int64_t)range->first + (int64_t)i * range->step);
    out->n = range->n;
    out->single = range->single;
    return WEIR_OK;
}

/* Rows are stored positions: those that the absolute positions of the term name. */
static weir_status pick_rows(struct picked *out, const struct weir_term *term, const weir_file_prompt *tokens)
{
    bool *marked;
    TRY(weir_alloc_zero(&marked, tokens->n, sizeof *marked));
    weir_status status = weir_spots_mark(&term->where.positions, marked, tokens->n, "position");
    if (status == WEIR_OK)
        status = weir_alloc(&out->list, tokens->n_rows, sizeof *out->list);
    out->n = 0;
    for (size_t i = 0; i < tokens->n_rows && status == WEIR_OK; i++)
        if (marked[tokens->positions[i]])
            out->list[out->n++] = i;
    out->single = is_one_spot(&term->where.positions);
    weir_free(marked);
    return status;
}

/* By the term's brackets, positions or units, whichever the axis has. */
static weir_status pick_axis(struct excerpt *excerpt, const struct selected *selected, int i)
{
    const struct weir_term *term = selected->term;
    weir_axis axis = excerpt->what->axes[i];
    if (term->index.given)
        return pick_range(&excerpt->axes[i], &selected->index[1 + excerpt->what->per_layer + i]);
    if (i == excerpt->row)
        return weir_in(pick_rows(&excerpt->axes[i], term, &excerpt->tokens), excerpt->which);
    if (axis == WEIR_AXIS_KEY)
        return pick_slices(&excerpt->axes[i], NULL, excerpt->tokens.n, "key");
    bool has_units = i == weir_point_unit_axis(excerpt->what);
    return pick_slices(&excerpt->axes[i], has_units ? &term->where.units : NULL, excerpt->point->shape[i],
                       weir_axis_name(axis));
}

/* ---- one value ---- */

weir_status excerpt_open(struct excerpt *excerpt, const struct selected *selected, size_t i)
{
    const weir_point *what = selected->what;
    size_t n_prompts = selected->prompts.n;
    *excerpt = (struct excerpt){.file = selected->file, .point = selected->point, .what = what};
    excerpt->layer = selected->layers.n ? (int)selected->layers.list[i / n_prompts] : -1;
    excerpt->prompt = (int)selected->prompts.list[i % n_prompts];
    excerpt->row = weir_point_row_axis(what);
    excerpt->outer = what->n_axes == 3 ? (excerpt->row == 0 ? 1 : 0) : -1;
    snprintf(excerpt->which, sizeof excerpt->which, "prompt %d", excerpt->prompt);
    TRY(weir_file_get_prompt(excerpt->file, excerpt->prompt, &excerpt->tokens));
    for (int a = 0; a < what->n_axes; a++) {
        TRY(pick_axis(excerpt, selected, a));
        if (excerpt->axes[a].n == 0 && selected->prompts.single && !selected->term->index.given)
            return weir_fail(WEIR_E_USAGE, "'%s': no values of %s are stored there for prompt %d", selected->term->text,
                             what->name, excerpt->prompt);
    }
    return WEIR_OK;
}

weir_status excerpt_has_rows(const struct excerpt *excerpt, const struct selected *selected)
{
    const struct picked *rows = &excerpt->axes[excerpt->row];
    if (!selected->term->index.given || !selected->prompts.single || rows->n == 0)
        return WEIR_OK;
    for (size_t i = 0; i < rows->n; i++)
        if (rows->list[i] < excerpt->tokens.n_rows)
            return WEIR_OK;
    return weir_fail(WEIR_E_USAGE, "'%s': prompt %d has only %zu stored positions, counted from 0",
                     selected->term->text, excerpt->prompt, excerpt->tokens.n_rows);
}

void excerpt_close(struct excerpt *excerpt)
{
    for (int i = 0; i < WEIR_MAX_AXES; i++)
        weir_free(excerpt->axes[i].list);
    weir_free(excerpt->memory);
}

const struct picked *excerpt_columns(const struct excerpt *excerpt)
{
    static size_t zero[1];
    static const struct picked one = {zero, 1, false};
    int last = excerpt->what->n_axes - 1;
    return last == excerpt->row ? &one : &excerpt->axes[last];
}

float excerpt_value(const struct excerpt *excerpt, size_t column)
{
    return excerpt->values[excerpt_columns(excerpt)->list[column] - excerpt->first];
}

/* ---- reading: a row, or as many of those that follow as are wanted ---- */

/* The piece of an axis that the picks from `at` on fill without gaps, at most `most` of it. */
static void gapless_run(size_t *start, size_t *count, const struct picked *picks, size_t at, size_t most)
{
    const size_t *list = picks->list + at;
    size_t left = picks->n - at, n = 1;
    bool falls = left > 1 && list[0] > 0 && list[1] == list[0] - 1;
    while (n < left && n < most && (falls ? list[n] + n == list[0] : list[n] == list[0] + n))
        n++;
    *start = falls ? list[n - 1] : list[0];
    *count = n;
}

/* The piece of an axis that all of its picks lie in. */
static void whole_span(size_t *start, size_t *count, const struct picked *picks)
{
    size_t a = picks->list[0], b = picks->list[picks->n - 1];
    *start = a < b ? a : b;
    *count = (a < b ? b - a : a - b) + 1;
}

static size_t rows_that_fit(size_t values, size_t one)
{
    return values > one ? values / one : 1;
}

/* The row at `place`, and what follows it as far as `ahead` allows. */
static void block_to_read(weir_block *out, const struct excerpt *excerpt, const size_t place[WEIR_MAX_AXES])
{
    int last = excerpt->what->n_axes - 1;
    size_t length = 1;
    *out = (weir_block){{0}, {1, 1, 1}};
    if (last != excerpt->row) {
        whole_span(&out->start[last], &out->count[last], &excerpt->axes[last]);
        length = out->count[last--];
    }
    if (last == 1) {
        whole_span(&out->start[1], &out->count[1], &excerpt->axes[1]);
        if (out->count[1] * length > excerpt->ahead) {
            gapless_run(&out->start[1], &out->count[1], &excerpt->axes[1], place[1],
                        rows_that_fit(excerpt->ahead, length));
            gapless_run(&out->start[0], &out->count[0], &excerpt->axes[0], place[0], 1);
            return;
        }
        length *= out->count[1];
    }
    gapless_run(&out->start[0], &out->count[0], &excerpt->axes[0], place[0], rows_that_fit(excerpt->ahead, length));
}

/* The number of axes that rows lie along: all, or all but the last. */
static int row_axes(const struct excerpt *excerpt)
{
    int n = excerpt->what->n_axes;
    return excerpt->row == n - 1 ? n : n - 1;
}

/* Finds the row in what is held: *at is where it begins. False when it is not there. */
static bool find_held_row(size_t *at, const struct excerpt *excerpt, const size_t place[WEIR_MAX_AXES])
{
    const weir_block *held = &excerpt->held;
    *at = 0;
    for (int a = 0; a < row_axes(excerpt); a++) {
        size_t index = excerpt->axes[a].list[place[a]];
        if (!excerpt->memory || index < held->start[a] || index - held->start[a] >= held->count[a])
            return false;
        *at = *at * held->count[a] + index - held->start[a];
    }
    *at *= row_axes(excerpt) < excerpt->what->n_axes ? held->count[excerpt->what->n_axes - 1] : 1;
    return true;
}

static weir_status hold_block(struct excerpt *excerpt, const weir_block *block)
{
    size_t n = block->count[0] * block->count[1] * block->count[2];
    excerpt->held = (weir_block){{0}, {0}}; /* nothing, should this fail */
    TRY(weir_grow(&excerpt->memory, &excerpt->room, n, sizeof *excerpt->memory));
    TRY(weir_file_read(excerpt->file, excerpt->point, excerpt->layer, excerpt->prompt, block, excerpt->memory));
    excerpt->held = *block;
    return WEIR_OK;
}

weir_status excerpt_read_row(struct excerpt *excerpt, const size_t place[WEIR_MAX_AXES])
{
    size_t at;
    if (excerpt_columns(excerpt)->n == 0) /* [..., 0:0] */
        return WEIR_OK;
    if (!find_held_row(&at, excerpt, place)) {
        weir_block block;
        block_to_read(&block, excerpt, place);
        TRY(hold_block(excerpt, &block));
        if (!find_held_row(&at, excerpt, place))
            return weir_fail(WEIR_E_INPUT, "%s: a row disappeared while it was read", excerpt->what->name);
    }
    excerpt->values = excerpt->memory + at;
    excerpt->first = row_axes(excerpt) < excerpt->what->n_axes ? excerpt->held.start[excerpt->what->n_axes - 1] : 0;
    return WEIR_OK;
}

/* ---- all of a selection ---- */

size_t selected_values(const struct selected *selected)
{
    return selected->prompts.n * (selected->what->per_layer ? selected->layers.n : 1);
}

weir_status selected_shape(const struct selected *selected, size_t shape[WEIR_MAX_AXES], bool single[WEIR_MAX_AXES])
{
    for (int a = 0; a < WEIR_MAX_AXES; a++) {
        bool there = a < selected->what->n_axes;
        const struct weir_range *range = &selected->index[1 + selected->what->per_layer + (there ? a : 0)];
        shape[a] = there && selected->term->index.given ? range->n : 0;
        single[a] = there && selected->term->index.given && range->single;
    }
    for (size_t i = 0; i < selected->prompts.n && !selected->term->index.given; i++) {
        struct excerpt excerpt;
        weir_status status = excerpt_open(&excerpt, selected, i);
        for (int a = 0; a < selected->what->n_axes && status == WEIR_OK; a++) {
            shape[a] = excerpt.axes[a].n > shape[a] ? excerpt.axes[a].n : shape[a];
            single[a] = excerpt.axes[a].single;
        }
        excerpt_close(&excerpt);
        TRY(status);
    }
    return WEIR_OK;
}

struct search {
    const weir_file *file;
    const struct weir_term *term;
    int prompt, n_found;
    selected_fn *each;
    void *payload;
};

static weir_status pick_prompts(struct picked *out, const struct search *search)
{
    size_t first = search->prompt == EVERY_PROMPT ? 0 : (size_t)search->prompt;
    size_t n = search->prompt == EVERY_PROMPT ? (size_t)weir_file_get_info(search->file)->n_prompts : 1;
    struct weir_range range = {.first = first, .n = n, .step = 1, .single = search->prompt != EVERY_PROMPT};
    return pick_range(out, &range);
}

/* The stored ones of the layers that the term names. */
static weir_status pick_layers(struct picked *out, const struct search *search, const weir_file_point *point)
{
    size_t n = 0;
    TRY(pick_slices(out, &search->term->where.layers, (size_t)weir_file_get_info(search->file)->n_layers, "layer"));
    for (size_t i = 0; i < out->n; i++)
        if (point->layers[out->list[i]])
            out->list[n++] = out->list[i];
    out->n = n;
    return WEIR_OK;
}

/* Brackets count along the axes of the dataset; a layer that is not stored holds nothing. */
static weir_status pick_index(struct selected *selected)
{
    const weir_file_info *info = weir_file_get_info(selected->file);
    size_t shape[WEIR_MAX_INDEX];
    const char *names[WEIR_MAX_INDEX];
    int rank = 0;
    if (selected->what->per_layer) {
        shape[rank] = (size_t)info->n_layers;
        names[rank++] = weir_axis_name(WEIR_AXIS_LAYER);
    }
    shape[rank] = (size_t)info->n_prompts;
    names[rank++] = weir_axis_name(WEIR_AXIS_PROMPT);
    for (int a = 0; a < selected->what->n_axes; a++) {
        shape[rank] = selected->point->shape[a];
        names[rank++] = weir_axis_name(selected->what->axes[a]);
    }
    weir_status status = weir_index_resolve(selected->index, &selected->term->index, shape, names, rank);
    if (status != WEIR_OK)
        return weir_in(status, selected->term->text);
    if (selected->what->per_layer)
        TRY(pick_range(&selected->layers, &selected->index[0]));
    return pick_range(&selected->prompts, &selected->index[selected->what->per_layer]);
}

/* Calls `each` with the layers and prompts of one point, if there are any. */
static weir_status visit_point(struct search *search, const weir_file_point *point)
{
    struct selected selected = {.file = search->file, .point = point, .what = point->point, .term = search->term};
    bool indexed = search->term->index.given;
    weir_status status = indexed ? pick_index(&selected) : pick_prompts(&selected.prompts, search);
    if (status == WEIR_OK && !indexed && point->layers)
        status = pick_layers(&selected.layers, search, point);
    if (status == WEIR_OK && (indexed || !point->layers || selected.layers.n > 0)) {
        status = search->each(&selected, search->payload);
        search->n_found++;
    }
    weir_free(selected.layers.list);
    weir_free(selected.prompts.list);
    return status;
}

/* "z, pattern": the points that there are to choose from. */
static void stored_names(char *to, size_t size, const weir_file *file)
{
    *to = '\0';
    for (int i = 0; weir_file_point_at(file, i); i++)
        weir_text_append(to, size, "%s%s", i ? ", " : "", weir_file_point_at(file, i)->point->name);
}

/* Every stored point that the term names; none at all is an error with the points that there are. */
static weir_status visit_term_points(struct search *search)
{
    char names[512];
    search->n_found = 0;
    for (int i = 0; weir_file_point_at(search->file, i); i++)
        if (search->term->points[weir_file_point_at(search->file, i)->point->id])
            TRY(visit_point(search, weir_file_point_at(search->file, i)));
    if (search->n_found > 0)
        return WEIR_OK;
    stored_names(names, sizeof names, search->file);
    return weir_fail(WEIR_E_USAGE, "'%s' is not in the file, which contains: %s (weir ls shows the layers)",
                     search->term->text, names);
}

weir_status selected_each(const weir_file *file, const struct weir_selection *selection, int prompt, selected_fn *each,
                          void *payload)
{
    struct search search = {.file = file, .prompt = prompt, .each = each, .payload = payload};
    for (size_t i = 0; i < selection->n; i++) {
        search.term = &selection->terms[i];
        TRY(visit_term_points(&search));
    }
    return WEIR_OK;
}
