/* Messages for people on standard error: everything goes this way but the progress bar. */
#ifndef WEIR_CLI_PRINT_SAY_H
#define WEIR_CLI_PRINT_SAY_H

/* A line where the format ends with its end, else the next part of one. Characters that could steer a terminal are
   shown as escapes (base/escape.h); standard output is flushed first. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

#endif
