/* Series in a page: the values of units, and norms of the residual stream, per position. */
#include "cli/page/parts.h"

#include "analysis/analysis.h"
#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>

/* ---- units: one value a position ---- */

enum { MOST_TOP = 8 }; /* neurons a layer when none are asked for */

typedef weir_status excerpt_fn(struct excerpt *excerpt, void *payload);

/* The function to call for every value of a selection. */
struct visit {
    excerpt_fn *each;
    void *payload;
};

/* Opens the excerpt of each value, calls `each` and closes it. */
static weir_status visit_layers(const struct selected *selected, void *payload)
{
    const struct visit *visit = payload;
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < selected_values(selected) && status == WEIR_OK; i++) {
        struct excerpt excerpt;
        status = excerpt_open(&excerpt, selected, i);
        if (status == WEIR_OK)
            status = visit->each(&excerpt, visit->payload);
        excerpt_close(&excerpt);
    }
    return status;
}

/* Every layer that the page's selection names of the i-th chosen prompt. */
static weir_status each_excerpt(const struct page *page, size_t i, excerpt_fn *each, void *payload)
{
    struct visit visit = {each, payload};
    return selected_each(page->file, page->selection, (int)page->prompts.list[i], visit_layers, &visit);
}

static weir_status add_page_units(struct excerpt *excerpt, void *payload)
{
    struct page *page = payload;
    if (excerpt->what->n_axes != 2)
        return weir_fail(WEIR_E_USAGE,
                         "%s does not have one value per position and unit: a page shows hook points [pos, units], as "
                         "in mlp_post:3.10",
                         excerpt->what->name);
    const struct picked *picked = excerpt_columns(excerpt);
    TRY(weir_grow(&page->units, &page->unit_capacity, page->n_units + picked->n, sizeof *page->units));
    for (size_t i = 0; i < picked->n; i++)
        page->units[page->n_units++] = (struct page_unit){excerpt->what, excerpt->layer, picked->list[i]};
    return WEIR_OK;
}

/* Appends "mlp_post:3.10+25" for the most active of one layer. */
static weir_status append_top_units(FILE *to, const struct page *page, const weir_file_point *point, size_t layer,
                                    size_t k)
{
    const struct weir_source source = {page->file, point};
    size_t top[MOST_TOP], n;
    TRY(weir_top_units(top, &n, k, &source, (int)layer, page->prompts.list, page->prompts.n));
    for (size_t i = 0; i < n; i++) {
        if (i == 0)
            fprintf(to, "%s%s:%zu.", ftell(to) > 0 ? "," : "", point->point->name, layer);
        fprintf(to, i ? "+%zu" : "%zu", top[i]);
    }
    return WEIR_OK;
}

/* The most active neurons of each layer as a selection, "" where there are none. Free it with free(). */
static weir_status top_selection(char **out, const struct page *page, uint64_t room)
{
    const weir_file_point *point = weir_file_find(page->file, "mlp_post");
    const struct picked *layers = &page->chosen;
    size_t size;
    FILE *text = open_memstream(out, &size);
    if (!text)
        return weir_fail(WEIR_E_MEMORY, "out of memory");
    uint64_t k = room / (page->n_rows * sizeof(float) * layers->n);
    weir_status status = WEIR_OK;
    for (size_t i = 0; point && k && i < layers->n && status == WEIR_OK; i++)
        if (point->layers[layers->list[i]])
            status = append_top_units(text, page, point, layers->list[i], k < MOST_TOP ? (size_t)k : MOST_TOP);
    if (fclose(text) != 0 && status == WEIR_OK)
        status = weir_fail(WEIR_E_MEMORY, "out of memory");
    return status;
}

void page_reserve_units(struct page *page, uint64_t most)
{
    uint64_t bytes = base64_size(MOST_TOP * page->chosen.n * page->n_rows * sizeof(float));
    page->top = true;
    page->reserved = !weir_file_find(page->file, "mlp_post") ? 0 : bytes < most ? bytes : most;
}

/* A page has the same units for each of its prompts. */
static weir_status check_page_terms(const struct weir_selection *selection)
{
    for (size_t i = 0; i < selection->n; i++)
        if (selection->terms[i].where.has_prompts)
            return weir_fail(WEIR_E_USAGE,
                             "--neurons: '%s': a page has the same neurons for all prompts, which --prompt "
                             "chooses: omit the #",
                             selection->terms[i].text);
    return WEIR_OK;
}

