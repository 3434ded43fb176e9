/* What ships with weir and registers with a run: captures, and the likeliest next tokens. */
#include "hooks/next.h"
#include "tensor/absent.h"
#include "unit/data_path.h"
#include "weir.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- next ---- */

enum { VOCAB = 5 };

/* The rows' softmax is by hand: exp(ln 1, ln 2, ...) are whole numbers. */
static const float ln2 = 0.693147180559945f, ln3 = 1.09861228866811f, ln4 = 1.38629436111989f;

/* Computes the `top` likeliest at the positions of a prompt of n tokens. */
static struct weir_next *next_of(const float *logits, int32_t *ids, size_t n, size_t top, const int32_t *positions,
                                 size_t n_rows)
{
    struct weir_next *next;
    struct weir_pool *pool;
    weir_tokens prompt = {.ids = ids, .n = n};
    cr_assert(weir_pool_open(&pool, 2) == WEIR_OK);
    cr_assert(weir_next_open(&next, top, n) == WEIR_OK);
    cr_assert(weir_next_compute(next, pool, logits, VOCAB, &prompt, positions, n_rows) == WEIR_OK);
    weir_pool_close(pool);
    return next;
}

Test(next, the_likeliest_tokens_come_first_and_of_equals_the_lower_id)
{
    static const float logits[VOCAB] = {0, 2, 1, 2, 1};
    static const int32_t expected[VOCAB] = {1, 3, 2, 4, 0};
    struct weir_next *next = next_of(logits, (int32_t[]){0}, 1, VOCAB, (int32_t[]){0}, 1);
    for (int i = 0; i < VOCAB; i++) {
        cr_expect_eq(next->ids[i], expected[i]);
        cr_expect_eq(next->logits[i], logits[expected[i]]);
    }
    weir_next_close(next);
}

Test(next, log_probabilities_are_over_the_whole_vocabulary_whatever_is_asked_for)
{
    const float logits[VOCAB] = {0, ln2, ln3, ln4, 0}; /* 1, 2, 3, 4, 1 of 11 */
    struct weir_next *next = next_of(logits, (int32_t[]){0}, 1, 2, (int32_t[]){0}, 1);
    cr_expect_float_eq(next->logprobs[0], logf(4.0f / 11), 1e-6);
    cr_expect_float_eq(next->logprobs[1], logf(3.0f / 11), 1e-6);
    weir_next_close(next);
}

Test(next, only_the_positions_that_are_asked_for_have_likely_tokens)
{
    static const float logits[3 * VOCAB] = {9, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 9, 0, 0};
    struct weir_next *next = next_of(logits, (int32_t[]){0, 0, 0}, 3, 1, (int32_t[]){0, 2}, 2);
    cr_expect_eq(next->ids[0], 0);
    cr_expect_eq(next->ids[1], 2);
    weir_next_close(next);
}

Test(next, the_loss_is_the_mean_over_all_positions_but_the_last)
{
    const float logits[3 * VOCAB] = {0, ln2, ln3, ln4, 0, 0, ln2, ln3, ln4, 0, 99, 0, 0, 0, 0};
    struct weir_next *next = next_of(logits, (int32_t[]){0, 3, 1}, 3, 0, NULL, 0);
    cr_expect_float_eq(next->loss, -(logf(4.0f / 11) + logf(2.0f / 11)) / 2, 1e-6);
    weir_next_close(next);
}

Test(next, a_prompt_of_one_token_has_no_loss)
{
    static const float logits[VOCAB] = {0};
    struct weir_next *next = next_of(logits, (int32_t[]){0}, 1, 1, (int32_t[]){0}, 1);
    cr_expect(isnan(next->loss));
    weir_next_close(next);
}

Test(next, a_token_that_the_model_cannot_predict_makes_the_loss_nan)
{
    static const float logits[2 * VOCAB] = {0};
    struct weir_next *next = next_of(logits, (int32_t[]){0, VOCAB}, 2, 0, NULL, 0);
    cr_expect(isnan(next->loss));
    weir_next_close(next);
}

/* ---- capture ---- */

enum { LENGTH = 6, D_MODEL = 48 };

/* A run of the tiny Llama on one prompt, and where its capture goes. */
struct capturing {
    weir_model *model;
    weir_tokens prompt;
    weir_run *run;
    weir_capture *capture;
    char path[64];
};

static void begin(struct capturing *c)
{
    static const int32_t ids[LENGTH] = {5, 7, 9, 2, 5, 11};
    *c = (struct capturing){0};
    snprintf(c->path, sizeof c->path, "/tmp/weir-capture-%d.h5", (int)getpid());
    cr_assert(weir_model_open(&c->model, MODELS "llama", &(weir_model_options){.n_threads = 2}) == WEIR_OK);
    cr_assert(weir_tokens_from_ids(&c->prompt, c->model, ids, LENGTH) == WEIR_OK);
    cr_assert(weir_run_open(&c->run, c->model, NULL) == WEIR_OK);
}

static void capture(struct capturing *c, const char *hooks, const char *positions)
{
    weir_capture_options options = {.hooks = hooks, .positions = positions, .force = true};
    cr_assert(weir_capture_open(&c->capture, c->run, c->path, &c->prompt, 1, &options) == WEIR_OK, "%s",
              weir_message());
}

static void forward(struct capturing *c)
{
    cr_assert(weir_run_forward(c->run, &c->prompt, 1) == WEIR_OK, "%s", weir_message());
}

static void forward_and_commit(struct capturing *c)
{
    forward(c);
    cr_assert(weir_capture_commit(c->capture) == WEIR_OK, "%s", weir_message());
    weir_capture_close(c->capture); /* whose lock keeps others from the file */
    c->capture = NULL;
}

