/* Sweeps: each variant's logits are, to the bit, those of a whole pass in which an editor makes the same change. */
#include "same_bits.h"
#include "weir.h"

#include "points/points.h"
#include "unit/claims.h"
#include "unit/data_path.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROMPTS = 4, LENGTH = 75, SHORT = 9, VARIANTS = 4096 };

/* clang-format off */
#define FAMILIES(X, suite, claim)                                                                                      \
    X(suite, claim, gpt2) X(suite, claim, llama) X(suite, claim, gemma2) X(suite, claim, gpt_neox)                     \
    X(suite, claim, mixtral) X(suite, claim, bloom) X(suite, claim, gpt_oss) X(suite, claim, falcon_alibi)             \
    X(suite, claim, phimoe_longrope)
/* clang-format on */
#define EACH_FAMILY(suite, claim) EACH_OF(FAMILIES, suite, claim)

/* ---- a whole pass with one change ---- */

/* Two long prompts and two short ones: 0 and 1, 2 and 3 are pairs. */
struct bench {
    weir_model *model;
    weir_tokens prompts[PROMPTS];
};

static struct bench open_bench(const char *name, int threads)
{
    char path[1024];
    struct bench b = {0};
    snprintf(path, sizeof path, "%s%s", MODELS, name);
    cr_assert(weir_model_open(&b.model, path, &(weir_model_options){.n_threads = threads}) == WEIR_OK, "%s",
              weir_message());
    for (int i = 0; i < PROMPTS; i++) {
        int32_t ids[LENGTH];
        size_t n = i < 2 ? LENGTH : SHORT;
        for (size_t at = 0; at < n; at++)
            ids[at] = (int32_t)((at * 37 + (size_t)i * 11 + 5) % 199);
        cr_assert(weir_tokens_from_ids(&b.prompts[i], b.model, ids, n) == WEIR_OK);
    }
    return b;
}

static void close_bench(struct bench *b)
{
    for (int i = 0; i < PROMPTS; i++)
        weir_tokens_close(&b->prompts[i]);
    weir_model_close(b->model);
}

/* What a whole pass keeps and changes. */
struct change {
    const weir_variant *variant;
    float *source; /* the value of the source, whole */
    float *logits; /* of all positions */
};

static float *copy_of(const weir_event *event)
{
    size_t n = 1;
    for (int i = 0; i < event->n_axes; i++)
        n *= event->shape[i];
    float *copy = malloc(n * sizeof *copy);
    memcpy(copy, event->data, n * sizeof *copy);
    return copy;
}

static weir_status keep_source(const weir_event *event, void *payload)
{
    struct change *change = payload;
    change->source = copy_of(event);
    return WEIR_OK;
}

static weir_status keep_logits(const weir_event *event, void *payload)
{
    struct change *change = payload;
    change->logits = copy_of(event);
    return WEIR_OK;
}

static bool is_chosen(const weir_event *event, int axis, size_t index, const weir_variant *v)
{
    if (axis >= event->n_axes)
        return true;
    if (axis == weir_point_row_axis(event->point))
        return v->position < 0 || (size_t)v->position == index;
    if (axis == weir_point_unit_axis(event->point))
        return v->unit < 0 || (size_t)v->unit == index;
    return event->axes[axis] != WEIR_AXIS_KEY || v->key < 0 || (size_t)v->key == index;
}

/* One value after the other, both prompts being equally long. */
static weir_status make_change(const weir_event *event, void *payload)
{
    struct change *change = payload;
    size_t last = event->n_axes > 2 ? event->shape[2] : 1, middle = event->n_axes > 1 ? event->shape[1] : 1;
    for (size_t at = 0; at < event->shape[0] * middle * last; at++)
        if (is_chosen(event, 0, at / (middle * last), change->variant) &&
            is_chosen(event, 1, at / last % middle, change->variant) && is_chosen(event, 2, at % last, change->variant))
            event->data[at] = change->source[at];
    return WEIR_OK;
}

/* Logits [n, vocab] of the variant's prompt by whole passes; the caller's. */
static float *run_whole(const struct bench *b, const weir_variant *v)
{
    struct change change = {.variant = v};
    weir_run *run;
    cr_assert(weir_run_open(&run, b->model, NULL) == WEIR_OK);
    if (v->point >= 0) {
        cr_assert(weir_run_hook_at(run, v->point, v->layer, WEIR_READ, keep_source, &change) == WEIR_OK);
        cr_assert(weir_run_forward(run, &b->prompts[v->source], 1) == WEIR_OK, "%s", weir_message());
        weir_run_unhook(run, keep_source, &change);
        cr_assert(weir_run_hook_at(run, v->point, v->layer, WEIR_EDIT, make_change, &change) == WEIR_OK);
    }
    cr_assert(weir_run_hook_at(run, WEIR_P_LOGITS, -1, WEIR_READ, keep_logits, &change) == WEIR_OK);
    cr_assert(weir_run_forward(run, &b->prompts[v->prompt], 1) == WEIR_OK, "%s", weir_message());
    weir_run_close(run);
    free(change.source);
    return change.logits;
}

