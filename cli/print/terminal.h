/* What standard output is: how wide a terminal, with which colours. */
#ifndef WEIR_CLI_PRINT_TERMINAL_H
#define WEIR_CLI_PRINT_TERMINAL_H

#include "base/status.h"

/* Columns of the terminal: COLUMNS, or what standard output says; 0 when it is no terminal (no limit). */
size_t terminal_width(void);
enum colours { COLOURS_NONE, COLOURS_256, COLOURS_24BIT };
/* What standard output can show; none with NO_COLOR set, TERM=dumb, or no terminal. */
enum colours terminal_colours(void);

#endif
