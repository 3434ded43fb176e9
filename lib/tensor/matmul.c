#include "tensor/matmul.h"

#include "base/alloc.h"
#include "tensor/gemm.h"
#include "tensor/ops.h"

#include <stdint.h>
#include <string.h>

enum { SCALED = 32 }; /* values that share one of a matrix's `scales` */

enum {
    MAX_WORKERS = 256,
    SCRATCH_FLOATS = 1 << 18, /* 1 MiB a worker: what a piece of converted weights may take, to stay in the L2 cache */
    COLUMN_ROUND = 16,        /* pieces are whole vectors wide */
    SPAN = 256                /* values that are converted to keep every second or third of them */
};

struct weir_matmul {
    struct weir_pool *pool;
    float *scratch[MAX_WORKERS]; /* [scratch_floats[i]] or NULL until needed */
    size_t scratch_floats[MAX_WORKERS];
    int workers;
};

weir_status weir_matmul_open(struct weir_matmul **out, struct weir_pool *pool)
{
    struct weir_matmul *matmul;
    *out = NULL;
    TRY(weir_gemm_start());
    TRY(weir_alloc_zero(&matmul, 1, sizeof *matmul));
    matmul->pool = pool;
    matmul->workers = weir_pool_size(pool);
    *out = matmul;
    return WEIR_OK;
}

void weir_matmul_close(struct weir_matmul *matmul)
{
    if (!matmul)
        return;
    for (int i = 0; i < matmul->workers; i++)
        weir_free(matmul->scratch[i]);
    weir_free(matmul);
}

static size_t at_least_one(size_t n)
{
    return n ? n : 1;
}

static const float *copy_of(const struct weir_matrix *w)
{
    return __atomic_load_n(&w->copy, __ATOMIC_ACQUIRE);
}

void weir_matrix_set_copy(struct weir_matrix *w, float *copy)
{
    __atomic_store_n(&w->copy, copy, __ATOMIC_RELEASE);
}

/* Float32 weights in order, and the stride of their rows; NULL when they have to be converted. */
static const float *direct_weights(const struct weir_matrix *w, size_t *ld)
{
    const float *copy = copy_of(w);
    *ld = copy ? (w->input_major ? w->n_out : w->n_in) : w->stride;
    if (copy)
        return copy;
    bool stands =
        w->type == WEIR_T_F32 && w->pair_rows == 0 && w->group_rows == 0 && (uintptr_t)w->data % sizeof(float) == 0;
    return stands ? (const float *)(const void *)w->data : NULL;
}

bool weir_matrix_is_direct(const struct weir_matrix *w)
{
    size_t ld;
    return direct_weights(w, &ld) != NULL;
}

/* How the outputs are cut: pieces of that many columns. */
static size_t piece_width(const struct weir_matmul *matmul, const struct weir_matrix *w, bool direct)
{
    size_t width = (w->n_out + (size_t)matmul->workers - 1) / (size_t)matmul->workers;
    if (!direct) {
        size_t fits = at_least_one(SCRATCH_FLOATS / at_least_one(w->n_in));
        width = width < fits ? width : fits;
    }
    return at_least_one((width + COLUMN_ROUND - 1) / COLUMN_ROUND) * COLUMN_ROUND;
}

weir_status weir_matmul_reserve(struct weir_matmul *matmul, const struct weir_matrix *w)
{
    if (weir_matrix_is_direct(w))
        return WEIR_OK;
    size_t needed;
    TRY(weir_mul(&needed, piece_width(matmul, w, false), w->n_in));
    for (int i = 0; i < matmul->workers; i++) {
        if (matmul->scratch_floats[i] >= needed)
            continue;
        weir_free(matmul->scratch[i]);
        matmul->scratch_floats[i] = 0;
        TRY(weir_alloc_aligned(&matmul->scratch[i], needed, sizeof(float)));
        matmul->scratch_floats[i] = needed;
    }
    return WEIR_OK;
}

/* ---- conversion ---- */

/* Which stored row, or of an input-major matrix which value of a row, output i is. */
static size_t stored_row(const struct weir_matrix *w, size_t i)
{
    if (w->pair_rows > 0) {
        size_t in_head = i % w->pair_rows, half = w->pair_rows / 2;
        i += (in_head < half ? 2 * in_head : 2 * (in_head - half) + 1) - in_head;
    }
    return w->group_rows > 0 ? i / w->group_rows * w->group_stride + i % w->group_rows : i;
}

/* n values from `first` on of stored row i; first is a whole number of blocks (0 for quantized types). */
static void convert(float *out, const struct weir_matrix *w, size_t row, size_t first, size_t n)
{
    const struct weir_type_info *type = weir_type_get_info(w->type);
    size_t blocks = (row * w->stride + first) / type->block_values;
    weir_to_f32(out, w->data + blocks * type->block_bytes, w->type, n);
    for (size_t i = 0; w->scales && i < n; i += SCALED) {
        float scale;
        weir_to_f32(&scale, w->scales + (row * w->stride + first + i) / SCALED, WEIR_T_E8M0, 1);
        weir_ops()->scale(out + i, out + i, scale, SCALED);
    }
}

