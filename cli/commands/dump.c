/* weir dump: runs a model on prompts and stores what passes its hook points. */
#include "cli/commands/dump.h"

#include "cli/args/join.h"
#include "cli/args/model.h"
#include "cli/args/options.h"
#include "cli/args/plugins.h"
#include "cli/args/prompts.h"
#include "cli/commands/commands.h"
#include "cli/print/progress.h"
#include "cli/print/say.h"
#include "cli/print/text.h"
#include "cli/process/interrupt.h"

#include "base/alloc.h"
#include "base/sizes.h"
#include "hooks/capture.h"
#include "points/lookup.h"
#include "tensor/narrow.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

/* The largest file that is written without --yes: attention patterns grow with the square of a prompt's length, which
   is easily forgotten. */
static const uint64_t MOST_UNASKED = 4000000000;

/* Fewer bits pay off over some positions only: weights have to be packed, and some positions are computed in float32
   too. */
enum { LEAST_POSITIONS = 256, COMPARED_POSITIONS = 16 };

static const struct opt dump_opts[] = {
    OPTS_OF_RUNS,
    [OUT] = {'o', "output", OPT_TEXT, "OUT.h5", "the file to write", .required = true},
    [POSITIONS] =
        {0, "positions", OPT_TEXT, "RANGE",
         "positions to store of every hook point, as in -1 or 0:16, or a field of the prompts' lines of JSON"},
    [NEXT] = {0, "next", OPT_WHOLE, "K",
              "store the K most likely next tokens at each position with their log-probabilities, and each prompt's "
              "loss: weir next FILE shows them",
              .least = 1, .most = 1000000},
    [METRIC] = {0, "metric", OPT_TEXT, "METRIC",
                "also store a number of each prompt in /results/metrics, as in 'logit(answer) - logit(wrong)' or "
                "'entropy@-1' (weir help run has the measures); may repeat",
                .repeats = true},
};

/* ---- the steps ---- */

static size_t longest_prompt(const struct prompts *prompts)
{
    size_t longest = 0;
    for (size_t i = 0; i < prompts->n; i++)
        longest = prompts->list[i].n > longest ? prompts->list[i].n : longest;
    return longest;
}

/* "rill: 5 hook points, 20 prompts of up to 345 positions, 1 of them stored: about 3 MB to run.h5" */
static void print_dump_plan(const struct dump *dump)
{
    char size[16], stored[64] = "";
    const weir_capture_size *plan = weir_capture_get_size(dump->capture);
    size_t n = dump->prompts.n, longest = longest_prompt(&dump->prompts);
    const char *most = n > 1 ? "up to " : "";
    if (plan->n_positions < longest)
        snprintf(stored, sizeof stored, ", %s%zu of them stored", plan->n_positions > 1 ? most : "", plan->n_positions);
    say("%s: %d hook point%s, %zu prompt%s of %s%zu position%s%s: about %s to %s\n",
        weir_model_get_info(dump->model)->name, plan->n_points, plural((size_t)plan->n_points), n, plural(n), most,
        longest, plural(longest), stored, weir_size_text(size, plan->bytes), dump->args->text[OUT]);
}

/* ---- watching the run: one cheap point in each layer that is computed anyway ---- */

static weir_status watch_layer(const weir_event *event, void *payload)
{
    struct dump *dump = payload;
    (void)event;
    if (interrupted())
        return stopped();
    if (dump->steps == 0 && dump->capture)
        print_dump_plan(dump); /* here, where nothing was wrong with edits and prompts */
    progress_step(&dump->progress, ++dump->steps);
    return WEIR_OK;
}

/* In every layer that the run goes through, and the first, whatever is stored: watching makes the run no longer. */
static weir_status start_watching(struct dump *dump)
{
    int n = weir_run_depth(dump->run) > 0 ? weir_run_depth(dump->run) : 1;
    for (int layer = 0; layer < n; layer++)
        TRY(weir_run_hook_at(dump->run, WEIR_P_RESID_PRE, layer, WEIR_READ, watch_layer, dump));
    progress_begin(&dump->progress, "layers", (uint64_t)n * dump->prompts.n);
    return WEIR_OK;
}

/* "bf16 against float32, relative, over the first positions: resid_pre 0.31 %, pattern 0.62 %" */
static void print_compute_error(const struct dump *dump, const char *name)
{
    const char *between = "";
    say("%s against float32, relative, over the first positions: ", name);
    for (int i = 0; i < WEIR_N_POINTS; i++) {
        double error = weir_capture_error(dump->capture, i);
        if (error == error) {
            say("%s%s %.2g %%", between, weir_point_at(i)->name, 100 * error);
            between = ", ";
        }
    }
    say("\n");
}

