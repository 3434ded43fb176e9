/* Parses the metrics of a command line, takes their values, and describes them to the file that is written. */
#include "cli/commands/metrics.h"

#include "base/alloc.h"
#include "base/json.h"
#include "points/metric.h"

#include <stdio.h>
#include <string.h>

/* ---- parsing and measuring ---- */

static weir_status in_option(weir_status status, const char *text)
{
    char which[300];
    snprintf(which, sizeof which, "--metric '%.280s'", text);
    return weir_in(status, which);
}

weir_status metrics_parse(struct metrics *metrics, const struct args *args, int opt)
{
    TRY(weir_alloc_zero(&metrics->list, args->n_given, sizeof(void *)));
    TRY(weir_alloc_zero(&metrics->texts, args->n_given, sizeof(void *)));
    TRY(weir_alloc_zero(&metrics->measured, args->n_given, sizeof(void *)));
    for (size_t i = 0; i < args->n_given; i++) {
        if (args->given[i].opt != opt)
            continue;
        metrics->texts[metrics->n] = args->given[i].text;
        TRY(in_option(weir_metric_parse(&metrics->list[metrics->n], args->given[i].text), args->given[i].text));
        metrics->n++;
    }
    return WEIR_OK;
}

weir_status metrics_measure(weir_measured **out, const struct metrics *metrics, weir_run *run)
{
    for (size_t m = 0; m < metrics->n; m++)
        TRY(in_option(weir_run_measure(&out[m], run, metrics->list[m]), metrics->texts[m]));
    return WEIR_OK;
}

weir_status metrics_take(double *values, const struct metrics *metrics, weir_measured *const *measured)
{
    for (size_t m = 0; m < metrics->n; m++)
        TRY(weir_measured_values(measured[m], values + m * metrics->n_prompts, metrics->n_prompts));
    return WEIR_OK;
}

/* ---- what the file says of them ---- */

/* The unit of all that is added up, "" for none, or for several. */
static const char *unit_of_metric(const struct weir_metric *metric)
{
    static const char *const units[WEIR_N_MEASURES] = {
        [WEIR_MEASURE_LOGIT] = "nats", [WEIR_MEASURE_LOGPROB] = "nats", [WEIR_MEASURE_PROB] = "",
        [WEIR_MEASURE_RANK] = "",      [WEIR_MEASURE_LOSS] = "nats",    [WEIR_MEASURE_ENTROPY] = "nats",
        [WEIR_MEASURE_KL] = "nats",
    };
    const char *unit = NULL;
    if (metric->kind == WEIR_METRIC_MEASURE)
        return units[metric->measure];
    for (size_t i = 0; i < metric->n_children; i++) {
        if (metric->children[i].kind == WEIR_METRIC_NUMBER)
            continue;
        const char *own = unit_of_metric(&metric->children[i]);
        if (unit && strcmp(unit, own) != 0)
            return "";
        unit = own;
    }
    return unit ? unit : "";
}

static weir_status json_text_of_list(char **out, cJSON *list)
{
    *out = list ? cJSON_PrintUnformatted(list) : NULL;
    cJSON_Delete(list);
    return *out ? WEIR_OK : weir_fail(WEIR_E_MEMORY, "out of memory");
}

static weir_status list_texts_and_units(struct metrics *metrics, const char *kl)
{
    cJSON *units = cJSON_CreateArray();
    for (size_t m = 0; m < metrics->n; m++)
        cJSON_AddItemToArray(units, cJSON_CreateString(unit_of_metric(metrics->list[m])));
    TRY(json_text_of_list(&metrics->units, units));
    TRY(json_text_of_list(&metrics->names, cJSON_CreateStringArray(metrics->texts, (int)metrics->n)));
    return kl ? json_text_of_list(&metrics->kl_name, cJSON_CreateStringArray(&kl, 1)) : WEIR_OK;
}

/* A result of the layout, with the texts of its metrics and their units. */
static void describe_result(struct metrics *metrics, enum weir_result_id id, const double *values, const char *names,
                            const char *units)
{
    const struct weir_result *result = weir_result_at(id);
    size_t at = metrics->n_grids++;
    metrics->notes[at][0] = (struct weir_store_note){.name = weir_attr_at(WEIR_A_GRID_METRICS)->name, .text = names};
    metrics->notes[at][1] = (struct weir_store_note){.name = weir_attr_at(WEIR_A_RESULT_UNITS)->name, .text = units};
    metrics->grids[at] = (struct weir_store_grid){.name = result->name,
                                                  .rank = result->rank,
                                                  .values = values,
                                                  .notes = metrics->notes[at],
                                                  .n_notes = MOST_METRIC_NOTES};
    for (int a = 0; a < result->rank; a++) {
        metrics->grids[at].dims[a] = result->dims[a];
        metrics->grids[at].shape[a] = result->dims[a] == WEIR_DIM_METRIC ? metrics->n : metrics->n_prompts;
    }
}

weir_status metrics_describe(struct metrics *metrics, size_t n_prompts, const char *kl)
{
    size_t all;
    metrics->n_prompts = n_prompts;
    TRY(weir_mul(&all, n_prompts, metrics->n));
    TRY(weir_alloc_zero(&metrics->values, all, sizeof *metrics->values));
    TRY(list_texts_and_units(metrics, kl));
    if (metrics->n)
        describe_result(metrics, WEIR_RESULT_METRICS, metrics->values, metrics->names, metrics->units);
    if (!kl)
        return WEIR_OK;
    TRY(weir_alloc_zero(&metrics->base, all, sizeof *metrics->base));
    TRY(weir_alloc_zero(&metrics->kl, n_prompts, sizeof *metrics->kl));
    if (metrics->n)
        describe_result(metrics, WEIR_RESULT_METRICS_BASE, metrics->base, metrics->names, metrics->units);
    describe_result(metrics, WEIR_RESULT_METRICS_KL, metrics->kl, metrics->kl_name, "[\"nats\"]");
    return WEIR_OK;
}

void metrics_close(struct metrics *metrics)
{
    for (size_t m = 0; metrics->list && m < metrics->n; m++)
        weir_metric_close(metrics->list[m]);
    weir_free(metrics->list);
    weir_free(metrics->texts);
    weir_free(metrics->measured);
    weir_free(metrics->values);
    weir_free(metrics->base);
    weir_free(metrics->kl);
    cJSON_free(metrics->names);
    cJSON_free(metrics->units);
    cJSON_free(metrics->kl_name);
}
