/* Reads short runs from a piece of the file that is in memory. */
#include "store/read/sieve.h"

#include <string.h>

bool weir_sieve_read(struct weir_sieve *sieve, const struct weir_h5_source *source, uint8_t *to, uint64_t address,
                     size_t n, uint64_t end)
{
    if (address < sieve->first || address + n > sieve->first + sieve->n) {
        size_t some = end - address < WEIR_SIEVE ? (size_t)(end - address) : WEIR_SIEVE;
        sieve->first = address;
        sieve->n = 0;
        if (n > some || !weir_h5_source_read(source, sieve->bytes, address, some))
            return false;
        sieve->n = some;
    }
    memcpy(to, sieve->bytes + (address - sieve->first), n);
    return true;
}
