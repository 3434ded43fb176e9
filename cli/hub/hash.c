/* Hashes of files: SHA-256, and SHA-1 as git makes it. */
#include "cli/hub/hash.h"

#include "cli/process/interrupt.h"

#include "base/alloc.h"

#include <errno.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 1 << 20 };

struct hashing {
    bool git;
    struct sha1_ctx sha1;
    struct sha256_ctx sha256;
};

static void begin_hash(struct hashing *hashing, bool git, uint64_t size)
{
    char head[32];
    hashing->git = git;
    sha256_init(&hashing->sha256);
    sha1_init(&hashing->sha1);
    int n = snprintf(head, sizeof head, "blob %llu", (unsigned long long)size);
    sha1_update(&hashing->sha1, (size_t)n + 1, (const uint8_t *)head); /* with its NUL */
}

static void end_hash(char hex[65], struct hashing *hashing)
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    size_t n = hashing->git ? SHA1_DIGEST_SIZE : SHA256_DIGEST_SIZE;
    if (hashing->git)
        sha1_digest(&hashing->sha1, n, digest);
    else
        sha256_digest(&hashing->sha256, n, digest);
    for (size_t i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

static weir_status hash_pieces(struct hashing *hashing, uint8_t *piece, int fd)
{
    off_t at = 0;
    for (;;) {
        ssize_t n = pread(fd, piece, PIECE, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return weir_fail(WEIR_E_OUTPUT, "what was fetched cannot be read again: %s", strerror(errno));
        if (n == 0)
            return WEIR_OK;
        if (interrupted())
            return weir_fail(WEIR_E_STOPPED, "interrupted; what was fetched so far is kept");
        at += n;
        if (hashing->git)
            sha1_update(&hashing->sha1, (size_t)n, piece);
        else
            sha256_update(&hashing->sha256, (size_t)n, piece);
    }
}

weir_status hub_hash(char hex[65], int fd, uint64_t size, const char *etag)
{
    struct hashing hashing;
    uint8_t *piece;
    size_t digits = strspn(etag, "0123456789abcdef");
    *hex = '\0';
    if (etag[digits] || (digits != 40 && digits != 64))
        return WEIR_OK;
    TRY(weir_alloc(&piece, PIECE, 1));
    begin_hash(&hashing, digits == 40, size);
    weir_status status = hash_pieces(&hashing, piece, fd);
    if (status == WEIR_OK)
        end_hash(hex, &hashing);
    weir_free(piece);
    return status;
}
