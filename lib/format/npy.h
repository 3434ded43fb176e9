/* NumPy's .npy, versions 1 to 3: one array behind a header that is written as Python writes a dict.
   https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef WEIR_FORMAT_NPY_H
#define WEIR_FORMAT_NPY_H

#include "format/tensors.h"

/* Opens a file of one array; its tensor has the name "array". Arrays of integers, of other byte orders, in Fortran's
   order, with fields, or of more than WEIR_MAX_DIMS dimensions are listed as unread. WEIR_E_INPUT for what is damaged,
   bytes after the array too; WEIR_E_UNSUPPORTED for later versions. */
WEIR_CHECKED weir_status weir_npy_open(struct weir_tensors **out, const char *path);
/* Adds the array in `data`, which must outlive the tensors, under a name: for members of an archive, tests, fuzzing.
   `file` is for messages and must outlive them too. */
WEIR_CHECKED weir_status weir_npy_add(struct weir_tensors *tensors, const char *file, const char *name,
                                      const uint8_t *data, size_t size);

#endif
