/* Writes bytes as base64, three at a time. */
#include "cli/export/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* The held bytes as four characters, with = for those that are missing. */
static void put_held(struct base64 *out)
{
    const uint8_t *b = out->held;
    uint32_t bits = (uint32_t)b[0] << 16 | (uint32_t)b[1] << 8 | b[2];
    for (size_t i = 0; i < 4; i++)
        putc_unlocked(i <= out->n_held ? digits[bits >> (18 - 6 * i) & 63] : '=', out->to);
    memset(out->held, 0, sizeof out->held);
    out->n_held = 0;
}

void base64_put(struct base64 *out, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out->held[out->n_held++] = ((const uint8_t *)bytes)[i];
        if (out->n_held == sizeof out->held)
            put_held(out);
    }
}

void base64_put_u16(struct base64 *out, uint16_t value)
{
    const uint8_t bytes[] = {(uint8_t)value, (uint8_t)(value >> 8)};
    base64_put(out, bytes, sizeof bytes);
}

void base64_put_float(struct base64 *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    base64_put_u16(out, (uint16_t)bits);
    base64_put_u16(out, (uint16_t)(bits >> 16));
}

void base64_end(struct base64 *out)
{
    if (out->n_held)
        put_held(out);
}

uint64_t base64_size(uint64_t n)
{
    return (n + 2) / 3 * 4;
}
