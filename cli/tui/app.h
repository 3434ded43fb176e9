/* weir tui at work: the file, what is shown of it, and the panes that show it. */
#ifndef WEIR_CLI_TUI_APP_H
#define WEIR_CLI_TUI_APP_H

#include "cli/select/next.h"
#include "cli/tui/screen.h"
#include "cli/tui/values.h"

enum { LONGEST_SEARCH = 64 };

struct tui_app {
    const weir_file *file;
    const char *path;
    struct tui_extent extent;
    struct tui_state state;
    struct tui_value value;       /* what is shown */
    struct tui_band band, locked; /* its rows on the screen; the locked row */
    struct stored_next next;      /* of the prompt that was shown last, where the file has likely next tokens */
    char problem[256];            /* why it cannot be shown; "" when it can */
    size_t first_row, first_column, first_node, first_prompt;
    bool is_dense; /* drawn last with two rows a line */
    bool is_searching;
    char search[LONGEST_SEARCH + 1]; /* UTF-8 */
    const char *note;                /* shown once, at the bottom */
};

/* ---- app.c: what keys do ---- */

/* Finds out what the state shows now: sizes, and the problem if there is one. */
void tui_look_up(struct tui_app *app);
/* False when it is time to quit. */
bool tui_act(struct tui_app *app, int key, bool is_text);

/* ---- draw.c: the whole screen ---- */

void tui_draw(struct tui_app *app);
/* A pane's heading; that of the pane that the arrows move in is reversed. */
void tui_heading(const struct tui_box *box, bool is_chosen, const char *text);
/* "|the|" of a position of the prompt that is shown. */
const char *tui_token(char to[160], const struct tui_value *value, int32_t position, size_t columns);
/* "query", "key", "d_mlp", ...: what an axis of the value is called; "" for -1. */
const char *tui_axis(const struct tui_value *value, int axis);
/* A weight with four decimals, any other value as short as can be; "-" for what is not stored. */
const char *tui_number(char to[32], const struct tui_value *value, float number);

/* ---- draw_lists.c, draw_map.c, draw_row.c, draw_help.c: the panes ---- */

void tui_draw_tree(struct tui_app *app, struct tui_box box);
void tui_draw_prompts(struct tui_app *app, struct tui_box box);
void tui_draw_map(struct tui_app *app, struct tui_box box);
void tui_draw_row(struct tui_app *app, struct tui_box box);
void tui_draw_help(struct tui_box screen);

#endif
