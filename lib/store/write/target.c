/* Looks at what an output's name leads to, and gives its mode and owner to what replaces it. */
#include "store/write/target.h"

#include "base/alloc.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { MOST_LINKS = 40 };

const char *weir_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static weir_status folder_of(char **out, const char *path)
{
    size_t n = (size_t)(weir_base_name(path) - path);
    if (n == 0)
        return weir_copy_string(out, ".");
    return weir_copy_bytes(out, path, n == 1 ? 1 : n - 1); /* "/" stays itself */
}

static void set_path(struct weir_target *target, char *path)
{
    weir_free(target->final);
    target->final = path;
}

static weir_status find_folder(struct weir_target *target)
{
    weir_free(target->folder);
    target->folder = NULL;
    return folder_of(&target->folder, target->final);
}

/* /proc/self/fd/1, where /dev/stdout leads: that is open already, and not to be replaced. */
static bool is_descriptor(const struct weir_target *target)
{
    struct statfs fs;
    return statfs(target->folder, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* Goes on to what a link says. */
static weir_status follow_one_link(struct weir_target *target)
{
    char link[PATH_MAX], *next;
    ssize_t n = readlink(target->final, link, sizeof link - 1);
    if (n <= 0)
        return weir_fail(WEIR_E_OUTPUT, "%s: the symbolic link cannot be read: %s", target->final, strerror(errno));
    link[n] = '\0';
    if (*link == '/')
        TRY(weir_copy_string(&next, link));
    else
        TRY(weir_format(&next, "%s/%s", target->folder, link));
    set_path(target, next);
    return find_folder(target);
}

static weir_status follow_links(struct weir_target *target, const char *path)
{
    struct stat st;
    TRY(find_folder(target));
    for (int i = 0; i < MOST_LINKS; i++) {
        if (is_descriptor(target) || lstat(target->final, &st) != 0 || !S_ISLNK(st.st_mode))
            return WEIR_OK;
        TRY(follow_one_link(target));
    }
    return weir_fail(WEIR_E_OUTPUT, "%s: %s", path, strerror(ELOOP));
}

static const struct {
    mode_t type;
    enum weir_target_kind kind;
    const char *what;
} kinds[] = {
    {S_IFREG, WEIR_TARGET_FILE, NULL},       {S_IFDIR, WEIR_TARGET_OTHER, "a folder"},
    {S_IFIFO, WEIR_TARGET_STREAM, "a FIFO"}, {S_IFCHR, WEIR_TARGET_STREAM, "a device"},
    {S_IFBLK, WEIR_TARGET_OTHER, "a disk"},  {S_IFSOCK, WEIR_TARGET_OTHER, "a socket"},
};

static void note_target_kind(struct weir_target *target, const struct stat *st)
{
    target->mode = st->st_mode & 0777;
    target->uid = st->st_uid;
    target->gid = st->st_gid;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if ((st->st_mode & S_IFMT) == kinds[i].type) {
            target->kind = kinds[i].kind;
            target->what = kinds[i].what;
        }
}

static weir_status find_target(struct weir_target *target, const char *path)
{
    struct stat st;
    TRY(weir_copy_string(&target->final, path));
    TRY(follow_links(target, path));
    if (*weir_base_name(target->final) == '\0')
        return weir_fail(WEIR_E_OUTPUT, "'%s': does not name a file to write", path);
    if (is_descriptor(target)) {
        target->kind = WEIR_TARGET_STREAM;
        target->what = "what a process has open";
    } else if (stat(target->final, &st) == 0) {
        note_target_kind(target, &st);
    } else if (errno == ENAMETOOLONG) {
        return weir_fail(WEIR_E_OUTPUT,
                         "%s: the name has %zu bytes, which is too long for its folder: give a shorter name", path,
                         strlen(weir_base_name(target->final)));
    }
    return WEIR_OK;
}

weir_status weir_target_find(struct weir_target *out, const char *path)
{
    *out = (struct weir_target){.kind = WEIR_TARGET_NEW};
    weir_status status = find_target(out, path);
    if (status != WEIR_OK)
        weir_target_close(out);
    return status;
}

void weir_target_close(struct weir_target *target)
{
    weir_free(target->final);
    weir_free(target->folder);
    *target = (struct weir_target){.kind = WEIR_TARGET_NEW};
}

void weir_target_keep(const struct weir_target *target, int fd)
{
    mode_t mode = target->mode;
    struct stat st;
    if (fstat(fd, &st) != 0)
        return;
    if (st.st_uid != target->uid && fchown(fd, target->uid, (gid_t)-1) != 0)
        errno = 0; /* it then is this user's */
    if (st.st_gid != target->gid && fchown(fd, (uid_t)-1, target->gid) != 0)
        mode = (mode & 0707) | (mode & 07) << 3; /* another group's members are others here */
    if (fchmod(fd, mode) != 0)
        errno = 0; /* file systems without permissions */
}
