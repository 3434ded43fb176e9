#include "store/partial.h"

#include "base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { NAME_KEPT = 200, MAX_TRIES = 1000 }; /* of a long name, so that the partial one fits a directory entry */

const char *weir_readable_size(char text[16], uint64_t bytes)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    double size = (double)bytes;
    int unit = 0;
    for (; size >= 999.5 && unit < 6; unit++)
        size /= 1000;
    snprintf(text, 16, unit && size < 99.95 ? "%.1f %s" : "%.0f %s", size, units[unit]);
    return text;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static weir_status folder_of(char **out, const char *path)
{
    size_t n = (size_t)(base_name(path) - path);
    if (n == 0)
        return weir_copy_string(out, ".");
    return weir_copy_bytes(out, path, n == 1 ? 1 : n - 1); /* "/" stays itself */
}

static weir_status exists(const char *path)
{
    return weir_fail(WEIR_E_OUTPUT, "%s: exists; use --force to replace it, or give another name", path);
}

/* What `path` leads to, when there is something already. */
static weir_status resolve(char **final, const char *path, bool force)
{
    struct stat st;
    if (*base_name(path) == '\0')
        return weir_fail(WEIR_E_OUTPUT, "'%s': names no file to write", path);
    if (lstat(path, &st) != 0)
        return weir_copy_string(final, path);
    if (!force)
        return exists(path);
    char *real = realpath(path, NULL);
    weir_status status = weir_copy_string(final, real ? real : path);
    free(real);
    if (status != WEIR_OK)
        return status;
    if (stat(*final, &st) == 0 && !S_ISREG(st.st_mode))
        return weir_fail(WEIR_E_OUTPUT, "%s: is not a regular file and cannot be replaced", path);
    return WEIR_OK;
}

static weir_status check_folder(const struct weir_partial *partial)
{
    struct stat st;
    if (stat(partial->folder, &st) != 0)
        return weir_fail(WEIR_E_OUTPUT, "%s: the folder %s: %s", partial->final, partial->folder, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return weir_fail(WEIR_E_OUTPUT, "%s: %s is not a folder", partial->final, partial->folder);
    if (access(partial->folder, W_OK | X_OK) != 0)
        return weir_fail(WEIR_E_OUTPUT, "%s: the folder %s cannot be written: %s", partial->final, partial->folder,
                         strerror(errno));
    return WEIR_OK;
}

/* The process number in a partial name of our file, 0 for other names. `prefix` is ".NAME.part-". */
static long partial_owner(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    if (strncmp(name, prefix, n) != 0 || name[n] < '1' || name[n] > '9')
        return 0;
    char *end;
    errno = 0;
    long pid = strtol(name + n, &end, 10);
    if (errno != 0 || *end != '-' || end[1] == '\0' || end[1 + strspn(end + 1, "0123456789")] != '\0')
        return 0;
    return pid <= INT_MAX ? pid : 0;
}

/* A live writer holds a lock on its file; a file without one whose process is gone (or is this one, under a number that
   came round again) is nobody's. */
static bool is_abandoned(int folder, const char *name, long pid)
{
    if (pid != (long)getpid() && !(kill((pid_t)pid, 0) != 0 && errno == ESRCH))
        return false;
    int fd = openat(folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool abandoned = flock(fd, LOCK_EX | LOCK_NB) == 0;
    close(fd);
    return abandoned;
}

/* Best effort: what cannot be removed stays. */
static void remove_abandoned(const char *folder, const char *prefix)
{
    DIR *dir = opendir(folder);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        long pid = partial_owner(entry->d_name, prefix);
        if (pid && is_abandoned(dirfd(dir), entry->d_name, pid))
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
}

static weir_status make_file(struct weir_partial *partial, const char *prefix)
{
    for (int i = 0; i < MAX_TRIES; i++) {
        weir_free(partial->path);
        partial->path = NULL;
        TRY(weir_format(&partial->path, "%s/%s%ld-%d", partial->folder, prefix, (long)getpid(), i));
        partial->fd = open(partial->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (partial->fd >= 0)
            return WEIR_OK;
        if (errno != EEXIST)
            break;
    }
    weir_status status =
        weir_fail(WEIR_E_OUTPUT, "%s: cannot be made in %s: %s", partial->final, partial->folder, strerror(errno));
    weir_free(partial->path); /* not ours to remove */
    partial->path = NULL;
    return status;
}

weir_status weir_partial_open(struct weir_partial **out, const char *path, bool force)
{
    struct weir_partial *partial = NULL;
    char *prefix = NULL;
    weir_status status;
    *out = NULL;
    TRY_DONE(weir_alloc_zero(&partial, 1, sizeof *partial));
    partial->fd = -1;
    partial->force = force;
    TRY_DONE(resolve(&partial->final, path, force));
    TRY_DONE(folder_of(&partial->folder, partial->final));
    TRY_DONE(check_folder(partial));
    TRY_DONE(weir_format(&prefix, ".%.*s.part-", NAME_KEPT, base_name(partial->final)));
    remove_abandoned(partial->folder, prefix);
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
                     partial->final, weir_readable_size(need, bytes), weir_readable_size(have, room));
}

static weir_status rename_failed(const struct weir_partial *partial)
{
    if (errno == EEXIST)
        return exists(partial->final);
    return weir_fail(WEIR_E_OUTPUT, "%s: cannot be given its name: %s", partial->final, strerror(errno));
}

/* Without force a file that appeared since open wins. Not every file system knows RENAME_NOREPLACE. */
static weir_status take_name(const struct weir_partial *partial)
{
    if (partial->force)
        return rename(partial->path, partial->final) == 0 ? WEIR_OK : rename_failed(partial);
    if (renameat2(AT_FDCWD, partial->path, AT_FDCWD, partial->final, RENAME_NOREPLACE) == 0)
        return WEIR_OK;
    if (errno != EINVAL && errno != ENOSYS)
        return rename_failed(partial);
    if (link(partial->path, partial->final) != 0)
        return rename_failed(partial);
    unlink(partial->path);
    return WEIR_OK;
}

static void sync_folder(const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd); /* some file systems cannot: the file itself is on disk */
    close(fd);
}

weir_status weir_partial_commit(struct weir_partial *partial)
{
    if (fsync(partial->fd) != 0)
        return weir_fail(WEIR_E_OUTPUT, "%s: could not be written to disk: %s", partial->final, strerror(errno));
    TRY(take_name(partial));
    partial->done = true;
    sync_folder(partial->folder);
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
    weir_free(partial->path);
    weir_free(partial->final);
    weir_free(partial->folder);
    weir_free(partial);
}
