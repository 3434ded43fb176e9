/* Bytes on their way to a file or to standard output, by the megabyte. */
#ifndef WEIR_CLI_EXPORT_BUFFERED_H
#define WEIR_CLI_EXPORT_BUFFERED_H

#include "base/status.h"

struct buffered {
    int fd;
    const char *name; /* for messages; not owned */
    uint8_t *buffer;
    size_t n;       /* bytes in it */
    uint64_t total; /* written and in the buffer */
    bool sums;      /* keep `crc` */
    uint32_t crc;   /* of what came since it was set to 0 */
};

WEIR_CHECKED weir_status buffered_open(struct buffered *out, int fd, const char *name);
WEIR_CHECKED weir_status buffered_write(struct buffered *out, const void *bytes, size_t n);
WEIR_CHECKED weir_status buffered_flush(struct buffered *out);
/* Overwrites n bytes at `offset`, in a file. */
WEIR_CHECKED weir_status buffered_patch(struct buffered *out, uint64_t offset, const void *bytes, size_t n);
/* Bytes that were not flushed are lost. */
void buffered_close(struct buffered *out);

#endif
