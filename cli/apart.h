/* Questions asked of a file, in a process of their own: what kills the HDF5 library on a stranger's file, takes too
   much memory or too long, ends that process, and is said in one line. */
#ifndef WEIR_CLI_APART_H
#define WEIR_CLI_APART_H

#include "cli/opt.h"

/* Runs a command on the files that are its words. Signals sent to this process go on to the other; where it ended of
   one that asks for an end, so does this. @return the exit code, with its message set. */
int run_apart(const struct args *args, int (*run)(const struct args *args));

#endif
