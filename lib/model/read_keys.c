/* config.json by a family's list of keys. */
#include "model/config.h"
#include "model/keys.h"

#include <string.h>

static void *config_field(struct weir_config *config, size_t offset)
{
    return (char *)config + offset;
}

/* ---- names ---- */

enum { NAME_SIZE = 64 };

/* The next of a key's names, which are separated by |. */
static const char *next_name(char name[NAME_SIZE], const char *names)
{
    size_t n = strcspn(names, "|");
    memcpy(name, names, n);
    name[n] = '\0';
    return names + n + (names[n] == '|');
}

/* The member called `name`, which becomes the part after the dot of "a.b", a member of *parent. */
static const cJSON *member_of(const cJSON *object, char name[NAME_SIZE], const cJSON **parent)
{
    char *dot = strchr(name, '.');
    *parent = object;
    if (dot) {
        *dot = '\0';
        *parent = cJSON_GetObjectItemCaseSensitive(object, name);
        memmove(name, dot + 1, strlen(dot + 1) + 1);
    }
    return cJSON_GetObjectItemCaseSensitive(*parent, name);
}

/* The first that is there, null or not. */
static const cJSON *first_of(const cJSON *object, const char *names, const cJSON **parent, char name[NAME_SIZE])
{
    while (*names) {
        names = next_name(name, names);
        const cJSON *member = member_of(object, name, parent);
        if (member)
            return member;
    }
    return NULL;
}

bool weir_keys_have(const struct weir_key *keys, const char *wanted)
{
    for (const struct weir_key *key = keys; key->names; key++)
        for (const char *names = key->names; *names;) {
            char name[NAME_SIZE];
            names = next_name(name, names);
            name[strcspn(name, ".")] = '\0';
            if (strcmp(name, wanted) == 0)
                return true;
        }
    return false;
}

uint64_t weir_keys_biases(const struct weir_key *keys)
{
    uint64_t roles = 0;
    for (const struct weir_key *key = keys; key->names; key++)
        roles |= key->roles;
    return roles;
}

/* ---- activations ---- */

static const struct {
    const char *name;
    enum weir_act act;
} activations[] = {
    {"gelu", WEIR_ACT_GELU},
    {"gelu_python", WEIR_ACT_GELU},
    {"gelu_new", WEIR_ACT_GELU_TANH},
    {"gelu_pytorch_tanh", WEIR_ACT_GELU_TANH},
    {"gelu_fast", WEIR_ACT_GELU_TANH},
    {"gelu_accurate", WEIR_ACT_GELU_TANH},
    {"quick_gelu", WEIR_ACT_GELU_QUICK},
    {"silu", WEIR_ACT_SILU},
    {"swish", WEIR_ACT_SILU},
    {"relu", WEIR_ACT_RELU},
    {"relu2", WEIR_ACT_RELU2},
    {"solu", WEIR_ACT_SOLU},
    {"solu_ln", WEIR_ACT_SOLU},
};

static weir_status read_activation(struct weir_config *config, const cJSON *parent, const char *file, const char *key)
{
    const char *name = NULL;
    TRY(weir_json_string(parent, file, key, &name));
    for (size_t i = 0; name && i < sizeof activations / sizeof *activations; i++)
        if (strcmp(activations[i].name, name) == 0) {
            config->activation = activations[i].act;
            return WEIR_OK;
        }
    if (!name)
        return WEIR_OK;
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: \"%s\" is \"%s\", an activation that weir does not know", file, key,
                     name);
}

/* "gelu" is what its first release wrote, and meant the other form. */
weir_status weir_read_gemma_activation(struct weir_config *config, const cJSON *json, const char *file)
{
    TRY(read_activation(config, json, file, "hidden_act"));
    if (config->activation == WEIR_ACT_GELU)
        config->activation = WEIR_ACT_GELU_TANH;
    return WEIR_OK;
}

weir_status weir_read_lens_activation(struct weir_config *config, const cJSON *json, const char *file)
{
    return config->attn_only ? WEIR_OK : read_activation(config, json, file, "act_fn");
}

/* ---- more than a value ---- */

/* An old name that wins, unless it is null. */
weir_status weir_read_n_embed(struct weir_config *config, const cJSON *json, const char *file)
{
    int64_t width = config->d_model;
    TRY(weir_json_int(json, file, "n_embed", 1, WEIR_MAX_WIDTH, &width));
    config->d_model = (int)width;
    return WEIR_OK;
}

