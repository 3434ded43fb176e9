/* Prints tables: columns as wide as their cells, narrowed to the terminal. */
#include "cli/print/table.h"

#include "cli/print/terminal.h"
#include "cli/print/text.h"

#include "base/alloc.h"
#include "base/escape.h"

#include <stdarg.h>
#include <string.h>

enum { LEAST_FLEXIBLE = 8, LEAST_WRAPPED = 24, INDENT = 4, GAP = 2, MOST_COLUMNS = 100000, MOST_CELL = 2048 };

static weir_status add_table_cell(struct table *table, const char *text)
{
    char shown[2 * MOST_CELL];
    weir_escape(shown, sizeof shown, text);
    TRY(weir_grow(&table->cells, &table->capacity, table->n_cells + 1, sizeof *table->cells));
    TRY(weir_copy_string(&table->cells[table->n_cells], shown));
    table->n_cells++;
    return WEIR_OK;
}

weir_status table_add(struct table *table, const char *format, ...)
{
    char text[MOST_CELL];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return add_table_cell(table, text);
}

/* The column of cell i. */
static size_t cell_column(const struct table *table, size_t i)
{
    return table->n_columns > 0 ? i % table->n_columns : 0;
}

static void measure_columns(const struct table *table, size_t *widths)
{
    for (size_t i = 0; i < table->n_columns; i++)
        widths[i] = text_columns(table->names[i]);
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t n = text_columns(table->cells[i]);
        if (n > widths[cell_column(table, i)])
            widths[cell_column(table, i)] = n;
    }
}

/* Narrows the flexible columns, the widest first, until the table fits or nothing more can go. */
static void fit_columns(const struct table *table, size_t *widths, size_t limit)
{
    size_t total = (table->n_columns - 1) * GAP;
    for (size_t i = 0; i < table->n_columns; i++)
        total += widths[i];
    while (limit > 0 && total > limit) {
        size_t *widest = NULL;
        for (size_t i = 0; i < table->n_columns; i++)
            if (table->aligns[i] == FLEXIBLE && widths[i] > LEAST_FLEXIBLE && (!widest || widths[i] > *widest))
                widest = &widths[i];
        if (!widest)
            return;
        (*widest)--;
        total--;
    }
}

/* Shortened if flexible, padded but for the last. */
static weir_status print_table_cell(const struct table *table, size_t column, const char *text, size_t width)
{
    char *shown;
    bool last = column + 1 == table->n_columns;
    TRY(weir_alloc(&shown, strlen(text) + 8, 1));
    text_shorten(shown, strlen(text) + 8, text, table->aligns[column] == FLEXIBLE ? width : MOST_COLUMNS);
    if (table->aligns[column] == RIGHT)
        print_right(shown, width);
    else
        print_left(shown, last ? 0 : width);
    fputs(last ? "\n" : "  ", stdout);
    weir_free(shown);
    return WEIR_OK;
}

/* ---- rows whose last column is wrapped ---- */

static size_t columns_before(const size_t *widths, size_t column)
{
    size_t total = 0;
    for (size_t i = 0; i < column; i++)
        total += widths[i] + GAP;
    return total;
}

/* The number of columns side by side: all, or those that fit without the last, which then is no column. */
static size_t columns_beside(const struct table *table, const size_t *widths, size_t limit)
{
    size_t last = table->n_columns - 1, n = last;
    if (limit == 0 || columns_before(widths, last) + LEAST_WRAPPED <= limit)
        return table->n_columns;
    while (n > 1 && columns_before(widths, n) > limit + GAP)
        n--;
    return n;
}

/* Cells that do not fit beside the others go below them, on as many lines as they take. */
static weir_status print_below(char *const *cells, size_t n, size_t limit)
{
    char *text = NULL;
    TRY(weir_copy_string(&text, cells[0]));
    for (size_t i = 1; i < n; i++) {
        char *more;
        weir_status status = weir_format(&more, "%s  %s", text, cells[i]);
        weir_free(text);
        TRY(status);
        text = more;
    }
    print_spaces(INDENT);
    print_wrapped(stdout, text, INDENT, limit);
    weir_free(text);
    return WEIR_OK;
}

static weir_status print_wrapped_row(const struct table *table, char *const *cells, const size_t *widths, size_t limit)
{
    size_t beside = columns_beside(table, widths, limit), last = table->n_columns - 1;
    for (size_t i = 0; i < beside && i < last; i++) {
        print_left(cells[i], i + 1 == beside ? 0 : widths[i]);
        fputs(i + 1 == beside ? "\n" : "  ", stdout);
    }
    if (beside < table->n_columns)
        return print_below(cells + beside, table->n_columns - beside, limit);
    print_wrapped(stdout, cells[last], columns_before(widths, last), limit ? limit : SIZE_MAX);
    return WEIR_OK;
}

/* ---- all of it ---- */

static weir_status print_table_rows(const struct table *table, const size_t *widths)
{
    for (size_t i = 0; i < table->n_columns; i++)
        TRY(print_table_cell(table, i, table->names[i], widths[i]));
    for (size_t i = 0; i < table->n_cells; i++)
        TRY(print_table_cell(table, cell_column(table, i), table->cells[i], widths[cell_column(table, i)]));
    return WEIR_OK;
}

static weir_status print_wrapped_rows(const struct table *table, const size_t *widths, size_t limit)
{
    TRY(print_wrapped_row(table, (char *const *)table->names, widths, limit));
    for (size_t i = 0; i < table->n_cells; i += table->n_columns)
        TRY(print_wrapped_row(table, table->cells + i, widths, limit));
    return WEIR_OK;
}

weir_status table_print(struct table *table)
{
    size_t *widths, n = table->n_columns, limit = terminal_width();
    weir_status status;
    TRY(weir_alloc_zero(&widths, n, sizeof *widths));
    measure_columns(table, widths);
    if (table->aligns[n - 1] == WRAPPED) {
        status = print_wrapped_rows(table, widths, limit);
    } else {
        fit_columns(table, widths, limit);
        status = print_table_rows(table, widths);
    }
    weir_free(widths);
    return status;
}

void table_close(struct table *table)
{
    for (size_t i = 0; i < table->n_cells; i++)
        weir_free(table->cells[i]);
    weir_free(table->cells);
    table->cells = NULL;
    table->n_cells = table->capacity = 0;
}
