/* Which cells a grid of patches has, and what is measured in them. */
#include "analysis/patch.h"

#include "base/alloc.h"
#include "base/sizes.h"
#include "base/text.h"
#include "engine/positions.h"
#include "engine/run.h"
#include "hooks/edit.h"
#include "hooks/metric.h"
#include "points/points.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const by_names[WEIR_N_PATCH_BY] = {
    [WEIR_PATCH_BY_POSITION] = "position",
    [WEIR_PATCH_BY_HEAD] = "head",
    [WEIR_PATCH_BY_HEAD_POSITION] = "head-position",
    [WEIR_PATCH_BY_NEURON] = "neuron",
    [WEIR_PATCH_BY_QUERY] = "query",
    [WEIR_PATCH_BY_CELL] = "cell",
};

const char *weir_patch_by_name(enum weir_patch_by by)
{
    return (int)by >= 0 && by < WEIR_N_PATCH_BY ? by_names[by] : NULL;
}

bool weir_patch_counts_in_field(const struct weir_patch_grid *grid, int axis)
{
    return grid->field && (grid->axes[axis] == WEIR_AXIS_POS || grid->axes[axis] == WEIR_AXIS_QUERY);
}

const char *weir_patch_axis_name(const struct weir_patch_grid *grid, int axis)
{
    return weir_patch_counts_in_field(grid, axis) ? grid->field : weir_axis_name(grid->axes[axis]);
}

/* ---- the cells of a grid ---- */

static bool grid_point_has_axis(const weir_point *point, weir_axis axis)
{
    for (int i = 0; i < point->n_axes; i++)
        if (point->axes[i] == axis)
            return true;
    return false;
}

static bool has_heads(const weir_point *point)
{
    return grid_point_has_axis(point, WEIR_AXIS_HEAD) || grid_point_has_axis(point, WEIR_AXIS_KV_HEAD);
}

static enum weir_patch_by suiting(const weir_point *point)
{
    return has_heads(point)                              ? WEIR_PATCH_BY_HEAD
           : grid_point_has_axis(point, WEIR_AXIS_D_MLP) ? WEIR_PATCH_BY_NEURON
                                                         : WEIR_PATCH_BY_POSITION;
}

static bool suits(const weir_point *point, enum weir_patch_by by)
{
    switch (by) {
    case WEIR_PATCH_BY_POSITION:
        return grid_point_has_axis(point, WEIR_AXIS_POS);
    case WEIR_PATCH_BY_HEAD:
        return has_heads(point);
    case WEIR_PATCH_BY_HEAD_POSITION:
        return has_heads(point) && grid_point_has_axis(point, WEIR_AXIS_POS);
    case WEIR_PATCH_BY_NEURON:
        return grid_point_has_axis(point, WEIR_AXIS_D_MLP);
    default:
        return grid_point_has_axis(point, WEIR_AXIS_KEY);
    }
}

static bool at_all_positions(enum weir_patch_by by)
{
    return by == WEIR_PATCH_BY_HEAD || by == WEIR_PATCH_BY_NEURON;
}

static void add_grid_axis(struct weir_patch_grid *grid, weir_axis axis, size_t size)
{
    grid->axes[grid->rank] = axis;
    grid->shape[grid->rank++] = size;
    grid->n_cells *= size;
}

/* Layers, then what `by` says; as many positions as the longest pair has. */
static void shape_grid(struct weir_patch_grid *grid, const struct weir_model *model, size_t longest)
{
    size_t shape[WEIR_MAX_AXES];
    int unit = weir_point_unit_axis(grid->point);
    enum weir_patch_by by = grid->by;
    weir_model_shape(model, grid->point->id, shape);
    grid->n_cells = 1;
    add_grid_axis(grid, WEIR_AXIS_LAYER, grid->points_outside ? 1 : (size_t)model->config.n_layers);
    if (by == WEIR_PATCH_BY_POSITION || by == WEIR_PATCH_BY_HEAD_POSITION)
        add_grid_axis(grid, WEIR_AXIS_POS, longest);
    if (by != WEIR_PATCH_BY_POSITION)
        add_grid_axis(grid, grid->point->axes[unit], shape[unit]);
    if (by == WEIR_PATCH_BY_QUERY || by == WEIR_PATCH_BY_CELL)
        add_grid_axis(grid, WEIR_AXIS_QUERY, longest);
    if (by == WEIR_PATCH_BY_CELL)
        add_grid_axis(grid, WEIR_AXIS_KEY, longest);
}

