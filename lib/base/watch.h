/* Files of strangers that the library reads in the middle of its work, as those that edits name: whoever answers for
   the process may watch over each while it is read. */
#ifndef WEIR_BASE_WATCH_H
#define WEIR_BASE_WATCH_H

struct weir_file_watch {
    void (*begin)(const char *path, const char *reader); /* `reader`: whose code reads it, "libhdf5" */
    void (*end)(void);
};

/* One for the process, which stays the caller's; NULL: none. Set it before other threads are there. */
void weir_watch_files(const struct weir_file_watch *watch);
/* Around the reading of a file; they do not nest. */
void weir_watch_begin(const char *path, const char *reader);
void weir_watch_end(void);

#endif
