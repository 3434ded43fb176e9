/* Where a model is: a path, or a name that the Hugging Face cache has.
   https://huggingface.co/docs/huggingface_hub/guides/manage-cache */
#include "base/alloc.h"
#include "base/map.h"
#include "model/model.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* The value of an environment variable that is set and not empty, else NULL. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static weir_status cache_folder(char **out)
{
    if (variable("HF_HUB_CACHE"))
        return weir_copy_string(out, variable("HF_HUB_CACHE"));
    if (variable("HUGGINGFACE_HUB_CACHE"))
        return weir_copy_string(out, variable("HUGGINGFACE_HUB_CACHE"));
    if (variable("HF_HOME"))
        return weir_format(out, "%s/hub", variable("HF_HOME"));
    if (variable("XDG_CACHE_HOME"))
        return weir_format(out, "%s/huggingface/hub", variable("XDG_CACHE_HOME"));
    return weir_format(out, "%s/.cache/huggingface/hub", variable("HOME") ? variable("HOME") : "");
}

/* "org/name" or "name": letters, digits, . _ - and at most one slash, no ".." */
static bool is_repository_name(const char *name)
{
    size_t slashes = 0;
    for (const char *p = name; *p; p++) {
        slashes += *p == '/';
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/", *p))
            return false;
    }
    return *name && *name != '.' && *name != '/' && slashes <= 1 && !ends_with(name, "/") && !strstr(name, "..");
}

/* The commit that refs/main names: hex digits and perhaps a line end. */
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

/* models--org--name in the cache */
static weir_status repository_folder(char **out, const char *cache, const char *name)
{
    const char *slash = strchr(name, '/');
    if (slash)
        return weir_format(out, "%s/models--%.*s--%s", cache, (int)(slash - name), name, slash + 1);
    return weir_format(out, "%s/models--%s", cache, name);
}

static weir_status locate_in_cache(char **path, const char *name)
{
    char *cache = NULL, *repository = NULL, *ref = NULL, *commit = NULL;
    weir_status status;
    TRY_DONE(cache_folder(&cache));
    TRY_DONE(repository_folder(&repository, cache, name));
    if (!is_folder(repository))
        TRY_DONE(weir_fail(WEIR_E_INPUT,
                           "%s: no such folder or .gguf file, and the Hugging Face cache (%s) does not have it: give a "
                           "path, or download it first",
                           name, cache));
    TRY_DONE(weir_format(&ref, "%s/refs/main", repository));
    TRY_DONE(read_ref(&commit, ref));
    TRY_DONE(weir_format(path, "%s/snapshots/%s", repository, commit));
    if (!is_folder(*path)) {
        status = weir_fail(WEIR_E_INPUT, "%s: refs/main names a snapshot that is not there: download the model again",
                           repository);
        weir_free(*path);
        *path = NULL;
    }
done:
    weir_free(cache);
    weir_free(repository);
    weir_free(ref);
    weir_free(commit);
    return status;
}

weir_status weir_model_locate(char **path, const char *where)
{
    *path = NULL;
    if (!*where)
        return weir_fail(WEIR_E_USAGE, "the model's name is empty");
    if (is_folder(where))
        return weir_copy_string(path, where);
    if (ends_with(where, ".bin") || ends_with(where, ".pt") || ends_with(where, ".pth"))
        return weir_fail(WEIR_E_UNSUPPORTED,
                         "%s: pickled weights can run code when they are read: convert them with "
                         "AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(NEW_DIR) and give NEW_DIR",
                         where);
    if (ends_with(where, ".safetensors"))
        return weir_fail(WEIR_E_USAGE, "%s: give the folder that it is in, which has the config.json", where);
    if (exists(where))
        return weir_copy_string(path, where);
    if (!is_repository_name(where) || ends_with(where, ".gguf"))
        return weir_fail(WEIR_E_INPUT, "%s: no such file or folder", where);
    return locate_in_cache(path, where);
}

/* The only file *.safetensors in a folder, under whatever name; *path stays NULL where there is none, or more. */
static weir_status find_only(char **path, const char *folder)
{
    char found[256] = "";
    int n = 0;
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (ends_with(entry->d_name, ".safetensors")) {
            snprintf(found, sizeof found, "%s", entry->d_name);
            n++;
        }
    if (dir)
        closedir(dir);
    return n == 1 ? weir_format(path, "%s/%s", folder, found) : WEIR_OK;
}

weir_status weir_model_find_weights(char **path, const char *folder)
{
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json"};
    static const char *const pickled[] = {"pytorch_model.bin", "pytorch_model.bin.index.json"};
    for (size_t i = 0; i < 2; i++) {
        TRY(weir_format(path, "%s/%s", folder, names[i]));
        if (exists(*path))
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
        bool there = exists(other);
        weir_free(other);
        if (there)
            return weir_fail(
                WEIR_E_UNSUPPORTED,
                "%s: has only pickled weights (%s), which can run code when they are read: convert them with "
                "AutoModelForCausalLM.from_pretrained(DIR).save_pretrained(NEW_DIR) and give NEW_DIR",
                folder, pickled[i]);
    }
    return weir_fail(WEIR_E_INPUT, "%s: has neither model.safetensors nor model.safetensors.index.json", folder);
}
