/* Edits from text and JSON, and back. */
#include "points/edit.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/json.h"
#include "points/nearest.h"
#include "points/reading.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const op_texts[] = {[WEIR_OP_SET] = "=",    [WEIR_OP_ADD] = "+=",     [WEIR_OP_SUBTRACT] = "-=",
                                       [WEIR_OP_SCALE] = "*=", [WEIR_OP_AT_MOST] = "<=", [WEIR_OP_AT_LEAST] = ">="};
enum { N_OPS = sizeof op_texts / sizeof *op_texts, SHOWN_WORD = 40 };

const char *weir_op_text(enum weir_edit_op op)
{
    return op_texts[op];
}

/* ---- sources ---- */

static const char why_closed[] = "it closes what was opened in front";

static const char *const functions[] = {"mean", "resample", "noise"};

/* A name of a function that is none. */
static weir_status fail_unknown_source(struct weir_reading *reading, size_t n)
{
    char word[SHOWN_WORD + 1] = "";
    weir_text_append(word, sizeof word, "%.*s", (int)n, reading->text + reading->at);
    const char *near = weir_nearest_word(functions, sizeof functions / sizeof *functions, word);
    if (near)
        return weir_reading_fail(reading, reading->at, "'%s' is not known here; the nearest: %s(...)", word, near);
    return weir_reading_fail(
        reading, reading->at,
        "'%s' is neither a number nor a file, which has a . or a /, or quotes; nor is it mean(...), "
        "resample(...) or noise(...)",
        word);
}

/* FILE[:NAME], or FILE[PLACE]. */
static weir_status read_file_value(struct weir_reading *reading, struct weir_value *out)
{
    out->kind = WEIR_VALUE_FILE;
    TRY(weir_reading_file(reading, &out->file));
    if (weir_reading_peek(reading) != '[')
        return WEIR_OK;
    if (out->file.name)
        return weir_reading_fail(reading, reading->at,
                                 "%s:%s is a tensor, which has no places: brackets follow a file that weir wrote",
                                 out->file.path, out->file.name);
    out->kind = WEIR_VALUE_PLACE;
    return weir_reading_place(reading, &out->place);
}

/* What mean and resample are of: a place that writes an axis out. */
static weir_status read_averaged(struct weir_reading *reading, struct weir_value *out, const char *function)
{
    struct weir_value *of;
    weir_reading_peek(reading);
    TRY(weir_alloc_zero(&out->of, 1, sizeof *out->of));
    of = out->of;
    of->factor = 1;
    of->at = reading->at;
    size_t word = weir_reading_word(reading);
    if (word > 0 && reading->at + word < reading->end && reading->text[reading->at + word] == '(')
        return weir_reading_fail(reading, of->at, "%s takes a place, as in %s(ref.h5[#:]), and no other function",
                                 function, function);
    if (weir_reading_peek(reading) == '[') {
        of->kind = WEIR_VALUE_PLACE;
        TRY(weir_reading_place(reading, &of->place));
    } else {
        TRY(read_file_value(reading, of));
    }
    const struct weir_where *where = of->place ? &of->place->where : NULL;
    if (where &&
        (where->has_layers || where->has_units || where->has_positions || where->has_keys || where->has_prompts))
        return WEIR_OK;
    return weir_reading_fail(reading, of->at,
                             "%s goes over the axes that its place writes out, and here there are none: write "
                             "%s(ref.h5[#:]) for the prompts, %s(ref.h5[@:#:]) for the positions too",
                             function, function, function);
}

static weir_status read_seed_argument(struct weir_reading *reading, struct weir_value *out)
{
    TRY(weir_reading_expect(reading, ",", "a seed follows, as in resample(ref.h5[#:], 7) and noise(0.3, 1)"));
    return weir_reading_seed(reading, &out->seed);
}

static weir_status read_noise(struct weir_reading *reading, struct weir_value *out)
{
    bool is;
    out->kind = WEIR_VALUE_NOISE;
    weir_reading_peek(reading);
    size_t from = reading->at;
    TRY(weir_reading_number(reading, &out->number, &is));
    if (!is || !(out->number >= 0))
        return weir_reading_fail(reading, from,
                                 "noise takes its standard deviation, a number of 0 or more, and a seed, as "
                                 "in noise(0.3, 1)");
    return read_seed_argument(reading, out);
}

