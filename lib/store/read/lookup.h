/* Positions and prompts of a stored file by what a selection writes: points/lookup.h for prompts that were stored. */
#ifndef WEIR_STORE_READ_LOOKUP_H
#define WEIR_STORE_READ_LOOKUP_H

#include "points/lookup.h"

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
/* Marks the prompts of the file, marked[n_prompts], that are meant: weir_whose_mark, by the field "side". */
WEIR_CHECKED weir_status weir_stored_prompts_mark(bool *marked, const struct weir_whose *whose, const weir_file *file);

#endif
