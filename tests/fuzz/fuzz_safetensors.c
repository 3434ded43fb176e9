/* Any bytes as a safetensors file: opened, every tensor decoded to its last value. */
#include "format/safetensors.h"
#include "fuzz/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_tensors *tensors;
    if (weir_safetensors_parse(&tensors, "fuzz.safetensors", data, size) != WEIR_OK)
        return 0;
    for (size_t i = 0; i < tensors->n; i++) {
        struct weir_tensor *tensor = &tensors->list[i];
        if (!tensor->unread)
            decode_tensor(tensor);
        if (weir_tensors_look(tensors, tensor->name) != tensor ||
            weir_tensors_find(tensors, tensor->name) != (tensor->unread ? NULL : tensor))
            __builtin_trap();
    }
    weir_tensors_close(tensors);
    return 0;
}
