/* Hooks on the tiny models: who is called, and that an edit changes what it should and nothing else. What the values
   are is judged by tests/model against PyTorch. */
#include "weir.h"

#include "base/cpu.h"
#include "engine/plan.h"
#include "unit/claims.h"
#include "unit/data_path.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 70, MAX_VALUES = 64, LAYERS = 3 };

/* The plainest models ... */
#define MODELS_OF(X, suite, claim)                                                                                     \
    X(suite, claim, gpt2) X(suite, claim, llama) X(suite, claim, llama3_rope) X(suite, claim, mistral)

/* ... and those whose weights stand otherwise, fused a head at a time or one behind the other, and that take other
   ways: experts, sinks, the sparse mixer, positions in q and k */
/* clang-format off */
#define KINDS_OF(X, suite, claim)                                                                                          \
    X(suite, claim, gpt2) X(suite, claim, llama) X(suite, claim, gpt_neox) X(suite, claim, bloom)                          \
    X(suite, claim, falcon_new) X(suite, claim, phi3) X(suite, claim, gptj) X(suite, claim, olmo2)                         \
    X(suite, claim, mixtral) X(suite, claim, mpt) X(suite, claim, gemma2) X(suite, claim, gpt_bigcode)                     \
    X(suite, claim, gpt_oss) X(suite, claim, phimoe_longrope) X(suite, claim, lens_solu) X(suite, claim, lens_shortformer)
/* clang-format on */

#define EACH_MODEL(suite, claim) EACH_OF(MODELS_OF, suite, claim)
#define EACH_KIND(suite, claim)  EACH_OF(KINDS_OF, suite, claim)

/* ---- a recorder: copies of what flowed past ---- */

struct value {
    int point, layer, prompt;
    size_t n, shape[WEIR_MAX_AXES];
    float *data; /* [n] */
};

struct record {
    struct value *values; /* [n] */
    size_t n, capacity;
};

static weir_status record(const weir_event *event, void *payload)
{
    struct record *r = payload;
    if (r->n == r->capacity) {
        r->capacity = 2 * r->capacity + 64;
        r->values = realloc(r->values, r->capacity * sizeof *r->values);
    }
    struct value *v = &r->values[r->n++];
    *v = (struct value){.point = event->point->id, .layer = event->layer, .prompt = event->prompt, .n = 1};
    for (int i = 0; i < event->n_axes; i++) {
        v->shape[i] = event->shape[i];
        v->n *= event->shape[i];
    }
    v->data = malloc(v->n * sizeof(float));
    memcpy(v->data, event->data, v->n * sizeof(float));
    return WEIR_OK;
}

static void forget(struct record *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->values[i].data);
    free(r->values);
    *r = (struct record){0};
}

static const struct value *find(const struct record *r, const char *name, int layer, int prompt)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(weir_point_at(r->values[i].point)->name, name) == 0 && r->values[i].layer == layer &&
            r->values[i].prompt == prompt)
            return &r->values[i];
    cr_assert_fail("%s of layer %d, prompt %d was not seen", name, layer, prompt);
    return NULL;
}

static double largest_difference(const struct value *a, const struct value *b)
{
    double most = 0;
    cr_assert_eq(a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        if (a->data[i] != b->data[i])
            most = fmax(most, fabs((double)a->data[i] - (double)b->data[i]));
    return most;
}

/* ---- running ---- */

static weir_model *open_model(const char *name, int threads)
{
    char path[1024];
    weir_model *model;
    snprintf(path, sizeof path, "%s%s", MODELS, name);
    cr_assert(weir_model_open(&model, path, &(weir_model_options){.n_threads = threads}) == WEIR_OK, "%s",
              weir_message());
    return model;
}

static weir_tokens prompt_of(const weir_model *model, size_t n, int seed)
{
    int32_t ids[128];
    weir_tokens tokens;
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)((i * 37 + (size_t)seed * 11 + 5) % 211);
    cr_assert(weir_tokens_from_ids(&tokens, model, ids, n) == WEIR_OK);
    return tokens;
}

struct edit {
    const char *selection;
    weir_hook_fn *fn;
    void *payload;
};

