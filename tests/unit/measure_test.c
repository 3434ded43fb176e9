#include "hooks/measure.h"

#include "base/alloc.h"
#include "hooks/metric.h"
#include "unit/data_path.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <string.h>

enum { VOCAB = 7 };

/* Whole 64ths, so that a step of a 1024th is exact in float32. */
static const float logits[VOCAB] = {0.5f, -1.25f, 2.0f, 0.015625f, -3.5f, 1.984375f, 0.75f};
static const float others[VOCAB] = {1.0f, 0.5f, -0.25f, 0.75f, 0.0f, -2.0f, 1.5f};

static const struct {
    const char *name;
    struct weir_row_measure of;
} rows[] = {
    {"logit of one", {WEIR_MEASURE_LOGIT, (const int32_t[]){2}, 1, NULL}},
    {"logit of several", {WEIR_MEASURE_LOGIT, (const int32_t[]){2, 4, 5}, 3, NULL}},
    {"logprob of one", {WEIR_MEASURE_LOGPROB, (const int32_t[]){1}, 1, NULL}},
    {"logprob of several", {WEIR_MEASURE_LOGPROB, (const int32_t[]){0, 1, 6}, 3, NULL}},
    {"prob of one", {WEIR_MEASURE_PROB, (const int32_t[]){5}, 1, NULL}},
    {"prob of several", {WEIR_MEASURE_PROB, (const int32_t[]){0, 4}, 2, NULL}},
    {"loss", {WEIR_MEASURE_LOSS, (const int32_t[]){3}, 1, NULL}},
    {"entropy", {WEIR_MEASURE_ENTROPY, NULL, 0, NULL}},
    {"kl", {WEIR_MEASURE_KL, NULL, 0, others}},
};

Test(measure, derivatives_are_those_of_finite_differences)
{
    const float step = 1.0f / 1024;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double found[VOCAB] = {0};
        weir_row_measure_derive(found, 3, &rows[i].of, logits, VOCAB);
        for (int j = 0; j < VOCAB; j++) {
            float moved[VOCAB];
            memcpy(moved, logits, sizeof moved);
            moved[j] = logits[j] + step;
            double more = weir_row_measure_value(&rows[i].of, moved, VOCAB);
            moved[j] = logits[j] - step;
            double less = weir_row_measure_value(&rows[i].of, moved, VOCAB);
            double expected = 3 * (more - less) / (2 * (double)step);
            cr_expect(fabs(found[j] - expected) < 2e-6, "%s by logit %d: %.9f, not %.9f", rows[i].name, j, found[j],
                      expected);
        }
    }
}

Test(measure, derivatives_are_added_to_what_is_there)
{
    double once[VOCAB] = {0}, twice[VOCAB] = {0};
    weir_row_measure_derive(once, 1, &rows[3].of, logits, VOCAB);
    weir_row_measure_derive(twice, 0.25, &rows[3].of, logits, VOCAB);
    weir_row_measure_derive(twice, 0.75, &rows[3].of, logits, VOCAB);
    for (int j = 0; j < VOCAB; j++)
        cr_expect(fabs(once[j] - twice[j]) < 1e-15);
}

Test(measure, values_are_those_of_a_softmax_by_hand)
{
    const float by_hand[4] = {0, logf(2), logf(3), logf(4)}; /* 0.1, 0.2, 0.3, 0.4 */
    const int32_t two[] = {1, 2};
    double entropy = -(0.1 * log(0.1) + 0.2 * log(0.2) + 0.3 * log(0.3) + 0.4 * log(0.4));
    const float even[4] = {5, 5, 5, 5};
#define VALUE(...) weir_row_measure_value(&(struct weir_row_measure){__VA_ARGS__}, by_hand, 4)
    cr_expect(fabs(VALUE(WEIR_MEASURE_PROB, two, 2) - 0.5) < 1e-7);
    cr_expect(fabs(VALUE(WEIR_MEASURE_LOGPROB, two, 2) - log(0.5)) < 1e-7);
    cr_expect(fabs(VALUE(WEIR_MEASURE_LOSS, two, 1) + log(0.2)) < 1e-7);
    cr_expect(fabs(VALUE(WEIR_MEASURE_LOGIT, two, 2) - (log(2) + log(3)) / 2) < 1e-7);
    cr_expect(fabs(VALUE(WEIR_MEASURE_ENTROPY, NULL, 0) - entropy) < 1e-7);
    cr_expect(fabs(VALUE(WEIR_MEASURE_KL, NULL, 0, even) -
                   (-log(4) + -(log(0.1) + log(0.2) + log(0.3) + log(0.4)) / 4)) < 1e-6,
              "of what is compared with from what is here");
    cr_expect(fabs(VALUE(WEIR_MEASURE_KL, NULL, 0, by_hand)) < 1e-15);
    cr_expect(eq(dbl, VALUE(WEIR_MEASURE_RANK, two, 1), 2));
    cr_expect(eq(dbl, VALUE(WEIR_MEASURE_RANK, two, 2), 1));
}

