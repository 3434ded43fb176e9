/* weir patch: what changes when a value of one prompt takes the place of that in another, over a grid of places. */
#include "cli/args/edits.h"
#include "cli/args/join.h"
#include "cli/args/model.h"
#include "cli/args/options.h"
#include "cli/args/pairs.h"
#include "cli/commands/commands.h"
#include "cli/commands/patch_circuit.h"
#include "cli/commands/patch_figure.h"
#include "cli/export/output.h"
#include "cli/print/grid.h"
#include "cli/print/progress.h"
#include "cli/print/table.h"
#include "cli/print/text.h"
#include "cli/process/interrupt.h"

#include "analysis/patch_store.h"
#include "base/alloc.h"
#include "points/lookup.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MODEL,
    PULL,
    PROCESS,
    PAIRS,
    LINE,
    CLEAN,
    CORRUPT,
    ANSWER,
    WRONG,
    AT,
    BY,
    DIRECTION,
    TO,
    PATH,
    FREEZE_MLPS,
    CIRCUIT,
    EDIT,
    ABLATE,
    METRIC,
    SHOW,
    TOP,
    CSV,
    PNG,
    SVG,
    SCHEME,
    OUT,
    FORCE,
    BOS,
    THREADS
};

enum { MOST_METRICS = 64, SHOWN_CELLS = 20, MOST_COLUMNS = 64, MOST_COMMAND = 32768 };

static const char DEFAULT_METRIC[] = "logit(answer) - logit(wrong)";

static const struct opt opts[] = {
    [MODEL] = OPT_MODEL,
    [PULL] = OPT_PULL,
    [PROCESS] = OPT_PROCESS,
    [PAIRS] = {0, "pairs", OPT_TEXT, "FILE",
               "pairs of prompts, one JSON object per line: \"clean\" and \"corrupt\" (texts, or lists of token ids), "
               "\"answer\" and \"wrong\", and any others; - is standard input",
               .repeats = true},
    [LINE] = {0, "line", OPT_TEXT, "JSON", "a pair as one JSON object, as a line of such a file; may repeat",
              .repeats = true},
    [CLEAN] = {0, "clean", OPT_TEXT, "TEXT", "the clean prompt of a pair"},
    [CORRUPT] = {0, "corrupt", OPT_TEXT, "TEXT", "the corrupt prompt of that pair"},
    [ANSWER] = {0, "answer", OPT_TEXT, "TEXT", "with --clean, the right next token, as in ' Mary'"},
    [WRONG] = {0, "wrong", OPT_TEXT, "TEXT", "with --clean, the wrong next token"},
    [AT] = {0, "at", OPT_TEXT, "LIST",
            "the hook points to patch: HOOK[:LAYERS[.UNITS]][@POSITIONS], separated by "
            "commas; resid_pre by default"},
    [BY] = {0, "by", OPT_CHOICE, "position|head|head-position|neuron|query|cell",
            "what is patched at a time; by default heads or neurons where the hook point has them, else positions"},
    [DIRECTION] = {0, "direction", OPT_CHOICE, "denoise|noise",
                   "denoise, the default: the corrupt prompt runs, with values of the clean one; noise: the other way "
                   "round"},
    [TO] = {0, "to", OPT_TEXT, "LIST",
            "path patching: a patch reaches the metric through these hook points only, as in q:9.6 or, for the logits, "
            "resid_post:-1"},
    [PATH] = {0, "path", OPT_CHOICE, "frozen|direct",
              "with --to: frozen, the default, holds all other heads on the way; direct adds what the patched branch "
              "writes otherwise to the stream as the receivers read it"},
    [FREEZE_MLPS] = {0, "freeze-mlps", OPT_FLAG, NULL, "hold the outputs of MLPs on the way, too"},
    [CIRCUIT] = {0, "circuit", OPT_TEXT, "FILE",
                 "instead of a grid: measure a circuit, a JSON file of edges as EAP-IG writes, with all other edges "
                 "corrupt"},
    [EDIT] = OPT_EDIT,
    [ABLATE] = OPT_ABLATE,
    [METRIC] = {0, "metric", OPT_TEXT, "METRIC",
                "what is measured, at the last position unless it says where; may repeat; by default logit(answer) - "
                "logit(wrong)",
                .repeats = true},
    [SHOW] =
        {0, "show", OPT_CHOICE, "normalised|raw|stderr",
         "normalised, the default: 0 is the corrupt prompt, 1 is the clean one; raw: the metric itself; stderr: the "
         "standard error of its mean over pairs"},
    [TOP] = {0, "top", OPT_WHOLE, "N", "print the N cells that change the metric most, instead of grids", .least = 1,
             .most = INT32_MAX},
    [CSV] = {0, "csv", OPT_FLAG, NULL, "print all cells as CSV"},
    [PNG] = {0, "png", OPT_TEXT, "FILE", "write a picture of the grids instead; with --csv or --top, too"},
    [SVG] = {0, "svg", OPT_TEXT, "FILE", "write an SVG picture of the grids, likewise"},
    [SCHEME] = {0, "scheme", OPT_CHOICE, "light|dark", "the colours of a picture; light, for paper, by default"},
    [OUT] = {'o', "output", OPT_TEXT, "OUT.h5",
             "write the pairs and the grids (/results/patch, docs/store.md) to a file"},
    [FORCE] = OPT_FORCE,
    [BOS] = OPT_BOS,
    [THREADS] = OPT_THREADS,
};