/* ---- variants ---- */

struct list {
    weir_variant *variants; /* [VARIANTS] */
    size_t n;
};

static void add(struct list *list, weir_variant v)
{
    cr_assert(list->n < VARIANTS);
    list->variants[list->n++] = v;
}

/* A few of each kind at one point: whole, a unit, a row, both, a cell. */
static void add_kinds(struct list *list, const struct bench *b, int point, int layer, int pair)
{
    const weir_point *p = weir_point_at(point);
    int n = (int)b->prompts[pair].n, unit = weir_point_unit_axis(p) >= 0 ? 1 : -1;
    bool has_keys = p->axes[p->n_axes - 1] == WEIR_AXIS_KEY;
    weir_variant v = {pair, pair + 1, point, layer, -1, -1, -1};
    const int positions[] = {-1, n / 2, n - 1};
    for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
        v.position = positions[i];
        v.unit = -1;
        add(list, v);
        v.unit = unit;
        if (unit >= 0)
            add(list, v);
        v.key = n / 3;
        if (has_keys)
            add(list, v);
        v.key = -1;
    }
}

static struct list variants_of(const struct bench *b, int pair)
{
    static const char *const points[] = {"embed",    "resid_pre", "resid_mid", "attn_out",  "mlp_out",
                                         "z",        "q",         "k",         "v",         "pattern",
                                         "mlp_post", "rot_k",     "unembed",   "resid_post"};
    struct list list = {malloc(VARIANTS * sizeof(weir_variant)), 0};
    int n_layers = weir_model_get_info(b->model)->n_layers;
    add(&list, (weir_variant){.prompt = pair, .point = -1});
    for (int layer = -1; layer < n_layers; layer++)
        for (size_t i = 0; i < sizeof points / sizeof *points; i++)
            for (int point = 0; point < weir_n_points(); point++)
                if (strcmp(weir_point_at(point)->name, points[i]) == 0 &&
                    weir_model_has_point(b->model, point, layer, NULL) && (layer != 1 || i % 2))
                    add_kinds(&list, b, point, layer, pair);
    return list;
}

/* ---- comparing ---- */

struct seen {
    const struct bench *bench;
    const struct list *list;
    const weir_rows *rows; /* [PROMPTS] */
    size_t n;
    bool *met; /* [list->n] */
};

static weir_status compare(const weir_event *event, void *payload)
{
    struct seen *seen = payload;
    const weir_variant *v = &seen->list->variants[event->prompt];
    weir_rows rows = seen->rows[v->prompt];
    size_t vocab = event->shape[1];
    float *expected = run_whole(seen->bench, v);
    cr_assert(!seen->met[event->prompt]);
    seen->met[event->prompt] = true;
    seen->n++;
    cr_assert(event->first == rows.first && event->shape[0] == rows.n && event->n_rows == rows.n);
    cr_assert(memcmp(event->data, expected + rows.first * vocab, rows.n * vocab * sizeof(float)) == 0,
              "%s of layer %d, unit %d, position %d, key %d: %g, not %g",
              v->point < 0 ? "nothing" : weir_point_at(v->point)->name, v->layer, v->unit, v->position, v->key,
              (double)event->data[0], (double)expected[rows.first * vocab]);
    free(expected);
    return WEIR_OK;
}

static void compare_sweep(const char *name, int threads, int pair, const weir_rows *rows)
{
    struct bench b = open_bench(name, threads);
    struct list list = variants_of(&b, pair);
    const weir_rows last[PROMPTS] = {{LENGTH - 1, 1}, {LENGTH - 1, 1}, {SHORT - 1, 1}, {SHORT - 1, 1}};
    struct seen seen = {.bench = &b, .list = &list, .rows = rows ? rows : last, .met = calloc(list.n, sizeof(bool))};
    weir_run *run;
    cr_assert(weir_run_open(&run, b.model, NULL) == WEIR_OK);
    cr_assert(weir_run_sweep(run, b.prompts, PROMPTS, list.variants, list.n, rows, compare, &seen) == WEIR_OK, "%s",
              weir_message());
    cr_assert(seen.n == list.n);
    weir_run_close(run);
    free(seen.met);
    free(list.variants);
    close_bench(&b);
}

