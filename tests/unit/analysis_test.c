/* Answers from stored files, against what can be told by hand from store_fake's values: fake patterns give each key up
   to the query the same weight. */
#include "analysis/analysis.h"

#include "store_fake.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- one head's pattern ---- */

/* Queries 0, 1 and 2 of three keys. */
struct small {
    struct weir_attention attention;
    int32_t positions[3], keys[3];
    float weights[9];
};

static void make_small(struct small *s)
{
    static const float weights[9] = {1, 0, 0, 0.75f, 0.25f, 0, 0.5f, 0.125f, 0.375f};
    *s = (struct small){.positions = {0, 1, 2}, .keys = {0, 1, 2}};
    memcpy(s->weights, weights, sizeof weights);
    s->attention = (struct weir_attention){3, 3, s->positions, s->keys, s->weights, 0};
}

static void expect_weights(const struct weir_attention *attention, const float *expected)
{
    for (size_t i = 0; i < attention->n_queries * attention->n_keys; i++)
        cr_expect_float_eq(attention->weights[i], expected[i], 1e-7, "%zu: %g", i, (double)attention->weights[i]);
}

Test(attention, without_the_first_token_rows_are_divided_by_what_remains)
{
    struct small s;
    make_small(&s);
    weir_attention_drop_first(&s.attention);
    cr_expect_eq(s.attention.n_keys, 2);
    cr_expect_eq(s.attention.keys[0], 1);
    expect_weights(&s.attention, (float[]){0, 0, 1, 0, 0.25f, 0.75f});
}

Test(attention, picking_keeps_marked_queries_and_keys_with_their_positions)
{
    struct small s;
    make_small(&s);
    weir_attention_pick(&s.attention, (bool[]){false, true, true}, (bool[]){true, false, true});
    cr_expect_eq(s.attention.n_queries, 2);
    cr_expect_eq(s.attention.n_keys, 2);
    cr_expect(s.attention.positions[0] == 1 && s.attention.positions[1] == 2);
    cr_expect(s.attention.keys[0] == 0 && s.attention.keys[1] == 2);
    expect_weights(&s.attention, (float[]){0.75f, 0, 0.5f, 0.375f});
}

Test(attention, heads_are_added_weight_by_weight_and_look_as_far_as_the_farthest)
{
    struct small a, b;
    make_small(&a);
    make_small(&b);
    a.attention.window = 2;
    b.attention.window = 3;
    cr_expect(weir_attention_add(&a.attention, &b.attention) == WEIR_OK);
    weir_attention_scale(&a.attention, 0.5f);
    expect_weights(&a.attention, b.weights);
    cr_expect_eq(a.attention.window, 3);
    b.attention.window = 0; /* all before the query */
    cr_expect(weir_attention_add(&a.attention, &b.attention) == WEIR_OK);
    cr_expect_eq(a.attention.window, 0);
}

Test(attention, heads_at_other_queries_are_not_added)
{
    struct small a, b;
    make_small(&a);
    make_small(&b);
    b.positions[2] = 5;
    cr_expect(weir_attention_add(&a.attention, &b.attention) == WEIR_E_INPUT);
    expect_weights(&a.attention, b.weights);
}

Test(attention, masked_weights_are_nan_and_zeros_that_a_query_could_give_are_not)
{
    struct small s;
    make_small(&s);
    s.weights[6] = 0;
    weir_attention_mask(&s.attention);
    cr_expect(isnan(s.weights[1]) && isnan(s.weights[2]) && isnan(s.weights[5]));
    cr_expect(s.weights[6] == 0 && s.weights[8] == 0.375f);
}

Test(attention, a_window_masks_the_keys_before_it)
{
    cr_expect(!weir_is_masked(5, 5, 2) && !weir_is_masked(5, 4, 2) && weir_is_masked(5, 3, 2));
    cr_expect(weir_is_masked(5, 6, 2) && weir_is_masked(5, 6, 0) && !weir_is_masked(5, 0, 0));
}