/* What a patch is made with, and what comes of it. */
struct patching {
    const struct args *args;
    weir_model *model;
    weir_run *run;
    struct prompts prompts;
    weir_metric *metrics[MOST_METRICS];
    size_t n_metrics, n_pairs;
    const char *texts[MOST_METRICS]; /* of the metrics, as written */
    char command[MOST_COMMAND];
    struct progress progress;
    struct weir_patch_options options;
    struct weir_path_options path_options;
    struct weir_path *path; /* NULL: patches travel every way */
    struct weir_patch *patch;
    struct weir_patch_store *store; /* NULL: no file is asked for */
};

/* ---- opening ---- */

static weir_status parse_metrics(struct patching *p)
{
    const struct args *args = p->args;
    for (size_t i = 0; i < args->n_given; i++) {
        if (args->given[i].opt != METRIC)
            continue;
        if (p->n_metrics == MOST_METRICS)
            return weir_fail(WEIR_E_USAGE, "--metric: at most %d at once", MOST_METRICS);
        TRY(weir_in(weir_metric_parse(&p->metrics[p->n_metrics], args->given[i].text), "--metric"));
        p->n_metrics++;
    }
    if (p->n_metrics > 0)
        return WEIR_OK;
    TRY(weir_metric_parse(&p->metrics[0], DEFAULT_METRIC));
    p->n_metrics = 1;
    return WEIR_OK;
}

static weir_status open_patching(struct patching *p)
{
    static const int fields[] = {ANSWER, WRONG, -1};
    const struct args *args = p->args;
    struct pair_opts which = {PAIRS, LINE, CLEAN, CORRUPT, BOS, fields};
    const weir_model_options options = {.n_threads = args_int(args, THREADS, 0), .process = args->text[PROCESS]};
    const char *where;
    TRY(parse_metrics(p));
    if (args->has[AT])
        TRY(weir_in(weir_selection_is_by_field(&which.any_lengths, args->text[AT], NULL), "--at"));
    TRY(model_where(&where, args, MODEL, PULL));
    TRY(open_with_notes(&p->model, where, &options));
    TRY(pairs_read(&p->prompts, p->model, args, &which));
    p->n_pairs = p->prompts.n / 2;
    TRY(weir_run_open(&p->run, p->model, NULL));
    return edits_add(p->run, args, EDIT, ABLATE);
}

static void close_patching(struct patching *p)
{
    weir_patch_store_close(p->store);
    weir_patch_close(p->patch);
    weir_path_close(p->path);
    weir_run_close(p->run);
    for (size_t m = 0; m < MOST_METRICS; m++)
        weir_metric_close(p->metrics[m]);
    prompts_close(&p->prompts);
    weir_model_close(p->model);
}

