/* The names that a misspelt one may have meant: those nearest to it, if any is near. */
#ifndef WEIR_CLI_ARGS_NEAR_H
#define WEIR_CLI_ARGS_NEAR_H

#include <stddef.h>

enum { MOST_NEAR = 3 };

/* The nearest so far, all equally near; zero to begin with. */
struct near {
    const char *names[MOST_NEAR]; /* [n], not owned */
    size_t n, distance;
    char text[128];
};

/* Takes `name` up if it is near to what was given, and no further than those before it. Near is one change for every
   three letters, or a beginning of three letters and more. */
void near_add(struct near *near, const char *given, const char *name);
/* "--layer or --key", with `before` before each; valid as long as `near`. */
const char *near_text(struct near *near, const char *before);

#endif
