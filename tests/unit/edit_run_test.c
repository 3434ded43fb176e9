/* Edits of a run in several batches: what an edit reads does not depend on how prompts are packed. What the values are
   is judged by tests/model/test_edits_as_data.py. */
#include "weir.h"

#include "unit/data_path.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { PROMPTS = 4, LENGTH = 9, MOST_EDITS = 3 };

struct logits {
    float *data[PROMPTS]; /* [LENGTH, vocab] */
    size_t n[PROMPTS];
};

static weir_status keep_logits(const weir_event *event, void *payload)
{
    struct logits *logits = payload;
    size_t n = event->shape[0] * event->shape[1];
    cr_assert_lt(event->prompt, PROMPTS, "a hook was shown a prompt that was not given");
    cr_assert_null(logits->data[event->prompt]);
    logits->n[event->prompt] = n;
    logits->data[event->prompt] = malloc(n * sizeof(float));
    memcpy(logits->data[event->prompt], event->data, n * sizeof(float));
    return WEIR_OK;
}

static weir_run *open_edited(weir_model *model, const char *const *edits, size_t batch_positions)
{
    weir_run *run;
    cr_assert_eq(weir_run_open(&run, model, &(weir_run_options){.batch_positions = batch_positions}), WEIR_OK);
    for (size_t i = 0; i < MOST_EDITS && edits[i]; i++) {
        weir_edit *edit;
        cr_assert_eq(weir_edit_parse(&edit, edits[i]), WEIR_OK, "%s", weir_message());
        cr_assert_eq(weir_run_edit(run, edit), WEIR_OK, "%s", weir_message());
        weir_edit_close(edit);
    }
    return run;
}

static struct logits run_edited(weir_model *model, const char *const *edits, size_t batch_positions)
{
    int32_t ids[PROMPTS][LENGTH];
    weir_tokens prompts[PROMPTS] = {0};
    struct logits logits = {0};
    weir_run *run = open_edited(model, edits, batch_positions);
    for (int prompt = 0; prompt < PROMPTS; prompt++) {
        for (int i = 0; i < LENGTH; i++)
            ids[prompt][i] = (7 * i * i + 31 * prompt + 3) % 200;
        prompts[prompt] = (weir_tokens){.ids = ids[prompt], .n = LENGTH};
    }
    cr_assert_eq(weir_run_hook(run, "logits", WEIR_READ, keep_logits, &logits), WEIR_OK);
    cr_assert_eq(weir_run_forward(run, prompts, PROMPTS), WEIR_OK, "%s", weir_message());
    weir_run_close(run);
    return logits;
}

static void assert_same_in_any_batches(const char *const *edits)
{
    static const char *const none[MOST_EDITS] = {0};
    weir_model *model;
    cr_assert_eq(weir_model_open(&model, MODELS "llama", NULL), WEIR_OK);
    struct logits plain = run_edited(model, none, 0), together = run_edited(model, edits, 0);
    struct logits apart = run_edited(model, edits, 1);
    bool any = false;
    for (int prompt = 0; prompt < PROMPTS; prompt++) {
        cr_assert_eq(memcmp(together.data[prompt], apart.data[prompt], together.n[prompt] * sizeof(float)), 0);
        any |= memcmp(together.data[prompt], plain.data[prompt], together.n[prompt] * sizeof(float)) != 0;
        free(plain.data[prompt]);
        free(together.data[prompt]);
        free(apart.data[prompt]);
    }
    cr_assert(any, "the edits changed nothing");
    weir_model_close(model);
}

Test(edit_run, a_source_in_another_prompt_is_the_same_in_one_batch_and_in_several)
{
    assert_same_in_any_batches((const char *const[MOST_EDITS]){"resid_pre:1@4#0 = [#3]", "z:2.1#2 = [#1]"});
}

Test(edit_run, a_source_at_the_same_point_is_read_before_later_edits_change_it)
{
    assert_same_in_any_batches(
        (const char *const[MOST_EDITS]){"mlp_out:1#0 = [#3]", "mlp_out:1#3 *= 2", "mlp_out:1#1 = [#3]"});
}

Test(edit_run, prompts_that_read_each_other_share_a_batch)
{
    assert_same_in_any_batches(
        (const char *const[MOST_EDITS]){"resid_post:0#0 = [#2]", "z:1#2 = [#0]", "resid_pre:2@1: += [@:-1]"});
}