static enum patch_show shown(const struct patching *p)
{
    return (enum patch_show)args_int(p->args, SHOW, SHOW_NORMALISED);
}

static bool draws(const struct args *args)
{
    return args->has[PNG] || args->has[SVG];
}

/* ---- measuring ---- */

static weir_status watch_patches(size_t done, size_t all, void *payload)
{
    struct patching *p = payload;
    p->progress.total = all;
    progress_step(&p->progress, done);
    return interrupted() ? stopped() : WEIR_OK;
}

static weir_status open_path(struct patching *p)
{
    const struct args *args = p->args;
    p->path_options = (struct weir_path_options){.to = args->text[TO],
                                                 .kind = (enum weir_path_kind)args_int(args, PATH, WEIR_PATH_FROZEN),
                                                 .freeze_mlps = args->has[FREEZE_MLPS]};
    if (!args->has[TO])
        return WEIR_OK;
    return weir_in(weir_path_open(&p->path, p->run, p->prompts.list, 2 * p->n_pairs, &p->path_options), "--to");
}

static weir_status open_grids(struct patching *p)
{
    const struct args *args = p->args;
    TRY(open_path(p));
    p->options = (struct weir_patch_options){
        .at = args->has[AT] ? args->text[AT] : "resid_pre",
        .by = args->has[BY] ? (enum weir_patch_by)(args->whole[BY] + 1) : WEIR_PATCH_BY_POINT,
        .direction = args_int(args, DIRECTION, 0) == 1 ? WEIR_NOISE : WEIR_DENOISE,
        .path = p->path,
        .metrics = (const weir_metric *const *)p->metrics,
        .n_metrics = p->n_metrics,
        .payload = p,
        .progress = watch_patches,
    };
    TRY(weir_patch_open(&p->patch, p->run, p->prompts.list, p->n_pairs, &p->options));
    return draws(args) ? patch_figure_check(p->patch, shown(p)) : WEIR_OK;
}

static void name_metrics(struct patching *p)
{
    for (size_t m = 0; m < p->n_metrics; m++)
        p->texts[m] = weir_metric_text(p->metrics[m]);
}

static weir_status open_patch_file(struct patching *p)
{
    const struct args *args = p->args;
    name_metrics(p);
    if (!args->has[OUT])
        return WEIR_OK;
    args_join(p->command, sizeof p->command, args);
    const struct weir_patch_about about = {.command = p->command,
                                           .at = p->options.at,
                                           .direction = p->options.direction,
                                           .path = p->path ? &p->path_options : NULL,
                                           .metrics = p->texts,
                                           .run = p->run,
                                           .force = args->has[FORCE]};
    return weir_patch_store_open(&p->store, args->text[OUT], p->model, p->patch, p->prompts.list, &about);
}

static weir_status measure_grids(struct patching *p)
{
    interrupts_catch(); /* from here on there may be a file to clean up */
    TRY(open_grids(p));
    TRY(open_patch_file(p));
    progress_begin(&p->progress, "patches", 1);
    weir_status status = weir_patch_fill(p->patch);
    progress_end(&p->progress);
    TRY(status);
    return p->store ? weir_patch_store_commit(p->store) : WEIR_OK;
}

/* ---- printing ---- */

static const char *metric_text(const struct patching *p, size_t m)
{
    return weir_metric_text(p->metrics[m]);
}

/* Where a cell is along each axis of its grid. */
static void place_cell(size_t at[WEIR_PATCH_RANK], const struct weir_patch_grid *grid, size_t cell)
{
    for (int i = grid->rank; i-- > 0; cell /= grid->shape[i])
        at[i] = cell % grid->shape[i];
}

static void print_patch_number(double value)
{
    printf(isnan(value) ? "," : ",%.9g", value);
}

