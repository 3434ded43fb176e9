/* PNG by Cairo, which is loaded when a picture is wanted: linked to, it would double the time that weir takes to start.
 */
#include "cli/figure.h"

#include "base/alloc.h"

#include <cairo.h>
#include <dlfcn.h>
#include <math.h>
#include <string.h>

enum { PIXELS = 2 /* a point */, LARGEST = 32000 /* pixels; Cairo takes no more than 32767 */ };

#define FUNCTIONS(F)                                                                                                   \
    F(create)                                                                                                          \
    F(destroy)                                                                                                         \
    F(fill)                                                                                                            \
    F(font_options_create)                                                                                             \
    F(font_options_destroy)                                                                                            \
    F(font_options_set_antialias)                                                                                      \
    F(font_options_set_hint_metrics)                                                                                   \
    F(font_options_set_hint_style)                                                                                     \
    F(get_source)                                                                                                      \
    F(image_surface_create)                                                                                            \
    F(image_surface_create_for_data)                                                                                   \
    F(move_to)                                                                                                         \
    F(paint)                                                                                                           \
    F(pattern_set_filter)                                                                                              \
    F(rectangle)                                                                                                       \
    F(restore)                                                                                                         \
    F(rotate)                                                                                                          \
    F(save)                                                                                                            \
    F(scale)                                                                                                           \
    F(select_font_face)                                                                                                \
    F(set_font_options)                                                                                                \
    F(set_font_size)                                                                                                   \
    F(set_source_rgb)                                                                                                  \
    F(set_source_surface)                                                                                              \
    F(show_text)                                                                                                       \
    F(status)                                                                                                          \
    F(status_to_string)                                                                                                \
    F(surface_destroy)                                                                                                 \
    F(surface_status)                                                                                                  \
    F(surface_write_to_png_stream)                                                                                     \
    F(text_extents)                                                                                                    \
    F(translate)

/* NOLINTNEXTLINE(bugprone-macro-parentheses): it is a field's name */
#define FIELD(name) __typeof__(&cairo_##name) name;
static struct {
    FUNCTIONS(FIELD)
} cairo;
#undef FIELD

#define ENTRY(name) {"cairo_" #name, &cairo.name},
static weir_status load(void)
{
    const struct {
        const char *name;
        void *function;
    } entries[] = {FUNCTIONS(ENTRY)};
    void *handle = dlopen("libcairo.so.2", RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return weir_fail(WEIR_E_UNSUPPORTED, "pictures need Cairo, which could not be loaded (%s): install libcairo2",
                         dlerror());
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        void *symbol = dlsym(handle, entries[i].name);
        if (!symbol)
            return weir_fail(WEIR_E_UNSUPPORTED, "pictures need a newer Cairo: the one found lacks %s",
                             entries[i].name);
        memcpy(entries[i].function, &symbol, sizeof symbol);
    }
    return WEIR_OK;
}
#undef ENTRY

static weir_status failed(cairo_status_t status)
{
    return weir_fail(status == CAIRO_STATUS_NO_MEMORY ? WEIR_E_MEMORY : WEIR_E_OUTPUT,
                     "the picture cannot be drawn: %s", cairo.status_to_string(status));
}

/* ---- encoding ---- */

struct bytes {
    uint8_t *list;
    size_t n, capacity;
    weir_status status;
};

static cairo_status_t take_bytes(void *closure, const unsigned char *data, unsigned int n)
{
    struct bytes *bytes = closure;
    bytes->status = weir_grow(&bytes->list, &bytes->capacity, bytes->n + n, 1);
    if (bytes->status != WEIR_OK)
        return CAIRO_STATUS_NO_MEMORY;
    memcpy(bytes->list + bytes->n, data, n);
    bytes->n += n;
    return CAIRO_STATUS_SUCCESS;
}

static weir_status encode(struct bytes *out, cairo_surface_t *surface)
{
    *out = (struct bytes){0};
    cairo_status_t status = cairo.surface_write_to_png_stream(surface, take_bytes, out);
    if (status == CAIRO_STATUS_SUCCESS)
        return WEIR_OK;
    weir_free(out->list);
    return out->status != WEIR_OK ? out->status : failed(status);
}

static cairo_surface_t *surface_of(uint32_t *pixels, size_t width, size_t height)
{
    return cairo.image_surface_create_for_data((unsigned char *)pixels, CAIRO_FORMAT_RGB24, (int)width, (int)height,
                                               (int)(width * sizeof *pixels));
}

