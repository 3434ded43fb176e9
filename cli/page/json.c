/* The contents of a page as JSON: tokens, predictions, and what its blocks of data are. */
#include "cli/page/parts.h"
#include "cli/select/files.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static cJSON *json_picked(const struct picked *picked)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < picked->n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber((double)picked->list[i]));
    return list;
}

static cJSON *json_ints(const int32_t *values, size_t n)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber(values[i]));
    return list;
}

/* A number with five digits: all that is shown. */
static cJSON *json_rounded(double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.5g", value);
    return isnan(value) ? cJSON_CreateNull() : cJSON_CreateRaw(text);
}

static void add_rounded(cJSON *object, const char *name, double value)
{
    cJSON_AddItemToObject(object, name, json_rounded(value));
}

static int compare_ids(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The texts of ids, as far as the file has them, each once. Sorts the ids. */
static void add_next_texts(cJSON *next, const struct page *page, int32_t *ids, size_t n)
{
    cJSON *texts = cJSON_AddObjectToObject(next, "texts");
    qsort(ids, n, sizeof *ids, compare_ids);
    for (size_t i = 0; i < n; i++) {
        char id[16];
        const char *text = weir_file_next_text(page->file, ids[i]);
        snprintf(id, sizeof id, "%d", ids[i]);
        if (*text && (i == 0 || ids[i] != ids[i - 1]))
            cJSON_AddStringToObject(texts, id, text);
    }
}

/* The most likely next tokens: ids and the logarithms of their probabilities, row by row. */
static weir_status add_page_next(cJSON *object, const struct page *page, int index, size_t n_rows)
{
    size_t k = (size_t)weir_file_get_info(page->file)->n_next, n;
    int32_t *ids = NULL;
    float *logprobs = NULL;
    weir_status status = WEIR_OK;
    if (k == 0)
        return WEIR_OK;
    TRY_DONE(weir_mul(&n, n_rows, k));
    TRY_DONE(weir_alloc(&ids, n, sizeof *ids));
    TRY_DONE(weir_alloc(&logprobs, n, sizeof *logprobs));
    TRY_DONE(weir_file_next(page->file, index, ids, NULL, logprobs));
    cJSON *next = cJSON_AddObjectToObject(object, "next"), *values = cJSON_CreateArray();
    for (size_t i = 0; i < n; i++)
        cJSON_AddItemToArray(values, isfinite(logprobs[i]) ? json_rounded((double)logprobs[i]) : cJSON_CreateNull());
    cJSON_AddNumberToObject(next, "k", (double)k);
    cJSON_AddItemToObject(next, "ids", json_ints(ids, n));
    cJSON_AddItemToObject(next, "logprobs", values);
    add_next_texts(next, page, ids, n);
done:
    weir_free(ids);
    weir_free(logprobs);
    return status;
}

/* The sides of the blocks of the prompt's overviews and thumbnails. */
static void add_page_blocks(cJSON *object, const struct page *page, size_t i)
{
    const struct page_part *part = &page->parts[i];
    if (part->maps)
        cJSON_AddNumberToObject(object, "block", (double)part->blocks.side);
    if (part->thumbs)
        cJSON_AddNumberToObject(object, "thumb", (double)part->blocks.n_thumb);
}

static weir_status add_page_prompt(cJSON *list, const struct page *page, size_t i)
{
    weir_file_prompt prompt;
    int index = (int)page->prompts.list[i];
    TRY(page_prompt(&prompt, page, i));
    cJSON *object = cJSON_CreateObject(), *tokens = cJSON_CreateArray();
    for (size_t j = 0; j < prompt.n; j++)
        cJSON_AddItemToArray(tokens, cJSON_CreateString(weir_file_token(page->file, index, (int)j)));
    cJSON_AddNumberToObject(object, "index", index);
    cJSON_AddItemToObject(object, "tokens", tokens);
    cJSON_AddItemToObject(object, "ids", json_ints(prompt.ids, prompt.n));
    cJSON_AddItemToObject(object, "rows", json_ints(prompt.positions, prompt.n_rows));
    if (!isnan(prompt.loss))
        add_rounded(object, "loss", (double)prompt.loss);
    if (page->pattern)
        add_page_blocks(object, page, i);
    TRY(add_page_next(object, page, index, prompt.n_rows));
    cJSON_AddItemToArray(list, object);
    return WEIR_OK;
}

/* As weir heads calls them, by enum weir_detection. */
static const char *const score_names[PAGE_SCORES] = {"previous", "duplicate", "induction"};

static cJSON *json_page_patterns(const struct page *page)
{
    if (!page->pattern)
        return cJSON_CreateNull();
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToObject(object, "layers", json_picked(&page->layers));
    cJSON_AddItemToObject(object, "heads", json_picked(&page->heads));
    cJSON_AddBoolToObject(object, "sinks", page->pattern->sinks);
    cJSON_AddNumberToObject(object, "strongest", (double)page->n_strongest);
    cJSON_AddNumberToObject(object, "opening", (double)page->order[0]);
    for (int which = 0; which < PAGE_SCORES; which++) {
        cJSON *list = cJSON_AddArrayToObject(object, score_names[which]);
        for (size_t i = 0; i < page->layers.n * page->heads.n; i++)
            cJSON_AddItemToArray(list, json_rounded(page->scores[i][which]));
    }
    return object;
}

static cJSON *json_page_units(const struct page *page)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < page->n_units; i++) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "point", page->units[i].point->name);
        cJSON_AddNumberToObject(object, "layer", page->units[i].layer);
        cJSON_AddNumberToObject(object, "unit", (double)page->units[i].unit);
        cJSON_AddItemToArray(list, object);
    }
    return list;
}

