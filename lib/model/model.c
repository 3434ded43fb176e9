/* Opens and closes models, and answers what the public header asks of them. */
#include "model/model.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/input.h"
#include "base/parallel.h"
#include "format/safetensors.h"
#include "model/process.h"

#include <nettle/sha2.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- identity ---- */

static void hash_text(struct sha256_ctx *hash, const char *text)
{
    sha256_update(hash, strlen(text) + 1, (const uint8_t *)text);
}

static void hash_number(struct sha256_ctx *hash, size_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%zu", number);
    hash_text(hash, text);
}

/* SHA-256 of the config, every tensor's name, type and shape, and what was done to the weights: distinguishes models
   without reading the weights. */
static void make_digest(struct weir_model *model)
{
    struct sha256_ctx hash;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&hash);
    hash_text(&hash, model->config_text);
    for (size_t i = 0; i < model->tensors->n; i++) {
        const struct weir_tensor *tensor = &model->tensors->list[i];
        if (tensor->unread)
            continue;
        hash_text(&hash, tensor->name);
        hash_text(&hash, weir_type_get_info(tensor->type)->name);
        for (int dim = 0; dim < tensor->n_dims; dim++)
            hash_number(&hash, tensor->shape[dim]);
    }
    if (model->process && *model->process)
        hash_text(&hash, model->process);
    sha256_digest(&hash, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(model->digest + 2 * i, 3, "%02x", digest[i]);
}

/* The last part of the path; for a snapshot of the Hugging Face cache the repository's name. */
static weir_status make_model_name(struct weir_model *model, const char *where)
{
    size_t n = strlen(where);
    while (n > 1 && where[n - 1] == '/')
        n--;
    size_t start = n;
    while (start > 0 && where[start - 1] != '/')
        start--;
    if (access(where, F_OK) != 0) /* org/name */
        start = 0;
    return weir_copy_bytes(&model->name, where + start, n - start);
}

static uint64_t count_parameters(const struct weir_tensors *tensors)
{
    uint64_t n = 0;
    for (size_t i = 0; i < tensors->n; i++)
        n += tensors->list[i].used ? tensors->list[i].n : 0;
    return n;
}

/* The longest prompt: some rotations stretch past the trained context. */
static int context_of(const struct weir_model *model)
{
    double factor = model->ropes[0].dynamic_factor;
    return factor > 1 ? (int)fmin(model->config.n_context * factor, 1 << 30) : model->config.n_context;
}

static void fill_info(struct weir_model *model)
{
    const struct weir_config *c = &model->config;
    make_digest(model);
    model->info = (weir_model_info){
        .name = model->name,
        .path = model->path,
        .family = model->family->model_type,
        .format = model->gguf ? "gguf" : "safetensors",
        .config = model->config_text,
        .n_layers = c->n_layers,
        .n_heads = c->n_heads,
        .n_kv_heads = c->n_kv_heads,
        .d_head = c->d_head,
        .d_model = c->d_model,
        .d_mlp = c->d_mlp,
        .n_vocab = c->n_vocab,
        .n_context = context_of(model),
        .n_params = count_parameters(model->tensors),
        .digest = model->digest,
        .process = model->process ? model->process : "",
        .has_tokenizer = model->info.has_tokenizer,
    };
}

/* ---- opening ---- */

static weir_status note_adapter(struct weir_model *model)
{
    if (!weir_model_folder_has(model->path, "adapter_config.json") &&
        !weir_model_folder_has(model->path, "adapter_model.safetensors"))
        return WEIR_OK;
    return weir_model_add_note(
        model, "an adapter (PEFT) is beside its weights and is not applied: merge it (merge_and_unload) to run both");
}

static weir_status list_unread_keys(struct weir_model *model, const cJSON *json)
{
    const struct weir_wrapper *wrapper;
    const cJSON *text, *key;
    cJSON *own;
    TRY(weir_config_of_text(&text, &own, &wrapper, json, model->path));
    weir_status status = WEIR_OK;
    for (key = text->child; status == WEIR_OK && (key = weir_config_unread(model->family, key)); key = key->next)
        status = weir_model_add_unread_key(model, key->string);
    cJSON_Delete(own);
    return status;
}

