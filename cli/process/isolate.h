/* Reads files in a child process: a file that crashes the HDF5 library, or takes too much memory or too long, ends that
   process and is reported in one line. */
#ifndef WEIR_CLI_PROCESS_ISOLATE_H
#define WEIR_CLI_PROCESS_ISOLATE_H

/* @return an exit code, or a weir_status with its message set. */
typedef int isolated_fn(const void *payload);

/* Runs a function that reads the n files of these names in a child process. Signals sent to this process go on to the
   other; where that ended of one that asks for an end, so does this. @return the exit code, with its message set. */
int run_isolated(const char *const *names, int n, isolated_fn *run, const void *payload);

#endif
