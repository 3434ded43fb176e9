/* SVG: text stays text; few cells are rectangles with their weights as tips, many are one embedded picture. */
#include "cli/export/base64.h"
#include "cli/figure/figure.h"
#include "cli/print/text.h"

#include "base/alloc.h"

#include <stdlib.h>

enum { MOST_TIPS = 2500, MOST_RECTANGLES = 64 /* in a panel of more: the colour bar */ };

struct svg {
    struct canvas canvas;
    FILE *to;
};

static FILE *svg_file(struct canvas *canvas)
{
    return ((struct svg *)canvas)->to;
}

static void print_xml_text(FILE *to, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        case '\'':
            fputs("&#39;", to);
            break;
        default:
            putc(*text, to);
        }
}

static void print_svg_colour(FILE *to, struct rgb rgb)
{
    fprintf(to, "#%02x%02x%02x", rgb.r, rgb.g, rgb.b);
}

/* The head of the file, styles, and a rectangle for the page. */
static weir_status svg_begin(struct canvas *canvas, double width, double height)
{
    FILE *to = svg_file(canvas);
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"%g\" "
            "height=\"%g\" viewBox=\"0 0 %g %g\">\n"
            "<style>text{font-family:" FIGURE_SANS ";white-space:pre;unicode-bidi:isolate}"
            ".m{font-family:" FIGURE_MONO "}"
            "image{image-rendering:optimizeSpeed;image-rendering:pixelated}</style>\n"
            "<rect width=\"%g\" height=\"%g\" fill=\"",
            width, height, width, height, width, height);
    print_svg_colour(to, canvas->scheme->page);
    fputs("\"/>\n", to);
    return WEIR_OK;
}

/* Text that begins from right to left has its start, by which it is anchored, at the right. */
static weir_status svg_text(struct canvas *canvas, const struct text *text)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    bool leftwards = text_is_leftwards(text->text);
    enum anchor anchor = leftwards ? ANCHOR_END - text->anchor : text->anchor;
    FILE *to = svg_file(canvas);
    fprintf(to, "<text x=\"%.6g\" y=\"%.6g\" font-size=\"%g\" fill=\"", text->x, text->y, text->size);
    print_svg_colour(to, text->rgb);
    putc('"', to);
    if (anchor != ANCHOR_START)
        fprintf(to, " text-anchor=\"%s\"", anchors[anchor]);
    fputs(leftwards ? " direction=\"rtl\"" : "", to);
    if (text->degrees != 0)
        fprintf(to, " transform=\"rotate(%g %.6g %.6g)\"", text->degrees, text->x, text->y);
    fputs(text->bold ? " font-weight=\"bold\"" : "", to);
    fputs(text->mono ? " class=\"m\">" : ">", to);
    print_xml_text(to, text->text);
    fputs("</text>\n", to);
    return WEIR_OK;
}

static void print_tip_part(FILE *to, const struct axis *axis, size_t i)
{
    fprintf(to, "%s %d", axis->name, axis->positions[i]);
    if (!axis->labels)
        return;
    putc(' ', to);
    print_xml_text(to, axis->labels[i]);
}

/* The tip of a cell, shown when it is pointed at. */
static void print_cell_tip(FILE *to, const struct panel *panel, size_t row, size_t column)
{
    fputs("<title>", to);
    if (panel->rows.name) {
        print_tip_part(to, &panel->rows, row);
        fputs(", ", to);
    }
    print_tip_part(to, &panel->columns, column);
    fprintf(to, ": %.4g</title>", (double)panel->values[row * panel->n_columns + column]);
}

static void draw_rectangle(FILE *to, const struct placed *placed, size_t row, size_t column, bool tip)
{
    const struct panel *panel = placed->panel;
    double width = placed->width / (double)panel->n_columns, height = placed->height / (double)panel->n_rows;
    fprintf(to, "<rect x=\"%.6g\" y=\"%.6g\" width=\"%.6g\" height=\"%.6g\" fill=\"",
            placed->x + width * (double)column, placed->y + height * (double)row, width, height);
    print_svg_colour(to, placed_colour(placed, row, column));
    if (tip) {
        fputs("\">", to);
        print_cell_tip(to, panel, row, column);
        fputs("</rect>\n", to);
    } else {
        fputs("\"/>\n", to);
    }
}

