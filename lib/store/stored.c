/* Reading stored datasets: what is checked before, where bytes lie, and a few chunks kept as they were decoded. */
#include "store/stored.h"

#include "base/alloc.h"
#include "store/decode.h"

#include <stdio.h>
#include <string.h>

enum {
    MOST_KEPT = 64,            /* chunks */
    KEPT_BYTES = 8 << 20,      /* of chunks, a dataset; one is kept always */
    CHUNK_CEILING = 256 << 20, /* bytes of a chunk; weir's have about one MiB */
    SIEVE = 64 << 10,          /* short runs near each other are read with what is between them */
    MOST_EXPANSION = 1032,     /* deflate makes no byte of more than so many */
    SLOTS = 1 << 20,           /* places for chunks that a dataset may have whatever it stores, */
    SLOTS_A_CHUNK = 1 << 16    /* and for each chunk that it does store */
};

struct kept {
    size_t index;   /* of the chunk, in C order */
    uint64_t used;  /* when last; 0: nothing in it */
    uint8_t *bytes; /* [chunk_bytes + 4] */
};

struct weir_chunks {
    struct kept kept[MOST_KEPT];
    int n;
    uint64_t now;
    uint8_t *packed, *spare; /* [n_packed] as it lies in the file, [chunk_bytes + 4] */
    size_t n_packed;
};

static weir_status damaged(const struct weir_stored *stored, const char *what)
{
    return weir_fail(WEIR_E_INPUT, "%s: %s: %s", stored->source->path, stored->name, what);
}

/* ---- what is checked before anything is read ---- */

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
                         "%s: %s: has filter %d, which weir does not run: gzip, shuffle and fletcher32 are known "
                         "(h5repack -f NONE takes filters away)",
                         stored->source->path, stored->name, (int)id);
    for (int k = 0; k < stored->n_filters; k++)
        if (stored->filters[k] == filter)
            return damaged(stored, "has a filter twice");
    if (filter == WEIR_FILTER_SHUFFLE && (n < 1 || values[0] != stored->size))
        return damaged(stored, "is shuffled by another width than its values have");
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

/* How many chunks there is a place for: along axis a those that begin before its end. */
static weir_status count_slots(size_t *out, const struct weir_stored *stored)
{
    *out = 1;
    for (int a = 0; a < stored->rank; a++)
        TRY(weir_mul(out, *out, stored->shape[a] / stored->chunk[a] + (stored->shape[a] % stored->chunk[a] != 0)));
    return WEIR_OK;
}

