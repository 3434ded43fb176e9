/* Selected values as an array in numpy's .npy format. */
#include "cli/export/export.h"
#include "cli/process/interrupt.h"

#include "base/alloc.h"
#include "tensor/dtype.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { AHEAD = 1 << 20, BATCH = 1 << 16, ALIGN = 64 };

/* ---- shape and type ---- */

static void choose_array_type(struct array *array, bool keep_dtype)
{
    bool half = weir_file_get_info(array->selected->file)->dtype == WEIR_F16 && keep_dtype;
    bool index = array->selected->what->id == WEIR_P_EXPERT_INDICES;
    array->descr = index ? "<i4" : half ? "<f2" : "<f4";
    array->size = half && !index ? 2 : 4;
}

static void keep_array_axis(struct array *array, size_t size, bool single)
{
    if (!single)
        array->shape[array->rank++] = size;
}

weir_status array_measure(struct array *out, const struct selected *selected, bool keep_dtype)
{
    bool single[WEIR_MAX_AXES];
    uint64_t n = selected_values(selected);
    *out = (struct array){.selected = selected};
    TRY(selected_is_even(selected));
    TRY(selected_shape(selected, out->value, single));
    if (selected->what->per_layer)
        keep_array_axis(out, selected->layers.n, selected->layers.single);
    keep_array_axis(out, selected->prompts.n, selected->prompts.single);
    for (int a = 0; a < selected->what->n_axes; a++) {
        keep_array_axis(out, out->value[a], single[a]);
        if (__builtin_mul_overflow(n, out->value[a], &n))
            return weir_fail(WEIR_E_INPUT, "%s: too many values to count", selected->what->name);
    }
    for (int a = selected->what->n_axes; a < WEIR_MAX_AXES; a++)
        out->value[a] = 1;
    out->n = n;
    choose_array_type(out, keep_dtype);
    return WEIR_OK;
}

size_t npy_header(char to[NPY_HEADER], const char *descr, const size_t *shape, int rank)
{
    const size_t fixed = 10; /* the magic, the version and the length */
    size_t n = fixed;
    n += (size_t)snprintf(to + n, NPY_HEADER - n, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int a = 0; a < rank; a++)
        n += (size_t)snprintf(to + n, NPY_HEADER - n, "%s%zu", a ? ", " : "", shape[a]);
    n += (size_t)snprintf(to + n, NPY_HEADER - n, "%s), }", rank == 1 ? "," : "");
    size_t whole = (n + 1 + ALIGN - 1) / ALIGN * ALIGN;
    memset(to + n, ' ', whole - n);
    to[whole - 1] = '\n';
    memcpy(to, "\x93NUMPY\x01", 8); /* with the NUL: version 1.0 */
    to[8] = (char)((whole - fixed) & 0xff);
    to[9] = (char)((whole - fixed) >> 8);
    return whole;
}

/* ---- its values ---- */

struct writer {
    struct buffered *out;
    const struct array *array;
    float *row;       /* [value[last]] */
    uint16_t *halves; /* [BATCH] */
};

static weir_status write_halves(struct writer *writer, const float *values, size_t n)
{
    for (size_t i = 0; i < n; i += BATCH) {
        size_t some = n - i < BATCH ? n - i : BATCH;
        (void)weir_f32_to_f16(writer->halves, values + i, some); /* they were halves before: exact */
        TRY(buffered_write(writer->out, writer->halves, some * sizeof *writer->halves));
    }
    return WEIR_OK;
}

/* Numbers of the reader become the integers that they are. */
static void to_integers(float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int32_t number = isnan(values[i]) ? -1 : (int32_t)values[i];
        memcpy(&values[i], &number, sizeof number);
    }
}

static weir_status write_row_values(struct writer *writer, float *values, size_t n)
{
    if (writer->array->size == 2)
        return write_halves(writer, values, n);
    if (writer->array->descr[1] == 'i')
        to_integers(values, n);
    return buffered_write(writer->out, values, n * sizeof *values);
}

/* The picked columns of the row read last, or none; NaN after them. */
static void fill_array_row(float *to, size_t n, const struct excerpt *excerpt, bool there)
{
    const struct picked *columns = excerpt_columns(excerpt);
    size_t i = 0, m = there ? columns->n : 0;
    if (m > 0 && columns->list[m - 1] == columns->list[0] + m - 1) {
        memcpy(to, excerpt->values + (columns->list[0] - excerpt->first), m * sizeof *to);
        i = m;
    }
    for (; i < m; i++)
        to[i] = excerpt_value(excerpt, i);
    for (; i < n; i++)
        to[i] = NAN;
}

/* All rows of one layer and prompt, padded to the array's shape. */
static weir_status write_array_excerpt(struct writer *writer, struct excerpt *excerpt)
{
    const size_t *size = writer->array->value;
    int last = excerpt->what->n_axes - 1, n_rows = excerpt->row == last ? last + 1 : last; /* axes of rows */
    size_t n = excerpt->row == last ? 1 : size[last];
    size_t place[WEIR_MAX_AXES] = {0};
    for (place[0] = 0; place[0] < size[0]; place[0]++)
        for (place[1] = 0; place[1] < (n_rows > 1 ? size[1] : 1); place[1]++) {
            bool there = place[0] < excerpt->axes[0].n && (n_rows < 2 || place[1] < excerpt->axes[1].n);
            if (there)
                TRY(excerpt_read_row(excerpt, place));
            fill_array_row(writer->row, n, excerpt, there);
            TRY(write_row_values(writer, writer->row, n));
        }
    return interrupted() ? stopped() : WEIR_OK;
}

static weir_status write_all_excerpts(struct writer *writer)
{
    const struct selected *selected = writer->array->selected;
    for (size_t i = 0; i < selected_values(selected); i++) {
        struct excerpt excerpt;
        weir_status status = excerpt_open(&excerpt, selected, i);
        excerpt.ahead = AHEAD;
        if (status == WEIR_OK)
            status = write_array_excerpt(writer, &excerpt);
        excerpt_close(&excerpt);
        TRY(status);
    }
    return WEIR_OK;
}

weir_status array_write(struct buffered *out, const struct array *array)
{
    struct writer writer = {.out = out, .array = array};
    weir_status status;
    TRY_DONE(weir_alloc(&writer.row, array->value[array->selected->what->n_axes - 1] + 1, sizeof *writer.row));
    TRY_DONE(weir_alloc(&writer.halves, BATCH, sizeof *writer.halves));
    status = array->n > 0 ? write_all_excerpts(&writer) : WEIR_OK;
done:
    weir_free(writer.row);
    weir_free(writer.halves);
    return status;
}

/* ---- one array in one file ---- */

static weir_status count_selected(const struct selected *selected, void *payload)
{
    (void)selected;
    ++*(int *)payload;
    return WEIR_OK;
}

static weir_status write_npy(const struct selected *selected, void *payload)
{
    const struct export *export = payload;
    struct array array;
    char header[NPY_HEADER];
    TRY(array_measure(&array, selected, export->keep_dtype));
    TRY(buffered_write(export->out, header, npy_header(header, array.descr, array.shape, array.rank)));
    return array_write(export->out, &array);
}

weir_status export_npy(const struct export *export)
{
    int n = 0;
    TRY(selected_each(export->file, export->selection, export->prompt, count_selected, &n));
    if (n != 1)
        return weir_fail(WEIR_E_USAGE, "a .npy file holds one array, but %d are selected: write a .npz file", n);
    return selected_each(export->file, export->selection, export->prompt, write_npy, (void *)(uintptr_t) export);
}
