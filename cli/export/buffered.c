/* Bytes to a descriptor, buffered, with an optional CRC. */
#include "cli/export/buffered.h"

#include "cli/export/output.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { ROOM = 1 << 20 };

weir_status buffered_open(struct buffered *out, int fd, const char *name)
{
    *out = (struct buffered){.fd = fd, .name = name};
    return weir_alloc(&out->buffer, ROOM, 1);
}

static weir_status write_through(const struct buffered *out, const void *bytes, size_t n)
{
    int error = output_bytes(out->fd, bytes, n);
    return error ? output_failed(out->name, error) : WEIR_OK;
}

weir_status buffered_flush(struct buffered *out)
{
    size_t n = out->n;
    out->n = 0;
    return write_through(out, out->buffer, n);
}

weir_status buffered_write(struct buffered *out, const void *bytes, size_t n)
{
    if (out->sums)
        out->crc = (uint32_t)crc32_z(out->crc, bytes, n);
    out->total += n;
    if (n > ROOM - out->n)
        TRY(buffered_flush(out));
    if (n >= ROOM)
        return write_through(out, bytes, n);
    memcpy(out->buffer + out->n, bytes, n);
    out->n += n;
    return WEIR_OK;
}

weir_status buffered_patch(struct buffered *out, uint64_t offset, const void *bytes, size_t n)
{
    TRY(buffered_flush(out));
    ssize_t done = pwrite(out->fd, bytes, n, (off_t)offset);
    return done == (ssize_t)n ? WEIR_OK : output_failed(out->name, done < 0 ? errno : ENOSPC);
}

void buffered_close(struct buffered *out)
{
    weir_free(out->buffer);
    out->buffer = NULL;
}