/* Looking for what is stored takes time for every place: they must stand in proportion to what there is. */
static weir_status check_slots(const struct weir_stored *stored)
{
    hsize_t chunks = 0;
    size_t slots;
    if (count_slots(&slots, stored) != WEIR_OK)
        return damaged(stored, "its shape is larger than any memory");
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

static weir_status open_chunked(struct weir_stored *stored, hid_t dcpl)
{
    hsize_t chunk[WEIR_MAX_RANK];
    unsigned options = 0;
    if (H5Pget_chunk(dcpl, stored->rank, chunk) != stored->rank)
        return damaged(stored, "its chunks have other axes");
    stored->chunk_bytes = stored->size ? stored->size : 1;
    for (int a = 0; a < stored->rank; a++) {
        stored->chunk[a] = (size_t)chunk[a];
        if (chunk[a] == 0 || weir_mul(&stored->chunk_bytes, stored->chunk_bytes, (size_t)chunk[a]) != WEIR_OK ||
            stored->chunk_bytes > CHUNK_CEILING)
            return damaged(stored, "its chunks are larger than 256 MiB");
    }
    if (H5Pget_chunk_opts(dcpl, &options) < 0 || options != 0)
        return damaged(stored, "its chunks at the edge are stored in another way, which weir does not read");
    int n = H5Pget_nfilters(dcpl);
    if (n < 0 || n > WEIR_MOST_FILTERS)
        return damaged(stored, "has more filters than there are of those that weir runs");
    for (int i = 0; i < n; i++)
        TRY(read_filter(stored, dcpl, (unsigned)i));
    if (n == 0 && stored->bytes % stored->chunk_bytes != 0)
        return damaged(stored, "its chunks are not of their size");
    TRY(weir_alloc_zero(&stored->chunks, 1, sizeof *stored->chunks));
    size_t fit = KEPT_BYTES / stored->chunk_bytes;
    stored->chunks->n = fit < 1 ? 1 : fit > MOST_KEPT ? MOST_KEPT : (int)fit;
    stored->decoded = has_filter(stored, WEIR_FILTER_DEFLATE) ? stored->bytes * MOST_EXPANSION : stored->bytes;
    return check_slots(stored);
}

static weir_status open_contiguous(struct weir_stored *stored)
{
    size_t whole = stored->size;
    stored->contiguous = true;
    for (int a = 0; a < stored->rank; a++)
        if (weir_mul(&whole, whole, stored->shape[a]) != WEIR_OK)
            return damaged(stored, "its shape is larger than any memory");
    stored->decoded = stored->bytes;
    haddr_t offset = H5Dget_offset(stored->id);
    stored->empty = stored->empty || offset == HADDR_UNDEF;
    if (stored->empty)
        return WEIR_OK;
    stored->offset = offset;
    if (stored->bytes != whole)
        return damaged(stored, "holds another number of bytes than its shape says");
    if (offset > stored->source->size || whole > stored->source->size - offset)
        return damaged(stored, "its values lie behind the end of the file");
    return WEIR_OK;
}

/* How large an element is in the file, and what stands for one that is not stored. */
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
    return fine ? WEIR_OK : damaged(stored, "its values are of no type that the layout has");
}

static weir_status read_layout(struct weir_stored *stored, hid_t dcpl)
{
    H5D_layout_t layout = H5Pget_layout(dcpl);
    TRY(read_element(stored, dcpl));
    stored->bytes = H5Dget_storage_size(stored->id);
    stored->empty = stored->bytes == 0;
    if (stored->bytes > stored->source->size)
        return damaged(stored, "says that it takes more bytes than the file has");
    if (layout == H5D_CONTIGUOUS)
        return open_contiguous(stored);
    if (layout == H5D_CHUNKED)
        return open_chunked(stored, dcpl);
    return damaged(stored, "must be contiguous or chunked (h5repack -l CONTI makes it so)");
}

/* Before its shape is asked for: that of a virtual dataset is looked up in the files it is made of. */
static weir_status check_inside(const struct weir_stored *stored, hid_t dcpl)
{
    if (H5Pget_external_count(dcpl) == 0 && H5Pget_layout(dcpl) != H5D_VIRTUAL)
        return WEIR_OK;
    return damaged(stored, "its data lies outside the file");
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
    weir_status status = dcpl < 0 ? damaged(out, "how it lies in the file cannot be read") : check_inside(out, dcpl);
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
    struct weir_chunks *chunks = stored->chunks;
    for (int i = 0; chunks && i < chunks->n; i++)
        weir_free(chunks->kept[i].bytes);
    if (chunks) {
        weir_free(chunks->packed);
        weir_free(chunks->spare);
    }
    weir_free(chunks);
    weir_h5_close(&stored->id);
    *stored = (struct weir_stored){.id = H5I_INVALID_HID};
}

/* ---- boxes ---- */

/* A box on its way from an array of one shape into one of another. */
struct copy {
    uint8_t *to;
    const uint8_t *from;
    size_t to_shape[WEIR_MAX_RANK], from_shape[WEIR_MAX_RANK], count[WEIR_MAX_RANK];
    int rank;
    size_t size;
};

/* Where, in elements, an array of that shape has `at`. */
static size_t place_of(const size_t *at, const size_t *shape, int rank)
{
    size_t place = 0;
    for (int a = 0; a < rank; a++)
        place = place * shape[a] + at[a];
    return place;
}

static size_t product(const size_t *sizes, int n)
{
    size_t all = 1;
    for (int a = 0; a < n; a++)
        all *= sizes[a];
    return all;
}

