/* Selections: the terms of HOOK[:LAYERS[.UNITS]][@POSITIONS] from text. */
#include "points/select.h"

#include "base/alloc.h"
#include "points/nearest.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_TERM = 512 };

/* A term cut at its punctuation; each piece is text from..to. */
struct piece {
    const char *from, *to;
};

struct pieces {
    struct piece hook, layers, units, positions;
};

/* HOOK[:LAYERS[.UNITS]][@POSITIONS]. Full names have dots and no colon; layers have colons and no dot. */
static void split_term(struct pieces *out, const char *text)
{
    const char *end = text + strlen(text), *at = strchr(text, '@');
    const char *tail = at ? at : end;
    const char *colon = memchr(text, ':', (size_t)(tail - text));
    const char *dot = colon ? memchr(colon, '.', (size_t)(tail - colon)) : NULL;
    out->hook = (struct piece){text, colon ? colon : tail};
    out->layers = (struct piece){colon ? colon + 1 : tail, dot ? dot : tail};
    out->units = (struct piece){dot ? dot + 1 : tail, tail};
    out->positions = (struct piece){at ? at + 1 : end, end};
}

static bool is_glob(const char *name)
{
    return strpbrk(name, "*?[") != NULL;
}

/* "blocks.7.rest" becomes "blocks.*.rest", and *layer 7; other globs stay as they are. */
static void lift_layer(char *glob, size_t size, const char *name, int *layer)
{
    int number = -1, used = 0;
    *layer = -1;
    if (sscanf(name, "blocks.%6d%n", &number, &used) == 1 && number >= 0 && name[used] == '.') {
        *layer = number;
        snprintf(glob, size, "blocks.*%s", name + used);
    } else {
        snprintf(glob, size, "%s", name);
    }
}

static bool glob_matches(const char *glob, const weir_point *point)
{
    return fnmatch(glob, point->name, 0) == 0 || fnmatch(glob, point->hook, 0) == 0;
}

/* True where a glob may bring in a point under the term's restrictions: "*:3" is everything in layer 3, not the logits.
 */
static bool has_what_is_cut(const struct weir_term *term, const weir_point *point)
{
    return (term->layers.n == 0 || point->per_layer) && (term->units.n == 0 || weir_point_unit_axis(point) >= 0);
}

/* A bracket that nothing closes, or that closes nothing, is not a letter of some other name. */
static const char *lone_bracket(const char *name)
{
    const char *open = strchr(name, '['), *close = strchr(name, ']');
    if (open && !strchr(open, ']'))
        return "lacks the ] behind its [";
    return close && (!open || close < open) ? "lacks the [ in front of its ]" : NULL;
}

static weir_status fail_unknown(const char *name, const char *verb)
{
    char nearest[256];
    const char *lone = lone_bracket(name);
    if (lone)
        return weir_fail(WEIR_E_USAGE, "'%s' %s", name, lone);
    weir_nearest_points(nearest, sizeof nearest, name);
    return weir_fail(WEIR_E_USAGE, "no hook point %s '%s'; the nearest: %s", verb, name, nearest);
}

static weir_status match_glob(struct weir_term *term, const char *glob)
{
    int n = 0, n_named = 0;
    for (int i = 0; i < WEIR_N_POINTS; i++) {
        const weir_point *point = weir_point_at(i);
        if (!glob_matches(glob, point) || !has_what_is_cut(term, point))
            continue;
        term->points[i] = !point->by_name_only;
        n += !point->by_name_only;
        n_named += point->by_name_only;
    }
    term->by_glob = true;
    if (n > 0)
        return WEIR_OK;
    if (n_named > 0)
        return weir_fail(WEIR_E_USAGE, "'%s' matches only large, derivable hook points: write their names", term->text);
    return fail_unknown(glob, "matches");
}

static weir_status match_point(struct weir_term *term, const weir_point *point)
{
    if (!point->per_layer && term->layers.n > 0)
        return weir_fail(WEIR_E_USAGE, "'%s': %s is outside the layers; omit the layer", term->text, point->name);
    if (term->units.n > 0 && weir_point_unit_axis(point) < 0)
        return weir_fail(WEIR_E_USAGE, "'%s': %s has no heads or neurons to select", term->text, point->name);
    term->points[point->id] = true;
    return WEIR_OK;
}

