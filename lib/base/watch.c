/* Passes on which file of a stranger is read. */
#include "base/watch.h"

#include <stddef.h>

static const struct weir_file_watch *watching;

void weir_watch_files(const struct weir_file_watch *watch)
{
    watching = watch;
}

void weir_watch_begin(const char *path, const char *reader)
{
    if (watching)
        watching->begin(path, reader);
}

void weir_watch_end(void)
{
    if (watching)
        watching->end();
}
