/* The C library called in any order with any arguments, from hooks too, as the input's bytes say; only what a caller
   can not be told of is left out: handles that are closed, memory that is gone. What must come of it is a status, and
   where that is a failure a message of one line. */
#include "weir.h"

#include "unit/data_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = 2, IDS = 12, DEEPEST = 3, MOST_CALLS = 200 };

struct hook {
    struct state *state;
    bool edits;
};

struct state {
    const uint8_t *data;
    size_t n, at;
    int depth, calls; /* depth: of hooks in hooks */
    char path[SLOTS][64];
    weir_model *models[SLOTS];
    weir_run *runs[SLOTS];
    weir_capture *captures[SLOTS];
    weir_file *files[SLOTS];
    weir_tokens prompts[SLOTS];
    weir_buffer *kept;
    struct hook hooks[2];
};

static uint8_t next(struct state *s)
{
    return s->at < s->n ? s->data[s->at++] : 0;
}

static size_t slot(struct state *s)
{
    return next(s) % SLOTS;
}

/* Mostly small, sometimes as far off as can be. */
static int number(struct state *s)
{
    static const int far[] = {-1, -2147483647 - 1, 2147483647, 1000000, 256, 257};
    uint8_t byte = next(s);
    return byte < 200 ? byte % 8 : far[byte % 6];
}

static size_t count(struct state *s)
{
    static const size_t far[] = {0, SIZE_MAX, SIZE_MAX / 4, (size_t)1 << 40};
    uint8_t byte = next(s);
    return byte < 230 ? byte % 4 : far[byte % 4];
}

static bool rarely(struct state *s)
{
    return next(s) > 240;
}

static void check(weir_status status)
{
    const char *message = weir_message();
    if (status < WEIR_OK || status > WEIR_E_STOPPED || status == 1)
        abort();
    if (status != WEIR_OK && (!*message || strchr(message, '\n')))
        abort();
}

static void call(struct state *s);

static weir_status hook(const weir_event *event, void *payload)
{
    struct hook *own = payload;
    struct state *s = own->state;
    if (own->edits)
        event->data[0] = 1;
    if (next(s) % 8 == 0 && !s->kept) {
        s->kept = event->buffer;
        weir_buffer_retain(s->kept);
    }
    if (s->depth < DEEPEST && next(s) % 4 == 0) {
        s->depth++;
        call(s);
        s->depth--;
    }
    return next(s) == 77 ? weir_fail(WEIR_E_STOPPED, "the hook has seen enough") : WEIR_OK;
}

/* ---- calls ---- */

static void model_open(struct state *s)
{
    static const char *const where[] = {MODELS "gpt2", MODELS "llama", "/nowhere", "", "x/y"};
    size_t i = slot(s);
    const weir_model_options options = {.n_threads = number(s)};
    if (!s->models[i])
        check(weir_model_open(&s->models[i], rarely(s) ? NULL : where[next(s) % 5], rarely(s) ? NULL : &options));
}

static void model_close(struct state *s)
{
    size_t i = slot(s);
    weir_model_close(s->models[i]);
    s->models[i] = NULL;
}

static void model_ask(struct state *s)
{
    const weir_model *model = s->models[slot(s)];
    size_t shape[WEIR_MAX_AXES];
    const char *why = NULL;
    char text[32];
    int point = number(s), layer = number(s);
    (void)weir_model_get_info(model);
    if (!weir_model_has_point(model, point, layer, &why) && !why)
        abort();
    (void)weir_model_shape(model, point, rarely(s) ? NULL : shape);
    (void)weir_token_text(model, number(s), rarely(s) ? NULL : text, sizeof text);
    (void)weir_point_at(number(s)), (void)weir_axis_name((weir_axis)number(s));
}

/* Not while somebody computes with them. */
static void tokens_make(struct state *s)
{
    int32_t ids[IDS];
    size_t i = slot(s), n = next(s) % (IDS + 1);
    const weir_model *model = s->models[slot(s)];
    for (size_t k = 0; k < n; k++)
        ids[k] = number(s);
    if (s->depth > 0 || s->captures[0] || s->captures[1])
        return;
    weir_tokens_close(&s->prompts[i]);
    check(weir_tokens_from_ids(&s->prompts[i], model, rarely(s) ? NULL : ids, n));
}

static void tokenize(struct state *s)
{
    weir_tokens tokens;
    size_t n = next(s) % 4;
    check(weir_tokenize(&tokens, s->models[slot(s)], rarely(s) ? NULL : "a b\xff", n, (weir_bos)number(s)));
    weir_tokens_close(&tokens);
}

static void run_open(struct state *s)
{
    size_t i = slot(s);
    const weir_run_options options = {.batch_positions = count(s),
                                      .compute = (weir_compute)(rarely(s) ? number(s) : 0)};
    if (!s->runs[i])
        check(weir_run_open(&s->runs[i], s->models[slot(s)], rarely(s) ? NULL : &options));
}

static void run_close(struct state *s)
{
    size_t i = slot(s);
    weir_run_close(s->runs[i]);
    s->runs[i] = NULL;
}

static void run_hook(struct state *s)
{
    static const char *const selections[] = {"z",       "pattern:0", "resid_post:-1", "logits", "*",       "z:99",
                                             "nothing", "",          "resid_pre@0",   "[",      "z:0.1@2", "mlp_post",
                                             ",,"};
    weir_access access = (weir_access)(rarely(s) ? number(s) : next(s) % 2);
    check(weir_run_hook(s->runs[slot(s)], rarely(s) ? NULL : selections[next(s) % 13], access, rarely(s) ? NULL : hook,
                        &s->hooks[access == WEIR_EDIT]));
}

