/* Prints attention as shades: one map with labels, or small ones without. */
#include "cli/print/heatmap.h"

#include "cli/print/text.h"

#include <math.h>

enum { LABEL = 16, TICK = 5, WIDE_UP_TO = 40 };

/* The places of the map's parts on the terminal. */
struct plan {
    size_t margin, label; /* columns of the row number and of the label */
    size_t cell;          /* columns a cell */
    size_t bin, n_cells;  /* values a cell, cells a row */
    enum colours colours;
};

/* Two columns per cell where they fit, else one; several values per cell where those do not fit. */
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

static void print_shade(enum colours colours, double part, size_t columns)
{
    char c = ' ';
    if (isnan(part)) /* masked: the terminal's own ground */
        colour_end(colours);
    else if (colours == COLOURS_NONE) /* a whole pattern is a million of these */
        c = colour_as_text(part);
    else
        colour_background(colours, colour_of(part));
    for (size_t i = 0; i < columns; i++)
        putchar(c);
}

/* The number of the first column in a cell. */
static int column_number(const struct plan *plan, const struct heatmap *map, size_t cell)
{
    return map->columns ? map->columns[cell * plan->bin] : (int)(cell * plan->bin);
}

/* The numbers of every so many columns, above their first cell. */
static void print_column_ticks(const struct plan *plan, const struct heatmap *map)
{
    char number[24];
    size_t at = 0;
    size_t digits = (size_t)snprintf(number, sizeof number, "%d", column_number(plan, map, plan->n_cells - 1));
    size_t step = map->columns ? 1 : TICK;
    while (step * plan->cell < digits + 1)
        step += map->columns ? 1 : TICK;
    print_spaces(plan->margin + plan->label + 3);
    for (size_t i = 0; i < plan->n_cells; i += step) {
        print_spaces(i * plan->cell - at);
        at = i * plan->cell + (size_t)printf("%d", column_number(plan, map, i));
    }
    putchar('\n');
}

void legend_print(enum colours colours, enum scale scale, double most, bool masked, size_t margin)
{
    printf("%.3g ", scale == SCALE_LOG ? SCALE_LOG_LEAST * most : 0.0);
    for (int i = 0; i < 10; i++)
        print_shade(colours, i / 9.0, 1);
    colour_end(colours);
    printf(" %.3g, %s scale\n", most, scale_names[scale]);
    if (masked)
        printf("%*sblank: masked\n", (int)margin, "");
}

static bool any_masked(const struct heatmap *map)
{
    for (size_t i = 0; i < map->n_rows * map->n_columns; i++)
        if (isnan(map->values[i]))
            return true;
    return false;
}

static void print_heatmap_legend(const struct plan *plan, const struct heatmap *map)
{
    size_t margin = plan->margin + plan->label + 3;
    print_spaces(margin);
    legend_print(plan->colours, map->scale, map->most, any_masked(map), margin);
    if (plan->bin > 1)
        printf("%*seach cell: the largest of %zu keys\n", (int)margin, "", plan->bin);
}

/* The larger of two weights; NaN only when both are. */
static float larger_weight(float a, float b)
{
    return b > a || isnan(a) ? b : a;
}

/* Number, label, and a shade per cell: the largest value in it. */
static void print_heatmap_row(const struct plan *plan, const struct heatmap *map, size_t row)
{
    char label[4 * LABEL + 8];
    const float *values = map->values + row * map->n_columns;
    token_label(label, sizeof label, map->labels[row], plan->label);
    printf("%*d ", (int)plan->margin, map->rows[row]);
    print_left(label, plan->label);
    fputs(plan->colours ? "  " : " [", stdout);
    for (size_t i = 0; i < plan->n_cells; i++) {
        float most = NAN;
        for (size_t j = i * plan->bin; j < (i + 1) * plan->bin && j < map->n_columns; j++)
            most = larger_weight(most, values[j]);
        print_shade(plan->colours, scale_part(map->scale, (double)most, map->most), plan->cell);
    }
    colour_end(plan->colours);
    fputs(plan->colours ? "\n" : "]\n", stdout);
}

weir_status heatmap_print(const struct heatmap *map)
{
    struct plan plan;
    plan_heatmap(&plan, map);
    print_column_ticks(&plan, map);
    for (size_t i = 0; i < map->n_rows; i++)
        print_heatmap_row(&plan, map, i);
    print_heatmap_legend(&plan, map);
    return WEIR_OK;
}

/* The index in n values at which cell i of `cells` begins; the last cell ends at n. */
static size_t cell_start(size_t i, size_t n, size_t cells)
{
    return i * n / cells;
}

static size_t cell_end(size_t i, size_t n, size_t cells)
{
    size_t end = cell_start(i + 1, n, cells), start = cell_start(i, n, cells);
    return end > start ? end : start + 1;
}

void heatmap_reduce(float *to, size_t to_rows, size_t to_columns, const float *values, size_t n_rows, size_t n_columns)
{
    for (size_t i = 0; i < to_rows; i++)
        for (size_t j = 0; j < to_columns; j++, to++) {
            *to = NAN;
            for (size_t row = cell_start(i, n_rows, to_rows); row < cell_end(i, n_rows, to_rows); row++)
                for (size_t k = cell_start(j, n_columns, to_columns); k < cell_end(j, n_columns, to_columns); k++)
                    *to = larger_weight(*to, values[row * n_columns + k]);
        }
}

size_t thumb_rows(enum colours colours)
{
    return colours == COLOURS_NONE ? 1 : 2;
}

/* Two cells a character, which makes them square: halves of blocks in one colour on the ground of the other. A half of
   what is masked is the terminal's own ground. */
static void print_two_cells(enum colours colours, double upper, double lower)
{
    bool has_upper = !isnan(upper), has_lower = !isnan(lower);
    if (!has_upper || !has_lower)
        colour_end(colours);
    if (has_upper || has_lower)
        colour_foreground(colours, colour_of(has_upper ? upper : lower));
    if (has_upper && has_lower)
        colour_background(colours, colour_of(lower));
    fputs(has_upper ? "\u2580" : has_lower ? "\u2584" : " ", stdout);
}

void thumb_print(const struct thumb *thumb, size_t line, enum colours colours)
{
    const float *upper = thumb->parts + line * thumb_rows(colours) * thumb->n_columns;
    const float *lower = (line + 1) * thumb_rows(colours) <= thumb->n_rows ? upper + thumb->n_columns : NULL;
    for (size_t i = 0; i < thumb->n_columns; i++) {
        if (colours == COLOURS_NONE) {
            print_shade(colours, (double)upper[i], 1);
            continue;
        }
        print_two_cells(colours, (double)upper[i], lower ? (double)lower[i] : NAN);
    }
    colour_end(colours);
}
