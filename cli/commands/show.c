/* weir show: stored values and results as tables with their middles left out, or whole as JSON; grids as pictures. */
#include "cli/args/options.h"
#include "cli/commands/commands.h"
#include "cli/commands/show_results.h"
#include "cli/print/edges.h"
#include "cli/print/json.h"
#include "cli/print/text.h"
#include "cli/select/files.h"
#include "cli/select/values.h"

#include "analysis/analysis.h"

#include <string.h>

enum { PROMPT, JSON, PNG, SVG, SCHEME, FORCE };

static const struct opt opts[] = {
    [PROMPT] = OPT_PROMPT_OR_ALL,
    [JSON] = OPT_JSON,
    [PNG] = {0, "png", OPT_TEXT, "FILE", "of grids of patches: write a picture instead"},
    [SVG] = {0, "svg", OPT_TEXT, "FILE", "likewise, an SVG picture"},
    [SCHEME] = {0, "scheme", OPT_CHOICE, "light|dark", "the colours of a picture; light, for paper, by default"},
    [FORCE] = OPT_FORCE,
};

/* ---- text: tables of rows and columns, their middles left out ---- */

enum { LABEL = 16 };

static const char *value_text(char to[32], float value)
{
    return weir_value_is_absent(value) ? "-" : short_number(to, (double)value);
}

/* "   3 The" and the values of that row. */
static void print_value_row(const struct excerpt *excerpt, size_t row, size_t edge)
{
    const struct picked *columns = excerpt_columns(excerpt);
    int32_t position = excerpt->tokens.positions[row];
    char label[4 * LABEL + 8], number[32];
    if (position >= 0) {
        token_label(label, sizeof label, weir_file_token(excerpt->file, excerpt->prompt, position), LABEL);
        printf("%5d ", position);
    } else {
        snprintf(label, sizeof label, "past the end"); /* of a shorter prompt */
        printf("%5s ", "-");
    }
    print_left(label, LABEL);
    for (size_t i = 0; i < columns->n; i = next_shown(i, columns->n, edge)) {
        print_right(value_text(number, excerpt_value(excerpt, i)), EDGE_CELL);
        fputs(is_gap(i, edge) ? " ..." : "", stdout);
    }
    putchar('\n');
}

/* The rows of the last two axes, with `place` set for those before. */
static weir_status print_value_matrix(struct excerpt *excerpt, size_t place[WEIR_MAX_AXES])
{
    const struct picked *rows = &excerpt->axes[excerpt->row];
    const weir_point *what = excerpt->what;
    size_t margin = 6 + LABEL, edge = edge_of_columns(excerpt_columns(excerpt)->n, margin);
    size_t row_edge = edge_of(rows->n, EDGE_ROWS);
    char name[48];
    int last = what->n_axes - 1;
    snprintf(name, sizeof name, "%5s %s", weir_axis_name(what->axes[excerpt->row]),
             last == excerpt->row ? "" : weir_axis_name(what->axes[last]));
    if (last != excerpt->row) {
        print_left(name, margin);
        print_edge_numbers(excerpt_columns(excerpt)->list, excerpt_columns(excerpt)->n, edge);
    }
    for (size_t i = 0; i < rows->n; i = next_shown(i, rows->n, row_edge)) {
        place[excerpt->row] = i;
        TRY(excerpt_read_row(excerpt, place));
        print_value_row(excerpt, rows->list[i], edge);
        if (is_gap(i, row_edge))
            printf("%5s\n", "...");
    }
    return WEIR_OK;
}

static void print_value_head(const struct excerpt *excerpt)
{
    printf("%s", excerpt->what->name);
    if (excerpt->layer >= 0)
        printf(", layer %d", excerpt->layer);
    printf(", prompt %d of %d: [", excerpt->prompt, weir_file_get_info(excerpt->file)->n_prompts);
    for (int i = 0; i < excerpt->what->n_axes; i++)
        printf("%s%s %zu", i ? ", " : "", weir_axis_name(excerpt->what->axes[i]), excerpt->axes[i].n);
    printf("]\n");
}

