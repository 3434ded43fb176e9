/* The libraries that draw PNG, Cairo and Pango, as one table of functions that is filled when a picture is wanted:
   linked to, they and what they depend on would triple the time that every weir takes to start. */
#ifndef WEIR_CLI_FIGURE_DRAWING_H
#define WEIR_CLI_FIGURE_DRAWING_H

#include "base/status.h"

#include <pango/pangocairo.h>

/* Each function with the library that has it. */
#define DRAWING_FUNCTIONS(F)                                                                                           \
    F(CAIRO, cairo_create)                                                                                             \
    F(CAIRO, cairo_destroy)                                                                                            \
    F(CAIRO, cairo_fill)                                                                                               \
    F(CAIRO, cairo_font_options_create)                                                                                \
    F(CAIRO, cairo_font_options_destroy)                                                                               \
    F(CAIRO, cairo_font_options_set_antialias)                                                                         \
    F(CAIRO, cairo_font_options_set_hint_metrics)                                                                      \
    F(CAIRO, cairo_font_options_set_hint_style)                                                                        \
    F(CAIRO, cairo_get_source)                                                                                         \
    F(CAIRO, cairo_image_surface_create)                                                                               \
    F(CAIRO, cairo_image_surface_create_for_data)                                                                      \
    F(CAIRO, cairo_move_to)                                                                                            \
    F(CAIRO, cairo_paint)                                                                                              \
    F(CAIRO, cairo_pattern_set_filter)                                                                                 \
    F(CAIRO, cairo_rectangle)                                                                                          \
    F(CAIRO, cairo_restore)                                                                                            \
    F(CAIRO, cairo_rotate)                                                                                             \
    F(CAIRO, cairo_save)                                                                                               \
    F(CAIRO, cairo_scale)                                                                                              \
    F(CAIRO, cairo_set_source_rgb)                                                                                     \
    F(CAIRO, cairo_set_source_surface)                                                                                 \
    F(CAIRO, cairo_status)                                                                                             \
    F(CAIRO, cairo_status_to_string)                                                                                   \
    F(CAIRO, cairo_surface_destroy)                                                                                    \
    F(CAIRO, cairo_surface_write_to_png_stream)                                                                        \
    F(CAIRO, cairo_translate)                                                                                          \
    F(GOBJECT, g_object_unref)                                                                                         \
    F(PANGO, pango_context_set_round_glyph_positions)                                                                  \
    F(PANGO, pango_font_description_free)                                                                              \
    F(PANGO, pango_font_description_from_string)                                                                       \
    F(PANGO, pango_font_description_set_absolute_size)                                                                 \
    F(PANGO, pango_layout_context_changed)                                                                             \
    F(PANGO, pango_layout_get_context)                                                                                 \
    F(PANGO, pango_layout_get_line_readonly)                                                                           \
    F(PANGO, pango_layout_get_unknown_glyphs_count)                                                                    \
    F(PANGO, pango_layout_line_get_extents)                                                                            \
    F(PANGO, pango_layout_set_font_description)                                                                        \
    F(PANGO, pango_layout_set_single_paragraph_mode)                                                                   \
    F(PANGO, pango_layout_set_text)                                                                                    \
    F(PANGOCAIRO, pango_cairo_context_set_font_options)                                                                \
    F(PANGOCAIRO, pango_cairo_create_layout)                                                                           \
    F(PANGOCAIRO, pango_cairo_show_layout_line)

/* NOLINTNEXTLINE(bugprone-macro-parentheses): it is a field's name */
#define DRAWING_FIELD(library, name) __typeof__(&(name)) name;
struct drawing {
    DRAWING_FUNCTIONS(DRAWING_FIELD)
};
#undef DRAWING_FIELD

extern struct drawing drawing;

/* Fills the table, once. WEIR_E_UNSUPPORTED names the library that is missing and the Debian package that has it. */
WEIR_CHECKED weir_status drawing_load(void);

#endif