weir_status page_choose_units(struct page *page, const char *selection)
{
    char *top = NULL;
    weir_status status = WEIR_OK;
    if (!selection) {
        TRY_DONE(top_selection(&top, page, page->reserved / 4 * 3));
        selection = top;
    }
    if (*selection) {
        TRY_DONE(weir_selection_parse(&page->selection, selection));
        TRY_DONE(check_page_terms(page->selection));
        status = each_excerpt(page, 0, add_page_units, page);
    }
    page->reserved = 0;
done:
    free(top);
    return status;
}

/* Fills `values`, [units, n_rows], with those of the positions that are picked. */
static weir_status read_unit_series(float *values, struct excerpt *excerpt)
{
    const struct picked *rows = &excerpt->axes[excerpt->row];
    size_t place[WEIR_MAX_AXES] = {0}, n_units = excerpt_columns(excerpt)->n, n_rows = excerpt->tokens.n_rows;
    for (size_t i = 0; i < n_units * n_rows; i++)
        values[i] = NAN;
    for (size_t i = 0; i < rows->n; i++) {
        place[excerpt->row] = i;
        TRY(excerpt_read_row(excerpt, place));
        for (size_t j = 0; j < n_units; j++)
            values[j * n_rows + rows->list[i]] = excerpt_value(excerpt, j);
    }
    return WEIR_OK;
}

static weir_status put_unit_series(struct excerpt *excerpt, void *payload)
{
    float *values; /* [units, n_rows] */
    size_t n;
    TRY(weir_mul(&n, excerpt_columns(excerpt)->n, excerpt->tokens.n_rows));
    TRY(weir_alloc(&values, n, sizeof *values));
    weir_status status = read_unit_series(values, excerpt);
    for (size_t i = 0; i < n && status == WEIR_OK; i++)
        base64_put_float(payload, values[i]);
    weir_free(values);
    return status;
}

weir_status page_put_units(struct base64 *out, const struct page *page)
{
    for (size_t i = 0; page->selection && i < page->prompts.n; i++)
        TRY(each_excerpt(page, i, put_unit_series, out));
    base64_end(out);
    return WEIR_OK;
}

/* ---- norms ---- */

/* Points of the residual stream, and what is added to it. */
static const enum weir_point_id streams[] = {WEIR_P_RESID_PRE, WEIR_P_RESID_MID, WEIR_P_RESID_POST, WEIR_P_ATTN_OUT,
                                             WEIR_P_MLP_OUT};

enum { N_STREAMS = sizeof streams / sizeof *streams };

weir_status page_choose_norms(struct page *page)
{
    const struct picked *layers = &page->chosen;
    TRY(weir_alloc(&page->norms, N_STREAMS * layers->n, sizeof *page->norms));
    for (size_t i = 0; i < N_STREAMS; i++) {
        const weir_file_point *point = weir_file_find(page->file, weir_point_at(streams[i])->name);
        for (size_t j = 0; point && j < layers->n; j++)
            if (point->layers[layers->list[j]])
                page->norms[page->n_norms++] = (struct page_norm){point, (int)layers->list[j]};
    }
    return WEIR_OK;
}

static weir_status put_norms_of(struct base64 *out, const struct page *page, int prompt, size_t n_rows)
{
    float *norms; /* [n_rows] */
    TRY(weir_alloc(&norms, n_rows, sizeof *norms));
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < page->n_norms && status == WEIR_OK; i++) {
        const struct weir_source source = {page->file, page->norms[i].point};
        status = weir_row_norms(norms, &source, page->norms[i].layer, prompt);
        for (size_t j = 0; j < n_rows && status == WEIR_OK; j++)
            base64_put_float(out, norms[j]);
    }
    weir_free(norms);
    return status;
}

weir_status page_put_norms(struct base64 *out, const struct page *page)
{
    for (size_t i = 0; i < page->prompts.n; i++) {
        weir_file_prompt prompt;
        TRY(page_prompt(&prompt, page, i));
        TRY(put_norms_of(out, page, (int)page->prompts.list[i], prompt.n_rows));
    }
    base64_end(out);
    return WEIR_OK;
}
