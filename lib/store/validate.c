/* Checks the structure of a file against the layout, on its description; its values are for check_values.c. */
#include "store/validate.h"

#include "store/check.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void weir_check_finding(struct weir_check *c, const char *object, const char *format, ...)
{
    char text[1024];
    int n = snprintf(text, sizeof text, "%s: ", object);
    va_list args;
    va_start(args, format);
    if (n > 0 && (size_t)n < sizeof text)
        vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    c->n++;
    if (c->report)
        c->report(text, c->payload);
}

/* ---- attributes ---- */

const cJSON *weir_check_attribute(const cJSON *object, int attr)
{
    return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(object, "attributes"),
                                            weir_attr_at(attr)->name);
}

static bool is_whole_number(const cJSON *item)
{
    return cJSON_IsNumber(item) && item->valuedouble == floor(item->valuedouble);
}

static bool is_whole_list(const cJSON *item)
{
    const cJSON *number;
    if (!cJSON_IsArray(item))
        return false;
    cJSON_ArrayForEach(number, item) if (!is_whole_number(number)) return false;
    return true;
}

static void check_attribute(struct weir_check *c, const cJSON *object, const char *path, int attr, bool required)
{
    const struct weir_attr *info = weir_attr_at(attr);
    const cJSON *value = weir_check_attribute(object, attr);
    if (!value) {
        if (required)
            weir_check_finding(c, path, "the attribute %s is missing (%s)", info->name, weir_attr_wanted(attr));
        return;
    }
    bool fits = info->kind == WEIR_ATTR_INT    ? is_whole_number(value)
                : info->kind == WEIR_ATTR_INTS ? is_whole_list(value)
                : info->kind == WEIR_ATTR_REAL ? cJSON_IsNumber(value)
                                               : cJSON_IsString(value);
    if (!fits)
        weir_check_finding(c, path, "the attribute %s must be %s", info->name, weir_attr_wanted(attr));
}

const char *weir_check_text(const cJSON *object, int attr)
{
    const cJSON *value = weir_check_attribute(object, attr);
    return cJSON_IsString(value) ? value->valuestring : NULL;
}

/* Names between commas, each a way to process weights, in the order in which they are done. */
static bool lists_processings(const char *text)
{
    for (int last = -1;; text++) {
        size_t n = strcspn(text, ",");
        int id = weir_processing_find(text, n);
        if (id == WEIR_N_PROCESSINGS || id <= last)
            return false;
        last = id;
        text += n;
        if (!*text)
            return true;
    }
}

/* The attributes of the file itself: there, of their type, and in their form. */
static void check_root(struct weir_check *c)
{
    for (int a = 0; a < WEIR_N_ROOT_ATTRS; a++)
        check_attribute(c, c->root, "/", a, weir_attr_at(a)->required);
    const cJSON *schema = weir_check_attribute(c->root, WEIR_A_SCHEMA);
    if (is_whole_number(schema) && schema->valuedouble != WEIR_SCHEMA)
        weir_check_finding(c, "/", "weir_schema is %.0f, this weir checks version %d", schema->valuedouble,
                           WEIR_SCHEMA);
    const char *digest = weir_check_text(c->root, WEIR_A_DIGEST), *dtype = weir_check_text(c->root, WEIR_A_DTYPE);
    const char *created = weir_check_text(c->root, WEIR_A_CREATED);
    if (digest && (strlen(digest) != 64 || strspn(digest, "0123456789abcdef") != 64))
        weir_check_finding(c, "/", "the attribute digest must be 64 hex digits, is '%.80s'", digest);
    if (dtype && strcmp(dtype, "f32") != 0 && strcmp(dtype, "f16") != 0 && strcmp(dtype, "bf16") != 0)
        weir_check_finding(c, "/", "the attribute dtype must be f32, f16 or bf16, is '%.40s'", dtype);
    const char *compute = weir_check_text(c->root, WEIR_A_COMPUTE);
    if (compute && strcmp(compute, "bf16") != 0 && strcmp(compute, "int8") != 0)
        weir_check_finding(c, "/", "the attribute compute must be bf16 or int8, is '%.40s'", compute);
    const char *process = weir_check_text(c->root, WEIR_A_PROCESS);
    if (process && !lists_processings(process))
        weir_check_finding(c, "/", "the attribute process must list ways to process weights, is '%.80s'", process);
    int y, mo, d, h, mi, s, end = 0;
    if (created && (sscanf(created, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &y, &mo, &d, &h, &mi, &s, &end) != 6 || end != 20 ||
                    created[end] != '\0'))
        weir_check_finding(c, "/", "the attribute created must be a time like 2026-01-31T12:00:00Z, is '%.40s'",
                           created);
}