/* The number of the cell that a variant fills; `row`: where its position is on the grid's axis. */
static size_t cell_of(const struct weir_patch_grid *grid, const weir_variant *v, int row)
{
    size_t cell = 0;
    for (int i = 0; i < grid->rank; i++) {
        weir_axis axis = grid->axes[i];
        int at = axis == WEIR_AXIS_LAYER                            ? (v->layer < 0 ? 0 : v->layer)
                 : axis == WEIR_AXIS_POS || axis == WEIR_AXIS_QUERY ? row
                 : axis == WEIR_AXIS_KEY                            ? v->key
                                                                    : v->unit;
        cell = cell * grid->shape[i] + (size_t)at;
    }
    return cell;
}

/* ---- variants ---- */

struct weir_patch_work {
    struct weir_patch *patch;
    const struct weir_patch_options *options;
    struct weir_scope *scope;
    struct weir_run *run;
    const weir_tokens *prompts; /* [2 * n_pairs] */
    weir_measured **measured;   /* [metric] the run's */
    weir_rows *no_rows;         /* [2 * n_pairs] of logits: metrics read what they need */
    double *values;             /* [metric, n] of the variants at hand */
    double *baselines;          /* [2 * n_pairs, metric] of each prompt, without any patch */
    size_t n_done, n_all;       /* variants */

    bool by_field;                   /* rows are counted in fields that name positions */
    struct weir_positions in_source; /* of the site at hand, where they are */

    /* of the pairs that are run together, from first_pair on */
    size_t first_pair;
    weir_variant *variants; /* [n] */
    size_t *grid, *cell;    /* [n] where each belongs; grid BASELINE: the metric of the clean prompt, or the corrupt */
    size_t n, cap_variants, cap_grid, cap_cell, cap_values;
};

static const size_t BASELINE = SIZE_MAX;

static weir_status add_variant(struct weir_patch_work *f, const weir_variant *v, size_t grid, size_t cell)
{
    if (f->options->path && grid != BASELINE &&
        !weir_path_reaches(f->options->path, v, 2 * f->first_pair + (size_t)v->prompt))
        return WEIR_OK;
    TRY(weir_grow(&f->variants, &f->cap_variants, f->n + 1, sizeof *f->variants));
    TRY(weir_grow(&f->grid, &f->cap_grid, f->n + 1, sizeof *f->grid));
    TRY(weir_grow(&f->cell, &f->cap_cell, f->n + 1, sizeof *f->cell));
    f->variants[f->n] = *v;
    f->grid[f->n] = grid;
    f->cell[f->n++] = cell;
    return WEIR_OK;
}

/* The keys of one query of one head, or whatever else comes last: the cell itself. */
static weir_status add_cell_variants(struct weir_patch_work *f, size_t g, weir_variant *v, int row)
{
    const struct weir_patch_grid *grid = &f->patch->grids[g];
    if (grid->by != WEIR_PATCH_BY_CELL)
        return add_variant(f, v, g, cell_of(grid, v, row));
    for (v->key = 0; v->key <= v->position; v->key++)
        TRY(add_variant(f, v, g, cell_of(grid, v, row)));
    v->key = -1;
    return WEIR_OK;
}

/* Each of the rows, or all of them at once. */
static weir_status add_row_variants(struct weir_patch_work *f, size_t g, struct weir_some rows, weir_variant *v)
{
    if (at_all_positions(f->patch->grids[g].by))
        return add_cell_variants(f, g, v, -1);
    for (size_t i = 0; i < rows.n; i++) {
        v->position = rows.list ? rows.list[i] : (int)i;
        v->shift = f->in_source.list ? f->in_source.list[i] - v->position : 0;
        TRY(add_cell_variants(f, g, v, f->in_source.list ? (int)i : v->position));
    }
    v->position = -1;
    v->shift = 0;
    return WEIR_OK;
}

/* The term that alone names the positions of a site by fields. */
static const struct weir_spots *spots_of(const struct weir_patch_work *f, const struct weir_site *site)
{
    const struct weir_scope_group *group = &f->scope->groups[site->group];
    return &f->scope->selection->terms[group->terms[0]].where.positions;
}

