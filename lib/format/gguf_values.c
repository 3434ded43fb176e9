/* Reads the metadata of a GGUF file: values under keys, of many number types, strings and arrays. */
#include "format/gguf_values.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the types of values -------------------------------------------------------------------------------------- */

enum { TYPE_STRING = 8, TYPE_ARRAY = 9 };

enum { MIN_STRING = 8 }; /* bytes that a string takes at least */

/* The number types of GGUF, by their number in the file; width 0: not a number. */
static const struct number_type {
    unsigned width;
    enum weir_gguf_type type;
    bool is_bool;
} number_types[] = {
    {1, WEIR_GGUF_UINT, false},   {1, WEIR_GGUF_INT, false},   {2, WEIR_GGUF_UINT, false},  {2, WEIR_GGUF_INT, false},
    {4, WEIR_GGUF_UINT, false},   {4, WEIR_GGUF_INT, false},   {4, WEIR_GGUF_FLOAT, false}, {1, WEIR_GGUF_UINT, true},
    {0, WEIR_GGUF_STRING, false}, {0, WEIR_GGUF_ARRAY, false}, {8, WEIR_GGUF_UINT, false},  {8, WEIR_GGUF_INT, false},
    {8, WEIR_GGUF_FLOAT, false},
};

static const char *const type_words[] = {"a whole number", "a whole number", "a number", "a string", "an array"};

static uint64_t load_unsigned(const uint8_t *p, unsigned width)
{
    uint64_t x = 0;
    for (unsigned i = width; i-- > 0;)
        x = x << 8 | p[i];
    return x;
}

static int64_t load_signed(const uint8_t *p, unsigned width)
{
    uint64_t x = p[width - 1] & 0x80 ? UINT64_MAX : 0;
    for (unsigned i = width; i-- > 0;)
        x = x << 8 | p[i];
    return (int64_t)x;
}

static double load_float(const uint8_t *p, unsigned width)
{
    double d;
    float f;
    uint64_t bits = load_unsigned(p, width);
    uint32_t low = (uint32_t)bits;
    memcpy(&d, &bits, sizeof d);
    memcpy(&f, &low, sizeof f);
    return width == 4 ? (double)f : d;
}

/* ---- values --------------------------------------------------------------------------------------------------- */

weir_status weir_gguf_read_string(struct weir_bytes *b, struct weir_gguf_string *out, const char *what)
{
    uint64_t n;
    const uint8_t *p;
    *out = (struct weir_gguf_string){0};
    TRY(weir_bytes_u64(b, &n, what));
    TRY(weir_bytes_take(b, &p, n, what));
    *out = (struct weir_gguf_string){(const char *)p, (size_t)n};
    return WEIR_OK;
}

weir_status weir_gguf_read_count(struct weir_bytes *b, size_t *out, size_t min_bytes, const char *what)
{
    uint64_t n;
    *out = 0;
    TRY(weir_bytes_u64(b, &n, what));
    if (n > (b->size - b->at) / min_bytes)
        return weir_fail(WEIR_E_INPUT, "%s: byte %zu: %s: the count %llu is more than the rest of the file can hold",
                         b->file, b->at - 8, what, (unsigned long long)n);
    *out = (size_t)n;
    return WEIR_OK;
}

static weir_status read_value_type(struct weir_bytes *b, uint32_t *out, const char *key)
{
    TRY(weir_bytes_u32(b, out, key));
    if (*out >= sizeof number_types / sizeof *number_types)
        return weir_fail(WEIR_E_INPUT, "%s: byte %zu: %s has the unknown type %u: the file is damaged", b->file,
                         b->at - 4, key, *out);
    return WEIR_OK;
}

static weir_status check_bools(const struct weir_bytes *b, const uint8_t *p, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] > 1)
            return weir_fail(WEIR_E_INPUT, "%s: %s has the truth value %u, neither 0 nor 1: the file is damaged",
                             b->file, key, p[i]);
    return WEIR_OK;
}

