/* Which of what a place writes along an axis serves what an edit changes: one for all, one for each in turn, all of
   them averaged, one that is drawn. The same for places of a cache and of the run. */
#ifndef WEIR_HOOKS_SOURCES_PAIRS_H
#define WEIR_HOOKS_SOURCES_PAIRS_H

#include "base/random.h"
#include "engine/scope.h"
#include "points/edit.h"
#include "points/lookup.h"
#include "points/sides.h"

/* How what the place has along an axis serves what is changed. */
enum weir_pairing {
    WEIR_PAIR_OWN,      /* it leaves the axis out: the same number */
    WEIR_PAIR_ONE,      /* list[0], or all there is where the axis is of one */
    WEIR_PAIR_LISTED,   /* list[i] serves the i-th that is changed */
    WEIR_PAIR_AVERAGED, /* all of the list, averaged */
    WEIR_PAIR_DRAWN,    /* one of the list, by seed and prompt */
};

struct weir_pairs {
    enum weir_pairing how;
    int32_t *list; /* [n] numbers along the axis where the place is */
    size_t n;
};

/* A list of n along an axis that the place writes out, paired as the edit's value says. */
enum weir_pairing weir_pairing_of(const struct weir_value *value, size_t n);
/* The marked of n as a list; nothing marked is WEIR_E_USAGE, naming `what`. */
WEIR_CHECKED weir_status weir_pairs_list(struct weir_pairs *out, const struct weir_value *value,
                                         const struct weir_slices *slices, size_t n, const char *what);
/* The prompts that `whose` means for prompt number `own` of `prompts`: those of a side together where the value is made
   of many, else that of its line. @return as weir_sides_find and weir_pairs_list. */
WEIR_CHECKED weir_status weir_pairs_prompts(struct weir_pairs *out, const struct weir_value *value,
                                            const struct weir_whose *whose, const struct weir_sides *sides,
                                            const weir_tokens *prompts, size_t own);
/* Positions that were found, as a list in the order in which they were named, which is taken from `found`. @return
   WEIR_E_USAGE for pairs of query and key, and for none. */
WEIR_CHECKED weir_status weir_pairs_positions(struct weir_pairs *out, const struct weir_value *value,
                                              struct weir_positions *found, const char *what);
/* Leaves the one that is drawn for a prompt, where one is. */
void weir_pairs_draw(struct weir_pairs *pairs, const struct weir_value *value, size_t prompt, enum weir_draw axis);
/* Leaves the one that serves the `turn`-th of n that are changed, where they are listed. @return WEIR_E_USAGE where
   they are not as many. */
WEIR_CHECKED weir_status weir_pairs_take_turn(struct weir_pairs *pairs, size_t turn, size_t n, const char *what);
/* @return WEIR_E_USAGE where neither one nor as many as are changed are named. */
WEIR_CHECKED weir_status weir_pairs_match(size_t named, size_t changed, const char *what);

/* Which of a scope's sites of its point a site is, and of how many. */
size_t weir_turn_of_site(const struct weir_scope *scope, size_t site, size_t *n);
/* True where the scope has cells in a prompt. */
bool weir_scope_changes(const struct weir_scope *scope, size_t prompt);

#endif