Test(attention, the_largest_weights_come_first_of_equals_the_earlier_and_never_zeros)
{
    static const float weights[] = {0.25f, 0, 0.5f, 0.25f, 0, 0.125f};
    size_t out[6];
    cr_expect_eq(weir_top_k(out, 3, weights, 6), 3);
    cr_expect(out[0] == 2 && out[1] == 0 && out[2] == 3);
    cr_expect_eq(weir_top_k(out, 6, weights, 6), 4);
    cr_expect_eq(weir_top_k_strided(out, 3, weights, 2, 3), 2); /* the first and the fourth */
    cr_expect(out[0] == 0 && out[1] == 1);
}

/* ---- files ---- */

/* A stored file of fake values, open. */
struct stored {
    struct fake fake;
    char path[64];
    weir_file *file;
};

static void store_fake(struct stored *s, const char *name, const size_t *lengths, size_t n)
{
    snprintf(s->path, sizeof s->path, "/tmp/weir-analysis-%d-%s.h5", (int)getpid(), name);
    fake_open(&s->fake, lengths, n);
    fake_add(&s->fake, WEIR_P_RESID_POST);
    fake_add(&s->fake, WEIR_P_PATTERN);
}

static void open_stored(struct stored *s)
{
    cr_assert(fake_write(&s->fake, s->path) == WEIR_OK, "%s", weir_message());
    cr_assert(weir_file_open(&s->file, s->path) == WEIR_OK, "%s", weir_message());
}

static void close_stored(struct stored *s)
{
    weir_file_close(s->file);
    fake_close(&s->fake);
    unlink(s->path);
}

static struct weir_source source_of(const struct stored *s, const char *name)
{
    const weir_file_point *point = weir_file_find(s->file, name);
    cr_assert_not_null(point);
    return (struct weir_source){.file = s->file, .point = point, .gaps = true};
}

static const size_t lengths[] = {4, 7};

Test(stats, moments_are_those_of_all_the_values)
{
    struct stored s;
    struct weir_stats stats;
    double sum = 0, squares = 0;
    size_t shape[WEIR_MAX_AXES], n = 0;
    store_fake(&s, "moments", lengths, 2);
    open_stored(&s);
    cr_assert(weir_stats_layer(&stats, s.file, weir_file_find(s.file, "resid_post"), 1) == WEIR_OK);
    for (int prompt = 0; prompt < 2; prompt++)
        for (size_t i = 0, m = fake_size(&s.fake, 0, prompt, shape); i < m; i++, n++) {
            double value = (double)fake_value(&s.fake, 0, 1, prompt, i);
            sum += value;
            squares += value * value;
        }
    double mean = sum / (double)n;
    cr_expect_eq(stats.count, n);
    cr_expect_eq(stats.rows, 11);
    cr_expect_float_eq(stats.mean, mean, 1e-9 * fabs(mean));
    cr_expect_float_eq(stats.rms, sqrt(squares / (double)n), 1e-9 * stats.rms);
    cr_expect_float_eq(stats.std, sqrt(squares / (double)n - mean * mean), 1e-6 * stats.rms);
    close_stored(&s);
}

Test(stats, of_two_parts_added_are_those_of_the_whole)
{
    struct weir_stats a = {
        .count = 2, .mean = 2, .squares = 2, .min = 1, .max = 3, .rows = 1, .norm_mean = 4, .norm_max = 4};
    struct weir_stats b = {
        .count = 1, .mean = 8, .min = 8, .max = 8, .rows = 1, .norm_mean = 8, .norm_max = 8, .n_nan = 3};
    weir_stats_add(&a, &b); /* of 1, 3 and 8 */
    cr_expect_eq(a.count, 3);
    cr_expect_float_eq(a.mean, 4, 1e-12);
    cr_expect_float_eq(a.std, sqrt((9 + 1 + 16) / 3.0), 1e-12);
    cr_expect(a.min == 1 && a.max == 8 && a.n_nan == 3 && a.norm_mean == 6 && a.norm_max == 8);
}

Test(stats, of_nothing_are_nan_and_not_zero)
{
    struct weir_stats total = {0};
    weir_stats_add(&total, &(struct weir_stats){.absent = 5});
    cr_expect(isnan(total.mean) && isnan(total.std) && isnan(total.min) && isnan(total.norm_max));
    cr_expect_eq(total.absent, 5);
}

