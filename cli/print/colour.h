/* Colours of terminals and pictures, and the scales by which weights get theirs. */
#ifndef WEIR_CLI_PRINT_COLOUR_H
#define WEIR_CLI_PRINT_COLOUR_H

#include "cli/print/terminal.h"

struct rgb {
    uint8_t r, g, b;
};

/* The colours of a picture: its ground, text and lines on it, and the colours of parts of 0 to 1, and of -1 to 1. A
   part of 0 is told from the ground, which is what blank cells show. */
struct scheme {
    struct rgb page, ink, faint, line;
    double stops[4][3];              /* red, green, blue at 0, 1/3, 2/3 and 1 */
    double above[4][3], below[4][3]; /* the same at 0 to 1, and at 0 to -1, where there are both */
};
extern const struct scheme scheme_light, scheme_dark;
struct rgb scheme_colour(const struct scheme *scheme, double part);
struct rgb scheme_colour_signed(const struct scheme *scheme, double part);
/* The colour of a part of 0 to 1 in terminals: dark violet, violet, orange, pale yellow. */
struct rgb colour_of(double part);
/* The same where there are no colours: from . to @, so that a space is for what is masked. */
char colour_as_text(double part);
/* The same for -1 to 1: what is under 0 goes from black over blue to pale cyan. */
struct rgb colour_of_signed(double part);
/* The nearest of the 256 colours of a terminal, the first 16 of which are the user's own. */
int colour_nearest_256(struct rgb rgb);
/* Scales by which weights become parts: small ones must be told from none, so the square root is the default. */
enum scale { SCALE_SQRT, SCALE_LINEAR, SCALE_LOG, N_SCALES };
extern const char *const scale_names[];
#define SCALE_LOG_LEAST 1e-3 /* of the largest: where a logarithmic scale begins */
/* 0 for values not over 0, 1 for `most` and more; NaN, which means masked, stays. */
double scale_part(enum scale scale, double value, double most);
/* Text printed from now on has that colour, or the nearest that there is, as its background or its own; nothing happens
   with COLOURS_NONE. */
void colour_background(enum colours colours, struct rgb rgb);
void colour_foreground(enum colours colours, struct rgb rgb);
void colour_end(enum colours colours);

#endif
