/* Tokens as labels of pictures and pages, safe to draw. */
#ifndef WEIR_CLI_PRINT_LABEL_H
#define WEIR_CLI_PRINT_LABEL_H

#include "base/status.h"

/* A token as a label: marks show spaces, line ends and what cannot be drawn; shortened to `columns` with an ellipsis.
   Safe to draw whatever the token is: no control, format or bidirectional characters are left, and it is UTF-8. */
void label_of(char *to, size_t size, const char *token, size_t columns);
/* Makes other text as safe, question marks in place of such characters; gives it back. */
char *text_clean(char *text);

#endif
