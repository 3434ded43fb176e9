/* Circuits from the JSON of EAP-IG: names of nodes and edges, checked against the model. */
#include "analysis/path_circuit.h"
#include "base/alloc.h"
#include "base/escape.h"
#include "base/json.h"
#include "model/model.h"
#include "points/points.h"

#include <string.h>

enum { MLP_READER = 3, MOST_SHOWN = 80 };

/* ---- numbers of nodes ---- */

static size_t heads_of(const struct weir_circuit *circuit)
{
    return (size_t)circuit->model->config.n_heads;
}

size_t weir_circuit_head(const struct weir_circuit *circuit, int layer, size_t head)
{
    return 1 + (size_t)layer * (heads_of(circuit) + 1) + head;
}

size_t weir_circuit_reader(const struct weir_circuit *circuit, int layer, int of, size_t head)
{
    return (size_t)layer * (3 * heads_of(circuit) + 1) + (size_t)of * heads_of(circuit) + head;
}

/* Edges that the model has: from all writers before the first `n` to a reader. */
static void add_edges_to(struct weir_circuit *circuit, size_t reader, size_t n)
{
    memset(circuit->edges + reader * circuit->n_writers, WEIR_EDGE_OUT, n);
    circuit->n_edges += n;
}

static void add_model_edges(struct weir_circuit *circuit)
{
    for (int layer = 0; layer < circuit->model->config.n_layers; layer++) {
        size_t before = weir_circuit_head(circuit, layer, 0);
        bool parallel = circuit->model->layers[layer].spec.parallel;
        for (int of = 0; of < MLP_READER; of++)
            for (size_t head = 0; head < heads_of(circuit); head++)
                add_edges_to(circuit, weir_circuit_reader(circuit, layer, of, head), before);
        add_edges_to(circuit, weir_circuit_reader(circuit, layer, MLP_READER, 0),
                     parallel ? before : before + heads_of(circuit));
    }
    add_edges_to(circuit, circuit->n_readers - 1, circuit->n_writers);
}

/* ---- names ---- */

/* A number without a sign or a leading zero, and below `n`, at *text. */
static bool take_index(const char **text, size_t n, size_t *out)
{
    const char *at = *text;
    *out = 0;
    if (*at == '0' && at[1] >= '0' && at[1] <= '9')
        return false;
    for (; *at >= '0' && *at <= '9'; at++) {
        *out = *out * 10 + (size_t)(*at - '0');
        if (*out >= n)
            return false;
    }
    bool some = at > *text;
    *text = at;
    return some;
}

static bool take_name_part(const char **text, const char *word)
{
    size_t n = strlen(word);
    bool is = strncmp(*text, word, n) == 0;
    *text += is ? n : 0;
    return is;
}

/* "input", "m3", "a3.h5" at *text. */
struct node_name {
    bool is_input, is_mlp, is_logits;
    size_t layer, head;
};

static bool take_node(const char **text, const struct weir_circuit *circuit, struct node_name *out)
{
    size_t n_layers = (size_t)circuit->model->config.n_layers;
    *out = (struct node_name){0};
    if (take_name_part(text, "input"))
        return out->is_input = true;
    if (take_name_part(text, "logits"))
        return out->is_logits = true;
    if (take_name_part(text, "m"))
        return out->is_mlp = take_index(text, n_layers, &out->layer);
    return take_name_part(text, "a") && take_index(text, n_layers, &out->layer) && take_name_part(text, ".h") &&
           take_index(text, heads_of(circuit), &out->head);
}

