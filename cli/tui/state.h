/* The state of weir tui, and how keys change it: no terminal and no file here, only limits. */
#ifndef WEIR_CLI_TUI_STATE_H
#define WEIR_CLI_TUI_STATE_H

#include "cli/print/colour.h"

#include "points/points.h"

enum tui_pane { PANE_TREE, PANE_PROMPTS, PANE_MAP, N_PANES };
enum tui_zoom { ZOOM_AUTO, ZOOM_DENSE, ZOOM_ROOMY }; /* two rows a line, or one */

/* The layers and units of one stored hook point that can be chosen. */
struct tui_point {
    const bool *layers; /* [n_layers] stored or not; NULL outside blocks */
    bool *units;        /* [n_units] heads, experts: stored or not; NULL for points without such an axis */
    int n_units;
};

/* The points, layers, units and prompts of a file that can be chosen. */
struct tui_extent {
    struct tui_point points[WEIR_N_POINTS]; /* [n_points] in the order of the file */
    int n_points, n_layers, n_prompts;
};

/* One row of one value. layer and unit keep their number where the point has none, for when it has again. */
struct tui_place {
    int point, layer, unit, prompt;
    size_t row; /* of the stored positions */
};

/* A line of the tree: a point (layer and unit -1), one of its layers (unit -1), a head of that layer. */
struct tui_node {
    int point, layer, unit;
};

struct tui_state {
    const struct tui_extent *extent;
    struct tui_place at, locked;
    bool is_locked, drop_first, help;
    enum tui_pane pane;
    enum scale scale;
    enum tui_zoom zoom;
    size_t column;            /* key, neuron, ... */
    size_t n_rows, n_columns; /* of the value at `at` */
    struct tui_node node;     /* the tree's cursor; its point is at.point */
    bool open[WEIR_N_POINTS]; /* points whose layers are listed */
    bool units_open;          /* whether the chosen layer's heads are listed */
};

/* The first pattern if there is one, else the first point, with its first stored layer and head. */
void tui_begin(struct tui_state *state, const struct tui_extent *extent, int pattern, int prompt);
/* The layer to read: -1 outside blocks. */
int tui_layer(const struct tui_state *state, const struct tui_place *place);

/* To the next stored layer or head in the direction of `step`; stays where there is none. */
void tui_step_layer(struct tui_state *state, long step);
void tui_step_unit(struct tui_state *state, long step);
/* As far as `step` and what there is. */
void tui_step_prompt(struct tui_state *state, long step);
void tui_step_row(struct tui_state *state, long step);
void tui_step_column(struct tui_state *state, long step);
/* After the value has changed: its size, into which row and column are brought. */
void tui_set_size(struct tui_state *state, size_t n_rows, size_t n_columns);
/* Locks the row that is shown, or takes the lock away. */
void tui_toggle_lock(struct tui_state *state);
/* True where the locked row has the same columns as the one shown, so that they can be side by side. */
bool tui_is_comparable(const struct tui_state *state);

/* The line after `node` of the tree as it is unfolded, the first one after {-1}; false past the last. */
bool tui_next_node(const struct tui_state *state, struct tui_node *node);
/* Moves the cursor `step` lines, as far as there are any. The line that it is on is shown. */
void tui_step_node(struct tui_state *state, long step);
/* Unfolds the line of the cursor; folds it, or goes to the line that it belongs to. */
void tui_unfold(struct tui_state *state);
void tui_fold(struct tui_state *state);

/* The first of n lines to show in `room` so that `chosen` is among them, moved from `first` as little as can be. */
size_t tui_scroll(size_t first, size_t chosen, size_t n, size_t room);

#endif
