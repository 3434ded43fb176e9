/* Width and colours of the terminal that standard output is. */
#ifndef WEIR_CLI_PRINT_TERMINAL_H
#define WEIR_CLI_PRINT_TERMINAL_H

#include "base/status.h"

/* Columns of the terminal: COLUMNS, or those of standard output; 0 when it is no terminal (no limit). */
size_t terminal_width(void);
enum colours { COLOURS_NONE, COLOURS_256, COLOURS_24BIT };
/* The colours that standard output can show; none with NO_COLOR set, TERM=dumb, or no terminal. */
enum colours terminal_colours(void);

#endif
