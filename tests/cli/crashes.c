/* Crashes for tests, loaded in front of the other libraries. CRASH=FUNCTION:HOW: where FUNCTION (H5Fopen, fsync, ppoll)
   is called first, the process does what HOW says: segfault, abort, free, divide, overflow (of the stack), hang. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int overflow(volatile char *below)
{
    volatile char frame[4096];
    frame[0] = *below;
    return overflow(frame) + frame[0];
}

/* Which the C library notices, whatever the heap is like. */
static void free_twice(void *memory)
{
    void (*volatile release)(void *) = free;
    release(memory);
    release(memory);
}

static void crash(const char *how)
{
    static volatile int zero;
    volatile char begin = 0;
    if (strcmp(how, "segfault") == 0)
        *(volatile int *)(uintptr_t)16 = 1;
    else if (strcmp(how, "abort") == 0)
        abort();
    else if (strcmp(how, "free") == 0)
        free_twice(malloc(64));
    else if (strcmp(how, "divide") == 0)
        zero = 100 / zero;
    else if (strcmp(how, "overflow") == 0)
        overflow(&begin);
    else
        for (;;)
            zero = zero + 1;
}

static void crash_in(const char *function)
{
    const char *asked = getenv("CRASH");
    size_t n = strlen(function);
    if (asked && strncmp(asked, function, n) == 0 && asked[n] == ':')
        crash(asked + n + 1);
}

#define REPLACE(type, name, parameters, arguments)                                                                     \
    type name parameters;                                                                                              \
    type name parameters                                                                                               \
    {                                                                                                                  \
        type(*real) parameters = (type(*) parameters)dlsym(RTLD_NEXT, #name);                                          \
        crash_in(#name);                                                                                               \
        return real arguments;                                                                                         \
    }

REPLACE(int64_t, H5Fopen, (const char *path, unsigned flags, int64_t access), (path, flags, access))
REPLACE(int, fsync, (int fd), (fd))
REPLACE(int, ppoll, (struct pollfd * list, nfds_t n, const struct timespec *until, const sigset_t *mask),
        (list, n, until, mask))
