/* Finds results by their names. */
#include "cli/select/results.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

static const char PATCH[] = WEIR_GROUP_PATCH;

/* The kind of grids of which all are meant, by "patch_stderr"; WEIR_N_GRID_KINDS for none. */
static enum weir_grid_kind kind_of_all(const char *word)
{
    enum weir_grid_kind kind = 0;
    if (strncmp(word, PATCH, sizeof PATCH - 1) != 0)
        return WEIR_N_GRID_KINDS;
    while (kind < WEIR_N_GRID_KINDS && strcmp(word + sizeof PATCH - 1, weir_grid_suffix(kind)) != 0)
        kind++;
    return kind;
}

bool is_result_name(const char *word)
{
    for (int id = 0; id < WEIR_N_RESULTS; id++)
        if (strcmp(word, weir_result_at(id)->name) == 0)
            return true;
    return strncmp(word, WEIR_GROUP_PATCH "/", sizeof PATCH) == 0 || kind_of_all(word) < WEIR_N_GRID_KINDS;
}

/* "patch/resid_pre, patch/z, metrics": without what stands beside another. */
static void list_result_names(char *to, size_t size, const struct results *results)
{
    size_t n = 0;
    *to = '\0';
    for (size_t i = 0; i < results->n_grids; i++)
        if (results->grids[i].kind == WEIR_GRID_VALUE && n < size)
            n += (size_t)snprintf(to + n, size - n, "%s%s", n ? ", " : "", results->grids[i].name);
}

weir_status results_open(struct results *out, const weir_file *file, const char *word)
{
    char names[400];
    *out = (struct results){.file = file};
    TRY(weir_stored_grids_find(&out->grids, &out->n_grids, file));
    TRY(weir_alloc_zero(&out->list, out->n_grids, sizeof(void *)));
    enum weir_grid_kind all = kind_of_all(word);
    for (size_t i = 0; i < out->n_grids; i++)
        if (all < WEIR_N_GRID_KINDS ? out->grids[i].point && out->grids[i].kind == all
                                    : strcmp(out->grids[i].name, word) == 0)
            out->list[out->n++] = &out->grids[i];
    if (out->n > 0)
        return WEIR_OK;
    list_result_names(names, sizeof names, out);
    return *names ? weir_fail(WEIR_E_USAGE, "%s: the file has no such result; it has %s", word, names)
                  : weir_fail(WEIR_E_USAGE,
                              "%s: the file has no results; weir patch -o and weir run -o --metric store "
                              "some",
                              word);
}

void results_close(struct results *results)
{
    weir_stored_grids_free(results->grids, results->n_grids);
    weir_free(results->list);
}

weir_status results_each(const struct results *results, result_fn *each, void *payload)
{
    for (size_t i = 0; i < results->n; i++) {
        float *values;
        TRY(weir_stored_grid_read(&values, results->file, results->list[i]));
        weir_status status = each(results->list[i], values, payload);
        weir_free(values);
        TRY(status);
    }
    return WEIR_OK;
}

const char *common_token(const weir_file *file, int first, size_t position)
{
    weir_file_prompt prompt, other;
    if (weir_file_get_prompt(file, first, &prompt) != WEIR_OK || position >= prompt.n)
        return NULL;
    for (int i = first + 2; i < weir_file_get_info(file)->n_prompts; i += 2)
        if (weir_file_get_prompt(file, i, &other) != WEIR_OK || position >= other.n ||
            other.ids[position] != prompt.ids[position])
            return NULL;
    return weir_file_token(file, first, (int)position);
}

const char *result_token(const weir_file *file, const struct weir_stored_grid *grid, int axis, size_t index)
{
    return weir_stored_grid_has_tokens(grid, axis) ? common_token(file, 0, index) : NULL;
}
