/* Reads the parts of which edits and metrics consist. */
#include "points/reading.h"

#include "base/alloc.h"
#include "base/json_text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 40, LONGEST_NUMBER = 40, LONGEST_MESSAGE = 512, LONGEST_NAME = 4095 };

weir_status weir_reading_fail(struct weir_reading *reading, size_t at, const char *format, ...)
{
    char message[LONGEST_MESSAGE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    reading->fault = at;
    return weir_fail(WEIR_E_USAGE, "%s", message);
}

weir_status weir_in_character(weir_status status, const char *text, size_t at)
{
    char where[48];
    size_t n = 1;
    for (size_t i = 0; i < at && text[i]; i++)
        n += ((unsigned char)text[i + 1] & 0xc0) != 0x80;
    snprintf(where, sizeof where, "character %zu", n);
    return weir_in(status, where);
}

/* ---- words ---- */

char weir_reading_peek(struct weir_reading *reading)
{
    while (reading->at < reading->end && strchr(" \t\n", reading->text[reading->at]))
        reading->at++;
    return reading->at < reading->end ? reading->text[reading->at] : '\0';
}

static bool is_letter_of_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80);
}

bool weir_reading_accept(struct weir_reading *reading, const char *text)
{
    size_t n = strlen(text);
    weir_reading_peek(reading);
    const char *at = reading->text + reading->at;
    if (n > reading->end - reading->at || memcmp(at, text, n) != 0)
        return false;
    if (is_letter_of_word(text[n - 1]) && reading->at + n < reading->end && is_letter_of_word(at[n]))
        return false;
    reading->at += n;
    return true;
}

/* How many bytes of the rest a message shows. */
static int shown_length(const struct weir_reading *reading)
{
    return reading->end - reading->at > SHOWN ? SHOWN : (int)(reading->end - reading->at);
}

weir_status weir_reading_expect(struct weir_reading *reading, const char *text, const char *why)
{
    if (weir_reading_accept(reading, text))
        return WEIR_OK;
    if (weir_reading_peek(reading) == '\0')
        return weir_reading_fail(reading, reading->at, "a %s is missing: %s", text, why);
    return weir_reading_fail(reading, reading->at, "'%.*s' stands where a %s is missing: %s", shown_length(reading),
                             reading->text + reading->at, text, why);
}

size_t weir_reading_word(struct weir_reading *reading)
{
    size_t n = 0;
    char first = weir_reading_peek(reading);
    if (first >= '0' && first <= '9')
        return 0;
    while (reading->at + n < reading->end && is_letter_of_word(reading->text[reading->at + n]))
        n++;
    return n;
}

/* ---- numbers ---- */

static size_t count_digits_at(const struct weir_reading *reading, size_t at)
{
    size_t n = 0;
    while (at + n < reading->end && reading->text[at + n] >= '0' && reading->text[at + n] <= '9')
        n++;
    return n;
}

/* The bytes of a number at `at`: -, digits, a point with digits, an exponent with digits. 0: none. */
static size_t number_length(const struct weir_reading *reading, size_t from)
{
    const char *text = reading->text;
    size_t at = from + (from < reading->end && text[from] == '-'), n = count_digits_at(reading, at);
    if (n == 0)
        return 0;
    at += n;
    if (at < reading->end && text[at] == '.' && (n = count_digits_at(reading, at + 1)) > 0)
        at += n + 1;
    if (at < reading->end && (text[at] == 'e' || text[at] == 'E')) {
        size_t sign = at + 1 < reading->end && (text[at + 1] == '-' || text[at + 1] == '+');
        n = count_digits_at(reading, at + 1 + sign);
        at += n > 0 ? 1 + sign + n : 0;
    }
    return at - from;
}

/* True where what follows a number makes it the beginning of a file's name. */
static bool continues_name(const struct weir_reading *reading, size_t at)
{
    return at < reading->end && (is_letter_of_word(reading->text[at]) || strchr("./-", reading->text[at])) &&
           reading->text[at] != '-';
}

/* True, behind it, where text stands as a word of its own: inf, but not the inf of inf.npy. */
static bool accept_whole(struct weir_reading *reading, const char *text)
{
    size_t from = reading->at;
    if (!weir_reading_accept(reading, text))
        return false;
    bool whole =
        !continues_name(reading, reading->at) && !(reading->at < reading->end && reading->text[reading->at] == '-');
    if (!whole)
        reading->at = from;
    return whole;
}

