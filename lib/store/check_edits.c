/* Checks the attribute edits: each of its members is an edit that can be parsed and whose layers, units and prompts the
   file's model and run have, or the last names hooks that could edit. */
#include "points/edit.h"
#include "store/check.h"

#include <string.h>

/* ---- what a run of this size can have ---- */

/* Fails for a number out of range of n; n 0: the file does not tell. Slices clip. */
static weir_status check_numbers(const struct weir_slices *slices, size_t n, const char *what)
{
    for (size_t i = 0; n > 0 && i < slices->n; i++) {
        int64_t at = slices->list[i].start;
        if (slices->list[i].single && (at >= (int64_t)n || at < -(int64_t)n))
            return weir_fail(WEIR_E_INPUT, "%s %lld is out of range; it goes from 0 to %zu", what, (long long)at,
                             n - 1);
    }
    return WEIR_OK;
}

/* How many units a point has in this file's model; 0: nothing stored tells. */
static size_t units_in_file(const struct weir_check *c, const struct weir_where *where, const weir_point *point)
{
    int axis = weir_point_unit_axis(point);
    return where->by_query_head ? c->sizes.size[WEIR_AXIS_HEAD] : axis < 0 ? 0 : c->sizes.size[point->axes[axis]];
}

static weir_status check_edit_term(const struct weir_check *c, const struct weir_term *term)
{
    const struct weir_where *where = &term->where;
    TRY(weir_in(check_numbers(&where->layers, c->sizes.size[WEIR_AXIS_LAYER], "layer"), term->text));
    TRY(weir_in(check_numbers(&where->prompts.numbers, c->sizes.size[WEIR_AXIS_PROMPT], "prompt"), term->text));
    for (int point = 0; point < WEIR_N_POINTS; point++)
        if (term->points[point])
            TRY(weir_in(check_numbers(&where->units, units_in_file(c, where, weir_point_at(point)), "unit"),
                        term->text));
    return WEIR_OK;
}

static weir_status check_edit_terms(const struct weir_check *c, const struct weir_selection *selection)
{
    for (size_t i = 0; i < selection->n; i++)
        TRY(check_edit_term(c, &selection->terms[i]));
    return WEIR_OK;
}

/* What an edit reads in the run; what it reads of files is theirs. */
static weir_status check_source_place(const struct weir_check *c, const struct weir_value *value)
{
    if (value->of)
        return check_source_place(c, value->of);
    return value->kind == WEIR_VALUE_PLACE && !value->file.path ? check_edit_term(c, value->place) : WEIR_OK;
}

/* ---- members ---- */

/* {"hook": "resid_pre:1,pattern:0+2"} */
static weir_status check_hook_points(const struct weir_check *c, const cJSON *points)
{
    struct weir_selection *selection;
    if (!cJSON_IsString(points) || !*points->valuestring || points->next || points->prev != points)
        return weir_fail(WEIR_E_INPUT, "hook stands alone, and is a text that names hook points");
    TRY(weir_selection_parse(&selection, points->valuestring));
    weir_status status = check_edit_terms(c, selection);
    weir_selection_close(selection);
    return status;
}

static weir_status check_edit_member(const struct weir_check *c, const cJSON *item)
{
    weir_edit *edit;
    char *text = cJSON_PrintUnformatted(item);
    if (!text)
        return weir_fail(WEIR_E_MEMORY, "out of memory for an edit's text");
    weir_status status = weir_edit_parse(&edit, text);
    cJSON_free(text);
    TRY(status);
    status = check_edit_terms(c, edit->select);
    if (status == WEIR_OK)
        status = check_source_place(c, &edit->value);
    weir_edit_close(edit);
    return status;
}

static weir_status check_list_member(const struct weir_check *c, const cJSON *item)
{
    const cJSON *points = weir_json_get(item, "hook");
    if (!cJSON_IsObject(item))
        return weir_fail(WEIR_E_INPUT, "is no object");
    if (!points)
        return check_edit_member(c, item);
    return item->next ? weir_fail(WEIR_E_INPUT, "hook is for the last of the list") : check_hook_points(c, points);
}

static void check_list(struct weir_check *c, const cJSON *list)
{
    size_t number = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, list)
    {
        if (check_list_member(c, item) != WEIR_OK)
            weir_check_finding(c, "/", "the attribute edits, member %zu: %s", number, weir_message());
        number++;
    }
}

/* Files from before edits were data have the hook points alone, as text, of the same version of the layout. */
static bool is_hook_points(struct weir_check *c, const char *text)
{
    struct weir_selection *selection;
    if (!*text)
        return true;
    if (strchr("[{", *text) || weir_selection_parse(&selection, text) != WEIR_OK)
        return false;
    if (check_edit_terms(c, selection) != WEIR_OK)
        weir_check_finding(c, "/", "the attribute edits: %s", weir_message());
    weir_selection_close(selection);
    return true;
}

void weir_check_edits(struct weir_check *c, const char *text)
{
    cJSON *list;
    if (is_hook_points(c, text))
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
