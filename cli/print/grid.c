/* Prints numbers as a grid of coloured cells. */
#include "cli/print/grid.h"

#include "cli/print/colour.h"
#include "cli/print/text.h"

#include <math.h>
#include <string.h>

enum { LEGEND = 10 };

/* The places of the grid's parts on the terminal. */
struct layout {
    size_t margin;       /* columns of the row number and of the space after it */
    size_t cell, digits; /* columns a cell, with what is between; of the number in it, 0: there is none */
    size_t across;       /* cells side by side before the rest goes below */
    double most;         /* the value of the brightest cell */
    int decimals;
    enum colours colours;
};

static double largest_grid_value(const struct grid *grid)
{
    double most = 1;
    for (size_t i = 0; i < grid->n_rows * grid->n_columns; i++)
        most = grid->values[i] > most ? grid->values[i] : most;
    return most;
}

static size_t count_digits(int number)
{
    char text[16];
    return (size_t)snprintf(text, sizeof text, "%d", number);
}

/* Numbers where a row of them fits; without colours there is nothing else, and what does not fit goes below. */
static void lay_out_grid(struct layout *layout, const struct grid *grid)
{
    size_t width = terminal_width(), digits = 1;
    char text[32];
    layout->most = largest_grid_value(grid);
    layout->colours = terminal_colours();
    layout->decimals = layout->most < 10 ? 2 : 1;
    for (size_t i = 0; i < grid->n_rows; i++)
        digits = count_digits(grid->rows[i]) > digits ? count_digits(grid->rows[i]) : digits;
    layout->margin = (strlen(grid->row_name) > digits ? strlen(grid->row_name) : digits) + 1;
    layout->digits = (size_t)snprintf(text, sizeof text, "%.*f", layout->decimals, layout->most);
    layout->cell = layout->digits + 2;
    size_t room = width > layout->margin + layout->cell ? width - layout->margin : layout->cell;
    if (width == 0)
        room = grid->n_columns * layout->cell;
    if (layout->cell * grid->n_columns > room) {
        layout->digits = 0;
        layout->cell = count_digits((int)grid->n_columns - 1) + 1;
    }
    layout->across = room / layout->cell ? room / layout->cell : 1;
}

/* Black on what is bright, white on what is dark. */
static struct rgb readable_on(struct rgb ground)
{
    bool bright = 3 * ground.r + 6 * ground.g + ground.b > 1280;
    return bright ? (struct rgb){0, 0, 0} : (struct rgb){255, 255, 255};
}

/* The number on its colour, or the colour alone; "-" where there is nothing. */
static void print_grid_cell(const struct layout *layout, double value)
{
    char number[64], text[32] = "";
    double part = value > 0 ? value / layout->most : 0;
    struct rgb ground = colour_of(part);
    if (layout->digits > 0)
        snprintf(text, sizeof text, "%s", fixed_number(number, layout->decimals, value));
    else if (layout->colours == COLOURS_NONE)
        memset(text, colour_as_text(part), layout->cell - 1);
    if (isnan(value)) {
        print_right("-", layout->cell);
        return;
    }
    if (layout->digits == 0)
        putchar(' ');
    colour_background(layout->colours, ground);
    colour_foreground(layout->colours, readable_on(ground));
    print_right(text, layout->cell - (layout->digits == 0));
    colour_end(layout->colours);
}

/* One block of columns, with their numbers above and rows' numbers at the left. */
static void print_grid_columns(const struct layout *layout, const struct grid *grid, size_t first, size_t end)
{
    char text[24];
    print_left(grid->row_name, layout->margin);
    for (size_t j = first; j < end; j++) {
        snprintf(text, sizeof text, "%zu", j);
        print_right(text, layout->cell);
    }
    putchar('\n');
    for (size_t i = 0; i < grid->n_rows; i++) {
        printf("%*d ", (int)layout->margin - 1, grid->rows[i]);
        for (size_t j = first; j < end; j++)
            print_grid_cell(layout, grid->values[i * grid->n_columns + j]);
        putchar('\n');
    }
}

static void print_grid_legend(const struct layout *layout)
{
    printf("0 ");
    for (int i = 0; i < LEGEND; i++) {
        double part = i / (LEGEND - 1.0);
        colour_background(layout->colours, colour_of(part));
        putchar(layout->colours == COLOURS_NONE ? colour_as_text(part) : ' ');
    }
    colour_end(layout->colours);
    printf(" %.4g\n", layout->most);
}

void grid_print(const struct grid *grid)
{
    struct layout layout;
    lay_out_grid(&layout, grid);
    for (size_t first = 0; first < grid->n_columns; first += layout.across) {
        size_t end = first + layout.across < grid->n_columns ? first + layout.across : grid->n_columns;
        print_spaces(layout.margin);
        printf("  %s\n", grid->column_name);
        print_grid_columns(&layout, grid, first, end);
    }
    if (layout.colours != COLOURS_NONE || layout.digits == 0)
        print_grid_legend(&layout);
}
