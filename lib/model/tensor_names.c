/* Finds the tensor of each part of the model by its name in the files. */
#include "model/tensor_names.h"
#include "base/alloc.h"
#include "model/config.h"
#include "model/keys.h"
#include "model/wrapper.h"

#include <stdio.h>
#include <string.h>

/* Appends text[0..n) with "{}" and "[]" filled in. */
static void expand_pattern(char out[WEIR_NAME_SIZE], size_t at, const char *text, size_t n, int layer, int index)
{
    for (size_t i = 0; i < n && at < WEIR_NAME_SIZE - 1; i++) {
        bool layer_hole = text[i] == '{', index_hole = text[i] == '[';
        if (layer_hole || index_hole) {
            at += (size_t)snprintf(out + at, WEIR_NAME_SIZE - at, "%d", layer_hole ? layer : index);
            i++; /* its closing bracket */
        } else {
            out[at++] = text[i];
        }
    }
    out[at < WEIR_NAME_SIZE - 1 ? at : WEIR_NAME_SIZE - 1] = '\0';
}

const char *weir_pattern_of(const struct weir_model *model, enum weir_role role)
{
    return model->gguf ? weir_gguf_names[role] : model->family->names[role];
}

/* The tensor's name by pattern[0..n): one name that gets an ending, or the weight's and the bias's with a comma
   between. Empty where the pattern says that there is none. */
static void make_tensor_name(char out[WEIR_NAME_SIZE], const char *prefix, const char *pattern, size_t n,
                             struct weir_place at, enum weir_tensor_part which)
{
    static const char *const endings[] = {[WEIR_TENSOR_WEIGHT] = ".weight",
                                          [WEIR_TENSOR_BIAS] = ".bias",
                                          [WEIR_TENSOR_BLOCKS] = "_blocks",
                                          [WEIR_TENSOR_SCALES] = "_scales"};
    size_t comma = strcspn(pattern, ",|");
    bool whole = comma < n;
    const char *from = whole && which == WEIR_TENSOR_BIAS ? pattern + comma + 1 : pattern;
    size_t length = !whole ? n : which == WEIR_TENSOR_BIAS ? n - comma - 1 : comma;
    out[0] = '\0';
    if (length == 0)
        return;
    expand_pattern(out, 0, prefix, strlen(prefix), 0, 0);
    expand_pattern(out, strlen(out), from, length, at.layer, at.index);
    if (!whole || which == WEIR_TENSOR_BLOCKS || which == WEIR_TENSOR_SCALES)
        expand_pattern(out, strlen(out), endings[which], strlen(endings[which]), 0, 0);
}

/* ---- the prefix of all names ---- */

/* The part of the family's own prefix that a file's begins to differ from: of "a.model." it is "a." where the family's
   is "model.". Files saved without a head have less than the family's prefix. */
static size_t wrapper_length(const char *prefix, const char *own)
{
    size_t n = strlen(prefix);
    for (const char *end = own; *end; end++) { /* the longest end of the family's first */
        size_t m = strlen(end);
        bool begins = end == own || end[-1] == '.';
        if (begins && n >= m && strcmp(prefix + n - m, end) == 0 && (n == m || prefix[n - m - 1] == '.'))
            return n - m;
    }
    return n;
}

/* The tensor's name without `end`, where that is its end and begins at a dot; -1 for others. */
static int front_of(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    bool ends = n >= m && strcmp(name + n - m, end) == 0 && (n == m || name[n - m - 1] == '.');
    return ends ? (int)(n - m) : -1;
}

static bool has_prefixed(const struct weir_model *model, const char *prefix, size_t n, const char *name)
{
    char whole[WEIR_NAME_SIZE];
    int length = snprintf(whole, sizeof whole, "%.*s%s", (int)n, prefix, name);
    return length < WEIR_NAME_SIZE && weir_tensors_look(model->tensors, whole) != NULL;
}

/* The first of a wrapper's prefixes that is there; *out stays NULL where none is. */
static weir_status choose_wrappers(char **out, const struct weir_model *model, const char *first)
{
    const char *prefixes = model->config.wrapper ? model->config.wrapper->prefixes : "";
    for (size_t n; *prefixes && !*out; prefixes += n + (prefixes[n] == '|')) {
        n = strcspn(prefixes, "|");
        if (has_prefixed(model, prefixes, n, first))
            TRY(weir_copy_bytes(out, prefixes, n));
    }
    return WEIR_OK;
}

