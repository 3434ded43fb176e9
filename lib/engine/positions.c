/* Looks positions up in prompts of a run. */
#include "engine/positions.h"

/* Tokens that were run before are not at hand, and have no text. */
static size_t text_at_position(const void *context, size_t position, char *text, size_t size)
{
    const struct weir_prompt_lookup *of = context;
    if (position >= of->past)
        return weir_token_text(of->model, of->prompt->ids[position - of->past], text, size);
    if (size > 0)
        *text = '\0';
    return 0;
}

void weir_prompt_lookup_open(struct weir_prompt_lookup *out, const struct weir_model *model, const weir_tokens *prompt,
                             size_t past)
{
    *out = (struct weir_prompt_lookup){.model = model, .prompt = prompt, .past = past};
    out->lookup = (struct weir_lookup){.n = past + prompt->n,
                                       .fields = prompt->fields,
                                       .side = prompt->side,
                                       .token_text = text_at_position,
                                       .context = out};
}

weir_status weir_positions_find(struct weir_positions *out, const struct weir_model *model, const weir_tokens *prompt,
                                size_t past, const struct weir_spots *spots, const char *what)
{
    struct weir_prompt_lookup of;
    weir_prompt_lookup_open(&of, model, prompt, past);
    weir_status status = weir_lookup_find(out, &of.lookup, spots, what);
    weir_lookup_close(&of.lookup);
    return status;
}

static const char *side_of_prompt(const void *context, size_t prompt)
{
    const weir_tokens *prompts = context;
    return prompts[prompt].side;
}

weir_status weir_prompts_mark(bool *marked, const struct weir_whose *whose, const weir_tokens *prompts, size_t n)
{
    return weir_whose_mark(marked, whose, n, side_of_prompt, prompts);
}
