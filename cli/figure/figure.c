/* Lays a picture of attention maps or grids out and draws it on a canvas. */
#include "cli/figure/figure.h"

#include "cli/export/output.h"
#include "cli/print/say.h"
#include "cli/print/text.h"

#include "base/alloc.h"
#include "base/sizes.h"

#include <math.h>
#include <string.h>

/* Sizes in points. */
enum {
    PAD = 16,
    TITLE = 14,
    NOTE = 10,
    AXIS = 12,       /* size of the names of axes */
    LABEL = 10,      /* size of the tokens, and of positions beside them */
    SMALL = 8,       /* size of positions where there are no tokens */
    LABEL_ROOM = 12, /* from one label to the next, at the least */
    LABEL_GAP = 6,
    MARK = 3, /* length of the line from the panel to a position */
    TICK = 10,
    BAR = 12,
    BAR_GAP = 22,
    BAR_CELLS = 64,
    BAR_HIGHEST = 240,
    LEGEND = 30, /* below the bar, for what blank cells look like */
    LARGEST_CELL = 32,
    LOWEST_ROW = 12, /* of oblong cells, if the panel stays as high as it may be wide */
    MOST_LABELLED = 6
};
/* The width of a column of text over its size, about. */
static const double MONO = 0.602, SANS = 0.58, BOLD = 0.64;
/* A pixel of a PNG. */
static const double LINE = 0.5;

/* The sides of a panel by how many there are. */
static const struct {
    size_t n;
    int side;
} sides[] = {{1, 576}, {2, 360}, {6, 260}, {16, 160}, {SIZE_MAX, 96}};

static int panel_side(size_t n)
{
    size_t i = 0;
    while (n > sides[i].n)
        i++;
    return sides[i].side;
}

size_t figure_cells(size_t n)
{
    return n == 1 ? 1024 : (size_t)panel_side(n);
}

bool figure_has_labels(size_t n)
{
    return n <= MOST_LABELLED;
}

static void close_axis(struct axis *axis)
{
    for (size_t i = 0; axis->labels && i < axis->n; i++)
        weir_free(axis->labels[i]);
    weir_free(axis->labels);
    weir_free(axis->positions);
}

void figure_close(struct figure *figure)
{
    if (!figure)
        return;
    for (size_t i = 0; i < figure->n; i++) {
        struct panel *panel = &figure->panels[i];
        close_axis(&panel->rows);
        close_axis(&panel->columns);
        weir_free(panel->values);
        weir_free(panel->title);
    }
    weir_free(figure->panels);
    weir_free(figure->title);
    weir_free(figure->note);
    weir_free(figure->bar);
    weir_free(figure);
}

/* ---- labels of an axis ---- */

/* The labels of an axis: every token, every so many tokens with their positions, or positions alone. */
struct marks {
    bool tokens, numbers;
    bool slanted;  /* below the panel, with tokens */
    size_t step;   /* positions from one to the next */
    double size;   /* of the numbers */
    double digits; /* the width of the longest number */
    double widest; /* of the widest token */
};

/* 1, 2, 5, 10, 20, 50, ...: the first that is not under `least`. */
static size_t round_step(double least)
{
    static const int firsts[] = {1, 2, 5};
    for (size_t power = 1;; power *= 10)
        for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++)
            if ((double)(firsts[i] * power) >= least)
                return firsts[i] * power;
}

static size_t last_position(const struct axis *axis)
{
    size_t last = (size_t)axis->positions[axis->n - 1];
    return axis->in_order ? (size_t)axis->positions[0] + axis->n_all - 1 : last;
}

static double number_width(const struct axis *axis, double size)
{
    char number[24];
    return snprintf(number, sizeof number, "%zu", last_position(axis)) * size * MONO;
}

static double widest_label(const struct axis *axis)
{
    size_t most = 0;
    for (size_t i = 0; i < axis->n; i++) {
        size_t columns = text_columns(axis->labels[i]);
        most = columns > most ? columns : most;
    }
    return (double)most * LABEL * MONO;
}

