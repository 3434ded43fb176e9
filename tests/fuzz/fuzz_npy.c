/* Any bytes as a .npy file: read, its values decoded to the last one. */
#include "base/alloc.h"
#include "format/npy.h"
#include "fuzz/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_tensors *tensors;
    if (weir_alloc_zero(&tensors, 1, sizeof *tensors) != WEIR_OK)
        return 0;
    if (weir_npy_add(tensors, "fuzz.npy", "array", data, size) == WEIR_OK && !tensors->list[0].unread)
        decode_tensor(&tensors->list[0]);
    weir_tensors_close(tensors);
    return 0;
}
