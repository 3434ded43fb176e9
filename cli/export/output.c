/* Outputs of all commands but dump: a partial file that takes its name at the end, or a stream. */
#include "cli/export/output.h"

#include "cli/process/interrupt.h"

#include "base/descriptor.h"
#include "store/write/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

weir_status output_failed(const char *name, int error)
{
    return weir_fail(WEIR_E_OUTPUT, "%s: cannot be written: %s", name, weir_write_error(error));
}

/* "-" is taken literally: ./- is a file of that name. */
static weir_status open_stream(bool *is_stream, struct output *out, const char *path)
{
    struct weir_target target;
    *is_stream = strcmp(path, "-") == 0;
    if (*is_stream) {
        out->name = "standard output";
        out->fd = STDOUT_FILENO;
        return WEIR_OK;
    }
    TRY(weir_target_find(&target, path));
    *is_stream = target.kind == WEIR_TARGET_STREAM;
    weir_target_close(&target);
    if (!*is_stream)
        return WEIR_OK;
    out->fd = weir_open(path, O_WRONLY | O_NOCTTY, 0);
    return out->fd < 0 ? output_failed(path, errno) : WEIR_OK;
}

weir_status output_open(struct output *out, const char *path, bool force, bool seeks)
{
    bool is_stream = false;
    *out = (struct output){.fd = -1, .name = path};
    if (!seeks)
        TRY(open_stream(&is_stream, out, path));
    else if (strcmp(path, "-") == 0)
        return weir_fail(WEIR_E_USAGE, "-: this format cannot go to standard output: name a file");
    if (is_stream)
        return WEIR_OK;
    interrupts_catch();
    TRY(weir_partial_open(&out->partial, path, force));
    out->fd = out->partial->fd;
    return WEIR_OK;
}

weir_status output_check(const char *path, bool force)
{
    struct weir_target target;
    struct output output;
    if (strcmp(path, "-") == 0)
        return WEIR_OK;
    TRY(weir_target_find(&target, path));
    bool is_stream = target.kind == WEIR_TARGET_STREAM;
    weir_target_close(&target);
    if (is_stream)
        return WEIR_OK;
    weir_status status = output_open(&output, path, force, true);
    output_close(&output);
    return status;
}

weir_status output_room(const struct output *out, uint64_t bytes)
{
    return out->partial ? weir_partial_room(out->partial, bytes) : WEIR_OK;
}

int output_bytes(int fd, const void *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t some = write(fd, (const char *)bytes + done, n - done);
        if (some < 0 && errno == EINTR && !interrupted())
            continue;
        if (some <= 0)
            return some < 0 ? errno : ENOSPC;
        done += (size_t)some;
    }
    return 0;
}

weir_status output_write(struct output *out, const void *bytes, size_t n)
{
    int error = output_bytes(out->fd, bytes, n);
    return error ? output_failed(out->name, error) : WEIR_OK;
}

/* A stream of C's forgets why a write failed. */
static ssize_t write_text(void *cookie, const char *bytes, size_t n)
{
    struct output *out = cookie;
    if (!out->error)
        out->error = output_bytes(out->fd, bytes, n);
    out->written += out->error ? 0 : n;
    return out->error ? 0 : (ssize_t)n;
}

weir_status output_text(FILE **text, struct output *out)
{
    *text = fopencookie(out, "w", (cookie_io_functions_t){.write = write_text});
    return *text ? WEIR_OK : weir_fail(WEIR_E_MEMORY, "out of memory to write %s", out->name);
}

weir_status output_end_text(FILE *text, struct output *out)
{
    fclose(text);
    return out->error ? output_failed(out->name, out->error) : WEIR_OK;
}

weir_status output_commit(struct output *out)
{
    if (interrupted())
        return stopped();
    return out->partial ? weir_partial_commit(out->partial) : WEIR_OK;
}

void output_close(struct output *out)
{
    if (!out->partial && out->fd > STDERR_FILENO)
        close(out->fd);
    weir_partial_close(out->partial);
    *out = (struct output){.fd = -1};
}