/* Size and time, values that f16 could not hold, and how exact a smaller type was. */
static void print_dump_done(const struct dump *dump, double seconds)
{
    struct stat file;
    char size[16];
    const char *path = dump->args->text[OUT];
    uint64_t saturated = weir_capture_saturated(dump->capture);
    say("%s: %s in %.1f s\n", path, weir_size_text(size, stat(path, &file) == 0 ? (uint64_t)file.st_size : 0), seconds);
    if (saturated)
        say("%llu value%s too large for f16 and stored as +-65504; --dtype bf16 holds them\n",
            (unsigned long long)saturated, saturated == 1 ? " was" : "s were");
    if (dump->compute != WEIR_COMPUTE_F32)
        print_compute_error(dump, weir_compute_name(dump->compute));
}

/* The type that is asked for, unless the prompts are too short for it to be faster. */
static weir_compute chosen_compute(const struct dump *dump)
{
    size_t positions = 0;
    weir_compute asked = (weir_compute)args_int(dump->args, COMPUTE, WEIR_COMPUTE_F32);
    for (size_t i = 0; i < dump->prompts.n; i++)
        positions += dump->prompts.list[i].n;
    if (asked == WEIR_COMPUTE_F32 || positions >= LEAST_POSITIONS)
        return asked;
    say("computed in float32, which is no slower for %zu position%s; --compute pays off from %d\n", positions,
        plural(positions), LEAST_POSITIONS);
    return WEIR_COMPUTE_F32;
}

static weir_status check_not_empty(const struct prompts *prompts)
{
    for (size_t i = 0; i < prompts->n; i++)
        if (prompts->list[i].n == 0)
            return weir_fail(WEIR_E_USAGE,
                             "prompt %zu is empty: give a text, or --bos yes for a beginning-of-sequence token alone",
                             i);
    return WEIR_OK;
}

weir_status dump_open(struct dump *dump)
{
    const struct args *args = dump->args;
    struct prompt_opts which = {TEXT, FROM, TOKENS, LINE, BOS, .sides = &dump->sides};
    weir_model_options options = {.n_threads = args_int(args, THREADS, 0), .process = args->text[PROCESS]};
    weir_capture_options capture = {
        .hooks = args->text[HOOKS],
        .positions = dump->likely ? NULL : args->text[POSITIONS],
        .next = args_int(args, NEXT, dump->likely),
        .dtype = (weir_dtype)args_int(args, DTYPE, WEIR_F32),
        .gzip = args_int(args, COMPRESS, 0) == 1,
        .force = args->has[FORCE],
        .compare = COMPARED_POSITIONS,
    };
    const char *where;
    args_join(dump->command, sizeof dump->command, args);
    capture.command = dump->command;
    TRY(metrics_parse(&dump->metrics, args, METRIC));
    TRY(sides_take(&dump->sides, args, SIDE));
    TRY(weir_selection_is_by_field(&which.any_lengths, args->text[HOOKS], args->text[POSITIONS]));
    which.any_lengths |= dump->likely > 0; /* weir run: an edit that finds no position in a side says so itself */
    TRY(model_where(&where, args, MODEL, PULL));
    TRY(open_with_notes(&dump->model, where, &options));
    TRY(prompts_read(&dump->prompts, dump->model, args, &which));
    TRY(check_not_empty(&dump->prompts));
    dump->compute = chosen_compute(dump);
    TRY(weir_run_open(&dump->run, dump->model, &(weir_run_options){.compute = dump->compute}));
    TRY(plugins_load(dump->run, args, PLUGIN)); /* before the capture, which says what is edited */
    TRY(edits_add(dump->run, args, EDIT, ABLATE));
    TRY(metrics_describe(&dump->metrics, dump->prompts.n, dump->kl));
    TRY(metrics_measure(dump->metrics.measured, &dump->metrics, dump->run));
    if (!args->has[OUT])
        return WEIR_OK;
    interrupts_catch(); /* from here on there is a file to clean up */
    return weir_capture_open_with(&dump->capture, dump->run, args->text[OUT], dump->prompts.list, dump->prompts.n,
                                  &capture, dump->metrics.grids, dump->metrics.n_grids);
}

/* Refuses a file that is large without --yes: names what is large, and what would be small. */
static weir_status check_unasked(const struct dump *dump)
{
    char all[16], most[16], rest[16];
    const weir_capture_size *plan = weir_capture_get_size(dump->capture);
    const char *out = dump->args->text[OUT], *largest = weir_point_at(plan->largest)->name;
    if (plan->bytes <= MOST_UNASKED || dump->args->has[YES])
        return WEIR_OK;
    weir_size_text(all, plan->bytes);
    weir_size_text(most, plan->largest_bytes);
    weir_size_text(rest, plan->bytes - plan->largest_bytes);
    if (plan->n_points == 1)
        return weir_fail(
            WEIR_E_USAGE,
            "%s would take %s: store fewer layers, heads or positions, as in --hooks %s:0@-1, or give --yes", out, all,
            largest);
    return weir_fail(WEIR_E_USAGE,
                     "%s would take %s, of which %s %s: remove that from --hooks (leaving %s), store less of it, as in "
                     "%s:0@-1, or give --yes",
                     out, all, largest, most, rest, largest);
}

