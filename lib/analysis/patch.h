/* Grids of patches: of pairs of prompts, a number for every place at which one prompt's value is put into the other. */
#ifndef WEIR_ANALYSIS_PATCH_H
#define WEIR_ANALYSIS_PATCH_H

#include "analysis/path.h"

/* What one cell of a grid replaces. */
enum weir_patch_by {
    WEIR_PATCH_BY_POINT,         /* what suits the point: heads, neurons, else positions */
    WEIR_PATCH_BY_POSITION,      /* [layer, pos] one row, all of it */
    WEIR_PATCH_BY_HEAD,          /* [layer, head] one head, at all positions */
    WEIR_PATCH_BY_HEAD_POSITION, /* [layer, pos, head] */
    WEIR_PATCH_BY_NEURON,        /* [layer, d_mlp] one neuron, at all positions */
    WEIR_PATCH_BY_QUERY,         /* [layer, head, query] one row of a pattern */
    WEIR_PATCH_BY_CELL,          /* [layer, head, query, key] one weight of a pattern */
    WEIR_N_PATCH_BY
};

/* "position", "head", "head-position", ...; NULL for none, and past the last. */
const char *weir_patch_by_name(enum weir_patch_by by);

enum weir_direction {
    WEIR_DENOISE, /* the corrupt prompt runs, with values of the clean one */
    WEIR_NOISE    /* the clean prompt runs, with values of the corrupt one */
};

enum { WEIR_PATCH_RANK = 4 };

/* The grid of one point. Numbers are [metric, cells], in the order of the axes; NaN: a cell that does not exist, or
   that the selection does not name. */
struct weir_patch_grid {
    const weir_point *point;
    enum weir_patch_by by;
    int rank; /* of the cells: layer, then others */
    weir_axis axes[WEIR_PATCH_RANK];
    size_t shape[WEIR_PATCH_RANK], n_cells;
    char *field;             /* names the positions, "@subject": rows are counted in it; NULL: they are positions */
    bool points_outside;     /* the point is outside the blocks: there is one layer, which is none */
    double *mean;            /* of the metric over pairs, as measured */
    double *error;           /* standard, of that mean; NaN with fewer than two pairs */
    double *normalised;      /* 0: as the corrupt prompt, 1: as the clean one; means over the same pairs are compared */
    double *clean, *corrupt; /* of those pairs that have the cell, without any patch: means */
    size_t *n;               /* [cells] how many pairs have the cell */
};

/* True for an axis whose rows are counted in a field. */
bool weir_patch_counts_in_field(const struct weir_patch_grid *grid, int axis);
/* "layer", "head" and so on; rows that are counted in a field have its name, "@subject". */
const char *weir_patch_axis_name(const struct weir_patch_grid *grid, int axis);

struct weir_patch_options {
    const char *at; /* selection: points, layers, units and positions that are replaced */
    enum weir_patch_by by;
    enum weir_direction direction;
    const struct weir_path *path; /* opened for the same prompts: patches travel by it only; NULL: every way. Cells from
                                     which it leads nowhere do not exist */
    const weir_metric *const *metrics; /* [n_metrics] of the prompt that runs; sides and base are meant unpatched */
    size_t n_metrics;
    /* Called as the work goes on; a status that is not WEIR_OK ends it. NULL: nobody watches. */
    weir_status (*progress)(size_t done, size_t all, void *payload);
    void *payload;
};

struct weir_patch {
    struct weir_patch_grid *grids; /* [n_grids] in the order of points */
    size_t n_grids, n_pairs, n_metrics;
    double *clean, *corrupt; /* [metric] means over pairs, without any patch */
    struct weir_patch_work *work;
};

/* Prepares grids: prompts 2 i and 2 i + 1 are the clean and the corrupt one of pair i. Prompts, options and run stay
   the caller's until close, and the run is used for nothing else: its metrics are the patch's. @return WEIR_E_USAGE for
   a pair of unequal lengths, unless the selection names positions by fields only, a selection that cannot be, a point
   that has nothing of what `by` says, and for tokens and positions of metrics that a prompt does not have. */
WEIR_CHECKED weir_status weir_patch_open(struct weir_patch **out, weir_run *run, const weir_tokens *prompts,
                                         size_t n_pairs, const struct weir_patch_options *options);
/* Measures all cells, as many pairs together as make a batch. @return what `progress` returned, too. */
WEIR_CHECKED weir_status weir_patch_fill(struct weir_patch *patch);
void weir_patch_close(struct weir_patch *patch);

#endif
