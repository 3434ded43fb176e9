/* Sources of edits: memory that runs out, passes that continue prompts, and what costs no copy. The numbers themselves
   are compared with numpy's in tests/model/test_sources.py. */
#include "base/alloc.h"
#include "hooks/sources/source.h"
#include "model/model.h"
#include "unit/data_path.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LENGTH = 6, HEADS = 6, D_HEAD = 8 };

static const int32_t ids[LENGTH] = {5, 7, 9, 2, 5, 11};

/* The tiny Llama, two equal prompts, and a cache of them. */
struct world {
    weir_model *model;
    weir_tokens prompts[2];
    char path[64];
};

static void begin(struct world *w)
{
    weir_run *run;
    weir_capture *capture;
    weir_capture_options options = {.hooks = "z,pattern", .force = true};
    *w = (struct world){0};
    snprintf(w->path, sizeof w->path, "/tmp/weir-source-%d.h5", (int)getpid());
    cr_assert(weir_model_open(&w->model, MODELS "llama", &(weir_model_options){.n_threads = 1}) == WEIR_OK);
    for (int i = 0; i < 2; i++)
        cr_assert(weir_tokens_from_ids(&w->prompts[i], w->model, ids, LENGTH) == WEIR_OK);
    cr_assert(weir_run_open(&run, w->model, NULL) == WEIR_OK);
    cr_assert(weir_capture_open(&capture, run, w->path, w->prompts, 2, &options) == WEIR_OK, "%s", weir_message());
    cr_assert(weir_run_forward(run, w->prompts, 2) == WEIR_OK && weir_capture_commit(capture) == WEIR_OK);
    weir_capture_close(capture);
    weir_run_close(run);
}

static void end(struct world *w)
{
    for (int i = 0; i < 2; i++)
        weir_tokens_close(&w->prompts[i]);
    weir_model_close(w->model);
    unlink(w->path);
}

/* An edit, written with % in place of the cache, resolved and with its cells found. */
struct opened {
    weir_edit *edit;
    struct weir_scope *scope;
    struct weir_edit_source *source;
};

static void open_edit(struct opened *o, const struct world *w, const char *format, const weir_tokens *prompts,
                      const size_t *past)
{
    char text[256];
    const char *mark = strchr(format, '%');
    *o = (struct opened){0};
    snprintf(text, sizeof text, "%.*s%s%s", mark ? (int)(mark - format) : (int)strlen(format), format,
             mark ? w->path : "", mark ? mark + 1 : "");
    cr_assert(weir_edit_parse(&o->edit, text) == WEIR_OK, "%s", weir_message());
    cr_assert(weir_scope_open_selection(&o->scope, w->model, o->edit->select) == WEIR_OK, "%s", weir_message());
    cr_assert(weir_scope_find_rows(o->scope, prompts, past, 2) == WEIR_OK, "%s", weir_message());
}

static void open_source(struct opened *o, const struct world *w, const size_t *past)
{
    cr_assert(weir_edit_source_open(&o->source, w->model, o->edit, o->scope) == WEIR_OK, "%s", weir_message());
    cr_assert(weir_edit_source_find(o->source, past) == WEIR_OK, "%s", weir_message());
}

static void close_all(struct opened *o)
{
    weir_edit_source_close(o->source);
    weir_scope_close(o->scope);
    weir_edit_close(o->edit);
}

static struct weir_operand numbers_of(const struct opened *o, size_t site, size_t prompt, const struct weir_box **box)
{
    const struct weir_region region = weir_scope_region(o->scope, &o->scope->sites[site], prompt);
    struct weir_operand operand;
    cr_assert_eq(region.n, 1);
    *box = region.boxes;
    cr_assert(weir_edit_source_numbers(&operand, o->source, site, prompt, *box) == WEIR_OK, "%s", weir_message());
    return operand;
}

/* ---- memory ---- */

static weir_status ask_for_numbers(struct weir_edit_source *source, const struct weir_scope *scope)
{
    for (size_t prompt = 0; prompt < 2; prompt++) {
        const struct weir_region region = weir_scope_region(scope, &scope->sites[0], prompt);
        struct weir_operand operand;
        for (size_t i = 0; i < region.n; i++)
            TRY(weir_edit_source_numbers(&operand, source, 0, prompt, &region.boxes[i]));
    }
    return WEIR_OK;
}

