#include "cli/figure.h"

#include "base/alloc.h"
#include "store/partial.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

/* Sizes in points. */
enum {
    PAD = 16,
    TITLE = 14,
    NOTE = 10,
    AXIS = 12,       /* size of the words query and key */
    LABEL = 10,      /* size of the tokens */
    LABEL_ROOM = 12, /* from one label to the next, at the least */
    LABEL_GAP = 6,
    TICK = 10,
    BAR = 12,
    BAR_GAP = 22,
    BAR_CELLS = 64,
    BAR_HIGHEST = 240,
    LARGEST_CELL = 32,
    MOST_LABELLED = 6
};
/* The width of a column of text over its size, about. */
static const double MONO = 0.602, SANS = 0.58, BOLD = 0.64;

static const struct rgb BLACK = {20, 20, 24}, GREY = {95, 95, 105};

/* The sides of a panel by how many there are. */
static const struct {
    size_t n;
    int side;
} sides[] = {{1, 576}, {2, 360}, {6, 260}, {16, 160}, {SIZE_MAX, 96}};

static int side_of(size_t n)
{
    size_t i = 0;
    while (n > sides[i].n)
        i++;
    return sides[i].side;
}

size_t figure_cells(size_t n)
{
    return n == 1 ? 1024 : (size_t)side_of(n);
}

bool figure_has_labels(size_t n)
{
    return n <= MOST_LABELLED;
}

static void free_texts(char **texts, size_t n)
{
    for (size_t i = 0; texts && i < n; i++)
        weir_free(texts[i]);
    weir_free(texts);
}

void figure_close(struct figure *figure)
{
    if (!figure)
        return;
    for (size_t i = 0; i < figure->n; i++) {
        struct panel *panel = &figure->panels[i];
        free_texts(panel->rows, panel->n_rows);
        free_texts(panel->columns, panel->n_columns);
        weir_free(panel->queries);
        weir_free(panel->keys);
        weir_free(panel->values);
        weir_free(panel->title);
    }
    weir_free(figure->panels);
    weir_free(figure->title);
    weir_free(figure->note);
    weir_free(figure->bar);
    weir_free(figure);
}

/* ---- where everything is ---- */

struct layout {
    size_t n_across, n_down;
    double cell;               /* side of a cell */
    double left, below, above; /* of a panel: room for labels, and for its title */
    double panel_width, panel_height;
    double pitch_x, pitch_y;    /* from panel to panel */
    double x, y, width, height; /* of all panels with their labels */
    double head;                /* title and note */
};

/* The most columns that labels take. */
static size_t widest(char *const *labels, size_t n)
{
    size_t most = 0;
    for (size_t i = 0; labels && i < n; i++) {
        size_t columns = text_columns(labels[i]);
        most = columns > most ? columns : most;
    }
    return most;
}

/* Cells are half points, so that they are whole pixels. */
static double cell_of(const struct figure *figure)
{
    size_t most = 1;
    for (size_t i = 0; i < figure->n; i++) {
        most = figure->panels[i].n_rows > most ? figure->panels[i].n_rows : most;
        most = figure->panels[i].n_columns > most ? figure->panels[i].n_columns : most;
    }
    double cell = floor(2.0 * side_of(figure->n) / (double)most) / 2;
    return cell < 0.5 ? 0.5 : cell > LARGEST_CELL ? LARGEST_CELL : cell;
}

/* Key labels hang down to the left at 45 degrees: as much as their width reaches down is what they reach left. */
static void measure(struct layout *layout, const struct figure *figure)
{
    for (size_t i = 0; i < figure->n; i++) {
        const struct panel *panel = &figure->panels[i];
        double rows = (double)widest(panel->rows, panel->n_rows) * LABEL * MONO;
        double slant = (double)widest(panel->columns, panel->n_columns) * LABEL * MONO * M_SQRT1_2;
        double left = panel->rows ? fmax(rows + LABEL_GAP, slant - layout->cell / 2) : 0;
        layout->left = fmax(layout->left, left);
        layout->below = fmax(layout->below, panel->rows ? slant + LABEL_GAP + LABEL : 0);
        layout->above = *panel->title ? 18 : layout->above;
        layout->panel_width = fmax(layout->panel_width, (double)panel->n_columns * layout->cell);
        layout->panel_height = fmax(layout->panel_height, (double)panel->n_rows * layout->cell);
    }
}

