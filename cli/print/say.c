/* Prints messages on standard error, safe for terminals, after flushing standard output. */
#include "cli/print/say.h"

#include "base/escape.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 4096 };

void say(const char *format, ...)
{
    char text[LONGEST], shown[2 * LONGEST];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t n = strlen(format);
    bool ends = n > 0 && format[n - 1] == '\n';
    n = strlen(text);
    if (ends && n > 0 && text[n - 1] == '\n')
        text[n - 1] = '\0';
    weir_escape(shown, sizeof shown, text);
    fflush(stdout); /* what was printed before comes before, where both go the same way */
    fprintf(stderr, "%s%s", shown, ends ? "\n" : "");
}
