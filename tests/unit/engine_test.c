/* Plans and prompts on the tiny models: what is not wanted is not computed, and batches, threads and instruction sets
   agree. */
#include "base/cpu.h"
#include "engine/plan.h"
#include "unit/tiny_run.h"

/* ---- what is not wanted is not computed ---- */

Test(plan, the_same_run_takes_hooks_one_after_the_other_and_runs_again)
{
    weir_model *model = open_model("llama", 1);
    weir_tokens prompt = prompt_of(model, 6, 0);
    weir_run *run;
    int embeds = 0, patterns = 0;
    cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
    cr_assert(weir_run_forward(run, &prompt, 1) == WEIR_OK); /* nobody wants anything */
    cr_assert(weir_run_hook(run, "embed", WEIR_READ, count, &embeds) == WEIR_OK);
    cr_assert(weir_run_forward(run, &prompt, 1) == WEIR_OK);
    cr_assert(weir_run_hook(run, "pattern:0:2", WEIR_READ, count, &patterns) == WEIR_OK);
    cr_assert(weir_run_forward(run, &prompt, 1) == WEIR_OK);
    cr_expect_eq(embeds, 2);
    cr_expect_eq(patterns, 2);
    weir_run_close(run);
    weir_tokens_close(&prompt);
    weir_model_close(model);
}

/* A run's only pass gives back the pages of weights that a file can give again: not those that processing made. */
Test(prompts, a_processed_model_computes_the_same_in_one_run_after_the_other)
{
    char path[1024];
    weir_model *model;
    snprintf(path, sizeof path, "%sgpt2", MODELS);
    cr_assert(weir_model_open(&model, path, &(weir_model_options){.process = "tl"}) == WEIR_OK, "%s", weir_message());
    struct record first = run_model(model, "resid_post:-1,logits", one_length, 1, NULL);
    struct record second = run_model(model, "resid_post:-1,logits", one_length, 1, NULL);
    cr_expect_eq(largest_difference(find(&first, "logits", -1, 0), find(&second, "logits", -1, 0)), 0);
    forget(&first);
    forget(&second);
    weir_model_close(model);
}

Test(plan, ends_where_the_last_hook_that_is_left_wants_it)
{
    weir_model *model = open_model("gpt2", 1);
    struct weir_scope *early, *late;
    struct weir_plan plan;
    int first, second;
    cr_assert(weir_plan_open(&plan, LAYERS) == WEIR_OK);
    cr_expect(!weir_plan_goes_on(&plan, 0, -1));
    cr_assert(weir_scope_open_at(&early, model, WEIR_P_Z, 1) == WEIR_OK);
    cr_assert(weir_scope_open_at(&late, model, WEIR_P_LOGITS, -1) == WEIR_OK);
    cr_assert(weir_plan_add(&plan, early, WEIR_READ, count, &first) == WEIR_OK);
    cr_assert(weir_plan_add(&plan, late, WEIR_READ, count, &second) == WEIR_OK);
    cr_expect(weir_plan_goes_on(&plan, WEIR_P_LOGITS, LAYERS));
    weir_plan_remove(&plan, count, &second);
    cr_expect(weir_plan_goes_on(&plan, WEIR_P_Z, 1) && !weir_plan_goes_on(&plan, WEIR_P_Z + 1, 1));
    weir_plan_remove(&plan, count, &first);
    cr_expect(!weir_plan_goes_on(&plan, 0, -1));
    weir_plan_close(&plan);
    weir_scope_close(early);
    weir_scope_close(late);
    weir_model_close(model);
}

static weir_status count_too(const weir_event *event, void *payload)
{
    (void)event;
    ++*(int *)payload;
    return WEIR_OK;
}

