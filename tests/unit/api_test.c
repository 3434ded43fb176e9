/* The library misused: what a program may get wrong is WEIR_E_USAGE with a message that names it, and nothing else
   happens. (Under AddressSanitizer: nothing is read that is gone, nothing leaks.) */
#include "weir.h"

#include "unit/data_path.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static weir_model *model;
static weir_run *run;
static weir_tokens prompt;
static char path[64];

static void open_all(void)
{
    static const int32_t ids[] = {1, 2, 3, 4, 5};
    snprintf(path, sizeof path, "/tmp/weir_api_%ld.h5", (long)getpid());
    cr_assert(weir_model_open(&model, MODELS "gpt2", &(weir_model_options){.n_threads = 2}) == WEIR_OK);
    cr_assert(weir_run_open(&run, model, NULL) == WEIR_OK);
    cr_assert(weir_tokens_from_ids(&prompt, model, ids, 5) == WEIR_OK);
}

static void close_all(void)
{
    weir_run_close(run);
    weir_tokens_close(&prompt);
    weir_model_close(model);
    unlink(path);
}

TestSuite(api, .init = open_all, .fini = close_all);

/* WEIR_E_USAGE, naming what is wrong. */
#define WRONG(expression, name)                                                                                        \
    do {                                                                                                               \
        weir_status got = (expression);                                                                                \
        cr_expect(got == WEIR_E_USAGE, "%s: %d", #expression, got);                                                    \
        cr_expect(strstr(weir_message(), name), "%s: %s", #expression, weir_message());                                \
    } while (0)

static weir_status see(const weir_event *event, void *payload)
{
    (void)event;
    if (payload)
        ++*(int *)payload;
    return WEIR_OK;
}

Test(api, null_is_refused_by_name)
{
    weir_model *no_model;
    weir_run *no_run;
    weir_tokens none;
    weir_capture *no_capture;
    weir_file *no_file;
    WRONG(weir_model_open(NULL, "x", NULL), "out");
    WRONG(weir_model_open(&no_model, NULL, NULL), "where");
    WRONG(weir_tokenize(NULL, model, "x", 1, WEIR_BOS_AUTO), "out");
    WRONG(weir_tokenize(&none, NULL, "x", 1, WEIR_BOS_AUTO), "model");
    WRONG(weir_tokenize(&none, model, NULL, 1, WEIR_BOS_AUTO), "text");
    WRONG(weir_tokens_from_ids(NULL, model, prompt.ids, 1), "out");
    WRONG(weir_tokens_from_ids(&none, NULL, prompt.ids, 1), "model");
    WRONG(weir_tokens_from_ids(&none, model, NULL, 1), "ids");
    WRONG(weir_run_open(NULL, model, NULL), "out");
    WRONG(weir_run_open(&no_run, NULL, NULL), "model");
    WRONG(weir_run_hook(NULL, "z", WEIR_READ, see, NULL), "run");
    WRONG(weir_run_hook(run, NULL, WEIR_READ, see, NULL), "selection");
    WRONG(weir_run_hook(run, "z", WEIR_READ, NULL, NULL), "hook");
    WRONG(weir_run_hook_at(NULL, 0, -1, WEIR_READ, see, NULL), "run");
    WRONG(weir_run_hook_at(run, 0, -1, WEIR_READ, NULL, NULL), "hook");
    WRONG(weir_run_hook_at(run, 0, -1, (weir_access)2, see, NULL), "access");
    WRONG(weir_edit_parse(NULL, "z = 0"), "out");
    WRONG(weir_edit_parse(&(weir_edit *){NULL}, NULL), "text");
    WRONG(weir_metric_parse(NULL, "loss"), "out");
    WRONG(weir_metric_parse(&(weir_metric *){NULL}, NULL), "text");
    WRONG(weir_run_measure(NULL, run, NULL), "out");
    WRONG(weir_run_measure(&(weir_measured *){NULL}, NULL, NULL), "run");
    WRONG(weir_run_measure(&(weir_measured *){NULL}, run, NULL), "metric");
    WRONG(weir_measured_values(NULL, &(double){0}, 1), "measured");
    cr_expect(!weir_metric_text(NULL) && !weir_metric_without_derivative(NULL));
    weir_edit_close(NULL), weir_metric_close(NULL);
    weir_run_unhook(NULL, see, NULL);
    weir_run_unhook(run, NULL, NULL);
    cr_expect(weir_point_row_axis(NULL) == -1 && weir_point_unit_axis(NULL) == -1);
    WRONG(weir_run_forward(NULL, &prompt, 1), "run");
    WRONG(weir_run_forward(run, NULL, 1), "prompts");
    WRONG(weir_run_forward(run, &(weir_tokens){.n = 3}, 1), "ids");
    WRONG(weir_capture_open(NULL, run, path, &prompt, 1, NULL), "out");
    WRONG(weir_capture_open(&no_capture, NULL, path, &prompt, 1, NULL), "run");
    WRONG(weir_capture_open(&no_capture, run, NULL, &prompt, 1, NULL), "path");
    WRONG(weir_capture_open(&no_capture, run, path, NULL, 1, NULL), "prompts");
    WRONG(weir_capture_commit(NULL), "capture");
    WRONG(weir_file_open(NULL, path), "out");
    WRONG(weir_file_open(&no_file, NULL), "path");
    WRONG(weir_file_get_prompt(NULL, 0, &(weir_file_prompt){0}), "file");
    WRONG(weir_file_read(NULL, NULL, 0, 0, NULL, NULL), "file");
    WRONG(weir_file_next(NULL, 0, NULL, NULL, NULL), "file");
    cr_expect(access(path, F_OK) != 0);
}

Test(api, what_returns_no_status_takes_null_and_what_is_out_of_range)
{
    static const int points[] = {-1, -1000000, 1000000, 2147483647};
    size_t shape[WEIR_MAX_AXES];
    const char *why;
    char text[8] = "full";
    cr_expect(!weir_model_get_info(NULL) && !weir_capture_get_size(NULL) && !weir_file_get_info(NULL));
    cr_expect(!weir_file_point_at(NULL, 0) && !weir_file_find(NULL, "z") && !weir_file_has_unit(NULL, 0, 0));
    cr_expect_str_eq(weir_file_token(NULL, 0, 0), "");
    cr_expect(weir_capture_saturated(NULL) == 0 && isnan(weir_capture_error(NULL, 0)));
    cr_expect(!weir_model_has_point(NULL, 0, 0, &why) && !weir_model_has_point(NULL, 0, 0, NULL));
    cr_expect(weir_model_shape(NULL, 0, shape) == 0 && weir_model_shape(model, 0, NULL) == 0);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        cr_expect(!weir_point_at(points[i]) && !weir_axis_name((weir_axis)points[i]));
        cr_expect(!weir_model_has_point(model, points[i], 0, &why) && why);
        cr_expect(weir_model_shape(model, points[i], shape) == 0);
        cr_expect(!weir_model_has_point(model, 0, points[i] ? points[i] : -2, &why) || points[i] == -1);
    }
    cr_expect(weir_token_text(model, 1, NULL, 0) == 1 && weir_token_text(model, -5, text, sizeof text) < 20);
    cr_expect(weir_token_text(NULL, 1, text, sizeof text) == 0 && *text == '\0');
    weir_buffer_retain(NULL), weir_buffer_release(NULL), weir_tokens_close(NULL);
    weir_model_close(NULL), weir_run_close(NULL), weir_capture_close(NULL), weir_file_close(NULL);
    cr_expect(!weir_mend_map(NULL));
}

Test(api, unknown_values_are_refused)
{
    weir_run *other;
    weir_model *no_model;
    weir_capture *capture;
    weir_tokens tokens;
    static const int wrong[] = {42, -1, 3, 2147483647, -2147483647};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        WRONG(weir_run_open(&other, model, &(weir_run_options){.compute = (weir_compute)wrong[i]}), "compute");
        WRONG(weir_run_hook(run, "z", (weir_access)(wrong[i]), see, NULL), "access");
        WRONG(weir_tokenize(&tokens, model, "x", 1, (weir_bos)wrong[i]), "bos");
        WRONG(
            weir_capture_open(&capture, run, path, &prompt, 1, &(weir_capture_options){.dtype = (weir_dtype)wrong[i]}),
            "dtype");
        cr_expect(!other && !capture && !tokens.ids);
    }
    WRONG(weir_run_hook(run, "z", (weir_access)2, see, NULL), "access");
    WRONG(weir_model_open(&no_model, MODELS "gpt2", &(weir_model_options){.n_threads = -1}), "threads");
    WRONG(weir_model_open(&no_model, MODELS "gpt2", &(weir_model_options){.n_threads = 257}), "256");
    WRONG(weir_capture_open(&capture, run, path, &prompt, 1, &(weir_capture_options){.next = -1}), "-1");
    WRONG(weir_capture_open(&capture, run, path, &prompt, 1, &(weir_capture_options){.compare = -1}), "compare");
    WRONG(weir_capture_open(&capture, run, path, &prompt, 0, NULL), "no prompt");
    WRONG(weir_run_forward(run, &prompt, 0), "no prompt");
    WRONG(weir_run_forward(run, &(weir_tokens){.ids = prompt.ids, .n = 0}, 1), "prompt 0");
    WRONG(weir_run_forward(run, &prompt, SIZE_MAX), "prompts");
    WRONG(weir_run_forward(run, &(weir_tokens){.ids = prompt.ids, .n = SIZE_MAX}, 1), "context");
    WRONG(weir_tokens_from_ids(&tokens, model, (const int32_t[]){-1}, 1), "-1");
    cr_expect(weir_tokens_from_ids(&tokens, model, NULL, 0) == WEIR_OK && tokens.n == 0);
    weir_tokens_close(&tokens);
    cr_expect(access(path, F_OK) != 0);
}

