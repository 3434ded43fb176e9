/* Where a model is: a path, or a name that the Hugging Face cache has.
   https://huggingface.co/docs/huggingface_hub/guides/manage-cache */
#include "model/locate.h"
#include "base/alloc.h"
#include "base/input.h"
#include "base/json.h"
#include "base/map.h"
#include "model/model.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool path_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* The value of an environment variable that is set and not empty, else NULL. */
static const char *environment_value(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

weir_status weir_hub_home(char **out)
{
    if (environment_value("HF_HOME"))
        return weir_copy_string(out, environment_value("HF_HOME"));
    if (environment_value("XDG_CACHE_HOME"))
        return weir_format(out, "%s/huggingface", environment_value("XDG_CACHE_HOME"));
    return weir_format(out, "%s/.cache/huggingface", environment_value("HOME") ? environment_value("HOME") : "");
}

weir_status weir_hub_cache(char **out)
{
    char *home;
    if (environment_value("HF_HUB_CACHE"))
        return weir_copy_string(out, environment_value("HF_HUB_CACHE"));
    if (environment_value("HUGGINGFACE_HUB_CACHE"))
        return weir_copy_string(out, environment_value("HUGGINGFACE_HUB_CACHE"));
    TRY(weir_hub_home(&home));
    weir_status status = weir_format(out, "%s/hub", home);
    weir_free(home);
    return status;
}

bool weir_is_repository(const char *name)
{
    size_t slashes = 0;
    for (const char *p = name; *p; p++) {
        slashes += *p == '/';
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/", *p))
            return false;
    }
    return *name && *name != '.' && *name != '/' && slashes <= 1 && !ends_with(name, "/") && !strstr(name, "..");
}

bool weir_is_revision(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+");
    return n > 0 && !text[n] && *text != '.' && *text != '/' && !strstr(text, "..");
}

/* The commit that a ref names: hex digits and perhaps a line end. */
static weir_status read_ref(char **out, const char *path)
{
    struct weir_map *map;
    TRY(weir_map_open(&map, path));
    size_t n = 0;
    while (n < map->size && strchr("0123456789abcdef", map->data[n]) && map->data[n])
        n++;
    weir_status status = n == 0 || n > 64 ? weir_fail(WEIR_E_INPUT, "%s: does not name a commit", path)
                                          : weir_copy_bytes(out, (const char *)map->data, n);
    weir_map_close(map);
    return status;
}

/* ---- listing folders ---- */

enum { MOST_LIST = 400 };

/* The entries of a folder whose names begin with one text and end in another: how many, their names as "a, b, ...", and
   the last of them. */
struct found {
    size_t n;
    char names[MOST_LIST], last[256];
};

static void list_folder(struct found *found, const char *folder, const char *begin, const char *end)
{
    size_t at = 0;
    *found = (struct found){0};
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (*entry->d_name == '.' || strncmp(entry->d_name, begin, strlen(begin)) != 0 ||
            !ends_with(entry->d_name, end))
            continue;
        snprintf(found->last, sizeof found->last, "%s", entry->d_name);
        if (at < sizeof found->names)
            at += (size_t)snprintf(found->names + at, sizeof found->names - at, "%s%s", at ? ", " : "", entry->d_name);
        found->n++;
    }
    if (dir)
        closedir(dir);
}

/* ---- the Hugging Face cache ---- */

weir_status weir_hub_folder(char **out, const char *below, const char *name)
{
    const char *slash = strchr(name, '/');
    return slash ? weir_format(out, "%s/models--%.*s--%s", below, (int)(slash - name), name, slash + 1)
                 : weir_format(out, "%s/models--%s", below, name);
}

/* *out stays NULL where the cache does not have it. */
static weir_status repository_folder(char **out, const char *cache, const char *name)
{
    TRY(weir_hub_folder(out, cache, name));
    if (weir_is_folder(*out))
        return WEIR_OK;
    weir_free(*out);
    *out = NULL;
    return WEIR_OK;
}

/* "gpt2" for openai-community/gpt2, where no other organization's gpt2 is there. */
static weir_status short_name_folder(char **out, const char *cache, const char *name)
{
    struct found found;
    char *end;
    if (strchr(name, '/'))
        return WEIR_OK;
    TRY(weir_format(&end, "--%s", name));
    list_folder(&found, cache, "models--", end);
    weir_free(end);
    if (found.n > 1)
        return weir_fail(WEIR_E_USAGE,
                         "%s: the Hugging Face cache (%s) has %zu of that name: %s: write ORGANIZATION/%s", name, cache,
                         found.n, found.names, name);
    return found.n == 1 ? weir_format(out, "%s/%s", cache, found.last) : WEIR_OK;
}