/* ---- datasets ---- */

const cJSON *weir_check_dataset(const struct weir_check *c, const char *path)
{
    return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(c->root, "datasets"), path);
}

static const char *string_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsString(item) ? item->valuestring : "";
}

/* A dimension must be a scale of int32; its size is what all datasets must agree with. */
static void check_scale(struct weir_check *c, int dim)
{
    char path[64];
    snprintf(path, sizeof path, "/%s", weir_dim_name(dim));
    const cJSON *scale = weir_check_dataset(c, path);
    bool needed = dim == WEIR_AXIS_LAYER || dim == WEIR_AXIS_PROMPT || dim == WEIR_AXIS_POS || dim == WEIR_DIM_TOKEN;
    if (!scale) {
        if (needed)
            weir_check_finding(c, path, "the dimension is missing");
        return;
    }
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(scale, "shape");
    if (cJSON_GetArraySize(shape) != 1) {
        weir_check_finding(c, path, "a dimension must have one axis, has %d", cJSON_GetArraySize(shape));
        return;
    }
    double size = cJSON_GetArrayItem(shape, 0)->valuedouble;
    if (size < 1 || size > (double)weir_dim_limit(dim))
        weir_check_finding(c, path, "has %.0f, must have 1 to %zu", size, weir_dim_limit(dim));
    else
        c->sizes.size[dim] = (size_t)size;
    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(scale, "scale")))
        weir_check_finding(c, path, "must be a dimension scale (H5DSset_scale)");
    if (strcmp(string_of(scale, "dtype"), "int32") != 0)
        weir_check_finding(c, path, "must hold int32, holds %s", string_of(scale, "dtype"));
}

static void check_equal(struct weir_check *c, int a, int b)
{
    size_t x = c->sizes.size[a], y = c->sizes.size[b];
    if (x && y && x != y)
        weir_check_finding(c, weir_dim_name(a), "has %zu, must be as long as %s, which has %zu", x, weir_dim_name(b),
                           y);
}

/* An axis must have its label, its scale, and the size of its dimension. */
static void check_axis(struct weir_check *c, const cJSON *set, const char *path, int a, int dim)
{
    const char *name = weir_dim_name(dim);
    const cJSON *label = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(set, "dims"), a);
    const cJSON *scales = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(set, "scales"), a);
    const cJSON *size = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(set, "shape"), a);
    const cJSON *scale = cJSON_GetArrayItem(scales, 0);
    if (!cJSON_IsString(label) || strcmp(label->valuestring, name) != 0)
        weir_check_finding(c, path, "axis %d must be labelled %s, is %.60s", a, name,
                           cJSON_IsString(label) ? label->valuestring : "not labelled");
    if (cJSON_GetArraySize(scales) != 1)
        weir_check_finding(c, path, "axis %d must have the scale /%s attached and no other, has %d", a, name,
                           cJSON_GetArraySize(scales));
    else if (!cJSON_IsString(scale) || scale->valuestring[0] != '/' || strcmp(scale->valuestring + 1, name) != 0)
        weir_check_finding(c, path, "axis %d must have the scale /%s attached, has %.60s", a, name,
                           cJSON_IsString(scale) ? scale->valuestring : "none");
    if (c->sizes.size[dim] == 0)
        weir_check_finding(c, path, "axis %d: the dimension /%s is missing", a, name);
    else if (cJSON_IsNumber(size) && size->valuedouble != (double)c->sizes.size[dim])
        weir_check_finding(c, path, "axis %d has %.0f, the dimension %s has %zu", a, size->valuedouble, name,
                           c->sizes.size[dim]);
}

