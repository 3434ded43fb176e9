/* The target of an output path, and the mode and owner that a file in its place keeps. */
#ifndef WEIR_STORE_WRITE_TARGET_H
#define WEIR_STORE_WRITE_TARGET_H

#include "base/status.h"

#include <sys/types.h>

enum weir_target_kind {
    WEIR_TARGET_NEW,    /* nothing is there yet */
    WEIR_TARGET_FILE,   /* a regular file */
    WEIR_TARGET_STREAM, /* what bytes are written to and no file can take the place of: a FIFO, a terminal, /dev/stdout
                         */
    WEIR_TARGET_OTHER   /* a folder, a socket, a disk */
};

struct weir_target {
    enum weir_target_kind kind;
    const char *what; /* "a folder": for messages, where it is neither new nor a file */
    char *final;      /* where symbolic links lead to, whether or not something is there */
    char *folder;     /* of `final`; "." where that names none */
    mode_t mode;      /* permissions and owner, of a file */
    uid_t uid;
    gid_t gid;
};

/* WEIR_E_OUTPUT for a path that names nothing, or a name that is too long for its folder. */
WEIR_CHECKED weir_status weir_target_find(struct weir_target *out, const char *path);
void weir_target_close(struct weir_target *target);
/* Gives the file of `fd` the permissions and the owner, as far as this process may: whoever it may not give the file to
 * gets no more than others had. */
void weir_target_keep(const struct weir_target *target, int fd);

/* The part of a path after its last slash. */
const char *weir_base_name(const char *path);

#endif
