/* Wraps HDF5's calls: types, links, attributes, and the reason when one fails. */
#include "store/h5.h"

#include "base/alloc.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static void begin_once(void)
{
    H5dont_atexit();
    H5PLset_loading_state(0);
}

void weir_h5_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, begin_once);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

struct reason {
    int number;     /* errno that the innermost failure names, 0 when none */
    char text[160]; /* what the innermost failure says of itself */
};

static herr_t look_at(unsigned n, const H5E_error2_t *error, void *payload)
{
    struct reason *reason = payload;
    (void)n;
    const char *desc = error->desc ? error->desc : "";
    const char *at = strstr(desc, "errno = ");
    if (at)
        reason->number = (int)strtol(at + 8, NULL, 10);
    size_t length = strcspn(desc, ",\n");
    if (length >= sizeof reason->text)
        length = sizeof reason->text - 1;
    memcpy(reason->text, desc, length);
    reason->text[length] = '\0';
    return 0;
}

weir_status weir_h5_fail(weir_status status, const char *where, const char *what)
{
    struct reason reason = {0};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, look_at, &reason); /* ends with the outermost */
    struct reason inner = {0};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, look_at, &inner); /* ends with the innermost */
    int number = inner.number ? inner.number : reason.number;
    H5Eclear2(H5E_DEFAULT);
    if (number)
        return weir_fail(status, "%s: %s: %s", where, what, weir_write_error(number));
    if (inner.text[0])
        return weir_fail(status, "%s: %s (HDF5: %s)", where, what, inner.text);
    return weir_fail(status, "%s: %s", where, what);
}

void weir_h5_close(hid_t *id)
{
    if (*id >= 0 && H5Iis_valid(*id) > 0)
        H5Idec_ref(*id);
    *id = H5I_INVALID_HID;
}

/* ---- types ---- */

/* A 16-bit float with `exponent` bits of exponent. The fields come first: H5Tset_size may not drop any. */
static hid_t half_type(size_t exponent, size_t bias)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    size_t mantissa = 15 - exponent;
    if (type >= 0 && (H5Tset_fields(type, 15, mantissa, exponent, 0, mantissa) < 0 || H5Tset_size(type, 2) < 0 ||
                      H5Tset_ebias(type, bias) < 0))
        weir_h5_close(&type);
    return type;
}

static hid_t text_type(size_t width, H5T_str_t padding)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0 &&
        (H5Tset_size(type, width) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0 || H5Tset_strpad(type, padding) < 0))
        weir_h5_close(&type);
    return type;
}

hid_t weir_h5_type(enum weir_elem elem, size_t width)
{
    switch (elem) {
    case WEIR_ELEM_F32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case WEIR_ELEM_F16:
        return half_type(5, 15);
    case WEIR_ELEM_BF16:
        return half_type(8, 127);
    case WEIR_ELEM_I32:
        return H5Tcopy(H5T_STD_I32LE);
    case WEIR_ELEM_TEXT:
        return text_type(H5T_VARIABLE, H5T_STR_NULLTERM);
    case WEIR_ELEM_CHARS:
        return text_type(width, H5T_STR_NULLPAD);
    }
    return H5I_INVALID_HID;
}

static bool same_type(hid_t type, enum weir_elem elem)
{
    hid_t ours = weir_h5_type(elem, 0);
    bool same = ours >= 0 && H5Tequal(type, ours) > 0;
    weir_h5_close(&ours);
    return same;
}

bool weir_h5_elem(enum weir_elem *elem, size_t *width, hid_t type)
{
    *width = 0;
    if (H5Tget_class(type) == H5T_STRING) {
        *elem = H5Tis_variable_str(type) > 0 ? WEIR_ELEM_TEXT : WEIR_ELEM_CHARS;
        *width = *elem == WEIR_ELEM_CHARS ? H5Tget_size(type) : 0;
        return true;
    }
    for (int e = WEIR_ELEM_F32; e <= WEIR_ELEM_I32; e++)
        if (same_type(type, (enum weir_elem)e)) {
            *elem = (enum weir_elem)e;
            return true;
        }
    return false;
}

/* ---- attributes ---- */

static weir_status put_attribute(hid_t object, int attr, hid_t type, hid_t space, const void *data, const char *where)
{
    const char *name = weir_attr_at(attr)->name;
    hid_t id = H5I_INVALID_HID;
    bool fine = type >= 0 && space >= 0 &&
                (id = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT)) >= 0 &&
                H5Awrite(id, type, data) >= 0;
    weir_status status = fine ? WEIR_OK : weir_h5_fail(WEIR_E_OUTPUT, where, "cannot write an attribute");
    weir_h5_close(&id);
    weir_h5_close(&type);
    weir_h5_close(&space);
    return status;
}

weir_status weir_h5_put_text(hid_t object, int attr, const char *text, const char *where)
{
    const char *kept = text ? text : "";
    return put_attribute(object, attr, weir_h5_type(WEIR_ELEM_TEXT, 0), H5Screate(H5S_SCALAR), &kept, where);
}

