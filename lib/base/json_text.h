/* Large JSON read as text, value by value: a tree of a vocabulary takes ten times the memory of its text, and as much
   time as all else that opening a tokenizer does. */
#ifndef WEIR_BASE_JSON_TEXT_H
#define WEIR_BASE_JSON_TEXT_H

#include "base/json.h"

/* The text that is still to be read, UTF-8. Anything but JSON is WEIR_E_INPUT, with its byte in the file. */
struct weir_json_text {
    const char *file;     /* for messages; not owned */
    const char *begin;    /* of the file */
    const char *at, *end; /* at <= end; both NULL where there is nothing */
    size_t n_elements;    /* of a part that weir_json_parse_without found; no more than its text has room for */
};

/* A string that was read: in the text, or in separate memory where it has escapes. All zero is empty. */
struct weir_json_chars {
    const char *text; /* [n] */
    size_t n, capacity;
    char *own;
};

/* Parses n bytes, but for the first arrays and objects that are called names[i] in the first object called `within` of
   the document: parts[i] is their text, and the tree has null there. With no such part parts[i].at is NULL. */
WEIR_CHECKED weir_status weir_json_parse_without(cJSON **out, const char *file, const char *text, size_t n,
                                                 const char *within, const char *const *names, size_t n_names,
                                                 struct weir_json_text *parts);

/* The next byte that is not white space, not taken; NUL at the end. */
char weir_json_peek(struct weir_json_text *t);
WEIR_CHECKED weir_status weir_json_take(struct weir_json_text *t, char c);
/* After an element of an array or object that ends with `close`: takes the comma, or the end, which *more tells. */
WEIR_CHECKED weir_status weir_json_next(struct weir_json_text *t, char close, bool *more);
/* Takes what opens an array or object; *more is whether it has elements. */
WEIR_CHECKED weir_status weir_json_enter(struct weir_json_text *t, char open, char close, bool *more);
WEIR_CHECKED weir_status weir_json_take_string(struct weir_json_text *t, struct weir_json_chars *out);
WEIR_CHECKED weir_status weir_json_take_number(struct weir_json_text *t, double *out);
void weir_json_string_close(struct weir_json_chars *string);

#endif
