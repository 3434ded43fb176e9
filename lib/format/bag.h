/* A file of named arrays, whichever of the formats it is in: what it begins with decides, not what it is called. */
#ifndef WEIR_FORMAT_BAG_H
#define WEIR_FORMAT_BAG_H

#include "format/tensors.h"

struct weir_bag {
    struct weir_tensors *tensors;
    bool by_layer; /* a control vector: "direction.N" is what it has for layer N, and it has nothing else */
};

/* Opens a .npy (its array is called "array"), .npz, .safetensors, an index of those, or GGUF file. Close with
   weir_bag_close. @return as the readers of these formats do; WEIR_E_UNSUPPORTED for other files, naming what they are
   where that is known. */
WEIR_CHECKED weir_status weir_bag_open(struct weir_bag *out, const char *path);
void weir_bag_close(struct weir_bag *bag);

/* The array of that name; `name` NULL: the only one. @return WEIR_E_INPUT where there is none of that name, naming
   those that there are, where it cannot be read, or where a name is needed. */
WEIR_CHECKED weir_status weir_bag_find(const struct weir_tensor **out, const struct weir_bag *bag, const char *path,
                                       const char *name);
/* A control vector's direction for a layer; NULL: it has none. */
const struct weir_tensor *weir_bag_of_layer(const struct weir_bag *bag, int layer);

#endif
