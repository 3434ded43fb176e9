/* Measures, shortens, pads and wraps UTF-8 text. */
#include "cli/print/text.h"

#include "base/escape.h"

#include <math.h>
#include <string.h>
#include <unistd.h>
#include <utf8proc.h>

uint32_t text_next(const char **text)
{
    utf8proc_int32_t code;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)*text, -1, &code);
    *text += n > 0 ? n : 1;
    return n > 0 ? (uint32_t)code : 0xfffd;
}

size_t code_columns(uint32_t code)
{
    int columns = utf8proc_charwidth((utf8proc_int32_t)code);
    return columns > 0 ? (size_t)columns : 0;
}

/* The next character of UTF-8 text: its columns and, in *n, its bytes. What is not UTF-8 counts one each. */
static size_t next_columns(const char *text, size_t *n)
{
    const char *next = text;
    uint32_t code = text_next(&next);
    *n = (size_t)(next - text);
    return code_columns(code);
}

size_t text_columns(const char *text)
{
    size_t columns = 0, n;
    for (; *text; text += n)
        columns += next_columns(text, &n);
    return columns;
}

bool text_is_leftwards(const char *text)
{
    while (*text)
        switch (utf8proc_get_property((utf8proc_int32_t)text_next(&text))->bidi_class) {
        case UTF8PROC_BIDI_CLASS_L:
            return false;
        case UTF8PROC_BIDI_CLASS_R:
        case UTF8PROC_BIDI_CLASS_AL:
            return true;
        default:
            break;
        }
    return false;
}

void text_shorten(char *to, size_t size, const char *text, size_t columns)
{
    static const char ellipsis[] = "…";
    bool whole = text_columns(text) <= columns && strlen(text) < size;
    size_t room = whole || columns == 0 ? columns : columns - 1, used = 0, at = 0, n;
    for (; *text; text += n, at += n) {
        size_t more = next_columns(text, &n);
        if (used + more > room || at + n + sizeof ellipsis > size)
            break;
        memcpy(to + at, text, n);
        used += more;
    }
    memcpy(to + at, whole ? "" : ellipsis, whole ? 1 : sizeof ellipsis);
}

/* Bytes of the text that fit `most`, whole characters only. */
static size_t whole_characters(const char *text, size_t most)
{
    size_t n = strnlen(text, most), end = n;
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    return end ? end : n;
}

void print_text(const char *text)
{
    char shown[256], piece[sizeof shown / WEIR_ESCAPED_MOST];
    while (*text) {
        size_t n = whole_characters(text, sizeof piece - 1);
        memcpy(piece, text, n);
        piece[n] = '\0';
        weir_escape(shown, sizeof shown, piece);
        fputs(shown, stdout);
        text += n;
    }
}

void print_line(const char *text, void *payload)
{
    (void)payload;
    print_text(text);
    putchar('\n');
}

const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

void token_label(char *to, size_t size, const char *token, size_t columns)
{
    char shown[512], text[128];
    weir_escape(shown, sizeof shown, token);
    text_shorten(text, size - 2 < sizeof text ? size - 2 : sizeof text, shown, columns - 2);
    snprintf(to, size, "|%.*s|", (int)size - 3, text);
}

void print_spaces(size_t n)
{
    printf("%*s", (int)n, "");
}

static size_t words_columns(const char *text, size_t n)
{
    size_t columns = 0, used;
    for (const char *end = text + n; text < end; text += used)
        columns += next_columns(text, &used);
    return columns;
}

void print_wrapped(FILE *to, const char *text, size_t indent, size_t width)
{
    size_t column = indent;
    while (*text) {
        size_t n = strcspn(text, " \n");
        size_t columns = words_columns(text, n);
        if (column > indent && column + 1 + columns > width) {
            fprintf(to, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', to);
            column++;
        }
        fwrite(text, 1, n, to);
        column += columns;
        text += n;
        if (*text == '\n') {
            fprintf(to, "\n%*s", text[1] ? (int)indent : 0, "");
            column = indent;
        }
        text += *text != '\0';
    }
    fputc('\n', to);
}

void print_left(const char *text, size_t columns)
{
    size_t n = text_columns(text);
    fputs(text, stdout);
    print_spaces(n < columns ? columns - n : 0);
}

void print_right(const char *text, size_t columns)
{
    size_t n = text_columns(text);
    print_spaces(n < columns ? columns - n : 0);
    fputs(text, stdout);
}

const char *short_number(char to[32], double value)
{
    if (isnan(value))
        snprintf(to, 32, "NaN");
    else if (value != 0 && (fabs(value) < 1e-3 || fabs(value) >= 1e5))
        snprintf(to, 32, "%.3e", value);
    else
        snprintf(to, 32, "%.4f", value);
    return to;
}

void print_csv_text(const char *text)
{
    char shown[2048];
    if (isatty(STDOUT_FILENO)) {
        weir_escape(shown, sizeof shown, text);
        text = shown;
    }
    putchar('"');
    for (; *text; text++)
        fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, stdout);
    putchar('"');
}

const char *fixed_number(char to[64], int decimals, double value)
{
    if (isnan(value))
        snprintf(to, 64, "NaN");
    else
        snprintf(to, 64, "%.*f", decimals, value);
    bool is_zero = isfinite(value) && !to[strcspn(to, "123456789")];
    return is_zero && *to == '-' ? to + 1 : to;
}