weir_status png_encode(uint8_t **out, size_t *n, uint32_t *pixels, size_t width, size_t height)
{
    struct bytes bytes;
    TRY(load());
    cairo_surface_t *surface = surface_of(pixels, width, height);
    weir_status status = encode(&bytes, surface);
    cairo.surface_destroy(surface);
    *out = status == WEIR_OK ? bytes.list : NULL;
    *n = bytes.n;
    return status;
}

/* ---- drawing ---- */

struct png {
    struct canvas canvas;
    cairo_surface_t *surface;
    cairo_t *to;
};

static struct png *png_of(struct canvas *canvas)
{
    return (struct png *)canvas;
}

/* Letters are drawn by their shape alone, so that they are the same on every machine with the font. */
static void set_fonts(cairo_t *to)
{
    cairo_font_options_t *options = cairo.font_options_create();
    cairo.font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo.font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo.font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo.set_font_options(to, options);
    cairo.font_options_destroy(options);
}

static weir_status begin(struct canvas *canvas, double width, double height)
{
    struct png *png = png_of(canvas);
    double most = fmax(width, height) * PIXELS;
    if (most > LARGEST)
        return weir_fail(WEIR_E_UNSUPPORTED, "the picture would be %.0f pixels long, of at most %d: choose fewer maps",
                         most, LARGEST);
    png->surface = cairo.image_surface_create(CAIRO_FORMAT_RGB24, (int)width * PIXELS, (int)height * PIXELS);
    png->to = cairo.create(png->surface);
    cairo.scale(png->to, PIXELS, PIXELS);
    set_fonts(png->to);
    cairo.set_source_rgb(png->to, 1, 1, 1);
    cairo.paint(png->to);
    cairo_status_t status = cairo.status(png->to);
    return status == CAIRO_STATUS_SUCCESS ? WEIR_OK : failed(status);
}

static weir_status draw_text(struct canvas *canvas, const struct text *text)
{
    cairo_t *to = png_of(canvas)->to;
    cairo_text_extents_t extents;
    cairo.save(to);
    cairo.select_font_face(to, text->mono ? "DejaVu Sans Mono" : "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                           text->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo.set_font_size(to, text->size);
    cairo.text_extents(to, text->text, &extents);
    cairo.translate(to, text->x, text->y);
    cairo.rotate(to, text->degrees * M_PI / 180);
    cairo.move_to(to, -extents.x_advance * (int)text->anchor / 2, 0);
    cairo.set_source_rgb(to, text->rgb.r / 255.0, text->rgb.g / 255.0, text->rgb.b / 255.0);
    cairo.show_text(to, text->text);
    cairo.restore(to);
    cairo_status_t status = cairo.status(to);
    return status == CAIRO_STATUS_SUCCESS ? WEIR_OK : failed(status);
}

static weir_status draw_cells(struct canvas *canvas, const struct placed *placed)
{
    cairo_t *to = png_of(canvas)->to;
    const struct panel *panel = placed->panel;
    uint32_t *pixels;
    TRY(placed_pixels(&pixels, placed));
    cairo_surface_t *surface = surface_of(pixels, panel->n_columns, panel->n_rows);
    cairo.save(to);
    cairo.translate(to, placed->x, placed->y);
    cairo.scale(to, placed->width / (double)panel->n_columns, placed->height / (double)panel->n_rows);
    cairo.set_source_surface(to, surface, 0, 0);
    cairo.pattern_set_filter(cairo.get_source(to), CAIRO_FILTER_NEAREST);
    cairo.rectangle(to, 0, 0, (double)panel->n_columns, (double)panel->n_rows);
    cairo.fill(to);
    cairo.restore(to);
    cairo.surface_destroy(surface);
    weir_free(pixels);
    cairo_status_t status = cairo.status(to);
    return status == CAIRO_STATUS_SUCCESS ? WEIR_OK : failed(status);
}

weir_status figure_write_png(const struct figure *figure, const char *path, bool force, size_t *n)
{
    struct png png = {.canvas = {.begin = begin, .text = draw_text, .cells = draw_cells}};
    struct bytes bytes = {0};
    weir_status status;
    TRY(load());
    TRY_DONE(figure_draw(figure, &png.canvas));
    TRY_DONE(encode(&bytes, png.surface));
    *n = bytes.n;
    status = picture_save(path, force, bytes.list, bytes.n);
    weir_free(bytes.list);
done:
    if (png.to)
        cairo.destroy(png.to);
    if (png.surface)
        cairo.surface_destroy(png.surface);
    return status;
}
