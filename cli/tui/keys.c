/* The table of keys. */
#include "cli/tui/keys.h"

#include <curses.h>

static const struct tui_key table[] = {
    {ACTION_UP, {KEY_UP, 'k'}, "up down, k j", "the query or position; in the lists: the line"},
    {ACTION_DOWN, {KEY_DOWN, 'j'}, NULL, NULL},
    {ACTION_LEFT, {KEY_LEFT, 'h'}, "left right, h l", "the key, neuron or dimension; in the tree: fold, unfold"},
    {ACTION_RIGHT, {KEY_RIGHT, 'l'}, NULL, NULL},
    {ACTION_FIRST, {'g'}, "g G", "the first, the last of these"},
    {ACTION_LAST, {'G'}, NULL, NULL},
    {ACTION_FIRST_COLUMN, {KEY_HOME, '0'}, "Home End, 0 $", "the first, the last key, neuron or dimension"},
    {ACTION_LAST_COLUMN, {KEY_END, '$'}, NULL, NULL},
    {ACTION_HEAD_DOWN, {'[', '-'}, "[ ], - +", "the previous, the next head"},
    {ACTION_HEAD_UP, {']', '+', '='}, NULL, NULL},
    {ACTION_LAYER_DOWN, {'{', KEY_PPAGE}, "{ }, PgUp PgDn", "the previous, the next layer"},
    {ACTION_LAYER_UP, {'}', KEY_NPAGE}, NULL, NULL},
    {ACTION_PROMPT_UP, {'p'}, "p P", "the next, the previous prompt"},
    {ACTION_PROMPT_DOWN, {'P'}, NULL, NULL},
    {ACTION_NEXT_PANE, {'\t'}, "Tab, Shift-Tab", "move the arrows between map, tree and prompts"},
    {ACTION_PREVIOUS_PANE, {KEY_BTAB}, NULL, NULL},
    {ACTION_UNFOLD, {'\n', '\r', KEY_ENTER}, "Enter", "in the tree: unfold"},
    {ACTION_LOCK, {' '}, "Space", "lock this row to compare others with it; again to unlock"},
    {ACTION_SCALE, {'s'}, "s", "scale of the shades: square-root, linear, log"},
    {ACTION_DROP_FIRST, {'f'}, "f", "patterns without the first token, renormalized"},
    {ACTION_ZOOM, {'z'}, "z", "one row per line, or two as half blocks"},
    {ACTION_SEARCH, {'/'}, "/", "go to a token with this text"},
    {ACTION_NEXT_MATCH, {'n'}, "n N", "the next, the previous such token"},
    {ACTION_PREVIOUS_MATCH, {'N'}, NULL, NULL},
    {ACTION_HELP, {'?', KEY_F(1)}, "?", "this help"},
    {ACTION_QUIT, {'q', 'Q'}, "q", "quit"},
};

const struct tui_key *tui_key_at(size_t i)
{
    return i < sizeof table / sizeof *table ? &table[i] : NULL;
}

enum tui_action tui_action_of(int key)
{
    const struct tui_key *row;
    for (size_t i = 0; (row = tui_key_at(i)); i++)
        for (int k = 0; k < N_KEYS_EACH && row->keys[k]; k++)
            if (row->keys[k] == key)
                return row->action;
    return ACTION_NONE;
}