/* A cell of several tokens is named by none of them. */
static struct marks marks_of(const struct axis *axis, double cell, bool below)
{
    struct marks marks = {.tokens = axis->labels && axis->n == axis->n_all, .size = axis->labels ? LABEL : SMALL};
    double position = cell * (double)axis->n / (double)axis->n_all; /* what a position takes */
    marks.slanted = below && marks.tokens;
    marks.digits = number_width(axis, marks.size);
    marks.widest = marks.tokens ? widest_label(axis) : 0;
    double room = marks.slanted ? 1.5 * LABEL_ROOM : below ? 1.6 * marks.digits : 1.2 * marks.size;
    if (!marks.tokens) /* as far apart at the side as below */
        room = fmax(1.6 * marks.digits, 2.5 * marks.size);
    marks.step = round_step(room / position);
    marks.numbers = !marks.tokens || marks.step > 1 || !axis->in_order;
    return marks;
}

/* True where cell i has a label; *position is the position that it names. */
static bool is_cell_marked(size_t *position, const struct axis *axis, const struct marks *marks, size_t i)
{
    size_t first = (size_t)axis->positions[i], step = marks->step;
    if (!axis->in_order) {
        *position = first;
        return i % step == 0;
    }
    size_t end = i + 1 < axis->n ? (size_t)axis->positions[i + 1] : last_position(axis) + 1;
    *position = (first + step - 1) / step * step;
    return *position < end;
}

/* From the panel to the end of what is written. */
static double marks_depth(const struct marks *marks)
{
    double numbers = marks->numbers ? marks->digits + (marks->tokens ? LABEL_GAP : 0) : 0;
    return LABEL_GAP + numbers + marks->widest;
}

/* ---- where everything is ---- */

struct layout {
    size_t n_across, n_down;
    double cell, row;          /* width and height of a cell: the same but of oblong ones */
    double left, below, above; /* of a panel: room for labels, and for its title */
    double panel_width, panel_height;
    double pitch_x, pitch_y;      /* from panel to panel */
    double x, y, width, height;   /* of all panels with their labels */
    double edge_left, edge_below; /* the room for labels that are drawn once for all */
    bool named;                   /* each panel has its own name of columns, for they are not the same */
    double head;                  /* title and note */
};

/* Cells are half points, so that they are whole pixels. */
static double cell_length(const struct figure *figure, size_t n_cells, double most)
{
    double cell = floor(2.0 * panel_side(figure->n) / (double)n_cells) / 2;
    return cell < 0.5 ? 0.5 : cell > most ? most : cell;
}

static void measure_cells(struct layout *layout, const struct figure *figure)
{
    size_t rows = 1, columns = 1;
    for (size_t i = 0; i < figure->n; i++) {
        rows = weir_max_size(rows, figure->panels[i].n_rows);
        columns = weir_max_size(columns, figure->panels[i].n_columns);
    }
    layout->cell = layout->row = cell_length(figure, weir_max_size(rows, columns), LARGEST_CELL);
    if (figure->oblong)
        layout->row = fmax(layout->cell, cell_length(figure, rows, LOWEST_ROW));
}

/* Column labels hang down to the left at 45 degrees: as much as their width reaches down is what they reach left. */
static double column_slant(const struct marks *columns)
{
    return columns->slanted ? (marks_depth(columns) - LABEL_GAP) * M_SQRT1_2 : 0;
}

static double room_below(const struct marks *columns)
{
    return LABEL_GAP + (columns->slanted ? column_slant(columns) + LABEL : columns->size);
}

static void measure_panel_labels(struct layout *layout, const struct panel *panel)
{
    struct marks rows = marks_of(&panel->rows, layout->row, false);
    struct marks columns = marks_of(&panel->columns, layout->cell, true);
    layout->left = fmax(layout->left, fmax(marks_depth(&rows), column_slant(&columns) - layout->cell / 2));
    layout->below = fmax(layout->below, room_below(&columns));
}

static bool columns_differ(const struct figure *figure)
{
    for (size_t i = 1; i < figure->n; i++)
        if (strcmp(figure->panels[i].columns.name, figure->panels[0].columns.name) != 0)
            return true;
    return false;
}

/* The largest panel, and the room for labels: of every panel, or once at the edges. */
static void measure_panels(struct layout *layout, const struct figure *figure)
{
    for (size_t i = 0; i < figure->n; i++) {
        const struct panel *panel = &figure->panels[i];
        measure_panel_labels(layout, panel);
        layout->above = *panel->title ? 18 : layout->above;
        layout->panel_width = fmax(layout->panel_width, (double)panel->n_columns * layout->cell);
        layout->panel_height = fmax(layout->panel_height, (double)panel->n_rows * layout->row);
    }
    layout->left = ceil(layout->left);
    layout->named = columns_differ(figure);
    layout->below = ceil(layout->below) + (layout->named ? AXIS + 4 : 0);
    if (!figure->alike)
        return;
    layout->edge_left = layout->left;
    layout->edge_below = layout->below;
    layout->left = layout->below = 0;
}

