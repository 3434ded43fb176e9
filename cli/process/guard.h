/* The end of this process where something goes wrong in it: a crash, or more memory or time than files may cost, is one
   line and an exit code; no partial output is left, and a terminal is given back. */
#ifndef WEIR_CLI_PROCESS_GUARD_H
#define WEIR_CLI_PROCESS_GUARD_H

/* For all commands, at the start: from here on a crash leaves no partial output, and a model file that another process
   cuts short while it is mapped is no crash. Files that the library reads on its own (base/watch.h) are limited as
   those of guard_files are, while they are read. */
void guard_begin(void);
/* Before the first of these n files is read, some of which may be no files: limits memory and time by their sizes. A
   crash from here on, or time that ran out, is an error of theirs. */
void guard_files(const char *const *names, int n);
/* Time for the next step of a command that goes on as long as its user likes. */
void guard_renew_time(void);
/* Called before the process dies, from a signal handler, so that a terminal is given back; NULL: nothing is. */
void guard_on_death(void (*give_back)(void));

#endif
