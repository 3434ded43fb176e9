/* Which files of a repository a model needs: nothing else is fetched. */
#include "cli/hub/listing.h"

#include "cli/hub/nearest.h"

#include "base/alloc.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* What weir reads, and what transformers needs beside it for the same model and tokens. */
static const char *const small_files[] = {
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "added_tokens.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.model",
    "sentencepiece.bpe.model",
    "chat_template.jinja",
    "chat_template.json",
};

static weir_status add_wanted(struct hub_wanted *wanted, const struct hub_listing *listing, const struct hub_file *file)
{
    if (!wanted->taken)
        TRY(weir_alloc_zero(&wanted->taken, listing->n, sizeof *wanted->taken));
    bool *taken = &wanted->taken[file - listing->files];
    if (*taken)
        return WEIR_OK;
    *taken = true;
    TRY(weir_grow(&wanted->files, &wanted->capacity, wanted->n + 1, sizeof(void *)));
    wanted->files[wanted->n++] = file;
    return WEIR_OK;
}

void hub_wanted_close(struct hub_wanted *wanted)
{
    weir_free(wanted->files);
    weir_free(wanted->taken);
    *wanted = (struct hub_wanted){0};
}

static bool has_ending(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);
    return n > m && strcmp(name + n - m, ending) == 0;
}

/* ---- files that a person named ---- */

static weir_status no_file(const struct hub_listing *listing, const char *repository, const char *name)
{
    char near[512];
    struct hub_nearest nearest = {0};
    for (size_t i = 0; i < listing->n; i++)
        hub_nearest_add(&nearest, name, listing->files[i].name);
    hub_nearest_text(near, sizeof near, &nearest);
    return weir_fail(WEIR_E_USAGE, "%s: has no file %s at commit %.10s; the nearest: %s", repository, name,
                     listing->commit, near);
}

/* Where the "00001-of-00003.gguf" of a split file begins in its name; 0: it is not split. */
static size_t split_place(const char *name)
{
    static const char shape[] = "-00000-of-00000.gguf";
    size_t n = strlen(name), m = sizeof shape - 1;
    for (size_t i = 0; n > m && i < m; i++) {
        char c = name[n - m + i];
        if (shape[i] == '0' ? c < '0' || c > '9' : c != shape[i])
            return 0;
    }
    return n > m ? n - m : 0;
}

/* All parts of a split file: those whose names differ in the number of the part only. */
static weir_status add_parts(struct hub_wanted *wanted, const struct hub_listing *listing, const char *name)
{
    size_t place = split_place(name);
    for (size_t i = 0; i < listing->n; i++) {
        const char *other = listing->files[i].name;
        if (split_place(other) == place && strncmp(other, name, place) == 0 &&
            strcmp(other + place + sizeof "-00000" - 1, name + place + sizeof "-00000" - 1) == 0)
            TRY(add_wanted(wanted, listing, &listing->files[i]));
    }
    return WEIR_OK;
}

weir_status hub_wanted_named(struct hub_wanted *wanted, const struct hub_listing *listing, const char *repository,
                             const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct hub_file *file = hub_listing_find(listing, names[i]);
        if (!file)
            return no_file(listing, repository, names[i]);
        TRY(split_place(names[i]) ? add_parts(wanted, listing, names[i]) : add_wanted(wanted, listing, file));
    }
    return WEIR_OK;
}

/* ---- a model ---- */

/* The only file *.safetensors beside the configuration, as weir takes it from a folder; NULL: none, or more. */
static const struct hub_file *only_weights(const struct hub_listing *listing)
{
    const struct hub_file *found = NULL;
    for (size_t i = 0; i < listing->n; i++) {
        const char *name = listing->files[i].name;
        if (strchr(name, '/') || !has_ending(name, ".safetensors") || strncmp(name, "adapter_model", 13) == 0)
            continue;
        if (found)
            return NULL;
        found = &listing->files[i];
    }
    return found;
}

/* Names with an ending, "a, b, ..."; how many. */
static size_t names_with_ending(char *text, size_t size, const struct hub_listing *listing, const char *ending)
{
    enum { MOST_SHOWN = 12 };
    size_t n = 0;
    *text = '\0';
    for (size_t i = 0; i < listing->n; i++)
        if (has_ending(listing->files[i].name, ending) && n++ < MOST_SHOWN)
            weir_text_append(text, size, "%s%s", n > 1 ? ", " : "", listing->files[i].name);
    if (n > MOST_SHOWN)
        weir_text_append(text, size, " and %zu more", n - MOST_SHOWN);
    return n;
}

/* Why a repository is no model that weir can fetch as it is. */
static weir_status no_model(const struct hub_listing *listing, const char *repository)
{
    char names[1024];
    if (names_with_ending(names, sizeof names, listing, ".gguf") > 0)
        return weir_fail(WEIR_E_USAGE, "%s: has GGUF files: name one of them (weir pull %s FILE): %s", repository,
                         repository, names);
    if (hub_listing_find(listing, "adapter_config.json"))
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: is an adapter (PEFT), not a model: merge it into its model in Python",
                         repository);
    if (!hub_listing_find(listing, "config.json"))
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: has no config.json and is no model that weir knows; it has %zu files",
                         repository, listing->n);
    if (names_with_ending(names, sizeof names, listing, ".safetensors") > 0)
        return weir_fail(WEIR_E_USAGE,
                         "%s: has neither model.safetensors nor its index; name files (weir pull %s FILE): %s",
                         repository, repository, names);
    return weir_fail(
        WEIR_E_UNSUPPORTED, "%s: has no safetensors weights: docs/models.md shows how to convert others, such as %s",
        repository, names_with_ending(names, sizeof names, listing, ".bin") > 0 ? names : "pytorch_model.bin");
}

weir_status hub_wanted_model(struct hub_wanted *wanted, const struct hub_file **index,
                             const struct hub_listing *listing, const char *repository)
{
    const struct hub_file *weights = hub_listing_find(listing, "model.safetensors");
    *index = weights ? NULL : hub_listing_find(listing, "model.safetensors.index.json");
    if (!weights)
        weights = *index ? *index : only_weights(listing);
    if (!weights || !hub_listing_find(listing, "config.json"))
        return no_model(listing, repository);
    for (size_t i = 0; i < sizeof small_files / sizeof *small_files; i++) {
        const struct hub_file *file = hub_listing_find(listing, small_files[i]);
        if (file)
            TRY(add_wanted(wanted, listing, file));
    }
    return add_wanted(wanted, listing, weights);
}

weir_status hub_wanted_shards(struct hub_wanted *wanted, const struct hub_listing *listing, const char *path)
{
    cJSON *root = NULL;
    const cJSON *item;
    weir_status status;
    TRY_DONE(weir_json_read(&root, path));
    cJSON_ArrayForEach(item, weir_json_get(root, "weight_map"))
    {
        const char *name = cJSON_GetStringValue(item);
        const struct hub_file *file = name ? hub_listing_find(listing, name) : NULL;
        if (!file)
            TRY_DONE(weir_fail(WEIR_E_INPUT, "%s: names '%.100s' for a tensor, which the repository does not have",
                               path, name ? name : ""));
        TRY_DONE(add_wanted(wanted, listing, file));
    }
    if (wanted->n == 0)
        TRY_DONE(weir_fail(WEIR_E_INPUT, "%s: names no files (weight_map)", path));
done:
    cJSON_Delete(root);
    return status;
}
