/* The grids of patches in a file: what there is of them, without their values. */
#ifndef WEIR_STORE_READ_GRIDS_H
#define WEIR_STORE_READ_GRIDS_H

#include "base/status.h"

enum { WEIR_STORED_GRID_RANK = 5, WEIR_STORED_GRID_NAME = 80 };

struct weir_stored_grid {
    char name[WEIR_STORED_GRID_NAME]; /* "patch/resid_pre_normalised": below /results */
    int rank;
    size_t shape[WEIR_STORED_GRID_RANK]; /* metrics first */
    char *metrics, *direction;           /* a JSON list of texts; "denoise" or "noise" */
};

/* In the order of hook points: values, standard errors, normalised. Free with weir_stored_grids_free. @return
   WEIR_E_INPUT where one is damaged. */
WEIR_CHECKED weir_status weir_stored_grids_find(struct weir_stored_grid **out, size_t *n, const weir_file *file);
void weir_stored_grids_free(struct weir_stored_grid *grids, size_t n);

#endif
