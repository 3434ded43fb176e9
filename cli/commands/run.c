/* weir run: what a model predicts after prompts, as a table, as JSON or as CSV; nothing is written unless asked for. */
#include "cli/args/options.h"
#include "cli/commands/commands.h"
#include "cli/commands/dump.h"
#include "cli/commands/likely.h"
#include "cli/print/text.h"

#include "base/alloc.h"
#include "engine/positions.h"
#include "engine/run.h"
#include "hooks/next.h"
#include "points/sides.h"
#include "tensor/ops.h"

#include <stdio.h>
#include <string.h>

enum { AGAINST = N_DUMP_OPTS, RUN_JSON, RUN_CSV };
enum { LIKELY = 10 };

static const struct opt run_opts[] = {
    OPTS_OF_RUNS,
    [OUT] = {'o', "output", OPT_TEXT, "OUT.h5",
             "also write a file, as weir dump does, with the likely next tokens of all stored positions"},
    [POSITIONS] = {0, "positions", OPT_TEXT, "RANGE",
                   "the positions whose next tokens are printed, as in 0:16, : for all, or the field subject[-1]; by "
                   "default the last"},
    [NEXT] = {0, "top", OPT_WHOLE, "K",
              "how many tokens per position; by default 10, of which a table of several positions shows 3", .least = 1,
              .most = 1000000},
    [METRIC] = {0, "metric", OPT_TEXT, "METRIC",
                "also print a number of each prompt, as in 'logit(answer) - logit(wrong)' or 'entropy@-1'; may repeat",
                .repeats = true},
    [AGAINST] = {0, "against", OPT_CHOICE, "base",
                 "with edits: run without them too, and print what they change beside it"},
    [RUN_JSON] = OPT_JSON,
    [RUN_CSV] = OPT_CSV,
};

/* What was predicted after one prompt. */
struct predicted {
    int32_t *positions; /* [n] that were asked for */
    size_t n;
    struct weir_next *next; /* NULL until it has run */
    struct likely_base base;
    float *base_logits, *base_logprobs; /* [n, top] */
};

struct prediction {
    struct dump dump;
    struct weir_spots positions;
    struct predicted *list; /* [dump.prompts.n] */
    size_t top;
    double *values; /* [dump.prompts.n, dump.metrics.n] */
    weir_run *base; /* without edits; NULL: there is none */
    char *kl_text;  /* the metric that compares with it */
    weir_measured **measured_base, *kl;
    double *values_base; /* as values */
};

/* ---- the run ---- */

static weir_status keep_predicted(const weir_event *event, void *payload)
{
    struct prediction *p = payload;
    struct predicted *one = &p->list[event->prompt];
    const weir_tokens *prompt = &p->dump.prompts.list[event->prompt];
    TRY(weir_next_open(&one->next, p->top, prompt->n));
    return weir_next_compute(one->next, p->dump.run->pool, event->data, event->shape[1], prompt, one->positions,
                             one->n);
}

/* The positions of one prompt that were asked for, in ascending order. */
static weir_status choose_positions(struct predicted *out, const struct prediction *p, const weir_tokens *prompt)
{
    struct weir_positions found = {0};
    bool *marked = NULL;
    weir_status status;
    TRY_DONE(weir_alloc(&out->positions, prompt->n, sizeof *out->positions));
    TRY_DONE(weir_alloc_zero(&marked, prompt->n, sizeof *marked));
    TRY_DONE(weir_positions_find(&found, p->dump.model, prompt, 0, &p->positions, "position"));
    for (size_t i = 0; i < found.n; i++)
        marked[found.list[i]] = true;
    for (size_t i = 0; i < prompt->n; i++)
        if (marked[i])
            out->positions[out->n++] = (int32_t)i;
    if (out->n == 0)
        status = weir_fail(WEIR_E_USAGE, "--positions names none of its %zu position%s", prompt->n, plural(prompt->n));
done:
    weir_free(marked);
    weir_positions_close(&found);
    return status;
}

/* Before anything is computed. */
static weir_status prepare_predictions(struct prediction *p, const struct likely_form *form)
{
    const struct prompts *prompts = &p->dump.prompts;
    size_t most = 0;
    TRY(weir_alloc_zero(&p->list, prompts->n, sizeof *p->list));
    for (size_t i = 0; i < prompts->n; i++) {
        TRY(weir_in_prompt(choose_positions(&p->list[i], p, &prompts->list[i]), i));
        most = p->list[i].n > most ? p->list[i].n : most;
    }
    TRY(likely_check(form, most));
    return weir_run_hook_at(p->dump.run, WEIR_P_LOGITS, -1, WEIR_READ, keep_predicted, p);
}

/* ---- metrics ---- */

/* Values of one metric stand together where they are measured and stored, those of one prompt where they are printed.
 */
