/* A model's norms, activation, positions, experts and weight types as short texts. */
#include "cli/commands/kinds.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Adds to what is there, cut where there is no more room. */
__attribute__((format(printf, 2, 3))) static void add_kind(char to[MOST_KIND], const char *format, ...)
{
    size_t n = strlen(to);
    va_list args;
    va_start(args, format);
    vsnprintf(to + n, MOST_KIND - n, format, args);
    va_end(args);
}

/* ---- types ---- */

static void add_up_types(uint64_t bytes[WEIR_N_TYPES], const struct weir_tensors *tensors)
{
    for (size_t i = 0; i < tensors->n; i++)
        if (tensors->list[i].used && !tensors->list[i].unread)
            bytes[tensors->list[i].type] += tensors->list[i].bytes;
}

void weights_text(char to[MOST_KIND], const struct weir_model *model)
{
    uint64_t bytes[WEIR_N_TYPES] = {0};
    *to = '\0';
    add_up_types(bytes, model->tensors);
    while (true) {
        int most = 0;
        for (int type = 1; type < WEIR_N_TYPES; type++)
            most = bytes[type] > bytes[most] ? type : most;
        if (bytes[most] == 0)
            return;
        add_kind(to, "%s%s", *to ? ", " : "", weir_type_get_info((enum weir_type)most)->name);
        bytes[most] = 0;
    }
}

/* ---- norms and activations ---- */

static const char *norm_name(enum weir_norm_kind kind)
{
    return kind == WEIR_NORM_RMS ? "RMS norm" : "layer norm";
}

void norms_text(char to[MOST_KIND], const struct weir_model *model)
{
    const struct weir_config *c = &model->config;
    *to = '\0';
    if (c->norm)
        add_kind(to, "%s before the branches", norm_name(c->norm));
    if (c->norm && c->post_norm)
        add_kind(to, " and after them");
    else if (c->post_norm)
        add_kind(to, "%s after the branches", norm_name(c->post_norm));
    if (c->qk_norm)
        add_kind(to, "%squeries and keys normed", *to ? ", " : "");
    if (*to == '\0')
        add_kind(to, "none");
}

void activation_text(char to[MOST_KIND], const struct weir_model *model)
{
    static const char *const names[WEIR_N_ACTS] = {
        [WEIR_ACT_GELU] = "GELU",
        [WEIR_ACT_GELU_TANH] = "GELU (tanh form)",
        [WEIR_ACT_GELU_QUICK] = "x sigmoid(1.702 x)",
        [WEIR_ACT_SILU] = "SiLU",
        [WEIR_ACT_RELU] = "ReLU",
        [WEIR_ACT_RELU2] = "ReLU squared",
        [WEIR_ACT_SOLU] = "SoLU",
    };
    const struct weir_config *c = &model->config;
    *to = '\0';
    if (c->attn_only)
        add_kind(to, "none: no MLPs");
    else
        add_kind(to, "%s%s%s", names[c->activation], c->gated ? ", gated" : "",
                 c->parallel ? "; attention and MLP side by side" : "");
}

/* ---- positions ---- */

/* "500000", as people write it */
static void add_rope_kind(char to[MOST_KIND], const struct weir_config *c, const struct weir_rope_config *rope)
{
    add_kind(to, "rotary%s, theta %.9g", c->rotary == WEIR_ROTARY_PAIRS ? " (pairs)" : "", rope->theta);
    if (c->rotary_dims < c->d_head)
        add_kind(to, ", %d of %d dimensions", c->rotary_dims, c->d_head);
    if (*rope->type && strcmp(rope->type, "default") != 0)
        add_kind(to, ", %s scaling", rope->type);
    if (*rope->type && strcmp(rope->type, "default") != 0 && rope->factor > 1)
        add_kind(to, " by %g", rope->factor);
}

static void add_window_kind(char to[MOST_KIND], const struct weir_model *model)
{
    int n_windows = 0, window = 0, n_layers = model->config.n_layers;
    for (int i = 0; i < n_layers; i++)
        if (model->layers[i].spec.window > 0) {
            n_windows++;
            window = model->layers[i].spec.window;
        }
    if (n_windows == n_layers)
        add_kind(to, "; the last %d keys", window);
    else if (n_windows > 0)
        add_kind(to, "; the last %d keys in %d of %d layers", window, n_windows, n_layers);
}

void positions_text(char to[MOST_KIND], const struct weir_model *model)
{
    const struct weir_config *c = &model->config;
    *to = '\0';
    if (c->learned_positions)
        add_kind(to, "learned%s", c->positions_to_qk ? ", added to the input of queries and keys" : "");
    if (c->rotary)
        add_rope_kind(to, c, &c->rope[0]);
    if (c->rotary && c->two_ropes)
        add_kind(to, " (theta %.9g in sliding layers)", c->rope[1].theta);
    if (c->alibi)
        add_kind(to, "%sALiBi", *to ? ", " : "");
    if (*to == '\0')
        add_kind(to, "none");
    add_window_kind(to, model);
}

/* ---- experts and the head ---- */

void experts_text(char to[MOST_KIND], const struct weir_model *model)
{
    int n_sparse = 0, n_layers = model->config.n_layers;
    *to = '\0';
    for (int i = 0; i < n_layers; i++)
        n_sparse += model->layers[i].spec.n_experts > 0;
    if (n_sparse > 0)
        add_kind(to, "%d of %d per token", model->config.n_active, model->config.n_experts);
    if (n_sparse > 0 && n_sparse < n_layers)
        add_kind(to, " in %d of %d layers", n_sparse, n_layers);
}

const char *unembedding_text(const struct weir_model *model)
{
    if (model->unembed.w.n_out == 0)
        return "none: no logits";
    return model->config.tied ? "the embedding" : "its own";
}
