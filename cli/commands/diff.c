/* weir diff: the largest difference of each hook point between two files. */
#include "cli/args/options.h"
#include "cli/commands/commands.h"
#include "cli/print/json.h"
#include "cli/print/say.h"
#include "cli/print/table.h"

#include "analysis/analysis.h"
#include "points/select.h"

#include <string.h>

enum { TOLERANCE, JSON };

static const struct opt opts[] = {
    [TOLERANCE] = {'t', "tolerance", OPT_REAL, "X", "largest absolute difference still treated as equal; 0 by default"},
    [JSON] = OPT_JSON,
};

/* The result of comparing one hook point. */
struct result {
    const weir_point *point;
    struct weir_difference difference;
    const char *note; /* NULL when both files have all of it */
    bool over;
};

static bool same_layers(const weir_file_point *a, const weir_file_point *b, const weir_file *fa, const weir_file *fb)
{
    int n = weir_file_get_info(fa)->n_layers;
    return n == weir_file_get_info(fb)->n_layers &&
           (!a->layers || memcmp(a->layers, b->layers, (size_t)n * sizeof *a->layers) == 0);
}

/* Compares the point where both files have it. */
static weir_status compare_point(struct result *out, const weir_file *a, const weir_file *b, const weir_point *point,
                                 double tolerance)
{
    struct weir_source in_a = {a, weir_file_find(a, point->name), true}, in_b = {b, weir_file_find(b, point->name)};
    *out = (struct result){.point = point};
    if (!in_a.point || !in_b.point) {
        out->note = in_a.point ? "only in the first file" : "only in the second file";
        out->over = true;
        return WEIR_OK;
    }
    TRY(weir_diff_point(&out->difference, &in_a, &in_b));
    if (!same_layers(in_a.point, in_b.point, a, b))
        out->note = "other layers stored";
    else if (out->difference.unlike)
        out->note = "NaN, infinite or not stored in one file only";
    out->over = out->note || out->difference.absolute > tolerance;
    return WEIR_OK;
}

typedef weir_status result_fn(const struct result *result, void *payload);

/* All points that either file has, in the order of the list. *over: any differs too much. */
static weir_status each_result(const weir_file *a, const weir_file *b, double tolerance, bool *over, result_fn *each,
                               void *payload)
{
    *over = false;
    TRY(weir_diff_prompts(a, b));
    for (int i = 0; i < weir_n_points(); i++) {
        const weir_point *point = weir_point_at(i);
        struct result result;
        if (!weir_file_find(a, point->name) && !weir_file_find(b, point->name))
            continue;
        TRY(compare_point(&result, a, b, point, tolerance));
        *over |= result.over;
        TRY(each(&result, payload));
    }
    return WEIR_OK;
}

static weir_status add_result_json(const struct result *result, void *payload)
{
    const struct weir_difference *d = &result->difference;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "name", result->point->hook);
    cJSON_AddStringToObject(json, "short", result->point->name);
    cJSON_AddBoolToObject(json, "same", !result->over);
    cJSON_AddNumberToObject(json, "count", (double)d->count);
    cJSON_AddItemToObject(json, "absolute", json_number(d->absolute));
    cJSON_AddItemToObject(json, "relative", json_number(d->relative));
    if (d->absolute > 0) {
        cJSON_AddNumberToObject(json, "layer", d->layer);
        cJSON_AddNumberToObject(json, "prompt", d->prompt);
        cJSON_AddNumberToObject(json, "position", d->position);
    }
    cJSON_AddNumberToObject(json, "unlike", (double)d->unlike);
    if (result->note)
        cJSON_AddStringToObject(json, "note", result->note);
    cJSON_AddItemToArray(payload, json);
    return WEIR_OK;
}

static weir_status add_result_row(const struct result *result, void *payload)
{
    const struct weir_difference *d = &result->difference;
    TRY(table_add(payload, "%s", result->point->name));
    TRY(table_add(payload, "%s", result->over ? "differs" : "same"));
    TRY(table_add(payload, "%.3g", d->absolute));
    TRY(table_add(payload, "%.3g", d->relative));
    if (result->note)
        return table_add(payload, "%s", result->note);
    if (d->absolute > 0 && d->layer >= 0)
        return table_add(payload, "layer %d, prompt %d, position %d", d->layer, d->prompt, d->position);
    if (d->absolute > 0)
        return table_add(payload, "prompt %d, position %d", d->prompt, d->position);
    return table_add(payload, "%s", "");
}

static weir_status print_diff_json(const weir_file *a, const weir_file *b, double tolerance, bool *over)
{
    cJSON *root = cJSON_CreateObject(), *hooks = cJSON_CreateArray();
    weir_status status = each_result(a, b, tolerance, over, add_result_json, hooks);
    cJSON_AddBoolToObject(root, "same", !*over);
    cJSON_AddItemToObject(root, "tolerance", json_number(tolerance));
    cJSON_AddItemToObject(root, "hooks", hooks);
    if (status == WEIR_OK)
        return json_print(root);
    cJSON_Delete(root);
    return status;
}

static weir_status print_diff_table(const weir_file *a, const weir_file *b, double tolerance, bool *over)
{
    static const char *const names[] = {"hook point", "result", "absolute", "relative", "where"};
    static const enum align aligns[] = {LEFT, LEFT, RIGHT, RIGHT, FLEXIBLE};
    struct table table = {.n_columns = 5, .names = names, .aligns = aligns};
    weir_status status = each_result(a, b, tolerance, over, add_result_row, &table);
    if (status == WEIR_OK)
        status = table_print(&table);
    table_close(&table);
    return status;
}

/* Other weights give other values, though the model predicts the same. */
static void note_processing(const weir_file *a, const weir_file *b)
{
    const char *in_a = weir_file_get_info(a)->process, *in_b = weir_file_get_info(b)->process;
    if (strcmp(in_a, in_b) != 0)
        say("weir: note: the weights are processed differently (dump --process): %s in the first file, %s in the "
            "second\n",
            *in_a ? in_a : "not", *in_b ? in_b : "not");
}

static int run_diff(const struct args *args)
{
    weir_file *a = NULL, *b = NULL;
    bool over = false;
    double tolerance = args->has[TOLERANCE] ? args->real[TOLERANCE] : 0;
    weir_status status;
    TRY_DONE(weir_file_open(&a, args->words[0]));
    TRY_DONE(weir_file_open(&b, args->words[1]));
    note_processing(a, b);
    status = args->has[JSON] ? print_diff_json(a, b, tolerance, &over) : print_diff_table(a, b, tolerance, &over);
done:
    weir_file_close(b);
    weir_file_close(a);
    return status == WEIR_OK && over ? ANSWER_NO : (int)status;
}

const struct command cmd_diff = {
    .name = "diff",
    .summary = "print the largest difference between two files at each hook point",
    .usage = "FILE FILE [OPTIONS]",
    .notes = "The exit code is 1 if a hook point differs by more than the tolerance, or is stored in one file only. "
             "The relative difference is relative to the largest value of the row (the values of one position, or of "
             "one head at one position).",
    .example = "weir diff before.h5 after.h5 --tolerance 1e-4",
    .opts = opts,
    .n_opts = N_OPTS(opts),
    .least_words = 2,
    .most_words = 2,
    .run = run_diff,
    .reads_files = true,
};