static weir_status search_cache(char **out, const char *cache, const char *name)
{
    TRY(repository_folder(out, cache, name));
    return *out ? WEIR_OK : short_name_folder(out, cache, name);
}

/* Where a repository is: in the cache of the hub, or in the one of older transformers. `where` is it with its revision.
 */
static weir_status find_repository(char **out, const char *name, const char *where)
{
    char *cache;
    *out = NULL;
    TRY(weir_hub_cache(&cache));
    weir_status status = search_cache(out, cache, name);
    if (status == WEIR_OK && !*out && environment_value("TRANSFORMERS_CACHE"))
        status = search_cache(out, environment_value("TRANSFORMERS_CACHE"), name);
    if (status == WEIR_OK && !*out)
        status = weir_fail(WEIR_E_INPUT,
                           "%s: no such folder or .gguf file, and the Hugging Face cache (%s) does not have it: give a "
                           "path, or fetch it with weir pull %s",
                           name, cache, where);
    weir_free(cache);
    return status;
}

static weir_status no_revision(const char *repository, const char *revision)
{
    struct found refs, snapshots;
    char *folder;
    TRY(weir_format(&folder, "%s/refs", repository));
    list_folder(&refs, folder, "", "");
    weir_free(folder);
    TRY(weir_format(&folder, "%s/snapshots", repository));
    list_folder(&snapshots, folder, "", "");
    weir_free(folder);
    return weir_fail(
        WEIR_E_INPUT,
        "%s: there is no single revision %s; it has refs %s and snapshots %s: give NAME@REVISION, or fetch it with "
        "weir pull NAME@REVISION",
        repository, revision, *refs.names ? refs.names : "none", *snapshots.names ? snapshots.names : "none");
}

/* The snapshot whose commit begins so; *out stays NULL where there is none. A repository's only snapshot needs no ref
   called main. */
static weir_status snapshot_of(char **out, const char *repository, const char *begin)
{
    struct found found;
    char *folder;
    TRY(weir_format(&folder, "%s/snapshots", repository));
    list_folder(&found, folder, begin, "");
    if (found.n == 0 && strcmp(begin, "main") == 0)
        list_folder(&found, folder, "", "");
    weir_status status = found.n == 1  ? weir_format(out, "%s/%s", folder, found.last)
                         : found.n > 1 ? no_revision(repository, begin)
                                       : WEIR_OK;
    weir_free(folder);
    return status;
}

/* A branch or tag is a file in refs/ that holds a commit; else it must begin the name of one snapshot. */
static weir_status locate_revision(char **path, const char *repository, const char *revision)
{
    char *ref = NULL, *commit = NULL;
    weir_status status;
    TRY_DONE(weir_format(&ref, "%s/refs/%s", repository, revision));
    if (path_exists(ref) && !weir_is_folder(ref)) {
        TRY_DONE(read_ref(&commit, ref));
        TRY_DONE(weir_format(path, "%s/snapshots/%s", repository, commit));
        if (!weir_is_folder(*path))
            status = weir_fail(WEIR_E_INPUT,
                               "%s: refs/%s names a snapshot that does not exist: fetch the model again (weir pull)",
                               repository, revision);
    } else {
        TRY_DONE(snapshot_of(path, repository, revision));
        if (!*path)
            status = no_revision(repository, revision);
    }
done:
    if (status != WEIR_OK) {
        weir_free(*path);
        *path = NULL;
    }
    weir_free(ref);
    weir_free(commit);
    return status;
}

/* NAME or NAME@REVISION: a branch, a tag, or the beginning of a commit. */
static weir_status locate_in_cache(char **path, const char *where)
{
    const char *at = strchr(where, '@'), *revision = at ? at + 1 : "main";
    char *name = NULL, *repository = NULL;
    weir_status status;
    TRY_DONE(weir_copy_bytes(&name, where, at ? (size_t)(at - where) : strlen(where)));
    if (!weir_is_repository(name) || (at && !weir_is_revision(revision)))
        TRY_DONE(weir_fail(WEIR_E_INPUT, "%s: no such file or folder", where));
    TRY_DONE(find_repository(&repository, name, where));
    TRY_DONE(locate_revision(path, repository, revision));
done:
    weir_free(name);
    weir_free(repository);
    return status;
}

