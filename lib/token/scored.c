/* Turns the scores of a SentencePiece BPE vocabulary into ranked merges. */
#include "token/scored.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>

enum {
    LONGEST = 256, /* longer tokens are runs of one character, made whole as added tokens */
    BATCH = 4096,  /* splits that are kept before they become merges */
    AHEAD = 12
};

struct scored {
    double score;
    int32_t id;
};

struct split {
    uint32_t n_left, n_right; /* characters */
    int32_t left, right, id;
};

struct splits {
    struct split *splits; /* [n] */
    size_t n, capacity;
};

static int compare_token_scores(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_length(const void *a, const void *b)
{
    const struct split *x = a, *y = b;
    if (x->n_left != y->n_left)
        return x->n_left > y->n_left ? -1 : 1;
    if (x->n_right != y->n_right)
        return x->n_right > y->n_right ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static bool continues_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Every way to split the token into two tokens, longest left half first. */
static weir_status add_splits(struct splits *all, const struct weir_vocab *vocab, int32_t id)
{
    size_t n;
    const char *text = weir_vocab_string(vocab, id, &n);
    uint32_t n_right = 0, n_chars = 0;
    for (size_t i = 0; i < n && n <= LONGEST; i++)
        n_chars += !continues_character(text[i]);
    for (size_t at = n; n <= LONGEST && at-- > 1;) {
        if (continues_character(text[at]))
            continue;
        n_right++;
        int32_t left = weir_vocab_find(vocab, text, at);
        int32_t right = left < 0 ? -1 : weir_vocab_find(vocab, text + at, n - at);
        if (right < 0)
            continue;
        if (all->n == all->capacity)
            TRY(weir_grow(&all->splits, &all->capacity, all->n + 1, sizeof *all->splits));
        all->splits[all->n++] = (struct split){n_chars - n_right, n_right, left, right, id};
    }
    return WEIR_OK;
}

/* The tokens that take part, best first: as a rule the vocabulary has them in this order. */
static weir_status sort_tokens(struct scored **out, size_t *n, const struct weir_vocab *vocab, const double *scores)
{
    bool sorted = true;
    TRY(weir_alloc(out, vocab->n_entries, sizeof **out));
    *n = 0;
    for (size_t id = 0; id < vocab->n_entries; id++) {
        if (isnan(scores[id]) || !vocab->entries[id].present)
            continue;
        (*out)[(*n)++] = (struct scored){scores[id], (int32_t)id};
        sorted = sorted && (*n < 2 || (*out)[*n - 2].score >= scores[id]);
    }
    if (!sorted)
        qsort(*out, *n, sizeof **out, compare_token_scores);
    return WEIR_OK;
}

/* The splits become merges, in their order. A table of many megabytes is slow to look into: so it is asked ahead. */
static weir_status add_merges(struct weir_bpe *bpe, struct splits *splits, uint32_t *rank)
{
    for (size_t i = 0; i < splits->n; i++) {
        const struct split *ahead = &splits->splits[i + AHEAD < splits->n ? i + AHEAD : i];
        weir_bpe_prefetch(bpe, ahead->left, ahead->right);
        TRY(weir_bpe_add(bpe, splits->splits[i].left, splits->splits[i].right, (*rank)++, splits->splits[i].id));
    }
    splits->n = 0;
    return WEIR_OK;
}

weir_status weir_bpe_open_scored(struct weir_bpe *bpe, const struct weir_vocab *vocab, const double *scores)
{
    struct scored *tokens = NULL; /* [n] */
    struct splits splits = {0};
    size_t n;
    uint32_t rank = 0;
    weir_status status;
    TRY_DONE(sort_tokens(&tokens, &n, vocab, scores));
    TRY_DONE(weir_bpe_open(bpe, 2 * n));
    for (size_t i = 0, group = 0; i < n; i++) {
        TRY_DONE(add_splits(&splits, vocab, tokens[i].id));
        if (i + 1 < n && tokens[i + 1].score == tokens[i].score)
            continue;
        if (splits.n > group + 1) /* those of one score */
            qsort(splits.splits + group, splits.n - group, sizeof *splits.splits, by_length);
        if (splits.n >= BATCH || i + 1 == n)
            TRY_DONE(add_merges(bpe, &splits, &rank));
        group = splits.n;
    }
done:
    weir_free(tokens);
    weir_free(splits.splits);
    return status;
}
