/* Frequencies of rotary position embeddings by rope type. Su et al. 2021 (RoFormer); linear and dynamic scaling, YaRN
   (Peng et al. 2023), Llama 3.1's and LongRoPE (Ding et al. 2024) as transformers' modeling_rope_utils defines them.
   Frequencies are doubles: rounded to float32, as transformers holds them, an angle would be off by 2e-4 at position
   8000, and by how much would depend on whose pow() made them. */
#include "base/alloc.h"
#include "model/config.h"

#include <math.h>
#include <string.h>

static const double TWO_PI = 6.283185307179586;

typedef weir_status scale_fn(struct weir_rope *rope, const struct weir_config *config,
                             const struct weir_rope_config *c);

static weir_status scale_default(struct weir_rope *rope, const struct weir_config *config,
                                 const struct weir_rope_config *c)
{
    (void)rope;
    (void)config;
    (void)c;
    return WEIR_OK;
}

static weir_status require_key(bool there, const char *type, const char *what)
{
    return there ? WEIR_OK : weir_fail(WEIR_E_INPUT, "rope type \"%s\" needs %s above 0", type, what);
}

static weir_status scale_linear(struct weir_rope *rope, const struct weir_config *config,
                                const struct weir_rope_config *c)
{
    (void)config;
    TRY(require_key(c->factor > 0, c->type, "\"factor\""));
    for (int i = 0; i < rope->n; i++)
        rope->inv_freq[i] /= c->factor;
    return WEIR_OK;
}

/* NTK-aware: nothing up to the trained context, then a base that grows with the prompt. */
static weir_status scale_dynamic(struct weir_rope *rope, const struct weir_config *config,
                                 const struct weir_rope_config *c)
{
    TRY(require_key(c->factor > 0, c->type, "\"factor\""));
    if (rope->rotary_dims == 2) /* its exponent is n / (n - 2) */
        return weir_fail(WEIR_E_UNSUPPORTED, "rope type \"dynamic\" of %d dimensions is not implemented",
                         rope->rotary_dims);
    rope->dynamic_factor = c->factor;
    rope->long_from = config->n_context;
    return WEIR_OK;
}

/* Llama 3.1: wavelengths longer than the original context are stretched by the factor, short ones stay, between the two
   it passes smoothly from one to the other. */
static weir_status scale_llama3(struct weir_rope *rope, const struct weir_config *config,
                                const struct weir_rope_config *c)
{
    double low = c->low_freq_factor, high = c->high_freq_factor;
    (void)config;
    TRY(require_key(
        c->factor > 0 && low > 0 && high > low && c->original_context > 0, c->type,
        "\"factor\", \"low_freq_factor\", a larger \"high_freq_factor\" and \"original_max_position_embeddings\""));
    for (int i = 0; i < rope->n; i++) {
        double frequency = rope->inv_freq[i], wavelength = TWO_PI / frequency;
        double smooth = (c->original_context / wavelength - low) / (high - low); /* 0 at the long end, 1 at the short */
        smooth = smooth < 0 ? 0 : smooth > 1 ? 1 : smooth;
        rope->inv_freq[i] = (1 - smooth) * frequency / c->factor + smooth * frequency;
    }
    return WEIR_OK;
}

/* YaRN's temperature: 0.1 m ln(scale) + 1. */
static double yarn_magnitude(double scale, double m)
{
    return scale <= 1 ? 1 : 0.1 * m * log(scale) + 1;
}

/* The dimension that turns `rotations` times within the original context. */
static double yarn_dimension(const struct weir_rope_config *c, int dims, double rotations)
{
    return dims * log(c->original_context / (rotations * TWO_PI)) / (2 * log(c->theta));
}

/* Fast dimensions keep their frequency, slow ones are divided by the factor, those between are blended. */
static weir_status scale_yarn(struct weir_rope *rope, const struct weir_config *config,
                              const struct weir_rope_config *c)
{
    double factor = c->factor > 0 ? c->factor : config->n_context / c->original_context;
    double low = yarn_dimension(c, rope->rotary_dims, c->beta_fast > 0 ? c->beta_fast : 32);
    double high = yarn_dimension(c, rope->rotary_dims, c->beta_slow > 0 ? c->beta_slow : 1);
    TRY(require_key(c->original_context > 0 && factor > 0, c->type,
                    "\"factor\" and \"original_max_position_embeddings\""));
    low = fmax(c->untruncated ? low : floor(low), 0);
    high = fmin(c->untruncated ? high : ceil(high), rope->rotary_dims - 1);
    if (low == high)
        high += 0.001;
    int pairs = rope->rotary_dims > 1 ? rope->rotary_dims / 2 : 1;
    for (int i = 0; i < rope->n; i++) {     /* from extrapolated below `low` to interpolated above `high` */
        int at = i < pairs ? i : pairs - 1; /* of an odd number the last turns as the one before, as in transformers */
        double ramp = fmin(fmax((at - low) / (high - low), 0), 1), frequency = rope->inv_freq[i];
        rope->inv_freq[i] = frequency / factor * ramp + frequency * (1 - ramp);
    }
    rope->factor = c->attention_factor > 0 ? c->attention_factor
                   : c->mscale > 0 && c->mscale_all_dim > 0
                       ? yarn_magnitude(factor, c->mscale) / yarn_magnitude(factor, c->mscale_all_dim)
                       : yarn_magnitude(factor, 1);
    return WEIR_OK;
}

