/* Colours of weights, on terminals and in pictures. */
#include "cli/print/colour.h"

#include <math.h>
#include <stdio.h>

const char *const scale_names[] = {[SCALE_SQRT] = "square-root", [SCALE_LINEAR] = "linear", [SCALE_LOG] = "log"};

double scale_part(enum scale scale, double value, double most)
{
    double part = value / most;
    if (isnan(value))
        return value;
    if (!(part > 0))
        return 0;
    if (part >= 1)
        return 1;
    if (scale == SCALE_LOG)
        return part > SCALE_LOG_LEAST ? 1 - log(part) / log(SCALE_LOG_LEAST) : 0;
    return scale == SCALE_SQRT ? sqrt(part) : part;
}

/* part of the way through four colours */
static struct rgb between_stops(const double stops[4][3], double part)
{
    double at = part > 0 ? part * 3 : 0;
    int i = at < 2 ? (int)at : 2;
    double between = at < 3 ? at - i : 1;
    uint8_t rgb[3];
    for (int c = 0; c < 3; c++)
        rgb[c] = (uint8_t)(stops[i][c] + (stops[i + 1][c] - stops[i][c]) * between + 0.5);
    return (struct rgb){rgb[0], rgb[1], rgb[2]};
}

const struct scheme scheme_light = {
    .page = {255, 255, 255},
    .ink = {20, 20, 24},
    .faint = {95, 95, 105},
    .line = {170, 170, 178},
    .stops = {{248, 235, 209}, {246, 180, 100}, {205, 66, 96}, {62, 16, 92}},
    .above = {{236, 230, 220}, {244, 165, 130}, {214, 80, 60}, {103, 0, 31}},
    .below = {{236, 230, 220}, {146, 197, 222}, {67, 130, 190}, {5, 48, 97}},
};
const struct scheme scheme_dark = {
    .page = {22, 22, 26},
    .ink = {236, 236, 240},
    .faint = {165, 165, 176},
    .line = {100, 100, 112},
    .stops = {{42, 32, 74}, {118, 34, 124}, {240, 110, 50}, {255, 245, 180}},
    .above = {{42, 32, 74}, {118, 34, 124}, {240, 110, 50}, {255, 245, 180}},
    .below = {{42, 32, 74}, {25, 60, 140}, {40, 150, 200}, {190, 245, 240}},
};

struct rgb scheme_colour(const struct scheme *scheme, double part)
{
    return between_stops(scheme->stops, part);
}

struct rgb scheme_colour_signed(const struct scheme *scheme, double part)
{
    return part < 0 ? between_stops(scheme->below, -part) : between_stops(scheme->above, part);
}

struct rgb colour_of(double part)
{
    return scheme_colour(&scheme_dark, part);
}

char colour_as_text(double part)
{
    static const char ramp[] = ".,:-=+*#%@";
    return ramp[(int)(part * (sizeof ramp - 2) + 0.5)];
}

struct rgb colour_of_signed(double part)
{
    return scheme_colour_signed(&scheme_dark, part);
}

/* A cube of 6 levels a channel from 16 on, a ramp of 24 greys from 232 on. */
int colour_nearest_256(struct rgb rgb)
{
    static const int levels[6] = {0, 95, 135, 175, 215, 255};
    const int given[3] = {rgb.r, rgb.g, rgb.b};
    int cube = 16, cube_distance = 0, grey_distance = 0;
    int grey = ((rgb.r + rgb.g + rgb.b) / 3 - 3) / 10;
    grey = grey < 0 ? 0 : grey > 23 ? 23 : grey;
    for (int c = 0; c < 3; c++) {
        int level = given[c] < 48 ? 0 : given[c] < 115 ? 1 : (given[c] - 35) / 40;
        cube += level * (c == 0 ? 36 : c == 1 ? 6 : 1);
        cube_distance += (given[c] - levels[level]) * (given[c] - levels[level]);
        grey_distance += (given[c] - 8 - 10 * grey) * (given[c] - 8 - 10 * grey);
    }
    return cube_distance <= grey_distance ? cube : 232 + grey;
}

static void print_colour_code(enum colours colours, struct rgb rgb, int ground)
{
    if (colours == COLOURS_24BIT)
        printf("\033[%d;2;%d;%d;%dm", ground, rgb.r, rgb.g, rgb.b);
    else if (colours == COLOURS_256)
        printf("\033[%d;5;%dm", ground, colour_nearest_256(rgb));
}

void colour_background(enum colours colours, struct rgb rgb)
{
    print_colour_code(colours, rgb, 48);
}

void colour_foreground(enum colours colours, struct rgb rgb)
{
    print_colour_code(colours, rgb, 38);
}

void colour_end(enum colours colours)
{
    if (colours != COLOURS_NONE)
        fputs("\033[0m", stdout);
}
