/* The stored values that a selection picks, read row by row: for weir show and weir export. */
#ifndef WEIR_CLI_SELECT_VALUES_H
#define WEIR_CLI_SELECT_VALUES_H

#include "points/select.h"

struct picked {
    size_t *list; /* [n] indices along one axis; rising, but for brackets with a negative step */
    size_t n;
    bool single; /* chosen by a plain number */
};

/* The marked indices of n, in new memory. */
WEIR_CHECKED weir_status picked_of_marks(struct picked *out, const bool *marked, size_t n);

enum { EVERY_PROMPT = -1, FIRST_PROMPT = -2 }; /* the latter where none is asked for: a term may name others */

/* The values of one hook point that one term names: one for each of the layers and prompts. */
struct selected {
    const weir_file *file;
    const weir_file_point *point;
    const weir_point *what;
    const struct weir_term *term;            /* that adds */
    const struct weir_term *end;             /* behind the last of the selection: those after `term` may take away */
    struct picked layers;                    /* n 0 outside blocks */
    struct picked prompts;                   /* single unless all are asked for or brackets name several */
    struct weir_range index[WEIR_MAX_INDEX]; /* of brackets: layer, prompt and the value's axes */
};

typedef weir_status selected_fn(const struct selected *selected, void *payload);

/* Calls `each` for every hook point that the terms name, in their order, without what those after them take away.
   `prompt`: an index, EVERY_PROMPT or FIRST_PROMPT; brackets name theirs. WEIR_E_USAGE when a term names nothing
   stored, and other prompts than were asked for. */
WEIR_CHECKED weir_status selected_each(const weir_file *file, const struct weir_selection *selection, int prompt,
                                       selected_fn *each, void *payload);
/* The number of values: layers times prompts. */
size_t selected_values(const struct selected *selected);
/* WEIR_E_USAGE where terms take other places away in some layers than in others, which an array cannot tell. */
WEIR_CHECKED weir_status selected_is_even(const struct selected *selected);
/* The size of each of the value's axes, large enough for every prompt; and which were chosen by a plain number. */
WEIR_CHECKED weir_status selected_shape(const struct selected *selected, size_t shape[WEIR_MAX_AXES],
                                        bool single[WEIR_MAX_AXES]);

/* The part of one value that the term's units and positions, or its brackets, pick. */
struct excerpt {
    const weir_file *file;
    const weir_file_point *point;
    const weir_point *what;
    int layer, prompt; /* layer -1 outside blocks */
    char which[32];    /* "prompt 3", for messages */
    weir_file_prompt tokens;
    struct picked axes[WEIR_MAX_AXES];
    int row, outer;  /* the axis of positions, and the remaining one before the last, or -1 */
    size_t ahead;    /* about as many values are read at once; 0: a row */
    weir_block held; /* what of the value is in memory */
    float *memory;   /* [room] */
    size_t room;
    const float *values; /* the row read last, from `first` of its axis on */
    size_t first;
};

/* Value `i` of the selected ones, prompts within layers. WEIR_E_USAGE when the only one has nothing stored there. Close
   after a failure too. */
WEIR_CHECKED weir_status excerpt_open(struct excerpt *excerpt, const struct selected *selected, size_t i);
/* WEIR_E_USAGE when brackets name one prompt and only places past its end. */
WEIR_CHECKED weir_status excerpt_has_rows(const struct excerpt *excerpt, const struct selected *selected);
void excerpt_close(struct excerpt *excerpt);
/* Reads the row at `place`: for each axis but the last (which may be the only one), which of its picked indices. */
WEIR_CHECKED weir_status excerpt_read_row(struct excerpt *excerpt, const size_t place[WEIR_MAX_AXES]);
/* The indices picked along the last axis: a single one where that is the axis of positions. */
const struct picked *excerpt_columns(const struct excerpt *excerpt);
/* The value in that column of the row read last. */
float excerpt_value(const struct excerpt *excerpt, size_t column);

#endif