Test(measure, tokens_that_cannot_be_count_as_nothing)
{
    const float masked[4] = {0, -INFINITY, 0, -INFINITY};
    const int32_t never[] = {1, 3}, one[] = {0, 1};
    cr_expect(fabs(weir_row_measure_value(&(struct weir_row_measure){WEIR_MEASURE_ENTROPY}, masked, 4) - log(2)) <
              1e-12);
    cr_expect(eq(dbl, weir_row_measure_value(&(struct weir_row_measure){WEIR_MEASURE_PROB, never, 2}, masked, 4), 0));
    cr_expect(fabs(weir_row_measure_value(&(struct weir_row_measure){WEIR_MEASURE_PROB, one, 2}, masked, 4) - 0.5) <
              1e-12);
    cr_expect(
        eq(dbl, weir_row_measure_value(&(struct weir_row_measure){WEIR_MEASURE_LOSS, never, 1}, masked, 4), INFINITY));
    cr_expect(fabs(weir_row_measure_value(&(struct weir_row_measure){WEIR_MEASURE_KL, .against = masked}, masked, 4)) <
              1e-12);
}

Test(measure, large_logits_lose_nothing)
{
    const float large[3] = {30000, 29999, 0};
    const int32_t second[] = {1};
    double expected = -1 - log1p(exp(-1));
    cr_expect(fabs(weir_row_measure_value(&(struct weir_row_measure){WEIR_MEASURE_LOGPROB, second, 1}, large, 3) -
                   expected) < 1e-12);
}

/* ---- in a run ---- */

static weir_model *model;
static weir_run *run;
static weir_metric *metric;
static weir_measured *measured;

static void begin(const char *text)
{
    cr_assert(weir_model_open(&model, MODELS "/llama", NULL) == WEIR_OK, "%s", weir_message());
    cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
    cr_assert(weir_metric_parse(&metric, text) == WEIR_OK, "%s", weir_message());
    cr_assert(weir_run_measure(&measured, run, metric) == WEIR_OK, "%s", weir_message());
}

static void end(void)
{
    weir_metric_close(metric);
    weir_run_close(run);
    weir_model_close(model);
    model = NULL;
    run = NULL;
    metric = NULL;
}

TestSuite(measured, .fini = end);

static int32_t first_ids[] = {3, 1, 4, 1, 5}, second_ids[] = {9, 2, 6};
static weir_tokens prompts[] = {{.ids = first_ids, .n = 5, .side = (char *)"clean", .line = 1},
                                {.ids = second_ids, .n = 3, .side = (char *)"corrupt", .line = 1}};

/* A hook that moves one logit of one row of one prompt. */
struct move {
    int prompt;
    size_t row, id;
    float by;
};

static weir_status move_logit(const weir_event *event, void *payload)
{
    const struct move *move = payload;
    if (event->prompt == move->prompt)
        event->data[move->row * event->shape[1] + move->id] += move->by;
    return WEIR_OK;
}

static double total_with(struct move *move)
{
    double values[2];
    cr_assert(weir_run_hook(run, "logits", WEIR_EDIT, move_logit, move) == WEIR_OK);
    cr_assert(weir_run_forward(run, prompts, 2) == WEIR_OK, "%s", weir_message());
    cr_assert(weir_measured_values(measured, values, 2) == WEIR_OK, "%s", weir_message());
    weir_run_unhook(run, move_logit, move);
    return values[0] + values[1];
}

