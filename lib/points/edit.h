/* Edits as data: SELECTION OP SOURCE [along FILE] [keeping norm], from text or JSON and back. Nothing is read and no
   model is asked here. */
#ifndef WEIR_POINTS_EDIT_H
#define WEIR_POINTS_EDIT_H

#include "base/text.h"
#include "points/select.h"

enum weir_edit_op {
    WEIR_OP_SET,      /* = */
    WEIR_OP_ADD,      /* += */
    WEIR_OP_SUBTRACT, /* -= */
    WEIR_OP_SCALE,    /* *= */
    WEIR_OP_AT_MOST,  /* <= : values above the source become it */
    WEIR_OP_AT_LEAST, /* >= */
};

/* FILE[:NAME]. */
struct weir_file_name {
    char *path; /* NULL: no file */
    char *name; /* of a tensor in it; NULL: none */
    size_t at;  /* the byte of the edit's text at which it begins */
};

enum weir_value_kind {
    WEIR_VALUE_NUMBER,
    WEIR_VALUE_FILE,     /* FILE[:NAME] */
    WEIR_VALUE_PLACE,    /* [PLACE] in this run, FILE[PLACE] in a cache */
    WEIR_VALUE_MEAN,     /* mean(PLACE): over the axes that the place writes out */
    WEIR_VALUE_RESAMPLE, /* resample(PLACE, SEED): one drawn from them */
    WEIR_VALUE_NOISE,    /* noise(SD, SEED): normal, of mean 0 */
};

/* What an edit sets, adds, ... */
struct weir_value {
    enum weir_value_kind kind;
    double number;              /* NUMBER: it, finite or -inf; NOISE: the standard deviation, 0 or more */
    double factor;              /* of what is no number; 1 unless written */
    uint64_t seed;              /* RESAMPLE, NOISE */
    struct weir_file_name file; /* FILE; PLACE: the cache it is in, path NULL: this run */
    struct weir_term *place;    /* PLACE */
    struct weir_value *of;      /* MEAN, RESAMPLE: a PLACE that writes out at least one axis, of factor 1 */
    size_t at;                  /* the byte of the edit's text at which it begins */
};

struct weir_edit {
    char *text; /* as written; made of the members where it came from JSON */
    struct weir_selection *select;
    enum weir_edit_op op;
    struct weir_value value;
    struct weir_file_name along; /* path NULL: none */
    bool keeps_norm;
};

/* Appends the edit as JSON, as one line of text; weir_edit_parse (weir.h) gives the same edit for both. */
WEIR_CHECKED weir_status weir_edit_to_json(struct weir_text *out, const weir_edit *edit);
WEIR_CHECKED weir_status weir_edit_to_text(struct weir_text *out, const weir_edit *edit);

/* "=", "+=", ... */
const char *weir_op_text(enum weir_edit_op op);

/* Puts "character N: " in front of the message of a failure, for byte `at` of `text`, and gives `status` back. */
weir_status weir_in_character(weir_status status, const char *text, size_t at);

#endif
