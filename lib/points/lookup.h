/* Positions that selections name, by number or by a field of the prompt's line. Wherever prompts come from, a run or a
   file, they are described here by a few pointers. */
#ifndef WEIR_POINTS_LOOKUP_H
#define WEIR_POINTS_LOOKUP_H

#include "base/json.h"
#include "base/text.h"
#include "points/select.h"

/* One prompt whose positions are looked up. What is asked of it more than once is kept: start all other members at zero
   and close it with weir_lookup_close. The pointers stay the caller's. */
struct weir_lookup {
    size_t n;           /* tokens, at positions 0 to n - 1 */
    const char *fields; /* JSON object; NULL: none */
    const char *side;   /* "clean"; NULL: the field "side", if there is one */
    /* Writes the text of the token at a position, as weir_token_text does. @return its whole length */
    size_t (*token_text)(const void *context, size_t position, char *text, size_t size);
    const void *context;

    cJSON *object;           /* `fields`, parsed; NULL until a name is looked up */
    struct weir_text joined; /* the tokens' texts one after the other, once a text is looked up */
    size_t *begins;          /* [n + 1] where each token begins in it */
};

/* Positions in the order in which they were named, each once. */
struct weir_positions {
    int32_t *list; /* [n] */
    int32_t *keys; /* [n] where list[i] is the query of a pair its key, else -1; NULL: there are no pairs */
    size_t n;
};

/* Finds the positions of spots (all where there are none). `what` is what they are, for messages: "position", "key".
   Single numbers are errors out of range, slices clip. A field of the prompt's line is

     3, -1          a position, negative from the end
     [3, "Ann"]     a list of these two; it may be empty
     "Ann Lee"      a text that occurs once, from the beginning of a token (or the space that it begins with) to the end
                    of one: all of its tokens
     [[5, 1], ...]  pairs of query and key
     {"clean": 3}   one of these for each side

   @return WEIR_E_USAGE for spots that the prompt does not have, WEIR_E_INPUT for what is wrong with its line. */
WEIR_CHECKED weir_status weir_lookup_find(struct weir_positions *out, struct weir_lookup *lookup,
                                          const struct weir_spots *spots, const char *what);
void weir_positions_close(struct weir_positions *positions);
/* The same as marks, marked[n], which are set or left as they are. Pairs are WEIR_E_USAGE. */
WEIR_CHECKED weir_status weir_lookup_mark(bool *marked, struct weir_lookup *lookup, const struct weir_spots *spots,
                                          const char *what);
void weir_lookup_close(struct weir_lookup *lookup);

/* *out: true where each position that a selection names is named by a field, or all that `positions` (NULL: none)
   narrows it to are, so that what is selected does not depend on how long prompts are. */
WEIR_CHECKED weir_status weir_selection_is_by_field(bool *out, const char *selection, const char *positions);

#endif