/* All of a point's values in one layer, in room for them. */
static void read_back(const struct capturing *c, const char *name, int layer, float *out)
{
    weir_file *file;
    cr_assert(weir_file_open(&file, c->path) == WEIR_OK, "%s", weir_message());
    const weir_file_point *point = weir_file_find(file, name);
    weir_block all = {{0}, {0}};
    cr_assert_not_null(point);
    memcpy(all.count, point->shape, sizeof point->shape);
    cr_assert(weir_file_read(file, point, layer, 0, &all, out) == WEIR_OK, "%s", weir_message());
    weir_file_close(file);
}

static void end(struct capturing *c)
{
    weir_capture_close(c->capture);
    weir_run_close(c->run);
    weir_tokens_close(&c->prompt);
    weir_model_close(c->model);
    unlink(c->path);
}

static weir_status copy_out(const weir_event *event, void *payload)
{
    memcpy(payload, event->data, event->shape[0] * event->shape[1] * sizeof(float));
    return WEIR_OK;
}

static weir_status make_all_ones(const weir_event *event, void *payload)
{
    (void)payload;
    for (size_t i = 0; i < event->shape[0] * event->shape[1]; i++)
        event->data[i] = 1;
    return WEIR_OK;
}

Test(capture, what_is_stored_is_what_a_hook_sees_bit_for_bit)
{
    float seen[LENGTH * D_MODEL], stored[LENGTH * D_MODEL];
    struct capturing c;
    begin(&c);
    cr_assert(weir_run_hook(c.run, "resid_mid:1", WEIR_READ, copy_out, seen) == WEIR_OK);
    capture(&c, "resid_mid:1", NULL);
    forward_and_commit(&c);
    read_back(&c, "resid_mid", 1, stored);
    cr_expect_arr_eq(stored, seen, sizeof seen);
    end(&c);
}

Test(capture, a_value_is_stored_as_the_editors_registered_before_left_it)
{
    float stored[LENGTH * D_MODEL];
    struct capturing c;
    begin(&c);
    cr_assert(weir_run_hook(c.run, "resid_mid:1", WEIR_EDIT, make_all_ones, NULL) == WEIR_OK);
    capture(&c, "resid_mid:1", NULL);
    forward_and_commit(&c);
    read_back(&c, "resid_mid", 1, stored);
    for (size_t i = 0; i < LENGTH * D_MODEL; i++)
        cr_assert_eq(stored[i], 1);
    end(&c);
}

Test(capture, rows_that_are_not_asked_for_are_not_in_the_file)
{
    float stored[2 * D_MODEL], seen[LENGTH * D_MODEL];
    struct capturing c;
    begin(&c);
    cr_assert(weir_run_hook(c.run, "resid_mid:1", WEIR_READ, copy_out, seen) == WEIR_OK);
    capture(&c, "resid_mid:1", "1:3");
    cr_expect_eq(weir_capture_get_size(c.capture)->n_positions, 2);
    forward_and_commit(&c);
    read_back(&c, "resid_mid", 1, stored);
    cr_expect_arr_eq(stored, seen + D_MODEL, sizeof stored);
    end(&c);
}

Test(capture, units_that_are_not_asked_for_read_as_absent)
{
    float stored[6 * LENGTH * LENGTH];
    struct capturing c;
    begin(&c);
    capture(&c, "pattern:1.2", NULL);
    forward_and_commit(&c);
    read_back(&c, "pattern", 1, stored);
    for (size_t i = 0; i < 6; i++) /* the first weight of each head */
        cr_expect_eq(weir_value_is_absent(stored[i * LENGTH * LENGTH]), i != 2, "head %zu", i);
    end(&c);
}

Test(capture, what_is_not_committed_leaves_no_file)
{
    struct capturing c;
    begin(&c);
    capture(&c, "resid_mid:1", NULL);
    forward(&c);
    weir_capture_close(c.capture);
    c.capture = NULL;
    cr_expect(access(c.path, F_OK) != 0);
    end(&c);
}

static weir_status stop_once(const weir_event *event, void *payload)
{
    bool *stopped = payload;
    (void)event;
    if (*stopped)
        return WEIR_OK;
    *stopped = true;
    return weir_fail(WEIR_E_STOPPED, "enough");
}

/* Of single heads the file cannot tell what is missing from what was not wanted. */
Test(capture, prompts_whose_run_failed_cannot_be_committed)
{
    bool stopped = false;
    struct capturing c;
    begin(&c);
    capture(&c, "z:0.1,z:1.1", NULL);
    cr_assert(weir_run_hook(c.run, "resid_pre:1", WEIR_READ, stop_once, &stopped) == WEIR_OK);
    cr_assert(weir_run_forward(c.run, &c.prompt, 1) == WEIR_E_STOPPED);
    cr_expect(weir_capture_commit(c.capture) == WEIR_E_USAGE);
    cr_expect_not_null(strstr(weir_message(), "failed while prompt 0 ran"));
    forward_and_commit(&c);
    cr_expect(access(c.path, F_OK) == 0);
    end(&c);
}

Test(capture, prompts_that_have_not_run_cannot_be_committed)
{
    struct capturing c;
    begin(&c);
    capture(&c, "resid_mid:1", NULL);
    cr_expect(weir_capture_commit(c.capture) == WEIR_E_USAGE);
    cr_expect_not_null(strstr(weir_message(), "prompt 0 has not run"));
    forward_and_commit(&c); /* it is not too late */
    cr_expect(access(c.path, F_OK) == 0);
    end(&c);
}
