/* Leaves out the middles of long axes. */
#include "cli/print/edges.h"
#include "cli/print/terminal.h"
#include "cli/print/text.h"

enum { WHOLE_COLUMNS = 8, DOTS = 4 };

size_t edge_of(size_t n, size_t most)
{
    return n > most ? (most - 1) / 2 : 0;
}

size_t next_shown(size_t i, size_t n, size_t edge)
{
    return edge && i + 1 == edge ? n - edge : i + 1;
}

bool is_gap(size_t i, size_t edge)
{
    return edge && i + 1 == edge;
}

static size_t columns_that_fit(size_t margin)
{
    size_t width = terminal_width();
    if (!width)
        return WHOLE_COLUMNS;
    size_t room = width > margin + DOTS ? (width - margin - DOTS) / EDGE_CELL : 0;
    return room > 3 ? room : 3;
}

size_t edge_of_columns(size_t n, size_t margin)
{
    size_t fit = columns_that_fit(margin);
    return n > fit ? fit / 2 : 0;
}

void print_edge_numbers(const size_t *numbers, size_t n, size_t edge)
{
    char number[24];
    for (size_t i = 0; i < n; i = next_shown(i, n, edge)) {
        snprintf(number, sizeof number, "%zu", numbers ? numbers[i] : i);
        print_right(number, EDGE_CELL);
        fputs(is_gap(i, edge) ? " ..." : "", stdout);
    }
    putchar('\n');
}
