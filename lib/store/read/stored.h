/* A dataset as it is stored in the file, read without HDF5's own reading: that one trusts a chunk to decode to as many
   bytes as the chunk should have, runs whatever filter is named, and follows data to other files. Contiguous datasets
   are read from where they lie; of chunked ones HDF5 finds the chunk, and what is in it is decoded here into exactly
   its size, or refused. Filters: deflate, shuffle, fletcher32, each at most once. */
#ifndef WEIR_STORE_READ_STORED_H
#define WEIR_STORE_READ_STORED_H

#include "store/read/source.h"

enum { WEIR_MOST_FILTERS = 3, WEIR_MOST_FILL = 160, WEIR_TEXT_REFERENCE = 16 };

struct weir_stored {
    const struct weir_h5_source *source;
    const char *name; /* for messages; not owned */
    hid_t id;
    int rank;
    size_t shape[WEIR_MAX_RANK], chunk[WEIR_MAX_RANK];
    size_t size; /* bytes of an element in the file */
    bool contiguous;
    bool empty;       /* nothing was ever stored in it */
    uint64_t offset;  /* of contiguous ones, in the file */
    uint64_t bytes;   /* that it takes in the file */
    uint64_t decoded; /* the most that they can be decoded to */
    int filters[WEIR_MOST_FILTERS];
    int n_filters;
    size_t chunk_bytes;
    uint8_t fill[WEIR_MOST_FILL]; /* an element of what is not stored */
    struct weir_chunks *chunks;   /* those read last, of chunked ones */
};

/* Checks all that can be checked before a value is read: its storage and filters, that it is within the file, and that
   its size does not exceed what its bytes can hold. Takes the dataset over, also on failure. WEIR_E_INPUT, naming what
   is wrong. */
WEIR_CHECKED weir_status weir_stored_open(struct weir_stored *out, const struct weir_h5_source *source, hid_t dataset,
                                          const char *name);
void weir_stored_close(struct weir_stored *stored);

/* The box start, count into out [count], C order, in the type of the file; what is not stored is the fill value. */
WEIR_CHECKED weir_status weir_stored_read(const struct weir_stored *stored, const size_t *start, const size_t *count,
                                          void *out);
/* True where something in the box may be stored. Reads no values. */
bool weir_stored_has(const struct weir_stored *stored, const size_t *start, const size_t *count);

/* Where, in elements, an array [rank] of that shape has the element `at`. */
size_t weir_place_of(const size_t *at, const size_t *shape, int rank);
/* WEIR_E_INPUT, naming the file and the dataset. */
weir_status weir_stored_damaged(const struct weir_stored *stored, const char *what);

/* ---- heap_text.c ---- */

/* The bytes that the string variable-length reference [16 bytes] points to; NULL in *out for an empty one. */
WEIR_CHECKED weir_status weir_stored_text(char **out, const struct weir_h5_source *source, const uint8_t *reference,
                                          const char *name);

#endif