static weir_status read_function(struct weir_reading *reading, struct weir_value *out)
{
    if (weir_reading_accept(reading, "noise")) {
        TRY(weir_reading_expect(reading, "(", "noise takes a standard deviation and a seed"));
        TRY(read_noise(reading, out));
    } else if (weir_reading_accept(reading, "mean")) {
        out->kind = WEIR_VALUE_MEAN;
        TRY(weir_reading_expect(reading, "(", "mean takes a place"));
        TRY(read_averaged(reading, out, "mean"));
    } else {
        out->kind = WEIR_VALUE_RESAMPLE;
        weir_reading_accept(reading, "resample");
        TRY(weir_reading_expect(reading, "(", "resample takes a place and a seed"));
        TRY(read_averaged(reading, out, "resample"));
        TRY(read_seed_argument(reading, out));
    }
    return weir_reading_expect(reading, ")", why_closed);
}

static bool is_function(const struct weir_reading *reading, size_t n)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strlen(functions[i]) == n && memcmp(functions[i], reading->text + reading->at, n) == 0)
            return true;
    return false;
}

/* True where a word comes next that is no part of a file's name. */
static bool is_lone_word(const struct weir_reading *reading, size_t n)
{
    return n > 0 && (reading->at + n == reading->end || !strchr("./-~+=", reading->text[reading->at + n]));
}

/* What is no number. */
static weir_status read_source_value(struct weir_reading *reading, struct weir_value *out)
{
    char first = weir_reading_peek(reading);
    size_t word = weir_reading_word(reading);
    if (first == '[') {
        out->kind = WEIR_VALUE_PLACE;
        return weir_reading_place(reading, &out->place);
    }
    if (is_function(reading, word) && is_lone_word(reading, word))
        return read_function(reading, out);
    if (is_lone_word(reading, word))
        return fail_unknown_source(reading, word);
    return read_file_value(reading, out);
}

static weir_status read_factor(struct weir_reading *reading, struct weir_value *out)
{
    bool is;
    size_t from = reading->at;
    out->factor = out->number;
    out->number = 0;
    if (isinf(out->factor))
        return weir_reading_fail(reading, from, "a factor is a finite number");
    weir_reading_peek(reading);
    size_t at = reading->at;
    double number;
    TRY(weir_reading_number(reading, &number, &is));
    if (is)
        return weir_reading_fail(reading, at,
                                 "a factor stands in front of a file, a place or a function: write one number");
    return read_source_value(reading, out);
}

/* NUMBER, or [NUMBER *] value. */
static weir_status read_source(struct weir_reading *reading, struct weir_value *out)
{
    bool is;
    *out = (struct weir_value){.factor = 1};
    if (weir_reading_peek(reading) == '\0')
        return weir_reading_fail(reading, reading->at,
                                 "behind the operator a value is missing: a number, a file, a place "
                                 "in brackets, mean(...), resample(...) or noise(...)");
    out->at = reading->at;
    TRY(weir_reading_number(reading, &out->number, &is));
    if (!is && weir_reading_accept(reading, "-"))
        return weir_reading_fail(reading, out->at, "a - stands in front of numbers only: write -1 * ...");
    if (!is)
        return read_source_value(reading, out);
    return weir_reading_accept(reading, "*") ? read_factor(reading, out) : WEIR_OK;
}

static void close_value(struct weir_value *value)
{
    weir_file_name_close(&value->file);
    weir_place_close(value->place);
    if (value->of)
        close_value(value->of);
    weir_free(value->of);
}

/* ---- along, keeping norm ---- */

static weir_status fail_unknown_end(struct weir_reading *reading)
{
    static const char *const words[] = {"along", "keeping"};
    char word[SHOWN_WORD + 1] = "";
    size_t n = weir_reading_word(reading), rest = reading->end - reading->at;
    weir_text_append(word, sizeof word, "%.*s", (int)(n ? n : rest), reading->text + reading->at);
    const char *near = weir_nearest_word(words, 2, word);
    return weir_reading_fail(reading, reading->at,
                             near ? "'%s' is not known here; the nearest: %s"
                                  : "'%s' is too much: behind the value only 'along FILE' and "
                                    "'keeping norm' may stand",
                             word, near);
}

static weir_status read_along(struct weir_reading *reading, struct weir_file_name *out, size_t at)
{
    if (out->path)
        return weir_reading_fail(reading, at, "along stands here twice");
    TRY(weir_reading_file(reading, out));
    if (weir_reading_peek(reading) == '[')
        return weir_reading_fail(reading, reading->at,
                                 "a basis is a tensor of a file, FILE or FILE:NAME, and no place");
    return WEIR_OK;
}

