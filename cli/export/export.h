/* Selected values as arrays of numpy's and as tables: what weir export writes. */
#ifndef WEIR_CLI_EXPORT_EXPORT_H
#define WEIR_CLI_EXPORT_EXPORT_H

#include "cli/export/buffered.h"
#include "cli/select/values.h"

/* One selected hook point as an array: its axes are those stored, without those chosen by a plain number. */
struct array {
    const struct selected *selected;
    size_t value[WEIR_MAX_AXES];  /* a value's axes, for the prompt that has most; 1 past the last */
    size_t shape[WEIR_MAX_INDEX]; /* [rank] */
    int rank;
    uint64_t n;        /* values */
    const char *descr; /* numpy's name of the type */
    size_t size;       /* bytes of one */
};

/* ---- npy.c ---- */

enum { NPY_HEADER = 256 };

WEIR_CHECKED weir_status array_measure(struct array *out, const struct selected *selected, bool keep_dtype);
/* The header of a .npy file, version 1.0. @return its length. */
size_t npy_header(char to[NPY_HEADER], const char *descr, const size_t *shape, int rank);
/* The values in C order; NaN (of integers -1) where a prompt has none. */
WEIR_CHECKED weir_status array_write(struct buffered *out, const struct array *array);

/* ---- the formats ---- */

struct export
{
    const weir_file *file;
    const struct weir_selection *selection;
    int prompt;
    bool keep_dtype;
    struct buffered *out;
};

WEIR_CHECKED weir_status export_npy(const struct export *export);
WEIR_CHECKED weir_status export_npz(const struct export *export);
WEIR_CHECKED weir_status export_csv(const struct export *export);

#endif
