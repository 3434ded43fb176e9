/* The named tensors of a file, whatever its format: views into a read-only map, where they lie in the file as they are.
 */
#ifndef WEIR_FORMAT_TENSORS_H
#define WEIR_FORMAT_TENSORS_H

#include "base/map.h"
#include "tensor/dtype.h"

enum { WEIR_MAX_DIMS = 4 };

struct weir_tensor {
    char *name;   /* UTF-8 */
    char *unread; /* why its values cannot be read, "is of type I8", where `type` is none; NULL: they can */
    bool used;    /* some part of a model is made of it */
    enum weir_type type;
    int n_dims;
    size_t shape[WEIR_MAX_DIMS]; /* outermost first (GGUF's order reversed), C order */
    size_t n;                    /* values */
    size_t bytes;                /* that they take at data */
    const uint8_t *data;         /* in a map; checked to hold all n values; of any alignment */
    const char *file;            /* where it is, for messages */
};

struct weir_tensors {
    struct weir_tensor *list; /* [n], sorted by name, no name twice */
    size_t n, capacity;
    struct weir_map **maps; /* [n_maps] */
    size_t n_maps, maps_capacity;
    void **memory; /* [n_memory] what was decompressed, and is in no map */
    size_t n_memory, memory_capacity;
};

/* NULL when there is none whose values can be read. */
struct weir_tensor *weir_tensors_find(const struct weir_tensors *tensors, const char *name);
/* The same, whether they can be read or not. */
struct weir_tensor *weir_tensors_look(const struct weir_tensors *tensors, const char *name);
void weir_tensors_close(struct weir_tensors *tensors);
/* WEIR_E_INPUT once one of its files was cut short (base/map.h): for after reading. NULL is fine. */
WEIR_CHECKED weir_status weir_tensors_check_whole(const struct weir_tensors *tensors);

/* For readers of formats, who build the list. */

/* Appends a tensor that has nothing but a copy of its name and `file`. *out holds until the next is added. */
WEIR_CHECKED weir_status weir_tensors_add(struct weir_tensors *tensors, struct weir_tensor **out, const char *file,
                                          const char *name, size_t n_name);
/* From now on its values cannot be read, and that is why (printf style). */
__attribute__((format(printf, 2, 3))) WEIR_CHECKED weir_status weir_tensor_leave_unread(struct weir_tensor *tensor,
                                                                                        const char *format, ...);
/* Keeps a map for as long as the tensors; it is theirs also when this fails. */
WEIR_CHECKED weir_status weir_tensors_keep_map(struct weir_tensors *tensors, struct weir_map *map);
/* The same for memory from weir_alloc. */
WEIR_CHECKED weir_status weir_tensors_keep_memory(struct weir_tensors *tensors, void *memory);
/* The product of the dimensions, in *out; sizes no memory could address are WEIR_E_INPUT even beside a 0. */
WEIR_CHECKED weir_status weir_tensor_count(size_t *out, const struct weir_tensor *tensor);
/* Sorts those from `first` on by place and refuses two that share a byte. */
WEIR_CHECKED weir_status weir_tensors_check_apart(struct weir_tensors *tensors, size_t first);
/* Sorts the list by name and refuses a name that appears twice: readers end with this. */
WEIR_CHECKED weir_status weir_tensors_finish(struct weir_tensors *tensors);

#endif
