/* What stands behind a hook point's name, [:LAYERS[.UNITS]][@POSITIONS][/KEYS][#PROMPTS], from text. */
#include "points/select.h"

#include "base/alloc.h"

#include <string.h>

enum { LONGEST_NAME = 255 };

/* ---- names ---- */

size_t weir_closed_length(const char *text, const char *end)
{
    char close = *text == '[' ? ']' : *text == '"' || *text == '\'' ? *text : '\0';
    const char *found = close && text + 1 < end ? memchr(text + 1, close, (size_t)(end - text) - 1) : NULL;
    return found ? (size_t)(found - text) + 1 : 1;
}

/* The first of `stops` that is neither in quotes nor in brackets, or the end. */
static const char *find_stop(const char *text, const char *end, const char *stops)
{
    while (text < end && !strchr(stops, *text))
        text += weir_closed_length(text, end);
    return text;
}

/* Letters, digits and _, as fields of JSON and sides have; bytes of other alphabets are letters. */
static bool is_letter_of_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80);
}

static bool begins_name(char c)
{
    return c == '"' || c == '\'' || (is_letter_of_name(c) && !(c >= '0' && c <= '9'));
}

/* A name with or without quotes around it, all of text to end. */
static weir_status copy_name(char **out, const char *text, const char *end, const char *what)
{
    bool quoted = *text == '"' || *text == '\'';
    const char *from = text + quoted, *to = end - quoted;
    if (quoted && (end - text < 3 || weir_closed_length(text, end) != (size_t)(end - text)))
        return weir_fail(WEIR_E_USAGE, "%.*s is no name of a %s: it lacks its closing quote, or its letters",
                         (int)(end - text), text, what);
    for (const char *p = from; !quoted && p < to; p++)
        if (!is_letter_of_name(*p))
            return weir_fail(WEIR_E_USAGE, "'%.*s' is no name of a %s: names have letters, digits and _, others quotes",
                             (int)(end - text), text, what);
    if (to - from > LONGEST_NAME)
        return weir_fail(WEIR_E_USAGE, "'%.20s...' is longer than %d bytes", from, LONGEST_NAME);
    return weir_copy_bytes(out, from, (size_t)(to - from));
}

/* ---- spots ---- */

/* NAME or NAME[SLICES]. */
static weir_status parse_named_spot(struct weir_spot *out, const char *text, const char *end, const char *what)
{
    const char *open = find_stop(text, end, "[");
    TRY(copy_name(&out->name, text, open, what));
    if (open == end)
        return WEIR_OK;
    if (end[-1] != ']' || weir_closed_length(open, end) != (size_t)(end - open))
        return weir_fail(WEIR_E_USAGE, "'%.*s': what is chosen of %s stands in brackets, as in subject[-1]",
                         (int)(end - text), text, out->name);
    if (end - open == 2)
        return weir_fail(WEIR_E_USAGE, "'%.*s': the brackets are empty", (int)(end - text), text);
    return weir_slices_parse(&out->of, open + 1, (size_t)(end - open) - 2, what);
}

/* One slice through the parser of lists of them, for its checks and messages. */
static weir_status parse_numbered_spot(struct weir_spot *out, const char *text, const char *end, const char *what)
{
    struct weir_slices one;
    if (text == end)
        return weir_fail(WEIR_E_USAGE,
                         "'' is not a %s: write a number or a slice, as in 3, -1, 0:6, 2:, ::4 or 0+4+6:9", what);
    TRY(weir_slices_parse(&one, text, (size_t)(end - text), what));
    out->slice = one.n ? one.list[0] : (struct weir_slice){.step = 1};
    weir_slices_close(&one);
    return WEIR_OK;
}

weir_status weir_spots_parse(struct weir_spots *out, const char *text, size_t n, const char *what)
{
    size_t capacity = 0;
    const char *end = text + n;
    weir_status status = WEIR_OK;
    *out = (struct weir_spots){0};
    if (n == 0 || (n == 1 && (*text == ':' || *text == '*')))
        return WEIR_OK;
    while (true) {
        const char *plus = find_stop(text, end, "+");
        TRY_DONE(weir_grow(&out->list, &capacity, out->n + 1, sizeof *out->list));
        struct weir_spot *spot = &out->list[out->n++];
        *spot = (struct weir_spot){0};
        TRY_DONE(text < plus && begins_name(*text) ? parse_named_spot(spot, text, plus, what)
                                                   : parse_numbered_spot(spot, text, plus, what));
        if (plus == end)
            break;
        text = plus + 1;
    }
done:
    if (status != WEIR_OK)
        weir_spots_close(out);
    return status;
}

void weir_spots_close(struct weir_spots *spots)
{
    for (size_t i = 0; i < spots->n; i++) {
        weir_free(spots->list[i].name);
        weir_slices_close(&spots->list[i].of);
    }
    weir_free(spots->list);
    *spots = (struct weir_spots){0};
}

weir_status weir_spots_mark(const struct weir_spots *spots, bool *marked, size_t length, const char *what)
{
    if (spots->n == 0)
        memset(marked, true, length * sizeof *marked);
    for (size_t i = 0; i < spots->n; i++) {
        struct weir_spot *spot = &spots->list[i];
        if (spot->name)
            return weir_fail(WEIR_E_USAGE, "'%s' is the name of a %s; here only numbers are known", spot->name, what);
        TRY(weir_slices_mark(&(struct weir_slices){&spot->slice, 1}, marked, length, what));
    }
    return WEIR_OK;
}

