/* Prompts by what a selection or a place writes: by number, by the side of a line of pairs that they are, by a field
   that has their number. Wherever prompts come from, a run or a file, they are described here by their sides. */
#ifndef WEIR_POINTS_SIDES_H
#define WEIR_POINTS_SIDES_H

#include "points/select.h"

/* The side of a line of pairs that a prompt is. */
struct weir_side {
    const char *name; /* "clean"; NULL: none */
    size_t line;      /* the same for all sides of one line */
};

/* The prompts among which others are looked for. */
struct weir_sides {
    size_t n;
    struct weir_side (*of)(const void *context, size_t prompt);
    const void *context;
    const char *whose; /* "ref.h5", "the run": for messages */
};

/* True where a prompt is of that side. NULL is no side. */
bool weir_sides_have(const struct weir_sides *sides, const char *name);
/* Marks the prompts that are meant, all where neither numbers nor a name are given. @return WEIR_E_USAGE for a number
   out of range, and for a side that no prompt has. */
WEIR_CHECKED weir_status weir_sides_mark(bool *marked, const struct weir_sides *sides, const struct weir_whose *whose);
/* Finds the one prompt that a name means for a prompt of side `own` with those fields (JSON; NULL: none): where the
   name is a side, that of its line, else the prompt whose number its field of that name has. @return WEIR_E_USAGE where
   there is none, WEIR_E_INPUT where the fields are no JSON; neither names the prompt. */
WEIR_CHECKED weir_status weir_sides_find(size_t *out, const struct weir_sides *sides, const char *name,
                                         const struct weir_side *own, const char *fields);

/* Puts "prompt N: " in front of the message of a failure, and gives `status` back. */
weir_status weir_in_prompt(weir_status status, size_t prompt);

#endif