/* How many of the last axes lie in one run in both arrays, and how long it is. */
static int run_axes(const struct copy *copy, size_t *run)
{
    int axis = copy->rank > 0 ? copy->rank - 1 : 0;
    *run = copy->count[axis];
    while (axis > 0 && copy->count[axis] == copy->to_shape[axis] && copy->count[axis] == copy->from_shape[axis])
        *run *= copy->count[--axis];
    return axis;
}

/* Counts `at` up within the first n axes; false past the last. */
static bool next_place(size_t *at, const size_t *count, int n)
{
    for (int a = n - 1; a >= 0; a--) {
        if (++at[a] < count[a])
            return true;
        at[a] = 0;
    }
    return false;
}

static void copy_box(const struct copy *copy)
{
    size_t run, at[WEIR_MAX_RANK] = {0};
    int axis = run_axes(copy, &run);
    do {
        size_t to = place_of(at, copy->to_shape, copy->rank), from = place_of(at, copy->from_shape, copy->rank);
        memcpy(copy->to + to * copy->size, copy->from + from * copy->size, run * copy->size);
    } while (next_place(at, copy->count, axis));
}

static void fill_elements(uint8_t *to, size_t n, const uint8_t *fill, size_t size)
{
    if (n == 0)
        return;
    memcpy(to, fill, size);
    for (size_t done = 1; done < n;) { /* what is filled, twice as much each time */
        size_t some = done < n - done ? done : n - done;
        memcpy(to + done * size, to, some * size);
        done += some;
    }
}

/* ---- contiguous datasets ---- */

/* A piece of the file that short runs are taken from. */
struct sieve {
    uint64_t first;
    size_t n;
    uint8_t bytes[SIEVE];
};

/* n bytes at `address`, and for those that follow soon what lies behind them, up to `end`. */
static bool read_through(const struct weir_h5_source *source, struct sieve *sieve, uint8_t *to, uint64_t address,
                         size_t n, uint64_t end)
{
    if (address < sieve->first || address + n > sieve->first + sieve->n) {
        size_t some = end - address < SIEVE ? (size_t)(end - address) : SIEVE;
        sieve->first = address;
        sieve->n = 0;
        if (n > some || !weir_h5_source_read(source, sieve->bytes, address, some))
            return false;
        sieve->n = some;
    }
    memcpy(to, sieve->bytes + (address - sieve->first), n);
    return true;
}

/* n bytes at `address` of the file; with a stride, of which more follow soon. */
static bool read_run(const struct weir_stored *stored, struct sieve *sieve, uint8_t *to, uint64_t address, size_t n,
                     uint64_t stride)
{
    if (n >= SIEVE || stride >= SIEVE)
        return weir_h5_source_read(stored->source, to, address, n);
    return read_through(stored->source, sieve, to, address, n, stored->offset + stored->bytes);
}

/* Whether the box is one run, which needs nothing around it. */
static bool is_one_run(const size_t *count, int axis)
{
    return product(count, axis) == 1;
}

static weir_status read_contiguous(const struct weir_stored *stored, const size_t *start, const size_t *count,
                                   uint8_t *out)
{
    struct copy copy = {.rank = stored->rank, .size = stored->size};
    struct sieve *sieve;
    size_t run, at[WEIR_MAX_RANK] = {0};
    memcpy(copy.count, count, sizeof copy.count);
    memcpy(copy.to_shape, count, sizeof copy.to_shape);
    memcpy(copy.from_shape, stored->shape, sizeof copy.from_shape);
    int axis = run_axes(&copy, &run);
    uint64_t first = place_of(start, stored->shape, stored->rank), stride = stored->size;
    for (int a = axis; a < stored->rank; a++)
        stride *= stored->shape[a];
    if (is_one_run(count, axis))
        return weir_h5_source_read(stored->source, out, stored->offset + first * stored->size, run * stored->size)
                   ? WEIR_OK
                   : damaged(stored, "cannot be read: the file was cut short");
    TRY(weir_alloc(&sieve, 1, sizeof *sieve));
    sieve->n = 0;
    bool fine;
    do {
        uint64_t from = first + place_of(at, stored->shape, stored->rank);
        size_t to = place_of(at, count, stored->rank);
        fine = read_run(stored, sieve, out + to * stored->size, stored->offset + from * stored->size,
                        run * stored->size, stride);
    } while (fine && next_place(at, count, axis));
    weir_free(sieve);
    return fine ? WEIR_OK : damaged(stored, "cannot be read: the file was cut short");
}

