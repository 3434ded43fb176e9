/* An output file on its way: written under a partial name in the same folder, given its own name when complete. */
#ifndef WEIR_STORE_WRITE_PARTIAL_H
#define WEIR_STORE_WRITE_PARTIAL_H

#include "store/write/target.h"

struct weir_partial {
    struct weir_target target; /* the name it will have */
    char *path;                /* the name it has now: FOLDER/.NAME.part-PID-N */
    int fd;                    /* open for writing, and locked: what has no lock is nobody's any more */
    bool force;                /* may replace a file */
    bool done;
    bool is_watched; /* weir_partials_remove knows of it */
};

/* Refuses an output that exists (without force) or is not a regular file, and a folder that is missing or cannot be
   written; removes what dead processes left for the same name; makes and locks the partial file. */
WEIR_CHECKED weir_status weir_partial_open(struct weir_partial **out, const char *path, bool force);
/* Refuses when the folder's disk has less than `bytes` free. */
WEIR_CHECKED weir_status weir_partial_room(const struct weir_partial *partial, uint64_t bytes);
/* Permissions and owner of the file it replaces, fsync, rename (never over a file that appeared meanwhile, without
 * force), fsync of the folder. */
WEIR_CHECKED weir_status weir_partial_commit(struct weir_partial *partial);
/* Removes the partial file now and gives its space back, though others may have it open still. */
void weir_partial_discard(struct weir_partial *partial);
/* Discards what was not committed. */
void weir_partial_close(struct weir_partial *partial);
/* For a signal handler of a process that is about to die: removes the partial files that are open. */
void weir_partials_remove(void);

#endif
