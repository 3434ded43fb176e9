/* Positions and prompts of a stored file by what a selection writes: points/lookup.h for prompts that were stored. */
#ifndef WEIR_STORE_READ_LOOKUP_H
#define WEIR_STORE_READ_LOOKUP_H

#include "points/lookup.h"
#include "points/sides.h"

/* A stored prompt; the file stays open as long as it is asked. */
struct weir_stored_lookup {
    struct weir_lookup lookup;
    const weir_file *file;
    int prompt;
};

/* Describes a prompt of a file; close out->lookup. `out` may not move. @return as weir_file_get_prompt. */
WEIR_CHECKED weir_status weir_stored_lookup_open(struct weir_stored_lookup *out, const weir_file *file, int prompt);

/* Finds the positions of spots in a stored prompt: weir_lookup_find, and WEIR_E_INPUT where a token's text is damaged.
 */
WEIR_CHECKED weir_status weir_stored_positions(struct weir_positions *out, const weir_file *file, int prompt,
                                               const struct weir_spots *spots, const char *what);

/* The side of a stored prompt. */
struct weir_stored_side {
    char *name;  /* NULL: none */
    size_t line; /* SIZE_MAX: none is said */
};

/* The sides of a file's prompts, as their fields "side" and "line" have them. */
struct weir_stored_sides {
    struct weir_stored_side *list; /* [n] */
    size_t n;
};

/* @return WEIR_E_INPUT for fields that are no JSON. Close it in any case. */
WEIR_CHECKED weir_status weir_stored_sides_open(struct weir_stored_sides *out, const weir_file *file);
void weir_stored_sides_close(struct weir_stored_sides *sides);
/* The same, to be looked through; `whose` names the file. Both stay the caller's. */
struct weir_sides weir_stored_sides_of(const struct weir_stored_sides *sides, const char *whose);
/* Marks the prompts of the file, marked[n_prompts], that are meant: weir_sides_mark. */
WEIR_CHECKED weir_status weir_stored_prompts_mark(bool *marked, const struct weir_whose *whose, const weir_file *file);

#endif
