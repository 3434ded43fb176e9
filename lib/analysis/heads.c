/* Sums over patterns, row by row, and the scores of heads made from them. */
#include "analysis/heads.h"

#include "base/alloc.h"
#include "tensor/ops.h"

#include <math.h>
#include <string.h>

/* Sums over one head's queries. */
struct sums {
    uint64_t n;
    double entropy, self, first, distance;
    uint64_t queries[WEIR_N_DETECTIONS]; /* with a key that matches */
    double weight[WEIR_N_DETECTIONS];    /* on those */

    /* of the prompt at hand, as TransformerLens counts */
    uint64_t rows;
    double total;                         /* all weight that is not excluded */
    double matching[WEIR_N_DETECTIONS];   /* of it, what is on keys that match */
    double difference[WEIR_N_DETECTIONS]; /* sum of |weight - wanted| */

    /* of the prompts before it */
    uint64_t prompts;
    double mul[WEIR_N_DETECTIONS], abs[WEIR_N_DETECTIONS];
};

struct weir_heads {
    const struct weir_heads_options *options;
    size_t n_layers, n_heads;
    bool *layers, *chosen;      /* [n_layers], [n_heads] that were asked for */
    bool *asks;                 /* [n of the detection matrix] whether it asks anything of that query */
    struct sums *sums;          /* [n_layers, n_heads] */
    struct weir_echoes echoes;  /* of the prompt at hand */
    const weir_tokens *prompts; /* of a run */
};

/* ---- one query ---- */

static bool is_excluded(const struct weir_heads_options *options, size_t query, size_t key)
{
    return (options->exclude_bos && key == 0) || (options->exclude_current_token && key == query);
}

static void add_detected(struct sums *sums, enum weir_detection which, bool any, double matching, double difference)
{
    sums->queries[which] += any;
    sums->weight[which] += any ? matching : 0;
    sums->matching[which] += matching;
    sums->difference[which] += difference;
}

/* A pattern of ones and zeros: only the ones need a look. `magnitude` is the sum of |weight|, the difference if all are
   zeros. */
static void add_named(const struct weir_heads *heads, struct sums *sums, enum weir_detection which, size_t query,
                      const float *weights, double magnitude)
{
    double matching = 0, difference = magnitude;
    bool any = false;
    for (int32_t key = -1; weir_detect_next(&key, &heads->echoes, which, query);) {
        double weight = (double)weights[key];
        if (is_excluded(heads->options, query, (size_t)key))
            continue;
        any = true;
        matching += weight;
        difference += fabs(weight - 1) - fabs(weight);
    }
    add_detected(sums, which, any, matching, difference);
}

/* A pattern of any weights: the products and differences of the whole row, then without the excluded keys. */
static void add_matrix(const struct weir_heads *heads, struct sums *sums, size_t query, const float *weights)
{
    const struct weir_detection_matrix *matrix = heads->options->detect;
    const float *wanted = matrix->values + query * matrix->n;
    const size_t ends[] = {0, query};
    double matching, difference;
    weir_ops()->match(weights, wanted, query + 1, &matching, &difference);
    for (size_t i = 0; i < 1 + (query > 0); i++) {
        double weight = (double)weights[ends[i]], want = (double)wanted[ends[i]];
        bool out = is_excluded(heads->options, query, ends[i]);
        matching -= out ? weight * want : 0;
        difference -= out ? fabs(weight - want) : 0;
    }
    add_detected(sums, WEIR_DETECT_MATRIX, heads->asks[query], matching, difference);
}

/* The one place where a query of a head is counted; weights is [query + 1] at least. */
static void add_query(const struct weir_heads *heads, struct sums *sums, size_t query, const float *weights)
{
    struct weir_weighed all;
    weir_ops()->weigh(weights, query + 1, &all);
    sums->n++;
    sums->rows++;
    sums->entropy += all.entropy;
    sums->distance += (double)query * all.sum - all.moment;
    sums->self += (double)weights[query];
    sums->first += (double)weights[0];
    if (is_excluded(heads->options, query, 0)) {
        all.sum -= (double)weights[0];
        all.magnitude -= fabs((double)weights[0]);
    }
    if (query > 0 && is_excluded(heads->options, query, query)) {
        all.sum -= (double)weights[query];
        all.magnitude -= fabs((double)weights[query]);
    }
    sums->total += all.sum;
    for (int which = 0; which < WEIR_DETECT_MATRIX; which++)
        add_named(heads, sums, (enum weir_detection)which, query, weights, all.magnitude);
    if (heads->options->detect)
        add_matrix(heads, sums, query, weights);
}

/* ---- one prompt ---- */

