/* Short runs near each other, read from the file together with what is between them. */
#ifndef WEIR_STORE_READ_SIEVE_H
#define WEIR_STORE_READ_SIEVE_H

#include "store/read/source.h"

enum { WEIR_SIEVE = 64 << 10 }; /* bytes read at once; longer runs gain nothing */

/* A piece of the file. Holds nothing while n is 0. */
struct weir_sieve {
    uint64_t first;
    size_t n;
    uint8_t bytes[WEIR_SIEVE];
};

/* n bytes at `address`; what follows them, up to `end`, is read with them. False when they are not in the file. */
bool weir_sieve_read(struct weir_sieve *sieve, const struct weir_h5_source *source, uint8_t *to, uint64_t address,
                     size_t n, uint64_t end);

#endif
