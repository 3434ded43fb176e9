/* Editors on the tiny models: an edit changes what it should and nothing else. What the values are is judged by
   tests/model against PyTorch. */
#include "unit/tiny_run.h"

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
