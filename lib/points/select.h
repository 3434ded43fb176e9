/* The selection grammar, HOOK[:LAYERS[.UNITS]][@POSITIONS], comma-separated: one parser for every command and call. */
#ifndef WEIR_POINTS_SELECT_H
#define WEIR_POINTS_SELECT_H

#include "points/points.h"

/* A slice list as in Python: "3", "2:5", "-1", ":", "0+4+6:9". No bounds known yet. */
struct weir_slice {
    bool has_start, has_stop, single; /* single: one index, `start` */
    int64_t start, stop,
        step; /* step is never 0, and 1 unless start:stop:step was written; negative in brackets only */
};

struct weir_slices {
    struct weir_slice *list; /* [n]; n 0: everything */
    size_t n;
};

/* numpy's basic indexing of a stored dataset, [3, 0, 5] or [-1, ..., ::-2]: its axes are layer (within blocks), prompt
   and those of the value. Axes that are left out, at the end or where the ellipsis stands, are whole. */
enum { WEIR_MAX_INDEX = 2 + WEIR_MAX_AXES };

struct weir_index {
    struct weir_slice items[WEIR_MAX_INDEX]; /* [n] */
    int n, n_before;                         /* n_before: how many stand in front of what is left out */
    bool given;
};

/* One axis of what an index names: first, first + step, ... */
struct weir_range {
    size_t first, n;
    int64_t step;
    bool single; /* by a plain number, which drops the axis */
};

/* One term: every point it names, with the same layers, units and positions. */
struct weir_term {
    bool points[WEIR_N_POINTS];
    const struct weir_alias *alias; /* the name means one of `points` or another, by the model; NULL: all of them */
    bool by_glob;                   /* points that a model does not have are left out, not errors */
    struct weir_slices layers, units, positions;
    struct weir_index index; /* in place of the three, where brackets were written */
    char *text;              /* as written, for messages */
};

struct weir_selection {
    struct weir_term *terms; /* [n] */
    size_t n;
};

/* WEIR_E_USAGE for what matches nothing (naming the nearest) or cannot be parsed. `text` NULL or "": the default set.
 */
WEIR_CHECKED weir_status weir_selection_parse(struct weir_selection **out, const char *text);
/* The same for what is stored: a term may also be NAME[INDEX]. */
WEIR_CHECKED weir_status weir_selection_parse_stored(struct weir_selection **out, const char *text);
void weir_selection_close(struct weir_selection *selection);

/* The text between brackets, for a dataset of `rank` axes. */
WEIR_CHECKED weir_status weir_index_parse(struct weir_index *out, const char *text, size_t n, int rank);
/* What it names of each axis. A number out of range is WEIR_E_USAGE, naming the axis and its size; slices clip. */
WEIR_CHECKED weir_status weir_index_resolve(struct weir_range *out, const struct weir_index *index, const size_t *shape,
                                            const char *const *names, int rank);

/* The numbers of "3", "2:5" or "::2" between text and end; false for anything else. */
bool weir_slice_split(struct weir_slice *out, const char *text, const char *end);
WEIR_CHECKED weir_status weir_slices_parse(struct weir_slices *out, const char *text, size_t n, const char *what);
void weir_slices_close(struct weir_slices *slices);
/* Sets marked[i] for every i < length that the slices name (all when there are none). A single index out of range is
   WEIR_E_USAGE, naming `what` and the range; slices clip as in Python. */
WEIR_CHECKED weir_status weir_slices_mark(const struct weir_slices *slices, bool *marked, size_t length,
                                          const char *what);

/* True where the slices name index i of `length`: what weir_slices_mark would have marked. */
bool weir_slices_name(const struct weir_slices *slices, size_t i, size_t length);
/* True where both were written the same. */
bool weir_slices_equal(const struct weir_slices *a, const struct weir_slices *b);

#endif
