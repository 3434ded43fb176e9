/* HDF5's way to an output file: its writes go to struct weir_output, large pieces past the page cache.
   HDF5 calls this a virtual file driver; the file is as any other, and is read with HDF5's own. */
#ifndef WEIR_STORE_WRITE_DRIVER_H
#define WEIR_STORE_WRITE_DRIVER_H

#include "store/write/output.h"

#include <hdf5.h>

/* H5Fcreate with this `fapl` makes the file of `output`, which must be empty, whatever name it is given; `output`
   outlives it. @return negative on failure, with HDF5's reason. */
herr_t weir_driver_set(hid_t fapl, struct weir_output *output);

#endif
