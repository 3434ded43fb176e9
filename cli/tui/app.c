/* Turns keys into changes of what is shown: moving, searching, locking. */
#include "cli/tui/app.h"

#include "cli/tui/keys.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

enum { ESCAPE = 27, BACKSPACE = 8, DELETE = 127, KEY_CODE_BACKSPACE = 0407, KEY_CODE_ENTER = 0527 };

void tui_look_up(struct tui_app *app)
{
    struct tui_state *state = &app->state;
    app->problem[0] = '\0';
    if (tui_value_at(&app->value, app->file, state, &state->at) != WEIR_OK)
        snprintf(app->problem, sizeof app->problem, "%s", weir_message());
    tui_set_size(state, app->value.n_rows, app->value.n_columns);
}

/* ---- searching ---- */

static bool is_search_match(const struct tui_app *app, size_t row)
{
    return strcasestr(weir_file_token(app->file, app->state.at.prompt, app->value.prompt.positions[row]),
                      app->search) != NULL;
}

/* To the next row in the direction of `step`, around the end, whose token has the text. */
static void find_token(struct tui_app *app, int step)
{
    size_t n = app->state.n_rows, row = app->state.at.row;
    if (!*app->search)
        return;
    for (size_t i = 0; i < n; i++) {
        row = step > 0 ? (row + 1) % n : (row + n - 1) % n;
        if (is_search_match(app, row)) {
            app->state.at.row = row;
            return;
        }
    }
    app->note = "no token has that text";
}

static void add_search_letter(struct tui_app *app, int key)
{
    char bytes[16];
    mbstate_t shift = {0};
    size_t at = strlen(app->search), n = wcrtomb(bytes, (wchar_t)key, &shift);
    if (key >= ' ' && n <= sizeof bytes && at + n <= LONGEST_SEARCH) {
        memcpy(app->search + at, bytes, n);
        app->search[at + n] = '\0';
    }
}

static void drop_last_letter(char *text)
{
    size_t n = strlen(text);
    while (n > 0 && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
        n--;
    text[n > 0 ? n - 1 : 0] = '\0';
}

/* Enter searches, Escape gives up, Backspace takes a letter away, other characters are added. */
static void type_search(struct tui_app *app, int key, bool is_text)
{
    if ((is_text && (key == '\n' || key == '\r')) || (!is_text && key == KEY_CODE_ENTER)) {
        app->is_searching = false;
        find_token(app, 1);
    } else if (is_text && key == ESCAPE) {
        app->is_searching = false;
        app->search[0] = '\0';
    } else if ((is_text && (key == BACKSPACE || key == DELETE)) || (!is_text && key == KEY_CODE_BACKSPACE)) {
        drop_last_letter(app->search);
    } else if (is_text) {
        add_search_letter(app, key);
    }
}

/* ---- moving ---- */

static void move_down(struct tui_state *state, long step)
{
    if (state->pane == PANE_TREE)
        tui_step_node(state, step);
    else if (state->pane == PANE_MAP)
        tui_step_row(state, step);
    else
        tui_step_prompt(state, step);
}

static void move_right(struct tui_state *state, long step)
{
    if (state->pane == PANE_MAP)
        tui_step_column(state, step);
    else if (state->pane == PANE_TREE && step > 0)
        tui_unfold(state);
    else if (state->pane == PANE_TREE)
        tui_fold(state);
}

static void next_pane(struct tui_state *state, long step)
{
    state->pane = (enum tui_pane)(((long)state->pane + step + N_PANES) % N_PANES);
}

/* Further than any list is long. */
enum { FAR = INT32_MAX };

static const struct {
    enum tui_action action;
    void (*move)(struct tui_state *state, long step);
    long step;
} moves[] = {
    {ACTION_UP, move_down, -1},
    {ACTION_DOWN, move_down, 1},
    {ACTION_LEFT, move_right, -1},
    {ACTION_RIGHT, move_right, 1},
    {ACTION_FIRST, move_down, -FAR},
    {ACTION_LAST, move_down, FAR},
    {ACTION_FIRST_COLUMN, tui_step_column, -FAR},
    {ACTION_LAST_COLUMN, tui_step_column, FAR},
    {ACTION_LAYER_DOWN, tui_step_layer, -1},
    {ACTION_LAYER_UP, tui_step_layer, 1},
    {ACTION_HEAD_DOWN, tui_step_unit, -1},
    {ACTION_HEAD_UP, tui_step_unit, 1},
    {ACTION_PROMPT_UP, tui_step_prompt, 1},
    {ACTION_PROMPT_DOWN, tui_step_prompt, -1},
    {ACTION_NEXT_PANE, next_pane, 1},
    {ACTION_PREVIOUS_PANE, next_pane, -1},
};

static bool move_by_action(struct tui_state *state, enum tui_action action)
{
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
        if (moves[i].action == action) {
            moves[i].move(state, moves[i].step);
            return true;
        }
    return false;
}

/* ---- the rest ---- */

/* Keys that move come first; the others are here. */
static void act_in_state(struct tui_app *app, enum tui_action action)
{
    struct tui_state *state = &app->state;
    if (move_by_action(state, action))
        return;
    switch (action) {
    case ACTION_UNFOLD:
        if (state->pane == PANE_TREE)
            tui_unfold(state);
        break;
    case ACTION_LOCK:
        tui_toggle_lock(state);
        break;
    case ACTION_SCALE:
        state->scale = (enum scale)((state->scale + 1) % N_SCALES);
        break;
    case ACTION_DROP_FIRST:
        state->drop_first = !state->drop_first;
        break;
    case ACTION_ZOOM:
        state->zoom = app->is_dense ? ZOOM_ROOMY : ZOOM_DENSE;
        break;
    case ACTION_NEXT_MATCH:
        find_token(app, 1);
        break;
    case ACTION_PREVIOUS_MATCH:
        find_token(app, -1);
        break;
    case ACTION_HELP:
        state->help = true;
        break;
    case ACTION_SEARCH:
        app->is_searching = true;
        app->search[0] = '\0';
        break;
    default:
        break;
    }
}

bool tui_act(struct tui_app *app, int key, bool is_text)
{
    app->note = NULL;
    if (key == 0)
        return true;
    if (app->is_searching) {
        type_search(app, key, is_text);
    } else if (app->state.help) { /* any key takes it away */
        app->state.help = false;
    } else {
        /* characters from 256 on have the numbers of curses' codes, and mean nothing here */
        enum tui_action action = is_text && key >= 256 ? ACTION_NONE : tui_action_of(key);
        if (action == ACTION_QUIT)
            return false;
        act_in_state(app, action);
    }
    tui_look_up(app);
    return true;
}