static void check_axes(struct weir_check *c, const cJSON *set, const char *path, int rank, const int *dims)
{
    int has = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(set, "shape"));
    if (has != rank) {
        weir_check_finding(c, path, "has %d axes, must have %d", has, rank);
        return;
    }
    for (int a = 0; a < rank; a++)
        check_axis(c, set, path, a, dims[a]);
}

static void check_storage(struct weir_check *c, const cJSON *set, const char *path)
{
    const char *storage = string_of(set, "storage");
    const cJSON *filter;
    if (strcmp(storage, "contiguous") != 0 && strcmp(storage, "chunked") != 0)
        weir_check_finding(c, path, "must be contiguous or chunked, is %s", storage);
    cJSON_ArrayForEach(filter, cJSON_GetObjectItemCaseSensitive(set, "filters"))
    {
        if (cJSON_IsString(filter) && strcmp(filter->valuestring, "other") == 0)
            weir_check_finding(c, path, "has a filter that not every reader supports: use gzip, shuffle or fletcher32");
    }
}

static void check_elem(struct weir_check *c, const cJSON *set, const char *path, enum weir_elem elem)
{
    if (strcmp(string_of(set, "dtype"), weir_elem_name(elem)) != 0)
        weir_check_finding(c, path, "must hold %s, holds %s", weir_elem_name(elem), string_of(set, "dtype"));
}

static void check_set(struct weir_check *c, const struct weir_set *s, bool required)
{
    const cJSON *set = weir_check_dataset(c, s->path);
    if (!set) {
        if (required)
            weir_check_finding(c, s->path, "is missing");
        return;
    }
    check_elem(c, set, s->path, s->elem);
    check_axes(c, set, s->path, s->rank, s->dims);
    check_storage(c, set, s->path);
}

/* A table has all of its columns where its own dimension is, or, without one, where its first column is. */
static void check_table(struct weir_check *c, const struct weir_table_kind *table)
{
    int own = weir_table_width_dim(table);
    char path[64];
    snprintf(path, sizeof path, "/%s", own < 0 ? "" : weir_dim_name(own));
    bool required = weir_check_dataset(c, own < 0 ? table->columns[0].path : path) != NULL;
    for (int i = 0; i < table->n_columns; i++)
        check_set(c, &table->columns[i], required);
}

/* Ids of the likeliest tokens and what they show as: both or none. */
static void check_next_words(struct weir_check *c)
{
    const char *id = weir_set_at(WEIR_S_WORD_ID)->path, *text = weir_set_at(WEIR_S_WORD_TEXT)->path;
    if (!weir_check_dataset(c, id) != !weir_check_dataset(c, text))
        weir_check_finding(c, weir_check_dataset(c, id) ? text : id, "is missing");
}

/* ---- activations ---- */

static void check_layers(struct weir_check *c, const cJSON *set, const char *path)
{
    const cJSON *layers = weir_check_attribute(set, WEIR_A_LAYERS), *layer;
    double before = -1, n = (double)c->sizes.size[WEIR_AXIS_LAYER];
    check_attribute(c, set, path, WEIR_A_LAYERS, true);
    if (!is_whole_list(layers))
        return;
    if (cJSON_GetArraySize(layers) == 0)
        weir_check_finding(c, path, "the attribute layers is empty: at least one layer must be stored");
    cJSON_ArrayForEach(layer, layers)
    {
        if (layer->valuedouble <= before || layer->valuedouble >= n) {
            weir_check_finding(c, path, "the attribute layers must ascend from 0 to %.0f, has %.0f after %.0f", n - 1,
                               layer->valuedouble, before);
            return;
        }
        before = layer->valuedouble;
    }
}

static void check_fill(struct weir_check *c, const cJSON *set, const char *path, enum weir_elem elem)
{
    const cJSON *fill = cJSON_GetObjectItemCaseSensitive(set, "fill");
    bool fits = elem == WEIR_ELEM_I32 ? cJSON_IsNumber(fill) && fill->valuedouble == -1
                                      : cJSON_IsString(fill) && strcmp(fill->valuestring, "NaN") == 0;
    if (!fits)
        weir_check_finding(c, path, "values that are not stored must read as %s (the fill value)",
                           elem == WEIR_ELEM_I32 ? "-1" : "NaN");
}

