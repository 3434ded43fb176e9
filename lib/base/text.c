/* Appends to text. */
#include "base/text.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

weir_status weir_text_add(struct weir_text *text, const char *bytes, size_t n)
{
    if (n > text->capacity - text->n)
        TRY(weir_grow(&text->data, &text->capacity, text->n + n, 1));
    if (n > 0)
        memcpy(text->data + text->n, bytes, n);
    text->n += n;
    return WEIR_OK;
}

weir_status weir_text_print(struct weir_text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t length = (size_t)vsnprintf(NULL, 0, format, args);
    va_end(args);
    weir_status status = weir_grow(&text->data, &text->capacity, text->n + length + 1, 1);
    if (status == WEIR_OK) {
        vsnprintf(text->data + text->n, length + 1, format, again);
        text->n += length;
    }
    va_end(again);
    return status;
}

void weir_text_close(struct weir_text *text)
{
    weir_free(text->data);
    *text = (struct weir_text){0};
}

void weir_text_append(char *to, size_t size, const char *format, ...)
{
    size_t n = strlen(to);
    va_list args;
    va_start(args, format);
    vsnprintf(to + n, size - n, format, args);
    va_end(args);
}
