/* Splits products with weights into pieces for the pool, and keeps the scratch memory that they take. */
#include "tensor/matmul.h"

#include "base/alloc.h"
#include "base/sizes.h"
#include "tensor/gemm.h"
#include "tensor/ops.h"

#include <stdint.h>
#include <string.h>

enum {
    MAX_WORKERS = 256,
    SCRATCH_FLOATS = 1 << 18, /* 1 MiB a worker: what a piece of converted weights may take, to stay in the L2 cache */
    COLUMN_ROUND = 16,        /* pieces are whole vectors wide */
    GRAIN_VALUES = 1 << 14    /* inputs that a thread takes at a time when they are narrowed */
};

struct weir_matmul {
    struct weir_pool *pool;
    float *scratch[MAX_WORKERS]; /* [scratch_floats[i]] or NULL until needed */
    size_t scratch_floats[MAX_WORKERS];
    int workers;

    weir_compute compute;
    const struct weir_narrow *narrow; /* NULL: float32 */
    size_t most_units, most_groups;   /* of a row of inputs, over the matrices reserved for */
    uint32_t *inputs;                 /* [room_units] the rows of the product at hand, narrowed */
    float *input_scales;              /* [room_scales] */
    size_t room_units, room_scales;
};

weir_status weir_matmul_open(struct weir_matmul **out, struct weir_pool *pool, weir_compute compute)
{
    struct weir_matmul *matmul;
    const struct weir_narrow *narrow;
    *out = NULL;
    TRY(weir_narrow_find(&narrow, compute));
    TRY(weir_alloc_zero(&matmul, 1, sizeof *matmul));
    matmul->pool = pool;
    matmul->workers = weir_pool_size(pool);
    matmul->compute = compute;
    matmul->narrow = narrow;
    *out = matmul;
    return WEIR_OK;
}

void weir_matmul_close(struct weir_matmul *matmul)
{
    if (!matmul)
        return;
    for (int i = 0; i < matmul->workers; i++)
        weir_free(matmul->scratch[i]);
    weir_free(matmul->inputs);
    weir_free(matmul->input_scales);
    weir_free(matmul);
}

weir_compute weir_matmul_compute(const struct weir_matmul *matmul)
{
    return matmul->compute;
}

/* The width of the pieces into which the outputs are split, in columns. */
static size_t piece_width(const struct weir_matmul *matmul, const struct weir_matrix *w, bool direct)
{
    size_t width = (w->n_out + (size_t)matmul->workers - 1) / (size_t)matmul->workers;
    if (!direct) {
        size_t fits = weir_max_size(SCRATCH_FLOATS / weir_max_size(w->n_in, 1), 1);
        width = width < fits ? width : fits;
    }
    return weir_max_size((width + COLUMN_ROUND - 1) / COLUMN_ROUND, 1) * COLUMN_ROUND;
}

static bool is_narrow(const struct weir_matmul *matmul, const struct weir_matrix *w)
{
    return matmul->narrow && !w->exact;
}

static size_t n_panels(const struct weir_matrix *w)
{
    return (w->n_out + WEIR_PANEL - 1) / WEIR_PANEL;
}

/* ---- work space ---- */