static weir_status begin_prompt(struct weir_heads *heads, int prompt, const int32_t *ids, size_t n)
{
    const struct weir_detection_matrix *matrix = heads->options->detect;
    weir_echoes_close(&heads->echoes);
    if (matrix && matrix->n != n)
        return weir_fail(WEIR_E_USAGE, "%s: is %zu by %zu, prompt %d has %zu tokens", matrix->path, matrix->n,
                         matrix->n, prompt, n);
    return weir_echoes_open(&heads->echoes, ids, n);
}

/* TransformerLens's two measures of a prompt; of one token it takes none. */
static void end_prompt(struct sums *sums, size_t n_tokens)
{
    for (int which = 0; sums->rows > 0 && n_tokens > 1 && which < WEIR_N_DETECTIONS; which++) {
        sums->mul[which] += sums->matching[which] / sums->total;
        sums->abs[which] += 1 - nearbyint(sums->difference[which] / (double)sums->rows * 1000) / 1000;
    }
    sums->prompts += sums->rows > 0 && n_tokens > 1;
    sums->rows = 0;
    sums->total = 0;
    memset(sums->matching, 0, sizeof sums->matching);
    memset(sums->difference, 0, sizeof sums->difference);
}

static struct sums *sums_of_head(const struct weir_heads *heads, int layer, size_t head)
{
    return &heads->sums[(size_t)layer * heads->n_heads + head];
}

/* ---- opening ---- */

/* Marks the queries of which the matrix asks something, excluded keys aside. */
static weir_status mark_asked(struct weir_heads *heads)
{
    const struct weir_detection_matrix *matrix = heads->options->detect;
    if (!matrix)
        return WEIR_OK;
    TRY(weir_alloc_zero(&heads->asks, matrix->n, sizeof *heads->asks));
    for (size_t query = 0; query < matrix->n; query++)
        for (size_t key = 0; key <= query; key++)
            heads->asks[query] |=
                matrix->values[query * matrix->n + key] != 0 && !is_excluded(heads->options, query, key);
    return WEIR_OK;
}

static weir_status open_heads(struct weir_heads **out, size_t n_layers, size_t n_heads,
                              const struct weir_heads_options *options)
{
    struct weir_heads *heads;
    size_t n;
    weir_status status;
    TRY(weir_alloc_zero(&heads, 1, sizeof *heads));
    heads->options = options;
    heads->n_layers = n_layers;
    heads->n_heads = n_heads;
    TRY_DONE(weir_mul(&n, n_layers, n_heads));
    TRY_DONE(weir_alloc_zero(&heads->sums, n, sizeof *heads->sums));
    TRY_DONE(weir_alloc_zero(&heads->layers, n_layers, sizeof *heads->layers));
    TRY_DONE(weir_alloc_zero(&heads->chosen, n_heads, sizeof *heads->chosen));
    TRY_DONE(weir_slices_mark(&options->layers, heads->layers, n_layers, "layer"));
    TRY_DONE(weir_slices_mark(&options->heads, heads->chosen, n_heads, "head"));
    TRY_DONE(mark_asked(heads));
    *out = heads;
    return WEIR_OK;
done:
    weir_heads_close(heads);
    return status;
}

void weir_heads_close(struct weir_heads *heads)
{
    if (!heads)
        return;
    weir_echoes_close(&heads->echoes);
    weir_free(heads->sums);
    weir_free(heads->layers);
    weir_free(heads->chosen);
    weir_free(heads->asks);
    weir_free(heads);
}

/* ---- from a file ---- */

/* One layer on its way through the file. */
struct reading {
    struct weir_heads *heads;
    const weir_file *file;
    const weir_file_point *pattern;
};

static weir_status add_pattern_row(const struct weir_row *row, void *payload)
{
    const struct weir_heads *heads = payload;
    if (row->missing || weir_row_is_absent(row->values, row->n))
        return WEIR_OK;
    size_t query = (size_t)row->position;
    TRY(weir_row_check_query(row));
    if (heads->options->also)
        TRY(heads->options->also(row, heads->options->payload));
    add_query(heads, sums_of_head(heads, row->layer, row->at[0]), query, row->values);
    return WEIR_OK;
}

/* The heads that were asked for, those side by side at once. */
static weir_status read_prompt(const struct reading *reading, int layer, int prompt)
{
    struct weir_heads *heads = reading->heads;
    weir_file_prompt tokens;
    TRY(weir_file_get_prompt(reading->file, prompt, &tokens));
    TRY(begin_prompt(heads, prompt, tokens.ids, tokens.n));
    for (size_t head = 0, end; head < heads->n_heads; head = end) {
        for (end = head; end < heads->n_heads && heads->chosen[end];)
            end++;
        struct weir_head_range range = {layer, prompt, head, end};
        if (end > head)
            TRY(weir_rows_of_heads(&(struct weir_source){reading->file, reading->pattern, true}, &range,
                                   add_pattern_row, heads));
        end += end == head;
    }
    for (size_t head = 0; head < heads->n_heads; head++)
        end_prompt(sums_of_head(heads, layer, head), tokens.n);
    return WEIR_OK;
}

