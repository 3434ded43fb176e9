/* Finds positions by number, by field and by text. */
#include "points/lookup.h"

#include "base/alloc.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_TEXT = 64, MOST_NAMES = 160 };

/* Positions while they are found. */
struct finding {
    struct weir_positions *out;
    size_t capacity, key_capacity;
    struct weir_lookup *lookup;
    const char *what;
    const char *name; /* of the field; NULL: by number */
    bool *seen;       /* [lookup->n] positions in `out`, by themselves */
};

/* ---- positions one by one ---- */

static weir_status add_pair(struct finding *finding, int32_t position, int32_t key)
{
    struct weir_positions *out = finding->out;
    TRY(weir_grow(&out->list, &finding->capacity, out->n + 1, sizeof *out->list));
    out->list[out->n] = position;
    if (key >= 0 || out->keys) {
        bool first = !out->keys;
        TRY(weir_grow(&out->keys, &finding->key_capacity, out->n + 1, sizeof *out->keys));
        for (size_t i = 0; first && i < out->n; i++)
            out->keys[i] = -1;
        out->keys[out->n] = key;
    }
    out->n++;
    return WEIR_OK;
}

static weir_status add_single(struct finding *finding, size_t position)
{
    if (finding->seen[position])
        return WEIR_OK;
    finding->seen[position] = true;
    return add_pair(finding, (int32_t)position, -1);
}

/* ---- fields ---- */

static weir_status fail_field(const struct finding *finding, const char *what)
{
    return weir_fail(WEIR_E_INPUT, "the field '%s' %s", finding->name, what);
}

static void append_names(char to[MOST_NAMES], const cJSON *object)
{
    const cJSON *item;
    *to = '\0';
    cJSON_ArrayForEach(item, object) weir_text_append(to, MOST_NAMES, "%s%s", *to ? ", " : "", item->string);
}

static weir_status parse_fields(struct weir_lookup *lookup)
{
    if (lookup->object)
        return WEIR_OK;
    TRY(weir_json_parse(&lookup->object, "the prompt's fields", lookup->fields, strlen(lookup->fields)));
    return cJSON_IsObject(lookup->object) ? WEIR_OK : weir_fail(WEIR_E_INPUT, "the prompt's fields are no JSON object");
}

/* The field of the finding's name. */
static weir_status find_field(const cJSON **out, const struct finding *finding)
{
    char names[MOST_NAMES];
    struct weir_lookup *lookup = finding->lookup;
    if (!lookup->fields)
        return weir_fail(WEIR_E_USAGE, "'%s' is a field of the prompt's line of JSON, and the prompt has no fields",
                         finding->name);
    TRY(parse_fields(lookup));
    *out = weir_json_get(lookup->object, finding->name);
    if (*out)
        return WEIR_OK;
    if (cJSON_HasObjectItem(lookup->object, finding->name))
        return fail_field(finding, "is null: give it a value");
    append_names(names, lookup->object);
    return weir_fail(WEIR_E_USAGE, "the prompt has no field '%s'; it has %s", finding->name, *names ? names : "none");
}

/* The value for the prompt's side, where a field has one for each. */
static weir_status pick_side(const cJSON **value, const struct finding *finding)
{
    char names[MOST_NAMES];
    const char *side = finding->lookup->side, *noted = NULL;
    if (!cJSON_IsObject(*value))
        return WEIR_OK;
    if (!side && cJSON_IsString(weir_json_get(finding->lookup->object, "side")))
        noted = weir_json_get(finding->lookup->object, "side")->valuestring;
    side = side ? side : noted;
    append_names(names, *value);
    if (!side)
        return weir_fail(WEIR_E_USAGE, "the field '%s' has a value for each side (%s), and the prompt is of no side",
                         finding->name, names);
    *value = weir_json_get(*value, side);
    return *value ? WEIR_OK
                  : weir_fail(WEIR_E_INPUT, "the field '%s' has no value for side %s, only for %s", finding->name, side,
                              names);
}

