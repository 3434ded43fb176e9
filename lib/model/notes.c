/* Notes for the user of a model, one line each, and the tensors that no part of it uses. */
#include "base/alloc.h"
#include "model/model.h"
#include "model/wrapper.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MOST_NOTE = 1024, NAMES_SHOWN = 3 };

weir_status weir_model_add_note(struct weir_model *model, const char *format, ...)
{
    char text[MOST_NOTE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    TRY(weir_grow(&model->notes, &model->cap_notes, model->n_notes + 1, sizeof *model->notes));
    TRY(weir_copy_string(&model->notes[model->n_notes], text));
    model->n_notes++;
    return WEIR_OK;
}

void weir_model_close_notes(struct weir_model *model)
{
    for (size_t i = 0; i < model->n_notes; i++)
        weir_free(model->notes[i]);
    weir_free(model->notes);
    weir_free(model->unused);
    for (size_t i = 0; i < model->n_unread_keys; i++)
        weir_free(model->unread_keys[i]);
    weir_free(model->unread_keys);
}

const char *weir_model_note(const weir_model *model, size_t i)
{
    return model && i < model->n_notes ? model->notes[i] : NULL;
}

const char *weir_model_unused_tensor(const weir_model *model, size_t i)
{
    return model && i < model->n_unused ? model->unused[i] : NULL;
}

weir_status weir_model_add_unread_key(struct weir_model *model, const char *key)
{
    TRY(weir_grow(&model->unread_keys, &model->cap_unread_keys, model->n_unread_keys + 1, sizeof *model->unread_keys));
    TRY(weir_copy_string(&model->unread_keys[model->n_unread_keys], key));
    model->n_unread_keys++;
    return WEIR_OK;
}

const char *weir_model_unread_key(const weir_model *model, size_t i)
{
    return model && i < model->n_unread_keys ? model->unread_keys[i] : NULL;
}

/* ---- parts of wrappers ---- */

/* "3, 8, 13" of the layers of the files that text skips; "..." stands for those that do not fit. */
static void list_skipped(char *shown, size_t size, const struct weir_config *c)
{
    size_t at = 0;
    int i = 0;
    for (int here = 0; i < c->n_layers + c->n_skipped && at + 20 < size; i++) {
        if (here < c->n_layers && c->file_layer[here] == i)
            here++;
        else
            at += (size_t)snprintf(shown + at, size - at, "%s%d", at ? ", " : "", i);
    }
    if (i < c->n_layers + c->n_skipped)
        snprintf(shown + at, size - at, ", ...");
}

weir_status weir_model_note_wrapper(struct weir_model *model)
{
    const struct weir_config *c = &model->config;
    char skipped[200] = "";
    if (!c->wrapper)
        return WEIR_OK;
    TRY(weir_model_add_note(model, "of this %s only the text model (%s) runs, on text", c->wrapper->model_type,
                            model->family->model_type));
    if (c->wrapper->note)
        TRY(weir_model_add_note(model, "%s", c->wrapper->note));
    if (c->n_skipped == 0)
        return WEIR_OK;
    list_skipped(skipped, sizeof skipped, c);
    return weir_model_add_note(model,
                               "layers %s of its files attend to images and are left out: layers are numbered without "
                               "them",
                               skipped);
}

/* ---- tensors that nothing has taken ---- */

static bool ends_in(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n >= m && strcmp(name + n - m, end) == 0;
}

/* Buffers that a module computes for itself, and that older versions of transformers and TransformerLens saved with the
   weights: masks, angles, counters. Nothing is lost with them. */
static bool is_buffer(const struct weir_tensor *tensor)
{
    static const char *const endings[] = {
        "inv_freq",
        "masked_bias",
        "position_ids",
        "cos_cached",
        "sin_cached",
        "rotary_cos",
        "rotary_sin",
        "num_batches_tracked",
        "token_type_ids",
        "causal_mask",
        "attn_mask",
        "attn.mask",
        "attn.IGNORE",
        "embed_positions",
        "freqs_cis",
        "attn.alibi",
        "rotary_pos_emb.inv_freq",
    };
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_in(tensor->name, endings[i]))
            return true;
    bool mask = ends_in(tensor->name, "attn.bias") || ends_in(tensor->name, "attention.bias");
    return mask && tensor->n_dims == 4; /* [1, 1, position, position] */
}

/* "a, b, c, ..." of the first unused tensors that matter; how many those are. */
static size_t name_what_matters(char *shown, size_t size, const struct weir_tensors *tensors)
{
    size_t n = 0, at = 0;
    for (size_t i = 0; i < tensors->n; i++) {
        const struct weir_tensor *tensor = &tensors->list[i];
        if (tensor->used || is_buffer(tensor))
            continue;
        if (n++ < NAMES_SHOWN && at < size)
            at += (size_t)snprintf(shown + at, size - at, "%s'%.100s'", at ? ", " : "", tensor->name);
    }
    return n;
}

weir_status weir_model_note_unused(struct weir_model *model)
{
    const struct weir_tensors *tensors = model->tensors;
    char shown[400] = "";
    size_t n = name_what_matters(shown, sizeof shown, tensors);
    TRY(weir_alloc(&model->unused, tensors->n, sizeof *model->unused));
    for (size_t i = 0; i < tensors->n; i++)
        if (!tensors->list[i].used)
            model->unused[model->n_unused++] = tensors->list[i].name;
    if (n == 0)
        return WEIR_OK;
    return weir_model_add_note(model, "%zu tensor%s in its files %s no part of the model: %s%s", n, n == 1 ? "" : "s",
                               n == 1 ? "is" : "are", shown, n > NAMES_SHOWN ? ", ... (weir info lists them)" : "");
}