/* The one that leads to a model where several tensors have the right ending: it has an embedding, too. */
static weir_status search_prefix(char **out, const struct weir_model *model, const char *first, const char *embedding)
{
    const struct weir_tensors *tensors = model->tensors;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < tensors->n; i++) {
            const char *name = tensors->list[i].name;
            int n = front_of(name, first);
            if (n >= 0 && (pass > 0 || has_prefixed(model, name, (size_t)n, embedding)))
                return weir_copy_bytes(out, name, (size_t)n);
        }
    return weir_copy_string(out, model->family->prefix ? model->family->prefix : "");
}

/* Where no wrapper's class says it: nothing, the family's own, or what else leads to a model. */
static weir_status choose_familys(char **out, const struct weir_model *model, const char *own, const char *first)
{
    const char *embed = model->family->names[WEIR_R_EMBED];
    char embedding[WEIR_NAME_SIZE];
    make_tensor_name(embedding, "", embed, strcspn(embed, "|"), weir_outside, WEIR_TENSOR_WEIGHT);
    if (weir_tensors_look(model->tensors, first))
        return weir_copy_string(out, "");
    if (has_prefixed(model, own, strlen(own), first))
        return weir_copy_string(out, own);
    return search_prefix(out, model, first, embedding);
}

weir_status weir_find_prefix(struct weir_model *model)
{
    const char *own = model->family->prefix ? model->family->prefix : "", *o = model->family->names[WEIR_R_O];
    struct weir_place place = {weir_config_file_layer(&model->config, 0), 0};
    char first[WEIR_NAME_SIZE];
    if (model->gguf)
        return weir_copy_string(&model->prefix, "");
    make_tensor_name(first, "", o, strcspn(o, "|"), place, WEIR_TENSOR_WEIGHT);
    TRY(choose_wrappers(&model->prefix, model, first));
    bool known = model->prefix != NULL;
    if (!known)
        TRY(choose_familys(&model->prefix, model, own, first));
    model->n_wrapper = wrapper_length(model->prefix, own);
    if (model->n_wrapper == 0 || known)
        return WEIR_OK;
    return weir_model_add_note(model, "its tensors' names begin with '%.*s', which is ignored", (int)model->n_wrapper,
                               model->prefix);
}

/* ---- tensors ---- */

/* One name of a pattern. The unembedding is beside what the prefix leads to, within what wraps both. */
static struct weir_tensor *look_for(const struct weir_model *model, enum weir_role role, const char *pattern, size_t n,
                                    struct weir_place at, enum weir_tensor_part which, char name[WEIR_NAME_SIZE])
{
    char prefix[WEIR_NAME_SIZE];
    size_t length = role == WEIR_R_UNEMBED ? model->n_wrapper : strlen(model->prefix);
    snprintf(prefix, sizeof prefix, "%.*s", (int)length, model->prefix);
    at.layer = weir_config_file_layer(&model->config, at.layer);
    make_tensor_name(name, prefix, pattern, n, at, which);
    struct weir_tensor *found = weir_tensors_look(model->tensors, name);
    if (found || role != WEIR_R_UNEMBED || length == 0)
        return found;
    make_tensor_name(name, "", pattern, n, at, which);
    return weir_tensors_look(model->tensors, name);
}

/* Roles that may have a bias. What a key of config.json decides, a GGUF file decides by having the tensor. */
static uint64_t may_have_biases(const struct weir_model *model)
{
    return model->config.biases | (model->gguf ? weir_keys_biases(model->family->keys) : 0);
}

static struct weir_tensor *find_part_tensor(const struct weir_model *model, enum weir_role role, struct weir_place at,
                                            enum weir_tensor_part which, char name[WEIR_NAME_SIZE])
{
    const char *pattern = weir_pattern_of(model, role);
    bool denied = which == WEIR_TENSOR_BIAS && !(may_have_biases(model) >> role & 1);
    name[0] = '\0';
    while (pattern && *pattern && !denied) {
        size_t n = strcspn(pattern, "|");
        struct weir_tensor *found = look_for(model, role, pattern, n, at, which, name);
        if (found)
            return found;
        pattern += n + (pattern[n] == '|');
    }
    return NULL;
}

