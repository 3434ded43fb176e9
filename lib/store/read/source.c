/* The file under HDF5 when it is read. HDF5's own driver would open it by its name a second time, wait for pipes, read
 * zeros past its end, and say of a lock only that the file "cannot be opened". */
#include "store/read/source.h"

#include "base/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

bool weir_h5_source_read(const struct weir_h5_source *source, void *out, uint64_t address, size_t n)
{
    size_t got = n;
    if (address > source->size || n > source->size - address)
        return false;
    return weir_vfd_read(source->fd, out, &got, address) && got == n;
}

/* ---- HDF5's view of it ---- */

static const struct weir_h5_source *source_of(const H5FD_t *file)
{
    return (const struct weir_h5_source *)(const void *)file;
}

static H5FD_t *source_open(const char *name, unsigned flags, hid_t fapl, haddr_t most)
{
    struct weir_h5_source *const *source = H5Pget_driver_info(fapl);
    (void)name;
    (void)flags;
    (void)most;
    return source ? &(*source)->vfd.public : NULL;
}

static herr_t source_close(H5FD_t *file)
{
    (void)file; /* the caller's */
    return 0;
}

/* No two are the same to HDF5, which would join them and close both at once. */
static int source_compare(const H5FD_t *a, const H5FD_t *b)
{
    return (a > b) - (a < b);
}

static herr_t source_query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    *flags = H5FD_FEAT_ACCUMULATE_METADATA;
    return 0;
}

static haddr_t source_size(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return source_of(file)->size;
}

static herr_t source_read(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t bytes, void *data)
{
    (void)type;
    (void)dxpl;
    if (weir_h5_source_read(source_of(file), data, address, bytes))
        return 0;
    return weir_vfd_fail(H5E_READERROR, "something lies behind the end of the file");
}

static herr_t source_write(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t bytes, const void *data)
{
    (void)file;
    (void)type;
    (void)dxpl;
    (void)address;
    (void)bytes;
    (void)data;
    return -1;
}

static const H5FD_class_t reading = {
    .name = "weir-read",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(struct weir_h5_source *),
    .open = source_open,
    .close = source_close,
    .cmp = source_compare,
    .query = source_query,
    .get_eoa = weir_vfd_allocated,
    .set_eoa = weir_vfd_allocate,
    .get_eof = source_size,
    .read = source_read,
    .write = source_write,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

/* ---- opening ---- */

/* Whoever writes with HDF5, weir among them, holds a lock meanwhile. HDF5's own switch for file systems without locks
   is honoured. */
static weir_status check_lock(int fd, const char *path)
{
    const char *use = getenv("HDF5_USE_FILE_LOCKING");
    bool unused = use && (strcmp(use, "FALSE") == 0 || strcmp(use, "0") == 0);
    if (unused || flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return WEIR_OK;
    return weir_fail(WEIR_E_INPUT,
                     "%s: another process has it open for writing (it holds a lock): wait until it closes the file",
                     path);
}

static bool read_base(struct weir_h5_source *source)
{
    hid_t fcpl = H5Fget_create_plist(source->file);
    hsize_t userblock = 0;
    size_t addresses = 0, lengths = 0;
    bool fine = fcpl >= 0 && H5Pget_userblock(fcpl, &userblock) >= 0 && H5Pget_sizes(fcpl, &addresses, &lengths) >= 0;
    weir_h5_close(&fcpl);
    source->base = userblock;
    return fine && addresses == 8 && lengths == 8;
}

static weir_status open_h5(struct weir_h5_source *source)
{
    static hid_t driver = H5I_INVALID_HID;
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    if (fapl >= 0 && weir_vfd_set(fapl, &driver, &reading, source) >= 0 &&
        H5Pset_fclose_degree(fapl, H5F_CLOSE_STRONG) >= 0)
        source->file = H5Fopen(source->path, H5F_ACC_RDONLY, fapl);
    weir_h5_close(&fapl);
    if (source->file < 0)
        return weir_h5_fail(WEIR_E_INPUT, source->path, "not a complete HDF5 file");
    if (!read_base(source))
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: its addresses do not have 8 bytes, as weir's have", source->path);
    return WEIR_OK;
}

weir_status weir_h5_source_open(struct weir_h5_source *out, const char *path)
{
    struct stat st;
    *out = (struct weir_h5_source){.path = path, .fd = -1, .file = H5I_INVALID_HID};
    TRY(weir_input_open(&out->fd, &st, path));
    out->size = (uint64_t)st.st_size;
    weir_status status = check_lock(out->fd, path);
    if (status == WEIR_OK)
        status = open_h5(out);
    if (status != WEIR_OK)
        weir_h5_source_close(out);
    return status;
}

void weir_h5_source_close(struct weir_h5_source *source)
{
    weir_h5_close(&source->file);
    if (source->fd >= 0)
        close(source->fd);
    source->fd = -1;
}
