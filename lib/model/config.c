#include "model/config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What can be read: the field, its names in config.json (in order of preference, `|` between) and in GGUF metadata
   (behind the architecture's name). */
enum kind { INT, DOUBLE, BOOL };

#define FIELD(member) offsetof(struct weir_config, member)

static const struct key {
    size_t field;
    enum kind kind;
    const char *json, *gguf;
    int64_t max; /* of integers; they are at least 1 */
} keys[] = {
    {FIELD(n_layers), INT, "num_hidden_layers|n_layer|n_layers|num_layers", "block_count", 4096},
    {FIELD(n_heads), INT, "num_attention_heads|n_head|n_heads|num_heads", "attention.head_count", 65536},
    {FIELD(n_kv_heads), INT, "num_key_value_heads", "attention.head_count_kv", 65536},
    {FIELD(d_head), INT, "head_dim", "attention.key_length", 65536},
    {FIELD(d_model), INT, "hidden_size|n_embd|d_model", "embedding_length", 1 << 20},
    {FIELD(d_mlp), INT, "intermediate_size|n_inner|ffn_dim", "feed_forward_length", 1 << 22},
    {FIELD(n_vocab), INT, "vocab_size", "vocab_size", 1 << 26},
    {FIELD(n_context), INT, "max_position_embeddings|n_positions|n_ctx|max_seq_len", "context_length", 1 << 30},
    {FIELD(eps), DOUBLE, "rms_norm_eps|layer_norm_epsilon|layer_norm_eps", "attention.layer_norm_rms_epsilon", 0},
    {FIELD(eps), DOUBLE, NULL, "attention.layer_norm_epsilon", 0},
    {FIELD(tied), BOOL, "tie_word_embeddings", NULL, 0},
    {FIELD(window), INT, "sliding_window", "attention.sliding_window", 1 << 30},
    {FIELD(rope_theta), DOUBLE, "rope_theta", "rope.freq_base", 0},
    {FIELD(rotary_dims), INT, NULL, "rope.dimension_count", 65536},
    {FIELD(scores_by_layer), BOOL, "scale_attn_by_inverse_layer_idx", NULL, 0},
    {FIELD(rope.factor), DOUBLE, NULL, "rope.scaling.factor", 0},
};

/* Options that must have the value with which they change nothing. */
static const struct refused {
    const char *key;
    bool value;
} refused[] = {
    {"add_cross_attention", false},
    {"is_encoder_decoder", false},
};

static const struct {
    const char *name;
    enum weir_act act;
} activations[] = {
    {"gelu", WEIR_ACT_GELU},
    {"gelu_new", WEIR_ACT_GELU_TANH},
    {"gelu_pytorch_tanh", WEIR_ACT_GELU_TANH},
    {"gelu_fast", WEIR_ACT_GELU_TANH},
    {"quick_gelu", WEIR_ACT_GELU_QUICK},
    {"silu", WEIR_ACT_SILU},
    {"swish", WEIR_ACT_SILU},
    {"relu", WEIR_ACT_RELU},
    {"relu2", WEIR_ACT_RELU2},
};

static void *field(struct weir_config *config, size_t offset)
{
    return (char *)config + offset;
}

/* ---- config.json ---- */

/* The first of "a|b|c" that the object has, its name in `name`; NULL when it has none. null counts as there. */
static const cJSON *first_present(const cJSON *object, const char *names, char name[64])
{
    while (names && *names) {
        size_t n = strcspn(names, "|");
        snprintf(name, 64, "%.*s", (int)n, names);
        const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);
        if (member)
            return member;
        names += n + (names[n] == '|');
    }
    return NULL;
}

static weir_status read_json_key(struct weir_config *config, const struct key *key, const cJSON *json, const char *file)
{
    char name[64];
    const cJSON *member = first_present(json, key->json, name);
    int64_t number = 0;
    if (!member)
        return WEIR_OK;
    if (cJSON_IsNull(member)) { /* "none", for a window; "derived", for a size */
        if (key->kind == INT)
            *(int *)field(config, key->field) = 0;
        return WEIR_OK;
    }
    if (key->kind == DOUBLE)
        return weir_json_number(json, file, name, field(config, key->field));
    if (key->kind == BOOL)
        return weir_json_bool(json, file, name, field(config, key->field));
    TRY(weir_json_int(json, file, name, 1, key->max, &number));
    *(int *)field(config, key->field) = (int)number;
    return WEIR_OK;
}

