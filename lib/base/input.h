/* Opening what a user names as a file: never waiting for somebody to write to a pipe, and never taking a folder, a pipe
   or a device for a file. */
#ifndef WEIR_BASE_INPUT_H
#define WEIR_BASE_INPUT_H

#include "base/status.h"

#include <stdio.h>
#include <sys/stat.h>

/* A regular file, read-only. WEIR_E_INPUT, naming it and what else it is. *st is what fstat says. */
WEIR_CHECKED weir_status weir_input_open(int *fd, struct stat *st, const char *path);
/* The same for what is read from its beginning to its end: a pipe with a writer, as in <(command), and a
   terminal will do too. */
WEIR_CHECKED weir_status weir_input_stream(FILE **out, const char *path);

/* True where the path leads to a folder. */
bool weir_is_folder(const char *path);

#endif
