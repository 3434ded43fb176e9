/* Any bytes as a GGUF file: opened, every tensor decoded to its last value, every value asked for as every type. */
#include "format/gguf.h"
#include "fuzz/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_gguf *gguf;
    if (weir_gguf_parse(&gguf, "fuzz.gguf", data, size) != WEIR_OK)
        return 0;
    for (size_t i = 0; i < gguf->tensors->n; i++)
        if (!gguf->tensors->list[i].unread)
            decode_tensor(&gguf->tensors->list[i]);
    for (size_t i = 0; i < gguf->n_values; i++) {
        const char *key = gguf->values[i].key;
        int64_t whole = 0;
        double number = 0;
        bool yes = false;
        char *text = NULL;
        weir_status ok[] = {weir_gguf_int(gguf, key, &whole), weir_gguf_number(gguf, key, &number),
                            weir_gguf_bool(gguf, key, &yes), weir_gguf_text(gguf, key, &text)};
        (void)ok; /* a value has one type; the others refuse it */
        weir_free(text);
    }
    weir_gguf_close(gguf);
    return 0;
}
