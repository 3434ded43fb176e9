/* Reads from config.json how layers differ: which have a window, a rotation, experts. */
#include "model/config.h"
#include "model/keys.h"

#include <string.h>

/* 0 and -1 are how other programs write none. */
weir_status weir_read_window(struct weir_config *config, const cJSON *json, const char *file)
{
    const char *key = cJSON_HasObjectItem(json, "sliding_window") ? "sliding_window" : "window_size";
    int64_t window = 0;
    TRY(weir_json_int(json, file, key, -1, WEIR_MAX_WINDOW, &window));
    config->window = window > 0 ? (int)window : 0;
    return WEIR_OK;
}

weir_status weir_config_read_sliding(struct weir_config *config, const cJSON *json, const char *file, const char *key,
                                     const char *sliding, const char *full)
{
    const cJSON *types = weir_json_get(json, key), *type;
    int i = 0;
    if (!types)
        return WEIR_OK;
    if (!cJSON_IsArray(types) || cJSON_GetArraySize(types) != config->n_layers)
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" must list %d layers", file, key, config->n_layers);
    config->some_sliding = true;
    cJSON_ArrayForEach(type, types)
    {
        const char *name = cJSON_IsString(type) ? type->valuestring : "?";
        bool slides = strcmp(name, sliding) == 0;
        if (!slides && !weir_key_is_in(full, name))
            return weir_fail(WEIR_E_UNSUPPORTED, "%s: \"%s\": \"%s\" is not implemented", file, key, name);
        config->sliding[i++] = slides;
    }
    return WEIR_OK;
}

weir_status weir_read_layer_types(struct weir_config *config, const cJSON *json, const char *file)
{
    return weir_config_read_sliding(config, json, file, "layer_types", "sliding_attention",
                                    " full_attention attention ");
}

/* EXAONE 4 says in letters what a list says too, or in a number. */
weir_status weir_read_letters_of_layers(struct weir_config *config, const cJSON *json, const char *file)
{
    const cJSON *pattern = weir_json_get(json, "sliding_window_pattern");
    int64_t every = 0;
    if (cJSON_IsString(pattern) && weir_json_get(json, "layer_types"))
        return WEIR_OK;
    TRY(weir_json_int(json, file, "sliding_window_pattern", 0, WEIR_MAX_LAYERS, &every));
    config->full_every = (int)every;
    return WEIR_OK;
}

/* SmolLM3's list has 1 where a layer is rotated. */
weir_status weir_read_unrotated(struct weir_config *config, const cJSON *json, const char *file)
{
    const cJSON *list = weir_json_get(json, "no_rope_layers"), *value;
    int i = 0;
    if (!list)
        return WEIR_OK;
    config->unrotated_every = 0;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != config->n_layers)
        return weir_fail(WEIR_E_INPUT, "%s: \"no_rope_layers\" must list %d layers", file, config->n_layers);
    cJSON_ArrayForEach(value, list)
    {
        if (!cJSON_IsNumber(value) && !cJSON_IsBool(value))
            return weir_fail(WEIR_E_INPUT, "%s: \"no_rope_layers\" must hold numbers", file);
        config->unrotated[i++] = cJSON_IsBool(value) ? !cJSON_IsTrue(value) : value->valuedouble == 0;
    }
    return WEIR_OK;
}

weir_status weir_read_layer_numbers(uint8_t *listed, int n_layers, const cJSON *list, const char *file, const char *key)
{
    const cJSON *value;
    if (list && !cJSON_IsArray(list))
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" must be a list", file, key);
    cJSON_ArrayForEach(value, list)
    {
        if (!cJSON_IsNumber(value) || !(value->valuedouble >= 0 && value->valuedouble < n_layers))
            return weir_fail(WEIR_E_INPUT, "%s: \"%s\" must hold numbers of layers", file, key);
        listed[value->valueint] = 1;
    }
    return WEIR_OK;
}

/* Layers that are dense in a sparse model. */
weir_status weir_read_dense_layers(struct weir_config *config, const cJSON *json, const char *file)
{
    return weir_read_layer_numbers(config->dense, config->n_layers, weir_json_get(json, "mlp_only_layers"), file,
                                   "mlp_only_layers");
}

/* transformers' way to give a layer its own configuration. */
weir_status weir_read_layers_of_their_own(struct weir_config *config, const cJSON *json, const char *file)
{
    const cJSON *layers = weir_json_get(json, "per_layer_config");
    (void)config;
    return !layers || !layers->child
               ? WEIR_OK
               : weir_fail(WEIR_E_UNSUPPORTED, "%s: \"per_layer_config\" is not implemented", file);
}
