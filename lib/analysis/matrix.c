/* A detection pattern from a file that somebody else wrote: NumPy's .npy, or numbers as text. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/map.h"

#include "analysis/detect.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char MAGIC[] = "\x93NUMPY";

enum { MAGIC_BYTES = 6, MOST_HEADER = 4096, MOST_ROWS = 1 << 20 };

/* ---- .npy ---- */

static float from_f8(const uint8_t *p)
{
    double x;
    memcpy(&x, p, sizeof x);
    return (float)x;
}

static float from_f4(const uint8_t *p)
{
    float x;
    memcpy(&x, p, sizeof x);
    return x;
}

static float from_i8(const uint8_t *p)
{
    int64_t x;
    memcpy(&x, p, sizeof x);
    return (float)x;
}

static float from_i4(const uint8_t *p)
{
    int32_t x;
    memcpy(&x, p, sizeof x);
    return (float)x;
}

static float from_b1(const uint8_t *p)
{
    return *p ? 1.0f : 0.0f;
}

/* NumPy's names of the types that a detection pattern is likely to have. */
static const struct npy_type {
    const char *name;
    size_t size;
    float (*value)(const uint8_t *bytes);
} npy_types[] = {
    {"<f4", 4, from_f4}, {"<f8", 8, from_f8}, {"<i4", 4, from_i4}, {"<i8", 8, from_i8}, {"|b1", 1, from_b1}};

struct npy {
    const struct npy_type *type;
    bool by_columns;
    uint64_t rows, columns;
};

/* The text after 'KEY': in the header, a Python dictionary; NULL where there is no such key. */
static const char *find_header_entry(const char *header, const char *key)
{
    const char *at = strstr(header, key);
    at = at ? strchr(at, ':') : NULL;
    return at ? at + 1 + strspn(at + 1, " ") : NULL;
}

static weir_status parse_shape(struct npy *npy, const char *path, const char *text)
{
    char *end = NULL;
    const char *at = text && *text == '(' ? text + 1 : "";
    npy->rows = isdigit((unsigned char)*at) ? strtoull(at, &end, 10) : 0;
    at = end ? end + strspn(end, ", ") : at;
    npy->columns = end && isdigit((unsigned char)*at) ? strtoull(at, &end, 10) : 0;
    if (npy->rows == 0 || npy->columns == 0 || *end != ')' || npy->rows > MOST_ROWS)
        return weir_fail(WEIR_E_INPUT, "%s: shape: a detection pattern has two axes, query and key", path);
    return WEIR_OK;
}

static const struct npy_type *find_type(const char *descr)
{
    for (size_t i = 0; descr && *descr && i < sizeof npy_types / sizeof *npy_types; i++)
        if (strncmp(descr + 1, npy_types[i].name, 3) == 0)
            return &npy_types[i];
    return NULL;
}

static weir_status parse_header(struct npy *npy, const char *path, const char *header)
{
    const struct npy_type *type = find_type(find_header_entry(header, "'descr'"));
    const char *order = find_header_entry(header, "'fortran_order'");
    if (!type)
        return weir_fail(WEIR_E_INPUT, "%s: its type must be float32, float64, int32, int64 or bool", path);
    npy->type = type;
    npy->by_columns = order && strncmp(order, "True", 4) == 0;
    return parse_shape(npy, path, find_header_entry(header, "'shape'"));
}

/* Magic, version, length, then a Python dictionary: type, order and shape. */
static weir_status read_npy_header(struct npy *npy, struct weir_bytes *bytes)
{
    char header[MOST_HEADER];
    const uint8_t *text;
    uint8_t major, minor;
    uint16_t n16 = 0;
    uint32_t n;
    TRY(weir_bytes_u8(bytes, &major, "the version"));
    TRY(weir_bytes_u8(bytes, &minor, "the version"));
    if (major == 1) {
        TRY(weir_bytes_u16(bytes, &n16, "the header's length"));
        n = n16;
    } else {
        TRY(weir_bytes_u32(bytes, &n, "the header's length"));
    }
    if (n >= MOST_HEADER)
        return weir_fail(WEIR_E_INPUT, "%s: its header of %u bytes is too long for a matrix", bytes->file, n);
    TRY(weir_bytes_take(bytes, &text, n, "the header"));
    memcpy(header, text, n);
    header[n] = '\0';
    return parse_header(npy, bytes->file, header);
}

static weir_status not_square(const char *path, uint64_t rows, uint64_t columns)
{
    return weir_fail(WEIR_E_INPUT, "%s: is %llu by %llu; a detection pattern has as many queries as keys", path,
                     (unsigned long long)rows, (unsigned long long)columns);
}

static weir_status read_npy(struct weir_detection_matrix *matrix, const struct weir_map *map)
{
    struct weir_bytes bytes = {matrix->path, map->data, map->size, MAGIC_BYTES};
    struct npy npy = {.type = npy_types};
    const uint8_t *data;
    TRY(read_npy_header(&npy, &bytes));
    if (npy.rows != npy.columns)
        return not_square(matrix->path, npy.rows, npy.columns);
    size_t n = (size_t)npy.rows, size = npy.type->size;
    TRY(weir_bytes_take(&bytes, &data, (uint64_t)n * n * size, "the values"));
    TRY(weir_alloc(&matrix->values, n * n, sizeof *matrix->values));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            matrix->values[i * n + j] = npy.type->value(data + (npy.by_columns ? j * n + i : i * n + j) * size);
    matrix->n = n;
    return WEIR_OK;
}

