/* Puts text and shades on the screen in the terminal's colours. */
#include "cli/print/colour.h"
#include "cli/print/text.h"
#include "cli/tui/screen.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <wchar.h>

#include <curses.h>

/* Shades from -LEVELS to LEVELS, and one for NaN. */
enum { LEVELS = 63, N_SHADES = 2 * LEVELS + 2, NAN_SHADE = N_SHADES - 1, FIRST_COLOUR = 256 - N_SHADES };

static const struct rgb nan_colour = {90, 90, 100};

static struct {
    bool colours;
    int numbers[N_SHADES]; /* curses' colour of each shade */
} paint;

/* ---- colours ---- */

static struct rgb colour_of_shade(int shade)
{
    return shade == NAN_SHADE ? nan_colour : colour_of_signed((double)(shade - LEVELS) / LEVELS);
}

/* curses counts a channel to 1000, and rounds down on the way back */
static short channel_thousandths(uint8_t channel)
{
    return (short)((channel * 1000 + 254) / 255);
}

/* Exactly these colours where the terminal takes any or lets its palette be set, else the nearest of the 256. */
static void choose_colours(void)
{
    bool exact = terminal_colours() == COLOURS_24BIT && can_change_color(), direct = tigetflag("RGB") > 0;
    for (int i = 0; i < N_SHADES; i++) {
        struct rgb rgb = colour_of_shade(i);
        if (direct) {
            paint.numbers[i] = rgb.r << 16 | rgb.g << 8 | rgb.b;
        } else if (exact) {
            paint.numbers[i] = FIRST_COLOUR + i;
            init_color((short)paint.numbers[i], channel_thousandths(rgb.r), channel_thousandths(rgb.g),
                       channel_thousandths(rgb.b));
        } else {
            paint.numbers[i] = colour_nearest_256(rgb);
        }
    }
}

void paint_begin(void)
{
    if (terminal_colours() == COLOURS_NONE || start_color() != OK || COLORS < 256)
        return;
    use_default_colors();
    paint.colours = true;
    choose_colours();
}

/* ---- text ---- */

struct tui_box screen_box(void)
{
    return (struct tui_box){0, 0, LINES, COLS};
}

void screen_clear(void)
{
    erase();
}

void screen_show(void)
{
    refresh();
}

bool screen_has_colours(void)
{
    return paint.colours;
}

static attr_t look_attributes(int look)
{
    return (look & LOOK_STRONG ? A_BOLD : 0) | (look & LOOK_FAINT ? A_DIM : 0) | (look & LOOK_CHOSEN ? A_REVERSE : 0);
}

static void put_cell(int y, int x, const wchar_t *text, attr_t attrs, int pair)
{
    cchar_t cell;
    if (setcchar(&cell, text, attrs, 0, &pair) == OK)
        mvadd_wch(y, x, &cell);
}

static void put_character(int y, int x, wchar_t c, attr_t attrs, int pair)
{
    put_cell(y, x, (wchar_t[]){c, L'\0'}, attrs, pair);
}

/* Characters that a terminal would not draw, or that would turn the line around, show as a question mark. */
static bool is_harmful(uint32_t code)
{
    return code == 0x061c || code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x206f) || code == 0xfeff || wcwidth((wchar_t)code) < 0;
}

/* Adds the combining marks at the text to the cell's character, as many as curses keeps; the text moves past all. */
static void add_combining_marks(wchar_t cell[CCHARW_MAX + 1], const char **text)
{
    size_t n = wcslen(cell);
    const char *next = *text;
    for (; *next; *text = next) {
        uint32_t code = text_next(&next);
        if (code_columns(code) > 0 || is_harmful(code))
            return;
        if (n < CCHARW_MAX)
            cell[n++] = (wchar_t)code;
    }
}

