/* Reads .npy: the header's dict, then the array where it lies. */
#include "format/npy.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <string.h>

static const uint8_t magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

enum { LONGEST_DESCR = 64 };

/* ---- the dict of the header ------------------------------------------------------------------------------------- */

struct dict {
    const char *file, *text; /* text: its beginning */
    const char *p, *end;
    char descr[LONGEST_DESCR]; /* "<f4"; "" for a list, which is a type with fields */
    bool fortran_order, has[3];
    size_t shape[WEIR_MAX_DIMS];
    size_t n_dims; /* as written: may be more than shape holds */
};

static weir_status refuse_dict(const struct dict *dict, const char *wants)
{
    return weir_fail(WEIR_E_INPUT, "%s: .npy header, character %zu: not %s: the file is damaged", dict->file,
                     (size_t)(dict->p - dict->text), wants);
}

static void skip_spaces(struct dict *dict)
{
    while (dict->p < dict->end && strchr(" \t\r\n", *dict->p) && *dict->p)
        dict->p++;
}

/* Takes a character where it comes next. */
static bool take_mark(struct dict *dict, char mark)
{
    skip_spaces(dict);
    bool is_next = dict->p < dict->end && *dict->p == mark;
    dict->p += is_next;
    return is_next;
}

static bool take_word(struct dict *dict, const char *word)
{
    size_t n = strlen(word);
    skip_spaces(dict);
    bool is_next = (size_t)(dict->end - dict->p) >= n && memcmp(dict->p, word, n) == 0;
    dict->p += is_next ? n : 0;
    return is_next;
}

/* 'text' or "text" without escapes, which no header of numpy's has. */
static weir_status take_string(struct dict *dict, char to[LONGEST_DESCR])
{
    skip_spaces(dict);
    char quote = dict->p < dict->end ? *dict->p : '\0';
    if (quote != '\'' && quote != '"')
        return refuse_dict(dict, "a string");
    const char *from = dict->p + 1, *close = memchr(from, quote, (size_t)(dict->end - from));
    if (!close || close - from >= LONGEST_DESCR)
        return refuse_dict(dict, "a string of a key or a type");
    memcpy(to, from, (size_t)(close - from));
    to[close - from] = '\0';
    dict->p = close + 1;
    return WEIR_OK;
}

/* A list says fields; it is passed over up to its last bracket. */
static weir_status take_descr(struct dict *dict)
{
    skip_spaces(dict);
    if (dict->p == dict->end || *dict->p != '[')
        return take_string(dict, dict->descr);
    int depth = 0;
    for (; dict->p < dict->end; dict->p++) {
        depth += *dict->p == '[';
        depth -= *dict->p == ']';
        if (depth == 0) {
            dict->p++;
            return WEIR_OK;
        }
    }
    return refuse_dict(dict, "a type");
}

static weir_status take_order(struct dict *dict)
{
    dict->fortran_order = take_word(dict, "True");
    return dict->fortran_order || take_word(dict, "False") ? WEIR_OK : refuse_dict(dict, "True or False");
}

static weir_status take_size(struct dict *dict, size_t *out)
{
    const char *from = dict->p;
    *out = 0;
    for (; dict->p < dict->end && *dict->p >= '0' && *dict->p <= '9'; dict->p++)
        if (__builtin_mul_overflow(*out, (size_t)10, out) ||
            __builtin_add_overflow(*out, (size_t)(*dict->p - '0'), out))
            return refuse_dict(dict, "a size that memory could hold");
    if (dict->p == from)
        return refuse_dict(dict, "a size");
    take_word(dict, "L"); /* Python 2's long */
    return WEIR_OK;
}

/* (), (3,) or (3, 4) */
static weir_status take_shape(struct dict *dict)
{
    if (!take_mark(dict, '('))
        return refuse_dict(dict, "a shape");
    while (!take_mark(dict, ')')) {
        size_t size;
        TRY(take_size(dict, &size));
        if (dict->n_dims < WEIR_MAX_DIMS)
            dict->shape[dict->n_dims] = size;
        dict->n_dims++;
        if (take_mark(dict, ','))
            skip_spaces(dict);
        else if (dict->p == dict->end || *dict->p != ')')
            return refuse_dict(dict, "a comma or ) in the shape");
    }
    return WEIR_OK;
}

static weir_status take_entry(struct dict *dict)
{
    static const char *const keys[] = {"descr", "fortran_order", "shape"};
    static weir_status (*const take_value[])(struct dict *) = {take_descr, take_order, take_shape};
    char key[LONGEST_DESCR];
    TRY(take_string(dict, key));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0 && !dict->has[i]) {
            dict->has[i] = true;
            return take_mark(dict, ':') ? take_value[i](dict) : refuse_dict(dict, "a colon");
        }
    return weir_fail(WEIR_E_INPUT, "%s: .npy header: the key '%s' is none of descr, fortran_order and shape, once each",
                     dict->file, key);
}

