/* Grids of patches as a picture: one panel per grid and metric, or per head of them. */
#include "cli/commands/patch_figure.h"
#include "cli/print/label.h"
#include "cli/print/text.h"

#include "base/alloc.h"
#include "points/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LABEL = 14, MOST_PANELS = 2048, TEXT = 640 };

const char *const patch_shows[] = {[SHOW_NORMALISED] = "normalised", [SHOW_RAW] = "raw", [SHOW_STDERR] = "stderr"};

const char *patch_direction_name(enum weir_direction direction)
{
    return direction == WEIR_NOISE ? "noise" : "denoise";
}

const double *patch_values(const struct weir_patch_grid *grid, enum patch_show show)
{
    return show == SHOW_RAW ? grid->mean : show == SHOW_STDERR ? grid->error : grid->normalised;
}

/* ---- which axis is where ---- */

static bool is_head_axis(weir_axis axis)
{
    return axis == WEIR_AXIS_HEAD || axis == WEIR_AXIS_KV_HEAD;
}

/* The axis that has a panel for each of its indices; 0: there is none. */
static int panel_axis(const struct weir_patch_grid *grid)
{
    if (grid->rank < 3)
        return 0;
    return is_head_axis(grid->axes[1]) ? 1 : 2;
}

static int column_axis(const struct weir_patch_grid *grid)
{
    return panel_axis(grid) == 1 ? 2 : 1;
}

static size_t count_grid_panels(const struct weir_patch_grid *grid)
{
    return panel_axis(grid) ? grid->shape[panel_axis(grid)] : 1;
}

static size_t count_patch_panels(const struct weir_patch *patch)
{
    size_t n = 0;
    for (size_t g = 0; g < patch->n_grids; g++)
        n += count_grid_panels(&patch->grids[g]);
    return n * patch->n_metrics;
}

weir_status patch_figure_check(const struct weir_patch *patch, enum patch_show show)
{
    size_t n = count_patch_panels(patch);
    if (show == SHOW_RAW && patch->n_metrics > 1)
        return weir_fail(
            WEIR_E_USAGE,
            "--show raw: a picture has one scale, and metrics have their own: draw normalised values, or one metric");
    for (size_t g = 0; g < patch->n_grids; g++) {
        const struct weir_patch_grid *grid = &patch->grids[g];
        if (grid->rank > 3)
            return weir_fail(WEIR_E_USAGE,
                             "%s by %s: a picture shows grids of up to three axes, and this has %d: choose --by query "
                             "or head, or print it with --csv",
                             grid->point->name, weir_patch_by_name(grid->by), grid->rank);
        if (grid->shape[column_axis(grid)] > figure_cells(n) || grid->shape[0] > figure_cells(n))
            return weir_fail(WEIR_E_USAGE,
                             "%s by %s: a picture of %zu grid%s shows up to %zu columns of each, and this has %zu: "
                             "choose another --by or fewer points with --at, or print it with --csv",
                             grid->point->name, weir_patch_by_name(grid->by), n, plural(n), figure_cells(n),
                             grid->shape[column_axis(grid)]);
    }
    if (n > MOST_PANELS)
        return weir_fail(WEIR_E_USAGE,
                         "a picture of %zu grids would be unreadable: choose fewer points with --at, or another --by",
                         n);
    return WEIR_OK;
}

/* ---- panels ---- */

/* Numbers from 0 on, named as the axis is. */
static weir_status fill_grid_axis(struct axis *axis, const struct weir_patch_grid *grid, int which)
{
    size_t n = grid->shape[which];
    *axis = (struct axis){.name = weir_patch_axis_name(grid, which), .n = n, .n_all = n, .in_order = true};
    TRY(weir_alloc(&axis->positions, n, sizeof *axis->positions));
    for (size_t i = 0; i < n; i++)
        axis->positions[i] = (int32_t)i;
    return WEIR_OK;
}

