/* Draws the details of the chosen row, beside those of the locked one. */
#include "cli/print/text.h"
#include "cli/tui/app.h"

#include "analysis/analysis.h"
#include "base/alloc.h"
#include "base/text.h"

#include <math.h>
#include <stdarg.h>

/* The chosen row, the locked one beside it, and the pane that has to hold them. */
struct details {
    const struct tui_value *value, *locked_value;
    const float *row, *locked; /* [n_columns]; locked NULL: none, or of other columns */
    size_t at, locked_at;      /* which rows */
    struct tui_box box;
    int line; /* of the box, the next to be written */
};

enum { MOST_LISTED = 64 };

static int lines_left(const struct details *details)
{
    return details->box.height - details->line;
}

__attribute__((format(printf, 3, 4))) static void print_detail(struct details *details, int look, const char *format,
                                                               ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (lines_left(details) > 0)
        screen_text(details->box.y + details->line++, details->box.x, details->box.width, look, text);
}

static bool columns_are_tokens(const struct tui_value *value)
{
    return value->column_axis >= 0 && weir_axis_is_position(value->point->point->axes[value->column_axis]);
}

/* The rank of a column: a weight as it is, a score by its height over the lowest, others by magnitude. */
static float column_rank(const struct tui_value *value, float number, float least)
{
    if (!isfinite(number))
        return 0;
    if (tui_is_pattern(value))
        return number;
    return columns_are_tokens(value) ? number - least + 1 : fabsf(number);
}

static float least_of(const float *row, size_t n)
{
    struct tui_summary summary;
    tui_summarize(&summary, row, n);
    return summary.n_finite ? (float)summary.least : 0;
}

/* The columns that stand out most in the row or in the locked one. */
static weir_status strongest_columns(size_t *n, size_t columns[MOST_LISTED], const struct details *details, size_t most)
{
    size_t n_columns = details->value->n_columns;
    float *ranks; /* [n_columns] */
    TRY(weir_alloc(&ranks, n_columns, sizeof *ranks));
    float least = least_of(details->row, n_columns), locked_least = 0;
    if (details->locked)
        locked_least = least_of(details->locked, n_columns);
    for (size_t i = 0; i < n_columns; i++) {
        ranks[i] = column_rank(details->value, details->row[i], least);
        float other = details->locked ? column_rank(details->value, details->locked[i], locked_least) : 0;
        ranks[i] = other > ranks[i] ? other : ranks[i];
    }
    *n = weir_top_k(columns, most < MOST_LISTED ? most : MOST_LISTED, ranks, n_columns);
    weir_free(ranks);
    return WEIR_OK;
}

/* "+0.7370": how much more it is here than in the locked row. */
static const char *difference_text(char to[34], const struct tui_value *value, float here, float there)
{
    char number[32];
    double difference = (double)here - (double)there;
    if (!isfinite(difference))
        snprintf(to, 34, "-");
    else if (tui_is_pattern(value))
        snprintf(to, 34, "%+.4f", difference);
    else
        snprintf(to, 34, "%s%s", difference < 0 ? "-" : "+", short_number(number, fabs(difference)));
    return to;
}

/* "  5 | mat|   0.8410   0.1040  +0.7370", as much of it as there is room for */
static void print_detail_column(struct details *details, size_t column)
{
    enum { INDEX = 6, SHORT_TOKEN = 7, TOKEN = 13, WEIGHT = 9, NUMBER = 12 };
    const struct tui_value *value = details->value;
    char label[200], token[160] = "", number[34];
    int x = details->box.x, y = details->box.y + details->line++, end = x + details->box.width;
    int cell = tui_is_pattern(value) ? WEIGHT : NUMBER, n_cells = details->locked ? 3 : 1;
    int room = details->box.width - INDEX - n_cells * cell < TOKEN ? SHORT_TOKEN : TOKEN;
    if (columns_are_tokens(value))
        tui_token(token, value, (int32_t)column, (size_t)room);
    else
        room = 0;
    snprintf(label, sizeof label, "%5zu %s", column, token);
    screen_text(y, x, INDEX + room, LOOK_PLAIN, label);
    x += INDEX + room;
    screen_print(y, x, cell, LOOK_STRONG, "%*s", cell, tui_number(number, value, details->row[column]));
    if (!details->locked || x + 2 * cell > end)
        return;
    screen_print(y, x + cell, cell, LOOK_PLAIN, "%*s", cell, tui_number(number, value, details->locked[column]));
    if (x + 3 * cell <= end)
        screen_print(y, x + 2 * cell, cell, LOOK_FAINT, "%*s", cell,
                     difference_text(number, value, details->row[column], details->locked[column]));
}

/* As many columns as there are lines for, the strongest first. */
static void list_strongest(struct details *details)
{
    size_t columns[MOST_LISTED], n;
    const char *axis = tui_axis(details->value, details->value->column_axis);
    if (details->value->column_axis < 0)
        return;
    print_detail(details, LOOK_FAINT, "%s%s%s", columns_are_tokens(details->value) ? "strongest keys" : "largest of ",
                 columns_are_tokens(details->value) ? "" : axis, details->locked ? ": here, locked, difference" : "");
    if (lines_left(details) <= 0)
        return;
    if (strongest_columns(&n, columns, details, (size_t)lines_left(details)) != WEIR_OK) {
        print_detail(details, LOOK_PLAIN, "%s", weir_message());
        return;
    }
    for (size_t i = 0; i < n && lines_left(details) > 0; i++)
        print_detail_column(details, columns[i]);
}