Test(plan, a_hook_is_taken_back_by_function_and_payload_and_the_pass_ends_earlier)
{
    weir_model *model = open_model("gpt2", 1);
    weir_tokens prompt = prompt_of(model, 6, 0);
    weir_run *run;
    int a = 0, b = 0;
    cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
    cr_expect_eq(weir_run_depth(run), 0);
    cr_expect_eq(weir_run_depth(NULL), 0);
    cr_assert(weir_run_hook(run, "embed", WEIR_READ, count, &a) == WEIR_OK);
    cr_expect_eq(weir_run_depth(run), 0);
    cr_assert(weir_run_hook(run, "z:0", WEIR_READ, count, &a) == WEIR_OK);
    cr_assert(weir_run_hook(run, "z:0", WEIR_EDIT, count, &a) == WEIR_OK);
    cr_assert(weir_run_hook(run, "pattern:0:2", WEIR_READ, count_too, &a) == WEIR_OK);
    cr_expect_eq(weir_run_depth(run), 2);
    cr_assert(weir_run_hook(run, "ln_final_scale", WEIR_READ, count, &b) == WEIR_OK);
    cr_expect_eq(weir_run_depth(run), LAYERS);
    weir_run_unhook(run, count, NULL);
    weir_run_unhook(NULL, count, &a);
    cr_assert(weir_run_forward(run, &prompt, 1) == WEIR_OK);
    cr_expect(a == 5 && b == 1, "%d, %d", a, b);
    weir_run_unhook(run, count, &b);
    cr_expect_eq(weir_run_depth(run), 2);
    weir_run_unhook(run, count, &a);
    cr_assert(weir_run_forward(run, &prompt, 1) == WEIR_OK);
    cr_expect(a == 7 && b == 1, "%d, %d", a, b); /* the two patterns */
    weir_run_unhook(run, count_too, &a);
    cr_expect_eq(weir_run_depth(run), 0);
    cr_assert(weir_run_forward(run, &prompt, 1) == WEIR_OK);
    cr_expect(a == 7 && b == 1, "%d, %d", a, b);
    weir_run_close(run);
    weir_tokens_close(&prompt);
    weir_model_close(model);
}

static weir_status note_order(const weir_event *event, void *payload)
{
    static char order[64];
    size_t at = strlen(order);
    if (event->layer != 1)
        return WEIR_OK;
    if (payload)
        snprintf(order + at, sizeof order - at, "%s", (const char *)payload);
    else
        cr_expect_str_eq(order, "abcd", "%s", order);
    return WEIR_OK;
}

Test(plan, editors_come_before_readers_and_each_in_the_order_registered)
{
    weir_model *model = open_model("gpt2", 1);
    weir_tokens prompt = prompt_of(model, 6, 0);
    weir_run *run;
    cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
    cr_assert(weir_run_hook(run, "z:1", WEIR_READ, note_order, "c") == WEIR_OK);
    cr_assert(weir_run_hook(run, "z:0:2", WEIR_EDIT, note_order, "a") == WEIR_OK);
    cr_assert(weir_run_hook(run, "z:1", WEIR_READ, note_order, "x") == WEIR_OK);
    cr_assert(weir_run_hook(run, "z", WEIR_READ, note_order, "d") == WEIR_OK);
    cr_assert(weir_run_hook(run, "z:1:", WEIR_EDIT, note_order, "b") == WEIR_OK);
    weir_run_unhook(run, note_order, "x");
    cr_assert(weir_run_hook(run, "z:1", WEIR_READ, note_order, NULL) == WEIR_OK);
    cr_assert(weir_run_forward(run, &prompt, 1) == WEIR_OK);
    weir_run_close(run);
    weir_tokens_close(&prompt);
    weir_model_close(model);
}

/* ---- prompts ---- */

Test(prompts, that_cannot_be_run_are_refused)
{
    weir_model *model = open_model("gpt2", 1);
    weir_tokens empty = {0}, tokens;
    int32_t outside = 211, ids[97] = {0};
    weir_run *run;
    int calls = 0;
    cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
    cr_assert(weir_run_hook(run, "embed", WEIR_READ, count, &calls) == WEIR_OK);
    cr_expect(weir_run_forward(run, &empty, 0) == WEIR_E_USAGE);
    cr_expect(weir_run_forward(run, &empty, 1) == WEIR_E_USAGE);
    cr_expect(weir_tokens_from_ids(&tokens, model, &outside, 1) == WEIR_E_USAGE);
    cr_assert(weir_tokens_from_ids(&tokens, model, ids, 97) == WEIR_OK); /* context 96 */
    cr_expect(weir_run_forward(run, &tokens, 1) == WEIR_E_USAGE);
    cr_expect_not_null(strstr(weir_message(), "context"));
    tokens.n = 3;
    tokens.ids[2] = 211; /* a caller's own struct */
    cr_expect(weir_run_forward(run, &tokens, 1) == WEIR_E_USAGE);
    cr_expect_str_eq(weir_message(), "prompt 0: token 2 is 211; the model has ids 0 to 210");
    weir_tokens_close(&tokens);
    weir_run_close(run);
    weir_model_close(model);
}