weir_status weir_h5_put_int(hid_t object, int attr, int64_t value, const char *where)
{
    return put_attribute(object, attr, H5Tcopy(H5T_NATIVE_INT64), H5Screate(H5S_SCALAR), &value, where);
}

weir_status weir_h5_put_real(hid_t object, int attr, double value, const char *where)
{
    return put_attribute(object, attr, H5Tcopy(H5T_IEEE_F64LE), H5Screate(H5S_SCALAR), &value, where);
}

weir_status weir_h5_put_ints(hid_t object, int attr, const int32_t *values, size_t n, const char *where)
{
    hsize_t size = n;
    return put_attribute(object, attr, H5Tcopy(H5T_STD_I32LE), H5Screate_simple(1, &size, NULL), values, where);
}

/* Opens an attribute, its type and its number of values; *id stays invalid when an optional one is absent. */
static weir_status open_attr(hid_t *id, hid_t *type, size_t *n, hid_t object, int attr, const char *where)
{
    const struct weir_attr *info = weir_attr_at(attr);
    *id = *type = H5I_INVALID_HID;
    *n = 0;
    htri_t exists = H5Aexists(object, info->name);
    if (exists == 0 && !info->required)
        return WEIR_OK;
    if (exists <= 0)
        return weir_fail(WEIR_E_INPUT, "%s: the attribute %s is missing", where, info->name);
    *id = H5Aopen(object, info->name, H5P_DEFAULT);
    *type = *id >= 0 ? H5Aget_type(*id) : H5I_INVALID_HID;
    hid_t space = *id >= 0 ? H5Aget_space(*id) : H5I_INVALID_HID;
    hssize_t count = space >= 0 ? H5Sget_simple_extent_npoints(space) : -1;
    weir_h5_close(&space);
    if (*type < 0 || count < 0) {
        weir_h5_close(type);
        weir_h5_close(id);
        return weir_fail(WEIR_E_INPUT, "%s: the attribute %s is damaged", where, info->name);
    }
    *n = (size_t)count;
    return WEIR_OK;
}

static weir_status wrong_attr(const char *where, int attr, const char *wanted)
{
    return weir_fail(WEIR_E_INPUT, "%s: the attribute %s must be %s", where, weir_attr_at(attr)->name, wanted);
}

static weir_status read_variable(char **out, hid_t id, hid_t type, int attr, const char *where)
{
    char *text = NULL;
    if (H5Aread(id, type, &text) < 0)
        return wrong_attr(where, attr, "readable");
    weir_status status = weir_copy_string(out, text ? text : "");
    H5free_memory(text);
    return status;
}

static weir_status read_fixed(char **out, hid_t id, hid_t type, int attr, const char *where)
{
    size_t width = H5Tget_size(type);
    if (width == 0 || H5Aget_storage_size(id) < width)
        return wrong_attr(where, attr, "readable");
    TRY(weir_alloc_zero(out, width + 1, 1));
    return H5Aread(id, type, *out) < 0 ? wrong_attr(where, attr, "readable") : WEIR_OK;
}

weir_status weir_h5_get_text(hid_t object, int attr, char **out, const char *where)
{
    hid_t id, type;
    size_t n;
    *out = NULL;
    TRY(open_attr(&id, &type, &n, object, attr, where));
    if (id < 0)
        return WEIR_OK;
    weir_status status;
    if (H5Tget_class(type) != H5T_STRING || n != 1)
        status = wrong_attr(where, attr, weir_attr_wanted(attr));
    else
        status = H5Tis_variable_str(type) > 0 ? read_variable(out, id, type, attr, where)
                                              : read_fixed(out, id, type, attr, where);
    weir_h5_close(&type);
    weir_h5_close(&id);
    return status;
}

/* One number as the type `memory`; left alone when an optional attribute is absent. */
static weir_status get_number(hid_t object, int attr, H5T_class_t class, hid_t memory, void *out, const char *where)
{
    hid_t id, type;
    size_t n;
    TRY(open_attr(&id, &type, &n, object, attr, where));
    if (id < 0)
        return WEIR_OK;
    weir_status status = WEIR_OK;
    if (H5Tget_class(type) != class || n != 1 || H5Aread(id, memory, out) < 0)
        status = wrong_attr(where, attr, weir_attr_wanted(attr));
    weir_h5_close(&type);
    weir_h5_close(&id);
    return status;
}

weir_status weir_h5_get_int(hid_t object, int attr, int64_t *out, const char *where)
{
    return get_number(object, attr, H5T_INTEGER, H5T_NATIVE_INT64, out, where);
}

weir_status weir_h5_get_real(hid_t object, int attr, double *out, const char *where)
{
    return get_number(object, attr, H5T_FLOAT, H5T_NATIVE_DOUBLE, out, where);
}

