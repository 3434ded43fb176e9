/* Selected values as arrays in an .npz archive, with their tokens and positions. */
#include "cli/export/export.h"
#include "cli/export/zip.h"
#include "cli/print/text.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* The prompts and positions of an array's axes: three small arrays beside it. */
struct labels {
    size_t *prompts; /* [n_prompts] */
    size_t n_prompts, n_rows, n_tokens;
    bool one_prompt, one_row; /* whose axes are dropped */
    int32_t *positions;       /* [n_prompts, n_rows] -1 where a prompt has none */
};

struct npz {
    const struct export *export;
    struct zip zip;
    int times[WEIR_N_POINTS]; /* how often each hook point was written */
    bool has_first;
    struct labels first;
};

/* ---- labels ---- */

static void close_labels(struct labels *labels)
{
    weir_free(labels->prompts);
    weir_free(labels->positions);
    *labels = (struct labels){0};
}

/* Positions of every prompt's rows, and the longest prompt's number of tokens. */
static weir_status fill_positions(struct labels *labels, const struct selected *selected)
{
    for (size_t i = 0; i < labels->n_prompts; i++) {
        struct excerpt excerpt;
        int32_t *to = labels->positions + i * labels->n_rows;
        weir_status status = excerpt_open(&excerpt, selected, i);
        const struct picked *rows = &excerpt.axes[excerpt.row];
        for (size_t j = 0; j < labels->n_rows && status == WEIR_OK; j++)
            to[j] = j < rows->n ? excerpt.tokens.positions[rows->list[j]] : -1;
        labels->n_tokens = excerpt.tokens.n > labels->n_tokens ? excerpt.tokens.n : labels->n_tokens;
        excerpt_close(&excerpt);
        TRY(status);
    }
    return WEIR_OK;
}

/* Prompts, positions and sizes, with the axes that a plain number drops. */
static weir_status open_labels(struct labels *out, const struct array *array)
{
    const struct selected *selected = array->selected;
    int row = weir_point_row_axis(selected->what);
    bool single[WEIR_MAX_AXES];
    size_t shape[WEIR_MAX_AXES], n;
    weir_status status;
    *out = (struct labels){.n_prompts = selected->prompts.n, .one_prompt = selected->prompts.single};
    TRY(selected_shape(selected, shape, single));
    out->n_rows = shape[row];
    out->one_row = single[row];
    TRY_DONE(weir_alloc(&out->prompts, out->n_prompts, sizeof *out->prompts));
    memcpy(out->prompts, selected->prompts.list, out->n_prompts * sizeof *out->prompts);
    TRY_DONE(weir_mul(&n, out->n_prompts, out->n_rows));
    TRY_DONE(weir_alloc(&out->positions, n, sizeof *out->positions));
    if (selected_values(selected) > 0)
        status = fill_positions(out, selected);
done:
    if (status != WEIR_OK)
        close_labels(out);
    return status;
}

static bool same_prompts(const struct labels *a, const struct labels *b)
{
    return a->n_prompts == b->n_prompts && a->one_prompt == b->one_prompt &&
           memcmp(a->prompts, b->prompts, a->n_prompts * sizeof *a->prompts) == 0;
}

static bool same_positions(const struct labels *a, const struct labels *b)
{
    return same_prompts(a, b) && a->n_rows == b->n_rows && a->one_row == b->one_row &&
           memcmp(a->positions, b->positions, a->n_prompts * a->n_rows * sizeof *a->positions) == 0;
}

/* ---- entries ---- */

static weir_status begin_array_entry(struct npz *npz, const char *prefix, const char *name, const char *descr,
                                     const size_t *shape, int rank, uint64_t bytes)
{
    char header[NPY_HEADER], entry[128];
    size_t n = npy_header(header, descr, shape, rank);
    snprintf(entry, sizeof entry, "%s%s.npy", prefix, name);
    TRY(zip_begin(&npz->zip, entry, n + bytes));
    return buffered_write(npz->export->out, header, n);
}

/* An array of [n_prompts, n] things of `size` bytes, without the axes that were dropped. */
static weir_status begin_label_entry(struct npz *npz, const char *prefix, const char *name, const char *descr,
                                     size_t size, const struct labels *labels, size_t n, bool one)
{
    size_t shape[2];
    int rank = 0;
    if (!labels->one_prompt)
        shape[rank++] = labels->n_prompts;
    if (!one)
        shape[rank++] = n;
    return begin_array_entry(npz, prefix, name, descr, shape, rank, (uint64_t)labels->n_prompts * n * size);
}

