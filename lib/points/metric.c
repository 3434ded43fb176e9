/* Metrics from text. */
#include "points/metric.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "points/nearest.h"
#include "points/reading.h"

#include <math.h>
#include <string.h>

enum { MOST_DEPTH = 32, SHOWN_WORD = 40 };

static const char *const measure_names[WEIR_N_MEASURES] = {
    [WEIR_MEASURE_LOGIT] = "logit", [WEIR_MEASURE_LOGPROB] = "logprob", [WEIR_MEASURE_PROB] = "prob",
    [WEIR_MEASURE_RANK] = "rank",   [WEIR_MEASURE_LOSS] = "loss",       [WEIR_MEASURE_ENTROPY] = "entropy",
    [WEIR_MEASURE_KL] = "kl"};

const char *weir_measure_name(enum weir_measure measure)
{
    return measure_names[measure];
}

static bool is_of_tokens(enum weir_measure measure)
{
    return measure <= WEIR_MEASURE_RANK;
}

/* ---- tokens ---- */

/* The value of four hexadecimal digits; -1 for other bytes. */
static int32_t hex4(const char *text, const char *end)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        const char *found = text + i < end && text[i] ? strchr(digits, text[i]) : NULL;
        if (!found)
            return -1;
        value = value * 16 + (int32_t)((found - digits) % 16);
    }
    return value;
}

/* Adds what the escape behind a backslash at `at` stands for; *length is how many bytes it has. */
static weir_status add_escape(struct weir_reading *reading, struct weir_text *out, size_t at, size_t *length)
{
    static const char letters[] = "nrt\\\"'", bytes[] = "\n\r\t\\\"'";
    const char *text = reading->text + at, *end = reading->text + reading->end;
    const char *found = text + 1 < end ? strchr(letters, text[1]) : NULL;
    char utf8[4];
    *length = 2;
    if (found && *found)
        return weir_text_add(out, &bytes[found - letters], 1);
    int32_t code = text + 1 < end && text[1] == 'u' ? hex4(text + 2, end) : -1;
    if (code <= 0 || (code >= 0xd800 && code < 0xe000))
        return weir_reading_fail(reading, at, "no escape: \\n, \\r, \\t, \\\\, \\\", \\' and \\uNNNN are");
    *length = 6;
    return weir_text_add(out, utf8, weir_utf8_encode(utf8, (uint32_t)code));
}

/* A text in quotes, in which backslashes escape. */
static weir_status read_token_text(struct weir_reading *reading, char **out)
{
    size_t from = reading->at, length;
    char quote = reading->text[reading->at++];
    struct weir_text text = {0};
    weir_status status = WEIR_OK;
    for (; reading->at < reading->end && reading->text[reading->at] != quote; reading->at += length) {
        length = 1;
        TRY_DONE(reading->text[reading->at] == '\\' ? add_escape(reading, &text, reading->at, &length)
                                                    : weir_text_add(&text, reading->text + reading->at, 1));
    }
    if (reading->at == reading->end)
        TRY_DONE(weir_reading_fail(reading, from, "the quote %c is not closed", quote));
    if (text.n == 0)
        TRY_DONE(weir_reading_fail(reading, from, "the text of a token is empty"));
    reading->at++;
    status = weir_copy_bytes(out, text.data, text.n);
done:
    weir_text_close(&text);
    return status;
}

static weir_status read_token_id(struct weir_reading *reading, int64_t *out)
{
    uint64_t id;
    size_t from = reading->at;
    weir_status status = weir_reading_seed(reading, &id);
    if (status != WEIR_OK || id > INT32_MAX)
        return weir_reading_fail(reading, from, "not the id of a token");
    *out = (int64_t)id;
    return WEIR_OK;
}

