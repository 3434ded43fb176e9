/* Stores token strings in one arena, and finds them by a hash table. */
#include "token/vocab.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* A table is at most half full. */
static weir_status build_string_table(struct weir_vocab *vocab, size_t n)
{
    size_t size = 64;
    while (size < 2 * n)
        size *= 2;
    struct weir_vocab_slot *slots = NULL;
    TRY(weir_alloc_aligned(&slots, size, sizeof *slots));
    memset(slots, 0xff, size * sizeof *slots);
    for (size_t i = 0; vocab->slots && i <= vocab->mask; i++) {
        if (vocab->slots[i].id < 0)
            continue;
        size_t at = vocab->slots[i].hash & (size - 1);
        while (slots[at].id >= 0)
            at = (at + 1) & (size - 1);
        slots[at] = vocab->slots[i];
    }
    weir_free(vocab->slots);
    vocab->slots = slots;
    vocab->mask = size - 1;
    return WEIR_OK;
}

weir_status weir_vocab_open(struct weir_vocab *vocab, size_t n)
{
    *vocab = (struct weir_vocab){0};
    TRY(weir_grow(&vocab->entries, &vocab->capacity_entries, n + 1, sizeof *vocab->entries));
    return build_string_table(vocab, n);
}

void weir_vocab_close(struct weir_vocab *vocab)
{
    weir_free(vocab->arena);
    weir_free(vocab->entries);
    weir_free(vocab->slots);
    *vocab = (struct weir_vocab){0};
}

uint64_t weir_hash_bytes(const char *bytes, size_t n)
{
    const uint64_t factor = 0x9e3779b97f4a7c15u;
    uint64_t hash = n * factor, word;
    for (; n >= 8; n -= 8, bytes += 8) {
        memcpy(&word, bytes, 8);
        hash = (hash ^ word) * factor;
        hash ^= hash >> 29;
    }
    word = 0;
    for (size_t i = 0; i < n; i++)
        word |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
    hash = (hash ^ word) * factor;
    hash ^= hash >> 32;
    return (hash * factor) ^ (hash >> 29);
}

static bool is_string(const struct weir_vocab *vocab, const struct weir_vocab_slot *slot, uint32_t hash,
                      const char *string, size_t n)
{
    bool fits = slot->hash == hash && slot->n == n;
    return fits && (n == 0 || memcmp(vocab->arena + slot->at, string, n) == 0); /* an empty piece may have no address */
}

/* The slot that holds the string, or the free one where it belongs. */
static size_t find_slot(const struct weir_vocab *vocab, uint32_t hash, const char *string, size_t n)
{
    size_t at = hash & vocab->mask;
    while (vocab->slots[at].id >= 0 && !is_string(vocab, &vocab->slots[at], hash, string, n))
        at = (at + 1) & vocab->mask;
    return at;
}

int32_t weir_vocab_find(const struct weir_vocab *vocab, const char *string, size_t n)
{
    return vocab->slots[find_slot(vocab, (uint32_t)weir_hash_bytes(string, n), string, n)].id;
}

const char *weir_vocab_string(const struct weir_vocab *vocab, int32_t id, size_t *n)
{
    *n = 0;
    if (id < 0 || (size_t)id >= vocab->n_entries || !vocab->entries[id].present)
        return NULL;
    *n = vocab->entries[id].n;
    return vocab->arena + vocab->entries[id].at;
}

weir_status weir_vocab_store(struct weir_vocab *vocab, int32_t id, const char *string, size_t n)
{
    if ((size_t)id < vocab->n_entries && vocab->entries[id].present)
        return weir_fail(WEIR_E_INPUT, "the id %d belongs to two tokens", id);
    if (n > UINT32_MAX - 1 - vocab->n_arena)
        return weir_fail(WEIR_E_UNSUPPORTED, "the token strings of the vocabulary take more than 4 GiB");
    if (vocab->n_arena + n + 1 > vocab->capacity_arena)
        TRY(weir_grow(&vocab->arena, &vocab->capacity_arena, vocab->n_arena + n + 1, 1));
    if ((size_t)id >= vocab->n_entries) {
        if ((size_t)id >= vocab->capacity_entries)
            TRY(weir_grow(&vocab->entries, &vocab->capacity_entries, (size_t)id + 1, sizeof *vocab->entries));
        memset(vocab->entries + vocab->n_entries, 0, ((size_t)id + 1 - vocab->n_entries) * sizeof *vocab->entries);
        vocab->n_entries = (size_t)id + 1;
    }
    if (n > 0)
        memcpy(vocab->arena + vocab->n_arena, string, n);
    vocab->entries[id] = (struct weir_vocab_entry){(uint32_t)vocab->n_arena, (uint32_t)n, true};
    vocab->n_arena += n;
    vocab->n_tokens++;
    return WEIR_OK;
}

weir_status weir_vocab_add(struct weir_vocab *vocab, int32_t id, const char *string, size_t n, bool replace)
{
    uint32_t hash = (uint32_t)weir_hash_bytes(string, n);
    size_t at = find_slot(vocab, hash, string, n);
    if (vocab->slots[at].id >= 0 && !replace)
        return weir_fail(WEIR_E_INPUT, "the token \"%.*s\" occurs twice", (int)(n < 64 ? n : 64), string);
    TRY(weir_vocab_store(vocab, id, string, n));
    vocab->slots[at] = (struct weir_vocab_slot){hash, id, vocab->entries[id].at, vocab->entries[id].n};
    return 2 * vocab->n_tokens > vocab->mask + 1 ? build_string_table(vocab, 2 * vocab->n_tokens) : WEIR_OK;
}

void weir_vocab_byte_tokens(const struct weir_vocab *vocab, int32_t ids[256])
{
    char text[8];
    for (unsigned byte = 0; byte < 256; byte++) {
        snprintf(text, sizeof text, "<0x%02X>", byte);
        ids[byte] = weir_vocab_find(vocab, text, 6);
    }
}
