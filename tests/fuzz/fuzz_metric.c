/* Any bytes as a metric: each part of what is parsed lies in the text and has what its kind needs. */
#include "base/alloc.h"
#include "points/metric.h"

#include <math.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_what_it_needs(const struct weir_metric *metric)
{
    switch (metric->kind) {
    case WEIR_METRIC_NUMBER:
        return metric->n_children == 0;
    case WEIR_METRIC_MEASURE:
        return (metric->measure <= WEIR_MEASURE_RANK) == (metric->n_tokens > 0) &&
               (metric->measure == WEIR_MEASURE_KL) == (metric->against.name || metric->against.numbers.n == 1);
    case WEIR_METRIC_PLACE:
        return metric->place && !metric->place->no_hook;
    case WEIR_METRIC_DOT:
        return metric->place && !metric->place->no_hook && metric->file.path;
    case WEIR_METRIC_SUM:
        return metric->n_children == 1;
    default:
        return metric->n_children > 1;
    }
}

static void check(const struct weir_metric *metric, size_t n)
{
    if (metric->at >= n || isnan(metric->factor) || !has_what_it_needs(metric))
        __builtin_trap();
    for (size_t i = 0; i < metric->n_tokens; i++)
        if (metric->tokens[i].at >= n || (metric->tokens[i].kind != WEIR_TOKEN_BY_ID && !*metric->tokens[i].text))
            __builtin_trap();
    for (size_t i = 0; i < metric->n_children; i++)
        check(&metric->children[i], n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    weir_metric *metric = NULL;
    char *text;
    if (weir_copy_bytes(&text, (const char *)data, size) != WEIR_OK)
        return 0;
    if (weir_metric_parse(&metric, text) == WEIR_OK)
        check(metric, strlen(text));
    weir_metric_close(metric);
    weir_free(text);
    return 0;
}
