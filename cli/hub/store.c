/* Writes a repository's folder of the cache so that whatever ends the process leaves what both sides accept. */
#include "cli/hub/store.h"

#include "cli/hub/hash.h"
#include "cli/print/say.h"
#include "cli/process/interrupt.h"

#include "base/alloc.h"
#include "base/descriptor.h"
#include "base/text.h"
#include "model/locate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MILLISECONDS = 50, QUIET_WAITS = 20 };

/* Marks the cache for programs that make backups (the standard of bford.info/cachedir). */
static const char TAG[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                          "# This folder is a cache of files that can be fetched again.\n";

static weir_status cannot(const char *what, const char *path)
{
    return weir_fail(WEIR_E_OUTPUT, "%s: %s: %s", path, what, weir_write_error(errno));
}

/* ---- folders ---- */

weir_status hub_store_open(struct hub_store *store, const char *repository, const char *commit)
{
    char *cache = NULL, *locks = NULL;
    weir_status status;
    *store = (struct hub_store){0};
    TRY_DONE(weir_hub_cache(&cache));
    TRY_DONE(weir_format(&locks, "%s/.locks", cache));
    TRY_DONE(weir_hub_folder(&store->folder, cache, repository));
    TRY_DONE(weir_hub_folder(&store->locks, locks, repository));
    TRY_DONE(weir_format(&store->snapshot, "%s/snapshots/%s", store->folder, commit));
done:
    weir_free(cache);
    weir_free(locks);
    return status;
}

void hub_store_close(struct hub_store *store)
{
    weir_free(store->folder);
    weir_free(store->locks);
    weir_free(store->snapshot);
}

/* Makes the folders that a path goes through: all before its last slash. */
static weir_status make_folders(const char *path)
{
    char *folder;
    weir_status status = WEIR_OK;
    TRY(weir_copy_string(&folder, path));
    for (char *slash = strchr(folder + 1, '/'); slash && status == WEIR_OK; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0777) != 0 && errno != EEXIST)
            status = cannot("the folder cannot be made", folder);
        *slash = '/';
    }
    weir_free(folder);
    return status;
}

static void tag_cache(const struct hub_store *store)
{
    char *path;
    const char *end = strrchr(store->folder, '/');
    if (weir_format(&path, "%.*s/CACHEDIR.TAG", (int)(end - store->folder), store->folder) != WEIR_OK)
        return;
    int fd = weir_open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (fd >= 0 && write(fd, TAG, sizeof TAG - 1) != (ssize_t)sizeof TAG - 1)
        unlink(path); /* without it a backup is larger, nothing else */
    if (fd >= 0)
        close(fd);
    weir_free(path);
}

static weir_status make_folder(const char *folder, const char *name)
{
    char *path;
    TRY(weir_format(&path, "%s/%s", folder, name));
    weir_status status = make_folders(path);
    weir_free(path);
    return status;
}

/* The snapshot first: without that folder a repository is damaged for huggingface_hub, whatever it has. */
weir_status hub_store_make(const struct hub_store *store)
{
    TRY(make_folder(store->snapshot, ""));
    TRY(make_folder(store->folder, "blobs/"));
    TRY(make_folder(store->locks, ""));
    tag_cache(store);
    return WEIR_OK;
}

bool hub_store_has(const struct hub_store *store, const char *name, int64_t size)
{
    struct stat st;
    char *path;
    if (weir_format(&path, "%s/%s", store->snapshot, name) != WEIR_OK)
        return false;
    bool has = stat(path, &st) == 0 && S_ISREG(st.st_mode) && (size < 0 || st.st_size == size);
    weir_free(path);
    return has;
}

int64_t hub_store_free_bytes(const struct hub_store *store)
{
    struct statvfs disk;
    char *path;
    if (weir_copy_string(&path, store->folder) != WEIR_OK)
        return -1;
    int result;
    while ((result = statvfs(path, &disk)) != 0 && errno == ENOENT && strrchr(path, '/') > path)
        *strrchr(path, '/') = '\0';
    weir_free(path);
    if (result != 0 || disk.f_bavail > (uint64_t)INT64_MAX / (disk.f_frsize + 1))
        return -1;
    return (int64_t)(disk.f_bavail * disk.f_frsize);
}

/* ---- the lock ---- */