/* Records `selection` on prompts 0 to n - 1 of the given lengths, after an edit (NULL: none). */
static struct record run_model(weir_model *model, const char *selection, const size_t *lengths, size_t n,
                               const struct edit *edit)
{
    struct record seen = {0};
    weir_tokens prompts[16];
    weir_run *run;
    for (size_t i = 0; i < n; i++)
        prompts[i] = prompt_of(model, lengths[i], (int)i);
    cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK, "%s", weir_message());
    if (edit)
        cr_assert(weir_run_hook(run, edit->selection, WEIR_EDIT, edit->fn, edit->payload) == WEIR_OK, "%s",
                  weir_message());
    cr_assert(weir_run_hook(run, selection, WEIR_READ, record, &seen) == WEIR_OK, "%s", weir_message());
    cr_assert(weir_run_forward(run, prompts, n) == WEIR_OK, "%s", weir_message());
    weir_run_close(run);
    for (size_t i = 0; i < n; i++)
        weir_tokens_close(&prompts[i]);
    return seen;
}

static const size_t one_length[] = {LENGTH};

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

static weir_status count(const weir_event *event, void *payload)
{
    (void)event;
    ++*(int *)payload;
    return WEIR_OK;
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

/* ---- edits ---- */

static weir_status zero_head_1(const weir_event *event, void *payload)
{
    (void)payload; /* z: [pos, head, d_head] */
    for (size_t pos = 0; pos < event->shape[0]; pos++)
        memset(event->data + (pos * event->shape[1] + 1) * event->shape[2], 0, event->shape[2] * sizeof(float));
    return WEIR_OK;
}

EACH_MODEL(edits, zeroing_a_heads_z_takes_its_result_out_of_attn_out)
{
    weir_model *model = open_model(name, 2);
    struct record plain = run_model(model, "z:1,result:1,attn_out:1,resid_pre:1", one_length, 1, NULL);
    struct record edited =
        run_model(model, "z:1,attn_out:1,resid_pre:1", one_length, 1, &(struct edit){"z:1", zero_head_1, NULL});
    const struct value *result = find(&plain, "result", 1, 0), *out = find(&plain, "attn_out", 1, 0);
    const struct value *changed = find(&edited, "attn_out", 1, 0);
    size_t n_heads = result->shape[1], d_model = result->shape[2];
    for (size_t pos = 0; pos < LENGTH; pos++)
        for (size_t i = 0; i < d_model; i++) {
            float without = out->data[pos * d_model + i] - result->data[(pos * n_heads + 1) * d_model + i];
            cr_assert(fabsf(changed->data[pos * d_model + i] - without) < 2e-4f, "%s: %g, expected %g", name,
                      (double)changed->data[pos * d_model + i], (double)without);
        }
    cr_expect_eq(largest_difference(find(&plain, "resid_pre", 1, 0), find(&edited, "resid_pre", 1, 0)), 0);
    cr_expect(largest_difference(out, changed) > 1e-3);
    forget(&plain);
    forget(&edited);
    weir_model_close(model);
}

static weir_status look_ahead(const weir_event *event, void *payload)
{
    (void)payload; /* head 0: query 2 looks at key 5, which no causal mask allows */
    size_t length = event->shape[2];
    memset(event->data + 2 * length, 0, length * sizeof(float));
    event->data[2 * length + 5] = 1;
    return WEIR_OK;
}

Test(edits, an_edited_pattern_moves_what_it_looks_at_even_past_the_mask)
{
    weir_model *model = open_model("llama", 2);
    struct record seen =
        run_model(model, "pattern:0,v:0,z:0", one_length, 1, &(struct edit){"pattern:0", look_ahead, NULL});
    struct record plain = run_model(model, "z:0", one_length, 1, NULL);
    const struct value *z = find(&seen, "z", 0, 0), *v = find(&seen, "v", 0, 0), *before = find(&plain, "z", 0, 0);
    size_t n_heads = z->shape[1], d_head = z->shape[2];
    cr_expect_eq(find(&seen, "pattern", 0, 0)->data[2 * LENGTH + 5], 1);
    for (size_t i = 0; i < d_head; i++)
        cr_expect(fabsf(z->data[2 * n_heads * d_head + i] - v->data[5 * v->shape[1] * d_head + i]) < 1e-5f);
    for (size_t i = 0; i < d_head; i++) /* its neighbour in the same row, head 1, is as it was */
        cr_expect(fabsf(z->data[(2 * n_heads + 1) * d_head + i] - before->data[(2 * n_heads + 1) * d_head + i]) <
                  1e-5f);
    forget(&seen);
    forget(&plain);
    weir_model_close(model);
}

static weir_status forbid_key_0(const weir_event *event, void *payload)
{
    (void)payload; /* scores: [head, query, key] */
    for (size_t row = 0; row < event->shape[0] * event->shape[1]; row++)
        if (row % event->shape[1] > 0)
            event->data[row * event->shape[2]] = -INFINITY;
    return WEIR_OK;
}

Test(edits, edited_scores_go_through_the_softmax)
{
    weir_model *model = open_model("gpt2", 2);
    struct record seen =
        run_model(model, "pattern:2", one_length, 1, &(struct edit){"attn_scores:2", forbid_key_0, NULL});
    const struct value *pattern = find(&seen, "pattern", 2, 0);
    for (size_t row = 0; row < pattern->n / LENGTH; row++) {
        double sum = 0;
        for (size_t key = 0; key < LENGTH; key++)
            sum += (double)pattern->data[row * LENGTH + key];
        cr_expect(fabs(sum - 1) < 1e-5);
        cr_expect(row % LENGTH == 0 || pattern->data[row * LENGTH] == 0);
    }
    forget(&seen);
    weir_model_close(model);
}

static weir_status forbid_query_0(const weir_event *event, void *payload)
{
    (void)payload; /* it sees key 0 only */
    for (size_t head = 0; head < event->shape[0]; head++)
        event->data[head * event->shape[1] * event->shape[2]] = -INFINITY;
    return WEIR_OK;
}

Test(edits, a_query_that_is_forbidden_every_key_looks_at_the_sink_alone)
{
    weir_model *model = open_model("gpt_oss", 2);
    struct record seen =
        run_model(model, "pattern:0,logits", one_length, 1, &(struct edit){"attn_scores:0", forbid_query_0, NULL});
    const struct value *pattern = find(&seen, "pattern", 0, 0), *logits = find(&seen, "logits", -1, 0);
    for (size_t row = 0; row < pattern->n; row += LENGTH * LENGTH) /* of each head */
        for (size_t key = 0; key < LENGTH; key++)
            cr_expect(pattern->data[row + key] == 0);
    for (size_t i = 0; i < logits->n; i++)
        cr_assert(isfinite(logits->data[i]));
    forget(&seen);
    weir_model_close(model);
}

static weir_status all_but_0_equal(const weir_event *event, void *payload)
{
    (void)payload;
    for (size_t i = 0; i < event->shape[0] * event->shape[1]; i++)
        event->data[i] = i % event->shape[1] == 0 ? -1 : 2;
    return WEIR_OK;
}

Test(edits, of_experts_that_are_equal_the_first_are_chosen)
{
    static const struct {
        const char *model;
        int32_t experts[2];
    } cases[] = {{"mixtral", {1, 2}}, {"olmoe", {1, 2}}, {"phimoe", {2, 1}}}; /* it weighs the second among fewer */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        weir_model *model = open_model(cases[i].model, 1);
        struct record seen =
            run_model(model, "expert_indices:1", one_length, 1, &(struct edit){"router:1", all_but_0_equal, NULL});
        const struct value *chosen = find(&seen, "expert_indices", 1, 0);
        cr_assert_eq(chosen->n, 2 * LENGTH);
        for (size_t j = 0; j < chosen->n; j++) {
            int32_t expert;
            memcpy(&expert, &chosen->data[j], sizeof expert);
            cr_assert_eq(expert, cases[i].experts[j % 2], "%s, position %zu", cases[i].model, j / 2);
        }
        forget(&seen);
        weir_model_close(model);
    }
}