/* The positions of a site that fields name, of two prompts in the order named: each has its partner in the other. */
static weir_status find_partners(struct weir_positions *own, struct weir_positions *other,
                                 const struct weir_patch_work *f, const struct weir_site *site, size_t prompt)
{
    const struct weir_model *model = f->run->model;
    TRY(weir_positions_find(own, model, &f->prompts[prompt], 0, spots_of(f, site), "position"));
    weir_status status = weir_positions_find(other, model, &f->prompts[prompt ^ 1], 0, spots_of(f, site), "position");
    if (status == WEIR_OK && own->n != other->n) {
        status = weir_fail(WEIR_E_USAGE, "%s names %zu positions of the one and %zu of the other: name equally many",
                           f->options->at, own->n, other->n);
        weir_positions_close(other);
    }
    if (status != WEIR_OK)
        weir_positions_close(own);
    return status;
}

/* The cells of one point in one layer that the selection names in the prompt that runs. */
static weir_status add_site_variants(struct weir_patch_work *f, size_t g, const struct weir_site *site,
                                     struct weir_box box, weir_variant *v)
{
    enum weir_patch_by by = f->patch->grids[g].by;
    if (at_all_positions(by) && box.rows.n > 0 && box.rows.list)
        return weir_fail(WEIR_E_USAGE,
                         "%s: by %s all positions are patched: name no positions, or patch by head-position",
                         weir_point_at(site->point)->name, weir_patch_by_name(by));
    if (by == WEIR_PATCH_BY_POSITION || box.rows.n == 0)
        return add_row_variants(f, g, box.rows, v);
    for (size_t i = 0; i < box.units.n; i++) {
        v->unit = box.units.list ? box.units.list[i] : (int)i;
        TRY(add_row_variants(f, g, box.rows, v));
    }
    return WEIR_OK;
}

/* The same where positions are named by fields. */
static weir_status add_partner_variants(struct weir_patch_work *f, size_t g, const struct weir_site *site,
                                        weir_variant *v)
{
    size_t prompt = 2 * f->first_pair + (size_t)v->prompt;
    struct weir_box box = weir_scope_bound(f->scope, site, prompt);
    struct weir_positions own;
    TRY(find_partners(&own, &f->in_source, f, site, prompt));
    box.rows = (struct weir_some){.list = own.list, .n = own.n};
    weir_status status = add_site_variants(f, g, site, box, v);
    weir_positions_close(&own);
    weir_positions_close(&f->in_source);
    f->in_source = (struct weir_positions){0};
    return status;
}

static size_t grid_of(const struct weir_patch *patch, int point)
{
    size_t g = 0;
    while (patch->grids[g].point->id != point)
        g++;
    return g;
}

/* Everything that is measured of one pair; prompts are numbered among those that are run together. */
static weir_status add_variants_of_pair(struct weir_patch_work *f, size_t i)
{
    bool denoise = f->options->direction == WEIR_DENOISE;
    int clean = (int)(2 * i), corrupt = clean + 1;
    const weir_variant as_it_is = {.point = -1, .layer = -1, .unit = -1, .position = -1, .key = -1};
    weir_variant v = as_it_is;
    for (v.prompt = clean; v.prompt <= corrupt; v.prompt++)
        TRY(add_variant(f, &v, BASELINE, 0));
    for (size_t s = 0; s < f->scope->n_sites; s++) {
        const struct weir_site *site = &f->scope->sites[s];
        v = as_it_is;
        v.prompt = denoise ? corrupt : clean;
        v.source = denoise ? clean : corrupt;
        v.point = site->point;
        v.layer = site->layer;
        size_t g = grid_of(f->patch, site->point);
        const struct weir_box box = weir_scope_bound(f->scope, site, 2 * f->first_pair + (size_t)v.prompt);
        TRY(f->by_field ? add_partner_variants(f, g, site, &v) : add_site_variants(f, g, site, box, &v));
    }
    return WEIR_OK;
}

/* ---- measuring ---- */

static void add_baseline(struct weir_patch_work *f, size_t i)
{
    const weir_variant *v = &f->variants[i];
    double *to = v->prompt % 2 == 0 ? f->patch->clean : f->patch->corrupt;
    double *own = f->baselines + (2 * f->first_pair + (size_t)v->prompt) * f->patch->n_metrics;
    for (size_t m = 0; m < f->patch->n_metrics; m++) {
        own[m] = f->values[m * f->n + i];
        to[m] += own[m] / (double)f->patch->n_pairs;
    }
}