Test(api, a_file_answers_for_what_it_has_only)
{
    weir_capture *capture;
    weir_file *file, *other;
    weir_file_prompt row;
    float values[4096];
    const weir_capture_options options = {.hooks = "z,pattern", .force = true};
    cr_assert(weir_capture_open(&capture, run, path, &prompt, 1, &options) == WEIR_OK, "%s", weir_message());
    cr_assert(weir_run_forward(run, &prompt, 1) == WEIR_OK && weir_capture_commit(capture) == WEIR_OK);
    WRONG(weir_capture_commit(capture), "committed already");
    weir_capture_close(capture);
    cr_assert(weir_file_open(&file, path) == WEIR_OK && weir_file_open(&other, path) == WEIR_OK);
    const weir_file_point *z = weir_file_find(file, "z");
    cr_assert(z && !weir_file_find(file, "resid_post") && !weir_file_find(file, NULL));
    cr_expect(weir_file_read(file, z, 0, 0, NULL, values) == WEIR_OK);
    WRONG(weir_file_read(file, z, 0, 0, NULL, NULL), "out");
    WRONG(weir_file_read(file, NULL, 0, 0, NULL, values), "which");
    WRONG(weir_file_read(other, z, 0, 0, NULL, values), "another file");
    WRONG(weir_file_read(file, z, -1, 0, NULL, values), "layer -1");
    WRONG(weir_file_read(file, z, 2147483647, 0, NULL, values), "layer");
    WRONG(weir_file_read(file, z, 0, -1, NULL, values), "prompt -1");
    WRONG(weir_file_read(file, z, 0, 1, NULL, values), "prompt 1");
    WRONG(weir_file_read(file, z, 0, 0, &(weir_block){{SIZE_MAX, 0, 0}, {2, 1, 1}}, values), "pos");
    WRONG(weir_file_read(file, z, 0, 0, &(weir_block){{0, 0, 0}, {1, SIZE_MAX, 1}}, values), "head");
    WRONG(weir_file_get_prompt(file, 1, &row), "prompt 1");
    WRONG(weir_file_get_prompt(file, -1, &row), "prompt -1");
    WRONG(weir_file_get_prompt(file, 0, NULL), "out");
    WRONG(weir_file_next(file, 0, NULL, NULL, NULL), "next");
    cr_expect(!weir_file_point_at(file, -1) && !weir_file_point_at(file, 2) && !weir_file_has_unit(z, -1, 0));
    cr_expect_str_eq(weir_file_token(file, 0, -1), "");
    cr_expect_str_eq(weir_file_token(file, -1, 0), "");
    cr_expect_str_eq(weir_file_token(file, 0, 5), "");
    weir_file_close(file);
    weir_file_close(other);
}