/* Blank cells are left out: they are the page. */
static void draw_rectangles(FILE *to, const struct placed *placed, bool tips)
{
    const struct panel *panel = placed->panel;
    fputs("<g shape-rendering=\"crispEdges\">\n", to);
    for (size_t i = 0; i < panel->n_rows; i++)
        for (size_t j = 0; j < panel->n_columns; j++)
            if (!placed_is_blank(placed, i, j))
                draw_rectangle(to, placed, i, j, tips && panel->tips);
    fputs("</g>\n", to);
}

static weir_status svg_box(struct canvas *canvas, const struct box *box)
{
    FILE *to = svg_file(canvas);
    fprintf(to, "<rect x=\"%.6g\" y=\"%.6g\" width=\"%.6g\" height=\"%.6g\" fill=\"", box->x, box->y, box->width,
            box->height);
    print_svg_colour(to, box->rgb);
    fputs("\"/>\n", to);
    return WEIR_OK;
}

/* The cells as an embedded PNG of one pixel each. */
static weir_status draw_cells_image(FILE *to, const struct placed *placed)
{
    const struct panel *panel = placed->panel;
    struct base64 text = {.to = to};
    uint32_t *pixels = NULL;
    uint8_t *png = NULL;
    size_t n;
    weir_status status;
    TRY_DONE(placed_pixels(&pixels, placed));
    TRY_DONE(png_encode(&png, &n, pixels, panel->n_columns, panel->n_rows));
    fprintf(to,
            "<image x=\"%.6g\" y=\"%.6g\" width=\"%.6g\" height=\"%.6g\" preserveAspectRatio=\"none\" "
            "xlink:href=\"data:image/png;base64,",
            placed->x, placed->y, placed->width, placed->height);
    base64_put(&text, png, n);
    base64_end(&text);
    fputs("\"/>\n", to);
done:
    weir_free(png);
    weir_free(pixels);
    return status;
}

static weir_status svg_cells(struct canvas *canvas, const struct placed *placed)
{
    size_t n = placed->panel->n_rows * placed->panel->n_columns;
    if (!canvas->tips && n > MOST_RECTANGLES)
        return draw_cells_image(svg_file(canvas), placed);
    draw_rectangles(svg_file(canvas), placed, canvas->tips);
    return WEIR_OK;
}

static weir_status draw_svg(struct svg *svg, const struct figure *figure)
{
    size_t n_cells = 0;
    for (size_t i = 0; i < figure->n; i++)
        n_cells += figure->panels[i].n_rows * figure->panels[i].n_columns;
    svg->canvas.tips = n_cells <= MOST_TIPS;
    TRY(figure_draw(figure, &svg->canvas));
    fputs("</svg>\n", svg->to);
    return WEIR_OK;
}

/* Into memory first: the file is written whole or not at all. */
weir_status figure_write_svg(struct written *out, const struct figure *figure, const char *path, bool force)
{
    struct svg svg = {.canvas = {.begin = svg_begin, .text = svg_text, .box = svg_box, .cells = svg_cells}};
    char *bytes = NULL;
    *out = (struct written){0};
    svg.to = open_memstream(&bytes, &out->bytes);
    if (!svg.to)
        return weir_fail(WEIR_E_MEMORY, "out of memory: the picture does not fit");
    weir_status status = draw_svg(&svg, figure);
    bool whole = !ferror(svg.to);
    if (fclose(svg.to) != 0 || !whole)
        status = weir_fail(WEIR_E_MEMORY, "out of memory: the picture does not fit");
    if (status == WEIR_OK)
        status = picture_save(path, force, bytes, out->bytes);
    free(bytes);
    return status;
}
