/* Work in a process of its own: for libraries that may crash on what they are given. */
#ifndef WEIR_CLI_APART_H
#define WEIR_CLI_APART_H

#include "base/status.h"

typedef int apart_fn(const void *context);

/* Runs fn in a child process; what it prints comes out here, its result and message are this call's. When the child
   dies of a signal: WEIR_E_INPUT, `what` naming what it was working on. */
int run_apart(apart_fn *fn, const void *context, const char *what);

#endif