/* From cells outwards: cell, panel, pitch, all panels, head. */
static void plan_figure(struct layout *layout, const struct figure *figure)
{
    *layout = (struct layout){0};
    measure_cells(layout, figure);
    measure_panels(layout, figure);
    double gap = layout->left > 0 ? 20 : 8, title = 0;
    for (size_t i = 0; i < figure->n; i++) /* a title may be wider than its panel */
        title = fmax(title, (double)text_columns(figure->panels[i].title) * 11 * SANS);
    layout->n_across = figure->n_across < figure->n ? figure->n_across : figure->n;
    layout->n_across = layout->n_across ? layout->n_across : 1;
    layout->n_down = (figure->n + layout->n_across - 1) / layout->n_across;
    layout->pitch_x = ceil(layout->left + fmax(layout->panel_width, title) + gap);
    layout->pitch_y = layout->above + layout->panel_height + layout->below + gap;
    layout->head = TITLE + 8 + (*figure->note ? NOTE + 6 : 0) + 8;
    layout->x = PAD + AXIS + 8 + layout->edge_left;
    layout->y = PAD + layout->head;
    layout->width = layout->pitch_x * (double)layout->n_across - gap;
    layout->height = layout->pitch_y * (double)layout->n_down - gap + layout->edge_below;
}

/* ---- drawing ---- */

/* Something written along the left side or below: its end is `back` from the panel, along its own direction. */
static weir_status draw_axis_text(struct canvas *canvas, const struct text *text, double back)
{
    struct text moved = *text;
    double angle = text->degrees * M_PI / 180;
    moved.x -= back * cos(angle);
    moved.y -= back * sin(angle);
    return canvas->text(canvas, &moved);
}

static weir_status draw_axis_mark(struct canvas *canvas, double x, double y, bool below)
{
    return canvas->box(canvas, &(struct box){.x = below ? x - LINE / 2 : x - MARK,
                                             .y = below ? y : y - LINE / 2,
                                             .width = below ? LINE : MARK,
                                             .height = below ? MARK : LINE,
                                             .rgb = canvas->scheme->faint});
}

/* The position and the token of one cell, whose middle at the edge of the panel is x, y. */
static weir_status draw_cell_label(struct canvas *canvas, const struct marks *marks, double x, double y, bool below,
                                   size_t position, const char *token)
{
    char number[24];
    struct text text = {.x = x - LABEL_GAP, .y = y + 0.35 * marks->size, .size = marks->size, .anchor = ANCHOR_END};
    if (marks->slanted)
        text = (struct text){.x = x + 0.25 * LABEL,
                             .y = y + LABEL_GAP + 0.4 * LABEL,
                             .size = LABEL,
                             .degrees = -45,
                             .anchor = ANCHOR_END};
    else if (below)
        text =
            (struct text){.x = x, .y = y + LABEL_GAP + 0.8 * marks->size, .size = marks->size, .anchor = ANCHOR_MIDDLE};
    text.mono = true;
    if (marks->numbers) {
        snprintf(number, sizeof number, "%zu", position);
        text.text = number;
        text.rgb = canvas->scheme->faint;
        TRY(draw_axis_text(canvas, &text, 0));
        if (!marks->slanted)
            TRY(draw_axis_mark(canvas, x, y, below));
    }
    if (!marks->tokens)
        return WEIR_OK;
    text.text = token;
    text.mono = !text_is_leftwards(token); /* letters that join do not fit into columns */
    text.rgb = canvas->scheme->ink;
    text.room = marks->widest;
    return draw_axis_text(canvas, &text, marks->numbers ? marks->digits + LABEL_GAP : 0);
}

/* Labels of rows or columns, except where one would run into the next panel. */
static weir_status draw_axis(struct canvas *canvas, const struct placed *placed, const struct axis *axis, double cell,
                             bool below)
{
    struct marks marks = marks_of(axis, cell, below);
    size_t position;
    for (size_t i = 0; i < axis->n; i++) {
        double along = ((double)i + 0.5) * cell;
        double x = below ? placed->x + along : placed->x, y = below ? placed->y + placed->height : placed->y + along;
        bool fits = !below || marks.slanted || along + marks.digits / 2 < placed->width + MARK; /* not into the next */
        if (fits && is_cell_marked(&position, axis, &marks, i))
            TRY(draw_cell_label(canvas, &marks, x, y, below, position, marks.tokens ? axis->labels[i] : NULL));
    }
    return WEIR_OK;
}

