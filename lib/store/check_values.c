/* Checks what a file holds, through the reader: token ids, fields, sums of patterns, rows that are stored in part. */
#include "base/alloc.h"
#include "store/check.h"
#include "store/read/grids.h"
#include "store/read/reader.h"
#include "tensor/absent.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLE = 4, PIECE = 1 << 20 }; /* prompts looked into; values read at once */

/* Ids must be below this; 0 when the file does not say. Where the config does, it is not asked how many logits there
   are: TransformerLens's models may have others. */
static int64_t vocabulary_size(const struct weir_check *c, const weir_file *file)
{
    int64_t n = 0;
    cJSON *config;
    const char *text = weir_file_get_info(file)->config;
    if (weir_json_parse(&config, "config", text, strlen(text)) == WEIR_OK) {
        const char *key = weir_json_get(config, "d_vocab") ? "d_vocab" : "vocab_size";
        if (weir_json_int(config, "config", key, 1, INT32_MAX, &n) != WEIR_OK)
            n = 0;
        cJSON_Delete(config);
    }
    return n ? n : (int64_t)c->sizes.size[WEIR_AXIS_VOCAB];
}

static void check_prompt_fields(struct weir_check *c, int index, const char *fields)
{
    cJSON *object;
    if (!fields)
        return;
    weir_status status = weir_json_parse(&object, "/prompts/fields", fields, strlen(fields));
    if (status != WEIR_OK || !cJSON_IsObject(object))
        weir_check_finding(c, weir_set_at(WEIR_S_PROMPT_FIELDS)->path, "prompt %d: is not a JSON object", index);
    if (status == WEIR_OK)
        cJSON_Delete(object);
}

static void check_stored_prompt(struct weir_check *c, const weir_file *file, int index, int64_t vocab)
{
    weir_file_prompt prompt;
    weir_status status = weir_file_get_prompt(file, index, &prompt);
    if (status == WEIR_OK)
        status = weir_reader_check_texts(file, index);
    if (status != WEIR_OK) {
        weir_check_finding(c, "/tokens", "%s", weir_message());
        return;
    }
    check_prompt_fields(c, index, prompt.fields);
    for (size_t t = 0; t < prompt.n; t++)
        if (prompt.ids[t] < 0 || (vocab && prompt.ids[t] >= vocab)) {
            weir_check_finding(c, "/tokens/id", "prompt %d, token %zu: id %d is not from 0 to %lld", index, t,
                               prompt.ids[t], vocab ? (long long)vocab - 1 : (long long)INT32_MAX);
            return;
        }
}

static void check_prompts(struct weir_check *c, const weir_file *file)
{
    const weir_file_info *info = weir_file_get_info(file);
    int64_t vocab = vocabulary_size(c, file);
    for (int i = 0; i < info->n_prompts; i++)
        check_stored_prompt(c, file, i, vocab);
}

enum sums { ANY_SUM, SUM_OF_1, SUM_UP_TO_1 };

/* One value being looked at. */
struct look {
    const weir_file *file;
    const weir_file_point *point;
    const char *path;
    int layer, prompt;
    size_t n_rows, n_tokens;
    float *buffer;  /* [PIECE or one row] */
    enum sums sums; /* of rows */
    double tolerance;
    bool any;   /* a value was there */
    bool found; /* this layer has a finding */
};

static bool is_sum(const struct look *look, double sum)
{
    if (look->sums == SUM_UP_TO_1)
        return sum >= 0 && sum <= 1 + look->tolerance;
    return look->sums == ANY_SUM || fabs(sum - 1) <= look->tolerance;
}

