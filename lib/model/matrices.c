/* Every matrix of a model in turn. */
#include "model/model.h"

static weir_status each_of(struct weir_linear *const *list, weir_matrix_fn *fn, void *payload)
{
    for (size_t i = 0; list[i]; i++)
        if (list[i]->w.n_out > 0)
            TRY(fn(&list[i]->w, payload));
    return WEIR_OK;
}

static weir_status each_in_layer(struct weir_layer *l, weir_matrix_fn *fn, void *payload)
{
    struct weir_linear *const all[] = {&l->q,      &l->k,       &l->v,      &l->o, &l->mlp_gate,
                                       &l->mlp_in, &l->mlp_out, &l->router, NULL};
    TRY(each_of(all, fn, payload));
    for (int i = 0; l->experts && i < l->spec.n_experts; i++) {
        struct weir_expert *e = &l->experts[i];
        struct weir_linear *const parts[] = {&e->gate, &e->in, &e->out, NULL};
        TRY(each_of(parts, fn, payload));
    }
    return WEIR_OK;
}

weir_status weir_model_each_matrix(struct weir_model *model, weir_matrix_fn *fn, void *payload)
{
    struct weir_linear *const ends[] = {&model->embed_in, &model->embed_out, &model->unembed, NULL};
    for (int i = 0; i < model->config.n_layers; i++)
        TRY(each_in_layer(&model->layers[i], fn, payload));
    return each_of(ends, fn, payload);
}

static weir_status release_matrix_pages(struct weir_matrix *matrix, void *payload)
{
    (void)payload;
    weir_matrix_release_pages(matrix);
    return WEIR_OK;
}

void weir_model_release_pages(struct weir_model *model, int layer)
{
    weir_status status = each_in_layer(&model->layers[layer], release_matrix_pages, NULL);
    (void)status; /* letting go does not fail */
}
