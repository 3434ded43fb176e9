/* Encodes the weights of a page: four decimal digits each, deflated, in base64. */
#include "cli/page/parts.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>
#include <zlib.h>

/* A weight goes into the page as sixteen bits that hold its four leading decimal digits, so that what the page shows is
   the stored value, rounded once: m digits 1000 to 9999 times a decade from 1e-7 up to 0.1. Of two weights the larger
   has the larger code, so that the largest of a cell is found among codes. A float's 24 bits times these powers of ten
   (their odd parts have at most 24) are exact in a double: ties round as they should. */
enum { DECADES = 7, LEAST = 1000, DECADE = 9000 };
enum { CODE_ZERO = 0, CODE_DIGITS = 2, CODE_ONE = CODE_DIGITS + DECADES * DECADE };

static const double powers[DECADES] = {1e10, 1e9, 1e8, 1e7, 1e6, 1e5, 1e4};

/* For weights over 0 that round to 1 or less. */
static uint16_t code_of_digits(double weight)
{
    int decade = DECADES - 1;
    while (decade >= 0 && weight * powers[decade] < LEAST)
        decade--;
    if (decade < 0)
        return PAGE_CODE_TINY;
    long digits = lrint(weight * powers[decade]);
    if (digits >= 10 * LEAST) { /* 0.09999996 is 0.1000 */
        if (decade == DECADES - 1)
            return CODE_ONE;
        digits = LEAST;
        decade++;
    }
    return (uint16_t)(CODE_DIGITS + decade * DECADE + (digits - LEAST));
}

bool page_code(uint16_t *out, float weight)
{
    if (isnan(weight)) {
        *out = PAGE_CODE_NONE;
        return true;
    }
    if (!(weight >= 0 && (double)weight <= PAGE_MOST_WEIGHT))
        return false;
    *out = weight > 0 ? code_of_digits((double)weight) : CODE_ZERO;
    return true;
}

uint8_t page_level(float weight)
{
    return weight > 0 ? (uint8_t)fmin(255, ceil(sqrt((double)weight) * 255)) : 0;
}

void page_planes(uint8_t *planes, size_t n, size_t i, uint16_t value)
{
    planes[i] = (uint8_t)(value >> 8);
    planes[n + i] = (uint8_t)value;
}

/* ---- bytes on their way into a block ---- */

enum { SMALL = 1 << 16, EFFORT = 2 };

/* Deflates into `room` bytes at most. */
static weir_status deflate_into(struct packed *out, const uint8_t *bytes, size_t n, size_t room)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, EFFORT, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return weir_fail(WEIR_E_MEMORY, "out of memory");
    size_t bound = deflateBound(&stream, n);
    weir_status status = weir_alloc(&out->bytes, bound < room ? bound : room, 1);
    if (status == WEIR_OK) {
        stream.next_in = (z_const Bytef *)bytes;
        stream.avail_in = (uInt)n;
        stream.next_out = out->bytes;
        stream.avail_out = (uInt)(bound < room ? bound : room);
        out->deflated = true;
        out->fits = deflate(&stream, Z_FINISH) == Z_STREAM_END;
        out->n = stream.total_out;
    }
    deflateEnd(&stream);
    return status;
}

weir_status page_pack(struct packed *out, const uint8_t *bytes, size_t n, size_t room)
{
    *out = (struct packed){0};
    if (n > SMALL)
        return deflate_into(out, bytes, n, room);
    TRY(weir_alloc(&out->bytes, n, 1));
    memcpy(out->bytes, bytes, n);
    out->n = n;
    out->fits = n <= room;
    return WEIR_OK;
}

void page_unpack(struct packed *packed)
{
    weir_free(packed->bytes);
    *packed = (struct packed){0};
}
