/* One pass over packed prompts. The stream is [total_pos, d_model]; what can vary is a field of the layer's spec.
   weir_at is the whole hook mechanism seen from here; the pass ends when the plan wants nothing further. */
#include "engine/start.h"
#include "engine/steps.h"
#include "points/points.h"

/* Where a block may end: these are the first points of what comes next. */
_Static_assert(WEIR_P_ATTN_IN == WEIR_P_RESID_PRE + 1, "attention begins after resid_pre");
_Static_assert(WEIR_P_RESID_MID == WEIR_P_ATTN_OUT + 1, "resid_mid is what attn_out is added to");
_Static_assert(WEIR_P_MLP_IN == WEIR_P_RESID_MID + 1, "the MLP begins after resid_mid");
_Static_assert(WEIR_P_RESID_POST == WEIR_P_MLP_OUT + 1, "resid_post is what mlp_out is added to");

static weir_status run_block(struct weir_run *run, int layer)
{
    const struct weir_layer_spec *spec = &run->model->layers[layer].spec;

    TRY(weir_at(run, WEIR_P_RESID_PRE, layer, &run->values.stream));
    if (!weir_plan_goes_past(&run->plan, WEIR_P_RESID_PRE, layer))
        return WEIR_OK;
    TRY(weir_block_attention(run, layer)); /* stream -> attn_out */
    if (!weir_plan_goes_past(&run->plan, WEIR_P_ATTN_OUT, layer))
        return WEIR_OK;
    if (spec->attn_only) {
        TRY(weir_stream_add(run, run->values.attn_out));
        return weir_at(run, WEIR_P_RESID_POST, layer, &run->values.stream);
    }
    if (!spec->parallel) {
        TRY(weir_stream_add(run, run->values.attn_out));
        TRY(weir_at(run, WEIR_P_RESID_MID, layer, &run->values.stream));
    }
    TRY(weir_block_mlp(run, layer)); /* stream -> mlp_out */
    if (!weir_plan_goes_past(&run->plan, WEIR_P_MLP_OUT, layer))
        return WEIR_OK;
    if (spec->parallel)
        TRY(weir_stream_add(run, run->values.attn_out));
    TRY(weir_stream_add(run, run->values.mlp_out));
    return weir_at(run, WEIR_P_RESID_POST, layer, &run->values.stream);
}

weir_status weir_forward(struct weir_run *run)
{
    const struct weir_plan *plan = &run->plan;
    const struct weir_start *from = run->batch.from;
    int first = from && from->layer >= 0 ? from->layer : 0;

    TRY(from && from->layer >= 0 ? weir_resume(run) : weir_embed(run)); /* what is kept, or ids -> stream */
    for (int layer = first; layer < plan->n_layers && layer <= plan->last_layer; layer++) {
        TRY(run_block(run, layer));
        if (run->frees_weights)
            weir_model_release_pages(run->model, layer);
    }
    return plan->last_layer == plan->n_layers ? weir_unembed(run) : WEIR_OK;
}
