#include "cli/page_parts.h"

#include "analysis/analysis.h"
#include "base/alloc.h"

#include <math.h>

/* A weight goes into the page as sixteen bits that hold its four leading decimal digits, so that what the page shows is
   the stored value, rounded once: m digits 1000 to 9999 times a decade from 0.1 down to 1e-7. A float's 24 bits times
   these powers of ten (their odd parts have at most 24) are exact in a double: ties round as they should. */
enum { DECADES = 7, LEAST = 1000, DECADE = 9000 };
enum { CODE_ZERO = 0, CODE_TINY = 1, CODE_DIGITS = 2, CODE_ONE = CODE_DIGITS + DECADES * DECADE, CODE_NONE = 65535 };

static const double powers[DECADES] = {1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10};

/* For weights over 0 that round to 1 or less. */
static uint16_t code_of_digits(double weight)
{
    int decade = 0;
    while (decade < DECADES && weight * powers[decade] < LEAST)
        decade++;
    if (decade == DECADES)
        return CODE_TINY;
    long digits = lrint(weight * powers[decade]);
    if (digits >= 10 * LEAST) { /* 0.09999996 is 0.1000 */
        if (decade == 0)
            return CODE_ONE;
        digits = LEAST;
        decade--;
    }
    return (uint16_t)(CODE_DIGITS + decade * DECADE + (digits - LEAST));
}

/* False for what cannot be an attention weight. */
static bool code_of(uint16_t *out, float weight)
{
    if (isnan(weight)) {
        *out = CODE_NONE;
        return true;
    }
    if (!(weight >= 0 && (double)weight <= 1.0005))
        return false;
    *out = weight > 0 ? code_of_digits((double)weight) : CODE_ZERO;
    return true;
}

/* One head of one prompt on its way into the page. */
struct head {
    const struct page *page;
    int layer, head, prompt;
    weir_file_prompt tokens;
    float *weights; /* [n_rows, n] */
};

static weir_status no_weight(const struct head *head, size_t query, size_t key, float weight)
{
    return weir_fail(
        WEIR_E_UNSUPPORTED,
        "layer %d, head %d, prompt %d: query %zu has %g on key %zu, which is no weight of a causal pattern: "
        "a page cannot show it (weir show can)",
        head->layer, head->head, head->prompt, query, (double)weight, key);
}

/* What the sink has: what the row lacks of 1. */
static float sink_part(const float *row, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)row[i];
    return sum < 1 ? (float)(1 - sum) : isnan(sum) ? NAN : 0;
}

/* The keys up to the query, and in front what the sink has, if there is one. */
static weir_status put_row(struct base64 *out, const struct head *head, size_t i)
{
    const float *row = head->weights + i * head->tokens.n;
    size_t query = (size_t)head->tokens.positions[i];
    uint16_t code;
    if (head->page->pattern->sinks)
        base64_put_u16(out, code_of(&code, sink_part(row, query + 1)) ? code : CODE_NONE);
    for (size_t key = 0; key <= query; key++) {
        if (!code_of(&code, row[key]))
            return no_weight(head, query, key, row[key]);
        base64_put_u16(out, code);
    }
    for (size_t key = query + 1; key < head->tokens.n; key++)
        if (row[key] != 0 && !isnan(row[key]))
            return no_weight(head, query, key, row[key]);
    return WEIR_OK;
}

static weir_status put_head(struct base64 *out, struct head *head)
{
    const weir_file_prompt *tokens = &head->tokens;
    weir_block block = {{(size_t)head->head, 0, 0}, {1, tokens->n_rows, tokens->n}};
    TRY(weir_file_read(head->page->file, head->page->pattern, head->layer, head->prompt, &block, head->weights));
    for (size_t i = 0; i < tokens->n_rows; i++)
        TRY(put_row(out, head, i));
    return WEIR_OK;
}

static weir_status put_prompt(struct base64 *out, const struct page *page, size_t prompt)
{
    struct head head = {.page = page, .prompt = (int)page->prompts.list[prompt]};
    size_t room;
    TRY(page_prompt(&head.tokens, page, prompt));
    TRY(weir_mul(&room, head.tokens.n_rows, head.tokens.n));
    TRY(weir_alloc(&head.weights, room, sizeof *head.weights));
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < page->layers.n * page->heads.n && status == WEIR_OK; i++) {
        head.layer = (int)page->layers.list[i / page->heads.n];
        head.head = (int)page->heads.list[i % page->heads.n];
        status = put_head(out, &head);
    }
    weir_free(head.weights);
    return status;
}

uint64_t page_weights_size(const struct page *page, const weir_file_prompt *prompt)
{
    uint64_t n = 0;
    if (!page->pattern)
        return 0;
    for (size_t i = 0; i < prompt->n_rows; i++)
        n += (uint64_t)prompt->positions[i] + 1 + page->pattern->sinks;
    return n * page->layers.n * page->heads.n * sizeof(uint16_t);
}

weir_status page_put_weights(struct base64 *out, const struct page *page)
{
    for (size_t i = 0; page->pattern && i < page->prompts.n; i++)
        TRY(put_prompt(out, page, i));
    base64_end(out);
    return WEIR_OK;
}