/* A line around a place, just outside. */
static weir_status draw_frame(struct canvas *canvas, double x, double y, double width, double height)
{
    const struct rgb rgb = canvas->scheme->line;
    const struct box lines[] = {{x - LINE, y - LINE, width + 2 * LINE, LINE, rgb},
                                {x - LINE, y + height, width + 2 * LINE, LINE, rgb},
                                {x - LINE, y, LINE, height, rgb},
                                {x + width, y, LINE, height, rgb}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        TRY(canvas->box(canvas, &lines[i]));
    return WEIR_OK;
}

static weir_status draw_axis_name(struct canvas *canvas, const char *name, double x, double y, double degrees)
{
    return canvas->text(canvas, &(struct text){.x = x,
                                               .y = y,
                                               .size = AXIS,
                                               .degrees = degrees,
                                               .anchor = ANCHOR_MIDDLE,
                                               .rgb = canvas->scheme->faint,
                                               .text = name});
}

/* Title, frame, cells, labels. */
static weir_status draw_panel(struct canvas *canvas, const struct figure *figure, const struct layout *layout, size_t i)
{
    const struct panel *panel = &figure->panels[i];
    size_t down = i / layout->n_across, across = i % layout->n_across;
    struct placed placed = {.panel = panel,
                            .scale = figure->scale,
                            .scheme = figure->scheme,
                            .two_sided = figure->two_sided,
                            .middle = figure->middle,
                            .x = layout->x + layout->left + layout->pitch_x * (double)across,
                            .y = layout->y + layout->above + layout->pitch_y * (double)down,
                            .width = layout->cell * (double)panel->n_columns,
                            .height = layout->row * (double)panel->n_rows};
    if (*panel->title)
        TRY(canvas->text(
            canvas,
            &(struct text){
                .x = placed.x, .y = placed.y - 5, .size = 11, .rgb = canvas->scheme->ink, .text = panel->title}));
    TRY(draw_frame(canvas, placed.x, placed.y, placed.width, placed.height));
    TRY(canvas->cells(canvas, &placed));
    if (panel->rows.name && (!figure->alike || across == 0))
        TRY(draw_axis(canvas, &placed, &panel->rows, layout->row, false));
    if (!figure->alike || i + layout->n_across >= figure->n)
        TRY(draw_axis(canvas, &placed, &panel->columns, layout->cell, true));
    if (!layout->named)
        return WEIR_OK;
    struct marks columns = marks_of(&panel->columns, layout->cell, true);
    return draw_axis_name(canvas, panel->columns.name, placed.x + placed.width / 2,
                          placed.y + placed.height + ceil(room_below(&columns)) + AXIS + 2, 0);
}

static const char *name_of_rows(const struct figure *figure)
{
    size_t i = 0;
    while (i + 1 < figure->n && !figure->panels[i].rows.name)
        i++;
    return figure->panels[i].rows.name;
}

/* The names of the axes, at the middle of all panels' left and lower sides. */
static weir_status draw_axes(struct canvas *canvas, const struct figure *figure, const struct layout *layout)
{
    double down = layout->above + (layout->height - layout->above - layout->below - layout->edge_below) / 2;
    double across = layout->left + (layout->width - layout->left) / 2;
    if (name_of_rows(figure))
        TRY(draw_axis_name(canvas, name_of_rows(figure), PAD + AXIS - 2, layout->y + down, -90));
    return layout->named ? WEIR_OK
                         : draw_axis_name(canvas, figure->panels[0].columns.name, layout->x + across,
                                          layout->y + layout->height + AXIS + 4, 0);
}

/* ---- the colour bar ---- */

static double bar_height(const struct layout *layout)
{
    double height = layout->height - layout->above - layout->below - layout->edge_below;
    return fmin(BAR_HIGHEST, fmax(height, 64));
}

/* The width of steps of which three or four, of 1, 2, 2.5 or 5 times a power of ten, make up `most`. */
static double value_step(double most)
{
    static const double firsts[] = {1, 2, 2.5, 5};
    double power = pow(10, floor(log10(most / 4)));
    for (;; power *= 10)
        for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++)
            if (most / (firsts[i] * power) < 4 + 1e-9)
                return firsts[i] * power;
}

/* The colour bar while numbers come to it. */
struct ticks {
    struct canvas *canvas;
    const struct figure *figure;
    double x, y, height;
    double at[32]; /* [n] where they are, of 0 to 1 */
    size_t n;
};