/* The file is kept: what was computed is what was asked for. */
static void warn_not_finite(const struct dump *dump)
{
    weir_not_finite odd;
    char layer[24] = "";
    if (!weir_capture_not_finite(dump->capture, &odd))
        return;
    if (odd.layer >= 0)
        snprintf(layer, sizeof layer, ", layer %d", odd.layer);
    fprintf(stderr,
            "weir: warning: %llu stored value%s not finite; the first, %s, is in %s%s, prompt %d, position %d (weir "
            "info --check checks the weights)\n",
            (unsigned long long)odd.count, odd.count == 1 ? " is" : "s are", isnan(odd.value) ? "NaN" : "infinite",
            odd.point->name, layer, odd.prompt, odd.position);
}

/* An interrupted run leaves no file. */
weir_status dump_run(struct dump *dump)
{
    if (dump->capture)
        TRY(check_unasked(dump));
    TRY(start_watching(dump));
    weir_status status = weir_run_forward(dump->run, dump->prompts.list, dump->prompts.n);
    if (status == WEIR_OK && interrupted())
        status = stopped();
    if (status == WEIR_OK)
        status = metrics_take(dump->metrics.values, &dump->metrics, dump->metrics.measured);
    if (status == WEIR_OK && dump->finish)
        status = dump->finish(dump->payload);
    if (status == WEIR_OK && dump->capture)
        status = weir_capture_commit(dump->capture);
    double seconds = progress_end(&dump->progress);
    if (status != WEIR_OK || !dump->capture)
        return status;
    print_dump_done(dump, seconds);
    warn_not_finite(dump);
    return WEIR_OK;
}

static bool has_prompt_options(const struct args *args)
{
    return args->has[TEXT] || args->has[FROM] || args->has[TOKENS] || args->has[LINE];
}

weir_status dump_check(const struct args *args)
{
    if (args->has[OUT] && strcmp(args->text[OUT], "-") == 0)
        return weir_fail(
            WEIR_E_USAGE,
            "-o -: HDF5 cannot be written to standard output, because it is written out of order: name a file");
    if (args->has[HOOKS] && !*args->text[HOOKS])
        return weir_fail(WEIR_E_USAGE, "--hooks is empty: name hook points, or omit it for the default ones");
    if (!has_prompt_options(args))
        return weir_fail(WEIR_E_USAGE, "there are no prompts: give -p TEXT, -f FILE, --tokens IDS or --line JSON");
    return WEIR_OK;
}

void dump_close(struct dump *dump)
{
    weir_capture_close(dump->capture);
    weir_run_close(dump->run);
    metrics_close(&dump->metrics);
    prompts_close(&dump->prompts);
    sides_close(&dump->sides);
    weir_model_close(dump->model);
}

static int run_dump(const struct args *args)
{
    struct dump dump = {.args = args};
    TRY(dump_check(args));
    weir_status status = dump_open(&dump);
    if (status == WEIR_OK)
        status = dump_run(&dump);
    dump_close(&dump);
    return (int)status;
}

const struct command cmd_dump = {
    .name = "dump",
    .summary = "run a model on prompts and store activations at its hook points",
    .usage = "[SPEC.json] [-m MODEL] (-p TEXT | -f FILE | --tokens IDS | --line JSON)... -o OUT.h5 [OPTIONS]",
    .notes =
        "LIST consists of HOOK[:LAYERS[.UNITS]][@POSITIONS][#PROMPTS]: HOOK is a short name, a full name or a glob "
        "(weir "
        "hooks lists the names); the rest are numbers or Python slices, joined by +. UNITS are heads or neurons. "
        "POSITIONS "
        "may be a field of the prompt's line of JSON: a position, a list, or a text that is found among its tokens; "
        "subject[-1] is the last of them. PROMPTS may be a side. A - in front of a term takes away from those before "
        "it. "
        "Examples: pattern, z:3, pattern:0:6, z:5.3, resid_post:-1@-1, mlp_post:4.100+205, blocks.*.attn.hook_pattern, "
        "z,-z:9, resid_pre@subject[-1]#clean, "
        "or * for every point except the large ones that can be derived from others.\nA line of JSON is an object: "
        "\"prompt\" or \"text\" is the prompt, \"ids\" are its token ids (or \"tokens\", if it has neither); a text "
        "beside ids is only stored. All its other members are stored in the file (/prompts/fields, docs/store.md), and "
        "weir ls shows them. With --side clean --side corrupt each line has two prompts, in its members clean and "
        "corrupt, of equally many tokens unless all positions are named by fields; a field may have a value for each "
        "side, {\"clean\": ..., \"corrupt\": ...}.\n--compute bf16 and int8 round weights and their inputs (attention "
        "and norms stay "
        "float32). The error against float32 is printed and stored in each dataset's attribute compute_error: the "
        "largest over layers, measured on the first 16 positions of the first prompt. With fewer than 256 positions in "
        "total they are no faster, so float32 is used.",
    .example = "weir dump -m model.gguf -p \"The cat sat\" --hooks 'pattern,resid_post:-1@-1' -o run.h5",
    .opts = dump_opts,
    .n_opts = N_OPTS(dump_opts),
    .run = run_dump,
    .most_words = 1,
    .takes_spec = true,
};