static void store_number(struct weir_gguf_value *value, const uint8_t *p, unsigned width)
{
    if (value->type == WEIR_GGUF_UINT)
        value->u = load_unsigned(p, width);
    else if (value->type == WEIR_GGUF_INT)
        value->i = load_signed(p, width);
    else
        value->f = load_float(p, width);
}

static void store_numbers(struct weir_gguf_value *value, const uint8_t *p, unsigned width)
{
    for (size_t i = 0; i < value->n; i++, p += width) {
        if (value->element == WEIR_GGUF_UINT)
            value->us[i] = load_unsigned(p, width);
        else if (value->element == WEIR_GGUF_INT)
            value->is[i] = load_signed(p, width);
        else
            value->fs[i] = load_float(p, width);
    }
}

static weir_status read_strings(struct weir_bytes *b, struct weir_gguf_value *value)
{
    TRY(weir_gguf_read_count(b, &value->n, MIN_STRING, value->key));
    TRY(weir_alloc(&value->ss, value->n, sizeof *value->ss));
    for (size_t i = 0; i < value->n; i++)
        TRY(weir_gguf_read_string(b, &value->ss[i], value->key));
    return WEIR_OK;
}

static weir_status read_scalars(struct weir_bytes *b, struct weir_gguf_value *value, const struct number_type *type)
{
    const uint8_t *p;
    TRY(weir_gguf_read_count(b, &value->n, type->width, value->key));
    TRY(weir_bytes_take(b, &p, (uint64_t)value->n * type->width, value->key));
    if (type->is_bool)
        TRY(check_bools(b, p, value->n, value->key));
    TRY(weir_alloc(&value->us, value->n, sizeof *value->us)); /* all three kinds of element are of 8 bytes */
    store_numbers(value, p, type->width);
    return WEIR_OK;
}

static weir_status read_array(struct weir_bytes *b, struct weir_gguf_value *value)
{
    uint32_t element;
    TRY(read_value_type(b, &element, value->key));
    value->element = number_types[element].type;
    if (element == TYPE_ARRAY)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: byte %zu: %s is an array of arrays, which weir does not read",
                         b->file, b->at - 4, value->key);
    if (element == TYPE_STRING)
        return read_strings(b, value);
    return read_scalars(b, value, &number_types[element]);
}

static weir_status read_scalar(struct weir_bytes *b, struct weir_gguf_value *value, const struct number_type *type)
{
    const uint8_t *p;
    TRY(weir_bytes_take(b, &p, type->width, value->key));
    if (type->is_bool)
        TRY(check_bools(b, p, 1, value->key));
    store_number(value, p, type->width);
    return WEIR_OK;
}

/* A key, a type, then a value of that type. */
static weir_status read_value(struct weir_bytes *b, struct weir_gguf_value *value)
{
    struct weir_gguf_string key;
    uint32_t type;
    size_t bad;
    TRY(weir_gguf_read_string(b, &key, "a metadata key"));
    if (key.n == 0 || memchr(key.data, '\0', key.n) || !weir_utf8_valid(key.data, key.n, &bad))
        return weir_fail(WEIR_E_INPUT, "%s: byte %zu: a metadata key that is not UTF-8 text: the file is damaged",
                         b->file, b->at - key.n);
    TRY(weir_copy_bytes(&value->key, key.data, key.n));
    TRY(read_value_type(b, &type, value->key));
    value->type = number_types[type].type;
    if (type == TYPE_STRING)
        return weir_gguf_read_string(b, &value->s, value->key);
    if (type == TYPE_ARRAY)
        return read_array(b, value);
    return read_scalar(b, value, &number_types[type]);
}

static int by_key(const void *a, const void *b)
{
    const struct weir_gguf_value *x = a, *y = b;
    return strcmp(x->key, y->key);
}