static weir_status read_keeping(struct weir_reading *reading, bool *out, size_t at)
{
    if (*out)
        return weir_reading_fail(reading, at, "keeping norm stands here twice");
    *out = true;
    return weir_reading_expect(reading, "norm", "keeping norm is all that there is to keep");
}

static weir_status read_edit_ends(struct weir_reading *reading, weir_edit *edit)
{
    while (weir_reading_peek(reading) != '\0') {
        size_t at = reading->at;
        if (weir_reading_accept(reading, "along"))
            TRY(read_along(reading, &edit->along, at));
        else if (weir_reading_accept(reading, "keeping"))
            TRY(read_keeping(reading, &edit->keeps_norm, at));
        else
            return fail_unknown_end(reading);
    }
    return WEIR_OK;
}

/* ---- what makes no sense ---- */

/* True where all points that a term names let a cell be taken out by -inf: a softmax or a choice follows. */
static bool takes_minus_infinity(const struct weir_term *term)
{
    for (int i = 0; i < WEIR_N_POINTS; i++)
        if (term->points[i] && i != WEIR_P_ATTN_SCORES && i != WEIR_P_ROUTER)
            return false;
    return true;
}

static weir_status check_minus_infinity(struct weir_reading *reading, const weir_edit *edit)
{
    size_t at = edit->value.at;
    if (edit->value.kind != WEIR_VALUE_NUMBER || !isinf(edit->value.number))
        return WEIR_OK;
    for (size_t i = 0; i < edit->select->n; i++)
        if (!edit->select->terms[i].takes_away && !takes_minus_infinity(&edit->select->terms[i]))
            return weir_reading_fail(reading, at, "-inf is for attn_scores and router; '%s' takes finite numbers",
                                     edit->select->terms[i].text);
    if (edit->op != WEIR_OP_SET)
        return weir_reading_fail(reading, at, "-inf can only be set, by =");
    if (edit->along.path || edit->keeps_norm)
        return weir_reading_fail(reading, at,
                                 "-inf has no coordinates and no norm: it stands without along and keeping");
    return WEIR_OK;
}

/* ---- lists that are paired ---- */

/* As far as it can be told without the length of the axis: -1 comes after 0, whatever is between. */
static bool is_before(const struct weir_slice *a, const struct weir_slice *b)
{
    int64_t from = a->has_start ? a->start : 0, to = b->has_start ? b->start : 0;
    return (from < 0) == (to < 0) ? from < to : to < 0;
}

static bool slices_rise(const struct weir_slices *slices)
{
    for (size_t i = 1; i < slices->n; i++)
        if (!is_before(&slices->list[i - 1], &slices->list[i]))
            return false;
    return true;
}

static bool spots_rise(const struct weir_spots *spots)
{
    for (size_t i = 1; i < spots->n; i++)
        if (!spots->list[i - 1].name && !spots->list[i].name &&
            !is_before(&spots->list[i - 1].slice, &spots->list[i].slice))
            return false;
    return true;
}

/* What `where` lists out of order of the axes that `source` writes; NULL: nothing. Positions may be. */
static const char *out_of_order(const struct weir_where *where, const struct weir_where *source)
{
    if (source->has_layers && !slices_rise(&where->layers))
        return "layers";
    if (source->has_units && !slices_rise(&where->units))
        return "heads or neurons";
    if (source->has_neurons && !slices_rise(&where->neurons))
        return "neurons";
    if (source->has_keys && !spots_rise(&where->keys))
        return "keys";
    return source->has_prompts && !slices_rise(&where->prompts.numbers) ? "prompts" : NULL;
}

/* Lists of an edit and of its source are paired from the lowest number up, but for positions: what is written in
   another order would not be what it looks like. An array has all axes. */
static weir_status check_order(struct weir_reading *reading, const weir_edit *edit)
{
    static const struct weir_where all = {
        .has_layers = true, .has_units = true, .has_neurons = true, .has_keys = true, .has_prompts = true};
    bool is_place = edit->value.kind == WEIR_VALUE_PLACE;
    const struct weir_where *source = is_place ? &edit->value.place->where : &all;
    const char *what = is_place ? out_of_order(source, source) : NULL;
    if (!is_place && edit->value.kind != WEIR_VALUE_FILE)
        return WEIR_OK;
    for (size_t i = 0; !what && i < edit->select->n; i++)
        what = out_of_order(&edit->select->terms[i].where, source);
    return what ? weir_reading_fail(reading, edit->value.at,
                                    "lists of %s are paired from the lowest number up: write them in that order", what)
                : WEIR_OK;
}

