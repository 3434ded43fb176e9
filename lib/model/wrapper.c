/* Finds the text model's configuration in that of a wrapper. */
#include "model/wrapper.h"

#include <string.h>

#define LLAVA_PREFIXES   "language_model.model.|model.language_model."
#define QWEN_PREFIXES    "model.|model.language_model."
#define IDEFICS_PREFIXES "model.text_model."

/* transformers' classes, of configurations and of models, say what these rows do. */
static const struct weir_wrapper wrappers[] = {
    {.model_type = "gemma3",
     .text = "text_config",
     .family = "gemma3_text",
     .tie = WEIR_TIE_TOP_OR_ABSENT,
     .prefixes = LLAVA_PREFIXES},
    {.model_type = "mistral3",
     .text = "text_config",
     .family = "mistral",
     .any_family = true,
     .tie = WEIR_TIE_TOP_OR_ABSENT,
     .prefixes = LLAVA_PREFIXES},
    {.model_type = "llava",
     .text = "text_config",
     .family = "llama",
     .any_family = true,
     .tie = WEIR_TIE_EITHER,
     .prefixes = LLAVA_PREFIXES},
    {.model_type = "llava_next",
     .text = "text_config",
     .family = "llama",
     .any_family = true,
     .tie = WEIR_TIE_TOP,
     .prefixes = LLAVA_PREFIXES},
    {.model_type = "llava_onevision",
     .text = "text_config",
     .family = "qwen2",
     .any_family = true,
     .tie = WEIR_TIE_EITHER,
     .prefixes = LLAVA_PREFIXES},
    {.model_type = "idefics3",
     .text = "text_config",
     .family = "llama",
     .any_family = true,
     .tie = WEIR_TIE_TOP,
     .prefixes = IDEFICS_PREFIXES},
    {.model_type = "smolvlm",
     .text = "text_config",
     .family = "llama",
     .any_family = true,
     .tie = WEIR_TIE_TOP,
     .prefixes = IDEFICS_PREFIXES},
    {.model_type = "qwen2_vl",
     .text = "text_config",
     .family = "qwen2_vl_text",
     .text_at_top = true,
     .tie = WEIR_TIE_EITHER,
     .prefixes = QWEN_PREFIXES},
    {.model_type = "qwen2_5_vl",
     .text = "text_config",
     .family = "qwen2_5_vl_text",
     .text_at_top = true,
     .tie = WEIR_TIE_EITHER,
     .prefixes = QWEN_PREFIXES},
    {.model_type = "qwen3_vl",
     .text = "text_config",
     .family = "qwen3_vl_text",
     .tie = WEIR_TIE_TOP,
     .prefixes = QWEN_PREFIXES},
    {.model_type = "voxtral",
     .text = "text_config",
     .family = "llama",
     .any_family = true,
     .tie = WEIR_TIE_NEVER,
     .defaults = "{\"vocab_size\": 131072, \"hidden_size\": 3072, \"intermediate_size\": 8192, "
                 "\"num_hidden_layers\": 30, \"num_key_value_heads\": 8, \"max_position_embeddings\": 131072, "
                 "\"rms_norm_eps\": 1e-05, \"rope_theta\": 100000000.0, \"head_dim\": 128}",
     .prefixes = LLAVA_PREFIXES},
    {.model_type = "paligemma",
     .text = "text_config",
     .family = "gemma",
     .any_family = true,
     .tie = WEIR_TIE_TOP_OR_ABSENT,
     .caps_logits = true,
     .first_position = 1,
     .without = "use_bidirectional_attention",
     .note = "transformers' processor lets the positions of a prompt see those after them too; here none does",
     .prefixes = LLAVA_PREFIXES},
    {.model_type = "mllama",
     .text = "text_config",
     .family = "mllama_text_model",
     .tie = WEIR_TIE_NEVER,
     .prefixes = LLAVA_PREFIXES},
};

const struct weir_wrapper *weir_wrapper_of_model_type(const char *model_type)
{
    for (size_t i = 0; i < sizeof wrappers / sizeof *wrappers; i++)
        if (strcmp(wrappers[i].model_type, model_type) == 0)
            return &wrappers[i];
    return NULL;
}

static weir_status text_config_needs_memory(void)
{
    return weir_fail(WEIR_E_MEMORY, "out of memory");
}