weir_status weir_model_locate(char **path, const char *where)
{
    *path = NULL;
    if (!*where)
        return weir_fail(WEIR_E_USAGE, "the model's name is empty");
    if (weir_is_folder(where))
        return weir_copy_string(path, where);
    if (ends_with(where, ".bin") || ends_with(where, ".pt") || ends_with(where, ".pth"))
        return weir_fail(WEIR_E_UNSUPPORTED,
                         "%s: pickled weights can run code when they are read: convert them with "
                         "AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(NEW_DIR) and give NEW_DIR",
                         where);
    if (ends_with(where, ".safetensors"))
        return weir_fail(WEIR_E_USAGE, "%s: give the folder that it is in, which has the config.json", where);
    if (path_exists(where))
        return weir_copy_string(path, where);
    if (ends_with(where, ".gguf"))
        return weir_fail(WEIR_E_INPUT, "%s: no such file or folder", where);
    return locate_in_cache(path, where);
}

/* ---- folders ---- */

/* The only file *.safetensors in a folder, under whatever name but an adapter's; *path stays NULL where there is none,
   or more. */
static weir_status find_only(char **path, const char *folder)
{
    struct found found;
    list_folder(&found, folder, "", ".safetensors");
    return found.n == 1 && strncmp(found.last, "adapter_model", 13) != 0
               ? weir_format(path, "%s/%s", folder, found.last)
               : WEIR_OK;
}

bool weir_model_folder_has(const char *folder, const char *name)
{
    char path[4096];
    return (size_t)snprintf(path, sizeof path, "%s/%s", folder, name) < sizeof path && access(path, R_OK) == 0;
}

static weir_status adapter_alone(const char *folder)
{
    char *path;
    cJSON *json = NULL;
    TRY(weir_format(&path, "%s/adapter_config.json", folder));
    weir_status status = weir_json_read(&json, path);
    const char *base = cJSON_GetStringValue(weir_json_get(json, "base_model_name_or_path"));
    if (status == WEIR_OK)
        status =
            weir_fail(WEIR_E_UNSUPPORTED,
                      "%s: is an adapter (PEFT) of %s, not a model: merge it into the model (merge_and_unload, then "
                      "save_pretrained) and give that folder",
                      folder, base ? base : "a model that it does not name");
    cJSON_Delete(json);
    weir_free(path);
    return status;
}

/* A hint for a snapshot that may not be whole, "" for other folders. */
static const char *hint_for_snapshot(const char *folder)
{
    return strstr(folder, "/models--") && strstr(folder, "/snapshots/") ? " (weir pull fetches the rest)" : "";
}

weir_status weir_model_check_folder(const char *folder)
{
    struct found gguf, all;
    if (weir_model_folder_has(folder, "config.json"))
        return WEIR_OK;
    if (weir_model_folder_has(folder, "adapter_config.json"))
        return adapter_alone(folder);
    list_folder(&gguf, folder, "", ".gguf");
    if (gguf.n > 0)
        return weir_fail(WEIR_E_USAGE, "%s: has no config.json, and GGUF files: give one of them: %s", folder,
                         gguf.names);
    list_folder(&all, folder, "", "");
    return weir_fail(WEIR_E_INPUT, "%s: is not a model: it has neither config.json nor a .gguf file; it contains %s%s",
                     folder, all.n ? all.names : "nothing", hint_for_snapshot(folder));
}

weir_status weir_model_find_weights(char **path, const char *folder)
{
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json"};
    static const char *const pickled[] = {"pytorch_model.bin", "pytorch_model.bin.index.json"};
    struct found all;
    for (size_t i = 0; i < 2; i++) {
        TRY(weir_format(path, "%s/%s", folder, names[i]));
        if (path_exists(*path))
            return WEIR_OK;
        weir_free(*path);
        *path = NULL;
    }
    TRY(find_only(path, folder));
    if (*path)
        return WEIR_OK;
    for (size_t i = 0; i < 2; i++) {
        char *other;
        TRY(weir_format(&other, "%s/%s", folder, pickled[i]));
        bool there = path_exists(other);
        weir_free(other);
        if (there)
            return weir_fail(
                WEIR_E_UNSUPPORTED,
                "%s: has only pickled weights (%s), which can run code when they are read: convert them with "
                "AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(NEW_DIR) and give NEW_DIR",
                folder, pickled[i]);
    }
    list_folder(&all, folder, "", "");
    return weir_fail(WEIR_E_INPUT,
                     "%s: has neither model.safetensors nor model.safetensors.index.json; it contains %s%s", folder,
                     all.names, hint_for_snapshot(folder));
}