/* "vision" lets the parts of an image see each other: nothing to text. */
weir_status weir_read_bidirectional(struct weir_config *config, const cJSON *json, const char *file)
{
    const cJSON *value = weir_json_get(json, "use_bidirectional_attention");
    (void)config;
    if (!value || cJSON_IsFalse(value) || (cJSON_IsString(value) && strcmp(value->valuestring, "vision") == 0))
        return WEIR_OK;
    if (!cJSON_IsString(value) && !cJSON_IsTrue(value))
        return weir_fail(WEIR_E_INPUT, "%s: \"use_bidirectional_attention\" must be a truth value or \"vision\"", file);
    return weir_fail(WEIR_E_UNSUPPORTED,
                     "%s: \"use_bidirectional_attention\": true is not implemented: positions see only those before "
                     "them",
                     file);
}

/* The method by which weights are quantized, as the programs that write it call it; NULL where the object has none. */
static const char *method_of(const cJSON *quantization)
{
    static const char *const names[] = {"quant_method", "quant_algo", "quant_type", "quantization_method"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const cJSON *name = cJSON_GetObjectItemCaseSensitive(quantization, names[i]);
        if (cJSON_IsString(name))
            return name->valuestring;
    }
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(quantization, "load_in_4bit")))
        return "bitsandbytes, 4 bits";
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(quantization, "load_in_8bit")))
        return "bitsandbytes, 8 bits";
    return NULL;
}

/* Weights that are kept as blocks and scales of some method, under that method's names. */
weir_status weir_read_quantization(struct weir_config *config, const cJSON *json, const char *file)
{
    const cJSON *quantization = weir_json_get(json, "quantization_config");
    (void)config;
    if (!quantization || (cJSON_IsObject(quantization) && !quantization->child)) /* {} is none */
        return WEIR_OK;
    if (!cJSON_IsObject(quantization))
        return weir_fail(WEIR_E_INPUT, "%s: \"quantization_config\" must be an object", file);
    const char *method = method_of(quantization);
    if (method && strcmp(method, "mxfp4") == 0) /* the tensors show which: some are, some are not */
        return WEIR_OK;
    return weir_fail(WEIR_E_UNSUPPORTED,
                     "%s: \"quantization_config\": weights quantized by %s are not implemented: dequantize the model",
                     file, method ? method : "a method that it does not name");
}

/* ---- a key ---- */

static weir_status read_only(const struct weir_key *key, const cJSON *member, const char *file, const char *name)
{
    double value = cJSON_IsNumber(member) ? member->valuedouble : cJSON_IsTrue(member) ? 1 : 0;
    if (!cJSON_IsNumber(member) && !cJSON_IsBool(member))
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" must be a number or a truth value", file, name);
    if (value == key->only)
        return WEIR_OK;
    if (cJSON_IsNumber(member))
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: \"%s\": %g is not implemented", file, name, value);
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: \"%s\": %s is not implemented", file, name, value > 0 ? "true" : "false");
}

static weir_status read_int_key(struct weir_config *config, const struct weir_key *key, const cJSON *parent,
                                const char *file, const char *name)
{
    int64_t number = 0;
    TRY(weir_json_int(parent, file, name, key->kind == WEIR_KEY_COUNT ? 0 : 1, key->max, &number));
    *(int *)config_field(config, key->field) = (int)number;
    return WEIR_OK;
}

static weir_status read_number_key(struct weir_config *config, const struct weir_key *key, const cJSON *parent,
                                   const char *file, const char *name)
{
    double *number = config_field(config, key->field);
    *number = 0;
    return weir_json_number(parent, file, name, number);
}

static weir_status read_bool(struct weir_config *config, const struct weir_key *key, const cJSON *parent,
                             const char *file, const char *name)
{
    bool value = false;
    TRY(weir_json_bool(parent, file, name, &value));
    if (key->kind == WEIR_KEY_BIASES)
        config->biases = value ? config->biases | key->roles : config->biases & ~key->roles;
    else
        *(bool *)config_field(config, key->field) = value != (key->kind == WEIR_KEY_NOT);
    return WEIR_OK;
}

