/* Moves the cursor and the choice of point, layer, head, prompt, row and column. */
#include "cli/tui/state.h"

#include <stdlib.h>

static const struct tui_point *extent_point(const struct tui_state *state, int point)
{
    return &state->extent->points[point];
}

/* The marked index nearest to `wanted`, the lower of two; `wanted` where none is marked. */
static int nearest_marked(const bool *marked, int n, int wanted)
{
    int found = -1;
    for (int i = 0; i < n; i++)
        if (marked[i] && (found < 0 || abs(i - wanted) < abs(found - wanted)))
            found = i;
    return found < 0 ? wanted : found;
}

static int next_marked(const bool *marked, int n, int from, int step)
{
    for (int i = from + step; i >= 0 && i < n; i += step)
        if (marked[i])
            return i;
    return from;
}

/* Goes to a point, with the nearest layer and head that it has. */
static void choose_point(struct tui_state *state, int point)
{
    const struct tui_point *p = extent_point(state, point);
    state->at.point = point;
    if (p->layers)
        state->at.layer = nearest_marked(p->layers, state->extent->n_layers, state->at.layer);
    if (p->units)
        state->at.unit = nearest_marked(p->units, p->n_units, state->at.unit);
}

/* The tree's cursor follows what is chosen by other keys, as deep as it was where the tree is still unfolded so far. */
static void follow_choice(struct tui_state *state)
{
    state->node.point = state->at.point;
    if (state->node.layer >= 0)
        state->node.layer = state->at.layer;
    if (state->node.unit >= 0)
        state->node.unit = state->at.unit;
}

void tui_begin(struct tui_state *state, const struct tui_extent *extent, int pattern, int prompt)
{
    *state = (struct tui_state){.extent = extent, .pane = PANE_MAP, .scale = SCALE_SQRT};
    state->at.prompt = prompt;
    choose_point(state, pattern >= 0 ? pattern : 0);
    state->node = (struct tui_node){state->at.point, -1, -1};
    tui_unfold(state);
}

int tui_layer(const struct tui_state *state, const struct tui_place *place)
{
    return extent_point(state, place->point)->layers ? place->layer : -1;
}

void tui_step_layer(struct tui_state *state, long step)
{
    const struct tui_point *p = extent_point(state, state->at.point);
    if (p->layers)
        state->at.layer = next_marked(p->layers, state->extent->n_layers, state->at.layer, step < 0 ? -1 : 1);
    follow_choice(state);
}

void tui_step_unit(struct tui_state *state, long step)
{
    const struct tui_point *p = extent_point(state, state->at.point);
    if (p->units)
        state->at.unit = next_marked(p->units, p->n_units, state->at.unit, step < 0 ? -1 : 1);
    follow_choice(state);
}

/* index + step, kept within 0 to n - 1 */
static size_t moved_within(size_t index, long step, size_t n)
{
    if (step < 0)
        return index < (size_t)-step ? 0 : index - (size_t)-step;
    size_t room = n > index ? n - 1 - index : 0;
    return index + ((size_t)step < room ? (size_t)step : room);
}

void tui_step_prompt(struct tui_state *state, long step)
{
    state->at.prompt = (int)moved_within((size_t)state->at.prompt, step, (size_t)state->extent->n_prompts);
}

void tui_step_row(struct tui_state *state, long step)
{
    state->at.row = moved_within(state->at.row, step, state->n_rows);
}

void tui_step_column(struct tui_state *state, long step)
{
    state->column = moved_within(state->column, step, state->n_columns);
}

void tui_set_size(struct tui_state *state, size_t n_rows, size_t n_columns)
{
    state->n_rows = n_rows;
    state->n_columns = n_columns;
    if (state->at.row >= n_rows)
        state->at.row = n_rows ? n_rows - 1 : 0;
    if (state->column >= n_columns)
        state->column = n_columns ? n_columns - 1 : 0;
}

void tui_toggle_lock(struct tui_state *state)
{
    state->is_locked = !state->is_locked && state->n_rows > 0;
    state->locked = state->at;
}

bool tui_is_comparable(const struct tui_state *state)
{
    return state->is_locked && state->locked.point == state->at.point && state->locked.prompt == state->at.prompt;
}

/* ---- the tree ---- */

/* The first of a list after index `from` that is marked; -1 when there is none. */
static int next_marked_or_none(const bool *marked, int n, int from)
{
    int next = marked ? next_marked(marked, n, from, 1) : from;
    return next == from ? -1 : next;
}

static bool shows_units(const struct tui_state *state, const struct tui_node *node)
{
    return state->units_open && node->point == state->at.point && node->layer == state->at.layer;
}

bool tui_next_node(const struct tui_state *state, struct tui_node *node)
{
    const struct tui_point *p = node->point >= 0 ? extent_point(state, node->point) : NULL;
    if (p && node->layer >= 0 && shows_units(state, node)) {
        int unit = next_marked_or_none(p->units, p->n_units, node->unit);
        if (unit >= 0) {
            node->unit = unit;
            return true;
        }
    }
    node->unit = -1;
    int layer =
        p && state->open[node->point] ? next_marked_or_none(p->layers, state->extent->n_layers, node->layer) : -1;
    node->layer = layer;
    if (layer < 0)
        node->point++;
    return node->point < state->extent->n_points;
}

static bool is_same_node(const struct tui_node *a, const struct tui_node *b)
{
    return a->point == b->point && a->layer == b->layer && a->unit == b->unit;
}

/* The index of the cursor's line; *n is the number of lines. */
static size_t find_node(const struct tui_state *state, size_t *n)
{
    struct tui_node node = {-1, -1, -1};
    size_t found = 0;
    for (*n = 0; tui_next_node(state, &node); (*n)++)
        if (is_same_node(&node, &state->node))
            found = *n;
    return found;
}

static void choose_node(struct tui_state *state, const struct tui_node *node)
{
    state->node = *node;
    choose_point(state, node->point);
    if (node->layer >= 0)
        state->at.layer = node->layer;
    if (node->unit >= 0)
        state->at.unit = node->unit;
}

void tui_step_node(struct tui_state *state, long step)
{
    size_t n;
    size_t wanted = find_node(state, &n);
    struct tui_node node = {-1, -1, -1};
    wanted = moved_within(wanted, step, n);
    for (size_t i = 0; i <= wanted; i++)
        if (!tui_next_node(state, &node))
            return;
    choose_node(state, &node);
}

void tui_unfold(struct tui_state *state)
{
    const struct tui_point *p = extent_point(state, state->node.point);
    if (state->node.layer >= 0)
        state->units_open = p->units != NULL;
    else
        state->open[state->node.point] = p->layers != NULL;
}

void tui_fold(struct tui_state *state)
{
    struct tui_node *node = &state->node;
    if (node->unit >= 0)
        node->unit = -1;
    else if (node->layer >= 0 && state->units_open)
        state->units_open = false;
    else if (node->layer >= 0)
        node->layer = -1;
    else
        state->open[node->point] = false;
}

size_t tui_scroll(size_t first, size_t chosen, size_t n, size_t room)
{
    if (room == 0 || n <= room)
        return 0;
    if (chosen < first)
        first = chosen;
    if (chosen >= first + room)
        first = chosen - room + 1;
    return first + room > n ? n - room : first;
}
