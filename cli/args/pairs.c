/* Reads pairs of prompts: lines of JSON with a clean and a corrupt side, or two options. */
#include "cli/args/pairs.h"

#include "base/alloc.h"
#include "base/json.h"

#include <string.h>

/* The fields of one side, as a line of JSON would have them: those of the options, its name, and its line. */
static weir_status fields_of_options(char **out, const struct args *args, const int *fields, const char *side)
{
    cJSON *object = cJSON_CreateObject();
    bool fine = object != NULL;
    *out = NULL;
    for (const int *field = fields; *field >= 0; field++)
        if (args->has[*field])
            fine = fine && cJSON_AddStringToObject(object, args->command->opts[*field].name, args->text[*field]);
    fine = fine && cJSON_AddStringToObject(object, "side", side) && cJSON_AddNumberToObject(object, "line", 0) &&
           (*out = cJSON_PrintUnformatted(object)) != NULL;
    cJSON_Delete(object);
    return fine ? WEIR_OK : weir_fail(WEIR_E_MEMORY, "out of memory");
}

/* One side of the pair of two options. */
static weir_status add_given_side(struct prompts *prompts, const weir_model *model, const struct args *args,
                                  const struct pair_opts *opts, int side)
{
    weir_bos bos = prompts_bos(args, opts->bos);
    const char *text = args->text[side], *name = args->command->opts[side].name;
    TRY(weir_grow(&prompts->list, &prompts->capacity, prompts->n + 1, sizeof *prompts->list));
    weir_tokens *slot = &prompts->list[prompts->n];
    TRY(weir_in(weir_tokenize(slot, model, text, strlen(text), bos), name));
    prompts->n++;
    slot->line = prompts->n_lines;
    TRY(weir_copy_string(&slot->side, name));
    return fields_of_options(&slot->fields, args, opts->fields, name);
}

static weir_status read_pair_lines(struct prompts *out, const weir_model *model, const struct args *args,
                                   const struct pair_opts *opts)
{
    struct sides sides = {0};
    const struct prompt_opts which = {.text = -1,
                                      .file = opts->file,
                                      .tokens = -1,
                                      .line = opts->line,
                                      .bos = opts->bos,
                                      .sides = &sides,
                                      .any_lengths = opts->any_lengths};
    weir_status status;
    TRY_DONE(sides_add(&sides, "clean"));
    TRY_DONE(sides_add(&sides, "corrupt"));
    status = prompts_read(out, model, args, &which);
done:
    sides_close(&sides);
    return status;
}

weir_status pairs_read(struct prompts *out, const weir_model *model, const struct args *args,
                       const struct pair_opts *opts)
{
    if (args->has[opts->clean] != args->has[opts->corrupt])
        return weir_fail(WEIR_E_USAGE, "--clean and --corrupt belong together: give both");
    bool lines = args->has[opts->file] || args->has[opts->line];
    if (lines == args->has[opts->clean])
        return weir_fail(WEIR_E_USAGE,
                         "give pairs of prompts: either --pairs FILE or --line JSON, or --clean TEXT and --corrupt "
                         "TEXT");
    if (lines)
        return read_pair_lines(out, model, args, opts);
    TRY(add_given_side(out, model, args, opts, opts->clean));
    TRY(add_given_side(out, model, args, opts, opts->corrupt));
    out->n_lines++;
    return opts->any_lengths ? WEIR_OK : prompts_check_lengths(model, out->list, out->n, "--clean and --corrupt");
}
