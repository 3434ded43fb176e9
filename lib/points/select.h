/* The selection grammar, HOOK[:LAYERS[.UNITS]][@POSITIONS], comma-separated: one parser for every command and call. */
#ifndef WEIR_POINTS_SELECT_H
#define WEIR_POINTS_SELECT_H

#include "points/points.h"

/* A slice list as in Python: "3", "2:5", "-1", ":", "0+4+6:9". No bounds known yet. */
struct weir_slice {
    bool has_start, has_stop, single; /* single: one index, `start` */
    int64_t start, stop, step; /* step is never 0; always 1 unless start:stop:step was written, and never negative */
};

struct weir_slices {
    struct weir_slice *list; /* [n]; n 0: everything */
    size_t n;
};

/* One term: every point it names, with the same layers, units and positions. */
struct weir_term {
    bool points[WEIR_N_POINTS];
    bool by_glob; /* points that a model does not have are left out, not errors */
    struct weir_slices layers, units, positions;
    char *text; /* as written, for messages */
};

struct weir_selection {
    struct weir_term *terms; /* [n] */
    size_t n;
};

/* WEIR_E_USAGE for what matches nothing (naming the nearest) or cannot be parsed. `text` NULL or "": the default set.
 */
WEIR_CHECKED weir_status weir_selection_parse(struct weir_selection **out, const char *text);
void weir_selection_close(struct weir_selection *selection);

WEIR_CHECKED weir_status weir_slices_parse(struct weir_slices *out, const char *text, size_t n, const char *what);
void weir_slices_close(struct weir_slices *slices);
/* Sets marked[i] for every i < length that the slices name (all when there are none). A single index out of range is
   WEIR_E_USAGE, naming `what` and the range; slices clip as in Python. */
WEIR_CHECKED weir_status weir_slices_mark(const struct weir_slices *slices, bool *marked, size_t length,
                                          const char *what);

/* Whether the slices name index i of `length`: what weir_slices_mark would have marked. */
bool weir_slices_name(const struct weir_slices *slices, size_t i, size_t length);

#endif