static weir_status double_row_3(const weir_event *event, void *payload)
{
    (void)payload;
    for (size_t i = 0; i < event->shape[1]; i++)
        event->data[3 * event->shape[1] + i] *= 2;
    return WEIR_OK;
}

Test(edits, an_edited_row_of_the_stream_changes_later_positions_only_and_earlier_captures_not_at_all)
{
    weir_model *model = open_model("mistral", 2);
    struct record plain = run_model(model, "resid_post", one_length, 1, NULL);
    struct record edited =
        run_model(model, "resid_post", one_length, 1, &(struct edit){"resid_pre:1", double_row_3, NULL});
    const struct value *before = find(&plain, "resid_post", 2, 0), *after = find(&edited, "resid_post", 2, 0);
    size_t d_model = before->shape[1];
    cr_expect_eq(largest_difference(find(&plain, "resid_post", 0, 0), find(&edited, "resid_post", 0, 0)), 0);
    cr_expect_eq(memcmp(before->data, after->data, 3 * d_model * sizeof(float)), 0);
    cr_expect(memcmp(before->data + 3 * d_model, after->data + 3 * d_model, d_model * sizeof(float)) != 0);
    forget(&plain);
    forget(&edited);
    weir_model_close(model);
}

static weir_status scale_head_2(const weir_event *event, void *payload)
{
    (void)payload; /* [pos, head, d_model] */
    for (size_t pos = 0; pos < event->shape[0]; pos++)
        for (size_t i = 0; i < event->shape[2]; i++)
            event->data[(pos * event->shape[1] + 2) * event->shape[2] + i] += (float)i * 0.1f;
    return WEIR_OK;
}

