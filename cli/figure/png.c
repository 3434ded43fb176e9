/* PNG by Cairo, with text by Pango: shaped, in its own direction, and each character in a font that has it. */
#include "cli/figure/drawing.h"
#include "cli/figure/figure.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { PIXELS = 2 /* a point */, LARGEST = 32000 /* pixels; Cairo takes no more than 32767 */ };

static weir_status cairo_failed(cairo_status_t status)
{
    return weir_fail(status == CAIRO_STATUS_NO_MEMORY ? WEIR_E_MEMORY : WEIR_E_OUTPUT,
                     "the picture cannot be drawn: %s", drawing.cairo_status_to_string(status));
}

/* ---- encoding ---- */

struct bytes {
    uint8_t *list;
    size_t n, capacity;
    weir_status status;
};

static cairo_status_t take_png_bytes(void *closure, const unsigned char *data, unsigned int n)
{
    struct bytes *bytes = closure;
    bytes->status = weir_grow(&bytes->list, &bytes->capacity, bytes->n + n, 1);
    if (bytes->status != WEIR_OK)
        return CAIRO_STATUS_NO_MEMORY;
    memcpy(bytes->list + bytes->n, data, n);
    bytes->n += n;
    return CAIRO_STATUS_SUCCESS;
}

static weir_status encode_surface(struct bytes *out, cairo_surface_t *surface)
{
    *out = (struct bytes){0};
    cairo_status_t status = drawing.cairo_surface_write_to_png_stream(surface, take_png_bytes, out);
    if (status == CAIRO_STATUS_SUCCESS)
        return WEIR_OK;
    weir_free(out->list);
    return out->status != WEIR_OK ? out->status : cairo_failed(status);
}

static cairo_surface_t *surface_of(uint32_t *pixels, size_t width, size_t height)
{
    return drawing.cairo_image_surface_create_for_data((unsigned char *)pixels, CAIRO_FORMAT_RGB24, (int)width,
                                                       (int)height, (int)(width * sizeof *pixels));
}

weir_status png_encode(uint8_t **out, size_t *n, uint32_t *pixels, size_t width, size_t height)
{
    struct bytes bytes;
    TRY(drawing_load());
    cairo_surface_t *surface = surface_of(pixels, width, height);
    weir_status status = encode_surface(&bytes, surface);
    drawing.cairo_surface_destroy(surface);
    *out = status == WEIR_OK ? bytes.list : NULL;
    *n = bytes.n;
    return status;
}

/* ---- drawing ---- */

struct png {
    struct canvas canvas;
    cairo_surface_t *surface;
    cairo_t *to;
    PangoLayout *layout;
    size_t n_missing; /* characters that no font has */
};

static struct png *png_of(struct canvas *canvas)
{
    return (struct png *)canvas;
}

static weir_status png_status(const struct png *png)
{
    cairo_status_t status = drawing.cairo_status(png->to);
    return status == CAIRO_STATUS_SUCCESS ? WEIR_OK : cairo_failed(status);
}

static void set_cairo_colour(cairo_t *to, struct rgb rgb)
{
    drawing.cairo_set_source_rgb(to, rgb.r / 255.0, rgb.g / 255.0, rgb.b / 255.0);
}

/* Letters are drawn by their shape alone, so that they are the same on every machine with the font. */
static void set_pango_fonts(PangoContext *context)
{
    cairo_font_options_t *options = drawing.cairo_font_options_create();
    drawing.cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    drawing.cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    drawing.cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    drawing.pango_cairo_context_set_font_options(context, options);
    drawing.pango_context_set_round_glyph_positions(context, FALSE);
    drawing.cairo_font_options_destroy(options);
}

/* Without any font, every character would be drawn as a box. */
static weir_status check_any_font(PangoLayout *layout)
{
    drawing.pango_layout_set_text(layout, "0", -1);
    if (drawing.pango_layout_get_unknown_glyphs_count(layout) > 0)
        return weir_fail(WEIR_E_UNSUPPORTED, "pictures need a font, and fontconfig finds none: install %s",
                         "fonts-dejavu-core");
    return WEIR_OK;
}

/* Opens the surface, fills it with the page, and sets up text. */
static weir_status png_begin(struct canvas *canvas, double width, double height)
{
    struct png *png = png_of(canvas);
    double most = fmax(width, height) * PIXELS;
    if (most > LARGEST)
        return weir_fail(WEIR_E_UNSUPPORTED, "the picture would be %.0f pixels long, more than %d: choose fewer maps",
                         most, LARGEST);
    png->surface = drawing.cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)width * PIXELS, (int)height * PIXELS);
    png->to = drawing.cairo_create(png->surface);
    drawing.cairo_scale(png->to, PIXELS, PIXELS);
    set_cairo_colour(png->to, canvas->scheme->page);
    drawing.cairo_paint(png->to);
    TRY(png_status(png));
    png->layout = drawing.pango_cairo_create_layout(png->to);
    drawing.pango_layout_set_single_paragraph_mode(png->layout, TRUE);
    set_pango_fonts(drawing.pango_layout_get_context(png->layout));
    drawing.pango_layout_context_changed(png->layout);
    return check_any_font(png->layout);
}