/* ---- in hooks ---- */

struct inside {
    weir_status (*call)(void *what);
    void (*close)(void);
    int calls;
    weir_status got;
    char message[256];
};

static weir_status call_inside(const weir_event *event, void *payload)
{
    struct inside *inside = payload;
    (void)event;
    inside->calls++;
    if (inside->close) {
        inside->close();
        return WEIR_OK;
    }
    inside->got = inside->call(NULL);
    snprintf(inside->message, sizeof inside->message, "%s", weir_message());
    return WEIR_OK;
}

static weir_capture *opened;

static weir_status forward_again(void *unused)
{
    (void)unused;
    return weir_run_forward(run, &prompt, 1);
}

static weir_status hook_more(void *unused)
{
    (void)unused;
    return weir_run_hook(run, "resid_post", WEIR_EDIT, see, NULL);
}

static weir_status hook_one_more(void *unused)
{
    (void)unused;
    return weir_run_hook_at(run, 0, -1, WEIR_READ, see, NULL);
}

static weir_status capture_more(void *unused)
{
    weir_capture *capture;
    (void)unused;
    return weir_capture_open(&capture, run, path, &prompt, 1, NULL);
}

static weir_status commit_now(void *unused)
{
    (void)unused;
    return weir_capture_commit(opened);
}

