#include "analysis/analysis.h"

#include <math.h>

/* Adds one query of one head to that head's sums. */
static weir_status add_query(const struct weir_row *row, void *payload)
{
    struct weir_head *head = (struct weir_head *)payload + row->at[0];
    if (weir_row_is_absent(row->values, row->n))
        return WEIR_OK;
    size_t query = (size_t)row->position;
    if (row->position < 0 || query >= row->n)
        return weir_fail(WEIR_E_INPUT, "prompt %d: position %d of a stored row lies outside its %zu tokens",
                         row->prompt, row->position, row->n);
    for (size_t key = 0; key <= query; key++) {
        double weight = row->values[key];
        head->entropy -= weight > 0 ? weight * log(weight) : 0;
        head->distance += weight * (double)(query - key);
    }
    head->n++;
    head->self += row->values[query];
    head->first += row->values[0];
    if (query > 0) {
        head->n_previous++;
        head->previous += row->values[query - 1];
    }
    return WEIR_OK;
}

static void to_means(struct weir_head *head)
{
    double n = (double)head->n;
    head->entropy /= n; /* no queries: 0/0 is the NaN that is promised */
    head->self /= n;
    head->first /= n;
    head->distance /= n;
    head->previous /= (double)head->n_previous;
}

weir_status weir_heads_layer(struct weir_head *heads, const weir_file *file, const weir_file_point *pattern, int layer)
{
    size_t n = pattern->shape[0];
    for (size_t i = 0; i < n; i++)
        heads[i] = (struct weir_head){0};
    weir_status status = weir_each_row(&(struct weir_source){file, pattern}, NULL, layer, add_query, heads);
    for (size_t i = 0; i < n; i++)
        to_means(&heads[i]);
    return status;
}
