/* Counts, means and extremes of a point's values, layer by layer. */
#include "analysis/analysis.h"

#include "tensor/ops.h"

#include <math.h>

/* A row in which some values are not numbers, or not stored. */
static void count_odd_row(struct weir_stats *one, const struct weir_row *row)
{
    double sum = 0;
    for (size_t i = 0; i < row->n; i++) {
        float value = row->values[i];
        if (weir_value_is_absent(value)) {
            one->absent++;
        } else if (isnan(value)) {
            one->n_nan++;
        } else if (isinf(value)) {
            one->n_inf++;
        } else {
            sum += value;
            one->min = one->count == 0 || value < one->min ? value : one->min;
            one->max = one->count == 0 || value > one->max ? value : one->max;
            one->count++;
        }
    }
    one->mean = one->count ? sum / (double)one->count : 0;
    for (size_t i = 0; i < row->n; i++)
        if (isfinite(row->values[i]))
            one->squares += (row->values[i] - one->mean) * (row->values[i] - one->mean);
}

/* The moments of one row by two passes, so that they can be joined without cancellation. */
static void count_finite_row(struct weir_stats *one, const struct weir_row *row, double sum, float low, float high)
{
    double mean = sum / (double)row->n;
    *one = (struct weir_stats){.count = row->n, .mean = mean, .min = (double)low, .max = (double)high};
    one->squares = weir_ops()->squares(row->values, row->n, mean);
}

static void add_norms(struct weir_stats *total, const struct weir_stats *more)
{
    uint64_t n = total->rows;
    if (more->rows == 0)
        return;
    total->rows += more->rows;
    total->norm_max = n ? fmax(total->norm_max, more->norm_max) : more->norm_max;
    total->norm_mean =
        n ? total->norm_mean + (more->norm_mean - total->norm_mean) * (double)more->rows / (double)total->rows
          : more->norm_mean;
}

/* All but what finish_stats derives, which is done once. */
static void merge_stats(struct weir_stats *total, const struct weir_stats *more)
{
    total->n_nan += more->n_nan;
    total->n_inf += more->n_inf;
    total->absent += more->absent;
    add_norms(total, more);
    if (more->count > 0 && total->count == 0) {
        total->mean = more->mean;
        total->squares = more->squares;
        total->min = more->min;
        total->max = more->max;
        total->count = more->count;
    } else if (more->count > 0) {
        double n = (double)total->count, m = (double)more->count, difference = more->mean - total->mean;
        total->mean += difference * m / (n + m);
        total->squares += more->squares + difference * difference * n * m / (n + m);
        total->min = fmin(total->min, more->min);
        total->max = fmax(total->max, more->max);
        total->count += more->count;
    }
}

/* Derives std and rms from count, mean and squares. */
static void finish_stats(struct weir_stats *stats)
{
    double n = (double)stats->count;
    stats->std = stats->count ? sqrt(stats->squares / n) : NAN;
    stats->rms = stats->count ? sqrt(stats->squares / n + stats->mean * stats->mean) : NAN;
    if (stats->count == 0)
        stats->mean = stats->min = stats->max = stats->norm_mean = stats->norm_max = NAN;
}

void weir_stats_add(struct weir_stats *total, const struct weir_stats *more)
{
    merge_stats(total, more);
    finish_stats(total);
}

/* One row's statistics, merged into those of the layer. */
static weir_status count_row(const struct weir_row *row, void *payload)
{
    struct weir_stats *total = payload;
    struct weir_stats one = {0};
    float low, high;
    double sum = 0;
    total->absent += row->missing * row->n;
    if (row->missing)
        return WEIR_OK;
    if (row->n > 0 && weir_ops()->survey(row->values, row->n, &sum, &low, &high))
        count_finite_row(&one, row, sum, low, high);
    else
        count_odd_row(&one, row);
    one.rows = one.count > 0;
    one.norm_mean = one.norm_max = sqrt(one.squares + (double)one.count * one.mean * one.mean);
    merge_stats(total, &one);
    return WEIR_OK;
}

weir_status weir_stats_layer(struct weir_stats *out, const weir_file *file, const weir_file_point *point, int layer)
{
    *out = (struct weir_stats){0};
    weir_status status = weir_each_row(&(struct weir_source){file, point, true}, NULL, layer, count_row, out);
    finish_stats(out);
    return status;
}