static weir_status position_of_number(size_t *out, const struct finding *finding, const cJSON *number)
{
    double given = number->valuedouble, n = (double)finding->lookup->n;
    if (floor(given) != given)
        return weir_fail(WEIR_E_INPUT, "the field '%s' has %g, which is no position: give a whole number",
                         finding->name, given);
    double at = given < 0 ? given + n : given;
    if (!(at >= 0 && at < n))
        return weir_fail(WEIR_E_INPUT, "the field '%s' has position %g, which is out of range; it goes from 0 to %zu",
                         finding->name, given, finding->lookup->n - 1);
    *out = (size_t)at;
    return WEIR_OK;
}

/* ---- texts ---- */

/* Appends text as tokens show it, but all bytes that are not ASCII as \xNN: a character that is cut into tokens shows
   so too, and is found whole. */
static weir_status add_comparable(struct weir_text *to, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\n' || c == '\t' || c == '\r')
            TRY(weir_text_add(to, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r", 2));
        else if (c < 0x20 || c >= 0x7f)
            TRY(weir_text_print(to, "\\x%02x", c));
        else
            TRY(weir_text_add(to, text, 1));
    }
    return WEIR_OK;
}

static weir_status add_token(struct weir_lookup *lookup, size_t position, struct weir_text *room)
{
    size_t n = lookup->token_text(lookup->context, position, room->data, room->capacity);
    if (n >= room->capacity) {
        TRY(weir_grow(&room->data, &room->capacity, n + 1, 1));
        lookup->token_text(lookup->context, position, room->data, room->capacity);
    }
    lookup->begins[position] = lookup->joined.n;
    return add_comparable(&lookup->joined, room->data);
}

/* The tokens' texts one after the other, made once. */
static weir_status join_tokens(struct weir_lookup *lookup)
{
    struct weir_text room = {0};
    weir_status status;
    if (lookup->begins)
        return WEIR_OK;
    TRY_DONE(weir_alloc(&lookup->begins, lookup->n + 1, sizeof *lookup->begins));
    TRY_DONE(weir_grow(&room.data, &room.capacity, 256, 1));
    for (size_t i = 0; i < lookup->n; i++)
        TRY_DONE(add_token(lookup, i, &room));
    lookup->begins[lookup->n] = lookup->joined.n;
done:
    weir_text_close(&room);
    return status;
}

/* The token in which byte `at` of the joined text lies: the last that begins at or before it and is not empty. */
static size_t token_at(const struct weir_lookup *lookup, size_t at)
{
    size_t low = 0, high = lookup->n;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (lookup->begins[middle] <= at)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Where a text was found: at token borders, and otherwise. */
struct found_text {
    size_t first, last; /* tokens of the first of the former */
    size_t second;      /* the token at which the second begins */
    size_t n, n_cut;
    size_t cut; /* a token that the first of the latter cuts */
};

static void note_found(struct found_text *found, const struct weir_lookup *lookup, size_t at, size_t n)
{
    size_t first = token_at(lookup, at), last = token_at(lookup, at + n - 1), in = at - lookup->begins[first];
    bool begins = in == 0 || (in == 1 && lookup->joined.data[at - 1] == ' ');
    if (!begins || lookup->begins[last + 1] != at + n) {
        found->cut = found->n_cut++ ? found->cut : begins ? last : first;
        return;
    }
    if (found->n == 0) {
        found->first = first;
        found->last = last;
    }
    found->second = found->n++ == 1 ? first : found->second;
}

static weir_status find_everywhere(struct found_text *out, const struct weir_lookup *lookup, const char *text)
{
    struct weir_text wanted = {0};
    const char *begin = lookup->joined.data, *end = begin + lookup->joined.n;
    *out = (struct found_text){0};
    weir_status status = add_comparable(&wanted, text);
    for (const char *p = begin; status == WEIR_OK && p && p < end; p++) {
        p = memmem(p, (size_t)(end - p), wanted.data, wanted.n);
        if (!p)
            break;
        note_found(out, lookup, (size_t)(p - begin), wanted.n);
    }
    weir_text_close(&wanted);
    return status;
}

static weir_status fail_text(const struct finding *finding, const struct found_text *found, const char *text)
{
    char token[SHOWN_TEXT];
    if (found->n > 1)
        return weir_fail(WEIR_E_INPUT,
                         "the field '%s': '%.64s' occurs %zu times in the prompt, at positions %zu and %zu%s: give a "
                         "position",
                         finding->name, text, found->n, found->first, found->second, found->n > 2 ? " first" : "");
    if (found->n_cut == 0)
        return weir_fail(WEIR_E_INPUT, "the field '%s': '%.64s' does not occur in the prompt", finding->name, text);
    finding->lookup->token_text(finding->lookup->context, found->cut, token, sizeof token);
    return weir_fail(WEIR_E_INPUT,
                     "the field '%s': '%.64s' ends or begins inside the token |%s| at position %zu: give whole tokens, "
                     "or a position",
                     finding->name, text, token, found->cut);
}

static weir_status add_text(struct finding *finding, const char *text)
{
    struct found_text found;
    if (!*text)
        return fail_field(finding, "is an empty text");
    TRY(join_tokens(finding->lookup));
    TRY(find_everywhere(&found, finding->lookup, text));
    if (found.n != 1)
        return fail_text(finding, &found, text);
    for (size_t i = found.first; i <= found.last; i++)
        TRY(add_single(finding, i));
    return WEIR_OK;
}

/* ---- values of fields ---- */

static bool is_pair(const cJSON *item)
{
    return cJSON_IsArray(item) && cJSON_GetArraySize(item) == 2 && cJSON_IsNumber(item->child) &&
           cJSON_IsNumber(item->child->next);
}

static weir_status add_field_item(struct finding *finding, const cJSON *item)
{
    size_t position = 0, key = 0;
    if (cJSON_IsString(item))
        return add_text(finding, item->valuestring);
    if (is_pair(item)) {
        TRY(position_of_number(&position, finding, item->child));
        TRY(position_of_number(&key, finding, item->child->next));
        return add_pair(finding, (int32_t)position, (int32_t)key);
    }
    if (!cJSON_IsNumber(item))
        return fail_field(finding, "names no positions: give a position, a text of the prompt, a list of these, or "
                                   "pairs [query, key]");
    TRY(position_of_number(&position, finding, item));
    return add_single(finding, position);
}

/* [5, 1] is two positions, [[5, 1]] a pair. */
static weir_status add_field_value(struct finding *finding, const cJSON *value)
{
    const cJSON *item;
    if (!cJSON_IsArray(value))
        return add_field_item(finding, value);
    cJSON_ArrayForEach(item, value) TRY(add_field_item(finding, item));
    return WEIR_OK;
}

/* Adds those of the found ones that `of` names. */
static weir_status add_chosen(struct finding *finding, const struct weir_positions *found, const struct weir_slices *of)
{
    bool *chosen;
    char what[MOST_NAMES];
    snprintf(what, sizeof what, "the field '%.100s': number", finding->name);
    TRY(weir_alloc_zero(&chosen, found->n, sizeof *chosen));
    weir_status status = weir_slices_mark(of, chosen, found->n, what);
    for (size_t i = 0; i < found->n && status == WEIR_OK; i++) {
        if (!chosen[i])
            continue;
        status = found->keys && found->keys[i] >= 0 ? add_pair(finding, found->list[i], found->keys[i])
                                                    : add_single(finding, (size_t)found->list[i]);
    }
    weir_free(chosen);
    return status;
}

static weir_status add_field(struct finding *finding, const struct weir_slices *of)
{
    struct weir_positions positions = {0};
    struct finding whole = {.out = &positions, .lookup = finding->lookup, .what = finding->what, .name = finding->name};
    const cJSON *value;
    weir_status status;
    TRY(find_field(&value, finding));
    TRY(pick_side(&value, finding));
    TRY_DONE(weir_alloc_zero(&whole.seen, finding->lookup->n, sizeof *whole.seen));
    TRY_DONE(add_field_value(&whole, value));
    TRY_DONE(add_chosen(finding, &positions, of));
done:
    weir_free(whole.seen);
    weir_positions_close(&positions);
    return status;
}

/* ---- spots ---- */

static weir_status add_slice(struct finding *finding, const struct weir_slice *slice)
{
    struct weir_slice one = *slice;
    bool *marked;
    TRY(weir_alloc_zero(&marked, finding->lookup->n, sizeof *marked));
    weir_status status = weir_slices_mark(&(struct weir_slices){&one, 1}, marked, finding->lookup->n, finding->what);
    for (size_t i = 0; i < finding->lookup->n && status == WEIR_OK; i++)
        if (marked[i])
            status = add_single(finding, i);
    weir_free(marked);
    return status;
}

static weir_status add_spot(struct finding *finding, const struct weir_spot *spot)
{
    finding->name = spot->name;
    if (!spot->name)
        return add_slice(finding, &spot->slice);
    if (strcmp(spot->name, "new") == 0)
        return weir_fail(WEIR_E_USAGE, "'new' is what was generated, and nothing is generated here: name positions of "
                                       "the prompt");
    return add_field(finding, &spot->of);
}

static weir_status add_spots(struct finding *finding, const struct weir_spots *spots)
{
    static const struct weir_slice all = {.step = 1};
    if (spots->n == 0)
        return add_slice(finding, &all);
    for (size_t i = 0; i < spots->n; i++)
        TRY(add_spot(finding, &spots->list[i]));
    return WEIR_OK;
}

weir_status weir_lookup_find(struct weir_positions *out, struct weir_lookup *lookup, const struct weir_spots *spots,
                             const char *what)
{
    struct finding finding = {.out = out, .lookup = lookup, .what = what};
    *out = (struct weir_positions){0};
    TRY(weir_alloc_zero(&finding.seen, lookup->n, sizeof *finding.seen));
    weir_status status = add_spots(&finding, spots);
    weir_free(finding.seen);
    if (status != WEIR_OK)
        weir_positions_close(out);
    return status;
}

void weir_positions_close(struct weir_positions *positions)
{
    weir_free(positions->list);
    weir_free(positions->keys);
    *positions = (struct weir_positions){0};
}

weir_status weir_lookup_mark(bool *marked, struct weir_lookup *lookup, const struct weir_spots *spots, const char *what)
{
    struct weir_positions found;
    TRY(weir_lookup_find(&found, lookup, spots, what));
    weir_status status = found.keys ? weir_fail(WEIR_E_USAGE,
                                                "pairs of query and key are named where a %s is asked for: name them "
                                                "at pattern or attn_scores, without a /",
                                                what)
                                    : WEIR_OK;
    for (size_t i = 0; i < found.n && status == WEIR_OK; i++)
        marked[found.list[i]] = true;
    weir_positions_close(&found);
    return status;
}

void weir_lookup_close(struct weir_lookup *lookup)
{
    cJSON_Delete(lookup->object);
    weir_text_close(&lookup->joined);
    weir_free(lookup->begins);
    lookup->object = NULL;
    lookup->begins = NULL;
}

static bool are_fields(const struct weir_spots *spots)
{
    for (size_t i = 0; i < spots->n; i++)
        if (!spots->list[i].name)
            return false;
    return spots->n > 0;
}

weir_status weir_selection_is_by_field(bool *out, const char *selection, const char *positions)
{
    struct weir_selection *parsed = NULL;
    struct weir_spots spots = {0};
    weir_status status;
    *out = false;
    TRY_DONE(weir_selection_parse(&parsed, selection));
    if (positions)
        TRY_DONE(weir_spots_parse(&spots, positions, strlen(positions), "position"));
    *out = true;
    for (size_t i = 0; i < parsed->n && !are_fields(&spots); i++)
        *out = *out && are_fields(&parsed->terms[i].where.positions);
done:
    weir_spots_close(&spots);
    weir_selection_close(parsed);
    return status;
}
