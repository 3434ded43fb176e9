/* Any bytes as a tokenizer.json, and the same bytes as a text for what it makes. */
#include "fuzz_encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct weir_tokenizer *tokenizer = NULL;
    if (weir_tokenizer_from_json(&tokenizer, (const char *)data, size, "fuzz.json") == WEIR_OK)
        encode_some(tokenizer, data, size);
    weir_tokenizer_close(tokenizer);
    return 0;
}
