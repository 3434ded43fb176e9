/* Batches: where each prompt begins, which pieces attention works on, the angles of positions. */
#include "engine/batch.h"

#include "base/alloc.h"
#include "engine/run.h"

#include <math.h>
#include <stdlib.h>

static weir_status measure_prompts(struct weir_batch *batch)
{
    TRY(weir_alloc_zero(&batch->past, batch->n, sizeof *batch->past));
    TRY(weir_alloc(&batch->start, batch->n + 1, sizeof *batch->start));
    TRY(weir_alloc(&batch->pattern_start, batch->n + 1, sizeof *batch->pattern_start));
    batch->start[0] = batch->pattern_start[0] = 0;
    for (size_t i = 0; i < batch->n; i++) {
        size_t rows = weir_batch_prompt(batch, i)->n, keys = batch->past[i] + rows;
        batch->start[i + 1] = batch->start[i] + rows;
        batch->pattern_start[i + 1] = batch->pattern_start[i] + rows * keys;
        if (keys > batch->most_keys)
            batch->most_keys = keys;
    }
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
        n += (weir_batch_rows(batch, i) + WEIR_TILE - 1) / WEIR_TILE * (size_t)n_heads;
    TRY(weir_alloc(&batch->tiles, n, sizeof *batch->tiles));
    for (size_t i = 0; i < batch->n; i++)
        for (int head = 0; head < n_heads; head++)
            for (size_t first = 0; first < weir_batch_rows(batch, i); first += WEIR_TILE)
                batch->tiles[batch->n_tiles++] = (struct weir_tile){(int)i, head, first, batch->past[i] + first};
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
            double angle = (double)pos * inv_freq[i];
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

static weir_status make_scratch(struct weir_run *run, size_t most_keys)
{
    size_t floats = WEIR_TILE * most_keys, all;
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
    weir_free(batch->tiles);
    *batch = (struct weir_batch){0};
}

weir_status weir_batch_begin(struct weir_run *run, const weir_tokens *prompts, const size_t *numbers, size_t n)
{
    struct weir_batch *batch = &run->batch;
    drop_batch(batch);
    batch->prompts = prompts;
    batch->numbers = numbers;
    batch->n = n;
    TRY(measure_prompts(batch));
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