static void sweep(const struct world *w, const char *text)
{
    struct opened o;
    weir_status status = WEIR_E_MEMORY;
    open_edit(&o, w, text, w->prompts, NULL);
    for (long n = 0; status == WEIR_E_MEMORY; n++) {
        weir_alloc_fail_after(n);
        status = weir_edit_source_open(&o.source, w->model, o.edit, o.scope);
        cr_assert(status == WEIR_OK || !o.source);
        if (status == WEIR_OK)
            status = weir_edit_source_find(o.source, NULL);
        if (status == WEIR_OK)
            status = ask_for_numbers(o.source, o.scope);
        weir_alloc_fail_after(-1);
        weir_edit_source_close(o.source);
        o.source = NULL;
    }
    cr_assert(status == WEIR_OK, "%s: %s", text, weir_message());
    close_all(&o);
}

Test(source, gives_memory_back_wherever_it_runs_out)
{
    static const char *const edits[] = {"z:1.3+1,-z:1.3@2 = %[]", "z:1@4+2 = mean(%[@1:#:])", "pattern:1@3/1:3 = %[#0]",
                                        "z:1 = resample(%[#:], 3)", "z:1@1:3 += noise(1, 2)"};
    struct world w;
    begin(&w);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++)
        sweep(&w, edits[i]);
    sweep(&w, "mlp_post:1.0:3 = " DATA "npz/deflated.npz:a");
    end(&w);
}

/* ---- positions ---- */

/* The second prompt follows four positions that were run before: its rows are the cache's positions from there on. */
Test(source, rows_of_a_prompt_that_goes_on_are_its_later_positions)
{
    static const size_t past[2] = {0, 4};
    struct world w;
    struct opened whole, later;
    const struct weir_box *all, *last;
    begin(&w);
    weir_tokens prompts[2] = {w.prompts[0], {.ids = (int32_t *)ids + 4, .n = 2}};
    open_edit(&whole, &w, "z:1.3 = %[]", w.prompts, NULL), open_source(&whole, &w, NULL);
    open_edit(&later, &w, "z:1.3@4: = %[]", prompts, past), open_source(&later, &w, past);
    struct weir_operand a = numbers_of(&whole, 0, 1, &all), b = numbers_of(&later, 0, 1, &last);
    cr_assert(last->rows.n == 2 && weir_some_at(&last->rows, 0) == 0);
    for (size_t row = 0; row < 2; row++)
        cr_assert_arr_eq(a.data + (4 + row) * a.row_step, b.data + row * b.row_step, D_HEAD * sizeof(float));
    close_all(&whole), close_all(&later);
    open_edit(&whole, &w, "z:1.3 += noise(1, 2)", w.prompts, NULL), open_source(&whole, &w, NULL);
    open_edit(&later, &w, "z:1.3@4: += noise(1, 2)", prompts, past), open_source(&later, &w, past);
    a = numbers_of(&whole, 0, 1, &all), b = numbers_of(&later, 0, 1, &last);
    for (size_t row = 0; row < 2; row++)
        cr_assert_arr_eq(a.data + (4 + row) * a.row_step, b.data + row * b.row_step, D_HEAD * sizeof(float));
    close_all(&whole), close_all(&later);
    end(&w);
}

/* ---- copies ---- */

Test(source, one_row_for_all_is_there_once)
{
    struct world w;
    struct opened o;
    const struct weir_box *box;
    begin(&w);
    open_edit(&o, &w, "z:1.3 = mean(%[@:#:])", w.prompts, NULL), open_source(&o, &w, NULL);
    struct weir_operand first = numbers_of(&o, 0, 0, &box), second = numbers_of(&o, 0, 1, &box);
    cr_assert(first.row_step == 0 && first.data == second.data);
    close_all(&o);
    end(&w);
}

Test(source, prompts_that_read_the_same_prompt_share_its_numbers)
{
    struct world w;
    struct opened o;
    const struct weir_box *box;
    begin(&w);
    open_edit(&o, &w, "z:1 = %[#0]", w.prompts, NULL), open_source(&o, &w, NULL);
    struct weir_operand first = numbers_of(&o, 0, 0, &box), second = numbers_of(&o, 0, 1, &box);
    cr_assert(first.data == second.data && first.row_step == HEADS * D_HEAD && first.inner_step == 1);
    close_all(&o);
    end(&w);
}

/* The numbers are found again for other prompts. */
Test(source, numbers_are_found_anew_for_other_prompts)
{
    struct world w;
    struct opened o;
    const struct weir_box *box;
    begin(&w);
    weir_tokens shorter[2] = {{.ids = (int32_t *)ids, .n = 3}, {.ids = (int32_t *)ids, .n = 2}};
    open_edit(&o, &w, "z:1 = %[]", w.prompts, NULL), open_source(&o, &w, NULL);
    cr_assert(weir_scope_find_rows(o.scope, shorter, NULL, 2) == WEIR_OK &&
              weir_edit_source_find(o.source, NULL) == WEIR_OK);
    numbers_of(&o, 0, 1, &box);
    cr_assert_eq(box->rows.n, 2);
    close_all(&o);
    end(&w);
}
