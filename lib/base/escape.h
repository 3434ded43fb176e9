/* Text that is printed: what comes from files, names and options steers neither a terminal nor the eye. Controls are
   shown as \n, \t, \r or \xNN, those that turn or break lines of text (bidirectional ones, U+2028, U+2029) and C1 as
   \u{NNNN}, bytes that are not UTF-8 as \xNN. */
#ifndef WEIR_BASE_ESCAPE_H
#define WEIR_BASE_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WEIR_ESCAPED_MOST = 10 }; /* bytes that one byte of text becomes, at most */

/* The next character of a text, which moves on; the byte itself and *valid false where it is not UTF-8. */
uint32_t weir_escape_next(const char **text, bool *valid);
/* True where a character is shown as something else. */
bool weir_escape_needed(uint32_t code);
/* Writes text so shown, shortened to `size` at a character's end, always ended. @return its length. */
size_t weir_escape(char *to, size_t size, const char *text);

#endif
