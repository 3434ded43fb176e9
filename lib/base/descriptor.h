/* Opening files so that none is taken for standard input, output or error. A program may have closed those: the next
   file that is opened gets their number, and what is printed goes into it. */
#ifndef WEIR_BASE_DESCRIPTOR_H
#define WEIR_BASE_DESCRIPTOR_H

#include "base/status.h"

#include <sys/types.h>

/* Those of descriptors 0 to 2 that were closed, taken: reading and writing them fails as if they still were. */
struct weir_standard {
    int taken[3], n;
};

/* @return whether none of 0 to 2 is free now; errno says why not. */
bool weir_standard_take(struct weir_standard *standard);
/* Gives them back; errno stays. */
void weir_standard_give(const struct weir_standard *standard);

/* open with O_CLOEXEC, never giving 0 to 2. @return -1 with errno set, as open does. */
int weir_open(const char *path, int flags, mode_t mode);

#endif
