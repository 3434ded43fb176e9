/* The most active units of a point, and the norms of its rows. */
#include "analysis/analysis.h"

#include "base/alloc.h"

#include <math.h>

/* Keeps each unit's largest absolute value in the payload, [units]. */
static weir_status keep_peaks(const struct weir_row *row, void *payload)
{
    float *peaks = payload;
    for (size_t i = 0; i < row->n && row->position > 0; i++) {
        float size = fabsf(row->values[i]);
        if (size > peaks[i]) /* not for NaN */
            peaks[i] = size;
    }
    return WEIR_OK;
}

weir_status weir_top_units(size_t *out, size_t *n, size_t k, const struct weir_source *source, int layer,
                           const size_t *prompts, size_t n_prompts)
{
    size_t n_units = source->point->shape[1];
    float *peaks; /* [n_units] */
    *n = 0;
    TRY(weir_alloc_zero(&peaks, n_units, sizeof *peaks));
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < n_prompts && status == WEIR_OK; i++)
        status = weir_each_row_of(source, NULL, layer, (int)prompts[i], keep_peaks, peaks);
    if (status == WEIR_OK)
        *n = weir_top_k(out, k, peaks, n_units);
    weir_free(peaks);
    return status;
}

/* Appends the row's length to where the payload points. */
static weir_status add_norm(const struct weir_row *row, void *payload)
{
    float **out = payload;
    double squares = 0;
    for (size_t i = 0; i < row->n; i++)
        squares += (double)row->values[i] * (double)row->values[i];
    *(*out)++ = weir_row_is_absent(row->values, row->n) ? NAN : (float)sqrt(squares);
    return WEIR_OK;
}

weir_status weir_row_norms(float *out, const struct weir_source *source, int layer, int prompt)
{
    return weir_each_row_of(source, NULL, layer, prompt, add_norm, &out);
}
