/* The chunks of a dataset, decoded into exactly their size or refused; those read last are kept. */
#ifndef WEIR_STORE_READ_CHUNKS_H
#define WEIR_STORE_READ_CHUNKS_H

#include "store/read/stored.h"

/* Room for chunks of so many bytes. */
WEIR_CHECKED weir_status weir_chunks_open(struct weir_chunks **out, size_t chunk_bytes);
void weir_chunks_close(struct weir_chunks *chunks);

/* The bytes that the file has of a chunk, 0 where it is not in the file. `chunk` [rank] counts in chunks along each
 * axis. */
WEIR_CHECKED weir_status weir_chunk_size(uint64_t *out, const struct weir_stored *stored, const size_t *chunk);
/* The chunk's values, NULL where it is not in the file. They stay valid until the next call. `slots` [rank]: how many
   chunks there are along each axis. WEIR_E_INPUT where it does not decode to its size. */
WEIR_CHECKED weir_status weir_chunk_get(const uint8_t **out, const struct weir_stored *stored, const size_t *chunk,
                                        const size_t *slots);

#endif
