/* A line of JSON as a prompt: an object with a text or token ids, and other fields, which are kept. */
#ifndef WEIR_CLI_ARGS_JSONL_H
#define WEIR_CLI_ARGS_JSONL_H

#include "cli/args/scan.h"
#include "cli/args/sides.h"

struct jsonl {
    char *text;   /* "prompt", or else "text"; NULL where there is none */
    int32_t *ids; /* [n] "ids", or "tokens" where there is neither that nor a text; NULL: the text is to be tokenized */
    size_t n;
    char *fields; /* the other members as one JSON object, each as it was written; NULL: none */
    char *side;   /* the member "side", which is one of `fields` too; NULL: none, or no text */
    int64_t line; /* the member "line", likewise; -1: none, or no whole number */
};

/* True where a line looks like an object that gives a prompt: it begins with { and has one of the names. */
bool jsonl_begins(const char *line, size_t n);
/* Reads one line of n bytes. WEIR_E_INPUT names `where` and the column. Close with jsonl_close. */
WEIR_CHECKED weir_status jsonl_read(struct jsonl *out, const char *line, size_t n, const char *where);
/* Reads a line of pairs: out[i] is the prompt of side i. Its fields are the members that are no side's prompt, and
   "side" and "line", the number of the line. */
WEIR_CHECKED weir_status jsonl_read_sides(struct jsonl *out, const struct sides *sides, size_t number, const char *line,
                                          size_t n, const char *where);
/* Checks the object at object->p, which ends at object->end and may have several lines, as those two do: as a prompt,
   or with sides as a pair. */
WEIR_CHECKED weir_status jsonl_check(const struct scan *object, const struct sides *sides);
void jsonl_close(struct jsonl *line);

#endif