/* What the pair of a variant is without it: a cell is compared with the pairs that have it, for which others are no
   measure. */
static void add_baselines_to_cell(struct weir_patch_work *f, size_t i)
{
    size_t n_metrics = f->patch->n_metrics;
    const double *clean = f->baselines + 2 * (f->first_pair + (size_t)f->variants[i].prompt / 2) * n_metrics;
    struct weir_patch_grid *grid = &f->patch->grids[f->grid[i]];
    for (size_t m = 0; m < n_metrics; m++) {
        grid->clean[m * grid->n_cells + f->cell[i]] += clean[m];
        grid->corrupt[m * grid->n_cells + f->cell[i]] += clean[n_metrics + m];
    }
}

static void add_to_cell(struct weir_patch_work *f, size_t i)
{
    struct weir_patch_grid *grid = &f->patch->grids[f->grid[i]];
    size_t cell = f->cell[i], n = ++grid->n[cell];
    for (size_t m = 0; m < f->patch->n_metrics; m++) {
        size_t at = m * grid->n_cells + cell;
        double value = f->values[m * f->n + i], mean = n == 1 ? 0 : grid->mean[at], apart = value - mean;
        grid->mean[at] = mean + apart / (double)n;
        grid->error[at] = (n == 1 ? 0 : grid->error[at]) + apart * (value - grid->mean[at]);
    }
}

static weir_status count_variant(const weir_event *logits, void *payload)
{
    struct weir_patch_work *f = payload;
    (void)logits;
    f->n_done++;
    return f->options->progress ? f->options->progress(f->n_done, f->n_all, f->options->payload) : WEIR_OK;
}

static weir_status run_variants(struct weir_patch_work *f, size_t n_prompts)
{
    size_t first = 2 * f->first_pair;
    if (f->options->path)
        return weir_path_sweep(f->options->path, first, n_prompts, f->variants, f->n, f->no_rows, count_variant, f);
    return weir_run_sweep(f->run, f->prompts + first, n_prompts, f->variants, f->n, f->no_rows, count_variant, f);
}

/* Runs the variants at hand, of n pairs, and adds what they are to their cells. */
static weir_status sweep_pairs(struct weir_patch_work *f, size_t n)
{
    size_t n_values;
    TRY(weir_mul(&n_values, f->n, f->patch->n_metrics));
    TRY(weir_grow(&f->values, &f->cap_values, n_values, sizeof *f->values));
    TRY(run_variants(f, 2 * n));
    for (size_t m = 0; m < f->patch->n_metrics; m++)
        TRY(weir_measured_values(f->measured[m], f->values + m * f->n, f->n));
    for (size_t i = 0; i < f->n; i++)
        if (f->grid[i] == BASELINE)
            add_baseline(f, i);
    for (size_t i = 0; i < f->n; i++)
        if (f->grid[i] != BASELINE) {
            add_to_cell(f, i);
            add_baselines_to_cell(f, i);
        }
    return WEIR_OK;
}

/* How many pairs, from `first` on, fit a batch; at least one. All where edits know others. */
static size_t pairs_together(const struct weir_patch_work *f, size_t first)
{
    size_t n = 0, positions = 0;
    if (weir_edits_know_other_lines(f->run))
        return f->patch->n_pairs;
    while (first + n < f->patch->n_pairs && (n == 0 || positions < f->run->batch_positions))
        positions += 2 * f->prompts[2 * (first + n++)].n;
    return n;
}

static weir_status fill_grids(struct weir_patch_work *f)
{
    for (size_t n; f->first_pair < f->patch->n_pairs; f->first_pair += n) {
        n = pairs_together(f, f->first_pair);
        f->n = 0;
        for (size_t i = 0; i < n; i++)
            TRY(add_variants_of_pair(f, i));
        if (f->n > INT_MAX)
            return weir_fail(WEIR_E_UNSUPPORTED, "%zu patches at once are more than %d: select fewer", f->n, INT_MAX);
        f->n_all = f->n_done + f->n * (f->patch->n_pairs - f->first_pair) / weir_max_size(n, 1);
        TRY(sweep_pairs(f, n));
    }
    return WEIR_OK;
}

