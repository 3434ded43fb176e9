/* Edits of a run: data turned into changes of the values that pass its hook points. */
#ifndef WEIR_HOOKS_EDIT_H
#define WEIR_HOOKS_EDIT_H

#include "base/text.h"
#include "engine/run.h"

/* Appends the run's edits as JSON, objects separated by commas, in the order in which they act; nothing where there are
   none. @return WEIR_E_MEMORY. */
WEIR_CHECKED weir_status weir_edits_to_json(struct weir_text *out, const struct weir_run *run);

#endif
