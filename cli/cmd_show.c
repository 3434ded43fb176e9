#include "cli/commands.h"
#include "cli/cut.h"
#include "cli/render.h"

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

static const struct picked *columns_of(const struct cut *cut)
{
    static size_t zero[1];
    static const struct picked single = {zero, 1};
    int last = cut->what->n_axes - 1;
    return last == cut->row ? &single : &cut->axes[last];
}

static const char *value_text(char to[32], float value)
{
    return weir_value_is_absent(value) ? "-" : short_number(to, (double)value);
}

static void print_columns(const struct cut *cut, const char *name, size_t margin, size_t edge)
{
    const struct picked *columns = columns_of(cut);
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
static void print_row(const struct cut *cut, size_t row, size_t edge)
{
    const struct picked *columns = columns_of(cut);
    int32_t position = cut->tokens.positions[row];
    char label[4 * LABEL + 8], number[32];
    token_label(label, sizeof label, weir_file_token(cut->file, cut->prompt, position), LABEL);
    printf("%5d ", position);
    print_left(label, LABEL);
    for (size_t i = 0; i < columns->n; i = after(i, columns->n, edge)) {
        print_right(value_text(number, cut->values[columns->list[i]]), CELL);
        fputs(is_gap(i, edge) ? " ..." : "", stdout);
    }
    putchar('\n');
}

static weir_status print_matrix(struct cut *cut, size_t place[WEIR_MAX_AXES])
{
    const struct picked *rows = &cut->axes[cut->row];
    const weir_point *what = cut->what;
    size_t margin = 6 + LABEL, fit = columns_that_fit(margin);
    size_t edge = columns_of(cut)->n > fit ? fit / 2 : 0;
    size_t row_edge = edge_of(rows->n, MOST_ROWS);
    char name[48];
    int last = what->n_axes - 1;
    snprintf(name, sizeof name, "%5s %s", weir_axis_name(what->axes[cut->row]),
             last == cut->row ? "" : weir_axis_name(what->axes[last]));
    if (last != cut->row)
        print_columns(cut, name, margin, edge);
    for (size_t i = 0; i < rows->n; i = after(i, rows->n, row_edge)) {
        place[cut->row] = rows->list[i];
        TRY(cut_read_row(cut, place));
        print_row(cut, rows->list[i], edge);
        if (is_gap(i, row_edge))
            printf("%5s\n", "...");
    }
    return WEIR_OK;
}

static void print_head(const struct cut *cut)
{
    printf("%s", cut->what->name);
    if (cut->layer >= 0)
        printf(", layer %d", cut->layer);
    printf(", prompt %d of %d: [", cut->prompt, weir_file_get_info(cut->file)->n_prompts);
    for (int i = 0; i < cut->what->n_axes; i++)
        printf("%s%s %zu", i ? ", " : "", weir_axis_name(cut->what->axes[i]), cut->axes[i].n);
    printf("]\n");
}

static weir_status print_cut(struct cut *cut, void *payload)
{
    bool *first = payload;
    size_t place[WEIR_MAX_AXES] = {0};
    if (!*first)
        putchar('\n');
    *first = false;
    print_head(cut);
    if (cut->outer < 0)
        return print_matrix(cut, place);
    const struct picked *outer = &cut->axes[cut->outer];
    size_t edge = edge_of(outer->n, MOST_OUTER);
    for (size_t i = 0; i < outer->n; i = after(i, outer->n, edge)) {
        place[cut->outer] = outer->list[i];
        printf("%s %zu\n", weir_axis_name(cut->what->axes[cut->outer]), outer->list[i]);
        TRY(print_matrix(cut, place));
        if (is_gap(i, edge))
            printf("...\n");
    }
    return WEIR_OK;
}

/* ---- JSON: written as it is read, since values can be many ---- */

static void json_row(const struct cut *cut)
{
    const struct picked *columns = columns_of(cut);
    bool single = cut->what->n_axes - 1 == cut->row;
    fputs(single ? "" : "[", stdout);
    for (size_t i = 0; i < columns->n; i++) {
        fputs(i ? "," : "", stdout);
        json_print_float(stdout, cut->values[columns->list[i]]);
    }
    fputs(single ? "" : "]", stdout);
}

/* The axes from `axis` on, nested as the value is. */
static weir_status json_axis(struct cut *cut, int axis, size_t place[WEIR_MAX_AXES])
{
    int last = cut->what->n_axes - 1;
    if (axis == last && axis != cut->row) {
        TRY(cut_read_row(cut, place));
        json_row(cut);
        return WEIR_OK;
    }
    putchar('[');
    for (size_t i = 0; i < cut->axes[axis].n; i++) {
        fputs(i ? "," : "", stdout);
        place[axis] = cut->axes[axis].list[i];
        if (axis < last && axis + 1 < WEIR_MAX_AXES) {
            TRY(json_axis(cut, axis + 1, place));
        } else {
            TRY(cut_read_row(cut, place));
            json_row(cut);
        }
    }
    putchar(']');
    return ferror(stdout) ? weir_fail(WEIR_E_OUTPUT, "could not write to standard output") : WEIR_OK;
}

/* Everything but the numbers: which value it is and what its axes are. */
static cJSON *json_head(const struct cut *cut)
{
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", cut->what->hook);
    cJSON_AddStringToObject(json, "short", cut->what->name);
    cJSON_AddItemToObject(json, "layer", cut->layer < 0 ? cJSON_CreateNull() : cJSON_CreateNumber(cut->layer));
    cJSON_AddNumberToObject(json, "prompt", cut->prompt);
    cJSON *axes = cJSON_AddArrayToObject(json, "axes"), *indices = cJSON_AddArrayToObject(json, "indices");
    for (int i = 0; i < cut->what->n_axes; i++) {
        cJSON *list = cJSON_CreateArray();
        cJSON_AddItemToArray(axes, cJSON_CreateString(weir_axis_name(cut->what->axes[i])));
        for (size_t j = 0; j < cut->axes[i].n; j++) {
            size_t index = cut->axes[i].list[j];
            double number = i == cut->row ? cut->tokens.positions[index] : (double)index;
            cJSON_AddItemToArray(list, cJSON_CreateNumber(number));
        }
        cJSON_AddItemToArray(indices, list);
    }
    return json;
}

static weir_status json_cut(struct cut *cut, void *payload)
{
    bool *first = payload;
    size_t place[WEIR_MAX_AXES] = {0};
    cJSON *head = json_head(cut);
    char *text = cJSON_PrintUnformatted(head);
    cJSON_Delete(head);
    if (!text)
        return weir_fail(WEIR_E_MEMORY, "out of memory: the answer does not fit");
    text[strlen(text) - 1] = '\0'; /* the object goes on */
    printf("%s%s,\"data\":", *first ? "" : ",", text);
    cJSON_free(text);
    *first = false;
    TRY(json_axis(cut, 0, place));
    putchar('}');
    return WEIR_OK;
}

/* ---- the command ---- */

static weir_status show(const weir_file *file, const struct weir_selection *selection, int prompt, bool json)
{
    bool first = true;
    if (!json)
        return cut_each(file, selection, prompt, print_cut, &first);
    fputs("{\"values\":[", stdout);
    TRY(cut_each(file, selection, prompt, json_cut, &first));
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
