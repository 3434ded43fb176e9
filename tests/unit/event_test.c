/* Who is called where and when, and what an event says, on the tiny models. */
#include "engine/plan.h"
#include "unit/tiny_run.h"

/* ---- firing ---- */

EACH_MODEL(hooks, every_point_that_applies_fires_once_a_layer_and_prompt)
{
    const size_t lengths[] = {5, 1, 9};
    weir_model *model = open_model(name, 2);
    struct record seen = run_model(model, "*,attn_in,q_input,k_input,v_input,mlp_in,result", lengths, 3, NULL);
    size_t expected = 0;
    for (int point = 0; point < weir_n_points(); point++)
        for (int layer = -1; layer < LAYERS; layer++)
            expected += 3 * (size_t)weir_model_has_point(model, point, layer, NULL);
    cr_expect_eq(seen.n, expected, "%s: %zu events, %zu expected", name, seen.n, expected);
    for (size_t i = 0; i < seen.n; i++)
        for (size_t j = 0; j < i; j++)
            cr_expect(seen.values[i].point != seen.values[j].point || seen.values[i].layer != seen.values[j].layer ||
                      seen.values[i].prompt != seen.values[j].prompt);
    forget(&seen);
    weir_model_close(model);
}

static weir_status fail_at_layer_1(const weir_event *event, void *payload)
{
    ++*(int *)payload;
    return event->layer == 1 ? weir_fail(WEIR_E_STOPPED, "that is enough") : WEIR_OK;
}

Test(hooks, a_hook_that_fails_ends_the_run_with_its_message)
{
    weir_model *model = open_model("gpt2", 1);
    weir_tokens prompt = prompt_of(model, 4, 0);
    weir_run *run;
    int calls = 0;
    cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
    cr_assert(weir_run_hook(run, "resid_pre", WEIR_READ, fail_at_layer_1, &calls) == WEIR_OK);
    cr_expect(weir_run_forward(run, &prompt, 1) == WEIR_E_STOPPED);
    cr_expect_str_eq(weir_message(), "that is enough");
    cr_expect_eq(calls, 2);
    weir_run_close(run);
    weir_tokens_close(&prompt);
    weir_model_close(model);
}

static weir_status fail_here(const weir_event *event, void *payload)
{
    (void)event;
    (void)payload;
    return weir_fail(WEIR_E_STOPPED, "that is enough");
}

EACH_KIND(hooks, one_that_fails_at_any_point_leaves_nothing_behind) /* the leak checker's to see */
{
    weir_model *model = open_model(name, 1);
    weir_tokens prompt = prompt_of(model, 4, 0);
    for (int point = 0; point < weir_n_points(); point++) {
        weir_run *run;
        if (!weir_model_has_point(model, point, weir_point_at(point)->per_layer ? 1 : -1, NULL))
            continue;
        cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
        cr_assert(weir_run_hook(run, weir_point_at(point)->name, WEIR_EDIT, fail_here, NULL) == WEIR_OK);
        cr_expect(weir_run_forward(run, &prompt, 1) == WEIR_E_STOPPED, "%s, %s", name, weir_point_at(point)->name);
        weir_run_close(run);
    }
    weir_tokens_close(&prompt);
    weir_model_close(model);
}

Test(hooks, naming_what_a_model_lacks_says_why_and_a_misspelt_name_says_the_nearest)
{
    weir_model *model = open_model("gpt2", 1);
    weir_run *run;
    int calls = 0;
    cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
    cr_expect(weir_run_hook(run, "rot_q", WEIR_READ, record, NULL) == WEIR_E_UNSUPPORTED);
    cr_expect_not_null(strstr(weir_message(), "rotated"));
    cr_expect(weir_run_hook(run, "patern", WEIR_READ, record, NULL) == WEIR_E_USAGE);
    cr_expect_not_null(strstr(weir_message(), "pattern"));
    cr_expect(weir_run_hook(run, "z:7", WEIR_READ, record, NULL) == WEIR_E_USAGE);
    cr_expect(weir_run_hook(run, "z:0.99", WEIR_READ, record, NULL) == WEIR_E_USAGE);
    cr_expect_not_null(strstr(weir_message(), "unit 99 is out of range"));
    cr_expect(weir_run_hook_at(run, weir_n_points(), 0, WEIR_READ, record, NULL) == WEIR_E_USAGE);
    cr_expect(weir_run_hook_at(run, 0, 0, WEIR_READ, record, NULL) == WEIR_E_USAGE);
    cr_expect_str_eq(weir_message(), "embed stands outside the layers: its layer is -1, not 0");
    for (int point = 0; point < weir_n_points(); point++)
        for (int layer = -2; layer < LAYERS + 2; layer++) {
            bool has = layer >= -1 && layer < LAYERS && weir_model_has_point(model, point, layer, NULL);
            cr_expect_eq(weir_run_hook_at(run, point, layer, WEIR_READ, count, &calls) == WEIR_OK, has, "%s, layer %d",
                         weir_point_at(point)->name, layer);
        }
    weir_run_close(run);
    weir_model_close(model);
}

