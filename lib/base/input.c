/* Opening input files: without waiting first, then a look at what it is. */
#include "base/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static const char *kind_of_file(const struct stat *st)
{
    return S_ISDIR(st->st_mode)    ? "a folder"
           : S_ISFIFO(st->st_mode) ? "a pipe"
           : S_ISCHR(st->st_mode)  ? "a device"
           : S_ISBLK(st->st_mode)  ? "a device"
                                   : "a socket";
}

/* Must not wait for a pipe without a writer, or for a device whose opening has effects. */
static weir_status open_anything(int *fd, struct stat *st, const char *path)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd >= 0 && fstat(*fd, st) == 0)
        return WEIR_OK;
    int number = errno;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return weir_fail(WEIR_E_INPUT, "%s: cannot be opened: %s", path, strerror(number));
}

weir_status weir_input_open(int *fd, struct stat *st, const char *path)
{
    TRY(open_anything(fd, st, path));
    if (S_ISREG(st->st_mode))
        return WEIR_OK;
    close(*fd);
    *fd = -1;
    return weir_fail(WEIR_E_INPUT, "%s: not a regular file but %s", path, kind_of_file(st));
}

/* True where a pipe has a writer, or data waiting in it: one without either ends at once. What
   has to be read to know is *byte, or -1. */
static bool has_writer(int fd, int *byte)
{
    unsigned char first;
    ssize_t got = read(fd, &first, 1);
    *byte = got == 1 ? first : -1;
    return got == 1 || (got < 0 && errno == EAGAIN);
}

static weir_status make_stream(FILE **out, int fd, const struct stat *st, const char *path)
{
    int byte = -1;
    if (S_ISDIR(st->st_mode) || S_ISBLK(st->st_mode))
        return weir_fail(WEIR_E_INPUT, "%s: not a file but %s", path, kind_of_file(st));
    if (S_ISFIFO(st->st_mode) && !has_writer(fd, &byte))
        return weir_fail(WEIR_E_INPUT, "%s: a pipe without a writer", path);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0 || !(*out = fdopen(fd, "rb")))
        return weir_fail(WEIR_E_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
    if (byte >= 0)
        ungetc(byte, *out);
    return WEIR_OK;
}

weir_status weir_input_stream(FILE **out, const char *path)
{
    struct stat st = {0};
    int fd;
    *out = NULL;
    TRY(open_anything(&fd, &st, path));
    weir_status status = make_stream(out, fd, &st, path);
    if (status != WEIR_OK)
        close(fd);
    return status;
}

bool weir_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}
