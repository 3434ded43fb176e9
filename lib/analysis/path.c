/* Receivers of path patching, and which senders lie before them. */
#include "analysis/path.h"

#include "analysis/path_parts.h"
#include "base/alloc.h"
#include "base/text.h"

const char *weir_path_name(const struct weir_path_options *options)
{
    return options->kind == WEIR_PATH_DIRECT ? "direct" : options->freeze_mlps ? "frozen with MLPs" : "frozen";
}

/* ---- branches ---- */

static bool is_between(int point, int first, int last)
{
    return point >= first && point <= last;
}

static bool in_attention(int point)
{
    return is_between(point, WEIR_P_ATTN_IN, WEIR_P_ATTN_OUT);
}

int weir_path_written(int point)
{
    return in_attention(point)                                ? WEIR_P_ATTN_OUT
           : is_between(point, WEIR_P_MLP_IN, WEIR_P_MLP_OUT) ? WEIR_P_MLP_OUT
                                                              : point;
}

bool weir_path_by_head(int point)
{
    const weir_point *p = weir_point_at(point);
    int units = weir_point_unit_axis(p);
    return units >= 0 && (p->axes[units] == WEIR_AXIS_HEAD || p->axes[units] == WEIR_AXIS_KV_HEAD);
}

/* The moment after which the stream has what a sender writes: parallel branches are added together. */
static size_t moment_written(const struct weir_model *model, int point, int layer)
{
    bool together = layer >= 0 && in_attention(point) && model->layers[layer].spec.parallel;
    return weir_plan_moment(model->config.n_layers, together ? WEIR_P_MLP_OUT : weir_path_written(point), layer);
}

bool weir_path_is_behind(const struct weir_path *path, const struct weir_site *site, const weir_variant *v,
                         size_t prompt)
{
    const struct weir_model *model = path->run->model;
    struct weir_some rows = weir_scope_rows(path->to, site, prompt);
    return weir_plan_moment(model->config.n_layers, site->point, site->layer) >
               moment_written(model, v->point, v->layer) &&
           rows.n > 0 && (int)weir_some_at(&rows, rows.n - 1) >= v->position;
}

bool weir_path_reaches(const struct weir_path *path, const weir_variant *v, size_t prompt)
{
    for (size_t i = 0; i < path->to->n_sites; i++)
        if (weir_path_is_behind(path, &path->to->sites[i], v, prompt))
            return true;
    return false;
}

bool weir_path_reaches_from(const struct weir_path *path, int point, int layer)
{
    const weir_variant v = {.point = point, .layer = layer, .position = -1};
    for (size_t i = 0; i < path->n; i++)
        if (weir_path_reaches(path, &v, i))
            return true;
    return false;
}

/* ---- what cannot be ---- */

static bool is_stream_read(int point)
{
    static const int points[] = {WEIR_P_RESID_PRE, WEIR_P_ATTN_IN,   WEIR_P_Q_INPUT, WEIR_P_K_INPUT,
                                 WEIR_P_V_INPUT,   WEIR_P_RESID_MID, WEIR_P_MLP_IN,  WEIR_P_RESID_POST};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        if (points[i] == point)
            return true;
    return false;
}

static weir_status check_receiver(const struct weir_path *path, const struct weir_site *site)
{
    const char *name = weir_point_at(site->point)->name;
    const struct weir_model *model = path->run->model;
    bool before_norm = site->point == WEIR_P_K_INPUT || site->point == WEIR_P_K;
    if (path->options->kind == WEIR_PATH_DIRECT && !is_stream_read(site->point))
        return weir_fail(WEIR_E_USAGE,
                         "%s: a direct path ends where the stream is read: name q_input, k_input, v_input, attn_in or "
                         "mlp_in, or the stream itself, as in resid_post:-1",
                         name);
    if (path->options->kind == WEIR_PATH_FROZEN && is_between(site->point, WEIR_P_RESULT, WEIR_P_ATTN_OUT))
        return weir_fail(WEIR_E_USAGE, "%s comes after z, which is held: name z, or what it is made of", name);
    if (before_norm && weir_scope_is_by_query(path->to, site) &&
        model->layers[site->layer].spec.qk_norm == WEIR_QK_NORM_WIDTH)
        return weir_fail(WEIR_E_UNSUPPORTED,
                         "%s: the keys of all heads are normed together, so one query head cannot read others: name "
                         "the key-value head",
                         name);
    return WEIR_OK;
}

