/* Limits for tests, loaded in front of the C library. QUOTA=n: n bytes can be written to regular files; after that they
   fail as on a disk whose quota is used up. OPENS=n: n opens succeed; after that they fail as without descriptors. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>

static atomic_llong written;
static atomic_int opened;

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

#define REPLACE_OPEN(name)                                                                                             \
    int name(const char *path, int flags, ...);                                                                        \
    int name(const char *path, int flags, ...)                                                                         \
    {                                                                                                                  \
        int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name);                \
        const char *most = getenv("OPENS");                                                                            \
        va_list args;                                                                                                  \
        va_start(args, flags);                                                                                         \
        mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;                                                      \
        va_end(args);                                                                                                  \
        if (!most || atomic_fetch_add(&opened, 1) < atoi(most))                                                        \
            return real(path, flags, mode);                                                                            \
        errno = EMFILE;                                                                                                \
        return -1;                                                                                                     \
    }

REPLACE_OPEN(open)
REPLACE_OPEN(open64)
