/* Passes that begin where others left off: whatever they begin with, their values are those of a whole pass, to the
   bit. */
#include "engine/start.h"

#include "unit/claims.h"
#include "unit/data_path.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LENGTH = 90, PROMPTS = 3 };

/* plain, grouped, windows and soft caps, parallel, experts, ALiBi, sinks, norms of keys, positions in q and k,
   rotations that depend on the length */
/* clang-format off */
#define FAMILIES(X, suite, claim)                                                                                      \
    X(suite, claim, gpt2) X(suite, claim, llama) X(suite, claim, gemma2) X(suite, claim, gpt_neox)                     \
    X(suite, claim, mixtral) X(suite, claim, bloom) X(suite, claim, gpt_oss) X(suite, claim, qwen3)                    \
    X(suite, claim, lens_shortformer) X(suite, claim, falcon_alibi) X(suite, claim, phimoe_longrope)
/* clang-format on */
#define EACH_FAMILY(suite, claim) EACH_OF(FAMILIES, suite, claim)

static weir_model *open_model(const char *name, int threads)
{
    char path[1024];
    weir_model *model;
    snprintf(path, sizeof path, "%s%s", MODELS, name);
    cr_assert(weir_model_open(&model, path, &(weir_model_options){.n_threads = threads}) == WEIR_OK, "%s",
              weir_message());
    return model;
}

/* A model, a run, prompts, and all that a whole pass over them has at every point. */
struct whole {
    weir_model *model;
    weir_run *run;
    weir_tokens prompts[PROMPTS];
    struct weir_keeper keeper;
};

static void make_prompts(struct whole *w)
{
    for (int i = 0; i < PROMPTS; i++) {
        int32_t ids[LENGTH];
        size_t n = LENGTH - (size_t)i * 11;
        for (size_t at = 0; at < n; at++)
            ids[at] = (int32_t)((at * 37 + (size_t)i * 11 + 5) % 199);
        cr_assert(weir_tokens_from_ids(&w->prompts[i], w->model, ids, n) == WEIR_OK);
    }
}

/* Each point of the model that is not as large as the model is wide, once for each head. */
static void each_site(const struct whole *w, void fn(const struct whole *w, int point, int layer))
{
    for (int point = 0; point < WEIR_N_POINTS; point++)
        for (int layer = -1; layer < w->model->config.n_layers; layer++)
            if (weir_model_has_point(w->model, point, layer, NULL))
                fn(w, point, layer);
}

static void keep_site(const struct whole *w, int point, int layer)
{
    cr_assert(weir_keep_at((struct weir_keeper *)&w->keeper, point, layer) == WEIR_OK, "%s", weir_message());
}

static struct whole *run_whole(const char *name, int threads)
{
    struct whole *w = calloc(1, sizeof *w);
    w->model = open_model(name, threads);
    make_prompts(w);
    cr_assert(weir_run_open(&w->run, w->model, NULL) == WEIR_OK);
    w->run->keeps_weights = true;
    cr_assert(weir_keeper_open(&w->keeper, w->run, PROMPTS) == WEIR_OK);
    each_site(w, keep_site);
    cr_assert(weir_run_forward(w->run, w->prompts, PROMPTS) == WEIR_OK, "%s", weir_message());
    return w;
}

static void close_whole(struct whole *w)
{
    weir_keeper_close(&w->keeper);
    weir_run_close(w->run);
    for (int i = 0; i < PROMPTS; i++)
        weir_tokens_close(&w->prompts[i]);
    weir_model_close(w->model);
    free(w);
}

/* ---- comparing ---- */

struct comparing {
    const struct whole *whole;
    size_t seen;
};

/* Rows of a value: [before, rows, after], as many keys in a row as the pass has. */
static size_t row_axis(const weir_event *event)
{
    for (int i = 0; i < event->n_axes; i++)
        if (event->axes[i] == WEIR_AXIS_POS || event->axes[i] == WEIR_AXIS_QUERY)
            return (size_t)i;
    cr_assert_fail("%s has no rows", event->point->name);
    return 0;
}

static weir_status compare(const weir_event *event, void *payload)
{
    struct comparing *c = payload;
    const struct weir_kept *kept = c->whole->keeper.kept[event->prompt];
    const float *expected = weir_kept_value(kept, event->point->id, event->layer);
    size_t axis = row_axis(event), before = 1, after = 1, rows = event->shape[axis];
    for (size_t i = 0; i < axis; i++)
        before *= event->shape[i];
    for (size_t i = axis + 1; i < (size_t)event->n_axes; i++)
        after *= event->shape[i];
    cr_assert(event->first + rows == kept->n_positions, "%s", event->point->name);
    for (size_t i = 0; i < before * rows; i++) {
        size_t block = i / rows, row = i % rows;
        const float *has = event->data + i * after;
        const float *had = expected + (block * kept->n_positions + event->first + row) * after;
        cr_assert(memcmp(has, had, after * sizeof *has) == 0, "%s of layer %d, prompt %d, position %zu: %g, not %g",
                  event->point->name, event->layer, event->prompt, event->first + row, (double)*has, (double)*had);
    }
    c->seen++;
    return WEIR_OK;
}