/* A matrix, or one for each index of the axis before its axes. */
static weir_status print_excerpt(struct excerpt *excerpt)
{
    size_t place[WEIR_MAX_AXES] = {0};
    print_value_head(excerpt);
    if (excerpt->outer < 0)
        return print_value_matrix(excerpt, place);
    const struct picked *outer = &excerpt->axes[excerpt->outer];
    size_t edge = edge_of(outer->n, EDGE_OUTER);
    for (size_t i = 0; i < outer->n; i = next_shown(i, outer->n, edge)) {
        place[excerpt->outer] = i;
        printf("%s %zu\n", weir_axis_name(excerpt->what->axes[excerpt->outer]), outer->list[i]);
        TRY(print_value_matrix(excerpt, place));
        if (is_gap(i, edge))
            printf("...\n");
    }
    return WEIR_OK;
}

static weir_status print_selected(const struct selected *selected, void *payload)
{
    bool *first = payload;
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < selected_values(selected) && status == WEIR_OK; i++) {
        struct excerpt excerpt;
        fputs(*first ? "" : "\n", stdout);
        *first = false;
        status = excerpt_open(&excerpt, selected, i);
        if (status == WEIR_OK)
            status = excerpt_has_rows(&excerpt, selected);
        if (status == WEIR_OK)
            status = print_excerpt(&excerpt);
        excerpt_close(&excerpt);
    }
    return status;
}

/* ---- JSON: written as it is read, since values can be many ---- */

/* The row read last, between brackets unless its axis is dropped. */
static void json_row(const struct excerpt *excerpt, bool dropped)
{
    size_t n = excerpt_columns(excerpt)->n;
    fputs(dropped ? "" : "[", stdout);
    for (size_t i = 0; i < n; i++) {
        fputs(i ? "," : "", stdout);
        json_print_float(stdout, excerpt_value(excerpt, i));
    }
    fputs(dropped ? "" : "]", stdout);
}

/* The axes from `axis` on, nested as the value is; without those chosen by a number when these are dropped. */
static weir_status json_axis(struct excerpt *excerpt, int axis, size_t place[WEIR_MAX_AXES], bool drop)
{
    int last = excerpt->what->n_axes - 1;
    bool dropped = drop && excerpt->axes[axis].single;
    if (axis == last && axis != excerpt->row) {
        TRY(excerpt_read_row(excerpt, place));
        json_row(excerpt, dropped);
        return WEIR_OK;
    }
    fputs(dropped ? "" : "[", stdout);
    for (size_t i = 0; i < excerpt->axes[axis].n; i++) {
        fputs(i ? "," : "", stdout);
        place[axis] = i;
        if (axis < last && axis + 1 < WEIR_MAX_AXES) {
            TRY(json_axis(excerpt, axis + 1, place, drop));
        } else {
            TRY(excerpt_read_row(excerpt, place));
            json_row(excerpt, true);
        }
    }
    fputs(dropped ? "" : "]", stdout);
    return ferror(stdout) ? weir_fail(WEIR_E_OUTPUT, "could not write to standard output") : WEIR_OK;
}

static cJSON *json_value_head(const weir_point *what, int layer, int prompt)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", what->hook);
    cJSON_AddStringToObject(json, "short", what->name);
    cJSON_AddItemToObject(json, "layer", layer < 0 ? cJSON_CreateNull() : cJSON_CreateNumber(layer));
    cJSON_AddItemToObject(json, "prompt", prompt < 0 ? cJSON_CreateNull() : cJSON_CreateNumber(prompt));
    cJSON_AddArrayToObject(json, "axes");
    cJSON_AddArrayToObject(json, "indices");
    return json;
}

/* Prints and deletes the head of an object that goes on with its numbers. */
static weir_status json_begin(cJSON *head, bool *first)
{
    fputs(*first ? "" : ",", stdout);
    TRY(json_print_open(head));
    fputs(",\"data\":", stdout);
    *first = false;
    return WEIR_OK;
}

/* An axis of a selection: absolute positions for pos and query. */
static void add_shown_axis(cJSON *head, const struct excerpt *excerpt, int axis)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < excerpt->axes[axis].n; i++) {
        size_t index = excerpt->axes[axis].list[i];
        cJSON_AddItemToArray(
            list, cJSON_CreateNumber(axis == excerpt->row ? excerpt->tokens.positions[index] : (double)index));
    }
    cJSON_AddItemToArray(cJSON_GetObjectItem(head, "axes"),
                         cJSON_CreateString(weir_axis_name(excerpt->what->axes[axis])));
    cJSON_AddItemToArray(cJSON_GetObjectItem(head, "indices"), list);
}