/* ID, "TEXT" or FIELD. */
static weir_status read_metric_token(struct weir_reading *reading, struct weir_metric *out)
{
    char first = weir_reading_peek(reading);
    TRY(weir_grow(&out->tokens, &out->token_capacity, out->n_tokens + 1, sizeof *out->tokens));
    struct weir_metric_token *token = &out->tokens[out->n_tokens++];
    *token = (struct weir_metric_token){.at = reading->at};
    if (first == '"' || first == '\'') {
        token->kind = WEIR_TOKEN_BY_TEXT;
        return read_token_text(reading, &token->text);
    }
    if (first >= '0' && first <= '9')
        return read_token_id(reading, &token->id);
    size_t n = weir_reading_word(reading);
    if (n == 0)
        return weir_reading_fail(reading, reading->at,
                                 "a token is missing: its id, its text in quotes, or a field of the prompts' lines");
    token->kind = WEIR_TOKEN_BY_FIELD;
    TRY(weir_copy_bytes(&token->text, reading->text + reading->at, n));
    reading->at += n;
    return WEIR_OK;
}

static weir_status read_metric_tokens(struct weir_reading *reading, struct weir_metric *out)
{
    do
        TRY(read_metric_token(reading, out));
    while (weir_reading_accept(reading, ","));
    return WEIR_OK;
}

/* ---- where ---- */

/* Where positions, a side or a place without brackets end: at a space, comma or parenthesis, or at any of `stops`. */
static size_t end_of_piece(const struct weir_reading *reading, size_t at, const char *stops)
{
    while (at < reading->end && !strchr(" \t\n,()", reading->text[at]) && !strchr(stops, reading->text[at]))
        at += weir_closed_length(reading->text + at, reading->text + reading->end);
    return at;
}

static bool accept_mark(struct weir_reading *reading, char mark)
{
    bool is_next = reading->at < reading->end && reading->text[reading->at] == mark;
    reading->at += is_next;
    return is_next;
}

static weir_status read_positions(struct weir_reading *reading, struct weir_metric *out)
{
    size_t from = reading->at, to = end_of_piece(reading, from, "#");
    if (from == to)
        return weir_reading_fail(reading, from, "behind the @ positions are missing, as in loss@1:; @: is all");
    out->has_positions = true;
    weir_status status = weir_spots_parse(&out->positions, reading->text + from, to - from, "position");
    if (status == WEIR_E_USAGE)
        return weir_reading_fail(reading, from, "%s (a space ends the positions)", weir_message());
    reading->at = to;
    return status;
}

/* NAME, or one number where `number` says so, up to what ends a piece. */
static weir_status read_whose(struct weir_reading *reading, struct weir_whose *out, bool number)
{
    size_t from = reading->at, to = end_of_piece(reading, from, "");
    weir_status status = weir_whose_parse(out, reading->text + from, to - from);
    if (status == WEIR_E_USAGE)
        return weir_reading_fail(reading, from, "%s", weir_message());
    TRY(status);
    if (!out->name && !number)
        return weir_reading_fail(reading, from, "a side is a name, as in logit(answer)#clean");
    if (!out->name && (out->numbers.n != 1 || !out->numbers.list[0].single || out->numbers.list[0].start < 0))
        return weir_reading_fail(reading, from, "one prompt is compared with: its number or a name, as in kl(#base)");
    reading->at = to;
    return WEIR_OK;
}

static weir_status read_measure_where(struct weir_reading *reading, struct weir_metric *out)
{
    struct weir_whose side = {0};
    if (accept_mark(reading, '@'))
        TRY(read_positions(reading, out));
    if (!accept_mark(reading, '#'))
        return WEIR_OK;
    weir_status status = read_whose(reading, &side, false);
    out->side = side.name;
    side.name = NULL;
    weir_whose_close(&side);
    return status;
}

/* ---- atoms ---- */

static weir_status read_sum_of_parts(struct weir_reading *reading, struct weir_metric *out, int depth);

static weir_status check_place(struct weir_reading *reading, const struct weir_term *place)
{
    if (!place->no_hook)
        return WEIR_OK;
    return weir_reading_fail(reading, place->at, "a place in a metric names its hook point, as in [z:5.3@-1]");
}

