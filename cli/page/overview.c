/* Overviews of heads that are not in the page whole: the largest weight of every block of queries and keys, and the
   strongest keys of each query, exactly. */
#include "cli/page/parts.h"

#include "analysis/analysis.h"
#include "base/alloc.h"
#include "base/ranked.h"

#include <math.h>
#include <string.h>

static size_t divide_up(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

/* ---- how large ---- */

weir_status page_blocks_open(struct page_blocks *out, const weir_file_prompt *prompt, size_t side)
{
    size_t long_side = prompt->n > prompt->n_rows ? prompt->n : prompt->n_rows;
    *out = (struct page_blocks){.side = side ? side : 1, .n_rows = divide_up(prompt->n_rows, side ? side : 1)};
    TRY(weir_alloc(&out->start, out->n_rows + 1, sizeof *out->start));
    for (size_t i = 0, n = 0; i <= out->n_rows; i++) {
        out->start[i] = n;
        size_t end = (i + 1) * out->side < prompt->n_rows ? (i + 1) * out->side : prompt->n_rows;
        if (i < out->n_rows)
            n += (size_t)prompt->positions[end - 1] / out->side + 1;
    }
    out->n_thumb = out->side * divide_up(long_side, PAGE_THUMB * out->side);
    out->thumb_rows = divide_up(prompt->n_rows, out->n_thumb);
    out->thumb_columns = divide_up(prompt->n, out->n_thumb);
    return WEIR_OK;
}

size_t page_blocks_cells(const struct page_blocks *blocks)
{
    return blocks->start[blocks->n_rows];
}

size_t page_thumb_size(const struct page_blocks *blocks)
{
    return blocks->thumb_rows * (blocks->thumb_columns + 1);
}

size_t page_map_size(const struct page *page, const struct page_blocks *blocks, const weir_file_prompt *prompt)
{
    return page_blocks_cells(blocks) + blocks->n_rows +
           prompt->n_rows * (page->n_strongest * 2 + page->pattern->sinks) * sizeof(uint16_t);
}

/* ---- one query ---- */

weir_status page_overview_open(struct overview *out, const struct page *page)
{
    size_t cells = 0, rows = 0;
    *out = (struct overview){.page = page};
    for (size_t i = 0; i < page->prompts.n; i++) {
        const struct page_blocks *blocks = &page->parts[i].blocks;
        weir_file_prompt prompt;
        TRY(page_prompt(&prompt, page, i));
        cells = page_blocks_cells(blocks) > cells ? page_blocks_cells(blocks) : cells;
        rows = prompt.n_rows > rows ? prompt.n_rows : rows;
    }
    TRY(weir_alloc(&out->cells, cells, sizeof *out->cells));
    TRY(weir_alloc(&out->without_first, rows, sizeof *out->without_first));
    TRY(weir_alloc(&out->strongest, rows * page->n_strongest, sizeof *out->strongest));
    TRY(weir_alloc(&out->least, page->n_strongest, sizeof *out->least));
    return weir_alloc(&out->sinks, rows, sizeof *out->sinks);
}

void page_overview_close(struct overview *overview)
{
    weir_free(overview->cells);
    weir_free(overview->without_first);
    weir_free(overview->strongest);
    weir_free(overview->least);
    weir_free(overview->sinks);
}

void page_overview_begin(struct overview *overview, size_t prompt, size_t n_rows)
{
    overview->blocks = &overview->page->parts[prompt].blocks;
    overview->n_queries = n_rows;
    overview->dense = 0;
    memset(overview->cells, 0, page_blocks_cells(overview->blocks) * sizeof *overview->cells);
    memset(overview->without_first, 0, overview->blocks->n_rows * sizeof *overview->without_first);
    for (size_t i = 0; i < n_rows * overview->page->n_strongest; i++)
        overview->strongest[i] = (struct strong){0, PAGE_CODE_NONE};
}

/* The largest of n weights, all of which must be weights: NaN is none, but no reason to refuse. */
static bool largest_weight(float *out, const float *weights, size_t n)
{
    float most = 0;
    bool fine = true;
    for (size_t i = 0; i < n; i++) {
        fine &= !(weights[i] < 0) & !((double)weights[i] > PAGE_MOST_WEIGHT);
        most = weights[i] > most ? weights[i] : most;
    }
    *out = most;
    return fine;
}

static weir_status find_no_weight(const struct weir_row *row, size_t from, size_t end, double most)
{
    for (size_t key = from; key < end; key++)
        if (row->values[key] < 0 || (double)row->values[key] > most)
            return page_no_weight(row, key);
    return WEIR_OK;
}

static weir_status check_masked_keys(const struct weir_row *row)
{
    bool fine = true;
    for (size_t key = (size_t)row->position + 1; key < row->n; key++)
        fine &= !(row->values[key] < 0) & !(row->values[key] > 0);
    return fine ? WEIR_OK : find_no_weight(row, (size_t)row->position + 1, row->n, 0);
}

/* Puts a key among the strongest found so far, which are in falling order; of equal ones the first stays first. */
static void keep_strongest(struct overview *overview, struct strong *list, float weight, size_t distance)
{
    size_t k = overview->page->n_strongest;
    size_t at = weir_ranked_insert(overview->least, list, sizeof *list, &overview->n_kept, k, weight);
    list[at] = (struct strong){(uint16_t)distance, 0};
    (void)page_code(&list[at].code, weight);
}

static void find_strongest_keys(struct overview *overview, struct strong *list, const struct weir_row *row, size_t from,
                                size_t end)
{
    size_t k = overview->page->n_strongest;
    for (size_t key = from; key < end; key++)
        if (row->values[key] > (overview->n_kept < k ? 0 : overview->least[k - 1]))
            keep_strongest(overview, list, row->values[key], (size_t)row->position - key);
}

/* One block's part of a row: its largest weight, and which of its keys are among the strongest. */
static weir_status add_overview_block(struct overview *overview, const struct weir_row *row, size_t block)
{
    const struct page_blocks *blocks = overview->blocks;
    size_t from = block * blocks->side, stop = from + blocks->side, n = (size_t)row->position + 1;
    size_t y = row->at[1] / blocks->side, k = overview->page->n_strongest;
    float most, *cell = &overview->cells[blocks->start[y] + block];
    stop = stop < n ? stop : n;
    if (!largest_weight(&most, row->values + from, stop - from))
        return find_no_weight(row, from, stop, PAGE_MOST_WEIGHT);
    *cell = most > *cell ? most : *cell;
    if (k && most > (overview->n_kept < k ? 0 : overview->least[k - 1]))
        find_strongest_keys(overview, overview->strongest + row->at[1] * k, row, from, stop);
    if (block == 0) {
        (void)largest_weight(&most, row->values + 1, stop - 1);
        if (most > overview->without_first[y])
            overview->without_first[y] = most;
    }
    return WEIR_OK;
}

weir_status page_overview_add(struct overview *overview, const struct weir_row *row)
{
    size_t k = overview->page->n_strongest;
    overview->n_kept = 0;
    TRY(check_masked_keys(row));
    for (size_t block = 0; block <= (size_t)row->position / overview->blocks->side; block++)
        TRY(add_overview_block(overview, row, block));
    for (size_t i = overview->n_kept; i < k; i++)
        overview->strongest[row->at[1] * k + i].code = 0;
    for (size_t i = 0; i <= (size_t)row->position; i++)
        overview->dense += row->values[i] >= 1e-7F;
    if (overview->page->pattern->sinks)
        overview->sinks[row->at[1]] = page_sink_code(row);
    return WEIR_OK;
}

/* ---- one head ---- */

void page_overview_thumb(uint8_t *out, const struct overview *overview)
{
    const struct page_blocks *blocks = overview->blocks;
    size_t by = blocks->n_thumb / blocks->side, width = blocks->thumb_columns;
    uint8_t *without_first = out + blocks->thumb_rows * width;
    for (size_t y = 0; y < blocks->n_rows; y++)
        for (size_t x = 0; x < blocks->start[y + 1] - blocks->start[y]; x++) {
            uint8_t level = page_level(overview->cells[blocks->start[y] + x]), *to = &out[y / by * width + x / by];
            uint8_t rest = x ? level : page_level(overview->without_first[y]);
            *to = level > *to ? level : *to;
            if (x / by == 0 && rest > without_first[y / by])
                without_first[y / by] = rest;
        }
}

weir_status page_overview_pack(struct packed *out, const struct overview *overview, size_t room)
{
    const struct page_blocks *blocks = overview->blocks;
    size_t cells = page_blocks_cells(blocks), n_rows = overview->n_queries, n = n_rows * overview->page->n_strongest,
           at = 0;
    bool sinks = overview->page->pattern->sinks;
    uint8_t *bytes;
    TRY(weir_alloc(&bytes, cells + blocks->n_rows + (2 * n + n_rows * sinks) * sizeof(uint16_t), 1));
    for (size_t i = 0; i < cells; i++)
        bytes[at++] = page_level(overview->cells[i]);
    for (size_t i = 0; i < blocks->n_rows; i++)
        bytes[at++] = page_level(overview->without_first[i]);
    for (size_t i = 0; i < n; i++) {
        page_planes(bytes + at, n, i, overview->strongest[i].distance);
        page_planes(bytes + at + 2 * n, n, i, overview->strongest[i].code);
    }
    for (size_t i = 0; sinks && i < n_rows; i++)
        page_planes(bytes + at + 4 * n, n_rows, i, overview->sinks[i]);
    at += (2 * n + n_rows * sinks) * sizeof(uint16_t);
    weir_status status = page_pack(out, bytes, at, room);
    weir_free(bytes);
    return status;
}
