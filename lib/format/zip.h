/* ZIP archives in memory, for the formats of arrays that are one: the members, where they lie or inflated. Nothing that
   an archive claims is believed before it was checked against the bytes that are there. */
#ifndef WEIR_FORMAT_ZIP_H
#define WEIR_FORMAT_ZIP_H

#include "base/status.h"

struct weir_zip_member {
    const char *name; /* [n_name] not ended by NUL, may be no text */
    size_t n_name;
    const uint8_t *data; /* [n] in the archive, or inflated in `own` */
    size_t n;
    void *own; /* NULL: stored, nothing was inflated; else new memory, which is the caller's to free */
};

typedef weir_status weir_zip_fn(const struct weir_zip_member *member, void *payload);

/* Calls `fn` with each member in turn, whose checksum was verified; what it returns ends the reading. `file` is for
   messages. `most_inflated`: how many bytes inflated members may take together. @return WEIR_E_INPUT for what is
   damaged: members that reach past the end, share bytes, or are not of the size or the checksum that they claim;
   WEIR_E_UNSUPPORTED for members that are encrypted or compressed by anything but deflate; WEIR_E_MEMORY past
   `most_inflated`. */
WEIR_CHECKED weir_status weir_zip_read(const char *file, const uint8_t *data, size_t size, size_t most_inflated,
                                       weir_zip_fn *fn, void *payload);

#endif