/* ---- chunked datasets ---- */

static herr_t note_function(unsigned n, const H5E_error2_t *error, void *payload)
{
    const char **name = payload;
    (void)n;
    *name = error->func_name; /* ends with the innermost */
    return 0;
}

/* Whether HDF5 failed because there is no chunk: then nothing that it called did, and the complaint is its own. */
static bool found_no_chunk(void)
{
    const char *name = NULL;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, note_function, &name);
    return name && strcmp(name, "H5D__get_chunk_storage_size") == 0;
}

/* How many bytes the file has of a chunk; 0: none. */
static weir_status packed_size(hsize_t *out, const struct weir_stored *stored, const size_t *chunk)
{
    hsize_t offset[WEIR_MAX_RANK];
    *out = 0;
    for (int a = 0; a < stored->rank; a++)
        offset[a] = (hsize_t)chunk[a] * stored->chunk[a];
    if (stored->empty)
        return WEIR_OK;
    if (H5Dget_chunk_storage_size(stored->id, offset, out) >= 0)
        return WEIR_OK;
    *out = 0;
    if (!found_no_chunk())
        return weir_in(weir_h5_fail(WEIR_E_INPUT, stored->name, "a chunk cannot be found"), stored->source->path);
    H5Eclear2(H5E_DEFAULT);
    return WEIR_OK;
}

static weir_status wrong_chunk(const struct weir_stored *stored, const size_t *chunk, const char *why)
{
    char at[24 * WEIR_MAX_RANK];
    for (int a = 0, n = 0; a < stored->rank; a++)
        n += snprintf(at + n, sizeof at - (size_t)n, "%s%zu", a ? ", " : "", chunk[a] * stored->chunk[a]);
    return weir_fail(WEIR_E_INPUT, "%s: %s: damaged: the chunk at [%s] %s", stored->source->path, stored->name, at,
                     why);
}

/* The place of a chunk that was kept, else that of the one that was not used for longest. */
static struct kept *find_kept(struct weir_chunks *chunks, size_t index)
{
    struct kept *oldest = &chunks->kept[0];
    for (int i = 0; i < chunks->n; i++) {
        struct kept *kept = &chunks->kept[i];
        if (kept->used && kept->index == index)
            return kept;
        oldest = kept->used < oldest->used ? kept : oldest;
    }
    oldest->used = 0;
    return oldest;
}

/* The chunk's bytes in the file, and which filters were left out. */
static weir_status read_packed(const struct weir_stored *stored, const size_t *chunk, hsize_t n, uint32_t *skipped)
{
    hsize_t offset[WEIR_MAX_RANK];
    if (n > stored->source->size)
        return wrong_chunk(stored, chunk, "is longer than the file");
    if (n * (hsize_t)MOST_EXPANSION < stored->chunk_bytes)
        return wrong_chunk(stored, chunk, "has too few bytes for its values");
    TRY(weir_grow(&stored->chunks->packed, &stored->chunks->n_packed, (size_t)n, 1));
    for (int a = 0; a < stored->rank; a++)
        offset[a] = (hsize_t)chunk[a] * stored->chunk[a];
    if (H5Dread_chunk(stored->id, H5P_DEFAULT, offset, skipped, stored->chunks->packed) < 0)
        return weir_in(weir_h5_fail(WEIR_E_INPUT, stored->name, "a chunk cannot be read"), stored->source->path);
    return WEIR_OK;
}

