#include "cli/render.h"

#include "base/alloc.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utf8proc.h>

enum { LEAST_FLEXIBLE = 8, GAP = 2, MOST_COLUMNS = 100000, MOST_CELL = 2048 };

/* ---- the terminal ---- */

size_t terminal_width(void)
{
    struct winsize size;
    const char *given = getenv("COLUMNS");
    long columns = given ? strtol(given, NULL, 10) : 0;
    if (columns > 0 && columns < MOST_COLUMNS)
        return (size_t)columns;
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
        return size.ws_col;
    return 0;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

enum colours terminal_colours(void)
{
    const char *term = getenv("TERM"), *more = getenv("COLORTERM");
    if (is_set("NO_COLOR") || !isatty(STDOUT_FILENO) || !term || strcmp(term, "dumb") == 0)
        return COLOURS_NONE;
    if (more && (strcmp(more, "truecolor") == 0 || strcmp(more, "24bit") == 0))
        return COLOURS_24BIT;
    return COLOURS_256;
}

/* The next character of UTF-8 text: its columns and, in *n, its bytes. What is not UTF-8 counts one each. */
static size_t next_columns(const char *text, size_t *n)
{
    utf8proc_int32_t code;
    utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &code);
    *n = used > 0 ? (size_t)used : 1;
    int columns = used > 0 ? utf8proc_charwidth(code) : 1;
    return columns > 0 ? (size_t)columns : 0;
}

size_t text_columns(const char *text)
{
    size_t columns = 0, n;
    for (; *text; text += n)
        columns += next_columns(text, &n);
    return columns;
}

void text_cut(char *to, size_t size, const char *text, size_t columns)
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

/* Bytes of the control character at p: C0, DEL, or C1 as UTF-8; 0 when it is none. */
static size_t control_bytes(const unsigned char *p)
{
    if (*p < 0x20 || *p == 0x7f)
        return 1;
    return p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0 ? 2 : 0;
}

char *text_tame(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p; p++)
        for (size_t n = control_bytes(p); n > 0; n--)
            p[n - 1] = '?';
    return text;
}

void print_text(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        size_t n = control_bytes(p);
        putchar(n ? '?' : *p);
        p += n == 2;
    }
}

void token_label(char *to, size_t size, const char *token, size_t columns)
{
    char text[128];
    text_cut(text, size - 2 < sizeof text ? size - 2 : sizeof text, token, columns - 2);
    snprintf(to, size, "|%.*s|", (int)size - 3, text_tame(text));
}

