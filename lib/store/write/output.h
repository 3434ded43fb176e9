/* Where bytes of an output file go: past the page cache where that pays.

   A value of some megabytes is written once and read much later. Through the page cache it is copied, and takes fresh
   pages of memory: on a virtual machine a page that the guest never had before may cost more than its way to the disk
   (docs/performance.md has what that came to). Straight from the engine's buffer to the disk it costs no processor that
   the forward pass needs, and fsync finds nothing left to do. Ends that do not fill a block, small pieces, and file
   systems that cannot (tmpfs) go through the page cache: the same bytes, another way. */
#ifndef WEIR_STORE_WRITE_OUTPUT_H
#define WEIR_STORE_WRITE_OUTPUT_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct weir_output {
    int fd;           /* not owned */
    int straight;     /* the same file past the page cache; -1: not possible, or no longer */
    uint8_t *staging; /* aligned bytes for values that are not; NULL until needed */
    uint64_t cached;  /* bytes that went through the page cache since the disk was set to work */
    const char *name; /* for messages; not owned */
};

/* fd is the file that `path` names now; `name` is what messages call it. Both outlive the output. Never fails: features
 * that the file system lacks are skipped. */
void weir_output_open(struct weir_output *out, int fd, const char *path, const char *name);
void weir_output_close(struct weir_output *out);

/* Writes all of it at `offset`. @return WEIR_E_OUTPUT when the disk is full or does not take it; errno says
   why. */
WEIR_CHECKED weir_status weir_output_write(struct weir_output *out, const void *data, size_t bytes, uint64_t offset);

#endif