static weir_status check_edit(struct weir_reading *reading, const weir_edit *edit)
{
    TRY(check_minus_infinity(reading, edit));
    return check_order(reading, edit);
}

/* ---- text ---- */

/* The = of the operator: the first outside quotes and brackets. */
static size_t find_equals(const char *text, size_t n)
{
    size_t at = 0;
    while (at < n && text[at] != '=')
        at += weir_closed_length(text + at, text + n);
    return at < n ? at : n;
}

/* "resid_*=0": a glob and =, or a name and *=. */
static weir_status refuse_two_ways(struct weir_reading *reading, size_t star)
{
    int before = star > SHOWN_WORD ? SHOWN_WORD : (int)star;
    const char *name = reading->text + star - before;
    return weir_reading_fail(reading, star,
                             "'%.*s*=' reads two ways: write a space, '%.*s* =' to set, or '%.*s *=' to "
                             "multiply",
                             before, name, before, name, before, name);
}

/* Finds the operator, which begins at *from and ends at *to. */
static weir_status find_op(struct weir_reading *reading, enum weir_edit_op *op, size_t *from, size_t *to)
{
    const char *text = reading->text;
    size_t equals = find_equals(text, reading->end);
    if (equals == reading->end)
        return weir_reading_fail(reading, reading->end,
                                 "an operator is missing: =, +=, -=, *=, <= or >=, as in z:5.3 = 0");
    *op = WEIR_OP_SET;
    *from = equals;
    *to = equals + 1;
    for (int i = WEIR_OP_SET + 1; i < N_OPS && equals > 0; i++)
        if (text[equals - 1] == *op_texts[i]) {
            *op = (enum weir_edit_op)i;
            *from = equals - 1;
        }
    if (*op == WEIR_OP_SCALE && (*from == 0 || !strchr(" \t\n", text[*from - 1])))
        return refuse_two_ways(reading, *from);
    return WEIR_OK;
}

static bool is_blank(const char *text, size_t n)
{
    return strspn(text, " \t\n") >= n;
}

static weir_status read_select(struct weir_reading *reading, weir_edit *edit, size_t from, size_t to)
{
    if (is_blank(reading->text + from, to - from))
        return weir_reading_fail(reading, from, "in front of the operator the selection is missing, as in z:5.3 = 0");
    TRY(weir_selection_parse_part(&edit->select, reading->text, from, to, &reading->fault));
    edit->select->whole = edit->text;
    return WEIR_OK;
}

static weir_status read_text(struct weir_reading *reading, weir_edit *edit)
{
    size_t from = 0, to = 0;
    TRY(find_op(reading, &edit->op, &from, &to));
    TRY(read_select(reading, edit, 0, from));
    reading->at = to;
    TRY(read_source(reading, &edit->value));
    TRY(read_edit_ends(reading, edit));
    return check_edit(reading, edit);
}

static weir_status parse_edit_text(weir_edit *edit, const char *text)
{
    TRY(weir_copy_string(&edit->text, text));
    struct weir_reading reading = {.text = edit->text, .end = strlen(edit->text)};
    weir_status status = read_text(&reading, edit);
    return status == WEIR_E_USAGE ? weir_in_character(status, edit->text, reading.fault) : status;
}

/* ---- JSON ---- */

enum member { SELECT, OP, VALUE, ALONG, KEEPING, N_MEMBERS };

static const char *const member_names[N_MEMBERS] = {"select", "op", "value", "along", "keeping"};

/* What the members say, in texts of their own. */
struct members {
    char *texts[N_MEMBERS];
};

static void close_edit_members(struct members *members)
{
    for (int i = 0; i < N_MEMBERS; i++)
        weir_free(members->texts[i]);
}

static weir_status copy_member(struct members *out, int i, const cJSON *item)
{
    struct weir_text number = {0};
    if (out->texts[i])
        return weir_fail(WEIR_E_USAGE, "the edit has two members \"%s\"", item->string);
    if (cJSON_IsString(item))
        return weir_copy_string(&out->texts[i], item->valuestring);
    if (i != VALUE || !cJSON_IsNumber(item) || !isfinite(item->valuedouble))
        return weir_fail(WEIR_E_USAGE, "%s: not a text%s", item->string, i == VALUE ? " or a finite number" : "");
    weir_status status = weir_number_text(&number, item->valuedouble);
    out->texts[i] = number.data;
    return status;
}

