/* The callbacks that both file drivers have, and how a driver is registered. */
#include "store/vfd.h"

#include <errno.h>
#include <unistd.h>

haddr_t weir_vfd_allocated(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const struct weir_vfd *)(const void *)file)->allocated;
}

herr_t weir_vfd_allocate(H5FD_t *file, H5FD_mem_t type, haddr_t bytes)
{
    (void)type;
    ((struct weir_vfd *)(void *)file)->allocated = bytes;
    return 0;
}

herr_t weir_vfd_fail(hid_t number, const char *what)
{
    H5Epush2(H5E_DEFAULT, __FILE__, __func__, __LINE__, H5E_ERR_CLS, H5E_VFL, number, "%s", what);
    return -1;
}

/* The driver stays registered, as HDF5 keeps its own: H5FD_close releases a driver and then calls it. It is gone after
   an H5close. */
herr_t weir_vfd_set(hid_t fapl, hid_t *id, const H5FD_class_t *driver, void *file)
{
    if (H5Iget_type(*id) != H5I_VFL)
        *id = H5FDregister(driver);
    return *id >= 0 ? H5Pset_driver(fapl, *id, &file) : -1; /* copies the pointer */
}

bool weir_vfd_read(int fd, void *out, size_t *n, uint64_t address)
{
    size_t done = 0;
    while (done < *n) {
        ssize_t got = pread(fd, (uint8_t *)out + done, *n - done, (off_t)(address + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *n = done;
    return true;
}
