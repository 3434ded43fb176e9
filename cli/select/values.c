/* Picks the indices that a selection names along each axis, and reads rows of them. */
#include "cli/select/cells.h"

#include "base/alloc.h"
#include "base/text.h"
#include "store/read/lookup.h"

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

bool is_one_index(const struct weir_slices *slices)
{
    return slices->n == 1 && slices->list[0].single;
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

/* By the term's brackets. */
static weir_status pick_index_axes(struct excerpt *excerpt, const struct selected *selected)
{
    for (int a = 0; a < excerpt->what->n_axes; a++)
        TRY(pick_range(&excerpt->axes[a], &selected->index[1 + excerpt->what->per_layer + a]));
    return WEIR_OK;
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
    TRY(selected->term->index.given ? pick_index_axes(excerpt, selected) : cells_pick(excerpt, selected));
    for (int a = 0; a < what->n_axes; a++) {
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

/* True where both excerpts have the same places along every axis. */
static bool are_same_places(const struct excerpt *a, const struct excerpt *b)
{
    for (int i = 0; i < a->what->n_axes; i++)
        if (a->axes[i].n != b->axes[i].n ||
            memcmp(a->axes[i].list, b->axes[i].list, a->axes[i].n * sizeof *a->axes[i].list) != 0)
            return false;
    return true;
}

static weir_status check_even_prompt(const struct selected *selected, size_t prompt)
{
    struct excerpt first, other;
    weir_status status = excerpt_open(&first, selected, prompt);
    for (size_t i = prompt + selected->prompts.n; i < selected_values(selected) && status == WEIR_OK;
         i += selected->prompts.n) {
        status = excerpt_open(&other, selected, i);
        if (status == WEIR_OK && !are_same_places(&first, &other))
            status =
                weir_fail(WEIR_E_USAGE,
                          "'%s': what is taken away from it differs by layer, and an array has one shape: name the "
                          "layers one by one",
                          selected->term->text);
        excerpt_close(&other);
    }
    excerpt_close(&first);
    return status;
}

weir_status selected_is_even(const struct selected *selected)
{
    bool any = false;
    for (const struct weir_term *term = selected->term + 1; term < selected->end; term++)
        any = any || (term->takes_away && term->where.layers.n > 0);
    for (size_t i = 0; any && i < selected->prompts.n; i++)
        TRY(check_even_prompt(selected, i));
    return WEIR_OK;
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
    const struct weir_term *term, *end;
    int prompt, n_found;
    bool taken; /* something was found that terms after it take away whole */
    selected_fn *each;
    void *payload;
};

/* The prompts of a term that chooses some itself; --prompt has to ask for the same ones. */
static weir_status pick_named_prompts(struct picked *out, const struct search *search, bool *marked)
{
    const struct weir_whose *whose = &search->term->where.prompts;
    size_t n = (size_t)weir_file_get_info(search->file)->n_prompts, asked = (size_t)search->prompt;
    TRY(weir_in(weir_stored_prompts_mark(marked, whose, search->file), search->term->text));
    TRY(picked_of_marks(out, marked, n));
    out->single = !whose->name && is_one_index(&whose->numbers);
    if (search->prompt == FIRST_PROMPT ||
        (search->prompt == EVERY_PROMPT ? out->n == n : out->n == 1 && out->list[0] == asked))
        return WEIR_OK;
    return weir_fail(WEIR_E_USAGE, "--prompt: '%s' names its prompts itself, and others: omit one of the two",
                     search->term->text);
}

/* Leaves out what a term that takes away takes whole. */
static weir_status drop_taken_prompts(struct picked *out, struct search *search, const weir_file_point *point,
                                      bool *marked)
{
    size_t n = (size_t)weir_file_get_info(search->file)->n_prompts, kept = 0;
    for (const struct weir_term *term = search->term + 1; term < search->end; term++) {
        if (!term->takes_away || !term->points[point->point->id] || !term->where.has_prompts ||
            !takes_whole_values(term) || term->where.layers.n > 0)
            continue;
        memset(marked, 0, n * sizeof *marked);
        TRY(weir_in(weir_stored_prompts_mark(marked, &term->where.prompts, search->file), term->text));
        kept = 0;
        for (size_t i = 0; i < out->n; i++)
            if (!marked[out->list[i]])
                out->list[kept++] = out->list[i];
        search->taken = search->taken || kept < out->n;
        out->n = kept;
    }
    return WEIR_OK;
}

static weir_status pick_prompts(struct picked *out, struct search *search, const weir_file_point *point)
{
    size_t all = (size_t)weir_file_get_info(search->file)->n_prompts;
    bool *marked, every = search->prompt == EVERY_PROMPT;
    struct weir_range range = {
        .first = search->prompt < 0 ? 0 : (size_t)search->prompt, .n = every ? all : 1, .step = 1, .single = !every};
    TRY(weir_alloc_zero(&marked, all, sizeof *marked));
    weir_status status =
        search->term->where.has_prompts ? pick_named_prompts(out, search, marked) : pick_range(out, &range);
    if (status == WEIR_OK)
        status = drop_taken_prompts(out, search, point, marked);
    weir_free(marked);
    return status;
}

/* True where a term after the one that is searched takes a layer away whole. */
static bool is_layer_taken(struct search *search, const weir_file_point *point, size_t layer)
{
    size_t n = (size_t)weir_file_get_info(search->file)->n_layers;
    for (const struct weir_term *term = search->term + 1; term < search->end; term++)
        if (term->takes_away && term->points[point->point->id] && takes_whole_values(term) &&
            !term->where.has_prompts && weir_slices_name(&term->where.layers, layer, n))
            return search->taken = true;
    return false;
}

/* The stored ones of the layers that the term names. */
static weir_status pick_layers(struct picked *out, struct search *search, const weir_file_point *point)
{
    size_t n = 0;
    TRY(pick_slices(out, &search->term->where.layers, (size_t)weir_file_get_info(search->file)->n_layers, "layer"));
    for (size_t i = 0; i < out->n; i++)
        if (point->layers[out->list[i]] && !is_layer_taken(search, point, out->list[i]))
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
    struct selected selected = {
        .file = search->file, .point = point, .what = point->point, .term = search->term, .end = search->end};
    bool indexed = search->term->index.given;
    weir_status status = indexed ? pick_index(&selected) : pick_prompts(&selected.prompts, search, point);
    if (status == WEIR_OK && !indexed && point->layers)
        status = pick_layers(&selected.layers, search, point);
    bool any = indexed ||
               (selected.prompts.n > 0 && (point->layers ? selected.layers.n > 0 : !is_layer_taken(search, point, 0)));
    if (status == WEIR_OK && any) {
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
    search->taken = false;
    for (int i = 0; weir_file_point_at(search->file, i); i++)
        if (search->term->points[weir_file_point_at(search->file, i)->point->id])
            TRY(visit_point(search, weir_file_point_at(search->file, i)));
    if (search->n_found > 0)
        return WEIR_OK;
    if (search->taken)
        return weir_fail(WEIR_E_USAGE, "'%s': the terms after it take all of it away", search->term->text);
    stored_names(names, sizeof names, search->file);
    return weir_fail(WEIR_E_USAGE, "'%s' is not in the file, which contains: %s (weir ls shows the layers)",
                     search->term->text, names);
}

/* What a stored file cannot tell apart, and exclusions that would pass without a word. */
static weir_status check_stored_terms(const struct weir_selection *selection)
{
    bool named[WEIR_N_POINTS] = {0}, indexed = false;
    for (size_t i = 0; i < selection->n; i++) {
        const struct weir_term *term = &selection->terms[i];
        bool any = !term->takes_away;
        if (term->where.by_query_head)
            return weir_fail(WEIR_E_USAGE, "'%s': a file stores key-value heads: omit the h", term->text);
        for (int point = 0; point < WEIR_N_POINTS; point++) {
            any = any || (term->points[point] && named[point]);
            named[point] = named[point] || term->points[point];
        }
        if (!any)
            return weir_fail(WEIR_E_USAGE, "'%s' takes away what no term before it names, as z,-z:9.9 would",
                             term->text);
        indexed = indexed || term->index.given;
        if (term->takes_away && indexed)
            return weir_fail(WEIR_E_USAGE, "'%s': nothing can be taken away from an index in brackets", term->text);
    }
    return WEIR_OK;
}

weir_status selected_each(const weir_file *file, const struct weir_selection *selection, int prompt, selected_fn *each,
                          void *payload)
{
    struct search search = {
        .file = file, .end = selection->terms + selection->n, .prompt = prompt, .each = each, .payload = payload};
    TRY(check_stored_terms(selection));
    for (size_t i = 0; i < selection->n; i++) {
        search.term = &selection->terms[i];
        if (!search.term->takes_away)
            TRY(visit_term_points(&search));
    }
    return WEIR_OK;
}
