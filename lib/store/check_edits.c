/* Checks the attribute edits: each of its members is an edit that can be parsed, or the last names hooks that could
 * edit. */
#include "points/edit.h"
#include "store/check.h"

#include <string.h>

/* {"hook": "resid_pre:1,pattern:0+2"} */
static weir_status parse_hooks(const cJSON *points)
{
    struct weir_selection *selection;
    if (!cJSON_IsString(points) || !*points->valuestring || points->next || points->prev != points)
        return weir_fail(WEIR_E_INPUT, "hook stands alone, and is a text that names hook points");
    TRY(weir_selection_parse(&selection, points->valuestring));
    weir_selection_close(selection);
    return WEIR_OK;
}

static weir_status parse_edit(const cJSON *item)
{
    weir_edit *edit;
    char *text = cJSON_PrintUnformatted(item);
    if (!text)
        return weir_fail(WEIR_E_MEMORY, "out of memory for an edit's text");
    weir_status status = weir_edit_parse(&edit, text);
    cJSON_free(text);
    if (status == WEIR_OK)
        weir_edit_close(edit);
    return status;
}

static weir_status parse_member(const cJSON *item)
{
    const cJSON *points = weir_json_get(item, "hook");
    if (!cJSON_IsObject(item))
        return weir_fail(WEIR_E_INPUT, "is no object");
    if (!points)
        return parse_edit(item);
    return item->next ? weir_fail(WEIR_E_INPUT, "hook is for the last of the list") : parse_hooks(points);
}

static void check_list(struct weir_check *c, const cJSON *list)
{
    size_t number = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (parse_member(item) != WEIR_OK)
            weir_check_finding(c, "/", "the attribute edits, member %zu: %s", number, weir_message());
        number++;
    }
}

/* Files from before edits were data have the hook points alone, as text, of the same version of the layout. */
static bool is_hook_points(const char *text)
{
    struct weir_selection *selection;
    if (strchr("[{", *text) || weir_selection_parse(&selection, text) != WEIR_OK)
        return !*text;
    weir_selection_close(selection);
    return true;
}

void weir_check_edits(struct weir_check *c, const char *text)
{
    cJSON *list;
    if (is_hook_points(text))
        return;
    if (text[strspn(text, " \t\r\n")] != '[') {
        weir_check_finding(c, "/", "the attribute edits must be a list in JSON, is '%.80s'", text);
        return;
    }
    if (weir_json_parse(&list, "the attribute edits", text, strlen(text)) != WEIR_OK) {
        weir_check_finding(c, "/", "%s", weir_message());
        return;
    }
    check_list(c, list);
    cJSON_Delete(list);
}