/* -inf, which *is tells, and others that are not finite, which nothing takes. */
static weir_status read_not_finite(struct weir_reading *reading, double *out, bool *is)
{
    static const char *const refused[] = {"nan", "NaN", "-nan", "inf", "infinity", "Infinity", "-Infinity"};
    size_t from = reading->at;
    *is = accept_whole(reading, "-inf");
    *out = -INFINITY;
    for (size_t i = 0; !*is && i < sizeof refused / sizeof *refused; i++)
        if (accept_whole(reading, refused[i]))
            return weir_reading_fail(reading, from, "%s is no value: write a finite number, or -inf where it may stand",
                                     refused[i]);
    return WEIR_OK;
}

weir_status weir_reading_number(struct weir_reading *reading, double *out, bool *is)
{
    weir_reading_peek(reading);
    size_t n = number_length(reading, reading->at);
    const char *at = reading->text + reading->at;
    *is = n > 0 && !continues_name(reading, reading->at + n);
    if (n == 0)
        return read_not_finite(reading, out, is);
    if (!*is)
        return WEIR_OK;
    struct weir_json_text json = {.file = "number", .begin = at, .at = at, .end = at + n};
    weir_status status = n > LONGEST_NUMBER ? WEIR_E_INPUT : weir_json_take_number(&json, out);
    if (status == WEIR_E_MEMORY)
        return status;
    if (status != WEIR_OK || json.at != json.end || !isfinite(*out))
        return weir_reading_fail(reading, reading->at, "'%.*s' is not a number that a double has", (int)n, at);
    reading->at += n;
    return WEIR_OK;
}

weir_status weir_reading_seed(struct weir_reading *reading, uint64_t *out)
{
    weir_reading_peek(reading);
    size_t n = count_digits_at(reading, reading->at);
    *out = 0;
    if (n == 0 || continues_name(reading, reading->at + n))
        return weir_reading_fail(reading, reading->at, "a seed is missing: a whole number, as in noise(0.3, 1)");
    for (size_t i = 0; i < n; i++) {
        uint64_t digit = (uint64_t)(reading->text[reading->at + i] - '0');
        if (*out > (UINT64_MAX - digit) / 10)
            return weir_reading_fail(reading, reading->at, "the seed '%.*s' does not fit 64 bits",
                                     n > SHOWN ? SHOWN : (int)n, reading->text + reading->at);
        *out = *out * 10 + digit;
    }
    reading->at += n;
    return WEIR_OK;
}

weir_status weir_number_text(struct weir_text *out, double number)
{
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        char *comma = strpbrk(text, ","); /* of the program's locale */
        if (strtod(text, NULL) == number || digits == 17) {
            if (comma)
                *comma = '.';
            break;
        }
    }
    return weir_text_print(out, "%s", text);
}

/* ---- files ---- */

/* What ends a name without quotes. */
static const char ends_name[] = " \t\n[](),\"'*:@#";

static weir_status read_quoted(struct weir_reading *reading, char **out, const char *what)
{
    const char *text = reading->text + reading->at;
    size_t n = weir_closed_length(text, reading->text + reading->end);
    if (n < 2)
        return weir_reading_fail(reading, reading->at, "the quote %c is not closed", *text);
    if (n == 2)
        return weir_reading_fail(reading, reading->at, "the %s between the quotes is empty", what);
    TRY(weir_copy_bytes(out, text + 1, n - 2));
    reading->at += n;
    return WEIR_OK;
}

static size_t bare_length(const struct weir_reading *reading)
{
    size_t n = strcspn(reading->text + reading->at, ends_name);
    return n < reading->end - reading->at ? n : reading->end - reading->at;
}

/* True for names that look like numbers, right or wrong ones: as files they take quotes. */
static bool looks_like_number(const char *name, size_t n)
{
    size_t like = strspn(name, "0123456789.eE+-");
    return like >= n && strcspn(name, "0123456789") < n;
}