static bool find_edge(const char *name, const struct weir_circuit *circuit, size_t *out)
{
    struct node_name from, to;
    size_t reader, writer = 0;
    int of = MLP_READER;
    if (!take_node(&name, circuit, &from) || from.is_logits || !take_name_part(&name, "->") ||
        !take_node(&name, circuit, &to) || to.is_input)
        return false;
    if (!to.is_logits && !to.is_mlp) {
        of = take_name_part(&name, "<q>")   ? 0
             : take_name_part(&name, "<k>") ? 1
             : take_name_part(&name, "<v>") ? 2
                                            : -1;
        if (of < 0)
            return false;
    }
    if (!from.is_input)
        writer = weir_circuit_head(circuit, (int)from.layer, from.is_mlp ? heads_of(circuit) : from.head);
    reader = to.is_logits ? circuit->n_readers - 1 : weir_circuit_reader(circuit, (int)to.layer, of, to.head);
    *out = reader * circuit->n_writers + writer;
    return *name == 0 && circuit->edges[*out] != WEIR_EDGE_NONE;
}

/* ---- the document ---- */

static weir_status fail_at_name(const char *path, const char *what, const char *name, const char *why)
{
    char shown[MOST_SHOWN];
    weir_escape(shown, sizeof shown, name ? name : "");
    return weir_fail(WEIR_E_INPUT, "%s: %s '%s': %s", path, what, shown, why);
}

static weir_status check_cfg_size(const cJSON *cfg, const char *path, const char *key, int64_t is)
{
    int64_t given = is;
    TRY(weir_json_int(cfg, path, key, 0, INT32_MAX, &given));
    return given == is ? WEIR_OK
                       : weir_fail(WEIR_E_INPUT, "%s: a circuit of another model: its %s is %lld, this model's %lld",
                                   path, key, (long long)given, (long long)is);
}

static weir_status check_cfg(const cJSON *graph, const char *path, const struct weir_model *model)
{
    const cJSON *cfg = weir_json_get(graph, "cfg");
    bool parallel = model->layers[0].spec.parallel, given = parallel;
    if (!cJSON_IsObject(cfg))
        return weir_fail(WEIR_E_INPUT, "%s: no circuit: it has no object 'cfg'", path);
    TRY(check_cfg_size(cfg, path, "n_layers", model->config.n_layers));
    TRY(check_cfg_size(cfg, path, "n_heads", model->config.n_heads));
    TRY(check_cfg_size(cfg, path, "d_model", model->config.d_model));
    TRY(weir_json_bool(cfg, path, "parallel_attn_mlp", &given));
    return given == parallel
               ? WEIR_OK
               : weir_fail(WEIR_E_INPUT,
                           "%s: a circuit of another model: its parallel_attn_mlp is %s, this model's is not", path,
                           given ? "true" : "false");
}

/* Parts of a node: all of it only. */
static weir_status check_node(const cJSON *node, const char *path, const struct weir_circuit *circuit)
{
    const char *name = node->string;
    struct node_name is;
    const cJSON *neurons = weir_json_get(node, "neurons");
    if (!take_node(&name, circuit, &is) || *name)
        return fail_at_name(path, "node", node->string, "the model has no such node");
    if (!neurons)
        return WEIR_OK;
    if (!cJSON_IsArray(neurons))
        return fail_at_name(path, "node", node->string, "its neurons must be a list");
    for (const cJSON *neuron = neurons->child; neuron; neuron = neuron->next)
        if (!cJSON_IsTrue(neuron))
            return weir_fail(WEIR_E_UNSUPPORTED,
                             "%s: node '%.40s' has some of its neurons only: circuits here are of whole nodes", path,
                             node->string);
    return WEIR_OK;
}

static weir_status take_edge(struct weir_circuit *circuit, uint8_t *seen, const cJSON *edge, const char *path)
{
    size_t at;
    const cJSON *inside = weir_json_get(edge, "in_graph");
    if (!find_edge(edge->string, circuit, &at))
        return fail_at_name(path, "edge", edge->string, "the model has no such edge");
    if (seen[at])
        return fail_at_name(path, "edge", edge->string, "it is there twice");
    seen[at] = 1;
    if (!cJSON_IsBool(inside))
        return fail_at_name(path, "edge", edge->string, "it must be an object whose in_graph is true or false");
    if (cJSON_IsTrue(inside)) {
        circuit->edges[at] = WEIR_EDGE_IN;
        circuit->n_inside++;
    }
    return WEIR_OK;
}

