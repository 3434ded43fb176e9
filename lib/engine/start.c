/* Keeping what a pass computes, and whether another can begin with it. */
#include "engine/start.h"

#include "base/alloc.h"
#include "points/points.h"

/* ---- one prompt's values ---- */

static weir_status open_kept(struct weir_kept **out, int n_layers)
{
    struct weir_kept *kept = NULL;
    weir_status status;
    TRY_DONE(weir_alloc_zero(&kept, 1, sizeof *kept));
    kept->holders = 1;
    kept->n_layers = n_layers;
    TRY_DONE(weir_alloc_zero(&kept->buffers, weir_n_sites(n_layers), sizeof(weir_buffer *)));
    TRY_DONE(weir_alloc_zero(&kept->values, weir_n_sites(n_layers), sizeof *kept->values));
    *out = kept;
    kept = NULL;
done:
    weir_kept_close(kept);
    return status;
}

void weir_kept_close(struct weir_kept *kept)
{
    if (!kept || --kept->holders > 0)
        return;
    for (size_t i = 0; kept->buffers && i < weir_n_sites(kept->n_layers); i++)
        weir_buffer_release(kept->buffers[i]);
    weir_free(kept->buffers);
    weir_free(kept->values);
    weir_free(kept);
}

const float *weir_kept_value(const struct weir_kept *kept, int point, int layer)
{
    return kept->values[weir_site_index(kept->n_layers, point, layer)];
}

const float *weir_kept_stream(const struct weir_kept *kept, int layer)
{
    return layer < kept->n_layers ? weir_kept_value(kept, WEIR_P_RESID_PRE, layer)
                                  : weir_kept_value(kept, WEIR_P_RESID_POST, layer - 1);
}

/* ---- keeping ---- */

static size_t rows_of(const weir_event *event)
{
    for (int i = 0; i < event->n_axes; i++)
        if (event->axes[i] == WEIR_AXIS_POS || event->axes[i] == WEIR_AXIS_QUERY)
            return event->shape[i];
    return 0;
}

static weir_status keep_value(const weir_event *event, void *payload)
{
    struct weir_keeper *keeper = payload;
    int n_layers = keeper->run->model->config.n_layers;
    size_t site = weir_site_index(n_layers, event->point->id, event->layer);
    struct weir_kept **kept = &keeper->kept[event->prompt];
    if (event->first > 0)
        return weir_fail(WEIR_E_USAGE,
                         "prompt %d begins at position %zu: only prompts that begin with their first are kept",
                         event->prompt, event->first);
    if (!*kept)
        TRY(open_kept(kept, n_layers));
    weir_buffer_retain(event->buffer);
    weir_buffer_release((*kept)->buffers[site]);
    (*kept)->buffers[site] = event->buffer;
    (*kept)->values[site] = event->data;
    (*kept)->n_positions = rows_of(event);
    return WEIR_OK;
}

weir_status weir_keeper_open(struct weir_keeper *keeper, struct weir_run *run, size_t n)
{
    *keeper = (struct weir_keeper){.run = run, .n = n};
    return weir_alloc_zero(&keeper->kept, n, sizeof(struct weir_kept *));
}

weir_status weir_keep_at(struct weir_keeper *keeper, int point, int layer)
{
    return weir_run_hook_at(keeper->run, point, layer, WEIR_READ, keep_value, keeper);
}

bool weir_keeper_has(const struct weir_keeper *keeper, int point, int layer)
{
    const struct weir_plan *plan = &keeper->run->plan;
    size_t first, readers, last;
    weir_plan_calls(plan, point, layer, &first, &readers, &last);
    for (size_t i = readers; i < last; i++)
        if (plan->hooks[plan->calls[i].hook].fn == keep_value)
            return true;
    return false;
}

int weir_key_point(const struct weir_layer_spec *spec)
{
    return spec->rotary ? WEIR_P_ROT_K : spec->qk_norm ? WEIR_P_K_NORMED : WEIR_P_K;
}