static weir_status json_excerpt(struct excerpt *excerpt, bool *first)
{
    size_t place[WEIR_MAX_AXES] = {0};
    cJSON *head = json_value_head(excerpt->what, excerpt->layer, excerpt->prompt);
    for (int a = 0; a < excerpt->what->n_axes; a++)
        add_shown_axis(head, excerpt, a);
    TRY(json_begin(head, first));
    TRY(json_axis(excerpt, 0, place, false));
    putchar('}');
    return WEIR_OK;
}

/* An axis that brackets keep, counted as they do. */
static void add_shown_range(cJSON *head, weir_axis axis, const struct weir_range *range)
{
    if (range->single)
        return;
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < range->n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber((double)((int64_t)range->first + (int64_t)i * range->step)));
    cJSON_AddItemToArray(cJSON_GetObjectItem(head, "axes"), cJSON_CreateString(weir_axis_name(axis)));
    cJSON_AddItemToArray(cJSON_GetObjectItem(head, "indices"), list);
}

/* The axes that brackets keep, and which layer and prompt are fixed. */
static cJSON *json_index_head(const struct selected *selected)
{
    const struct weir_range *range = selected->index;
    const struct picked *layers = &selected->layers, *prompts = &selected->prompts;
    cJSON *head = json_value_head(selected->what, layers->single ? (int)layers->list[0] : -1,
                                  prompts->single ? (int)prompts->list[0] : -1);
    if (selected->what->per_layer)
        add_shown_range(head, WEIR_AXIS_LAYER, range++);
    add_shown_range(head, WEIR_AXIS_PROMPT, range++);
    for (int a = 0; a < selected->what->n_axes; a++)
        add_shown_range(head, selected->what->axes[a], range++);
    return head;
}

static weir_status json_value(const struct selected *selected, size_t i)
{
    struct excerpt excerpt;
    size_t place[WEIR_MAX_AXES] = {0};
    weir_status status = excerpt_open(&excerpt, selected, i);
    if (status == WEIR_OK)
        status = json_axis(&excerpt, 0, place, true);
    excerpt_close(&excerpt);
    return status;
}

/* One array, as numpy would have it. */
static weir_status json_nested(const struct selected *selected)
{
    size_t n_prompts = selected->prompts.n, n_layers = selected->what->per_layer ? selected->layers.n : 1;
    bool layers = selected->what->per_layer && !selected->layers.single, prompts = !selected->prompts.single;
    fputs(layers ? "[" : "", stdout);
    for (size_t i = 0; i < n_layers; i++) {
        printf("%s%s", i ? "," : "", prompts ? "[" : "");
        for (size_t j = 0; j < n_prompts; j++) {
            fputs(j ? "," : "", stdout);
            TRY(json_value(selected, i * n_prompts + j));
        }
        fputs(prompts ? "]" : "", stdout);
    }
    fputs(layers ? "]" : "", stdout);
    return WEIR_OK;
}

static weir_status json_index(const struct selected *selected, bool *first)
{
    TRY(json_begin(json_index_head(selected), first));
    TRY(json_nested(selected));
    putchar('}');
    return WEIR_OK;
}

static weir_status json_selected(const struct selected *selected, void *payload)
{
    weir_status status = WEIR_OK;
    if (selected->term->index.given)
        return json_index(selected, payload);
    for (size_t i = 0; i < selected_values(selected) && status == WEIR_OK; i++) {
        struct excerpt excerpt;
        status = excerpt_open(&excerpt, selected, i);
        if (status == WEIR_OK)
            status = json_excerpt(&excerpt, payload);
        excerpt_close(&excerpt);
    }
    return status;
}

/* ---- the command ---- */

static weir_status show_selection(const weir_file *file, const struct weir_selection *selection, int prompt, bool json)
{
    bool first = true;
    if (!json)
        return selected_each(file, selection, prompt, print_selected, &first);
    fputs("{\"values\":[", stdout);
    TRY(selected_each(file, selection, prompt, json_selected, &first));
    fputs("]}\n", stdout);
    return WEIR_OK;
}

