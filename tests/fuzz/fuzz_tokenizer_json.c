/* Any bytes as a tokenizer.json, and the same bytes as a text for what it makes. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "token/pipeline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(const struct weir_tokenizer *tokenizer, const char *text, size_t n)
{
    int32_t *ids = NULL;
    size_t n_ids, length;
    if (weir_tokenizer_encode(tokenizer, text, n, WEIR_BOS_AUTO, &ids, &n_ids) == WEIR_OK)
        for (size_t i = 0; i < n_ids; i++)
            if (ids[i] < 0 || (weir_tokenizer_bytes(tokenizer, ids[i], &length) == NULL && length != 0))
                __builtin_trap();
    weir_free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = " it's 12 a\xcc\x81 \xe6\xbc\xa2<s>\n";
    struct weir_tokenizer *tokenizer = NULL;
    cJSON *json = NULL;
    if (weir_json_parse(&json, "fuzz.json", (const char *)data, size) == WEIR_OK &&
        weir_tokenizer_from_json(&tokenizer, json, "fuzz.json") == WEIR_OK) {
        encode(tokenizer, text, sizeof text - 1);
        encode(tokenizer, (const char *)data, size);
    }
    weir_tokenizer_close(tokenizer);
    cJSON_Delete(json);
    return 0;
}
