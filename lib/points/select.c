/* Selections: the terms of HOOK[:LAYERS[.UNITS]][@POSITIONS][/KEYS][#PROMPTS] from text. */
#include "points/select.h"

#include "base/alloc.h"
#include "points/nearest.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_TERM = 512 };

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

static bool point_has_axis(const weir_point *point, weir_axis axis)
{
    for (int i = 0; i < point->n_axes; i++)
        if (point->axes[i] == axis)
            return true;
    return false;
}

/* True where a glob may bring in a point under the term's restrictions: "*:3" is everything in layer 3, not the logits.
 */
static bool has_what_is_cut(const struct weir_term *term, const weir_point *point)
{
    const struct weir_where *where = &term->where;
    return (where->layers.n == 0 || point->per_layer) &&
           (where->has_neurons ? weir_point_has_experts(point)
                               : where->units.n == 0 || weir_point_unit_axis(point) >= 0) &&
           (!where->by_query_head || point_has_axis(point, WEIR_AXIS_KV_HEAD)) &&
           (!where->has_keys || point_has_axis(point, WEIR_AXIS_KEY));
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
    return weir_fail(WEIR_E_USAGE, "no hook point %s '%s'; %s%s", verb, name,
                     *nearest ? "the nearest: " : "weir hooks lists them", nearest);
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
    const struct weir_where *where = &term->where;
    if (!point->per_layer && where->layers.n > 0)
        return weir_fail(WEIR_E_USAGE, "'%s': %s is outside the layers; omit the layer", term->text, point->name);
    if (where->has_neurons && !weir_point_has_experts(point))
        return weir_fail(WEIR_E_USAGE,
                         "'%s': EXPERT.NEURON is for expert_pre, expert_pre_linear and expert_post; %s has units alone",
                         term->text, point->name);
    if (where->units.n > 0 && weir_point_unit_axis(point) < 0 && !weir_point_has_experts(point))
        return weir_fail(WEIR_E_USAGE, "'%s': %s has no heads or neurons to select", term->text, point->name);
    if (where->by_query_head && !point_has_axis(point, WEIR_AXIS_KV_HEAD))
        return weir_fail(WEIR_E_USAGE, "'%s': h is for points by key-value heads, such as k and v; %s is none: omit it",
                         term->text, point->name);
    if (where->has_keys && !point_has_axis(point, WEIR_AXIS_KEY))
        return weir_fail(WEIR_E_USAGE, "'%s': %s has no keys, only attn_scores and pattern have; omit the /",
                         term->text, point->name);
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

/* ---- one term ---- */

/* The layer that stands in a full name, blocks.3.attn.hook_z, becomes the term's layers. */
static weir_status take_layer(struct weir_term *term, int layer)
{
    struct weir_where *where = &term->where;
    if (layer < 0)
        return WEIR_OK;
    if (where->layers.n > 0)
        return weir_fail(WEIR_E_USAGE, "'%s' names its layer twice: in the name and after the colon", term->text);
    TRY(weir_alloc(&where->layers.list, 1, sizeof *where->layers.list));
    where->layers.list[0] = (struct weir_slice){.has_start = true, .single = true, .start = layer, .step = 1};
    where->layers.n = 1;
    where->has_layers = true;
    return WEIR_OK;
}

/* A selection of which the part from..to is read. */
struct term_reading {
    const char *text;
    size_t from, to;
    size_t *fault; /* where what is wrong begins; may be NULL */
    bool stored;
};

static void point_at(const struct term_reading *reading, size_t at)
{
    if (reading->fault)
        *reading->fault = at;
}

/* Parses [:LAYERS[.UNITS]]... behind the hook point, which ends at `at`. */
static weir_status parse_where(struct weir_term *term, const struct term_reading *reading, size_t at)
{
    char where[LONGEST_TERM + 16];
    weir_status status = weir_where_parse(&term->where, reading->text, at, reading->to, reading->fault);
    if (status != WEIR_E_USAGE)
        return status;
    snprintf(where, sizeof where, "in '%s'", term->text);
    return weir_in(status, where);
}

static weir_status match_hook(struct weir_term *term, const char *name)
{
    char glob[LONGEST_TERM];
    int layer = -1;
    if (is_glob(name) && !weir_point_find(name, &layer)) {
        lift_layer(glob, sizeof glob, name, &layer);
        TRY(match_glob(term, glob));
    } else {
        TRY(match_name(term, name, &layer));
    }
    return take_layer(term, layer);
}

static weir_status parse_term(struct weir_term *term, const struct term_reading *reading)
{
    const char *text = reading->text + reading->from;
    size_t n = strcspn(text, ":@/#");
    char name[LONGEST_TERM];
    if (n > reading->to - reading->from)
        n = reading->to - reading->from;
    if (strlen(term->text) >= LONGEST_TERM)
        return weir_fail(WEIR_E_USAGE, "'%.20s...' is longer than %d bytes", term->text, LONGEST_TERM);
    if (n == 0 && !term->no_hook)
        return weir_fail(WEIR_E_USAGE, "'%s' lacks the hook point in front; * selects all", term->text);
    snprintf(name, sizeof name, "%.*s", (int)n, text);
    TRY(parse_where(term, reading, reading->from + n));
    point_at(reading, reading->from);
    term->no_hook = n == 0;
    return term->no_hook ? WEIR_OK : match_hook(term, name);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static void trim(struct term_reading *reading)
{
    while (reading->from < reading->to && is_space(reading->text[reading->from]))
        reading->from++;
    while (reading->from < reading->to && is_space(reading->text[reading->to - 1]))
        reading->to--;
}

/* Parses what stands between brackets or commas, without spaces around it. */
static weir_status parse_trimmed(struct weir_term *term, struct term_reading *reading)
{
    const weir_point *point;
    int layer = -1;
    TRY(weir_copy_bytes(&term->text, reading->text + reading->from, reading->to - reading->from));
    term->at = reading->from;
    const char *open = index_of(term->text, &point, &layer);
    if (open && !reading->stored)
        return weir_fail(WEIR_E_USAGE,
                         "'%s': brackets only select stored values; here write HOOK:LAYERS.UNITS@POSITIONS",
                         term->text);
    if (open)
        return parse_index(term, open, point, layer);
    if (*term->text == '-') {
        term->takes_away = true;
        reading->from++;
        trim(reading);
    }
    TRY(parse_term(term, reading));
    /* of the models that store one only those with a projection, of which none is published, mean another */
    bool unsure = term->alias && term->alias->when != WEIR_WHEN_FULL_WIDTH;
    return reading->stored && unsure ? refuse_alias(term) : WEIR_OK;
}

/* ---- all terms ---- */

static weir_status add_term(struct weir_selection *selection, size_t *capacity, struct term_reading reading)
{
    point_at(&reading, reading.from);
    trim(&reading);
    if (reading.from == reading.to)
        return weir_fail(WEIR_E_USAGE, "one side of a comma in the selection is empty");
    point_at(&reading, reading.from);
    TRY(weir_grow(&selection->terms, capacity, selection->n + 1, sizeof *selection->terms));
    struct weir_term *term = &selection->terms[selection->n++];
    *term = (struct weir_term){0};
    TRY(parse_trimmed(term, &reading));
    if (term->takes_away && selection->n == 1)
        return weir_fail(WEIR_E_USAGE,
                         "'%s' takes away from nothing: name in front what it is taken from, as in z,-z:9.9",
                         term->text);
    return WEIR_OK;
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

/* The byte of the comma behind a term, or of the end; commas between brackets and in quotes belong to it. */
static size_t end_of_term(const char *text, size_t from, size_t to)
{
    while (from < to && text[from] != ',')
        from += weir_closed_length(text + from, text + to);
    return from;
}

static weir_status parse_terms(struct weir_selection *selection, struct term_reading whole)
{
    size_t capacity = 0;
    for (struct term_reading one = whole;; one.from = one.to + 1) {
        one.to = end_of_term(whole.text, one.from, whole.to);
        TRY(add_term(selection, &capacity, one));
        if (one.to == whole.to)
            return WEIR_OK;
    }
}

static weir_status parse_selection(struct weir_selection **out, const struct term_reading *reading)
{
    struct weir_selection *selection;
    weir_status status;
    *out = NULL;
    TRY(weir_alloc_zero(&selection, 1, sizeof *selection));
    TRY_DONE(reading ? parse_terms(selection, *reading) : add_default(selection));
    *out = selection;
    selection = NULL;
done:
    weir_selection_close(selection);
    return status;
}

weir_status weir_selection_parse(struct weir_selection **out, const char *text)
{
    return !text || !*text ? parse_selection(out, NULL)
                           : parse_selection(out, &(struct term_reading){.text = text, .to = strlen(text)});
}

weir_status weir_selection_parse_part(struct weir_selection **out, const char *text, size_t from, size_t to,
                                      size_t *fault)
{
    return parse_selection(out, &(struct term_reading){text, from, to, fault, false});
}

weir_status weir_selection_parse_stored(struct weir_selection **out, const char *text)
{
    if (!text || !*text)
        return parse_selection(out, NULL);
    return parse_selection(out, &(struct term_reading){.text = text, .to = strlen(text), .stored = true});
}

weir_status weir_place_parse(struct weir_term **out, const char *text, size_t from, size_t to, size_t *fault)
{
    struct term_reading reading = {text, from, to, fault, false};
    struct weir_term *place = NULL;
    weir_status status;
    *out = NULL;
    point_at(&reading, from);
    trim(&reading);
    TRY_DONE(weir_alloc_zero(&place, 1, sizeof *place));
    place->no_hook = true;
    point_at(&reading, reading.from);
    TRY_DONE(parse_trimmed(place, &reading));
    if (place->takes_away || place->by_glob)
        TRY_DONE(weir_fail(WEIR_E_USAGE, "'%s' is no place: it names one hook point, or none for the target's own",
                           place->text));
    *out = place;
    place = NULL;
done:
    weir_place_close(place);
    return status;
}

static void close_term(struct weir_term *term)
{
    weir_where_close(&term->where);
    weir_free(term->text);
}

void weir_place_close(struct weir_term *place)
{
    if (place)
        close_term(place);
    weir_free(place);
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