Test(diff, a_file_differs_nowhere_from_itself)
{
    struct stored s;
    struct weir_difference found;
    store_fake(&s, "itself", lengths, 2);
    open_stored(&s);
    struct weir_source source = source_of(&s, "resid_post");
    cr_assert(weir_diff_point(&found, &source, &source) == WEIR_OK);
    cr_expect(found.absolute == 0 && found.relative == 0 && found.unlike == 0 && found.layer == -1);
    cr_expect_eq(found.count, FAKE_LAYERS * 11 * FAKE_D_MODEL);
    close_stored(&s);
}

Test(diff, units_that_only_one_file_has_are_unlike)
{
    static const int32_t units[] = {1};
    struct stored whole, one;
    struct weir_difference found;
    store_fake(&whole, "whole", lengths, 2);
    store_fake(&one, "one", lengths, 2);
    one.fake.spec.n_points = 0;
    fake_add(&one.fake, WEIR_P_Z);
    fake_units(&one.fake, units, 1, "0.1+1.1+2.1");
    fake_add(&whole.fake, WEIR_P_Z);
    open_stored(&whole);
    open_stored(&one);
    struct weir_source a = source_of(&whole, "z"), b = source_of(&one, "z");
    cr_assert(weir_diff_point(&found, &a, &b) == WEIR_OK);
    cr_expect_eq(found.unlike, FAKE_LAYERS * 11 * (FAKE_HEADS - 1) * FAKE_D_HEAD);
    close_stored(&whole);
    close_stored(&one);
}

Test(diff, files_of_other_prompts_are_not_compared)
{
    static const size_t others[] = {4, 6};
    struct stored a, b;
    store_fake(&a, "a", lengths, 2);
    store_fake(&b, "b", others, 2);
    open_stored(&a);
    open_stored(&b);
    cr_expect(weir_diff_prompts(a.file, b.file) == WEIR_E_INPUT);
    cr_expect_not_null(strstr(weir_message(), "prompt 1"));
    cr_expect(weir_diff_prompts(a.file, a.file) == WEIR_OK);
    close_stored(&a);
    close_stored(&b);
}

static void expect_pair(const struct weir_pair *pair, float weight, int layer, int prompt, int head, int query, int key)
{
    cr_expect(pair->weight == weight && pair->layer == layer && pair->prompt == prompt && pair->head == head &&
                  pair->query == query && pair->key == key,
              "%g at layer %d, prompt %d, head %d, query %d, key %d", (double)pair->weight, pair->layer, pair->prompt,
              pair->head, pair->query, pair->key);
}

Test(top, of_equal_weights_the_first_of_the_file_come_first)
{
    struct stored s;
    struct weir_pair pairs[10];
    size_t n;
    store_fake(&s, "equal", lengths, 2);
    open_stored(&s);
    cr_assert(weir_top(pairs, 10, &n, s.file, &(struct weir_top_want){0}) == WEIR_OK);
    cr_assert_eq(n, 10);
    expect_pair(&pairs[0], 1, 0, 0, 0, 0, 0);
    expect_pair(&pairs[FAKE_HEADS - 1], 1, 0, 0, FAKE_HEADS - 1, 0, 0);
    expect_pair(&pairs[FAKE_HEADS], 1, 0, 1, 0, 0, 0);
    expect_pair(&pairs[2 * FAKE_HEADS], 1, 1, 0, 0, 0, 0);
    close_stored(&s);
}

Test(top, pairs_with_the_first_token_and_the_query_itself_can_be_left_out)
{
    struct stored s;
    struct weir_pair pairs[2];
    size_t n;
    store_fake(&s, "less", lengths, 2);
    open_stored(&s);
    struct weir_top_want want = {.heads = (bool[FAKE_HEADS]){[2] = true}, .drop_first = true, .drop_self = true};
    cr_assert(weir_top(pairs, 2, &n, s.file, &want) == WEIR_OK);
    cr_assert_eq(n, 2);
    expect_pair(&pairs[0], 1.0f / 3, 0, 0, 2, 2, 1);
    expect_pair(&pairs[1], 1.0f / 3, 0, 1, 2, 2, 1);
    close_stored(&s);
}
