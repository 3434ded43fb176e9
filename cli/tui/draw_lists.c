/* Draws the tree of hook points and the list of prompts. */
#include "cli/tui/app.h"

#include <stdio.h>
#include <string.h>

/* ---- hook points, layers, heads ---- */

/* "▾ pattern", "  ▸ layer 3", "      head 0" */
static const char *node_text(char to[96], const struct tui_app *app, const struct tui_node *node)
{
    const weir_file_point *point = weir_file_point_at(app->file, node->point);
    if (node->unit >= 0) {
        int axis = weir_point_row_axis(point->point) == 0 ? 1 : 0;
        snprintf(to, 96, "      %s %d", weir_axis_name(point->point->axes[axis]), node->unit);
    } else if (node->layer >= 0) {
        bool is_open =
            app->state.units_open && node->layer == app->state.at.layer && node->point == app->state.at.point;
        bool has_units = app->extent.points[node->point].units != NULL;
        snprintf(to, 96, "  %s layer %d", has_units ? (is_open ? "▾" : "▸") : " ", node->layer);
    } else {
        bool is_open = app->state.open[node->point];
        snprintf(to, 96, "%s %s", point->layers ? (is_open ? "▾" : "▸") : " ", point->point->name);
    }
    return to;
}

/* Lines that what is shown belongs to are strong, the cursor's is chosen. */
static int node_look(const struct tui_state *state, const struct tui_node *node)
{
    bool is_cursor = memcmp(node, &state->node, sizeof *node) == 0;
    bool is_shown = node->point == state->at.point && (node->layer < 0 || node->layer == state->at.layer) &&
                    (node->unit < 0 || node->unit == state->at.unit);
    return (is_cursor && state->pane == PANE_TREE ? LOOK_CHOSEN : 0) | (is_shown ? LOOK_STRONG : 0);
}

static size_t count_nodes(const struct tui_state *state, size_t *cursor)
{
    struct tui_node node = {-1, -1, -1};
    size_t n = 0;
    *cursor = 0;
    for (; tui_next_node(state, &node); n++)
        if (memcmp(&node, &state->node, sizeof node) == 0)
            *cursor = n;
    return n;
}

void tui_draw_tree(struct tui_app *app, struct tui_box box)
{
    const struct tui_state *state = &app->state;
    struct tui_node node = {-1, -1, -1};
    char text[96];
    size_t cursor, n = count_nodes(state, &cursor), room = (size_t)box.height - 1;
    app->first_node = tui_scroll(app->first_node, cursor, n, room);
    tui_heading(&box, state->pane == PANE_TREE, "hook points");
    for (size_t i = 0; tui_next_node(state, &node) && i < app->first_node + room; i++)
        if (i >= app->first_node)
            screen_text(box.y + 1 + (int)(i - app->first_node), box.x, box.width, node_look(state, &node),
                        node_text(text, app, &node));
}

/* ---- prompts ---- */

/* Its text, or its first tokens where it was made from ids. */
static void prompt_text(char to[128], const struct tui_app *app, int prompt)
{
    weir_file_prompt tokens;
    size_t at = 0;
    *to = '\0';
    if (weir_file_get_prompt(app->file, prompt, &tokens) != WEIR_OK)
        return;
    if (tokens.text)
        snprintf(to, 128, "%s", tokens.text);
    for (size_t i = 0; !tokens.text && i < tokens.n && at < 100; i++)
        at += (size_t)snprintf(to + at, 128 - at, "%.24s", weir_file_token(app->file, prompt, (int)i));
}

void tui_draw_prompts(struct tui_app *app, struct tui_box box)
{
    const struct tui_state *state = &app->state;
    char text[128], title[48];
    int chosen = state->pane == PANE_PROMPTS ? LOOK_STRONG | LOOK_CHOSEN : LOOK_STRONG;
    size_t n = (size_t)app->extent.n_prompts, room = (size_t)box.height - 1;
    app->first_prompt = tui_scroll(app->first_prompt, (size_t)state->at.prompt, n, room);
    snprintf(title, sizeof title, n == 1 ? "1 prompt" : "%zu prompts", n);
    tui_heading(&box, state->pane == PANE_PROMPTS, title);
    for (size_t i = app->first_prompt; i < n && i < app->first_prompt + room; i++) {
        prompt_text(text, app, (int)i);
        screen_print(box.y + 1 + (int)(i - app->first_prompt), box.x, box.width,
                     i == (size_t)state->at.prompt ? chosen : LOOK_PLAIN, "%3zu %s", i, text);
    }
}
