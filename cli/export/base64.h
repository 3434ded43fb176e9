/* Bytes as base64, written piece by piece. */
#ifndef WEIR_CLI_EXPORT_BASE64_H
#define WEIR_CLI_EXPORT_BASE64_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct base64 {
    FILE *to;
    uint8_t held[3];
    size_t n_held;
};

void base64_put(struct base64 *out, const void *bytes, size_t n);
void base64_put_u16(struct base64 *out, uint16_t value); /* little-endian */
void base64_put_float(struct base64 *out, float value);
/* Writes what is left; `out` begins anew. */
void base64_end(struct base64 *out);
/* The number of characters that n bytes become. */
uint64_t base64_size(uint64_t n);

#endif
