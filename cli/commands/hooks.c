/* weir hooks: the hook points that a model has. */
#include "cli/args/model.h"
#include "cli/args/options.h"
#include "cli/commands/commands.h"
#include "cli/print/json.h"
#include "cli/print/say.h"
#include "cli/print/table.h"

#include "base/alloc.h"
#include "points/select.h"
#include "points/text.h"

#include <string.h>

enum { MODEL, PULL, JSON };

static const struct opt opts[] = {[MODEL] = OPT_MODEL, [PULL] = OPT_PULL, [JSON] = OPT_JSON};

/* Marks the layers in which a point fires. @return whether it does at all. */
static bool mark_firing_layers(const weir_model *model, const weir_point *point, bool *layers, int n_layers)
{
    bool any = false;
    if (!point->per_layer)
        return weir_model_has_point(model, point->id, -1, NULL);
    for (int i = 0; i < n_layers; i++) {
        layers[i] = weir_model_has_point(model, point->id, i, NULL);
        any |= layers[i];
    }
    return any;
}

/* "[pos, head 9, d_head 64]": numbers where the model fixes them. */
static const char *hook_shape_text(char to[96], const weir_model *model, const weir_point *point)
{
    size_t shape[WEIR_MAX_AXES] = {0};
    *to = '\0';
    weir_model_shape(model, point->id, shape);
    for (int i = 0; i < point->n_axes; i++) {
        const char *name = weir_axis_name(point->axes[i]);
        weir_text_append(to, 96, "%s%s", i ? ", " : "[", name);
        if (shape[i])
            weir_text_append(to, 96, " %zu", shape[i]);
    }
    weir_text_append(to, 96, "]");
    return to;
}

static cJSON *json_hook(const weir_point *point, const bool *layers, int n_layers)
{
    cJSON *hook = cJSON_CreateObject();
    cJSON_AddStringToObject(hook, "name", point->hook);
    cJSON_AddStringToObject(hook, "short", point->name);
    cJSON *axes = cJSON_AddArrayToObject(hook, "axes");
    for (int i = 0; i < point->n_axes; i++)
        cJSON_AddItemToArray(axes, cJSON_CreateString(weir_axis_name(point->axes[i])));
    cJSON_AddItemToObject(hook, "layers", json_marked(layers, point->per_layer ? n_layers : 0));
    return hook;
}

static weir_status print_hooks_json(const weir_model *model, bool *layers, int n_layers)
{
    cJSON *root = cJSON_CreateObject(), *hooks = cJSON_AddArrayToObject(root, "hooks");
    for (int i = 0; i < weir_n_points(); i++)
        if (mark_firing_layers(model, weir_point_at(i), layers, n_layers))
            cJSON_AddItemToArray(hooks, json_hook(weir_point_at(i), layers, n_layers));
    return json_print(root);
}

static weir_status print_hooks_table(const weir_model *model, bool *layers, int n_layers)
{
    static const char *const names[] = {"short", "name", "shape", "layers", "meaning"};
    static const enum align aligns[] = {LEFT, LEFT, LEFT, LEFT, WRAPPED};
    struct table table = {.n_columns = 5, .names = names, .aligns = aligns};
    char shape[96], text[64];
    weir_status status = WEIR_OK;
    for (int i = 0; i < weir_n_points(); i++) {
        const weir_point *point = weir_point_at(i);
        if (!mark_firing_layers(model, point, layers, n_layers))
            continue;
        TRY_DONE(table_add(&table, "%s%s", point->name, point->by_name_only ? " *" : point->by_default ? " +" : ""));
        TRY_DONE(table_add(&table, "%s", point->hook));
        TRY_DONE(table_add(&table, "%s", hook_shape_text(shape, model, point)));
        TRY_DONE(table_add(&table, "%s", weir_ranges_text(text, point->per_layer ? layers : NULL, n_layers)));
        TRY_DONE(table_add(&table, "%s", point->meaning));
    }
    TRY_DONE(table_print(&table));
    say("+ stored by default; * large and derivable, stored only by name\n");
done:
    table_close(&table);
    return status;
}

static int run_hooks(const struct args *args)
{
    weir_model *model = NULL;
    bool *layers = NULL;
    const char *where;
    weir_status status;
    TRY_DONE(model_where(&where, args, MODEL, PULL));
    TRY_DONE(open_with_notes(&model, where, NULL));
    int n_layers = weir_model_get_info(model)->n_layers;
    TRY_DONE(weir_alloc_zero(&layers, (size_t)n_layers, sizeof *layers));
    status = args->has[JSON] ? print_hooks_json(model, layers, n_layers) : print_hooks_table(model, layers, n_layers);
done:
    weir_free(layers);
    weir_model_close(model);
    return (int)status;
}

const struct command cmd_hooks = {
    .name = "hooks",
    .summary = "list the hook points of a model",
    .usage = "[-m MODEL] [--json]",
    .example = "weir hooks -m model.gguf",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .run = run_hooks,
};
