/* A file mapped read-only, private. Views into it live as long as it does. */
#ifndef WEIR_BASE_MAP_H
#define WEIR_BASE_MAP_H

#include "base/status.h"

struct weir_map {
    char *path;
    const uint8_t *data; /* [size]; NULL for an empty file */
    size_t size;
    uint64_t device, inode;   /* of the file that was mapped */
    struct weir_guard *guard; /* NULL for an empty file, or when there are too many maps to watch */
};

/* Fails with WEIR_E_INPUT, naming the path, where it is not a regular file that can be read. */
WEIR_CHECKED weir_status weir_map_open(struct weir_map **out, const char *path);
void weir_map_close(struct weir_map *map);
/* Gives back the memory of a piece of a map, pages that it has to itself. Reading it again reads the file again. */
void weir_map_release_pages(const uint8_t *data, size_t bytes);
/* WEIR_E_INPUT once the file has lost bytes that were mapped: what was read meanwhile may have been zeros. */
WEIR_CHECKED weir_status weir_map_check(const struct weir_map *map);

#endif
