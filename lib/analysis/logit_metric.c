/* A metric as a sum of measures, each with its tokens in every prompt. */
#include "analysis/logit_metric.h"

#include "base/alloc.h"
#include "base/json.h"
#include "model/model.h"
#include "tensor/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* One measure, and what it is multiplied by. */
struct part {
    double factor;
    const struct weir_metric *of;
    int32_t *ids;  /* of all prompts, one after the other */
    size_t *first; /* [n + 1] where those of each begin */
    size_t n_ids, cap_ids;
};

struct weir_logit_metric {
    const weir_model *model;
    size_t n_vocab;
    double constant;
    struct part *parts; /* [n_parts] */
    size_t n_parts, cap_parts;
};

/* ---- tokens ---- */

static weir_status add_measured_token(struct part *part, const struct weir_logit_metric *metric, int64_t id)
{
    if (id < 0 || (size_t)id >= metric->n_vocab)
        return weir_fail(WEIR_E_USAGE, "token %lld: the model's outputs are 0 to %zu", (long long)id,
                         metric->n_vocab - 1);
    TRY(weir_grow(&part->ids, &part->cap_ids, part->n_ids + 1, sizeof *part->ids));
    part->ids[part->n_ids++] = (int32_t)id;
    return WEIR_OK;
}

/* "' Mary' is several tokens, | Ma|ry|" */
static weir_status fail_several(const weir_model *model, const char *text, const weir_tokens *tokens)
{
    char list[200], token[64];
    size_t at = 0;
    for (size_t i = 0; i < tokens->n && at + sizeof token < sizeof list; i++) {
        weir_token_text(model, tokens->ids[i], token, sizeof token);
        at += (size_t)snprintf(list + at, sizeof list - at, "%s|", token);
    }
    return weir_fail(WEIR_E_USAGE, "'%.60s' is %zu tokens, |%s and a metric is of single ones: name one of them", text,
                     tokens->n, list);
}

static weir_status add_token_of_text(struct part *part, const struct weir_logit_metric *metric, const char *text)
{
    weir_tokens tokens;
    TRY(weir_tokenize(&tokens, metric->model, text, strlen(text), WEIR_BOS_NO));
    weir_status status = tokens.n == 1   ? add_measured_token(part, metric, tokens.ids[0])
                         : tokens.n == 0 ? weir_fail(WEIR_E_USAGE, "'%.60s' is no token", text)
                                         : fail_several(metric->model, text, &tokens);
    weir_tokens_close(&tokens);
    return status;
}

/* An id, a text, or a list of both. */
static weir_status add_tokens_of_json(struct part *part, const struct weir_logit_metric *metric, const cJSON *value,
                                      bool in_list)
{
    if (cJSON_IsString(value))
        return add_token_of_text(part, metric, value->valuestring);
    if (cJSON_IsNumber(value) && value->valuedouble == floor(value->valuedouble) && fabs(value->valuedouble) < 1e15)
        return add_measured_token(part, metric, (int64_t)value->valuedouble);
    if (!cJSON_IsArray(value) || in_list || !value->child)
        return weir_fail(WEIR_E_USAGE, "it is neither a token's text, nor its id, nor a list of them");
    for (const cJSON *each = value->child; each; each = each->next)
        TRY(add_tokens_of_json(part, metric, each, true));
    return WEIR_OK;
}

static weir_status add_tokens_of_field(struct part *part, const struct weir_logit_metric *metric, const char *name,
                                       const char *fields)
{
    cJSON *object = NULL;
    weir_status status;
    if (fields)
        TRY(weir_json_parse(&object, "its line", fields, strlen(fields)));
    const cJSON *value = object ? weir_json_get(object, name) : NULL;
    status = value ? weir_in(add_tokens_of_json(part, metric, value, false), name)
                   : weir_fail(WEIR_E_USAGE, "its line has no field '%s', which the metric names", name);
    cJSON_Delete(object);
    return status;
}