Test(api, what_a_hook_may_not_call_is_refused_and_the_pass_goes_on)
{
    static const struct {
        weir_status (*call)(void *);
        const char *name;
    } calls[] = {{forward_again, "weir_run_forward"},
                 {hook_more, "weir_run_hook"},
                 {hook_one_more, "weir_run_hook_at"},
                 {capture_more, "weir_capture_open"},
                 {commit_now, "weir_capture_commit"}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        struct inside inside = {.call = calls[i].call};
        cr_assert(weir_capture_open(&opened, run, path, &prompt, 1, NULL) == WEIR_OK);
        cr_assert(weir_run_hook(run, "z:0", WEIR_READ, call_inside, &inside) == WEIR_OK);
        cr_expect(weir_run_forward(run, &prompt, 1) == WEIR_OK, "%s", weir_message());
        cr_expect(inside.calls == 1 && inside.got == WEIR_E_USAGE);
        cr_expect(strstr(inside.message, calls[i].name) && strstr(inside.message, "in a hook"), "%s", inside.message);
        cr_expect(weir_capture_commit(opened) == WEIR_OK, "%s", weir_message());
        weir_capture_close(opened);
        close_all();
        open_all();
    }
}

static void close_run(void)
{
    weir_run_close(run);
}

static void unhook(void)
{
    weir_run_unhook(run, see, NULL);
}

static void close_capture(void)
{
    weir_capture_close(opened);
    weir_capture_close(opened); /* twice */
}

static void close_model(void)
{
    weir_model_close(model);
}

static void close_everything(void)
{
    close_model();
    close_run();
    close_capture();
}