/* Sums of squares to standard errors; what a cell has of the way from corrupt to clean. */
static void finish_grid(const struct weir_patch *patch, struct weir_patch_grid *grid)
{
    for (size_t at = 0; at < patch->n_metrics * grid->n_cells; at++) {
        size_t m = at / grid->n_cells, n = grid->n[at % grid->n_cells];
        bool of_all = n == patch->n_pairs;
        grid->clean[at] = of_all ? patch->clean[m] : grid->clean[at] / (double)n;
        grid->corrupt[at] = of_all ? patch->corrupt[m] : grid->corrupt[at] / (double)n;
        if (n == 0)
            grid->mean[at] = NAN;
        grid->error[at] = n > 1 ? sqrt(grid->error[at] / (double)(n - 1) / (double)n) : NAN;
        double way = grid->clean[at] - grid->corrupt[at]; /* there may be none, as of kl(#base) */
        grid->normalised[at] = way != 0 ? (grid->mean[at] - grid->corrupt[at]) / way : NAN;
    }
}

/* ---- opening ---- */

static weir_status check_pairs(const weir_tokens *prompts, size_t n_pairs)
{
    for (size_t i = 0; i < n_pairs; i++)
        if (prompts[2 * i].n != prompts[2 * i + 1].n)
            return weir_fail(WEIR_E_USAGE,
                             "pair %zu: the clean prompt has %zu tokens and the corrupt one %zu: a value can only take "
                             "the place of one at the same position",
                             i, prompts[2 * i].n, prompts[2 * i + 1].n);
    return WEIR_OK;
}

/* The prompts of a metric are those of its pair: others have no number while a few pairs run together. */
static weir_status check_whose(const struct weir_whose *whose)
{
    bool known = !whose->name || strcmp(whose->name, "base") == 0 || strcmp(whose->name, "clean") == 0 ||
                 strcmp(whose->name, "corrupt") == 0;
    return known && whose->numbers.n == 0
               ? WEIR_OK
               : weir_fail(WEIR_E_USAGE, "a metric of patches reads its own pair: #clean, #corrupt or #base");
}

static weir_status check_patch_metric(const struct weir_metric *metric, const char *text)
{
    const struct weir_whose side = {.name = metric->side};
    weir_status status = check_whose(&side);
    if (status == WEIR_OK)
        status = check_whose(metric->place ? &metric->place->where.prompts : &metric->against);
    TRY(weir_in(weir_in_character(status, text, metric->at), text));
    for (size_t i = 0; i < metric->n_children; i++)
        TRY(check_patch_metric(&metric->children[i], text));
    return WEIR_OK;
}

static weir_status open_metrics(struct weir_patch_work *f, size_t n_pairs)
{
    TRY(weir_alloc_zero(&f->measured, f->options->n_metrics, sizeof(weir_measured *)));
    TRY(weir_alloc_zero(&f->no_rows, 2 * n_pairs, sizeof *f->no_rows));
    for (size_t m = 0; m < f->options->n_metrics; m++) {
        const struct weir_metric *metric = f->options->metrics[m];
        TRY(check_patch_metric(metric, metric->text));
        TRY(weir_run_measure(&f->measured[m], f->run, metric));
        TRY(weir_measured_check(f->measured[m], f->prompts, 2 * n_pairs));
    }
    return WEIR_OK;
}

/* Rows of keys stand for other positions in the other prompt. */
static weir_status check_partners_have_no_keys(const struct weir_patch_work *f, const struct weir_site *site,
                                               size_t prompt, const struct weir_positions *own,
                                               const struct weir_positions *other)
{
    bool same = f->prompts[prompt].n == f->prompts[prompt ^ 1].n;
    for (size_t i = 0; own->list && other->list && i < own->n; i++)
        same = same && own->list[i] == other->list[i];
    return same || !grid_point_has_axis(weir_point_at(site->point), WEIR_AXIS_KEY)
               ? WEIR_OK
               : weir_fail(WEIR_E_USAGE, "%s has keys, which are other tokens in the other prompt: patch what has none",
                           weir_point_at(site->point)->name);
}

static weir_status fail_other_field(const struct weir_patch_work *f, const weir_point *point)
{
    return weir_fail(WEIR_E_USAGE, "%s: name the positions of %s by one field: rows of the grid are counted in it",
                     f->options->at, point->name);
}

