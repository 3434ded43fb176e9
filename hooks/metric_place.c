/* Reads places for metrics. */
#include "hooks/metric_place.h"

#include "base/alloc.h"
#include "base/watch.h"
#include "format/bag.h"
#include "points/points.h"

#include <math.h>

/* ---- vectors ---- */

/* How many numbers a site has at one position. */
static size_t width_of(const struct weir_model *model, const struct weir_site *site)
{
    const weir_point *point = weir_point_at(site->point);
    size_t shape[WEIR_MAX_AXES], n = 1;
    int n_axes = weir_model_shape(model, site->point, shape), unit = weir_point_unit_axis(point);
    for (int i = 0; i < n_axes; i++)
        if (i != weir_point_row_axis(point))
            n *= i == unit ? site->units.n : shape[i];
    return n;
}

static weir_status load_vector(double **out, const struct weir_tensor *tensor, size_t width)
{
    float *values;
    if (tensor->n != width)
        return weir_fail(WEIR_E_USAGE, "%s: %s has %zu numbers, and the place %zu at a position", tensor->file,
                         tensor->name, tensor->n, width);
    TRY(weir_alloc(&values, width, sizeof *values));
    weir_to_f32(values, tensor->data, tensor->type, width);
    weir_status status = weir_alloc(out, width, sizeof **out);
    for (size_t i = 0; status == WEIR_OK && i < width; i++) {
        (*out)[i] = (double)values[i];
        if (!isfinite(values[i]))
            status = weir_fail(WEIR_E_INPUT, "%s: number %zu of %s is not finite", tensor->file, i, tensor->name);
    }
    weir_free(values);
    return status;
}

static weir_status load_vectors(struct weir_metric_place *place, const struct weir_bag *bag,
                                const struct weir_file_name *file)
{
    for (size_t i = 0; i < place->scope->n_sites; i++) {
        const struct weir_site *site = &place->scope->sites[i];
        const struct weir_tensor *tensor;
        if (!bag->by_layer || file->name)
            TRY(weir_bag_find(&tensor, bag, file->path, file->name));
        else
            tensor = weir_bag_of_layer(bag, site->layer);
        if (!tensor)
            return weir_fail(WEIR_E_USAGE, "%s has no direction for layer %d", file->path, site->layer);
        TRY(load_vector(&place->vectors[i], tensor, width_of(place->scope->model, site)));
    }
    return weir_tensors_check_whole(bag->tensors);
}

static weir_status read_vectors(struct weir_metric_place *place, const struct weir_file_name *file)
{
    struct weir_bag bag;
    TRY(weir_alloc_zero(&place->vectors, place->scope->n_sites, sizeof *place->vectors));
    weir_watch_begin(file->path, "weir");
    weir_status status = weir_bag_open(&bag, file->path);
    if (status == WEIR_OK) {
        status = load_vectors(place, &bag, file);
        weir_bag_close(&bag);
    }
    weir_watch_end();
    return status;
}

/* ---- opening ---- */

static bool has_keys(const struct weir_scope *scope)
{
    const weir_point *point = weir_point_at(scope->sites[0].point);
    return point->axes[point->n_axes - 1] == WEIR_AXIS_KEY;
}

static weir_status open_place(struct weir_metric_place *out, const struct weir_model *model,
                              const struct weir_metric *metric)
{
    TRY(weir_scope_open_selection(&out->scope, model, &out->selection));
    if (weir_scope_is_by_expert(out->scope, &out->scope->sites[0]))
        return weir_fail(WEIR_E_USAGE, "'%s': single experts are for edits", out->term.text);
    if (out->term.where.by_query_head)
        return weir_fail(WEIR_E_USAGE, "'%s': a metric reads values themselves, not the copies of query heads",
                         out->term.text);
    if (metric->kind != WEIR_METRIC_DOT)
        return WEIR_OK;
    if (has_keys(out->scope))
        return weir_fail(WEIR_E_USAGE, "'%s' has keys, of which there are as many as the prompt has: no vector fits",
                         out->term.text);
    return read_vectors(out, &metric->file);
}

weir_status weir_metric_place_open(struct weir_metric_place *out, const struct weir_model *model,
                                   const struct weir_metric *metric)
{
    struct weir_where *where = &out->term.where;
    *out = (struct weir_metric_place){.term = *metric->place};
    out->last = (struct weir_spot){.slice = {.has_start = true, .single = true, .start = -1, .step = 1}};
    if (!where->has_positions)
        where->positions = (struct weir_spots){&out->last, 1};
    where->has_prompts = false; /* whose they are decides which prompt is read, not what is named of it */
    where->prompts = (struct weir_whose){0};
    out->selection = (struct weir_selection){&out->term, 1};
    weir_status status = open_place(out, model, metric);
    if (status != WEIR_OK)
        weir_metric_place_close(out);
    return status;
}

void weir_metric_place_close(struct weir_metric_place *place)
{
    for (size_t i = 0; place->vectors && i < place->scope->n_sites; i++)
        weir_free(place->vectors[i]);
    weir_free(place->vectors);
    weir_scope_close(place->scope);
    place->vectors = NULL;
    place->scope = NULL;
}

/* ---- reading ---- */

static double number_at(const weir_event *event, size_t i)
{
    return event->indices ? (double)event->indices[i] : (double)event->data[i];
}

/* The product of one row of a box with the vector, whose numbers come in the order of units and of what they have. */
static double row_sum(const weir_event *event, size_t row, const struct weir_box *box, const double *vector)
{
    int row_axis = weir_point_row_axis(event->point), unit_axis = weir_point_unit_axis(event->point);
    bool keyed = event->axes[event->n_axes - 1] == WEIR_AXIS_KEY;
    size_t n[WEIR_MAX_AXES] = {1, 1, 1}, size[WEIR_MAX_AXES] = {1, 1, 1}, at = 0;
    const struct weir_some *some[WEIR_MAX_AXES] = {NULL};
    double sum = 0;
    for (int i = 0; i < event->n_axes; i++) {
        some[i] = i == unit_axis && box->units.n ? &box->units : keyed && i == event->n_axes - 1 ? &box->keys : NULL;
        size[i] = event->shape[i];
        n[i] = i == row_axis ? 1 : some[i] ? some[i]->n : size[i];
    }
    for (size_t a = 0; a < n[0]; a++)
        for (size_t b = 0; b < n[1]; b++)
            for (size_t c = 0; c < n[2]; c++) {
                const size_t step[WEIR_MAX_AXES] = {a, b, c};
                size_t index = 0;
                for (int i = 0; i < WEIR_MAX_AXES; i++)
                    index = index * size[i] + (i == row_axis ? row
                                               : some[i]     ? weir_some_at(some[i], step[i])
                                                             : step[i]);
                sum += number_at(event, index) * (vector ? vector[at++] : 1);
            }
    return sum;
}

double weir_metric_place_sum(double *sums, const struct weir_metric_place *place, size_t site, size_t named,
                             const weir_event *event, size_t first)
{
    const struct weir_region region = weir_scope_region(place->scope, &place->scope->sites[site], named);
    const double *vector = place->vectors ? place->vectors[site] : NULL;
    double sum = 0;
    for (size_t i = 0; i < region.n; i++)
        for (size_t r = 0; r < region.boxes[i].rows.n; r++) {
            size_t position = first + weir_some_at(&region.boxes[i].rows, r);
            double row =
                position >= event->first ? row_sum(event, position - event->first, &region.boxes[i], vector) : 0;
            sum += row;
            if (sums)
                sums[position] += row;
        }
    return sum;
}
