/* One dataset of values below layer and prompt, and writing a value into it. */
#ifndef WEIR_STORE_WRITE_DATASET_H
#define WEIR_STORE_WRITE_DATASET_H

#include "store/h5.h"
#include "store/write/gather.h"
#include "store/write/output.h"

struct weir_dataset {
    hid_t id;
    struct weir_layout layout;
    size_t shape[3], chunk[3]; /* of a slab, padded in front as in struct weir_gather */
    uint64_t offset;           /* in the file, when contiguous */
    uint64_t saturated;
    bool *seen; /* [lead slabs] written to */
};

/* Work space of the writing thread: allocated once, as large as the largest piece of any dataset. */
struct weir_scratch {
    weir_bits *values; /* [n] */
    uint8_t *halves;   /* [4 * n] converted, or with its bytes shuffled */
    uint8_t *packed;   /* [n_packed] deflated */
    size_t n, n_packed;
};

/* Makes the dataset (closed by weir_dataset_close). `path` is for messages. */
WEIR_CHECKED weir_status weir_dataset_make(struct weir_dataset *out, hid_t group, const char *name,
                                           const struct weir_layout *layout, const char *path);
void weir_dataset_close(struct weir_dataset *dataset);
/* Scratch for these datasets. */
WEIR_CHECKED weir_status weir_scratch_open(struct weir_scratch *out, const struct weir_dataset *datasets, size_t n);
void weir_scratch_close(struct weir_scratch *scratch);

/* Writes one value (or, later, more of it) at slab `lead` of the file that `output` is. */
WEIR_CHECKED weir_status weir_dataset_write(struct weir_dataset *dataset, size_t lead, const struct weir_gather *gather,
                                            struct weir_scratch *scratch, struct weir_output *output);

/* The bits that stand for "not stored" while values are 32 bits wide. */
uint32_t weir_fill_bits(enum weir_elem elem);

#endif