static weir_status match_name(struct weir_term *term, const char *name, int *layer)
{
    const weir_point *point = weir_point_find(name, layer);
    if (point)
        return match_point(term, point);
    term->alias = weir_alias_find(name, layer);
    if (!term->alias)
        return fail_unknown(name, "is called");
    for (const struct weir_alias *row = term->alias; row; row = weir_alias_next(row))
        TRY(match_point(term, weir_alias_point(row)));
    return WEIR_OK;
}

/* What is stored has its own name; which of several another name meant in its model, the file does not say. */
static weir_status refuse_alias(const struct weir_term *term)
{
    char names[128] = "";
    size_t at = 0;
    for (const struct weir_alias *row = term->alias; row; row = weir_alias_next(row))
        if (at < sizeof names)
            at += (size_t)snprintf(names + at, sizeof names - at, "%s%s", at ? " or " : "", row->name);
    return weir_fail(WEIR_E_USAGE, "'%s' means different hook points in different models: write %s", term->text, names);
}

/* ---- NAME[INDEX] ---- */

/* The bracket that opens an index: the name in front is a hook point's, and the term ends with the one that closes it.
 */
static const char *index_of(const char *text, const weir_point **point, int *layer)
{
    char name[LONGEST_TERM];
    const char *open = strchr(text, '[');
    size_t n = strlen(text);
    if (!open || n >= LONGEST_TERM || text[n - 1] != ']')
        return NULL;
    snprintf(name, sizeof name, "%.*s", (int)(open - text), text);
    *point = weir_point_find(name, layer);
    return *point ? open : NULL;
}

/* blocks.3.attn.hook_z[0] is z[3, 0]. */
static void put_layer_first(struct weir_index *index, int layer)
{
    memmove(index->items + 1, index->items, (size_t)index->n * sizeof *index->items);
    index->items[0] = (struct weir_slice){.has_start = true, .single = true, .start = layer, .step = 1};
    index->n++;
    index->n_before++;
}

static weir_status parse_index(struct weir_term *term, const char *open, const weir_point *point, int layer)
{
    int rank = point->n_axes + 1 + (point->per_layer && layer < 0);
    weir_status status = weir_index_parse(&term->index, open + 1, strlen(open) - 2, rank);
    if (status != WEIR_OK)
        return weir_in(status, term->text);
    if (layer >= 0)
        put_layer_first(&term->index, layer);
    term->points[point->id] = true;
    return WEIR_OK;
}

/* ---- HOOK[:LAYERS[.UNITS]][@POSITIONS] ---- */

/* The layer that stands in a full name, blocks.3.attn.hook_z, becomes the term's layers. */
static weir_status take_layer(struct weir_term *term, int layer)
{
    if (layer < 0)
        return WEIR_OK;
    if (term->layers.n > 0)
        return weir_fail(WEIR_E_USAGE, "'%s' names its layer twice: in the name and after the colon", term->text);
    TRY(weir_alloc(&term->layers.list, 1, sizeof *term->layers.list));
    term->layers.list[0] = (struct weir_slice){.has_start = true, .single = true, .start = layer, .step = 1};
    term->layers.n = 1;
    return WEIR_OK;
}

static weir_status parse_slices(struct weir_slices *out, struct piece piece, const struct weir_term *term,
                                const char *what)
{
    weir_status status = weir_slices_parse(out, piece.from, (size_t)(piece.to - piece.from), what);
    if (status == WEIR_E_USAGE && (size_t)(piece.to - piece.from) < strlen(term->text)) {
        char where[LONGEST_TERM + 16];
        snprintf(where, sizeof where, "in '%s'", term->text);
        return weir_in(status, where);
    }
    return status;
}

static weir_status parse_term(struct weir_term *term)
{
    struct pieces pieces;
    char name[LONGEST_TERM], glob[LONGEST_TERM];
    int layer = -1;
    if (strlen(term->text) >= LONGEST_TERM)
        return weir_fail(WEIR_E_USAGE, "'%.20s...' is longer than %d bytes", term->text, LONGEST_TERM);
    split_term(&pieces, term->text);
    if (pieces.hook.from == pieces.hook.to)
        return weir_fail(WEIR_E_USAGE, "'%s' lacks the hook point in front; * selects all", term->text);
    snprintf(name, sizeof name, "%.*s", (int)(pieces.hook.to - pieces.hook.from), pieces.hook.from);
    TRY(parse_slices(&term->layers, pieces.layers, term, "layer"));
    TRY(parse_slices(&term->units, pieces.units, term, "head or neuron"));
    TRY(parse_slices(&term->positions, pieces.positions, term, "position"));
    if (is_glob(name) && !weir_point_find(name, &layer)) {
        lift_layer(glob, sizeof glob, name, &layer);
        TRY(match_glob(term, glob));
    } else {
        TRY(match_name(term, name, &layer));
    }
    return take_layer(term, layer);
}