/* A file that stays, locked by flock, as the Python side does it: the system lets it go with whoever had it. Where a
   file system knows no such locks it goes without: two pulls then write the same bytes to the same places. */
static weir_status take_lock(struct hub_blob *blob, const struct hub_store *store, const char *what)
{
    char *path;
    weir_status status = WEIR_OK;
    TRY(weir_format(&path, "%s/%s.lock", store->locks, blob->etag));
    blob->lock = weir_open(path, O_RDWR | O_CREAT, 0664);
    if (blob->lock < 0)
        TRY_DONE(cannot("the lock cannot be made", path));
    for (int waits = 0; flock(blob->lock, LOCK_EX | LOCK_NB) != 0 && errno != ENOSYS && errno != EOPNOTSUPP; waits++) {
        if (errno != EWOULDBLOCK && errno != EACCES && errno != EINTR)
            TRY_DONE(cannot("cannot be locked", path));
        if (interrupted())
            TRY_DONE(weir_fail(WEIR_E_STOPPED, "interrupted"));
        if (waits == QUIET_WAITS)
            say("weir: %s: another process is fetching it; waiting for that\n", what);
        nanosleep(&(struct timespec){.tv_nsec = WAIT_MILLISECONDS * 1000000L}, NULL);
    }
done:
    weir_free(path);
    return status;
}

/* ---- blobs ---- */

static weir_status keep_etag(struct hub_blob *blob, const char *etag)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+=-";
    size_t n = strspn(etag, plain);
    if (n == 0 || etag[n] || n >= sizeof blob->etag || *etag == '.')
        return weir_fail(WEIR_E_INPUT, "its ETag '%.100s' can be no file's name", etag);
    memcpy(blob->etag, etag, n + 1);
    return WEIR_OK;
}

/* Finds how far an earlier pull came. More than there is to fetch was something else. */
static weir_status open_partial(struct hub_blob *blob)
{
    struct stat st;
    blob->fd = weir_open(blob->partial, O_RDWR | O_CREAT, 0666);
    if (blob->fd < 0 || fstat(blob->fd, &st) != 0)
        return cannot("cannot be made", blob->partial);
    if ((uint64_t)st.st_size <= blob->size)
        blob->at = (uint64_t)st.st_size;
    return WEIR_OK;
}

static bool is_file_of(const char *path, uint64_t size)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
}

uint64_t hub_store_bytes(const struct hub_store *store, const char *etag, uint64_t size)
{
    struct stat st;
    char *path;
    uint64_t bytes = 0;
    if (weir_format(&path, "%s/blobs/%s.incomplete", store->folder, etag) != WEIR_OK)
        return 0;
    if (stat(path, &st) == 0 && (uint64_t)st.st_size <= size)
        bytes = (uint64_t)st.st_size;
    *strrchr(path, '.') = '\0';
    if (is_file_of(path, size))
        bytes = size;
    weir_free(path);
    return bytes;
}

weir_status hub_blob_open(struct hub_blob *blob, const struct hub_store *store, const char *etag, uint64_t size,
                          const char *what)
{
    *blob = (struct hub_blob){.size = size, .fd = -1, .lock = -1};
    TRY(weir_in(keep_etag(blob, etag), what));
    TRY(weir_format(&blob->path, "%s/blobs/%s", store->folder, blob->etag));
    TRY(weir_format(&blob->partial, "%s.incomplete", blob->path));
    TRY(take_lock(blob, store, what));
    blob->whole = is_file_of(blob->path, size);
    if (!blob->whole)
        return open_partial(blob);
    unlink(blob->partial); /* another program has fetched it meanwhile */
    return WEIR_OK;
}

weir_status hub_blob_write(struct hub_blob *blob, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = pwrite(blob->fd, bytes, n, (off_t)blob->at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return weir_fail(WEIR_E_OUTPUT,
                             "%s: cannot be written: %s; what is there is kept, and the same command goes on from it",
                             blob->partial, weir_write_error(done < 0 ? errno : ENOSPC));
        bytes += done;
        n -= (size_t)done;
        blob->at += (uint64_t)done;
    }
    return WEIR_OK;
}

