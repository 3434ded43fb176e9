/* A vocabulary: token strings by id, and ids by string, in one arena and one open-addressed table. */
#ifndef WEIR_TOKEN_VOCAB_H
#define WEIR_TOKEN_VOCAB_H

#include "base/status.h"

struct weir_vocab {
    char *arena; /* [n_arena] all strings */
    size_t n_arena, capacity_arena;
    struct weir_vocab_entry {
        uint32_t at, n;
        bool present;
    } * entries; /* [n_entries] by id */
    size_t n_entries, capacity_entries;
    size_t n_tokens; /* present ones */
    struct weir_vocab_slot {
        uint32_t hash;
        int32_t id;     /* -1: free */
        uint32_t at, n; /* as in the entry: a search that succeeds need not look there */
    } * slots;          /* [mask + 1]; NULL when nothing is to be searched */
    size_t mask;
};

/* Room for `n` tokens. */
WEIR_CHECKED weir_status weir_vocab_open(struct weir_vocab *vocab, size_t n);
void weir_vocab_close(struct weir_vocab *vocab);
/* Gives `id` that string. Not over an id that is present. When another id has the string already, `replace` says
   whether this one is found by it from now on; otherwise that is WEIR_E_INPUT. */
WEIR_CHECKED weir_status weir_vocab_add(struct weir_vocab *vocab, int32_t id, const char *string, size_t n,
                                        bool replace);
/* The same, but not found by the string: for a vocabulary that was not opened, and is all zero at first. */
WEIR_CHECKED weir_status weir_vocab_store(struct weir_vocab *vocab, int32_t id, const char *string, size_t n);
/* @return the id, -1 when there is none. */
int32_t weir_vocab_find(const struct weir_vocab *vocab, const char *string, size_t n);
/* The string of `id`, NULL and 0 when it has none. */
const char *weir_vocab_string(const struct weir_vocab *vocab, int32_t id, size_t *n);

/* The ids of <0x00> to <0xFF>, -1 where there is none. */
void weir_vocab_byte_tokens(const struct weir_vocab *vocab, int32_t ids[256]);

uint64_t weir_hash_bytes(const char *bytes, size_t n);

#endif
