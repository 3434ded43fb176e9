/* Any bytes as a config.json: read, and every layer's spec and every rotation made from it. */
#include "base/bytes.h"
#include "model/config.h"
#include "model/family.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct weir_config *config)
{
    struct weir_layer_spec spec;
    for (int layer = 0; layer < config->n_layers; layer++) {
        weir_config_layer(&spec, config, layer);
        if (spec.n_heads % spec.n_kv_heads != 0 || (spec.rotary && spec.rotary_dims > spec.d_head) ||
            spec.rope >= WEIR_MAX_ROPES)
            __builtin_trap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct weir_family *family;
    struct weir_config config = {0};
    cJSON *json = NULL;
    if (weir_json_parse(&json, "fuzz.json", (const char *)data, size) == WEIR_OK &&
        weir_config_from_json(&config, &family, json, "fuzz.json") == WEIR_OK)
        use(&config);
    weir_config_close(&config);
    cJSON_Delete(json);
    return 0;
}
