/* Grids of patches as a picture (weir patch --png, --svg). */
#ifndef WEIR_CLI_COMMANDS_PATCH_FIGURE_H
#define WEIR_CLI_COMMANDS_PATCH_FIGURE_H

#include "cli/figure/figure.h"

#include "analysis/patch.h"

enum patch_show { SHOW_NORMALISED, SHOW_RAW, SHOW_STDERR };
extern const char *const patch_shows[];

struct patch_look {
    const char *model;     /* its name */
    const char *path, *to; /* of path patching, how and where to; NULL: patches travel every way */
    enum weir_direction direction;
    const char *const *metrics; /* [n_metrics] as they were written */
    enum patch_show show;
    const struct scheme *scheme;
    /* Writes the token that a position is labelled with; NULL: numbers alone. */
    void (*token_at)(char *to, size_t size, const void *from, size_t position);
    const void *from;
};

/* "denoise" or "noise". */
const char *patch_direction_name(enum weir_direction direction);
/* [n_metrics, n_cells] */
const double *patch_values(const struct weir_patch_grid *grid, enum patch_show show);
/* Refuses grids that a picture cannot show, before anything is measured: WEIR_E_USAGE. */
WEIR_CHECKED weir_status patch_figure_check(const struct weir_patch *patch, enum patch_show show);
/* A panel for each grid and metric, layers from top to bottom: of a grid of three axes for each of its heads. Close
   with figure_close. */
WEIR_CHECKED weir_status patch_figure(struct figure **out, const struct weir_patch *patch,
                                      const struct patch_look *look);

#endif
