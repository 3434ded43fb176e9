/* GGUF versions 2 and 3: metadata and tensors. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
#ifndef WEIR_FORMAT_GGUF_H
#define WEIR_FORMAT_GGUF_H

#include "format/tensors.h"

enum weir_gguf_type {
    WEIR_GGUF_UINT, /* all unsigned widths, and bool (0 or 1) */
    WEIR_GGUF_INT,
    WEIR_GGUF_FLOAT,
    WEIR_GGUF_STRING,
    WEIR_GGUF_ARRAY
};

/* A string of the file: not ended by NUL, checked to be UTF-8 only where `text` says so. */
struct weir_gguf_string {
    const char *data;
    size_t n;
};

struct weir_gguf_value {
    char *key;
    enum weir_gguf_type type;
    enum weir_gguf_type element; /* of an array; arrays of arrays are refused */
    size_t n;                    /* elements of an array */
    union {
        uint64_t u;
        int64_t i;
        double f;
        struct weir_gguf_string s;
        uint64_t *us;                /* [n] */
        int64_t *is;                 /* [n] */
        double *fs;                  /* [n] */
        struct weir_gguf_string *ss; /* [n] */
    };
};

struct weir_gguf {
    char *path;
    struct weir_gguf_value *values; /* [n_values], sorted by key, no key twice */
    size_t n_values;
    struct weir_tensors *tensors; /* closed with this */
};

/* Opens `path`, and where it is one of NAME-00001-of-00003.gguf the others with it, as one model with the metadata of
   the first. Tensors of types that weir does not read are listed as unread. WEIR_E_UNSUPPORTED for other versions and
   big-endian files, WEIR_E_INPUT for anything damaged. */
WEIR_CHECKED weir_status weir_gguf_open(struct weir_gguf **out, const char *path);
/* One file from memory, which must outlive it: for tests and fuzzing. `path` is for messages. */
WEIR_CHECKED weir_status weir_gguf_parse(struct weir_gguf **out, const char *path, const uint8_t *data, size_t size);
void weir_gguf_close(struct weir_gguf *gguf);

/* NULL when there is none. */
const struct weir_gguf_value *weir_gguf_find(const struct weir_gguf *gguf, const char *key);
/* Optional values, as in base/json.h: absent keeps *out, a wrong type is WEIR_E_INPUT. Numbers of any width convert. */
WEIR_CHECKED weir_status weir_gguf_int(const struct weir_gguf *gguf, const char *key, int64_t *out);
WEIR_CHECKED weir_status weir_gguf_number(const struct weir_gguf *gguf, const char *key, double *out);
WEIR_CHECKED weir_status weir_gguf_bool(const struct weir_gguf *gguf, const char *key, bool *out);
/* New memory, ended by NUL; NUL inside is refused. */
WEIR_CHECKED weir_status weir_gguf_text(const struct weir_gguf *gguf, const char *key, char **out);

#endif