weir_status weir_keep_from(struct weir_keeper *keeper, int layer)
{
    const struct weir_model *model = keeper->run->model;
    for (int i = layer > 0 ? layer : 0; i < model->config.n_layers; i++) {
        TRY(weir_keep_at(keeper, WEIR_P_RESID_PRE, i));
        TRY(weir_keep_at(keeper, weir_key_point(&model->layers[i].spec), i));
        TRY(weir_keep_at(keeper, WEIR_P_V, i));
    }
    return weir_keep_at(keeper, WEIR_P_RESID_POST, model->config.n_layers - 1);
}

void weir_keeper_rest(struct weir_keeper *keeper)
{
    weir_run_unhook(keeper->run, keep_value, keeper);
}

void weir_keeper_close(struct weir_keeper *keeper)
{
    if (!keeper->run)
        return;
    weir_keeper_rest(keeper);
    for (size_t i = 0; keeper->kept && i < keeper->n; i++)
        weir_kept_close(keeper->kept[i]);
    weir_free(keeper->kept);
    *keeper = (struct weir_keeper){0};
}

/* ---- beginning ---- */

bool weir_start_is_at(const struct weir_run *run, int point, int layer)
{
    return run->from && point == WEIR_P_RESID_PRE && layer >= 0 && run->from->layer == layer;
}

/* Angles that depend on a prompt's length are those of another where the lengths differ, unless both are short. */
static weir_status check_angles(const struct weir_model *model, int layer, size_t had, size_t has)
{
    const struct weir_layer_spec *spec = &model->layers[layer].spec;
    double from = model->ropes[spec->rope].long_from;
    if (!spec->rotary || !(from > 0) || had == has || ((double)had <= from && (double)has <= from))
        return WEIR_OK;
    return weir_fail(WEIR_E_UNSUPPORTED,
                     "%s: beyond %.0f positions its rotations depend on the prompt's length: keys of %zu positions "
                     "cannot be used among %zu: run the prompt whole",
                     model->path, from, had, has);
}

static weir_status check_keys(const struct weir_run *run, const struct weir_kept *kept, int first, size_t past,
                              size_t n_keys, size_t prompt)
{
    const struct weir_model *model = run->model;
    for (int i = first > 0 ? first : 0; i < model->config.n_layers; i++) {
        if (!weir_kept_value(kept, weir_key_point(&model->layers[i].spec), i) || !weir_kept_value(kept, WEIR_P_V, i))
            return weir_fail(WEIR_E_USAGE, "prompt %zu: keys and values of layer %d were not kept", prompt, i);
        TRY(check_angles(model, i, kept->n_positions, n_keys));
    }
    if (past > kept->n_positions)
        return weir_fail(WEIR_E_USAGE, "prompt %zu: begins at position %zu, and %zu positions were kept", prompt, past,
                         kept->n_positions);
    return WEIR_OK;
}

bool weir_start_needs_whole(const struct weir_model *model)
{
    for (int i = 0; i < model->config.n_layers; i++) {
        const struct weir_layer_spec *spec = &model->layers[i].spec;
        if (spec->alibi == WEIR_ALIBI_FROM_END || (spec->rotary && model->ropes[spec->rope].long_from > 0))
            return true;
    }
    return false;
}

weir_status weir_start_check(const struct weir_run *run, const weir_tokens *tokens, const struct weir_start *from,
                             size_t prompt)
{
    const struct weir_kept *kept = from->kept ? from->kept[prompt] : NULL;
    size_t past = from->past ? from->past[prompt] : 0, n_keys = past + tokens->n;
    if (tokens->n == 0)
        return weir_fail(WEIR_E_USAGE, "prompt %zu has no tokens from position %zu on", prompt, past);
    if (n_keys > (size_t)run->model->info.n_context)
        return weir_fail(WEIR_E_USAGE, "prompt %zu has %zu tokens, the model's context is %d: shorten it", prompt,
                         n_keys, run->model->info.n_context);
    if (from->layer < 0 && past == 0)
        return WEIR_OK;
    if (!kept)
        return weir_fail(WEIR_E_USAGE, "prompt %zu: nothing was kept of it", prompt);
    if (from->layer >= 0 && (!weir_kept_stream(kept, from->layer) || n_keys > kept->n_positions))
        return weir_fail(WEIR_E_USAGE, "prompt %zu: the stream at layer %d was not kept up to position %zu", prompt,
                         from->layer, n_keys - 1);
    return past > 0 ? check_keys(run, kept, from->layer, past, n_keys, prompt) : WEIR_OK;
}
