/* A cache file that is read: opened once, by us, and read by HDF5 through a driver that stays inside it. */
#ifndef WEIR_STORE_READ_SOURCE_H
#define WEIR_STORE_READ_SOURCE_H

#include "store/vfd.h"

/* Stays where it is while it is open: HDF5 has its address. */
struct weir_h5_source {
    struct weir_vfd vfd; /* first: HDF5's pointer to it is a pointer to this */
    const char *path;    /* for messages; not owned */
    int fd;
    uint64_t size; /* bytes of the file */
    uint64_t base; /* where HDF5's addresses count from */
    hid_t file;
};

/* WEIR_E_INPUT where it is not a regular file, another process has it locked for writing, or it is not HDF5.
   Nothing needs closing after a failure. */
WEIR_CHECKED weir_status weir_h5_source_open(struct weir_h5_source *out, const char *path);
/* For one that was opened, or is {.fd = -1, .file = H5I_INVALID_HID}. */
void weir_h5_source_close(struct weir_h5_source *source);
/* Exactly n bytes at `address` of the file; false where they are not in it, or it was truncated. */
bool weir_h5_source_read(const struct weir_h5_source *source, void *out, uint64_t address, size_t n);

#endif
