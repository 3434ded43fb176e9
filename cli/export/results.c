/* Writes results as .npy, .npz and .csv. */
#include "cli/export/results.h"
#include "cli/export/export.h"
#include "cli/export/zip.h"
#include "cli/print/json.h"

#include "base/alloc.h"
#include "base/escape.h"
#include "base/text.h"
#include "points/points.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- arrays ---- */

static weir_status write_result_array(struct buffered *out, const struct weir_stored_grid *grid, const float *values)
{
    return buffered_write(out, values, grid->n_cells * sizeof *values);
}

static size_t header_of_result(char header[NPY_HEADER], const struct weir_stored_grid *grid)
{
    return npy_header(header, "<f4", grid->shape, grid->rank);
}

static weir_status write_result_npy(const struct weir_stored_grid *grid, const float *values, void *payload)
{
    char header[NPY_HEADER];
    TRY(buffered_write(payload, header, header_of_result(header, grid)));
    return write_result_array(payload, grid, values);
}

weir_status export_result_npy(struct buffered *out, const struct results *results)
{
    if (results->n > 1)
        return weir_fail(WEIR_E_USAGE,
                         "a .npy file has one array, and these are %zu: choose one, as in %s, or write .npz",
                         results->n, results->list[0]->name);
    return results_each(results, write_result_npy, out);
}

static weir_status write_npz_entry(const struct weir_stored_grid *grid, const float *values, void *payload)
{
    struct zip *zip = payload;
    char header[NPY_HEADER], entry[WEIR_STORED_GRID_NAME + 8];
    const char *slash = strrchr(grid->name, '/');
    size_t n = header_of_result(header, grid);
    snprintf(entry, sizeof entry, "%s.npy", slash ? slash + 1 : grid->name);
    TRY(zip_begin(zip, entry, n + grid->n_cells * sizeof *values));
    TRY(buffered_write(zip->out, header, n));
    TRY(write_result_array(zip->out, grid, values));
    return zip_end(zip);
}

weir_status export_result_npz(struct buffered *out, const struct results *results)
{
    struct zip zip = {.out = out};
    weir_status status = results_each(results, write_npz_entry, &zip);
    if (status == WEIR_OK)
        status = zip_finish(&zip);
    zip_close(&zip);
    return status;
}

/* ---- tables ---- */

struct result_table {
    struct buffered *out;
    const struct results *results;
    bool to_terminal;         /* which text must not steer */
    bool has[WEIR_N_DIMS];    /* which axes any of the results has */
    bool tokens[WEIR_N_DIMS]; /* and which have texts of tokens */
};

/* Appends text of a file between quotes, as RFC 4180 has it; on a terminal what could steer it is shown. */
static weir_status add_csv_text(struct weir_text *line, const struct result_table *table, const char *text)
{
    size_t size = strlen(text) * WEIR_ESCAPED_MOST + 1;
    char *shown;
    weir_status status;
    TRY(weir_alloc(&shown, size, 1));
    if (table->to_terminal)
        weir_escape(shown, size, text);
    else
        memcpy(shown, text, strlen(text) + 1);
    TRY_DONE(weir_text_add(line, "\"", 1));
    for (const char *c = shown; *c; c++)
        TRY_DONE(*c == '"' ? weir_text_add(line, "\"\"", 2) : weir_text_add(line, c, 1));
    TRY_DONE(weir_text_add(line, "\"", 1));
done:
    weir_free(shown);
    return status;
}

static size_t place_on_axis(const struct weir_stored_grid *grid, size_t cell, int axis)
{
    for (int a = grid->rank - 1; a > axis; a--)
        cell /= grid->shape[a];
    return cell % grid->shape[axis];
}

static int axis_of_dim(const struct weir_stored_grid *grid, int dim)
{
    for (int a = 0; a < grid->rank; a++)
        if (grid->dims[a] == dim)
            return a;
    return -1;
}

/* ",3" or ",3,text"; metrics by their text. Empty for an axis that the result lacks. */
static weir_status add_csv_place(struct weir_text *line, const struct result_table *table,
                                 const struct weir_stored_grid *grid, size_t cell, int dim)
{
    int axis = axis_of_dim(grid, dim);
    size_t index = axis < 0 ? 0 : place_on_axis(grid, cell, axis);
    TRY(weir_text_add(line, ",", 1));
    if (axis >= 0 && dim == WEIR_DIM_METRIC)
        TRY(add_csv_text(line, table, grid->texts[index]));
    else if (axis >= 0)
        TRY(weir_text_print(line, "%zu", index));
    if (!table->tokens[dim])
        return WEIR_OK;
    const char *token = axis < 0 ? NULL : result_token(table->results->file, grid, axis, index);
    TRY(weir_text_add(line, ",", 1));
    return token ? add_csv_text(line, table, token) : WEIR_OK;
}

static weir_status add_csv_cell(struct weir_text *line, const struct result_table *table,
                                const struct weir_stored_grid *grid, size_t cell, float value)
{
    char number[32];
    TRY(weir_text_print(line, "%s", grid->name));
    if (table->has[WEIR_DIM_METRIC]) /* first, as in the arrays */
        TRY(add_csv_place(line, table, grid, cell, WEIR_DIM_METRIC));
    for (int dim = 0; dim < WEIR_N_DIMS; dim++)
        if (table->has[dim] && dim != WEIR_DIM_METRIC)
            TRY(add_csv_place(line, table, grid, cell, dim));
    return weir_text_print(line, ",%s\n", value == value ? float_text(number, value) : "");
}

static weir_status write_csv_result(const struct weir_stored_grid *grid, const float *values, void *payload)
{
    const struct result_table *table = payload;
    struct weir_text line = {0};
    weir_status status = WEIR_OK;
    for (size_t cell = 0; cell < grid->n_cells; cell++) {
        line.n = 0;
        TRY_DONE(add_csv_cell(&line, table, grid, cell, values[cell]));
        TRY_DONE(buffered_write(table->out, line.data, line.n));
    }
done:
    weir_text_close(&line);
    return status;
}

static weir_status write_result_columns(const struct result_table *table)
{
    char line[1024] = "result";
    if (table->has[WEIR_DIM_METRIC])
        weir_text_append(line, sizeof line, ",metric");
    for (int dim = 0; dim < WEIR_N_DIMS; dim++)
        if (table->has[dim] && dim != WEIR_DIM_METRIC)
            weir_text_append(line, sizeof line, ",%s%s", weir_dim_name(dim),
                             !table->tokens[dim]      ? ""
                             : dim == WEIR_AXIS_POS   ? ",token"
                             : dim == WEIR_AXIS_QUERY ? ",query_token"
                                                      : ",key_token");
    weir_text_append(line, sizeof line, ",value\n");
    return buffered_write(table->out, line, strlen(line));
}

weir_status export_result_csv(struct buffered *out, const struct results *results)
{
    struct result_table table = {.out = out, .results = results, .to_terminal = isatty(out->fd)};
    for (size_t i = 0; i < results->n; i++)
        for (int a = 0; a < results->list[i]->rank; a++) {
            int dim = results->list[i]->dims[a];
            table.has[dim] = true;
            table.tokens[dim] = results->list[i]->point && weir_axis_is_position((weir_axis)dim);
        }
    TRY(write_result_columns(&table));
    return results_each(results, write_csv_result, &table);
}