static void print_spaces(size_t n)
{
    printf("%*s", (int)n, "");
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

const char *human_bytes(char to[16], uint64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    double n = (double)bytes / 1000;
    size_t unit = 0;
    for (; n >= 999.5 && unit < 5; unit++)
        n /= 1000;
    if (bytes < 1000)
        snprintf(to, 16, "%d B", (int)bytes);
    else
        snprintf(to, 16, n < 9.95 ? "%.1f %s" : "%.0f %s", n, units[unit]);
    return to;
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

/* ---- tables ---- */

static weir_status add_cell(struct table *table, const char *text)
{
    TRY(weir_grow(&table->cells, &table->capacity, table->n_cells + 1, sizeof *table->cells));
    TRY(weir_copy_string(&table->cells[table->n_cells], text));
    text_tame(table->cells[table->n_cells++]);
    return WEIR_OK;
}

weir_status table_add(struct table *table, const char *format, ...)
{
    char text[MOST_CELL];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return add_cell(table, text);
}

/* Which column cell i stands in. */
static size_t column_of(const struct table *table, size_t i)
{
    return table->n_columns > 0 ? i % table->n_columns : 0;
}

static void measure(const struct table *table, size_t *widths)
{
    for (size_t i = 0; i < table->n_columns; i++)
        widths[i] = text_columns(table->names[i]);
    for (size_t i = 0; i < table->n_cells; i++) {
        size_t n = text_columns(table->cells[i]);
        if (n > widths[column_of(table, i)])
            widths[column_of(table, i)] = n;
    }
}

/* Narrows the flexible columns, the widest first, until the table fits or nothing more can go. */
static void fit(const struct table *table, size_t *widths, size_t limit)
{
    size_t total = (table->n_columns - 1) * GAP;
    for (size_t i = 0; i < table->n_columns; i++)
        total += widths[i];
    while (limit > 0 && total > limit) {
        size_t *widest = NULL;
        for (size_t i = 0; i < table->n_columns; i++)
            if (table->aligns[i] == FLEXIBLE && widths[i] > LEAST_FLEXIBLE && (!widest || widths[i] > *widest))
                widest = &widths[i];
        if (!widest)
            return;
        (*widest)--;
        total--;
    }
}

static weir_status print_cell(const struct table *table, size_t column, const char *text, size_t width)
{
    char *cut;
    bool last = column + 1 == table->n_columns;
    TRY(weir_alloc(&cut, strlen(text) + 8, 1));
    text_cut(cut, strlen(text) + 8, text, table->aligns[column] == FLEXIBLE ? width : MOST_COLUMNS);
    if (table->aligns[column] == RIGHT)
        print_right(cut, width);
    else
        print_left(cut, last ? 0 : width);
    fputs(last ? "\n" : "  ", stdout);
    weir_free(cut);
    return WEIR_OK;
}

weir_status table_print(struct table *table)
{
    size_t *widths, n = table->n_columns;
    TRY(weir_alloc_zero(&widths, n, sizeof *widths));
    measure(table, widths);
    fit(table, widths, terminal_width());
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < n && status == WEIR_OK; i++)
        status = print_cell(table, i, table->names[i], widths[i]);
    for (size_t i = 0; i < table->n_cells && status == WEIR_OK; i++)
        status = print_cell(table, column_of(table, i), table->cells[i], widths[column_of(table, i)]);
    weir_free(widths);
    return status;
}

void table_close(struct table *table)
{
    for (size_t i = 0; i < table->n_cells; i++)
        weir_free(table->cells[i]);
    weir_free(table->cells);
    table->cells = NULL;
    table->n_cells = table->capacity = 0;
}

/* ---- heatmap ---- */

enum { LABEL = 16, TICK = 5, WIDE_UP_TO = 40 };

static const char ramp[] = " .:-=+*#%@";

/* Where the map goes on the terminal. */
struct plan {
    size_t margin, label; /* columns of the row number and of the label */
    size_t cell;          /* columns a cell */
    size_t bin, n_cells;  /* values a cell, cells a row */
    enum colours colours;
};

static void plan_heatmap(struct plan *plan, const struct heatmap *map)
{
    char number[16];
    size_t width = terminal_width();
    plan->label = 0;
    plan->margin = 0;
    for (size_t i = 0; i < map->n_rows; i++) {
        size_t label = text_columns(map->labels[i]) + 2,
               digits = (size_t)snprintf(number, sizeof number, "%d", map->rows[i]);
        plan->label = label > plan->label ? label : plan->label;
        plan->margin = digits > plan->margin ? digits : plan->margin;
    }
    plan->label = plan->label > LABEL ? LABEL : plan->label;
    size_t left = plan->margin + plan->label + 3;
    size_t room = width > left + 10 ? width - left : 10;
    size_t limit = width ? room / 2 : WIDE_UP_TO;
    plan->cell = map->n_columns <= limit ? 2 : 1;
    plan->bin = width && map->n_columns > room ? (map->n_columns + room - 1) / room : 1;
    plan->n_cells = (map->n_columns + plan->bin - 1) / plan->bin;
    plan->colours = terminal_colours();
}

/* Small weights must be told from none: the scale is the square root. */
static double shade(float value)
{
    if (!(value > 0))
        return 0;
    return value < 1 ? sqrt((double)value) : 1;
}

/* Black, violet, orange, pale yellow. */
static void print_rgb(double part)
{
    static const double stops[4][3] = {{10, 8, 20}, {110, 30, 120}, {240, 110, 50}, {255, 245, 180}};
    int i = part < 1 ? (int)(part * 3) : 2, rgb[3];
    double between = part * 3 - i;
    for (int c = 0; c < 3; c++)
        rgb[c] = (int)(stops[i][c] + (stops[i + 1][c] - stops[i][c]) * between + 0.5);
    printf("\033[48;2;%d;%d;%dm", rgb[0], rgb[1], rgb[2]);
}

static void print_shade(const struct plan *plan, double part, size_t columns)
{
    if (plan->colours == COLOURS_24BIT)
        print_rgb(part);
    else if (plan->colours == COLOURS_256)
        printf("\033[48;5;%dm", 232 + (int)(part * 23 + 0.5));
    char c = plan->colours == COLOURS_NONE ? ramp[(int)(part * (sizeof ramp - 2) + 0.5)] : ' ';
    for (size_t i = 0; i < columns; i++)
        putchar(c);
}

/* The numbers of every so many columns, above their first cell. */
static void print_ticks(const struct plan *plan)
{
    char number[24];
    size_t last = (plan->n_cells - 1) * plan->bin, at = 0;
    size_t digits = (size_t)snprintf(number, sizeof number, "%zu", last);
    size_t step = TICK;
    while (step * plan->cell < digits + 1)
        step += TICK;
    print_spaces(plan->margin + plan->label + 3);
    for (size_t i = 0; i < plan->n_cells; i += step) {
        print_spaces(i * plan->cell - at);
        at = i * plan->cell + (size_t)printf("%zu", i * plan->bin);
    }
    putchar('\n');
}

static void print_legend(const struct plan *plan)
{
    print_spaces(plan->margin + plan->label + 3);
    printf("0 ");
    for (int i = 0; i < 10; i++)
        print_shade(plan, i / 9.0, 1);
    printf("%s 1, square-root scale\n", plan->colours ? "\033[0m" : "");
    if (plan->bin > 1)
        printf("%*seach cell: the largest of %zu keys\n", (int)(plan->margin + plan->label + 3), "", plan->bin);
}

static void print_row(const struct plan *plan, const struct heatmap *map, size_t row)
{
    char label[4 * LABEL + 8];
    const float *values = map->values + row * map->n_columns;
    token_label(label, sizeof label, map->labels[row], plan->label);
    printf("%*d ", (int)plan->margin, map->rows[row]);
    print_left(label, plan->label);
    fputs(plan->colours ? "  " : " [", stdout);
    for (size_t i = 0; i < plan->n_cells; i++) {
        float most = 0;
        for (size_t j = i * plan->bin; j < (i + 1) * plan->bin && j < map->n_columns; j++)
            most = values[j] > most ? values[j] : most;
        print_shade(plan, shade(most), plan->cell);
    }
    fputs(plan->colours ? "\033[0m\n" : "]\n", stdout);
}

weir_status heatmap_print(const struct heatmap *map)
{
    struct plan plan;
    plan_heatmap(&plan, map);
    print_ticks(&plan);
    for (size_t i = 0; i < map->n_rows; i++)
        print_row(&plan, map, i);
    print_legend(&plan);
    return WEIR_OK;
}

/* ---- JSON ---- */

/* The shortest text that reads back as the same number; `digits` are always enough. */
static const char *number_text(char to[32], double value, bool is_float)
{
    if (isnan(value))
        return "null";
    if (isinf(value))
        return value < 0 ? "-1e999" : "1e999";
    for (int digits = is_float ? 6 : 15; digits <= (is_float ? 9 : 17); digits++) {
        snprintf(to, 32, "%.*g", digits, value);
        if (is_float ? strtof(to, NULL) == (float)value : strtod(to, NULL) == value)
            break;
    }
    return to;
}

cJSON *json_number(double value)
{
    char text[32];
    return cJSON_CreateRaw(number_text(text, value, false));
}

cJSON *json_float(float value)
{
    char text[32];
    return cJSON_CreateRaw(number_text(text, (double)value, true));
}

void json_print_float(FILE *to, float value)
{
    char text[32];
    fputs(number_text(text, (double)value, true), to);
}

weir_status json_print(cJSON *value)
{
    char *text = value ? cJSON_PrintUnformatted(value) : NULL;
    cJSON_Delete(value);
    if (!text)
        return weir_fail(WEIR_E_MEMORY, "out of memory: the answer does not fit");
    puts(text);
    cJSON_free(text);
    return WEIR_OK;
}