Test(api, what_a_hook_closes_ends_the_pass_and_goes_after_it)
{
    static const struct {
        void (*close)(void);
        const char *name;
    } cases[] = {{close_run, "weir_run_close"},
                 {unhook, "weir_run_unhook"},
                 {close_capture, "weir_capture_close"},
                 {close_everything, "close"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int how = WEIR_READ; how <= WEIR_EDIT; how++) {
            struct inside inside = {.close = cases[i].close};
            int later = 0;
            cr_assert(weir_capture_open(&opened, run, path, &prompt, 1, NULL) == WEIR_OK, "%s", weir_message());
            cr_assert(weir_run_hook(run, "resid_pre:0", (weir_access)how, call_inside, &inside) == WEIR_OK);
            cr_assert(weir_run_hook(run, "resid_pre", (weir_access)how, see, &later) == WEIR_OK);
            WRONG(weir_run_forward(run, &prompt, 1), cases[i].name);
            cr_expect(inside.calls == 1 && later == 0 && access(path, F_OK) != 0);
            if (cases[i].close == close_run || cases[i].close == unhook)
                weir_capture_close(opened);
            if (cases[i].close == close_capture || cases[i].close == unhook)
                weir_run_close(run);
            if (cases[i].close != close_everything)
                weir_model_close(model);
            weir_tokens_close(&prompt);
            open_all();
        }
}

Test(api, a_model_may_be_closed_before_its_runs_and_a_run_before_its_capture)
{
    int calls = 0;
    cr_assert(weir_capture_open(&opened, run, path, &prompt, 1, NULL) == WEIR_OK);
    cr_assert(weir_run_hook(run, "z:0", WEIR_READ, see, &calls) == WEIR_OK);
    weir_model_close(model);
    cr_assert(weir_run_forward(run, &prompt, 1) == WEIR_OK && calls == 1);
    weir_run_close(run);
    cr_assert(weir_capture_commit(opened) == WEIR_OK, "%s", weir_message());
    cr_assert(access(path, F_OK) == 0);
    weir_capture_close(opened);
    weir_tokens_close(&prompt);
    open_all();
}

Test(api, one_capture_at_a_time)
{
    weir_capture *second;
    weir_run *other;
    char elsewhere[80];
    snprintf(elsewhere, sizeof elsewhere, "%s.second", path);
    cr_assert(weir_run_open(&other, model, NULL) == WEIR_OK);
    cr_assert(weir_capture_open(&opened, run, path, &prompt, 1, NULL) == WEIR_OK);
    WRONG(weir_capture_open(&second, run, elsewhere, &prompt, 1, NULL), "already");
    WRONG(weir_capture_open(&second, other, elsewhere, &prompt, 1, NULL), "another capture");
    cr_assert(weir_run_forward(run, &prompt, 1) == WEIR_OK && weir_capture_commit(opened) == WEIR_OK);
    cr_assert(weir_capture_open(&second, other, elsewhere, &prompt, 1, NULL) == WEIR_OK, "%s", weir_message());
    cr_assert(weir_run_forward(other, &prompt, 1) == WEIR_OK && weir_capture_commit(second) == WEIR_OK);
    weir_capture_close(second);
    weir_capture_close(opened);
    cr_assert(weir_capture_open(&second, other, elsewhere, &prompt, 1, NULL) == WEIR_E_OUTPUT, "it is there");
    weir_run_close(other);
    unlink(elsewhere);
}

/* ---- after a fork ---- */

/* The allocator of ASan's runtime, unlike that of the C library, does not let go of its locks in a child: where the
   writer's thread holds one at that moment, the child waits for ever, whatever it calls. */
#if defined(__SANITIZE_ADDRESS__)
#define FORKS_SAFELY false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FORKS_SAFELY false
#endif
#endif
#ifndef FORKS_SAFELY
#define FORKS_SAFELY true
#endif

/* What the child finds wrong, as its exit code. */
static int in_child(void)
{
    weir_run *own;
    weir_capture *capture;
    int calls = 0;
    if (weir_run_forward(run, &prompt, 1) != WEIR_E_USAGE || !strstr(weir_message(), "fork"))
        return 1;
    if (weir_run_hook(run, "z", WEIR_READ, see, NULL) != WEIR_E_USAGE)
        return 2;
    if (weir_capture_open(&capture, run, path, &prompt, 1, NULL) != WEIR_E_USAGE)
        return 3;
    if (weir_capture_commit(opened) != WEIR_E_USAGE)
        return 4;
    weir_capture_close(opened); /* the parent's: it stays whole */
    weir_run_close(run);
    if (weir_run_open(&own, model, NULL) != WEIR_OK || weir_run_hook(own, "z:0", WEIR_READ, see, &calls) != WEIR_OK ||
        weir_run_forward(own, &prompt, 1) != WEIR_OK || calls != 1)
        return 5;
    weir_run_close(own);
    weir_model_close(model);
    return 0;
}

Test(api, a_child_refuses_what_was_opened_before_the_fork_and_spoils_nothing)
{
    int status = -1;
    int calls = 0;
    if (!FORKS_SAFELY)
        cr_skip("the sanitizer's allocator is not made for forks");
    cr_assert(weir_run_hook(run, "z:0", WEIR_READ, see, &calls) == WEIR_OK);
    cr_assert(weir_run_forward(run, &prompt, 1) == WEIR_OK);
    cr_assert(weir_capture_open(&opened, run, path, &prompt, 1, NULL) == WEIR_OK);
    pid_t child = fork();
    if (child == 0) {
        alarm(60); /* a hang is a death */
        _exit(in_child());
    }
    cr_assert(child > 0 && waitpid(child, &status, 0) == child);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
    cr_assert(weir_run_forward(run, &prompt, 1) == WEIR_OK && weir_capture_commit(opened) == WEIR_OK, "%s",
              weir_message());
    weir_capture_close(opened);
    weir_file *file;
    cr_assert(weir_file_open(&file, path) == WEIR_OK);
    weir_file_close(file);
}

Test(api, closing_tokens_frees_their_side_and_fields)
{
    weir_tokens tokens;
    cr_assert(weir_tokens_from_ids(&tokens, model, prompt.ids, 2) == WEIR_OK);
    cr_expect(!tokens.side && !tokens.fields && tokens.line == 0);
    tokens.side = strdup("clean");
    tokens.fields = strdup("{}");
    tokens.line = 3;
    weir_tokens_close(&tokens);
    cr_expect(!tokens.side && !tokens.fields && tokens.line == 0);
}
