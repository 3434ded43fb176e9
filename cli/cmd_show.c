#include "cli/commands.h"
#include "cli/render.h"
#include "cli/view.h"

#include "analysis/analysis.h"

#include <string.h>

enum { PROMPT, JSON };

static const struct opt opts[] = {[PROMPT] = OPT_PROMPT_INDEX, [JSON] = OPT_JSON};

/* ---- text: tables of rows and columns, their middles left out ---- */

enum { CELL = 11, LABEL = 16, MOST_ROWS = 16, MOST_OUTER = 8, WHOLE_COLUMNS = 8, DOTS = 4 };

/* How an axis is printed: its first `edge` and last `edge` indices, or all of them when edge is 0. */
static size_t edge_of(size_t n, size_t most)
{
    return n > most ? (most - 1) / 2 : 0;
}

/* The index after i, past the middle that is left out. */
static size_t after(size_t i, size_t n, size_t edge)
{
    return edge && i + 1 == edge ? n - edge : i + 1;
}

static bool is_gap(size_t i, size_t edge)
{
    return edge && i + 1 == edge;
}

static size_t columns_that_fit(size_t margin)
{
    size_t width = terminal_width();
    if (!width)
        return WHOLE_COLUMNS;
    size_t room = width > margin + DOTS ? (width - margin - DOTS) / CELL : 0;
    return room > 3 ? room : 3;
}

static const struct picked *columns_of(const struct view *view)
{
    static size_t zero[1];
    static const struct picked single = {zero, 1};
    int last = view->what->n_axes - 1;
    return last == view->row ? &single : &view->axes[last];
}

static const char *value_text(char to[32], float value)
{
    return weir_value_is_absent(value) ? "-" : short_number(to, (double)value);
}

static void print_columns(const struct view *view, const char *name, size_t margin, size_t edge)
{
    const struct picked *columns = columns_of(view);
    char number[24];
    print_left(name, margin);
    for (size_t i = 0; i < columns->n; i = after(i, columns->n, edge)) {
        snprintf(number, sizeof number, "%zu", columns->list[i]);
        print_right(number, CELL);
        fputs(is_gap(i, edge) ? " ..." : "", stdout);
    }
    putchar('\n');
}

/* "   3 The" and the values of that row. */
static void print_row(const struct view *view, size_t row, size_t edge)
{
    const struct picked *columns = columns_of(view);
    int32_t position = view->tokens.positions[row];
    char label[4 * LABEL + 8], number[32];
    token_label(label, sizeof label, weir_file_token(view->file, view->prompt, position), LABEL);
    printf("%5d ", position);
    print_left(label, LABEL);
    for (size_t i = 0; i < columns->n; i = after(i, columns->n, edge)) {
        print_right(value_text(number, view->values[columns->list[i]]), CELL);
        fputs(is_gap(i, edge) ? " ..." : "", stdout);
    }
    putchar('\n');
}

static weir_status print_matrix(struct view *view, size_t place[WEIR_MAX_AXES])
{
    const struct picked *rows = &view->axes[view->row];
    const weir_point *what = view->what;
    size_t margin = 6 + LABEL, fit = columns_that_fit(margin);
    size_t edge = columns_of(view)->n > fit ? fit / 2 : 0;
    size_t row_edge = edge_of(rows->n, MOST_ROWS);
    char name[48];
    int last = what->n_axes - 1;
    snprintf(name, sizeof name, "%5s %s", weir_axis_name(what->axes[view->row]),
             last == view->row ? "" : weir_axis_name(what->axes[last]));
    if (last != view->row)
        print_columns(view, name, margin, edge);
    for (size_t i = 0; i < rows->n; i = after(i, rows->n, row_edge)) {
        place[view->row] = rows->list[i];
        TRY(view_read_row(view, place));
        print_row(view, rows->list[i], edge);
        if (is_gap(i, row_edge))
            printf("%5s\n", "...");
    }
    return WEIR_OK;
}

static void print_head(const struct view *view)
{
    printf("%s", view->what->name);
    if (view->layer >= 0)
        printf(", layer %d", view->layer);
    printf(", prompt %d of %d: [", view->prompt, weir_file_get_info(view->file)->n_prompts);
    for (int i = 0; i < view->what->n_axes; i++)
        printf("%s%s %zu", i ? ", " : "", weir_axis_name(view->what->axes[i]), view->axes[i].n);
    printf("]\n");
}

static weir_status print_view(struct view *view, void *payload)
{
    bool *first = payload;
    size_t place[WEIR_MAX_AXES] = {0};
    if (!*first)
        putchar('\n');
    *first = false;
    print_head(view);
    if (view->outer < 0)
        return print_matrix(view, place);
    const struct picked *outer = &view->axes[view->outer];
    size_t edge = edge_of(outer->n, MOST_OUTER);
    for (size_t i = 0; i < outer->n; i = after(i, outer->n, edge)) {
        place[view->outer] = outer->list[i];
        printf("%s %zu\n", weir_axis_name(view->what->axes[view->outer]), outer->list[i]);
        TRY(print_matrix(view, place));
        if (is_gap(i, edge))
            printf("...\n");
    }
    return WEIR_OK;
}