static weir_status find_tokens(struct part *part, const struct weir_logit_metric *metric, const weir_tokens *prompt)
{
    for (size_t i = 0; i < part->of->n_tokens; i++) {
        const struct weir_metric_token *token = &part->of->tokens[i];
        TRY(token->kind == WEIR_TOKEN_BY_ID     ? add_measured_token(part, metric, token->id)
            : token->kind == WEIR_TOKEN_BY_TEXT ? add_token_of_text(part, metric, token->text)
                                                : add_tokens_of_field(part, metric, token->text, prompt->fields));
    }
    return WEIR_OK;
}

/* ---- parts ---- */

static weir_status add_measured_part(struct weir_logit_metric *metric, const struct weir_metric *of, double factor,
                                     const weir_tokens *prompts, size_t n)
{
    TRY(weir_grow(&metric->parts, &metric->cap_parts, metric->n_parts + 1, sizeof *metric->parts));
    struct part *part = &metric->parts[metric->n_parts++];
    *part = (struct part){.factor = factor, .of = of};
    TRY(weir_alloc_zero(&part->first, n + 1, sizeof *part->first));
    for (size_t i = 0; i < n; i++) {
        char prompt[32];
        snprintf(prompt, sizeof prompt, "prompt %zu", i);
        TRY(weir_in(find_tokens(part, metric, &prompts[i]), prompt));
        part->first[i + 1] = part->n_ids;
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
        return weir_fail(WEIR_E_UNSUPPORTED,
                         "character %zu: patches are measured by logit, logprob, prob, rank and entropy at the last "
                         "position, and sums of these",
                         of->at + 1);
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
    for (size_t i = 0; i < metric->n_parts; i++) {
        weir_free(metric->parts[i].ids);
        weir_free(metric->parts[i].first);
    }
    weir_free(metric->parts);
    weir_free(metric);
}

/* ---- values ---- */

static double mean_logit(const float *logits, const int32_t *ids, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)logits[ids[i]];
    return sum / (double)n;
}

static double probability(const float *logits, size_t n_vocab, const int32_t *ids, size_t n)
{
    double all = (double)weir_ops()->logsumexp(logits, n_vocab), sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)logits[ids[i]] - all);
    return sum;
}

/* How many tokens have a larger logit; of several tokens the mean. */
static double mean_rank(const float *logits, size_t n_vocab, const int32_t *ids, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n_vocab; j++)
            sum += logits[j] > logits[ids[i]];
    return sum / (double)n;
}

static double entropy(const float *logits, size_t n_vocab)
{
    double all = (double)weir_ops()->logsumexp(logits, n_vocab), sum = 0;
    for (size_t i = 0; i < n_vocab; i++) {
        double logprob = (double)logits[i] - all;
        sum -= exp(logprob) * logprob;
    }
    return sum;
}

static double part_value(const struct part *part, const float *logits, size_t n_vocab, size_t prompt)
{
    const int32_t *ids = part->ids + part->first[prompt];
    size_t n = part->first[prompt + 1] - part->first[prompt];
    switch (part->of->measure) {
    case WEIR_MEASURE_LOGIT:
        return mean_logit(logits, ids, n);
    case WEIR_MEASURE_LOGPROB:
        return n == 1 ? (double)logits[ids[0]] - (double)weir_ops()->logsumexp(logits, n_vocab)
                      : log(probability(logits, n_vocab, ids, n));
    case WEIR_MEASURE_PROB:
        return probability(logits, n_vocab, ids, n);
    case WEIR_MEASURE_RANK:
        return mean_rank(logits, n_vocab, ids, n);
    default:
        return entropy(logits, n_vocab);
    }
}

double weir_logit_metric_value(const struct weir_logit_metric *metric, const float *logits, size_t i)
{
    double sum = metric->constant;
    for (size_t p = 0; p < metric->n_parts; p++)
        sum += metric->parts[p].factor * part_value(&metric->parts[p], logits, metric->n_vocab, i);
    return sum;
}
