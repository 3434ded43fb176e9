/* Heads one by one: their own copies of the stream, projected where they have changed, and their results. */
#include "engine/by_head.h"

#include "base/alloc.h"
#include "points/points.h"
#include "tensor/ops.h"

#include <string.h>

const struct weir_norm_points weir_ln1_points = {WEIR_P_LN1_SCALE, WEIR_P_LN1_NORMALIZED, WEIR_P_LN1_OUT};

/* ---- cells: heads of rows ---- */

/* What hooks may change at a point of the shape [pos, head, ...], and whether anyone looks at the rest. */
struct head_marks {
    uint8_t *named; /* [total_pos, n_heads] by an editor; NULL: there are no editors */
    bool whole;     /* all of the value is looked at */
};

static bool is_marked(const uint8_t *marked, size_t cell)
{
    return marked && marked[cell];
}

static weir_status mark_cells(struct head_marks *marks, const struct weir_run *run, int point, size_t n_heads,
                              int layer)
{
    *marks = (struct head_marks){.whole = !weir_plan_sees_named_only(&run->plan, point, layer)};
    if (!weir_plan_edits(&run->plan, point, layer))
        return WEIR_OK;
    TRY(weir_alloc_zero(&marks->named, weir_total_pos(run) * n_heads, sizeof *marks->named));
    weir_at_mark_cells(run, point, layer, marks->named, n_heads, false);
    return WEIR_OK;
}

/* The same for query heads: those that edits name, and those whose key-value heads edits name. */
static weir_status mark_query_cells(struct head_marks *marks, const struct weir_run *run,
                                    const struct head_marks *shared, int point, size_t n_heads, size_t n_shared,
                                    int layer)
{
    size_t n = weir_total_pos(run) * n_heads;
    marks->whole = shared->whole;
    TRY(weir_alloc_zero(&marks->named, n, sizeof *marks->named));
    weir_at_mark_cells(run, point, layer, marks->named, n_heads, true);
    for (size_t cell = 0; cell < n; cell++)
        marks->named[cell] |= is_marked(shared->named, cell / n_shared); /* heads that share one stand together */
    return WEIR_OK;
}

/* Rows in which a head is marked. */
static size_t rows_of_head(size_t *rows, const uint8_t *marked, size_t n_rows, size_t n_heads, size_t head)
{
    size_t n = 0;
    for (size_t row = 0; row < n_rows; row++)
        if (is_marked(marked, row * n_heads + head))
            rows[n++] = row;
    return n;
}

/* ---- copies of the stream ---- */

struct copying {
    const struct weir_head_copies *to, *from; /* from: NULL where nothing has changed */
    float *values;                            /* of `to`, while they are made */
    const float *stream;                      /* [total_pos, d_model] */
    const struct head_marks *marks;
    size_t d_model;
};

/* The copies that `n` heads side by side read, from cell `first` on: what all of them read where it is the same and no
   longer the stream; else NULL. */
static const float *common_copy(const struct weir_head_copies *from, size_t first, size_t n, size_t d_model)
{
    const float *x = from->values->data + first * d_model;
    for (size_t i = 0; i < n; i++)
        if (!from->changed[first + i] || memcmp(x + i * d_model, x, d_model * sizeof *x) != 0)
            return NULL;
    return x;
}

/* What a head's copy is made of if that is not the stream. A key-value head reads what the query heads that share it
   read if that is the same; where they differ, each has a copy of its own. */
static const float *changed_source(const struct copying *c, size_t row, size_t head)
{
    if (!c->from || !c->from->changed)
        return NULL;
    size_t shared = c->from->n_heads / c->to->n_heads;
    return common_copy(c->from, (row * c->to->n_heads + head) * shared, shared, c->d_model);
}

static const float *stream_of_copy(const struct copying *c, size_t row, size_t head)
{
    const float *changed = changed_source(c, row, head);
    return changed ? changed : c->stream + row * c->d_model;
}

static bool is_wanted(const struct copying *c, size_t row, size_t head)
{
    return c->marks->whole || is_marked(c->marks->named, row * c->to->n_heads + head) || changed_source(c, row, head);
}

