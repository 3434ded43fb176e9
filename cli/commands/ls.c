/* weir ls: the hook points and prompts of a file. */
#include "cli/args/options.h"
#include "cli/commands/commands.h"
#include "cli/print/json.h"
#include "cli/print/table.h"
#include "cli/print/text.h"
#include "cli/select/files.h"
#include "cli/select/next.h"

#include "base/sizes.h"
#include "points/text.h"
#include "store/read/grids.h"

#include <math.h>
#include <string.h>

enum { JSON, FIRST_TOKENS = 8 };

static const struct opt opts[] = {[JSON] = OPT_JSON};

/* ---- shapes ---- */

/* Length of axis i of a stored dataset, layer and prompt included; NULL name past the last. */
static const char *stored_axis_at(const weir_file *file, const weir_file_point *point, int i, size_t *length)
{
    const weir_file_info *info = weir_file_get_info(file);
    int lead = point->layers ? 2 : 1;
    if (i < lead) {
        bool is_layer = point->layers && i == 0;
        *length = (size_t)(is_layer ? info->n_layers : info->n_prompts);
        return is_layer ? "layer" : "prompt";
    }
    if (i - lead >= point->point->n_axes)
        return NULL;
    *length = point->shape[i - lead];
    return weir_axis_name(point->point->axes[i - lead]);
}

static const char *stored_shape_text(char to[160], const weir_file *file, const weir_file_point *point)
{
    const char *name;
    size_t length;
    *to = '\0';
    for (int i = 0; (name = stored_axis_at(file, point, i, &length)); i++)
        weir_text_append(to, 160, "%s%s %zu", i ? ", " : "[", name, length);
    weir_text_append(to, 160, "]");
    return to;
}

static const char *point_dtype(const weir_file *file, const weir_file_point *point)
{
    return point->point->id == WEIR_P_EXPERT_INDICES ? "i32" : dtype_text(weir_file_get_info(file)->dtype);
}

/* ---- JSON ---- */

static cJSON *json_stored_point(const weir_file *file, const weir_file_point *point)
{
    const char *name;
    size_t length;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", point->point->hook);
    cJSON_AddStringToObject(json, "short", point->point->name);
    cJSON *axes = cJSON_AddArrayToObject(json, "axes"), *shape = cJSON_AddArrayToObject(json, "shape");
    for (int i = 0; (name = stored_axis_at(file, point, i, &length)); i++) {
        cJSON_AddItemToArray(axes, cJSON_CreateString(name));
        cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)length));
    }
    int n_layers = point->layers ? weir_file_get_info(file)->n_layers : 0;
    cJSON_AddItemToObject(json, "layers", json_marked(point->layers, n_layers));
    if (point->units)
        cJSON_AddStringToObject(json, "units", point->units);
    cJSON_AddStringToObject(json, "dtype", point_dtype(file, point));
    cJSON_AddNumberToObject(json, "bytes", (double)point->bytes);
    return json;
}

/* JSON text as the file has it, with every digit; else a string. */
static cJSON *json_as_stored(const char *fields)
{
    cJSON *value;
    if (weir_json_parse(&value, "fields", fields, strlen(fields)) != WEIR_OK)
        return cJSON_CreateString(fields);
    cJSON_Delete(value);
    return cJSON_CreateRaw(fields);
}

static weir_status add_json_grids(cJSON *to, const weir_file *file)
{
    struct weir_stored_grid *grids;
    size_t n;
    TRY(weir_stored_grids_find(&grids, &n, file));
    cJSON *list = n ? cJSON_AddArrayToObject(to, "grids") : NULL;
    for (size_t i = 0; i < n; i++) {
        cJSON *json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "name", grids[i].name);
        cJSON *axes = cJSON_AddArrayToObject(json, "axes"), *shape = cJSON_AddArrayToObject(json, "shape");
        for (int a = 0; a < grids[i].rank; a++) {
            cJSON_AddItemToArray(axes, cJSON_CreateString(weir_dim_name(grids[i].dims[a])));
            cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)grids[i].shape[a]));
        }
        cJSON_AddItemToObject(json, "metrics", json_as_stored(grids[i].metrics));
        if (grids[i].direction)
            cJSON_AddStringToObject(json, "direction", grids[i].direction);
        cJSON_AddItemToArray(list, json);
    }
    weir_stored_grids_free(grids, n);
    return WEIR_OK;
}

/* The likeliest token after the last stored position: *n 0 where there is none. `next` is to be closed. */
static weir_status read_last_next(struct stored_next *next, size_t *at, size_t *n, const weir_file *file, int prompt)
{
    *n = 0;
    if (weir_file_get_info(file)->n_next == 0)
        return WEIR_OK;
    TRY(stored_next_read(next, file, prompt));
    *n = next->n_rows > 0;
    *at = *n ? (next->n_rows - 1) * next->n_next : 0;
    return WEIR_OK;
}

