/* Where the numbers of an edit come from when this run does not compute them: files of arrays, caches of weir's,
   chance. docs/sources.md says what fits what. */
#ifndef WEIR_HOOKS_SOURCES_SOURCE_H
#define WEIR_HOOKS_SOURCES_SOURCE_H

#include "engine/scope.h"
#include "hooks/sources/operand.h"
#include "points/edit.h"

struct weir_edit_source;

/* True for values that need no place of this run and are not simply a number. */
bool weir_edit_source_serves(const struct weir_value *value);

/* Opens what such an edit's value names and checks all that no prompt decides; `scope` is the edit's. All three stay
   the caller's, longer than the source. @return WEIR_E_INPUT for files that are damaged or hold NaN, WEIR_E_UNSUPPORTED
   for what weir does not read, WEIR_E_USAGE for numbers that do not fit: all with the character of the edit. */
WEIR_CHECKED weir_status weir_edit_source_open(struct weir_edit_source **out, const struct weir_model *model,
                                               const struct weir_edit *edit, const struct weir_scope *scope);
void weir_edit_source_close(struct weir_edit_source *source);
/* What whoever runs the edit should know, one line: a cache of the same model by another name. NULL: nothing. */
const char *weir_edit_source_note(const struct weir_edit_source *source);

/* Reads what is needed for the prompts whose cells the scope found last, of which prompt i follows past[i] positions
   (NULL: none do). @return as above; WEIR_E_USAGE for prompts, positions and keys that a cache does not have,
   WEIR_E_INPUT for those that it does not store. */
WEIR_CHECKED weir_status weir_edit_source_find(struct weir_edit_source *source, const size_t *past);
/* The numbers for one box of a site's region in a prompt, which serve every cell of it; good until the next call. The
   value's factor is not in them. @return WEIR_E_MEMORY. */
WEIR_CHECKED weir_status weir_edit_source_numbers(struct weir_operand *out, struct weir_edit_source *source,
                                                  size_t site, size_t prompt, const struct weir_box *box);

#endif
