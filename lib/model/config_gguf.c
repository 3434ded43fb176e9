/* What a GGUF file says of a model other than by keys with one number: by lists, by which tensors it has, by leaving
   something out. llama.cpp's loader is what these files are written for. */
#include "base/alloc.h"
#include "model/config.h"
#include "tensor/dtype.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { KEY_SIZE = 128, MAX_FACTORS = 4096 };

/* What a family's config.json may leave out is what its published models have; the converter writes that out, and an
   absent key means the same whatever the architecture. */
void weir_gguf_defaults(struct weir_config *c)
{
    c->d_head = 0; /* d_model / n_heads */
    c->window = 0;
    c->rotary_dims = 0; /* all */
    c->rotary_factor = 0;
    c->rope[0].theta = 10000;
    c->score_scale = c->score_scalar = 0; /* by d_head */
    c->logit_scale = 0;
    c->n_experts = c->n_active = c->d_expert = 0;
    c->active_sum_to_one = true;
    c->qkv_concat = true; /* as the converter lays out every fused matrix */
}

/* ---- values ---- */

static const struct weir_gguf_value *find(const struct weir_gguf *gguf, const char *architecture, const char *key,
                                          char name[KEY_SIZE])
{
    snprintf(name, KEY_SIZE, "%s.%s", architecture, key);
    return weir_gguf_find(gguf, name);
}

/* Options that no model here has, with the value in which they change nothing. */
static weir_status check_refused(const struct weir_gguf *gguf, const char *architecture)
{
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
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        char name[KEY_SIZE];
        double value = refused[i].value;
        if (!find(gguf, architecture, refused[i].key, name))
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
    if (!find(gguf, architecture, "rope.scaling.type", name))
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
    const struct weir_gguf_value *value = find(gguf, architecture, "attention.sliding_window_pattern", name);
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

static bool has(const struct weir_gguf *gguf, const char *name)
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

static weir_status read_factors(double **out, int *n, const struct weir_gguf *gguf, const char *name)
{
    const struct weir_tensor *tensor = weir_tensors_find(gguf->tensors, name);
    float factors[MAX_FACTORS];
    if (!tensor)
        return weir_fail(WEIR_E_INPUT, "%s: tensor '%s' is missing", gguf->path, name);
    if (tensor->n_dims != 1 || tensor->n == 0 || tensor->n > MAX_FACTORS)
        return weir_fail(WEIR_E_INPUT, "%s: tensor '%s' is no list of factors", gguf->path, name);
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
    if (!has(gguf, "rope_factors_long.weight"))
        return WEIR_OK;
    snprintf(rope->type, sizeof rope->type, "longrope");
    TRY(read_factors(&rope->long_factors, &rope->n_factors, gguf, "rope_factors_long.weight"));
    TRY(read_factors(&rope->short_factors, &n_short, gguf, "rope_factors_short.weight"));
    if (n_short != rope->n_factors)
        return weir_fail(WEIR_E_INPUT, "%s: rope_factors_short has %d factors, rope_factors_long %d", gguf->path,
                         n_short, rope->n_factors);
    return WEIR_OK;
}

/* Options that no key tells. Norms are in every layer or in none: the first one tells. */
static void read_presence(struct weir_config *c, const struct weir_family *family, const struct weir_gguf *gguf)
{
    c->shared_norm = !has(gguf, "blk.0.ffn_norm.weight") && !has(gguf, "blk.0.attn_norm_2.weight");
    if (c->qk_norm == WEIR_QK_NORM_NONE && family->names[WEIR_R_Q_NORM] && has(gguf, "blk.0.attn_q_norm.weight"))
        c->qk_norm = WEIR_QK_NORM_HEAD;
}

weir_status weir_gguf_facts(struct weir_config *c, const struct weir_family *family, const struct weir_gguf *gguf,
                            const char *architecture)
{
    TRY(check_refused(gguf, architecture));
    TRY(read_rope_type(c, gguf, architecture));
    TRY(read_long_factors(c, gguf));
    TRY(read_sliding(c, gguf, architecture));
    read_presence(c, family, gguf);
    return WEIR_OK;
}
