/* Looks for NaN and infinities in every value of every tensor, which opening a model does not do. */
#include "model/model.h"

#include <math.h>
#include <stdio.h>

enum { PIECE = 1 << 12 }; /* values decoded at a time: a whole number of blocks of any type */

struct tally {
    size_t nan, inf, first; /* index of the first of either */
};

static void count_piece(struct tally *tally, const float *values, size_t n, size_t at)
{
    for (size_t i = 0; i < n; i++) {
        if (isfinite(values[i]))
            continue;
        if (tally->nan + tally->inf == 0)
            tally->first = at + i;
        if (isnan(values[i]))
            tally->nan++;
        else
            tally->inf++;
    }
}

static void count_tensor(struct tally *tally, const struct weir_tensor *tensor)
{
    const struct weir_type_info *type = weir_type_get_info(tensor->type);
    float values[PIECE];
    *tally = (struct tally){0};
    for (size_t at = 0; at < tensor->n; at += PIECE) {
        size_t n = tensor->n - at < PIECE ? tensor->n - at : PIECE;
        weir_to_f32(values, tensor->data + at / type->block_values * type->block_bytes, tensor->type, n);
        count_piece(tally, values, n, at);
    }
}

/* "[3, 17]": the place of value i in a tensor. */
static void write_place(char *text, size_t size, const struct weir_tensor *tensor, size_t i)
{
    size_t index[WEIR_MAX_DIMS], at = 0;
    for (int dim = tensor->n_dims - 1; dim >= 0; dim--) {
        index[dim] = i % tensor->shape[dim];
        i /= tensor->shape[dim];
    }
    for (int dim = 0; dim < tensor->n_dims && at < size; dim++)
        at += (size_t)snprintf(text + at, size - at, "%s%zu", dim ? ", " : "", index[dim]);
}

size_t weir_model_check_weights(const struct weir_model *model, weir_finding_fn *report, void *payload)
{
    size_t found = 0;
    for (size_t i = 0; model->tensors && i < model->tensors->n; i++) {
        const struct weir_tensor *tensor = &model->tensors->list[i];
        char place[96] = "", finding[1024];
        struct tally tally;
        if (tensor->unread)
            continue;
        count_tensor(&tally, tensor);
        if (tally.nan + tally.inf == 0)
            continue;
        write_place(place, sizeof place, tensor, tally.first);
        snprintf(finding, sizeof finding, "%s: tensor '%s': %zu NaN, %zu infinite of %zu values, the first at [%s]",
                 tensor->file, tensor->name, tally.nan, tally.inf, tensor->n, place);
        report(finding, payload);
        found++;
    }
    return found;
}
