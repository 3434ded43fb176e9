/* A model's norms, activation, positions, experts and weight types as short texts. */
#include "cli/commands/kinds.h"

#include "base/text.h"

#include <string.h>

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
        weir_text_append(to, MOST_KIND, "%s%s", *to ? ", " : "", weir_type_get_info((enum weir_type)most)->name);
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
        weir_text_append(to, MOST_KIND, "%s before the branches", norm_name(c->norm));
    if (c->norm && c->post_norm)
        weir_text_append(to, MOST_KIND, " and after them");
    else if (c->post_norm)
        weir_text_append(to, MOST_KIND, "%s after the branches", norm_name(c->post_norm));
    if (c->qk_norm)
        weir_text_append(to, MOST_KIND, "%squeries and keys normed", *to ? ", " : "");
    if (*to == '\0')
        weir_text_append(to, MOST_KIND, "none");
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
        weir_text_append(to, MOST_KIND, "none: no MLPs");
    else
        weir_text_append(to, MOST_KIND, "%s%s%s", names[c->activation], c->gated ? ", gated" : "",
                         c->parallel ? "; attention and MLP side by side" : "");
}

/* ---- positions ---- */

/* "500000", as people write it */
static void add_rope_kind(char to[MOST_KIND], const struct weir_config *c, const struct weir_rope_config *rope)
{
    weir_text_append(to, MOST_KIND, "rotary%s, theta %.9g", c->rotary == WEIR_ROTARY_PAIRS ? " (pairs)" : "",
                     rope->theta);
    if (c->rotary_dims < c->d_head)
        weir_text_append(to, MOST_KIND, ", %d of %d dimensions", c->rotary_dims, c->d_head);
    if (*rope->type && strcmp(rope->type, "default") != 0)
        weir_text_append(to, MOST_KIND, ", %s scaling", rope->type);
    if (*rope->type && strcmp(rope->type, "default") != 0 && rope->factor > 1)
        weir_text_append(to, MOST_KIND, " by %g", rope->factor);
}

/* "; the last 512 keys in 20 of 26 layers" */
static void add_window_kind(char to[MOST_KIND], const struct weir_model *model)
{
    int n_windows = 0, window = 0, n_layers = model->config.n_layers;
    for (int i = 0; i < n_layers; i++)
        if (model->layers[i].spec.window > 0) {
            n_windows++;
            window = model->layers[i].spec.window;
        }
    if (n_windows == n_layers)
        weir_text_append(to, MOST_KIND, "; the last %d keys", window);
    else if (n_windows > 0)
        weir_text_append(to, MOST_KIND, "; the last %d keys in %d of %d layers", window, n_windows, n_layers);
}

void positions_text(char to[MOST_KIND], const struct weir_model *model)
{
    const struct weir_config *c = &model->config;
    *to = '\0';
    if (c->learned_positions)
        weir_text_append(to, MOST_KIND, "learned%s",
                         c->positions_to_qk ? ", added to the input of queries and keys" : "");
    if (c->rotary)
        add_rope_kind(to, c, &c->rope[0]);
    if (c->rotary && c->two_ropes)
        weir_text_append(to, MOST_KIND, " (theta %.9g in sliding layers)", c->rope[1].theta);
    if (c->alibi)
        weir_text_append(to, MOST_KIND, "%sALiBi", *to ? ", " : "");
    if (*to == '\0')
        weir_text_append(to, MOST_KIND, "none");
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
        weir_text_append(to, MOST_KIND, "%d of %d per token", model->config.n_active, model->config.n_experts);
    if (n_sparse > 0 && n_sparse < n_layers)
        weir_text_append(to, MOST_KIND, " in %d of %d layers", n_sparse, n_layers);
}

const char *unembedding_text(const struct weir_model *model)
{
    if (model->unembed.w.n_out == 0)
        return "none: no logits";
    return model->config.tied ? "the embedding" : "its own";
}