weir_status weir_gguf_read_values(struct weir_gguf *gguf, struct weir_bytes *b, size_t n)
{
    TRY(weir_alloc_zero(&gguf->values, n, sizeof *gguf->values));
    while (gguf->n_values < n) /* counted one by one: what a failure leaves is closed */
        TRY(read_value(b, &gguf->values[gguf->n_values++]));
    qsort(gguf->values, n, sizeof *gguf->values, by_key);
    for (size_t i = 1; i < n; i++)
        if (strcmp(gguf->values[i - 1].key, gguf->values[i].key) == 0)
            return weir_fail(WEIR_E_INPUT, "%s: the metadata key %s occurs twice: the file is damaged", gguf->path,
                             gguf->values[i].key);
    return WEIR_OK;
}

/* ---- asking for values ---------------------------------------------------------------------------------------- */

static int key_against(const void *key, const void *value)
{
    return strcmp(key, ((const struct weir_gguf_value *)value)->key);
}

const struct weir_gguf_value *weir_gguf_find(const struct weir_gguf *gguf, const char *key)
{
    if (gguf->n_values == 0)
        return NULL;
    return bsearch(key, gguf->values, gguf->n_values, sizeof *gguf->values, key_against);
}

static weir_status fail_value_type(const struct weir_gguf *gguf, const struct weir_gguf_value *value,
                                   const char *wanted)
{
    return weir_fail(WEIR_E_INPUT, "%s: %s is %s; it must be %s", gguf->path, value->key, type_words[value->type],
                     wanted);
}

weir_status weir_gguf_int(const struct weir_gguf *gguf, const char *key, int64_t *out)
{
    const struct weir_gguf_value *value = weir_gguf_find(gguf, key);
    if (!value)
        return WEIR_OK;
    if (value->type == WEIR_GGUF_INT)
        *out = value->i;
    else if (value->type != WEIR_GGUF_UINT)
        return fail_value_type(gguf, value, "a whole number");
    else if (value->u > INT64_MAX)
        return weir_fail(WEIR_E_INPUT, "%s: %s is %llu, which is out of range", gguf->path, key,
                         (unsigned long long)value->u);
    else
        *out = (int64_t)value->u;
    return WEIR_OK;
}

weir_status weir_gguf_number(const struct weir_gguf *gguf, const char *key, double *out)
{
    const struct weir_gguf_value *value = weir_gguf_find(gguf, key);
    if (!value)
        return WEIR_OK;
    if (value->type == WEIR_GGUF_UINT)
        *out = (double)value->u;
    else if (value->type == WEIR_GGUF_INT)
        *out = (double)value->i;
    else if (value->type != WEIR_GGUF_FLOAT)
        return fail_value_type(gguf, value, "a number");
    else if (!isfinite(value->f))
        return weir_fail(WEIR_E_INPUT, "%s: %s is %g; it must be a finite number", gguf->path, key, value->f);
    else
        *out = value->f;
    return WEIR_OK;
}

weir_status weir_gguf_bool(const struct weir_gguf *gguf, const char *key, bool *out)
{
    const struct weir_gguf_value *value = weir_gguf_find(gguf, key);
    if (!value)
        return WEIR_OK;
    if (value->type != WEIR_GGUF_UINT || value->u > 1)
        return fail_value_type(gguf, value, "true or false");
    *out = value->u == 1;
    return WEIR_OK;
}

weir_status weir_gguf_text(const struct weir_gguf *gguf, const char *key, char **out)
{
    const struct weir_gguf_value *value = weir_gguf_find(gguf, key);
    size_t bad;
    if (!value)
        return WEIR_OK;
    if (value->type != WEIR_GGUF_STRING)
        return fail_value_type(gguf, value, "a string");
    if (memchr(value->s.data, '\0', value->s.n) || !weir_utf8_valid(value->s.data, value->s.n, &bad))
        return weir_fail(WEIR_E_INPUT, "%s: %s is not UTF-8 text without NUL", gguf->path, key);
    return weir_copy_bytes(out, value->s.data, value->s.n);
}