static weir_status reserve_scratch(struct weir_matmul *matmul, size_t needed)
{
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

/* The scratch that packing one panel takes: the panel, its weights in float32, and what filling it needs. */
static weir_status narrow_floats(size_t *out, const struct weir_matmul *matmul, const struct weir_matrix *w)
{
    size_t all;
    TRY(weir_mul(&all, 8 * WEIR_PANEL, w->n_in)); /* more than what follows, which cannot overflow then */
    *out =
        weir_panel_size(matmul->narrow, w->n_in) + WEIR_PANEL * w->n_in + weir_panel_scratch(matmul->narrow, w->n_in);
    return WEIR_OK;
}

static void raise_to(size_t *most, size_t n)
{
    *most = n > *most ? n : *most;
}

weir_status weir_matmul_reserve(struct weir_matmul *matmul, const struct weir_matrix *w)
{
    size_t needed;
    if (is_narrow(matmul, w)) {
        raise_to(&matmul->most_units, weir_narrow_units(matmul->narrow, w->n_in));
        /* bf16 has no groups: room all the same, since even adding 0 to NULL is undefined */
        raise_to(&matmul->most_groups, weir_max_size(weir_narrow_groups(matmul->narrow, w->n_in), 1));
        TRY(narrow_floats(&needed, matmul, w));
    } else if (!weir_matrix_is_direct(w)) {
        TRY(weir_mul(&needed, piece_width(matmul, w, false), w->n_in));
    } else {
        return WEIR_OK;
    }
    return reserve_scratch(matmul, needed);
}

/* *array: at least rows * width values of 32 bits. */
static weir_status reserve_inputs(void *array, size_t *room, size_t rows, size_t width)
{
    size_t needed;
    void **to = array;
    TRY(weir_mul(&needed, rows, width));
    if (needed <= *room)
        return WEIR_OK;
    weir_free(*to);
    *room = 0;
    TRY(weir_alloc_aligned(to, needed, sizeof(uint32_t)));
    *room = needed;
    return WEIR_OK;
}

weir_status weir_matmul_reserve_rows(struct weir_matmul *matmul, size_t m)
{
    TRY(reserve_inputs(&matmul->inputs, &matmul->room_units, m, matmul->most_units));
    return reserve_inputs(&matmul->input_scales, &matmul->room_scales, m, matmul->most_groups);
}

/* ---- products ---- */

struct product {
    struct weir_matmul *matmul;
    float *out; /* [m, ldo] */
    size_t ldo;
    const float *x; /* [m, ldx] */
    size_t ldx, m;
    const struct weir_matrix *w;
    const float *bias;        /* [n_out] or NULL */
    size_t width;             /* outputs of a piece */
    size_t n_units, n_groups; /* of a row of inputs */
    const uint32_t *panels;   /* NULL: packed piece by piece. Decided once a product: a copy may come up meanwhile */
};

static void add_bias(const struct product *p, size_t first, size_t n)
{
    if (p->bias)
        for (size_t i = 0; i < p->m; i++)
            weir_ops()->add(p->out + i * p->ldo + first, p->out + i * p->ldo + first, p->bias + first, n);
}

static void product_piece(void *context, size_t first_piece, size_t last_piece, int worker)
{
    const struct product *p = context;
    for (size_t piece = first_piece; piece < last_piece; piece++) {
        size_t first = piece * p->width, n = p->w->n_out - first, ld;
        n = n < p->width ? n : p->width;
        const float *weights = weir_matrix_piece(p->w, first, n, p->matmul->scratch[worker], &ld);
        weir_gemm()(!p->w->input_major, p->m, n, p->w->n_in, 1.0f, p->x, p->ldx, weights, ld, p->out + first, p->ldo);
        add_bias(p, first, n);
    }
}

/* Packs the outputs from `first` on, n of them, into `panel`. */
static void pack_narrow_outputs(struct weir_matmul *matmul, uint32_t *panel, const struct weir_matrix *w, size_t first,
                                size_t n, float *scratch)
{
    size_t ld;
    const float *weights = weir_matrix_piece(w, first, n, scratch, &ld);
    weir_panel_fill(panel, matmul->narrow, weights, ld, w->input_major, n, w->n_in, scratch + WEIR_PANEL * w->n_in);
}

static size_t panel_width(const struct weir_matrix *w, size_t panel)
{
    size_t left = w->n_out - panel * WEIR_PANEL;
    return left < WEIR_PANEL ? left : WEIR_PANEL;
}

static void narrow_piece(void *context, size_t first_panel, size_t last_panel, int worker)
{
    const struct product *p = context;
    const struct weir_narrow *narrow = p->matmul->narrow;
    size_t size = weir_panel_size(narrow, p->w->n_in);
    uint32_t *packed = (void *)p->matmul->scratch[worker]; /* [size] */
    float *scratch = p->matmul->scratch[worker] + size;
    for (size_t i = first_panel; i < last_panel; i++) {
        size_t first = i * WEIR_PANEL, n = panel_width(p->w, i);
        const uint32_t *panel = p->panels ? p->panels + i * size : packed;
        if (!p->panels)
            pack_narrow_outputs(p->matmul, packed, p->w, first, n, scratch);
        narrow->product(p->out + first, p->ldo, p->matmul->inputs, p->matmul->input_scales, p->m, panel, p->n_units, n);
        add_bias(p, first, n);
    }
}

static void narrow_rows(void *context, size_t first, size_t last, int worker)
{
    const struct product *p = context;
    struct weir_matmul *matmul = p->matmul;
    (void)worker;
    for (size_t i = first; i < last; i++)
        matmul->narrow->row(matmul->inputs + i * p->n_units, matmul->input_scales + i * p->n_groups, p->x + i * p->ldx,
                            p->w->n_in);
}

static void run_narrow(struct product *p)
{
    struct weir_matmul *matmul = p->matmul;
    p->n_units = weir_narrow_units(matmul->narrow, p->w->n_in);
    p->n_groups = weir_narrow_groups(matmul->narrow, p->w->n_in);
    p->panels = weir_matrix_panels(p->w, matmul->compute);
    weir_parallel(matmul->pool, p->m, weir_max_size(GRAIN_VALUES / weir_max_size(p->w->n_in, 1), 1), narrow_rows, p);
    weir_parallel(matmul->pool, n_panels(p->w), 1, narrow_piece, p);
}

void weir_matmul_run(struct weir_matmul *matmul, float *out, size_t ldo, const float *x, size_t ldx, size_t m,
                     const struct weir_matrix *w, const float *bias)
{
    struct product p = {.matmul = matmul, .out = out, .ldo = ldo, .x = x, .ldx = ldx, .m = m, .w = w, .bias = bias};
    if (is_narrow(matmul, w)) {
        run_narrow(&p);
        return;
    }
    p.width = piece_width(matmul, w, weir_matrix_is_direct(w));
    weir_parallel(matmul->pool, (w->n_out + p.width - 1) / p.width, 1, product_piece, &p);
}

/* ---- working copies ---- */

weir_status weir_matmul_copy_bytes(size_t *out, const struct weir_matmul *matmul, const struct weir_matrix *w)
{
    *out = 0;
    if (is_narrow(matmul, w))
        return weir_matrix_panels(w, matmul->compute)
                   ? WEIR_OK
                   : weir_mul(out, n_panels(w), weir_panel_size(matmul->narrow, w->n_in) * sizeof(uint32_t));
    if (weir_matrix_is_direct(w))
        return WEIR_OK;
    TRY(weir_mul(out, w->n_out, w->n_in));
    return weir_mul(out, *out, sizeof(float));
}

struct packing {
    struct weir_matmul *matmul;
    const struct weir_matrix *w;
    uint32_t *panels;
};

static void pack_panels(void *context, size_t first, size_t last, int worker)
{
    const struct packing *p = context;
    size_t size = weir_panel_size(p->matmul->narrow, p->w->n_in);
    for (size_t i = first; i < last; i++)
        pack_narrow_outputs(p->matmul, p->panels + i * size, p->w, i * WEIR_PANEL, panel_width(p->w, i),
                            p->matmul->scratch[worker]);
}

void weir_matmul_make_copy(struct weir_matmul *matmul, struct weir_matrix *w, void *copy)
{
    if (is_narrow(matmul, w)) {
        struct packing packing = {matmul, w, copy};
        weir_parallel(matmul->pool, n_panels(w), 1, pack_panels, &packing);
        weir_matrix_set_panels(w, matmul->compute, copy);
        return;
    }
    weir_matrix_convert(copy, w, matmul->pool);
    weir_matrix_set_copy(w, copy);
}
