/* Places of a cache as the source of an edit: which point, layers and units of the file serve each of the edit's sites.
 */
#include "hooks/sources/parts.h"

#include "base/alloc.h"
#include "base/text.h"

#include <string.h>

/* ---- the file ---------------------------------------------------------------------------------------------------- */

/* Numbers of another model mean nothing here, even where they are as many. The digest is of the configuration and of
   the shapes, so that models of one architecture share it. */
static weir_status check_model_of_cache(struct weir_edit_source *source, const char *path)
{
    const weir_file_info *file = weir_file_get_info(source->cache->file);
    const weir_model_info *model = weir_model_get_info(source->model);
    if (strcmp(file->digest, model->digest) != 0)
        return weir_fail(WEIR_E_INPUT,
                         "%s is of another model (%s, digest %.8s; this is %s, %.8s): dump it with this one, or take "
                         "the numbers out with weir export",
                         path, file->model, file->digest, model->name, model->digest);
    if (strcmp(file->model, model->name) == 0)
        return WEIR_OK;
    return weir_format(&source->note, "%s was made with the model %s, this is %s: their sizes are the same", path,
                       file->model, model->name);
}

/* A file that says that it is of this model may lie. */
static weir_status check_layers_of_cache(const struct weir_edit_source *source, const char *path)
{
    int n = weir_file_get_info(source->cache->file)->n_layers, model = source->model->config.n_layers;
    return n == model ? WEIR_OK
                      : weir_fail(WEIR_E_INPUT, "%s has %d layers and the digest of a model of %d: it is damaged", path,
                                  n, model);
}

/* ---- points ------------------------------------------------------------------------------------------------------ */

static weir_status refuse_point(const weir_file *file, const char *path, const char *name)
{
    struct weir_text names = {0};
    weir_status status = WEIR_OK;
    for (int i = 0; i < weir_file_get_info(file)->n_points && status == WEIR_OK; i++)
        status = weir_text_print(&names, "%s%s", i > 0 ? ", " : "", weir_file_point_at(file, i)->point->name);
    if (status == WEIR_OK)
        status = weir_fail(WEIR_E_USAGE, "%s does not store %s; it has %s", path, name,
                           names.n > 0 ? names.data : "nothing");
    weir_text_close(&names);
    return status;
}

