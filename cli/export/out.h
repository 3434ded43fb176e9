/* Bytes on their way to a file or to standard output, by the megabyte. */
#ifndef WEIR_CLI_EXPORT_OUT_H
#define WEIR_CLI_EXPORT_OUT_H

#include "base/status.h"

struct out {
    int fd;
    const char *name; /* for messages; not owned */
    uint8_t *buffer;
    size_t n;       /* bytes in it */
    uint64_t total; /* written and in the buffer */
    bool sums;      /* keep `crc` */
    uint32_t crc;   /* of what came since it was set to 0 */
};

WEIR_CHECKED weir_status out_open(struct out *out, int fd, const char *name);
WEIR_CHECKED weir_status out_bytes(struct out *out, const void *bytes, size_t n);
WEIR_CHECKED weir_status out_flush(struct out *out);
/* Overwrites n bytes at `offset`, in a file. */
WEIR_CHECKED weir_status out_patch(struct out *out, uint64_t offset, const void *bytes, size_t n);
/* Bytes that were not flushed are lost. */
void out_close(struct out *out);

#endif