/* Layer by layer, so that the file is read in the order in which it is stored. */
static weir_status read_all(const struct reading *reading)
{
    size_t n = (size_t)weir_file_get_info(reading->file)->n_prompts;
    bool *prompts = NULL;
    weir_status status;
    TRY_DONE(weir_alloc_zero(&prompts, n, sizeof *prompts));
    TRY_DONE(weir_slices_mark(&reading->heads->options->prompts, prompts, n, "prompt"));
    for (size_t layer = 0; layer < reading->heads->n_layers; layer++)
        for (size_t prompt = 0; prompt < n; prompt++)
            if (reading->heads->layers[layer] && reading->pattern->layers[layer] && prompts[prompt])
                TRY_DONE(read_prompt(reading, (int)layer, (int)prompt));
done:
    weir_free(prompts);
    return status;
}

weir_status weir_heads_of_file(struct weir_heads **out, const weir_file *file, const struct weir_heads_options *options)
{
    const weir_file_point *pattern;
    struct weir_heads *heads = NULL;
    *out = NULL;
    TRY(weir_stored_pattern(&pattern, file));
    TRY(open_heads(&heads, (size_t)weir_file_get_info(file)->n_layers, pattern->shape[0], options));
    weir_status status = read_all(&(struct reading){heads, file, pattern});
    if (status == WEIR_OK)
        *out = heads;
    else
        weir_heads_close(heads);
    return status;
}

/* ---- from a run ---- */

static weir_status see_pattern(const weir_event *event, void *payload)
{
    struct weir_heads *heads = payload;
    const weir_tokens *tokens = &heads->prompts[event->prompt];
    size_t n = tokens->n;
    TRY(begin_prompt(heads, event->prompt, tokens->ids, n));
    for (size_t head = 0; head < heads->n_heads; head++) {
        struct sums *sums = sums_of_head(heads, event->layer, head);
        for (size_t query = 0; heads->chosen[head] && query < n; query++)
            add_query(heads, sums, query, event->data + (head * n + query) * n);
        end_prompt(sums, n);
    }
    return WEIR_OK;
}

/* A hook for each layer that was asked for: the run ends after the last of them. */
static weir_status hook_layers(weir_run *run, const weir_model *model, struct weir_heads *heads)
{
    for (size_t layer = 0; layer < heads->n_layers; layer++)
        if (heads->layers[layer] && weir_model_has_point(model, WEIR_P_PATTERN, (int)layer, NULL))
            TRY(weir_run_hook_at(run, WEIR_P_PATTERN, (int)layer, WEIR_READ, see_pattern, heads));
    return WEIR_OK;
}

weir_status weir_heads_of_model(struct weir_heads **out, weir_model *model, const weir_tokens *prompts, size_t n,
                                const struct weir_heads_options *options)
{
    struct weir_heads *heads = NULL;
    weir_run *run = NULL;
    size_t shape[WEIR_MAX_AXES] = {0};
    weir_status status;
    *out = NULL;
    weir_model_shape(model, WEIR_P_PATTERN, shape);
    TRY_DONE(open_heads(&heads, (size_t)weir_model_get_info(model)->n_layers, shape[0], options));
    heads->prompts = prompts;
    TRY_DONE(weir_run_open(&run, model, NULL));
    TRY_DONE(hook_layers(run, model, heads));
    TRY_DONE(weir_run_forward(run, prompts, n));
    *out = heads;
    heads = NULL;
done:
    weir_run_close(run);
    weir_heads_close(heads);
    return status;
}

/* ---- what they come to ---- */

int weir_heads_layers(const struct weir_heads *heads)
{
    return (int)heads->n_layers;
}

int weir_heads_heads(const struct weir_heads *heads)
{
    return (int)heads->n_heads;
}

bool weir_heads_get(struct weir_head *out, const struct weir_heads *heads, int layer, int head)
{
    const struct sums *sums = sums_of_head(heads, layer, (size_t)head);
    double n = (double)sums->n, prompts = (double)sums->prompts;
    if (sums->n == 0)
        return false;
    *out = (struct weir_head){.n = sums->n,
                              .entropy = sums->entropy / n,
                              .self = sums->self / n,
                              .first = sums->first / n,
                              .distance = sums->distance / n};
    for (int which = 0; which < WEIR_N_DETECTIONS; which++) /* no queries: 0/0 is the NaN that is promised */
        out->match[which] = (struct weir_match){.queries = sums->queries[which],
                                                .weight = sums->weight[which] / (double)sums->queries[which],
                                                .mul = sums->mul[which] / prompts,
                                                .abs = sums->abs[which] / prompts};
    return true;
}
