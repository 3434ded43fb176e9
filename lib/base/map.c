/* Maps files. A page that a file has lost since reads as zeros, which weir_map_check reports. */
#include "base/map.h"

#include "base/alloc.h"
#include "base/input.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- maps as a signal handler sees them: it may take no lock and follow no list that is being changed ---- */

enum { MOST_GUARDS = 4096 };

struct weir_guard {
    atomic_uintptr_t begin, end; /* begin 0: free; 1: being filled */
    atomic_bool cut;             /* zeros are where the file ended */
};

static struct weir_guard guards[MOST_GUARDS];

static struct weir_guard *guard_open(const uint8_t *data, size_t size)
{
    for (int i = 0; i < MOST_GUARDS; i++) {
        uintptr_t none = 0;
        if (!atomic_compare_exchange_strong(&guards[i].begin, &none, 1))
            continue;
        atomic_store(&guards[i].cut, false);
        atomic_store(&guards[i].end, (uintptr_t)data + size);
        atomic_store(&guards[i].begin, (uintptr_t)data);
        return &guards[i];
    }
    return NULL;
}

static void guard_close(struct weir_guard *guard)
{
    if (guard)
        atomic_store(&guard->begin, 0);
}

bool weir_mend_map(const void *address)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)address / page * page;
    for (int i = 0; i < MOST_GUARDS; i++) {
        uintptr_t begin = atomic_load(&guards[i].begin), end = atomic_load(&guards[i].end);
        if (begin <= 1 || at < begin || at >= end)
            continue;
        int error = errno;
        atomic_store(&guards[i].cut, true);
        void *zeros = mmap((void *)at, end - at, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        errno = error;
        return zeros != MAP_FAILED;
    }
    return false;
}

/* ---- opening and closing ---- */

static weir_status map_descriptor(struct weir_map *map, int fd, const struct stat *st)
{
    if (st->st_size == 0)
        return WEIR_OK;
    void *data = mmap(NULL, (size_t)st->st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return weir_fail(WEIR_E_INPUT, "%s: cannot be mapped: %s", map->path, strerror(errno));
    map->data = data;
    map->size = (size_t)st->st_size;
    map->device = st->st_dev;
    map->inode = st->st_ino;
    map->guard = guard_open(map->data, map->size);
    return WEIR_OK;
}

/* A clone without Git LFS has this in place of a large file. */
static weir_status refuse_pointer(const struct weir_map *map)
{
    static const char begin[] = "version https://git-lfs.github.com/spec/";
    if (map->size > 1024 || map->size < sizeof begin || memcmp(map->data, begin, sizeof begin - 1) != 0)
        return WEIR_OK;
    return weir_fail(
        WEIR_E_INPUT,
        "%s: is a Git LFS pointer, not the file itself: run git lfs pull in its folder, or download it again",
        map->path);
}

weir_status weir_map_open(struct weir_map **out, const char *path)
{
    struct weir_map *map = NULL;
    weir_status status;
    struct stat st;
    int fd = -1;
    *out = NULL;
    TRY_DONE(weir_alloc_zero(&map, 1, sizeof *map));
    TRY_DONE(weir_copy_string(&map->path, path));
    TRY_DONE(weir_input_open(&fd, &st, path));
    TRY_DONE(map_descriptor(map, fd, &st));
    TRY_DONE(refuse_pointer(map));
    *out = map;
    map = NULL;
done:
    if (fd >= 0)
        close(fd);
    weir_map_close(map);
    return status;
}

void weir_map_close(struct weir_map *map)
{
    if (!map)
        return;
    guard_close(map->guard);
    if (map->data)
        munmap((void *)(uintptr_t)map->data, map->size);
    weir_free(map->path);
    weir_free(map);
}

weir_status weir_map_check(const struct weir_map *map)
{
    struct stat st;
    bool cut = map->guard && atomic_load(&map->guard->cut);
    /* within its last page a file that lost bytes reads as zeros, without a signal */
    if (!cut && stat(map->path, &st) == 0 && st.st_dev == map->device && st.st_ino == map->inode)
        cut = (size_t)st.st_size < map->size;
    return cut ? weir_fail(WEIR_E_INPUT, "%s: was cut short while it was read", map->path) : WEIR_OK;
}

void weir_map_release_pages(const uint8_t *data, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), end = ((uintptr_t)data + bytes) / page * page;
    uintptr_t begin = ((uintptr_t)data + page - 1) / page * page;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_DONTNEED); /* a hint: when it fails, nothing is lost */
}