/* How many positions fields name at most, in any pair. */
static weir_status count_partners(size_t *longest, const struct weir_patch_work *f, const struct weir_site *site)
{
    *longest = 0;
    if (f->scope->groups[site->group].n > 1)
        return fail_other_field(f, weir_point_at(site->point));
    for (size_t i = 0; i < f->patch->n_pairs; i++) {
        struct weir_positions own = {0}, other = {0};
        char pair[32];
        snprintf(pair, sizeof pair, "pair %zu", i);
        TRY(weir_in(find_partners(&own, &other, f, site, 2 * i), pair));
        weir_status status = check_partners_have_no_keys(f, site, 2 * i, &own, &other);
        *longest = weir_max_size(*longest, own.n);
        weir_positions_close(&own);
        weir_positions_close(&other);
        TRY(weir_in(status, pair));
    }
    return *longest > 0 ? WEIR_OK : weir_fail(WEIR_E_USAGE, "%s names no position in any pair", f->options->at);
}

/* "@subject" of "z@subject#clean" */
static weir_status copy_field(char **out, const struct weir_patch_work *f, const struct weir_site *site)
{
    const char *text = f->scope->selection->terms[f->scope->groups[site->group].terms[0]].text;
    const char *begin = strchr(text, '@');
    return weir_copy_bytes(out, begin, strcspn(begin, "#/"));
}

/* Units that are named, where rows are replaced whole. */
static weir_status check_grid_site(const struct weir_site *site, enum weir_patch_by by)
{
    const weir_point *point = weir_point_at(site->point);
    if (!suits(point, by))
        return weir_fail(WEIR_E_USAGE, "%s has nothing to be patched by %s", point->name, weir_patch_by_name(by));
    if (by == WEIR_PATCH_BY_POSITION && site->units.list)
        return weir_fail(WEIR_E_USAGE,
                         "%s: by position whole rows are patched: name no heads or neurons, or patch by "
                         "head-position",
                         point->name);
    return WEIR_OK;
}

static weir_status check_field_grid(const struct weir_patch_work *f, const weir_point *point, enum weir_patch_by by)
{
    if (f->options->path)
        return weir_fail(WEIR_E_USAGE, "%s: a path takes positions by number, not by field", f->options->at);
    if (at_all_positions(by) || by == WEIR_PATCH_BY_CELL)
        return weir_fail(WEIR_E_USAGE,
                         "%s: by %s positions cannot be named by field: patch by position, head-position "
                         "or query",
                         point->name, weir_patch_by_name(by));
    return WEIR_OK;
}

static weir_status add_grid(struct weir_patch_work *f, const struct weir_site *site, size_t longest)
{
    struct weir_patch *patch = f->patch;
    const weir_point *point = weir_point_at(site->point);
    enum weir_patch_by by = f->options->by == WEIR_PATCH_BY_POINT ? suiting(point) : f->options->by;
    TRY(check_grid_site(site, by));
    if (f->by_field) {
        TRY(check_field_grid(f, point, by));
        TRY(count_partners(&longest, f, site));
    }
    if (f->options->path)
        TRY(weir_path_check_sender(f->options->path, site->point, site->layer));
    if (patch->n_grids > 0 && patch->grids[patch->n_grids - 1].point == point)
        return f->by_field && !weir_spots_equal(spots_of(f, site), spots_of(f, site - 1)) ? fail_other_field(f, point)
                                                                                          : WEIR_OK;
    struct weir_patch_grid *grid = &patch->grids[patch->n_grids++];
    *grid = (struct weir_patch_grid){.point = point, .by = by, .points_outside = !point->per_layer};
    if (f->by_field)
        TRY(copy_field(&grid->field, f, site));
    shape_grid(grid, f->run->model, longest);
    size_t n;
    TRY(weir_mul(&n, grid->n_cells, patch->n_metrics));
    TRY(weir_alloc_zero(&grid->mean, n, sizeof *grid->mean));
    TRY(weir_alloc_zero(&grid->error, n, sizeof *grid->error));
    TRY(weir_alloc_zero(&grid->normalised, n, sizeof *grid->normalised));
    TRY(weir_alloc_zero(&grid->clean, n, sizeof *grid->clean));
    TRY(weir_alloc_zero(&grid->corrupt, n, sizeof *grid->corrupt));
    return weir_alloc_zero(&grid->n, grid->n_cells, sizeof *grid->n);
}