static weir_status read_activation(struct weir_config *config, const cJSON *json, const char *file)
{
    char key[64];
    const char *name = NULL;
    if (!first_present(json, "hidden_activation|hidden_act|activation_function|activation", key))
        return WEIR_OK;
    TRY(weir_json_string(json, file, key, &name));
    if (!name)
        return WEIR_OK;
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++)
        if (strcmp(activations[i].name, name) == 0) {
            config->activation = activations[i].act;
            return WEIR_OK;
        }
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: \"%s\" is \"%s\", an activation that weir does not know", file, key,
                     name);
}

/* transformers 5 has rope_parameters with everything in it; before that rope_theta and rope_scaling stood side by side.
 */
static weir_status read_rope(struct weir_config *config, const cJSON *json, const char *file)
{
    const cJSON *rope = weir_json_get(json, "rope_parameters");
    const char *type = NULL;
    if (!rope)
        rope = weir_json_get(json, "rope_scaling");
    if (!rope)
        return WEIR_OK;
    if (!cJSON_IsObject(rope))
        return weir_fail(WEIR_E_INPUT, "%s: \"rope_parameters\" must be an object", file);
    TRY(weir_json_string(rope, file, "type", &type));
    TRY(weir_json_string(rope, file, "rope_type", &type));
    if (type && strlen(type) >= sizeof config->rope.type)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: rope type \"%s\" is not implemented", file, type);
    if (type)
        snprintf(config->rope.type, sizeof config->rope.type, "%s", type);
    TRY(weir_json_number(rope, file, "rope_theta", &config->rope_theta));
    TRY(weir_json_number(rope, file, "factor", &config->rope.factor));
    TRY(weir_json_number(rope, file, "low_freq_factor", &config->rope.low_freq_factor));
    TRY(weir_json_number(rope, file, "high_freq_factor", &config->rope.high_freq_factor));
    return weir_json_number(rope, file, "original_max_position_embeddings", &config->rope.original_context);
}

static weir_status check_refused(const cJSON *json, const char *file)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        bool value = refused[i].value;
        TRY(weir_json_bool(json, file, refused[i].key, &value));
        if (value != refused[i].value)
            return weir_fail(WEIR_E_UNSUPPORTED, "%s: \"%s\": %s is not implemented", file, refused[i].key,
                             value ? "true" : "false");
    }
    return WEIR_OK;
}

/* ---- what follows from the rest, and whether it makes sense ---- */

static weir_status derive(struct weir_config *c, const char *file)
{
    if (c->n_layers == 0 || c->n_heads == 0 || c->d_model == 0)
        return weir_fail(WEIR_E_INPUT, "%s: does not say how many %s there are", file,
                         c->n_layers == 0  ? "layers"
                         : c->n_heads == 0 ? "heads"
                                           : "dimensions");
    if (c->n_kv_heads == 0)
        c->n_kv_heads = c->n_heads;
    if (c->n_heads % c->n_kv_heads != 0)
        return weir_fail(WEIR_E_INPUT, "%s: %d heads cannot share %d key-value heads evenly", file, c->n_heads,
                         c->n_kv_heads);
    if (c->d_head == 0) {
        if (c->d_model % c->n_heads != 0)
            return weir_fail(WEIR_E_INPUT, "%s: %d dimensions cannot be cut into %d heads", file, c->d_model,
                             c->n_heads);
        c->d_head = c->d_model / c->n_heads;
    }
    if (c->d_mlp == 0)
        c->d_mlp = 4 * c->d_model;
    if (c->rotary_dims == 0)
        c->rotary_dims = c->d_head;
    if (c->rotary != WEIR_ROTARY_NONE && (c->rotary_dims > c->d_head || c->rotary_dims % 2 != 0))
        return weir_fail(WEIR_E_INPUT, "%s: %d of %d head dimensions cannot be rotated in pairs", file, c->rotary_dims,
                         c->d_head);
    if (!(c->eps >= 0 && c->eps < 1))
        return weir_fail(WEIR_E_INPUT, "%s: a norm's epsilon of %g makes no sense", file, c->eps);
    if (c->rotary != WEIR_ROTARY_NONE && !(c->rope_theta > 0))
        return weir_fail(WEIR_E_INPUT, "%s: \"rope_theta\" must be above 0", file);
    return WEIR_OK;
}