/* True where an edit has left heads that share a key-value head with different copies. */
static bool heads_differ(const struct weir_head_copies *from, size_t n_rows, size_t n_kv_heads, size_t d_model)
{
    if (!from || !from->changed || from->n_heads == n_kv_heads)
        return false;
    size_t shared = from->n_heads / n_kv_heads;
    for (size_t first = 0; first < n_rows * from->n_heads; first += shared)
        if (memchr(from->changed + first, 1, shared) && !common_copy(from, first, shared, d_model))
            return true;
    return false;
}

static void copy_to_heads(void *context, size_t first, size_t last, int worker)
{
    const struct copying *c = context;
    (void)worker;
    for (size_t row = first; row < last; row++)
        for (size_t head = 0; head < c->to->n_heads; head++) {
            size_t cell = row * c->to->n_heads + head;
            if (is_wanted(c, row, head))
                memcpy(c->values + cell * c->d_model, stream_of_copy(c, row, head), c->d_model * sizeof(float));
        }
}

/* A copy that an edit has left as it was takes the common way: its bits do not change. */
static void find_changed(void *context, size_t first, size_t last, int worker)
{
    const struct copying *c = context;
    (void)worker;
    for (size_t row = first; row < last; row++)
        for (size_t head = 0; head < c->to->n_heads; head++) {
            size_t cell = row * c->to->n_heads + head;
            bool may_be = is_marked(c->marks->named, cell) || changed_source(c, row, head);
            c->to->changed[cell] = may_be && memcmp(c->to->values->data + cell * c->d_model,
                                                    c->stream + row * c->d_model, c->d_model * sizeof(float)) != 0;
        }
}

static weir_status make_copies(struct weir_run *run, struct copying *c, weir_buffer **values)
{
    size_t width = c->to->n_heads * c->d_model;
    TRY(weir_value_take_rows(run, values, width));
    c->values = (*values)->data;
    weir_step_rows(run, weir_total_pos(run), width, copy_to_heads, c);
    return WEIR_OK;
}

static weir_status compare_copies(struct weir_run *run, struct copying *c, struct weir_head_copies *copies)
{
    size_t total_pos = weir_total_pos(run);
    if (!c->marks->named && !(c->from && c->from->changed))
        return WEIR_OK;
    TRY(weir_alloc(&copies->changed, total_pos * copies->n_heads, sizeof *copies->changed));
    weir_step_rows(run, total_pos, copies->n_heads * c->d_model, find_changed, c);
    return WEIR_OK;
}

/* A program's own hooks write to what key-value heads have. */
static weir_status check_kv_hooks(const struct weir_run *run, int layer)
{
    static const int points[] = {WEIR_P_K_INPUT, WEIR_P_K, WEIR_P_K_NORMED, WEIR_P_ROT_K, WEIR_P_V_INPUT, WEIR_P_V};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        if (weir_plan_edits_by_hook(&run->plan, points[i], layer))
            return weir_fail(WEIR_E_USAGE,
                             "a hook edits %s in layer %d, which would not reach query heads whose attn_in is edited: "
                             "write it as an edit, or edit attn_in alike for all heads that share a key-value head",
                             weir_point_at(points[i])->name, layer);
    return WEIR_OK;
}

/* copies[1] is made beside copies[0], and hooks are called once for both. */
static weir_status read_both(struct weir_run *run, struct copying c[2], struct weir_head_copies copies[2], int point,
                             int layer)
{
    bool by_query = copies[1].n_heads > 0;
    TRY(make_copies(run, &c[0], &copies[0].values));
    if (by_query)
        TRY(make_copies(run, &c[1], &run->values.in_by_query));
    TRY(weir_at(run, point, layer, &copies[0].values));
    TRY(compare_copies(run, &c[0], &copies[0]));
    if (!by_query)
        return WEIR_OK;
    weir_value_move(&copies[1].values, &run->values.in_by_query);
    return compare_copies(run, &c[1], &copies[1]);
}