static void run_hook_at(struct state *s)
{
    weir_access access = (weir_access)(next(s) % 2);
    check(weir_run_hook_at(s->runs[slot(s)], number(s), number(s), access, hook, &s->hooks[access == WEIR_EDIT]));
}

static void run_unhook(struct state *s)
{
    weir_run_unhook(s->runs[slot(s)], hook, &s->hooks[next(s) % 2]);
}

static void run_forward(struct state *s)
{
    size_t n = next(s) < 240 ? 1 + next(s) % SLOTS : 0;
    check(weir_run_forward(s->runs[slot(s)], rarely(s) ? NULL : s->prompts, n));
}

static void capture_open(struct state *s)
{
    static const char *const hooks[] = {NULL, "z", "pattern:0,logits", "resid_post@-1", "z:0.1", "nothing", "z@9"};
    size_t i = slot(s);
    const weir_capture_options options = {.hooks = hooks[next(s) % 7],
                                          .positions = rarely(s) ? "-1" : NULL,
                                          .next = rarely(s) ? number(s) : 0,
                                          .dtype = (weir_dtype)(rarely(s) ? number(s) : next(s) % 3),
                                          .compare = rarely(s) ? number(s) : 0,
                                          .gzip = next(s) % 2,
                                          .force = next(s) % 4,
                                          .command = rarely(s) ? "a\nb" : NULL};
    size_t n = next(s) < 240 ? 1 + next(s) % SLOTS : 0;
    if (!s->captures[i])
        check(weir_capture_open(&s->captures[i], s->runs[slot(s)], rarely(s) ? NULL : s->path[slot(s)],
                                rarely(s) ? NULL : s->prompts, n, rarely(s) ? NULL : &options));
}

static void capture_commit(struct state *s)
{
    weir_capture *capture = s->captures[slot(s)];
    check(weir_capture_commit(capture));
    (void)weir_capture_get_size(capture), (void)weir_capture_saturated(capture);
    (void)weir_capture_error(capture, number(s));
}

static void capture_close(struct state *s)
{
    size_t i = slot(s);
    weir_capture_close(s->captures[i]);
    s->captures[i] = NULL;
}

/* HDF5 is used by one thread at a time: not while a capture writes. */
static void file_open(struct state *s)
{
    size_t i = slot(s);
    if (!s->files[i] && !s->captures[0] && !s->captures[1])
        check(weir_file_open(&s->files[i], rarely(s) ? NULL : s->path[slot(s)]));
}

static void file_close(struct state *s)
{
    size_t i = slot(s);
    if (s->captures[0] || s->captures[1])
        return;
    weir_file_close(s->files[i]);
    s->files[i] = NULL;
}

static void file_read(struct state *s)
{
    static float values[1 << 16];
    const weir_file *file = s->files[slot(s)], *other = s->files[slot(s)];
    weir_block block;
    for (int a = 0; a < WEIR_MAX_AXES; a++) {
        block.start[a] = count(s);
        block.count[a] = count(s);
    }
    if (s->captures[0] || s->captures[1])
        return;
    const weir_file_point *point = rarely(s) ? weir_file_find(other, "z") : weir_file_point_at(other, number(s));
    check(weir_file_read(file, point, number(s) % 8, number(s), &block, rarely(s) ? NULL : values));
    weir_file_prompt prompt;
    check(weir_file_get_prompt(file, number(s), rarely(s) ? NULL : &prompt));
    check(weir_file_next(file, number(s), NULL, NULL, NULL));
    if (!weir_file_token(file, number(s), number(s)))
        abort();
    (void)weir_file_has_unit(point, number(s), count(s));
}

static void buffer_release(struct state *s)
{
    weir_buffer_release(s->kept);
    s->kept = NULL;
}

static void call(struct state *s)
{
    static void (*const calls[])(struct state *) = {
        model_open, model_close, model_ask,      tokens_make,  tokenize,       run_open,      run_close,
        run_hook,   run_forward, run_forward,    capture_open, capture_commit, capture_close, file_open,
        file_close, file_read,   buffer_release, run_hook_at,  run_unhook};
    if (s->calls++ < MOST_CALLS)
        calls[next(s) % (sizeof calls / sizeof *calls)](s);
}

/* In an order that the bytes choose. */
static void close_all(struct state *s, bool backwards)
{
    for (int k = 0; k < SLOTS; k++) {
        int i = backwards ? SLOTS - 1 - k : k;
        if (backwards)
            weir_model_close(s->models[i]), weir_run_close(s->runs[i]), weir_capture_close(s->captures[i]);
        else
            weir_capture_close(s->captures[i]), weir_run_close(s->runs[i]), weir_model_close(s->models[i]);
    }
    for (int i = 0; i < SLOTS; i++) {
        weir_file_close(s->files[i]);
        weir_tokens_close(&s->prompts[i]);
        unlink(s->path[i]);
    }
    weir_buffer_release(s->kept);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int32_t ids[] = {1, 2, 3};
    struct state s = {.data = data, .n = size};
    s.hooks[0] = (struct hook){&s, false};
    s.hooks[1] = (struct hook){&s, true};
    for (int i = 0; i < SLOTS; i++)
        snprintf(s.path[i], sizeof s.path[i], "/tmp/weir-fuzz-api-%ld-%d.h5", (long)getpid(), i);
    if (next(&s) % 8) { /* mostly from where it is of use */
        check(weir_model_open(&s.models[0], MODELS "gpt2", &(weir_model_options){.n_threads = 2}));
        check(weir_run_open(&s.runs[0], s.models[0], NULL));
        for (int i = 0; i < SLOTS; i++)
            check(weir_tokens_from_ids(&s.prompts[i], s.models[0], ids, 3));
    }
    while (s.at < s.n && s.calls < MOST_CALLS)
        call(&s);
    close_all(&s, next(&s) % 2);
    return 0;
}