/* Writes a number at its place, unless one is too near already. */
static weir_status add_tick(struct ticks *ticks, double value)
{
    const struct figure *figure = ticks->figure;
    double part = figure->two_sided       ? (1 + (value - figure->middle) / figure->most) / 2
                  : value >= figure->most ? 1
                                          : scale_part(figure->scale, value, figure->most);
    char number[32];
    for (size_t i = 0; i < ticks->n; i++)
        if (fabs(ticks->at[i] - part) * ticks->height < 1.3 * TICK)
            return WEIR_OK;
    if (ticks->n == sizeof ticks->at / sizeof *ticks->at)
        return WEIR_OK;
    ticks->at[ticks->n++] = part;
    double y = ticks->y + ticks->height * (1 - part);
    snprintf(number, sizeof number, "%.3g", value);
    TRY(ticks->canvas->box(ticks->canvas,
                           &(struct box){ticks->x, y - LINE / 2, MARK, LINE, ticks->canvas->scheme->faint}));
    return ticks->canvas->text(ticks->canvas, &(struct text){.x = ticks->x + MARK + 3,
                                                             .y = y + 0.35 * TICK,
                                                             .size = TICK,
                                                             .rgb = ticks->canvas->scheme->ink,
                                                             .text = number});
}

/* Both ends and the middle, then round numbers. */
static weir_status draw_two_sided_ticks(struct ticks *ticks)
{
    const struct figure *figure = ticks->figure;
    double least = figure->middle - figure->most, most = figure->middle + figure->most;
    double step = value_step(figure->most);
    TRY(add_tick(ticks, most));
    TRY(add_tick(ticks, least));
    TRY(add_tick(ticks, figure->middle));
    double first = ceil(least / step);
    for (int i = 0; (first + i) * step < most; i++)
        TRY(add_tick(ticks, (first + i) * step));
    return WEIR_OK;
}

/* Both ends; then round numbers on a linear scale, powers of ten on a logarithmic one, and on that of square roots,
   which is between the two, first these and then those. */
static weir_status draw_ticks(struct ticks *ticks)
{
    const struct figure *figure = ticks->figure;
    double least = figure->most * SCALE_LOG_LEAST, step = value_step(figure->most);
    TRY(add_tick(ticks, figure->most));
    if (figure->scale != SCALE_LOG) {
        TRY(add_tick(ticks, 0));
        for (int i = 1; i * step < figure->most; i++)
            TRY(add_tick(ticks, i * step));
    }
    double decade = pow(10, floor(log10(figure->most)));
    for (; figure->scale != SCALE_LINEAR && decade > least * 0.999; decade /= 10)
        TRY(add_tick(ticks, decade));
    return WEIR_OK;
}

static weir_status draw_blank(struct canvas *canvas, const char *name, double x, double y)
{
    const struct scheme *scheme = canvas->scheme;
    TRY(draw_frame(canvas, x, y, BAR, BAR));
    return canvas->text(
        canvas,
        &(struct text){
            .x = x + BAR + MARK + 3, .y = y + BAR / 2.0 + 0.35 * TICK, .size = TICK, .rgb = scheme->ink, .text = name});
}

/* The ramp as a panel of one column, its numbers, and what blank cells look like. */
static weir_status draw_bar(struct canvas *canvas, const struct figure *figure, const struct layout *layout)
{
    float values[BAR_CELLS];
    for (int i = 0; i < BAR_CELLS; i++)
        values[i] = 1 - (figure->two_sided ? 2 : 1) * ((float)i + 0.5f) / BAR_CELLS;
    double x = ceil(layout->x + layout->width + BAR_GAP), y = layout->y + layout->above, height = bar_height(layout);
    struct panel panel = {.n_rows = BAR_CELLS, .n_columns = 1, .values = values, .most = 1};
    struct placed placed = {&panel, SCALE_LINEAR, figure->scheme, figure->two_sided, 0, x, y, BAR, height};
    struct ticks ticks = {.canvas = canvas, .figure = figure, .x = x + BAR, .y = y, .height = height};
    TRY(draw_frame(canvas, x, y, BAR, height));
    TRY(canvas->cells(canvas, &placed));
    TRY(figure->two_sided ? draw_two_sided_ticks(&ticks) : draw_ticks(&ticks));
    if (figure->blank)
        TRY(draw_blank(canvas, figure->blank, x, y + height + LEGEND - BAR - 4));
    return canvas->text(canvas, &(struct text){.x = x + BAR + 60,
                                               .y = y + height / 2,
                                               .degrees = -90,
                                               .size = TICK,
                                               .anchor = ANCHOR_MIDDLE,
                                               .rgb = canvas->scheme->faint,
                                               .text = figure->bar});
}

