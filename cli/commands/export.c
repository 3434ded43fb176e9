/* weir export: stored values as .npy, .npz or .csv. */
#include "cli/export/export.h"
#include "cli/args/options.h"
#include "cli/args/prompts.h"
#include "cli/commands/commands.h"
#include "cli/export/output.h"
#include "cli/export/results.h"
#include "cli/select/files.h"

#include <string.h>

enum { OUT, FORMAT, PROMPT, DTYPE, FORCE };
enum format { NPY, NPZ, CSV, N_FORMATS };

static const struct opt opts[] = {
    [OUT] = {'o', "output", OPT_TEXT, "OUT", "the file to write; its ending selects the format; - is standard output",
             .required = true},
    [FORMAT] = {0, "format", OPT_CHOICE, "npy|npz|csv", "the format, whatever the ending"},
    [PROMPT] = OPT_PROMPT_OR_ALL,
    [DTYPE] = {0, "dtype", OPT_CHOICE, "f32|keep",
               "the type of arrays: f32, the default, or keep, which is f16 if the file has f16 (numpy has no bf16)"},
    [FORCE] = OPT_FORCE,
};

static const struct {
    const char *ending;
    weir_status (*write)(const struct export *export);
} formats[N_FORMATS] = {[NPY] = {".npy", export_npy}, [NPZ] = {".npz", export_npz}, [CSV] = {".csv", export_csv}};

/* By --format, or by the ending of the output's name. */
static weir_status choose_format(enum format *out, const struct args *args)
{
    *out = (enum format)args_int(args, FORMAT, NPY);
    for (int i = 0; i < N_FORMATS && !args->has[FORMAT]; i++)
        if (path_ends(args->text[OUT], formats[i].ending)) {
            *out = (enum format)i;
            return WEIR_OK;
        }
    if (!args->has[FORMAT])
        return weir_fail(WEIR_E_USAGE, "%s: does not end in .npy, .npz or .csv: give --format", args->text[OUT]);
    return WEIR_OK;
}

/* ---- where it goes ---- */

static weir_status write_export(struct export *export, enum format format, const struct output *output)
{
    struct buffered out;
    TRY(buffered_open(&out, output->fd, output->name));
    export->out = &out;
    weir_status status = formats[format].write(export);
    if (status == WEIR_OK)
        status = buffered_flush(&out);
    buffered_close(&out);
    return status;
}

static weir_status write_export_file(struct export *export, enum format format, const struct args *args)
{
    struct output output;
    weir_status status = output_open(&output, args->text[OUT], args->has[FORCE], format == NPZ);
    if (status == WEIR_OK)
        status = with_texts(write_export(export, format, &output), export->file);
    if (status == WEIR_OK)
        status = output_commit(&output);
    output_close(&output);
    return status;
}

/* ---- results ---- */

static weir_status write_result_export(const struct results *results, enum format format, const struct output *output)
{
    static weir_status (*const write[N_FORMATS])(struct buffered * out, const struct results *results) = {
        [NPY] = export_result_npy, [NPZ] = export_result_npz, [CSV] = export_result_csv};
    struct buffered out;
    TRY(buffered_open(&out, output->fd, output->name));
    weir_status status = write[format](&out, results);
    if (status == WEIR_OK)
        status = buffered_flush(&out);
    buffered_close(&out);
    return status;
}

static weir_status export_results(const weir_file *file, enum format format, const struct args *args)
{
    struct results results;
    struct output output = {0};
    weir_status status = results_open(&results, file, args->words[1]);
    if (status == WEIR_OK) {
        status = output_open(&output, args->text[OUT], args->has[FORCE], format == NPZ);
        if (status == WEIR_OK)
            status = with_texts(write_result_export(&results, format, &output), file);
        if (status == WEIR_OK)
            status = output_commit(&output);
        output_close(&output);
    }
    results_close(&results);
    return status;
}

static int run_export_results(const struct args *args, enum format format)
{
    weir_file *file;
    for (int opt = PROMPT; opt <= DTYPE; opt++)
        if (args->has[opt])
            return (int)weir_fail(WEIR_E_USAGE, "--%s is for activations; %s has all prompts in float32",
                                  opts[opt].name, args->words[1]);
    TRY(weir_file_open(&file, args->words[0]));
    weir_status status = export_results(file, format, args);
    weir_file_close(file);
    return (int)status;
}

/* ---- the command ---- */

static int run_export(const struct args *args)
{
    struct export export = {.keep_dtype = args_int(args, DTYPE, 0) == 1};
    struct weir_selection *selection = NULL;
    weir_file *file = NULL;
    enum format format;
    weir_status status;
    TRY_DONE(choose_format(&format, args));
    if (is_result_name(args->words[1]))
        return run_export_results(args, format);
    TRY_DONE(weir_selection_parse_stored(&selection, args->words[1]));
    if (args->has[PROMPT])
        TRY_DONE(no_index(selection));
    TRY_DONE(weir_file_open(&file, args->words[0]));
    TRY_DONE(prompt_or_all(&export.prompt, file, args, PROMPT));
    export.file = file;
    export.selection = selection;
    status = write_export_file(&export, format, args);
done:
    weir_selection_close(selection);
    weir_file_close(file);
    return (int)status;
}

const struct command cmd_export = {
    .name = "export",
    .summary = "write stored values and results as arrays for numpy or as a table",
    .usage = "FILE (SELECTION | RESULT) -o OUT.npy|OUT.npz|OUT.csv [OPTIONS]",
    .notes =
        "SELECTION is as in weir show. The axes of an array are those that weir ls shows; as in numpy, a plain number "
        "(also --prompt I) drops its axis and a slice keeps it: z:5.3@-1 is [d_head], z:5 is [pos, head, d_head], z "
        "with --prompt all is [layer, prompt, pos, head, d_head]. Values that are not stored are NaN, also past the "
        "ends of shorter prompts; expert_indices are int32, -1 there.\n.npy holds one hook point. .npz holds several "
        "by their short names (z, and z_2 if it occurs again), with the arrays tokens, token_text and positions; hook "
        "points with other positions or prompts than the first have their own, such as z_positions. .csv is a tidy "
        "table with one line per value: hook, layer, prompt, one column per axis with the text of tokens, value.\n"
        "RESULT is as in weir show, patch/z_normalised or metrics. A .npz has each by the last part of its name; a "
        ".csv "
        "has result, metric, the other axes with the text of tokens that all clean prompts have, value.",
    .example = "weir export run.h5 'resid_post@-1' --prompt all -o last.npy",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .least_words = 2,
    .most_words = 2,
    .run = run_export,
    .reads_files = true,
};
