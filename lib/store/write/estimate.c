/* Estimates how many bytes a file will have, before it is written. */
#include "store/layout.h"

#include <string.h>

static const uint64_t WORD_BYTES = 24; /* of an id and a text */

static uint64_t round_up(size_t n, size_t step)
{
    return ((uint64_t)n + step - 1) / step * step;
}

/* Bytes of one point's chunks, or all of it; an upper bound where units are selected. */
static uint64_t point_bytes(const struct weir_store_spec *spec, const struct weir_sizes *sizes,
                            const struct weir_store_point *p)
{
    struct weir_layout l;
    weir_layout_of_point(&l, sizes, spec, p);
    uint64_t layers = p->point->per_layer ? 0 : 1, per_layer = 0;
    int unit = weir_point_unit_axis(p->point);
    for (int i = 0; p->point->per_layer && i < spec->model->n_layers; i++)
        layers += p->layers[i];
    for (size_t i = 0; i < spec->n_prompts; i++) {
        uint64_t n = weir_elem_size(l.elem);
        for (int a = l.n_lead; a < l.rank; a++) {
            size_t size = l.dims[a] == WEIR_AXIS_KEY ? spec->prompts[i].n : l.shape[a];
            if (l.dims[a] == WEIR_AXIS_POS || l.dims[a] == WEIR_AXIS_QUERY)
                size = spec->prompts[i].n_rows;
            if (a == l.n_lead + unit && p->n_units)
                size = p->n_units * l.chunk[a] < size ? p->n_units * l.chunk[a] : size;
            n *= l.contiguous ? size : round_up(size, l.chunk[a]);
        }
        per_layer += n;
    }
    return layers * per_layer;
}

/* Bytes of one stored position in all tables. */
static uint64_t row_bytes(const struct weir_store_spec *spec)
{
    uint64_t n = 0;
    for (size_t t = 0; t < spec->n_tables; t++)
        if (weir_table_has_rows(spec->tables[t].table))
            n += spec->tables[t].width * (uint64_t)spec->tables[t].table->n_columns * sizeof(float);
    return n;
}

/* At most so much of the texts of the likeliest tokens. */
static uint64_t words_bytes(const struct weir_store_spec *spec)
{
    uint64_t n = 0, most = (uint64_t)(spec->model->n_vocab > 0 ? spec->model->n_vocab : 0);
    for (size_t t = 0; t < spec->n_tables; t++)
        for (size_t i = 0; i < spec->n_prompts && spec->tables[t].table->token_ids; i++)
            n += spec->tables[t].width * spec->prompts[i].n_rows;
    return WORD_BYTES * (n < most ? n : most);
}

static uint64_t grid_bytes(const struct weir_store_grid *grid)
{
    uint64_t n = sizeof(float);
    for (int a = 0; a < grid->rank; a++)
        n *= grid->shape[a];
    return n + 2048;
}

uint64_t weir_store_point_size(const struct weir_store_spec *spec, size_t i)
{
    struct weir_sizes sizes;
    return weir_sizes_of(&sizes, spec) == WEIR_OK ? point_bytes(spec, &sizes, &spec->points[i]) : 0;
}

uint64_t weir_store_size(const struct weir_store_spec *spec)
{
    struct weir_sizes sizes;
    if (weir_sizes_of(&sizes, spec) != WEIR_OK)
        return 0;
    uint64_t bytes = 65536; /* headers, attributes, scales */
    for (int dim = 0; dim < WEIR_N_DIMS; dim++)
        bytes += 4 * sizes.size[dim];
    for (size_t i = 0; i < spec->n_points; i++)
        bytes += point_bytes(spec, &sizes, &spec->points[i]) + 2048;
    for (size_t i = 0; i < spec->n_prompts; i++)
        bytes += 12 * spec->prompts[i].n + (4 + row_bytes(spec)) * spec->prompts[i].n_rows + spec->prompts[i].n_text +
                 (spec->prompts[i].fields ? strlen(spec->prompts[i].fields) : 0) + 32;
    for (size_t i = 0; i < spec->n_grids; i++)
        bytes += grid_bytes(&spec->grids[i]);
    return bytes + words_bytes(spec);
}
