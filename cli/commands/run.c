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
#include "tensor/ops.h"

#include <stdio.h>
#include <string.h>

enum { RUN_METRIC = N_DUMP_OPTS, AGAINST, RUN_JSON, RUN_CSV };
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
    [RUN_METRIC] =
        {0, "metric", OPT_TEXT, "METRIC",
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
    const char **metrics;     /* [n_metrics] as they were given */
    weir_measured **measured; /* [n_metrics] the run's */
    double *values;           /* [dump.prompts.n, n_metrics] */
    size_t n_metrics;
    weir_run *base; /* without edits; NULL: there is none */
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
    char which[32];
    TRY(weir_alloc_zero(&p->list, prompts->n, sizeof *p->list));
    for (size_t i = 0; i < prompts->n; i++) {
        snprintf(which, sizeof which, "prompt %zu", i);
        TRY(weir_in(choose_positions(&p->list[i], p, &prompts->list[i]), which));
        most = p->list[i].n > most ? p->list[i].n : most;
    }
    TRY(likely_check(form, most));
    return weir_run_hook_at(p->dump.run, WEIR_P_LOGITS, -1, WEIR_READ, keep_predicted, p);
}

/* ---- metrics ---- */

static weir_status measure_one(struct prediction *p, const char *text)
{
    weir_metric *metric;
    char which[300];
    snprintf(which, sizeof which, "--metric '%.280s'", text);
    TRY(weir_in(weir_metric_parse(&metric, text), which));
    weir_status status = weir_in(weir_run_measure(&p->measured[p->n_metrics], p->dump.run, metric), which);
    if (status == WEIR_OK && p->base)
        status = weir_in(weir_run_measure(&p->measured_base[p->n_metrics], p->base, metric), which);
    weir_metric_close(metric);
    if (status == WEIR_OK)
        p->metrics[p->n_metrics++] = text;
    return status;
}

static weir_status add_metrics(struct prediction *p)
{
    const struct args *args = p->dump.args;
    TRY(weir_alloc(&p->metrics, args->n_given, sizeof(void *)));
    TRY(weir_alloc(&p->measured, args->n_given, sizeof(void *)));
    TRY(weir_alloc(&p->measured_base, args->n_given, sizeof(void *)));
    for (size_t i = 0; i < args->n_given; i++)
        if (args->given[i].opt == RUN_METRIC)
            TRY(measure_one(p, args->given[i].text));
    return WEIR_OK;
}

/* Those of one metric stand together where they are measured, those of one prompt where they are printed. */
static weir_status take_values(double **values, weir_measured *const *measured, const struct prediction *p)
{
    size_t n = p->dump.prompts.n, all;
    double *one;
    TRY(weir_mul(&all, n, p->n_metrics));
    TRY(weir_alloc(values, all, sizeof **values));
    TRY(weir_alloc(&one, n, sizeof *one));
    weir_status status = WEIR_OK;
    for (size_t m = 0; m < p->n_metrics && status == WEIR_OK; m++) {
        status = weir_measured_values(measured[m], one, n);
        for (size_t i = 0; i < n && status == WEIR_OK; i++)
            (*values)[i * p->n_metrics + m] = one[i];
    }
    weir_free(one);
    return status;
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

/* Opens the second run, and measures how far the first is from it. */
static weir_status open_base(struct prediction *p)
{
    const struct args *args = p->dump.args;
    weir_metric *kl;
    char *text;
    if (!args->has[AGAINST])
        return WEIR_OK;
    if (!args->has[EDIT] && !args->has[ABLATE])
        return weir_fail(WEIR_E_USAGE, "--against base prints what edits change: give --edit or --ablate");
    TRY(weir_run_open(&p->base, p->dump.model, &(weir_run_options){.compute = p->dump.compute}));
    TRY(weir_run_hook_at(p->base, WEIR_P_LOGITS, -1, WEIR_READ, keep_base, p));
    TRY(weir_format(&text, "kl(#base)@%s", args->has[POSITIONS] ? args->text[POSITIONS] : "-1"));
    weir_status status = weir_in(weir_metric_parse(&kl, text), "--positions");
    weir_free(text);
    TRY(status);
    status = weir_run_measure(&p->kl, p->dump.run, kl);
    weir_metric_close(kl);
    return status;
}

static weir_status run_base(struct prediction *p)
{
    size_t n = p->dump.prompts.n;
    double *kl;
    if (!p->base)
        return WEIR_OK;
    TRY(weir_run_forward(p->base, p->dump.prompts.list, n));
    TRY(take_values(&p->values_base, p->measured_base, p));
    TRY(weir_alloc(&kl, n, sizeof *kl));
    weir_status status = weir_measured_values(p->kl, kl, n);
    for (size_t i = 0; i < n && status == WEIR_OK; i++) {
        struct predicted *one = &p->list[i];
        one->base.kl = kl[i];
        one->base.logits = one->base_logits;
        one->base.logprobs = one->base_logprobs;
        one->base.values = p->values_base + i * p->n_metrics;
    }
    weir_free(kl);
    return status;
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
    TRY(likely_begin(form, p->metrics, p->n_metrics));
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
                                          .metrics = p->metrics,
                                          .values = p->values + i * p->n_metrics,
                                          .n_metrics = p->n_metrics,
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
    TRY(dump_open(&p->dump));
    size_t n_outputs = (size_t)p->dump.model->config.n_outputs;
    p->top = p->top < n_outputs ? p->top : n_outputs;
    TRY(prepare_predictions(p, form));
    TRY(open_base(p));
    TRY(add_metrics(p));
    TRY(dump_run(&p->dump));
    TRY(take_values(&p->values, p->measured, p));
    TRY(run_base(p));
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
    weir_free(p.metrics);
    weir_free(p.measured);
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
    .usage = "[SPEC.json] [-m MODEL] (-p TEXT | -f FILE | --tokens IDS)... [OPTIONS]",
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
        "of @POSITIONS, averaged. Metrics are printed, not stored.\nWith --against base every number has that of a run "
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
