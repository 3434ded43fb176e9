#include "cli/cut.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* ---- what is picked along one axis ---- */

static weir_status pick_marked(struct picked *out, const bool *marked, size_t n)
{
    TRY(weir_alloc(&out->list, n, sizeof *out->list));
    out->n = 0;
    for (size_t i = 0; i < n; i++)
        if (marked[i])
            out->list[out->n++] = i;
    return WEIR_OK;
}

static weir_status pick(struct picked *out, const struct weir_slices *slices, size_t n, const char *what)
{
    bool *marked;
    TRY(weir_alloc_zero(&marked, n, sizeof *marked));
    weir_status status = slices ? weir_slices_mark(slices, marked, n, what) : WEIR_OK;
    if (!slices)
        memset(marked, true, n * sizeof *marked);
    if (status == WEIR_OK)
        status = pick_marked(out, marked, n);
    weir_free(marked);
    return status;
}

/* Rows are stored positions: those that the absolute positions of the term name. */
static weir_status pick_rows(struct picked *out, const struct weir_term *term, const weir_file_prompt *tokens)
{
    bool *marked;
    TRY(weir_alloc_zero(&marked, tokens->n, sizeof *marked));
    weir_status status = weir_slices_mark(&term->positions, marked, tokens->n, "position");
    if (status == WEIR_OK)
        status = weir_alloc(&out->list, tokens->n_rows, sizeof *out->list);
    out->n = 0;
    for (size_t i = 0; i < tokens->n_rows && status == WEIR_OK; i++)
        if (marked[tokens->positions[i]])
            out->list[out->n++] = i;
    weir_free(marked);
    return status;
}

static weir_status pick_axis(struct cut *cut, const struct weir_term *term, int i)
{
    weir_axis axis = cut->what->axes[i];
    if (i == cut->row)
        return pick_rows(&cut->axes[i], term, &cut->tokens);
    if (axis == WEIR_AXIS_KEY)
        return pick(&cut->axes[i], NULL, cut->tokens.n, "key");
    bool has_units = i == weir_point_unit_axis(cut->what);
    return pick(&cut->axes[i], has_units ? &term->units : NULL, cut->point->shape[i], weir_axis_name(axis));
}

/* ---- one value ---- */

static weir_status open_cut(struct cut *cut, const struct weir_term *term)
{
    const weir_point *what = cut->what;
    int last = what->n_axes - 1;
    cut->row = weir_point_row_axis(what);
    cut->outer = what->n_axes == 3 ? (cut->row == 0 ? 1 : 0) : -1;
    cut->length = cut->row == last ? 1 : cut->point->shape[last];
    TRY(weir_file_get_prompt(cut->file, cut->prompt, &cut->tokens));
    for (int i = 0; i < what->n_axes; i++) {
        TRY(pick_axis(cut, term, i));
        if (cut->axes[i].n == 0)
            return weir_fail(WEIR_E_USAGE, "'%s': nothing of %s is stored there for prompt %d", term->text, what->name,
                             cut->prompt);
    }
    return weir_alloc(&cut->values, cut->length, sizeof *cut->values);
}

static void close_cut(struct cut *cut)
{
    for (int i = 0; i < WEIR_MAX_AXES; i++)
        weir_free(cut->axes[i].list);
    weir_free(cut->values);
}

weir_status cut_read_row(struct cut *cut, const size_t place[WEIR_MAX_AXES])
{
    int last = cut->what->n_axes - 1;
    weir_block block = {{0}, {1, 1, 1}};
    for (int i = 0; i < last || i == cut->row; i++)
        block.start[i] = place[i];
    if (last != cut->row)
        block.count[last] = cut->length;
    return weir_file_read(cut->file, cut->point, cut->layer, cut->prompt, &block, cut->values);
}

/* ---- all of a selection ---- */

struct search {
    const weir_file *file;
    const struct weir_term *term;
    int prompt, n_found;
    cut_fn *each;
    void *payload;
};

static weir_status visit(struct search *search, const weir_file_point *point, int layer)
{
    struct cut cut = {.file = search->file, .point = point, .what = point->point, .layer = layer};
    cut.prompt = search->prompt;
    weir_status status = open_cut(&cut, search->term);
    if (status == WEIR_OK)
        status = search->each(&cut, search->payload);
    close_cut(&cut);
    search->n_found++;
    return status;
}

static weir_status visit_layers(struct search *search, const weir_file_point *point)
{
    struct picked layers = {0};
    if (!point->layers)
        return visit(search, point, -1);
    weir_status status =
        pick(&layers, &search->term->layers, (size_t)weir_file_get_info(search->file)->n_layers, "layer");
    for (size_t i = 0; i < layers.n && status == WEIR_OK; i++)
        if (point->layers[layers.list[i]])
            status = visit(search, point, (int)layers.list[i]);
    weir_free(layers.list);
    return status;
}

/* "z, pattern": what there is to choose from. */
static void stored_names(char *to, size_t size, const weir_file *file)
{
    size_t at = 0;
    *to = '\0';
    for (int i = 0; weir_file_point_at(file, i) && at < size; i++)
        at += (size_t)snprintf(to + at, size - at, "%s%s", i ? ", " : "", weir_file_point_at(file, i)->point->name);
}

static weir_status visit_term(struct search *search)
{
    char names[512];
    search->n_found = 0;
    for (int i = 0; weir_file_point_at(search->file, i); i++)
        if (search->term->points[weir_file_point_at(search->file, i)->point->id])
            TRY(visit_layers(search, weir_file_point_at(search->file, i)));
    if (search->n_found > 0)
        return WEIR_OK;
    stored_names(names, sizeof names, search->file);
    return weir_fail(WEIR_E_USAGE, "'%s' is not in the file, which holds: %s (weir ls shows the layers)",
                     search->term->text, names);
}

weir_status cut_each(const weir_file *file, const struct weir_selection *selection, int prompt, cut_fn *each,
                     void *payload)
{
    struct search search = {.file = file, .prompt = prompt, .each = each, .payload = payload};
    for (size_t i = 0; i < selection->n; i++) {
        search.term = &selection->terms[i];
        TRY(visit_term(&search));
    }
    return WEIR_OK;
}
