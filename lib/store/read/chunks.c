/* The chunks of a dataset: found by HDF5, read and decoded here, the last few kept. */
#include "store/read/chunks.h"

#include "base/alloc.h"
#include "base/sizes.h"
#include "store/read/decode.h"

#include <stdio.h>
#include <string.h>

enum {
    MOST_KEPT = 64,      /* chunks */
    KEPT_BYTES = 8 << 20 /* of chunks, per dataset; one is always kept */
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
    uint8_t *packed, *spare; /* [n_packed] as stored in the file, [chunk_bytes + 4] */
    size_t n_packed;
};

weir_status weir_chunks_open(struct weir_chunks **out, size_t chunk_bytes)
{
    size_t fit = KEPT_BYTES / chunk_bytes;
    TRY(weir_alloc_zero(out, 1, sizeof **out));
    (*out)->n = fit < 1 ? 1 : fit > MOST_KEPT ? MOST_KEPT : (int)fit;
    return WEIR_OK;
}

void weir_chunks_close(struct weir_chunks *chunks)
{
    if (!chunks)
        return;
    for (int i = 0; i < chunks->n; i++)
        weir_free(chunks->kept[i].bytes);
    weir_free(chunks->packed);
    weir_free(chunks->spare);
    weir_free(chunks);
}

static herr_t note_function(unsigned n, const H5E_error2_t *error, void *payload)
{
    const char **name = payload;
    (void)n;
    *name = error->func_name; /* ends with the innermost */
    return 0;
}

/* True where HDF5 failed because there is no chunk: no function that it called has failed then. */
static bool found_no_chunk(void)
{
    const char *name = NULL;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, note_function, &name);
    return name && strcmp(name, "H5D__get_chunk_storage_size") == 0;
}

weir_status weir_chunk_size(uint64_t *out, const struct weir_stored *stored, const size_t *chunk)
{
    hsize_t offset[WEIR_MAX_RANK], bytes = 0;
    *out = 0;
    for (int a = 0; a < stored->rank; a++)
        offset[a] = (hsize_t)chunk[a] * stored->chunk[a];
    if (stored->empty)
        return WEIR_OK;
    if (H5Dget_chunk_storage_size(stored->id, offset, &bytes) >= 0) {
        *out = bytes;
        return WEIR_OK;
    }
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
    if (n * (hsize_t)WEIR_MOST_EXPANSION < stored->chunk_bytes)
        return wrong_chunk(stored, chunk, "has too few bytes for its values");
    TRY(weir_grow(&stored->chunks->packed, &stored->chunks->n_packed, (size_t)n, 1));
    for (int a = 0; a < stored->rank; a++)
        offset[a] = (hsize_t)chunk[a] * stored->chunk[a];
    if (H5Dread_chunk(stored->id, H5P_DEFAULT, offset, skipped, stored->chunks->packed) < 0)
        return weir_in(weir_h5_fail(WEIR_E_INPUT, stored->name, "a chunk cannot be read"), stored->source->path);
    return WEIR_OK;
}

/* Reads a chunk's bytes and decodes them into the place that is kept for it. */
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

weir_status weir_chunk_get(const uint8_t **out, const struct weir_stored *stored, const size_t *chunk,
                           const size_t *slots)
{
    size_t index = weir_place_of(chunk, slots, stored->rank);
    uint64_t n;
    *out = NULL;
    struct kept *kept = find_kept(stored->chunks, index);
    if (!kept->used) {
        TRY(weir_chunk_size(&n, stored, chunk));
        if (n == 0)
            return WEIR_OK;
        TRY(load_chunk(stored, kept, chunk, n));
        kept->index = index;
    }
    kept->used = ++stored->chunks->now;
    *out = kept->bytes;
    return WEIR_OK;
}