const struct weir_tensor *weir_take_tensor(struct weir_model *model, enum weir_role role, struct weir_place at,
                                           enum weir_tensor_part which, char name[WEIR_NAME_SIZE])
{
    struct weir_tensor *found = find_part_tensor(model, role, at, which, name);
    if (!found)
        return NULL;
    found->used = true;
    if (found->unread && !model->unread)
        model->unread = found;
    return found->unread ? NULL : found;
}

bool weir_has_tensor(const struct weir_model *model, enum weir_role role, struct weir_place at,
                     enum weir_tensor_part which)
{
    char name[WEIR_NAME_SIZE];
    return find_part_tensor(model, role, at, which, name) != NULL;
}

/* ---- errors ---- */

/* Tells by a name's ending how the tensor came to be there. */
static const char *what_it_is(const char *ending)
{
    static const struct {
        const char *part, *what;
    } endings[] = {
        {"base_layer", "an adapter that is not merged: merge it (PEFT's merge_and_unload) and save the model"},
        {"lora_", "an adapter that is not merged: merge it (PEFT's merge_and_unload) and save the model"},
        {"qweight", "GPTQ or AWQ: dequantize the model"},
        {"weight_packed", "compressed-tensors: dequantize the model"},
        {"weight_scale", "quantized weights: dequantize the model"},
        {"absmax", "bitsandbytes: dequantize the model"},
        {"SCB", "bitsandbytes: dequantize the model"},
        {"parametrizations", "parametrized weights: bake them in (torch.nn.utils.parametrize.remove_parametrizations)"},
    };
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (strstr(ending, endings[i].part))
            return endings[i].what;
    return NULL;
}

/* Those whose names go on where the missing one's stem ends: "a.b.qweight" for "a.b.weight". */
static weir_status missing_beside(const struct weir_model *model, const char *name)
{
    const char *dot = strrchr(name, '.'), *what = NULL;
    size_t n = dot ? (size_t)(dot - name) + 1 : 0, n_shown = 0, at = 0;
    char shown[256] = "";
    for (size_t i = 0; n > 0 && i < model->tensors->n; i++) {
        const char *other = model->tensors->list[i].name;
        if (strncmp(other, name, n) != 0 || strcmp(other, name) == 0)
            continue;
        what = what ? what : what_it_is(other + n);
        if (n_shown++ < 3 && at < sizeof shown)
            at += (size_t)snprintf(shown + at, sizeof shown - at, "%s'%s'", at ? ", " : "", other);
    }
    if (n_shown == 0)
        return weir_fail(WEIR_E_INPUT, "%s: tensor '%s' is missing", model->path, name);
    return weir_fail(what ? WEIR_E_UNSUPPORTED : WEIR_E_INPUT, "%s: tensor '%s' is missing; there is %s%s%s%s",
                     model->path, name, shown, n_shown > 3 ? ", ..." : "", what ? ": " : "", what ? what : "");
}

weir_status weir_tensor_missing(const struct weir_model *model, const char *name)
{
    return model->unread ? weir_check_unread(model) : missing_beside(model, name);
}

weir_status weir_check_unread(const struct weir_model *model)
{
    if (!model->unread)
        return WEIR_OK;
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: tensor '%s' %s, which weir does not read; convert the model to %s",
                     model->unread->file, model->unread->name, model->unread->unread,
                     model->gguf ? "another type" : "F32, F16 or BF16");
}

weir_status weir_not_of_shape(const struct weir_tensor *tensor, const size_t *wanted, int n)
{
    char have[96] = "", want[96] = "";
    size_t at = 0;
    for (int i = 0; i < tensor->n_dims && at < sizeof have; i++)
        at += (size_t)snprintf(have + at, sizeof have - at, "%s%zu", i ? ", " : "", tensor->shape[i]);
    at = 0;
    for (int i = 0; i < n && at < sizeof want; i++)
        at += (size_t)snprintf(want + at, sizeof want - at, "%s%zu", i ? ", " : "", wanted[i]);
    return weir_fail(WEIR_E_INPUT, "%s: tensor '%s' has shape [%s], the config requires [%s]", tensor->file,
                     tensor->name, have, want);
}

weir_status weir_wrong_shape(const struct weir_tensor *tensor, size_t rows, size_t columns)
{
    return weir_not_of_shape(tensor, (const size_t[]){rows, columns}, columns ? 2 : 1);
}

bool weir_has_shape3(const struct weir_tensor *tensor, const size_t wanted[3])
{
    return tensor->n_dims == 3 && memcmp(tensor->shape, wanted, 3 * sizeof *wanted) == 0;
}
