/* One pass over packed prompts. The stream is [total_pos, d_model]; what can vary is a field of the layer's spec.
   weir_at is the whole hook mechanism seen from here; the pass ends when the plan wants nothing further. */
#include "engine/run.h"
#include "points/points.h"

static weir_status block(struct weir_run *run, int layer)
{
    const struct weir_layer_spec *spec = &run->model->layers[layer].spec;

    TRY(weir_at(run, WEIR_P_RESID_PRE, layer, &run->stream));
    if (!weir_plan_goes_on(&run->plan, WEIR_P_RESID_PRE + 1, layer))
        return WEIR_OK;
    TRY(weir_attention(run, layer)); /* stream -> attn_out */
    if (!weir_plan_goes_on(&run->plan, WEIR_P_ATTN_OUT + 1, layer))
        return WEIR_OK;
    if (spec->attn_only) {
        TRY(weir_add_to_stream(run, run->attn_out));
        return weir_at(run, WEIR_P_RESID_POST, layer, &run->stream);
    }
    if (!spec->parallel) {
        TRY(weir_add_to_stream(run, run->attn_out));
        TRY(weir_at(run, WEIR_P_RESID_MID, layer, &run->stream));
    }
    TRY(weir_mlp(run, layer)); /* stream -> mlp_out */
    if (!weir_plan_goes_on(&run->plan, WEIR_P_MLP_OUT + 1, layer))
        return WEIR_OK;
    if (spec->parallel)
        TRY(weir_add_to_stream(run, run->attn_out));
    TRY(weir_add_to_stream(run, run->mlp_out));
    return weir_at(run, WEIR_P_RESID_POST, layer, &run->stream);
}

weir_status weir_forward(struct weir_run *run)
{
    const struct weir_plan *plan = &run->plan;

    TRY(weir_embed(run)); /* ids -> stream */
    for (int layer = 0; layer < plan->n_layers && layer <= plan->last_layer; layer++) {
        TRY(block(run, layer));
        if (run->lets_go)
            weir_model_release_pages(run->model, layer);
    }
    return plan->last_layer == plan->n_layers ? weir_unembed(run) : WEIR_OK;
}
