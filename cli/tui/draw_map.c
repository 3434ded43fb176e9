/* Draws the value that is shown as a map of shades. */
#include "cli/print/text.h"
#include "cli/tui/app.h"

#include "analysis/analysis.h"

#include <math.h>

enum { NUMBER = 5, TOKEN = 14, MARK = 1, BAR = 8, LABEL = NUMBER + 1 + TOKEN + MARK, TICK = 5, VALUE = 11 };

/* The places of the map's parts in its pane. */
struct plan {
    struct tui_box box;      /* of the cells */
    bool two_rows;           /* rows a line: two as half blocks, else one */
    int cell;                /* columns a cell */
    bool has_norms;          /* a bar with each row's norm before its cells */
    size_t n_lines, n_shown; /* lines and columns of cells that there is room for */
    float largest;           /* the value of the deepest shade */
    int window;              /* of the layer, for patterns */
};

/* ---- places ---- */

/* True for two rows per line, where they do not fit otherwise; only colours can show both. */
static bool wants_two_rows(const struct tui_app *app, size_t lines)
{
    if (app->state.zoom == ZOOM_AUTO)
        return app->value.n_rows > lines && screen_has_colours();
    return app->state.zoom == ZOOM_DENSE;
}

/* Norms need a line per row; cells are two columns wide where all of them fit. */
static void plan_map(struct plan *plan, const struct tui_app *app, struct tui_box box)
{
    const struct tui_value *value = &app->value;
    size_t lines = (size_t)box.height - 3; /* without heading, numbers and legend */
    bool is_single = value->column_axis < 0;
    *plan = (struct plan){.n_lines = lines};
    plan->two_rows = !is_single && wants_two_rows(app, lines);
    plan->has_norms = !is_single && !plan->two_rows && value->outer_axis < 0;
    int left = LABEL + (plan->has_norms ? BAR + 1 : 0);
    plan->box = (struct tui_box){box.y + 2, box.x + left, (int)lines, box.width - left};
    plan->cell = !plan->two_rows && value->n_columns * 2 <= (size_t)plan->box.width ? 2 : 1;
    plan->n_shown = (size_t)(plan->box.width / plan->cell);
}

static size_t rows_a_line(const struct plan *plan)
{
    return plan->two_rows ? 2 : 1;
}

/* Brings the chosen row and column into view and reads the rows that are. */
static weir_status read_shown_rows(struct tui_app *app, struct plan *plan)
{
    const struct tui_value *value = &app->value;
    size_t each = rows_a_line(plan), room = plan->n_lines * each;
    app->first_row = tui_scroll(app->first_row, app->state.at.row, value->n_rows, room);
    app->first_row -= app->first_row % each;
    if (app->state.at.row >= app->first_row + room) /* rounding down has hidden it */
        app->first_row += each;
    app->first_column = tui_scroll(app->first_column, app->state.column, value->n_columns, plan->n_shown);
    size_t n = value->n_rows - app->first_row;
    TRY(tui_band_read(&app->band, value, app->first_row, n < room ? n : room,
                      app->state.drop_first && tui_is_pattern(value)));
    plan->window = tui_is_pattern(value) ? weir_window_of(value->file, value->layer) : 0;
    plan->largest = tui_is_pattern(value) ? 1 : tui_largest(app->band.values, app->band.n * value->n_columns);
    return WEIR_OK;
}

/* ---- shades ---- */

static struct tui_shade shade_of(const struct tui_app *app, const struct plan *plan, float value)
{
    bool is_masked = value == -INFINITY && app->value.point->point->id == WEIR_P_ATTN_SCORES;
    if (weir_value_is_absent(value) || is_masked)
        return (struct tui_shade){SHADE_NOTHING, 0};
    if (isnan(value))
        return (struct tui_shade){SHADE_NAN, 0};
    double part = plan->largest > 0 ? scale_part(app->state.scale, fabs((double)value), (double)plan->largest) : 0;
    return (struct tui_shade){SHADE_PART, value < 0 ? -part : part};
}

