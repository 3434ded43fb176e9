/* Words for people, on standard error: the one way to it but for the bar of progress. */
#ifndef WEIR_CLI_PRINT_SAY_H
#define WEIR_CLI_PRINT_SAY_H

/* A line where the format ends with its end, else the next part of one. What names and files put into it is shown so
   that it steers no terminal (base/escape.h); standard output comes first. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

#endif