EACH_FAMILY(sweep, variants_have_the_bits_of_whole_passes)
{
    compare_sweep(name, 2, 2, NULL);
}

/* Those whose values depend on how long the prompt is are among them. */
Test(sweep, variants_have_them_at_rows_in_the_middle)
{
    static const weir_rows rows[PROMPTS] = {{3, 2}, {3, 2}, {3, 2}, {3, 2}};
    compare_sweep("gpt2", 1, 2, rows);
    compare_sweep("gemma2", 1, 2, rows);
    compare_sweep("falcon_alibi", 1, 2, rows);
    compare_sweep("phimoe_longrope", 1, 2, rows);
}

Test(sweep, long_variants_have_the_bits_of_whole_passes_with_five_threads)
{
    compare_sweep("gemma2", 5, 0, NULL);
    compare_sweep("gpt2", 5, 0, NULL);
}

/* ---- what is refused ---- */

static weir_status fail_if_called(const weir_event *event, void *payload)
{
    (void)event, (void)payload;
    return weir_fail(WEIR_E_STOPPED, "stopped here");
}

static void expect_refusal(const char *words, weir_variant v, const weir_rows *rows)
{
    struct bench b = open_bench("gpt2", 1);
    weir_run *run;
    cr_assert(weir_run_open(&run, b.model, NULL) == WEIR_OK);
    cr_assert(weir_run_sweep(run, b.prompts, PROMPTS, &v, 1, rows, fail_if_called, NULL) != WEIR_OK);
    cr_assert(strstr(weir_message(), words), "%s", weir_message());
    weir_run_close(run);
    close_bench(&b);
}

Test(sweep, what_is_not_there_is_refused_with_the_number_of_the_variant)
{
    const weir_rows beyond[PROMPTS] = {{0, 1}, {0, 1}, {SHORT, 1}, {0, 1}};
    expect_refusal("variant 0: its prompt is 4", (weir_variant){PROMPTS, 1, WEIR_P_Z, 0, -1, -1, -1}, NULL);
    expect_refusal("its source is -1", (weir_variant){0, -1, WEIR_P_Z, 0, -1, -1, -1}, NULL);
    expect_refusal("its source, 9", (weir_variant){0, 2, WEIR_P_Z, 0, -1, -1, -1}, NULL);
    expect_refusal("its point is 999", (weir_variant){0, 1, 999, 0, -1, -1, -1}, NULL);
    expect_refusal("rot_q in layer 0", (weir_variant){0, 1, WEIR_P_ROT_Q, 0, -1, -1, -1}, NULL);
    expect_refusal("its unit is 99", (weir_variant){0, 1, WEIR_P_Z, 0, 99, -1, -1}, NULL);
    expect_refusal("its position is 75", (weir_variant){0, 1, WEIR_P_Z, 0, -1, LENGTH, -1}, NULL);
    expect_refusal("has no key", (weir_variant){0, 1, WEIR_P_Z, 0, -1, -1, 3}, NULL);
    expect_refusal("wanted of prompt 2", (weir_variant){0, 1, WEIR_P_Z, 0, -1, -1, -1}, beyond);
    expect_refusal("stopped here", (weir_variant){0, 1, WEIR_P_Z, 0, -1, -1, -1}, NULL);
}

Test(sweep, a_run_with_hooks_is_refused_and_one_that_swept_runs_as_before)
{
    struct bench b = open_bench("gpt2", 1);
    struct change before = {0}, after = {0};
    const weir_variant v = {0, 1, WEIR_P_Z, 1, 0, -1, -1};
    weir_run *run;
    cr_assert(weir_run_open(&run, b.model, NULL) == WEIR_OK);
    cr_assert(weir_run_hook_at(run, WEIR_P_LOGITS, -1, WEIR_READ, keep_logits, &before) == WEIR_OK);
    cr_assert(weir_run_sweep(run, b.prompts, 2, &v, 1, NULL, keep_source, NULL) == WEIR_E_USAGE);
    cr_assert(weir_run_forward(run, b.prompts, 1) == WEIR_OK);
    weir_run_unhook(run, keep_logits, &before);
    cr_assert(weir_run_sweep(run, b.prompts, 2, &v, 1, NULL, keep_source, &after) == WEIR_OK);
    free(after.source);
    cr_assert(weir_run_hook_at(run, WEIR_P_LOGITS, -1, WEIR_READ, keep_logits, &after) == WEIR_OK);
    cr_assert(weir_run_forward(run, b.prompts, 1) == WEIR_OK);
    cr_assert(same_bits(before.logits, after.logits, LENGTH * 211 * sizeof(float)));
    free(before.logits);
    free(after.logits);
    weir_run_close(run);
    close_bench(&b);
}
