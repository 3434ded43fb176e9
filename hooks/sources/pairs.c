/* Pairs what a place writes out with what an edit changes. */
#include "hooks/sources/pairs.h"

#include "base/alloc.h"

enum weir_pairing weir_pairing_of(const struct weir_value *value, size_t n)
{
    switch (value->kind) {
    case WEIR_VALUE_MEAN:
        return WEIR_PAIR_AVERAGED;
    case WEIR_VALUE_RESAMPLE:
        return WEIR_PAIR_DRAWN;
    default:
        return n == 1 ? WEIR_PAIR_ONE : WEIR_PAIR_LISTED;
    }
}

static weir_status list_marked(struct weir_pairs *out, const struct weir_value *value, const bool *marked, size_t n)
{
    TRY(weir_alloc(&out->list, n, sizeof *out->list));
    for (size_t i = 0; i < n; i++)
        if (marked[i])
            out->list[out->n++] = (int32_t)i;
    out->how = weir_pairing_of(value, out->n);
    return WEIR_OK;
}

weir_status weir_pairs_list(struct weir_pairs *out, const struct weir_value *value, const struct weir_slices *slices,
                            size_t n, const char *what)
{
    bool *marked = NULL;
    weir_status status;
    *out = (struct weir_pairs){0};
    TRY_DONE(weir_alloc_zero(&marked, n, sizeof *marked));
    TRY_DONE(weir_slices_mark(slices, marked, n, what));
    TRY_DONE(list_marked(out, value, marked, n));
    if (out->n == 0)
        TRY_DONE(weir_fail(WEIR_E_USAGE, "the source names no %s: there are %zu", what, n));
done:
    weir_free(marked);
    return status;
}

static weir_status list_side(struct weir_pairs *out, const struct weir_value *value, const struct weir_whose *whose,
                             const struct weir_sides *sides)
{
    bool *marked;
    TRY(weir_alloc_zero(&marked, sides->n, sizeof *marked));
    weir_status status = weir_sides_mark(marked, sides, whose);
    if (status == WEIR_OK)
        status = list_marked(out, value, marked, sides->n);
    weir_free(marked);
    return status;
}

weir_status weir_pairs_prompts(struct weir_pairs *out, const struct weir_value *value, const struct weir_whose *whose,
                               const struct weir_sides *sides, const weir_tokens *prompts, size_t own)
{
    const struct weir_side side = {prompts[own].side, prompts[own].line};
    size_t number;
    *out = (struct weir_pairs){0};
    if (!whose->name)
        return weir_pairs_list(out, value, &whose->numbers, sides->n, "prompt");
    if (value->kind != WEIR_VALUE_PLACE && weir_sides_have(sides, whose->name))
        return list_side(out, value, whose, sides);
    TRY(weir_in_prompt(weir_sides_find(&number, sides, whose->name, &side, prompts[own].fields), own));
    TRY(weir_alloc(&out->list, 1, sizeof *out->list));
    out->list[0] = (int32_t)number;
    out->n = 1;
    out->how = WEIR_PAIR_ONE;
    return WEIR_OK;
}

weir_status weir_pairs_positions(struct weir_pairs *out, const struct weir_value *value, struct weir_positions *found,
                                 const char *what)
{
    *out = (struct weir_pairs){0};
    if (found->keys)
        return weir_fail(WEIR_E_USAGE, "the source names pairs of query and key: it takes %ss", what);
    if (found->n == 0)
        return weir_fail(WEIR_E_USAGE, "the source names no %s", what);
    *out = (struct weir_pairs){.how = weir_pairing_of(value, found->n), .list = found->list, .n = found->n};
    found->list = NULL;
    return WEIR_OK;
}

static void keep_one(struct weir_pairs *pairs, size_t i)
{
    pairs->list[0] = pairs->list[i];
    pairs->n = 1;
    pairs->how = WEIR_PAIR_ONE;
}

void weir_pairs_draw(struct weir_pairs *pairs, const struct weir_value *value, size_t prompt, enum weir_draw axis)
{
    if (pairs->how == WEIR_PAIR_DRAWN)
        keep_one(pairs, weir_random_draw(value->seed, prompt, axis, pairs->n));
}

weir_status weir_pairs_match(size_t named, size_t changed, const char *what)
{
    return named == 1 || named == changed
               ? WEIR_OK
               : weir_fail(WEIR_E_USAGE, "the source names %zu %ss for %zu that are changed: one, or as many", named,
                           what, changed);
}

weir_status weir_pairs_take_turn(struct weir_pairs *pairs, size_t turn, size_t n, const char *what)
{
    if (pairs->how != WEIR_PAIR_LISTED)
        return WEIR_OK;
    TRY(weir_pairs_match(pairs->n, n, what));
    keep_one(pairs, turn);
    return WEIR_OK;
}

size_t weir_turn_of_site(const struct weir_scope *scope, size_t site, size_t *n)
{
    size_t turn = 0;
    *n = 0;
    for (size_t i = 0; i < scope->n_sites; i++) {
        bool same = scope->sites[i].point == scope->sites[site].point;
        turn += same && i < site;
        *n += same;
    }
    return turn;
}

bool weir_scope_changes(const struct weir_scope *scope, size_t prompt)
{
    for (size_t site = 0; site < scope->n_sites; site++)
        if (weir_scope_region(scope, &scope->sites[site], prompt).n > 0)
            return true;
    return false;
}
