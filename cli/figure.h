/* Pictures of attention: what is in them and where (figure.c), drawn as PNG or SVG by back ends that know no more than
   rectangles, texts and cells. So both have the same content. */
#ifndef WEIR_CLI_FIGURE_H
#define WEIR_CLI_FIGURE_H

#include "cli/render.h"

/* One map. Large ones are reduced: a cell is the largest weight of those that fall into it. */
struct panel {
    char *title;              /* may be empty */
    size_t n_rows, n_columns; /* of cells */
    float *values;            /* [n_rows, n_columns] */
    double most;              /* what its scale ends at */
    char **rows, **columns;   /* [n_rows], [n_columns] tokens as labels; NULL: none are drawn */
    int32_t *queries, *keys;  /* [n_rows], [n_columns] positions; NULL where rows is */
};

struct figure {
    char *title, *note, *bar; /* bar: what the colours mean */
    enum scale scale;
    double most;          /* what the colour bar ends at */
    struct panel *panels; /* [n] */
    size_t n, capacity, n_across;
};

void figure_close(struct figure *figure);

/* The most cells a side of a panel when there are n panels: more could not be told apart. */
size_t figure_cells(size_t n);
/* Whether panels have token labels when there are n. */
bool figure_has_labels(size_t n);

/* ---- the two files ---- */

/* Writes the picture, whole or not at all; an existing file needs `force`. *bytes is its size. */
WEIR_CHECKED weir_status figure_write_png(const struct figure *figure, const char *path, bool force, size_t *bytes);
WEIR_CHECKED weir_status figure_write_svg(const struct figure *figure, const char *path, bool force, size_t *bytes);

/* ---- for the back ends ---- */

enum anchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END };

/* Lengths are points of the picture: a PNG has two pixels a point. */
struct text {
    double x, y, size, degrees; /* where the base line begins, is halved or ends; turned clockwise */
    enum anchor anchor;
    bool mono, bold;
    struct rgb rgb;
    const char *text; /* UTF-8 without control characters */
};

struct placed {
    const struct panel *panel;
    enum scale scale;
    double x, y, width, height;
};

struct canvas {
    weir_status (*begin)(struct canvas *canvas, double width, double height);
    weir_status (*text)(struct canvas *canvas, const struct text *text);
    weir_status (*cells)(struct canvas *canvas, const struct placed *placed);
    bool tips; /* few enough cells for each to say its weight */
};

WEIR_CHECKED weir_status figure_draw(const struct figure *figure, struct canvas *canvas);
/* 0xffRRGGBB of each cell, new memory [n_rows, n_columns]. */
WEIR_CHECKED weir_status placed_pixels(uint32_t **out, const struct placed *placed);
struct rgb placed_colour(const struct placed *placed, size_t row, size_t column);
/* A picture of those pixels as PNG: new memory, freed with weir_free. */
WEIR_CHECKED weir_status png_encode(uint8_t **out, size_t *n, uint32_t *pixels, size_t width, size_t height);
/* Writes bytes to a file that appears when it is whole. */
WEIR_CHECKED weir_status picture_save(const char *path, bool force, const void *bytes, size_t n);

#endif
