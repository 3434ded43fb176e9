/* The keys of weir tui: one table, from which input is understood and the help is drawn. */
#ifndef WEIR_CLI_TUI_KEYS_H
#define WEIR_CLI_TUI_KEYS_H

#include <stddef.h>

enum tui_action {
    ACTION_NONE,
    ACTION_UP,
    ACTION_DOWN,
    ACTION_LEFT,
    ACTION_RIGHT,
    ACTION_FIRST,
    ACTION_LAST,
    ACTION_FIRST_COLUMN,
    ACTION_LAST_COLUMN,
    ACTION_NEXT_PANE,
    ACTION_PREVIOUS_PANE,
    ACTION_LAYER_DOWN,
    ACTION_LAYER_UP,
    ACTION_HEAD_DOWN,
    ACTION_HEAD_UP,
    ACTION_PROMPT_UP,
    ACTION_PROMPT_DOWN,
    ACTION_LOCK,
    ACTION_SCALE,
    ACTION_DROP_FIRST,
    ACTION_ZOOM,
    ACTION_SEARCH,
    ACTION_NEXT_MATCH,
    ACTION_PREVIOUS_MATCH,
    ACTION_UNFOLD,
    ACTION_HELP,
    ACTION_QUIT
};

enum { N_KEYS_EACH = 3 };

struct tui_key {
    enum tui_action action;
    int keys[N_KEYS_EACH]; /* characters, or the KEY_ codes of curses; 0: no more */
    const char *label;     /* how help writes them; NULL: the row above has it */
    const char *help;
};

/* Row i of the table; NULL past the last. */
const struct tui_key *tui_key_at(size_t i);
enum tui_action tui_action_of(int key);

#endif
