/* Grids of patches as a file: the pairs, and the grids below /results/patch. */
#ifndef WEIR_ANALYSIS_PATCH_STORE_H
#define WEIR_ANALYSIS_PATCH_STORE_H

#include "analysis/patch.h"

struct weir_patch_store;

/* What the file says of how the grids came about. */
struct weir_patch_about {
    const char *command, *at;
    enum weir_direction direction;
    const struct weir_path_options *path; /* that patches travel by; NULL: every way */
    const char *const *metrics;           /* [n_metrics] as written */
    const weir_run *run;                  /* whose edits hold in all of it */
    bool force;                           /* replaces a file */
};

/* Creates the file under a partial name, before the grids are filled, so that one that cannot be written is refused
   early. The patch, the pairs (as in weir_patch_open) and what `about` has stay the caller's. */
WEIR_CHECKED weir_status weir_patch_store_open(struct weir_patch_store **out, const char *path, const weir_model *model,
                                               const struct weir_patch *patch, const weir_tokens *prompts,
                                               const struct weir_patch_about *about);
/* Writes the grids and gives the file its name. */
WEIR_CHECKED weir_status weir_patch_store_commit(struct weir_patch_store *store);
void weir_patch_store_close(struct weir_patch_store *store);

#endif