/* ---- what an event says is named ---- */

/* "1,3 of 5: all" for rows of prompt 0, units of prompt 0; a line each call. */
static weir_status describe_named(const weir_event *event, void *payload)
{
    char *text = payload;
    size_t at = strlen(text);
    at += (size_t)sprintf(text + at, "%d/%d:", event->prompt, event->layer);
    for (size_t i = 0; event->rows && i < event->n_rows; i++)
        at += (size_t)sprintf(text + at, " %d", event->rows[i]);
    if (!event->rows)
        at += (size_t)sprintf(text + at, " all %zu", event->n_rows);
    at += (size_t)sprintf(text + at, " x");
    for (size_t i = 0; event->units && i < event->n_units; i++)
        at += (size_t)sprintf(text + at, " %d", event->units[i]);
    if (!event->units)
        at += (size_t)sprintf(text + at, " all %zu", event->n_units);
    sprintf(text + at, "; ");
    cr_expect_eq(event->first, 0);
    return WEIR_OK;
}

Test(events, say_the_rows_and_units_that_the_selection_names_in_each_prompt)
{
    static const struct {
        const char *selection, *seen;
    } cases[] = {
        {"z:0", "0/0: all 5 x all 4; 1/0: all 2 x all 4; "},
        {"z:1@-1", "0/1: 4 x all 4; 1/1: 1 x all 4; "},
        {"z:1.2+0", "0/1: all 5 x 0 2; 1/1: all 2 x 0 2; "},
        {"z:0.1@2:", "0/0: 2 3 4 x 1; "}, /* prompt 1 has no such row: nobody is called */
        {"z:0.1@0,z:0.3@0", "0/0: 0 x 1 3; 1/0: 0 x 1 3; "},
        {"z:0.1@0,z:0.1@1", "0/0: 0 1 x 1; 1/0: all 2 x 1; "},
        {"z:0.0:4@::2,z:1.3", "0/0: 0 2 4 x all 4; 1/0: 0 x all 4; 0/1: all 5 x 3; 1/1: all 2 x 3; "},
        {"z:0.1@0,z:0", "0/0: all 5 x all 4; 1/0: all 2 x all 4; "},
        {"pattern:2.1@1", "0/2: 1 x 1; 1/2: 1 x 1; "},
        {"ln1_scale:0@1", "0/0: 1 x all 0; 1/0: 1 x all 0; "},
        {"logits:.7@-1", "0/-1: 4 x 7; 1/-1: 1 x 7; "},
    };
    weir_model *model = open_model("gpt2", 1);
    weir_tokens prompts[] = {prompt_of(model, 5, 0), prompt_of(model, 2, 1)};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t batch = 1; batch < 100; batch += 90) { /* one prompt at a time, and both */
            char seen[512] = "";
            weir_run *run;
            cr_assert(weir_run_open(&run, model, &(weir_run_options){.batch_positions = batch}) == WEIR_OK);
            cr_assert(weir_run_hook(run, cases[i].selection, WEIR_READ, describe_named, seen) == WEIR_OK, "%s",
                      weir_message());
            cr_assert(weir_run_forward(run, prompts, 2) == WEIR_OK, "%s", weir_message());
            if (batch > 1 || !strstr(cases[i].selection, "z:1.3")) /* else layers come by prompt */
                cr_expect_str_eq(seen, cases[i].seen, "%s: %s", cases[i].selection, seen);
            weir_run_close(run);
        }
    weir_tokens_close(&prompts[0]);
    weir_tokens_close(&prompts[1]);
    weir_model_close(model);
}

Test(events, a_position_that_a_prompt_lacks_ends_the_run_before_it_begins)
{
    weir_model *model = open_model("gpt2", 1);
    weir_tokens prompts[] = {prompt_of(model, 5, 0), prompt_of(model, 2, 1)};
    weir_run *run;
    int calls = 0;
    cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
    cr_assert(weir_run_hook(run, "embed", WEIR_READ, count, &calls) == WEIR_OK);
    cr_assert(weir_run_hook(run, "z:1@3", WEIR_READ, count, &calls) == WEIR_OK);
    cr_expect(weir_run_forward(run, prompts, 2) == WEIR_E_USAGE);
    cr_expect_str_eq(weir_message(), "prompt 1: z:1@3: position 3 is out of range; it goes from 0 to 1");
    cr_expect_eq(calls, 0);
    cr_expect(weir_run_forward(run, prompts, 1) == WEIR_OK);
    cr_expect_eq(calls, 2);
    weir_run_close(run);
    weir_tokens_close(&prompts[0]);
    weir_tokens_close(&prompts[1]);
    weir_model_close(model);
}

