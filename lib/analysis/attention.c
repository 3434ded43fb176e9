/* One head's pattern on one prompt: read, renormalized, narrowed to some positions, ranked. */
#include "analysis/analysis.h"

#include "base/alloc.h"

#include <string.h>

/* A negative index counts from the end. */
static weir_status resolve_negative(int *index, int n, const char *what)
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

weir_status weir_stored_pattern(const weir_file_point **out, const weir_file *file)
{
    *out = weir_file_find(file, "pattern");
    if (!*out)
        return weir_fail(WEIR_E_INPUT, "the file has no attention patterns; dump with --hooks pattern");
    return WEIR_OK;
}

/* Reads the whole pattern of one head on one prompt, then leaves out the queries that were not stored. */
static weir_status read_head_pattern(struct weir_attention *attention, const weir_file *file,
                                     const weir_file_point *pattern, int layer, int head, int index)
{
    weir_file_prompt prompt;
    size_t room;
    TRY(weir_file_get_prompt(file, index, &prompt));
    TRY(weir_mul(&room, prompt.n_rows, prompt.n));
    TRY(weir_alloc(&attention->weights, room, sizeof *attention->weights));
    TRY(weir_alloc(&attention->positions, prompt.n_rows, sizeof *attention->positions));
    TRY(weir_alloc(&attention->keys, prompt.n, sizeof *attention->keys));
    attention->n_queries = prompt.n_rows;
    attention->n_keys = prompt.n;
    for (size_t i = 0; i < prompt.n; i++)
        attention->keys[i] = (int32_t)i;
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
    const weir_file_point *pattern;
    *out = NULL;
    TRY(weir_stored_pattern(&pattern, file));
    TRY(resolve_negative(layer, info->n_layers, "layer"));
    TRY(resolve_negative(head, (int)pattern->shape[0], "head"));
    TRY(resolve_negative(&prompt, info->n_prompts, "prompt"));
    if (!pattern->layers[*layer])
        return weir_fail(WEIR_E_USAGE, "the pattern of layer %d is not stored", *layer);
    TRY(weir_alloc_zero(out, 1, sizeof **out));
    (*out)->window = weir_window_of(file, *layer);
    weir_status status = read_head_pattern(*out, file, pattern, *layer, *head, prompt);
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
    weir_free(attention->keys);
    weir_free(attention->weights);
    weir_free(attention);
}

/* Divides a row, without its first weight, by the sum of the rest. */
static void renormalize(float *row, size_t n)
{
    double rest = 0;
    for (size_t j = 1; j < n; j++)
        rest += row[j];
    for (size_t j = 1; j < n; j++)
        row[j] = rest > 0 ? (float)(row[j] / rest) : 0;
}

void weir_attention_drop_first(struct weir_attention *attention)
{
    size_t n = attention->n_keys;
    for (size_t i = 0; i < attention->n_queries && n > 0; i++) {
        renormalize(attention->weights + i * n, n);
        memmove(attention->weights + i * (n - 1), attention->weights + i * n + 1, (n - 1) * sizeof(float));
    }
    if (n > 0)
        memmove(attention->keys, attention->keys + 1, --attention->n_keys * sizeof *attention->keys);
}

static int larger_int(int a, int b)
{
    return a > b ? a : b;
}

weir_status weir_attention_add(struct weir_attention *sum, const struct weir_attention *more)
{
    size_t n = sum->n_queries * sum->n_keys;
    if (sum->n_queries != more->n_queries || sum->n_keys != more->n_keys ||
        memcmp(sum->positions, more->positions, sum->n_queries * sizeof *sum->positions) != 0)
        return weir_fail(WEIR_E_INPUT, "the heads were stored at different queries: they cannot be combined");
    for (size_t i = 0; i < n; i++)
        sum->weights[i] += more->weights[i];
    sum->window = sum->window && more->window ? larger_int(sum->window, more->window) : 0; /* what either can look at */
    return WEIR_OK;
}

void weir_attention_scale(struct weir_attention *attention, float factor)
{
    for (size_t i = 0; i < attention->n_queries * attention->n_keys; i++)
        attention->weights[i] *= factor;
}

static void pick_queries(struct weir_attention *attention, const bool *marked)
{
    size_t n = attention->n_keys, kept = 0;
    for (size_t i = 0; i < attention->n_queries; i++) {
        if (!marked[attention->positions[i]])
            continue;
        memmove(attention->weights + kept * n, attention->weights + i * n, n * sizeof *attention->weights);
        attention->positions[kept++] = attention->positions[i];
    }
    attention->n_queries = kept;
}

static void pick_keys(struct weir_attention *attention, const bool *marked)
{
    size_t n = 0;
    float *to = attention->weights;
    for (size_t i = 0; i < attention->n_queries; i++)
        for (size_t j = 0; j < attention->n_keys; j++)
            if (marked[attention->keys[j]])
                *to++ = attention->weights[i * attention->n_keys + j];
    for (size_t j = 0; j < attention->n_keys; j++)
        if (marked[attention->keys[j]])
            attention->keys[n++] = attention->keys[j];
    attention->n_keys = n;
}

void weir_attention_pick(struct weir_attention *attention, const bool *queries, const bool *keys)
{
    if (queries)
        pick_queries(attention, queries);
    if (keys)
        pick_keys(attention, keys);
}

size_t weir_top_k_strided(size_t *out, size_t k, const float *weights, size_t n, size_t stride)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++) {
        float weight = weights[i * stride];
        size_t at = found;
        while (at > 0 && weights[out[at - 1] * stride] < weight)
            at--;
        if (at == k || !(weight > 0))
            continue;
        found = found < k ? found + 1 : k;
        memmove(out + at + 1, out + at, (found - 1 - at) * sizeof *out);
        out[at] = i;
    }
    return found;
}

size_t weir_top_k(size_t *out, size_t k, const float *weights, size_t n)
{
    return weir_top_k_strided(out, k, weights, n, 1);
}
