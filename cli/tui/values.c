/* Reads the rows on the screen and summarizes them. */
#include "cli/tui/values.h"

#include "cli/select/slices.h"

#include "analysis/analysis.h"
#include "base/alloc.h"
#include "points/select.h"

#include <math.h>
#include <string.h>

/* ---- the contents of the file ---- */

/* The axis that is neither down nor across the screen; -1 when there is none. */
static int find_outer_axis(const weir_point *point)
{
    if (point->n_axes < 3)
        return -1;
    return weir_point_row_axis(point) == 0 ? 1 : 0;
}

/* Marks the stored ones among the units of the outer axis. */
static weir_status mark_stored_units(struct tui_point *out, const weir_file_point *point, int axis, int n_layers)
{
    size_t n = point->shape[axis];
    out->n_units = (int)n;
    if (point->units && weir_point_unit_axis(point->point) == axis)
        return stored_units_mark(&out->units, n, point, NULL, n_layers);
    TRY(weir_alloc(&out->units, n, sizeof *out->units));
    memset(out->units, true, n * sizeof *out->units);
    return WEIR_OK;
}

weir_status tui_extent_read(struct tui_extent *out, const weir_file *file)
{
    const weir_file_info *info = weir_file_get_info(file);
    *out = (struct tui_extent){.n_layers = info->n_layers, .n_prompts = info->n_prompts};
    for (int i = 0; i < info->n_points && i < WEIR_N_POINTS; i++) {
        const weir_file_point *point = weir_file_point_at(file, i);
        out->points[i].layers = point->layers;
        out->n_points++;
        int axis = find_outer_axis(point->point);
        if (axis >= 0)
            TRY(mark_stored_units(&out->points[i], point, axis, info->n_layers));
    }
    if (out->n_points == 0)
        return weir_fail(WEIR_E_INPUT, "the file contains no hook points; weir dump --hooks stores them");
    return WEIR_OK;
}

void tui_extent_close(struct tui_extent *extent)
{
    for (int i = 0; i < extent->n_points; i++)
        weir_free(extent->points[i].units);
    extent->n_points = 0;
}

/* ---- one value ---- */

bool tui_is_pattern(const struct tui_value *value)
{
    return value->point->point->id == WEIR_P_PATTERN;
}

weir_status tui_value_at(struct tui_value *out, const weir_file *file, const struct tui_state *state,
                         const struct tui_place *place)
{
    const weir_file_point *stored = weir_file_point_at(file, place->point);
    const weir_point *point = stored->point;
    *out = (struct tui_value){.file = file, .point = stored, .place = *place, .layer = tui_layer(state, place)};
    out->outer_axis = find_outer_axis(point);
    out->row_axis = weir_point_row_axis(point);
    out->column_axis = point->n_axes - 1 == out->row_axis ? -1 : point->n_axes - 1;
    TRY(weir_file_get_prompt(file, place->prompt, &out->prompt));
    out->n_rows = out->prompt.n_rows;
    if (out->column_axis < 0)
        out->n_columns = 1;
    else if (weir_axis_is_position(point->axes[out->column_axis]))
        out->n_columns = out->prompt.n;
    else
        out->n_columns = stored->shape[out->column_axis];
    return WEIR_OK;
}

static bool same_value(const struct tui_value *a, const struct tui_value *b)
{
    return a->point == b->point && a->layer == b->layer && a->place.prompt == b->place.prompt &&
           (a->outer_axis < 0 || a->place.unit == b->place.unit);
}

/* Divides a row by what is left without its first weight, which becomes 0; all zeros where nothing is left. */
static void drop_first_weight(float *row, size_t n)
{
    double rest = 0;
    if (weir_row_is_absent(row, n))
        return;
    for (size_t i = 1; i < n; i++)
        rest += (double)row[i];
    row[0] = 0;
    for (size_t i = 1; i < n; i++)
        row[i] = rest > 0 ? (float)((double)row[i] / rest) : 0;
}

weir_status tui_band_read(struct tui_band *band, const struct tui_value *value, size_t first, size_t n,
                          bool without_first)
{
    size_t room;
    if (band->is_read && band->first == first && band->n == n && band->without_first == without_first &&
        same_value(&band->value, value))
        return WEIR_OK;
    weir_block block = {{0}, {1, 1, 1}};
    tui_band_close(band);
    TRY(weir_mul(&room, n, value->n_columns));
    TRY(weir_alloc(&band->values, room, sizeof *band->values));
    band->value = *value;
    band->first = first;
    band->n = n;
    band->without_first = without_first;
    block.start[value->row_axis] = first;
    block.count[value->row_axis] = n;
    if (value->outer_axis >= 0)
        block.start[value->outer_axis] = (size_t)value->place.unit;
    if (value->column_axis >= 0)
        block.count[value->column_axis] = value->n_columns;
    TRY(weir_file_read(value->file, value->point, value->layer, value->place.prompt, &block, band->values));
    band->is_read = true;
    for (size_t i = 0; i < n && without_first; i++)
        drop_first_weight(band->values + i * value->n_columns, value->n_columns);
    return WEIR_OK;
}

void tui_band_close(struct tui_band *band)
{
    weir_free(band->values);
    *band = (struct tui_band){0};
}

const float *tui_band_row(const struct tui_band *band, size_t row)
{
    return band->values + (row - band->first) * band->value.n_columns;
}

/* ---- summaries of rows ---- */

float tui_largest(const float *values, size_t n)
{
    float largest = 0;
    for (size_t i = 0; i < n; i++)
        if (isfinite(values[i]) && fabsf(values[i]) > largest)
            largest = fabsf(values[i]);
    return largest;
}

void tui_summarize(struct tui_summary *out, const float *values, size_t n)
{
    double squares = 0, sum = 0;
    *out = (struct tui_summary){NAN, NAN, NAN, NAN, 0};
    for (size_t i = 0; i < n; i++) {
        double value = (double)values[i];
        if (!isfinite(value))
            continue;
        squares += value * value;
        sum += value;
        out->least = out->n_finite && out->least < value ? out->least : value;
        out->most = out->n_finite && out->most > value ? out->most : value;
        out->n_finite++;
    }
    if (out->n_finite > 0) {
        out->norm = sqrt(squares);
        out->mean = sum / (double)out->n_finite;
    }
}
