/* Text that grows: in memory of its own size, or in a buffer as far as that goes. */
#ifndef WEIR_BASE_TEXT_H
#define WEIR_BASE_TEXT_H

#include "base/status.h"

/* Bytes that grow; all zero is empty. */
struct weir_text {
    char *data; /* [n]; a NUL follows them after weir_text_print, not after weir_text_add */
    size_t n, capacity;
};

/* Appends n bytes. */
WEIR_CHECKED weir_status weir_text_add(struct weir_text *text, const char *bytes, size_t n);
/* Appends what printf would write. */
__attribute__((format(printf, 2, 3))) WEIR_CHECKED weir_status weir_text_print(struct weir_text *text,
                                                                               const char *format, ...);
void weir_text_close(struct weir_text *text);

/* Appends what printf would write to the string in `to`, a buffer of `size` bytes; what does not fit is left out. */
__attribute__((format(printf, 3, 4))) void weir_text_append(char *to, size_t size, const char *format, ...);

#endif