static weir_status copy_members(struct members *out, const cJSON *json)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, json)
    {
        int i = 0;
        while (i < N_MEMBERS && strcmp(member_names[i], item->string) != 0)
            i++;
        const char *near = i == N_MEMBERS ? weir_nearest_word(member_names, N_MEMBERS, item->string) : NULL;
        if (i == N_MEMBERS)
            return weir_fail(WEIR_E_USAGE, "an edit has no member \"%s\"; %s%s", item->string,
                             near ? "the nearest: " : "it has select, op, value, along and keeping", near ? near : "");
        TRY(copy_member(out, i, item));
    }
    for (int i = SELECT; i <= VALUE; i++)
        if (!out->texts[i])
            return weir_fail(WEIR_E_USAGE, "the edit lacks its member \"%s\"", member_names[i]);
    return WEIR_OK;
}

/* The edit's text, of the members, each of which begins at begins[i]. */
static weir_status join_members(char **out, const struct members *members, size_t begins[N_MEMBERS])
{
    static const char *const before[N_MEMBERS] = {"", " ", " ", " along ", " keeping "};
    struct weir_text text = {0};
    weir_status status = WEIR_OK;
    for (int i = 0; status == WEIR_OK && i < N_MEMBERS; i++) {
        begins[i] = text.n + strlen(before[i]);
        if (members->texts[i])
            status = weir_text_print(&text, "%s%s", before[i], members->texts[i]);
    }
    *out = text.data;
    return status;
}

static weir_status read_member_op(struct weir_reading *reading, weir_edit *edit)
{
    for (int i = 0; i < N_OPS; i++)
        if (strlen(op_texts[i]) == reading->end - reading->at &&
            memcmp(op_texts[i], reading->text + reading->at, reading->end - reading->at) == 0) {
            edit->op = (enum weir_edit_op)i;
            reading->at = reading->end;
            return WEIR_OK;
        }
    return weir_reading_fail(reading, reading->at, "none of =, +=, -=, *=, <= and >=");
}

static weir_status read_edit_member(struct weir_reading *reading, weir_edit *edit, int i)
{
    if (i == SELECT) {
        TRY(read_select(reading, edit, reading->at, reading->end));
        reading->at = reading->end;
    } else if (i == OP) {
        TRY(read_member_op(reading, edit));
    } else if (i == VALUE) {
        TRY(read_source(reading, &edit->value));
    } else if (i == ALONG) {
        TRY(read_along(reading, &edit->along, reading->at));
    } else {
        TRY(read_keeping(reading, &edit->keeps_norm, reading->at));
    }
    return weir_reading_peek(reading) == '\0'
               ? WEIR_OK
               : weir_reading_fail(reading, reading->at, "'%.*s' is too much", (int)(reading->end - reading->at),
                                   reading->text + reading->at);
}

/* Reads each member as a text that ends where it ends. */
static weir_status read_members(weir_edit *edit, const struct members *members, const size_t begins[N_MEMBERS])
{
    struct weir_reading reading = {.text = edit->text};
    weir_status status = WEIR_OK;
    int i = 0;
    for (; status == WEIR_OK && i < N_MEMBERS; i++)
        if (members->texts[i]) {
            reading.at = begins[i];
            reading.end = begins[i] + strlen(members->texts[i]);
            status = read_edit_member(&reading, edit, i);
        }
    if (status == WEIR_OK) {
        i = VALUE + 1;
        status = check_edit(&reading, edit);
    }
    if (status != WEIR_E_USAGE)
        return status;
    return weir_in(weir_in_character(status, edit->text + begins[i - 1], reading.fault - begins[i - 1]),
                   member_names[i - 1]);
}

static weir_status parse_json(weir_edit *edit, const char *text)
{
    size_t begins[N_MEMBERS];
    struct members members = {0};
    cJSON *json = NULL;
    weir_status status;
    TRY_DONE(weir_json_parse(&json, "the edit", text, strlen(text)));
    TRY_DONE(copy_members(&members, json));
    TRY_DONE(join_members(&edit->text, &members, begins));
    TRY_DONE(read_members(edit, &members, begins));
done:
    close_edit_members(&members);
    cJSON_Delete(json);
    return status;
}

/* ---- the whole ---- */

