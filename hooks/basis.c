/* Bases: reading directions and making them orthonormal. */
#include "hooks/basis.h"

#include "base/alloc.h"
#include "base/watch.h"
#include "format/bag.h"

#include <math.h>
#include <string.h>

/* The array as rows in double, orthonormal. */
static weir_status read_rows(double **out, struct weir_basis *basis, const struct weir_tensor *tensor)
{
    size_t width = tensor->n_dims > 0 ? tensor->shape[tensor->n_dims - 1] : 0, rank = width > 0 ? tensor->n / width : 0;
    float *values = NULL;
    weir_status status;
    if (tensor->n_dims < 1 || tensor->n_dims > 2 || rank == 0 || (basis->width > 0 && basis->width != width))
        return weir_fail(WEIR_E_USAGE, "%s: %s is no basis: it is [rank, width], or one direction", tensor->file,
                         tensor->name);
    if (rank > width)
        return weir_fail(WEIR_E_USAGE, "%s: %s has %zu rows of %zu numbers: no more than %zu can be independent",
                         tensor->file, tensor->name, rank, width, width);
    basis->rank = rank;
    basis->width = width;
    TRY_DONE(weir_alloc(&values, tensor->n, sizeof *values));
    TRY_DONE(weir_alloc(out, tensor->n, sizeof **out));
    weir_to_f32(values, tensor->data, tensor->type, tensor->n);
    for (size_t i = 0; i < tensor->n; i++) {
        if (!isfinite(values[i]))
            TRY_DONE(weir_fail(WEIR_E_INPUT, "%s: row %zu of %s is not finite", tensor->file, i / width, tensor->name));
        (*out)[i] = (double)values[i];
    }
    TRY_DONE(weir_in(weir_in(weir_orthonormalize(*out, rank, width), tensor->name), tensor->file));
done:
    weir_free(values);
    return status;
}

static weir_status read_basis(struct weir_basis *out, const struct weir_bag *bag, const struct weir_file_name *file,
                              int n_layers)
{
    const struct weir_tensor *tensor;
    bool by_layer = bag->by_layer && !file->name;
    out->n_layers = by_layer ? (size_t)n_layers : 1;
    TRY(weir_alloc_zero(&out->rows, out->n_layers, sizeof *out->rows));
    if (!by_layer) {
        TRY(weir_bag_find(&tensor, bag, file->path, file->name));
        TRY(read_rows(&out->rows[0], out, tensor));
    }
    for (int layer = 0; by_layer && layer < n_layers; layer++) {
        tensor = weir_bag_of_layer(bag, layer);
        if (tensor)
            TRY(read_rows(&out->rows[layer], out, tensor));
    }
    return weir_tensors_check_whole(bag->tensors);
}

static weir_status open_and_read(struct weir_basis *out, const struct weir_file_name *file, int n_layers)
{
    struct weir_bag bag;
    TRY(weir_bag_open(&bag, file->path));
    weir_status status = read_basis(out, &bag, file, n_layers);
    weir_bag_close(&bag);
    return status;
}

weir_status weir_basis_open(struct weir_basis *out, const struct weir_file_name *file, int n_layers)
{
    *out = (struct weir_basis){0};
    weir_watch_begin(file->path, "weir");
    weir_status status = open_and_read(out, file, n_layers);
    weir_watch_end();
    if (status != WEIR_OK)
        weir_basis_close(out);
    return status;
}

void weir_basis_close(struct weir_basis *basis)
{
    for (size_t i = 0; basis->rows && i < basis->n_layers; i++)
        weir_free(basis->rows[i]);
    weir_free(basis->rows);
    *basis = (struct weir_basis){0};
}

const double *weir_basis_of(const struct weir_basis *basis, int layer)
{
    if (basis->n_layers == 1)
        return basis->rows[0];
    return layer >= 0 && (size_t)layer < basis->n_layers ? basis->rows[layer] : NULL;
}
