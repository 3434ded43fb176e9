/* For test_sources.py: source_cli MODEL EDIT TOKENS[=FIELDS | #SIDE#LINE] ... prints, one line of JSON per box of what
   an edit changes, the numbers that its source has for it. TOKENS are ids joined by commas, FIELDS the JSON of the
   prompt's line. */
#include "hooks/sources/source.h"
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TOKENS = 512, MOST_PROMPTS = 64 };

static void read_prompt(weir_tokens *out, const weir_model *model, char *argument)
{
    int32_t ids[MOST_TOKENS];
    size_t n = 0;
    char *fields = strchr(argument, '='), *side = strchr(argument, '#'), *end = argument;
    for (; n < MOST_TOKENS && *end && end != fields && end != side; end += *end == ',')
        ids[n++] = (int32_t)strtol(end, &end, 10);
    if (weir_tokens_from_ids(out, model, ids, n) != WEIR_OK)
        exit(1);
    out->fields = fields ? strdup(fields + 1) : NULL;
    if (!side || fields)
        return;
    char *line = strrchr(side, '#');
    out->side = strndup(side + 1, (size_t)(line - side - 1));
    out->line = (size_t)strtol(line + 1, NULL, 10);
}

static void print_list(const char *name, const struct weir_some *some)
{
    printf("\"%s\": [", name);
    for (size_t i = 0; i < some->n; i++)
        printf("%s%zu", i > 0 ? ", " : "", weir_some_at(some, i));
    printf("], ");
}

/* How many elements a unit has at a row: keys of the box, channels of a head, else one. */
static size_t count_inner(const weir_model *model, int point, const struct weir_box *box)
{
    size_t shape[WEIR_MAX_AXES], n = 1;
    const weir_point *p = weir_point_at(point);
    int n_axes = weir_model_shape(model, point, shape);
    for (int axis = 0; axis < n_axes; axis++)
        if (axis != weir_point_row_axis(p) && axis != weir_point_unit_axis(p))
            n *= p->axes[axis] == WEIR_AXIS_KEY ? box->keys.n : shape[axis];
    return n;
}

static void print_number(bool follows, float number)
{
    printf("%s", follows ? ", " : "");
    if (number == -INFINITY)
        printf("-Infinity");
    else
        printf("%.9g", (double)number);
}

static void print_box(const weir_model *model, const struct weir_site *site, size_t prompt, const struct weir_box *box,
                      const struct weir_operand *operand)
{
    size_t units = box->units.n > 0 ? box->units.n : 1, inner = count_inner(model, site->point, box);
    printf("{\"point\": \"%s\", \"layer\": %d, \"prompt\": %zu, ", weir_point_at(site->point)->name, site->layer,
           prompt);
    print_list("rows", &box->rows), print_list("units", &box->units), print_list("keys", &box->keys);
    printf("\"steps\": [%zu, %zu, %zu], \"numbers\": [", operand->row_step, operand->unit_step, operand->inner_step);
    for (size_t i = 0; i < box->rows.n; i++)
        for (size_t j = 0; j < units; j++)
            for (size_t k = 0; k < inner; k++)
                print_number(i + j + k > 0,
                             operand->data[i * operand->row_step + j * operand->unit_step + k * operand->inner_step]);
    printf("]}\n");
}

static weir_status print_all(const weir_model *model, struct weir_edit_source *source, const struct weir_scope *scope)
{
    for (size_t site = 0; site < scope->n_sites; site++)
        for (size_t prompt = 0; prompt < scope->n_prompts; prompt++) {
            const struct weir_region region = weir_scope_region(scope, &scope->sites[site], prompt);
            for (size_t box = 0; box < region.n; box++) {
                struct weir_operand operand;
                TRY(weir_edit_source_numbers(&operand, source, site, prompt, &region.boxes[box]));
                print_box(model, &scope->sites[site], prompt, &region.boxes[box], &operand);
            }
        }
    return WEIR_OK;
}

static weir_status run(const weir_model *model, const char *text, const weir_tokens *prompts, size_t n)
{
    weir_edit *edit = NULL;
    struct weir_scope *scope = NULL;
    struct weir_edit_source *source = NULL;
    weir_status status;
    TRY_DONE(weir_edit_parse(&edit, text));
    TRY_DONE(weir_scope_open_selection(&scope, model, edit->select));
    if (!weir_edit_source_serves(&edit->value))
        TRY_DONE(weir_fail(WEIR_E_USAGE, "a source that is no source's"));
    TRY_DONE(weir_edit_source_open(&source, model, edit, scope));
    if (weir_edit_source_note(source))
        fprintf(stderr, "note: %s\n", weir_edit_source_note(source));
    TRY_DONE(weir_scope_find_rows(scope, prompts, NULL, n));
    TRY_DONE(weir_edit_source_find(source, NULL));
    TRY_DONE(print_all(model, source, scope));
done:
    weir_edit_source_close(source);
    weir_scope_close(scope);
    weir_edit_close(edit);
    return status;
}

int main(int n, char **argument)
{
    weir_model *model;
    weir_tokens prompts[MOST_PROMPTS];
    size_t n_prompts = 0;
    if (n < 4 || n - 3 > MOST_PROMPTS)
        return WEIR_E_USAGE;
    weir_status status = weir_model_open(&model, argument[1], NULL);
    for (int i = 3; status == WEIR_OK && i < n; i++)
        read_prompt(&prompts[n_prompts++], model, argument[i]);
    if (status == WEIR_OK)
        status = run(model, argument[2], prompts, n_prompts);
    if (status != WEIR_OK)
        fprintf(stderr, "%s\n", weir_message());
    for (size_t i = 0; i < n_prompts; i++)
        weir_tokens_close(&prompts[i]);
    weir_model_close(model);
    return (int)status;
}
