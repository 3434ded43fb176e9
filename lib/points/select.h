/* The selection grammar, HOOK[:LAYERS[.UNITS[.NEURONS]]][@POSITIONS][/KEYS][#PROMPTS], comma-separated: one parser for
   every command and call. */
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

/* One of the positions that a term lists, joined by +: a slice, or a name. */
struct weir_spot {
    struct weir_slice slice; /* where name is NULL */
    char *name;              /* a field of the prompt's line, "subject"; "new": what was generated; NULL: a slice */
    struct weir_slices of;   /* which of the positions that the name stands for, "subject[-1]"; n 0: all */
};

struct weir_spots {
    struct weir_spot *list; /* [n]; n 0: everything */
    size_t n;
};

/* Which prompts: "#0:3" by number, "#clean" by a name; all where neither is given. */
struct weir_whose {
    struct weir_slices numbers;
    char *name; /* a side, a field that has the number of a prompt, "base"; NULL: by number */
};

/* What stands behind the name of a hook point. A term that leaves a part out means all of it; a place (edit.h) that
   leaves one out means the target's own, so what was written, if only as ":", is kept. */
struct weir_where {
    bool has_layers, has_units, has_neurons, has_positions, has_keys, has_prompts;
    bool by_query_head; /* units "h7": of a point by key-value heads, the copies that these query heads read */
    struct weir_slices layers, units;
    struct weir_slices neurons;        /* of experts, which are the units: "3.100" */
    struct weir_spots positions, keys; /* positions are queries where there are keys */
    struct weir_whose prompts;
    struct { /* the bytes of the text at which they begin */
        size_t layers, units, neurons, positions, keys, prompts;
    } at;
};

/* One term: every point it names, with the same layers, units, positions, keys and prompts. */
struct weir_term {
    bool points[WEIR_N_POINTS];
    const struct weir_alias *alias; /* the name means one of `points` or another, by the model; NULL: all of them */
    bool by_glob;                   /* points that a model does not have are left out, not errors */
    bool takes_away;                /* "-z:9.9": what it names is taken away from what the terms before it named */
    bool no_hook;                   /* a place without a hook point: the target's own. No points are set */
    struct weir_where where;
    struct weir_index index; /* in place of `where`, where brackets were written */
    char *text;              /* as written, for messages */
    size_t at;               /* the byte of the whole text at which it begins */
};

struct weir_selection {
    struct weir_term *terms; /* [n] */
    size_t n;
    const char *whole; /* the edit's text, of which it is a part; NULL: of none */
};

/* WEIR_E_USAGE for what matches nothing (naming the nearest) or cannot be parsed. `text` NULL or "": the default set.
 */
WEIR_CHECKED weir_status weir_selection_parse(struct weir_selection **out, const char *text);
/* The same for what is stored: a term may also be NAME[INDEX]. */
WEIR_CHECKED weir_status weir_selection_parse_stored(struct weir_selection **out, const char *text);
/* The bytes from `from` to `to` of a longer text, which may not be empty. On failure *fault, where given, is the byte
   of `text` at which what is wrong begins. */
WEIR_CHECKED weir_status weir_selection_parse_part(struct weir_selection **out, const char *text, size_t from,
                                                   size_t to, size_t *fault);
void weir_selection_close(struct weir_selection *selection);

/* The inside of a place's brackets, [HOOK][:LAYERS[.UNITS]][@POSITIONS][/KEYS][#PROMPTS]: one hook point, or none. As
   weir_selection_parse_part. */
WEIR_CHECKED weir_status weir_place_parse(struct weir_term **out, const char *text, size_t from, size_t to,
                                          size_t *fault);
void weir_place_close(struct weir_term *place);

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

/* Spots joined by +, from the n bytes of a text; prompts, by numbers or a name. */
WEIR_CHECKED weir_status weir_spots_parse(struct weir_spots *out, const char *text, size_t n, const char *what);
void weir_spots_close(struct weir_spots *spots);
/* weir_slices_mark for spots without names: a name is WEIR_E_USAGE. */
WEIR_CHECKED weir_status weir_spots_mark(const struct weir_spots *spots, bool *marked, size_t length, const char *what);
bool weir_spots_equal(const struct weir_spots *a, const struct weir_spots *b);
WEIR_CHECKED weir_status weir_whose_parse(struct weir_whose *out, const char *text, size_t n);
void weir_whose_close(struct weir_whose *whose);
/* [:LAYERS[.UNITS]][@POSITIONS][/KEYS][#PROMPTS], all of the text from `from` to `to`; the rest as
   weir_selection_parse_part. */
WEIR_CHECKED weir_status weir_where_parse(struct weir_where *out, const char *text, size_t from, size_t to,
                                          size_t *fault);
void weir_where_close(struct weir_where *where);
/* The length of what opens at text[0], a quote or a bracket, up to and with what closes it before `end`; 1 where
   nothing does, and for other bytes. */
size_t weir_closed_length(const char *text, const char *end);

#endif
