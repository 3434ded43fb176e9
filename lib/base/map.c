#include "base/map.h"

#include "base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static weir_status map_descriptor(struct weir_map *map, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return weir_fail(WEIR_E_INPUT, "%s: %s", map->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return weir_fail(WEIR_E_INPUT, "%s: not a regular file", map->path);
    if (st.st_size == 0)
        return WEIR_OK;
    void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return weir_fail(WEIR_E_INPUT, "%s: cannot be mapped: %s", map->path, strerror(errno));
    map->data = data;
    map->size = (size_t)st.st_size;
    return WEIR_OK;
}

weir_status weir_map_open(struct weir_map **out, const char *path)
{
    struct weir_map *map = NULL;
    weir_status status;
    int fd = -1;
    *out = NULL;
    TRY_DONE(weir_alloc_zero(&map, 1, sizeof *map));
    TRY_DONE(weir_copy_string(&map->path, path));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        TRY_DONE(weir_fail(WEIR_E_INPUT, "%s: cannot be opened: %s", path, strerror(errno)));
    TRY_DONE(map_descriptor(map, fd));
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
    if (map->data)
        munmap((void *)(uintptr_t)map->data, map->size);
    weir_free(map->path);
    weir_free(map);
}

void weir_map_let_go(const uint8_t *data, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), end = ((uintptr_t)data + bytes) / page * page;
    uintptr_t begin = ((uintptr_t)data + page - 1) / page * page;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_DONTNEED); /* a hint: when it fails, nothing is lost */
}