weir_status weir_config_from_json(struct weir_config *out, const struct weir_family **family, const cJSON *json,
                                  const char *file)
{
    const char *model_type = NULL;
    bool scaled = true;
    if (!cJSON_IsObject(json))
        return weir_fail(WEIR_E_INPUT, "%s: is not a JSON object", file);
    TRY(weir_json_string(json, file, "model_type", &model_type));
    if (!model_type)
        return weir_fail(WEIR_E_INPUT, "%s: has no \"model_type\"", file);
    *family = weir_family_of_model_type(model_type);
    if (!*family)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: model_type \"%s\" is not a family that weir knows", file, model_type);
    *out = (*family)->defaults;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        TRY(read_json_key(out, &keys[i], json, file));
    TRY(read_activation(out, json, file));
    TRY(read_rope(out, json, file));
    TRY(check_refused(json, file));
    TRY(weir_json_bool(json, file, "scale_attn_weights", &scaled));
    out->scores_unscaled = !scaled;
    if (out->n_vocab == 0)
        return weir_fail(WEIR_E_INPUT, "%s: has no \"vocab_size\"", file);
    return derive(out, file);
}

/* ---- GGUF ---- */

static weir_status read_gguf_key(struct weir_config *config, const struct key *key, const struct weir_gguf *gguf,
                                 const char *architecture)
{
    char name[128];
    int64_t number = 0;
    if (!key->gguf)
        return WEIR_OK;
    snprintf(name, sizeof name, "%s.%s", architecture, key->gguf);
    if (!weir_gguf_find(gguf, name))
        return WEIR_OK;
    if (key->kind == DOUBLE)
        return weir_gguf_number(gguf, name, field(config, key->field));
    TRY(weir_gguf_int(gguf, name, &number));
    if (number < 1 || number > key->max)
        return weir_fail(WEIR_E_INPUT, "%s: %s is %lld; it must be from 1 to %lld", gguf->path, name, (long long)number,
                         (long long)key->max);
    *(int *)field(config, key->field) = (int)number;
    return WEIR_OK;
}

static weir_status read_gguf_rope(struct weir_config *config, const struct weir_gguf *gguf, const char *architecture)
{
    char name[128];
    snprintf(name, sizeof name, "%s.rope.scaling.type", architecture);
    const struct weir_gguf_value *type = weir_gguf_find(gguf, name);
    if (!type)
        return WEIR_OK;
    if (type->type != WEIR_GGUF_STRING || type->s.n >= sizeof config->rope.type)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: %s is not one that weir knows", gguf->path, name);
    if (type->s.n == 4 && memcmp(type->s.data, "none", 4) == 0)
        return WEIR_OK;
    snprintf(config->rope.type, sizeof config->rope.type, "%.*s", (int)type->s.n, type->s.data);
    return WEIR_OK;
}

weir_status weir_config_from_gguf(struct weir_config *out, const struct weir_family **family,
                                  const struct weir_gguf *gguf)
{
    const struct weir_gguf_value *value = weir_gguf_find(gguf, "general.architecture");
    char architecture[64];
    if (!value || value->type != WEIR_GGUF_STRING)
        return weir_fail(WEIR_E_INPUT, "%s: has no general.architecture", gguf->path);
    snprintf(architecture, sizeof architecture, "%.*s", (int)(value->s.n < 63 ? value->s.n : 63), value->s.data);
    *family = weir_family_of_gguf(architecture);
    if (!*family)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: architecture \"%s\" is not a family that weir knows", gguf->path,
                         architecture);
    *out = (*family)->defaults;
    out->tied = true; /* GGUF has no such key: an output matrix that is there wins */
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        TRY(read_gguf_key(out, &keys[i], gguf, architecture));
    TRY(read_gguf_rope(out, gguf, architecture));
    return derive(out, gguf->path);
}

/* ---- specs ---- */

void weir_config_layer(struct weir_layer_spec *out, const struct weir_config *c, int layer)
{
    double scale = c->scores_unscaled ? 1.0 : 1.0 / sqrt((double)c->d_head);
    if (c->scores_by_layer)
        scale /= layer + 1;
    *out = (struct weir_layer_spec){
        .n_heads = c->n_heads,
        .n_kv_heads = c->n_kv_heads,
        .d_head = c->d_head,
        .score_scale = (float)scale,
        .window = c->window,
        .rotary = c->rotary,
        .rotary_dims = c->rotary_dims,
        .norm = c->norm,
        .eps = (float)c->eps,
        .gated = c->gated,
        .activation = c->activation,
        .d_mlp = c->d_mlp,
    };
}