Test(events, terms_that_are_no_rows_by_units_together_take_a_hook_each)
{
    weir_model *model = open_model("gpt2", 1);
    weir_run *run;
    int calls = 0;
    cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
    for (int access = WEIR_READ; access <= WEIR_EDIT; access++) {
        cr_expect(weir_run_hook(run, "z:0.1@0,z:0.2@1", (weir_access)access, count, &calls) == WEIR_E_USAGE);
        cr_expect_not_null(strstr(weir_message(), "'z:0.1@0' and 'z:0.2@1'"), "%s", weir_message());
        cr_expect(weir_run_hook(run, "z:0.1@0,z:0.2@0,z:0.1@1", (weir_access)access, count, &calls) == WEIR_E_USAGE);
        cr_expect_not_null(strstr(weir_message(), "'z:0.2@0' and 'z:0.1@1'"), "%s", weir_message());
        cr_expect(weir_run_hook(run, "z:0:2.1,resid_pre,z@-1", (weir_access)access, count, &calls) == WEIR_E_USAGE);
        cr_expect(weir_run_hook(run, "z:0.1@0,z:1.2@1,q:0.3@2", (weir_access)access, count, &calls) == WEIR_OK);
    }
    weir_run_close(run);
    weir_model_close(model);
}

static weir_status check_indices(const weir_event *event, void *payload)
{
    bool is_indices = strcmp(event->point->name, "expert_indices") == 0;
    cr_expect_eq(event->indices != NULL, is_indices);
    if (!is_indices)
        return WEIR_OK;
    cr_expect_eq((const void *)event->indices, (const void *)event->data);
    for (size_t i = 0; i < event->shape[0] * event->shape[1]; i++)
        cr_expect(event->indices[i] >= 0 && event->indices[i] < 8, "%d", event->indices[i]);
    ++*(int *)payload;
    return WEIR_OK;
}

Test(events, give_the_indices_of_experts_as_integers)
{
    weir_model *model = open_model("mixtral", 1);
    weir_tokens prompt = prompt_of(model, 9, 0);
    weir_run *run;
    int calls = 0;
    cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
    cr_assert(weir_run_hook(run, "*", WEIR_READ, check_indices, &calls) == WEIR_OK);
    cr_assert(weir_run_forward(run, &prompt, 1) == WEIR_OK);
    cr_expect_eq(calls, LAYERS);
    weir_run_close(run);
    weir_tokens_close(&prompt);
    weir_model_close(model);
}

/* Prompts that follow others (a cache): positions count from the first of all, rows from the first that runs. */
Test(events, rows_of_a_prompt_that_goes_on_are_its_positions_less_those_before)
{
    weir_model *model = open_model("gpt2", 1);
    weir_tokens prompts[] = {prompt_of(model, 5, 0), prompt_of(model, 1, 1)};
    const size_t past[] = {10, 3};
    struct weir_scope *scope;
    cr_assert(weir_scope_open(&scope, model, "z:0@8:12,z:1", ":11") == WEIR_OK, "%s", weir_message());
    cr_assert(weir_scope_find_rows(scope, prompts, past, 2) == WEIR_OK, "%s", weir_message());
    struct weir_some rows = weir_scope_rows(scope, weir_scope_site(scope, WEIR_P_Z, 0), 0);
    cr_expect(rows.n == 1 && rows.list[0] == 0);
    rows = weir_scope_rows(scope, weir_scope_site(scope, WEIR_P_Z, 1), 0);
    cr_expect(rows.n == 1 && rows.list[0] == 0);
    cr_expect(weir_scope_rows(scope, weir_scope_site(scope, WEIR_P_Z, 0), 1).n == 0);
    rows = weir_scope_rows(scope, weir_scope_site(scope, WEIR_P_Z, 1), 1);
    cr_expect(rows.n == 1 && !rows.list, "all of them");
    cr_assert(weir_scope_find_rows(scope, prompts, NULL, 2) == WEIR_OK, "%s", weir_message());
    cr_expect(weir_scope_rows(scope, weir_scope_site(scope, WEIR_P_Z, 1), 0).n == 5);
    cr_expect_null(weir_scope_site(scope, WEIR_P_Q, 0));
    weir_scope_close(scope);
    weir_tokens_close(&prompts[0]);
    weir_tokens_close(&prompts[1]);
    weir_model_close(model);
}

/* A run of many prompts with a hook at every site would take as much memory as the prompts themselves. */
Test(events, a_scope_without_positions_keeps_nothing_per_prompt)
{
    weir_model *model = open_model("gpt2", 1);
    weir_tokens prompts[] = {prompt_of(model, 5, 0), prompt_of(model, 1, 1)};
    struct weir_scope *scope;
    cr_assert(weir_scope_open_at(&scope, model, WEIR_P_Z, 1) == WEIR_OK, "%s", weir_message());
    cr_assert(weir_scope_find_rows(scope, prompts, NULL, 2) == WEIR_OK, "%s", weir_message());
    cr_expect_null(scope->cells);
    for (size_t i = 0; i < 2; i++) {
        struct weir_some rows = weir_scope_rows(scope, weir_scope_site(scope, WEIR_P_Z, 1), i);
        cr_expect(rows.n == prompts[i].n && !rows.list);
    }
    weir_scope_close(scope);
    weir_tokens_close(&prompts[0]);
    weir_tokens_close(&prompts[1]);
    weir_model_close(model);
}
