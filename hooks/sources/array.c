/* Arrays of a file as the numbers of an edit. */
#include "hooks/sources/parts.h"

#include "base/alloc.h"
#include "base/text.h"
#include "hooks/sources/fit.h"

#include <math.h>
#include <string.h>

/* One array that is read. */
struct loaded_array {
    const struct weir_tensor *tensor;
    float *values;         /* [tensor->n] */
    size_t minus_infinity; /* the first such value; tensor->n: there is none */
};

struct weir_array_source {
    struct weir_bag bag;
    struct loaded_array *list; /* [n] */
    size_t n, capacity;
    size_t *which; /* [n_sites] index into the list */
};

static const char *array_path(const struct weir_edit_source *source)
{
    return source->edit->value.file.path;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* "[3, 5]": where value i of an array is. */
static weir_status add_index(struct weir_text *text, const struct weir_tensor *tensor, size_t i)
{
    size_t at[WEIR_MAX_DIMS] = {0};
    for (int dim = tensor->n_dims - 1; dim >= 0; dim--) {
        at[dim] = i % tensor->shape[dim];
        i /= tensor->shape[dim];
    }
    for (int dim = 0; dim < tensor->n_dims; dim++)
        TRY(weir_text_print(text, "%s%zu", dim == 0 ? "[" : ", ", at[dim]));
    return weir_text_print(text, "%s", tensor->n_dims > 0 ? "]" : "");
}

static weir_status refuse_value(const struct weir_edit_source *source, const struct weir_tensor *tensor, size_t i,
                                float value)
{
    struct weir_text index = {0};
    weir_status status = add_index(&index, tensor, i);
    if (status == WEIR_OK)
        status = weir_fail(WEIR_E_INPUT, "%s: %s%s is %s: an edit takes finite numbers", array_path(source),
                           tensor->name, index.data, isnan(value) ? "NaN" : "infinite");
    weir_text_close(&index);
    return status;
}

static weir_status load_array(struct weir_edit_source *source, const struct weir_tensor *tensor)
{
    struct weir_array_source *array = source->array;
    if (tensor->n == 0)
        return weir_fail(WEIR_E_INPUT, "%s: %s is empty", array_path(source), tensor->name);
    TRY(weir_grow(&array->list, &array->capacity, array->n + 1, sizeof *array->list));
    struct loaded_array *loaded = &array->list[array->n];
    *loaded = (struct loaded_array){.tensor = tensor, .minus_infinity = tensor->n};
    TRY(weir_alloc(&loaded->values, tensor->n, sizeof *loaded->values));
    array->n++;
    weir_to_f32(loaded->values, tensor->data, tensor->type, tensor->n);
    for (size_t i = tensor->n; i-- > 0;) {
        if (loaded->values[i] == -INFINITY)
            loaded->minus_infinity = i;
        else if (!isfinite(loaded->values[i]))
            return refuse_value(source, tensor, i, loaded->values[i]);
    }
    return WEIR_OK;
}

weir_status weir_array_choose(const struct weir_tensor **out, const struct weir_bag *bag,
                              const struct weir_file_name *file, const struct weir_site *site)
{
    if (!bag->by_layer || file->name)
        return weir_bag_find(out, bag, file->path, file->name);
    *out = NULL;
    if (site->layer < 0)
        return weir_fail(WEIR_E_USAGE,
                         "%s has a direction for each layer, and %s stands outside the layers: name one of them, as in "
                         "%s:direction.1",
                         file->path, weir_point_at(site->point)->name, file->path);
    *out = weir_bag_of_layer(bag, site->layer);
    return *out ? WEIR_OK
                : weir_fail(WEIR_E_USAGE, "%s has no direction.%d for layer %d: name layers that it has", file->path,
                            site->layer, site->layer);
}

static weir_status open_array_site(struct weir_edit_source *source, size_t site)
{
    struct weir_array_source *array = source->array;
    const struct weir_tensor *tensor;
    size_t i = 0;
    TRY(weir_array_choose(&tensor, &array->bag, &source->edit->value.file, &source->scope->sites[site]));
    while (i < array->n && array->list[i].tensor != tensor)
        i++;
    if (i == array->n)
        TRY(load_array(source, tensor));
    array->which[site] = i;
    size_t odd = array->list[i].minus_infinity;
    return odd == tensor->n || weir_edit_source_takes(source, site, -INFINITY)
               ? WEIR_OK
               : refuse_value(source, tensor, odd, -INFINITY);
}

weir_status weir_array_source_open(struct weir_edit_source *source)
{
    size_t n = source->scope->n_sites;
    TRY(weir_alloc_zero(&source->array, 1, sizeof *source->array));
    TRY(weir_alloc_zero(&source->array->which, n, sizeof *source->array->which));
    TRY(weir_bag_open(&source->array->bag, array_path(source)));
    for (size_t site = 0; site < n; site++)
        TRY(open_array_site(source, site));
    return weir_tensors_check_whole(source->array->bag.tensors);
}

void weir_array_source_close(struct weir_array_source *array)
{
    if (!array)
        return;
    for (size_t i = 0; i < array->n; i++)
        weir_free(array->list[i].values);
    weir_free(array->list);
    weir_free(array->which);
    weir_bag_close(&array->bag);
    weir_free(array);
}

/* ---- fitting ----------------------------------------------------------------------------------------------------- */

/* The sizes that each axis of a slot has: chosen, and whole. */
static void describe_slot(struct weir_fit *fit, const struct weir_edit_source *source, size_t site, size_t prompt)
{
    const struct weir_form *form = &source->forms[site];
    const struct weir_edit_source_slot *slot = weir_edit_source_slot_of(source, site, prompt);
    const struct weir_box *bound = &slot->bound;
    size_t heads = slot->by_query_head ? (size_t)source->model->config.n_heads : form->heads;
    size_t n_layers, keys = weir_edit_source_past(source, prompt) + source->scope->prompts[prompt].n;
    (void)weir_turn_of_site(source->scope, site, &n_layers);
    *fit = (struct weir_fit){.heads_first = form->has_keys, .column_axis = form->column_axis};
    bool in_layers = source->scope->sites[site].layer >= 0;
    fit->axes[WEIR_FIT_LAYERS] =
        (struct weir_fit_axis){n_layers, in_layers ? (size_t)source->model->config.n_layers : 1};
    fit->axes[WEIR_FIT_PROMPTS] = (struct weir_fit_axis){source->n_changed, source->n_changed};
    fit->axes[WEIR_FIT_ROWS] = (struct weir_fit_axis){bound->rows.n, bound->rows.n};
    fit->axes[WEIR_FIT_HEADS] = (struct weir_fit_axis){form->by_heads ? bound->units.n : heads, heads};
    fit->axes[WEIR_FIT_COLUMNS] = form->has_keys     ? (struct weir_fit_axis){bound->keys.n, keys}
                                  : form->by_neurons ? (struct weir_fit_axis){bound->keys.n, form->columns}
                                  : form->by_columns ? (struct weir_fit_axis){bound->units.n, form->columns}
                                                     : (struct weir_fit_axis){form->columns, form->columns};
}

/* An axis of the grid: by number where the array has all of them, else by those that are chosen. */
static struct weir_grid_axis serve_axis(const struct weir_fit *fit, enum weir_fit_name name, const struct weir_some *of)
{
    const struct weir_fitted *fitted = &fit->fitted[name];
    struct weir_grid_axis axis = {.how = WEIR_SERVES_ALL, .step = fitted->step};
    if (fitted->size > 1)
        axis.how =
            fitted->size == fit->axes[name].whole && name != WEIR_FIT_ROWS ? WEIR_SERVES_NUMBER : WEIR_SERVES_LISTED;
    axis.of = *of;
    return axis;
}

/* Floats to the numbers of this layer and prompt. */
static size_t floats_to_slot(const struct weir_fit *fit, const struct weir_edit_source *source, size_t site,
                             size_t prompt)
{
    size_t n_sites, turn = weir_turn_of_site(source->scope, site, &n_sites);
    const struct weir_fitted *layers = &fit->fitted[WEIR_FIT_LAYERS];
    size_t layer = layers->size == n_sites ? turn : (size_t)source->scope->sites[site].layer;
    return (layers->size > 1 ? layer * layers->step : 0) + source->turns[prompt] * fit->fitted[WEIR_FIT_PROMPTS].step;
}

static weir_status fit_slot(struct weir_edit_source *source, size_t site, size_t prompt)
{
    const struct loaded_array *loaded = &source->array->list[source->array->which[site]];
    struct weir_edit_source_slot *slot = weir_edit_source_slot_of(source, site, prompt);
    const struct weir_form *form = &source->forms[site];
    struct weir_fit fit;
    describe_slot(&fit, source, site, prompt);
    TRY(weir_in(weir_fit_array(&fit, loaded->tensor, weir_point_at(source->scope->sites[site].point)->name),
                array_path(source)));
    const struct weir_some *rows = slot->named.n > 0 ? &slot->named : &slot->bound.rows;
    slot->grid.rows = serve_axis(&fit, WEIR_FIT_ROWS, rows);
    slot->grid.rows.first = slot->named.n > 0 ? weir_edit_source_past(source, prompt) : 0;
    slot->grid.heads = serve_axis(&fit, WEIR_FIT_HEADS, &slot->bound.units);
    slot->grid.columns =
        serve_axis(&fit, WEIR_FIT_COLUMNS, form->has_keys || form->by_neurons ? &slot->bound.keys : &slot->bound.units);
    slot->grid.data = loaded->values + floats_to_slot(&fit, source, site, prompt);
    return WEIR_OK;
}

weir_status weir_array_source_find(struct weir_edit_source *source)
{
    for (size_t site = 0; site < source->scope->n_sites; site++)
        for (size_t prompt = 0; prompt < source->n_prompts; prompt++)
            if (weir_edit_source_slot_of(source, site, prompt)->bound.rows.n > 0)
                TRY(fit_slot(source, site, prompt));
    return WEIR_OK;
}
