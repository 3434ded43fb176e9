/* Keeps this thread's last message, and adds to it where something happened. */
#include "base/status.h"

#include "base/escape.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef weir_fail /* the function itself */

enum { MESSAGE_SIZE = 1024, LONGEST = 8192 };

static _Thread_local char message[MESSAGE_SIZE];

const char *weir_message(void)
{
    return message;
}

/* A message that is too long loses its middle: names are at its beginning, the reason at its end. */
static void shorten(char *text)
{
    static const char gap[] = " ... ";
    size_t n = strlen(text), half = (MESSAGE_SIZE - sizeof gap) / 2, end = n - half;
    if (n < MESSAGE_SIZE)
        return;
    while (half > 0 && ((unsigned char)text[half] & 0xc0) == 0x80)
        half--;
    while (end < n && ((unsigned char)text[end] & 0xc0) == 0x80)
        end++;
    memcpy(text + half, gap, sizeof gap - 1);
    memmove(text + half + sizeof gap - 1, text + end, n - end + 1);
}

weir_status weir_fail(weir_status status, const char *format, ...)
{
    char fresh[LONGEST], shown[2 * LONGEST]; /* an argument may be the old message */
    va_list args;
    va_start(args, format);
    vsnprintf(fresh, sizeof fresh, format, args);
    va_end(args);
    weir_escape(shown, sizeof shown, fresh); /* one line, whatever a file's bytes put into it */
    shorten(shown);
    memcpy(message, shown, strlen(shown) + 1);
    return status;
}

const char *weir_write_error(int number)
{
    return number == EFBIG ? "File too large: the limit on the size of files (ulimit -f), or the disk's own, is reached"
                           : strerror(number);
}

weir_status weir_given(const void *argument, const char *function, const char *name)
{
    return argument ? WEIR_OK : weir_fail(WEIR_E_USAGE, "%s: %s is NULL", function, name);
}

/* True where the message begins with that place, as it is shown. */
static bool names_already(const char *where)
{
    char shown[LONGEST];
    size_t n = weir_escape(shown, sizeof shown, where);
    return strncmp(message, shown, n) == 0 && strncmp(message + n, ": ", 2) == 0;
}

weir_status weir_in(weir_status status, const char *where)
{
    if (status == WEIR_OK || names_already(where))
        return status;
    return weir_fail(status, "%s: %s", where, message);
}