static double longrope_factor(const struct weir_rope_config *c, double factor, double original)
{
    if (c->attention_factor > 0)
        return c->attention_factor;
    return factor <= 1 ? 1 : sqrt(1 + log(factor) / log(original));
}

/* Phi-3: each frequency is divided by its own factor, by other factors past the original context. */
static weir_status scale_longrope(struct weir_rope *rope, const struct weir_config *config,
                                  const struct weir_rope_config *c)
{
    double original = c->original_context > 0 ? c->original_context : config->rope[0].original_context;
    double factor = original > 0 && c->factor <= 0 ? config->n_context / original : c->factor;
    if (!c->long_factors || !c->short_factors || c->n_factors != rope->n || !(original > 0))
        return weir_fail(WEIR_E_INPUT,
                         "rope type \"longrope\" needs \"short_factor\" and \"long_factor\" of %d numbers, and "
                         "\"original_max_position_embeddings\"",
                         rope->n);
    if (c->by_mscale)
        TRY(require_key(c->short_mscale > 0 && c->long_mscale > 0, c->type, "\"short_mscale\" and \"long_mscale\""));
    TRY(weir_alloc(&rope->long_inv_freq, (size_t)rope->n, sizeof *rope->long_inv_freq));
    for (int i = 0; i < rope->n; i++) {
        double power = pow(c->theta, 2.0 * i / rope->rotary_dims);
        rope->inv_freq[i] = 1 / (c->short_factors[i] * power);
        rope->long_inv_freq[i] = 1 / ((c->by_mscale ? c->short_factors : c->long_factors)[i] * power);
    }
    rope->long_from = original;
    rope->factor = c->by_mscale ? c->short_mscale : longrope_factor(c, factor, original);
    rope->long_factor = c->by_mscale ? c->long_mscale : 0;
    return WEIR_OK;
}

static const struct {
    const char *type;
    scale_fn *scale;
} types[] = {
    {"", scale_default},      {"default", scale_default}, {"linear", scale_linear},     {"dynamic", scale_dynamic},
    {"llama3", scale_llama3}, {"yarn", scale_yarn},       {"longrope", scale_longrope}, {"su", scale_longrope},
};

static weir_status scale_frequencies(struct weir_rope *rope, const struct weir_config *config,
                                     const struct weir_rope_config *c)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].type, c->type) == 0)
            return types[i].scale(rope, config, c);
    return weir_fail(WEIR_E_UNSUPPORTED, "rope type \"%s\" is not implemented", c->type);
}

static weir_status apply_factors(struct weir_rope *rope, const float *factors, size_t n_factors)
{
    if (!factors)
        return WEIR_OK;
    if (n_factors != (size_t)rope->n)
        return weir_fail(WEIR_E_INPUT, "rope_freqs has %zu factors for %d frequencies", n_factors, rope->n);
    for (int i = 0; i < rope->n; i++) {
        if (!(factors[i] > 0) || isinf(factors[i]))
            return weir_fail(WEIR_E_INPUT, "rope_freqs has the factor %g; they must be above 0", (double)factors[i]);
        rope->inv_freq[i] /= (double)factors[i];
    }
    return WEIR_OK;
}

static void fill_frequencies(double *inv_freq, int n, int rotary_dims, double theta)
{
    for (int i = 0; i < n; i++)
        inv_freq[i] = 1.0 / pow(theta, 2.0 * i / rotary_dims);
}

weir_status weir_rope_open(struct weir_rope *out, const struct weir_config *config, int kind, const float *factors,
                           size_t n_factors)
{
    const struct weir_rope_config *c = &config->rope[kind];
    struct weir_rope rope = {.n = (config->rotary_dims + 1) / 2,
                             .factor = 1,
                             .rotary_dims = config->rotary_dims,
                             .theta = c->theta,
                             .first = config->first_position};
    *out = (struct weir_rope){0};
    if (config->rotary == WEIR_ROTARY_NONE || (kind > 0 && !config->two_ropes))
        return WEIR_OK;
    TRY(weir_alloc(&rope.inv_freq, (size_t)rope.n, sizeof *rope.inv_freq));
    fill_frequencies(rope.inv_freq, rope.n, rope.rotary_dims, c->theta);
    weir_status status = scale_frequencies(&rope, config, c);
    if (status == WEIR_OK)
        status = apply_factors(&rope, factors, n_factors);
    if (status == WEIR_OK)
        *out = rope;
    else
        weir_rope_close(&rope);
    return status;
}

void weir_rope_close(struct weir_rope *rope)
{
    weir_free(rope->inv_freq);
    weir_free(rope->long_inv_freq);
    *rope = (struct weir_rope){0};
}

weir_status weir_rope_frequencies(const double **out, double **own, const struct weir_rope *rope, size_t positions)
{
    bool beyond = rope->long_from > 0 && (double)positions > rope->long_from;
    *own = NULL;
    *out = beyond && rope->long_inv_freq ? rope->long_inv_freq : rope->inv_freq;
    if (!beyond || rope->dynamic_factor <= 0)
        return WEIR_OK;
    double factor = rope->dynamic_factor, dims = rope->rotary_dims;
    double growth = factor * (double)positions / rope->long_from - (factor - 1);
    TRY(weir_alloc(own, (size_t)rope->n, sizeof **own));
    fill_frequencies(*own, rope->n, rope->rotary_dims, rope->theta * pow(growth, dims / (dims - 2)));
    *out = *own;
    return WEIR_OK;
}
