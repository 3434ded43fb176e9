/* Results below /results: what there is of them, and their values. */
#ifndef WEIR_STORE_READ_GRIDS_H
#define WEIR_STORE_READ_GRIDS_H

#include "store/layout.h"

enum { WEIR_STORED_GRID_NAME = 80 };

struct weir_stored_grid {
    char name[WEIR_STORED_GRID_NAME]; /* "patch/resid_pre_normalised": below /results */
    const weir_point *point;          /* that is patched; NULL: a result of the layout that is no grid of patches */
    enum weir_grid_kind kind;
    const struct weir_result *result; /* NULL: a grid of patches */
    int rank, dims[WEIR_GRID_RANK];   /* metrics first, if there are any */
    size_t shape[WEIR_GRID_RANK], n_cells;
    char *metrics, **texts;    /* a JSON list of texts; the same [n_metrics] */
    char *direction, *by;      /* of grids of patches: "denoise" or "noise"; "head" and so on */
    char *path, *to;           /* of path patching: "direct" and so on; where it ends. NULL: patches travel every way */
    char *field;               /* "@subject", of which the rows are; NULL: rows are positions of the prompt */
    char *units;               /* a JSON list of the units of metrics; NULL: not said */
    size_t n_metrics, n_pairs; /* 0: not said */
    double *clean, *corrupt;   /* [n_metrics] without patches; NULL: not said */
};

/* In the order of hook points: values, standard errors, normalised, pairs; then metrics. Free with
   weir_stored_grids_free. @return WEIR_E_INPUT where one is damaged. */
WEIR_CHECKED weir_status weir_stored_grids_find(struct weir_stored_grid **out, size_t *n, const weir_file *file);
void weir_stored_grids_free(struct weir_stored_grid *grids, size_t n);
/* The one of a name below /results; NULL: there is none. */
const struct weir_stored_grid *weir_stored_grid_named(const struct weir_stored_grid *grids, size_t n, const char *name);
/* The other dataset of the same point. */
const struct weir_stored_grid *weir_stored_grid_other(const struct weir_stored_grid *grids, size_t n,
                                                      const struct weir_stored_grid *grid, enum weir_grid_kind kind);
enum { WEIR_GRID_AXIS = 64 };
/* What stands at an axis: its name, or "@subject" where rows are counted in a field. What could steer a terminal is
   escaped. */
void weir_stored_grid_axis(char out[WEIR_GRID_AXIS], const struct weir_stored_grid *grid, int axis);
/* True for an axis of positions of the prompt, which have tokens. */
bool weir_stored_grid_has_tokens(const struct weir_stored_grid *grid, int axis);
/* All values [n_cells], in new memory. */
WEIR_CHECKED weir_status weir_stored_grid_read(float **out, const weir_file *file, const struct weir_stored_grid *grid);

#endif