weir_status weir_by_head_read(struct weir_run *run, struct weir_head_copies copies[2],
                              const struct weir_head_copies *from, int point, size_t n_heads, int layer)
{
    const float *stream = run->values.stream->data;
    size_t d_model = (size_t)run->model->config.d_model, n_query = (size_t)run->model->layers[layer].spec.n_heads;
    struct head_marks marks[2] = {{0}};
    struct copying copying[2] = {
        {.to = &copies[0], .from = from, .stream = stream, .marks = &marks[0], .d_model = d_model},
        {.to = &copies[1], .from = from, .stream = stream, .marks = &marks[1], .d_model = d_model}};
    weir_status status;
    copies[0] = (struct weir_head_copies){.n_heads = n_heads};
    copies[1] = (struct weir_head_copies){0};
    if (!weir_plan_wants(&run->plan, point, layer) && !(from && from->changed))
        return WEIR_OK;
    TRY_DONE(mark_cells(&marks[0], run, point, n_heads, layer));
    bool differ = heads_differ(from, weir_total_pos(run), n_heads, d_model);
    if (differ)
        TRY_DONE(check_kv_hooks(run, layer));
    if (differ || weir_plan_edits_by_query(&run->plan, point, layer)) {
        copies[1].n_heads = n_query;
        TRY_DONE(mark_query_cells(&marks[1], run, &marks[0], point, n_query, n_query / n_heads, layer));
    }
    TRY_DONE(read_both(run, copying, copies, point, layer));
done:
    weir_free(marks[0].named);
    weir_free(marks[1].named);
    return status;
}

void weir_head_copies_close(struct weir_head_copies *copies)
{
    weir_value_drop(&copies->values);
    weir_free(copies->changed);
    *copies = (struct weir_head_copies){0};
}

/* ---- projections ---- */

/* One head's changed rows, side by side. */
struct head_rows {
    size_t *rows; /* [n] */
    size_t n, head;
    const struct weir_head_copies *copies;
    const struct weir_norm *norm;
    const float *positions; /* [total_pos, d_model]; NULL: none */
    float eps, *out;        /* [n, d_model] */
    size_t d_model;
};

static const float *copy_of_row(const struct head_rows *h, size_t i)
{
    return h->copies->values->data + (h->rows[i] * h->copies->n_heads + h->head) * h->d_model;
}

static void norm_changed_rows(void *context, size_t first, size_t last, int worker)
{
    const struct head_rows *h = context;
    (void)worker;
    for (size_t i = first; i < last; i++) {
        float mean = 0, scale, *x = h->out + i * h->d_model;
        memcpy(x, copy_of_row(h, i), h->d_model * sizeof *x);
        if (h->norm->kind == WEIR_NORM_NONE)
            continue;
        weir_ops()->moments(x, h->d_model, h->eps, h->norm->kind == WEIR_NORM_LAYER, &mean, &scale);
        weir_ops()->norm(x, x, mean, scale, h->norm->weight, h->norm->bias, h->d_model);
    }
}

static bool edits_norm(const struct weir_run *run, int layer)
{
    return weir_plan_edits(&run->plan, weir_ln1_points.scale, layer) ||
           weir_plan_edits(&run->plan, weir_ln1_points.normalized, layer) ||
           weir_plan_edits(&run->plan, weir_ln1_points.out, layer);
}

/* The same with the edits of ln1's points: as if all heads read what this one does. */
static weir_status norm_and_edit_rows(struct weir_run *run, struct head_rows *h, int layer)
{
    weir_buffer *stream = NULL, *normed = NULL;
    size_t row_size = h->d_model * sizeof(float);
    weir_status status;
    TRY_DONE(weir_value_take_rows(run, &stream, h->d_model));
    memcpy(stream->data, run->values.stream->data, weir_total_pos(run) * row_size);
    for (size_t i = 0; i < h->n; i++)
        memcpy(stream->data + h->rows[i] * h->d_model, copy_of_row(h, i), row_size);
    run->norms_copies = true;
    status = weir_step_norm(run, &normed, stream, h->norm, h->eps, weir_ln1_points, layer);
    run->norms_copies = false;
    TRY_DONE(status);
    for (size_t i = 0; i < h->n; i++)
        memcpy(h->out + i * h->d_model, normed->data + h->rows[i] * h->d_model, row_size);
done:
    weir_value_drop(&stream);
    weir_value_drop(&normed);
    return status;
}

/* What the projection reads: h->out. */
static weir_status norm_head_rows(struct weir_run *run, struct head_rows *h, int layer)
{
    if (edits_norm(run, layer))
        TRY(norm_and_edit_rows(run, h, layer));
    else
        weir_step_rows(run, h->n, h->d_model, norm_changed_rows, h);
    for (size_t i = 0; h->positions && i < h->n; i++)
        weir_ops()->add(h->out + i * h->d_model, h->out + i * h->d_model, h->positions + h->rows[i] * h->d_model,
                        h->d_model);
    return WEIR_OK;
}

