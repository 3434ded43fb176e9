/* A metric as a sum of measures, each with its tokens and positions in every prompt. */
#include "analysis/logit_metric.h"

#include "base/alloc.h"
#include "engine/positions.h"
#include "hooks/metric.h"

#include <stdio.h>

/* One measure, and what it is multiplied by. */
struct measured_part {
    double factor;
    bool sums; /* over positions, which are averaged otherwise */
    const struct weir_metric *of;
    struct weir_metric_ids *ids;  /* [n_prompts] */
    struct weir_positions *where; /* [n_prompts] */
};

struct weir_logit_metric {
    const weir_model *model;
    const weir_tokens *prompts; /* [n_prompts] the caller's, while it is opened */
    size_t n_prompts, n_vocab;
    const char *text;
    double constant;
    struct measured_part *parts; /* [n_parts] */
    size_t n_parts, cap_parts;
};

/* ---- opening ---- */

/* The last position, where the metric names none. */
static weir_status find_measured_positions(struct weir_positions *out, const struct weir_logit_metric *metric,
                                           const struct weir_metric *of, size_t i)
{
    const weir_tokens *prompt = &metric->prompts[i];
    if (of->has_positions) {
        TRY(weir_positions_find(out, metric->model, prompt, 0, &of->positions, "position"));
        return out->n > 0 ? WEIR_OK : weir_fail(WEIR_E_USAGE, "it has none of the metric's positions");
    }
    TRY(weir_alloc(&out->list, 1, sizeof *out->list));
    out->list[0] = (int32_t)(prompt->n - 1);
    out->n = 1;
    return WEIR_OK;
}

static weir_status look_up(struct measured_part *part, const struct weir_logit_metric *metric, size_t i)
{
    char prompt[32];
    size_t fault = part->of->at;
    snprintf(prompt, sizeof prompt, "prompt %zu", i);
    weir_status status = weir_metric_ids_find(&part->ids[i], &fault, metric->model, part->of, &metric->prompts[i]);
    if (status == WEIR_OK)
        status = find_measured_positions(&part->where[i], metric, part->of, i);
    return weir_in_character(weir_in(status, prompt), metric->text, fault);
}

static weir_status add_measured_part(struct weir_logit_metric *metric, const struct weir_metric *of, double factor,
                                     bool sums)
{
    TRY(weir_grow(&metric->parts, &metric->cap_parts, metric->n_parts + 1, sizeof *metric->parts));
    struct measured_part *part = &metric->parts[metric->n_parts++];
    *part = (struct measured_part){.factor = factor, .sums = sums, .of = of};
    TRY(weir_alloc_zero(&part->ids, metric->n_prompts, sizeof *part->ids));
    TRY(weir_alloc_zero(&part->where, metric->n_prompts, sizeof *part->where));
    for (size_t i = 0; i < metric->n_prompts; i++)
        TRY(look_up(part, metric, i));
    return WEIR_OK;
}

static bool is_of_one_row(const struct weir_metric *of)
{
    return of->kind == WEIR_METRIC_MEASURE && of->measure != WEIR_MEASURE_LOSS && of->measure != WEIR_MEASURE_KL &&
           !of->side;
}

static weir_status add_measured_parts(struct weir_logit_metric *metric, const struct weir_metric *of, double factor,
                                      bool sums)
{
    factor *= of->factor;
    if (of->kind == WEIR_METRIC_NUMBER) {
        metric->constant += factor;
        return WEIR_OK;
    }
    if (of->kind == WEIR_METRIC_ADD || of->kind == WEIR_METRIC_SUM) {
        for (size_t i = 0; i < of->n_children; i++)
            TRY(add_measured_parts(metric, &of->children[i], factor, sums || of->kind == WEIR_METRIC_SUM));
        return WEIR_OK;
    }
    if (!is_of_one_row(of))
        return weir_in_character(
            weir_fail(WEIR_E_UNSUPPORTED,
                      "patches are measured by logit, logprob, prob, rank and entropy of the prompt "
                      "that runs, and by sums of these"),
            metric->text, of->at);
    return add_measured_part(metric, of, factor, sums);
}

weir_status weir_logit_metric_open(struct weir_logit_metric **out, const weir_model *model,
                                   const struct weir_metric *of, const weir_tokens *prompts, size_t n)
{
    struct weir_logit_metric *metric = NULL;
    size_t shape[WEIR_MAX_AXES];
    weir_status status;
    *out = NULL;
    TRY_DONE(weir_alloc_zero(&metric, 1, sizeof *metric));
    *metric = (struct weir_logit_metric){.model = model, .prompts = prompts, .n_prompts = n, .text = of->text};
    weir_model_shape(model, WEIR_P_LOGITS, shape);
    metric->n_vocab = shape[1];
    TRY_DONE(add_measured_parts(metric, of, 1, false));
    *out = metric;
    metric = NULL;
done:
    weir_logit_metric_close(metric);
    return status;
}

static void close_measured_part(struct measured_part *part, size_t n_prompts)
{
    for (size_t i = 0; part->ids && i < n_prompts; i++)
        weir_metric_ids_close(&part->ids[i]);
    for (size_t i = 0; part->where && i < n_prompts; i++)
        weir_positions_close(&part->where[i]);
    weir_free(part->ids);
    weir_free(part->where);
}

void weir_logit_metric_close(struct weir_logit_metric *metric)
{
    if (!metric)
        return;
    for (size_t i = 0; i < metric->n_parts; i++)
        close_measured_part(&metric->parts[i], metric->n_prompts);
    weir_free(metric->parts);
    weir_free(metric);
}

/* ---- values ---- */

void weir_logit_metric_widen(weir_rows *rows, const struct weir_logit_metric *metric, size_t i)
{
    for (size_t p = 0; p < metric->n_parts; p++)
        for (size_t k = 0; k < metric->parts[p].where[i].n; k++) {
            size_t at = (size_t)metric->parts[p].where[i].list[k], end = rows->first + rows->n;
            size_t first = rows->n == 0 || at < rows->first ? at : rows->first;
            rows->n = (rows->n == 0 || at >= end ? at + 1 : end) - first;
            rows->first = first;
        }
}

static double measured_value(const struct measured_part *part, const weir_event *logits, size_t n_vocab, size_t i)
{
    const struct weir_row_measure of = {
        .measure = part->of->measure, .ids = part->ids[i].list, .n_ids = part->ids[i].n};
    const struct weir_positions *where = &part->where[i];
    double sum = 0;
    for (size_t k = 0; k < where->n; k++)
        sum += weir_row_measure_value(&of, logits->data + ((size_t)where->list[k] - logits->first) * n_vocab, n_vocab);
    return part->sums ? sum : sum / (double)where->n;
}

double weir_logit_metric_value(const struct weir_logit_metric *metric, const weir_event *logits, size_t i)
{
    double sum = metric->constant;
    for (size_t p = 0; p < metric->n_parts; p++)
        sum += metric->parts[p].factor * measured_value(&metric->parts[p], logits, metric->n_vocab, i);
    return sum;
}
