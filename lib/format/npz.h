/* NumPy's .npz: a ZIP archive of .npy files. https://numpy.org/doc/stable/reference/generated/numpy.savez.html */
#ifndef WEIR_FORMAT_NPZ_H
#define WEIR_FORMAT_NPZ_H

#include "format/tensors.h"

/* Opens `path`: each member NAME.npy is the tensor NAME, in the map where it is stored, in memory of its own where it
   is deflated (no more than half of the machine's memory for all of them). Every member is read once, for its checksum.
   Arrays as weir_npy_open lists them; members that are no .npy are listed as unread. @return as weir_zip_read does, and
   WEIR_E_INPUT for a name that occurs twice; WEIR_E_UNSUPPORTED for PyTorch's files, which are ZIP archives too. */
WEIR_CHECKED weir_status weir_npz_open(struct weir_tensors **out, const char *path);
/* The same from memory, which must outlive it, as `path` must, which is for messages: for tests and fuzzing. */
WEIR_CHECKED weir_status weir_npz_parse(struct weir_tensors **out, const char *path, const uint8_t *data, size_t size,
                                        size_t most_inflated);

#endif
