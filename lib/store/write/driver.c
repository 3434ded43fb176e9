/* The file under HDF5 when it is written: its writes go to struct weir_output. */
#include "store/write/driver.h"

#include "base/alloc.h"
#include "store/vfd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct file {
    struct weir_vfd vfd; /* first: HDF5's pointer to it is a pointer to this */
    struct weir_output *output;
    haddr_t size; /* of the file, as far as HDF5 wrote it; contiguous datasets are written beside it */
};

static struct file *written_file(H5FD_t *file)
{
    return (struct file *)(void *)file;
}

static int descriptor_of(const H5FD_t *file)
{
    return ((const struct file *)(const void *)file)->output->fd;
}

/* In the form of HDF5's own driver: weir_h5_fail reads the number. */
static herr_t fail_with_errno(const char *what, int number)
{
    char text[64];
    snprintf(text, sizeof text, "%s: errno = %d", what, number);
    return weir_vfd_fail(H5E_CANTOPERATE, text);
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
    return &file->vfd.public;
}

static herr_t driver_close(H5FD_t *file)
{
    weir_free(file);
    return 0;
}

static int driver_compare(const H5FD_t *a, const H5FD_t *b)
{
    int x = descriptor_of(a), y = descriptor_of(b);
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

static haddr_t driver_size(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const struct file *)(const void *)file)->size;
}

static herr_t driver_read(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t bytes, void *data)
{
    size_t got = bytes;
    (void)type;
    (void)dxpl;
    if (!weir_vfd_read(descriptor_of(file), data, &got, address))
        return fail_with_errno("file read failed", errno);
    memset((uint8_t *)data + got, 0, bytes - got); /* given out and not yet written */
    return 0;
}

static herr_t driver_write(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t bytes, const void *data)
{
    struct file *f = written_file(file);
    (void)type;
    (void)dxpl;
    if (weir_output_write(f->output, data, bytes, address) != WEIR_OK)
        return fail_with_errno("file write failed", errno);
    f->size = address + bytes > f->size ? address + bytes : f->size;
    return 0;
}

static herr_t driver_truncate(H5FD_t *file, hid_t dxpl, hbool_t closing)
{
    struct file *f = written_file(file);
    (void)dxpl;
    (void)closing;
    if (f->vfd.allocated != f->size && ftruncate(f->output->fd, (off_t)f->vfd.allocated) != 0)
        return fail_with_errno("file truncate failed", errno);
    f->size = f->vfd.allocated;
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
    .get_eoa = weir_vfd_allocated,
    .set_eoa = weir_vfd_allocate,
    .get_eof = driver_size,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY, /* as HDF5's own: values and metadata apart */
};

herr_t weir_driver_set(hid_t fapl, struct weir_output *output)
{
    static hid_t id = H5I_INVALID_HID;
    return weir_vfd_set(fapl, &id, &driver, output);
}
