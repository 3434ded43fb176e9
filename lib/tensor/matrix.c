/* Reads rows of a weight matrix as float32. */
#include "tensor/matrix.h"

#include "tensor/ops.h"

#include <string.h>

enum {
    SCALED = 32, /* values that share one of a matrix's `scales` */
    SPAN = 256   /* values that are converted to keep every second or third of them */
};

static const float *copy_of(const struct weir_matrix *w)
{
    return __atomic_load_n(&w->copy, __ATOMIC_ACQUIRE);
}

void weir_matrix_set_copy(struct weir_matrix *w, float *copy)
{
    __atomic_store_n(&w->copy, copy, __ATOMIC_RELEASE);
}

void weir_matrix_set_panels(struct weir_matrix *w, weir_compute compute, uint32_t *panels)
{
    __atomic_store_n(&w->panels[compute - 1], panels, __ATOMIC_RELEASE);
}

const uint32_t *weir_matrix_panels(const struct weir_matrix *w, weir_compute compute)
{
    return __atomic_load_n(&w->panels[compute - 1], __ATOMIC_ACQUIRE);
}

const float *weir_matrix_weights(const struct weir_matrix *w, size_t *ld)
{
    const float *copy = copy_of(w);
    *ld = copy ? (w->input_major ? w->n_out : w->n_in) : w->stride;
    if (copy)
        return copy;
    bool in_place =
        w->type == WEIR_T_F32 && w->pair_rows == 0 && w->group_rows == 0 && (uintptr_t)w->data % sizeof(float) == 0;
    return in_place ? (const float *)(const void *)w->data : NULL;
}

bool weir_matrix_is_direct(const struct weir_matrix *w)
{
    size_t ld;
    return weir_matrix_weights(w, &ld) != NULL;
}

/* The stored row of output i; of an input-major matrix, its place in every row. */
static size_t stored_row(const struct weir_matrix *w, size_t i)
{
    if (w->pair_rows > 0) {
        size_t in_head = i % w->pair_rows, half = w->pair_rows / 2;
        i += (in_head < half ? 2 * in_head : 2 * (in_head - half) + 1) - in_head;
    }
    return w->group_rows > 0 ? i / w->group_rows * w->group_stride + i % w->group_rows : i;
}

/* n values from `first` on of stored row i; first is a whole number of blocks (0 for quantized types). */
static void convert_row_part(float *out, const struct weir_matrix *w, size_t row, size_t first, size_t n)
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

/* Up to the last value, not the last row's end: what follows a part of a fused matrix may be past the map. */
void weir_matrix_release_pages(const struct weir_matrix *w)
{
    const struct weir_type_info *type = weir_type_get_info(w->type);
    if (w->in_memory) /* no file has it */
        return;
    size_t last = stored_row(w, w->n_out - 1);
    size_t n = w->input_major ? (w->n_in - 1) * w->stride + last + 1 : last * w->stride + w->n_in;
    weir_map_release_pages(w->data, n / type->block_values * type->block_bytes);
}

void weir_matrix_row(float *out, const struct weir_matrix *w, size_t i)
{
    const float *copy = copy_of(w);
    if (copy)
        memcpy(out, copy + i * w->n_in, w->n_in * sizeof *out);
    else
        convert_row_part(out, w, stored_row(w, i), 0, w->n_in);
}

/* Outputs first to first + n - 1 of an input-major matrix's row. */
static void convert_columns(float *out, const struct weir_matrix *w, size_t row, size_t first, size_t n)
{
    float span[SPAN];
    size_t run = w->group_rows, every = w->group_stride;
    if (run == 0) {
        convert_row_part(out, w, row, first, n);
    } else if (run == 1 && every < SPAN) {
        for (size_t i = 0, some = 0; i < n; i += some) {
            some = n - i < SPAN / every ? n - i : SPAN / every;
            convert_row_part(span, w, row, (first + i) * every, (some - 1) * every + 1);
            for (size_t j = 0; j < some; j++)
                out[i + j] = span[j * every];
        }
    } else {
        for (size_t i = 0, some = 0; i < n; i += some) {
            size_t left = run - (first + i) % run;
            some = n - i < left ? n - i : left;
            convert_row_part(out + i, w, row, stored_row(w, first + i), some);
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
        convert_row_part(out, w, first, 0, n * w->n_in);
    else
        for (size_t i = 0; i < n; i++)
            convert_row_part(out + i * w->n_in, w, stored_row(w, first + i), 0, w->n_in);
}

const float *weir_matrix_piece(const struct weir_matrix *w, size_t first, size_t n, float *scratch, size_t *ld)
{
    const float *weights = weir_matrix_weights(w, ld);
    if (weights)
        return weights + (w->input_major ? first : first * *ld);
    convert_outputs(scratch, w, first, n);
    *ld = w->input_major ? n : w->n_in;
    return scratch;
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
            convert_row_part(c->out + i * c->w->n_in, c->w, stored_row(c->w, i), 0, c->w->n_in);
}

void weir_matrix_convert(float *out, const struct weir_matrix *w, struct weir_pool *pool)
{
    struct conversion c = {out, w};
    weir_parallel(pool, w->input_major ? w->n_in : w->n_out, 64, convert_rows, &c);
}
