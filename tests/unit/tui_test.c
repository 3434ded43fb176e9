#include "cli/tui/keys.h"
#include "cli/tui/state.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

/* Three points: all layers with heads of which 1 and 2 are stored, layers 0 and 3 without heads, one outside blocks. */
static const bool all[4] = {true, true, true, true}, some[4] = {true, false, false, true};
static bool heads[4] = {false, true, true, false};
static const struct tui_extent extent = {
    .points = {{all, heads, 4}, {some, NULL, 0}, {NULL, NULL, 0}}, .n_points = 3, .n_layers = 4, .n_prompts = 3};
static struct tui_state state;

static void begin(void)
{
    tui_begin(&state, &extent, 0, 1);
    tui_set_size(&state, 10, 20);
}

TestSuite(tui, .init = begin);

Test(tui, begins_at_what_is_stored)
{
    cr_expect(eq(int, state.at.unit, 1));
    cr_expect(eq(int, state.at.prompt, 1));
    cr_expect(eq(int, tui_layer(&state, &state.at), 0));
}

Test(tui, layers_and_heads_stop_at_the_last_stored)
{
    for (int i = 0; i < 9; i++)
        tui_step_layer(&state, 1);
    tui_step_unit(&state, 1);
    tui_step_unit(&state, 1);
    cr_expect(eq(int, state.at.layer, 3));
    cr_expect(eq(int, state.at.unit, 2));
    tui_step_unit(&state, -1);
    tui_step_unit(&state, -1);
    cr_expect(eq(int, state.at.unit, 1));
}

Test(tui, prompts_stop_at_both_ends)
{
    for (int i = 0; i < 5; i++)
        tui_step_prompt(&state, 1);
    cr_expect(eq(int, state.at.prompt, 2));
    for (int i = 0; i < 5; i++)
        tui_step_prompt(&state, -1);
    cr_expect(eq(int, state.at.prompt, 0));
}

Test(tui, rows_and_columns_stay_inside_and_follow_a_smaller_value)
{
    tui_step_row(&state, INT32_MAX);
    tui_step_column(&state, 7);
    cr_expect(eq(sz, state.at.row, 9));
    cr_expect(eq(sz, state.column, 7));
    tui_set_size(&state, 3, 4);
    cr_expect(eq(sz, state.at.row, 2));
    cr_expect(eq(sz, state.column, 3));
    tui_step_row(&state, -INT32_MAX);
    cr_expect(eq(sz, state.at.row, 0));
    tui_set_size(&state, 0, 0);
    tui_step_row(&state, 5);
    cr_expect(eq(sz, state.at.row, 0));
}

Test(tui, a_lock_keeps_its_place_and_compares_within_a_prompt)
{
    tui_step_row(&state, 4);
    tui_toggle_lock(&state);
    tui_step_row(&state, 1);
    tui_step_layer(&state, 1);
    cr_expect(tui_is_comparable(&state));
    cr_expect(eq(sz, state.locked.row, 4));
    cr_expect(eq(int, state.locked.layer, 0));
    tui_step_prompt(&state, 1);
    cr_expect(not(tui_is_comparable(&state)));
    tui_toggle_lock(&state);
    cr_expect(not(state.is_locked));
}

Test(tui, nothing_is_locked_where_there_are_no_rows)
{
    tui_set_size(&state, 0, 0);
    tui_toggle_lock(&state);
    cr_expect(not(state.is_locked));
}

static size_t count_lines(void)
{
    struct tui_node node = {-1, -1, -1};
    size_t n = 0;
    while (tui_next_node(&state, &node))
        n++;
    return n;
}

Test(tui, the_tree_lists_stored_layers_and_heads)
{
    cr_expect(eq(sz, count_lines(), 3 + 4)); /* the first point is unfolded */
    tui_step_node(&state, 2);
    cr_expect(eq(int, state.at.layer, 1));
    tui_unfold(&state);
    cr_expect(eq(sz, count_lines(), 3 + 4 + 2));
    tui_step_node(&state, 2);
    cr_expect(eq(int, state.node.unit, 2));
    cr_expect(eq(int, state.at.unit, 2));
    tui_fold(&state); /* to its layer, then folded, then to its point, then folded */
    tui_fold(&state);
    tui_fold(&state);
    tui_fold(&state);
    cr_expect(eq(sz, count_lines(), 3));
}

Test(tui, the_tree_goes_to_the_nearest_layer_that_a_point_has)
{
    tui_fold(&state);
    tui_step_layer(&state, 1);
    tui_step_node(&state, 1);
    cr_expect(eq(int, state.at.point, 1));
    cr_expect(eq(int, state.at.layer, 0));
    tui_unfold(&state);
    cr_expect(eq(sz, count_lines(), 3 + 2));
    tui_step_node(&state, 2);
    cr_expect(eq(int, state.at.layer, 3));
    tui_step_node(&state, 99);
    cr_expect(eq(int, state.at.point, 2));
    cr_expect(eq(int, tui_layer(&state, &state.at), -1));
    tui_step_node(&state, -99);
    cr_expect(eq(int, state.at.point, 0));
}

Test(tui, other_keys_take_the_cursor_of_the_tree_along)
{
    struct tui_node node = {-1, -1, -1};
    tui_step_node(&state, 1);
    tui_unfold(&state);
    tui_step_node(&state, 1);
    tui_step_layer(&state, 1);
    tui_step_unit(&state, 1);
    bool is_listed = false;
    while (tui_next_node(&state, &node))
        is_listed = is_listed || (node.point == 0 && node.layer == state.node.layer && node.unit == state.node.unit);
    cr_expect(is_listed);
    cr_expect(eq(int, state.node.layer, 1));
    cr_expect(eq(int, state.node.unit, 2));
}

Test(tui, scrolling_moves_as_little_as_it_can)
{
    cr_expect(eq(sz, tui_scroll(0, 5, 4, 10), 0));
    cr_expect(eq(sz, tui_scroll(3, 5, 100, 10), 3));
    cr_expect(eq(sz, tui_scroll(3, 13, 100, 10), 4));
    cr_expect(eq(sz, tui_scroll(30, 7, 100, 10), 7));
    cr_expect(eq(sz, tui_scroll(95, 99, 100, 10), 90));
    cr_expect(eq(sz, tui_scroll(95, 99, 100, 0), 0));
}

Test(tui, no_key_means_two_things)
{
    const struct tui_key *row;
    for (size_t i = 0; (row = tui_key_at(i)); i++)
        for (int k = 0; k < N_KEYS_EACH && row->keys[k]; k++)
            cr_expect(eq(int, (int)tui_action_of(row->keys[k]), (int)row->action));
    cr_expect(eq(int, (int)tui_action_of('x'), ACTION_NONE));
}
