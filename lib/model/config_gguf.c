/* Reads a model's configuration from a GGUF file: from keys, from which tensors there are, from what is left out.
   llama.cpp's loader is what these files are written for. */
#include "base/alloc.h"
#include "model/config.h"
#include "model/keys.h"
#include "tensor/dtype.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ARCHITECTURE_SIZE = 64, KEY_SIZE = 128, MAX_FACTORS = 4096 };

#define FIELD(member) offsetof(struct weir_config, member)

/* Keys that begin with the architecture's name. */
static const struct gguf_key {
    const char *name;
    enum weir_key_kind kind;
    size_t field;
    int64_t max;               /* of integers */
    const char *architectures; /* that read it, each between spaces; NULL: all */
} keys[] = {
    {"block_count", WEIR_KEY_INT, FIELD(n_layers), WEIR_MAX_LAYERS - 1},
    {"attention.head_count", WEIR_KEY_INT, FIELD(n_heads), WEIR_MAX_HEADS},
    {"attention.head_count_kv", WEIR_KEY_INT, FIELD(n_kv_heads), WEIR_MAX_HEADS},
    {"attention.key_length", WEIR_KEY_INT, FIELD(d_head), WEIR_MAX_HEADS},
    {"embedding_length", WEIR_KEY_INT, FIELD(d_model), WEIR_MAX_WIDTH},
    {"feed_forward_length", WEIR_KEY_INT, FIELD(d_mlp), WEIR_MAX_MLP},
    {"vocab_size", WEIR_KEY_INT, FIELD(n_vocab), WEIR_MAX_VOCABULARY},
    {"context_length", WEIR_KEY_INT, FIELD(n_context), WEIR_MAX_CONTEXT},
    {"use_parallel_residual", WEIR_KEY_BOOL, FIELD(parallel), 0, " gptneox stablelm "},
    {"attention.sliding_window", WEIR_KEY_COUNT, FIELD(window), WEIR_MAX_CONTEXT},
    {"attention.clamp_kqv", WEIR_KEY_NUMBER, FIELD(qkv_clip), 0, " mpt olmo "},
    {"attention.scale", WEIR_KEY_NUMBER, FIELD(score_scale), 0, " granite "},
    {"attn_logit_softcapping", WEIR_KEY_NUMBER, FIELD(score_cap), 0, " gemma2 "},
    {"final_logit_softcapping", WEIR_KEY_NUMBER, FIELD(logit_cap), 0, " gemma2 gemma3 "},
    {"logit_scale", WEIR_KEY_NUMBER, FIELD(logit_divisor), 0, " granite command-r "},
    {"embedding_scale", WEIR_KEY_NUMBER, FIELD(embed_scale), 0, " granite "},
    {"residual_scale", WEIR_KEY_NUMBER, FIELD(branch_scale), 0, " granite "},
    {"attention.max_alibi_bias", WEIR_KEY_NUMBER, FIELD(alibi_max), 0, " mpt bloom "},
    {"rope.freq_base", WEIR_KEY_NUMBER, FIELD(rope[0].theta), 0},
    {"rope.freq_base_swa", WEIR_KEY_NUMBER, FIELD(rope[1].theta), 0, " gemma3 "},
    {"rope.dimension_count", WEIR_KEY_INT, FIELD(rotary_dims), WEIR_MAX_HEADS},
    {"rope.scaling.factor", WEIR_KEY_NUMBER, FIELD(rope[0].factor), 0},
    {"rope.scaling.original_context_length", WEIR_KEY_NUMBER, FIELD(rope[0].original_context), 0},
    {"rope.scaling.attn_factor", WEIR_KEY_NUMBER, FIELD(rope[0].attention_factor), 0},
    {"rope.scaling.yarn_attn_factor", WEIR_KEY_NUMBER, FIELD(rope[0].attention_factor), 0},
    {"rope.scaling.yarn_beta_fast", WEIR_KEY_NUMBER, FIELD(rope[0].beta_fast), 0},
    {"rope.scaling.yarn_beta_slow", WEIR_KEY_NUMBER, FIELD(rope[0].beta_slow), 0},
    {"expert_count", WEIR_KEY_COUNT, FIELD(n_experts), WEIR_MAX_EXPERTS},
    {"expert_used_count", WEIR_KEY_COUNT, FIELD(n_active), WEIR_MAX_EXPERTS},
    {"expert_feed_forward_length", WEIR_KEY_COUNT, FIELD(d_expert), WEIR_MAX_MLP},
    {"expert_weights_norm", WEIR_KEY_BOOL, FIELD(active_sum_to_one), 0},
};

