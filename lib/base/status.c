#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_SIZE = 1024 };

static _Thread_local char message[MESSAGE_SIZE];

const char *weir_message(void)
{
    return message;
}

/* A message is one line whatever a file's bytes put into it. */
static void keep_one_line(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f)
            *p = '?';
}

weir_status weir_fail(weir_status status, const char *format, ...)
{
    char fresh[MESSAGE_SIZE]; /* an argument may be the old message */
    va_list args;
    va_start(args, format);
    vsnprintf(fresh, sizeof fresh, format, args);
    va_end(args);
    keep_one_line(fresh);
    memcpy(message, fresh, sizeof message);
    return status;
}

weir_status weir_in(weir_status status, const char *where)
{
    if (status == WEIR_OK)
        return status;
    return weir_fail(status, "%s: %s", where, message);
}
