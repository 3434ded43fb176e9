/* Hugging Face folders: which files there are, GPT-2's pair of files, and what the configuration says about BOS and
   added tokens. */
#include "token/pipeline.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/map.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* *json is NULL, with WEIR_OK, when the folder has no such file. The path stays for messages. */
static weir_status read_folder_json(cJSON **json, char **path, const char *folder, const char *name)
{
    *json = NULL;
    TRY(weir_format(path, "%s/%s", folder, name));
    return access(*path, F_OK) == 0 ? weir_json_read(json, *path) : WEIR_OK;
}

struct folder {
    char *config_path, *special_path, *model_path;
    cJSON *config;  /* tokenizer_config.json */
    cJSON *special; /* special_tokens_map.json */
    cJSON *model;   /* config.json */
};

static void folder_close(struct folder *f)
{
    weir_free(f->config_path);
    weir_free(f->special_path);
    weir_free(f->model_path);
    cJSON_Delete(f->config);
    cJSON_Delete(f->special);
    cJSON_Delete(f->model);
}

static weir_status folder_open(struct folder *f, const char *folder)
{
    TRY(read_folder_json(&f->config, &f->config_path, folder, "tokenizer_config.json"));
    TRY(read_folder_json(&f->special, &f->special_path, folder, "special_tokens_map.json"));
    return read_folder_json(&f->model, &f->model_path, folder, "config.json");
}

/* A special token is written as a string or as {"content": string}. */
static const char *special_text(const cJSON *json, const char *key)
{
    const cJSON *value = weir_json_get(json, key);
    if (cJSON_IsObject(value))
        value = weir_json_get(value, "content");
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

/* `kind` is "bos" or "eos"; *id stays as it is where nothing says what it is. A null in tokenizer_config.json says that
   there is none: -1. */
static weir_status special_id(const struct folder *f, const struct weir_tokenizer *t, const char *kind, int32_t *id)
{
    char token[16], number[16];
    snprintf(token, sizeof token, "%s_token", kind);
    snprintf(number, sizeof number, "%s_token_id", kind);
    const char *text = special_text(f->config, token), *path = f->config_path;
    if (!text && cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(f->config, token))) {
        *id = -1;
        return WEIR_OK;
    }
    if (!text) {
        text = special_text(f->special, token);
        path = f->special_path;
    }
    if (text) {
        *id = weir_token_id(t, text, strlen(text));
        return *id >= 0 ? WEIR_OK
                        : weir_fail(WEIR_E_INPUT, "%s: %s is \"%.64s\", which is not a token", path, token, text);
    }
    const cJSON *value = weir_json_get(f->model, number);
    if (cJSON_IsNumber(value)) {
        TRY(weir_check_id(f->model_path, value->valuedouble, t->size));
        *id = (int32_t)value->valuedouble;
    }
    return WEIR_OK;
}

static weir_status set_one(struct weir_ids *ids, bool wanted, int32_t id)
{
    ids->n = 0;
    return wanted && id >= 0 ? weir_ids_add(ids, id) : WEIR_OK;
}

/* add_bos_token and add_eos_token, where one of them is there, replace the post-processor: as in transformers 5. */
static weir_status apply_config(const struct folder *f, struct weir_tokenizer *t)
{
    bool add_bos = false, add_eos = false;
    TRY(special_id(f, t, "bos", &t->bos));
    TRY(special_id(f, t, "eos", &t->eos));
    if (t->bos < 0 && t->front.n > 0)
        t->bos = t->front.ids[0];
    if (!weir_json_get(f->config, "add_bos_token") && !weir_json_get(f->config, "add_eos_token"))
        return WEIR_OK;
    TRY(weir_json_bool(f->config, f->config_path, "add_bos_token", &add_bos));
    TRY(weir_json_bool(f->config, f->config_path, "add_eos_token", &add_eos));
    TRY(set_one(&t->front, add_bos, t->bos));
    return set_one(&t->back, add_eos, t->eos);
}

/* ---- vocab.json and merges.txt --------------------------------------------------------------------------------- */

/* The special tokens that the configuration names are added tokens; GPT-2's own when it names none. */
static weir_status add_special_tokens(cJSON *json, const struct folder *f, const cJSON *vocab)
{
    static const char *const keys[] = {"bos_token", "eos_token", "unk_token", "pad_token"};
    cJSON *added = cJSON_AddArrayToObject(json, "added_tokens");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *text = special_text(f->config, keys[i]);
        if (!text)
            text = special_text(f->special, keys[i]);
        if (!text)
            text = "<|endoftext|>";
        const cJSON *id = cJSON_GetObjectItemCaseSensitive(vocab, text);
        if (!id)
            continue;
        cJSON *token = cJSON_CreateObject();
        cJSON_AddItemToArray(added, token);
        cJSON_AddStringToObject(token, "content", text);
        cJSON_AddNumberToObject(token, "id", id->valuedouble);
        if (!cJSON_AddTrueToObject(token, "special"))
            return weir_fail(WEIR_E_MEMORY, "out of memory");
    }
    return WEIR_OK;
}

/* The two files as the tokenizer.json that they are short for, but for its large parts. */
static weir_status as_tokenizer_json(cJSON **out, const cJSON *vocab, const struct folder *f)
{
    bool prefix_space = false;
    cJSON *json = *out = cJSON_CreateObject(), *model = cJSON_AddObjectToObject(json, "model");
    TRY(weir_json_bool(f->config, f->config_path, "add_prefix_space", &prefix_space));
    cJSON *stage = cJSON_AddObjectToObject(json, "pre_tokenizer");
    if (!model || !cJSON_AddStringToObject(stage, "type", "ByteLevel") ||
        !cJSON_AddBoolToObject(stage, "add_prefix_space", prefix_space))
        return weir_fail(WEIR_E_MEMORY, "out of memory");
    cJSON *added = cJSON_GetObjectItemCaseSensitive(f->config, "added_tokens_decoder");
    if (added && !cJSON_AddItemReferenceToObject(json, "added_tokens_decoder", added))
        return weir_fail(WEIR_E_MEMORY, "out of memory");
    return add_special_tokens(json, f, vocab);
}