/* Every axis that a grid can have is a column: empty where this one has not. */
static void print_csv_cell(const struct patching *p, const struct weir_patch_grid *grid, size_t m, size_t cell)
{
    size_t at[WEIR_PATCH_RANK];
    long columns[WEIR_PATCH_RANK] = {-1, -1, -1, -1}; /* layer, unit, position, key */
    place_cell(at, grid, cell);
    for (int i = 0; i < grid->rank; i++) {
        weir_axis axis = grid->axes[i];
        int column = axis == WEIR_AXIS_LAYER                            ? 0
                     : axis == WEIR_AXIS_POS || axis == WEIR_AXIS_QUERY ? 2
                     : axis == WEIR_AXIS_KEY                            ? 3
                                                                        : 1;
        columns[column] = (long)at[i];
    }
    printf("%s,", grid->point->name);
    print_csv_text(metric_text(p, m));
    for (int i = 0; i < WEIR_PATCH_RANK; i++)
        printf(columns[i] < 0 || (i == 0 && grid->points_outside) ? "," : ",%ld", columns[i]);
    printf(",%zu", grid->n[cell]);
    print_patch_number(grid->mean[m * grid->n_cells + cell]);
    print_patch_number(grid->error[m * grid->n_cells + cell]);
    print_patch_number(grid->normalised[m * grid->n_cells + cell]);
    putchar('\n');
}

static weir_status print_patch_csv(const struct patching *p)
{
    puts("point,metric,layer,unit,position,key,pairs,value,stderr,normalised");
    for (size_t g = 0; g < p->patch->n_grids; g++)
        for (size_t m = 0; m < p->n_metrics; m++)
            for (size_t cell = 0; cell < p->patch->grids[g].n_cells; cell++)
                if (p->patch->grids[g].n[cell] > 0)
                    print_csv_cell(p, &p->patch->grids[g], m, cell);
    return WEIR_OK;
}

static bool has_cells(const struct weir_patch_grid *grid, size_t row)
{
    for (size_t i = 0; i < grid->shape[1]; i++)
        if (grid->n[row * grid->shape[1] + i] > 0)
            return true;
    return false;
}

/* The layers that have cells: those that are selected, and lie before a receiver. */
static weir_status print_patch_grid(const struct patching *p, const struct weir_patch_grid *grid, size_t m)
{
    const double *all = patch_values(grid, shown(p)) + m * grid->n_cells;
    size_t width = grid->shape[1], n = 0;
    double *values = NULL;
    int *rows = NULL;
    weir_status status;
    TRY_DONE(weir_alloc(&rows, grid->shape[0], sizeof *rows));
    TRY_DONE(weir_alloc(&values, grid->n_cells, sizeof *values));
    for (size_t i = 0; i < grid->shape[0]; i++) {
        if (!has_cells(grid, i))
            continue;
        memcpy(values + n * width, all + i * width, width * sizeof *values);
        rows[n++] = (int)i;
    }
    grid_print(&(struct grid){.n_rows = n,
                              .n_columns = width,
                              .values = values,
                              .rows = rows,
                              .row_name = "layer",
                              .column_name = weir_patch_axis_name(grid, 1)});
done:
    weir_free(rows);
    weir_free(values);
    return status;
}

/* A cell, and how far it moves the metric from where it was. */
struct ranked_cell {
    size_t cell;
    double moved;
};

static int by_falling_change(const void *a, const void *b)
{
    const struct ranked_cell *x = a, *y = b;
    if (x->moved != y->moved)
        return x->moved < y->moved ? 1 : -1;
    return x->cell < y->cell ? -1 : 1;
}

static weir_status rank_cells(struct ranked_cell **out, size_t *n, const struct patching *p,
                              const struct weir_patch_grid *grid, size_t m)
{
    double before = p->options.direction == WEIR_NOISE ? p->patch->clean[m] : p->patch->corrupt[m];
    *n = 0;
    TRY(weir_alloc(out, grid->n_cells, sizeof **out));
    for (size_t cell = 0; cell < grid->n_cells; cell++)
        if (grid->n[cell] > 0)
            (*out)[(*n)++] = (struct ranked_cell){cell, fabs(grid->mean[m * grid->n_cells + cell] - before)};
    qsort(*out, *n, sizeof **out, by_falling_change);
    return WEIR_OK;
}

