/* The output of a command: a file that appears whole or not at all, whatever ends the process; or a stream, which takes
   bytes as they come. Every command but dump, whose file the library writes in the same way. */
#ifndef WEIR_CLI_EXPORT_OUTPUT_H
#define WEIR_CLI_EXPORT_OUTPUT_H

#include "base/status.h"

#include <stdio.h>

struct output {
    struct weir_partial *partial; /* NULL: a stream */
    int fd;                       /* to write to */
    const char *name;             /* for messages; not owned */
    uint64_t written;             /* bytes, to `text` */
    int error;                    /* what the first write to `text` that failed died of; 0: none did */
};

/* For bytes that are written from the first to the last, "-" is standard output, and FIFOs, devices and /dev/stdout
   take them as they come; nothing else but a file does where `seeks`. From here on signals that ask for an end are
   noted (interrupted), where there is a file to clean up. */
WEIR_CHECKED weir_status output_open(struct output *out, const char *path, bool force, bool seeks);
/* Refuses a file that output_open would refuse; a stream is not touched. For work that takes long before there is
 * output. */
WEIR_CHECKED weir_status output_check(const char *path, bool force);
/* Refuses when its disk has less than so many bytes free. */
WEIR_CHECKED weir_status output_room(const struct output *out, uint64_t bytes);
/* Writes all of n bytes to a descriptor. @return 0, or the errno of what failed. */
int output_bytes(int fd, const void *bytes, size_t n);
WEIR_CHECKED weir_status output_write(struct output *out, const void *bytes, size_t n);
/* The same as a stream of C's, to be closed with output_end_text, which fails where not all was written. */
WEIR_CHECKED weir_status output_text(FILE **text, struct output *out);
WEIR_CHECKED weir_status output_end_text(FILE *text, struct output *out);
/* Gives the file its name, unless a signal has asked for an end. */
WEIR_CHECKED weir_status output_commit(struct output *out);
/* An output that was not committed leaves no file. */
void output_close(struct output *out);
/* Fails with the message of a file that could not be written: WEIR_E_OUTPUT. */
weir_status output_failed(const char *name, int error);

#endif
