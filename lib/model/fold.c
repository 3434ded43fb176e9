/* Folds and centres weight matrices. */
#include "model/fold.h"

#include "base/alloc.h"
#include "model/load.h"

enum { BLOCK = 64 }; /* lines at a time, where the values of one line are far apart */

/* The lines of a matrix and what happens to each: its outputs with their inputs, or its inputs with their outputs. */
struct lines {
    float *weights;      /* [n_lines, n] by the two strides */
    size_t n_lines, n;   /* values of a line */
    size_t line_stride;  /* values from a line to the next */
    size_t stride;       /* and from a value of a line to the next */
    const float *factor; /* [n] by which values are multiplied; NULL: 1 */
    const float *shift;  /* [n] whose products with the values as they were are added to `sums`; NULL: none */
    float *sums;         /* [n_lines]; NULL without shift */
    bool centred;        /* the line's mean is subtracted */
};

static double factor_of(const struct lines *l, size_t i)
{
    return l->factor ? (double)l->factor[i] : 1;
}

/* Lines first to first + n - 1, n at most BLOCK. */
static void change_block(const struct lines *l, size_t first, size_t n)
{
    double mean[BLOCK] = {0}, shifted[BLOCK] = {0};
    float *weights = l->weights + first * l->line_stride;
    for (size_t i = 0; i < l->n; i++) {
        double factor = factor_of(l, i), shift = l->shift ? (double)l->shift[i] : 0;
        for (size_t j = 0; j < n; j++) {
            double weight = (double)weights[j * l->line_stride + i * l->stride];
            mean[j] += weight * factor / (double)l->n;
            shifted[j] += weight * shift;
        }
    }
    for (size_t j = 0; l->shift && j < n; j++)
        l->sums[first + j] = (float)((double)l->sums[first + j] + shifted[j]);
    if (!l->factor && !l->centred)
        return;
    for (size_t i = 0; i < l->n; i++)
        for (size_t j = 0; j < n; j++) {
            float *weight = &weights[j * l->line_stride + i * l->stride];
            *weight = (float)((double)*weight * factor_of(l, i) - (l->centred ? mean[j] : 0));
        }
}

static void change_lines(void *context, size_t first, size_t last, int worker)
{
    const struct lines *l = context;
    size_t block = l->stride == 1 ? 1 : BLOCK;
    (void)worker;
    for (; first < last; first += block)
        change_block(l, first, last - first < block ? last - first : block);
}

static void change_all(const struct weir_fold *fold, struct lines *lines)
{
    weir_parallel(fold->pool, lines->n_lines, BLOCK, change_lines, lines);
}

/* ---- matrices as lines ---- */

/* The lines are the outputs, each with the weights of its inputs. */
static struct lines outputs_of(const struct weir_matrix *w, float *weights)
{
    return (struct lines){.weights = weights,
                          .n_lines = w->n_out,
                          .n = w->n_in,
                          .line_stride = w->input_major ? 1 : w->n_in,
                          .stride = w->input_major ? w->n_out : 1};
}

static struct lines inputs_of(const struct weir_matrix *w, float *weights)
{
    struct lines lines = outputs_of(w, weights);
    return (struct lines){.weights = weights,
                          .n_lines = lines.n,
                          .n = lines.n_lines,
                          .line_stride = lines.stride,
                          .stride = lines.line_stride};
}

/* The matrix in memory, where its weights may change: float32, in order, each stored row beside the next. */
static weir_status take_in(float **weights, const struct weir_fold *fold, struct weir_matrix *w)
{
    size_t n;
    if (!w->in_memory) {
        TRY(weir_mul(&n, w->n_out, w->n_in));
        TRY(weir_new_vector(weights, fold->model, n));
        weir_matrix_convert(*weights, w, fold->pool);
        *w = (struct weir_matrix){.data = (const uint8_t *)*weights,
                                  .in_memory = true,
                                  .type = WEIR_T_F32,
                                  .n_out = w->n_out,
                                  .n_in = w->n_in,
                                  .stride = w->input_major ? w->n_out : w->n_in,
                                  .input_major = w->input_major,
                                  .exact = w->exact};
    }
    *weights = (float *)(uintptr_t)w->data;
    return WEIR_OK;
}

static weir_status give_bias(const struct weir_fold *fold, struct weir_linear *linear)
{
    if (linear->bias)
        return WEIR_OK;
    TRY(weir_new_vector(&linear->bias, fold->model, linear->w.n_out));
    for (size_t i = 0; i < linear->w.n_out; i++)
        linear->bias[i] = 0;
    return WEIR_OK;
}

weir_status weir_fold_norm(const struct weir_fold *fold, struct weir_linear *reader, const struct weir_norm *norm)
{
    bool centred = norm->kind == WEIR_NORM_LAYER;
    float *weights;
    if (reader->w.n_out == 0 || (!norm->weight && !norm->bias && !centred))
        return WEIR_OK;
    TRY(take_in(&weights, fold, &reader->w));
    if (norm->bias)
        TRY(give_bias(fold, reader));
    struct lines lines = outputs_of(&reader->w, weights);
    lines.factor = norm->weight;
    lines.shift = norm->bias;
    lines.sums = reader->bias;
    lines.centred = centred;
    change_all(fold, &lines);
    return WEIR_OK;
}

weir_status weir_fold_shift(const struct weir_fold *fold, struct weir_linear *linear, const float *shift)
{
    float *weights, *scratch = NULL; /* the matrix stays as it is */
    size_t n;
    weir_status status;
    TRY(give_bias(fold, linear));
    TRY(weir_mul(&n, linear->w.n_out, linear->w.n_in));
    if (linear->w.in_memory) {
        weights = (float *)(uintptr_t)linear->w.data;
    } else {
        TRY_DONE(weir_alloc_aligned(&scratch, n, sizeof *scratch));
        weir_matrix_convert(scratch, &linear->w, fold->pool);
        weights = scratch;
    }
    struct lines lines = outputs_of(&linear->w, weights);
    lines.shift = shift;
    lines.sums = linear->bias;
    change_all(fold, &lines);
    status = WEIR_OK;
done:
    weir_free(scratch);
    return status;
}

weir_status weir_centre_outputs(const struct weir_fold *fold, struct weir_linear *linear)
{
    size_t n = linear->w.n_out;
    double mean = 0;
    float *weights;
    if (n == 0)
        return WEIR_OK;
    TRY(take_in(&weights, fold, &linear->w));
    struct lines lines = inputs_of(&linear->w, weights);
    lines.centred = true;
    change_all(fold, &lines);
    for (size_t i = 0; linear->bias && i < n; i++)
        mean += (double)linear->bias[i] / (double)n;
    for (size_t i = 0; linear->bias && i < n; i++)
        linear->bias[i] = (float)((double)linear->bias[i] - mean);
    return WEIR_OK;
}

weir_status weir_centre_rows(const struct weir_fold *fold, struct weir_matrix *table)
{
    float *weights;
    if (table->n_out == 0)
        return WEIR_OK;
    TRY(take_in(&weights, fold, table));
    struct lines lines = outputs_of(table, weights);
    lines.centred = true;
    change_all(fold, &lines);
    return WEIR_OK;
}