/* Configuration, weights, then what a user should know of the folder. */
static weir_status open_folder(struct weir_model *model)
{
    char *config_path = NULL, *weights = NULL;
    struct weir_map *map = NULL;
    cJSON *json = NULL;
    weir_status status;
    TRY_DONE(weir_model_check_folder(model->path));
    TRY_DONE(weir_format(&config_path, "%s/config.json", model->path));
    TRY_DONE(weir_map_open(&map, config_path));
    TRY_DONE(weir_copy_bytes(&model->config_text, (const char *)map->data, map->size));
    TRY_DONE(weir_json_parse(&json, config_path, model->config_text, map->size));
    TRY_DONE(weir_config_from_json(&model->config, &model->family, json, config_path));
    TRY_DONE(list_unread_keys(model, json));
    TRY_DONE(weir_model_find_weights(&weights, model->path));
    TRY_DONE(weir_safetensors_open(&model->tensors, weights));
    TRY_DONE(note_adapter(model));
    model->info.has_tokenizer = weir_model_folder_has(model->path, "tokenizer.json") ||
                                weir_model_folder_has(model->path, "vocab.json") ||
                                weir_model_folder_has(model->path, "tokenizer.model");
done:
    cJSON_Delete(json);
    weir_map_close(map);
    weir_free(config_path);
    weir_free(weights);
    return status;
}

/* The metadata of a GGUF file as JSON, long arrays (the vocabulary) left out: a cache file has it as the
 * config. */
static weir_status gguf_config_text(char **out, const struct weir_gguf *gguf)
{
    cJSON *json = cJSON_CreateObject();
    for (size_t i = 0; json && i < gguf->n_values; i++) {
        const struct weir_gguf_value *value = &gguf->values[i];
        char *text = NULL;
        if (value->type == WEIR_GGUF_UINT)
            cJSON_AddNumberToObject(json, value->key, (double)value->u);
        else if (value->type == WEIR_GGUF_INT)
            cJSON_AddNumberToObject(json, value->key, (double)value->i);
        else if (value->type == WEIR_GGUF_FLOAT)
            cJSON_AddNumberToObject(json, value->key, value->f);
        else if (value->type == WEIR_GGUF_STRING && strncmp(value->key, "tokenizer.", 10) != 0 &&
                 weir_gguf_text(gguf, value->key, &text) == WEIR_OK)
            cJSON_AddStringToObject(json, value->key, text);
        weir_free(text);
    }
    char *printed = json ? cJSON_PrintUnformatted(json) : NULL;
    cJSON_Delete(json);
    weir_status status = printed ? weir_copy_string(out, printed) : weir_fail(WEIR_E_MEMORY, "out of memory");
    cJSON_free(printed);
    return status;
}

static weir_status note_assumed_pre(struct weir_model *model)
{
    const char *pre = weir_tokenizer_assumed_pre(model->gguf);
    if (!pre)
        return WEIR_OK;
    if (strcmp(pre, "default") != 0)
        return weir_model_add_note(
            model,
            "its file does not say how text is split (tokenizer.ggml.pre): judging by its vocabulary, as %s does", pre);
    return weir_model_add_note(model, "its file does not say how text is split (tokenizer.ggml.pre): done as in GPT-2, "
                                      "so TOKEN IDS MAY BE WRONG: convert the model again, or give ids (--tokens)");
}

static weir_status open_gguf(struct weir_model *model)
{
    TRY(weir_gguf_open(&model->gguf, model->path));
    model->tensors = model->gguf->tensors;
    TRY(weir_config_from_gguf(&model->config, &model->family, model->gguf));
    TRY(gguf_config_text(&model->config_text, model->gguf));
    for (size_t i = 0; (i = weir_config_unread_gguf(model->gguf, i)) < model->gguf->n_values; i++)
        TRY(weir_model_add_unread_key(model, model->gguf->values[i].key));
    model->info.has_tokenizer = weir_gguf_find(model->gguf, "tokenizer.ggml.model") != NULL;
    return note_assumed_pre(model);
}