/* Float32 weights of outputs first to first + n - 1, in place or in `scratch`. */
static struct weir_matrix weights_of_head(const struct weir_matrix *w, size_t first, size_t n, float *scratch)
{
    struct weir_matrix piece = {.type = WEIR_T_F32, .n_out = n, .n_in = w->n_in, .input_major = w->input_major};
    piece.data = (const uint8_t *)(const void *)weir_matrix_piece(w, first, n, scratch, &piece.stride);
    return piece;
}

/* W x + b of one head from its own changed rows, in place of the common product's. */
static weir_status project_rows(struct weir_run *run, const struct weir_projection *p, struct head_rows *h,
                                size_t d_head, int layer)
{
    weir_buffer *scratch = NULL, *in = NULL, *out = NULL;
    weir_status status;
    TRY_DONE(weir_value_take(run, &scratch, d_head * h->d_model));
    TRY_DONE(weir_value_take(run, &in, h->n * h->d_model));
    TRY_DONE(weir_value_take(run, &out, h->n * d_head));
    h->out = in->data;
    TRY_DONE(norm_head_rows(run, h, layer));
    size_t first = h->head / p->shared * d_head;
    const struct weir_matrix w = weights_of_head(&p->linear->w, first, d_head, scratch->data);
    weir_matmul_run(run->matmul, out->data, d_head, in->data, h->d_model, h->n, &w,
                    p->linear->bias ? p->linear->bias + first : NULL);
    for (size_t i = 0; i < h->n; i++)
        memcpy((*p->out)->data + (h->rows[i] * p->n_heads + h->head) * d_head, out->data + i * d_head,
               d_head * sizeof(float));
done:
    weir_value_drop(&scratch);
    weir_value_drop(&in);
    weir_value_drop(&out);
    return status;
}

/* The heads and rows that have changed of p->n_heads heads, each p->shared of which have the same weights. */
static weir_status project_changed(struct weir_run *run, const struct weir_projection *p,
                                   const struct weir_head_copies *copies, int layer)
{
    const struct weir_layer *weights = &run->model->layers[layer];
    struct head_rows h = {.copies = copies,
                          .norm = &weights->ln1,
                          .positions = p->positions ? p->positions->data : NULL,
                          .eps = weights->spec.eps,
                          .d_model = p->linear->w.n_in};
    weir_status status = WEIR_OK;
    if (!copies->changed)
        return WEIR_OK;
    TRY(weir_alloc(&h.rows, weir_total_pos(run), sizeof *h.rows));
    for (h.head = 0; h.head < p->n_heads && status == WEIR_OK; h.head++) {
        h.n = rows_of_head(h.rows, copies->changed, weir_total_pos(run), p->n_heads, h.head);
        if (h.n > 0)
            status = project_rows(run, p, &h, (size_t)weights->spec.d_head, layer);
    }
    weir_free(h.rows);
    return status;
}

/* ---- what query heads read of key-value heads ---- */

struct spreading {
    float *out;      /* [total_pos, n_heads, d_head] */
    const float *in; /* [total_pos, n_heads / shared, d_head] */
    size_t n_heads, shared, d_head;
};

static void spread_rows(void *context, size_t first, size_t last, int worker)
{
    const struct spreading *s = context;
    (void)worker;
    for (size_t cell = first * s->n_heads; cell < last * s->n_heads; cell++)
        memcpy(s->out + cell * s->d_head, s->in + cell / s->shared * s->d_head, s->d_head * sizeof *s->out);
}

static weir_status spread_heads(struct weir_run *run, weir_buffer **out, const weir_buffer *value, int layer)
{
    const struct weir_layer_spec *spec = &run->model->layers[layer].spec;
    size_t n_heads = (size_t)spec->n_heads, d_head = (size_t)spec->d_head;
    TRY(weir_value_take_rows(run, out, n_heads * d_head));
    struct spreading s = {(*out)->data, value->data, n_heads, n_heads / (size_t)spec->n_kv_heads, d_head};
    weir_step_rows(run, weir_total_pos(run), n_heads * d_head, spread_rows, &s);
    return WEIR_OK;
}