/* `vocab` is vocab.json as a tree, which is small enough for one. */
static weir_status read_pair(struct weir_tokenizer **out, const cJSON *vocab, const struct weir_map *vocab_map,
                             const struct weir_map *merges_map, const struct folder *f)
{
    const char *text = (const char *)vocab_map->data, *lines = (const char *)merges_map->data;
    cJSON *json = NULL;
    size_t bad;
    weir_status status;
    struct weir_model_text large = {
        .vocab = {vocab_map->path, text, text, text + vocab_map->size, (size_t)cJSON_GetArraySize(vocab)},
        .lines = lines ? lines : "",
        .n_lines = merges_map->size,
    };
    if (!weir_utf8_valid(large.lines, large.n_lines, &bad))
        return weir_fail(WEIR_E_INPUT, "%s: byte %zu: not UTF-8", merges_map->path, bad);
    TRY_DONE(as_tokenizer_json(&json, vocab, f));
    TRY_DONE(weir_tokenizer_from_parts(out, json, &large, vocab_map->path));
done:
    cJSON_Delete(json);
    return status;
}

static weir_status from_pair(struct weir_tokenizer **out, const char *vocab_path, const char *merges_path,
                             const struct folder *f)
{
    struct weir_map *vocab_map = NULL, *merges_map = NULL;
    cJSON *vocab = NULL;
    weir_status status;
    TRY_DONE(weir_map_open(&vocab_map, vocab_path));
    TRY_DONE(weir_map_open(&merges_map, merges_path));
    TRY_DONE(
        weir_json_parse(&vocab, vocab_path, vocab_map->data ? (const char *)vocab_map->data : "", vocab_map->size));
    TRY_DONE(read_pair(out, vocab, vocab_map, merges_map, f));
done:
    cJSON_Delete(vocab);
    weir_map_close(vocab_map);
    weir_map_close(merges_map);
    return status;
}

/* ---- the three kinds of folder: *out stays NULL, with WEIR_OK, where it is not that kind ----------------------- */

typedef weir_status read_tokenizer_file(struct weir_tokenizer **out, const struct weir_map *map, const char *path,
                                        const struct folder *f);

/* What `read` makes of a file of the folder. */
static weir_status from_file(struct weir_tokenizer **out, const char *folder, const char *name,
                             read_tokenizer_file *read, const struct folder *f)
{
    char *path = NULL;
    struct weir_map *map = NULL;
    weir_status status;
    TRY_DONE(weir_format(&path, "%s/%s", folder, name));
    if (access(path, F_OK) != 0)
        goto done;
    TRY_DONE(weir_map_open(&map, path));
    TRY_DONE(read(out, map, path, f));
done:
    weir_map_close(map);
    weir_free(path);
    return status;
}

static weir_status read_tokenizer_json(struct weir_tokenizer **out, const struct weir_map *map, const char *path,
                                       const struct folder *f)
{
    (void)f;
    return weir_tokenizer_from_json(out, map->data ? (const char *)map->data : "", map->size, path);
}

static weir_status read_tokenizer_model(struct weir_tokenizer **out, const struct weir_map *map, const char *path,
                                        const struct folder *f)
{
    return weir_tokenizer_from_sentencepiece(out, map->data, map->size, path, f->config);
}

static weir_status from_tokenizer_json(struct weir_tokenizer **out, const char *folder, const struct folder *f)
{
    return from_file(out, folder, "tokenizer.json", read_tokenizer_json, f);
}

static weir_status from_vocab_and_merges(struct weir_tokenizer **out, const char *folder, const struct folder *f)
{
    char *vocab_path = NULL, *merges_path = NULL;
    weir_status status;
    TRY_DONE(weir_format(&merges_path, "%s/merges.txt", folder));
    TRY_DONE(weir_format(&vocab_path, "%s/vocab.json", folder));
    if (access(merges_path, F_OK) == 0 && access(vocab_path, F_OK) == 0)
        TRY_DONE(from_pair(out, vocab_path, merges_path, f));
done:
    weir_free(vocab_path);
    weir_free(merges_path);
    return status;
}

static weir_status from_tokenizer_model(struct weir_tokenizer **out, const char *folder, const struct folder *f)
{
    return from_file(out, folder, "tokenizer.model", read_tokenizer_model, f);
}

static weir_status read_any(struct weir_tokenizer **out, const char *folder, const struct folder *f)
{
    TRY(from_tokenizer_json(out, folder, f));
    if (!*out)
        TRY(from_vocab_and_merges(out, folder, f));
    return *out ? WEIR_OK : from_tokenizer_model(out, folder, f);
}

weir_status weir_tokenizer_from_folder(struct weir_tokenizer **out, const char *folder)
{
    struct folder f = {0};
    struct weir_tokenizer *t = NULL;
    weir_status status;
    *out = NULL;
    TRY_DONE(folder_open(&f, folder));
    TRY_DONE(read_any(&t, folder, &f));
    if (t)
        TRY_DONE(apply_config(&f, t));
    *out = t;
    t = NULL;
done:
    weir_tokenizer_close(t);
    folder_close(&f);
    return status;
}
