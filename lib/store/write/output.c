/* Writes aligned blocks past the page cache, and the rest through it. */
#include "store/write/output.h"

#include "base/alloc.h"
#include "base/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum {
    BLOCK = 4096,           /* of disks: offsets and lengths are whole ones */
    MEMORY = 512,           /* addresses are multiples of that: a sector */
    STAGING = 4 << 20,      /* bytes that are copied at a time where an address is not */
    LEAST = 128 << 10,      /* bytes under which the page cache is quicker than the disk's answer */
    START_BYTES = 64 << 20, /* in the page cache, after which the disk is set to work */
};

void weir_output_open(struct weir_output *out, int fd, const char *path, const char *name)
{
    *out =
        (struct weir_output){.fd = fd, .straight = weir_open(path, O_WRONLY | O_DIRECT | O_NOFOLLOW, 0), .name = name};
}

static void give_up_straight(struct weir_output *out)
{
    if (out->straight >= 0)
        close(out->straight);
    out->straight = -1;
}

void weir_output_close(struct weir_output *out)
{
    give_up_straight(out);
    weir_free(out->staging);
    out->staging = NULL;
}

/* So many bytes more are in the page cache: from time to time the disk is set to work, so that the fsync at the end
   finds little left to do. */
static void count_cached(struct weir_output *out, uint64_t bytes)
{
    out->cached += bytes;
    if (out->cached < START_BYTES)
        return;
    out->cached = 0;
    sync_file_range(out->fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* only a hint */
}

static weir_status fail_write(const struct weir_output *out, int number)
{
    weir_status status = weir_fail(WEIR_E_OUTPUT, "%s: cannot be written: %s", out->name, weir_write_error(number));
    errno = number;
    return status;
}

static weir_status through_cache(struct weir_output *out, const uint8_t *data, size_t bytes, uint64_t offset)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t n = pwrite(out->fd, data + done, bytes - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_write(out, n < 0 ? errno : ENOSPC);
        done += (size_t)n;
    }
    count_cached(out, bytes);
    return WEIR_OK;
}

/* Bytes that can be handed to the disk from this address: all, or what is copied to one that it takes; 0: none. */
static size_t stage_aligned(const void **from, struct weir_output *out, const uint8_t *data, size_t bytes)
{
    *from = data;
    if ((uintptr_t)data % MEMORY == 0)
        return bytes;
    if (!out->staging && weir_alloc_aligned(&out->staging, STAGING, 1) != WEIR_OK)
        return 0;
    *from = out->staging;
    bytes = bytes < STAGING ? bytes : STAGING;
    memcpy(out->staging, data, bytes);
    return bytes;
}

/* Whole blocks, as far as the disk takes them this way. @return bytes written, whole blocks too. */
static size_t past_cache(struct weir_output *out, const uint8_t *data, size_t bytes, uint64_t offset)
{
    size_t done = 0;
    while (done < bytes && out->straight >= 0) {
        const void *from;
        size_t some = stage_aligned(&from, out, data + done, bytes - done);
        ssize_t n = some ? pwrite(out->straight, from, some, (off_t)(offset + done)) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < BLOCK)
            give_up_straight(out); /* the page cache says why, or manages */
        else
            done += (size_t)n / BLOCK * BLOCK;
    }
    return done;
}

weir_status weir_output_write(struct weir_output *out, const void *data, size_t bytes, uint64_t offset)
{
    const uint8_t *p = data;
    size_t head = (size_t)(-offset % BLOCK), done = 0;
    if (bytes >= LEAST) {
        TRY(through_cache(out, p, head, offset));
        done = head + past_cache(out, p + head, (bytes - head) / BLOCK * BLOCK, offset + head);
    }
    return through_cache(out, p + done, bytes - done, offset + done);
}