static weir_status label_positions(struct axis *axis, const struct patch_look *look)
{
    char token[TEXT], label[4 * LABEL + 8];
    TRY(weir_alloc_zero(&axis->labels, axis->n, sizeof *axis->labels));
    for (size_t i = 0; i < axis->n; i++) {
        look->token_at(token, sizeof token, look->from, i);
        label_of(label, sizeof label, token, LABEL);
        TRY(weir_copy_string(&axis->labels[i], label));
    }
    return WEIR_OK;
}

/* Values [layer, column] of metric m, of head `index` if panels are by head. */
static void take_panel_values(struct panel *panel, const struct weir_patch_grid *grid, const double *values,
                              size_t index)
{
    int apart = panel_axis(grid), columns = column_axis(grid);
    size_t strides[WEIR_PATCH_RANK] = {0}, stride = 1;
    for (int i = grid->rank; i-- > 0; stride *= grid->shape[i])
        strides[i] = stride;
    for (size_t i = 0; i < panel->n_rows; i++)
        for (size_t j = 0; j < panel->n_columns; j++)
            panel->values[i * panel->n_columns + j] =
                (float)values[i * strides[0] + j * strides[columns] + (apart ? index * strides[apart] : 0)];
}

/* What tells a panel from the others: point, metric and head, as far as there are several. */
static weir_status grid_panel_title(char **out, const struct weir_patch *patch, const struct weir_patch_grid *grid,
                                    const char *metric, size_t index)
{
    char text[TEXT] = "";
    int apart = panel_axis(grid);
    if (patch->n_grids > 1)
        weir_text_append(text, sizeof text, "%s by %s", grid->point->name, weir_patch_by_name(grid->by));
    if (apart)
        weir_text_append(text, sizeof text, "%s%s %zu", *text ? ", " : "", weir_axis_name(grid->axes[apart]), index);
    if (patch->n_metrics > 1)
        weir_text_append(text, sizeof text, "%s%s", *text ? ": " : "", metric);
    return weir_copy_string(out, text_clean(text));
}

static weir_status add_grid_panel(struct figure *figure, const struct weir_patch *patch, const struct patch_look *look,
                                  const struct weir_patch_grid *grid, size_t m, size_t index)
{
    TRY(weir_grow(&figure->panels, &figure->capacity, figure->n + 1, sizeof *figure->panels));
    struct panel *panel = &figure->panels[figure->n++];
    *panel = (struct panel){.n_rows = grid->shape[0], .n_columns = grid->shape[column_axis(grid)], .tips = true};
    TRY(grid_panel_title(&panel->title, patch, grid, look->metrics[m], index));
    TRY(weir_alloc(&panel->values, panel->n_rows * panel->n_columns, sizeof *panel->values));
    take_panel_values(panel, grid, patch_values(grid, look->show) + m * grid->n_cells, index);
    TRY(fill_grid_axis(&panel->rows, grid, 0));
    if (grid->points_outside)
        panel->rows.name = NULL; /* it is in no layer */
    TRY(fill_grid_axis(&panel->columns, grid, column_axis(grid)));
    weir_axis axis = grid->axes[column_axis(grid)];
    bool labels = look->token_at && (axis == WEIR_AXIS_POS || axis == WEIR_AXIS_QUERY);
    return labels && figure_has_labels(count_patch_panels(patch)) ? label_positions(&panel->columns, look) : WEIR_OK;
}

/* ---- the whole ---- */

/* How far the colours reach: of normalised values at least to 1, which is the clean prompt. */
static void set_figure_ends(struct figure *figure, enum patch_show show)
{
    figure->most = show == SHOW_NORMALISED ? 1 : 0;
    for (size_t p = 0; p < figure->n; p++)
        for (size_t i = 0; i < figure->panels[p].n_rows * figure->panels[p].n_columns; i++) {
            double value = (double)figure->panels[p].values[i];
            if (isnan(value))
                figure->blank = "no value";
            if (isfinite(value))
                figure->most = fmax(figure->most, fabs(value - figure->middle));
        }
    figure->most = figure->most > 0 ? figure->most : 1;
    for (size_t p = 0; p < figure->n; p++)
        figure->panels[p].most = figure->most;
}