/* ---- JSON: written as it is read, since values can be many ---- */

static void json_row(const struct view *view)
{
    const struct picked *columns = columns_of(view);
    bool single = view->what->n_axes - 1 == view->row;
    fputs(single ? "" : "[", stdout);
    for (size_t i = 0; i < columns->n; i++) {
        fputs(i ? "," : "", stdout);
        json_print_float(stdout, view->values[columns->list[i]]);
    }
    fputs(single ? "" : "]", stdout);
}

/* The axes from `axis` on, nested as the value is. */
static weir_status json_axis(struct view *view, int axis, size_t place[WEIR_MAX_AXES])
{
    int last = view->what->n_axes - 1;
    if (axis == last && axis != view->row) {
        TRY(view_read_row(view, place));
        json_row(view);
        return WEIR_OK;
    }
    putchar('[');
    for (size_t i = 0; i < view->axes[axis].n; i++) {
        fputs(i ? "," : "", stdout);
        place[axis] = view->axes[axis].list[i];
        if (axis < last && axis + 1 < WEIR_MAX_AXES) {
            TRY(json_axis(view, axis + 1, place));
        } else {
            TRY(view_read_row(view, place));
            json_row(view);
        }
    }
    putchar(']');
    return ferror(stdout) ? weir_fail(WEIR_E_OUTPUT, "could not write to standard output") : WEIR_OK;
}

/* Everything but the numbers: which value it is and what its axes are. */
static cJSON *json_head(const struct view *view)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", view->what->hook);
    cJSON_AddStringToObject(json, "short", view->what->name);
    cJSON_AddItemToObject(json, "layer", view->layer < 0 ? cJSON_CreateNull() : cJSON_CreateNumber(view->layer));
    cJSON_AddNumberToObject(json, "prompt", view->prompt);
    cJSON *axes = cJSON_AddArrayToObject(json, "axes"), *indices = cJSON_AddArrayToObject(json, "indices");
    for (int i = 0; i < view->what->n_axes; i++) {
        cJSON *list = cJSON_CreateArray();
        cJSON_AddItemToArray(axes, cJSON_CreateString(weir_axis_name(view->what->axes[i])));
        for (size_t j = 0; j < view->axes[i].n; j++) {
            size_t index = view->axes[i].list[j];
            double number = i == view->row ? view->tokens.positions[index] : (double)index;
            cJSON_AddItemToArray(list, cJSON_CreateNumber(number));
        }
        cJSON_AddItemToArray(indices, list);
    }
    return json;
}

static weir_status json_view(struct view *view, void *payload)
{
    bool *first = payload;
    size_t place[WEIR_MAX_AXES] = {0};
    cJSON *head = json_head(view);
    char *text = cJSON_PrintUnformatted(head);
    cJSON_Delete(head);
    if (!text)
        return weir_fail(WEIR_E_MEMORY, "out of memory: the answer does not fit");
    text[strlen(text) - 1] = '\0'; /* the object goes on */
    printf("%s%s,\"data\":", *first ? "" : ",", text);
    cJSON_free(text);
    *first = false;
    TRY(json_axis(view, 0, place));
    putchar('}');
    return WEIR_OK;
}

/* ---- the command ---- */

static weir_status show(const weir_file *file, const struct weir_selection *selection, int prompt, bool json)
{
    bool first = true;
    if (!json)
        return view_each(file, selection, prompt, print_view, &first);
    fputs("{\"values\":[", stdout);
    TRY(view_each(file, selection, prompt, json_view, &first));
    fputs("]}\n", stdout);
    return WEIR_OK;
}

static int run(const struct args *args)
{
    weir_file *file = NULL;
    struct weir_selection *selection = NULL;
    int prompt;
    weir_status status;
    TRY_DONE(weir_selection_parse(&selection, args->words[1]));
    TRY_DONE(weir_file_open(&file, args->words[0]));
    TRY_DONE(prompt_index(&prompt, file, args, PROMPT));
    status = show(file, selection, prompt, args->has[JSON]);
done:
    weir_selection_close(selection);
    weir_file_close(file);
    return (int)status;
}

const struct command cmd_show = {
    .name = "show",
    .summary = "print stored values",
    .usage = "FILE SELECTION [OPTIONS]",
    .notes =
        "SELECTION is as in weir dump: HOOK[:LAYERS[.UNITS]][@POSITIONS]. Large values are shown by their edges, JSON "
        "has them whole; - stands for what is not stored.",
    .example = "weir show run.h5 z:5.3@-1",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .least_words = 2,
    .most_words = 2,
    .run = run,
};