weir_status weir_by_query_read(struct weir_run *run, weir_buffer **out, const weir_buffer *value, int point, int layer)
{
    return *out || !weir_plan_edits_by_query(&run->plan, point, layer) ? WEIR_OK : spread_heads(run, out, value, layer);
}

weir_status weir_by_head_project(struct weir_run *run, const struct weir_projection *p,
                                 const struct weir_head_copies copies[2], int layer)
{
    struct weir_projection own = *p, by_query = *p;
    own.shared = 1;
    by_query.out = p->by_query;
    by_query.n_heads = p->n_heads * p->shared;
    TRY(project_changed(run, &own, &copies[0], layer));
    if (copies[1].n_heads == 0)
        return p->by_query ? weir_by_query_read(run, p->by_query, *p->out, p->point, layer) : WEIR_OK;
    TRY(spread_heads(run, p->by_query, *p->out, layer));
    return project_changed(run, &by_query, &copies[1], layer);
}

/* ---- results ---- */

/* result = z W_O, head by head, and what edits make of it. */
struct head_results {
    const struct weir_layer *layer;
    size_t n_heads, d_head, d_model, total_pos;
    struct head_marks marks;
    weir_buffer *before; /* [named cells, d_model] what they were before the edits, in order of rows, then heads */
};

/* The float32 weights that one head's z goes through. */
static struct weir_matrix head_of_output(const struct head_results *r, const float *weights, size_t head)
{
    const struct weir_matrix *o = &r->layer->o.w;
    size_t at = head * r->d_head;
    return (struct weir_matrix){.data =
                                    (const uint8_t *)(const void *)(weights + (o->input_major ? at * r->d_model : at)),
                                .type = WEIR_T_F32,
                                .n_out = r->d_model,
                                .n_in = r->d_head,
                                .stride = o->input_major ? r->d_model : r->n_heads * r->d_head,
                                .input_major = o->input_major};
}

/* The result of some rows of a head: gathered, multiplied, put in their places. */
static weir_status write_rows(struct weir_run *run, const struct head_results *r, const struct weir_matrix *w,
                              size_t head, const size_t *rows, size_t n)
{
    weir_buffer *in = NULL, *out = NULL;
    weir_status status;
    TRY_DONE(weir_value_take(run, &in, n * r->d_head));
    TRY_DONE(weir_value_take(run, &out, n * r->d_model));
    for (size_t i = 0; i < n; i++)
        memcpy(in->data + i * r->d_head, run->values.z->data + (rows[i] * r->n_heads + head) * r->d_head,
               r->d_head * sizeof(float));
    weir_matmul_run(run->matmul, out->data, r->d_model, in->data, r->d_head, n, w, NULL);
    for (size_t i = 0; i < n; i++)
        memcpy(run->values.result->data + (rows[i] * r->n_heads + head) * r->d_model, out->data + i * r->d_model,
               r->d_model * sizeof(float));
done:
    weir_value_drop(&in);
    weir_value_drop(&out);
    return status;
}

static weir_status write_head(struct weir_run *run, const struct head_results *r, const float *weights, size_t head,
                              size_t *rows)
{
    const struct weir_matrix w = head_of_output(r, weights, head);
    if (r->marks.whole) {
        weir_matmul_run(run->matmul, run->values.result->data + head * r->d_model, r->n_heads * r->d_model,
                        run->values.z->data + head * r->d_head, r->n_heads * r->d_head, r->total_pos, &w, NULL);
        return WEIR_OK;
    }
    size_t n = rows_of_head(rows, r->marks.named, r->total_pos, r->n_heads, head);
    return n > 0 ? write_rows(run, r, &w, head, rows, n) : WEIR_OK;
}

static weir_status write_each(struct weir_run *run, const struct head_results *r)
{
    const struct weir_matrix *o = &r->layer->o.w;
    size_t *rows = NULL;
    weir_status status;
    TRY_DONE(weir_alloc(&rows, r->total_pos, sizeof *rows));
    TRY_DONE(weir_value_take(run, &run->values.spare, o->n_out * o->n_in));
    weir_matrix_convert(run->values.spare->data, o, run->pool);
    TRY_DONE(weir_value_take_rows(run, &run->values.result, r->n_heads * r->d_model));
    for (size_t head = 0; head < r->n_heads; head++)
        TRY_DONE(write_head(run, r, run->values.spare->data, head, rows));
    weir_value_drop(&run->values.spare);
done:
    weir_free(rows);
    return status;
}

