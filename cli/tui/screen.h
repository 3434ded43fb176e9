/* The terminal as weir tui uses it: taken over and given back whatever happens, text and shades put where they go. */
#ifndef WEIR_CLI_TUI_SCREEN_H
#define WEIR_CLI_TUI_SCREEN_H

#include "base/status.h"

/* A part of the screen, in lines and columns. */
struct tui_box {
    int y, x, height, width;
};

/* Looks of text, which can be combined. They work without colours. */
enum tui_look { LOOK_PLAIN = 0, LOOK_STRONG = 1, LOOK_FAINT = 2, LOOK_CHOSEN = 4 };

/* The look of one value. */
enum tui_kind { SHADE_NOTHING /* not stored, or masked */, SHADE_NAN, SHADE_PART };

struct tui_shade {
    enum tui_kind kind;
    double part; /* -1 to 1 */
};

/* ---- screen.c ---- */

/* WEIR_E_USAGE when standard input or output is no terminal, or one that cannot be drawn on. */
weir_status screen_check(void);
/* Takes the terminal over, after that. */
weir_status screen_open(void);
/* Gives it back as it was. Nothing where it is not taken. */
void screen_close(void);
/* The next key, or 0 after a signal or a resize; *is_text: it is a character, not one of curses' codes. WEIR_E_STOPPED
   when a signal or the end of input asks to quit: screen_signal is the signal. */
weir_status screen_key(int *key, bool *is_text);
int screen_signal(void);

/* ---- paint.c ---- */

/* Finds out which colours there are; once the terminal is taken over. */
void paint_begin(void);
struct tui_box screen_box(void); /* all of it */
void screen_clear(void);
void screen_show(void);
bool screen_has_colours(void);
/* UTF-8 text, made safe, shortened or padded to `columns`. */
void screen_text(int y, int x, int columns, int look, const char *text);
__attribute__((format(printf, 5, 6))) void screen_print(int y, int x, int columns, int look, const char *format, ...);
/* A cell of `columns` for one value or, as a half block, for two. */
void screen_shade(int y, int x, int columns, struct tui_shade shade);
void screen_two_shades(int y, int x, struct tui_shade upper, struct tui_shade lower);
/* A bar of eighths of a column, `part` of `columns` long. */
void screen_bar(int y, int x, int columns, double part);
void screen_line_down(int y, int x, int height);

#endif
