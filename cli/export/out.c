/* Bytes to a descriptor, buffered, with an optional CRC. */
#include "cli/export/out.h"

#include "cli/export/output.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { ROOM = 1 << 20 };

weir_status out_open(struct out *out, int fd, const char *name)
{
    *out = (struct out){.fd = fd, .name = name};
    return weir_alloc(&out->buffer, ROOM, 1);
}

static weir_status write_through(const struct out *out, const void *bytes, size_t n)
{
    int error = output_bytes(out->fd, bytes, n);
    return error ? output_failed(out->name, error) : WEIR_OK;
}

weir_status out_flush(struct out *out)
{
    size_t n = out->n;
    out->n = 0;
    return write_through(out, out->buffer, n);
}

weir_status out_bytes(struct out *out, const void *bytes, size_t n)
{
    if (out->sums)
        out->crc = (uint32_t)crc32_z(out->crc, bytes, n);
    out->total += n;
    if (n > ROOM - out->n)
        TRY(out_flush(out));
    if (n >= ROOM)
        return write_through(out, bytes, n);
    memcpy(out->buffer + out->n, bytes, n);
    out->n += n;
    return WEIR_OK;
}

weir_status out_patch(struct out *out, uint64_t offset, const void *bytes, size_t n)
{
    TRY(out_flush(out));
    ssize_t done = pwrite(out->fd, bytes, n, (off_t)offset);
    return done == (ssize_t)n ? WEIR_OK : output_failed(out->name, done < 0 ? errno : ENOSPC);
}

void out_close(struct out *out)
{
    weir_free(out->buffer);
    out->buffer = NULL;
}
