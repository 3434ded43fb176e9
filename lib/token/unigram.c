/* Finds the split with the best sum of scores, over a trie of the vocabulary. */
#include "token/unigram.h"

#include "base/alloc.h"
#include "token/text.h"

#include <math.h>
#include <string.h>

static const uint64_t FREE = UINT64_MAX;
static const double UNKNOWN_PENALTY = 10;

/* ---- the trie -------------------------------------------------------------------------------------------------- */

static size_t branch_slot(const struct weir_unigram *u, uint64_t from)
{
    uint64_t hash = from * 0x9e3779b97f4a7c15u;
    size_t at = (size_t)(hash >> 32 ^ hash >> 15) & u->mask;
    while (u->branches[at].from != from && u->branches[at].from != FREE)
        at = (at + 1) & u->mask;
    return at;
}

static const struct weir_branch *find_branch(const struct weir_unigram *u, uint32_t node, char byte)
{
    const struct weir_branch *b = &u->branches[branch_slot(u, (uint64_t)node << 8 | (unsigned char)byte)];
    return b->from == FREE ? NULL : b;
}

/* A table of `size` slots, a power of two, with the branches that there are. */
static weir_status build_branch_table(struct weir_unigram *u, size_t size)
{
    struct weir_branch *old = u->branches, *branches;
    size_t n_old = old ? u->mask + 1 : 0;
    TRY(weir_alloc_aligned(&branches, size, sizeof *branches));
    memset(branches, 0xff, size * sizeof *branches);
    u->branches = branches;
    u->mask = size - 1;
    for (size_t i = 0; i < n_old; i++)
        if (old[i].from != FREE)
            u->branches[branch_slot(u, old[i].from)] = old[i];
    weir_free(old);
    return WEIR_OK;
}

static weir_status add_trie_token(struct weir_unigram *u, const char *string, size_t n, int32_t id)
{
    uint32_t node = 0;
    for (size_t i = 0; i < n; i++) {
        if (2 * (u->n_branches + 1) > u->mask + 1)
            TRY(build_branch_table(u, 2 * (u->mask + 1)));
        uint64_t from = (uint64_t)node << 8 | (unsigned char)string[i];
        struct weir_branch *b = &u->branches[branch_slot(u, from)];
        if (b->from == FREE)
            *b = (struct weir_branch){from, (uint32_t)++u->n_branches, -1};
        if (i + 1 == n)
            b->id = id;
        node = b->to;
    }
    return WEIR_OK;
}

weir_status weir_unigram_index(struct weir_unigram *unigram, const struct weir_vocab *vocab)
{
    double least = INFINITY;
    size_t size = 64, n;
    while (size < vocab->n_arena)
        size *= 2;
    TRY(build_branch_table(unigram, size));
    for (size_t i = 0; i < vocab->n_entries; i++) {
        const char *string = weir_vocab_string(vocab, (int32_t)i, &n);
        if (!string)
            continue;
        if (unigram->scores[i] < least)
            least = unigram->scores[i];
        TRY(add_trie_token(unigram, string, n, (int32_t)i)); /* of two with one string the later counts */
    }
    unigram->unknown_score = least - UNKNOWN_PENALTY;
    weir_vocab_byte_tokens(vocab, unigram->bytes);
    return WEIR_OK;
}

void weir_unigram_close(struct weir_unigram *unigram)
{
    weir_free(unigram->scores);
    weir_free(unigram->branches);
    *unigram = (struct weir_unigram){0};
}

/* ---- encode ---------------------------------------------------------------------------------------------------- */

/* A token from `from` to `to`: better than what ends there so far? Of two that are as good the first stays. */
static void offer_token(struct weir_best *best, size_t from, size_t to, double score, int32_t id)
{
    double sum = best[from].score + score;
    if (best[to].reached && sum <= best[to].score)
        return;
    best[to] = (struct weir_best){.score = sum, .from = (uint32_t)from, .id = id, .reached = true};
}

static weir_status fail_without_split(const char *text, size_t n)
{
    return weir_fail(WEIR_E_INPUT, "the vocabulary lacks \"%.*s\" and has no token for unknown text", (int)n, text);
}

/* All tokens that begin at `at`; a character that is none is unknown. */
static weir_status offer_all(const struct weir_unigram *u, struct weir_best *best, const char *piece, size_t n,
                             size_t at)
{
    size_t length;
    bool single = false;
    uint32_t node = 0;
    weir_utf8_decode(piece + at, &length);
    for (size_t to = at; to < n;) {
        const struct weir_branch *b = find_branch(u, node, piece[to++]);
        if (!b)
            break;
        node = b->to;
        if (b->id < 0)
            continue;
        offer_token(best, at, to, u->scores[b->id], b->id);
        single = single || to == at + length;
    }
    if (single)
        return WEIR_OK;
    if (u->unknown < 0)
        return fail_without_split(piece + at, length);
    offer_token(best, at, at + length, u->unknown_score, u->unknown);
    return WEIR_OK;
}

/* Adds one step of the best split: a token, or unknown text, by bytes where all of them have tokens. */
static weir_status add_best_span(const struct weir_unigram *u, const struct weir_vocab *vocab, const char *text,
                                 size_t n, struct weir_ids *out)
{
    int32_t id = weir_vocab_find(vocab, text, n);
    if (id >= 0)
        return weir_ids_add(out, id);
    bool bytes = u->byte_fallback;
    for (size_t i = 0; i < n && bytes; i++)
        bytes = u->bytes[(unsigned char)text[i]] >= 0;
    if (!bytes)
        return weir_ids_add(out, u->unknown);
    for (size_t i = 0; i < n; i++)
        TRY(weir_ids_add(out, u->bytes[(unsigned char)text[i]]));
    return WEIR_OK;
}

/* Unknown text side by side is one. */
static weir_status add_best(const struct weir_unigram *u, const struct weir_vocab *vocab, const struct weir_best *best,
                            const char *piece, size_t n, struct weir_ids *out)
{
    for (size_t at = 0, end; at < n; at = end) {
        end = best[at].to;
        int32_t id = best[end].id;
        if (id != u->unknown) {
            TRY(weir_ids_add(out, id));
            continue;
        }
        while (end < n && best[best[end].to].id == id)
            end = best[end].to;
        TRY(add_best_span(u, vocab, piece + at, end - at, out));
    }
    return WEIR_OK;
}

weir_status weir_unigram_encode(const struct weir_unigram *unigram, const struct weir_vocab *vocab,
                                struct weir_unigram_work *work, const char *piece, size_t n, struct weir_ids *out)
{
    if (n > 1u << 30)
        return weir_fail(WEIR_E_UNSUPPORTED, "more than 1 GiB of text without a place to split it");
    if (n + 1 > work->capacity)
        TRY(weir_grow(&work->best, &work->capacity, n + 1, sizeof *work->best));
    memset(work->best, 0, (n + 1) * sizeof *work->best);
    for (size_t at = 0, length; at < n; at += length) {
        weir_utf8_decode(piece + at, &length);
        TRY(offer_all(unigram, work->best, piece, n, at));
    }
    for (size_t end = n; end > 0; end = work->best[end].from)
        work->best[work->best[end].from].to = (uint32_t)end;
    return add_best(unigram, vocab, work->best, piece, n, out);
}

void weir_unigram_work_close(struct weir_unigram_work *work)
{
    weir_free(work->best);
    *work = (struct weir_unigram_work){0};
}
