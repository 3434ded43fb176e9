/* A plugin for weir: how long the vectors at hook points are, per layer, over all prompts; nothing is stored.

       cc -shared -fPIC $(pkg-config --cflags weir) norms.c -o norms.so -lm
       weir dump -m gpt2 -f prompts.txt --plugin norms.so:resid_post,z --hooks embed@0 -o small.h5

   ARGS is a selection of points whose values are vectors by position, of d_model or d_head; resid_post by default. */
#include <weir.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* One point in one layer. */
struct row {
    size_t n;    /* vectors seen */
    double sum;  /* of their lengths */
    double most; /* the longest, */
    int prompt;  /* and where it was */
    size_t position;
};

struct norms {
    int n_layers;
    struct row *rows; /* [weir_n_points(), n_layers + 1], the last for points outside the blocks */
};

static void count_vector(struct row *row, const float *vector, size_t n, const weir_event *e, size_t position)
{
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        squares += (double)vector[i] * vector[i];
    row->n++;
    row->sum += sqrt(squares);
    if (row->n == 1 || sqrt(squares) > row->most) {
        row->most = sqrt(squares);
        row->prompt = e->prompt;
        row->position = position;
    }
}

/* The value is [pos, width] or [pos, head, width], whole; the selection may name some of its rows and heads. */
static weir_status measure(const weir_event *e, void *payload)
{
    struct norms *norms = payload;
    int layer = e->layer < 0 ? norms->n_layers : e->layer;
    struct row *row = &norms->rows[e->point->id * (norms->n_layers + 1) + layer];
    int last = e->n_axes - 1;
    if (e->axes[last] != WEIR_AXIS_D_MODEL && e->axes[last] != WEIR_AXIS_D_HEAD)
        return weir_fail(WEIR_E_USAGE, "norms: the values of %s are no vectors of d_model or d_head", e->point->name);
    if (e->units && e->n_axes == 2)
        return weir_fail(WEIR_E_USAGE, "norms: %s: give it whole, without single dimensions", e->point->name);
    size_t n_heads = e->n_axes == 3 ? e->shape[1] : 1, width = e->shape[last];
    for (size_t r = 0; r < e->n_rows; r++) {
        size_t pos = e->rows ? (size_t)e->rows[r] : r;
        for (size_t u = 0; u < (e->units ? e->n_units : n_heads); u++) {
            size_t head = e->units ? (size_t)e->units[u] : u;
            count_vector(row, e->data + (pos * n_heads + head) * width, width, e, e->first + pos);
        }
    }
    return WEIR_OK;
}

static void close_norms(void *state)
{
    struct norms *norms = state;
    free(norms->rows);
    free(norms);
}

static weir_status open_norms(void **state, weir_run *run, const weir_model *model, const char *arguments)
{
    struct norms *norms = calloc(1, sizeof *norms);
    if (!norms)
        return weir_fail(WEIR_E_MEMORY, "out of memory");
    norms->n_layers = weir_model_get_info(model)->n_layers;
    norms->rows = calloc((size_t)weir_n_points() * ((size_t)norms->n_layers + 1), sizeof *norms->rows);
    weir_status status = norms->rows
                             ? weir_run_hook(run, *arguments ? arguments : "resid_post", WEIR_READ, measure, norms)
                             : weir_fail(WEIR_E_MEMORY, "out of memory");
    if (status != WEIR_OK)
        close_norms(norms);
    *state = norms;
    return status;
}

static weir_status print_norms(void *state)
{
    const struct norms *norms = state;
    printf("%-16s %5s %8s %10s %10s  %s\n", "point", "layer", "vectors", "mean", "longest", "where");
    for (int i = 0; i < weir_n_points() * (norms->n_layers + 1); i++) {
        const struct row *row = &norms->rows[i];
        int layer = i % (norms->n_layers + 1);
        if (row->n == 0)
            continue;
        char number[16] = "-"; /* outside the blocks */
        if (layer < norms->n_layers)
            snprintf(number, sizeof number, "%d", layer);
        printf("%-16s %5s %8zu %10.4f %10.4f  prompt %d, position %zu\n",
               weir_point_at(i / (norms->n_layers + 1))->name, number, row->n, row->sum / (double)row->n, row->most,
               row->prompt, row->position);
    }
    return WEIR_OK;
}

const weir_plugin weir_plugin_entry = {
    .abi = WEIR_PLUGIN_ABI, .open = open_norms, .end = print_norms, .close = close_norms};