static weir_status load_chunk(const struct weir_stored *stored, struct kept *kept, const size_t *chunk, hsize_t n)
{
    uint32_t skipped = 0;
    const char *why;
    if (!kept->bytes)
        TRY(weir_alloc(&kept->bytes, stored->chunk_bytes + 4, 1));
    if (!stored->chunks->spare)
        TRY(weir_alloc(&stored->chunks->spare, stored->chunk_bytes + 4, 1));
    TRY(read_packed(stored, chunk, n, &skipped));
    const struct weir_packed packed = {stored->filters, stored->n_filters,      skipped,
                                       stored->size,    stored->chunks->packed, (size_t)n};
    if (!weir_decode(kept->bytes, stored->chunks->spare, stored->chunk_bytes, &packed, &why))
        return wrong_chunk(stored, chunk, why);
    return WEIR_OK;
}

/* The chunk's values, or NULL for one that is not in the file. */
static weir_status get_chunk(const uint8_t **out, const struct weir_stored *stored, const size_t *chunk,
                             const size_t *slots)
{
    size_t index = place_of(chunk, slots, stored->rank);
    hsize_t n;
    *out = NULL;
    struct kept *kept = find_kept(stored->chunks, index);
    if (!kept->used) {
        TRY(packed_size(&n, stored, chunk));
        if (n == 0)
            return WEIR_OK;
        TRY(load_chunk(stored, kept, chunk, n));
        kept->index = index;
    }
    kept->used = ++stored->chunks->now;
    *out = kept->bytes;
    return WEIR_OK;
}

/* The chunks that a box lies in: first to first + count along each axis, of `slots`. */
struct chunk_range {
    size_t first[WEIR_MAX_RANK], count[WEIR_MAX_RANK], slots[WEIR_MAX_RANK];
};

static void chunks_of_box(struct chunk_range *out, const struct weir_stored *stored, const size_t *start,
                          const size_t *count)
{
    for (int a = 0; a < stored->rank; a++) {
        size_t chunk = stored->chunk[a];
        out->first[a] = start[a] / chunk;
        out->count[a] = (start[a] + count[a] - 1) / chunk - out->first[a] + 1;
        out->slots[a] = stored->shape[a] / chunk + (stored->shape[a] % chunk != 0);
    }
}

/* What the box and the chunk share. */
static void share(struct copy *copy, const struct weir_stored *stored, const size_t *chunk, const size_t *start,
                  const size_t *count)
{
    size_t to[WEIR_MAX_RANK], from[WEIR_MAX_RANK];
    for (int a = 0; a < stored->rank; a++) {
        size_t begin = chunk[a] * stored->chunk[a], end = begin + stored->chunk[a];
        size_t low = begin > start[a] ? begin : start[a];
        size_t high = end < start[a] + count[a] ? end : start[a] + count[a];
        to[a] = low - start[a];
        from[a] = low - begin;
        copy->count[a] = high - low;
        copy->to_shape[a] = count[a];
        copy->from_shape[a] = stored->chunk[a];
    }
    copy->to += place_of(to, copy->to_shape, stored->rank) * stored->size;
    copy->from += place_of(from, copy->from_shape, stored->rank) * stored->size;
}

/* The box is filled already. */
static weir_status read_chunked(const struct weir_stored *stored, const size_t *start, const size_t *count,
                                uint8_t *out)
{
    struct chunk_range range = {0};
    size_t at[WEIR_MAX_RANK] = {0};
    chunks_of_box(&range, stored, start, count);
    do {
        struct copy copy = {.to = out, .rank = stored->rank, .size = stored->size};
        size_t chunk[WEIR_MAX_RANK] = {0};
        for (int a = 0; a < stored->rank; a++)
            chunk[a] = range.first[a] + at[a];
        TRY(get_chunk(&copy.from, stored, chunk, range.slots));
        if (!copy.from)
            continue;
        share(&copy, stored, chunk, start, count);
        copy_box(&copy);
    } while (next_place(at, range.count, stored->rank));
    return WEIR_OK;
}

