/* Writes a zip archive of entries that are stored as they are. */
#include "cli/export/zip.h"

#include "base/alloc.h"

#include <string.h>

/* APPNOTE.TXT 4.3 and 4.5.3. A time is not kept, so that the same values give the same bytes. */
enum {
    LOCAL = 0x04034b50,
    CENTRAL = 0x02014b50,
    END64 = 0x06064b50,
    LOCATOR64 = 0x07064b50,
    END = 0x06054b50,
    VERSION = 20,   /* what a reader must know: folders and deflate */
    VERSION64 = 45, /* and zip64 */
    UNIX = 3 << 8,
    DATE = (0 << 9) | (1 << 5) | 1, /* 1980-01-01 */
    UTF8 = 1 << 11,                 /* of names */
    AT_CRC = 14,                    /* in a local header */
    EXTRA64 = 1,
    MODE = 0100644
};

static const uint32_t FULL = UINT32_MAX; /* means: the zip64 field has it */

/* A record of little-endian fields. */
struct record {
    uint8_t bytes[128];
    size_t n;
};

static void put_field(struct record *record, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        record->bytes[record->n++] = (uint8_t)(value >> 8 * i);
}

static bool needs_zip64(uint64_t value)
{
    return value >= FULL;
}

static uint64_t field_or_full(uint64_t value)
{
    return needs_zip64(value) ? FULL : value;
}

/* Version, flags, method, time, date, CRC, sizes and the length of the name: alike in both headers. */
static void put_common_fields(struct record *to, const struct zip_entry *entry, bool wide)
{
    put_field(to, wide ? VERSION64 : VERSION, 2);
    put_field(to, UTF8, 2);
    put_field(to, 0, 2);
    put_field(to, 0, 2);
    put_field(to, DATE, 2);
    put_field(to, entry->crc, 4);
    put_field(to, field_or_full(entry->size), 4);
    put_field(to, field_or_full(entry->size), 4);
    put_field(to, strlen(entry->name), 2);
}

static weir_status write_header_parts(struct buffered *out, const struct record *head, const char *name,
                                      const struct record *extra)
{
    TRY(buffered_write(out, head->bytes, head->n));
    TRY(buffered_write(out, name, strlen(name)));
    return buffered_write(out, extra->bytes, extra->n);
}

static weir_status write_local_header(struct buffered *out, const struct zip_entry *entry)
{
    struct record head = {.n = 0}, extra = {.n = 0};
    bool wide = needs_zip64(entry->size);
    if (wide) {
        put_field(&extra, EXTRA64, 2);
        put_field(&extra, 16, 2);
        put_field(&extra, entry->size, 8);
        put_field(&extra, entry->size, 8);
    }
    put_field(&head, LOCAL, 4);
    put_common_fields(&head, entry, wide);
    put_field(&head, extra.n, 2);
    return write_header_parts(out, &head, entry->name, &extra);
}

weir_status zip_begin(struct zip *zip, const char *name, uint64_t size)
{
    TRY(weir_grow(&zip->entries, &zip->capacity, zip->n + 1, sizeof *zip->entries));
    struct zip_entry *entry = &zip->entries[zip->n];
    *entry = (struct zip_entry){.size = size, .offset = zip->out->total};
    TRY(weir_copy_string(&entry->name, name));
    zip->n++;
    TRY(write_local_header(zip->out, entry));
    zip->out->sums = true;
    zip->out->crc = 0;
    return WEIR_OK;
}

weir_status zip_end(struct zip *zip)
{
    struct zip_entry *entry = &zip->entries[zip->n - 1];
    struct record crc = {.n = 0};
    zip->out->sums = false;
    entry->crc = zip->out->crc;
    put_field(&crc, entry->crc, 4);
    return buffered_patch(zip->out, entry->offset + AT_CRC, crc.bytes, crc.n);
}

/* Sizes and offset go to the zip64 field where 32 bits do not hold them. */
static weir_status write_central_header(struct buffered *out, const struct zip_entry *entry)
{
    struct record head = {.n = 0}, extra = {.n = 0};
    bool wide = needs_zip64(entry->size), far = needs_zip64(entry->offset);
    if (wide || far) {
        put_field(&extra, EXTRA64, 2);
        put_field(&extra, (wide ? 16 : 0) + (far ? 8 : 0), 2);
    }
    for (int i = 0; i < 2 && wide; i++)
        put_field(&extra, entry->size, 8);
    if (far)
        put_field(&extra, entry->offset, 8);
    put_field(&head, CENTRAL, 4);
    put_field(&head, UNIX | VERSION64, 2);
    put_common_fields(&head, entry, wide || far);
    put_field(&head, extra.n, 2);
    put_field(&head, 0, 2); /* comment */
    put_field(&head, 0, 2); /* disk */
    put_field(&head, 0, 2); /* inner attributes */
    put_field(&head, (uint64_t)MODE << 16, 4);
    put_field(&head, field_or_full(entry->offset), 4);
    return write_header_parts(out, &head, entry->name, &extra);
}

/* Always preceded by its zip64 form, which is harmless where it adds nothing. */
weir_status zip_finish(struct zip *zip)
{
    struct record end = {.n = 0};
    uint64_t begin = zip->out->total;
    for (size_t i = 0; i < zip->n; i++)
        TRY(write_central_header(zip->out, &zip->entries[i]));
    uint64_t at = zip->out->total;
    put_field(&end, END64, 4);
    put_field(&end, 44, 8); /* bytes that follow of this record */
    put_field(&end, UNIX | VERSION64, 2);
    put_field(&end, VERSION64, 2);
    put_field(&end, 0, 8); /* disks */
    put_field(&end, zip->n, 8);
    put_field(&end, zip->n, 8);
    put_field(&end, at - begin, 8);
    put_field(&end, begin, 8);
    put_field(&end, LOCATOR64, 4);
    put_field(&end, 0, 4);
    put_field(&end, at, 8);
    put_field(&end, 1, 4);
    put_field(&end, END, 4);
    put_field(&end, 0, 4);
    put_field(&end, zip->n, 2);
    put_field(&end, zip->n, 2);
    put_field(&end, field_or_full(at - begin), 4);
    put_field(&end, field_or_full(begin), 4);
    put_field(&end, 0, 2);
    return buffered_write(zip->out, end.bytes, end.n);
}

void zip_close(struct zip *zip)
{
    for (size_t i = 0; i < zip->n; i++)
        weir_free(zip->entries[i].name);
    weir_free(zip->entries);
    *zip = (struct zip){0};
}
