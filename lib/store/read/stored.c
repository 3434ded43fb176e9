/* Opens a stored dataset: checks all that can be checked before a value of it is read. */
#include "store/read/stored.h"

#include "base/alloc.h"
#include "base/sizes.h"
#include "store/read/chunks.h"
#include "store/read/decode.h"

#include <string.h>

enum {
    CHUNK_CEILING = 256 << 20, /* bytes of a chunk; weir's have about one MiB */
    SLOTS = 1 << 20,           /* places for chunks that a dataset may have whatever it stores, */
    SLOTS_A_CHUNK = 1 << 16    /* and for each chunk that it does store */
};

weir_status weir_stored_damaged(const struct weir_stored *stored, const char *what)
{
    return weir_fail(WEIR_E_INPUT, "%s: %s: %s", stored->source->path, stored->name, what);
}

/* ---- what is checked before anything is read ---- */

/* Takes a filter into the list of those to undo, if it is one of the three that are known. */
static weir_status read_filter(struct weir_stored *stored, hid_t dcpl, unsigned i)
{
    static const H5Z_filter_t known[] = {[WEIR_FILTER_DEFLATE] = H5Z_FILTER_DEFLATE,
                                         [WEIR_FILTER_SHUFFLE] = H5Z_FILTER_SHUFFLE,
                                         [WEIR_FILTER_FLETCHER] = H5Z_FILTER_FLETCHER32};
    unsigned flags, values[8] = {0};
    size_t n = sizeof values / sizeof *values;
    /* neither its name nor its configuration is asked for: HDF5 would look for plugins */
    H5Z_filter_t id = H5Pget_filter2(dcpl, i, &flags, &n, values, 0, NULL, NULL);
    int filter = 0;
    while (filter < WEIR_MOST_FILTERS && known[filter] != id)
        filter++;
    if (filter == WEIR_MOST_FILTERS)
        return weir_fail(WEIR_E_UNSUPPORTED,
                         "%s: %s: has filter %d, which weir does not support: gzip, shuffle and fletcher32 are "
                         "supported (h5repack -f NONE removes filters)",
                         stored->source->path, stored->name, (int)id);
    for (int k = 0; k < stored->n_filters; k++)
        if (stored->filters[k] == filter)
            return weir_stored_damaged(stored, "has a filter twice");
    if (filter == WEIR_FILTER_SHUFFLE && (n < 1 || values[0] != stored->size))
        return weir_stored_damaged(stored, "its shuffle width is not the width of its values");
    stored->filters[stored->n_filters++] = filter;
    return WEIR_OK;
}

static bool has_filter(const struct weir_stored *stored, int filter)
{
    for (int i = 0; i < stored->n_filters; i++)
        if (stored->filters[i] == filter)
            return true;
    return false;
}

/* Counts the chunks that the shape has room for: along each axis those that begin before its end. */
static weir_status count_slots(size_t *out, const struct weir_stored *stored)
{
    *out = 1;
    for (int a = 0; a < stored->rank; a++)
        TRY(weir_mul(out, *out, stored->shape[a] / stored->chunk[a] + (stored->shape[a] % stored->chunk[a] != 0)));
    return WEIR_OK;
}

/* Looking for what is stored takes time for every place: they must be in proportion to what there is. */
static weir_status check_slots(const struct weir_stored *stored)
{
    hsize_t chunks = 0;
    size_t slots;
    if (count_slots(&slots, stored) != WEIR_OK)
        return weir_stored_damaged(stored, "its shape is larger than any memory");
    if (slots <= SLOTS)
        return WEIR_OK;
    if (stored->n_filters == 0)
        chunks = stored->chunk_bytes ? stored->bytes / stored->chunk_bytes : 0;
    else if (!stored->empty && H5Dget_num_chunks(stored->id, H5S_ALL, &chunks) < 0)
        return weir_h5_fail(WEIR_E_INPUT, stored->source->path, stored->name);
    if ((slots - SLOTS) / SLOTS_A_CHUNK <= chunks)
        return WEIR_OK;
    return weir_fail(WEIR_E_INPUT, "%s: %s: has room for %zu chunks, and stores %llu", stored->source->path,
                     stored->name, slots, (unsigned long long)chunks);
}

/* Checks chunks and filters, and that what is claimed fits the bytes that are stored. */
static weir_status open_chunked(struct weir_stored *stored, hid_t dcpl)
{
    hsize_t chunk[WEIR_MAX_RANK];
    unsigned options = 0;
    if (H5Pget_chunk(dcpl, stored->rank, chunk) != stored->rank)
        return weir_stored_damaged(stored, "its chunks have other axes");
    stored->chunk_bytes = stored->size ? stored->size : 1;
    for (int a = 0; a < stored->rank; a++) {
        stored->chunk[a] = (size_t)chunk[a];
        if (chunk[a] == 0 || weir_mul(&stored->chunk_bytes, stored->chunk_bytes, (size_t)chunk[a]) != WEIR_OK ||
            stored->chunk_bytes > CHUNK_CEILING)
            return weir_stored_damaged(stored, "its chunks are larger than 256 MiB");
    }
    if (H5Pget_chunk_opts(dcpl, &options) < 0 || options != 0)
        return weir_stored_damaged(stored, "its edge chunks are stored in a way that weir does not read");
    int n = H5Pget_nfilters(dcpl);
    if (n < 0 || n > WEIR_MOST_FILTERS)
        return weir_stored_damaged(stored, "has more filters than weir supports");
    for (int i = 0; i < n; i++)
        TRY(read_filter(stored, dcpl, (unsigned)i));
    if (n == 0 && stored->bytes % stored->chunk_bytes != 0)
        return weir_stored_damaged(stored, "its chunks are not of their size");
    TRY(weir_chunks_open(&stored->chunks, stored->chunk_bytes));
    stored->decoded = has_filter(stored, WEIR_FILTER_DEFLATE) ? stored->bytes * WEIR_MOST_EXPANSION : stored->bytes;
    return check_slots(stored);
}