static weir_status add_json_next(cJSON *to, const weir_file *file, int prompt)
{
    struct stored_next next = {0};
    size_t at, n;
    weir_status status = read_last_next(&next, &at, &n, file, prompt);
    if (status == WEIR_OK && n > 0) {
        cJSON *json = cJSON_AddObjectToObject(to, "next");
        cJSON_AddNumberToObject(json, "id", next.ids[at]);
        cJSON_AddStringToObject(json, "text", weir_file_next_text(file, next.ids[at]));
        cJSON_AddItemToObject(json, "probability", json_float(expf(next.logprobs[at])));
    }
    stored_next_close(&next);
    return status;
}

static weir_status add_next_cell(struct table *table, const weir_file *file, int prompt)
{
    struct stored_next next = {0};
    size_t at, n;
    weir_status status = read_last_next(&next, &at, &n, file, prompt);
    if (status == WEIR_OK && n == 0)
        status = table_add(table, "-");
    else if (status == WEIR_OK)
        status = table_add(table, "%.2f |%s|", exp((double)next.logprobs[at]), weir_file_next_text(file, next.ids[at]));
    stored_next_close(&next);
    return status;
}

static cJSON *json_stored_prompt(const weir_file *file, int index, const weir_file_prompt *prompt)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *ids = cJSON_AddArrayToObject(json, "ids"), *text = cJSON_AddArrayToObject(json, "text");
    cJSON *positions = cJSON_AddArrayToObject(json, "positions");
    for (size_t i = 0; i < prompt->n; i++) {
        cJSON_AddItemToArray(ids, cJSON_CreateNumber(prompt->ids[i]));
        cJSON_AddItemToArray(text, cJSON_CreateString(weir_file_token(file, index, (int)i)));
    }
    for (size_t i = 0; i < prompt->n_rows; i++)
        cJSON_AddItemToArray(positions, cJSON_CreateNumber(prompt->positions[i]));
    cJSON_AddItemToObject(json, "loss", json_float(prompt->loss));
    if (prompt->fields)
        cJSON_AddItemToObject(json, "fields", json_as_stored(prompt->fields));
    return json;
}

static weir_status print_ls_json(const weir_file *file)
{
    const weir_file_info *info = weir_file_get_info(file);
    cJSON *root = cJSON_CreateObject();
    weir_status status = WEIR_OK;
    cJSON_AddStringToObject(root, "model", info->model);
    cJSON *hooks = cJSON_AddArrayToObject(root, "hooks"), *prompts = cJSON_AddArrayToObject(root, "prompts");
    for (int i = 0; i < info->n_points; i++)
        cJSON_AddItemToArray(hooks, json_stored_point(file, weir_file_point_at(file, i)));
    for (int i = 0; i < info->n_prompts && status == WEIR_OK; i++) {
        weir_file_prompt prompt;
        status = weir_file_get_prompt(file, i, &prompt);
        if (status != WEIR_OK)
            break;
        cJSON *json = json_stored_prompt(file, i, &prompt);
        cJSON_AddItemToArray(prompts, json);
        status = add_json_next(json, file, i);
    }
    if (status == WEIR_OK)
        status = add_json_grids(root, file);
    if (status == WEIR_OK)
        return json_print(root);
    cJSON_Delete(root);
    return status;
}

/* ---- tables ---- */

static weir_status print_stored_points(const weir_file *file)
{
    static const char *const names[] = {"hook point", "shape", "layers", "units", "dtype", "size", "full name"};
    static const enum align aligns[] = {LEFT, LEFT, LEFT, LEFT, LEFT, RIGHT, FLEXIBLE};
    struct table table = {.n_columns = 7, .names = names, .aligns = aligns};
    const weir_file_info *info = weir_file_get_info(file);
    char shape[160], layers[64], size[16];
    weir_status status = WEIR_OK;
    for (int i = 0; i < info->n_points; i++) {
        const weir_file_point *point = weir_file_point_at(file, i);
        TRY_DONE(table_add(&table, "%s", point->point->name));
        TRY_DONE(table_add(&table, "%s", stored_shape_text(shape, file, point)));
        TRY_DONE(table_add(&table, "%s", weir_ranges_text(layers, point->layers, info->n_layers)));
        TRY_DONE(table_add(&table, "%s", point->units ? point->units : "all"));
        TRY_DONE(table_add(&table, "%s", point_dtype(file, point)));
        TRY_DONE(table_add(&table, "%s", weir_size_text(size, point->bytes)));
        TRY_DONE(table_add(&table, "%s", point->point->hook));
    }
    TRY_DONE(table_print(&table));
done:
    table_close(&table);
    return status;
}

/* A prompt's first tokens with bars between. */
static void first_tokens(char *to, size_t size, const weir_file *file, int prompt, size_t n)
{
    *to = '\0';
    for (size_t i = 0; i < n && i < FIRST_TOKENS; i++)
        weir_text_append(to, size, "|%s", weir_file_token(file, prompt, (int)i));
    weir_text_append(to, size, "%s", n > FIRST_TOKENS ? "|..." : "|");
}

