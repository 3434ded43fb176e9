/* Reads --side NAME[=FIELD]. */
#include "cli/args/sides.h"

#include "base/alloc.h"

#include <string.h>

static bool is_side_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return *name && strspn(name, letters) == strlen(name) && !(*name >= '0' && *name <= '9');
}

static weir_status check_side(const struct sides *sides, const struct side *side)
{
    if (!is_side_name(side->name))
        return weir_fail(WEIR_E_USAGE,
                         "--side: '%.64s' is no name: write letters, digits and _, as in clean or sent=clean",
                         side->name);
    if (strcmp(side->name, "base") == 0)
        return weir_fail(WEIR_E_USAGE,
                         "--side: #base is a prompt without its edits: give this side another name, as in "
                         "original=base");
    if (!*side->field)
        return weir_fail(WEIR_E_USAGE, "--side: %s= lacks the name of a member", side->name);
    for (size_t i = 0; i < sides->n; i++)
        if (strcmp(sides->list[i].name, side->name) == 0)
            return weir_fail(WEIR_E_USAGE, "--side: %s is given twice", side->name);
    return WEIR_OK;
}

static void close_side(struct side *side)
{
    weir_free(side->name);
    weir_free(side->field);
}

weir_status sides_add(struct sides *sides, const char *text)
{
    const char *equals = strchr(text, '=');
    struct side side = {0};
    weir_status status;
    TRY_DONE(weir_grow(&sides->list, &sides->capacity, sides->n + 1, sizeof *sides->list));
    TRY_DONE(weir_copy_bytes(&side.name, text, equals ? (size_t)(equals - text) : strlen(text)));
    TRY_DONE(weir_copy_string(&side.field, equals ? equals + 1 : text));
    TRY_DONE(check_side(sides, &side));
    sides->list[sides->n++] = side;
    return WEIR_OK;
done:
    close_side(&side);
    return status;
}

weir_status sides_take(struct sides *sides, const struct args *args, int opt)
{
    for (size_t i = 0; i < args->n_given; i++)
        if (args->given[i].opt == opt)
            TRY(sides_add(sides, args->given[i].text));
    return WEIR_OK;
}

void sides_close(struct sides *sides)
{
    for (size_t i = 0; i < sides->n; i++)
        close_side(&sides->list[i]);
    weir_free(sides->list);
    *sides = (struct sides){0};
}