static weir_status by_prompt(double **out, const double *by_metric, const struct metrics *metrics)
{
    size_t all;
    TRY(weir_mul(&all, metrics->n_prompts, metrics->n));
    TRY(weir_alloc(out, all, sizeof **out));
    for (size_t i = 0; i < all; i++)
        (*out)[i] = by_metric[i % metrics->n * metrics->n_prompts + i / metrics->n];
    return WEIR_OK;
}

/* ---- the same without edits ---- */

/* The logits of the tokens that are likely with edits. */
static weir_status keep_base(const weir_event *event, void *payload)
{
    struct prediction *p = payload;
    struct predicted *one = &p->list[event->prompt];
    const weir_tokens *prompt = &p->dump.prompts.list[event->prompt];
    size_t n_vocab = event->shape[1], n;
    struct weir_next *loss;
    TRY(weir_mul(&n, one->n, p->top));
    TRY(weir_alloc(&one->base_logits, n, sizeof *one->base_logits));
    TRY(weir_alloc(&one->base_logprobs, n, sizeof *one->base_logprobs));
    for (size_t i = 0; i < n; i++) {
        const float *logits = event->data + (size_t)one->positions[i / p->top] * n_vocab;
        one->base_logits[i] = logits[one->next->ids[i]];
        one->base_logprobs[i] = one->base_logits[i] - weir_ops()->logsumexp(logits, n_vocab);
    }
    TRY(weir_next_open(&loss, 0, prompt->n));
    weir_status status = weir_next_compute(loss, p->dump.run->pool, event->data, n_vocab, prompt, NULL, 0);
    one->base.loss = loss->loss;
    weir_next_close(loss);
    return status;
}

/* What the predictions are compared by, before anything is opened. */
static weir_status choose_base(struct prediction *p)
{
    const struct args *args = p->dump.args;
    if (!args->has[AGAINST])
        return WEIR_OK;
    if (!args->has[EDIT] && !args->has[ABLATE] && !args->has[PLUGIN])
        return weir_fail(WEIR_E_USAGE, "--against base prints what edits change: give --edit, --ablate or --plugin");
    TRY(weir_format(&p->kl_text, "kl(#base)@%s", args->has[POSITIONS] ? args->text[POSITIONS] : "-1"));
    p->dump.kl = p->kl_text;
    return WEIR_OK;
}

/* Opens the second run, and measures how far the first is from it. */
static weir_status open_base(struct prediction *p)
{
    const struct metrics *metrics = &p->dump.metrics;
    weir_metric *kl;
    if (!p->kl_text)
        return WEIR_OK;
    TRY(weir_run_open(&p->base, p->dump.model, &(weir_run_options){.compute = p->dump.compute}));
    TRY(weir_run_hook_at(p->base, WEIR_P_LOGITS, -1, WEIR_READ, keep_base, p));
    TRY(weir_alloc_zero(&p->measured_base, metrics->n, sizeof(void *)));
    TRY(metrics_measure(p->measured_base, metrics, p->base));
    TRY(weir_in(weir_metric_parse(&kl, p->kl_text), "--positions"));
    weir_status status = weir_run_measure(&p->kl, p->dump.run, kl);
    weir_metric_close(kl);
    return status;
}

/* The numbers without edits, which the file has too: before it is complete. */
static weir_status run_base(void *payload)
{
    struct prediction *p = payload;
    struct metrics *metrics = &p->dump.metrics;
    if (!p->base)
        return WEIR_OK;
    TRY(weir_run_forward(p->base, p->dump.prompts.list, p->dump.prompts.n));
    TRY(metrics_take(metrics->base, metrics, p->measured_base));
    TRY(weir_measured_values(p->kl, metrics->kl, metrics->n_prompts));
    TRY(by_prompt(&p->values_base, metrics->base, metrics));
    for (size_t i = 0; i < metrics->n_prompts; i++) {
        struct predicted *one = &p->list[i];
        one->base.kl = metrics->kl[i];
        one->base.logits = one->base_logits;
        one->base.logprobs = one->base_logprobs;
        one->base.values = p->values_base + i * metrics->n;
    }
    return WEIR_OK;
}

/* ---- printing ---- */

static void model_token(char *to, size_t size, const struct likely *likely, int position)
{
    weir_token_text(likely->from, likely->tokens[position], to, size);
}

static void model_word(char *to, size_t size, const struct likely *likely, int32_t id)
{
    weir_token_text(likely->from, id, to, size);
}