/* The object at a path, "a.b" being b inside a; NULL where it is absent, null or no object. */
static const cJSON *object_at(const cJSON *object, const char *path)
{
    while (object && *path) {
        char name[64];
        size_t n = strcspn(path, ".");
        memcpy(name, path, n);
        name[n] = '\0';
        object = weir_json_get(object, name);
        path += n + (path[n] == '.');
    }
    return cJSON_IsObject(object) ? object : NULL;
}

/* Adds members of `from` to `out`, in place of those of their names. */
static weir_status refer_to_members(cJSON *out, const cJSON *from)
{
    const cJSON *member;
    cJSON_ArrayForEach(member, from)
    {
        cJSON_DeleteItemFromObjectCaseSensitive(out, member->string);
        if (!cJSON_AddItemReferenceToObject(out, member->string, (cJSON *)(uintptr_t)member))
            return text_config_needs_memory();
    }
    return WEIR_OK;
}

/* What the wrapper's class adds, whatever its files have. */
static weir_status copy_defaults(cJSON *out, const char *defaults)
{
    cJSON *json = NULL;
    if (!defaults)
        return WEIR_OK;
    TRY(weir_json_parse(&json, "a wrapper's defaults", defaults, strlen(defaults)));
    while (json->child) {
        cJSON *member = cJSON_DetachItemViaPointer(json, json->child);
        if (!cJSON_AddItemToObject(out, member->string, member)) {
            cJSON_Delete(member);
            cJSON_Delete(json);
            return text_config_needs_memory();
        }
    }
    cJSON_Delete(json);
    return WEIR_OK;
}

static weir_status set_family(cJSON *out, const struct weir_wrapper *wrapper)
{
    if (wrapper->any_family && weir_json_get(out, "model_type"))
        return WEIR_OK;
    cJSON_DeleteItemFromObjectCaseSensitive(out, "model_type");
    return cJSON_AddStringToObject(out, "model_type", wrapper->family) ? WEIR_OK : text_config_needs_memory();
}

static weir_status set_tied(cJSON *out, const struct weir_wrapper *wrapper, const cJSON *json, const char *file)
{
    bool top = wrapper->tie == WEIR_TIE_TOP_OR_ABSENT, text = false;
    TRY(weir_json_bool(json, file, "tie_word_embeddings", &top));
    TRY(weir_json_bool(out, file, "tie_word_embeddings", &text));
    bool tied = wrapper->tie != WEIR_TIE_NEVER && (top || (wrapper->tie == WEIR_TIE_EITHER && text));
    cJSON_DeleteItemFromObjectCaseSensitive(out, "tie_word_embeddings");
    return cJSON_AddBoolToObject(out, "tie_word_embeddings", tied) ? WEIR_OK : text_config_needs_memory();
}

/* Quantization is of the whole. */
static weir_status set_quantization(cJSON *out, const cJSON *json)
{
    const cJSON *whole = weir_json_get(json, "quantization_config");
    if (!whole)
        return WEIR_OK;
    cJSON_DeleteItemFromObjectCaseSensitive(out, "quantization_config");
    return cJSON_AddItemReferenceToObject(out, "quantization_config", (cJSON *)(uintptr_t)whole)
               ? WEIR_OK
               : text_config_needs_memory();
}

weir_status weir_wrapper_text(cJSON **out, const struct weir_wrapper *wrapper, const cJSON *json, const char *file)
{
    const cJSON *text = object_at(json, wrapper->text);
    weir_status status;
    *out = NULL;
    if (!text && wrapper->text_at_top)
        text = json;
    if (!text)
        return weir_fail(WEIR_E_INPUT, "%s: a %s has the configuration of its text model in \"%s\", which is absent",
                         file, wrapper->model_type, wrapper->text);
    *out = cJSON_CreateObject();
    if (!*out)
        return text_config_needs_memory();
    TRY_DONE(copy_defaults(*out, wrapper->defaults));
    TRY_DONE(refer_to_members(*out, text));
    if (wrapper->without)
        cJSON_DeleteItemFromObjectCaseSensitive(*out, wrapper->without);
    TRY_DONE(set_family(*out, wrapper));
    TRY_DONE(set_tied(*out, wrapper, json, file));
    TRY_DONE(set_quantization(*out, json));
done:
    if (status != WEIR_OK) {
        cJSON_Delete(*out);
        *out = NULL;
    }
    return status;
}