static weir_status read_path(struct weir_reading *reading, char **out)
{
    char first = weir_reading_peek(reading);
    size_t from = reading->at;
    if (first == '"' || first == '\'') {
        TRY(read_quoted(reading, out, "file"));
    } else {
        size_t n = bare_length(reading);
        const char *text = reading->text + reading->at;
        if (n == 0)
            return weir_reading_fail(reading, from, first ? "'%.*s' is no file" : "a file is missing",
                                     shown_length(reading), text);
        if (!memchr(text, '.', n) && !memchr(text, '/', n))
            return weir_reading_fail(reading, from, "'%.*s' is no file: files have a . or a /, or quotes",
                                     n > SHOWN ? SHOWN : (int)n, text);
        if (looks_like_number(text, n))
            return weir_reading_fail(reading, from,
                                     "'%.*s' is no number, as in 0.5 or 1e-3; a file of that name takes quotes",
                                     n > SHOWN ? SHOWN : (int)n, text);
        TRY(weir_copy_bytes(out, text, n));
        reading->at += n;
    }
    if (**out == '~' && ((*out)[1] == '/' || (*out)[1] == '\0'))
        return weir_reading_fail(reading, from,
                                 "'%s': no shell replaces ~ here: write the folder, or ./~ for that name", *out);
    return WEIR_OK;
}

static weir_status read_tensor_name(struct weir_reading *reading, char **out)
{
    char first = reading->at < reading->end ? reading->text[reading->at] : '\0';
    if (first == '"' || first == '\'')
        return read_quoted(reading, out, "name");
    size_t n = bare_length(reading);
    if (n == 0)
        return weir_reading_fail(reading, reading->at, "behind the : the name of a tensor is missing, as in das.npz:R");
    TRY(weir_copy_bytes(out, reading->text + reading->at, n));
    reading->at += n;
    return WEIR_OK;
}

weir_status weir_reading_file(struct weir_reading *reading, struct weir_file_name *out)
{
    weir_status status;
    *out = (struct weir_file_name){0};
    weir_reading_peek(reading);
    out->at = reading->at;
    TRY_DONE(read_path(reading, &out->path));
    if (reading->at < reading->end && reading->text[reading->at] == ':') {
        reading->at++;
        TRY_DONE(read_tensor_name(reading, &out->name));
    }
    if (reading->at - out->at > LONGEST_NAME)
        TRY_DONE(weir_reading_fail(reading, out->at, "a file's name is longer than %d bytes", LONGEST_NAME));
    if (reading->at < reading->end && strchr("@#", reading->text[reading->at]))
        TRY_DONE(weir_reading_fail(reading, reading->at, "positions and prompts of a file stand in brackets: %s[...]",
                                   out->path));
done:
    if (status != WEIR_OK)
        weir_file_name_close(out);
    return status;
}

void weir_file_name_close(struct weir_file_name *name)
{
    weir_free(name->path);
    weir_free(name->name);
    *name = (struct weir_file_name){0};
}

static weir_status add_name(struct weir_text *out, const char *name, bool needs_quotes)
{
    const char *quote = !needs_quotes && !strpbrk(name, ends_name) ? "" : strchr(name, '"') ? "'" : "\"";
    return weir_text_print(out, "%s%s%s", quote, name, quote);
}

weir_status weir_file_name_text(struct weir_text *out, const struct weir_file_name *name)
{
    bool is_number = looks_like_number(name->path, strlen(name->path));
    TRY(add_name(out, name->path, is_number || !strpbrk(name->path, "./")));
    if (!name->name)
        return WEIR_OK;
    TRY(weir_text_print(out, ":"));
    return add_name(out, name->name, false);
}

/* ---- places ---- */

/* The byte of the bracket that closes the one at `at`, `end` where none does. */
static size_t find_closing(const struct weir_reading *reading, size_t at)
{
    size_t depth = 0;
    while (at < reading->end) {
        char c = reading->text[at];
        depth += c == '[';
        if (c == ']' && --depth == 0)
            return at;
        at += c == '[' ? 1 : weir_closed_length(reading->text + at, reading->text + reading->end);
    }
    return reading->end;
}

weir_status weir_reading_place(struct weir_reading *reading, struct weir_term **out)
{
    TRY(weir_reading_expect(reading, "[", "a place stands in brackets"));
    size_t open = reading->at - 1, close = find_closing(reading, open);
    if (close == reading->end)
        return weir_reading_fail(reading, open, "the bracket [ is not closed");
    TRY(weir_place_parse(out, reading->text, open + 1, close, &reading->fault));
    reading->at = close + 1;
    return WEIR_OK;
}