/* One key of a family's list, under the first of its names that the file has. */
static weir_status read_listed_key(struct weir_config *config, const struct weir_key *key, const cJSON *json,
                                   const char *file)
{
    char name[NAME_SIZE];
    const cJSON *parent, *member = first_of(json, key->names, &parent, name);
    if (!member)
        return WEIR_OK;
    switch (key->kind) {
    case WEIR_KEY_INT:
    case WEIR_KEY_COUNT:
        return read_int_key(config, key, parent, file, name);
    case WEIR_KEY_NUMBER:
        return read_number_key(config, key, parent, file, name);
    case WEIR_KEY_BOOL:
    case WEIR_KEY_NOT:
    case WEIR_KEY_BIASES:
        return read_bool(config, key, parent, file, name);
    case WEIR_KEY_ACTIVATION:
        return read_activation(config, parent, file, name);
    case WEIR_KEY_ONLY:
        return cJSON_IsNull(member) ? WEIR_OK : read_only(key, member, file, name);
    case WEIR_KEY_READ:
        break;
    }
    return key->read ? key->read(config, json, file) : WEIR_OK;
}

/* ---- the list ---- */

/* The members that the list names; values are referred to, not copied. */
static weir_status select_members(cJSON **out, const struct weir_key *keys, const cJSON *json)
{
    const cJSON *member;
    *out = cJSON_CreateObject();
    if (!*out)
        return weir_fail(WEIR_E_MEMORY, "out of memory");
    cJSON_ArrayForEach(member, json)
    {
        if (!weir_keys_have(keys, member->string))
            continue;
        cJSON_DeleteItemFromObjectCaseSensitive(*out, member->string); /* of two the last one counts, as in Python */
        if (!cJSON_AddItemReferenceToObject(*out, member->string, (cJSON *)(uintptr_t)member))
            return weir_fail(WEIR_E_MEMORY, "out of memory");
    }
    return WEIR_OK;
}

weir_status weir_read_keys(struct weir_config *config, cJSON **seen, const struct weir_family *family,
                           const cJSON *json, const char *file)
{
    TRY(select_members(seen, family->keys, json));
    for (const struct weir_key *key = family->keys; key->names; key++)
        TRY(read_listed_key(config, key, *seen, file));
    return WEIR_OK;
}

/* ---- what is not read ---- */

/* Keys of generation, of training, of classifiers, of what is computed in float32 anyway, of how a model was made and
   is kept: they have no part in what it computes, in any family. */
static const char bookkeeping[] =
    " reorder_and_upcast_attn slow_but_exact attention_softmax_in_fp32 scale_attention_softmax_in_fp32"
    " _name_or_path _commit_hash architectures auto_map model_type transformers_version torch_dtype dtype use_cache"
    " attn_implementation _attn_implementation _attn_implementation_autoset return_dict output_attentions"
    " output_hidden_states output_router_logits torchscript use_bfloat16 gradient_checkpointing bos_token_id "
    "eos_token_id"
    " pad_token_id sep_token_id decoder_start_token_id forced_bos_token_id forced_eos_token_id begin_suppress_tokens"
    " suppress_tokens bad_words_ids max_length min_length do_sample early_stopping num_beams num_beam_groups"
    " diversity_penalty temperature top_k top_p typical_p repetition_penalty length_penalty no_repeat_ngram_size"
    " encoder_no_repeat_ngram_size num_return_sequences output_scores return_dict_in_generate remove_invalid_values"
    " exponential_decay_length_penalty task_specific_params prefix id2label label2id num_labels problem_type"
    " finetuning_task tokenizer_class chunk_size_feed_forward cross_attention_hidden_size tie_encoder_decoder "
    "is_decoder"
    " is_encoder_decoder add_cross_attention pruned_heads initializer_range init_std initializer_factor "
    "attention_dropout"
    " attn_pdrop attention_probs_dropout_prob resid_pdrop resid_dropout residual_dropout embd_pdrop emb_pdrop"
    " embed_dropout embedding_dropout hidden_dropout hidden_dropout_prob dropout layerdrop classifier_dropout"
    " summary_activation summary_first_dropout summary_proj_to_labels summary_type summary_use_proj "
    "router_aux_loss_coef"
    " input_jitter_noise pretraining_tp init_device init_config unsloth_version unsloth_fixed _unsloth_mod_quants ";

bool weir_key_is_in(const char *list, const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || strchr(name, ' ')) /* none of them has one; and what is found then begins after one */
        return false;
    for (const char *at = list; (at = strstr(at, name)); at += n)
        if (at > list && at[-1] == ' ' && at[n] == ' ')
            return true;
    return false;
}

const cJSON *weir_config_unread(const struct weir_family *family, const cJSON *member)
{
    const char *nothing = family->without_effect ? family->without_effect : bookkeeping;
    for (; member; member = member->next)
        if (member->string && !cJSON_IsNull(member) && !weir_keys_have(family->keys, member->string) &&
            !weir_key_is_in(nothing, member->string))
            return member;
    return NULL;
}