static weir_status add_cell_row(struct table *table, const struct weir_patch_grid *grid, size_t m, size_t cell)
{
    size_t at[WEIR_PATCH_RANK], of = m * grid->n_cells + cell;
    char number[64];
    place_cell(at, grid, cell);
    for (int i = 0; i < grid->rank; i++)
        TRY(table_add(table, "%zu", at[i]));
    TRY(table_add(table, "%s", fixed_number(number, 4, grid->mean[of])));
    TRY(isnan(grid->error[of]) ? table_add(table, "-") : table_add(table, "%.4f", grid->error[of]));
    return table_add(table, "%s", fixed_number(number, 4, grid->normalised[of]));
}

static weir_status print_top_cells(const struct patching *p, const struct weir_patch_grid *grid, size_t m)
{
    const char *names[WEIR_PATCH_RANK + 3];
    static const enum align aligns[WEIR_PATCH_RANK + 3] = {RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT, RIGHT};
    struct table table = {.names = names, .aligns = aligns};
    struct ranked_cell *cells = NULL;
    size_t n, top = (size_t)args_int(p->args, TOP, SHOWN_CELLS);
    weir_status status;
    for (int i = 0; i < grid->rank; i++)
        names[table.n_columns++] = weir_patch_axis_name(grid, i);
    names[table.n_columns++] = "value";
    names[table.n_columns++] = "stderr";
    names[table.n_columns++] = "normalised";
    TRY_DONE(rank_cells(&cells, &n, p, grid, m));
    for (size_t i = 0; i < n && i < top; i++)
        TRY_DONE(add_cell_row(&table, grid, m, cells[i].cell));
    TRY_DONE(table_print(&table));
done:
    weir_free(cells);
    table_close(&table);
    return status;
}

/* A grid of two axes as it is, if it is not wide; of others the cells that matter most. */
static weir_status print_patches(const struct patching *p)
{
    for (size_t g = 0; g < p->patch->n_grids; g++)
        for (size_t m = 0; m < p->n_metrics; m++) {
            const struct weir_patch_grid *grid = &p->patch->grids[g];
            bool whole = grid->rank == 2 && grid->shape[1] <= MOST_COLUMNS && !p->args->has[TOP];
            char clean[64], corrupt[64];
            printf("%s%s by %s, %s, ", g + m ? "\n" : "", grid->point->name, weir_patch_by_name(grid->by),
                   patch_direction_name(p->options.direction));
            if (p->path)
                printf("path to %s (%s), ", p->path_options.to, weir_path_name(&p->path_options));
            printf("%s, %zu pair%s: %s is %s clean, %s corrupt\n", whole ? patch_shows[shown(p)] : "strongest",
                   p->n_pairs, p->n_pairs == 1 ? "" : "s", metric_text(p, m),
                   fixed_number(clean, 4, p->patch->clean[m]), fixed_number(corrupt, 4, p->patch->corrupt[m]));
            TRY(whole ? print_patch_grid(p, grid, m) : print_top_cells(p, grid, m));
            if (grid->rank == 2 && !whole && !p->args->has[TOP])
                printf("These are the strongest of %zu columns, and up to %d are printed as a grid: --csv prints all "
                       "cells, --png draws them.\n",
                       grid->shape[1], MOST_COLUMNS);
        }
    return WEIR_OK;
}

static void patched_token(char *to, size_t size, const void *from, size_t position)
{
    const struct patching *p = from;
    weir_token_text(p->model, p->prompts.list[0].ids[position], to, size);
}

