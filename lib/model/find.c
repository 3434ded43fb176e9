/* Which tensor of the files is which part of the model. */
#include "model/part.h"

#include <stdio.h>
#include <string.h>

/* Appends text[0..n) with "{}" and "[]" filled in. */
static void expand(char out[WEIR_NAME_SIZE], size_t at, const char *text, size_t n, int layer, int index)
{
    for (size_t i = 0; i < n && at < WEIR_NAME_SIZE - 1; i++) {
        bool layer_hole = text[i] == '{', index_hole = text[i] == '[';
        if (layer_hole || index_hole) {
            at += (size_t)snprintf(out + at, WEIR_NAME_SIZE - at, "%d", layer_hole ? layer : index);
            i++; /* its closing bracket */
        } else {
            out[at++] = text[i];
        }
    }
    out[at < WEIR_NAME_SIZE - 1 ? at : WEIR_NAME_SIZE - 1] = '\0';
}

const char *weir_pattern_of(const struct weir_model *model, enum weir_role role)
{
    return model->gguf ? weir_gguf_names[role] : model->family->names[role];
}

/* The tensor's name by pattern[0..n): one name that gets an ending, or the weight's and the bias's with a comma
   between. Empty where the pattern says that there is none. */
static void make_name(char out[WEIR_NAME_SIZE], const char *prefix, const char *pattern, size_t n, struct weir_place at,
                      enum weir_tensor_part which)
{
    static const char *const endings[] = {[WEIR_TENSOR_WEIGHT] = ".weight",
                                          [WEIR_TENSOR_BIAS] = ".bias",
                                          [WEIR_TENSOR_BLOCKS] = "_blocks",
                                          [WEIR_TENSOR_SCALES] = "_scales"};
    size_t comma = strcspn(pattern, ",|");
    bool whole = comma < n;
    const char *from = whole && which == WEIR_TENSOR_BIAS ? pattern + comma + 1 : pattern;
    size_t length = !whole ? n : which == WEIR_TENSOR_BIAS ? n - comma - 1 : comma;
    out[0] = '\0';
    if (length == 0)
        return;
    expand(out, 0, prefix, strlen(prefix), 0, 0);
    expand(out, strlen(out), from, length, at.layer, at.index);
    if (!whole || which == WEIR_TENSOR_BLOCKS || which == WEIR_TENSOR_SCALES)
        expand(out, strlen(out), endings[which], strlen(endings[which]), 0, 0);
}

/* One name of a pattern, without the family's prefix (files saved without a head have none) and with it. */
static const struct weir_tensor *find_one(const struct weir_model *model, enum weir_role role, const char *pattern,
                                          size_t n, struct weir_place at, enum weir_tensor_part which,
                                          char name[WEIR_NAME_SIZE])
{
    const char *prefix = model->gguf || !model->family->prefix || role == WEIR_R_UNEMBED ? "" : model->family->prefix;
    make_name(name, "", pattern, n, at, which);
    const struct weir_tensor *found = weir_tensors_find(model->tensors, name);
    if (found || !*prefix)
        return found;
    make_name(name, prefix, pattern, n, at, which);
    return weir_tensors_find(model->tensors, name);
}

const struct weir_tensor *weir_find_tensor(const struct weir_model *model, enum weir_role role, struct weir_place at,
                                           enum weir_tensor_part which, char name[WEIR_NAME_SIZE])
{
    const char *pattern = weir_pattern_of(model, role);
    bool denied = which == WEIR_TENSOR_BIAS && !model->gguf && !(model->config.biases >> role & 1);
    name[0] = '\0';
    while (pattern && *pattern && !denied) {
        size_t n = strcspn(pattern, "|");
        const struct weir_tensor *found = find_one(model, role, pattern, n, at, which, name);
        if (found)
            return found;
        pattern += n + (pattern[n] == '|');
    }
    return NULL;
}

bool weir_has_tensor(const struct weir_model *model, enum weir_role role, struct weir_place at)
{
    char name[WEIR_NAME_SIZE];
    return weir_find_tensor(model, role, at, WEIR_TENSOR_WEIGHT, name) != NULL;
}

weir_status weir_tensor_missing(const struct weir_model *model, const char *name)
{
    return weir_fail(WEIR_E_INPUT, "%s: tensor '%s' is missing", model->path, name);
}

weir_status weir_not_of_shape(const struct weir_tensor *tensor, const size_t *wanted, int n)
{
    char have[96] = "", want[96] = "";
    size_t at = 0;
    for (int i = 0; i < tensor->n_dims && at < sizeof have; i++)
        at += (size_t)snprintf(have + at, sizeof have - at, "%s%zu", i ? ", " : "", tensor->shape[i]);
    at = 0;
    for (int i = 0; i < n && at < sizeof want; i++)
        at += (size_t)snprintf(want + at, sizeof want - at, "%s%zu", i ? ", " : "", wanted[i]);
    return weir_fail(WEIR_E_INPUT, "%s: tensor '%s' has shape [%s], the config makes it [%s]", tensor->file,
                     tensor->name, have, want);
}

weir_status weir_wrong_shape(const struct weir_tensor *tensor, size_t rows, size_t columns)
{
    return weir_not_of_shape(tensor, (const size_t[]){rows, columns}, columns ? 2 : 1);
}

bool weir_has_shape3(const struct weir_tensor *tensor, const size_t wanted[3])
{
    return tensor->n_dims == 3 && memcmp(tensor->shape, wanted, 3 * sizeof *wanted) == 0;
}
