/* Positions of a run's prompts by number, field and text: the lookup of points/lookup.h for prompts of a model. */
#ifndef WEIR_ENGINE_POSITIONS_H
#define WEIR_ENGINE_POSITIONS_H

#include "model/model.h"
#include "points/lookup.h"
#include "points/sides.h"

/* A prompt of a run. */
struct weir_prompt_lookup {
    struct weir_lookup lookup; /* of all positions, those before `past` too, whose tokens no text finds */
    const struct weir_model *model;
    const weir_tokens *prompt;
    size_t past; /* positions that were run before the prompt's own tokens */
};

/* Describes a prompt, which stays the caller's and where it is; close out->lookup. `out` may not move. */
void weir_prompt_lookup_open(struct weir_prompt_lookup *out, const struct weir_model *model, const weir_tokens *prompt,
                             size_t past);

/* Finds the positions of one prompt for places and metrics, as weir_lookup_find does, whose errors it has. `what` is
   what they are, for messages: "position". */
WEIR_CHECKED weir_status weir_positions_find(struct weir_positions *out, const struct weir_model *model,
                                             const weir_tokens *prompt, size_t past, const struct weir_spots *spots,
                                             const char *what);
/* A run's prompts by their sides; `prompts` stays the caller's. */
struct weir_sides weir_prompt_sides(const weir_tokens *prompts, size_t n);
/* The prompt of a run that a name means for prompt `own` of it: weir_sides_find. */
WEIR_CHECKED weir_status weir_prompt_named(size_t *out, const weir_tokens *prompts, size_t n, const char *name,
                                           size_t own);
/* Marks the prompts of a run that a place or selection means: weir_sides_mark. */
WEIR_CHECKED weir_status weir_prompts_mark(bool *marked, const struct weir_whose *whose, const weir_tokens *prompts,
                                           size_t n);

#endif
