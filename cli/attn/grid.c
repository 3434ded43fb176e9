/* Many attention maps on the terminal, one line of small maps per layer. */
#include "cli/attn/attn.h"
#include "cli/print/heatmap.h"
#include "cli/print/text.h"

#include "base/alloc.h"
#include "base/sizes.h"

#include <math.h>
#include <string.h>

enum { LEAST = 6, MOST = 24, NARROW = 100, GAP = 1, MARGIN = 5 };

/* A line of small maps while it is gathered: heads of one layer, as many as fit beside each other. */
struct strip {
    const struct map_choice *chosen;
    const struct look *look;
    enum colours colours;
    size_t width, height; /* the room of one map in cells: columns, and rows of cells */
    size_t n_fit;
    size_t n_rows, n_columns; /* of the maps in the line: what their queries and keys fill */
    bool masked;              /* any cell of any map */
    float *parts;             /* [n_fit, height, width] */
    int *heads;               /* [n_fit] */
    size_t n;                 /* gathered */
    int layer, prompt;
};

/* As wide as fits the heads of a layer side by side, within reason. */
static void plan_strip(struct strip *strip)
{
    size_t columns = terminal_width();
    size_t room = (columns ? columns : NARROW) > MARGIN + LEAST ? (columns ? columns : NARROW) - MARGIN : LEAST;
    size_t width = room / strip->chosen->n_heads;
    width = width > GAP ? width - GAP : 0;
    width = width > MOST ? MOST : width;
    size_t keys = (size_t)weir_file_get_info(strip->chosen->file)->n_key;
    width = keys < width ? keys : width; /* no more cells than the longest prompt has */
    width = width < LEAST ? LEAST : width;
    strip->width = width & ~(size_t)1; /* even: without colours a line is two rows */
    strip->height = strip->colours == COLOURS_NONE ? strip->width / 2 : strip->width;
    strip->n_fit = room / (strip->width + GAP);
    if (strip->look->columns > 0 && strip->n_fit > strip->look->columns)
        strip->n_fit = strip->look->columns;
    strip->n_fit = strip->n_fit ? strip->n_fit : 1;
}

static void print_strip_names(const struct strip *strip)
{
    char name[24];
    snprintf(name, sizeof name, "L%d", strip->layer);
    print_left(name, MARGIN);
    for (size_t i = 0; i < strip->n; i++) {
        snprintf(name, sizeof name, "H%d", strip->heads[i]);
        print_left(name, i + 1 < strip->n ? strip->width + GAP : 0);
    }
    putchar('\n');
}

/* Prints the maps that were gathered. */
static void print_strip(struct strip *strip)
{
    size_t per_line = thumb_rows(strip->colours);
    if (strip->n == 0)
        return;
    print_strip_names(strip);
    for (size_t line = 0; line * per_line < strip->n_rows; line++) {
        print_spaces(MARGIN);
        for (size_t i = 0; i < strip->n; i++) {
            struct thumb thumb = {strip->n_rows, strip->n_columns, strip->parts + i * strip->height * strip->width};
            thumb_print(&thumb, line, strip->colours);
            fputs(strip->colours ? "" : "|", stdout);
            print_spaces(i + 1 < strip->n ? strip->width - strip->n_columns + (strip->colours ? GAP : 0) : 0);
            fputs(i + 1 < strip->n ? "" : "\n", stdout);
        }
    }
    strip->n = 0;
}

/* "rill: 24 heads, prompt 0 of 1", and how to read the maps. */
static void print_strips_head(const struct map_choice *chosen)
{
    size_t n = chosen->n_layers * chosen->n_heads;
    print_text(weir_file_get_info(chosen->file)->model);
    if (chosen->n_prompts == 1)
        printf(": %zu head%s, prompt %d of %d\n", n, plural(n), map_choice_first_prompt(chosen), chosen->n_prompts_all);
    else
        printf(": %zu map%s of %zu of %d prompts\n", map_choice_count(chosen), plural(map_choice_count(chosen)),
               chosen->n_prompts, chosen->n_prompts_all);
    printf("Rows are queries, columns are keys; a cell shows the largest weight in it.%s%s\n\n",
           chosen->drop_first ? " " : "", drop_first_note(chosen));
}

/* Prints the strip where the map begins a new one, then reduces the map into its place. */
static weir_status add_map_to_strip(const struct map *map, void *payload)
{
    struct strip *strip = payload;
    const struct weir_attention *attention = map->attention;
    if (strip->n > 0 && (strip->n == strip->n_fit || map->layer != strip->layer || map->prompt != strip->prompt))
        print_strip(strip);
    if (strip->prompt < 0)
        print_strips_head(map->chosen);
    if (map->prompt != strip->prompt && map->chosen->n_prompts > 1)
        printf("prompt %d\n", map->prompt);
    strip->layer = map->layer;
    strip->prompt = map->prompt;
    strip->heads[strip->n] = map->head;
    strip->n_rows = weir_min_size(attention->n_queries, strip->height);
    strip->n_columns = weir_min_size(attention->n_keys, strip->width);
    float *parts = strip->parts + strip->n++ * strip->height * strip->width;
    heatmap_reduce(parts, strip->n_rows, strip->n_columns, attention->weights, attention->n_queries, attention->n_keys);
    double most = look_most(strip->look, map);
    for (size_t i = 0; i < strip->n_rows * strip->n_columns; i++) {
        parts[i] = (float)scale_part(strip->look->scale, (double)parts[i], most);
        strip->masked |= isnan(parts[i]);
    }
    return WEIR_OK;
}

weir_status attn_print_grid(struct map_choice *chosen, const struct look *look)
{
    struct strip strip = {.chosen = chosen, .look = look, .colours = terminal_colours(), .prompt = -1};
    weir_status status;
    plan_strip(&strip);
    chosen->mask = true;
    TRY_DONE(weir_alloc(&strip.parts, strip.n_fit * strip.height * strip.width, sizeof *strip.parts));
    TRY_DONE(weir_alloc(&strip.heads, strip.n_fit, sizeof *strip.heads));
    TRY_DONE(map_choice_each(chosen, add_map_to_strip, &strip));
    print_strip(&strip);
    print_spaces(MARGIN);
    if (look->per_head)
        printf("each head has its own scale, to its largest weight\n%*s", MARGIN, "");
    legend_print(strip.colours, look->scale, 1, strip.masked, MARGIN);
done:
    weir_free(strip.parts);
    weir_free(strip.heads);
    return status;
}
