/* Opens files above the three standard descriptors. */
#include "base/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool weir_standard_take(struct weir_standard *standard)
{
    *standard = (struct weir_standard){.n = 0};
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        int taken =
            open("/", O_PATH | O_CLOEXEC); /* the lowest that is free; nothing can be read from or written to it */
        if (taken < 0) {
            weir_standard_give(standard);
            return false;
        }
        standard->taken[standard->n++] = taken;
    }
    return true;
}

void weir_standard_give(const struct weir_standard *standard)
{
    int error = errno;
    for (int i = 0; i < standard->n; i++)
        close(standard->taken[i]);
    errno = error;
}

/* Another thread may have given back what stood in the way. */
static int move_above_standard(int fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    int lifted = fcntl(fd, F_DUPFD_CLOEXEC, 3), error = errno;
    close(fd);
    errno = error;
    return lifted;
}

int weir_open(const char *path, int flags, mode_t mode)
{
    struct weir_standard standard;
    if (!weir_standard_take(&standard))
        return -1;
    int fd = open(path, flags | O_CLOEXEC, mode);
    weir_standard_give(&standard);
    return move_above_standard(fd);
}