/* ---- all of it ---- */

static weir_status draw_head(struct canvas *canvas, const struct figure *figure, double room)
{
    struct text title = {.x = PAD, .y = PAD + TITLE, .size = TITLE, .bold = true, .rgb = canvas->scheme->ink};
    struct text note = {.x = PAD, .y = PAD + TITLE + NOTE + 8, .size = NOTE, .rgb = canvas->scheme->faint};
    title.room = note.room = room;
    title.text = figure->title;
    note.text = figure->note;
    TRY(canvas->text(canvas, &title));
    return *figure->note ? canvas->text(canvas, &note) : WEIR_OK;
}

weir_status figure_draw(const struct figure *figure, struct canvas *canvas)
{
    struct layout layout;
    plan_figure(&layout, figure);
    double head =
        fmax((double)text_columns(figure->title) * TITLE * BOLD, (double)text_columns(figure->note) * NOTE * SANS);
    double width = ceil(fmax(layout.x + layout.width + BAR_GAP + BAR + 60 + TICK + PAD, head + 2 * PAD));
    double bar = layout.above + bar_height(&layout) + (figure->blank ? LEGEND : 0);
    double height = layout.y + fmax(layout.height + AXIS + 8, bar) + PAD;
    canvas->scheme = figure->scheme;
    TRY(canvas->begin(canvas, width, ceil(height)));
    TRY(draw_head(canvas, figure, width - 2 * PAD));
    for (size_t i = 0; i < figure->n; i++)
        TRY(draw_panel(canvas, figure, &layout, i));
    TRY(draw_axes(canvas, figure, &layout));
    return draw_bar(canvas, figure, &layout);
}

/* ---- for the back ends ---- */

bool placed_is_blank(const struct placed *placed, size_t row, size_t column)
{
    return isnan(placed->panel->values[row * placed->panel->n_columns + column]);
}

struct rgb placed_colour(const struct placed *placed, size_t row, size_t column)
{
    const struct panel *panel = placed->panel;
    double value = (double)panel->values[row * panel->n_columns + column];
    if (placed_is_blank(placed, row, column))
        return placed->scheme->page;
    if (placed->two_sided)
        return scheme_colour_signed(placed->scheme, (value - placed->middle) / panel->most);
    return scheme_colour(placed->scheme, scale_part(placed->scale, value, panel->most));
}

weir_status placed_pixels(uint32_t **out, const struct placed *placed)
{
    const struct panel *panel = placed->panel;
    TRY(weir_alloc(out, panel->n_rows * panel->n_columns, sizeof **out));
    for (size_t i = 0; i < panel->n_rows; i++)
        for (size_t j = 0; j < panel->n_columns; j++) {
            struct rgb rgb = placed_colour(placed, i, j);
            (*out)[i * panel->n_columns + j] = 0xff000000u | (uint32_t)rgb.r << 16 | (uint32_t)rgb.g << 8 | rgb.b;
        }
    return WEIR_OK;
}

/* Writes one file, and reports characters that no font has. */
static weir_status save_as(const struct figure *figure, const char *path, bool force, figure_write *write)
{
    struct written written;
    char size[16];
    if (!path)
        return WEIR_OK;
    TRY(write(&written, figure, path, force));
    say("%s: %s\n", path, weir_size_text(size, written.bytes));
    if (written.n_missing > 0)
        say("%s: %zu characters are in no installed font and appear as boxes; Debian's %s\n", path, written.n_missing,
            "fonts-noto-core, fonts-noto-cjk and fonts-noto-color-emoji have most of them");
    return WEIR_OK;
}

weir_status figure_save(const struct figure *figure, const char *png, const char *svg, bool force)
{
    TRY(save_as(figure, png, force, figure_write_png));
    return save_as(figure, svg, force, figure_write_svg);
}

weir_status picture_save(const char *path, bool force, const void *bytes, size_t n)
{
    struct output output;
    weir_status status = output_open(&output, path, force, false);
    if (status == WEIR_OK)
        status = output_write(&output, bytes, n);
    if (status == WEIR_OK)
        status = output_commit(&output);
    output_close(&output);
    return status;
}