/* "layer 3 head 0 query 5 | mat|" */
static void print_row_name(struct details *details, const struct tui_value *value, size_t row, const char *before,
                           int look)
{
    char token[160], layer[32] = "", unit[48] = "", prompt[32] = "";
    int32_t position = value->prompt.positions[row];
    if (value->layer >= 0 && *before)
        snprintf(layer, sizeof layer, "layer %d ", value->layer);
    if (value->outer_axis >= 0 && *before)
        snprintf(unit, sizeof unit, "%s %d ", tui_axis(value, value->outer_axis), value->place.unit);
    if (value->place.prompt != details->value->place.prompt)
        snprintf(prompt, sizeof prompt, "prompt %d ", value->place.prompt);
    print_detail(details, look, "%s%s%s%s%s %d %s", before, prompt, layer, unit, tui_axis(value, value->row_axis),
                 position, tui_token(token, value, position, 20));
}

/* Norm, mean and range, of values that are no weights. */
static void print_row_summary(struct details *details)
{
    struct tui_summary summary;
    char norm[32], mean[32], least[32], most[32];
    size_t n = details->value->n_columns;
    if (columns_are_tokens(details->value) || details->value->column_axis < 0)
        return;
    tui_summarize(&summary, details->row, n);
    print_detail(details, LOOK_PLAIN, "norm %s  mean %s", short_number(norm, summary.norm),
                 short_number(mean, summary.mean));
    print_detail(details, LOOK_PLAIN, "from %s to %s", short_number(least, summary.least),
                 short_number(most, summary.most));
    if (summary.n_finite < n)
        print_detail(details, LOOK_PLAIN, "%zu of %zu are finite", summary.n_finite, n);
}

/* Reads the locked row, and puts it beside the chosen one when they have the same columns. */
static void add_locked_row(struct tui_app *app, struct details *details, struct tui_value *value)
{
    const struct tui_state *state = &app->state;
    if (!state->is_locked)
        return;
    weir_status status = tui_value_at(value, app->file, state, &state->locked);
    if (status == WEIR_OK)
        status = tui_band_read(&app->locked, value, state->locked.row, 1, state->drop_first && tui_is_pattern(value));
    if (status != WEIR_OK) {
        print_detail(details, LOOK_PLAIN, "locked: %s", weir_message());
        return;
    }
    details->locked_value = value;
    details->locked_at = state->locked.row;
    if (tui_is_comparable(state))
        details->locked = app->locked.values;
}

/* The locked row by itself, below the chosen one. */
static void list_locked_strongest(const struct tui_app *app, struct details *details)
{
    struct details other = *details;
    other.value = details->locked_value;
    other.row = app->locked.values;
    other.at = details->locked_at;
    list_strongest(&other);
}

/* "then | mat| 0.43, | on| 0.12": the likeliest next tokens after the row's position, where the file has them. */
static void print_row_next(struct tui_app *app, struct details *details)
{
    enum { LIKELIEST = 3 };
    const struct tui_value *value = details->value;
    char text[600] = "then", label[160];
    if (weir_file_get_info(app->file)->n_next == 0)
        return;
    if (!app->next.ids || app->next.prompt != value->place.prompt) {
        stored_next_close(&app->next);
        if (stored_next_read(&app->next, app->file, value->place.prompt) != WEIR_OK) {
            stored_next_close(&app->next);
            print_detail(details, LOOK_PLAIN, "%s", weir_message());
            return;
        }
    }
    for (size_t i = 0; i < LIKELIEST && i < app->next.n_next; i++) {
        size_t at = details->at * app->next.n_next + i;
        const char *word = weir_file_next_text(app->file, app->next.ids[at]);
        snprintf(label, sizeof label, "#%d", app->next.ids[at]);
        if (*word)
            token_label(label, sizeof label, word, 12);
        weir_text_append(text, sizeof text, "%s %s %.2f", i ? "," : "", label, exp((double)app->next.logprobs[at]));
    }
    print_detail(details, LOOK_PLAIN, "%s", text);
}

void tui_draw_row(struct tui_app *app, struct tui_box box)
{
    struct tui_value locked_value;
    struct details details = {.value = &app->value, .at = app->state.at.row, .box = box};
    if (*app->problem || !app->band.is_read)
        return;
    details.row = tui_band_row(&app->band, details.at);
    print_row_name(&details, details.value, details.at, "", LOOK_STRONG);
    print_row_next(app, &details);
    add_locked_row(app, &details, &locked_value);
    if (details.locked_value)
        print_row_name(&details, details.locked_value, details.locked_at, "locked: ", LOOK_PLAIN);
    print_row_summary(&details);
    if (!details.locked_value || details.locked) {
        list_strongest(&details);
        return;
    }
    struct tui_box all = details.box;
    details.box.height = details.line + (all.height - details.line) / 2;
    list_strongest(&details);
    details.box.height = all.height;
    print_detail(&details, LOOK_PLAIN, "locked, %s:", details.locked_value->point->point->name);
    list_locked_strongest(app, &details);
}
