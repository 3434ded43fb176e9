/* Attention: what each head asks for (q), offers (k), carries (v), where it looks (pattern), what it moves (z). Tile by
   tile of queries, keys after the last query of a tile never touched: scores live in a thread's scratch, unless
   somebody wants them whole; then in the buffers that go to the writer. */
#include "base/alloc.h"
#include "base/sizes.h"
#include "engine/by_head.h"
#include "engine/start.h"
#include "points/points.h"
#include "tensor/gemm.h"
#include "tensor/ops.h"

#include <math.h>
#include <string.h>

static const struct weir_norm_points ln1_post_points = {WEIR_P_LN1_POST_SCALE, WEIR_P_LN1_POST_NORMALIZED,
                                                        WEIR_P_ATTN_OUT};

/* Where attention may end before its output. */
_Static_assert(WEIR_P_ROT_K < WEIR_P_ATTN_SCORES && WEIR_P_ATTN_SCORES < WEIR_P_PATTERN && WEIR_P_PATTERN < WEIR_P_Z &&
                   WEIR_P_Z < WEIR_P_RESULT && WEIR_P_RESULT < WEIR_P_LN1_POST_SCALE,
               "the points of attention stand in the order in which it computes them");

/* ---- q, k, v ---- */

static void clip_row(float *out, const float *in, size_t n, const void *limit)
{
    weir_ops()->clip(out, in, *(const float *)limit, n);
}

/* One of q, k, v: from the common norm, and from copies of their own where edits have changed what heads read.
   `attn_in`: the copies of all query heads. */
static weir_status project_one(struct weir_run *run, const struct weir_projection *p,
                               const struct weir_head_copies *attn_in, int layer)
{
    struct weir_head_copies copies[2] = {{0}};
    weir_status status;
    weir_value_drop(p->out);
    if (p->by_query)
        weir_value_drop(p->by_query);
    TRY_DONE(weir_step_linear(run, p->out, p->in, p->linear));
    TRY_DONE(weir_by_head_read(run, copies, attn_in, p->input, p->n_heads, layer));
    TRY_DONE(weir_by_head_project(run, p, copies, layer));
    float clip = run->model->layers[layer].spec.qkv_clip;
    if (clip > 0)
        TRY_DONE(weir_step_map(run, p->out, p->linear->w.n_out, clip_row, &clip));
    if (clip > 0 && p->by_query && *p->by_query)
        TRY_DONE(weir_step_map(run, p->by_query, p->linear->w.n_out * p->shared, clip_row, &clip));
    TRY_DONE(weir_at(run, p->point, layer, p->out));
done:
    weir_head_copies_close(&copies[0]);
    weir_head_copies_close(&copies[1]);
    return status;
}