static weir_status open_whole(struct weir_model *model, const weir_model_options *options)
{
    TRY(weir_is_folder(model->path) ? open_folder(model) : open_gguf(model));
    TRY(weir_model_bind(model));
    if (options && options->process)
        TRY(weir_model_process(model, options->process));
    TRY(weir_tensors_check_whole(model->tensors));
    fill_info(model);
    return WEIR_OK;
}

/* A file of a folder's tokenizer means the folder. */
static void name_the_folder(char *path)
{
    static const char *const files[] = {"tokenizer.json", "tokenizer.model", "vocab.json"};
    char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(name, files[i]) == 0) {
            snprintf(name, strlen(name) + 1, "."); /* "DIR/." or "." */
            return;
        }
}

/* A model of which only the tokenizer is wanted: nothing of the weights is read. */
static weir_status open_tokenizer(struct weir_model *model)
{
    const struct weir_tokenizer *tokenizer;
    name_the_folder(model->path);
    if (!weir_is_folder(model->path)) {
        TRY(weir_gguf_open(&model->gguf, model->path));
        model->tensors = model->gguf->tensors;
        TRY(note_assumed_pre(model));
    }
    TRY(weir_model_get_tokenizer(&tokenizer, model));
    model->config.n_vocab = (int)weir_tokenizer_size(tokenizer);
    model->info = (weir_model_info){.name = model->name,
                                    .path = model->path,
                                    .family = "",
                                    .format = model->gguf ? "gguf" : "safetensors",
                                    .config = "",
                                    .n_vocab = model->config.n_vocab,
                                    .digest = model->digest,
                                    .process = "",
                                    .has_tokenizer = true};
    return WEIR_OK;
}

weir_status weir_model_open(weir_model **out, const char *where, const weir_model_options *options)
{
    struct weir_model *model = NULL;
    weir_status status;
    TRY_GIVEN(out);
    *out = NULL;
    TRY_GIVEN(where);
    TRY(weir_isa_check());
    if (options)
        TRY(weir_pool_check(options->n_threads));
    TRY_DONE(weir_alloc_zero(&model, 1, sizeof *model));
    atomic_init(&model->holders, 1);
    pthread_mutex_init(&model->lock, NULL);
    model->n_threads = options ? options->n_threads : 0;
    TRY_DONE(weir_model_locate(&model->path, where));
    TRY_DONE(make_model_name(model, where));
    model->tokenizer_only = options && options->tokenizer_only;
    TRY_DONE(model->tokenizer_only ? open_tokenizer(model) : open_whole(model, options));
    *out = model;
    model = NULL;
done:
    weir_model_close(model);
    return status;
}

void weir_model_hold(struct weir_model *model)
{
    atomic_fetch_add(&model->holders, 1);
}

void weir_model_release(struct weir_model *model)
{
    if (atomic_fetch_sub(&model->holders, 1) > 1)
        return;
    for (size_t i = 0; i < model->n_copies; i++)
        weir_free(model->copies[i]);
    weir_free(model->copies);
    for (size_t i = 0; i < model->n_vectors; i++)
        weir_free(model->vectors[i]);
    weir_free(model->vectors);
    for (int i = 0; model->layers && i < model->config.n_layers; i++)
        weir_free(model->layers[i].experts);
    weir_free(model->layers);
    for (int i = 0; i < WEIR_MAX_ROPES; i++)
        weir_rope_close(&model->ropes[i]);
    weir_config_close(&model->config);
    weir_tokenizer_close(model->tokenizer);
    if (!model->gguf)
        weir_tensors_close(model->tensors);
    weir_gguf_close(model->gguf);
    pthread_mutex_destroy(&model->lock);
    weir_model_close_notes(model);
    weir_free(model->prefix);
    weir_free(model->config_text);
    weir_free(model->process);
    weir_free(model->name);
    weir_free(model->path);
    weir_free(model);
}

void weir_model_close(weir_model *model)
{
    if (model)
        weir_model_release(model);
}

const weir_model_info *weir_model_get_info(const weir_model *model)
{
    return model ? &model->info : NULL;
}

const char *weir_version(void)
{
    return WEIR_VERSION;
}

