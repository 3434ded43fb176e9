/* Creates, locks, commits and removes partial files. */
#include "store/write/partial.h"

#include "base/alloc.h"
#include "base/descriptor.h"
#include "base/sizes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define DIGITS "0123456789"

enum { SUFFIX = sizeof ".   .part-2147483647-999", MAX_TRIES = 1000 };

/* ---- open ones as a signal handler sees them: it takes a path out of the table before it uses it, as its owner does
   before freeing it, so that only one of them has it ---- */

enum { MOST_WATCHED = 64 };

static _Atomic(char *) watched[MOST_WATCHED];

/* @return false where there is no place: a crash then leaves it for the next run to remove. */
static bool watch(char *path)
{
    for (int i = 0; i < MOST_WATCHED; i++) {
        char *none = NULL;
        if (atomic_compare_exchange_strong(&watched[i], &none, path))
            return true;
    }
    return false;
}

/* @return false where a signal handler has it. */
static bool unwatch(char *path)
{
    for (int i = 0; i < MOST_WATCHED; i++) {
        char *expected = path;
        if (atomic_compare_exchange_strong(&watched[i], &expected, NULL))
            return true;
    }
    return false;
}

void weir_partials_remove(void)
{
    for (int i = 0; i < MOST_WATCHED; i++) {
        char *path = atomic_exchange(&watched[i], NULL);
        if (path)
            unlink(path);
    }
}

/* ---- making one ---- */

static weir_status refuse_existing(const char *path)
{
    return weir_fail(WEIR_E_OUTPUT, "%s: exists; use --force to replace it, or give another name", path);
}

static weir_status check_target(const struct weir_target *target, const char *path, bool force)
{
    if (target->kind == WEIR_TARGET_FILE && !force)
        return refuse_existing(path);
    if (target->what)
        return weir_fail(WEIR_E_OUTPUT, "%s: is %s, not a file that could be replaced: give the name of a file", path,
                         target->what);
    return WEIR_OK;
}

