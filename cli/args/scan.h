/* JSON read by the letter: what is kept of it stays as it was written, because a number has more digits than a double.
 */
#ifndef WEIR_CLI_ARGS_SCAN_H
#define WEIR_CLI_ARGS_SCAN_H

#include "base/status.h"

#include <stddef.h>

/* A text while it is read. It must be JSON by the letter: cJSON alone takes 01, and control characters. Every function
   that fails does so with WEIR_E_INPUT, and where. */
struct scan {
    const char *begin, *p, *end; /* what columns count from, what is still to be read */
    const char *where;           /* for messages */
    bool lines;                  /* it may have several, and messages name line and column */
};

/* A place in the text. */
struct span {
    const char *from, *to;
};

/* Fails at `at`, with the column, and where there are several the line; both count from 1. */
weir_status scan_fail(const struct scan *scan, const char *at, const char *what);
/* Refuses what is not UTF-8 in all that is still to be read. */
WEIR_CHECKED weir_status scan_utf8(const struct scan *scan);
/* The next byte that is no space, not taken; 0 at the end. */
char scan_peek(struct scan *scan);
/* Takes c, or fails with `what`. */
WEIR_CHECKED weir_status scan_expect(struct scan *scan, char c, const char *what);
/* Takes a string, with its quotes: the name of a member. */
WEIR_CHECKED weir_status scan_name(struct scan *scan, struct span *out);
/* Takes any value, which is `depth` arrays and objects deep. */
WEIR_CHECKED weir_status scan_value(struct scan *scan, int depth);
/* After a value inside an array or object that `close` ends: takes a comma, or the end, which *more tells. */
WEIR_CHECKED weir_status scan_next(struct scan *scan, char close, bool *more);
/* The text of a JSON string, in new memory. */
WEIR_CHECKED weir_status scan_text(char **out, const struct scan *scan, struct span span);

#endif