static weir_status parse_dict(struct dict *dict)
{
    if (!take_mark(dict, '{'))
        return refuse_dict(dict, "a dict");
    while (!take_mark(dict, '}')) {
        TRY(take_entry(dict));
        take_mark(dict, ',');
    }
    skip_spaces(dict);
    if (dict->p != dict->end)
        return refuse_dict(dict, "the end of the dict");
    if (!dict->has[0] || !dict->has[1] || !dict->has[2])
        return weir_fail(WEIR_E_INPUT, "%s: .npy header: one of descr, fortran_order and shape is missing", dict->file);
    return WEIR_OK;
}

/* ---- the array -------------------------------------------------------------------------------------------------- */

static enum weir_type type_of_descr(const char *descr)
{
    static const struct {
        const char *descr;
        enum weir_type type;
    } rows[] = {{"<f4", WEIR_T_F32}, {"<f8", WEIR_T_F64}, {"<f2", WEIR_T_F16}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(descr, rows[i].descr) == 0)
            return rows[i].type;
    return WEIR_N_TYPES;
}

/* Fortran's order is C's where no more than one axis is longer than 1. */
static bool is_in_c_order(const struct dict *dict)
{
    int n_long = 0;
    for (size_t i = 0; i < dict->n_dims; i++)
        n_long += dict->shape[i] > 1;
    return !dict->fortran_order || n_long <= 1;
}

static weir_status describe_array(struct weir_tensor *tensor, const struct dict *dict)
{
    tensor->type = type_of_descr(dict->descr);
    if (dict->n_dims > WEIR_MAX_DIMS)
        return weir_tensor_leave_unread(tensor, "has %zu dimensions, more than %d", dict->n_dims, WEIR_MAX_DIMS);
    tensor->n_dims = (int)dict->n_dims;
    memcpy(tensor->shape, dict->shape, sizeof tensor->shape);
    if (!*dict->descr)
        return weir_tensor_leave_unread(tensor, "has fields: save one of them");
    if (tensor->type == WEIR_N_TYPES)
        return weir_tensor_leave_unread(tensor, "is of type %s: save it as float32", dict->descr);
    if (!is_in_c_order(dict))
        return weir_tensor_leave_unread(tensor, "is in Fortran's order: save numpy.ascontiguousarray of it");
    return weir_tensor_count(&tensor->n, tensor);
}

/* The array is all that follows the header. */
static weir_status place_array(struct weir_tensor *tensor, const struct weir_bytes *bytes)
{
    size_t rest = bytes->size - bytes->at;
    if (tensor->unread)
        return WEIR_OK;
    TRY(weir_in(weir_type_bytes(&tensor->bytes, tensor->type, tensor->n), tensor->file));
    if (tensor->bytes != rest)
        return weir_fail(WEIR_E_INPUT, "%s: byte %zu: the array takes %zu bytes and the file has %zu there",
                         tensor->file, bytes->at, tensor->bytes, rest);
    tensor->data = bytes->data + bytes->at;
    return WEIR_OK;
}

/* Magic, version, the header's length (2 bytes in version 1, 4 later), the header. */
static weir_status read_header(struct dict *dict, struct weir_bytes *bytes)
{
    const uint8_t *start, *text;
    uint8_t major, minor;
    uint16_t short_n;
    uint32_t n;
    TRY(weir_bytes_take(bytes, &start, sizeof magic, "the magic of .npy"));
    if (memcmp(start, magic, sizeof magic) != 0)
        return weir_fail(WEIR_E_INPUT, "%s: does not begin as .npy files do", bytes->file);
    TRY(weir_bytes_u8(bytes, &major, "the version"));
    TRY(weir_bytes_u8(bytes, &minor, "the version"));
    if (major < 1 || major > 3)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: .npy version %u.%u: 1 to 3 are read", bytes->file, major, minor);
    if (major == 1) {
        TRY(weir_bytes_u16(bytes, &short_n, "the header's length"));
        n = short_n;
    } else {
        TRY(weir_bytes_u32(bytes, &n, "the header's length"));
    }
    TRY(weir_bytes_take(bytes, &text, n, "the header"));
    *dict = (struct dict){.file = bytes->file, .text = (const char *)text, .p = (const char *)text};
    dict->end = dict->p + n;
    return parse_dict(dict);
}

weir_status weir_npy_add(struct weir_tensors *tensors, const char *file, const char *name, const uint8_t *data,
                         size_t size)
{
    struct weir_bytes bytes = {.file = file, .data = data, .size = size};
    struct weir_tensor *tensor;
    struct dict dict;
    TRY(read_header(&dict, &bytes));
    TRY(weir_tensors_add(tensors, &tensor, file, name, strlen(name)));
    TRY(describe_array(tensor, &dict));
    return place_array(tensor, &bytes);
}

weir_status weir_npy_open(struct weir_tensors **out, const char *path)
{
    struct weir_tensors *tensors;
    struct weir_map *map;
    weir_status status;
    *out = NULL;
    TRY(weir_alloc_zero(&tensors, 1, sizeof *tensors));
    TRY_DONE(weir_map_open(&map, path));
    TRY_DONE(weir_tensors_keep_map(tensors, map));
    TRY_DONE(weir_npy_add(tensors, map->path, "array", map->data, map->size));
    *out = tensors;
    tensors = NULL;
done:
    weir_tensors_close(tensors);
    return status;
}
