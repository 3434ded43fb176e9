/* The three names nearest to one that is not there. */
#ifndef WEIR_CLI_HUB_NEAREST_H
#define WEIR_CLI_HUB_NEAREST_H

#include "base/status.h"

enum { HUB_MOST_NEAREST = 3 };

/* Those so far, the nearest first; all zero is none. */
struct hub_nearest {
    const char *names[HUB_MOST_NEAREST]; /* [n], not owned */
    size_t distances[HUB_MOST_NEAREST], n;
};

/* Takes `name` up if it is among the nearest to `sought`. Of both counts what comes after folders. */
void hub_nearest_add(struct hub_nearest *nearest, const char *sought, const char *name);
/* "a, b, c"; "none" where there is none. */
void hub_nearest_text(char *text, size_t size, const struct hub_nearest *nearest);

#endif
