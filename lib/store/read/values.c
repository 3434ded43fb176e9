/* Reads stored activations, as float32 whatever their type. */
#include "base/alloc.h"
#include "store/read/reader.h"
#include "tensor/absent.h"
#include "tensor/dtype.h"

#include <string.h>

static const size_t PIECE = (size_t)1 << 18; /* values converted at once */

/* The box of a stored value in the dataset: start and count along all its axes. */
struct box {
    size_t start[WEIR_MAX_RANK], count[WEIR_MAX_RANK];
    int rank, n_lead;
};

/* The caller's block of a value as a box of the dataset, checked against the file's sizes. */
static weir_status box_of(struct box *out, const weir_file *file, const struct weir_open_point *point, int layer,
                          int prompt, const weir_block *block)
{
    const weir_point *p = point->info.point;
    memset(out, 0, sizeof *out);
    TRY(weir_reader_check_prompt(file, prompt));
    if (p->per_layer ? layer < 0 || layer >= file->info.n_layers : layer != -1)
        return weir_fail(WEIR_E_USAGE, "%s: %s: layer %d is out of range", file->path, point->path, layer);
    if (p->per_layer)
        out->start[out->rank++] = (size_t)layer;
    out->start[out->rank++] = (size_t)prompt;
    out->n_lead = out->rank;
    for (int i = 0; i < out->rank; i++)
        out->count[i] = 1;
    for (int a = 0; a < p->n_axes; a++) {
        size_t size = point->info.shape[a], start = block ? block->start[a] : 0, count = block ? block->count[a] : size;
        if (start > size || count > size - start)
            return weir_fail(WEIR_E_USAGE, "%s: %s: %zu to %zu of %s: there are %zu", file->path, point->path, start,
                             start + count, weir_axis_name(p->axes[a]), size);
        out->start[out->rank] = start;
        out->count[out->rank++] = count;
    }
    return WEIR_OK;
}

static size_t box_size(const struct box *box)
{
    size_t n = 1;
    for (int a = 0; a < box->rank; a++)
        n *= box->count[a];
    return n;
}

static weir_status read_converted(const struct weir_open_point *point, const struct box *box, float *out)
{
    size_t n = box_size(box);
    uint16_t *halves; /* [n] of the box */
    TRY(weir_alloc(&halves, n, sizeof *halves));
    weir_status status = weir_stored_read(&point->stored, box->start, box->count, halves);
    if (status == WEIR_OK)
        weir_to_f32(out, halves, point->elem == WEIR_ELEM_F16 ? WEIR_T_F16 : WEIR_T_BF16, n);
    weir_free(halves);
    return status;
}

/* 16-bit values in slices of the outermost axis that is longer than one, so that what is in between stays small. */
static weir_status read_halves(const struct weir_open_point *point, const struct box *box, float *out)
{
    int axis = box->n_lead;
    while (axis < box->rank - 1 && box->count[axis] == 1)
        axis++;
    size_t all = box->count[axis], one = 1;
    for (int a = axis + 1; a < box->rank; a++)
        one *= box->count[a];
    size_t step = one && PIECE / one ? PIECE / one : 1;
    for (size_t i = 0; i < all; i += step) {
        struct box slice = *box;
        slice.start[axis] += i;
        slice.count[axis] = all - i < step ? all - i : step;
        TRY(read_converted(point, &slice, out + i * one));
    }
    return WEIR_OK;
}

static void integers_to_floats(float *values, size_t n)
{
    const uint32_t absent = WEIR_ABSENT_F32;
    for (size_t i = 0; i < n; i++) {
        int32_t number;
        memcpy(&number, &values[i], sizeof number);
        values[i] = (float)number;
        if (number == -1)
            memcpy(&values[i], &absent, sizeof absent);
    }
}

/* In files that knew one NaN only, what is not stored gets the one that now means "not stored". */
static void tell_absent(float *values, size_t n)
{
    const uint32_t absent = WEIR_ABSENT_F32;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        if (bits == WEIR_NAN_F32)
            memcpy(&values[i], &absent, sizeof absent);
    }
}

bool weir_is_stored(float value)
{
    return !weir_value_is_absent(value);
}

/* True where the fill value is the plain NaN and something may be missing. */
static bool has_plain_fill(const struct weir_open_point *point)
{
    uint32_t bits = 0;
    memcpy(&bits, point->stored.fill, weir_elem_size(point->elem));
    return !point->stored.contiguous && bits == (point->elem == WEIR_ELEM_F32    ? WEIR_NAN_F32
                                                 : point->elem == WEIR_ELEM_F16  ? WEIR_NAN_F16
                                                 : point->elem == WEIR_ELEM_BF16 ? WEIR_NAN_BF16
                                                                                 : 1);
}

weir_status weir_file_read(const weir_file *file, const weir_file_point *which, int layer, int prompt,
                           const weir_block *block, float *out)
{
    const struct weir_open_point *point = (const struct weir_open_point *)which; /* info is its first member */
    struct box box;
    TRY_GIVEN(file);
    TRY_GIVEN(which);
    TRY_GIVEN(out);
    if (point < file->points || point >= file->points + file->info.n_points)
        return weir_fail(WEIR_E_USAGE, "weir_file_read: the point belongs to another file than %s", file->path);
    weir_h5_begin();
    TRY(box_of(&box, file, point, layer, prompt, block));
    size_t n = box_size(&box);
    if (n == 0)
        return WEIR_OK;
    if (weir_elem_size(point->elem) == 2)
        TRY(read_halves(point, &box, out));
    else
        TRY(weir_stored_read(&point->stored, box.start, box.count, out));
    if (point->elem == WEIR_ELEM_I32)
        integers_to_floats(out, n);
    else if (has_plain_fill(point))
        tell_absent(out, n);
    return WEIR_OK;
}

bool weir_file_has(const weir_file *file, const weir_file_point *which, int layer, int prompt, const weir_block *block)
{
    const struct weir_open_point *point = (const struct weir_open_point *)which;
    struct box box;
    if (!file || !which)
        return false;
    weir_h5_begin();
    return box_of(&box, file, point, layer, prompt, block) == WEIR_OK &&
           weir_stored_has(&point->stored, box.start, box.count);
}
