/* Merges pairs by rank, with a hash table of merges and a heap of candidates. */
#include "token/bpe.h"

#include "base/alloc.h"

#include <string.h>

static const uint64_t FREE = UINT64_MAX;

static uint64_t pair_key(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

static size_t first_slot(const struct weir_bpe *bpe, uint64_t pair)
{
    uint64_t hash = pair * 0x9e3779b97f4a7c15u;
    return (size_t)(hash >> 32 ^ hash >> 15) & bpe->mask;
}

static size_t merge_slot(const struct weir_bpe *bpe, uint64_t pair)
{
    size_t at = first_slot(bpe, pair);
    while (bpe->merges[at].pair != pair && bpe->merges[at].pair != FREE)
        at = (at + 1) & bpe->mask;
    return at;
}

/* A table of `size` slots, a power of two, with the merges that there are; at most three quarters are full. */
static weir_status build_merge_table(struct weir_bpe *bpe, size_t size)
{
    struct weir_merge *old = bpe->merges, *merges;
    size_t n_old = old ? bpe->mask + 1 : 0;
    TRY(weir_alloc_aligned(&merges, size, sizeof *merges));
    memset(merges, 0xff, size * sizeof *merges);
    bpe->merges = merges;
    bpe->mask = size - 1;
    for (size_t i = 0; i < n_old; i++)
        if (old[i].pair != FREE)
            bpe->merges[merge_slot(bpe, old[i].pair)] = old[i];
    weir_free(old);
    return WEIR_OK;
}

weir_status weir_bpe_open(struct weir_bpe *bpe, size_t n_merges)
{
    size_t size = 64;
    *bpe = (struct weir_bpe){.unknown = -1};
    while (3 * size < 4 * n_merges)
        size *= 2;
    return build_merge_table(bpe, size);
}

void weir_bpe_close(struct weir_bpe *bpe)
{
    weir_free(bpe->merges);
    weir_text_close(&bpe->prefix);
    weir_text_close(&bpe->suffix);
    *bpe = (struct weir_bpe){0};
}

weir_status weir_bpe_add(struct weir_bpe *bpe, int32_t left, int32_t right, uint32_t rank, int32_t id)
{
    if (4 * (bpe->n_merges + 1) > 3 * (bpe->mask + 1))
        TRY(build_merge_table(bpe, 2 * (bpe->mask + 1)));
    size_t at = merge_slot(bpe, pair_key(left, right));
    bpe->n_merges += bpe->merges[at].pair == FREE;
    bpe->merges[at] = (struct weir_merge){pair_key(left, right), rank, id};
    return WEIR_OK;
}

void weir_bpe_prefetch(const struct weir_bpe *bpe, int32_t left, int32_t right)
{
    __builtin_prefetch(&bpe->merges[first_slot(bpe, pair_key(left, right))]);
}

void weir_bpe_index(struct weir_bpe *bpe, const struct weir_vocab *vocab)
{
    char text[8];
    for (uint32_t c = 0; c < WEIR_BPE_DIRECT; c++)
        bpe->direct[c] = weir_vocab_find(vocab, text, weir_utf8_encode(text, c));
    weir_vocab_byte_tokens(vocab, bpe->bytes);
}

static weir_status add_symbol(struct weir_bpe_work *work, int32_t id)
{
    if (work->n_symbols == work->capacity_symbols)
        TRY(weir_grow(&work->symbols, &work->capacity_symbols, work->n_symbols + 1, sizeof *work->symbols));
    int32_t at = (int32_t)work->n_symbols;
    work->symbols[work->n_symbols++] = (struct weir_symbol){id, at - 1, at + 1};
    return WEIR_OK;
}

/* The bytes of a character that the vocabulary lacks; *done is false when one of them has no token either. */
static weir_status add_bytes(const struct weir_bpe *bpe, struct weir_bpe_work *work, const char *text, size_t n,
                             bool *done)
{
    *done = false;
    for (size_t i = 0; i < n; i++)
        if (bpe->bytes[(unsigned char)text[i]] < 0)
            return WEIR_OK;
    for (size_t i = 0; i < n; i++)
        TRY(add_symbol(work, bpe->bytes[(unsigned char)text[i]]));
    *done = true;
    return WEIR_OK;
}

/* A character as the vocabulary spells it: with the prefix when others come before it, the suffix when none follows.
 */
static weir_status spell_piece(const struct weir_bpe *bpe, struct weir_bpe_work *work, bool first, bool last,
                               const char **text, size_t *n)
{
    const struct weir_text *prefix = first ? NULL : &bpe->prefix, *suffix = last ? &bpe->suffix : NULL;
    if ((!prefix || prefix->n == 0) && (!suffix || suffix->n == 0))
        return WEIR_OK;
    work->spelled.n = 0;
    if (prefix)
        TRY(weir_text_add(&work->spelled, prefix->data, prefix->n));
    TRY(weir_text_add(&work->spelled, *text, *n));
    if (suffix)
        TRY(weir_text_add(&work->spelled, suffix->data, suffix->n));
    *text = work->spelled.data;
    *n = work->spelled.n;
    return WEIR_OK;
}

/* One character. `*unknown` says that an unknown one waits: it goes in front of the next known one, and with fusing
   a run of them is one token. (Bytes do not end the wait: tokenizers has it so.) */
static weir_status add_char(const struct weir_bpe *bpe, const struct weir_vocab *vocab, struct weir_bpe_work *work,
                            const char *text, size_t n, bool *unknown)
{
    bool done = false;
    int32_t id = weir_vocab_find(vocab, text, n);
    if (id >= 0) {
        if (*unknown)
            TRY(add_symbol(work, bpe->unknown));
        *unknown = false;
        return add_symbol(work, id);
    }
    if (bpe->byte_fallback)
        TRY(add_bytes(bpe, work, text, n, &done));
    if (done || bpe->unknown < 0)
        return WEIR_OK;
    if (*unknown && !bpe->fuse_unknown)
        TRY(add_symbol(work, bpe->unknown));
    *unknown = true;
    return WEIR_OK;
}

/* One symbol per character; runs of unknown ones become one where the model fuses them. */
static weir_status add_chars(const struct weir_bpe *bpe, const struct weir_vocab *vocab, struct weir_bpe_work *work,
                             const char *piece, size_t n)
{
    bool unknown = false, plain = bpe->prefix.n == 0 && bpe->suffix.n == 0;
    for (size_t at = 0, length; at < n; at += length) {
        uint32_t code = weir_utf8_decode(piece + at, &length);
        if (plain && !unknown && code < WEIR_BPE_DIRECT && bpe->direct[code] >= 0) {
            TRY(add_symbol(work, bpe->direct[code]));
            continue;
        }
        const char *text = piece + at;
        size_t spelled = length;
        TRY(spell_piece(bpe, work, at == 0, at + length == n, &text, &spelled));
        TRY(add_char(bpe, vocab, work, text, spelled, &unknown));
    }
    return unknown ? add_symbol(work, bpe->unknown) : WEIR_OK;
}

static void sift_candidate_up(struct weir_candidate *heap, size_t at)
{
    struct weir_candidate moved = heap[at];
    for (; at > 0 && moved.order < heap[(at - 1) / 2].order; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = moved;
}

static void sift_candidate_down(struct weir_candidate *heap, size_t n, size_t at)
{
    struct weir_candidate moved = heap[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && heap[child + 1].order < heap[child].order)
            child++;
        if (moved.order <= heap[child].order)
            break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

/* Puts the merge of the symbol at `at` and the next one on the heap, if there is one. */
static weir_status offer_merge(const struct weir_bpe *bpe, struct weir_bpe_work *work, int32_t at)
{
    const struct weir_symbol *left = &work->symbols[at];
    if (left->next >= (int32_t)work->n_symbols)
        return WEIR_OK;
    const struct weir_merge *merge = &bpe->merges[merge_slot(bpe, pair_key(left->id, work->symbols[left->next].id))];
    if (merge->pair == FREE)
        return WEIR_OK;
    if (work->n_heap == work->capacity_heap)
        TRY(weir_grow(&work->heap, &work->capacity_heap, work->n_heap + 1, sizeof *work->heap));
    work->heap[work->n_heap] = (struct weir_candidate){(uint64_t)merge->rank << 32 | (uint32_t)at, merge->id};
    sift_candidate_up(work->heap, work->n_heap++);
    return WEIR_OK;
}

/* Joins the pair that a candidate is about, unless one of its halves has been joined to something else since. */
static weir_status join_pair(const struct weir_bpe *bpe, struct weir_bpe_work *work, struct weir_candidate candidate)
{
    int32_t at = (int32_t)(uint32_t)candidate.order, n = (int32_t)work->n_symbols;
    struct weir_symbol *left = &work->symbols[at];
    if (left->id < 0 || left->next >= n)
        return WEIR_OK;
    struct weir_symbol *right = &work->symbols[left->next];
    const struct weir_merge *merge = &bpe->merges[merge_slot(bpe, pair_key(left->id, right->id))];
    if (merge->pair == FREE || merge->id != candidate.id)
        return WEIR_OK;
    left->id = candidate.id;
    left->next = right->next;
    right->id = -1;
    if (left->next < n)
        work->symbols[left->next].previous = at;
    if (left->previous >= 0)
        TRY(offer_merge(bpe, work, left->previous));
    return offer_merge(bpe, work, at);
}

weir_status weir_bpe_encode(const struct weir_bpe *bpe, const struct weir_vocab *vocab, struct weir_bpe_work *work,
                            const char *piece, size_t n)
{
    work->n_symbols = work->n_heap = 0;
    if (bpe->ignore_merges) {
        int32_t id = weir_vocab_find(vocab, piece, n);
        if (id >= 0)
            return add_symbol(work, id);
    }
    if (n > 1u << 30)
        return weir_fail(WEIR_E_UNSUPPORTED, "more than 1 GiB of text without a place to split it");
    TRY(add_chars(bpe, vocab, work, piece, n));
    for (size_t i = 0; i + 1 < work->n_symbols; i++)
        TRY(offer_merge(bpe, work, (int32_t)i));
    while (work->n_heap > 0) {
        struct weir_candidate first = work->heap[0];
        work->heap[0] = work->heap[--work->n_heap];
        if (work->n_heap > 1)
            sift_candidate_down(work->heap, work->n_heap, 0);
        TRY(join_pair(bpe, work, first));
    }
    return WEIR_OK;
}

void weir_bpe_work_close(struct weir_bpe_work *work)
{
    weir_free(work->symbols);
    weir_free(work->heap);
    weir_text_close(&work->spelled);
}
