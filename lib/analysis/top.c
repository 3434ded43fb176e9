/* The strongest weights of a file's patterns, by a heap of k pairs. */
#include "analysis/analysis.h"

#include "tensor/ops.h"

#include <stdlib.h>

/* The best so far as a heap whose root is the worst of them: what a further weight has to beat. */
struct top {
    struct weir_pair *heap; /* [k], n of them set */
    size_t k, n;
    const struct weir_top_want *want;
    const bool *queries, *keys; /* of the prompt at hand */
};

static int sign_of(int64_t difference)
{
    return (difference > 0) - (difference < 0);
}

/* Under 0 when a comes before b in the file. */
static int order_in_file(const struct weir_pair *a, const struct weir_pair *b)
{
    const int64_t differences[] = {a->layer - b->layer, a->prompt - b->prompt, a->head - b->head,
                                   (int64_t)a->query - b->query, (int64_t)a->key - b->key};
    for (size_t i = 0; i < sizeof differences / sizeof *differences; i++)
        if (differences[i])
            return sign_of(differences[i]);
    return 0;
}

/* Under 0 when a is the stronger. */
static int compare_pairs(const void *left, const void *right)
{
    const struct weir_pair *a = left, *b = right;
    return a->weight != b->weight ? (a->weight > b->weight ? -1 : 1) : order_in_file(a, b);
}

static void swap_pairs(struct weir_pair *a, struct weir_pair *b)
{
    struct weir_pair kept = *a;
    *a = *b;
    *b = kept;
}

static void sift_pair_up(struct top *top, size_t i)
{
    for (; i > 0 && compare_pairs(&top->heap[(i - 1) / 2], &top->heap[i]) < 0; i = (i - 1) / 2)
        swap_pairs(&top->heap[(i - 1) / 2], &top->heap[i]);
}

static void sift_pair_down(struct top *top)
{
    for (size_t i = 0;;) {
        size_t worst = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < top->n; child++)
            if (compare_pairs(&top->heap[worst], &top->heap[child]) < 0)
                worst = child;
        if (worst == i)
            return;
        swap_pairs(&top->heap[i], &top->heap[worst]);
        i = worst;
    }
}

static void keep_pair(struct top *top, const struct weir_pair *pair)
{
    if (top->n < top->k) {
        top->heap[top->n] = *pair;
        sift_pair_up(top, top->n++);
        return;
    }
    top->heap[0] = *pair;
    sift_pair_down(top);
}

/* The limit that a weight must exceed: a later one does not replace its equal. */
static float weight_limit(const struct top *top)
{
    return top->n < top->k ? 0 : top->heap[0].weight;
}

static bool may_stand(const struct top *top, size_t query, size_t key)
{
    if ((top->want->drop_first && key == 0) || (top->want->drop_self && key == query))
        return false;
    return !top->keys || top->keys[key];
}

/* Jumps from one weight over the limit to the next; the limit rises as the heap fills. */
static weir_status search_row(const struct weir_row *row, void *payload)
{
    struct top *top = payload;
    if (row->missing)
        return WEIR_OK;
    TRY(weir_row_check_query(row));
    if (top->queries && !top->queries[row->position])
        return WEIR_OK;
    struct weir_pair pair = {0, row->layer, row->prompt, (int)row->at[0], row->position, 0};
    for (size_t i = 0; i < row->n; i++) {
        i += weir_ops()->first_over(row->values + i, row->n - i, weight_limit(top));
        if (i == row->n)
            break;
        pair.weight = row->values[i];
        pair.key = (int32_t)i;
        if (may_stand(top, (size_t)row->position, i))
            keep_pair(top, &pair);
    }
    return WEIR_OK;
}

/* Neighbouring heads that are wanted are read together. */
static weir_status search_prompt(struct top *top, const struct weir_source *source, int layer, int prompt)
{
    const bool *wanted = top->want->heads;
    size_t n = source->point->shape[0];
    struct weir_head_range range = {layer, prompt, 0, 0};
    while (range.end < n) {
        for (range.first = range.end; range.first < n && wanted && !wanted[range.first];)
            range.first++;
        for (range.end = range.first; range.end < n && (!wanted || wanted[range.end]);)
            range.end++;
        if (range.first < range.end)
            TRY(weir_rows_of_heads(source, &range, search_row, top));
    }
    return WEIR_OK;
}

static weir_status search_layer(struct top *top, const struct weir_source *source, int layer)
{
    const struct weir_top_want *want = top->want;
    for (int prompt = 0; prompt < weir_file_get_info(source->file)->n_prompts; prompt++) {
        if (want->prompts && !want->prompts[prompt])
            continue;
        if (want->tokens)
            TRY(want->tokens(&top->queries, &top->keys, prompt, want->payload));
        TRY(search_prompt(top, source, layer, prompt));
    }
    return WEIR_OK;
}

weir_status weir_top(struct weir_pair *out, size_t k, size_t *n, const weir_file *file,
                     const struct weir_top_want *want)
{
    struct weir_source source = {.file = file, .gaps = true};
    struct top top = {.heap = out, .k = k, .want = want};
    *n = 0;
    TRY(weir_stored_pattern(&source.point, file));
    for (int layer = 0; layer < weir_source_layers(&source); layer++)
        if (weir_source_has_layer(&source, layer) && (!want->layers || want->layers[layer]))
            TRY(search_layer(&top, &source, layer));
    qsort(out, top.n, sizeof *out, compare_pairs);
    *n = top.n;
    return WEIR_OK;
}