static weir_status check_folder(const struct weir_partial *partial)
{
    struct stat st;
    if (stat(partial->target.folder, &st) != 0)
        return weir_fail(WEIR_E_OUTPUT, "%s: the folder %s: %s", partial->target.final, partial->target.folder,
                         strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return weir_fail(WEIR_E_OUTPUT, "%s: %s is not a folder", partial->target.final, partial->target.folder);
    if (access(partial->target.folder, W_OK | X_OK) != 0)
        return weir_fail(WEIR_E_OUTPUT, "%s: the folder %s cannot be written: %s", partial->target.final,
                         partial->target.folder, strerror(errno));
    return WEIR_OK;
}

/* True where a name is a partial one of our file. `prefix` is ".NAME.part-". */
static bool is_partial(const char *name, const char *prefix)
{
    size_t n = strlen(prefix), pid, try;
    if (strncmp(name, prefix, n) != 0 || name[n] == '0')
        return false;
    pid = strspn(name + n, DIGITS);
    if (pid == 0 || name[n + pid] != '-')
        return false;
    try = strspn(name + n + pid + 1, DIGITS);
    return try > 0 && name[n + pid + 1 + try] == '\0';
}

/* Whoever writes a file holds a lock on it until it is complete, in whatever container; the lock goes with the process.
   A file that nobody holds is removed under our own lock: see is_ours. */
static void remove_if_abandoned(int folder, const char *name)
{
    int fd = openat(folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        unlinkat(folder, name, 0);
    close(fd);
}

/* What cannot be removed stays. */
static void remove_abandoned(const char *folder, const char *prefix)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (is_partial(entry->d_name, prefix))
            remove_if_abandoned(dirfd(dir), entry->d_name);
    closedir(dir);
}

/* Locks a new file. @return false when somebody who clears took it for abandoned before it was locked. */
static bool is_ours(int fd)
{
    struct stat st;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno != EWOULDBLOCK; /* without locks nobody clears either */
    return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

/* Nobody else reads what takes the place of a file until it has that file's permissions. */
static mode_t first_mode(const struct weir_target *target)
{
    return target->kind == WEIR_TARGET_FILE ? 0600 : 0666;
}

/* Tries the names .NAME.part-PID-0, -1, ... until one is new and locked. */
static weir_status make_file(struct weir_partial *partial, const char *prefix)
{
    int error = EEXIST;
    for (int i = 0; i < MAX_TRIES && error == EEXIST; i++) {
        weir_free(partial->path);
        partial->path = NULL;
        TRY(weir_format(&partial->path, "%s/%s%ld-%d", partial->target.folder, prefix, (long)getpid(), i));
        partial->fd = weir_open(partial->path, O_RDWR | O_CREAT | O_EXCL, first_mode(&partial->target));
        error = errno;
        if (partial->fd >= 0 && is_ours(partial->fd)) {
            partial->is_watched = watch(partial->path);
            return WEIR_OK;
        }
        if (partial->fd >= 0) {
            close(partial->fd);
            partial->fd = -1;
            error = EEXIST;
        }
    }
    weir_status status = weir_fail(WEIR_E_OUTPUT, "%s: cannot be created in %s: %s", partial->target.final,
                                   partial->target.folder, strerror(error));
    weir_free(partial->path); /* not ours to remove */
    partial->path = NULL;
    return status;
}

/* The bytes of a name that fit between the dot and the rest of a partial one, up to a character's end. */
static int kept_of(const char *name, const char *folder)
{
    long most = pathconf(folder, _PC_NAME_MAX);
    size_t n = strlen(name), room = (size_t)(most > 2 * SUFFIX ? most : NAME_MAX) - SUFFIX;
    if (n <= room)
        return (int)n;
    while (room > 0 && ((unsigned char)name[room] & 0xc0) == 0x80)
        room--;
    return (int)room;
}

weir_status weir_partial_open(struct weir_partial **out, const char *path, bool force)
{
    struct weir_partial *partial = NULL;
    char *prefix = NULL;
    const char *name;
    weir_status status;
    *out = NULL;
    TRY_DONE(weir_alloc_zero(&partial, 1, sizeof *partial));
    partial->fd = -1;
    partial->force = force;
    TRY_DONE(weir_target_find(&partial->target, path));
    TRY_DONE(check_target(&partial->target, path, force));
    TRY_DONE(check_folder(partial));
    name = weir_base_name(partial->target.final);
    TRY_DONE(weir_format(&prefix, ".%.*s.part-", kept_of(name, partial->target.folder), name));
    remove_abandoned(partial->target.folder, prefix);
    TRY_DONE(make_file(partial, prefix));
    *out = partial;
    partial = NULL;
done:
    weir_free(prefix);
    weir_partial_close(partial);
    return status;
}

weir_status weir_partial_room(const struct weir_partial *partial, uint64_t bytes)
{
    struct statvfs fs;
    char need[16], have[16];
    if (fstatvfs(partial->fd, &fs) != 0)
        return WEIR_OK; /* not known: writing will tell */
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (room >= bytes)
        return WEIR_OK;
    return weir_fail(WEIR_E_OUTPUT, "%s: needs about %s, and the disk has %s left: free some, or store less",
                     partial->target.final, weir_size_text(need, bytes), weir_size_text(have, room));
}

static weir_status rename_failed(const struct weir_partial *partial)
{
    if (errno == EEXIST)
        return refuse_existing(partial->target.final);
    return weir_fail(WEIR_E_OUTPUT, "%s: cannot be renamed: %s", partial->target.final, strerror(errno));
}

/* Without force a file that appeared since open wins. Not every file system knows RENAME_NOREPLACE. */
static weir_status take_name(const struct weir_partial *partial)
{
    if (partial->force)
        return rename(partial->path, partial->target.final) == 0 ? WEIR_OK : rename_failed(partial);
    if (renameat2(AT_FDCWD, partial->path, AT_FDCWD, partial->target.final, RENAME_NOREPLACE) == 0)
        return WEIR_OK;
    if (errno != EINVAL && errno != ENOSYS)
        return rename_failed(partial);
    if (link(partial->path, partial->target.final) != 0)
        return rename_failed(partial);
    unlink(partial->path);
    return WEIR_OK;
}

static void sync_folder(const char *folder)
{
    int fd = weir_open(folder, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return;
    fsync(fd); /* some file systems cannot: the file itself is on disk */
    close(fd);
}

weir_status weir_partial_commit(struct weir_partial *partial)
{
    if (partial->target.kind == WEIR_TARGET_FILE)
        weir_target_keep(&partial->target, partial->fd);
    if (fsync(partial->fd) != 0)
        return weir_fail(WEIR_E_OUTPUT, "%s: could not be written to disk: %s", partial->target.final, strerror(errno));
    TRY(take_name(partial));
    partial->done = true;
    sync_folder(partial->target.folder);
    return WEIR_OK;
}

void weir_partial_discard(struct weir_partial *partial)
{
    if (!partial || partial->done || !partial->path)
        return;
    unlink(partial->path);
    if (partial->fd >= 0 && ftruncate(partial->fd, 0) != 0)
        errno = 0; /* its space comes back when the last descriptor closes */
    partial->done = true;
}

void weir_partial_close(struct weir_partial *partial)
{
    if (!partial)
        return;
    weir_partial_discard(partial);
    if (partial->fd >= 0)
        close(partial->fd);
    if (!partial->is_watched || unwatch(partial->path))
        weir_free(partial->path);
    weir_target_close(&partial->target);
    weir_free(partial);
}
