#include "cli/render.h"

#include <math.h>

enum { LABEL = 16, TICK = 5, WIDE_UP_TO = 40 };

static const char ramp[] = " .:-=+*#%@";

/* Where the map goes on the terminal. */
struct plan {
    size_t margin, label; /* columns of the row number and of the label */
    size_t cell;          /* columns a cell */
    size_t bin, n_cells;  /* values a cell, cells a row */
    enum colours colours;
};

static void plan_heatmap(struct plan *plan, const struct heatmap *map)
{
    char number[16];
    size_t width = terminal_width();
    plan->label = 0;
    plan->margin = 0;
    for (size_t i = 0; i < map->n_rows; i++) {
        size_t label = text_columns(map->labels[i]) + 2,
               digits = (size_t)snprintf(number, sizeof number, "%d", map->rows[i]);
        plan->label = label > plan->label ? label : plan->label;
        plan->margin = digits > plan->margin ? digits : plan->margin;
    }
    plan->label = plan->label > LABEL ? LABEL : plan->label;
    size_t left = plan->margin + plan->label + 3;
    size_t room = width > left + 10 ? width - left : 10;
    size_t limit = width ? room / 2 : WIDE_UP_TO;
    plan->cell = map->n_columns <= limit ? 2 : 1;
    plan->bin = width && map->n_columns > room ? (map->n_columns + room - 1) / room : 1;
    plan->n_cells = (map->n_columns + plan->bin - 1) / plan->bin;
    plan->colours = terminal_colours();
}

/* Small weights must be told from none: the scale is the square root. */
static double shade(float value)
{
    if (!(value > 0))
        return 0;
    return value < 1 ? sqrt((double)value) : 1;
}

static void print_shade(const struct plan *plan, double part, size_t columns)
{
    colour_background(plan->colours, colour_of(part));
    char c = plan->colours == COLOURS_NONE ? ramp[(int)(part * (sizeof ramp - 2) + 0.5)] : ' ';
    for (size_t i = 0; i < columns; i++)
        putchar(c);
}

/* The numbers of every so many columns, above their first cell. */
static void print_ticks(const struct plan *plan)
{
    char number[24];
    size_t last = (plan->n_cells - 1) * plan->bin, at = 0;
    size_t digits = (size_t)snprintf(number, sizeof number, "%zu", last);
    size_t step = TICK;
    while (step * plan->cell < digits + 1)
        step += TICK;
    print_spaces(plan->margin + plan->label + 3);
    for (size_t i = 0; i < plan->n_cells; i += step) {
        print_spaces(i * plan->cell - at);
        at = i * plan->cell + (size_t)printf("%zu", i * plan->bin);
    }
    putchar('\n');
}

static void print_legend(const struct plan *plan)
{
    print_spaces(plan->margin + plan->label + 3);
    printf("0 ");
    for (int i = 0; i < 10; i++)
        print_shade(plan, i / 9.0, 1);
    colour_end(plan->colours);
    printf(" 1, square-root scale\n");
    if (plan->bin > 1)
        printf("%*seach cell: the largest of %zu keys\n", (int)(plan->margin + plan->label + 3), "", plan->bin);
}

static void print_row(const struct plan *plan, const struct heatmap *map, size_t row)
{
    char label[4 * LABEL + 8];
    const float *values = map->values + row * map->n_columns;
    token_label(label, sizeof label, map->labels[row], plan->label);
    printf("%*d ", (int)plan->margin, map->rows[row]);
    print_left(label, plan->label);
    fputs(plan->colours ? "  " : " [", stdout);
    for (size_t i = 0; i < plan->n_cells; i++) {
        float most = 0;
        for (size_t j = i * plan->bin; j < (i + 1) * plan->bin && j < map->n_columns; j++)
            most = values[j] > most ? values[j] : most;
        print_shade(plan, shade(most), plan->cell);
    }
    colour_end(plan->colours);
    fputs(plan->colours ? "\n" : "]\n", stdout);
}

weir_status heatmap_print(const struct heatmap *map)
{
    struct plan plan;
    plan_heatmap(&plan, map);
    print_ticks(&plan);
    for (size_t i = 0; i < map->n_rows; i++)
        print_row(&plan, map, i);
    print_legend(&plan);
    return WEIR_OK;
}
