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

/* A side and its line as a prompt's fields have them. */
static weir_status read_side(struct weir_stored_side *out, const weir_file *file, size_t index)
{
    weir_file_prompt prompt;
    cJSON *fields;
    out->line = SIZE_MAX;
    TRY(weir_file_get_prompt(file, (int)index, &prompt));
    if (!prompt.fields)
        return WEIR_OK;
    TRY(weir_json_parse(&fields, "/prompts/fields", prompt.fields, strlen(prompt.fields)));
    const cJSON *side = weir_json_get(fields, "side"), *line = weir_json_get(fields, "line");
    weir_status status = cJSON_IsString(side) ? weir_copy_string(&out->name, side->valuestring) : WEIR_OK;
    if (cJSON_IsNumber(line) && line->valuedouble >= 0 && line->valuedouble < 0x1p53)
        out->line = (size_t)line->valuedouble;
    cJSON_Delete(fields);
    return status;
}

weir_status weir_stored_sides_open(struct weir_stored_sides *out, const weir_file *file)
{
    *out = (struct weir_stored_sides){.n = (size_t)weir_file_get_info(file)->n_prompts};
    TRY(weir_alloc_zero(&out->list, out->n, sizeof *out->list));
    for (size_t i = 0; i < out->n; i++)
        TRY(read_side(&out->list[i], file, i));
    return WEIR_OK;
}

void weir_stored_sides_close(struct weir_stored_sides *sides)
{
    for (size_t i = 0; sides->list && i < sides->n; i++)
        weir_free(sides->list[i].name);
    weir_free(sides->list);
    *sides = (struct weir_stored_sides){0};
}

static struct weir_side stored_side(const void *context, size_t prompt)
{
    const struct weir_stored_side *side = (const struct weir_stored_side *)context + prompt;
    return (struct weir_side){side->name, side->line};
}

struct weir_sides weir_stored_sides_of(const struct weir_stored_sides *sides, const char *whose)
{
    return (struct weir_sides){.n = sides->n, .of = stored_side, .context = sides->list, .whose = whose};
}

weir_status weir_stored_prompts_mark(bool *marked, const struct weir_whose *whose, const weir_file *file)
{
    struct weir_stored_sides stored = {.n = (size_t)weir_file_get_info(file)->n_prompts};
    weir_status status = whose->name ? weir_stored_sides_open(&stored, file) : WEIR_OK;
    const struct weir_sides sides = weir_stored_sides_of(&stored, "the file");
    if (status == WEIR_OK)
        status = weir_sides_mark(marked, &sides, whose);
    weir_stored_sides_close(&stored);
    return status;
}