static void plan_figure(struct layout *layout, const struct figure *figure)
{
    *layout = (struct layout){.cell = cell_of(figure)};
    measure(layout, figure);
    double gap = figure->panels[0].rows ? 20 : 8, title = 0;
    for (size_t i = 0; i < figure->n; i++) /* a title may be wider than its panel */
        title = fmax(title, (double)text_columns(figure->panels[i].title) * 11 * SANS);
    layout->n_across = figure->n_across < figure->n ? figure->n_across : figure->n;
    layout->n_across = layout->n_across ? layout->n_across : 1;
    layout->n_down = (figure->n + layout->n_across - 1) / layout->n_across;
    layout->pitch_x = layout->left + fmax(layout->panel_width, title) + gap;
    layout->pitch_y = layout->above + layout->panel_height + layout->below + gap;
    layout->head = TITLE + 8 + (*figure->note ? NOTE + 6 : 0) + 8;
    layout->x = PAD + AXIS + 8;
    layout->y = PAD + layout->head;
    layout->width = layout->pitch_x * (double)layout->n_across - gap;
    layout->height = layout->pitch_y * (double)layout->n_down - gap;
}

/* ---- drawing ---- */

static weir_status draw_labels(struct canvas *canvas, const struct placed *placed, double cell)
{
    const struct panel *panel = placed->panel;
    size_t step = (size_t)ceil(LABEL_ROOM / cell);
    struct text text = {.size = LABEL, .anchor = ANCHOR_END, .mono = true, .rgb = BLACK, .x = placed->x - LABEL_GAP};
    for (size_t i = 0; i < panel->n_rows; i += step) {
        text.y = placed->y + ((double)i + 0.5) * cell + 0.35 * LABEL;
        text.text = panel->rows[i];
        TRY(canvas->text(canvas, &text));
    }
    text.degrees = -45;
    step = (size_t)ceil(1.5 * LABEL_ROOM / cell);
    for (size_t i = 0; i < panel->n_columns; i += step) {
        text.x = placed->x + ((double)i + 0.5) * cell + 0.25 * LABEL;
        text.y = placed->y + placed->height + LABEL_GAP + 0.4 * LABEL;
        text.text = panel->columns[i];
        TRY(canvas->text(canvas, &text));
    }
    return WEIR_OK;
}

static weir_status draw_panel(struct canvas *canvas, const struct figure *figure, const struct layout *layout, size_t i)
{
    const struct panel *panel = &figure->panels[i];
    size_t down = i / layout->n_across, across = i % layout->n_across;
    struct placed placed = {.panel = panel,
                            .scale = figure->scale,
                            .x = layout->x + layout->left + layout->pitch_x * (double)across,
                            .y = layout->y + layout->above + layout->pitch_y * (double)down,
                            .width = layout->cell * (double)panel->n_columns,
                            .height = layout->cell * (double)panel->n_rows};
    if (*panel->title)
        TRY(canvas->text(
            canvas, &(struct text){.x = placed.x, .y = placed.y - 5, .size = 11, .rgb = BLACK, .text = panel->title}));
    TRY(canvas->cells(canvas, &placed));
    return panel->rows ? draw_labels(canvas, &placed, layout->cell) : WEIR_OK;
}

/* The words query and key, at the middle of all panels' left and lower sides. */
static weir_status draw_axes(struct canvas *canvas, const struct layout *layout)
{
    double down = layout->above + (layout->height - layout->above - layout->below) / 2;
    double across = layout->left + (layout->width - layout->left) / 2;
    struct text query = {.x = PAD + AXIS - 2, .y = layout->y + down, .degrees = -90, .text = "query"};
    struct text key = {.x = layout->x + across, .y = layout->y + layout->height + AXIS + 4, .text = "key"};
    query.size = key.size = AXIS;
    query.anchor = key.anchor = ANCHOR_MIDDLE;
    query.rgb = key.rgb = GREY;
    TRY(canvas->text(canvas, &query));
    return canvas->text(canvas, &key);
}

static double bar_height(const struct layout *layout)
{
    return fmin(BAR_HIGHEST, fmax(layout->height - layout->above - layout->below, 64));
}

