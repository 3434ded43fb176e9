/* Text in columns of a terminal: measured, shortened, padded, wrapped. */
#ifndef WEIR_CLI_PRINT_TEXT_H
#define WEIR_CLI_PRINT_TEXT_H

#include "base/status.h"

#include <stdio.h>

/* The ending of a noun of which there are n: "" or "s". */
const char *plural(size_t n);

/* The next character of UTF-8 text, which moves on; for what is no UTF-8 the replacement character, a byte each. */
uint32_t text_next(const char **text);
/* The columns that a character takes: 0 for marks and control characters. */
size_t code_columns(uint32_t code);
/* The columns that UTF-8 text takes. */
size_t text_columns(const char *text);
/* True where UTF-8 text goes from right to left, by its first letter that has a direction. */
bool text_is_leftwards(const char *text);
/* Copies text to at most `columns` columns, its end replaced by an ellipsis when it is longer. */
void text_shorten(char *to, size_t size, const char *text, size_t columns);
/* Prints text; characters that could steer a terminal are shown as escapes (base/escape.h). */
void print_text(const char *text);
/* The same as a line; a callback, whose payload is not used. */
void print_line(const char *text, void *payload);
/* A text of CSV: between quotes, quotes twice. On a terminal what could steer it is shown. */
void print_csv_text(const char *text);
/* A token between bars, so that the spaces at its ends are seen; shortened to `columns`. */
void token_label(char *to, size_t size, const char *token, size_t columns);
/* Prints text padded to `columns`. */
void print_left(const char *text, size_t columns);
void print_right(const char *text, size_t columns);
/* A number in at most 10 columns. */
const char *short_number(char to[32], double value);
/* A number with so many decimals, in `to`; NaN and what is rounded to 0 without a sign. */
const char *fixed_number(char to[64], int decimals, double value);

void print_spaces(size_t n);
/* Prints text in lines of `width` columns, the first of which begins after `indent` and the others with as many spaces;
   newlines in them are kept. */
void print_wrapped(FILE *to, const char *text, size_t indent, size_t width);

#endif