static weir_status keep_named(struct weir_run *run, struct head_results *r)
{
    size_t n = 0;
    if (!r->marks.named)
        return WEIR_OK;
    for (size_t cell = 0; cell < r->total_pos * r->n_heads; cell++)
        n += r->marks.named[cell];
    TRY(weir_value_take(run, &r->before, n * r->d_model));
    n = 0;
    for (size_t cell = 0; cell < r->total_pos * r->n_heads; cell++)
        if (r->marks.named[cell])
            memcpy(r->before->data + n++ * r->d_model, run->values.result->data + cell * r->d_model,
                   r->d_model * sizeof(float));
    return WEIR_OK;
}

/* What a row's attention puts out when edits have changed the results of all of its heads: their sum. */
static void sum_results(const struct weir_run *run, const struct head_results *r, size_t row)
{
    float *out = run->values.attn_out->data + row * r->d_model;
    const float *results = run->values.result->data + row * r->n_heads * r->d_model;
    memcpy(out, results, r->d_model * sizeof *out);
    for (size_t head = 1; head < r->n_heads; head++)
        weir_ops()->add(out, out, results + head * r->d_model, r->d_model);
    if (r->layer->o.bias)
        weir_ops()->add(out, out, r->layer->o.bias, r->d_model);
}

/* What they put out when some have: the common product, and what has changed. */
static void add_changes(const struct weir_run *run, const struct head_results *r, size_t row, const float *before)
{
    float *out = run->values.attn_out->data + row * r->d_model;
    for (size_t head = 0; head < r->n_heads; head++) {
        const float *now = run->values.result->data + (row * r->n_heads + head) * r->d_model;
        if (!r->marks.named[row * r->n_heads + head])
            continue;
        for (size_t i = 0; i < r->d_model && memcmp(now, before, r->d_model * sizeof *now) != 0; i++)
            out[i] = (float)((double)out[i] + ((double)now[i] - (double)before[i]));
        before += r->d_model;
    }
}

static void apply_changes(const struct weir_run *run, const struct head_results *r)
{
    const float *before = r->before->data;
    for (size_t row = 0; row < r->total_pos; row++) {
        size_t named = 0, changed = 0;
        for (size_t head = 0; head < r->n_heads; head++) {
            size_t cell = row * r->n_heads + head;
            if (!r->marks.named[cell])
                continue;
            changed += memcmp(run->values.result->data + cell * r->d_model, before + named++ * r->d_model,
                              r->d_model * sizeof(float)) != 0;
        }
        if (changed == r->n_heads)
            sum_results(run, r, row);
        else if (changed > 0)
            add_changes(run, r, row, before);
        before += named * r->d_model;
    }
}

static weir_status write_results(struct weir_run *run, struct head_results *r, int layer)
{
    TRY(mark_cells(&r->marks, run, WEIR_P_RESULT, r->n_heads, layer));
    TRY(write_each(run, r));
    TRY(keep_named(run, r));
    TRY(weir_at(run, WEIR_P_RESULT, layer, &run->values.result));
    TRY(weir_step_linear(run, &run->values.attn_out, run->values.z, &r->layer->o));
    if (r->marks.named)
        apply_changes(run, r);
    return WEIR_OK;
}

weir_status weir_by_head_write(struct weir_run *run, int layer)
{
    const struct weir_layer *l = &run->model->layers[layer];
    struct head_results r = {.layer = l,
                             .n_heads = (size_t)l->spec.n_heads,
                             .d_head = (size_t)l->spec.d_head,
                             .d_model = l->o.w.n_out,
                             .total_pos = weir_total_pos(run)};
    if (!weir_plan_wants(&run->plan, WEIR_P_RESULT, layer))
        return weir_step_linear(run, &run->values.attn_out, run->values.z, &l->o);
    weir_status status = write_results(run, &r, layer);
    weir_value_drop(&r.before);
    weir_value_drop(&run->values.result);
    weir_free(r.marks.named);
    return status;
}