/* The weight at a part of the colour bar: scale_part turned round. */
static double value_at(const struct figure *figure, double part)
{
    if (figure->scale == SCALE_LOG)
        return figure->most * pow(SCALE_LOG_LEAST, 1 - part);
    return figure->most * (figure->scale == SCALE_SQRT ? part * part : part);
}

static weir_status draw_ticks(struct canvas *canvas, const struct figure *figure, double x, double y, double height)
{
    const int n = figure->scale == SCALE_LOG ? 3 : 4;
    for (int i = 0; i <= n; i++) {
        char number[32];
        snprintf(number, sizeof number, "%.3g", value_at(figure, (double)i / n));
        TRY(canvas->text(canvas, &(struct text){.x = x,
                                                .y = y + height * (1 - (double)i / n) + 0.35 * TICK,
                                                .size = TICK,
                                                .rgb = BLACK,
                                                .text = number}));
    }
    return WEIR_OK;
}

static weir_status draw_bar(struct canvas *canvas, const struct figure *figure, const struct layout *layout)
{
    float values[BAR_CELLS];
    for (int i = 0; i < BAR_CELLS; i++)
        values[i] = 1 - ((float)i + 0.5f) / BAR_CELLS;
    double x = layout->x + layout->width + BAR_GAP, y = layout->y + layout->above, height = bar_height(layout);
    struct panel panel = {.n_rows = BAR_CELLS, .n_columns = 1, .values = values, .most = 1};
    struct placed placed = {&panel, SCALE_LINEAR, x, y, BAR, height};
    TRY(canvas->cells(canvas, &placed));
    TRY(draw_ticks(canvas, figure, x + BAR + 5, y, height));
    return canvas->text(canvas, &(struct text){.x = x + BAR + 56,
                                               .y = y + height / 2,
                                               .degrees = -90,
                                               .size = TICK,
                                               .anchor = ANCHOR_MIDDLE,
                                               .rgb = GREY,
                                               .text = figure->bar});
}

static weir_status draw_head(struct canvas *canvas, const struct figure *figure)
{
    TRY(canvas->text(
        canvas,
        &(struct text){.x = PAD, .y = PAD + TITLE, .size = TITLE, .bold = true, .rgb = BLACK, .text = figure->title}));
    if (!*figure->note)
        return WEIR_OK;
    return canvas->text(
        canvas, &(struct text){.x = PAD, .y = PAD + TITLE + NOTE + 8, .size = NOTE, .rgb = GREY, .text = figure->note});
}

weir_status figure_draw(const struct figure *figure, struct canvas *canvas)
{
    struct layout layout;
    plan_figure(&layout, figure);
    double head =
        fmax((double)text_columns(figure->title) * TITLE * BOLD, (double)text_columns(figure->note) * NOTE * SANS);
    double width = layout.x + layout.width + BAR_GAP + BAR + 56 + TICK + PAD;
    double height = layout.y + fmax(layout.height, layout.above + bar_height(&layout)) + AXIS + 8 + PAD;
    TRY(canvas->begin(canvas, ceil(fmax(width, head + 2 * PAD)), ceil(height)));
    TRY(draw_head(canvas, figure));
    for (size_t i = 0; i < figure->n; i++)
        TRY(draw_panel(canvas, figure, &layout, i));
    TRY(draw_axes(canvas, &layout));
    return draw_bar(canvas, figure, &layout);
}

/* ---- for the back ends ---- */

struct rgb placed_colour(const struct placed *placed, size_t row, size_t column)
{
    const struct panel *panel = placed->panel;
    return colour_of(scale_part(placed->scale, (double)panel->values[row * panel->n_columns + column], panel->most));
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

static weir_status write_all(int fd, const char *path, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return weir_fail(WEIR_E_OUTPUT, "%s: %s", path, strerror(errno));
        bytes += done;
        n -= (size_t)done;
    }
    return WEIR_OK;
}

weir_status picture_save(const char *path, bool force, const void *bytes, size_t n)
{
    struct weir_partial *partial = NULL;
    weir_status status;
    TRY_DONE(weir_partial_open(&partial, path, force));
    TRY_DONE(write_all(partial->fd, path, bytes, n));
    TRY_DONE(weir_partial_commit(partial));
done:
    weir_partial_close(partial);
    return status;
}
