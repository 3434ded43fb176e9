/* A text in the grammar of edits and metrics that is being read: numbers, words, files and places. */
#ifndef WEIR_POINTS_READING_H
#define WEIR_POINTS_READING_H

#include "points/edit.h"

struct weir_reading {
    const char *text; /* ended by NUL, of which up to `end` is read */
    size_t at, end;
    size_t fault; /* the byte at which what was wrong begins, after a failure */
};

/* Fails, with `fault` at byte `at`. */
__attribute__((format(printf, 3, 4))) weir_status weir_reading_fail(struct weir_reading *reading, size_t at,
                                                                    const char *format, ...);

/* Spaces are skipped in front of whatever is read. The next byte, not taken; NUL at the end. */
char weir_reading_peek(struct weir_reading *reading);
/* Takes the text if it comes next; words only where no letter follows. */
bool weir_reading_accept(struct weir_reading *reading, const char *text);
WEIR_CHECKED weir_status weir_reading_expect(struct weir_reading *reading, const char *text, const char *why);
/* How many bytes a word has that comes next, without a digit in front: letters, digits, _. 0: none. */
size_t weir_reading_word(struct weir_reading *reading);

/* Takes a number as in JSON if one comes next, which *is tells; a file whose name begins with digits is none. */
WEIR_CHECKED weir_status weir_reading_number(struct weir_reading *reading, double *out, bool *is);
/* A whole number of 64 bits without a sign. */
WEIR_CHECKED weir_status weir_reading_seed(struct weir_reading *reading, uint64_t *out);
/* FILE[:NAME]: a name with . or /, or any in quotes. */
WEIR_CHECKED weir_status weir_reading_file(struct weir_reading *reading, struct weir_file_name *out);
void weir_file_name_close(struct weir_file_name *name);
/* A file's name as weir_reading_file takes it. */
WEIR_CHECKED weir_status weir_file_name_text(struct weir_text *out, const struct weir_file_name *name);
/* [PLACE], from its bracket on. */
WEIR_CHECKED weir_status weir_reading_place(struct weir_reading *reading, struct weir_term **out);

/* A number so that it is read back as the same. */
WEIR_CHECKED weir_status weir_number_text(struct weir_text *out, double number);

#endif
