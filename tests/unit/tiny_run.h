/* Runs of the tiny models with a recorder, and the models that claims are made of. */
#ifndef WEIR_UNIT_TINY_RUN_H
#define WEIR_UNIT_TINY_RUN_H

#include "weir.h"

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

static inline weir_status record(const weir_event *event, void *payload)
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

static inline void forget(struct record *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->values[i].data);
    free(r->values);
    *r = (struct record){0};
}

static inline const struct value *find(const struct record *r, const char *name, int layer, int prompt)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(weir_point_at(r->values[i].point)->name, name) == 0 && r->values[i].layer == layer &&
            r->values[i].prompt == prompt)
            return &r->values[i];
    cr_assert_fail("%s of layer %d, prompt %d was not seen", name, layer, prompt);
    return NULL;
}

static inline double largest_difference(const struct value *a, const struct value *b)
{
    double most = 0;
    cr_assert_eq(a->n, b->n);
    for (size_t i = 0; i < a->n; i++)
        if (a->data[i] != b->data[i])
            most = fmax(most, fabs((double)a->data[i] - (double)b->data[i]));
    return most;
}

/* ---- running ---- */

static inline weir_model *open_model(const char *name, int threads)
{
    char path[1024];
    weir_model *model;
    snprintf(path, sizeof path, "%s%s", MODELS, name);
    cr_assert(weir_model_open(&model, path, &(weir_model_options){.n_threads = threads}) == WEIR_OK, "%s",
              weir_message());
    return model;
}

static inline weir_tokens prompt_of(const weir_model *model, size_t n, int seed)
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
static inline struct record run_model(weir_model *model, const char *selection, const size_t *lengths, size_t n,
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

/* ---- hooks ---- */

static inline weir_status count(const weir_event *event, void *payload)
{
    (void)event;
    ++*(int *)payload;
    return WEIR_OK;
}

#endif