static weir_status write_position_labels(struct npz *npz, const char *prefix, const struct labels *labels)
{
    TRY(begin_label_entry(npz, prefix, "positions", "<i4", sizeof(int32_t), labels, labels->n_rows, labels->one_row));
    TRY(buffered_write(npz->export->out, labels->positions, labels->n_prompts * labels->n_rows * sizeof(int32_t)));
    return zip_end(&npz->zip);
}

static weir_status write_token_ids(struct npz *npz, const char *prefix, const struct labels *labels)
{
    static const int32_t none = -1;
    TRY(begin_label_entry(npz, prefix, "tokens", "<i4", sizeof(int32_t), labels, labels->n_tokens, false));
    for (size_t i = 0; i < labels->n_prompts; i++) {
        weir_file_prompt prompt;
        TRY(weir_file_get_prompt(npz->export->file, (int)labels->prompts[i], &prompt));
        TRY(buffered_write(npz->export->out, prompt.ids, prompt.n * sizeof *prompt.ids));
        for (size_t j = prompt.n; j < labels->n_tokens; j++)
            TRY(buffered_write(npz->export->out, &none, sizeof none));
    }
    return zip_end(&npz->zip);
}

/* In code points, as numpy's U type counts. */
static size_t longest_token(const struct npz *npz, const struct labels *labels)
{
    size_t longest = 1;
    for (size_t i = 0; i < labels->n_prompts; i++)
        for (size_t j = 0; j < labels->n_tokens; j++) {
            const char *text = weir_file_token(npz->export->file, (int)labels->prompts[i], (int)j);
            size_t n = 0;
            for (; *text; n++)
                (void)text_next(&text);
            longest = n > longest ? n : longest;
        }
    return longest;
}

/* Fixed width, four bytes per code point, padded with zeros. */
static weir_status write_token_texts(struct npz *npz, const char *prefix, const struct labels *labels)
{
    size_t longest = longest_token(npz, labels);
    char descr[32];
    snprintf(descr, sizeof descr, "<U%zu", longest);
    TRY(begin_label_entry(npz, prefix, "token_text", descr, longest * sizeof(uint32_t), labels, labels->n_tokens,
                          false));
    for (size_t i = 0; i < labels->n_prompts; i++)
        for (size_t j = 0; j < labels->n_tokens; j++) {
            const char *text = weir_file_token(npz->export->file, (int)labels->prompts[i], (int)j);
            for (size_t k = 0; k < longest; k++) {
                uint32_t code = *text ? text_next(&text) : 0;
                TRY(buffered_write(npz->export->out, &code, sizeof code));
            }
        }
    return zip_end(&npz->zip);
}

/* The labels of the first array hold for all that have the same; others have labels under their own name. */
static weir_status write_array_labels(struct npz *npz, const char *name, struct labels *labels)
{
    char prefix[80] = "";
    if (npz->has_first)
        snprintf(prefix, sizeof prefix, "%s_", name);
    if (!npz->has_first || !same_positions(&npz->first, labels))
        TRY(write_position_labels(npz, prefix, labels));
    if (npz->has_first && same_prompts(&npz->first, labels))
        return WEIR_OK;
    TRY(write_token_ids(npz, prefix, labels));
    return write_token_texts(npz, prefix, labels);
}

/* "z", and should it come again "z_2". */
static void name_array(char name[64], struct npz *npz, const weir_point *what)
{
    int times = ++npz->times[what->id];
    snprintf(name, 64, times > 1 ? "%s_%d" : "%s", what->name, times);
}

/* The array, then its labels where they are not those of the first array. */
static weir_status write_npz_array(const struct selected *selected, void *payload)
{
    struct npz *npz = payload;
    struct array array;
    struct labels labels = {0};
    char name[64];
    weir_status status;
    TRY(array_measure(&array, selected, npz->export->keep_dtype));
    name_array(name, npz, selected->what);
    TRY(begin_array_entry(npz, "", name, array.descr, array.shape, array.rank, array.n * array.size));
    TRY(array_write(npz->export->out, &array));
    TRY(zip_end(&npz->zip));
    TRY_DONE(open_labels(&labels, &array));
    TRY_DONE(write_array_labels(npz, name, &labels));
    if (!npz->has_first) {
        npz->first = labels;
        npz->has_first = true;
        return WEIR_OK;
    }
done:
    close_labels(&labels);
    return status;
}

weir_status export_npz(const struct export *export)
{
    struct npz npz = {.export = export, .zip = {.out = export->out}};
    weir_status status = selected_each(export->file, export->selection, export->prompt, write_npz_array, &npz);
    if (status == WEIR_OK)
        status = zip_finish(&npz.zip);
    zip_close(&npz.zip);
    close_labels(&npz.first);
    return status;
}
