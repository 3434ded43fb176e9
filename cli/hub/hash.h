/* What an ETag of the hub is made of. */
#ifndef WEIR_CLI_HUB_HASH_H
#define WEIR_CLI_HUB_HASH_H

#include "base/status.h"

/* The hash of an open file that `etag` has the form of, in hex: SHA-256 for 64 digits, for 40 git's SHA-1 of a blob of
   `size` bytes; "" for any other ETag, which then says nothing of the contents. WEIR_E_STOPPED after a signal. */
WEIR_CHECKED weir_status hub_hash(char hex[65], int fd, uint64_t size, const char *etag);

#endif
