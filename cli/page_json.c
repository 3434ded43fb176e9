#include "cli/page_parts.h"

#include "base/alloc.h"
#include "cli/commands.h"

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

static weir_status add_prompt(cJSON *list, const struct page *page, size_t i)
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
    cJSON_AddItemToArray(list, object);
    return WEIR_OK;
}

static cJSON *json_patterns(const struct page *page)
{
    if (!page->pattern)
        return cJSON_CreateNull();
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToObject(object, "layers", json_picked(&page->layers));
    cJSON_AddItemToObject(object, "heads", json_picked(&page->heads));
    cJSON_AddBoolToObject(object, "sinks", page->pattern->sinks);
    return object;
}

static cJSON *json_units(const struct page *page)
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

static cJSON *json_norms(const struct page *page)
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
    cJSON_AddNumberToObject(root, "format", 1);
    cJSON_AddStringToObject(root, "weir", weir_version());
    cJSON_AddStringToObject(root, "model", info->model);
    cJSON_AddStringToObject(root, "family", info->family);
    cJSON_AddStringToObject(root, "created", info->created);
    cJSON_AddStringToObject(root, "command", info->command);
    cJSON_AddStringToObject(root, "dtype", dtype_text(info->dtype));
    cJSON_AddNumberToObject(root, "n_layers", info->n_layers);
    cJSON_AddNumberToObject(root, "n_prompts", info->n_prompts);
    cJSON_AddItemToObject(root, "patterns", json_patterns(page));
    cJSON_AddBoolToObject(root, "top_units", page->top);
    cJSON_AddItemToObject(root, "units", json_units(page));
    cJSON_AddItemToObject(root, "norms", json_norms(page));
    cJSON *prompts = cJSON_AddArrayToObject(root, "prompts");
    for (size_t i = 0; i < page->prompts.n; i++)
        TRY(add_prompt(prompts, page, i));
    return WEIR_OK;
}

/* What could end a script element, begin another, or open a comment goes as an escape, which JSON takes anywhere in a
   string; outside strings none of these occur. */
static weir_status escape(char **out, const char *json)
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
        status = text ? escape(out, text) : weir_fail(WEIR_E_MEMORY, "out of memory: the page does not fit");
    cJSON_free(text);
    return status;
}