/* The term between from and to without the spaces around it. */
static weir_status add_term(struct weir_selection *selection, size_t *capacity, const char *from, const char *to,
                            bool stored)
{
    const weir_point *point;
    int layer = -1;
    while (from < to && (*from == ' ' || *from == '\t' || *from == '\n'))
        from++;
    while (from < to && (to[-1] == ' ' || to[-1] == '\t' || to[-1] == '\n'))
        to--;
    if (from == to)
        return weir_fail(WEIR_E_USAGE, "one side of a comma in the selection is empty");
    TRY(weir_grow(&selection->terms, capacity, selection->n + 1, sizeof *selection->terms));
    struct weir_term *term = &selection->terms[selection->n];
    *term = (struct weir_term){0};
    TRY(weir_copy_bytes(&term->text, from, (size_t)(to - from)));
    selection->n++;
    const char *open = index_of(term->text, &point, &layer);
    if (open && !stored)
        return weir_fail(WEIR_E_USAGE,
                         "'%s': brackets only select stored values; here write HOOK:LAYERS.UNITS@POSITIONS",
                         term->text);
    if (open)
        return parse_index(term, open, point, layer);
    TRY(parse_term(term));
    /* of the models that store one only those with a projection, of which none is published, mean another */
    bool unsure = term->alias && term->alias->when != WEIR_WHEN_FULL_WIDTH;
    return stored && unsure ? refuse_alias(term) : WEIR_OK;
}

/* One term for what is stored when nothing is asked for, as far as a model has it. */
static weir_status add_default(struct weir_selection *selection)
{
    TRY(weir_alloc_zero(&selection->terms, 1, sizeof *selection->terms));
    struct weir_term *term = selection->terms;
    selection->n = 1;
    term->by_glob = true;
    for (int i = 0; i < WEIR_N_POINTS; i++)
        term->points[i] = weir_point_at(i)->by_default;
    return weir_copy_string(&term->text, "the default set");
}

/* The comma behind a term, or the end; those between brackets belong to it. */
static const char *end_of_term(const char *text)
{
    const char *comma = strchrnul(text, ',');
    const char *open = memchr(text, '[', (size_t)(comma - text)), *close = open ? strchr(open, ']') : NULL;
    return close && close > comma ? strchrnul(close, ',') : comma;
}

static weir_status parse_all(struct weir_selection *selection, const char *text, bool stored)
{
    size_t capacity = 0;
    if (!text || !*text)
        return add_default(selection);
    while (true) {
        const char *comma = end_of_term(text);
        TRY(add_term(selection, &capacity, text, comma, stored));
        if (!*comma)
            return WEIR_OK;
        text = comma + 1;
    }
}

static weir_status parse_selection(struct weir_selection **out, const char *text, bool stored)
{
    struct weir_selection *selection;
    *out = NULL;
    TRY(weir_alloc_zero(&selection, 1, sizeof *selection));
    weir_status status = parse_all(selection, text, stored);
    if (status != WEIR_OK) {
        weir_selection_close(selection);
        return status;
    }
    *out = selection;
    return WEIR_OK;
}

weir_status weir_selection_parse(struct weir_selection **out, const char *text)
{
    return parse_selection(out, text, false);
}

weir_status weir_selection_parse_stored(struct weir_selection **out, const char *text)
{
    return parse_selection(out, text, true);
}

static void close_term(struct weir_term *term)
{
    weir_slices_close(&term->layers);
    weir_slices_close(&term->units);
    weir_slices_close(&term->positions);
    weir_free(term->text);
}

void weir_selection_close(struct weir_selection *selection)
{
    if (!selection)
        return;
    for (size_t i = 0; i < selection->n; i++)
        close_term(&selection->terms[i]);
    weir_free(selection->terms);
    weir_free(selection);
}
