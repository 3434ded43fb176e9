/* A zip archive of stored entries, with the zip64 fields where 32 bits do not hold a size or a place. */
#ifndef WEIR_CLI_EXPORT_ZIP_H
#define WEIR_CLI_EXPORT_ZIP_H

#include "cli/export/buffered.h"

struct zip_entry {
    char *name;
    uint64_t size, offset; /* of its header */
    uint32_t crc;
};

struct zip {
    struct buffered *out;
    struct zip_entry *entries; /* [n] */
    size_t n, capacity;
};

/* Begins an entry of `size` bytes, which buffered_write then writes. */
WEIR_CHECKED weir_status zip_begin(struct zip *zip, const char *name, uint64_t size);
WEIR_CHECKED weir_status zip_end(struct zip *zip);
/* Writes the directory. */
WEIR_CHECKED weir_status zip_finish(struct zip *zip);
void zip_close(struct zip *zip);

#endif