/* A family's config.json may leave out what its published models have; the converter writes that out, and an
   absent key means the same whatever the architecture. */
static void set_defaults(struct weir_config *c)
{
    c->n_layers = c->n_heads = c->d_model = c->d_mlp = c->n_vocab = 0;
    c->d_head = 0;                   /* d_model / n_heads */
    c->n_kv_heads = 0;               /* n_heads */
    c->rope[0].original_context = 0; /* n_context */
    c->window = 0;
    c->rotary_dims = 0; /* all */
    c->rotary_factor = 0;
    c->rope[0].theta = 10000;
    c->score_scale = c->score_scalar = 0; /* by d_head */
    c->logit_scale = 0;
    c->n_experts = c->n_active = c->d_expert = 0;
    c->active_sum_to_one = true;
    c->window_unused = false; /* there would be no key */
    c->first_sliding = 0;
    c->qkv_concat = true; /* as the converter lays out every fused matrix */
}

/* ---- values ---- */

static const struct weir_gguf_value *find_key_value(const struct weir_gguf *gguf, const char *architecture,
                                                    const char *key, char name[KEY_SIZE])
{
    snprintf(name, KEY_SIZE, "%s.%s", architecture, key);
    return weir_gguf_find(gguf, name);
}

/* One number, or one a layer: then all the same, as no key here differs by layer. */
static weir_status read_one_number(int64_t *out, const struct weir_gguf *gguf, const char *name)
{
    const struct weir_gguf_value *value = weir_gguf_find(gguf, name);
    bool whole = value->element == WEIR_GGUF_UINT || value->element == WEIR_GGUF_INT;
    if (value->type != WEIR_GGUF_ARRAY)
        return weir_gguf_int(gguf, name, out);
    if (!whole || value->n == 0)
        return weir_fail(WEIR_E_INPUT, "%s: %s must be a whole number, or one for each layer", gguf->path, name);
    for (size_t i = 1; i < value->n; i++)
        if (value->us[i] != value->us[0])
            return weir_fail(WEIR_E_UNSUPPORTED, "%s: %s differs by layer, which is not implemented", gguf->path, name);
    *out = value->is[0];
    return WEIR_OK;
}

/* One row of the table of keys, where the file has it and its architecture uses it. */
static weir_status read_gguf_key(struct weir_config *config, const struct gguf_key *key, const struct weir_gguf *gguf,
                                 const char *architecture)
{
    char name[KEY_SIZE];
    int64_t number = 0, least = key->kind == WEIR_KEY_COUNT ? 0 : 1;
    void *field = (char *)config + key->field;
    if ((key->architectures && !weir_key_is_in(key->architectures, architecture)) ||
        !find_key_value(gguf, architecture, key->name, name))
        return WEIR_OK;
    if (key->kind == WEIR_KEY_NUMBER)
        return weir_gguf_number(gguf, name, field);
    if (key->kind == WEIR_KEY_BOOL)
        return weir_gguf_bool(gguf, name, field);
    TRY(read_one_number(&number, gguf, name));
    if (number < least || number > key->max)
        return weir_fail(WEIR_E_INPUT, "%s: %s is %lld; it must be from %lld to %lld", gguf->path, name,
                         (long long)number, (long long)least, (long long)key->max);
    *(int *)field = (int)number;
    return WEIR_OK;
}

/* llama.cpp refuses files without it. */
static weir_status read_epsilon(struct weir_config *c, const struct weir_gguf *gguf, const char *architecture)
{
    bool layer_norm = c->norm == WEIR_NORM_LAYER;
    const char *key = layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon";
    char name[KEY_SIZE];
    if (find_key_value(gguf, architecture, key, name))
        return weir_gguf_number(gguf, name, &c->eps);
    return weir_fail(WEIR_E_INPUT, "%s: has no %s, without which its norms cannot be computed: convert the model again",
                     gguf->path, name);
}

/* Options that no model here has, with the value in which they change nothing. */
static const struct {
    const char *key;
    double value;
} refused[] = {
    {"attention.causal", 1},
    {"rope.scale_linear", 1},
    {"rope.scaling.yarn_ext_factor", 1},
    {"rope.scaling.yarn_log_multiplier", 0},
    {"expert_shared_count", 0},
    {"expert_gating_func", 1}, /* softmax */
    {"expert_weights_scale", 1},
    {"nextn_predict_layers", 0},
};