static cJSON *json_page_norms(const struct page *page)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 0; i < page->n_norms; i++) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "point", page->norms[i].point->point->name);
        cJSON_AddNumberToObject(object, "layer", page->norms[i].layer);
        cJSON_AddItemToArray(list, object);
    }
    return list;
}

static weir_status json_page(cJSON *root, const struct page *page)
{
    const weir_file_info *info = weir_file_get_info(page->file);
    cJSON_AddNumberToObject(root, "format", 2);
    cJSON_AddStringToObject(root, "weir", weir_version());
    cJSON_AddStringToObject(root, "model", info->model);
    cJSON_AddStringToObject(root, "family", info->family);
    cJSON_AddStringToObject(root, "created", info->created);
    cJSON_AddStringToObject(root, "command", info->command);
    cJSON_AddStringToObject(root, "dtype", dtype_text(info->dtype));
    cJSON_AddNumberToObject(root, "n_layers", info->n_layers);
    cJSON_AddNumberToObject(root, "n_prompts", info->n_prompts);
    cJSON_AddItemToObject(root, "patterns", json_page_patterns(page));
    cJSON_AddBoolToObject(root, "top_units", page->top);
    cJSON_AddItemToObject(root, "units", json_page_units(page));
    cJSON_AddItemToObject(root, "norms", json_page_norms(page));
    TRY(page_add_grids(root, page));
    cJSON *prompts = cJSON_AddArrayToObject(root, "prompts");
    for (size_t i = 0; i < page->prompts.n; i++)
        TRY(add_page_prompt(prompts, page, i));
    return WEIR_OK;
}

/* Characters that could end a script element, begin another, or open a comment become escapes, which JSON takes
   anywhere in a string; outside strings none of these occur. */
static weir_status escape_for_script(char **out, const char *json)
{
    size_t n = 0, at = 0;
    for (const char *p = json; *p; p++)
        n += strchr("<>&", *p) ? 6 : 1;
    TRY(weir_alloc(out, n + 1, 1));
    for (const char *p = json; *p; p++) {
        if (strchr("<>&", *p))
            at += (size_t)sprintf(*out + at, "\\u%04x", (unsigned)*p);
        else
            (*out)[at++] = *p;
    }
    (*out)[at] = '\0';
    return WEIR_OK;
}

weir_status page_json(char **out, const struct page *page)
{
    cJSON *root = cJSON_CreateObject();
    *out = NULL;
    weir_status status = json_page(root, page);
    char *text = status == WEIR_OK ? cJSON_PrintUnformatted(root) : NULL;
    cJSON_Delete(root);
    if (status == WEIR_OK)
        status = text ? escape_for_script(out, text) : weir_fail(WEIR_E_MEMORY, "out of memory: the page does not fit");
    cJSON_free(text);
    return status;
}
