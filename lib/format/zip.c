/* Reads ZIP archives from memory: minizip finds and inflates the members, what they claim is checked here. */
#include "format/zip.h"

#include "base/alloc.h"
#include "base/sizes.h"

#include <minizip/unzip.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the archive that a member's data takes. */
struct extent {
    size_t begin, end;
};

struct archive {
    const char *file;
    const uint8_t *data; /* [size] */
    size_t size, at;     /* at <= size: where minizip reads next */
    bool past_end;       /* it tried to read what is not there */
    unzFile zip;
    size_t inflated, most_inflated; /* bytes in memory of their own */
    struct extent *extents;         /* [n] of the members so far */
    size_t n, capacity;
    size_t packed; /* bytes of all of them */
};

/* ---- memory as minizip's file ------------------------------------------------------------------------------------ */

static void *open_memory(void *archive, const void *path, int mode)
{
    (void)path;
    return mode & ZLIB_FILEFUNC_MODE_WRITE ? NULL : archive;
}

static unsigned long read_memory(void *opaque, void *stream, void *to, unsigned long n)
{
    struct archive *archive = stream;
    (void)opaque;
    archive->past_end |= n > archive->size - archive->at;
    n = weir_min_size(n, archive->size - archive->at);
    memcpy(to, archive->data + archive->at, n);
    archive->at += n;
    return n;
}

static ZPOS64_T tell_memory(void *opaque, void *stream)
{
    (void)opaque;
    return ((struct archive *)stream)->at;
}

static long seek_memory(void *opaque, void *stream, ZPOS64_T offset, int origin)
{
    struct archive *archive = stream;
    const size_t from[] = {
        [ZLIB_FILEFUNC_SEEK_SET] = 0, [ZLIB_FILEFUNC_SEEK_CUR] = archive->at, [ZLIB_FILEFUNC_SEEK_END] = archive->size};
    size_t to;
    (void)opaque;
    if (origin < 0 || origin > ZLIB_FILEFUNC_SEEK_END || __builtin_add_overflow(from[origin], (size_t)offset, &to) ||
        to > archive->size)
        return -1;
    archive->at = to;
    return 0;
}

static int close_memory(void *opaque, void *stream)
{
    (void)opaque, (void)stream;
    return 0;
}

/* minizip takes a byte that is not there for a 0 unless it is told of an error. */
static int has_read_past_end(void *opaque, void *stream)
{
    (void)opaque;
    return ((struct archive *)stream)->past_end;
}

static weir_status open_archive(struct archive *archive)
{
    zlib_filefunc64_def memory = {.zopen64_file = open_memory,
                                  .zread_file = read_memory,
                                  .ztell64_file = tell_memory,
                                  .zseek64_file = seek_memory,
                                  .zclose_file = close_memory,
                                  .zerror_file = has_read_past_end,
                                  .opaque = archive};
    archive->zip = unzOpen2_64(archive->file, &memory);
    return archive->zip ? WEIR_OK
                        : weir_fail(WEIR_E_INPUT, "%s: it has no readable directory of a ZIP archive: it is truncated",
                                    archive->file);
}

/* ---- one member -------------------------------------------------------------------------------------------------- */

static weir_status fail_member(weir_status status, const struct archive *archive, const struct weir_zip_member *member,
                               const char *what)
{
    return weir_fail(status, "%s: member \"%.*s\" %s", archive->file, (int)weir_min_size(member->n_name, 200),
                     member->name, what);
}

static weir_status check_method(const struct archive *archive, const struct weir_zip_member *member,
                                const unz_file_info64 *info)
{
    enum { ENCRYPTED = 1 };
    if (info->flag & ENCRYPTED)
        return fail_member(WEIR_E_UNSUPPORTED, archive, member, "is encrypted: save it without a password");
    if (info->compression_method != 0 && info->compression_method != Z_DEFLATED)
        return fail_member(WEIR_E_UNSUPPORTED, archive, member,
                           "is compressed by another method than deflate: save it with deflate, or uncompressed");
    return WEIR_OK;
}

/* Where the data lies, which must be in the archive, and as much as is claimed or could become so much. */
static weir_status find_data(struct archive *archive, struct weir_zip_member *member, const unz_file_info64 *info)
{
    uint64_t begin = unzGetCurrentFileZStreamPos64(archive->zip), packed = info->compressed_size;
    uint64_t most = info->compression_method == 0 ? packed : 0;
    if (begin > archive->size || packed > archive->size - begin)
        return fail_member(WEIR_E_INPUT, archive, member, "reaches past the end of the file: it is truncated");
    if (info->compression_method != 0 && __builtin_mul_overflow(packed, (uint64_t)WEIR_MOST_EXPANSION, &most))
        most = UINT64_MAX;
    if (info->uncompressed_size > most || (info->compression_method == 0 && info->uncompressed_size != packed))
        return fail_member(WEIR_E_INPUT, archive, member, "claims a size that its bytes cannot have: it is damaged");
    if (packed > archive->size - archive->packed)
        return fail_member(WEIR_E_INPUT, archive, member, "shares bytes with others: the file is damaged");
    archive->packed += (size_t)packed;
    TRY(weir_grow(&archive->extents, &archive->capacity, archive->n + 1, sizeof *archive->extents));
    archive->extents[archive->n++] = (struct extent){(size_t)begin, (size_t)(begin + packed)};
    member->data = archive->data + begin;
    member->n = (size_t)info->uncompressed_size;
    return WEIR_OK;
}