static weir_status check_refused(const struct weir_gguf *gguf, const char *architecture)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char name[KEY_SIZE];
        double value = refused[i].value;
        if (!find_key_value(gguf, architecture, refused[i].key, name))
            continue;
        TRY(weir_gguf_number(gguf, name, &value));
        if (value != refused[i].value)
            return weir_fail(WEIR_E_UNSUPPORTED, "%s: %s of %g is not implemented", gguf->path, name, value);
    }
    return WEIR_OK;
}

static weir_status read_rope_type(struct weir_config *c, const struct weir_gguf *gguf, const char *architecture)
{
    struct weir_rope_config *rope = &c->rope[0];
    char name[KEY_SIZE], *type = NULL;
    if (!find_key_value(gguf, architecture, "rope.scaling.type", name))
        return WEIR_OK;
    TRY(weir_gguf_text(gguf, name, &type));
    bool none = strcmp(type, "none") == 0, fits = strlen(type) < sizeof rope->type;
    if (!none && fits)
        snprintf(rope->type, sizeof rope->type, "%s", type);
    weir_free(type);
    return fits ? WEIR_OK : weir_fail(WEIR_E_UNSUPPORTED, "%s: %s is not one that weir knows", gguf->path, name);
}

/* A truth value a layer, or a number: all layers but every so many. */
static weir_status read_sliding(struct weir_config *c, const struct weir_gguf *gguf, const char *architecture)
{
    char name[KEY_SIZE];
    int64_t interval = 0;
    const struct weir_gguf_value *value = find_key_value(gguf, architecture, "attention.sliding_window_pattern", name);
    if (!value)
        return WEIR_OK;
    c->some_sliding = true;
    if (value->type != WEIR_GGUF_ARRAY) {
        TRY(weir_gguf_int(gguf, name, &interval));
        for (int i = 0; i < c->n_layers; i++)
            c->sliding[i] = interval <= 0 || (i + 1) % interval != 0;
        return WEIR_OK;
    }
    if (value->element != WEIR_GGUF_UINT || value->n != (size_t)c->n_layers)
        return weir_fail(WEIR_E_INPUT, "%s: %s must be a list of %d truth values", gguf->path, name, c->n_layers);
    for (int i = 0; i < c->n_layers; i++)
        c->sliding[i] = value->us[i] != 0;
    return WEIR_OK;
}

/* ---- tensors ---- */

static bool has_gguf_tensor(const struct weir_gguf *gguf, const char *name)
{
    return weir_tensors_find(gguf->tensors, name) != NULL;
}

static weir_status check_factors(const double *factors, size_t n, const struct weir_tensor *tensor)
{
    for (size_t i = 0; i < n; i++)
        if (!(factors[i] > 0) || isinf(factors[i]))
            return weir_fail(WEIR_E_INPUT, "%s: tensor '%s' must hold numbers above 0", tensor->file, tensor->name);
    return WEIR_OK;
}

/* Factors of rotation are a tensor in GGUF, converted to double. */
static weir_status read_factor_tensor(double **out, int *n, const struct weir_gguf *gguf, const char *name)
{
    struct weir_tensor *tensor = weir_tensors_find(gguf->tensors, name);
    float factors[MAX_FACTORS];
    if (!tensor)
        return weir_fail(WEIR_E_INPUT, "%s: tensor '%s' is missing", gguf->path, name);
    if (tensor->n_dims != 1 || tensor->n == 0 || tensor->n > MAX_FACTORS)
        return weir_fail(WEIR_E_INPUT, "%s: tensor '%s' is not a list of factors", gguf->path, name);
    tensor->used = true;
    weir_to_f32(factors, tensor->data, tensor->type, tensor->n);
    TRY(weir_alloc(out, tensor->n, sizeof **out));
    for (size_t i = 0; i < tensor->n; i++)
        (*out)[i] = (double)factors[i];
    *n = (int)tensor->n;
    return check_factors(*out, tensor->n, tensor);
}

/* LongRoPE: the converter need not name it, the factors are enough. */
static weir_status read_long_factors(struct weir_config *c, const struct weir_gguf *gguf)
{
    struct weir_rope_config *rope = &c->rope[0];
    int n_short = 0;
    if (!has_gguf_tensor(gguf, "rope_factors_long.weight"))
        return WEIR_OK;
    snprintf(rope->type, sizeof rope->type, "longrope");
    TRY(read_factor_tensor(&rope->long_factors, &rope->n_factors, gguf, "rope_factors_long.weight"));
    TRY(read_factor_tensor(&rope->short_factors, &n_short, gguf, "rope_factors_short.weight"));
    if (n_short != rope->n_factors)
        return weir_fail(WEIR_E_INPUT, "%s: rope_factors_short has %d factors, rope_factors_long %d", gguf->path,
                         n_short, rope->n_factors);
    return WEIR_OK;
}

