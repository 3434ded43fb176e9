/* An open cache file from the inside: shared by the files that read it. */
#ifndef WEIR_STORE_READ_READER_H
#define WEIR_STORE_READ_READER_H

#include "store/read/stored.h"
#include "store/units.h"

enum { WEIR_TOKENS_AT_ONCE = 256 }; /* texts of tokens are read in blocks of so many, when asked for */

/* A point of the file. `info`, which is the caller's, comes first: a pointer to one is a pointer to the other. */
struct weir_open_point {
    weir_file_point info;
    char *path;
    char *units;
    struct weir_units which; /* the same, read */
    bool *layers;            /* [n_layers] */
    int n_layers;
    size_t n_units; /* along the axis of heads or neurons; 0: there is none */
    enum weir_elem elem;
    struct weir_stored stored;
};

/* One prompt as far as it has been read; kept until close, as callers hold its pointers. */
struct weir_open_prompt {
    int32_t *ids;        /* [n] */
    int32_t *positions;  /* [n_positions] */
    char *text, *fields; /* NULL: none */
    char **tokens;       /* [blocks] each [WEIR_TOKENS_AT_ONCE, width + 1]; NULL until asked for */
    size_t n, n_rows;
};

/* The tokens that are among the likeliest somewhere; read when asked for. */
struct weir_open_words {
    int32_t *ids; /* [n] ascending; NULL: not read yet */
    char *texts;  /* [n, width + 1] each ended by NUL */
    size_t n, width;
};

/* Why the first text that was asked for could not be read. */
struct weir_text_failure {
    weir_status status; /* WEIR_OK: all of them could */
    char message[1024];
};

/* A table of the layout, as it is in this file. */
struct weir_stored_table {
    bool stored;
    struct weir_stored columns[WEIR_MAX_COLUMNS];
};

struct weir_file {
    char *path;
    struct weir_h5_source source;
    weir_file_info info;
    char *texts[WEIR_N_ROOT_ATTRS];
    struct weir_sizes sizes;
    struct weir_open_point *points;    /* [info.n_points] */
    int32_t *lengths;                  /* [n_prompts] tokens */
    float *losses;                     /* [n_prompts] or NULL */
    struct weir_open_prompt **prompts; /* [n_prompts] NULL until asked for */
    struct weir_stored *sets;          /* [WEIR_N_SETS] */
    struct weir_stored_table *tables;  /* [WEIR_N_TABLES] */
    size_t token_width;
    struct weir_open_words *words;
    struct weir_text_failure *texts_failed;
};

/* WEIR_E_INPUT where a dataset has fewer bytes than n of its elements take: no element of these datasets is left out of
 * the file. */
WEIR_CHECKED weir_status weir_reader_check_stored(const weir_file *file, const struct weir_stored *stored, uint64_t n);
/* A list of numbers, read whole into new memory, *out of the element's type. */
WEIR_CHECKED weir_status weir_reader_list(const weir_file *file, void *out, const struct weir_stored *stored);

/* WEIR_E_USAGE where the file has no prompt of that index. */
WEIR_CHECKED weir_status weir_reader_check_prompt(const weir_file *file, int index);

/* ---- prompts.c ---- */

/* Reads the texts of a prompt's tokens, its next tokens and what those show as, all of them: for validation. A caller
   who asks for one text gets "" for what cannot be read. @return WEIR_E_INPUT for the first that cannot be read. */
WEIR_CHECKED weir_status weir_reader_check_texts(const weir_file *file, int index);
void weir_reader_free_prompt(struct weir_open_prompt *prompt);

#endif
