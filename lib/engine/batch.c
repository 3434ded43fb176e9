/* Batches: where each prompt begins, which pieces attention works on, the angles of positions. */
#include "engine/batch.h"

#include "base/alloc.h"
#include "engine/start.h"
#include "tensor/gemm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static weir_status allocate_offsets(struct weir_batch *batch)
{
    TRY(weir_alloc_zero(&batch->past, batch->n, sizeof *batch->past));
    TRY(weir_alloc(&batch->start, batch->n + 1, sizeof *batch->start));
    TRY(weir_alloc(&batch->key_past, batch->n, sizeof *batch->key_past));
    TRY(weir_alloc(&batch->key_start, batch->n + 1, sizeof *batch->key_start));
    return weir_alloc(&batch->pattern_start, batch->n + 1, sizeof *batch->pattern_start);
}

/* What follows from each prompt's first position and number of keys. */
static void place_prompts(struct weir_batch *batch, const size_t *n_keys)
{
    batch->start[0] = batch->pattern_start[0] = 0;
    for (size_t i = 0; i < batch->n; i++) {
        size_t rows = n_keys[i] - batch->past[i];
        batch->start[i + 1] = batch->start[i] + rows;
        batch->pattern_start[i + 1] = batch->pattern_start[i] + rows * n_keys[i];
        if (n_keys[i] > batch->most_keys)
            batch->most_keys = n_keys[i];
    }
}

static weir_status measure_prompts(struct weir_batch *batch, const size_t *past)
{
    size_t *n_keys = NULL;
    TRY(allocate_offsets(batch));
    TRY(weir_alloc(&n_keys, batch->n, sizeof *n_keys));
    for (size_t i = 0; i < batch->n; i++) {
        batch->past[i] = past ? past[batch->numbers[i]] : 0;
        n_keys[i] = batch->past[i] + weir_batch_prompt(batch, i)->n;
    }
    place_prompts(batch, n_keys);
    memcpy(batch->key_past, batch->past, batch->n * sizeof *batch->past);
    memcpy(batch->key_start, batch->start, (batch->n + 1) * sizeof *batch->start);
    weir_free(n_keys);
    return WEIR_OK;
}

static int by_falling_work(const void *a, const void *b)
{
    const struct weir_tile *x = a, *y = b;
    if (x->position != y->position)
        return x->position < y->position ? 1 : -1;
    if (x->prompt != y->prompt)
        return x->prompt < y->prompt ? -1 : 1;
    return x->head - y->head;
}

static weir_status cut_into_tiles(struct weir_batch *batch, int n_heads)
{
    size_t n = 0;
    for (size_t i = 0; i < batch->n; i++)
        n += (weir_batch_rows(batch, i) / WEIR_TILE + 2) * (size_t)n_heads;
    weir_free(batch->tiles);
    batch->tiles = NULL;
    batch->n_tiles = 0;
    TRY(weir_alloc(&batch->tiles, n, sizeof *batch->tiles));
    for (size_t i = 0; i < batch->n; i++)
        for (int head = 0; head < n_heads; head++)
            for (size_t past = batch->past[i], at = past; at < weir_batch_keys(batch, i);
                 at = (at / WEIR_TILE + 1) * WEIR_TILE)
                batch->tiles[batch->n_tiles++] = (struct weir_tile){(int)i, head, at - past, at};
    qsort(batch->tiles, batch->n_tiles, sizeof *batch->tiles, by_falling_work);
    return WEIR_OK;
}

/* Angles of positions `from` to `to` - 1 of a prompt, at row `first` and those after it; in double before they are
   rounded: an angle may be large. */
static void fill_angles(struct weir_angles *angles, size_t first, size_t from, size_t to, const double *inv_freq,
                        const struct weir_rope *rope)
{
    size_t half = (size_t)rope->n;
    bool beyond = rope->long_from > 0 && (double)to > rope->long_from && rope->long_factor > 0;
    double factor = beyond ? rope->long_factor : rope->factor;
    for (size_t pos = from; pos < to; pos++)
        for (size_t i = 0; i < half; i++) {
            double angle = (double)(pos + (size_t)rope->first) * inv_freq[i];
            angles->cosines[(first + pos - from) * half + i] = (float)(cos(angle) * factor);
            angles->sines[(first + pos - from) * half + i] = (float)(sin(angle) * factor);
        }
}

static weir_status grow_angles(struct weir_angles *angles, size_t rows, size_t half)
{
    size_t n;
    if (rows <= angles->rows)
        return WEIR_OK;
    weir_free(angles->cosines);
    weir_free(angles->sines);
    *angles = (struct weir_angles){.by_prompt = angles->by_prompt};
    TRY(weir_mul(&n, rows, half));
    TRY(weir_alloc_aligned(&angles->cosines, n, sizeof *angles->cosines));
    TRY(weir_alloc_aligned(&angles->sines, n, sizeof *angles->sines));
    angles->rows = rows;
    return WEIR_OK;
}

static weir_status fill_by_prompt(struct weir_run *run, struct weir_angles *angles, const struct weir_rope *rope)
{
    const struct weir_batch *batch = &run->batch;
    for (size_t i = 0; i < batch->n; i++) {
        const double *inv_freq;
        double *own;
        TRY(weir_rope_frequencies(&inv_freq, &own, rope, weir_batch_keys(batch, i)));
        fill_angles(angles, batch->start[i], batch->past[i], weir_batch_keys(batch, i), inv_freq, rope);
        weir_free(own);
    }
    return WEIR_OK;
}