static weir_status check_direct_sender(const struct weir_model *model, int point, int layer)
{
    const char *name = weir_point_at(point)->name;
    if (layer >= 0 && model->layers[layer].spec.shared_norm && is_between(point, WEIR_P_LN1_SCALE, WEIR_P_LN1_OUT))
        return weir_fail(WEIR_E_USAGE, "%s feeds attention and the MLP at once: patch what only one of them reads",
                         name);
    if (point == WEIR_P_POS_EMBED && model->config.positions_to_qk)
        return weir_fail(WEIR_E_USAGE, "%s is not added to the stream in this model: patch embed", name);
    return WEIR_OK;
}

weir_status weir_path_check_sender(const struct weir_path *path, int point, int layer)
{
    if (layer < 0 && point > WEIR_P_RESID_POST)
        return weir_fail(WEIR_E_USAGE, "%s comes after all blocks: a path begins in them, or at the embedding",
                         weir_point_at(point)->name);
    return path->options->kind == WEIR_PATH_DIRECT ? check_direct_sender(path->run->model, point, layer) : WEIR_OK;
}

/* ---- opening ---- */

static weir_status print_receiving_heads(struct weir_text *text, const struct weir_path *path,
                                         const struct weir_site *site)
{
    size_t n = path->to->groups[site->group].n_units;
    bool *marked, first = true;
    TRY(weir_alloc_zero(&marked, n, sizeof *marked));
    weir_scope_mark_units(path->to, site, marked);
    weir_status status = weir_text_print(text, "%s:%d.%s", weir_point_at(site->point)->name, site->layer,
                                         path->to->groups[site->group].by_query_head ? "h" : "");
    for (size_t i = 0; i < n && status == WEIR_OK; i++)
        if (marked[i]) {
            status = weir_text_print(text, first ? "%zu" : "+%zu", i);
            first = false;
        }
    weir_free(marked);
    return status;
}

/* One receiver's site as the plan gets it: copies of the stream are made for no other heads. */
static weir_status open_hooked(struct weir_scope **out, const struct weir_path *path, const struct weir_site *site)
{
    struct weir_text text = {0};
    weir_status status;
    if (!weir_path_by_head(site->point))
        return weir_scope_open_at(out, path->run->model, site->point, site->layer);
    TRY_DONE(print_receiving_heads(&text, path, site));
    TRY_DONE(weir_scope_open(out, path->run->model, text.data, NULL));
done:
    weir_text_close(&text);
    return status;
}

static weir_status find_receivers(struct weir_path *path)
{
    TRY(weir_selection_parse(&path->selection, path->options->to));
    TRY(weir_scope_open_selection(&path->to, path->run->model, path->selection));
    if (weir_scope_has_prompts(path->to))
        return weir_fail(WEIR_E_USAGE, "%s: receivers are in the prompt that runs: name no prompts", path->options->to);
    TRY(weir_scope_find_rows(path->to, path->prompts, NULL, path->n));
    TRY(weir_alloc_zero(&path->hooked, path->to->n_sites, sizeof(struct weir_scope *)));
    for (size_t i = 0; i < path->to->n_sites; i++) {
        TRY(check_receiver(path, &path->to->sites[i]));
        TRY(open_hooked(&path->hooked[i], path, &path->to->sites[i]));
    }
    return WEIR_OK;
}

weir_status weir_path_open(struct weir_path **out, weir_run *run, const weir_tokens *prompts, size_t n,
                           const struct weir_path_options *options)
{
    struct weir_path *path = NULL;
    weir_status status;
    *out = NULL;
    TRY_DONE(weir_alloc_zero(&path, 1, sizeof *path));
    *path = (struct weir_path){.options = options, .run = run, .prompts = prompts, .n = n};
    TRY_DONE(find_receivers(path));
    *out = path;
    path = NULL;
done:
    weir_path_close(path);
    return status;
}

void weir_path_close(struct weir_path *path)
{
    if (!path)
        return;
    for (size_t i = 0; path->hooked && i < path->to->n_sites; i++)
        weir_scope_close(path->hooked[i]);
    weir_free(path->hooked);
    weir_scope_close(path->to);
    weir_selection_close(path->selection);
    weir_free(path);
}