static weir_status take_edges(struct weir_circuit *circuit, const cJSON *edges, const char *path)
{
    uint8_t *seen;
    weir_status status = WEIR_OK;
    TRY(weir_alloc_zero(&seen, circuit->n_readers * circuit->n_writers, sizeof *seen));
    for (const cJSON *edge = edges->child; edge && status == WEIR_OK; edge = edge->next)
        status = take_edge(circuit, seen, edge, path);
    weir_free(seen);
    return status;
}

static weir_status take_graph(struct weir_circuit *circuit, const cJSON *graph, const char *path)
{
    const cJSON *nodes = weir_json_get(graph, "nodes"), *edges = weir_json_get(graph, "edges");
    TRY(check_cfg(graph, path, circuit->model));
    if (nodes && !cJSON_IsObject(nodes))
        return weir_fail(WEIR_E_INPUT, "%s: 'nodes' must be an object", path);
    for (const cJSON *node = nodes ? nodes->child : NULL; node; node = node->next)
        TRY(check_node(node, path, circuit));
    if (!cJSON_IsObject(edges))
        return weir_fail(WEIR_E_INPUT, "%s: no circuit: it has no object 'edges'", path);
    return take_edges(circuit, edges, path);
}

/* ---- models ---- */

static weir_status check_model_layer(const struct weir_model *model, int layer)
{
    static const int points[] = {WEIR_P_Q_INPUT, WEIR_P_K_INPUT, WEIR_P_V_INPUT,
                                 WEIR_P_RESULT,  WEIR_P_MLP_IN,  WEIR_P_MLP_OUT};
    const struct weir_layer_spec *spec = &model->layers[layer].spec;
    const char *why;
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        if (!weir_model_has_point(model, points[i], layer, &why))
            return weir_fail(WEIR_E_UNSUPPORTED, "no circuits of this model: it has no %s in layer %d: %s",
                             weir_point_at(points[i])->name, layer, why);
    if (spec->qk_norm == WEIR_QK_NORM_WIDTH && spec->n_kv_heads != spec->n_heads)
        return weir_fail(
            WEIR_E_UNSUPPORTED,
            "no circuits of this model: the keys of all heads are normed together, so one query head cannot "
            "read others");
    return WEIR_OK;
}

static weir_status allocate_circuit(struct weir_circuit *circuit)
{
    size_t n, n_layers = (size_t)circuit->model->config.n_layers;
    for (int i = 0; i < circuit->model->config.n_layers; i++)
        TRY(check_model_layer(circuit->model, i));
    circuit->n_writers = 1 + n_layers * (heads_of(circuit) + 1);
    circuit->n_readers = 1 + n_layers * (3 * heads_of(circuit) + 1);
    TRY(weir_mul(&n, circuit->n_writers, circuit->n_readers));
    TRY(weir_alloc_zero(&circuit->edges, n, sizeof *circuit->edges));
    add_model_edges(circuit);
    return WEIR_OK;
}

weir_status weir_circuit_read(struct weir_circuit **out, const struct weir_model *model, const char *path)
{
    struct weir_circuit *circuit = NULL;
    cJSON *graph = NULL;
    weir_status status;
    *out = NULL;
    TRY_DONE(weir_alloc_zero(&circuit, 1, sizeof *circuit));
    circuit->model = model;
    TRY_DONE(allocate_circuit(circuit));
    TRY_DONE(weir_json_read(&graph, path));
    TRY_DONE(take_graph(circuit, graph, path));
    *out = circuit;
    circuit = NULL;
done:
    cJSON_Delete(graph);
    weir_circuit_close(circuit);
    return status;
}

void weir_circuit_close(struct weir_circuit *circuit)
{
    if (!circuit)
        return;
    weir_free(circuit->edges);
    weir_free(circuit);
}
