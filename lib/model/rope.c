/* Frequencies of rotary position embeddings by rope type. Su et al. 2021 (RoFormer); scaling as transformers'
   modeling_rope_utils defines it. */
#include "base/alloc.h"
#include "model/config.h"

#include <math.h>
#include <string.h>

typedef weir_status scale_fn(struct weir_rope *rope, const struct weir_config *config);

static weir_status scale_default(struct weir_rope *rope, const struct weir_config *config)
{
    (void)rope;
    (void)config;
    return WEIR_OK;
}

static weir_status scale_linear(struct weir_rope *rope, const struct weir_config *config)
{
    if (!(config->rope.factor > 0))
        return weir_fail(WEIR_E_INPUT, "linear rope scaling needs a \"factor\" above 0");
    for (int i = 0; i < rope->n; i++)
        rope->inv_freq[i] = (float)((double)rope->inv_freq[i] / config->rope.factor);
    return WEIR_OK;
}

/* Llama 3.1: wavelengths longer than the original context are stretched by the factor, short ones stay, between the two
   it passes smoothly from one to the other. */
static weir_status scale_llama3(struct weir_rope *rope, const struct weir_config *config)
{
    double factor = config->rope.factor, low = config->rope.low_freq_factor, high = config->rope.high_freq_factor;
    double context = config->rope.original_context;
    if (!(factor > 0) || !(low > 0) || !(high > low) || !(context > 0))
        return weir_fail(WEIR_E_INPUT, "llama3 rope scaling needs \"factor\", \"low_freq_factor\", a larger "
                                       "\"high_freq_factor\" and \"original_max_position_embeddings\"");
    for (int i = 0; i < rope->n; i++) {
        double frequency = (double)rope->inv_freq[i], wavelength = 6.283185307179586 / frequency;
        double smooth = (context / wavelength - low) / (high - low); /* 0 at the long end, 1 at the short one */
        smooth = smooth < 0 ? 0 : smooth > 1 ? 1 : smooth;
        rope->inv_freq[i] = (float)((1 - smooth) * frequency / factor + smooth * frequency);
    }
    return WEIR_OK;
}

static const struct {
    const char *type;
    scale_fn *scale;
} types[] = {
    {"", scale_default},
    {"default", scale_default},
    {"linear", scale_linear},
    {"llama3", scale_llama3},
};

static weir_status scale(struct weir_rope *rope, const struct weir_config *config)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].type, config->rope.type) == 0)
            return types[i].scale(rope, config);
    return weir_fail(WEIR_E_UNSUPPORTED, "rope type \"%s\" is not implemented", config->rope.type);
}

static weir_status apply_factors(struct weir_rope *rope, const float *factors, size_t n_factors)
{
    if (!factors)
        return WEIR_OK;
    if (n_factors != (size_t)rope->n)
        return weir_fail(WEIR_E_INPUT, "rope_freqs has %zu factors for %d frequencies", n_factors, rope->n);
    for (int i = 0; i < rope->n; i++)
        rope->inv_freq[i] /= factors[i];
    return WEIR_OK;
}

weir_status weir_config_rope(struct weir_rope *out, const struct weir_config *config, const float *factors,
                             size_t n_factors)
{
    struct weir_rope rope = {.n = config->rotary_dims / 2, .attention_factor = 1};
    *out = (struct weir_rope){0};
    if (config->rotary == WEIR_ROTARY_NONE)
        return WEIR_OK;
    TRY(weir_alloc(&rope.inv_freq, (size_t)rope.n, sizeof *rope.inv_freq));
    for (int i = 0; i < rope.n; i++) /* rounded to float32 as the models themselves hold them */
        rope.inv_freq[i] = (float)(1.0 / pow(config->rope_theta, 2.0 * i / config->rotary_dims));
    weir_status status = scale(&rope, config);
    if (status == WEIR_OK)
        status = apply_factors(&rope, factors, n_factors);
    if (status == WEIR_OK)
        *out = rope;
    else
        weir_free(rope.inv_freq);
    return status;
}