/* The one point that the place names, or the site's own. */
static weir_status find_place_point(struct weir_cache_site *out, const struct weir_edit_source *source,
                                    const struct weir_site *site)
{
    struct weir_term *term = source->cache->place->place;
    const char *path = source->cache->place->file.path;
    int point = site->point, n = 0;
    if (weir_scope_is_by_expert(source->scope, site))
        return weir_fail(WEIR_E_USAGE, "files have the neurons of experts by rank, not by expert: name a place of this "
                                       "run, or an array");
    if (!term->no_hook) {
        TRY(weir_model_settle(source->model, term));
        for (int i = 0; i < WEIR_N_POINTS; i++)
            if (term->points[i]) {
                point = i;
                n++;
            }
        if (n != 1)
            return weir_fail(WEIR_E_USAGE, "'%s' names %d hook points: a source is one", term->text, n);
    }
    const char *name = weir_point_at(point)->name;
    out->point = weir_file_find(source->cache->file, name);
    out->form = weir_form_of(source->model, point);
    if (!out->point)
        return refuse_point(source->cache->file, path, name);
    return WEIR_OK;
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

static weir_status check_layers_stored(const struct weir_cache_site *at, const char *path)
{
    for (size_t i = 0; at->point->layers && i < at->layers.n; i++)
        if (!at->point->layers[at->layers.list[i]])
            return weir_fail(WEIR_E_INPUT, "%s does not store %s in layer %d", path, at->point->point->name,
                             (int)at->layers.list[i]);
    return WEIR_OK;
}

/* The layers that the place writes: one for all that are changed, or one for each in turn. */
static weir_status pair_layers(struct weir_cache_site *out, const struct weir_edit_source *source, size_t site)
{
    size_t n_sites, turn = weir_turn_of_site(source->scope, site, &n_sites);
    TRY(weir_pairs_list(&out->layers, &source->edit->value, &source->cache->place->place->where.layers,
                        (size_t)weir_file_get_info(source->cache->file)->n_layers, "layer"));
    return weir_pairs_take_turn(&out->layers, turn, n_sites, "layer");
}

static weir_status find_place_layers(struct weir_cache_site *out, const struct weir_edit_source *source, size_t site)
{
    const weir_point *point = out->point->point;
    const struct weir_site *to = &source->scope->sites[site];
    bool written = source->cache->place->place->where.has_layers;
    if (!point->per_layer && written)
        return weir_fail(WEIR_E_USAGE, "%s stands outside the layers and has none", point->name);
    if (point->per_layer && !written && to->layer < 0)
        return weir_fail(WEIR_E_USAGE, "name a layer of %s: %s, which is changed, stands outside them", point->name,
                         weir_point_at(to->point)->name);
    if (written) {
        TRY(pair_layers(out, source, site));
    } else {
        TRY(weir_alloc(&out->layers.list, 1, sizeof *out->layers.list));
        out->layers.list[0] = point->per_layer ? to->layer : -1;
        out->layers.n = 1;
        out->layers.how = WEIR_PAIR_ONE;
    }
    return check_layers_stored(out, source->cache->place->file.path);
}

/* ---- heads and columns ------------------------------------------------------------------------------------------- */

/* Query heads as the key-value heads that they read. */
static void to_kv_heads(struct weir_pairs *pairs, const struct weir_config *config)
{
    for (size_t i = 0; i < pairs->n; i++)
        pairs->list[i] /= config->n_heads / config->n_kv_heads;
}

static weir_status list_units(struct weir_pairs *out, const struct weir_edit_source *source,
                              const struct weir_form *form, size_t n)
{
    const struct weir_where *where = &source->cache->place->place->where;
    bool by_query = where->by_query_head && form->head_axis == WEIR_AXIS_KV_HEAD;
    TRY(weir_pairs_list(out, &source->edit->value, &where->units, by_query ? (size_t)source->model->config.n_heads : n,
                        form->by_heads ? "head" : "unit"));
    if (by_query)
        to_kv_heads(out, &source->model->config);
    return WEIR_OK;
}

static bool is_of_heads(const struct weir_form *form)
{
    return form->head_axis == WEIR_AXIS_HEAD || form->head_axis == WEIR_AXIS_KV_HEAD;
}

/* Key-value heads serve query heads one by one where there are as many, or where it is query heads' copies of them that
   are changed. */
static bool has_own_heads(const struct weir_edit_source *source, const struct weir_form *from, size_t site)
{
    const struct weir_form *to = &source->forms[site];
    bool by_query = source->scope->groups[source->scope->sites[site].group].by_query_head;
    if (!is_of_heads(from) || !is_of_heads(to))
        return from->head_axis == to->head_axis;
    if (by_query)
        return true;
    return from->heads == to->heads;
}

static weir_status pair_heads(struct weir_cache_site *out, const struct weir_edit_source *source, size_t site)
{
    const struct weir_form *from = &out->form, *to = &source->forms[site];
    const char *name = out->point->point->name, *changed = weir_point_at(source->scope->sites[site].point)->name;
    out->heads.how = from->head_axis == WEIR_N_AXES ? WEIR_PAIR_ONE : WEIR_PAIR_OWN;
    if (from->head_axis == WEIR_N_AXES)
        return WEIR_OK;
    if (source->cache->place->place->where.has_units && from->by_heads)
        return list_units(&out->heads, source, from, from->heads);
    if (to->head_axis == WEIR_N_AXES)
        return weir_fail(WEIR_E_USAGE, "%s has %zu heads, and %s has none: name one, as in [%s:5.0]", name, from->heads,
                         changed, name);
    if (!has_own_heads(source, from, site))
        return weir_fail(WEIR_E_USAGE, "%s has %zu heads, %s has %zu: name one", name, from->heads, changed, to->heads);
    return WEIR_OK;
}

static weir_status pair_columns(struct weir_cache_site *out, const struct weir_edit_source *source, size_t site)
{
    const struct weir_form *from = &out->form, *to = &source->forms[site];
    const char *name = out->point->point->name, *changed = weir_point_at(source->scope->sites[site].point)->name;
    bool has_units = source->cache->place->place->where.has_units;
    if (from->has_keys != to->has_keys)
        return weir_fail(WEIR_E_USAGE, "%s %s keys and %s %s: one cannot serve the other", name,
                         from->has_keys ? "has" : "has no", changed, to->has_keys ? "has" : "has none");
    if (has_units && !from->by_heads && !from->by_columns)
        return weir_fail(WEIR_E_USAGE, "%s has no heads or neurons to choose from", name);
    if (has_units && from->by_columns)
        return list_units(&out->columns, source, from, from->columns);
    if (from->columns != to->columns && from->columns != 1)
        return weir_fail(WEIR_E_USAGE, "%s has rows of %zu numbers (%s), %s of %zu (%s)", name, from->columns,
                         weir_axis_name(from->column_axis), changed, to->columns,
                         to->column_axis == WEIR_N_AXES ? "one for each position" : weir_axis_name(to->column_axis));
    out->columns.how = from->columns == 1 ? WEIR_PAIR_ONE : WEIR_PAIR_OWN;
    return WEIR_OK;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static weir_status open_cache_site(const struct weir_edit_source *source, size_t site)
{
    const struct weir_where *where = &source->cache->place->place->where;
    struct weir_cache_site *out = &source->cache->sites[site];
    TRY(find_place_point(out, source, &source->scope->sites[site]));
    TRY(find_place_layers(out, source, site));
    TRY(pair_heads(out, source, site));
    if (out->point->point->id == WEIR_P_ATTN_SCORES && source->edit->value.kind == WEIR_VALUE_MEAN &&
        (where->has_positions || where->has_keys))
        return weir_fail(WEIR_E_USAGE, "attn_scores has no mean over positions or keys: masked ones are -inf");
    return pair_columns(out, source, site);
}

weir_status weir_cache_source_open(struct weir_edit_source *source)
{
    const struct weir_value *place = weir_edit_source_place(&source->edit->value);
    TRY(weir_alloc_zero(&source->cache, 1, sizeof *source->cache));
    source->cache->place = place;
    TRY(weir_alloc_zero(&source->cache->sites, source->scope->n_sites, sizeof *source->cache->sites));
    source->cache->n_sites = source->scope->n_sites;
    TRY(weir_file_open(&source->cache->file, place->file.path));
    TRY(check_model_of_cache(source, place->file.path));
    TRY(check_layers_of_cache(source, place->file.path));
    TRY(weir_in(weir_stored_sides_open(&source->cache->sides, source->cache->file), place->file.path));
    for (size_t site = 0; site < source->scope->n_sites; site++)
        TRY(open_cache_site(source, site));
    return WEIR_OK;
}

void weir_cache_source_close(struct weir_cache_source *cache)
{
    if (!cache)
        return;
    weir_cache_source_forget(cache);
    for (size_t i = 0; cache->sites && i < cache->n_sites; i++) {
        weir_free(cache->sites[i].layers.list);
        weir_free(cache->sites[i].heads.list);
        weir_free(cache->sites[i].columns.list);
    }
    weir_stored_sides_close(&cache->sides);
    weir_free(cache->tables);
    weir_file_close(cache->file);
    weir_free(cache->sites);
    weir_free(cache);
}
