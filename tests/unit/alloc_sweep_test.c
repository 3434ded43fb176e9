/* Every allocation of a dump fails once, the first, the second, ... until none does: each time an error, nothing left
 * behind. */
#include "weir.h"

#include "base/alloc.h"
#include "unit/data_path.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static weir_status edit_nothing(const weir_event *event, void *payload)
{
    (void)event;
    (void)payload;
    return WEIR_OK;
}

static weir_status run_and_capture(weir_model *model, const char *out)
{
    static const int32_t ids[] = {5, 7, 9, 11};
    weir_tokens tokens = {0};
    weir_run *run = NULL;
    weir_capture *capture = NULL;
    const weir_capture_options options = {.hooks = "*,result,q_input,mlp_in", .next = 3, .force = true};
    weir_status status = weir_tokens_from_ids(&tokens, model, ids, 4);
    if (status == WEIR_OK)
        status = weir_run_open(&run, model, NULL);
    if (status == WEIR_OK)
        status = weir_run_hook(run, "attn_scores:1.0@:2,pattern:1@-1", WEIR_EDIT, edit_nothing, NULL);
    if (status == WEIR_OK)
        status = weir_run_hook_at(run, 0, -1, WEIR_EDIT, edit_nothing, NULL);
    if (status == WEIR_OK)
        status = weir_capture_open(&capture, run, out, &tokens, 1, &options);
    if (status == WEIR_OK)
        status = weir_run_forward(run, &tokens, 1);
    if (status == WEIR_OK)
        status = weir_capture_commit(capture);
    weir_capture_close(capture);
    weir_run_close(run);
    weir_tokens_close(&tokens);
    return status;
}

static weir_status dump(const char *folder, const char *out, const char *process)
{
    weir_model *model;
    weir_status status = weir_model_open(&model, folder, &(weir_model_options){.n_threads = 2, .process = process});
    if (status == WEIR_OK)
        status = run_and_capture(model, out);
    weir_model_close(model);
    return status;
}

static void sweep(const char *name, const char *process)
{
    char folder[1024], out[256];
    snprintf(folder, sizeof folder, "%s%s", MODELS, name);
    snprintf(out, sizeof out, "/tmp/weir-sweep-%d.h5", (int)getpid());
    for (long n = 0; n < 100000; n++) {
        weir_alloc_fail_after(n);
        weir_status status = dump(folder, out, process);
        weir_alloc_fail_after(-1);
        if (status == WEIR_OK) {
            cr_log_info("%s: %ld allocations failed, one at a time", name, n);
            cr_expect(n > 100, "%s: only %ld allocations", name, n);
            cr_expect_eq(unlink(out), 0);
            return;
        }
        cr_assert_eq(status, WEIR_E_MEMORY, "%s, allocation %ld: %s", name, n, weir_message());
        cr_assert_not_null(strstr(weir_message(), "memory"), "%s", weir_message());
        cr_assert_neq(access(out, F_OK), 0, "%s, allocation %ld: a file was left", name, n);
    }
    cr_assert_fail("%s: it never succeeded", name);
}

Test(alloc_sweep, a_dump_of_gpt2_ends_cleanly_whichever_allocation_fails, .timeout = 100)
{
    sweep("gpt2", NULL);
}

Test(alloc_sweep, a_dump_of_llama_ends_cleanly_whichever_allocation_fails, .timeout = 100)
{
    sweep("llama", NULL);
}

Test(alloc_sweep, a_dump_of_a_sparse_model_ends_cleanly_whichever_allocation_fails, .timeout = 100)
{
    sweep("mixtral_one", NULL);
}

Test(alloc_sweep, a_dump_with_length_dependent_rotation_ends_cleanly_whichever_allocation_fails, .timeout = 100)
{
    sweep("phi3_longrope", NULL);
}

Test(alloc_sweep, a_dump_of_a_processed_model_ends_cleanly_whichever_allocation_fails, .timeout = 100)
{
    sweep("phimoe", "tl"); /* norms with biases, experts, and value biases for maps that had no bias */
}