static struct tui_shade shade_at(const struct tui_app *app, const struct plan *plan, size_t row, size_t column)
{
    if (row >= app->band.first + app->band.n)
        return (struct tui_shade){SHADE_NOTHING, 0};
    if (tui_is_pattern(&app->value) && weir_is_masked(app->value.prompt.positions[row], (int32_t)column, plan->window))
        return (struct tui_shade){SHADE_NOTHING, 0};
    return shade_of(app, plan, tui_band_row(&app->band, row)[column]);
}

/* ---- parts ---- */

/* The chosen column's number, and those of every so many where they do not touch it. */
static void draw_column_numbers(const struct tui_app *app, const struct plan *plan)
{
    char number[24];
    size_t end = app->first_column + plan->n_shown, n = app->value.n_columns, step = TICK;
    int y = plan->box.y - 1, right = plan->box.x + plan->box.width;
    int digits = snprintf(number, sizeof number, "%zu", app->state.column);
    int chosen = plan->box.x + (int)(app->state.column - app->first_column) * plan->cell;
    chosen = chosen + digits > right ? right - digits : chosen;
    screen_text(y, chosen, digits, LOOK_CHOSEN, number);
    while (n >= 1000 && step * (size_t)plan->cell < 2 * NUMBER)
        step += TICK;
    for (size_t i = (app->first_column + step - 1) / step * step; i < end && i < n; i += step) {
        int x = plan->box.x + (int)(i - app->first_column) * plan->cell;
        int width = snprintf(number, sizeof number, "%zu", i);
        if (x + width <= right && (x > chosen + digits || x + width < chosen))
            screen_text(y, x, width, LOOK_FAINT, number);
    }
}

/* Number and token of the chosen row if it is in the line, else of the line's first. */
static void draw_row_label(const struct tui_app *app, const struct plan *plan, int y, size_t row)
{
    size_t chosen = app->state.at.row, each = rows_a_line(plan);
    bool is_chosen = chosen >= row && chosen < row + each;
    char token[160];
    int x = plan->box.x - LABEL - (plan->has_norms ? BAR + 1 : 0);
    int32_t position = app->value.prompt.positions[is_chosen ? chosen : row];
    screen_print(y, x, NUMBER, is_chosen ? LOOK_STRONG : LOOK_FAINT, "%*d", NUMBER, position);
    tui_token(token, &app->value, position, TOKEN);
    screen_text(y, x + NUMBER + 1, TOKEN, is_chosen ? LOOK_CHOSEN : LOOK_PLAIN, token);
    if (is_chosen)
        screen_text(y, x + LABEL - MARK, MARK, LOOK_STRONG, each == 1 ? "▸" : chosen == row ? "▀" : "▄");
}

/* One line: a row as shades, or two rows as halves. */
static void draw_map_cells(const struct tui_app *app, const struct plan *plan, int y, size_t row)
{
    size_t end = app->first_column + plan->n_shown;
    end = end < app->value.n_columns ? end : app->value.n_columns;
    for (size_t i = app->first_column; i < end; i++) {
        int x = plan->box.x + (int)(i - app->first_column) * plan->cell;
        if (plan->two_rows)
            screen_two_shades(y, x, shade_at(app, plan, row, i), shade_at(app, plan, row + 1, i));
        else
            screen_shade(y, x, plan->cell, shade_at(app, plan, row, i));
    }
}

/* A value for each position: its number and a bar. */
static void draw_single_value(const struct tui_app *app, const struct plan *plan, int y, size_t row)
{
    char number[32];
    float value = tui_band_row(&app->band, row)[0];
    struct tui_shade shade = shade_of(app, plan, value);
    screen_print(y, plan->box.x, VALUE, LOOK_PLAIN, "%*s", VALUE, tui_number(number, &app->value, value));
    screen_bar(y, plan->box.x + VALUE + 1, plan->box.width - VALUE - 1, fabs(shade.part));
}