/* The next character with the marks after it. @return columns that it takes; the text moves on. */
static int next_text_cell(wchar_t cell[CCHARW_MAX + 1], const char **text)
{
    const char *begin = *text;
    uint32_t code = text_next(text);
    bool is_mark = code_columns(code) == 0 && !is_harmful(code);
    memset(cell, 0, (CCHARW_MAX + 1) * sizeof *cell);
    cell[0] = is_harmful(code) ? L'?' : is_mark ? L' ' : (wchar_t)code; /* a mark without a character: on a space */
    if (is_mark)
        *text = begin;
    add_combining_marks(cell, text);
    int columns = (int)code_columns((uint32_t)cell[0]), curses = wcwidth(cell[0]);
    return curses > columns ? curses : columns;
}

void screen_text(int y, int x, int columns, int look, const char *text)
{
    wchar_t cell[CCHARW_MAX + 1];
    attr_t attrs = look_attributes(look);
    int used = 0;
    bool is_cut = text_columns(text) > (size_t)(columns > 0 ? columns : 0);
    for (int i = 0; i < columns; i++)
        put_character(y, x + i, L' ', attrs, 0);
    while (*text) {
        int more = next_text_cell(cell, &text);
        if (used + more > columns - is_cut)
            break;
        put_cell(y, x + used, cell, attrs, 0);
        used += more;
    }
    if (is_cut && used < columns)
        put_character(y, x + used, L'…', attrs, 0);
}

void screen_print(int y, int x, int columns, int look, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    screen_text(y, x, columns, look, text);
}

/* ---- shades ---- */

/* curses' number of a shade's colour; -1, the terminal's own, for nothing. */
static int shade_number(struct tui_shade shade)
{
    if (shade.kind == SHADE_NOTHING)
        return -1;
    if (shade.kind == SHADE_NAN)
        return paint.numbers[NAN_SHADE];
    return paint.numbers[LEVELS + (int)lround(shade.part * LEVELS)];
}

static int colour_pair(int foreground, int background)
{
    int pair = alloc_pair(foreground, background);
    return pair > 0 ? pair : 0;
}

/* The letter of a shade where there are no colours. */
static wchar_t shade_letter(struct tui_shade shade)
{
    if (shade.kind != SHADE_PART)
        return shade.kind == SHADE_NAN ? L'?' : L' ';
    return (wchar_t)colour_as_text(fabs(shade.part));
}

void screen_shade(int y, int x, int columns, struct tui_shade shade)
{
    int pair = paint.colours ? colour_pair(-1, shade_number(shade)) : 0;
    for (int i = 0; i < columns; i++)
        put_character(y, x + i, paint.colours ? L' ' : shade_letter(shade), 0, pair);
}

void screen_two_shades(int y, int x, struct tui_shade upper, struct tui_shade lower)
{
    int top = paint.colours ? shade_number(upper) : -1, bottom = paint.colours ? shade_number(lower) : -1;
    if (!paint.colours) { /* the darker one is left out */
        bool is_upper = lower.kind == SHADE_NOTHING || fabs(upper.part) >= fabs(lower.part);
        put_character(y, x, shade_letter(is_upper ? upper : lower), 0, 0);
    } else if (top < 0) { /* a half of nothing is the terminal's own ground */
        put_character(y, x, bottom < 0 ? L' ' : L'▄', 0, bottom < 0 ? 0 : colour_pair(bottom, -1));
    } else {
        put_character(y, x, L'▀', 0, colour_pair(top, bottom));
    }
}

void screen_bar(int y, int x, int columns, double part)
{
    static const wchar_t eighths[] = L" ▏▎▍▌▋▊▉█";
    int full = part > 0 ? (int)lround((part < 1 ? part : 1) * columns * 8) : 0;
    for (int i = 0; i < columns; i++) {
        int left = full - 8 * i;
        put_character(y, x + i, eighths[left < 0 ? 0 : left > 8 ? 8 : left], 0, 0);
    }
}

void screen_line_down(int y, int x, int height)
{
    for (int i = 0; i < height; i++)
        put_character(y + i, x, L'│', A_DIM, 0);
}
