/* Selected values as CSV, one line per value. */
#include "cli/export/export.h"
#include "cli/print/json.h"
#include "cli/process/interrupt.h"

#include "base/escape.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { AHEAD = 1 << 20, CELL = 320, LINE = 64 + WEIR_N_AXES * CELL };

/* A line a value. Every axis that any of the hook points has is a column, empty for those that lack it. */
struct csv {
    const struct export *export;
    bool has[WEIR_N_AXES];
    bool to_terminal;             /* which text must not steer; files and pipes get it as it is */
    char cell[WEIR_N_AXES][CELL]; /* ",7" of the current line; for positions ",7,text" */
};

/* ---- columns ---- */

static weir_status note_axes(const struct selected *selected, void *payload)
{
    struct csv *csv = payload;
    for (int a = 0; a < selected->what->n_axes; a++)
        csv->has[selected->what->axes[a]] = true;
    return WEIR_OK;
}

/* The column of what the token at that place is. */
static const char *text_column(weir_axis axis)
{
    return axis == WEIR_AXIS_POS     ? "token"
           : axis == WEIR_AXIS_QUERY ? "query_token"
           : axis == WEIR_AXIS_KEY   ? "key_token"
                                     : NULL;
}

/* "hook,layer,prompt,query,query_token,key,key_token,value" */
static weir_status write_csv_header(const struct csv *csv)
{
    char line[512];
    size_t n = (size_t)snprintf(line, sizeof line, "hook,layer,prompt");
    for (int axis = WEIR_AXIS_POS; axis < WEIR_N_AXES; axis++) {
        const char *text = text_column((weir_axis)axis);
        if (csv->has[axis])
            n += (size_t)snprintf(line + n, sizeof line - n, ",%s%s%s", weir_axis_name((weir_axis)axis),
                                  text ? "," : "", text ? text : "");
    }
    n += (size_t)snprintf(line + n, sizeof line - n, ",value\n");
    return buffered_write(csv->export->out, line, n);
}

/* ---- cells ---- */

/* Appends text, quoted where RFC 4180 asks for it. */
static void append_quoted(char *to, size_t size, const char *text)
{
    size_t n = strlen(to);
    bool plain = !text[strcspn(text, ",\"\r\n")];
    if (!plain)
        to[n++] = '"';
    for (; *text && n + 4 < size; text++) {
        if (*text == '"')
            to[n++] = '"';
        to[n++] = *text;
    }
    if (!plain)
        to[n++] = '"';
    to[n] = '\0';
}

static void put_token_cell(const struct csv *csv, char *cell, const char *token)
{
    char shown[CELL];
    if (csv->to_terminal)
        weir_escape(shown, sizeof shown, token);
    append_quoted(cell, CELL, csv->to_terminal ? shown : token);
}

static void set_csv_cell(struct csv *csv, const struct excerpt *excerpt, int a, size_t i)
{
    weir_axis axis = excerpt->what->axes[a];
    size_t index = excerpt->axes[a].list[i];
    char *cell = csv->cell[axis];
    int position = a == excerpt->row ? excerpt->tokens.positions[index] : (int)index;
    bool has_text = weir_axis_is_position(axis);
    snprintf(cell, CELL, has_text ? ",%d," : ",%d", position);
    if (has_text)
        put_token_cell(csv, cell, weir_file_token(excerpt->file, excerpt->prompt, position));
}

static void clear_csv_cells(struct csv *csv)
{
    for (int axis = 0; axis < WEIR_N_AXES; axis++)
        snprintf(csv->cell[axis], CELL, "%s", text_column((weir_axis)axis) ? ",," : ",");
}

/* The head, the current cells, the value. */
static weir_status write_csv_line(const struct csv *csv, const char *head, float value)
{
    char line[LINE], number[32];
    char *p = stpcpy(line, head);
    for (int axis = WEIR_AXIS_POS; axis < WEIR_N_AXES; axis++)
        if (csv->has[axis])
            p = stpcpy(p, csv->cell[axis]);
    *p++ = ',';
    p = stpcpy(p, isfinite(value) ? float_text(number, value) : isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
    *p++ = '\n';
    return buffered_write(csv->export->out, line, (size_t)(p - line));
}

/* ---- lines ---- */

static weir_status write_csv_row(struct csv *csv, const struct excerpt *excerpt, const char *head)
{
    int last = excerpt->what->n_axes - 1;
    for (size_t i = 0; i < excerpt_columns(excerpt)->n; i++) {
        if (last != excerpt->row)
            set_csv_cell(csv, excerpt, last, i);
        TRY(write_csv_line(csv, head, excerpt_value(excerpt, i)));
    }
    return WEIR_OK;
}

/* Rows that a prompt does not have, which brackets can name, are no lines. */
static bool is_padding(const struct excerpt *excerpt, const size_t place[WEIR_MAX_AXES])
{
    return excerpt->axes[excerpt->row].list[place[excerpt->row]] >= excerpt->tokens.n_rows;
}

/* Every row that `place` can name, in C order. */
static weir_status write_csv_rows(struct csv *csv, struct excerpt *excerpt, const char *head)
{
    int last = excerpt->what->n_axes - 1, n_rows = excerpt->row == last ? last + 1 : last;
    size_t place[WEIR_MAX_AXES] = {0}, n1 = n_rows > 1 ? excerpt->axes[1].n : 1;
    for (place[0] = 0; place[0] < excerpt->axes[0].n; place[0]++)
        for (place[1] = 0; place[1] < n1; place[1]++) {
            if (is_padding(excerpt, place))
                continue;
            for (int a = 0; a < n_rows; a++)
                set_csv_cell(csv, excerpt, a, place[a]);
            TRY(excerpt_read_row(excerpt, place));
            TRY(write_csv_row(csv, excerpt, head));
        }
    return interrupted() ? stopped() : WEIR_OK;
}

static weir_status write_csv_value(struct csv *csv, const struct selected *selected, size_t i)
{
    struct excerpt excerpt;
    char head[96], layer[16] = "";
    weir_status status = excerpt_open(&excerpt, selected, i);
    excerpt.ahead = AHEAD;
    if (excerpt.layer >= 0)
        snprintf(layer, sizeof layer, "%d", excerpt.layer);
    snprintf(head, sizeof head, "%s,%s,%d", selected->what->name, layer, excerpt.prompt);
    if (status == WEIR_OK)
        status = write_csv_rows(csv, &excerpt, head);
    excerpt_close(&excerpt);
    return status;
}

static weir_status write_csv_selected(const struct selected *selected, void *payload)
{
    struct csv *csv = payload;
    clear_csv_cells(csv);
    for (size_t i = 0; i < selected_values(selected); i++)
        TRY(write_csv_value(csv, selected, i));
    return WEIR_OK;
}

weir_status export_csv(const struct export *export)
{
    struct csv csv = {.export = export, .to_terminal = isatty(export->out->fd)};
    TRY(selected_each(export->file, export->selection, export->prompt, note_axes, &csv));
    TRY(write_csv_header(&csv));
    return selected_each(export->file, export->selection, export->prompt, write_csv_selected, &csv);
}
