/* weir next: the stored next-token predictions and losses, as a table, as JSON or as CSV. */
#include "cli/select/next.h"
#include "cli/args/options.h"
#include "cli/commands/commands.h"
#include "cli/commands/likely.h"
#include "cli/select/files.h"
#include "cli/select/slices.h"

#include "base/alloc.h"
#include "store/read/grids.h"
#include "store/read/lookup.h"

#include <stdio.h>
#include <string.h>

enum { PROMPT, POSITIONS, TOP, JSON, CSV };

static const struct opt opts[] = {
    [PROMPT] = {0, "prompt", OPT_TEXT, "PROMPTS", "which prompts, as in 0, -1 or 2:5; all by default"},
    [POSITIONS] =
        {0, "positions", OPT_TEXT, "RANGE",
         "which positions, as in -1 or 0:16, or a field of the prompts' lines of JSON; by default all that are stored"},
    [TOP] = {0, "top", OPT_WHOLE, "K",
             "how many tokens per position; by default 3, or 10 where it is one position of a prompt, and with --json "
             "and --csv all that are stored",
             .least = 1, .most = INT32_MAX},
    [JSON] = OPT_JSON,
    [CSV] = OPT_CSV,
};

/* The choices that options make. */
struct asked {
    const weir_file *file;
    bool *prompts; /* [n_prompts] of the file's, which were asked for */
    int n_prompts;
    struct weir_spots positions;
    struct likely_form form;
    struct weir_stored_grid *results; /* [n_results] of the file */
    size_t n_results, n_metrics;
    const char *const *metrics; /* [n_metrics] that it stores */
    double *values;             /* [n_prompts, n_metrics] */
};

static void stored_token(char *to, size_t size, const struct likely *likely, int position)
{
    snprintf(to, size, "%s", weir_file_token(likely->from, likely->prompt, position));
}

static void stored_word(char *to, size_t size, const struct likely *likely, int32_t id)
{
    snprintf(to, size, "%s", weir_file_next_text(likely->from, id));
}

/* Of the rows that are stored, those at marked positions: both lists move up. */
static void keep_marked(struct likely *likely, const bool *marked)
{
    size_t n = likely->n_next, kept = 0;
    for (size_t row = 0; row < likely->n_rows; row++)
        if (marked[likely->positions[row]]) {
            likely->positions[kept] = likely->positions[row];
            memmove(likely->ids + kept * n, likely->ids + row * n, n * sizeof *likely->ids);
            memmove(likely->logits + kept * n, likely->logits + row * n, n * sizeof *likely->logits);
            memmove(likely->logprobs + kept * n, likely->logprobs + row * n, n * sizeof *likely->logprobs);
            kept++;
        }
    likely->n_rows = kept;
}

/* Fails where none of the positions that were asked for has a row. */
static weir_status check_asked_rows(const struct likely *likely, const weir_file_prompt *prompt)
{
    if (likely->n_rows > 0)
        return WEIR_OK;
    if (prompt->n_rows == 0)
        return weir_fail(WEIR_E_USAGE, "prompt %d has no stored positions", likely->prompt);
    return weir_fail(WEIR_E_USAGE, "--positions: prompt %d stores none of them; it has %zu, from %d to %d",
                     likely->prompt, prompt->n_rows, prompt->positions[0], prompt->positions[prompt->n_rows - 1]);
}

static weir_status mark_asked_positions(bool *marked, const struct asked *asked, int index)
{
    struct weir_positions found;
    TRY(weir_stored_positions(&found, asked->file, index, &asked->positions, "position"));
    weir_status status =
        found.keys ? weir_fail(WEIR_E_USAGE, "--positions: pairs of query and key are no positions") : WEIR_OK;
    for (size_t i = 0; i < found.n; i++)
        marked[found.list[i]] = true;
    weir_positions_close(&found);
    return status;
}

/* Reads the rows of a prompt into `stored`, and keeps those that were asked for. */
static weir_status open_likely(struct likely *out, struct stored_next *stored, const struct asked *asked, int index)
{
    weir_file_prompt prompt;
    bool *marked = NULL;
    char which[32];
    weir_status status;
    TRY(weir_file_get_prompt(asked->file, index, &prompt));
    snprintf(which, sizeof which, "prompt %d", index);
    TRY_DONE(weir_alloc_zero(&marked, prompt.n, sizeof *marked));
    TRY_DONE(weir_in(mark_asked_positions(marked, asked, index), which));
    TRY_DONE(stored_next_read(stored, asked->file, index));
    TRY_DONE(weir_alloc(&out->positions, prompt.n_rows, sizeof *out->positions));
    memcpy(out->positions, prompt.positions, prompt.n_rows * sizeof *out->positions);
    *out = (struct likely){.prompt = index,
                           .n_prompts = weir_file_get_info(asked->file)->n_prompts,
                           .tokens = prompt.ids,
                           .n_tokens = prompt.n,
                           .positions = out->positions,
                           .n_rows = prompt.n_rows,
                           .n_next = stored->n_next,
                           .ids = stored->ids,
                           .logits = stored->logits,
                           .logprobs = stored->logprobs,
                           .loss = prompt.loss,
                           .metrics = asked->metrics,
                           .values = asked->values ? asked->values + (size_t)index * asked->n_metrics : NULL,
                           .n_metrics = asked->n_metrics,
                           .from = asked->file,
                           .token_at = stored_token,
                           .word_of = stored_word};
    keep_marked(out, marked);
    TRY_DONE(check_asked_rows(out, &prompt));
    status = likely_check(&asked->form, out->n_rows);
done:
    weir_free(marked);
    return status;
}

