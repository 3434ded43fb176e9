/* Finds prompts by number, side and field. */
#include "points/sides.h"

#include "base/json.h"
#include "base/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_SIDES = 160 };

weir_status weir_in_prompt(weir_status status, size_t prompt)
{
    char where[32];
    snprintf(where, sizeof where, "prompt %zu", prompt);
    return weir_in(status, where);
}

/* ---- sides ---- */

static const char *side_name_of(const struct weir_sides *sides, size_t prompt)
{
    return sides->of(sides->context, prompt).name;
}

static bool is_of_side(const struct weir_sides *sides, size_t prompt, const char *name)
{
    const char *own = side_name_of(sides, prompt);
    return own && strcmp(own, name) == 0;
}

bool weir_sides_have(const struct weir_sides *sides, const char *name)
{
    for (size_t i = 0; name && i < sides->n; i++)
        if (is_of_side(sides, i, name))
            return true;
    return false;
}

/* Lists each side once, as far as they fit. */
static void append_sides(char to[MOST_SIDES], const struct weir_sides *sides)
{
    const char *last = NULL;
    *to = '\0';
    for (size_t i = 0; i < sides->n; i++) {
        const char *one = side_name_of(sides, i);
        bool known = !one || (last && strcmp(one, last) == 0);
        for (size_t j = 0; j < i && !known; j++)
            known = is_of_side(sides, j, one);
        if (!known)
            weir_text_append(to, MOST_SIDES, "%s%s", *to ? ", " : "", one);
        last = one;
    }
}

weir_status weir_sides_mark(bool *marked, const struct weir_sides *sides, const struct weir_whose *whose)
{
    char names[MOST_SIDES];
    if (!whose->name)
        return weir_slices_mark(&whose->numbers, marked, sides->n, "prompt");
    if (weir_sides_have(sides, whose->name)) {
        for (size_t i = 0; i < sides->n; i++)
            marked[i] = marked[i] || is_of_side(sides, i, whose->name);
        return WEIR_OK;
    }
    append_sides(names, sides);
    if (!*names)
        return weir_fail(WEIR_E_USAGE, "no prompt is of side %s, nor of any other: sides come from lines of pairs",
                         whose->name);
    return weir_fail(WEIR_E_USAGE, "no prompt is of side %s; there are %s", whose->name, names);
}

static weir_status find_side_of_line(size_t *out, const struct weir_sides *sides, const char *name,
                                     const struct weir_side *own)
{
    if (!own->name)
        return weir_fail(WEIR_E_USAGE, "it is no side of a line of pairs: name a prompt of %s by its number",
                         sides->whose);
    for (size_t i = 0; i < sides->n; i++)
        if (is_of_side(sides, i, name) && sides->of(sides->context, i).line == own->line) {
            *out = i;
            return WEIR_OK;
        }
    return weir_fail(WEIR_E_USAGE, "%s has no side '%s' of line %zu, which it is of", sides->whose, name, own->line);
}

/* ---- fields ---- */

static weir_status number_in_field(size_t *out, const cJSON *field, const struct weir_sides *sides, const char *name)
{
    double number = cJSON_IsNumber(field) ? field->valuedouble : -1;
    if (!field)
        return weir_fail(WEIR_E_USAGE,
                         "it has no side '%s' on its line, and no field of that name with the number of a prompt of %s",
                         name, sides->whose);
    if (!(number >= 0 && number < (double)sides->n && floor(number) >= number))
        return weir_fail(WEIR_E_USAGE, "its '%s' is not the number of a prompt of %s: they go from 0 to %zu", name,
                         sides->whose, sides->n - 1);
    *out = (size_t)number;
    return WEIR_OK;
}

weir_status weir_sides_find(size_t *out, const struct weir_sides *sides, const char *name, const struct weir_side *own,
                            const char *fields)
{
    cJSON *object = NULL;
    if (weir_sides_have(sides, name))
        return find_side_of_line(out, sides, name, own);
    if (fields)
        TRY(weir_json_parse(&object, "its fields", fields, strlen(fields)));
    weir_status status = number_in_field(out, cJSON_GetObjectItemCaseSensitive(object, name), sides, name);
    cJSON_Delete(object);
    return status;
}