static weir_status draw_patches(const struct patching *p)
{
    const struct args *args = p->args;
    const struct patch_look look = {.model = weir_model_get_info(p->model)->name,
                                    .direction = p->options.direction,
                                    .metrics = p->texts,
                                    .path = p->path ? weir_path_name(&p->path_options) : NULL,
                                    .to = p->path ? p->path_options.to : NULL,
                                    .show = shown(p),
                                    .scheme = args_int(args, SCHEME, 0) ? &scheme_dark : &scheme_light,
                                    .token_at = p->n_pairs == 1 && !p->patch->grids[0].field ? patched_token : NULL,
                                    .from = p};
    struct figure *figure;
    TRY(patch_figure(&figure, p->patch, &look));
    weir_status status = figure_save(figure, args->text[PNG], args->text[SVG], args->has[FORCE]);
    figure_close(figure);
    return status;
}

/* What the options ask for: a picture, and what is printed. */
static weir_status answer_patch(const struct patching *p)
{
    if (draws(p->args))
        TRY(draw_patches(p));
    if (p->args->has[CSV])
        return print_patch_csv(p);
    return draws(p->args) && !p->args->has[TOP] ? WEIR_OK : print_patches(p);
}

/* Files that cannot be written are refused before hours of work. */
static weir_status check_pictures(const struct args *args)
{
    int streams = args->has[CSV] || args->has[TOP];
    for (int opt = PNG; opt <= SVG; opt++) {
        if (!args->has[opt])
            continue;
        streams += strcmp(args->text[opt], "-") == 0;
        TRY(weir_in(output_check(args->text[opt], args->has[FORCE]), opt == PNG ? "--png" : "--svg"));
    }
    if (draws(args) && streams > 1)
        return weir_fail(WEIR_E_USAGE, "only one of --png, --svg, --csv and --top can go to standard output");
    if (args->has[SCHEME] && !draws(args))
        return weir_fail(WEIR_E_USAGE, "--scheme needs --png or --svg");
    return args->has[PNG] ? figure_can_png() : WEIR_OK;
}

static weir_status check_patch_options(const struct args *args)
{
    if (args->has[CSV] && (args->has[TOP] || args->has[SHOW]))
        return weir_fail(WEIR_E_USAGE,
                         "--csv prints all cells and numbers and cannot be combined with --top or --show");
    if (args->has[OUT] && strcmp(args->text[OUT], "-") == 0)
        return weir_fail(WEIR_E_USAGE, "-o -: HDF5 cannot be written to standard output: name a file");
    if (args->has[FORCE] && !args->has[OUT] && !draws(args))
        return weir_fail(WEIR_E_USAGE, "--force needs -o, --png or --svg");
    TRY(check_pictures(args));
    if ((args->has[PATH] || args->has[FREEZE_MLPS]) && !args->has[TO])
        return weir_fail(WEIR_E_USAGE, "%s belongs to --to, which names where the path ends",
                         args->has[PATH] ? "--path" : "--freeze-mlps");
    if (args->has[FREEZE_MLPS] && args_int(args, PATH, WEIR_PATH_FROZEN) == WEIR_PATH_DIRECT)
        return weir_fail(WEIR_E_USAGE, "--freeze-mlps belongs to --path frozen: a direct path passes no MLP");
    if (args->has[TO] && (args->has[EDIT] || args->has[ABLATE]))
        return weir_fail(WEIR_E_USAGE, "%s cannot be combined with --to: a path holds values of unedited prompts",
                         args->has[EDIT] ? "--edit" : "--ablate");
    if ((args->has[ANSWER] || args->has[WRONG]) && !args->has[CLEAN])
        return weir_fail(WEIR_E_USAGE, "--answer and --wrong belong to --clean; in a file of pairs they are members");
    return WEIR_OK;
}

/* A circuit takes the place of a grid. */
static weir_status answer_circuit(struct patching *p)
{
    struct patch_circuit what = {.path = p->args->text[CIRCUIT],
                                 .run = p->run,
                                 .prompts = p->prompts.list,
                                 .n_pairs = p->n_pairs,
                                 .metrics = p->texts,
                                 .options = {.metrics = (const weir_metric *const *)p->metrics,
                                             .n_metrics = p->n_metrics,
                                             .progress = watch_patches,
                                             .payload = p},
                                 .csv = p->args->has[CSV]};
    interrupts_catch();
    name_metrics(p);
    progress_begin(&p->progress, "prompts", 1);
    weir_status status = patch_circuit_measure(&what, p->model);
    progress_end(&p->progress);
    if (status == WEIR_OK)
        status = patch_circuit_print(&what);
    patch_circuit_close(&what);
    return status;
}

