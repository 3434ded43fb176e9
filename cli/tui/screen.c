/* Takes the terminal over, waits for keys and gives it back. */
#include "cli/tui/screen.h"

#include "cli/print/terminal.h"
#include "cli/process/guard.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <curses.h>
#include <term.h>

static struct {
    SCREEN *curses; /* NULL: not taken */
    struct termios before;
    char farewell[256]; /* the bytes that give the screen back, for when the process dies */
    size_t n_farewell;
    sigset_t waiting; /* signals blocked while waiting for a key: none of ours */
} screen;

static volatile sig_atomic_t stopped_by, resized;

/* ---- signals ---- */

static void note_stop(int number)
{
    stopped_by = number;
}

static void note_resize(int number)
{
    (void)number;
    resized = 1;
}

/* The process is about to die, of a damaged file in the HDF5 library for one: only calls that are safe here. */
static void give_back_on_death(void)
{
    ssize_t written = write(STDOUT_FILENO, screen.farewell, screen.n_farewell);
    (void)written;
    tcsetattr(STDIN_FILENO, TCSANOW, &screen.before);
}

/* Ours are held back except while waiting for a key, so that none is missed. */
static void catch_signals(void)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGUSR1, SIGUSR2};
    struct sigaction action = {.sa_handler = note_stop};
    sigset_t held;
    sigemptyset(&held);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        sigaction(stops[i], &action, NULL);
        sigaddset(&held, stops[i]);
    }
    action.sa_handler = note_resize;
    sigaction(SIGWINCH, &action, NULL);
    sigaddset(&held, SIGWINCH);
    sigprocmask(SIG_BLOCK, &held, &screen.waiting);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        sigdelset(&screen.waiting, stops[i]);
    sigdelset(&screen.waiting, SIGWINCH);
}

int screen_signal(void)
{
    return stopped_by;
}

/* ---- taking over and giving back ---- */

static const char *terminal_capability(const char *name)
{
    const char *text = tigetstr(name);
    return text && text != (const char *)-1 ? text : "";
}

/* Default colours, plain text, a visible cursor, the screen as it was before. */
static void prepare_farewell(void)
{
    static const char *const names[] = {"op", "oc", "sgr0", "cnorm", "rmkx", "rmcup"};
    screen.n_farewell = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = terminal_capability(names[i]);
        size_t n = strcspn(text, "$"); /* up to any padding */
        if (screen.n_farewell + n <= sizeof screen.farewell)
            memcpy(screen.farewell + screen.n_farewell, text, n);
        screen.n_farewell += screen.n_farewell + n <= sizeof screen.farewell ? n : 0;
    }
}

/* Text is UTF-8 whatever the locale is, as in the output of the other commands. */
static void choose_locale(void)
{
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

weir_status screen_check(void)
{
    int found;
    const char *term = getenv("TERM");
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return weir_fail(WEIR_E_USAGE, "weir tui needs a terminal for its input and output; weir ls, weir attn and "
                                       "weir show can write to files and pipes");
    if (!term || setupterm(NULL, STDOUT_FILENO, &found) != OK || !*terminal_capability("cup"))
        return weir_fail(
            WEIR_E_USAGE,
            "weir tui cannot draw on a terminal of type %s%s; weir ls, weir attn and weir show print lines",
            term ? "TERM=" : "", term ? term : "that TERM does not name");
    return WEIR_OK;
}

/* The type beside the terminal's own that has 256 colours, which the other commands print too; NULL: its own will do.
   Ends what screen_check began. */
static const char *type_with_colours(char to[96])
{
    int found;
    bool will_do = terminal_colours() == COLOURS_NONE || tigetnum("colors") >= 256;
    del_curterm(cur_term);
    snprintf(to, 96, "%s-256color", getenv("TERM"));
    if (will_do || setupterm(to, STDOUT_FILENO, &found) != OK)
        return NULL;
    del_curterm(cur_term);
    return to;
}

weir_status screen_open(void)
{
    char type[96];
    choose_locale();
    tcgetattr(STDIN_FILENO, &screen.before);
    use_env(FALSE); /* the size that the terminal has, not the value of COLUMNS */
    use_tioctl(TRUE);
    set_escdelay(25);
    catch_signals();
    screen.curses = newterm(type_with_colours(type), stdout, stdin);
    if (!screen.curses)
        return weir_fail(WEIR_E_USAGE, "the terminal could not be set up; weir attn and weir show print lines");
    prepare_farewell();
    guard_on_death(give_back_on_death);
    cbreak();
    noecho();
    nonl();
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    leaveok(stdscr, TRUE);
    curs_set(0);
    paint_begin();
    return WEIR_OK;
}

void screen_close(void)
{
    if (!screen.curses)
        return;
    endwin();
    guard_on_death(NULL);
    delscreen(screen.curses);
    screen.curses = NULL;
}

/* ---- keys ---- */

static void take_new_size(void)
{
    struct winsize size;
    resized = 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
        resizeterm(size.ws_row, size.ws_col);
    clearok(curscr, TRUE);
}

weir_status screen_key(int *key, bool *is_text)
{
    struct pollfd input = {STDIN_FILENO, POLLIN, 0};
    wint_t read;
    int kind = get_wch(&read);
    *key = 0;
    *is_text = false;
    guard_renew_time();
    if (kind == ERR) { /* nothing typed ahead */
        int ready = ppoll(&input, 1, NULL, &screen.waiting);
        if (stopped_by)
            return weir_fail(WEIR_E_STOPPED, "interrupted");
        if (resized)
            take_new_size();
        /* hung up it is readable too, for ever, and a signal that came with it would never be let through */
        if (ready > 0 && input.revents & (POLLHUP | POLLERR | POLLNVAL))
            return weir_fail(WEIR_E_STOPPED, "the terminal disappeared");
        if (ready <= 0 || (kind = get_wch(&read)) == ERR)
            return WEIR_OK;
    }
    *is_text = kind == OK;
    *key = (int)read;
    return WEIR_OK;
}