Test(edit_run, a_source_that_is_computed_later_comes_from_an_earlier_pass)
{
    assert_same_in_any_batches((const char *const[MOST_EDITS]){"resid_pre:1@2#0 = [resid_post:2@5#1]",
                                                               "resid_pre:0#1 *= 1.5", "q:0#2 = [#0]"});
}

Test(edit_run, an_unedited_copy_runs_beside_its_prompt)
{
    assert_same_in_any_batches((const char *const[MOST_EDITS]){"embed@2 *= 2", "pattern:1: = [#base]"});
}

Test(edit_run, means_and_donors_of_other_prompts_do_not_depend_on_batches)
{
    assert_same_in_any_batches(
        (const char *const[MOST_EDITS]){"z:1.2#0 = mean([@:#1:])", "attn_out:1#3 = resample([#:3], 7)"});
}

Test(edit_run, a_run_with_edits_gives_the_same_again)
{
    static const char *const edits[MOST_EDITS] = {"resid_pre:1@4#0 = [#3]", "z:2.1#2 = [#base]"};
    weir_model *model;
    cr_assert_eq(weir_model_open(&model, MODELS "llama", NULL), WEIR_OK);
    weir_run *run = open_edited(model, edits, 0);
    int32_t ids[LENGTH] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    weir_tokens prompts[PROMPTS];
    for (size_t i = 0; i < PROMPTS; i++)
        prompts[i] = (weir_tokens){.ids = ids, .n = LENGTH - i};
    struct logits logits[2] = {{{0}, {0}}, {{0}, {0}}};
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(weir_run_hook(run, "logits", WEIR_READ, keep_logits, &logits[i]), WEIR_OK);
        cr_assert_eq(weir_run_forward(run, prompts, PROMPTS), WEIR_OK, "%s", weir_message());
        weir_run_unhook(run, keep_logits, &logits[i]);
    }
    for (int prompt = 0; prompt < PROMPTS; prompt++) {
        cr_assert_eq(memcmp(logits[0].data[prompt], logits[1].data[prompt], logits[0].n[prompt] * sizeof(float)), 0);
        free(logits[0].data[prompt]);
        free(logits[1].data[prompt]);
    }
    weir_run_close(run);
    weir_model_close(model);
}

Test(edit_run, what_edits_the_norms_of_copies_does_not_depend_on_batches)
{
    assert_same_in_any_batches((const char *const[MOST_EDITS]){"attn_in:1.4@2:5 += 0.5", "q_input:1.0#2 *= 0.5",
                                                               "ln1_normalized:1 = mean([ln1_normalized:0@:#1+3])"});
}

static weir_status change_nothing(const weir_event *event, void *payload)
{
    (void)event;
    (void)payload;
    return WEIR_OK;
}

/* A hook at `point` beside an edit, in one layer. */
static void assert_refused(const char *edit, const char *point, const char *message)
{
    weir_model *model;
    int32_t ids[LENGTH] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    cr_assert_eq(weir_model_open(&model, MODELS "llama", NULL), WEIR_OK);
    weir_run *run = open_edited(model, (const char *const[MOST_EDITS]){edit}, 0);
    cr_assert_eq(weir_run_hook(run, "logits", WEIR_READ, change_nothing, NULL), WEIR_OK);
    cr_assert_eq(weir_run_hook(run, point, WEIR_EDIT, change_nothing, NULL), WEIR_OK);
    weir_status status = weir_run_forward(run, &(weir_tokens){.ids = ids, .n = LENGTH}, 1);
    cr_expect_eq(status, message ? WEIR_E_USAGE : WEIR_OK, "%s beside %s: %s", point, edit, weir_message());
    cr_expect(!message || strstr(weir_message(), message), "%s", weir_message());
    weir_run_close(run);
    weir_model_close(model);
}

Test(edit_run, a_hook_that_would_not_reach_what_single_heads_read_is_refused)
{
    assert_refused("attn_in:1.4 += 1", "k:1", "a hook edits k in layer 1, which would not reach query heads");
    assert_refused("attn_in:1.4 += 1", "v_input:1", "a hook edits v_input in layer 1");
    assert_refused("attn_in:1.4 += 1", "k:0", NULL);
    assert_refused("attn_in:1.3: += 1", "k:1", NULL);
    assert_refused("q_input:1.4 += 1", "ln1_scale:1", "a hook edits ln1_scale in layer 1, which would not reach heads");
    assert_refused("q_input:1.4 += 0", "ln1_scale:1", NULL);
    assert_refused("q_input:1.4 += 1", "ln1_out:2", NULL);
}
