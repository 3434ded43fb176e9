/* Reads rotation from config.json. transformers 5 has rope_parameters with everything in it, for Gemma 3 by type of
   layer; before that rope_theta and rope_scaling stood side by side. Keys inside win over those at the top, which are
   read before. */
#include "base/alloc.h"
#include "model/keys.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static weir_status read_json_factors(double **out, int *n, const cJSON *rope, const char *file, const char *key)
{
    const cJSON *list = weir_json_get(rope, key), *value;
    int i = 0;
    if (!list)
        return WEIR_OK;
    *n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (*n == 0 || *n > 4096)
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" must be a list of numbers", file, key);
    weir_free(*out);
    TRY(weir_alloc(out, (size_t)*n, sizeof **out));
    cJSON_ArrayForEach(value, list)
    {
        if (!cJSON_IsNumber(value) || !(value->valuedouble > 0 && isfinite(value->valuedouble)))
            return weir_fail(WEIR_E_INPUT, "%s: \"%s\" must hold numbers above 0", file, key);
        (*out)[i++] = value->valuedouble;
    }
    return WEIR_OK;
}

static weir_status read_scaling_type(struct weir_rope_config *out, const cJSON *rope, const char *file)
{
    const char *type = NULL;
    TRY(weir_json_string(rope, file, "type", &type));
    TRY(weir_json_string(rope, file, "rope_type", &type));
    if (type && strlen(type) >= sizeof out->type)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: rope type \"%s\" is not implemented", file, type);
    if (type)
        snprintf(out->type, sizeof out->type, "%s", type);
    return WEIR_OK;
}

/* Numbers that are absent keep what they are. */
static weir_status read_rope_numbers(struct weir_rope_config *out, const cJSON *rope, const char *file)
{
    static const struct {
        const char *key;
        size_t field;
    } numbers[] = {
        {"rope_theta", offsetof(struct weir_rope_config, theta)},
        {"factor", offsetof(struct weir_rope_config, factor)},
        {"low_freq_factor", offsetof(struct weir_rope_config, low_freq_factor)},
        {"high_freq_factor", offsetof(struct weir_rope_config, high_freq_factor)},
        {"original_max_position_embeddings", offsetof(struct weir_rope_config, original_context)},
        {"beta_fast", offsetof(struct weir_rope_config, beta_fast)},
        {"beta_slow", offsetof(struct weir_rope_config, beta_slow)},
        {"attention_factor", offsetof(struct weir_rope_config, attention_factor)},
        {"llama_4_scaling_beta", offsetof(struct weir_rope_config, query_growth)},
        {"mscale", offsetof(struct weir_rope_config, mscale)},
        {"mscale_all_dim", offsetof(struct weir_rope_config, mscale_all_dim)},
        {"short_mscale", offsetof(struct weir_rope_config, short_mscale)},
        {"long_mscale", offsetof(struct weir_rope_config, long_mscale)},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        TRY(weir_json_number(rope, file, numbers[i].key, (double *)(void *)((char *)out + numbers[i].field)));
    return WEIR_OK;
}

static weir_status read_one_rope(struct weir_rope_config *out, const cJSON *rope, const char *file)
{
    bool truncate = true;
    int n_short = 0;
    if (!cJSON_IsObject(rope))
        return weir_fail(WEIR_E_INPUT, "%s: what \"%s\" says of rotation must be an object", file, rope->string);
    TRY(read_scaling_type(out, rope, file));
    TRY(read_rope_numbers(out, rope, file));
    TRY(weir_json_bool(rope, file, "truncate", &truncate));
    out->untruncated = !truncate;
    TRY(read_json_factors(&out->short_factors, &n_short, rope, file, "short_factor"));
    TRY(read_json_factors(&out->long_factors, &out->n_factors, rope, file, "long_factor"));
    if (n_short != out->n_factors)
        return weir_fail(WEIR_E_INPUT, "%s: \"short_factor\" and \"long_factor\" differ in length", file);
    return WEIR_OK;
}

/* The old name wins, where it says anything. */
static const cJSON *rope_of(const cJSON *json)
{
    const cJSON *scaling = weir_json_get(json, "rope_scaling");
    return scaling && (scaling->child || !cJSON_IsObject(scaling)) ? scaling : weir_json_get(json, "rope_parameters");
}

weir_status weir_read_rope(struct weir_config *config, const cJSON *json, const char *file)
{
    const cJSON *rope = rope_of(json);
    return rope ? read_one_rope(&config->rope[0], rope, file) : WEIR_OK;
}

weir_status weir_read_partial_rope(struct weir_config *config, const cJSON *json, const char *file)
{
    const cJSON *rope = rope_of(json);
    TRY(weir_read_rope(config, json, file));
    return rope ? weir_json_number(rope, file, "partial_rotary_factor", &config->rotary_factor) : WEIR_OK;
}

/* Text has the same position on each of the three axes between which "mrope" divides the frequencies. */
weir_status weir_read_mrope(struct weir_config *config, const cJSON *json, const char *file)
{
    TRY(weir_read_rope(config, json, file));
    if (strcmp(config->rope[0].type, "mrope") == 0)
        strcpy(config->rope[0].type, "default");
    return WEIR_OK;
}

/* Phi-3: there is one way to stretch, by whatever name, and the length trained on is only at the top. */
weir_status weir_read_phi3_rope(struct weir_config *config, const cJSON *json, const char *file)
{
    struct weir_rope_config *rope = &config->rope[0];
    double original = rope->original_context;
    TRY(weir_read_partial_rope(config, json, file));
    rope->original_context = original;
    if (strcmp(rope->type, "su") == 0 || strcmp(rope->type, "yarn") == 0)
        strcpy(rope->type, "longrope");
    return WEIR_OK;
}

/* Gemma 3's full layers by the old name; there the oldest one of the type means nothing. */
static weir_status read_scaling_of_full(struct weir_rope_config *out, const cJSON *scaling, const char *file)
{
    char type[sizeof out->type];
    memcpy(type, out->type, sizeof type);
    TRY(read_one_rope(out, scaling, file));
    if (!weir_json_get(scaling, "rope_type"))
        memcpy(out->type, type, sizeof type);
    return WEIR_OK;
}

/* OLMo 3: by type of layer; the base at the top is that of full layers, unless they have their own. */
weir_status weir_read_olmo3_ropes(struct weir_config *config, const cJSON *json, const char *file)
{
    TRY(weir_json_number(json, file, "rope_theta", &config->rope[0].theta));
    return weir_read_two_ropes(config, json, file);
}

/* Gemma 3: by type of layer. */
weir_status weir_read_two_ropes(struct weir_config *config, const cJSON *json, const char *file)
{
    const cJSON *ropes = weir_json_get(json, "rope_parameters"), *scaling = weir_json_get(json, "rope_scaling");
    const cJSON *full = weir_json_get(ropes, "full_attention"), *sliding = weir_json_get(ropes, "sliding_attention");
    if (full)
        TRY(read_one_rope(&config->rope[0], full, file));
    if (scaling)
        TRY(read_scaling_of_full(&config->rope[0], scaling, file));
    return sliding ? read_one_rope(&config->rope[1], sliding, file) : WEIR_OK;
}
