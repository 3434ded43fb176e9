/* Looks positions and prompts up in a run. */
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

static struct weir_side side_of_prompt(const void *context, size_t prompt)
{
    const weir_tokens *tokens = (const weir_tokens *)context + prompt;
    return (struct weir_side){tokens->side, tokens->line};
}

struct weir_sides weir_prompt_sides(const weir_tokens *prompts, size_t n)
{
    return (struct weir_sides){.n = n, .of = side_of_prompt, .context = prompts, .whose = "the run"};
}

weir_status weir_prompt_named(size_t *out, const weir_tokens *prompts, size_t n, const char *name, size_t own)
{
    const struct weir_sides sides = weir_prompt_sides(prompts, n);
    const struct weir_side side = side_of_prompt(prompts, own);
    return weir_sides_find(out, &sides, name, &side, prompts[own].fields);
}

weir_status weir_prompts_mark(bool *marked, const struct weir_whose *whose, const weir_tokens *prompts, size_t n)
{
    const struct weir_sides sides = weir_prompt_sides(prompts, n);
    return weir_sides_mark(marked, &sides, whose);
}
