/* A bounded reader of little-endian bytes: the only way lengths and numbers come out of binary files. */
#ifndef WEIR_BASE_BYTES_H
#define WEIR_BASE_BYTES_H

#include "base/status.h"

struct weir_bytes {
    const char *file; /* for messages; not owned */
    const uint8_t *data;
    size_t size, at; /* at <= size always */
};

/* Each reads one thing called `what` and moves on, or fails with "FILE: byte N: ..." and does not move. */
WEIR_CHECKED weir_status weir_bytes_u8(struct weir_bytes *b, uint8_t *out, const char *what);
WEIR_CHECKED weir_status weir_bytes_u16(struct weir_bytes *b, uint16_t *out, const char *what);
WEIR_CHECKED weir_status weir_bytes_u32(struct weir_bytes *b, uint32_t *out, const char *what);
WEIR_CHECKED weir_status weir_bytes_u64(struct weir_bytes *b, uint64_t *out, const char *what);
/* A view of the next n bytes. */
WEIR_CHECKED weir_status weir_bytes_take(struct weir_bytes *b, const uint8_t **out, uint64_t n, const char *what);

/* Length of the well-formed character at p (of at most n bytes), 0 if there is none. Table 3-7 of the Unicode standard.
 */
size_t weir_utf8_sequence(const uint8_t *p, size_t n);
/* True where `n` bytes at `text` are UTF-8 (RFC 3629); if not, *bad is the offset of the first byte that is not. */
bool weir_utf8_valid(const char *text, size_t n, size_t *bad);
/* Writes `code` (not a surrogate, at most 0x10ffff) as UTF-8; @return its length. */
size_t weir_utf8_encode(char to[4], uint32_t code);

#endif