/* Axes, storage, type, fill value and attributes of a stored point. */
static void check_point(struct weir_check *c, const cJSON *set, const char *path, const weir_point *point)
{
    const char *hook = weir_check_text(set, WEIR_A_HOOK), *dtype = weir_check_text(c->root, WEIR_A_DTYPE);
    int dims[WEIR_MAX_RANK], rank = 0;
    if (point->per_layer)
        dims[rank++] = WEIR_AXIS_LAYER;
    dims[rank++] = WEIR_AXIS_PROMPT;
    for (int a = 0; a < point->n_axes; a++)
        dims[rank++] = (int)point->axes[a];
    check_axes(c, set, path, rank, dims);
    check_storage(c, set, path);
    enum weir_elem elem = WEIR_ELEM_F32;
    for (int t = WEIR_F32; dtype && t <= WEIR_BF16; t++)
        if (strcmp(dtype, weir_dtype_name((weir_dtype)t)) == 0)
            elem = weir_point_elem(point, (weir_dtype)t);
    check_elem(c, set, path, elem);
    check_fill(c, set, path, elem);
    check_attribute(c, set, path, WEIR_A_HOOK, true);
    if (hook && strcmp(hook, point->hook) != 0)
        weir_check_finding(c, path, "the attribute hook_name must be %s, is '%.80s'", point->hook, hook);
    if (point->per_layer)
        check_layers(c, set, path);
    check_attribute(c, set, path, WEIR_A_UNITS, false);
    check_attribute(c, set, path, WEIR_A_SATURATED, weir_elem_size(elem) == 2);
    check_attribute(c, set, path, WEIR_A_SINKS, false);
    check_attribute(c, set, path, WEIR_A_COMPUTE_ERROR, false);
}

/* What lacks the texts of metrics is of another program. */
static void check_result(struct weir_check *c, const cJSON *set, const char *path, const struct weir_result *result)
{
    if (!weir_check_attribute(set, WEIR_A_GRID_METRICS))
        return;
    check_elem(c, set, path, WEIR_ELEM_F32);
    check_axes(c, set, path, result->rank, result->dims);
    check_storage(c, set, path);
    check_attribute(c, set, path, WEIR_A_GRID_METRICS, true);
    check_attribute(c, set, path, WEIR_A_RESULT_UNITS, false);
}

static const struct weir_result *result_of_path(const char *path)
{
    size_t n = strlen(WEIR_GROUP_RESULTS "/");
    for (int id = 0; id < WEIR_N_RESULTS; id++)
        if (strncmp(path, WEIR_GROUP_RESULTS "/", n) == 0 && strcmp(path + n, weir_result_at(id)->name) == 0)
            return weir_result_at(id);
    return NULL;
}

static const weir_point *point_of_path(const char *path)
{
    size_t n = strlen(WEIR_GROUP_ACTIVATIONS);
    for (int i = 0; i < WEIR_N_POINTS; i++)
        if (strncmp(path, WEIR_GROUP_ACTIVATIONS "/", n + 1) == 0 && strcmp(path + n + 1, weir_point_at(i)->name) == 0)
            return weir_point_at(i);
    return NULL;
}

static bool is_known(const char *path)
{
    for (int dim = 0; dim < WEIR_N_DIMS; dim++)
        if (path[0] == '/' && strcmp(path + 1, weir_dim_name(dim)) == 0)
            return true;
    for (int set = 0; set < WEIR_N_SETS; set++)
        if (strcmp(path, weir_set_at(set)->path) == 0)
            return true;
    for (int i = 0; i < WEIR_N_TABLES * WEIR_MAX_COLUMNS; i++) {
        const char *column = weir_table_at(i / WEIR_MAX_COLUMNS)->columns[i % WEIR_MAX_COLUMNS].path;
        if (column && strcmp(path, column) == 0)
            return true;
    }
    return strncmp(path, WEIR_GROUP_RESULTS "/", strlen(WEIR_GROUP_RESULTS) + 1) == 0;
}