/* "" where the file is what it should be. */
static weir_status compare_with_etag(const struct hub_blob *blob, char why[200])
{
    char hex[65];
    *why = '\0';
    if (blob->at != blob->size) {
        snprintf(why, 200, "it has %llu bytes instead of %llu", (unsigned long long)blob->at,
                 (unsigned long long)blob->size);
        return WEIR_OK;
    }
    TRY(hub_hash(hex, blob->fd, blob->at, blob->etag));
    if (*hex && strcmp(hex, blob->etag) != 0)
        snprintf(why, 200, "its %s is %.12s... instead of %.12s...", strlen(hex) == 40 ? "git SHA-1" : "SHA-256", hex,
                 blob->etag);
    return WEIR_OK;
}

weir_status hub_blob_finish(struct hub_blob *blob, bool *good, char why[200])
{
    if (ftruncate(blob->fd, (off_t)blob->at) != 0) /* an attempt before may have had more */
        return cannot("cannot be written", blob->partial);
    TRY(compare_with_etag(blob, why));
    *good = !*why;
    if (!*good) {
        blob->at = 0;
        return ftruncate(blob->fd, 0) == 0 ? WEIR_OK : cannot("cannot be written", blob->partial);
    }
    if (fsync(blob->fd) != 0 || rename(blob->partial, blob->path) != 0)
        return cannot("cannot be completed", blob->path);
    return WEIR_OK;
}

/* "../../blobs/ETAG", with one more ".." for each folder in the name. */
static weir_status link_target(char **target, const char *etag, const char *name)
{
    struct weir_text text = {0};
    weir_status status = weir_text_print(&text, "../../");
    for (; *name && status == WEIR_OK; name++)
        if (*name == '/')
            status = weir_text_print(&text, "../");
    if (status == WEIR_OK)
        status = weir_text_print(&text, "blobs/%s", etag);
    *target = text.data;
    return status;
}

weir_status hub_blob_link(const struct hub_blob *blob, const struct hub_store *store, const char *name)
{
    char *target = NULL, *path = NULL, now[512];
    weir_status status;
    TRY_DONE(link_target(&target, blob->etag, name));
    TRY_DONE(weir_format(&path, "%s/%s", store->snapshot, name));
    TRY_DONE(make_folders(path));
    ssize_t n = readlink(path, now, sizeof now - 1);
    now[n > 0 ? n : 0] = '\0';
    if (strcmp(now, target) == 0)
        goto done;
    if (unlink(path) != 0 && errno != ENOENT)
        TRY_DONE(cannot("cannot be replaced", path));
    if (symlink(target, path) != 0)
        TRY_DONE(cannot("the link cannot be made", path));
done:
    weir_free(target);
    weir_free(path);
    return status;
}

void hub_blob_close(struct hub_blob *blob)
{
    if (blob->fd >= 0 && blob->at == 0 && blob->size > 0)
        unlink(blob->partial);
    if (blob->fd >= 0)
        close(blob->fd);
    if (blob->lock >= 0)
        close(blob->lock); /* and with it the lock */
    weir_free(blob->path);
    weir_free(blob->partial);
}

/* ---- refs ---- */

/* The commit alone, without a line end, under a name of its own first: who reads the ref sees the old one or the new.
 */
static weir_status write_ref(const char *path, const char *temporary, const char *commit)
{
    size_t n = strlen(commit);
    int fd = weir_open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0)
        return cannot("cannot be made", temporary);
    bool written = write(fd, commit, n) == (ssize_t)n && fsync(fd) == 0;
    int error = errno;
    close(fd);
    if (written && rename(temporary, path) == 0)
        return WEIR_OK;
    errno = written ? errno : error;
    weir_status status = cannot("cannot be written", path);
    unlink(temporary);
    return status;
}

weir_status hub_store_set_ref(const struct hub_store *store, const char *revision, const char *commit)
{
    char *path = NULL, *temporary = NULL;
    weir_status status;
    if (strcmp(revision, commit) == 0)
        return WEIR_OK;
    TRY(make_folder(store->locks, "")); /* another program may have made the rest */
    TRY_DONE(weir_format(&path, "%s/refs/%s", store->folder, revision));
    TRY_DONE(weir_format(&temporary, "%s/ref.%ld.incomplete", store->locks, (long)getpid()));
    TRY_DONE(make_folders(path));
    TRY_DONE(write_ref(path, temporary, commit));
done:
    weir_free(path);
    weir_free(temporary);
    return status;
}