static bool draws_results(const struct args *args)
{
    return args->has[PNG] || args->has[SVG];
}

/* Refuses options of pictures where there is none, and of activations where there are none. */
static weir_status check_show_options(const struct args *args)
{
    bool results = is_result_name(args->words[1]);
    if (draws_results(args) && !results)
        return weir_fail(WEIR_E_USAGE, "--png and --svg draw grids of patches, as in patch/z_normalised; weir attn "
                                       "draws patterns");
    if (draws_results(args) && args->has[JSON])
        return weir_fail(WEIR_E_USAGE, "--json cannot be combined with --png or --svg");
    if ((args->has[SCHEME] || args->has[FORCE]) && !draws_results(args))
        return weir_fail(WEIR_E_USAGE, "--%s needs --png or --svg", opts[args->has[SCHEME] ? SCHEME : FORCE].name);
    if (results && args->has[PROMPT])
        return weir_fail(WEIR_E_USAGE, "--prompt selects activations; %s has all prompts", args->words[1]);
    return args->has[PNG] ? figure_can_png() : WEIR_OK;
}

static weir_status draw_shown_results(const struct results *results, const struct args *args)
{
    struct figure *figure;
    TRY(results_figure(&figure, results, args_int(args, SCHEME, 0) ? &scheme_dark : &scheme_light));
    weir_status status = figure_save(figure, args->text[PNG], args->text[SVG], args->has[FORCE]);
    figure_close(figure);
    return status;
}

static weir_status show_results(const weir_file *file, const struct args *args)
{
    struct results results;
    weir_status status = results_open(&results, file, args->words[1]);
    if (status == WEIR_OK)
        status = draws_results(args) ? draw_shown_results(&results, args)
                 : args->has[JSON]   ? print_results_json(&results)
                                     : print_results(&results);
    results_close(&results);
    return status;
}

static int run_show_results(const struct args *args)
{
    weir_file *file;
    TRY(weir_file_open(&file, args->words[0]));
    weir_status status = with_texts(show_results(file, args), file);
    weir_file_close(file);
    return (int)status;
}

static int run_show(const struct args *args)
{
    weir_file *file = NULL;
    struct weir_selection *selection = NULL;
    int prompt;
    weir_status status;
    TRY(check_show_options(args));
    if (is_result_name(args->words[1]))
        return run_show_results(args);
    TRY_DONE(weir_selection_parse_stored(&selection, args->words[1]));
    if (args->has[PROMPT])
        TRY_DONE(no_index(selection));
    TRY_DONE(weir_file_open(&file, args->words[0]));
    TRY_DONE(prompt_or_all(&prompt, file, args, PROMPT));
    status = with_texts(show_selection(file, selection, prompt, args->has[JSON]), file);
done:
    weir_selection_close(selection);
    weir_file_close(file);
    return (int)status;
}

const struct command cmd_show = {
    .name = "show",
    .summary = "print stored values, or draw stored grids of patches",
    .usage = "FILE (SELECTION | RESULT) [OPTIONS]",
    .notes =
        "SELECTION is as in weir dump, HOOK[:LAYERS[.UNITS]][@POSITIONS][/KEYS][#PROMPTS], where KEYS are those of "
        "attention (pattern:0.1@-1/0:4), or has numpy's brackets: pattern[3, 0, 5], resid_post[-1, 0, -3:, ::64] and "
        "z[..., 0, :] index the axes that weir ls shows. Fields and sides are those of the file's prompts. Only the "
        "edges of large values are printed, JSON has them complete; - marks values that are not stored.\n"
        "RESULT is a name that weir ls shows: patch/z, patch/z_normalised, patch/z_stderr or patch/z_pairs; patch, "
        "patch_normalised and so on mean those of every point; metrics, metrics_base and metrics_kl. A picture has the "
        "colours that weir patch gives the same numbers; nothing runs again.",
    .example = "weir show run.h5 z:5.3@-1",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .least_words = 2,
    .most_words = 2,
    .run = run_show,
    .reads_files = true,
};
