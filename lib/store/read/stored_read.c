/* Reads a box of a stored dataset, contiguous or chunked. */
#include "base/alloc.h"
#include "store/read/chunks.h"
#include "store/read/sieve.h"

#include <string.h>

/* ---- boxes ---- */

/* A box on its way from an array of one shape into one of another. */
struct copy {
    uint8_t *to;
    const uint8_t *from;
    size_t to_shape[WEIR_MAX_RANK], from_shape[WEIR_MAX_RANK], count[WEIR_MAX_RANK];
    int rank;
    size_t size;
};

size_t weir_place_of(const size_t *at, const size_t *shape, int rank)
{
    size_t place = 0;
    for (int a = 0; a < rank; a++)
        place = place * shape[a] + at[a];
    return place;
}

static size_t product_of_sizes(const size_t *sizes, int n)
{
    size_t all = 1;
    for (int a = 0; a < n; a++)
        all *= sizes[a];
    return all;
}

/* The first of the last axes that lie in one run in both arrays, and the length of that run. */
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
        size_t to = weir_place_of(at, copy->to_shape, copy->rank),
               from = weir_place_of(at, copy->from_shape, copy->rank);
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

/* n bytes at `address` of the file; with a stride, where further runs follow. */
static bool read_run(const struct weir_stored *stored, struct weir_sieve *sieve, uint8_t *to, uint64_t address,
                     size_t n, uint64_t stride)
{
    if (n >= WEIR_SIEVE || stride >= WEIR_SIEVE)
        return weir_h5_source_read(stored->source, to, address, n);
    return weir_sieve_read(sieve, stored->source, to, address, n, stored->offset + stored->bytes);
}

/* True where the box is one run, which needs no sieve. */
static bool is_one_run(const size_t *count, int axis)
{
    return product_of_sizes(count, axis) == 1;
}

static weir_status check_read(const struct weir_stored *stored, bool fine)
{
    return fine ? WEIR_OK : weir_stored_damaged(stored, "cannot be read: the file was cut short");
}

/* Run by run; runs near each other come through a sieve. */
static weir_status read_contiguous(const struct weir_stored *stored, const size_t *start, const size_t *count,
                                   uint8_t *out)
{
    struct copy copy = {.rank = stored->rank, .size = stored->size};
    struct weir_sieve *sieve;
    size_t run, at[WEIR_MAX_RANK] = {0};
    memcpy(copy.count, count, sizeof copy.count);
    memcpy(copy.to_shape, count, sizeof copy.to_shape);
    memcpy(copy.from_shape, stored->shape, sizeof copy.from_shape);
    int axis = run_axes(&copy, &run);
    uint64_t first = weir_place_of(start, stored->shape, stored->rank), stride = stored->size;
    for (int a = axis; a < stored->rank; a++)
        stride *= stored->shape[a];
    if (is_one_run(count, axis))
        return check_read(stored, weir_h5_source_read(stored->source, out, stored->offset + first * stored->size,
                                                      run * stored->size));
    TRY(weir_alloc(&sieve, 1, sizeof *sieve));
    sieve->n = 0;
    bool fine;
    do {
        uint64_t from = first + weir_place_of(at, stored->shape, stored->rank);
        size_t to = weir_place_of(at, count, stored->rank);
        fine = read_run(stored, sieve, out + to * stored->size, stored->offset + from * stored->size,
                        run * stored->size, stride);
    } while (fine && next_place(at, count, axis));
    weir_free(sieve);
    return check_read(stored, fine);
}

/* ---- chunked datasets ---- */

/* The chunks that a box covers: first to first + count along each axis, of `slots`. */
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

/* Sets the copy to what the box and the chunk share. */
static void clip_to_chunk(struct copy *copy, const struct weir_stored *stored, const size_t *chunk, const size_t *start,
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
    copy->to += weir_place_of(to, copy->to_shape, stored->rank) * stored->size;
    copy->from += weir_place_of(from, copy->from_shape, stored->rank) * stored->size;
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
        TRY(weir_chunk_get(&copy.from, stored, chunk, range.slots));
        if (!copy.from)
            continue;
        clip_to_chunk(&copy, stored, chunk, start, count);
        copy_box(&copy);
    } while (next_place(at, range.count, stored->rank));
    return WEIR_OK;
}

weir_status weir_stored_read(const struct weir_stored *stored, const size_t *start, const size_t *count, void *out)
{
    size_t n = product_of_sizes(count, stored->rank);
    for (int a = 0; a < stored->rank; a++)
        if (start[a] > stored->shape[a] || count[a] > stored->shape[a] - start[a])
            return weir_stored_damaged(stored, "is shorter than another dataset says");
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
        uint64_t n = 0;
        for (int a = 0; a < stored->rank; a++)
            chunk[a] = range.first[a] + at[a];
        if (weir_chunk_size(&n, stored, chunk) != WEIR_OK || n > 0) /* what cannot be looked up fails when it is read */
            return true;
    } while (next_place(at, range.count, stored->rank));
    return false;
}
