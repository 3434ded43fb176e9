/* Looks positions and prompts up in a stored file. */
#include "store/read/lookup.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

static size_t text_of_stored(const void *context, size_t position, char *text, size_t size)
{
    const struct weir_stored_lookup *of = context;
    return (size_t)snprintf(text, size, "%s", weir_file_token(of->file, of->prompt, (int)position));
}

weir_status weir_stored_lookup_open(struct weir_stored_lookup *out, const weir_file *file, int prompt)
{
    weir_file_prompt tokens;
    *out = (struct weir_stored_lookup){.file = file, .prompt = prompt};
    TRY(weir_file_get_prompt(file, prompt, &tokens));
    out->lookup =
        (struct weir_lookup){.n = tokens.n, .fields = tokens.fields, .token_text = text_of_stored, .context = out};
    return WEIR_OK;
}

weir_status weir_stored_positions(struct weir_positions *out, const weir_file *file, int prompt,
                                  const struct weir_spots *spots, const char *what)
{
    struct weir_stored_lookup of;
    *out = (struct weir_positions){0};
    TRY(weir_stored_lookup_open(&of, file, prompt));
    weir_status status = weir_lookup_find(out, &of.lookup, spots, what);
    bool by_text = of.lookup.begins;
    weir_lookup_close(&of.lookup);
    if (by_text && weir_file_check_texts(file) != WEIR_OK) { /* what was not found may be what cannot be read */
        weir_positions_close(out);
        return weir_file_check_texts(file);
    }
    return status;
}

/* ---- prompts ---- */

static const char *stored_side(const void *context, size_t prompt)
{
    char *const *sides = context;
    return sides[prompt];
}

/* The side of a prompt as its fields have it, in new memory; NULL: none. */
static weir_status read_side(char **out, const weir_file *file, size_t index)
{
    weir_file_prompt prompt;
    cJSON *fields;
    *out = NULL;
    TRY(weir_file_get_prompt(file, (int)index, &prompt));
    if (!prompt.fields)
        return WEIR_OK;
    TRY(weir_json_parse(&fields, "/prompts/fields", prompt.fields, strlen(prompt.fields)));
    const cJSON *side = weir_json_get(fields, "side");
    weir_status status = cJSON_IsString(side) ? weir_copy_string(out, side->valuestring) : WEIR_OK;
    cJSON_Delete(fields);
    return status;
}

weir_status weir_stored_prompts_mark(bool *marked, const struct weir_whose *whose, const weir_file *file)
{
    size_t n = (size_t)weir_file_get_info(file)->n_prompts;
    char **sides;
    weir_status status = WEIR_OK;
    TRY(weir_alloc_zero(&sides, n, sizeof *sides));
    for (size_t i = 0; whose->name && i < n && status == WEIR_OK; i++)
        status = read_side(&sides[i], file, i);
    if (status == WEIR_OK)
        status = weir_whose_mark(marked, whose, n, stored_side, sides);
    for (size_t i = 0; i < n; i++)
        weir_free(sides[i]);
    weir_free(sides);
    return status;
}
