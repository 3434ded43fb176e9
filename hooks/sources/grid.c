/* Finds the numbers that serve a box of cells. */
#include "hooks/sources/grid.h"

#include "base/alloc.h"

/* ---- forms ------------------------------------------------------------------------------------------------------- */

struct weir_form weir_form_of(const struct weir_model *model, int point)
{
    struct weir_form form = {.head_axis = WEIR_N_AXES, .column_axis = WEIR_N_AXES, .heads = 1, .columns = 1};
    const weir_point *p = weir_point_at(point);
    size_t shape[WEIR_MAX_AXES];
    int rows = weir_point_row_axis(p), units = weir_point_unit_axis(p), last = p->n_axes - 1;
    weir_model_shape(model, point, shape);
    for (int i = 0; i < last; i++)
        if (i != rows) {
            form.head_axis = p->axes[i];
            form.heads = shape[i];
            form.by_heads = i == units;
        }
    if (last == rows)
        return form;
    form.column_axis = p->axes[last];
    form.has_keys = form.column_axis == WEIR_AXIS_KEY;
    form.columns = form.has_keys ? 0 : shape[last];
    form.by_columns = last == units;
    return form;
}

struct weir_form weir_form_of_site(const struct weir_scope *scope, const struct weir_site *site)
{
    struct weir_form form = weir_form_of(scope->model, site->point);
    if (!weir_scope_is_by_expert(scope, site))
        return form;
    form.head_axis = WEIR_AXIS_EXPERT;
    form.heads = (size_t)scope->model->config.n_experts;
    form.by_heads = form.by_neurons = true;
    return form;
}

void weir_form_box(struct weir_some *heads, struct weir_some *columns, const struct weir_form *form,
                   const struct weir_box *box)
{
    *heads = form->by_heads ? box->units : (struct weir_some){.n = form->heads};
    *columns = form->has_keys || form->by_neurons ? box->keys
               : form->by_columns                 ? box->units
                                                  : (struct weir_some){.n = form->columns};
}

struct weir_operand weir_form_operand(const struct weir_form *form, const float *data, size_t row_step,
                                      size_t head_step, size_t column_step)
{
    struct weir_operand operand = {.data = data, .row_step = row_step};
    operand.unit_step = form->by_columns ? column_step : form->by_heads ? head_step : 0;
    operand.inner_step = form->by_columns ? 0 : column_step;
    return operand;
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

/* Where `number` stands in the list; it is there. Lists of an edit's own order are short. */
static size_t place_in(const struct weir_some *of, size_t number)
{
    size_t low = 0, high = of->n;
    if (!of->list)
        return number;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((size_t)of->list[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < of->n && (size_t)of->list[low] == number)
        return low;
    for (low = 0; low + 1 < of->n && (size_t)of->list[low] != number;)
        low++;
    return low;
}

/* Floats from the first number of the grid to that which serves a cell's. */
static size_t floats_to(const struct weir_grid_axis *axis, size_t number)
{
    if (axis->how == WEIR_SERVES_ALL)
        return 0;
    number += axis->first;
    return axis->step * (axis->how == WEIR_SERVES_NUMBER ? number : place_in(&axis->of, number));
}

/* Some cells along an axis whose numbers stand evenly apart: from `base`, every `step`. */
struct even {
    size_t base, step;
};

/* False where they do not. */
static bool find_even(struct even *out, const struct weir_grid_axis *axis, const struct weir_some *cells)
{
    *out = (struct even){.base = cells->n > 0 ? floats_to(axis, weir_some_at(cells, 0)) : 0};
    if (cells->n < 2 || axis->how == WEIR_SERVES_ALL)
        return true;
    size_t second = floats_to(axis, weir_some_at(cells, 1));
    if (second < out->base)
        return false;
    out->step = second - out->base;
    if (!cells->list && (axis->how == WEIR_SERVES_NUMBER || !axis->of.list))
        return true;
    for (size_t i = 2; i < cells->n; i++)
        if (floats_to(axis, weir_some_at(cells, i)) != out->base + i * out->step)
            return false;
    return true;
}

static weir_status gather_numbers(struct weir_operand *out, const struct weir_grid *grid, const struct weir_form *form,
                                  const struct weir_some cells[3], struct weir_grid_scratch *scratch)
{
    size_t n;
    TRY(weir_mul(&n, cells[1].n, cells[2].n));
    *out = weir_form_operand(form, NULL, n, cells[2].n, 1);
    TRY(weir_mul(&n, n, cells[0].n));
    TRY(weir_grow(&scratch->data, &scratch->capacity, n, sizeof *scratch->data));
    float *to = scratch->data;
    struct even columns;
    bool is_even = find_even(&columns, &grid->columns, &cells[2]);
    for (size_t row = 0; row < cells[0].n; row++)
        for (size_t head = 0; head < cells[1].n; head++) {
            const float *from = grid->data + floats_to(&grid->rows, weir_some_at(&cells[0], row)) +
                                floats_to(&grid->heads, weir_some_at(&cells[1], head));
            for (size_t column = 0; column < cells[2].n; column++)
                *to++ = from[is_even ? columns.base + column * columns.step
                                     : floats_to(&grid->columns, weir_some_at(&cells[2], column))];
        }
    out->data = scratch->data;
    return WEIR_OK;
}

weir_status weir_grid_operand(struct weir_operand *out, const struct weir_grid *grid, const struct weir_form *form,
                              const struct weir_box *box, struct weir_grid_scratch *scratch)
{
    struct weir_some cells[3] = {box->rows};
    struct even rows, heads, columns;
    weir_form_box(&cells[1], &cells[2], form, box);
    bool merged = form->heads > 1 && !form->by_heads; /* both are one to the operand: they must stand side by side */
    if (!merged && find_even(&rows, &grid->rows, &cells[0]) && find_even(&heads, &grid->heads, &cells[1]) &&
        find_even(&columns, &grid->columns, &cells[2])) {
        *out = weir_form_operand(form, grid->data + rows.base + heads.base + columns.base, rows.step, heads.step,
                                 columns.step);
        return WEIR_OK;
    }
    return gather_numbers(out, grid, form, cells, scratch);
}
