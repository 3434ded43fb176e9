/* Any bytes as a .npy file: read, its values decoded to the last one. */
#include "base/alloc.h"
#include "format/npy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const struct weir_tensor *tensor)
{
    float *values; /* [n] */
    if (weir_alloc(&values, tensor->n, sizeof *values) == WEIR_OK)
        weir_to_f32(values, tensor->data, tensor->type, tensor->n);
    weir_free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_tensors *tensors;
    if (weir_alloc_zero(&tensors, 1, sizeof *tensors) != WEIR_OK)
        return 0;
    if (weir_npy_add(tensors, "fuzz.npy", "array", data, size) == WEIR_OK && !tensors->list[0].unread)
        decode(&tensors->list[0]);
    weir_tensors_close(tensors);
    return 0;
}
