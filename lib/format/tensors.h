/* The named tensors of a weights file, whatever its format. Views into a read-only map: nothing is read by opening. */
#ifndef WEIR_FORMAT_TENSORS_H
#define WEIR_FORMAT_TENSORS_H

#include "base/map.h"
#include "tensor/dtype.h"

enum { WEIR_MAX_DIMS = 4 };

struct weir_tensor {
    const char *name;
    enum weir_type type;
    int n_dims;
    size_t shape[WEIR_MAX_DIMS]; /* outermost first (GGUF's order reversed), C order */
    size_t n;                    /* values */
    const uint8_t *data;         /* in a map; checked to hold all n values */
    const char *file;            /* where it stands, for messages */
};

struct weir_tensors {
    struct weir_tensor *list; /* [n], sorted by name, no name twice */
    size_t n;
    struct weir_map **maps; /* [n_maps] */
    size_t n_maps;
    char *names; /* the memory behind the tensors' names */
};

/* Sorts the list and refuses a name that stands twice: what the format readers end with. */
WEIR_CHECKED weir_status weir_tensors_finish(struct weir_tensors *tensors);
/* NULL when there is none. */
const struct weir_tensor *weir_tensors_find(const struct weir_tensors *tensors, const char *name);
void weir_tensors_close(struct weir_tensors *tensors);

#endif