weir_status weir_stored_read(const struct weir_stored *stored, const size_t *start, const size_t *count, void *out)
{
    size_t n = product(count, stored->rank);
    for (int a = 0; a < stored->rank; a++)
        if (start[a] > stored->shape[a] || count[a] > stored->shape[a] - start[a])
            return damaged(stored, "is shorter than another dataset says");
    if (n == 0)
        return WEIR_OK;
    if (stored->contiguous && !stored->empty)
        return read_contiguous(stored, start, count, out);
    fill_elements(out, n, stored->fill, stored->size);
    return stored->empty ? WEIR_OK : read_chunked(stored, start, count, out);
}

bool weir_stored_has(const struct weir_stored *stored, const size_t *start, const size_t *count)
{
    struct chunk_range range = {0};
    size_t at[WEIR_MAX_RANK] = {0};
    for (int a = 0; a < stored->rank; a++)
        if (count[a] == 0)
            return false;
    if (stored->empty)
        return false;
    if (stored->contiguous)
        return true;
    chunks_of_box(&range, stored, start, count);
    do {
        size_t chunk[WEIR_MAX_RANK] = {0};
        hsize_t n = 0;
        for (int a = 0; a < stored->rank; a++)
            chunk[a] = range.first[a] + at[a];
        if (packed_size(&n, stored, chunk) != WEIR_OK || n > 0) /* what cannot be looked up fails when it is read */
            return true;
    } while (next_place(at, range.count, stored->rank));
    return false;
}

/* ---- texts of any length: 16 bytes say how long it is, which collection has it, and where in it ---- */

enum { COLLECTION_HEAD = 16, OBJECT_HEAD = 16, LONGEST_TEXT = 1 << 28 };

static uint64_t little(const uint8_t *p, int n)
{
    uint64_t number = 0;
    for (int i = n - 1; i >= 0; i--)
        number = number << 8 | p[i];
    return number;
}

/* Where object `index` of the collection at `address` lies, and its length; false when there is none. */
static bool find_object(uint64_t *at, uint64_t *length, const struct weir_h5_source *source, uint64_t address,
                        uint64_t index)
{
    uint8_t head[OBJECT_HEAD];
    struct sieve sieve; /* there may be thousands of objects */
    sieve.first = sieve.n = 0;
    if (!weir_h5_source_read(source, head, address, COLLECTION_HEAD) || memcmp(head, "GCOL\1", 5) != 0)
        return false;
    uint64_t size = little(head + 8, 8);
    if (size > source->size - address)
        return false;
    for (uint64_t end = address + size, next = address + COLLECTION_HEAD; next < end && end - next >= OBJECT_HEAD;) {
        if (!read_through(source, &sieve, head, next, OBJECT_HEAD, end))
            return false;
        *length = little(head + 8, 8);
        *at = next + OBJECT_HEAD;
        if (*length > end - *at || little(head, 2) == 0) /* 0: room that is left */
            return false;
        if (little(head, 2) == index)
            return true;
        next = *at + (*length + 7) / 8 * 8;
    }
    return false;
}

weir_status weir_stored_text(char **out, const struct weir_h5_source *source, const uint8_t *reference,
                             const char *name)
{
    uint64_t length = little(reference, 4), address = little(reference + 4, 8), index = little(reference + 12, 4);
    uint64_t at, has;
    *out = NULL;
    if (length == 0 || address == 0)
        return WEIR_OK;
    if (length > LONGEST_TEXT || address > source->size - source->base ||
        !find_object(&at, &has, source, source->base + address, index) || has < length)
        return weir_fail(WEIR_E_INPUT, "%s: %s: damaged: a text does not lie in the file", source->path, name);
    TRY(weir_alloc_zero(out, (size_t)length + 1, 1));
    if (weir_h5_source_read(source, *out, at, (size_t)length))
        return WEIR_OK;
    weir_free(*out);
    *out = NULL;
    return weir_fail(WEIR_E_INPUT, "%s: %s: a text cannot be read: the file was cut short", source->path, name);
}