/* Row `row` of [outer, rows, inner]: all stored or none, and of patterns with sums of 1. */
static void check_row(struct weir_check *c, struct look *look, const float *values, size_t outer, size_t rows,
                      size_t inner, size_t row, size_t absolute)
{
    size_t gone = 0;
    for (size_t o = 0; o < outer && !look->found; o++) {
        double sum = 0;
        size_t here = 0; /* not stored */
        const float *run = values + (o * rows + row) * inner;
        for (size_t i = 0; i < inner; i++) {
            here += weir_value_is_absent(run[i]);
            sum += (double)run[i];
        }
        gone += here;
        if (!isnan(sum) && !is_sum(look, sum)) { /* NaN: some of it was not stored, or came out so */
            weir_check_finding(
                c, look->path, "layer %d, prompt %d, head %zu, query %zu: the row sums to %.6g, must sum to %s1",
                look->layer, look->prompt, o, absolute, sum, look->sums == SUM_UP_TO_1 ? "at most " : "");
            look->found = true;
        }
    }
    look->any = look->any || gone < outer * inner;
    if (gone > 0 && gone < outer * inner && !look->point->units && !look->found) {
        weir_check_finding(c, look->path, "layer %d, prompt %d, row %zu: %zu of its %zu values are not stored",
                           look->layer, look->prompt, absolute, gone, outer * inner);
        look->found = true;
    }
}

/* Reads the value in pieces of whole rows. */
static weir_status check_stored_value(struct weir_check *c, struct look *look)
{
    const weir_point *p = look->point->point;
    int axis = weir_point_row_axis(p);
    size_t outer = 1, inner = 1;
    weir_block block = {{0}, {0}};
    for (int a = 0; a < p->n_axes; a++) {
        block.count[a] = p->axes[a] == WEIR_AXIS_KEY ? look->n_tokens : look->point->shape[a];
        outer *= a < axis ? block.count[a] : 1;
        inner *= a > axis ? block.count[a] : 1;
    }
    size_t step = PIECE / (outer * inner) ? PIECE / (outer * inner) : 1;
    for (size_t i = 0; i < look->n_rows && !look->found; i += step) {
        block.start[axis] = i;
        block.count[axis] = look->n_rows - i < step ? look->n_rows - i : step;
        TRY(weir_file_read(look->file, look->point, look->layer, look->prompt, &block, look->buffer));
        for (size_t r = 0; r < block.count[axis] && !look->found; r++)
            check_row(c, look, look->buffer, outer, block.count[axis], inner, r, i + r);
    }
    return WEIR_OK;
}

/* Looks into a few prompts, spread over all of them. */
static void check_layer(struct weir_check *c, struct look *look)
{
    const weir_file_info *info = weir_file_get_info(look->file);
    int n = info->n_prompts < SAMPLE ? info->n_prompts : SAMPLE;
    bool rows = false;
    look->any = look->found = false;
    for (int i = 0; i < n && !look->found; i++) {
        weir_file_prompt prompt;
        look->prompt = n == 1 ? 0 : (int)((int64_t)i * (info->n_prompts - 1) / (n - 1));
        if (weir_file_get_prompt(look->file, look->prompt, &prompt) != WEIR_OK)
            return; /* found before */
        look->n_rows = prompt.n_rows;
        look->n_tokens = prompt.n;
        rows = rows || prompt.n_rows > 0;
        if (check_stored_value(c, look) != WEIR_OK) {
            weir_check_finding(c, look->path, "%s", weir_message());
            return;
        }
    }
    if (rows && !look->any && info->n_prompts <= SAMPLE)
        weir_check_finding(c, look->path, "layer %d is listed as stored, but has no values", look->layer);
}

/* The sum that rows of a pattern should have, unless a hook changed them. */
static enum sums expected_sums(const struct weir_check *c, const weir_point *point)
{
    const char *edits = weir_check_text(c->root, WEIR_A_EDITS);
    if (point->id != WEIR_P_PATTERN || (edits && *edits))
        return ANY_SUM;
    return weir_check_attribute(weir_check_dataset(c, WEIR_GROUP_ACTIVATIONS "/pattern"), WEIR_A_SINKS) ? SUM_UP_TO_1
                                                                                                        : SUM_OF_1;
}