/* Panels beside each other so that all together are about as wide as high. */
static size_t panels_across(const struct figure *figure)
{
    size_t rows = 1, columns = 1;
    for (size_t i = 0; i < figure->n; i++) {
        rows = figure->panels[i].n_rows > rows ? figure->panels[i].n_rows : rows;
        columns = figure->panels[i].n_columns > columns ? figure->panels[i].n_columns : columns;
    }
    double across = sqrt((double)figure->n * (double)rows / (double)columns);
    return across > 1 ? (size_t)(across + 0.5) : 1;
}

/* Small panels have their numbers once, at the edges, if those are the same. */
static bool have_same_columns(const struct figure *figure)
{
    for (size_t i = 1; i < figure->n; i++)
        if (figure->panels[i].n_columns != figure->panels[0].n_columns ||
            strcmp(figure->panels[i].columns.name, figure->panels[0].columns.name) != 0)
            return false;
    return true;
}

static weir_status set_patch_texts(struct figure *figure, const struct weir_patch *patch, const struct patch_look *look)
{
    static const char *const bars[] = {"0 corrupt, 1 clean", "middle: corrupt", "standard error"};
    const char *model = look->model, *direction = patch_direction_name(look->direction);
    char note[TEXT] = "", clean[64], corrupt[64];
    if (patch->n_grids == 1)
        TRY(weir_format(&figure->title, "%s: %s by %s, %s", model, patch->grids[0].point->name,
                        weir_patch_by_name(patch->grids[0].by), direction));
    else
        TRY(weir_format(&figure->title, "%s: patches of %zu points, %s", model, patch->n_grids, direction));
    text_clean(figure->title);
    if (patch->n_metrics == 1)
        weir_text_append(note, sizeof note, "%s: %s clean, %s corrupt; ", look->metrics[0],
                         fixed_number(clean, 4, patch->clean[0]), fixed_number(corrupt, 4, patch->corrupt[0]));
    if (look->path && look->to)
        weir_text_append(note, sizeof note, "path to %s (%s); ", look->to, look->path);
    weir_text_append(note, sizeof note, "%s, %zu pair%s", patch_shows[look->show], patch->n_pairs,
                     plural(patch->n_pairs));
    bool labelled = false;
    for (size_t i = 0; i < figure->n; i++)
        labelled = labelled || figure->panels[i].columns.labels;
    weir_text_append(note, sizeof note, labelled ? "; tokens of the clean prompt" : "");
    TRY(weir_copy_string(&figure->note, text_clean(note)));
    return weir_copy_string(&figure->bar, bars[look->show]);
}

static weir_status add_grid_panels(struct figure *figure, const struct weir_patch *patch, const struct patch_look *look)
{
    for (size_t g = 0; g < patch->n_grids; g++)
        for (size_t m = 0; m < patch->n_metrics; m++)
            for (size_t i = 0; i < count_grid_panels(&patch->grids[g]); i++)
                TRY(add_grid_panel(figure, patch, look, &patch->grids[g], m, i));
    return WEIR_OK;
}

weir_status patch_figure(struct figure **out, const struct weir_patch *patch, const struct patch_look *look)
{
    struct figure *figure;
    weir_status status;
    *out = NULL;
    TRY(weir_alloc_zero(&figure, 1, sizeof *figure));
    figure->scale = SCALE_LINEAR;
    figure->oblong = true;
    figure->scheme = look->scheme;
    figure->two_sided = look->show != SHOW_STDERR;
    figure->middle = look->show == SHOW_RAW ? patch->corrupt[0] : 0;
    TRY_DONE(add_grid_panels(figure, patch, look));
    set_figure_ends(figure, look->show);
    figure->n_across = panels_across(figure);
    figure->alike = !figure_has_labels(figure->n) && have_same_columns(figure);
    TRY_DONE(set_patch_texts(figure, patch, look));
    *out = figure;
    figure = NULL;
done:
    figure_close(figure);
    return status;
}
