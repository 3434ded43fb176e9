/* Pictures of attention and of patches: what is in them and where (figure.c), drawn as PNG or SVG by back ends that
   know no more than boxes, texts and cells. So both have the same content. */
#ifndef WEIR_CLI_FIGURE_FIGURE_H
#define WEIR_CLI_FIGURE_FIGURE_H

#include "cli/print/colour.h"

/* The rows or the columns of a panel. A position is the number of a row or column: of attention a token's, of a grid
   also a layer's or a head's. */
struct axis {
    const char *name;   /* of all of it, as in "query"; static. NULL: of rows that have no numbers */
    size_t n, n_all;    /* cells; positions that fall into them */
    int32_t *positions; /* [n] the first of each cell */
    bool in_order;      /* one position after another, none left out */
    char **labels;      /* [n] tokens; NULL: none are drawn */
};

/* One map or grid. Large maps are reduced: a cell is the largest weight of those that fall into it. */
struct panel {
    char *title;              /* may be empty */
    size_t n_rows, n_columns; /* of cells */
    float *values;            /* [n_rows, n_columns]; NaN: blank, which shows the page */
    double most; /* what its scale ends at; of a two-sided one, the distance of both ends from its middle */
    struct axis rows, columns;
    bool tips; /* cells show their value when they are pointed at */
};

struct figure {
    char *title, *note, *bar; /* bar: what the colours mean */
    enum scale scale;
    const struct scheme *scheme;
    bool oblong;    /* cells may be higher than wide, where they would be too low */
    bool two_sided; /* colours go both ways from `middle`, in proportion; else from 0 up, by the scale */
    double middle;
    double most;          /* as that of a panel, for the colour bar */
    const char *blank;    /* what the legend calls blank cells; NULL: there are none. Static */
    bool alike;           /* panels have the same positions, drawn once at the edges */
    struct panel *panels; /* [n] */
    size_t n, capacity, n_across;
};

void figure_close(struct figure *figure);

/* The most cells a side of a panel when there are n panels: more could not be told apart. */
size_t figure_cells(size_t n);
/* True where panels have token labels when there are n. */
bool figure_has_labels(size_t n);

/* ---- the two files ---- */

struct written {
    size_t bytes;
    size_t n_missing; /* characters that no font here has: boxes with their number are drawn instead */
};

/* Writes the picture, whole or not at all; an existing file needs `force`. */
typedef weir_status figure_write(struct written *out, const struct figure *figure, const char *path, bool force);
WEIR_CHECKED figure_write figure_write_png, figure_write_svg;

/* Fails where what draws a PNG is not installed. */
WEIR_CHECKED weir_status figure_can_png(void);
/* Writes the picture to the files that are named (NULL: no such), tells their sizes, and counts characters without a
 * font. */
WEIR_CHECKED weir_status figure_save(const struct figure *figure, const char *png, const char *svg, bool force);

/* ---- for the back ends ---- */

enum anchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END };

/* Lengths are points of the picture: a PNG has two pixels a point. */
struct text {
    double x, y, size, degrees; /* where the base line begins, is halved or ends; turned clockwise */
    double room;                /* how wide it may be; 0: as it is */
    enum anchor anchor;
    bool mono, bold;
    struct rgb rgb;
    const char *text; /* UTF-8 without control characters */
};

struct box {
    double x, y, width, height;
    struct rgb rgb;
};

/* Fonts, the first that there is; characters that it lacks come from those after it and then from any. Fonts of emoji
   are not among them: they have digits too. */
#define FIGURE_OTHERS "Noto Sans Arabic,Noto Sans Hebrew,Noto Sans CJK SC"
#define FIGURE_SANS   "DejaVu Sans,Verdana,Noto Sans," FIGURE_OTHERS ",sans-serif"
#define FIGURE_MONO   "DejaVu Sans Mono,Menlo,Consolas,Noto Sans Mono," FIGURE_OTHERS ",monospace"

struct placed {
    const struct panel *panel;
    enum scale scale;
    const struct scheme *scheme;
    bool two_sided;
    double middle;
    double x, y, width, height;
};

struct canvas {
    weir_status (*begin)(struct canvas *canvas, double width, double height);
    weir_status (*text)(struct canvas *canvas, const struct text *text);
    weir_status (*box)(struct canvas *canvas, const struct box *box);
    weir_status (*cells)(struct canvas *canvas, const struct placed *placed);
    const struct scheme *scheme;
    bool tips; /* few enough cells for each to show its weight */
};

WEIR_CHECKED weir_status figure_draw(const struct figure *figure, struct canvas *canvas);
/* 0xffRRGGBB of each cell, new memory [n_rows, n_columns]. */
WEIR_CHECKED weir_status placed_pixels(uint32_t **out, const struct placed *placed);
bool placed_is_blank(const struct placed *placed, size_t row, size_t column);
struct rgb placed_colour(const struct placed *placed, size_t row, size_t column);
/* A picture of those pixels as PNG: new memory, freed with weir_free. */
WEIR_CHECKED weir_status png_encode(uint8_t **out, size_t *n, uint32_t *pixels, size_t width, size_t height);
/* Writes bytes to a file that appears when it is whole. */
WEIR_CHECKED weir_status picture_save(const char *path, bool force, const void *bytes, size_t n);

#endif