static bool is_outside(const cJSON *set)
{
    const char *storage = string_of(set, "storage");
    return strcmp(storage, "external") == 0 || strcmp(storage, "virtual") == 0;
}

static void check_datasets(struct weir_check *c)
{
    const cJSON *set;
    cJSON_ArrayForEach(set, cJSON_GetObjectItemCaseSensitive(c->root, "datasets"))
    {
        const weir_point *point = point_of_path(set->string);
        const struct weir_result *result = result_of_path(set->string);
        if (is_outside(set))
            weir_check_finding(c, set->string, "its data is in another file (%s)", string_of(set, "storage"));
        else if (point)
            check_point(c, set, set->string, point);
        else if (result)
            check_result(c, set, set->string, result);
        else if (!is_known(set->string))
            weir_check_finding(c, set->string,
                               "is not in the layout: hook points go into /activations, other results into /results");
    }
}

/* Groups that must be there, and none that the layout does not have. */
static void check_groups(struct weir_check *c)
{
    static const char *const known[] = {WEIR_GROUP_PROMPTS, WEIR_GROUP_TOKENS, WEIR_GROUP_ACTIVATIONS, WEIR_GROUP_NEXT,
                                        WEIR_GROUP_RESULTS};
    const cJSON *group, *groups = cJSON_GetObjectItemCaseSensitive(c->root, "groups");
    bool seen[sizeof known / sizeof *known] = {false};
    cJSON_ArrayForEach(group, groups)
    {
        bool fits = strncmp(group->valuestring, WEIR_GROUP_RESULTS "/", strlen(WEIR_GROUP_RESULTS) + 1) == 0;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (strcmp(group->valuestring, known[i]) == 0)
                fits = seen[i] = true;
        if (!fits)
            weir_check_finding(c, group->valuestring, "a group that is not in the layout");
    }
    for (size_t i = 0; i < 3; i++)
        if (!seen[i])
            weir_check_finding(c, known[i], "the group is missing");
}

/* Links that lead elsewhere: the reader follows none. Below /results a name for something in the file is nobody's
   business. */
static void check_links(struct weir_check *c)
{
    const cJSON *link;
    size_t n = strlen(WEIR_GROUP_RESULTS "/");
    cJSON_ArrayForEach(link, cJSON_GetObjectItemCaseSensitive(c->root, "links"))
    {
        bool soft = strcmp(link->valuestring, "soft") == 0;
        if (!soft || strncmp(link->string, WEIR_GROUP_RESULTS "/", n) != 0)
            weir_check_finding(c, link->string, "is a link %s, which is not followed",
                               soft                                         ? "by name"
                               : strcmp(link->valuestring, "external") == 0 ? "to another file"
                                                                            : "of an unknown kind");
    }
}

static void check_structure(struct weir_check *c)
{
    check_root(c);
    check_links(c);
    for (int dim = 0; dim < WEIR_N_DIMS; dim++)
        check_scale(c, dim);
    check_equal(c, WEIR_AXIS_QUERY, WEIR_AXIS_POS);
    check_equal(c, WEIR_AXIS_KEY, WEIR_DIM_TOKEN);
    if (weir_check_text(c->root, WEIR_A_EDITS))
        weir_check_edits(c, weir_check_text(c->root, WEIR_A_EDITS));
    check_groups(c);
    for (int set = 0; set < WEIR_N_SETS; set++)
        check_set(c, weir_set_at(set), weir_set_at(set)->required);
    for (int table = 0; table < WEIR_N_TABLES; table++)
        check_table(c, weir_table_at(table));
    check_next_words(c);
    check_datasets(c);
}

weir_status weir_store_validate(const char *path, size_t *n_findings, weir_finding_fn *report, void *payload)
{
    struct weir_check c = {.report = report, .payload = payload};
    cJSON *root;
    *n_findings = 0;
    TRY(weir_store_describe(&root, path));
    c.root = root;
    check_structure(&c);
    weir_status status = weir_check_content(&c, path);
    cJSON_Delete(root);
    *n_findings = c.n;
    return status;
}