Test(prompts, that_a_capture_was_not_opened_for_are_not_stored)
{
    const char *path = "/tmp/weir-engine-test-other-prompts.h5";
    weir_model *model = open_model("gpt2", 1);
    weir_tokens expected = prompt_of(model, 4, 0), others[] = {prompt_of(model, 4, 1), prompt_of(model, 5, 0)};
    weir_tokens two[] = {expected, expected};
    const weir_capture_options options = {.hooks = "embed", .next = 1, .force = true};
    weir_capture *capture;
    weir_run *run;
    cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
    cr_assert(weir_capture_open(&capture, run, path, &expected, 1, &options) == WEIR_OK, "%s", weir_message());
    for (int i = 0; i < 2; i++)
        cr_expect(weir_run_forward(run, &others[i], 1) == WEIR_E_USAGE, "%d", i);
    cr_expect(weir_run_forward(run, two, 2) == WEIR_E_USAGE);
    cr_expect_not_null(strstr(weir_message(), "prompt 1"), "%s", weir_message());
    weir_capture_close(capture);
    weir_run_close(run);
    weir_tokens_close(&expected);
    weir_tokens_close(&others[0]);
    weir_tokens_close(&others[1]);
    weir_model_close(model);
}

static void expect_equal_runs(const struct record *a, const struct record *b, const char *model, const char *what)
{
    cr_assert_eq(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        const struct value *v = &a->values[i], *w = NULL;
        w = find(b, weir_point_at(v->point)->name, v->layer, v->prompt);
        double rms = 0, most = 0;
        for (size_t j = 0; j < v->n; j++)
            rms += isfinite(v->data[j]) ? (double)v->data[j] * (double)v->data[j] : 0;
        rms = sqrt(rms / (double)v->n);
        for (size_t j = 0; j < v->n; j++)
            if (v->data[j] != w->data[j])
                most = fmax(most, fabs((double)v->data[j] - (double)w->data[j]));
        cr_expect(most <= 3e-5 * rms, "%s, %s: %s of layer %d differs by %g of %g", model, what,
                  weir_point_at(v->point)->name, v->layer, most, rms);
    }
}

EACH_MODEL(prompts, a_batch_equals_each_alone)
{
    const size_t lengths[] = {1, 70, 9, 2, 33, 64, 65, 11};
    weir_model *model = open_model(name, 2);
    struct record batch = run_model(model, "*", lengths, 8, NULL);
    struct record alone = {0};
    for (int i = 0; i < 8; i++) {
        weir_tokens prompt = prompt_of(model, lengths[i], i);
        weir_run *run;
        size_t before = alone.n;
        cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
        cr_assert(weir_run_hook(run, "*", WEIR_READ, record, &alone) == WEIR_OK);
        cr_assert(weir_run_forward(run, &prompt, 1) == WEIR_OK);
        for (size_t j = before; j < alone.n; j++)
            alone.values[j].prompt = i;
        weir_run_close(run);
        weir_tokens_close(&prompt);
    }
    expect_equal_runs(&batch, &alone, name, "batch and alone");
    forget(&batch);
    forget(&alone);
    weir_model_close(model);
}

/* The same prompt on so many threads. */
static void expect_same_on(const struct record *one, const char *name, int threads, const char *what)
{
    weir_model *model = open_model(name, threads);
    struct record more = run_model(model, "*", one_length, 1, NULL);
    expect_equal_runs(one, &more, name, what);
    forget(&more);
    weir_model_close(model);
}

EACH_MODEL(prompts, threads_and_instruction_sets_agree)
{
    static const char *const isas[] = {"plain kernels", "AVX2 kernels", "AVX-512 kernels"};
    weir_model *model = open_model(name, 1);
    struct record one = run_model(model, "*", one_length, 1, NULL);
    weir_model_close(model);
    expect_same_on(&one, name, 2, "one thread and two");
    expect_same_on(&one, name, 3, "one thread and three");
    expect_same_on(&one, name, 5, "one thread and five");
    for (int isa = WEIR_ISA_PLAIN; isa <= WEIR_ISA_AVX512; isa++)
        if (weir_isa_use((enum weir_isa)isa)) /* the last that there is stays */
            expect_same_on(&one, name, 2, isas[isa]);
    forget(&one);
}

EACH_KIND(prompts, the_same_run_gives_the_same_bits)
{
    const size_t lengths[] = {70, 3, 33};
    weir_model *model = open_model(name, 2);
    struct record first = run_model(model, "*", lengths, 3, NULL);
    struct record second = run_model(model, "*", lengths, 3, NULL);
    cr_assert_eq(first.n, second.n);
    for (size_t i = 0; i < first.n; i++) {
        const struct value *a = &first.values[i], *b = &second.values[i];
        for (size_t j = 0; j < a->n; j++)
            cr_assert(a->data[j] == b->data[j], "%s: %s of layer %d", name, weir_point_at(a->point)->name, a->layer);
    }
    forget(&first);
    forget(&second);
    weir_model_close(model);
}