/* Where the test's prompts begin: each at another position. */
struct beginning {
    size_t past[PROMPTS], wanted[PROMPTS];
    weir_tokens rest[PROMPTS];
};

static void begin_at(struct beginning *b, const struct whole *w, size_t past)
{
    for (size_t i = 0; i < PROMPTS; i++) {
        b->past[i] = past + i < w->prompts[i].n ? past + i : w->prompts[i].n - 1;
        b->wanted[i] = w->prompts[i].n - 1 - i;
        b->rest[i] = (weir_tokens){.ids = w->prompts[i].ids + b->past[i], .n = w->prompts[i].n - b->past[i]};
    }
}

static const size_t pasts[] = {0, 1, 13, 62, 64, 75, 200};

/* Compares all that passes from `layer` on give at sites of that layer and after it. */
static void compare_from(const struct whole *w, int layer, bool narrows)
{
    int n_layers = w->model->config.n_layers;
    struct comparing c = {.whole = w};
    weir_run *run;
    cr_assert(weir_run_open(&run, w->model, NULL) == WEIR_OK);
    for (int point = 0; point < WEIR_N_POINTS; point++)
        for (int at = -1; at < n_layers; at++)
            if ((at >= layer || (at < 0 && point > WEIR_P_RESID_POST)) &&
                weir_model_has_point(w->model, point, at, NULL))
                cr_assert(weir_run_hook_at(run, point, at, WEIR_READ, compare, &c) == WEIR_OK);
    for (size_t i = 0; i < sizeof pasts / sizeof *pasts; i++) {
        struct beginning b;
        begin_at(&b, w, pasts[i]);
        struct weir_start from = {.layer = layer,
                                  .kept = (const struct weir_kept *const *)w->keeper.kept,
                                  .past = b.past,
                                  .wanted = narrows ? b.wanted : NULL};
        cr_assert(weir_run_forward_from(run, b.rest, PROMPTS, &from) == WEIR_OK, "%s", weir_message());
    }
    cr_assert(c.seen > 0);
    weir_run_close(run);
}

static void compare_all(const char *name, int threads)
{
    struct whole *w = run_whole(name, threads);
    for (int layer = -1; layer <= w->model->config.n_layers; layer++) {
        compare_from(w, layer, false);
        compare_from(w, layer, true);
    }
    close_whole(w);
}

EACH_FAMILY(start, a_pass_that_begins_anywhere_gives_the_bits_of_a_whole_one)
{
    compare_all(name, 1);
}

EACH_FAMILY(start, so_it_does_with_two_threads)
{
    compare_all(name, 2);
}

EACH_FAMILY(start, so_it_does_with_five_threads)
{
    compare_all(name, 5);
}

/* ---- what is refused ---- */

static void expect_refusal(const struct whole *w, const struct weir_start *from, const weir_tokens *rest,
                           const char *words)
{
    cr_assert(weir_run_forward_from(w->run, rest, 1, from) != WEIR_OK);
    cr_assert(strstr(weir_message(), words), "%s", weir_message());
}

Test(start, what_was_not_kept_is_refused_by_name)
{
    struct whole *w = run_whole("gpt2", 1);
    const struct weir_kept *const some[] = {w->keeper.kept[0]};
    weir_tokens rest = {.ids = w->prompts[0].ids + 3, .n = w->prompts[0].n - 3};
    const size_t past = 3;
    expect_refusal(w, &(struct weir_start){.layer = 1}, &rest, "nothing was kept");
    expect_refusal(w, &(struct weir_start){.layer = 1, .kept = some}, &(weir_tokens){0}, "no tokens");
    weir_buffer_release(w->keeper.kept[0]->buffers[weir_site_index(3, WEIR_P_V, 2)]);
    w->keeper.kept[0]->buffers[weir_site_index(3, WEIR_P_V, 2)] = NULL;
    w->keeper.kept[0]->values[weir_site_index(3, WEIR_P_V, 2)] = NULL;
    expect_refusal(w, &(struct weir_start){.layer = 1, .kept = some, .past = &past}, &rest, "layer 2 were not kept");
    close_whole(w);
}

Test(start, keys_whose_rotation_depends_on_the_length_are_refused_at_another_length)
{
    struct whole *w = run_whole("phimoe_longrope", 1);
    const struct weir_kept *const some[] = {w->keeper.kept[0]};
    const size_t past = 3;
    weir_tokens rest = {.ids = w->prompts[0].ids + 3, .n = 40};
    expect_refusal(w, &(struct weir_start){.layer = -1, .kept = some, .past = &past}, &rest, "prompt's length");
    close_whole(w);
}