static weir_status print_each_likely(struct asked *asked)
{
    for (int i = 0; i < asked->n_prompts; i++) {
        struct likely likely = {0};
        struct stored_next stored = {0};
        if (!asked->prompts[i])
            continue;
        weir_status status = open_likely(&likely, &stored, asked, i);
        if (status == WEIR_OK)
            status = likely_print(&likely, &asked->form);
        weir_free(likely.positions);
        stored_next_close(&stored);
        TRY(status);
    }
    return WEIR_OK;
}

/* Without --prompt, those that have no stored positions are not asked for. */
static weir_status unmark_empty_prompts(const struct asked *asked)
{
    weir_file_prompt prompt;
    size_t n = 0;
    for (int i = 0; i < asked->n_prompts; i++) {
        TRY(weir_file_get_prompt(asked->file, i, &prompt));
        asked->prompts[i] = prompt.n_rows > 0;
        n += prompt.n_rows > 0;
    }
    return n > 0 ? WEIR_OK : weir_fail(WEIR_E_USAGE, "no prompt has stored positions");
}

static weir_status mark_asked_prompts(struct asked *asked, const struct args *args)
{
    size_t n = (size_t)weir_file_get_info(asked->file)->n_prompts;
    struct weir_slices slices;
    weir_status status = slices_mark(&asked->prompts, &slices, n, prompts_text(args, PROMPT), "prompt");
    asked->n_prompts = status == WEIR_OK ? (int)n : 0;
    if (status == WEIR_OK && !args->has[PROMPT])
        status = unmark_empty_prompts(asked);
    weir_slices_close(&slices);
    return status;
}

/* Reads the options, before any values. */
static weir_status choose_next(struct asked *asked, const struct args *args)
{
    asked->form =
        (struct likely_form){.top = (size_t)args_int(args, TOP, 0), .json = args->has[JSON], .csv = args->has[CSV]};
    if (weir_file_get_info(asked->file)->n_next == 0)
        return weir_fail(WEIR_E_USAGE, "%s: contains no next tokens: weir dump --next K stores them", args->words[0]);
    TRY(likely_check(&asked->form, 1));
    TRY(mark_asked_prompts(asked, args));
    const char *positions = args->has[POSITIONS] ? args->text[POSITIONS] : "";
    return weir_spots_parse(&asked->positions, positions, strlen(positions), "position");
}

/* The metrics of the run, where the file has them. */
static weir_status read_stored_metrics(struct asked *asked)
{
    float *values;
    size_t n_prompts = (size_t)asked->n_prompts;
    TRY(weir_stored_grids_find(&asked->results, &asked->n_results, asked->file));
    const struct weir_stored_grid *found =
        weir_stored_grid_named(asked->results, asked->n_results, weir_result_at(WEIR_RESULT_METRICS)->name);
    if (!found || found->rank != 2 || found->dims[0] != WEIR_DIM_METRIC || found->dims[1] != WEIR_AXIS_PROMPT)
        return WEIR_OK;
    TRY(weir_stored_grid_read(&values, asked->file, found));
    weir_status status = weir_alloc(&asked->values, found->n_cells, sizeof *asked->values);
    for (size_t i = 0; i < found->n_cells && status == WEIR_OK; i++)
        asked->values[i % n_prompts * found->n_metrics + i / n_prompts] = (double)values[i];
    asked->metrics = (const char *const *)found->texts;
    asked->n_metrics = found->n_metrics;
    weir_free(values);
    return status;
}

static weir_status print_next(struct asked *asked)
{
    TRY(read_stored_metrics(asked));
    TRY(likely_begin(&asked->form, asked->metrics, asked->n_metrics));
    TRY(print_each_likely(asked));
    likely_end(&asked->form);
    return WEIR_OK;
}

static int run_next(const struct args *args)
{
    struct asked asked = {0};
    weir_file *file;
    TRY(weir_file_open(&file, args->words[0]));
    asked.file = file;
    weir_status status = choose_next(&asked, args);
    if (status == WEIR_OK)
        status = with_texts(print_next(&asked), file);
    weir_spots_close(&asked.positions);
    weir_free(asked.prompts);
    weir_free(asked.values);
    weir_stored_grids_free(asked.results, asked.n_results);
    weir_file_close(file);
    return (int)status;
}

const struct command cmd_next = {
    .name = "next",
    .summary = "show the most likely next tokens in a file, and the loss",
    .usage = "FILE [OPTIONS]",
    .notes = "The file must come from weir dump --next K. At each position: the rank among the K of the token that "
             "follows in the prompt (- for none of them), and the most likely tokens with their probability and logit. "
             "The loss is the mean of -log p over the predicted tokens, in nats. Metrics that the "
             "run stored (--metric) are printed with their prompts.",
    .example = "weir next run.h5 --positions -1",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .least_words = 1,
    .most_words = 1,
    .reads_files = true,
    .run = run_next,
};