/* Checks that exactly the bytes of the shape are in the file. */
static weir_status open_contiguous(struct weir_stored *stored)
{
    size_t whole = stored->size;
    stored->contiguous = true;
    for (int a = 0; a < stored->rank; a++)
        if (weir_mul(&whole, whole, stored->shape[a]) != WEIR_OK)
            return weir_stored_damaged(stored, "its shape is larger than any memory");
    stored->decoded = stored->bytes;
    haddr_t offset = H5Dget_offset(stored->id);
    stored->empty = stored->empty || offset == HADDR_UNDEF;
    if (stored->empty)
        return WEIR_OK;
    stored->offset = offset;
    if (stored->bytes != whole)
        return weir_stored_damaged(stored, "has a different number of bytes than its shape needs");
    if (offset > stored->source->size || whole > stored->source->size - offset)
        return weir_stored_damaged(stored, "its values are past the end of the file");
    return WEIR_OK;
}

/* Reads the size of an element in the file, and the fill value. */
static weir_status read_element(struct weir_stored *stored, hid_t dcpl)
{
    H5D_fill_value_t fill = H5D_FILL_VALUE_UNDEFINED;
    hid_t type = H5Dget_type(stored->id);
    bool text = type >= 0 && H5Tis_variable_str(type) > 0;
    stored->size = text ? WEIR_TEXT_REFERENCE : type >= 0 ? H5Tget_size(type) : 0;
    bool fine = stored->size > 0 && stored->size <= WEIR_MOST_FILL;
    if (fine && !text && H5Pfill_value_defined(dcpl, &fill) >= 0 && fill != H5D_FILL_VALUE_UNDEFINED &&
        H5Pget_fill_value(dcpl, type, stored->fill) < 0)
        memset(stored->fill, 0, sizeof stored->fill);
    weir_h5_close(&type);
    return fine ? WEIR_OK : weir_stored_damaged(stored, "its values have a type that the layout does not have");
}

static weir_status read_layout(struct weir_stored *stored, hid_t dcpl)
{
    H5D_layout_t layout = H5Pget_layout(dcpl);
    TRY(read_element(stored, dcpl));
    stored->bytes = H5Dget_storage_size(stored->id);
    stored->empty = stored->bytes == 0;
    if (stored->bytes > stored->source->size)
        return weir_stored_damaged(stored, "claims more bytes than the file has");
    if (layout == H5D_CONTIGUOUS)
        return open_contiguous(stored);
    if (layout == H5D_CHUNKED)
        return open_chunked(stored, dcpl);
    return weir_stored_damaged(stored, "must be contiguous or chunked (h5repack -l CONTI makes it so)");
}

/* Before its shape is asked for: that of a virtual dataset is looked up in the files it is made of. */
static weir_status check_inside(const struct weir_stored *stored, hid_t dcpl)
{
    if (H5Pget_external_count(dcpl) == 0 && H5Pget_layout(dcpl) != H5D_VIRTUAL)
        return WEIR_OK;
    return weir_stored_damaged(stored, "its data is outside the file");
}

static weir_status read_extent(struct weir_stored *stored)
{
    hsize_t shape[H5S_MAX_RANK];
    hid_t space = H5Dget_space(stored->id);
    stored->rank = space >= 0 ? H5Sget_simple_extent_dims(space, shape, NULL) : -1;
    weir_h5_close(&space);
    if (stored->rank < 1 || stored->rank > WEIR_MAX_RANK)
        return weir_fail(WEIR_E_INPUT, "%s: %s: has %d axes, 1 to %d are known", stored->source->path, stored->name,
                         stored->rank, WEIR_MAX_RANK);
    for (int a = 0; a < stored->rank; a++)
        stored->shape[a] = (size_t)shape[a];
    return WEIR_OK;
}

weir_status weir_stored_open(struct weir_stored *out, const struct weir_h5_source *source, hid_t dataset,
                             const char *name)
{
    hid_t dcpl = H5Dget_create_plist(dataset);
    *out = (struct weir_stored){.source = source, .name = name, .id = dataset};
    weir_status status =
        dcpl < 0 ? weir_stored_damaged(out, "its place in the file cannot be read") : check_inside(out, dcpl);
    if (status == WEIR_OK)
        status = read_extent(out);
    if (status == WEIR_OK)
        status = read_layout(out, dcpl);
    weir_h5_close(&dcpl);
    if (status != WEIR_OK)
        weir_stored_close(out);
    return status;
}

void weir_stored_close(struct weir_stored *stored)
{
    weir_chunks_close(stored->chunks);
    weir_h5_close(&stored->id);
    *stored = (struct weir_stored){.id = H5I_INVALID_HID};
}
