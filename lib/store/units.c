/* The attribute `units` of a stored point: reading it, and asking it. */
#include "store/units.h"

#include "base/alloc.h"

#include <string.h>

/* One number without a sign, below `limit`; *at moves past it. */
static bool take_number(int32_t *out, const char **at, size_t limit)
{
    uint64_t number = 0;
    const char *p = *at;
    for (; *p >= '0' && *p <= '9' && number < limit; p++)
        number = 10 * number + (uint64_t)(*p - '0');
    if (p == *at || number >= limit || number > INT32_MAX)
        return false;
    *out = (int32_t)number;
    *at = p;
    return true;
}

/* LAYER. of the blocks, "." outside them. */
static bool take_unit_layer(int32_t *out, const char **at, size_t n_layers)
{
    *out = -1;
    return (n_layers == 0 || take_number(out, at, n_layers)) && *(*at)++ == '.';
}

static int compare_units(const struct weir_unit *a, const struct weir_unit *b)
{
    return a->layer != b->layer ? (a->layer > b->layer) - (a->layer < b->layer)
                                : (a->unit > b->unit) - (a->unit < b->unit);
}

static weir_status not_units(const char *at)
{
    return weir_fail(WEIR_E_INPUT,
                     "the attribute units must be LAYER.UNIT+LAYER.UNIT, ascending and in range, as in 5.3+7.2; "
                     "it is wrong at '%.24s'",
                     at);
}

weir_status weir_units_parse(struct weir_units *out, const char *text, size_t n_layers, size_t n_units)
{
    size_t room = 0;
    *out = (struct weir_units){0};
    for (const char *at = text; at; at++) {
        struct weir_unit one;
        const char *begin = at;
        if (!take_unit_layer(&one.layer, &at, n_layers) || !take_number(&one.unit, &at, n_units))
            return not_units(begin);
        if (out->n > 0 && compare_units(&out->list[out->n - 1], &one) >= 0)
            return not_units(begin);
        TRY(weir_grow(&out->list, &room, out->n + 1, sizeof *out->list));
        out->list[out->n++] = one;
        if (*at == '\0')
            return WEIR_OK;
        if (*at != '+')
            return not_units(begin);
    }
    return WEIR_OK;
}

void weir_units_close(struct weir_units *units)
{
    weir_free(units->list);
    *units = (struct weir_units){0};
}

/* The first in the list that does not come before `unit`. */
static size_t first_from(const struct weir_units *units, const struct weir_unit *unit)
{
    size_t low = 0, high = units->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_units(&units->list[middle], unit) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool weir_units_have(const struct weir_units *units, int layer, size_t unit)
{
    if (unit > INT32_MAX)
        return false;
    size_t of_layer = first_from(units, &(struct weir_unit){layer, 0});
    if (of_layer == units->n || units->list[of_layer].layer != layer)
        return true;
    const struct weir_unit wanted = {layer, (int32_t)unit};
    size_t at = first_from(units, &wanted);
    return at < units->n && compare_units(&units->list[at], &wanted) == 0;
}
