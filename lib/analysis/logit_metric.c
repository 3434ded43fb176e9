/* A metric as a sum of measures, each with its tokens in every prompt. */
#include "analysis/logit_metric.h"

#include "base/alloc.h"
#include "hooks/metric.h"

#include <stdio.h>

/* One measure, and what it is multiplied by. */
struct part {
    double factor;
    const struct weir_metric *of;
    struct weir_metric_ids *ids; /* [n_prompts] its tokens in each */
};

struct weir_logit_metric {
    const weir_model *model;
    const struct weir_metric *of;
    size_t n_vocab, n_prompts;
    double constant;
    struct part *parts; /* [n_parts] */
    size_t n_parts, cap_parts;
};

/* ---- parts ---- */

static weir_status add_measured_part(struct weir_logit_metric *metric, const struct weir_metric *of, double factor,
                                     const weir_tokens *prompts, size_t n)
{
    TRY(weir_grow(&metric->parts, &metric->cap_parts, metric->n_parts + 1, sizeof *metric->parts));
    struct part *part = &metric->parts[metric->n_parts++];
    *part = (struct part){.factor = factor, .of = of};
    TRY(weir_alloc_zero(&part->ids, n, sizeof *part->ids));
    for (size_t i = 0; i < n; i++) {
        char prompt[32];
        size_t fault = of->at;
        snprintf(prompt, sizeof prompt, "prompt %zu", i);
        weir_status status = weir_metric_ids_find(&part->ids[i], &fault, metric->model, of, &prompts[i]);
        TRY(weir_in_character(weir_in(status, prompt), metric->of->text, fault));
    }
    return WEIR_OK;
}

static bool is_of_one_row(const struct weir_metric *of)
{
    return of->kind == WEIR_METRIC_MEASURE && of->measure != WEIR_MEASURE_LOSS && of->measure != WEIR_MEASURE_KL &&
           !of->has_positions && !of->side;
}

static weir_status add_measured_parts(struct weir_logit_metric *metric, const struct weir_metric *of, double factor,
                                      const weir_tokens *prompts, size_t n)
{
    factor *= of->factor;
    if (of->kind == WEIR_METRIC_NUMBER) {
        metric->constant += factor;
        return WEIR_OK;
    }
    if (of->kind == WEIR_METRIC_ADD) {
        for (size_t i = 0; i < of->n_children; i++)
            TRY(add_measured_parts(metric, &of->children[i], factor, prompts, n));
        return WEIR_OK;
    }
    if (!is_of_one_row(of))
        return weir_in_character(weir_fail(WEIR_E_UNSUPPORTED, "patches are measured by logit, logprob, prob, rank and "
                                                               "entropy at the last position, and sums of these"),
                                 metric->of->text, of->at);
    return add_measured_part(metric, of, factor, prompts, n);
}

weir_status weir_logit_metric_open(struct weir_logit_metric **out, const weir_model *model,
                                   const struct weir_metric *of, const weir_tokens *prompts, size_t n)
{
    struct weir_logit_metric *metric = NULL;
    size_t shape[WEIR_MAX_AXES];
    weir_status status;
    *out = NULL;
    TRY_DONE(weir_alloc_zero(&metric, 1, sizeof *metric));
    metric->model = model;
    metric->of = of;
    metric->n_prompts = n;
    weir_model_shape(model, WEIR_P_LOGITS, shape);
    metric->n_vocab = shape[1];
    TRY_DONE(add_measured_parts(metric, of, 1, prompts, n));
    *out = metric;
    metric = NULL;
done:
    weir_logit_metric_close(metric);
    return status;
}

void weir_logit_metric_close(struct weir_logit_metric *metric)
{
    if (!metric)
        return;
    for (size_t p = 0; p < metric->n_parts; p++) {
        for (size_t i = 0; metric->parts[p].ids && i < metric->n_prompts; i++)
            weir_metric_ids_close(&metric->parts[p].ids[i]);
        weir_free(metric->parts[p].ids);
    }
    weir_free(metric->parts);
    weir_free(metric);
}

/* ---- values ---- */

static double part_value(const struct part *part, const float *logits, size_t n_vocab, size_t prompt)
{
    const struct weir_row_measure of = {
        .measure = part->of->measure, .ids = part->ids[prompt].list, .n_ids = part->ids[prompt].n};
    return weir_row_measure_value(&of, logits, n_vocab);
}

double weir_logit_metric_value(const struct weir_logit_metric *metric, const float *logits, size_t i)
{
    double sum = metric->constant;
    for (size_t p = 0; p < metric->n_parts; p++)
        sum += metric->parts[p].factor * part_value(&metric->parts[p], logits, metric->n_vocab, i);
    return sum;
}