static weir_status measure_and_answer(struct patching *p)
{
    if (p->args->has[CIRCUIT])
        return answer_circuit(p);
    TRY(measure_grids(p));
    return answer_patch(p);
}

static weir_status check_circuit_options(const struct args *args)
{
    static const int of_grids[] = {AT,     BY,   DIRECTION, TO,  PATH, FREEZE_MLPS, EDIT,
                                   ABLATE, SHOW, TOP,       PNG, SVG,  OUT,         FORCE};
    for (size_t i = 0; args->has[CIRCUIT] && i < sizeof of_grids / sizeof *of_grids; i++)
        if (args->has[of_grids[i]])
            return weir_fail(WEIR_E_USAGE, "--circuit measures one thing: --%s is for grids", opts[of_grids[i]].name);
    return WEIR_OK;
}

static int run_patch(const struct args *args)
{
    struct patching p = {.args = args};
    TRY(check_circuit_options(args));
    TRY(check_patch_options(args));
    weir_status status = open_patching(&p);
    if (status == WEIR_OK)
        status = measure_and_answer(&p);
    close_patching(&p);
    return (int)status;
}

const struct command cmd_patch = {
    .name = "patch",
    .summary = "put values of one prompt into another and see where that changes the prediction",
    .usage = "[SPEC.json] [-m MODEL] (--pairs FILE | --line JSON | --clean TEXT --corrupt TEXT) [-o OUT.h5] [OPTIONS]",
    .notes =
        "For every cell of the grid, the corrupt prompt runs with one value of the clean prompt in place of its own "
        "(--direction noise: the other way round), and the metric is measured, of the prompt that runs. Values are "
        "those "
        "of whole passes. Both prompts of a pair have equally many tokens, unless --at names positions by a field, as "
        "in "
        "resid_pre@subject: then each position of it in the one prompt is patched with that of the other, and rows of "
        "the grid are counted in the field.\nBy position a whole row of the stream "
        "is replaced; by head one head's value at all positions (of k and v a key-value head), of pattern all its "
        "rows; by head-position one head's value at one; by neuron one neuron at all positions; by query and by "
        "cell one row and one weight of a pattern, which are not renormalised.\nOver several pairs the mean is "
        "shown; normalised is (mean - corrupt) / (clean - corrupt) of the means, over those pairs that have the cell. "
        "Cells that do not exist, or are not selected, are empty.\nEdits and ablations hold in every run, with a patch "
        "and "
        "without, before the patch (not with --to or --circuit); what one reads of another prompt is read without any "
        "patch.\nWith --to a patch "
        "reaches the metric by a path "
        "only. "
        "--path frozen (Wang et al. 2022): in a first pass all heads but the patched one are held at their own values, "
        "and "
        "what the receivers are in it is put into a second one. --path direct: what the patched attention or MLP "
        "writes "
        "otherwise is added to the stream as the receivers (q_input, k_input, v_input, mlp_in, resid_post:-1, ...) "
        "read "
        "it, and nothing else changes. Cells from which no receiver can be reached are empty.\nWith --circuit the "
        "clean prompts run, and by every edge outside the circuit a head, MLP or the logits read what its writer "
        "writes in "
        "the corrupt prompt; normalised, as above, is the circuit's faithfulness.\nA picture has layers "
        "from top to bottom; of a grid "
        "by head-position or by query it has a panel for each head.",
    .example =
        "weir patch --clean 'The cat sat on the' --corrupt 'The dog ran to the' --answer ' mat' --wrong ' door' --at "
        "resid_pre,z",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .run = run_patch,
    .most_words = 1,
    .takes_spec = true,
};