static weir_status project_each(struct weir_run *run, const struct weir_head_copies *attn_in,
                                const weir_buffer *positioned, int layer)
{
    const struct weir_layer *l = &run->model->layers[layer];
    const weir_buffer *positions = l->spec.positions_to_qk ? run->values.positions : NULL;
    size_t n_heads = (size_t)l->spec.n_heads, n_kv_heads = (size_t)l->spec.n_kv_heads, shared = n_heads / n_kv_heads;
    struct weir_values *v = &run->values;
    const struct weir_projection all[] = {
        {&v->q, NULL, &l->q, WEIR_P_Q, WEIR_P_Q_INPUT, n_heads, 1, positioned, positions},
        {&v->k, &v->k_by_query, &l->k, WEIR_P_K, WEIR_P_K_INPUT, n_kv_heads, shared, positioned, positions},
        {&v->v, &v->v_by_query, &l->v, WEIR_P_V, WEIR_P_V_INPUT, n_kv_heads, shared, v->normed, NULL},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        TRY(project_one(run, &all[i], attn_in, layer));
    return WEIR_OK;
}

/* What queries and keys read: the norm's output, plus the positions where the family adds them there. */
static weir_status add_positions(struct weir_run *run, weir_buffer **out, int layer)
{
    if (!run->model->layers[layer].spec.positions_to_qk) {
        *out = run->values.normed;
        weir_buffer_retain(*out);
        return WEIR_OK;
    }
    TRY(weir_value_take_rows(run, out, (size_t)run->model->config.d_model));
    weir_step_add(run, *out, run->values.normed, run->values.positions);
    return WEIR_OK;
}

static weir_status project_all(struct weir_run *run, int layer)
{
    const struct weir_layer *l = &run->model->layers[layer];
    struct weir_head_copies attn_in[2] = {{0}};
    weir_buffer *positioned = NULL;
    weir_status status;
    TRY_DONE(weir_by_head_read(run, attn_in, NULL, WEIR_P_ATTN_IN, (size_t)l->spec.n_heads, layer));
    TRY_DONE(
        weir_step_norm(run, &run->values.normed, run->values.stream, &l->ln1, l->spec.eps, weir_ln1_points, layer));
    TRY_DONE(add_positions(run, &positioned, layer));
    TRY_DONE(project_each(run, attn_in, positioned, layer));
done:
    weir_head_copies_close(attn_in);
    weir_value_drop(&positioned);
    return status;
}

/* ---- norms of queries and keys ---- */

struct head_norm {
    const struct weir_norm *norm;
    size_t width; /* what is normed together: a head, or all of them */
    float eps;
};

static void norm_heads(float *out, const float *in, size_t n, const void *context)
{
    const struct head_norm *h = context;
    for (size_t at = 0; at < n; at += h->width) {
        float mean = 0, scale;
        weir_ops()->moments(in + at, h->width, h->eps, h->norm->kind == WEIR_NORM_LAYER, &mean, &scale);
        weir_ops()->norm(out + at, in + at, mean, scale, h->norm->weight ? h->norm->weight + at : NULL,
                         h->norm->bias ? h->norm->bias + at : NULL, h->width);
    }
}

static weir_status norm_one(struct weir_run *run, weir_buffer **value, const struct weir_norm *norm, size_t n_heads,
                            int layer)
{
    const struct weir_layer_spec *spec = &run->model->layers[layer].spec;
    size_t d_head = (size_t)spec->d_head;
    struct head_norm h = {norm, spec->qk_norm == WEIR_QK_NORM_HEAD ? d_head : n_heads * d_head, spec->eps};
    return weir_step_map(run, value, n_heads * d_head, norm_heads, &h);
}

/* The copies that query heads read: each as if it stood in its key-value head's place, with those weights, and beside
   the other key-value heads where all are normed together. */
struct query_norm {
    float *copies;     /* [total_pos, n_heads, d_head], changed in place */
    const float *keys; /* [total_pos, n_heads / shared, d_head] of key-value heads, before their norm */
    float *scratch;    /* [pool size, width] */
    const struct weir_norm *norm;
    size_t n_heads, shared, d_head;
    size_t width; /* what is normed together: a head, or all key-value heads */
    float eps;
};

static void norm_copy(const struct query_norm *q, size_t row, size_t head, float *x)
{
    size_t n_kv_heads = q->n_heads / q->shared, own = head / q->shared * q->d_head;
    size_t first = q->width == q->d_head ? own : 0; /* of what is normed together, in keys and weights */
    const float *weight = q->norm->weight, *bias = q->norm->bias;
    float mean = 0, scale, *copy = q->copies + (row * q->n_heads + head) * q->d_head;
    memcpy(x, q->keys + row * n_kv_heads * q->d_head + first, q->width * sizeof *x);
    memcpy(x + (own - first), copy, q->d_head * sizeof *x);
    weir_ops()->moments(x, q->width, q->eps, q->norm->kind == WEIR_NORM_LAYER, &mean, &scale);
    weir_ops()->norm(x, x, mean, scale, weight ? weight + first : NULL, bias ? bias + first : NULL, q->width);
    memcpy(copy, x + (own - first), q->d_head * sizeof *x);
}

static void norm_copies(void *context, size_t first, size_t last, int worker)
{
    const struct query_norm *q = context;
    for (size_t row = first; row < last; row++)
        for (size_t head = 0; head < q->n_heads; head++)
            norm_copy(q, row, head, q->scratch + (size_t)worker * q->width);
}

/* Before the keys themselves are normed. */
static weir_status norm_by_query(struct weir_run *run, int layer)
{
    const struct weir_layer *weights = &run->model->layers[layer];
    const struct weir_layer_spec *spec = &weights->spec;
    size_t n_heads = (size_t)spec->n_heads, n_kv_heads = (size_t)spec->n_kv_heads, d_head = (size_t)spec->d_head;
    struct query_norm q = {.copies = run->values.k_by_query->data,
                           .keys = run->values.k->data,
                           .norm = &weights->k_norm,
                           .n_heads = n_heads,
                           .shared = n_heads / n_kv_heads,
                           .d_head = d_head,
                           .width = spec->qk_norm == WEIR_QK_NORM_HEAD ? d_head : n_kv_heads * d_head,
                           .eps = spec->eps};
    weir_buffer *scratch = NULL;
    TRY(weir_value_take(run, &scratch, (size_t)weir_pool_size(run->pool) * q.width));
    q.scratch = scratch->data;
    weir_step_rows(run, weir_total_pos(run), n_heads * q.width, norm_copies, &q);
    weir_value_drop(&scratch);
    return WEIR_OK;
}

static weir_status norm_qk(struct weir_run *run, int layer)
{
    const struct weir_layer *weights = &run->model->layers[layer];
    size_t n_heads = (size_t)weights->spec.n_heads, n_kv_heads = (size_t)weights->spec.n_kv_heads;
    struct weir_values *v = &run->values;
    if (!weights->spec.qk_norm)
        return WEIR_OK;
    TRY(norm_one(run, &v->q, &weights->q_norm, n_heads, layer));
    TRY(weir_at(run, WEIR_P_Q_NORMED, layer, &v->q));
    if (v->k_by_query)
        TRY(norm_by_query(run, layer));
    TRY(norm_one(run, &v->k, &weights->k_norm, n_kv_heads, layer));
    TRY(weir_by_query_read(run, &v->k_by_query, v->k, WEIR_P_K_NORMED, layer));
    return weir_at(run, WEIR_P_K_NORMED, layer, &v->k);
}

/* ---- rotation ---- */

struct rotation {
    const struct weir_run *run;
    float *out;      /* [total_pos, n_heads, d_head] */
    const float *in; /* the same; may be out */
    size_t n_heads, d_head, half;
    enum weir_rotary kind;
    const struct weir_angles *angles;
    double growth, from; /* of queries by position; 0: none */
};

static void rotate_position(const struct rotation *r, size_t row, size_t angle)
{
    const struct weir_ops *ops = weir_ops();
    const float *cosines = r->angles->cosines + angle * r->half, *sines = r->angles->sines + angle * r->half;
    for (size_t head = 0; head < r->n_heads; head++) {
        size_t at = (row * r->n_heads + head) * r->d_head;
        if (r->out != r->in && 2 * r->half < r->d_head)
            memcpy(r->out + at + 2 * r->half, r->in + at + 2 * r->half, (r->d_head - 2 * r->half) * sizeof(float));
        if (r->kind == WEIR_ROTARY_HALVES)
            ops->rotate_halves(r->out + at, r->in + at, cosines, sines, r->half);
        else
            ops->rotate_pairs(r->out + at, r->in + at, cosines, sines, r->half);
    }
}

static void scale_position(const struct rotation *r, size_t row, float factor)
{
    size_t n = r->n_heads * r->d_head;
    for (size_t i = 0; i < n; i++)
        r->out[row * n + i] *= factor;
}

static void rotate_rows(void *context, size_t first, size_t last, int worker)
{
    const struct rotation *r = context;
    const struct weir_batch *batch = &r->run->batch;
    size_t prompt = 0;
    (void)worker;
    for (size_t row = first; row < last; row++) {
        while (row >= batch->start[prompt + 1])
            prompt++;
        size_t pos = batch->past[prompt] + row - batch->start[prompt];
        rotate_position(r, row, r->angles->by_prompt ? row : pos);
        if (r->growth > 0)
            scale_position(r, row, (float)(1 + r->growth * log(1 + floor((double)pos / r->from))));
    }
}

/* `growth`: spec.query_growth of queries, 0 of keys. */
static weir_status rotate_heads(struct weir_run *run, weir_buffer **value, size_t n_heads, int layer, float growth)
{
    const struct weir_layer_spec *spec = &run->model->layers[layer].spec;
    size_t d_head = (size_t)spec->d_head, total_pos = weir_total_pos(run);
    weir_buffer *old;
    TRY(weir_value_renew(run, value, &old, n_heads * d_head));
    struct rotation r = {run,
                         (*value)->data,
                         old->data,
                         n_heads,
                         d_head,
                         (size_t)spec->rotary_dims / 2,
                         spec->rotary,
                         &run->angles[spec->rope],
                         (double)growth,
                         (double)spec->query_growth_from};
    weir_step_rows(run, total_pos, n_heads * d_head, rotate_rows, &r);
    weir_value_drop(&old);
    return WEIR_OK;
}

static weir_status rotate_qk(struct weir_run *run, int layer)
{
    const struct weir_layer_spec *spec = &run->model->layers[layer].spec;
    struct weir_values *v = &run->values;
    if (!spec->rotary)
        return WEIR_OK;
    TRY(rotate_heads(run, &v->q, (size_t)spec->n_heads, layer, spec->query_growth));
    TRY(weir_at(run, WEIR_P_ROT_Q, layer, &v->q));
    TRY(rotate_heads(run, &v->k, (size_t)spec->n_kv_heads, layer, 0));
    if (v->k_by_query)
        TRY(rotate_heads(run, &v->k_by_query, (size_t)spec->n_heads, layer, 0));
    TRY(weir_by_query_read(run, &v->k_by_query, v->k, WEIR_P_ROT_K, layer));
    return weir_at(run, WEIR_P_ROT_K, layer, &v->k);
}

/* ---- scores, pattern, z ---- */

enum step { SOFTMAX = 1, MIX = 2 };

/* What hooks may change of one head of one prompt; a program's own may write where masks are, edits do not. */
enum edited { EDITED_SCORES = 1, EDITED_PATTERN = 2, EDITED_MASKS = 4 };

struct attending {
    struct weir_run *run;
    const struct weir_layer_spec *spec;
    int layer;
    const float *sinks; /* [head]; NULL: none */
    unsigned steps;
    uint8_t *edited; /* [prompt of the batch, head] of enum edited; NULL: nothing anywhere */
};

static unsigned edited_of(const struct attending *a, const struct weir_tile *tile)
{
    return a->edited ? a->edited[(size_t)tile->prompt * (size_t)a->spec->n_heads + (size_t)tile->head] : 0;
}

/* One tile: queries first to first + rows - 1 of a head, which see keys low to high - 1. */
struct view {
    size_t first, rows, position; /* that of the first query */
    size_t low, high, n_keys;     /* of n_keys that the prompt has */
    float *scores, *pattern;      /* element (first, low); ld_* from query to query */
    size_t ld_scores, ld_pattern;
    bool keeps_scores, keeps_pattern; /* in whole rows of n_keys */
    float *mixing;                    /* scratch, where keys are kept */
};

static void locate_tile(struct view *v, const struct attending *a, const struct weir_tile *tile, int worker)
{
    const struct weir_run *run = a->run;
    size_t n_rows = weir_batch_rows(&run->batch, (size_t)tile->prompt), window = (size_t)a->spec->window;
    size_t n_keys = weir_batch_keys(&run->batch, (size_t)tile->prompt);
    size_t before = tile->position % WEIR_TILE, whole_first = tile->position - before;
    size_t rows = weir_min_size(n_rows - tile->first, WEIR_TILE - before);
    size_t low = window && whole_first + 1 > window ? whole_first + 1 - window : 0; /* as if the tile were whole */
    size_t whole = run->batch.pattern_start[tile->prompt] * (size_t)a->spec->n_heads +
                   ((size_t)tile->head * n_rows + tile->first) * n_keys + low;
    float *scratch = run->tile_scores + (size_t)worker * run->tile_floats;
    *v = (struct view){.first = tile->first, .rows = rows, .position = tile->position, .low = low, .n_keys = n_keys};
    v->high = tile->position + rows;
    v->mixing = scratch + WEIR_TILE * run->batch.most_keys;
    v->keeps_scores = run->values.scores != NULL;
    v->keeps_pattern = run->values.pattern != NULL;
    v->pattern = v->keeps_pattern ? run->values.pattern->data + whole : scratch;
    v->ld_pattern = v->keeps_pattern ? n_keys : v->high - low;
    v->scores = v->keeps_scores ? run->values.scores->data + whole : v->pattern;
    v->ld_scores = v->keeps_scores ? n_keys : v->ld_pattern;
}

/* Keys or values of one head of one prompt: those before `past` were kept by another pass, the others are this one's.
   Strides are floats from a position to the next. */
struct spans {
    const float *kept; /* at position 0; unused where past is 0 */
    const float *own;  /* at position past */
    size_t past, kept_stride, stride;
};

/* by_query: copies that query heads read of this pass's own; what was kept is of key-value heads, as no edit has
   changed it for one query head alone. */
static struct spans spans_of(const struct attending *a, int point, const weir_buffer *own, const weir_buffer *by_query,
                             const struct weir_tile *tile)
{
    const struct weir_batch *batch = &a->run->batch;
    size_t d_head = (size_t)a->spec->d_head, n_heads = (size_t)a->spec->n_heads, n_kv = (size_t)a->spec->n_kv_heads;
    size_t head = (size_t)tile->head / (n_heads / n_kv) * d_head;
    struct spans s = {.past = batch->key_past[tile->prompt], .kept_stride = n_kv * d_head};
    s.stride = by_query ? n_heads * d_head : s.kept_stride;
    s.own = (by_query ? by_query : own)->data + batch->key_start[tile->prompt] * s.stride;
    s.own += by_query ? (size_t)tile->head * d_head : head;
    s.kept = s.own;
    if (s.past > 0)
        s.kept = weir_kept_value(batch->from->kept[batch->numbers[tile->prompt]], point, a->layer) + head;
    return s;
}

/* The key from `low` to `high` at which those of this pass begin. */
static size_t first_own_key(const struct spans *s, size_t low, size_t high)
{
    return weir_min_size(weir_max_size(s->past, low), high);
}

static void fill_floats(float *x, size_t n, float value)
{
    for (size_t i = 0; i < n; i++)
        x[i] = value;
}

/* The keys that query i of the tile sees: begin to end - 1. */
static void visible_keys(const struct attending *a, const struct view *v, size_t i, size_t *begin, size_t *end)
{
    size_t query = v->position + i, window = (size_t)a->spec->window;
    *end = query + 1;
    *begin = window && query + 1 > window ? query + 1 - window : 0;
}

/* Everything in a row that a query does not see; whole rows where they are kept, else what the tile spans. */
static void mask_row(const struct view *v, float *row /* at key low */, bool whole, size_t begin, size_t end,
                     float value)
{
    size_t from = whole ? 0 : v->low, to = whole ? v->n_keys : v->high;
    ptrdiff_t low = (ptrdiff_t)v->low;
    fill_floats(row + ((ptrdiff_t)from - low), begin - from, value);
    fill_floats(row + ((ptrdiff_t)end - low), to - end, value);
}

/* What is done to q k before the softmax: the soft cap, ALiBi. n scores from key `first` on. */
static void shape_scores(const struct attending *a, const struct view *v, int head, float *scores, size_t first,
                         size_t n)
{
    const struct weir_layer_spec *spec = a->spec;
    if (spec->score_cap > 0)
        weir_ops()->cap(scores, scores, spec->score_cap, n);
    if (spec->alibi == WEIR_ALIBI_ROUNDED) {
        weir_ops()->ramp_rounded(scores, scores, a->run->model->alibi[head], (float)first, spec->score_scale, n);
    } else if (spec->alibi) {
        double from = (double)first - (spec->alibi == WEIR_ALIBI_FROM_END ? (double)(v->n_keys - 1) : 0);
        weir_ops()->ramp(scores, scores, a->run->model->alibi[head], (float)from, n);
    }
}

/* scores = q k, keys low to high - 1 */
static void multiply_keys(const struct attending *a, const struct view *v, const struct weir_tile *tile)
{
    const struct weir_run *run = a->run;
    size_t d_head = (size_t)a->spec->d_head, n_heads = (size_t)a->spec->n_heads;
    size_t row = run->batch.start[tile->prompt] + v->first;
    const float *q = run->values.q->data + (row * n_heads + (size_t)tile->head) * d_head;
    struct spans keys = spans_of(a, weir_key_point(a->spec), run->values.k, run->values.k_by_query, tile);
    size_t own = first_own_key(&keys, v->low, v->high);
    if (own > v->low)
        weir_gemm()(true, v->rows, own - v->low, d_head, a->spec->score_scale, q, n_heads * d_head,
                    keys.kept + v->low * keys.kept_stride, keys.kept_stride, v->scores, v->ld_scores);
    if (own < v->high)
        weir_gemm()(true, v->rows, v->high - own, d_head, a->spec->score_scale, q, n_heads * d_head,
                    keys.own + (own - keys.past) * keys.stride, keys.stride, v->scores + (own - v->low), v->ld_scores);
}

static void score_tile(const struct attending *a, const struct view *v, const struct weir_tile *tile)
{
    multiply_keys(a, v, tile);
    for (size_t i = 0; i < v->rows; i++) {
        float *scores = v->scores + i * v->ld_scores;
        size_t begin, end;
        visible_keys(a, v, i, &begin, &end);
        shape_scores(a, v, tile->head, scores + (begin - v->low), begin, end - begin);
        if (v->keeps_scores)
            mask_row(v, scores, true, begin, end, -INFINITY);
    }
}

/* softmax(scores) of a head, [n]; less what a sink takes, which is one more score that moves nothing: all, where edits
   have masked every key. */
static void softmax_row(const struct attending *a, size_t head, float *out, const float *scores, size_t n)
{
    float total = a->sinks ? weir_ops()->logsumexp(scores, n) : 0; /* before `out`, which may be the scores */
    weir_ops()->softmax(out, scores, n);
    if (a->sinks)
        weir_ops()->scale(out, out, 1 / (1 + expf(a->sinks[head] - total)), n);
}

static void softmax_tile(const struct attending *a, const struct view *v, const struct weir_tile *tile)
{
    for (size_t i = 0; i < v->rows; i++) {
        float *row = v->pattern + i * v->ld_pattern;
        size_t begin, end;
        visible_keys(a, v, i, &begin, &end);
        softmax_row(a, (size_t)tile->head, row + (begin - v->low), v->scores + i * v->ld_scores + (begin - v->low),
                    end - begin);
        mask_row(v, row, v->keeps_pattern, begin, end, 0.0f);
    }
}

/* What z of a tile is made of. */
struct mixing {
    struct spans values;
    const float *pattern; /* [rows, ld_pattern] at key low */
    size_t rows, ld_pattern, low, high, d_head;
    float *z; /* [rows, ld_z] */
    size_t ld_z;
    float *partial;  /* [rows, d_head] */
    float *gathered; /* [WEIR_GEMM_PART, d_head] */
};

/* n values from position `from` on, which may lie on both sides of where this pass's own begin. */
static const float *gather_values(const struct mixing *m, size_t from, size_t n, size_t *stride)
{
    const struct spans *s = &m->values;
    *stride = from >= s->past ? s->stride : s->kept_stride;
    if (from >= s->past)
        return s->own + (from - s->past) * s->stride;
    if (from + n <= s->past)
        return s->kept + from * s->kept_stride;
    *stride = m->d_head;
    for (size_t i = 0; i < n; i++) {
        size_t at = from + i;
        memcpy(m->gathered + i * m->d_head,
               at < s->past ? s->kept + at * s->kept_stride : s->own + (at - s->past) * s->stride,
               m->d_head * sizeof(float));
    }
    return m->gathered;
}

/* z = pattern v, where the values lie in two places, summed in the order in which one product sums: part by part. */
static void mix_parts(const struct mixing *m)
{
    for (size_t at = m->low; at < m->high; at += WEIR_GEMM_PART) {
        size_t n = weir_min_size(m->high - at, WEIR_GEMM_PART), stride;
        const float *values = gather_values(m, at, n, &stride);
        bool first = at == m->low;
        weir_gemm()(false, m->rows, m->d_head, n, 1.0f, m->pattern + (at - m->low), m->ld_pattern, values, stride,
                    first ? m->z : m->partial, first ? m->ld_z : m->d_head);
        for (size_t row = 0; !first && row < m->rows; row++)
            weir_ops()->add(m->z + row * m->ld_z, m->z + row * m->ld_z, m->partial + row * m->d_head, m->d_head);
    }
}

/* z of the tile's queries from keys `low` to `high` - 1, whose weights begin at `pattern`. */
static void mix_keys(const struct attending *a, const struct view *v, const struct weir_tile *tile,
                     const float *pattern, size_t low, size_t high)
{
    const struct weir_run *run = a->run;
    size_t d_head = (size_t)a->spec->d_head, n_heads = (size_t)a->spec->n_heads;
    size_t row = run->batch.start[tile->prompt] + v->first;
    struct mixing m = {.values = spans_of(a, WEIR_P_V, run->values.v, run->values.v_by_query, tile),
                       .pattern = pattern,
                       .rows = v->rows,
                       .ld_pattern = v->ld_pattern,
                       .low = low,
                       .high = high,
                       .d_head = d_head,
                       .z = run->values.z->data + (row * n_heads + (size_t)tile->head) * d_head,
                       .ld_z = n_heads * d_head,
                       .partial = v->mixing,
                       .gathered = v->mixing + WEIR_TILE * d_head};
    if (low < m.values.past) {
        mix_parts(&m);
        return;
    }
    weir_gemm()(false, v->rows, d_head, high - low, 1.0f, pattern, v->ld_pattern,
                m.values.own + (low - m.values.past) * m.values.stride, m.values.stride, m.z, m.ld_z);
}

/* As far as no hook may change what comes in between. */
static void attend_tiles(void *context, size_t first, size_t last, int worker)
{
    const struct attending *a = context;
    for (size_t i = first; i < last; i++) {
        const struct weir_tile *tile = &a->run->batch.tiles[i];
        unsigned edited = edited_of(a, tile);
        struct view v;
        locate_tile(&v, a, tile, worker);
        score_tile(a, &v, tile);
        if (!(edited & EDITED_SCORES))
            softmax_tile(a, &v, tile);
        if (!edited && a->steps & MIX)
            mix_keys(a, &v, tile, v.pattern, v.low, v.high);
    }
}

/* softmax of whole rows */
static void softmax_whole_rows(const struct attending *a, const struct view *v, const struct weir_tile *tile)
{
    for (size_t i = 0; i < v->rows; i++)
        softmax_row(a, (size_t)tile->head, v->pattern - v->low + i * v->n_keys, v->scores - v->low + i * v->n_keys,
                    v->n_keys);
}

/* What comes after a hook that may look where no tile did, at keys after the query. */
static void resume_whole_rows(const struct attending *a, const struct view *v, const struct weir_tile *tile,
                              unsigned edited)
{
    if (edited & EDITED_SCORES && a->steps & SOFTMAX)
        softmax_whole_rows(a, v, tile);
    if (a->steps & MIX)
        mix_keys(a, v, tile, v->pattern - v->low, 0, v->n_keys);
}

/* What comes after an edit. */
static void resume_tiles(void *context, size_t first, size_t last, int worker)
{
    const struct attending *a = context;
    for (size_t i = first; i < last; i++) {
        const struct weir_tile *tile = &a->run->batch.tiles[i];
        unsigned edited = edited_of(a, tile);
        struct view v;
        if (!edited)
            continue;
        locate_tile(&v, a, tile, worker);
        if (edited & EDITED_MASKS) {
            resume_whole_rows(a, &v, tile, edited);
            continue;
        }
        if (edited & EDITED_SCORES && a->steps & SOFTMAX)
            softmax_tile(a, &v, tile);
        if (a->steps & MIX)
            mix_keys(a, &v, tile, v.pattern, v.low, v.high);
    }
}

static void run_tiles(struct attending *a, weir_job *job, unsigned steps)
{
    a->steps = steps;
    weir_parallel(a->run->pool, a->run->batch.n_tiles, 1, job, a);
}

/* Only what someone wants is kept whole, and only heads that an editor names stop between the steps. */
static weir_status attend_in_steps(struct attending *a, int layer)
{
    struct weir_run *run = a->run;
    size_t n = run->batch.pattern_start[run->batch.n] * (size_t)a->spec->n_heads;
    bool mixes = weir_plan_goes_on(&run->plan, WEIR_P_Z, layer);
    bool edits_scores = weir_plan_edits(&run->plan, WEIR_P_ATTN_SCORES, layer);
    if (weir_plan_wants(&run->plan, WEIR_P_ATTN_SCORES, layer))
        TRY(weir_value_take(run, &run->values.scores, n));
    if (edits_scores || weir_plan_wants(&run->plan, WEIR_P_PATTERN, layer))
        TRY(weir_value_take(run, &run->values.pattern, n));
    TRY(weir_value_take_rows(run, &run->values.z, (size_t)a->spec->n_heads * (size_t)a->spec->d_head));
    run_tiles(a, attend_tiles, mixes ? MIX : 0);
    TRY(weir_at(run, WEIR_P_ATTN_SCORES, layer, &run->values.scores));
    if (edits_scores)
        run_tiles(a, resume_tiles, SOFTMAX);
    TRY(weir_at(run, WEIR_P_PATTERN, layer, &run->values.pattern));
    if (a->edited && mixes)
        run_tiles(a, resume_tiles, MIX);
    return WEIR_OK;
}

/* Which heads of which prompts hooks may change; NULL where there are none. */
static weir_status find_edited(uint8_t **edited, const struct weir_run *run, size_t n_heads, int layer)
{
    *edited = NULL;
    if (!weir_plan_edits(&run->plan, WEIR_P_ATTN_SCORES, layer) && !weir_plan_edits(&run->plan, WEIR_P_PATTERN, layer))
        return WEIR_OK;
    TRY(weir_alloc_zero(edited, run->batch.n * n_heads, sizeof **edited));
    weir_at_mark_edited(run, WEIR_P_ATTN_SCORES, layer, *edited, n_heads, EDITED_SCORES, EDITED_MASKS);
    weir_at_mark_edited(run, WEIR_P_PATTERN, layer, *edited, n_heads, EDITED_PATTERN, EDITED_MASKS);
    return WEIR_OK;
}

static weir_status attend_heads(struct weir_run *run, int layer)
{
    const struct weir_layer *weights = &run->model->layers[layer];
    struct attending a = {.run = run, .spec = &weights->spec, .layer = layer, .sinks = weights->sinks};
    weir_value_drop(&run->values.scores);
    weir_value_drop(&run->values.pattern);
    TRY(find_edited(&a.edited, run, (size_t)a.spec->n_heads, layer));
    weir_status status = attend_in_steps(&a, layer);
    weir_free(a.edited);
    TRY(status);
    weir_value_drop(&run->values.scores);
    weir_value_drop(&run->values.pattern);
    return weir_plan_goes_on(&run->plan, WEIR_P_Z, layer) ? weir_at(run, WEIR_P_Z, layer, &run->values.z) : WEIR_OK;
}

weir_status weir_block_attention(struct weir_run *run, int layer)
{
    const struct weir_layer *weights = &run->model->layers[layer];

    TRY(project_all(run, layer)); /* stream -> q, k, v */
    TRY(norm_qk(run, layer));
    TRY(rotate_qk(run, layer));
    if (!weir_plan_goes_on(&run->plan, WEIR_P_ATTN_SCORES, layer))
        return WEIR_OK;
    if (layer == run->model->config.n_layers - 1)
        TRY(weir_batch_narrow(run));
    TRY(attend_heads(run, layer)); /* q, k, v -> pattern, z */
    if (!weir_plan_goes_on(&run->plan, WEIR_P_RESULT, layer))
        return WEIR_OK;
    TRY(weir_by_head_write(run, layer)); /* z -> attn_out */
    return weir_step_finish_branch(run, &run->values.attn_out, &weights->ln1_post, ln1_post_points, layer);
}