/* A list of numbers of `size` bytes, as the type `memory`; *n 0 and NULL where an optional attribute is absent. */
static weir_status get_numbers(hid_t object, int attr, H5T_class_t class, hid_t memory, size_t size, void **out,
                               size_t *n, const char *where)
{
    hid_t id, type;
    void *numbers = NULL;
    weir_status status = WEIR_OK;
    *out = NULL;
    TRY(open_attr(&id, &type, n, object, attr, where));
    if (id < 0)
        return WEIR_OK;
    if (H5Tget_class(type) != class || *n > weir_dim_limit(WEIR_AXIS_LAYER))
        TRY_DONE(wrong_attr(where, attr, weir_attr_wanted(attr)));
    TRY_DONE(weir_alloc(&numbers, *n, size));
    if (*n && H5Aread(id, memory, numbers) < 0)
        TRY_DONE(wrong_attr(where, attr, "readable"));
    *out = numbers;
    numbers = NULL;
done:
    weir_free(numbers);
    weir_h5_close(&type);
    weir_h5_close(&id);
    return status;
}

weir_status weir_h5_get_ints(hid_t object, int attr, int32_t **out, size_t *n, const char *where)
{
    void *numbers;
    weir_status status = get_numbers(object, attr, H5T_INTEGER, H5T_NATIVE_INT32, sizeof **out, &numbers, n, where);
    *out = numbers;
    return status;
}

weir_status weir_h5_get_reals(hid_t object, int attr, double **out, size_t *n, const char *where)
{
    void *numbers;
    weir_status status = get_numbers(object, attr, H5T_FLOAT, H5T_NATIVE_DOUBLE, sizeof **out, &numbers, n, where);
    *out = numbers;
    return status;
}

/* ---- labels of axes ---- */

hid_t weir_h5_open_list(hid_t dataset, const char *name, int rank, H5T_class_t class, hid_t *type)
{
    *type = H5I_INVALID_HID;
    if (H5Aexists(dataset, name) <= 0)
        return H5I_INVALID_HID;
    hid_t attr = H5Aopen(dataset, name, H5P_DEFAULT), space = attr >= 0 ? H5Aget_space(attr) : H5I_INVALID_HID;
    *type = attr >= 0 ? H5Aget_type(attr) : H5I_INVALID_HID;
    bool fits = space >= 0 && H5Sget_simple_extent_npoints(space) == rank && H5Tget_class(*type) == class;
    weir_h5_close(&space);
    if (!fits) {
        weir_h5_close(type);
        weir_h5_close(&attr);
    }
    return attr;
}

void weir_h5_labels(char **labels, hid_t dataset, int rank)
{
    hid_t type, attr = weir_h5_open_list(dataset, "DIMENSION_LABELS", rank, H5T_STRING, &type);
    for (int a = 0; a < rank; a++)
        labels[a] = NULL;
    if (attr >= 0 && H5Tis_variable_str(type) > 0 && H5Aread(attr, type, labels) < 0)
        for (int a = 0; a < rank; a++)
            labels[a] = NULL;
    weir_h5_close(&type);
    weir_h5_close(&attr);
}

/* ---- links ---- */

static const char *kind_of_link(H5L_type_t type)
{
    return type == H5L_TYPE_EXTERNAL ? "a link to another file"
           : type == H5L_TYPE_SOFT   ? "a soft link"
                                     : "a link of an unknown kind";
}

/* The link of the first n characters of the path. */
static weir_status check_link(enum weir_link *out, hid_t file, const char *path, size_t n, const char *where)
{
    char part[WEIR_LONGEST_PATH];
    H5L_info_t info;
    *out = WEIR_LINK_NONE;
    if (n == 0 || n >= sizeof part)
        return n ? weir_fail(WEIR_E_INPUT, "%s: %.40s...: a name that is too long", where, path) : WEIR_OK;
    memcpy(part, path, n);
    part[n] = '\0';
    htri_t exists = H5Lexists(file, part, H5P_DEFAULT);
    if (exists == 0)
        return WEIR_OK;
    if (exists < 0 || H5Lget_info(file, part, &info, H5P_DEFAULT) < 0)
        return weir_h5_fail(WEIR_E_INPUT, where, part);
    *out = WEIR_LINK_HARD;
    if (info.type == H5L_TYPE_HARD)
        return WEIR_OK;
    return weir_fail(WEIR_E_INPUT, "%s: %s: is %s, which weir does not follow", where, part, kind_of_link(info.type));
}

weir_status weir_h5_link(enum weir_link *out, hid_t file, const char *path, const char *where)
{
    *out = WEIR_LINK_NONE;
    for (const char *end = path; *end;) {
        end += *end == '/';
        end += strcspn(end, "/");
        TRY(check_link(out, file, path, (size_t)(end - path), where));
        if (*out == WEIR_LINK_NONE)
            return WEIR_OK;
    }
    return WEIR_OK;
}

weir_status weir_h5_open_dataset(hid_t *out, hid_t file, const char *path, const char *where)
{
    enum weir_link link;
    *out = H5I_INVALID_HID;
    TRY(weir_h5_link(&link, file, path, where));
    if (link == WEIR_LINK_NONE)
        return weir_fail(WEIR_E_INPUT, "%s: %s: is missing", where, path);
    *out = H5Dopen2(file, path, H5P_DEFAULT);
    return *out >= 0 ? WEIR_OK : weir_h5_fail(WEIR_E_INPUT, where, path);
}
