/* Edits of a run: data turned into changes of the values that pass its hook points. */
#ifndef WEIR_HOOKS_EDIT_H
#define WEIR_HOOKS_EDIT_H

#include "base/text.h"
#include "engine/run.h"

/* Appends the run's edits as JSON, objects separated by commas, in the order in which they act; nothing where there are
   none. @return WEIR_E_MEMORY. */
WEIR_CHECKED weir_status weir_edits_to_json(struct weir_text *out, const struct weir_run *run);

/* True where an edit knows prompts of other lines, or prompts by their numbers: in a run of fewer prompts it would read
   something else. */
bool weir_edits_know_other_lines(const struct weir_run *run);
/* What edits ask of a sweep's passes, which begin later than the prompts did. */
struct weir_edit_needs {
    int layer;      /* the latest in which they may begin: an edit reads there; n_layers: any */
    bool backwards; /* a row may depend on rows behind it: an edit reads several positions */
    bool all_rows;  /* they run from the first position to the last */
    bool late;      /* the last layer, or what follows it, is edited: no rows are dropped there */
};

/* Sweeps: the next pass is of its prompts, and what they are changed by is kept. @return WEIR_E_UNSUPPORTED for edits
   of prompts by number, and in that pass for those in which a prompt reads itself by a name. */
WEIR_CHECKED weir_status weir_edits_keep(struct weir_run *run);
/* The passes that follow are of variants, which are edited as their prompts were. */
struct weir_edit_needs weir_edits_replay(struct weir_run *run);
/* Ends that. */
void weir_edits_forget(struct weir_run *run);

#endif