static bool is_same_spot(const struct weir_spot *a, const struct weir_spot *b)
{
    if (a->name && b->name)
        return strcmp(a->name, b->name) == 0 && weir_slices_equal(&a->of, &b->of);
    return !a->name && !b->name &&
           weir_slices_equal(&(struct weir_slices){(struct weir_slice *)&a->slice, 1},
                             &(struct weir_slices){(struct weir_slice *)&b->slice, 1});
}

bool weir_spots_equal(const struct weir_spots *a, const struct weir_spots *b)
{
    for (size_t i = 0; a->n == b->n && i < a->n; i++)
        if (!is_same_spot(&a->list[i], &b->list[i]))
            return false;
    return a->n == b->n;
}

/* ---- prompts ---- */

weir_status weir_whose_parse(struct weir_whose *out, const char *text, size_t n)
{
    *out = (struct weir_whose){0};
    if (n == 0)
        return weir_fail(WEIR_E_USAGE,
                         "# lacks its prompts: a number, a slice or a side, as in #0, #1:3, #clean; #: is "
                         "every prompt");
    return begins_name(*text) ? copy_name(&out->name, text, text + n, "prompt")
                              : weir_slices_parse(&out->numbers, text, n, "prompt");
}

void weir_whose_close(struct weir_whose *whose)
{
    weir_slices_close(&whose->numbers);
    weir_free(whose->name);
    whose->name = NULL;
}

/* ---- the whole ---- */

struct where_reading {
    struct weir_where *out;
    const char *begin, *at, *end;
    size_t *fault;
};

/* The piece behind the byte at which the reading stands, up to any of `stops`; the reading moves behind it. */
static const char *next_piece(struct where_reading *reading, const char *stops, size_t *n)
{
    const char *from = reading->at + 1;
    reading->at = find_stop(from, reading->end, stops);
    *n = (size_t)(reading->at - from);
    if (reading->fault)
        *reading->fault = (size_t)(from - reading->begin);
    return from;
}

static size_t byte_at(const struct where_reading *reading, const char *text)
{
    return (size_t)(text - reading->begin);
}

static weir_status read_neurons(struct where_reading *reading)
{
    size_t n;
    const char *text = next_piece(reading, "@/#", &n);
    reading->out->has_neurons = true;
    reading->out->at.neurons = byte_at(reading, text);
    return weir_slices_parse(&reading->out->neurons, text, n, "neuron of an expert");
}

static weir_status read_units(struct where_reading *reading)
{
    size_t n;
    const char *text = next_piece(reading, ".@/#", &n);
    struct weir_where *out = reading->out;
    out->at.units = byte_at(reading, text);
    out->has_units = true;
    out->by_query_head = n > 0 && *text == 'h';
    if (out->by_query_head && n == 1)
        return weir_fail(WEIR_E_USAGE, "'h' lacks the number of a query head, as in h7");
    TRY(weir_slices_parse(&out->units, text + out->by_query_head, n - out->by_query_head, "head or neuron"));
    return reading->at < reading->end && *reading->at == '.' ? read_neurons(reading) : WEIR_OK;
}

static weir_status read_layers_and_units(struct where_reading *reading)
{
    size_t n;
    const char *text = next_piece(reading, ".@/#", &n);
    bool has_dot = reading->at < reading->end && *reading->at == '.';
    reading->out->has_layers = n > 0 || !has_dot;
    reading->out->at.layers = byte_at(reading, text);
    TRY(weir_slices_parse(&reading->out->layers, text, n, "layer"));
    return has_dot ? read_units(reading) : WEIR_OK;
}

static weir_status read_where(struct where_reading *reading)
{
    struct weir_where *out = reading->out;
    size_t n;
    if (reading->at < reading->end && *reading->at == ':')
        TRY(read_layers_and_units(reading));
    if (reading->at < reading->end && *reading->at == '@') {
        const char *text = next_piece(reading, "/#", &n);
        out->at.positions = byte_at(reading, text);
        out->has_positions = n > 0 || reading->at == reading->end || *reading->at != '/';
        TRY(weir_spots_parse(&out->positions, text, n, "position"));
    }
    if (reading->at < reading->end && *reading->at == '/') {
        const char *text = next_piece(reading, "#", &n);
        out->has_keys = true;
        out->at.keys = byte_at(reading, text);
        if (n == 0)
            return weir_fail(WEIR_E_USAGE, "/ lacks its keys, as in @-1/0; /: is every key");
        TRY(weir_spots_parse(&out->keys, text, n, "key"));
    }
    if (reading->at < reading->end && *reading->at == '#') {
        const char *text = next_piece(reading, "", &n);
        out->has_prompts = true;
        out->at.prompts = byte_at(reading, text);
        TRY(weir_whose_parse(&out->prompts, text, n));
    }
    return WEIR_OK;
}

weir_status weir_where_parse(struct weir_where *out, const char *text, size_t from, size_t to, size_t *fault)
{
    struct where_reading reading = {out, text, text + from, text + to, fault};
    *out = (struct weir_where){0};
    if (from < to && !strchr(":@/#", text[from])) {
        if (fault)
            *fault = from;
        return weir_fail(WEIR_E_USAGE,
                         "'%.*s' is none of :LAYERS, .UNITS, @POSITIONS, /KEYS and #PROMPTS, in that order",
                         (int)(to - from), text + from);
    }
    weir_status status = read_where(&reading);
    if (status != WEIR_OK)
        weir_where_close(out);
    return status;
}

void weir_where_close(struct weir_where *where)
{
    weir_slices_close(&where->layers);
    weir_slices_close(&where->units);
    weir_slices_close(&where->neurons);
    weir_spots_close(&where->positions);
    weir_spots_close(&where->keys);
    weir_whose_close(&where->prompts);
}