/* The text as one line, whose width in points is given back. */
static double lay_out_text(struct png *png, const struct text *text)
{
    PangoRectangle extents;
    PangoFontDescription *font = drawing.pango_font_description_from_string(text->mono   ? FIGURE_MONO
                                                                            : text->bold ? FIGURE_SANS " Bold"
                                                                                         : FIGURE_SANS);
    drawing.pango_font_description_set_absolute_size(font, text->size * PANGO_SCALE);
    drawing.pango_layout_set_font_description(png->layout, font);
    drawing.pango_font_description_free(font);
    drawing.pango_layout_set_text(png->layout, text->text, -1);
    drawing.pango_layout_line_get_extents(drawing.pango_layout_get_line_readonly(png->layout, 0), NULL, &extents);
    png->n_missing += (size_t)drawing.pango_layout_get_unknown_glyphs_count(png->layout);
    return (double)extents.width / PANGO_SCALE;
}

/* Text that is wider than its room is drawn narrower. */
static weir_status png_text(struct canvas *canvas, const struct text *text)
{
    struct png *png = png_of(canvas);
    cairo_t *to = png->to;
    double width = lay_out_text(png, text);
    drawing.cairo_save(to);
    drawing.cairo_translate(to, text->x, text->y);
    drawing.cairo_rotate(to, text->degrees * M_PI / 180);
    if (text->room > 0 && width > text->room)
        drawing.cairo_scale(to, text->room / width, 1);
    drawing.cairo_move_to(to, -width * (int)text->anchor / 2, 0);
    set_cairo_colour(to, text->rgb);
    drawing.pango_cairo_show_layout_line(to, drawing.pango_layout_get_line_readonly(png->layout, 0));
    drawing.cairo_restore(to);
    return png_status(png);
}

static weir_status png_box(struct canvas *canvas, const struct box *box)
{
    struct png *png = png_of(canvas);
    set_cairo_colour(png->to, box->rgb);
    drawing.cairo_rectangle(png->to, box->x, box->y, box->width, box->height);
    drawing.cairo_fill(png->to);
    return png_status(png);
}

/* The cells as an image of one pixel each, scaled up without smoothing. */
static weir_status png_cells(struct canvas *canvas, const struct placed *placed)
{
    struct png *png = png_of(canvas);
    cairo_t *to = png->to;
    const struct panel *panel = placed->panel;
    uint32_t *pixels;
    TRY(placed_pixels(&pixels, placed));
    cairo_surface_t *surface = surface_of(pixels, panel->n_columns, panel->n_rows);
    drawing.cairo_save(to);
    drawing.cairo_translate(to, placed->x, placed->y);
    drawing.cairo_scale(to, placed->width / (double)panel->n_columns, placed->height / (double)panel->n_rows);
    drawing.cairo_set_source_surface(to, surface, 0, 0);
    drawing.cairo_pattern_set_filter(drawing.cairo_get_source(to), CAIRO_FILTER_NEAREST);
    drawing.cairo_rectangle(to, 0, 0, (double)panel->n_columns, (double)panel->n_rows);
    drawing.cairo_fill(to);
    drawing.cairo_restore(to);
    drawing.cairo_surface_destroy(surface);
    weir_free(pixels);
    return png_status(png);
}

weir_status figure_can_png(void)
{
    return drawing_load();
}

weir_status figure_write_png(struct written *out, const struct figure *figure, const char *path, bool force)
{
    struct png png = {.canvas = {.begin = png_begin, .text = png_text, .box = png_box, .cells = png_cells}};
    struct bytes bytes = {0};
    weir_status status;
    TRY(drawing_load());
    TRY_DONE(figure_draw(figure, &png.canvas));
    TRY_DONE(encode_surface(&bytes, png.surface));
    *out = (struct written){bytes.n, png.n_missing};
    status = picture_save(path, force, bytes.list, bytes.n);
    weir_free(bytes.list);
done:
    if (png.layout)
        drawing.g_object_unref(png.layout);
    if (png.to)
        drawing.cairo_destroy(png.to);
    if (png.surface)
        drawing.cairo_surface_destroy(png.surface);
    return status;
}
