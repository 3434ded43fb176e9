/* Asks the environment and standard output for width and colours. */
#include "cli/print/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { MOST_COLUMNS = 100000 };

size_t terminal_width(void)
{
    struct winsize size;
    const char *given = getenv("COLUMNS");
    long columns = given ? strtol(given, NULL, 10) : 0;
    if (columns > 0 && columns < MOST_COLUMNS)
        return (size_t)columns;
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        return size.ws_col;
    return 0;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

enum colours terminal_colours(void)
{
    const char *term = getenv("TERM"), *more = getenv("COLORTERM");
    if (is_set("NO_COLOR") || !isatty(STDOUT_FILENO) || !term || strcmp(term, "dumb") == 0)
        return COLOURS_NONE;
    if (more && (strcmp(more, "truecolor") == 0 || strcmp(more, "24bit") == 0))
        return COLOURS_24BIT;
    return COLOURS_256;
}
