/* What the two halves of path patching share: receivers as they were found, and where branches end. */
#ifndef WEIR_ANALYSIS_PATH_PARTS_H
#define WEIR_ANALYSIS_PATH_PARTS_H

#include "analysis/path.h"
#include "engine/run.h"

struct weir_path {
    const struct weir_path_options *options;
    struct weir_run *run;
    const weir_tokens *prompts; /* [n] */
    size_t n;
    struct weir_selection *selection;
    struct weir_scope *to; /* the receivers: sites in the order of points, whose cells are those of whole prompts */
    struct weir_scope **hooked; /* [to->n_sites] each site by itself for the plan: its heads, at all positions */
};

static inline size_t weir_path_shared(const struct weir_model *model)
{
    return (size_t)(model->config.n_heads / model->config.n_kv_heads);
}

/* True where a point's units are heads or key-value heads. */
bool weir_path_by_head(int point);
/* The point at which what happens at a point is written to the stream: its own, in the stream and outside branches. */
int weir_path_written(int point);
/* True where receiver `site` lies behind what a variant of that prompt writes. */
bool weir_path_is_behind(const struct weir_path *path, const struct weir_site *site, const weir_variant *v,
                         size_t prompt);

#endif