/* A place with or without brackets. */
static weir_status read_metric_place(struct weir_reading *reading, struct weir_term **out)
{
    if (weir_reading_peek(reading) == '[') {
        TRY(weir_reading_place(reading, out));
        return check_place(reading, *out);
    }
    size_t to = end_of_piece(reading, reading->at, "");
    if (to == reading->at)
        return weir_reading_fail(reading, reading->at, "a place is missing, as in z:5.3@-1");
    TRY(weir_place_parse(out, reading->text, reading->at, to, &reading->fault));
    reading->at = to;
    return check_place(reading, *out);
}

static weir_status read_dot(struct weir_reading *reading, struct weir_metric *out)
{
    out->kind = WEIR_METRIC_DOT;
    TRY(weir_reading_expect(reading, "(", "dot takes a place and a file"));
    TRY(read_metric_place(reading, &out->place));
    TRY(weir_reading_expect(reading, ",", "a file follows, as in dot(resid_post:6@-1, love.npy)"));
    TRY(weir_reading_file(reading, &out->file));
    return weir_reading_expect(reading, ")", "it closes dot(");
}

static weir_status read_sum(struct weir_reading *reading, struct weir_metric *out, int depth)
{
    out->kind = WEIR_METRIC_SUM;
    TRY(weir_reading_expect(reading, "(", "sum takes a metric"));
    TRY(weir_grow(&out->children, &out->child_capacity, 1, sizeof *out->children));
    out->children[0] = (struct weir_metric){.factor = 1};
    out->n_children = 1;
    TRY(read_sum_of_parts(reading, &out->children[0], depth + 1));
    return weir_reading_expect(reading, ")", "it closes sum(");
}

static weir_status read_measure(struct weir_reading *reading, struct weir_metric *out, enum weir_measure measure)
{
    out->kind = WEIR_METRIC_MEASURE;
    out->measure = measure;
    if (is_of_tokens(measure)) {
        TRY(weir_reading_expect(reading, "(", "tokens follow, as in logit(answer), prob(\" Paris\") or rank(42)"));
        TRY(read_metric_tokens(reading, out));
        TRY(weir_reading_expect(reading, ")", "it closes the list of tokens"));
    } else if (measure == WEIR_MEASURE_KL) {
        TRY(weir_reading_expect(reading, "(", "kl takes the prompt that it compares with, as in kl(#base)"));
        TRY(weir_reading_expect(reading, "#", "kl takes the prompt that it compares with, as in kl(#base)"));
        TRY(read_whose(reading, &out->against, true));
        TRY(weir_reading_expect(reading, ")", "it closes kl("));
    } else if (weir_reading_peek(reading) == '(') {
        return weir_reading_fail(reading, reading->at, "%s takes nothing in parentheses", measure_names[measure]);
    }
    return read_measure_where(reading, out);
}

static int find_measure(const char *word, size_t n)
{
    for (int i = 0; i < WEIR_N_MEASURES; i++)
        if (strlen(measure_names[i]) == n && memcmp(measure_names[i], word, n) == 0)
            return i;
    return -1;
}

/* The measure or function that a word may have been meant to be; NULL: none. */
static const char *nearest_measure(const char *word)
{
    static const char *const functions[] = {"sum", "dot"};
    const char *near = weir_nearest_word(measure_names, WEIR_N_MEASURES, word);
    return near ? near : weir_nearest_word(functions, 2, word);
}

