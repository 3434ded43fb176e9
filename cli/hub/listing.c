/* Reads the hub's list of files, which is hostile until checked. */
#include "cli/hub/listing.h"

#include "base/alloc.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

enum { LONGEST_PART = 255, LONGEST_NAME = 1024, MOST_FILES = 200000 };

/* True for "a/b.json": parts that are no "." or "..", not empty, not too long for a folder, without control characters.
 */
static bool is_ordinary_name(const char *name)
{
    if (strlen(name) > LONGEST_NAME)
        return false;
    for (const char *part = name;; part++) {
        size_t n = strcspn(part, "/");
        if (n == 0 || n > LONGEST_PART || (n == 1 && *part == '.') || (n == 2 && part[0] == '.' && part[1] == '.'))
            return false;
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)part[i] < ' ' || part[i] == 127 || part[i] == '\\')
                return false;
        part += n;
        if (!*part)
            return true;
    }
}

static weir_status read_commit(struct hub_listing *listing, const cJSON *root, const char *from)
{
    const char *sha = cJSON_GetStringValue(weir_json_get(root, "sha"));
    size_t n = sha ? strspn(sha, "0123456789abcdef") : 0;
    if (n < 40 || n >= sizeof listing->commit || sha[n])
        return weir_fail(WEIR_E_INPUT, "%s: does not name a commit (sha): is HF_ENDPOINT a hub?", from);
    memcpy(listing->commit, sha, n + 1);
    return WEIR_OK;
}

static weir_status read_file(struct hub_listing *listing, const cJSON *item, const char *from)
{
    const char *name = cJSON_GetStringValue(weir_json_get(item, "rfilename"));
    const cJSON *size = weir_json_get(item, "size");
    if (!name || !is_ordinary_name(name))
        return weir_fail(WEIR_E_INPUT,
                         "%s: lists a file of the name '%.100s', which can be none in a folder: nothing is fetched",
                         from, name ? name : "");
    struct hub_file file = {.size = -1};
    if (cJSON_IsNumber(size) && size->valuedouble >= 0 && size->valuedouble < 9e15)
        file.size = (int64_t)size->valuedouble;
    TRY(weir_grow(&listing->files, &listing->capacity, listing->n + 1, sizeof *listing->files));
    TRY(weir_copy_string(&file.name, name));
    listing->files[listing->n++] = file;
    return WEIR_OK;
}

static weir_status read_files(struct hub_listing *listing, const cJSON *root, const char *from)
{
    const cJSON *list = weir_json_get(root, "siblings"), *item;
    size_t n = 0;
    if (!cJSON_IsArray(list))
        return weir_fail(WEIR_E_INPUT, "%s: does not list files (siblings): is HF_ENDPOINT a hub?", from);
    cJSON_ArrayForEach(item, list)
    {
        if (++n > MOST_FILES)
            return weir_fail(WEIR_E_INPUT, "%s: lists more than %d files", from, MOST_FILES);
        TRY(read_file(listing, item, from));
    }
    return WEIR_OK;
}

static int compare_file_names(const void *a, const void *b)
{
    return strcmp(((const struct hub_file *)a)->name, ((const struct hub_file *)b)->name);
}

weir_status hub_listing_read(struct hub_listing *listing, const char *from, const char *text, size_t n)
{
    cJSON *root = NULL;
    weir_status status;
    *listing = (struct hub_listing){0};
    size_t blank = 0;
    while (blank < n && strchr(" \t\r\n", text[blank]))
        blank++;
    if (blank == n || text[blank] != '{')
        return weir_fail(
            WEIR_E_INPUT,
            "%s: answers with something else than a list of files: is HF_ENDPOINT a hub, or does the network "
            "want a login first?",
            from);
    TRY_DONE(weir_json_parse(&root, from, text, n));
    TRY_DONE(read_commit(listing, root, from));
    TRY_DONE(read_files(listing, root, from));
    if (listing->n > 0)
        qsort(listing->files, listing->n, sizeof *listing->files, compare_file_names);
done:
    cJSON_Delete(root);
    return status;
}

void hub_listing_close(struct hub_listing *listing)
{
    for (size_t i = 0; i < listing->n; i++)
        weir_free(listing->files[i].name);
    weir_free(listing->files);
}

const struct hub_file *hub_listing_find(const struct hub_listing *listing, const char *name)
{
    char *same = (char *)name; /* only compared */
    const struct hub_file sought = {.name = same};
    return listing->n ? bsearch(&sought, listing->files, listing->n, sizeof *listing->files, compare_file_names) : NULL;
}
