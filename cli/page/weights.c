/* Patterns in a page with every weight. */
#include "cli/page/parts.h"
#include "cli/process/interrupt.h"

#include "analysis/analysis.h"
#include "base/alloc.h"

#include <math.h>

/* One head of one prompt on its way into the page: its weights row by row, the keys up to each query. */
struct head {
    const struct page *page;
    size_t n, at;    /* codes */
    uint8_t *planes; /* [2, n] */
};

weir_status page_no_weight(const struct weir_row *row, size_t key)
{
    return weir_fail(WEIR_E_UNSUPPORTED,
                     "layer %d, head %zu, prompt %d: query %d has %g on key %zu, which cannot occur in a causal "
                     "pattern: a page cannot show it (weir show can)",
                     row->layer, row->at[0], row->prompt, row->position, (double)row->values[key], key);
}

uint16_t page_sink_code(const struct weir_row *row)
{
    uint16_t code;
    double sum = 0;
    for (size_t i = 0; i <= (size_t)row->position; i++)
        sum += (double)row->values[i];
    float rest = sum < 1 ? (float)(1 - sum) : isnan(sum) ? NAN : 0;
    return page_code(&code, rest) ? code : PAGE_CODE_NONE;
}

/* The keys up to the query, and in front what the sink has, if there is one. */
static weir_status put_weights_row(const struct weir_row *row, void *payload)
{
    struct head *head = payload;
    uint16_t code;
    if (head->page->pattern->sinks)
        page_planes(head->planes, head->n, head->at++, page_sink_code(row));
    for (size_t key = 0; key <= (size_t)row->position; key++) {
        if (!page_code(&code, row->values[key]))
            return page_no_weight(row, key);
        page_planes(head->planes, head->n, head->at++, code);
    }
    return WEIR_OK;
}

uint64_t page_weights_of(const struct page *page, const weir_file_prompt *prompt)
{
    uint64_t n = 0;
    for (size_t i = 0; page->pattern && i < prompt->n_rows; i++)
        n += (uint64_t)prompt->positions[i] + 1 + page->pattern->sinks;
    return n;
}

weir_status page_pack_head(struct packed *out, const struct page *page, size_t prompt, size_t head, size_t room)
{
    struct weir_source source = {page->file, page->pattern};
    size_t which = page->heads.list[head % page->heads.n];
    struct weir_head_range range = {(int)page->layers.list[head / page->heads.n], (int)page->prompts.list[prompt],
                                    which, which + 1};
    struct head work = {.page = page};
    weir_file_prompt tokens;
    if (interrupted())
        return stopped();
    TRY(page_prompt(&tokens, page, prompt));
    work.n = (size_t)page_weights_of(page, &tokens);
    TRY(weir_alloc(&work.planes, work.n, sizeof(uint16_t)));
    weir_status status = weir_rows_of_heads(&source, &range, put_weights_row, &work);
    if (status == WEIR_OK)
        status = page_pack(out, work.planes, work.n * sizeof(uint16_t), room);
    weir_free(work.planes);
    return status;
}