static void draw_row_norm(const struct tui_app *app, const struct plan *plan, int y, size_t row, double largest)
{
    struct tui_summary summary;
    tui_summarize(&summary, tui_band_row(&app->band, row), app->value.n_columns);
    screen_bar(y, plan->box.x - BAR - 1, BAR, largest > 0 ? summary.norm / largest : 0);
}

static double largest_norm(const struct tui_app *app)
{
    struct tui_summary summary;
    double largest = 0;
    for (size_t i = 0; i < app->band.n; i++) {
        tui_summarize(&summary, tui_band_row(&app->band, app->band.first + i), app->value.n_columns);
        largest = summary.norm > largest ? summary.norm : largest;
    }
    return largest;
}

static void draw_map_rows(const struct tui_app *app, const struct plan *plan)
{
    size_t each = rows_a_line(plan);
    double norm = plan->has_norms ? largest_norm(app) : 0;
    for (size_t line = 0; line < plan->n_lines && line * each < app->band.n; line++) {
        size_t row = app->band.first + line * each;
        int y = plan->box.y + (int)line;
        draw_row_label(app, plan, y, row);
        if (app->value.column_axis < 0) {
            draw_single_value(app, plan, y, row);
            continue;
        }
        if (plan->has_norms)
            draw_row_norm(app, plan, y, row, norm);
        draw_map_cells(app, plan, y, row);
    }
}

/* The ramp from the least to the largest value, and the scale's name. */
static void draw_map_legend(const struct tui_app *app, const struct plan *plan, int y, int x)
{
    enum { STEPS = 10 };
    char least[32] = "0", most[32];
    bool is_signed = !tui_is_pattern(&app->value) && screen_has_colours();
    short_number(most, (double)plan->largest);
    if (is_signed)
        snprintf(least, sizeof least, "-%.30s", most);
    if (tui_is_pattern(&app->value))
        snprintf(most, sizeof most, "1");
    int width = plan->box.x + plan->box.width - x, n = (int)text_columns(least) + 1;
    screen_text(y, x, n, LOOK_FAINT, least);
    x += n;
    for (int i = 0; i <= STEPS; i++, x++) {
        double part = (double)i / STEPS;
        screen_shade(y, x, 1, (struct tui_shade){SHADE_PART, is_signed ? 2 * part - 1 : part});
    }
    screen_print(y, x + 1, width - n - STEPS - 2, LOOK_FAINT, "%s  %s%s%s", most, scale_names[app->state.scale],
                 app->state.drop_first && tui_is_pattern(&app->value) ? ", without the first token" : "",
                 plan->two_rows && !screen_has_colours() ? ", the larger of two rows" : "");
}

static void draw_map_heading(const struct tui_app *app, const struct tui_box *box)
{
    const struct tui_value *value = &app->value;
    char text[160];
    if (value->column_axis < 0)
        snprintf(text, sizeof text, "%s ↓", tui_axis(value, value->row_axis));
    else
        snprintf(text, sizeof text, "%s ↓ %zu   %s → %zu", tui_axis(value, value->row_axis), value->n_rows,
                 tui_axis(value, value->column_axis), value->n_columns);
    tui_heading(box, app->state.pane == PANE_MAP, text);
}

void tui_draw_map(struct tui_app *app, struct tui_box box)
{
    struct plan plan;
    plan_map(&plan, app, box);
    app->is_dense = plan.two_rows;
    draw_map_heading(app, &box);
    if (!*app->problem && app->value.n_rows == 0)
        snprintf(app->problem, sizeof app->problem, "no position of this prompt is stored");
    if (!*app->problem && read_shown_rows(app, &plan) != WEIR_OK)
        snprintf(app->problem, sizeof app->problem, "%s", weir_message());
    if (*app->problem) {
        screen_text(box.y + 2, box.x, box.width, LOOK_PLAIN, app->problem);
        return;
    }
    if (app->value.column_axis >= 0)
        draw_column_numbers(app, &plan);
    draw_map_rows(app, &plan);
    if (app->value.column_axis >= 0)
        draw_map_legend(app, &plan, box.y + box.height - 1, box.x);
}