static weir_status print_predictions(const struct prediction *p, struct likely_form *form)
{
    form->against_base = p->base != NULL;
    TRY(likely_begin(form, p->dump.metrics.texts, p->dump.metrics.n));
    for (size_t i = 0; i < p->dump.prompts.n; i++) {
        const struct predicted *one = &p->list[i];
        TRY(likely_print(&(struct likely){.prompt = (int)i,
                                          .n_prompts = (int)p->dump.prompts.n,
                                          .tokens = p->dump.prompts.list[i].ids,
                                          .n_tokens = p->dump.prompts.list[i].n,
                                          .positions = one->positions,
                                          .n_rows = one->n,
                                          .n_next = p->top,
                                          .ids = one->next->ids,
                                          .logits = one->next->logits,
                                          .logprobs = one->next->logprobs,
                                          .loss = one->next->loss,
                                          .metrics = p->dump.metrics.texts,
                                          .values = p->values + i * p->dump.metrics.n,
                                          .n_metrics = p->dump.metrics.n,
                                          .base = p->base ? &one->base : NULL,
                                          .from = p->dump.model,
                                          .token_at = model_token,
                                          .word_of = model_word},
                         form));
    }
    likely_end(form);
    return WEIR_OK;
}

/* ---- the command ---- */

/* Refuses what says how a file is written where none is. */
static weir_status check_run_options(const struct args *args)
{
    static const int of_files[] = {HOOKS, DTYPE, COMPRESS, YES, FORCE};
    for (size_t i = 0; i < sizeof of_files / sizeof *of_files && !args->has[OUT]; i++)
        if (args->has[of_files[i]])
            return weir_fail(WEIR_E_USAGE, "--%s says what is stored: give -o OUT.h5 as well",
                             run_opts[of_files[i]].name);
    return dump_check(args);
}

static weir_status run_and_print(struct prediction *p, struct likely_form *form)
{
    const struct args *args = p->dump.args;
    const char *positions = args->has[POSITIONS] ? args->text[POSITIONS] : "-1";
    TRY(weir_in(weir_spots_parse(&p->positions, positions, strlen(positions), "position"), "--positions"));
    TRY(choose_base(p));
    TRY(dump_open(&p->dump));
    size_t n_outputs = (size_t)p->dump.model->config.n_outputs;
    p->top = p->top < n_outputs ? p->top : n_outputs;
    TRY(prepare_predictions(p, form));
    TRY(open_base(p));
    p->dump.finish = run_base;
    p->dump.payload = p;
    TRY(dump_run(&p->dump));
    TRY(by_prompt(&p->values, p->dump.metrics.values, &p->dump.metrics));
    return print_predictions(p, form);
}

static int run_run(const struct args *args)
{
    struct prediction p = {.dump = {.args = args, .likely = LIKELY}, .top = (size_t)args_int(args, NEXT, LIKELY)};
    struct likely_form form = {
        .top = (size_t)args_int(args, NEXT, 0), .json = args->has[RUN_JSON], .csv = args->has[RUN_CSV]};
    TRY(check_run_options(args));
    TRY(likely_check(&form, 1));
    weir_status status = run_and_print(&p, &form);
    for (size_t i = 0; p.list && i < p.dump.prompts.n; i++) {
        weir_next_close(p.list[i].next);
        weir_free(p.list[i].positions);
        weir_free(p.list[i].base_logits);
        weir_free(p.list[i].base_logprobs);
    }
    weir_free(p.list);
    weir_free(p.kl_text);
    weir_free(p.values);
    weir_free(p.measured_base);
    weir_free(p.values_base);
    weir_run_close(p.base);
    weir_spots_close(&p.positions);
    dump_close(&p.dump);
    return (int)status;
}

const struct command cmd_run = {
    .name = "run",
    .summary = "print what a model predicts: the most likely next tokens, and the loss",
    .usage = "[SPEC.json] [-m MODEL] (-p TEXT | -f FILE | --tokens IDS | --line JSON)... [OPTIONS]",
    .notes =
        "After each position that is printed: the most likely next tokens with their probability and logit, and, where "
        "the prompt goes on, the rank among them of the token that does follow. The loss is the mean of -log p over "
        "the "
        "tokens of the prompt after the first, in nats.\nNothing is written without -o; with it the file is that of "
        "weir "
        "dump --next K, and --hooks, --dtype, --compress, --yes and --force mean what they mean there.\nMETRIC is a "
        "sum of "
        "measures, each with a factor if need be: logit, logprob, prob or rank of a token (its id, a text in quotes, "
        "or the field of "
        "the prompt's line that has it), loss, entropy, kl(#SIDE), or a place such as z:5.3@-1. They are of the last "
        "position, or "
        "of @POSITIONS, averaged. With -o the file has "
        "them too, in /results/metrics.\nWith --against base every number has that of a run "
        "without edits and plugins beside it, or how much it is more: "
        "probabilities, logits, metrics, the loss; and KL(without || with) of the predictions, its mean over the "
        "positions.",
    .example = "weir run -m model.gguf -p \"The capital of France is\"",
    .opts = run_opts,
    .n_opts = N_OPTS(run_opts),
    .run = run_run,
    .most_words = 1,
    .takes_spec = true,
};
