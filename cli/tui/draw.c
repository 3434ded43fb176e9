/* Draws the screen: title, lists, map, details, status line. */
#include "cli/print/text.h"
#include "cli/tui/app.h"

#include "analysis/analysis.h"

#include <string.h>

enum { LEAST_WIDTH = 60, LEAST_HEIGHT = 16, BROAD = 100, WIDE = 140 };

void tui_heading(const struct tui_box *box, bool is_chosen, const char *text)
{
    screen_text(box->y, box->x, box->width, is_chosen ? LOOK_STRONG | LOOK_CHOSEN : LOOK_STRONG, text);
}

const char *tui_token(char to[160], const struct tui_value *value, int32_t position, size_t columns)
{
    token_label(to, 160, weir_file_token(value->file, value->place.prompt, position), columns);
    return to;
}

const char *tui_axis(const struct tui_value *value, int axis)
{
    return axis < 0 ? "" : weir_axis_name(value->point->point->axes[axis]);
}

const char *tui_number(char to[32], const struct tui_value *value, float number)
{
    if (weir_value_is_absent(number))
        return "-";
    if (tui_is_pattern(value) && number >= 0 && number <= 1)
        snprintf(to, 32, "%.4f", (double)number);
    else
        short_number(to, (double)number);
    return to;
}

/* "run.h5  gpt2  pattern  layer 3  head 0  prompt 0 of 2" */
static void draw_title(const struct tui_app *app, int width)
{
    const struct tui_value *value = &app->value;
    const weir_file_info *info = weir_file_get_info(app->file);
    char layer[32] = "", unit[48] = "";
    if (value->layer >= 0)
        snprintf(layer, sizeof layer, "  layer %d", value->layer);
    if (value->outer_axis >= 0)
        snprintf(unit, sizeof unit, "  %s %d", tui_axis(value, value->outer_axis), value->place.unit);
    screen_print(0, 0, width, LOOK_CHOSEN, " %s%s%s  prompt %d of %d   %s  %s", value->point->point->name, layer, unit,
                 value->place.prompt, info->n_prompts, info->model, app->path);
}

/* "query 5 | mat|  key 3 | on|  0.1041" */
static void describe_cell(char *to, size_t size, const struct tui_app *app)
{
    const struct tui_value *value = &app->value;
    const struct tui_state *state = &app->state;
    char token[160], key[160] = "", number[32], column[64] = "";
    *to = '\0';
    if (*app->problem || !app->band.is_read || state->n_rows == 0)
        return;
    int32_t position = value->prompt.positions[state->at.row];
    if (value->column_axis >= 0) {
        if (weir_axis_is_position(value->point->point->axes[value->column_axis]))
            tui_token(key, value, (int32_t)state->column, 16);
        snprintf(column, sizeof column, "  %s %zu ", tui_axis(value, value->column_axis), state->column);
    }
    snprintf(to, size, " %s %d %s%s%s  %s", tui_axis(value, value->row_axis), position,
             tui_token(token, value, position, 16), column, key,
             tui_number(number, value, tui_band_row(&app->band, state->at.row)[state->column]));
}

/* The search as it is typed, a note, or the cell under the cursor; hints at the right. */
static void draw_status(const struct tui_app *app, int y, int width)
{
    static const char hints[] = "? help  q quit ";
    char text[600];
    int right = (int)sizeof hints - 1;
    if (app->is_searching)
        snprintf(text, sizeof text, " go to the token with text: %s_", app->search);
    else if (app->note)
        snprintf(text, sizeof text, " %s", app->note);
    else
        describe_cell(text, sizeof text, app);
    screen_text(y, 0, width - right, LOOK_CHOSEN, text);
    screen_text(y, width - right, right, LOOK_CHOSEN, hints);
}

/* The prompts get what they need up to a third. */
static void draw_left(struct tui_app *app, struct tui_box box)
{
    int lines = app->extent.n_prompts + 1, most = box.height / 3;
    lines = lines < most ? lines : most;
    struct tui_box tree = {box.y, box.x, box.height - lines - 1, box.width};
    tui_draw_tree(app, tree);
    tui_draw_prompts(app, (struct tui_box){box.y + tree.height + 1, box.x, lines, box.width});
}

/* The map with the row's details beside it, or below it where it is not wide. */
static void draw_right(struct tui_app *app, struct tui_box box, bool is_wide)
{
    struct tui_box map = box, row = box;
    if (is_wide) {
        row.width = 46;
        map.width = box.width - row.width - 3;
        row.x = box.x + map.width + 3;
        screen_line_down(box.y, row.x - 2, box.height);
    } else {
        row.height = box.height / 3 < 6 ? 6 : box.height / 3;
        map.height = box.height - row.height - 1;
        row.y = box.y + map.height + 1;
    }
    tui_draw_map(app, map);
    tui_draw_row(app, row);
}

void tui_draw(struct tui_app *app)
{
    struct tui_box all = screen_box();
    screen_clear();
    if (all.width < LEAST_WIDTH || all.height < LEAST_HEIGHT) {
        screen_print(0, 0, all.width, LOOK_PLAIN, "%dx%d is too small", all.width, all.height);
        screen_print(1, 0, all.width, LOOK_PLAIN, "weir tui needs %dx%d", LEAST_WIDTH, LEAST_HEIGHT);
    } else {
        bool is_wide = all.width >= WIDE;
        int left = all.width >= BROAD ? 26 : 21;
        draw_left(app, (struct tui_box){1, 0, all.height - 2, left});
        screen_line_down(1, left, all.height - 2);
        draw_right(app, (struct tui_box){1, left + 2, all.height - 2, all.width - left - 2}, is_wide);
        draw_title(app, all.width);
        draw_status(app, all.height - 1, all.width);
        if (app->state.help)
            tui_draw_help(all);
    }
    screen_show();
}