/* Inflates the open member into memory of its own; minizip compares the checksum when it is closed. */
static weir_status inflate_member(struct archive *archive, struct weir_zip_member *member)
{
    enum { AT_ONCE = 1 << 30 };
    char most[16];
    if (member->n > archive->most_inflated - archive->inflated) {
        weir_size_text(most, archive->most_inflated);
        return weir_fail(
            WEIR_E_MEMORY,
            "%s: its members take more than %s inflated: save it uncompressed (numpy.savez), which is read "
            "where it lies",
            archive->file, most);
    }
    archive->inflated += member->n;
    TRY(weir_alloc(&member->own, member->n, 1));
    member->data = member->own;
    for (size_t at = 0; at < member->n;) {
        int n = unzReadCurrentFile(archive->zip, (char *)member->own + at,
                                   (unsigned)weir_min_size(member->n - at, AT_ONCE));
        if (n <= 0)
            return fail_member(WEIR_E_INPUT, archive, member, "does not inflate to the size that it claims");
        at += (size_t)n;
    }
    return WEIR_OK;
}

static weir_status read_member_data(struct archive *archive, struct weir_zip_member *member,
                                    const unz_file_info64 *info)
{
    bool stored = info->compression_method == 0;
    TRY(find_data(archive, member, info));
    TRY(stored ? WEIR_OK : inflate_member(archive, member));
    if (crc32_z(crc32_z(0, NULL, 0), member->data, member->n) != info->crc)
        return fail_member(WEIR_E_INPUT, archive, member, "has another checksum than it claims: it is damaged");
    return WEIR_OK;
}

/* Of the member at hand. Its memory is given out, also on failure. */
static weir_status read_member(struct archive *archive, struct weir_zip_member *member, const unz_file_info64 *info)
{
    TRY(check_method(archive, member, info));
    if (unzOpenCurrentFile(archive->zip) != UNZ_OK)
        return fail_member(WEIR_E_INPUT, archive, member, "is not where the directory says: the file is damaged");
    weir_status status = read_member_data(archive, member, info);
    unzCloseCurrentFile(archive->zip);
    return status;
}

static weir_status take_member(struct archive *archive, weir_zip_fn *fn, void *payload)
{
    unz_file_info64 info;
    struct weir_zip_member member = {0};
    char *name = NULL; /* [info.size_filename + 1] */
    weir_status status;
    if (unzGetCurrentFileInfo64(archive->zip, &info, NULL, 0, NULL, 0, NULL, 0) != UNZ_OK)
        return weir_fail(WEIR_E_INPUT, "%s: the directory of the ZIP archive is damaged", archive->file);
    TRY(weir_alloc_zero(&name, info.size_filename + 1, 1));
    if (unzGetCurrentFileInfo64(archive->zip, &info, name, info.size_filename + 1, NULL, 0, NULL, 0) != UNZ_OK)
        TRY_DONE(weir_fail(WEIR_E_INPUT, "%s: the directory of the ZIP archive is damaged", archive->file));
    member.name = name;
    member.n_name = info.size_filename;
    status = read_member(archive, &member, &info);
    if (status == WEIR_OK)
        status = fn(&member, payload);
    else
        weir_free(member.own);
done:
    weir_free(name);
    return status;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static int compare_extents(const void *a, const void *b)
{
    const struct extent *x = a, *y = b;
    return x->begin != y->begin ? (x->begin > y->begin) - (x->begin < y->begin) : (x->end > y->end) - (x->end < y->end);
}

/* Members that share bytes make an archive of any size from few. */
static weir_status check_extents(struct archive *archive)
{
    if (archive->n < 2)
        return WEIR_OK;
    qsort(archive->extents, archive->n, sizeof *archive->extents, compare_extents);
    for (size_t i = 1; i < archive->n; i++)
        if (archive->extents[i].begin < archive->extents[i - 1].end)
            return weir_fail(WEIR_E_INPUT, "%s: two members share byte %zu: the file is damaged", archive->file,
                             archive->extents[i].begin);
    return WEIR_OK;
}

static weir_status take_members(struct archive *archive, weir_zip_fn *fn, void *payload)
{
    unz_global_info64 info;
    int next = UNZ_OK;
    if (unzGetGlobalInfo64(archive->zip, &info) != UNZ_OK)
        return weir_fail(WEIR_E_INPUT, "%s: the directory of the ZIP archive is damaged", archive->file);
    if (info.number_entry == 0)
        return WEIR_OK;
    for (next = unzGoToFirstFile(archive->zip); next == UNZ_OK; next = unzGoToNextFile(archive->zip))
        TRY(take_member(archive, fn, payload));
    if (next != UNZ_END_OF_LIST_OF_FILE)
        return weir_fail(WEIR_E_INPUT, "%s: the directory of the ZIP archive is damaged", archive->file);
    return check_extents(archive);
}

weir_status weir_zip_read(const char *file, const uint8_t *data, size_t size, size_t most_inflated, weir_zip_fn *fn,
                          void *payload)
{
    static const uint8_t nothing[22] = "PK\5\6"; /* the archive of no members, which minizip does not open */
    struct archive archive = {.file = file, .data = data, .size = size, .most_inflated = most_inflated};
    if (size == sizeof nothing && memcmp(data, nothing, size) == 0)
        return WEIR_OK;
    TRY(open_archive(&archive));
    weir_status status = take_members(&archive, fn, payload);
    unzClose(archive.zip);
    weir_free(archive.extents);
    return status;
}