/* Options that have no key. Norms are in every layer or in none: the first layer shows which. */
static void read_presence(struct weir_config *c, const struct weir_family *family, const struct weir_gguf *gguf)
{
    c->shared_norm =
        !has_gguf_tensor(gguf, "blk.0.ffn_norm.weight") && !has_gguf_tensor(gguf, "blk.0.attn_norm_2.weight");
    if (c->qk_norm == WEIR_QK_NORM_NONE && family->names[WEIR_R_Q_NORM] &&
        has_gguf_tensor(gguf, "blk.0.attn_q_norm.weight"))
        c->qk_norm = WEIR_QK_NORM_HEAD;
}

static weir_status read_facts(struct weir_config *c, const struct weir_family *family, const struct weir_gguf *gguf,
                              const char *architecture)
{
    TRY(check_refused(gguf, architecture));
    TRY(read_rope_type(c, gguf, architecture));
    TRY(read_long_factors(c, gguf));
    TRY(read_sliding(c, gguf, architecture));
    read_presence(c, family, gguf);
    return WEIR_OK;
}

/* ---- the whole ---- */

/* Rows that the converter has put in the order of pairs can be put back where whole heads turn. */
static weir_status check_row_order(const struct weir_config *c, const struct weir_family *family, const char *file)
{
    if (!family->gguf_rotates_rows || (c->d_head % 2 == 0 && c->rotary_dims == c->d_head))
        return WEIR_OK;
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: a rotation of %d of %d head dimensions is not implemented for %s", file,
                     c->rotary_dims, c->d_head, family->gguf);
}

static weir_status read_architecture(char architecture[ARCHITECTURE_SIZE], const struct weir_gguf *gguf)
{
    char *text = NULL;
    TRY(weir_gguf_text(gguf, "general.architecture", &text));
    bool fits = text && strlen(text) < ARCHITECTURE_SIZE;
    if (fits)
        memcpy(architecture, text, strlen(text) + 1);
    weir_free(text);
    return fits ? WEIR_OK : weir_fail(WEIR_E_INPUT, "%s: general.architecture is absent or too long", gguf->path);
}

weir_status weir_config_from_gguf(struct weir_config *out, const struct weir_family **family,
                                  const struct weir_gguf *gguf)
{
    char architecture[ARCHITECTURE_SIZE];
    TRY(read_architecture(architecture, gguf));
    *family = weir_family_of_gguf(architecture);
    if (!*family)
        return weir_family_unknown(gguf->path, "general.architecture", architecture);
    *out = (*family)->defaults;
    set_defaults(out);
    out->biases &= ~weir_keys_biases((*family)->keys); /* nothing here says whether there are any */
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        TRY(read_gguf_key(out, &keys[i], gguf, architecture));
    TRY(read_epsilon(out, gguf, architecture));
    TRY(read_facts(out, *family, gguf, architecture));
    if ((*family)->refine_gguf)
        TRY((*family)->refine_gguf(out, gguf));
    TRY(weir_config_derive(out, gguf->path));
    return check_row_order(out, *family, gguf->path);
}

/* ---- what is not read ---- */

/* Keys that other functions here read, and those that repeat what the tensors' shapes say. */
static const char elsewhere[] = " attention.layer_norm_epsilon attention.layer_norm_rms_epsilon rope.scaling.type"
                                " attention.sliding_window_pattern attention.value_length rope.scaling.finetuned ";

static bool is_read_key(const char *key, const char *architecture)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i].name, key) == 0)
            return !keys[i].architectures || weir_key_is_in(keys[i].architectures, architecture);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcmp(refused[i].key, key) == 0)
            return true;
    return weir_key_is_in(elsewhere, key);
}

size_t weir_config_unread_gguf(const struct weir_gguf *gguf, size_t i)
{
    char architecture[ARCHITECTURE_SIZE];
    if (read_architecture(architecture, gguf) != WEIR_OK)
        return gguf->n_values;
    size_t n = strlen(architecture);
    for (; i < gguf->n_values; i++) {
        const char *key = gguf->values[i].key;
        if (strncmp(key, architecture, n) == 0 && key[n] == '.' && !is_read_key(key + n + 1, architecture))
            return i;
    }
    return i;
}
