/* Fits arrays to what edits change: all ways are tried, and there must be one. */
#include "hooks/sources/fit.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* A way: the axis of each dimension; WEIR_N_FIT for those of size 1. */
struct way {
    enum weir_fit_name axis[WEIR_MAX_DIMS];
};

struct search {
    const struct weir_fit *fit;
    const struct weir_tensor *array;
    enum weir_fit_name order[WEIR_N_FIT]; /* of the value's axes, outermost first */
    struct way now, found[2];
    size_t n_found; /* 2: two or more */
};

static bool is_size_of(const struct weir_fit *fit, enum weir_fit_name axis, size_t size)
{
    const struct weir_fit_axis *a = &fit->axes[axis];
    return a->chosen > 1 ? size == a->chosen || size == a->whole : axis == WEIR_FIT_COLUMNS && size == a->whole;
}

/* The last dimension that is not of size 1; -1: none. */
static int last_long(const struct weir_tensor *array)
{
    int dim = array->n_dims - 1;
    while (dim >= 0 && array->shape[dim] == 1)
        dim--;
    return dim;
}

static void search_from(struct search *search, int dim, int first_axis)
{
    const struct weir_tensor *array = search->array;
    if (dim == array->n_dims) {
        if (search->n_found < 2)
            search->found[search->n_found++] = search->now;
        return;
    }
    if (array->shape[dim] == 1) {
        search->now.axis[dim] = WEIR_N_FIT;
        search_from(search, dim + 1, first_axis);
        return;
    }
    bool is_last = dim == last_long(array) && search->fit->column_axis != WEIR_N_AXES;
    for (int i = is_last ? WEIR_N_FIT - 1 : first_axis; i < WEIR_N_FIT; i++) {
        if ((!is_last && search->order[i] == WEIR_FIT_COLUMNS && search->fit->column_axis != WEIR_N_AXES) ||
            !is_size_of(search->fit, search->order[i], array->shape[dim]))
            continue;
        search->now.axis[dim] = search->order[i];
        search_from(search, dim + 1, i + 1);
    }
}

/* The array as it stands, where it has as many axes as the value, some of them of size 1. */
static bool find_as_it_stands(struct way *way, const struct search *search)
{
    int n_value = search->fit->column_axis == WEIR_N_AXES ? 1 : 2;
    bool has_ones = false;
    n_value += search->fit->axes[WEIR_FIT_HEADS].whole > 1;
    if (search->array->n_dims != n_value)
        return false;
    for (int dim = 0, i = WEIR_FIT_ROWS; dim < n_value; dim++, i++) {
        if (search->order[i] == WEIR_FIT_HEADS && search->fit->axes[WEIR_FIT_HEADS].whole <= 1)
            i++;
        bool is_one = search->array->shape[dim] == 1;
        has_ones |= is_one;
        way->axis[dim] = is_one ? WEIR_N_FIT : search->order[i];
        if (!is_one && !is_size_of(search->fit, search->order[i], search->array->shape[dim]))
            return false;
    }
    return has_ones;
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

static const char *name_of_axis(const struct weir_fit *fit, enum weir_fit_name axis)
{
    static const char *const names[] = {"layers", "prompts", "positions", "heads", "numbers"};
    return axis == WEIR_FIT_COLUMNS && fit->column_axis < WEIR_N_AXES ? weir_axis_name(fit->column_axis) : names[axis];
}

/* "[12, 768]" */
static const char *shape_text(char to[128], const struct weir_tensor *array)
{
    *to = '\0';
    for (int i = 0; i < array->n_dims; i++)
        weir_text_append(to, 128, "%s%zu", i == 0 ? "[" : ", ", array->shape[i]);
    weir_text_append(to, 128, "%s", array->n_dims > 0 ? "]" : "a number");
    return to;
}

static weir_status refuse_width(const struct search *search, const char *point)
{
    const struct weir_fit_axis *columns = &search->fit->axes[WEIR_FIT_COLUMNS];
    char shape[128];
    return weir_fail(WEIR_E_USAGE, "%s is %s: its last axis must have the %zu of %s (%s), or 1", search->array->name,
                     shape_text(shape, search->array), columns->whole, point,
                     name_of_axis(search->fit, WEIR_FIT_COLUMNS));
}

static weir_status refuse_shape(const struct search *search, const char *point)
{
    const struct weir_fit *fit = search->fit;
    char shape[128], sizes[128] = "";
    int last = last_long(search->array);
    if (fit->column_axis != WEIR_N_AXES && !is_size_of(fit, WEIR_FIT_COLUMNS, search->array->shape[last]))
        return refuse_width(search, point);
    for (int i = 0; i < WEIR_N_FIT; i++)
        if (fit->axes[search->order[i]].chosen > 1)
            weir_text_append(sizes, sizeof sizes, "%s%zu %s", *sizes ? ", " : "", fit->axes[search->order[i]].chosen,
                             name_of_axis(fit, search->order[i]));
    return weir_fail(WEIR_E_USAGE, "%s is %s, which does not fit what is changed of %s: %s", search->array->name,
                     shape_text(shape, search->array), point, *sizes ? sizes : "one number");
}

static weir_status refuse_two(const struct search *search)
{
    char shape[128];
    int dim = 0;
    while (search->found[0].axis[dim] == search->found[1].axis[dim])
        dim++;
    return weir_fail(
        WEIR_E_USAGE,
        "%s is %s: its %zu fit both the %s and the %s: give it all axes of the value, 1 where one serves all",
        search->array->name, shape_text(shape, search->array), search->array->shape[dim],
        name_of_axis(search->fit, search->found[0].axis[dim]), name_of_axis(search->fit, search->found[1].axis[dim]));
}

/* ---- fitting ----------------------------------------------------------------------------------------------------- */

static void take_way(struct weir_fit *fit, const struct weir_tensor *array, const struct way *way)
{
    size_t step = 1;
    memset(fit->fitted, 0, sizeof fit->fitted);
    for (int dim = array->n_dims - 1; dim >= 0; dim--) {
        if (way->axis[dim] != WEIR_N_FIT)
            fit->fitted[way->axis[dim]] = (struct weir_fitted){array->shape[dim], step};
        step *= array->shape[dim];
    }
}

weir_status weir_fit_array(struct weir_fit *fit, const struct weir_tensor *array, const char *point)
{
    struct search search = {.fit = fit, .array = array};
    struct way as_it_stands;
    const enum weir_fit_name rows_first[] = {WEIR_FIT_LAYERS, WEIR_FIT_PROMPTS, WEIR_FIT_ROWS, WEIR_FIT_HEADS,
                                             WEIR_FIT_COLUMNS};
    const enum weir_fit_name heads_first[] = {WEIR_FIT_LAYERS, WEIR_FIT_PROMPTS, WEIR_FIT_HEADS, WEIR_FIT_ROWS,
                                              WEIR_FIT_COLUMNS};
    memcpy(search.order, fit->heads_first ? heads_first : rows_first, sizeof search.order);
    search_from(&search, 0, 0);
    if (search.n_found == 0)
        return refuse_shape(&search, point);
    if (search.n_found == 2 && !find_as_it_stands(&as_it_stands, &search))
        return refuse_two(&search);
    take_way(fit, array, search.n_found == 1 ? &search.found[0] : &as_it_stands);
    return WEIR_OK;
}
