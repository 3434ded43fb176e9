/* Which cells of one stored value a term names, without what the terms after it take away. */
#ifndef WEIR_CLI_SELECT_CELLS_H
#define WEIR_CLI_SELECT_CELLS_H

#include "cli/select/values.h"

/* Fills the axes of an excerpt whose other members are set. WEIR_E_USAGE where the cells are no set of units at a set
   of positions, and of keys. */
WEIR_CHECKED weir_status cells_pick(struct excerpt *excerpt, const struct selected *selected);
/* True where a term chooses neither units, positions nor keys. */
bool takes_whole_values(const struct weir_term *term);
/* True for a plain number, which drops its axis. */
bool is_one_index(const struct weir_slices *slices);

#endif