/* Compares the derivative at a few logits with differences; float32 logits of the fixture are rounded to 2^-18 or so.
 */
static void check_derivative(int prompt, size_t n_expected)
{
    enum { N_VOCAB = 211 };
    static double derivative[8 * N_VOCAB];
    int32_t *positions;
    size_t n;
    cr_assert(weir_run_forward(run, prompts, 2) == WEIR_OK, "%s", weir_message());
    cr_assert(weir_measured_positions(&positions, &n, measured, (size_t)prompt) == WEIR_OK);
    cr_assert(eq(sz, n, n_expected));
    cr_assert(weir_measured_derivative(derivative, measured, (size_t)prompt) == WEIR_OK, "%s", weir_message());
    for (size_t row = 0; row < n; row++)
        for (size_t id = 0; id < N_VOCAB; id += 30) {
            const float step = 1.0f / 16;
            struct move up = {prompt, (size_t)positions[row], id, step}, down = up;
            down.by = -step;
            double expected = (total_with(&up) - total_with(&down)) / (2 * (double)step);
            cr_expect(fabs(derivative[row * N_VOCAB + id] - expected) < 3e-3, "row %zu, token %zu: %f, not %f", row, id,
                      derivative[row * N_VOCAB + id], expected);
        }
    weir_free(positions);
}

Test(measured, the_derivative_of_a_whole_metric_is_that_of_differences)
{
    begin("2 * (logprob(30, 60)@0+2 - 0.5 * sum(loss@:)) + prob(90)@1 - kl(#clean)@:2 + 3");
    cr_assert(weir_measured_keep(measured) == WEIR_OK);
    check_derivative(1, 3);
}

Test(measured, a_side_of_the_line_has_the_derivative_of_who_reads_it)
{
    begin("logit(30)#clean - 2 * entropy@0");
    cr_assert(weir_measured_keep(measured) == WEIR_OK);
    check_derivative(0, 2);
}

Test(measured, what_has_no_derivative_says_why)
{
    begin("loss - rank(3)");
    cr_expect(eq(int, weir_measured_keep(measured), WEIR_E_UNSUPPORTED));
    cr_expect(eq(str, (char *)weir_message(), "loss - rank(3): rank counts, and has no derivative"));
    cr_expect(weir_metric_without_derivative(metric) != NULL);
    end();
    begin("loss + z:1.3");
    cr_expect(eq(int, weir_measured_keep(measured), WEIR_E_UNSUPPORTED));
}

Test(measured, values_are_there_after_a_pass_that_came_to_its_end)
{
    double values[2];
    begin("loss");
    cr_expect(eq(int, weir_measured_values(measured, values, 2), WEIR_E_USAGE));
    cr_assert(eq(int, weir_run_forward(run, prompts, 2), WEIR_OK));
    cr_expect(eq(int, weir_measured_values(measured, values, 1), WEIR_E_USAGE));
    cr_expect(eq(int, weir_measured_values(measured, values, 2), WEIR_OK));
    cr_expect(values[0] > 0 && values[1] > 0);
    cr_expect(eq(int, weir_run_forward(run, prompts, 0), WEIR_E_USAGE));
    cr_expect(eq(str, (char *)weir_metric_text(metric), "loss"));
}

Test(measured, every_failed_allocation_is_reported_and_leaks_nothing)
{
    cr_assert(weir_model_open(&model, MODELS "/llama", &(weir_model_options){.n_threads = 1}) == WEIR_OK);
    cr_assert(weir_metric_parse(&metric, "loss@: - kl(#clean) + prob(3)#base + [z:1.3]") == WEIR_OK);
    for (long n = 0;; n++) {
        double values[2];
        cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
        weir_alloc_fail_after(n);
        weir_status status = weir_run_measure(&measured, run, metric);
        if (status == WEIR_OK)
            status = weir_run_forward(run, prompts, 2);
        weir_alloc_fail_after(-1);
        if (status == WEIR_OK)
            status = weir_measured_values(measured, values, 2);
        weir_run_close(run);
        run = NULL;
        if (status == WEIR_OK)
            break;
        cr_assert(eq(int, status, WEIR_E_MEMORY), "%ld: %s", n, weir_message());
    }
}