/* Up to the last value, not the last row's end: what is behind a part of a fused matrix may be past the map. */
void weir_matrix_let_go(const struct weir_matrix *w)
{
    const struct weir_type_info *type = weir_type_get_info(w->type);
    size_t last = stored_row(w, w->n_out - 1);
    size_t n = w->input_major ? (w->n_in - 1) * w->stride + last + 1 : last * w->stride + w->n_in;
    weir_map_let_go(w->data, n / type->block_values * type->block_bytes);
}

void weir_matrix_row(float *out, const struct weir_matrix *w, size_t i)
{
    const float *copy = copy_of(w);
    if (copy)
        memcpy(out, copy + i * w->n_in, w->n_in * sizeof *out);
    else
        convert(out, w, stored_row(w, i), 0, w->n_in);
}

/* Outputs first to first + n - 1 of an input-major matrix's row. */
static void convert_columns(float *out, const struct weir_matrix *w, size_t row, size_t first, size_t n)
{
    float span[SPAN];
    size_t run = w->group_rows, every = w->group_stride;
    if (run == 0) {
        convert(out, w, row, first, n);
    } else if (run == 1 && every < SPAN) {
        for (size_t i = 0, some = 0; i < n; i += some) {
            some = n - i < SPAN / every ? n - i : SPAN / every;
            convert(span, w, row, (first + i) * every, (some - 1) * every + 1);
            for (size_t j = 0; j < some; j++)
                out[i + j] = span[j * every];
        }
    } else {
        for (size_t i = 0, some = 0; i < n; i += some) {
            size_t left = run - (first + i) % run;
            some = n - i < left ? n - i : left;
            convert(out + i, w, row, stored_row(w, first + i), some);
        }
    }
}

/* Outputs first to first + n - 1 in the layout of the matrix: [n, n_in], or [n_in, n] when input_major. */
static void convert_outputs(float *out, const struct weir_matrix *w, size_t first, size_t n)
{
    if (w->input_major)
        for (size_t i = 0; i < w->n_in; i++)
            convert_columns(out + i * n, w, i, first, n);
    else if (w->pair_rows == 0 && w->group_rows == 0 && w->stride == w->n_in)
        convert(out, w, first, 0, n * w->n_in);
    else
        for (size_t i = 0; i < n; i++)
            convert(out + i * w->n_in, w, stored_row(w, first + i), 0, w->n_in);
}

struct conversion {
    float *out;
    const struct weir_matrix *w;
};

static void convert_rows(void *context, size_t first, size_t last, int worker)
{
    const struct conversion *c = context;
    (void)worker;
    for (size_t i = first; i < last; i++)
        if (c->w->input_major)
            convert_columns(c->out + i * c->w->n_out, c->w, i, 0, c->w->n_out);
        else
            convert(c->out + i * c->w->n_in, c->w, stored_row(c->w, i), 0, c->w->n_in);
}

void weir_matrix_convert(float *out, const struct weir_matrix *w, struct weir_pool *pool)
{
    struct conversion c = {out, w};
    weir_parallel(pool, w->input_major ? w->n_in : w->n_out, 64, convert_rows, &c);
}

/* ---- products ---- */

struct product {
    struct weir_matmul *matmul;
    float *out; /* [m, ldo] */
    size_t ldo;
    const float *x; /* [m, ldx] */
    size_t ldx, m;
    const struct weir_matrix *w;
    const float *bias;    /* [n_out] or NULL */
    const float *weights; /* NULL: converted piece by piece. Decided once a product: a copy may come up meanwhile */
    size_t ld;
    size_t width; /* outputs of a piece */
};

/* The float32 weights of outputs first to first + n - 1; *ld is their row stride. */
static const float *piece_weights(const struct product *p, size_t first, size_t n, int worker, size_t *ld)
{
    const struct weir_matrix *w = p->w;
    if (p->weights) {
        *ld = p->ld;
        return p->weights + (w->input_major ? first : first * p->ld);
    }
    float *scratch = p->matmul->scratch[worker];
    convert_outputs(scratch, w, first, n);
    *ld = w->input_major ? n : w->n_in;
    return scratch;
}

static void product_piece(void *context, size_t first_piece, size_t last_piece, int worker)
{
    const struct product *p = context;
    for (size_t piece = first_piece; piece < last_piece; piece++) {
        size_t first = piece * p->width, n = p->w->n_out - first;
        n = n < p->width ? n : p->width;
        size_t ld;
        const float *weights = piece_weights(p, first, n, worker, &ld);
        weir_gemm(!p->w->input_major, p->m, n, p->w->n_in, 1.0f, p->x, p->ldx, weights, ld, p->out + first, p->ldo);
        if (p->bias)
            for (size_t i = 0; i < p->m; i++)
                weir_ops()->add(p->out + i * p->ldo + first, p->out + i * p->ldo + first, p->bias + first, n);
    }
}

void weir_matmul_run(struct weir_matmul *matmul, float *out, size_t ldo, const float *x, size_t ldx, size_t m,
                     const struct weir_matrix *w, const float *bias)
{
    struct product p = {.matmul = matmul, .out = out, .ldo = ldo, .x = x, .ldx = ldx, .m = m, .w = w, .bias = bias};
    p.weights = direct_weights(w, &p.ld);
    p.width = piece_width(matmul, w, p.weights != NULL);
    weir_parallel(matmul->pool, (w->n_out + p.width - 1) / p.width, 1, product_piece, &p);
}
