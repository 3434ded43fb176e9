/* The common part of weir's two file drivers under HDF5: source.c, through which files are read, and driver.c, through
   which they are written. HDF5 calls this a virtual file driver (H5FDdevelop.h). */
#ifndef WEIR_STORE_VFD_H
#define WEIR_STORE_VFD_H

#include "store/h5.h"

#include <stdbool.h>
#include <stdint.h>

/* Begins the file of either driver, so that a pointer to one is a pointer to the other. */
struct weir_vfd {
    H5FD_t public;
    haddr_t allocated; /* bytes that HDF5 has given out */
};

/* The callbacks get_eoa and set_eoa. */
haddr_t weir_vfd_allocated(const H5FD_t *file, H5FD_mem_t type);
herr_t weir_vfd_allocate(H5FD_t *file, H5FD_mem_t type, haddr_t bytes);
/* Puts a failure on HDF5's stack of errors, where weir_h5_fail finds it. @return -1 */
herr_t weir_vfd_fail(hid_t number, const char *what);
/* Has a file access list use `driver` for what `file` points to. *id, at first H5I_INVALID_HID, keeps the driver. */
herr_t weir_vfd_set(hid_t fapl, hid_t *id, const H5FD_class_t *driver, void *file);
/* Up to n bytes at `address`, as many as the file has; *n is what was read. False, with errno, when it cannot be read.
 */
bool weir_vfd_read(int fd, void *out, size_t *n, uint64_t address);

#endif
