/* The store's layer over HDF5's calls: failures that print nothing and have a reason, element types, attributes,
 * labels. */
#ifndef WEIR_STORE_H5_H
#define WEIR_STORE_H5_H

#include "store/layout.h"

#include <hdf5.h>

/* Before HDF5 is used in a thread: nothing is printed, nothing of HDF5's runs at exit (a writer may still work), and no
   filter is looked for in the folders of HDF5_PLUGIN_PATH: a file can name one even for its lists of links. */
void weir_h5_begin(void);

/* "WHERE: what: reason", the reason from the operating system where there is one, else from HDF5's innermost error. */
weir_status weir_h5_fail(weir_status status, const char *where, const char *what);

/* Releases an id of any kind and sets it to H5I_INVALID_HID; does nothing for an invalid one. */
void weir_h5_close(hid_t *id);

/* The type in the file, which is also the type in memory. width: bytes of WEIR_ELEM_CHARS. Negative on failure. */
hid_t weir_h5_type(enum weir_elem elem, size_t width);
/* The element of an HDF5 type; *width for WEIR_ELEM_CHARS. False where it is none of them. */
bool weir_h5_elem(enum weir_elem *elem, size_t *width, hid_t type);

/* Attributes by the layout's table. `where` is for messages. */
WEIR_CHECKED weir_status weir_h5_put_text(hid_t object, int attr, const char *text, const char *where);
WEIR_CHECKED weir_status weir_h5_put_int(hid_t object, int attr, int64_t value, const char *where);
WEIR_CHECKED weir_status weir_h5_put_real(hid_t object, int attr, double value, const char *where);
WEIR_CHECKED weir_status weir_h5_put_ints(hid_t object, int attr, const int32_t *values, size_t n, const char *where);

/* WEIR_E_INPUT when it is of the wrong type, or required and absent. Optional and absent: *out is NULL, or keeps its
   value, or *n is 0. Free what comes in *out. */
WEIR_CHECKED weir_status weir_h5_get_text(hid_t object, int attr, char **out, const char *where);
WEIR_CHECKED weir_status weir_h5_get_int(hid_t object, int attr, int64_t *out, const char *where);
WEIR_CHECKED weir_status weir_h5_get_real(hid_t object, int attr, double *out, const char *where);
WEIR_CHECKED weir_status weir_h5_get_ints(hid_t object, int attr, int32_t **out, size_t *n, const char *where);
WEIR_CHECKED weir_status weir_h5_get_reals(hid_t object, int attr, double **out, size_t *n, const char *where);

/* The library's own H5DSget_label and H5DSiterate_scales free what they never read when an attribute is damaged
   (1.10.8): the two attributes that hold them are read here. Opens one that has `rank` values, and its type;
   H5I_INVALID_HID when it has not. */
hid_t weir_h5_open_list(hid_t dataset, const char *name, int rank, H5T_class_t class, hid_t *type);
/* The label of each axis into labels [rank], NULL where there is none: for H5free_memory. */
void weir_h5_labels(char **labels, hid_t dataset, int rank);

enum weir_link { WEIR_LINK_NONE, WEIR_LINK_HARD };
enum { WEIR_LONGEST_PATH = 256 };

/* Looks a path up in the file. WEIR_E_INPUT when a link on the way leads anywhere else: to another
   file, or by a name. */
WEIR_CHECKED weir_status weir_h5_link(enum weir_link *out, hid_t file, const char *path, const char *where);
/* Opens a dataset; no link but hard ones is followed. */
WEIR_CHECKED weir_status weir_h5_open_dataset(hid_t *out, hid_t file, const char *path, const char *where);

#endif
