/* Any bytes as a .npz archive: opened, every array decoded to its last value. */
#include "format/npz.h"
#include "fuzz/decode.h"

enum { MOST_INFLATED = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_tensors *tensors;
    if (weir_npz_parse(&tensors, "fuzz.npz", data, size, MOST_INFLATED) != WEIR_OK)
        return 0;
    for (size_t i = 0; i < tensors->n; i++)
        if (!tensors->list[i].unread)
            decode_tensor(&tensors->list[i]);
    weir_tensors_close(tensors);
    return 0;
}
