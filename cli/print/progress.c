/* Draws a progress bar on standard error, ten times a second at most. */
#include "cli/print/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const double PATIENCE = 0.5, REDRAW = 0.1; /* seconds */

enum { BAR = 24 };

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void progress_begin(struct progress *progress, const char *what, uint64_t total)
{
    *progress =
        (struct progress){.what = what, .total = total ? total : 1, .unit = 1, .possible = isatty(STDERR_FILENO)};
    progress->began = seconds_now();
}

void progress_begin_bytes(struct progress *progress, uint64_t total)
{
    progress_begin(progress, "MB", total);
    progress->unit = 1e6;
}

/* "1:23:45", "4:05". */
static void clock_text(char *to, size_t size, double seconds)
{
    unsigned long s = seconds < 1e7 ? (unsigned long)(seconds + 0.5) : 9999999;
    if (s >= 3600)
        snprintf(to, size, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(to, size, "%lu:%02lu", s / 60, s % 60);
}

static int stderr_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* "[####....]  48%  12.3 layers/s  0:21 left" */
static void draw_progress(const struct progress *progress, uint64_t done, double elapsed)
{
    char line[160], bar[BAR + 1], left[32];
    double part = (double)done / (double)progress->total;
    int filled = (int)(part * BAR);
    memset(bar, '#', BAR);
    memset(bar + filled, '.', (size_t)(BAR - filled));
    bar[BAR] = '\0';
    clock_text(left, sizeof left, done ? elapsed * (1 - part) / part : 0);
    snprintf(line, sizeof line, "[%s] %3.0f%%  %.1f %s/s  %s left", bar, part * 100,
             (double)done / progress->unit / elapsed, progress->what, done ? left : "?");
    fprintf(stderr, "\r%.*s\033[K", stderr_columns() - 1, line);
    fflush(stderr);
}

void progress_step(struct progress *progress, uint64_t done)
{
    if (!progress->possible)
        return;
    double time = seconds_now(), elapsed = time - progress->began;
    if (elapsed < PATIENCE || time - progress->drawn < REDRAW)
        return;
    progress->drawn = time;
    progress->shown = true;
    draw_progress(progress, done < progress->total ? done : progress->total, elapsed);
}

double progress_end(struct progress *progress)
{
    if (progress->shown)
        fprintf(stderr, "\r\033[K");
    return seconds_now() - progress->began;
}