/* ---- tokens ---- */

static weir_status read_tokenizer(struct weir_model *model)
{
    weir_status status = model->gguf ? weir_tokenizer_from_gguf(&model->tokenizer, model->gguf)
                                     : weir_tokenizer_from_folder(&model->tokenizer, model->path);
    if (status == WEIR_OK && !model->tokenizer)
        status = weir_fail(WEIR_E_INPUT, "%s: has no tokenizer: give the prompt as token ids", model->path);
    model->tokenizer_read = status == WEIR_OK;
    return status;
}

weir_status weir_model_get_tokenizer(const struct weir_tokenizer **out, const struct weir_model *model)
{
    struct weir_model *mutable_model = (struct weir_model *)(uintptr_t)model; /* under its lock */
    weir_status status = WEIR_OK;
    pthread_mutex_lock(&mutable_model->lock);
    if (!model->tokenizer_read)
        status = read_tokenizer(mutable_model);
    if (status == WEIR_OK && model->gguf)
        status = weir_tensors_check_whole(model->tensors);
    *out = model->tokenizer;
    pthread_mutex_unlock(&mutable_model->lock);
    return status;
}

weir_status weir_model_check_ids(const struct weir_model *model, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= model->config.n_vocab)
            return weir_fail(WEIR_E_USAGE, "token %zu is %d; the model has ids 0 to %d", i, ids[i],
                             model->config.n_vocab - 1);
    return WEIR_OK;
}

weir_status weir_tokenize(weir_tokens *out, const weir_model *model, const char *text, size_t n, weir_bos bos)
{
    const struct weir_tokenizer *tokenizer;
    weir_tokens tokens = {0};
    weir_status status;
    TRY_GIVEN(out);
    *out = tokens;
    TRY_GIVEN(model);
    if (n > 0)
        TRY_GIVEN(text);
    if (bos != WEIR_BOS_AUTO && bos != WEIR_BOS_YES && bos != WEIR_BOS_NO)
        return weir_fail(WEIR_E_USAGE, "weir_tokenize: bos is %d, which is not a weir_bos", (int)bos);
    TRY_DONE(weir_model_get_tokenizer(&tokenizer, model));
    TRY_DONE(weir_tokenizer_encode(tokenizer, text, n, bos, &tokens.ids, &tokens.n));
    TRY_DONE(weir_model_check_ids(model, tokens.ids, tokens.n));
    TRY_DONE(weir_copy_bytes(&tokens.text, text, n));
    tokens.n_text = n;
    *out = tokens;
    return WEIR_OK;
done:
    weir_tokens_close(&tokens);
    return status;
}

weir_status weir_tokens_from_ids(weir_tokens *out, const weir_model *model, const int32_t *ids, size_t n)
{
    weir_tokens tokens = {.n = n};
    TRY_GIVEN(out);
    *out = (weir_tokens){0};
    TRY_GIVEN(model);
    if (n > 0)
        TRY_GIVEN(ids);
    TRY(weir_model_check_ids(model, ids, n));
    TRY(weir_alloc(&tokens.ids, n, sizeof *ids));
    if (n)
        memcpy(tokens.ids, ids, n * sizeof *ids);
    *out = tokens;
    return WEIR_OK;
}

void weir_tokens_close(weir_tokens *tokens)
{
    if (!tokens)
        return;
    weir_free(tokens->ids);
    weir_free(tokens->text);
    weir_free(tokens->fields);
    weir_free(tokens->side);
    *tokens = (weir_tokens){0};
}

size_t weir_token_text(const weir_model *model, int32_t id, char *text, size_t size)
{
    const struct weir_tokenizer *tokenizer;
    size_t n = 0;
    if (!text)
        size = 0;
    if (!model)
        return weir_show_bytes(text, size, "", 0);
    if (!model->info.has_tokenizer || weir_model_get_tokenizer(&tokenizer, model) != WEIR_OK)
        return (size_t)snprintf(text, size, "%d", id);
    const char *bytes = weir_tokenizer_bytes(tokenizer, id, &n);
    return weir_show_bytes(text, size, bytes ? bytes : "", n);
}
