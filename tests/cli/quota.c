/* A user's quota, for tests: loaded in front of the C library, it lets this process write QUOTA bytes to regular files.
   After that they fail as on a disk whose quota is used up. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>

static atomic_llong written;

static int is_over(int fd, size_t n)
{
    struct stat st;
    const char *quota = getenv("QUOTA");
    if (!quota || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return 0;
    if (atomic_fetch_add(&written, (long long)n) + (long long)n <= atoll(quota))
        return 0;
    errno = EDQUOT;
    return 1;
}

#define REPLACE(name, parameters, arguments)                                                                           \
    ssize_t name parameters;                                                                                           \
    ssize_t name parameters                                                                                            \
    {                                                                                                                  \
        ssize_t(*real) parameters = (ssize_t(*) parameters)dlsym(RTLD_NEXT, #name);                                    \
        return is_over(fd, n) ? -1 : real arguments;                                                                   \
    }

REPLACE(write, (int fd, const void *data, size_t n), (fd, data, n))
REPLACE(pwrite, (int fd, const void *data, size_t n, off_t at), (fd, data, n, at))
REPLACE(pwrite64, (int fd, const void *data, size_t n, off64_t at), (fd, data, n, at))
