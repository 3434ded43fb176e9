/* Attention maps as a picture: one panel per map, its labels and notes. */
#include "cli/attn/attn.h"
#include "cli/print/heatmap.h"
#include "cli/print/label.h"

#include "base/alloc.h"
#include "base/sizes.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LABEL = 14, MOST_PANELS = 2048, MOST_ACROSS = 32, TEXT = 640 };

/* A picture while maps come in. */
struct making {
    struct figure *figure;
    const struct look *look;
    size_t n_maps; /* that will come */
    bool reduced;
};

static weir_status add_token_labels(struct axis *axis, const struct map *map)
{
    char label[4 * LABEL + 8];
    TRY(weir_alloc_zero(&axis->labels, axis->n, sizeof *axis->labels));
    for (size_t i = 0; i < axis->n; i++) {
        label_of(label, sizeof label, weir_file_token(map->chosen->file, map->prompt, axis->positions[i]), LABEL);
        TRY(weir_copy_string(&axis->labels[i], label));
    }
    return WEIR_OK;
}

static weir_status fill_map_axis(struct axis *axis, const struct map *map, const int32_t *all, size_t n_all, size_t n,
                                 bool labels)
{
    *axis = (struct axis){.n = n, .n_all = n_all, .in_order = (size_t)(all[n_all - 1] - all[0]) + 1 == n_all};
    TRY(weir_alloc(&axis->positions, n, sizeof *axis->positions));
    for (size_t i = 0; i < n; i++)
        axis->positions[i] = all[i * n_all / n]; /* the first of those that fall into the cell */
    return labels ? add_token_labels(axis, map) : WEIR_OK;
}

/* "L5H3", and which prompt when there are several. */
static weir_status panel_title(char **out, const struct map *map, const struct look *look, double most)
{
    char prompt[24] = "", head[32] = "", limit[32] = "";
    if (map->chosen->n_prompts > 1)
        snprintf(prompt, sizeof prompt, "P%d ", map->prompt);
    if (map->layer >= 0)
        snprintf(head, sizeof head, "L%dH%d", map->layer, map->head);
    if (look->per_head)
        snprintf(limit, sizeof limit, " (max %.2g)", most);
    return weir_format(out, "%s%s%s", prompt, head, limit);
}

/* Reduces the map to the cells that its panel has, with titles, positions and labels. */
static weir_status fill_map_panel(struct panel *panel, struct making *making, const struct map *map)
{
    const struct weir_attention *attention = map->attention;
    size_t most_cells = figure_cells(making->n_maps);
    size_t n_rows = weir_min_size(attention->n_queries, most_cells),
           n_columns = weir_min_size(attention->n_keys, most_cells);
    panel->n_rows = n_rows;
    panel->n_columns = n_columns;
    panel->most = look_most(making->look, map);
    making->reduced = making->reduced || n_rows < attention->n_queries || n_columns < attention->n_keys;
    TRY(panel_title(&panel->title, map, making->look, panel->most));
    TRY(weir_alloc(&panel->values, n_rows * n_columns, sizeof *panel->values));
    heatmap_reduce(panel->values, n_rows, n_columns, attention->weights, attention->n_queries, attention->n_keys);
    for (size_t i = 0; i < n_rows * n_columns && !making->figure->blank; i++)
        making->figure->blank = isnan(panel->values[i]) ? "masked" : NULL;
    bool labels = figure_has_labels(making->n_maps);
    panel->tips = labels;
    TRY(fill_map_axis(&panel->rows, map, attention->positions, attention->n_queries, n_rows, labels));
    TRY(fill_map_axis(&panel->columns, map, attention->keys, attention->n_keys, n_columns, labels));
    panel->rows.name = "query";
    panel->columns.name = "key";
    return WEIR_OK;
}

/* A picture of one map has the map's title as its own. */
static weir_status add_map_panel(const struct map *map, void *payload)
{
    struct making *making = payload;
    struct figure *figure = making->figure;
    char title[TEXT / 2];
    TRY(weir_grow(&figure->panels, &figure->capacity, figure->n + 1, sizeof *figure->panels));
    struct panel *panel = &figure->panels[figure->n++];
    *panel = (struct panel){0};
    TRY(fill_map_panel(panel, making, map));
    if (making->n_maps > 1)
        return WEIR_OK;
    weir_free(panel->title); /* the picture's own title has it */
    panel->title = NULL;
    TRY(weir_copy_string(&panel->title, ""));
    figure->most = panel->most;
    map_title(title, sizeof title, map);
    weir_free(figure->title);
    figure->title = NULL;
    return weir_format(&figure->title, "%s: %s", weir_file_get_info(map->chosen->file)->model, title);
}

/* Heads of a layer beside each other, layers below each other; else about as wide as high. */
static size_t maps_across(const struct map_choice *chosen, size_t n)
{
    if (chosen->join == EACH && chosen->n_layers > 1 && chosen->n_heads > 1 && chosen->n_heads <= MOST_ACROSS)
        return chosen->n_heads;
    return (size_t)ceil(sqrt((double)n));
}

/* The text beside the colour bar, and the note below the title. */
static weir_status set_figure_texts(struct making *making, const struct map_choice *chosen)
{
    struct figure *figure = making->figure;
    const char *what = making->look->per_head ? "fraction of the map's largest weight"
                       : chosen->join == SUM  ? "sum of attention weights"
                       : chosen->join == MEAN ? "mean attention weight"
                                              : "attention weight";
    TRY(weir_format(&figure->bar, "%s (%s scale)", what, scale_names[making->look->scale]));
    return weir_format(&figure->note, "%s%s%s", drop_first_note(chosen),
                       chosen->drop_first && making->reduced ? " " : "",
                       making->reduced ? "A cell shows the largest weight in it." : "");
}

/* Titles first, then panel by panel as maps are read. */
static weir_status make_figure(struct making *making, struct map_choice *chosen)
{
    struct figure *figure = making->figure;
    const char *model = weir_file_get_info(chosen->file)->model;
    if (chosen->n_prompts == 1)
        TRY(weir_format(&figure->title, "%s: %zu heads, prompt %d of %d", model, making->n_maps,
                        map_choice_first_prompt(chosen), chosen->n_prompts_all));
    else
        TRY(weir_format(&figure->title, "%s: %zu maps of %zu prompts", model, making->n_maps, chosen->n_prompts));
    TRY(map_choice_each(chosen, add_map_panel, making));
    text_clean(figure->title);
    return set_figure_texts(making, chosen);
}

weir_status attn_figure(struct figure **out, struct map_choice *chosen, const struct look *look)
{
    struct making making = {.look = look, .n_maps = map_choice_count(chosen)};
    *out = NULL;
    if (making.n_maps > MOST_PANELS)
        return weir_fail(
            WEIR_E_USAGE,
            "a picture of %zu maps would be unreadable: choose at most %d with --layer, --head and --prompt",
            making.n_maps, MOST_PANELS);
    TRY(weir_alloc_zero(&making.figure, 1, sizeof *making.figure));
    chosen->mask = true;
    making.figure->scale = look->scale;
    making.figure->scheme = look->scheme;
    making.figure->alike = chosen->n_prompts == 1 && !figure_has_labels(making.n_maps);
    making.figure->n_across = look->columns ? look->columns : maps_across(chosen, making.n_maps);
    making.figure->most = !look->per_head && chosen->join == SUM ? (double)(chosen->n_layers * chosen->n_heads) : 1;
    weir_status status = make_figure(&making, chosen);
    if (status == WEIR_OK)
        *out = making.figure;
    else
        figure_close(making.figure);
    return status;
}
