/* A progress bar on standard error. */
#ifndef WEIR_CLI_PRINT_PROGRESS_H
#define WEIR_CLI_PRINT_PROGRESS_H

#include "base/status.h"

struct progress {
    const char *what;
    uint64_t total;
    double unit;         /* how many are one of `what` */
    double began, drawn; /* seconds */
    bool shown, possible;
};

/* A bar on standard error, if that is a terminal, once the work has taken half a second. */
void progress_begin(struct progress *progress, const char *what, uint64_t total);
/* The same for bytes, shown in MB. */
void progress_begin_bytes(struct progress *progress, uint64_t total);
void progress_step(struct progress *progress, uint64_t done);
/* Takes the bar away. @return seconds since the beginning. */
double progress_end(struct progress *progress);

#endif
