#include "store/driver.h"

#include "base/alloc.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Begins as the file of every driver does, so that a pointer to one is a pointer to the other. */
struct file {
    H5FD_t public;
    struct weir_output *output;
    haddr_t allocated; /* bytes that HDF5 has given out */
    haddr_t size;      /* of the file, as far as HDF5 wrote it; contiguous datasets are written beside it */
};

static struct file *own(H5FD_t *file)
{
    return (struct file *)(void *)file;
}

static const struct file *own_const(const H5FD_t *file)
{
    return (const struct file *)(const void *)file;
}

/* As HDF5's own driver words it: weir_h5_fail reads the number. */
static herr_t failure(const char *what, int number)
{
    H5Epush2(H5E_DEFAULT, __FILE__, __func__, __LINE__, H5E_ERR_CLS, H5E_VFL, H5E_CANTOPERATE, "%s: errno = %d", what,
             number);
    return -1;
}

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t fapl, haddr_t most)
{
    struct weir_output *const *output = H5Pget_driver_info(fapl);
    struct file *file = NULL;
    (void)name;
    (void)flags;
    (void)most;
    if (!output || weir_alloc_zero(&file, 1, sizeof *file) != WEIR_OK)
        return NULL;
    file->output = *output;
    return &file->public;
}

static herr_t driver_close(H5FD_t *file)
{
    weir_free(file);
    return 0;
}

static int driver_compare(const H5FD_t *a, const H5FD_t *b)
{
    int x = own_const(a)->output->fd, y = own_const(b)->output->fd;
    return (x > y) - (x < y);
}

/* Small pieces are gathered, as for a file of HDF5's own driver. */
static herr_t driver_query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t driver_allocated(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return own_const(file)->allocated;
}

static herr_t driver_allocate(H5FD_t *file, H5FD_mem_t type, haddr_t bytes)
{
    (void)type;
    own(file)->allocated = bytes;
    return 0;
}

static haddr_t driver_size(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return own_const(file)->size;
}

static herr_t driver_read(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t bytes, void *data)
{
    uint8_t *out = data;
    (void)type;
    (void)dxpl;
    while (bytes > 0) {
        ssize_t n = pread(own(file)->output->fd, out, bytes, (off_t)address);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failure("file read failed", errno);
        if (n == 0) /* given out and not yet written */
            break;
        out += n;
        address += (haddr_t)n;
        bytes -= (size_t)n;
    }
    memset(out, 0, bytes);
    return 0;
}

static herr_t driver_write(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t bytes, const void *data)
{
    struct file *f = own(file);
    (void)type;
    (void)dxpl;
    if (weir_output_write(f->output, data, bytes, address) != WEIR_OK)
        return failure("file write failed", errno);
    f->size = address + bytes > f->size ? address + bytes : f->size;
    return 0;
}

static herr_t driver_truncate(H5FD_t *file, hid_t dxpl, hbool_t closing)
{
    struct file *f = own(file);
    (void)dxpl;
    (void)closing;
    if (f->allocated != f->size && ftruncate(f->output->fd, (off_t)f->allocated) != 0)
        return failure("file truncate failed", errno);
    f->size = f->allocated;
    return 0;
}

static const H5FD_class_t driver = {
    .name = "weir",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(struct weir_output *),
    .open = driver_open,
    .close = driver_close,
    .cmp = driver_compare,
    .query = driver_query,
    .get_eoa = driver_allocated,
    .set_eoa = driver_allocate,
    .get_eof = driver_size,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY, /* as HDF5's own: values and metadata apart */
};

herr_t weir_driver_set(hid_t fapl, struct weir_output *output)
{
    /* kept, as HDF5 keeps its own: H5FD_close lets go of a driver and then calls it. Gone after an H5close. */
    static hid_t id = H5I_INVALID_HID;
    if (H5Iget_type(id) != H5I_VFL)
        id = H5FDregister(&driver);
    return id >= 0 ? H5Pset_driver(fapl, id, &output) : -1; /* copies the pointer */
}