/* A word that is no measure: a hook point, or nothing that is known. */
static weir_status read_other_word(struct weir_reading *reading, struct weir_metric *out, size_t n)
{
    char word[SHOWN_WORD + 1] = "";
    size_t from = reading->at, end = end_of_piece(reading, from, "");
    weir_text_append(word, sizeof word, "%.*s", (int)n, reading->text + from);
    const char *near = nearest_measure(word);
    bool is_called = from + n < reading->end && reading->text[from + n] == '(';
    if (is_called)
        return weir_reading_fail(reading, from, "'%s' is no measure; %s%s", word, near ? "the nearest: " : "",
                                 near ? near : "there are logit, logprob, prob, rank, loss, entropy, kl, sum and dot");
    out->kind = WEIR_METRIC_PLACE;
    weir_status status = read_metric_place(reading, &out->place);
    if (status == WEIR_E_USAGE && near && from + n == end)
        return weir_reading_fail(reading, from, "'%s' is no measure and no hook point; the nearest: %s", word, near);
    return status;
}

static weir_status read_atom(struct weir_reading *reading, struct weir_metric *out, int depth)
{
    size_t n = weir_reading_word(reading);
    const char *word = reading->text + reading->at;
    int measure = find_measure(word, n);
    if (measure >= 0) {
        reading->at += n;
        return read_measure(reading, out, (enum weir_measure)measure);
    }
    if (weir_reading_accept(reading, "sum"))
        return read_sum(reading, out, depth);
    if (weir_reading_accept(reading, "dot"))
        return read_dot(reading, out);
    if (n > 0)
        return read_other_word(reading, out, n);
    out->kind = WEIR_METRIC_PLACE;
    if (weir_reading_peek(reading) == '[')
        return read_metric_place(reading, &out->place);
    return weir_reading_fail(reading, reading->at,
                             "%s: a number, a measure such as logit(answer), a place such as "
                             "[z:5.3@-1], sum(...), dot(...) or ( may stand here",
                             weir_reading_peek(reading) ? "this is no part of a metric" : "a part is missing");
}

/* ---- parts ---- */

/* (METRIC), whose factor is multiplied by what stood in front. */
static weir_status read_parenthesis(struct weir_reading *reading, struct weir_metric *out, int depth)
{
    double factor = out->factor;
    size_t open = reading->at - 1;
    if (depth == MOST_DEPTH)
        return weir_reading_fail(reading, open, "parentheses are nested more than %d deep", MOST_DEPTH);
    TRY(read_sum_of_parts(reading, out, depth + 1));
    out->factor *= factor;
    if (!isfinite(out->factor))
        return weir_reading_fail(reading, open, "the factors of this parenthesis multiply to more than a double has");
    return weir_reading_expect(reading, ")", "it closes a parenthesis");
}

/* NUMBER, [NUMBER *] ATOM, [NUMBER *] (METRIC); the factor has the sign already. */
static weir_status read_part(struct weir_reading *reading, struct weir_metric *out, int depth)
{
    double number;
    bool is;
    weir_reading_peek(reading);
    size_t from = reading->at;
    TRY(weir_reading_number(reading, &number, &is));
    if (is && isinf(number))
        return weir_reading_fail(reading, from, "a number in a metric is finite");
    if (is)
        out->factor *= number;
    if (is && !weir_reading_accept(reading, "*")) {
        out->kind = WEIR_METRIC_NUMBER;
        out->at = from;
        return WEIR_OK;
    }
    weir_reading_peek(reading);
    out->at = reading->at;
    return weir_reading_accept(reading, "(") ? read_parenthesis(reading, out, depth) : read_atom(reading, out, depth);
}

/* A new part at the end of the sum. */
static weir_status add_part(struct weir_reading *reading, struct weir_metric *sum, double sign, int depth)
{
    TRY(weir_grow(&sum->children, &sum->child_capacity, sum->n_children + 1, sizeof *sum->children));
    struct weir_metric *part = &sum->children[sum->n_children++];
    *part = (struct weir_metric){.factor = sign};
    return read_part(reading, part, depth);
}

/* A sum of one part is the part. */
static void unwrap_single(struct weir_metric *sum)
{
    struct weir_metric *only = sum->children, part = *only;
    if (sum->n_children > 1)
        return;
    part.factor *= sum->factor;
    part.text = sum->text;
    weir_free(only);
    *sum = part;
}

