/* Reads a stored point in blocks of bounded size, and calls a function for each row. */
#include "analysis/analysis.h"

#include "base/alloc.h"
#include "base/sizes.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 1 << 18 }; /* floats read at once: 1 MiB */

bool weir_row_is_absent(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!weir_value_is_absent(values[i]))
            return false;
    return true;
}

weir_status weir_row_check_query(const struct weir_row *row)
{
    if (row->position >= 0 && (size_t)row->position < row->n)
        return WEIR_OK;
    return weir_fail(WEIR_E_INPUT, "prompt %d: position %d of a stored row lies outside its %zu tokens", row->prompt,
                     row->position, row->n);
}

int weir_source_layers(const struct weir_source *source)
{
    return source->point->layers ? weir_file_get_info(source->file)->n_layers : 1;
}

bool weir_source_has_layer(const struct weir_source *source, int i)
{
    return !source->point->layers || source->point->layers[i];
}

/* One prompt of one layer on its way through memory. */
struct walk {
    const struct weir_source *source, *other;
    weir_file_prompt prompt;
    size_t size[WEIR_MAX_AXES]; /* of this prompt's value; 1 past the last axis */
    size_t first, end;          /* along the first axis */
    int row_axis;
    bool row_is_last; /* points with a pos axis only */
    struct weir_row row;
    float *values, *others; /* [BLOCK or one row] */
    weir_stored_row_fn *each;
    void *payload;
};

/* Sizes of the value for this prompt: its rows and its keys, not those of the longest. */
static void measure_prompt(struct walk *walk)
{
    const weir_point *point = walk->source->point->point;
    for (int i = 0; i < WEIR_MAX_AXES; i++)
        walk->size[i] = i < point->n_axes ? walk->source->point->shape[i] : 1;
    for (int i = 0; i < point->n_axes; i++) {
        if (point->axes[i] == WEIR_AXIS_POS || point->axes[i] == WEIR_AXIS_QUERY) {
            walk->row_axis = i;
            walk->size[i] = walk->prompt.n_rows;
        } else if (point->axes[i] == WEIR_AXIS_KEY) {
            walk->size[i] = walk->prompt.n;
        }
    }
    walk->row_is_last = walk->row_axis == point->n_axes - 1;
}

/* Hands on the rows of one block that has been read. */
static weir_status visit_block(struct walk *walk, const weir_block *block)
{
    struct weir_row *row = &walk->row;
    int last = walk->source->point->point->n_axes - 1;
    bool single = walk->row_is_last;
    size_t count[WEIR_MAX_AXES] = {1, 1, 1}, start[WEIR_MAX_AXES] = {0};
    memcpy(count, block->count, (size_t)(last + 1) * sizeof *count);
    memcpy(start, block->start, (size_t)(last + 1) * sizeof *start);
    row->n = single ? 1 : count[last];
    size_t inner = last == 2 ? count[1] : 1, n_rows = count[0] * inner;
    for (size_t i = 0; i < n_rows; i++) {
        row->at[0] = start[0] + i / inner;
        row->at[1] = start[1] + i % inner;
        row->position = walk->prompt.positions[row->at[walk->row_axis]];
        row->values = walk->values + i * row->n;
        row->other = walk->other ? walk->others + i * row->n : NULL;
        TRY(walk->each(row, walk->payload));
    }
    return WEIR_OK;
}

/* Many rows of which neither file has anything: they cost one call. */
static weir_status hand_on_gap(struct walk *walk, const weir_block *block)
{
    struct weir_row gap = walk->row;
    int last = walk->source->point->point->n_axes - 1;
    gap.n = walk->row_is_last ? 1 : block->count[last];
    gap.missing =
        block->count[0] * (last > 0 ? block->count[1] : 1) * (last > 1 ? block->count[2] : 1) / (gap.n ? gap.n : 1);
    gap.values = gap.other = NULL;
    return gap.missing ? walk->each(&gap, walk->payload) : WEIR_OK;
}

static bool has_any(const struct weir_source *source, const struct weir_row *row, const weir_block *block)
{
    return source && weir_file_has(source->file, source->point, row->layer, row->prompt, block);
}

static weir_status read_block(struct walk *walk, const weir_block *block)
{
    const struct weir_row *row = &walk->row;
    if (walk->source->gaps && !has_any(walk->source, row, block) && !has_any(walk->other, row, block))
        return hand_on_gap(walk, block);
    TRY(weir_file_read(walk->source->file, walk->source->point, row->layer, row->prompt, block, walk->values));
    if (walk->other)
        TRY(weir_file_read(walk->other->file, walk->other->point, row->layer, row->prompt, block, walk->others));
    return visit_block(walk, block);
}

/* Splits a prompt's value into blocks along its first axis, and along the second where one step of the first is much.
 */
static weir_status walk_prompt_blocks(struct walk *walk)
{
    const size_t *size = walk->size;
    size_t step1 = walk->source->point->point->n_axes < 3
                       ? size[1]
                       : weir_min_size(size[1], weir_max_size(BLOCK / weir_max_size(size[2], 1), 1));
    size_t step0 = step1 < size[1] ? 1 : weir_max_size(BLOCK / weir_max_size(size[1] * size[2], 1), 1);
    size_t room;
    TRY(weir_mul(&room, weir_min_size(step0, size[0]) * step1, size[2]));
    weir_status status = weir_alloc(&walk->values, room, sizeof(float));
    if (status == WEIR_OK && walk->other)
        status = weir_alloc(&walk->others, room, sizeof(float));
    for (size_t i = walk->first; i < walk->end && status == WEIR_OK; i += step0)
        for (size_t j = 0; j < size[1] && status == WEIR_OK; j += step1) {
            weir_block block = {{i, j, 0},
                                {weir_min_size(step0, walk->end - i), weir_min_size(step1, size[1] - j), size[2]}};
            status = read_block(walk, &block);
        }
    weir_free(walk->values);
    weir_free(walk->others);
    walk->values = walk->others = NULL;
    return status;
}

weir_status weir_each_row_of(const struct weir_source *source, const struct weir_source *other, int layer, int prompt,
                             weir_stored_row_fn *each, void *payload)
{
    struct walk walk = {.source = source, .other = other, .each = each, .payload = payload};
    walk.row.layer = layer;
    walk.row.prompt = prompt;
    TRY(weir_file_get_prompt(source->file, prompt, &walk.prompt));
    measure_prompt(&walk);
    walk.end = walk.size[0];
    return walk_prompt_blocks(&walk);
}

weir_status weir_each_row(const struct weir_source *source, const struct weir_source *other, int layer,
                          weir_stored_row_fn *each, void *payload)
{
    for (int prompt = 0; prompt < weir_file_get_info(source->file)->n_prompts; prompt++)
        TRY(weir_each_row_of(source, other, layer, prompt, each, payload));
    return WEIR_OK;
}

weir_status weir_rows_of_heads(const struct weir_source *pattern, const struct weir_head_range *range,
                               weir_stored_row_fn *each, void *payload)
{
    struct walk walk = {.source = pattern, .each = each, .payload = payload};
    walk.row.layer = range->layer;
    walk.row.prompt = range->prompt;
    TRY(weir_file_get_prompt(pattern->file, range->prompt, &walk.prompt));
    measure_prompt(&walk);
    walk.first = range->first;
    walk.end = range->end;
    return walk_prompt_blocks(&walk);
}
