/* What a selection picks of one stored value, and how to look at it: for weir show. */
#ifndef WEIR_CLI_CUT_H
#define WEIR_CLI_CUT_H

#include "points/select.h"

struct picked {
    size_t *list; /* [n] indices along one axis, rising */
    size_t n;
};

/* One value (a hook point in a layer, for a prompt), cut by the units and positions of a term. */
struct cut {
    const weir_file *file;
    const weir_file_point *point;
    const weir_point *what;
    int layer, prompt; /* layer -1 outside blocks */
    weir_file_prompt tokens;
    struct picked axes[WEIR_MAX_AXES];
    size_t length;  /* of the last axis, as read */
    float *values;  /* [length] the row read last */
    int row, outer; /* the axis of positions, and the remaining one before the last, or -1 */
};

typedef weir_status cut_fn(struct cut *cut, void *payload);

/* Calls `each` for every value of the file that the selection names. WEIR_E_USAGE when a term names nothing stored. */
WEIR_CHECKED weir_status cut_each(const weir_file *file, const struct weir_selection *selection, int prompt,
                                  cut_fn *each, void *payload);
/* Reads the row at `place`, one index for each axis but the last (which may be the only one). */
WEIR_CHECKED weir_status cut_read_row(struct cut *cut, const size_t place[WEIR_MAX_AXES]);

#endif
