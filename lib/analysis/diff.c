/* Compares two files value by value. */
#include "analysis/analysis.h"

#include "points/points.h"
#include "tensor/ops.h"

#include <math.h>
#include <string.h>

/* Equal infinities (masked scores) and places that neither file has are alike; else both must be finite. */
static bool is_unlike(float a, float b)
{
    if (isfinite(a) && isfinite(b))
        return false;
    return isnan(a) ? !isnan(b) || weir_value_is_absent(a) != weir_value_is_absent(b) : a != b;
}

/* The largest difference and the largest value, of a row with values that are not numbers or not stored. */
static void compare_odd_row(struct weir_difference *out, const struct weir_row *row, double *largest, double *scale)
{
    *largest = *scale = 0;
    for (size_t i = 0; i < row->n; i++) {
        float a = row->values[i], b = row->other[i];
        out->unlike += is_unlike(a, b);
        if (!isfinite(a) || !isfinite(b))
            continue;
        out->count++;
        *largest = fmax(*largest, fabs((double)a - b));
        *scale = fmax(*scale, fmax(fabs((double)a), fabs((double)b)));
    }
}

/* One row of both files: the largest difference so far keeps its place. */
static weir_status compare_row(const struct weir_row *row, void *payload)
{
    struct weir_difference *out = payload;
    double largest, scale;
    float difference, most;
    if (row->missing) /* alike: neither file has them */
        return WEIR_OK;
    if (weir_ops()->max_difference(row->values, row->other, row->n, &difference, &most)) {
        largest = (double)difference;
        scale = (double)most;
        out->count += row->n;
    } else {
        compare_odd_row(out, row, &largest, &scale);
    }
    if (largest > out->absolute) {
        out->absolute = largest;
        out->layer = row->layer;
        out->prompt = row->prompt;
        out->position = row->position;
    }
    if (largest > 0)
        out->relative = fmax(out->relative, largest / scale);
    return WEIR_OK;
}

/* Rows and keys are compared prompt by prompt; all other axes must be equally long. */
static weir_status same_shape(const weir_file_point *a, const weir_file_point *b)
{
    for (int i = 0; i < a->point->n_axes; i++) {
        weir_axis axis = a->point->axes[i];
        bool of_prompt = weir_axis_is_position(axis);
        if (!of_prompt && a->shape[i] != b->shape[i])
            return weir_fail(WEIR_E_INPUT, "%s: %s is %zu in the first file and %zu in the second", a->point->name,
                             weir_axis_name(axis), a->shape[i], b->shape[i]);
    }
    return WEIR_OK;
}

weir_status weir_diff_point(struct weir_difference *out, const struct weir_source *a, const struct weir_source *b)
{
    *out = (struct weir_difference){.layer = -1, .prompt = -1, .position = -1};
    TRY(same_shape(a->point, b->point));
    int n = weir_source_layers(a);
    for (int i = 0; i < n && i < weir_source_layers(b); i++)
        if (weir_source_has_layer(a, i) && weir_source_has_layer(b, i))
            TRY(weir_each_row(a, b, a->point->layers ? i : -1, compare_row, out));
    return WEIR_OK;
}

/* Prompts are the same where their tokens and their stored positions are. */
static weir_status same_prompt(const weir_file *a, const weir_file *b, int i)
{
    weir_file_prompt pa, pb;
    TRY(weir_file_get_prompt(a, i, &pa));
    TRY(weir_file_get_prompt(b, i, &pb));
    if (pa.n != pb.n || memcmp(pa.ids, pb.ids, pa.n * sizeof *pa.ids) != 0)
        return weir_fail(
            WEIR_E_INPUT,
            "prompt %d has different tokens in the second file; only runs on the same prompts can be compared", i);
    if (pa.n_rows != pb.n_rows || memcmp(pa.positions, pb.positions, pa.n_rows * sizeof *pa.positions) != 0)
        return weir_fail(
            WEIR_E_INPUT,
            "prompt %d is stored at different positions in the second file; dump both with the same --positions", i);
    return WEIR_OK;
}

weir_status weir_diff_prompts(const weir_file *a, const weir_file *b)
{
    int n = weir_file_get_info(a)->n_prompts, m = weir_file_get_info(b)->n_prompts;
    if (n != m)
        return weir_fail(WEIR_E_INPUT,
                         "%d prompt%s in one file and %d in the other; only runs on the same prompts can be compared",
                         n, n == 1 ? "" : "s", m);
    for (int i = 0; i < n; i++)
        TRY(same_prompt(a, b, i));
    return WEIR_OK;
}
