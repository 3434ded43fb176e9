/* Reads a tensor to its last value, for the targets of formats that have tensors. */
#ifndef WEIR_FUZZ_DECODE_H
#define WEIR_FUZZ_DECODE_H

#include "base/alloc.h"
#include "format/tensors.h"

static inline void decode_tensor(const struct weir_tensor *tensor)
{
    float *values; /* [n] */
    if (weir_alloc(&values, tensor->n, sizeof *values) == WEIR_OK)
        weir_to_f32(values, tensor->data, tensor->type, tensor->n);
    weir_free(values);
}

#endif