/* ---- text ---- */

/* Numbers as they are read. */
struct numbers {
    const char *path;
    float *list; /* [n] */
    size_t n, capacity;
};

/* Appends the numbers of a line, separated by commas or blanks. */
static weir_status read_line_of_numbers(struct numbers *numbers, char *text, size_t line)
{
    for (text += strspn(text, " \t"); *text;) {
        char *end;
        double value = strtod(text, &end);
        if (end == text)
            return weir_fail(WEIR_E_INPUT, "%s: line %zu: '%.12s' is not a number", numbers->path, line, text);
        TRY(weir_grow(&numbers->list, &numbers->capacity, numbers->n + 1, sizeof *numbers->list));
        numbers->list[numbers->n++] = (float)value;
        end += strspn(end, " \t");
        text = end + (*end == ',');
        text += strspn(text, " \t");
    }
    return WEIR_OK;
}

/* Every line a query; lines of nothing but blanks are passed over. */
static weir_status read_lines(struct numbers *numbers, size_t *rows, char *text)
{
    size_t width = 0;
    for (size_t line = 1; text; line++) {
        char *next = strchr(text, '\n');
        size_t before = numbers->n;
        if (next)
            *next++ = '\0';
        text[strcspn(text, "\r")] = '\0';
        TRY(read_line_of_numbers(numbers, text, line));
        size_t n = numbers->n - before;
        if (n > 0 && *rows > 0 && n != width)
            return weir_fail(WEIR_E_INPUT, "%s: line %zu has %zu numbers, the lines before it %zu", numbers->path, line,
                             n, width);
        width = n ? n : width;
        *rows += n > 0;
        text = next;
    }
    if (*rows != width || width == 0)
        return not_square(numbers->path, *rows, width);
    return WEIR_OK;
}

/* Lines of numbers; the size of the matrix is their count. */
static weir_status read_text_matrix(struct weir_detection_matrix *matrix, const struct weir_map *map)
{
    struct numbers numbers = {.path = matrix->path};
    char *text = NULL;
    size_t rows = 0;
    weir_status status;
    TRY_DONE(weir_copy_bytes(&text, (const char *)map->data, map->size));
    TRY_DONE(read_lines(&numbers, &rows, text));
    matrix->values = numbers.list;
    matrix->n = rows;
    numbers.list = NULL;
done:
    weir_free(numbers.list);
    weir_free(text);
    return status;
}

/* ---- both ---- */

static weir_status check_matrix(const struct weir_detection_matrix *matrix)
{
    size_t n = matrix->n;
    for (size_t i = 0; i < n * n; i++) {
        if (!isfinite(matrix->values[i]))
            return weir_fail(WEIR_E_INPUT, "%s: query %zu, key %zu: not a finite number", matrix->path, i / n, i % n);
        if (i % n > i / n && matrix->values[i] != 0)
            return weir_fail(WEIR_E_INPUT, "%s: query %zu, key %zu: must be 0: no query sees a key after it",
                             matrix->path, i / n, i % n);
    }
    return WEIR_OK;
}

/* Reads the matrix in the map of `name`, which stays open. */
static weir_status parse_matrix(struct weir_detection_matrix **out, const char *name, const struct weir_map *map)
{
    struct weir_detection_matrix *matrix = NULL;
    weir_status status;
    TRY_DONE(weir_alloc_zero(&matrix, 1, sizeof *matrix));
    TRY_DONE(weir_copy_string(&matrix->path, name));
    bool npy = map->size > MAGIC_BYTES && memcmp(map->data, MAGIC, MAGIC_BYTES) == 0;
    TRY_DONE(npy ? read_npy(matrix, map) : read_text_matrix(matrix, map));
    TRY_DONE(check_matrix(matrix));
    *out = matrix;
    matrix = NULL;
done:
    weir_detection_matrix_close(matrix);
    return status;
}

weir_status weir_detection_matrix_read(struct weir_detection_matrix **out, const char *path)
{
    struct weir_map *map = NULL;
    *out = NULL;
    TRY(weir_map_open(&map, path));
    weir_status status = parse_matrix(out, path, map);
    weir_map_close(map);
    return status;
}

weir_status weir_detection_matrix_parse(struct weir_detection_matrix **out, const char *name, const void *bytes,
                                        size_t n)
{
    struct weir_map map = {.data = bytes, .size = n};
    weir_status status = weir_copy_string(&map.path, name);
    *out = NULL;
    if (status == WEIR_OK)
        status = parse_matrix(out, name, &map);
    weir_free(map.path);
    return status;
}

void weir_detection_matrix_close(struct weir_detection_matrix *matrix)
{
    if (!matrix)
        return;
    weir_free(matrix->path);
    weir_free(matrix->values);
    weir_free(matrix);
}