/* All stored layers of a point, in one buffer as large as the largest row. */
static weir_status check_values(struct weir_check *c, const weir_file *file, const weir_file_point *point)
{
    static const double tolerance[] = {[WEIR_F32] = 1e-3, [WEIR_F16] = 1e-2, [WEIR_BF16] = 2e-2};
    const weir_file_info *info = weir_file_get_info(file);
    struct look look = {
        .file = file, .point = point, .tolerance = tolerance[info->dtype], .sums = expected_sums(c, point->point)};
    size_t one = 1;
    char *path = NULL;
    weir_status status;
    if (point->point->id == WEIR_P_EXPERT_INDICES)
        return WEIR_OK; /* -1, which stands for no expert, is also what is not stored */
    for (int a = 0; a < point->point->n_axes; a++)
        if (a != weir_point_row_axis(point->point))
            TRY(weir_mul(&one, one, point->shape[a]));
    TRY_DONE(weir_format(&path, "%s/%s", WEIR_GROUP_ACTIVATIONS, point->point->name));
    TRY_DONE(weir_alloc(&look.buffer, one > PIECE ? one : PIECE, sizeof *look.buffer));
    look.path = path;
    look.layer = -1;
    if (!point->layers)
        check_layer(c, &look);
    for (int layer = 0; point->layers && layer < info->n_layers; layer++) {
        look.layer = layer;
        if (point->layers[layer])
            check_layer(c, &look);
    }
done:
    weir_free(path);
    weir_free(look.buffer);
    return status;
}

/* The first cell that cannot be: a negative standard error, or more pairs than there are. */
static bool find_odd_cell(size_t *out, const struct weir_stored_grid *grid, const float *values)
{
    bool pairs = grid->kind == WEIR_GRID_PAIRS;
    float most = pairs && grid->n_pairs ? (float)grid->n_pairs : INFINITY;
    for (*out = 0; *out < grid->n_cells; (*out)++)
        if ((pairs || grid->kind == WEIR_GRID_STDERR) && (values[*out] < 0 || values[*out] > most))
            return true;
    return false;
}

static weir_status check_grid(struct weir_check *c, const weir_file *file, const struct weir_stored_grid *grid)
{
    char path[WEIR_STORED_GRID_NAME + 16];
    float *values;
    size_t cell;
    snprintf(path, sizeof path, WEIR_GROUP_RESULTS "/%s", grid->name);
    weir_status status = weir_stored_grid_read(&values, file, grid);
    if (status == WEIR_OK && find_odd_cell(&cell, grid, values))
        weir_check_finding(c, path, "element %zu is %g, must be from 0%s", cell, (double)values[cell],
                           grid->kind == WEIR_GRID_PAIRS ? " to the number of pairs" : " on");
    weir_free(values);
    return status;
}

/* Grids of patches; other results are nobody's to judge. */
static void check_results(struct weir_check *c, const weir_file *file)
{
    struct weir_stored_grid *grids;
    size_t n;
    weir_status status = weir_stored_grids_find(&grids, &n, file);
    for (size_t i = 0; i < n && status == WEIR_OK; i++)
        status = check_grid(c, file, &grids[i]);
    if (status != WEIR_OK)
        weir_check_finding(c, WEIR_GROUP_RESULTS, "%s", weir_message());
    weir_stored_grids_free(grids, n);
}

/* Through the reader, which refuses what the structure's findings name. */
weir_status weir_check_content(struct weir_check *c, const char *path)
{
    weir_file *file;
    weir_status status = weir_file_open(&file, path);
    if (status != WEIR_OK) {
        if (status == WEIR_E_MEMORY)
            return status;
        if (c->n == 0)
            weir_check_finding(c, "/", "%s", weir_message());
        return WEIR_OK;
    }
    check_prompts(c, file);
    check_results(c, file);
    for (int i = 0; status == WEIR_OK && i < weir_file_get_info(file)->n_points; i++)
        status = check_values(c, file, weir_file_point_at(file, i));
    weir_file_close(file);
    return status;
}