EACH_MODEL(edits, an_edited_q_input_reaches_one_heads_queries_only)
{
    weir_model *model = open_model(name, 2);
    struct record plain = run_model(model, "q:0,k:0,v:0", one_length, 1, NULL);
    struct record edited =
        run_model(model, "q:0,k:0,v:0", one_length, 1, &(struct edit){"q_input:0", scale_head_2, NULL});
    const struct value *before = find(&plain, "q", 0, 0), *after = find(&edited, "q", 0, 0);
    size_t n_heads = before->shape[1], d_head = before->shape[2];
    double other = 0, own = 0;
    for (size_t i = 0; i < before->n; i++) {
        double difference = fabs((double)before->data[i] - (double)after->data[i]);
        if (i / d_head % n_heads == 2)
            own = fmax(own, difference);
        else
            other = fmax(other, difference);
    }
    cr_expect(own > 1e-2, "%s", name);
    cr_expect(other < 1e-4, "%s: %g", name, other);
    cr_expect(largest_difference(find(&plain, "k", 0, 0), find(&edited, "k", 0, 0)) == 0, "%s", name);
    forget(&plain);
    forget(&edited);
    weir_model_close(model);
}

static weir_status change_nothing(const weir_event *event, void *payload)
{
    (void)event;
    (void)payload;
    return WEIR_OK;
}

static weir_status halve_named(const weir_event *event, void *payload)
{
    (void)payload; /* pattern or scores: [head, query, key] */
    for (size_t r = 0; r < event->n_rows; r++)
        for (size_t u = 0; u < event->n_units; u++) {
            size_t head = event->units ? (size_t)event->units[u] : u, row = event->rows ? (size_t)event->rows[r] : r;
            float *keys = event->data + (head * event->shape[1] + row) * event->shape[2];
            for (size_t key = 0; key < event->shape[2]; key++)
                keys[key] *= 0.5f;
        }
    return WEIR_OK;
}

EACH_MODEL(edits, heads_and_prompts_that_an_editor_does_not_name_are_as_they_would_be_to_the_bit)
{
    static const char *const where[] = {"pattern:1.2@60:", "attn_scores:1.2@60:"}; /* prompt 1 is too short for that */
    const size_t lengths[] = {LENGTH, 9};
    for (int i = 0; i < 2; i++) {
        weir_model *model = open_model(name, 2);
        struct record plain = run_model(model, "z:1,pattern:1", lengths, 2, NULL);
        struct record edited =
            run_model(model, "z:1,pattern:1", lengths, 2, &(struct edit){where[i], halve_named, NULL});
        const struct value *before = find(&plain, "z", 1, 0), *after = find(&edited, "z", 1, 0);
        size_t n_heads = before->shape[1], d_head = before->shape[2];
        double own = 0;
        for (size_t at = 0; at < before->n; at++)
            if (at / d_head % n_heads != 2)
                cr_assert(before->data[at] == after->data[at], "%s: another head has changed", name);
            else
                own = fmax(own, fabs((double)before->data[at] - (double)after->data[at]));
        cr_expect(own > 1e-4, "%s, %s: %g", name, where[i], own);
        cr_expect_eq(largest_difference(find(&plain, "z", 1, 1), find(&edited, "z", 1, 1)), 0);
        forget(&plain);
        forget(&edited);
        weir_model_close(model);
    }
}

EACH_KIND(edits, an_editor_that_changes_nothing_changes_nothing_at_any_point)
{
    weir_model *model = open_model(name, 2);
    struct record plain = run_model(model, "logits", one_length, 1, NULL);
    for (int point = 0; point < weir_n_points(); point++) {
        const weir_point *p = weir_point_at(point);
        if (!weir_model_has_point(model, point, p->per_layer ? 1 : -1, NULL))
            continue;
        struct record edited = run_model(model, "logits", one_length, 1, &(struct edit){p->name, change_nothing, NULL});
        double difference = largest_difference(find(&plain, "logits", -1, 0), find(&edited, "logits", -1, 0));
        cr_expect(difference < 2e-3, "%s, %s: logits differ by %g", name, p->name, difference);
        forget(&edited);
    }
    forget(&plain);
    weir_model_close(model);
}

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