static weir_status any_has_fields(bool *out, const weir_file *file)
{
    *out = false;
    for (int i = 0; i < weir_file_get_info(file)->n_prompts && !*out; i++) {
        weir_file_prompt prompt;
        TRY(weir_file_get_prompt(file, i, &prompt));
        *out = prompt.fields != NULL;
    }
    return WEIR_OK;
}

/* Columns that not every file has. */
struct prompt_columns {
    bool fields, next;
};

static weir_status add_stored_prompt(struct table *table, const weir_file *file, int index,
                                     const struct prompt_columns *columns)
{
    weir_file_prompt prompt;
    char text[1200];
    TRY(weir_file_get_prompt(file, index, &prompt));
    TRY(table_add(table, "%d", index));
    TRY(table_add(table, "%zu", prompt.n));
    TRY(table_add(table, "%zu", prompt.n_rows));
    TRY(isnan(prompt.loss) ? table_add(table, "-") : table_add(table, "%.4f", (double)prompt.loss));
    if (columns->next)
        TRY(add_next_cell(table, file, index));
    first_tokens(text, sizeof text, file, index, prompt.n);
    TRY(table_add(table, "%s", text));
    return columns->fields ? table_add(table, "%s", prompt.fields ? prompt.fields : "") : WEIR_OK;
}

static weir_status print_stored_prompts(const weir_file *file)
{
    static const char *const names[] = {"prompt", "tokens", "stored", "loss", "begins", "fields"},
                             *const with_next[] = {"prompt", "tokens", "stored", "loss", "goes on", "begins", "fields"};
    static const enum align aligns[] = {RIGHT, RIGHT, RIGHT, RIGHT, FLEXIBLE, FLEXIBLE, FLEXIBLE};
    const weir_file_info *info = weir_file_get_info(file);
    struct prompt_columns columns = {.next = info->n_next > 0};
    weir_status status = any_has_fields(&columns.fields, file);
    struct table table = {
        .n_columns = 5u + columns.next + columns.fields, .names = columns.next ? with_next : names, .aligns = aligns};
    for (int i = 0; i < info->n_prompts && status == WEIR_OK; i++)
        status = add_stored_prompt(&table, file, i, &columns);
    if (status == WEIR_OK)
        status = table_print(&table);
    table_close(&table);
    return status;
}

/* Grids of patches, if there are any. */
static weir_status print_stored_grids(const weir_file *file)
{
    static const char *const names[] = {"results", "shape", "direction", "metrics"};
    static const enum align aligns[] = {LEFT, LEFT, LEFT, FLEXIBLE};
    struct table table = {.n_columns = 4, .names = names, .aligns = aligns};
    struct weir_stored_grid *grids;
    char shape[160];
    size_t n;
    TRY(weir_stored_grids_find(&grids, &n, file));
    weir_status status = WEIR_OK;
    for (size_t i = 0; i < n; i++) {
        *shape = '\0';
        for (int a = 0; a < grids[i].rank; a++) {
            char axis[WEIR_GRID_AXIS];
            weir_stored_grid_axis(axis, &grids[i], a);
            weir_text_append(shape, sizeof shape, "%s%s %zu", a ? ", " : "[", axis, grids[i].shape[a]);
        }
        TRY_DONE(table_add(&table, "%s", grids[i].name));
        TRY_DONE(table_add(&table, "%s]", shape));
        TRY_DONE(table_add(&table, "%s", grids[i].direction ? grids[i].direction : "-"));
        TRY_DONE(table_add(&table, "%s", grids[i].metrics));
    }
    if (n > 0) {
        putchar('\n');
        TRY_DONE(table_print(&table));
    }
done:
    table_close(&table);
    weir_stored_grids_free(grids, n);
    return status;
}

/* A line about the model, then hook points, then prompts, then grids. */
static weir_status print_ls_tables(const weir_file *file)
{
    const weir_file_info *info = weir_file_get_info(file);
    print_text(info->model);
    fputs(" (", stdout);
    print_text(info->family);
    printf("), %d layer%s, written ", info->n_layers, plural((size_t)info->n_layers));
    print_text(info->created);
    fputs("\n\n", stdout);
    TRY(print_stored_points(file));
    putchar('\n');
    TRY(print_stored_prompts(file));
    return print_stored_grids(file);
}

static int run_ls(const struct args *args)
{
    weir_file *file;
    TRY(weir_file_open(&file, args->words[0]));
    weir_status status = with_texts(args->has[JSON] ? print_ls_json(file) : print_ls_tables(file), file);
    weir_file_close(file);
    return (int)status;
}

const struct command cmd_ls = {
    .name = "ls",
    .summary = "list the contents of a file: hook points, prompts and grids of patches",
    .usage = "FILE [--json]",
    .example = "weir ls run.h5",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .least_words = 1,
    .most_words = 1,
    .run = run_ls,
    .reads_files = true,
};
