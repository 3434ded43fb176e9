#include "analysis/analysis.h"

#include "base/alloc.h"

#include <string.h>

/* A negative index counts from the end. */
static weir_status resolve(int *index, int n, const char *what)
{
    int given = *index;
    if (*index < 0)
        *index += n;
    if (*index < 0 || *index >= n)
        return weir_fail(WEIR_E_USAGE, "%s %d is out of range; it goes from 0 to %d", what, given, n - 1);
    return WEIR_OK;
}

/* Moves the queries that were stored to the front. */
static void drop_absent(struct weir_attention *attention, const int32_t *positions)
{
    size_t n = attention->n_keys, kept = 0;
    for (size_t i = 0; i < attention->n_queries; i++) {
        if (weir_row_is_absent(attention->weights + i * n, n))
            continue;
        memmove(attention->weights + kept * n, attention->weights + i * n, n * sizeof *attention->weights);
        attention->positions[kept++] = positions[i];
    }
    attention->n_queries = kept;
}

static weir_status read_head(struct weir_attention *attention, const weir_file *file, const weir_file_point *pattern,
                             int layer, int head, int index)
{
    weir_file_prompt prompt;
    size_t room;
    TRY(weir_file_get_prompt(file, index, &prompt));
    TRY(weir_mul(&room, prompt.n_rows, prompt.n));
    TRY(weir_alloc(&attention->weights, room, sizeof *attention->weights));
    TRY(weir_alloc(&attention->positions, prompt.n_rows, sizeof *attention->positions));
    attention->n_queries = prompt.n_rows;
    attention->n_keys = prompt.n;
    weir_block block = {{(size_t)head, 0, 0}, {1, prompt.n_rows, prompt.n}};
    TRY(weir_file_read(file, pattern, layer, index, &block, attention->weights));
    drop_absent(attention, prompt.positions);
    if (attention->n_queries == 0)
        return weir_fail(WEIR_E_USAGE, "layer %d head %d is not stored for prompt %d", layer, head, index);
    return WEIR_OK;
}

weir_status weir_attention_read(struct weir_attention **out, const weir_file *file, int *layer, int *head, int prompt)
{
    const weir_file_info *info = weir_file_get_info(file);
    const weir_file_point *pattern = weir_file_find(file, "pattern");
    *out = NULL;
    if (!pattern)
        return weir_fail(WEIR_E_INPUT, "the file has no attention patterns; dump with --hooks pattern");
    TRY(resolve(layer, info->n_layers, "layer"));
    TRY(resolve(head, (int)pattern->shape[0], "head"));
    TRY(resolve(&prompt, info->n_prompts, "prompt"));
    if (!pattern->layers[*layer])
        return weir_fail(WEIR_E_USAGE, "the pattern of layer %d is not stored", *layer);
    TRY(weir_alloc_zero(out, 1, sizeof **out));
    weir_status status = read_head(*out, file, pattern, *layer, *head, prompt);
    if (status != WEIR_OK) {
        weir_attention_close(*out);
        *out = NULL;
    }
    return status;
}

void weir_attention_close(struct weir_attention *attention)
{
    if (!attention)
        return;
    weir_free(attention->positions);
    weir_free(attention->weights);
    weir_free(attention);
}

size_t weir_strongest(size_t *out, size_t k, const float *weights, size_t n)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        size_t at = found;
        while (at > 0 && weights[out[at - 1]] < weights[i])
            at--;
        if (at == k || !(weights[i] > 0))
            continue;
        found = found < k ? found + 1 : k;
        memmove(out + at + 1, out + at, (found - 1 - at) * sizeof *out);
        out[at] = i;
    }
    return found;
}