static weir_status check_path_reaches(const struct weir_patch_work *f)
{
    for (size_t i = 0; f->options->path && i < f->scope->n_sites; i++)
        if (weir_path_reaches_from(f->options->path, f->scope->sites[i].point, f->scope->sites[i].layer))
            return WEIR_OK;
    return !f->options->path
               ? WEIR_OK
               : weir_fail(WEIR_E_USAGE,
                           "%s: no receiver comes after it: patch earlier layers, or name later receivers",
                           f->options->at);
}

static weir_status prepare(struct weir_patch_work *f, size_t n_pairs)
{
    struct weir_patch *patch = f->patch;
    size_t longest = 0;
    patch->n_pairs = n_pairs;
    patch->n_metrics = f->options->n_metrics;
    TRY(weir_selection_is_by_field(&f->by_field, f->options->at, NULL));
    if (!f->by_field)
        TRY(check_pairs(f->prompts, n_pairs));
    TRY(open_metrics(f, n_pairs));
    for (size_t i = 0; i < n_pairs; i++)
        longest = weir_max_size(longest, f->prompts[2 * i].n);
    TRY(weir_scope_open(&f->scope, f->run->model, f->options->at, NULL));
    TRY(weir_scope_take_boxes(f->scope, "a grid of patches has"));
    TRY(weir_scope_find_rows(f->scope, f->prompts, NULL, 2 * n_pairs));
    TRY(weir_alloc_zero(&patch->grids, f->scope->n_sites, sizeof *patch->grids));
    TRY(weir_alloc_zero(&patch->clean, patch->n_metrics, sizeof *patch->clean));
    TRY(weir_alloc_zero(&patch->corrupt, patch->n_metrics, sizeof *patch->corrupt));
    size_t n;
    TRY(weir_mul(&n, 2 * n_pairs, patch->n_metrics));
    TRY(weir_alloc_zero(&f->baselines, n, sizeof *f->baselines));
    for (size_t i = 0; i < f->scope->n_sites; i++)
        TRY(add_grid(f, &f->scope->sites[i], longest));
    return check_path_reaches(f);
}

static void close_work(struct weir_patch_work *work)
{
    if (!work)
        return;
    weir_scope_close(work->scope);
    weir_free(work->measured);
    weir_free(work->no_rows);
    weir_free(work->values);
    weir_free(work->baselines);
    weir_free(work->variants);
    weir_free(work->grid);
    weir_free(work->cell);
    weir_free(work);
}

weir_status weir_patch_open(struct weir_patch **out, weir_run *run, const weir_tokens *prompts, size_t n_pairs,
                            const struct weir_patch_options *options)
{
    struct weir_patch *patch = NULL;
    weir_status status;
    *out = NULL;
    TRY_DONE(weir_alloc_zero(&patch, 1, sizeof *patch));
    TRY_DONE(weir_alloc_zero(&patch->work, 1, sizeof *patch->work));
    *patch->work = (struct weir_patch_work){.patch = patch, .options = options, .run = run, .prompts = prompts};
    TRY_DONE(prepare(patch->work, n_pairs));
    *out = patch;
    patch = NULL;
done:
    weir_patch_close(patch);
    return status;
}

weir_status weir_patch_fill(struct weir_patch *patch)
{
    TRY(fill_grids(patch->work));
    for (size_t i = 0; i < patch->n_grids; i++)
        finish_grid(patch, &patch->grids[i]);
    return WEIR_OK;
}

void weir_patch_close(struct weir_patch *patch)
{
    if (!patch)
        return;
    for (size_t i = 0; patch->grids && i < patch->n_grids; i++) {
        weir_free(patch->grids[i].field);
        weir_free(patch->grids[i].mean);
        weir_free(patch->grids[i].error);
        weir_free(patch->grids[i].normalised);
        weir_free(patch->grids[i].clean);
        weir_free(patch->grids[i].corrupt);
        weir_free(patch->grids[i].n);
    }
    close_work(patch->work);
    weir_free(patch->grids);
    weir_free(patch->clean);
    weir_free(patch->corrupt);
    weir_free(patch);
}