static weir_status make_angles(struct weir_run *run, int kind)
{
    const struct weir_rope *rope = &run->model->ropes[kind];
    struct weir_angles *angles = &run->angles[kind];
    size_t most = run->batch.most_keys, had = angles->rows;
    if (rope->n == 0)
        return WEIR_OK;
    angles->by_prompt = rope->long_from > 0;
    TRY(grow_angles(angles, angles->by_prompt ? weir_total_pos(run) : most, (size_t)rope->n));
    if (angles->by_prompt)
        return fill_by_prompt(run, angles, rope);
    if (angles->rows > had)
        fill_angles(angles, 0, 0, most, rope->inv_freq, rope);
    return WEIR_OK;
}

/* What attention needs of the keys of a head whose values are not all in one place. */
static size_t mixing_floats(const struct weir_run *run)
{
    size_t widest = 0;
    for (int layer = 0; layer < run->model->config.n_layers; layer++)
        if ((size_t)run->model->layers[layer].spec.d_head > widest)
            widest = (size_t)run->model->layers[layer].spec.d_head;
    return (WEIR_TILE + WEIR_GEMM_PART) * widest;
}

static weir_status make_scratch(struct weir_run *run, size_t most_keys)
{
    size_t floats = WEIR_TILE * most_keys + (run->batch.from ? mixing_floats(run) : 0), all;
    if (floats <= run->tile_floats)
        return WEIR_OK;
    TRY(weir_mul(&all, floats, (size_t)weir_pool_size(run->pool)));
    weir_free(run->tile_scores);
    run->tile_floats = 0;
    TRY(weir_alloc_aligned(&run->tile_scores, all, sizeof *run->tile_scores));
    run->tile_floats = floats;
    return WEIR_OK;
}

static void drop_batch(struct weir_batch *batch)
{
    weir_free(batch->start);
    weir_free(batch->pattern_start);
    weir_free(batch->past);
    weir_free(batch->key_past);
    weir_free(batch->key_start);
    weir_free(batch->tiles);
    *batch = (struct weir_batch){0};
}

/* *value [total_pos, width] without the rows of each prompt before first[prompt], of the batch as it is. */
static weir_status drop_first_rows(struct weir_run *run, weir_buffer **value, size_t width, const size_t *first,
                                   size_t kept)
{
    const struct weir_batch *batch = &run->batch;
    weir_buffer *rest = NULL;
    float *to;
    TRY(weir_value_take(run, &rest, kept * width));
    to = rest->data;
    for (size_t i = 0; i < batch->n; i++) {
        size_t from = batch->start[i] + first[i], n = batch->start[i + 1] - from;
        memcpy(to, (*value)->data + from * width, n * width * sizeof *to);
        to += n * width;
    }
    weir_value_move(value, &rest);
    return WEIR_OK;
}

static weir_status narrow_values(struct weir_run *run, const size_t *first, size_t kept, int layer)
{
    const struct weir_layer_spec *spec = &run->model->layers[layer].spec;
    size_t d_model = (size_t)run->model->config.d_model;
    TRY(drop_first_rows(run, &run->values.stream, d_model, first, kept));
    TRY(drop_first_rows(run, &run->values.normed, d_model, first, kept));
    return drop_first_rows(run, &run->values.q, (size_t)spec->n_heads * (size_t)spec->d_head, first, kept);
}

weir_status weir_batch_narrow(struct weir_run *run)
{
    struct weir_batch *batch = &run->batch;
    size_t *n_keys = NULL, *first = NULL, kept = 0;
    weir_status status;
    if (!batch->from || !batch->from->wanted)
        return WEIR_OK;
    TRY_DONE(weir_alloc(&n_keys, batch->n, sizeof *n_keys));
    TRY_DONE(weir_alloc(&first, batch->n, sizeof *first));
    for (size_t i = 0; i < batch->n; i++) {
        n_keys[i] = weir_batch_keys(batch, i);
        size_t wanted = batch->from->wanted[batch->numbers[i]];
        first[i] = wanted > batch->past[i] ? wanted - batch->past[i] : 0;
        kept += weir_batch_rows(batch, i) - first[i];
    }
    TRY_DONE(narrow_values(run, first, kept, run->model->config.n_layers - 1));
    for (size_t i = 0; i < batch->n; i++)
        batch->past[i] += first[i];
    place_prompts(batch, n_keys);
    TRY_DONE(cut_into_tiles(batch, run->model->config.n_heads));
done:
    weir_free(n_keys);
    weir_free(first);
    return status;
}

weir_status weir_batch_begin(struct weir_run *run, const weir_tokens *prompts, const size_t *numbers, size_t n)
{
    struct weir_batch *batch = &run->batch;
    drop_batch(batch);
    batch->prompts = prompts;
    batch->numbers = numbers;
    batch->n = n;
    batch->from = run->from;
    TRY(measure_prompts(batch, batch->from ? batch->from->past : NULL));
    TRY(cut_into_tiles(batch, run->model->config.n_heads));
    for (int kind = 0; kind < WEIR_MAX_ROPES; kind++)
        TRY(make_angles(run, kind));
    TRY(make_scratch(run, batch->most_keys));
    return weir_matmul_reserve_rows(run->matmul, weir_total_pos(run));
}

void weir_batch_close(struct weir_run *run)
{
    drop_batch(&run->batch);
    for (int kind = 0; kind < WEIR_MAX_ROPES; kind++) {
        weir_free(run->angles[kind].cosines);
        weir_free(run->angles[kind].sines);
    }
    weir_free(run->tile_scores);
}