static weir_status read_sum_of_parts(struct weir_reading *reading, struct weir_metric *out, int depth)
{
    out->kind = WEIR_METRIC_ADD;
    out->factor = 1;
    if (depth > MOST_DEPTH)
        return weir_reading_fail(reading, reading->at, "a metric is nested more than %d deep", MOST_DEPTH);
    weir_reading_peek(reading);
    out->at = reading->at;
    TRY(add_part(reading, out, weir_reading_accept(reading, "-") ? -1 : 1, depth));
    while (true) {
        bool minus = weir_reading_accept(reading, "-");
        if (!minus && !weir_reading_accept(reading, "+"))
            break;
        TRY(add_part(reading, out, minus ? -1 : 1, depth));
    }
    unwrap_single(out);
    return WEIR_OK;
}

/* ---- the whole ---- */

static weir_status read_metric(struct weir_reading *reading, struct weir_metric *out)
{
    TRY(read_sum_of_parts(reading, out, 0));
    if (weir_reading_peek(reading) == '\0')
        return WEIR_OK;
    return weir_reading_fail(reading, reading->at, "'%.*s' is too much: + or - join parts, * follows numbers only",
                             (int)(reading->end - reading->at > SHOWN_WORD ? SHOWN_WORD : reading->end - reading->at),
                             reading->text + reading->at);
}

weir_status weir_metric_parse(weir_metric **out, const char *text)
{
    struct weir_metric *metric;
    size_t bad;
    TRY_GIVEN(out);
    *out = NULL;
    TRY_GIVEN(text);
    if (!weir_utf8_valid(text, strlen(text), &bad))
        return weir_in_character(weir_fail(WEIR_E_USAGE, "this byte is not UTF-8"), text, bad);
    TRY(weir_alloc_zero(&metric, 1, sizeof *metric));
    struct weir_reading reading = {.text = text, .end = strlen(text)};
    weir_status status = read_metric(&reading, metric);
    if (status == WEIR_OK)
        status = weir_copy_string(&metric->text, text);
    else if (status == WEIR_E_USAGE)
        weir_in_character(status, text, reading.fault);
    if (status != WEIR_OK) {
        weir_metric_close(metric);
        return status;
    }
    *out = metric;
    return WEIR_OK;
}

static void close_parts(struct weir_metric *metric)
{
    for (size_t i = 0; i < metric->n_tokens; i++)
        weir_free(metric->tokens[i].text);
    for (size_t i = 0; i < metric->n_children; i++)
        close_parts(&metric->children[i]);
    weir_free(metric->tokens);
    weir_free(metric->children);
    weir_spots_close(&metric->positions);
    weir_whose_close(&metric->against);
    weir_place_close(metric->place);
    weir_file_name_close(&metric->file);
    weir_free(metric->side);
    weir_free(metric->text);
}

void weir_metric_close(weir_metric *metric)
{
    if (metric)
        close_parts(metric);
    weir_free(metric);
}

static bool is_side(const char *name, const char *side)
{
    return name && strcmp(name, side) == 0;
}

bool weir_metric_names_side(const struct weir_metric *metric, const char *side)
{
    for (size_t i = 0; i < metric->n_children; i++)
        if (weir_metric_names_side(&metric->children[i], side))
            return true;
    return is_side(metric->side, side) || is_side(metric->against.name, side) ||
           (metric->place && is_side(metric->place->where.prompts.name, side));
}

const char *weir_metric_lacks_derivative(const struct weir_metric *metric)
{
    const char *why = NULL;
    if (metric->kind == WEIR_METRIC_MEASURE && metric->measure == WEIR_MEASURE_RANK)
        return "rank counts, and has no derivative";
    for (size_t i = 0; i < metric->n_children && !why; i++)
        why = weir_metric_lacks_derivative(&metric->children[i]);
    return why;
}
