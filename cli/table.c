#include "cli/render.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <string.h>

enum { LEAST_FLEXIBLE = 8, GAP = 2, MOST_COLUMNS = 100000, MOST_CELL = 2048 };

static weir_status add_cell(struct table *table, const char *text)
{
    TRY(weir_grow(&table->cells, &table->capacity, table->n_cells + 1, sizeof *table->cells));
    TRY(weir_copy_string(&table->cells[table->n_cells], text));
    text_tame(table->cells[table->n_cells++]);
    return WEIR_OK;
}

weir_status table_add(struct table *table, const char *format, ...)
{
    char text[MOST_CELL];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return add_cell(table, text);
}

/* Which column cell i stands in. */
static size_t column_of(const struct table *table, size_t i)
{
    return table->n_columns > 0 ? i % table->n_columns : 0;
}

static void measure(const struct table *table, size_t *widths)
{
    for (size_t i = 0; i < table->n_columns; i++)
        widths[i] = text_columns(table->names[i]);
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t n = text_columns(table->cells[i]);
        if (n > widths[column_of(table, i)])
            widths[column_of(table, i)] = n;
    }
}

/* Narrows the flexible columns, the widest first, until the table fits or nothing more can go. */
static void fit(const struct table *table, size_t *widths, size_t limit)
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

static weir_status print_cell(const struct table *table, size_t column, const char *text, size_t width)
{
    char *cut;
    bool last = column + 1 == table->n_columns;
    TRY(weir_alloc(&cut, strlen(text) + 8, 1));
    text_cut(cut, strlen(text) + 8, text, table->aligns[column] == FLEXIBLE ? width : MOST_COLUMNS);
    if (table->aligns[column] == RIGHT)
        print_right(cut, width);
    else
        print_left(cut, last ? 0 : width);
    fputs(last ? "\n" : "  ", stdout);
    weir_free(cut);
    return WEIR_OK;
}

weir_status table_print(struct table *table)
{
    size_t *widths, n = table->n_columns;
    TRY(weir_alloc_zero(&widths, n, sizeof *widths));
    measure(table, widths);
    fit(table, widths, terminal_width());
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < n && status == WEIR_OK; i++)
        status = print_cell(table, i, table->names[i], widths[i]);
    for (size_t i = 0; i < table->n_cells && status == WEIR_OK; i++)
        status = print_cell(table, column_of(table, i), table->cells[i], widths[column_of(table, i)]);
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
