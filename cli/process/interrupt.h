/* Signals that ask this process for an end, and what every command's process starts with. */
#ifndef WEIR_CLI_PROCESS_INTERRUPT_H
#define WEIR_CLI_PROCESS_INTERRUPT_H

#include "base/status.h"

/* For all commands, at the start: a model file that another process cuts short, and a limit on the size of files, are
   errors of the run, not the end of the process; and no file gets the number of a closed standard stream. */
void process_begin(void);
/* From here on the signals that would end the process (SIGHUP, SIGINT, SIGQUIT, SIGTERM, and as well SIGALRM, SIGUSR1,
   SIGXCPU and the like) are noted, so that a command can clean up, but for those that whoever started it has it ignore;
   no reader of a pipe is an error of writing. */
void interrupts_catch(void);
/* The signal that asked for an end, or 0. */
int interrupted(void);
/* WEIR_E_STOPPED with its message. */
weir_status stopped(void);
/* The exit code for a status: of an interrupted command 128 + the signal. */
int exit_code(int status);

#endif
