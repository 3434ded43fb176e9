/* Writes results that are not by prompt. */
#ifndef WEIR_STORE_WRITE_GRIDS_H
#define WEIR_STORE_WRITE_GRIDS_H

#include "store/h5.h"

/* The spec's grids and their attributes, into a file that has their dimensions. `path` is for messages. */
WEIR_CHECKED weir_status weir_write_grids(hid_t file, const struct weir_store_spec *spec, const char *path);

#endif