weir_status weir_edit_parse(weir_edit **out, const char *text)
{
    weir_edit *edit;
    size_t bad;
    TRY_GIVEN(out);
    *out = NULL;
    TRY_GIVEN(text);
    if (!weir_utf8_valid(text, strlen(text), &bad))
        return weir_in_character(weir_fail(WEIR_E_USAGE, "this byte is not UTF-8"), text, bad);
    TRY(weir_alloc_zero(&edit, 1, sizeof *edit));
    bool is_json = text[strspn(text, " \t\r\n")] == '{';
    weir_status status = is_json ? parse_json(edit, text) : parse_edit_text(edit, text);
    if (status != WEIR_OK) {
        weir_edit_close(edit);
        return status;
    }
    *out = edit;
    return WEIR_OK;
}

void weir_edit_close(weir_edit *edit)
{
    if (!edit)
        return;
    weir_selection_close(edit->select);
    close_value(&edit->value);
    weir_file_name_close(&edit->along);
    weir_free(edit->text);
    weir_free(edit);
}

/* ---- back ---- */

static weir_status add_select(struct weir_text *out, const weir_edit *edit)
{
    for (size_t i = 0; i < edit->select->n; i++)
        TRY(weir_text_print(out, "%s%s", i ? "," : "", edit->select->terms[i].text));
    return WEIR_OK;
}

static weir_status add_value(struct weir_text *out, const struct weir_value *value)
{
    if (value->kind == WEIR_VALUE_NUMBER)
        return weir_number_text(out, value->number);
    if (value->factor != 1) {
        TRY(weir_number_text(out, value->factor));
        TRY(weir_text_print(out, " * "));
    }
    if (value->file.path)
        TRY(weir_file_name_text(out, &value->file));
    if (value->place)
        TRY(weir_text_print(out, "[%s]", value->place->text));
    if (value->kind == WEIR_VALUE_NOISE) {
        TRY(weir_text_print(out, "noise("));
        TRY(weir_number_text(out, value->number));
    } else if (value->of) {
        TRY(weir_text_print(out, value->kind == WEIR_VALUE_MEAN ? "mean(" : "resample("));
        TRY(add_value(out, value->of));
    }
    if (value->kind == WEIR_VALUE_NOISE || value->kind == WEIR_VALUE_RESAMPLE)
        TRY(weir_text_print(out, ", %llu", (unsigned long long)value->seed));
    return value->of || value->kind == WEIR_VALUE_NOISE ? weir_text_print(out, ")") : WEIR_OK;
}

weir_status weir_edit_to_text(struct weir_text *out, const weir_edit *edit)
{
    TRY(add_select(out, edit));
    TRY(weir_text_print(out, " %s ", weir_op_text(edit->op)));
    TRY(add_value(out, &edit->value));
    if (edit->along.path) {
        TRY(weir_text_print(out, " along "));
        TRY(weir_file_name_text(out, &edit->along));
    }
    return edit->keeps_norm ? weir_text_print(out, " keeping norm") : WEIR_OK;
}

/* Adds a member whose text `fn` writes. */
static weir_status add_edit_member(cJSON *json, int member, const struct weir_text *text)
{
    return cJSON_AddStringToObject(json, member_names[member], text->data) ? WEIR_OK
                                                                           : weir_fail(WEIR_E_MEMORY, "out of memory");
}

static weir_status make_member(struct weir_text *text, const weir_edit *edit, int member)
{
    if (member == SELECT)
        return add_select(text, edit);
    if (member == OP)
        return weir_text_print(text, "%s", weir_op_text(edit->op));
    if (member == VALUE)
        return add_value(text, &edit->value);
    if (member == ALONG && edit->along.path)
        return weir_file_name_text(text, &edit->along);
    return member == KEEPING && edit->keeps_norm ? weir_text_print(text, "norm") : WEIR_OK;
}

weir_status weir_edit_to_json(struct weir_text *out, const weir_edit *edit)
{
    struct weir_text text = {0};
    char *printed = NULL;
    cJSON *json = cJSON_CreateObject();
    weir_status status = WEIR_OK;
    for (int i = 0; i < N_MEMBERS; i++) {
        text.n = 0;
        TRY_DONE(make_member(&text, edit, i));
        if (text.n > 0)
            TRY_DONE(add_edit_member(json, i, &text));
    }
    printed = cJSON_PrintUnformatted(json);
    status = printed ? weir_text_print(out, "%s", printed) : weir_fail(WEIR_E_MEMORY, "out of memory");
done:
    cJSON_free(printed);
    cJSON_Delete(json);
    weir_text_close(&text);
    return status;
}
