/* The keys that a query cannot attend to: those after it, and those before its layer's window. */
#include "analysis/analysis.h"

#include "base/alloc.h"
#include "model/config.h"

#include <math.h>
#include <string.h>

/* The window of a layer by a configuration that may be any text: 0 unless it is one of that many layers. */
static weir_status read_window(int *window, struct weir_config *config, const weir_file_info *info, int layer)
{
    const struct weir_family *family;
    struct weir_layer_spec spec;
    cJSON *json = NULL;
    weir_status status;
    TRY_DONE(weir_json_parse(&json, "config", info->config, strlen(info->config)));
    TRY_DONE(weir_config_from_json(config, &family, json, "config"));
    if (config->n_layers == info->n_layers && layer < info->n_layers) {
        weir_config_layer(&spec, config, layer);
        *window = spec.window;
    }
done:
    cJSON_Delete(json);
    return status;
}

int weir_window_of(const weir_file *file, int layer)
{
    struct weir_config *config;
    int window = 0;
    if (weir_alloc_zero(&config, 1, sizeof *config) != WEIR_OK)
        return 0;
    if (read_window(&window, config, weir_file_get_info(file), layer) != WEIR_OK)
        window = 0; /* GGUF's keys, or what this weir does not know: causal is all that is certain */
    weir_config_close(config);
    weir_free(config);
    return window;
}

bool weir_is_masked(int32_t query, int32_t key, int window)
{
    return key > query || (window > 0 && query - key >= window);
}

void weir_attention_mask(struct weir_attention *attention)
{
    for (size_t i = 0; i < attention->n_queries; i++)
        for (size_t j = 0; j < attention->n_keys; j++)
            if (weir_is_masked(attention->positions[i], attention->keys[j], attention->window))
                attention->weights[i * attention->n_keys + j] = NAN;
}
