/* A description of a file as JSON: the structure, not the data. */
#include "base/alloc.h"
#include "store/read/source.h"
#include "store/validate.h"

#include <hdf5_hl.h>
#include <math.h>
#include <string.h>

enum { NAME_SIZE = 256, MAX_NUMBERS = 1 << 14, DEEPEST = 32 };

struct walk {
    hid_t file;
    cJSON *root, *groups, *datasets;
    cJSON *links; /* NULL until there is one */
    bool failed;  /* out of memory */
    bool too_deep;
};

/* Takes `item` over; NULL is a failure that was noticed elsewhere. */
static bool add_item(cJSON *object, const char *key, cJSON *item)
{
    if (item && cJSON_AddItemToObject(object, key, item))
        return true;
    cJSON_Delete(item);
    return false;
}

static bool append_item(cJSON *array, cJSON *item)
{
    if (item && cJSON_AddItemToArray(array, item))
        return true;
    cJSON_Delete(item);
    return false;
}

/* ---- attributes ---- */

static bool is_internal(const char *name)
{
    static const char *const names[] = {"CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "DIMENSION_LABELS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, "_Netcdf4", 8) == 0 || strncmp(name, "_NC", 3) == 0;
}

/* HDF5 allocates texts of variable length itself; those of fixed length need not end with NUL. */
static cJSON *text_value(hid_t attr, hid_t type)
{
    cJSON *value = NULL;
    char *text = NULL;
    if (H5Tis_variable_str(type) > 0) {
        if (H5Aread(attr, type, &text) >= 0)
            value = cJSON_CreateString(text ? text : "");
        H5free_memory(text);
        return value ? value : cJSON_CreateNull();
    }
    size_t width = H5Tget_size(type);
    if (width <= H5Aget_storage_size(attr) && weir_alloc_zero(&text, width + 1, 1) == WEIR_OK &&
        H5Aread(attr, type, text) >= 0)
        value = cJSON_CreateString(text);
    weir_free(text);
    return value ? value : cJSON_CreateNull();
}

static cJSON *number_value(hid_t attr, size_t n, bool scalar)
{
    double *numbers = NULL; /* [n] */
    cJSON *value = NULL;
    if (n <= MAX_NUMBERS && weir_alloc_zero(&numbers, n, sizeof *numbers) == WEIR_OK &&
        (n == 0 || H5Aread(attr, H5T_NATIVE_DOUBLE, numbers) >= 0))
        value = scalar ? cJSON_CreateNumber(numbers[0]) : cJSON_CreateDoubleArray(numbers, (int)n);
    weir_free(numbers);
    return value ? value : cJSON_CreateNull();
}

/* Text, a number or a list of numbers; null for anything else. */
static cJSON *attribute_value(hid_t attr)
{
    hid_t type = H5Aget_type(attr), space = H5Aget_space(attr);
    H5T_class_t class = H5Tget_class(type);
    hssize_t n = H5Sget_simple_extent_npoints(space);
    bool scalar = H5Sget_simple_extent_type(space) == H5S_SCALAR;
    cJSON *value;
    if (class == H5T_STRING && n == 1)
        value = text_value(attr, type);
    else if ((class == H5T_INTEGER || class == H5T_FLOAT) && n >= 0)
        value = number_value(attr, (size_t)n, scalar);
    else
        value = cJSON_CreateNull();
    weir_h5_close(&type);
    weir_h5_close(&space);
    return value;
}

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *payload)
{
    (void)info;
    if (is_internal(name))
        return 0;
    hid_t attr = H5Aopen(object, name, H5P_DEFAULT);
    bool fine = attr >= 0 && add_item(payload, name, attribute_value(attr));
    weir_h5_close(&attr);
    return fine ? 0 : -1;
}

static bool add_attributes(cJSON *to, hid_t object)
{
    cJSON *attributes = cJSON_AddObjectToObject(to, "attributes");
    return attributes && H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, attributes) >= 0;
}

/* ---- datasets ---- */

static const char *type_name(hid_t dataset)
{
    enum weir_elem elem;
    size_t width;
    hid_t type = H5Dget_type(dataset);
    const char *name = type >= 0 && weir_h5_elem(&elem, &width, type) ? weir_elem_name(elem) : "other";
    weir_h5_close(&type);
    return name;
}

static bool add_shape(cJSON *to, hid_t dataset, int *rank)
{
    hsize_t shape[H5S_MAX_RANK];
    hid_t space = H5Dget_space(dataset);
    *rank = space >= 0 ? H5Sget_simple_extent_dims(space, shape, NULL) : -1;
    weir_h5_close(&space);
    cJSON *list = cJSON_AddArrayToObject(to, "shape");
    bool fine = list != NULL;
    for (int a = 0; a < *rank && fine; a++)
        fine = append_item(list, cJSON_CreateNumber((double)shape[a]));
    return fine;
}

/* "dims": the label of each axis, null where there is none. */
static bool add_axis_labels(cJSON *to, hid_t dataset, int rank)
{
    char *labels[H5S_MAX_RANK] = {NULL};
    cJSON *dims = cJSON_AddArrayToObject(to, "dims");
    bool fine = dims != NULL;
    weir_h5_labels(labels, dataset, rank);
    for (int a = 0; a < rank; a++) {
        bool named = labels[a] && labels[a][0];
        fine = fine && append_item(dims, named ? cJSON_CreateString(labels[a]) : cJSON_CreateNull());
        H5free_memory(labels[a]);
    }
    return fine;
}

static bool is_reference_list(hid_t type)
{
    hid_t base = H5Tget_super(type);
    bool fits = base >= 0 && H5Tequal(base, H5T_STD_REF_OBJ) > 0;
    weir_h5_close(&base);
    return fits;
}

static cJSON *scale_name(hid_t dataset, const hobj_ref_t *reference)
{
    char name[NAME_SIZE] = "";
    hid_t scale = H5Rdereference2(dataset, H5P_DEFAULT, H5R_OBJECT, reference);
    bool named = scale >= 0 && H5Iget_name(scale, name, sizeof name) > 0;
    weir_h5_close(&scale);
    return named ? cJSON_CreateString(name) : cJSON_CreateNull();
}

/* "scales": the names of what is attached to each axis. */
static bool add_scales(cJSON *to, hid_t dataset, int rank)
{
    hvl_t lists[H5S_MAX_RANK] = {{0, NULL}};
    cJSON *scales = cJSON_AddArrayToObject(to, "scales");
    hid_t type, attr = weir_h5_open_list(dataset, "DIMENSION_LIST", rank, H5T_VLEN, &type);
    bool read = attr >= 0 && is_reference_list(type) && H5Aread(attr, type, lists) >= 0, fine = scales != NULL;
    for (int a = 0; a < rank; a++) {
        cJSON *list = cJSON_CreateArray();
        fine = fine && append_item(scales, list);
        for (size_t i = 0; read && fine && i < lists[a].len; i++)
            fine = append_item(list, scale_name(dataset, (const hobj_ref_t *)lists[a].p + i));
        if (read)
            H5free_memory(lists[a].p);
    }
    weir_h5_close(&type);
    weir_h5_close(&attr);
    return fine;
}

static bool add_dims(cJSON *to, hid_t dataset, int rank)
{
    return add_axis_labels(to, dataset, rank) && add_scales(to, dataset, rank);
}

static const char *filter_name(H5Z_filter_t id)
{
    return id == H5Z_FILTER_DEFLATE      ? "gzip"
           : id == H5Z_FILTER_SHUFFLE    ? "shuffle"
           : id == H5Z_FILTER_FLETCHER32 ? "fletcher32"
                                         : "other";
}

/* "chunk": its shape; "filters": their names. */
static bool add_chunks(cJSON *to, hid_t dcpl)
{
    hsize_t chunk[H5S_MAX_RANK];
    int rank = H5Pget_chunk(dcpl, H5S_MAX_RANK, chunk);
    cJSON *list = cJSON_AddArrayToObject(to, "chunk");
    bool fine = list != NULL;
    for (int a = 0; a < rank && fine; a++)
        fine = append_item(list, cJSON_CreateNumber((double)chunk[a]));
    cJSON *filters = fine ? cJSON_AddArrayToObject(to, "filters") : NULL;
    int n = H5Pget_nfilters(dcpl);
    fine = filters != NULL;
    for (int i = 0; i < n && fine; i++) {
        size_t none = 0;
        unsigned flags; /* no configuration: HDF5 would look for plugins */
        H5Z_filter_t id = H5Pget_filter2(dcpl, (unsigned)i, &flags, &none, NULL, 0, NULL, NULL);
        fine = append_item(filters, cJSON_CreateString(filter_name(id)));
    }
    return fine;
}

/* The value of what is not stored: a number, "NaN", or null where it is not set or not a number. */
static cJSON *fill_of(hid_t dcpl, hid_t dataset)
{
    H5D_fill_value_t defined = H5D_FILL_VALUE_UNDEFINED;
    hid_t type = H5Dget_type(dataset);
    H5T_class_t class = H5Tget_class(type);
    weir_h5_close(&type);
    double value = 0;
    if ((class != H5T_FLOAT && class != H5T_INTEGER) || H5Pfill_value_defined(dcpl, &defined) < 0 ||
        defined != H5D_FILL_VALUE_USER_DEFINED || H5Pget_fill_value(dcpl, H5T_NATIVE_DOUBLE, &value) < 0)
        return cJSON_CreateNull();
    return isnan(value) ? cJSON_CreateString("NaN") : cJSON_CreateNumber(value);
}

static bool add_storage(cJSON *to, hid_t dataset, bool *outside)
{
    static const char *const names[] = {"compact", "contiguous", "chunked", "virtual"};
    hid_t dcpl = H5Dget_create_plist(dataset);
    int layout = dcpl >= 0 ? (int)H5Pget_layout(dcpl) : -1;
    const char *name = layout >= 0 && layout < 4 ? names[layout] : "other";
    if (dcpl >= 0 && H5Pget_external_count(dcpl) > 0)
        name = "external";
    *outside = strcmp(name, "external") == 0 || strcmp(name, "virtual") == 0;
    bool fine = add_item(to, "storage", cJSON_CreateString(name)) && add_item(to, "fill", fill_of(dcpl, dataset)) &&
                (layout != H5D_CHUNKED || add_chunks(to, dcpl));
    weir_h5_close(&dcpl);
    return fine;
}

static bool add_dataset(cJSON *datasets, hid_t dataset, const char *path)
{
    cJSON *to = cJSON_AddObjectToObject(datasets, path);
    int rank;
    bool outside = false;
    if (!to || !add_storage(to, dataset, &outside))
        return false;
    if (outside) /* HDF5 would ask other files for its shape */
        return true;
    return add_shape(to, dataset, &rank) && add_item(to, "dtype", cJSON_CreateString(type_name(dataset))) &&
           add_item(to, "scale", cJSON_CreateBool(H5DSis_scale(dataset) > 0)) && add_dims(to, dataset, rank) &&
           add_attributes(to, dataset);
}

static bool add_object(struct walk *walk, const char *path, H5O_type_t type)
{
    if (type == H5O_TYPE_GROUP)
        return append_item(walk->groups, cJSON_CreateString(path));
    if (type != H5O_TYPE_DATASET)
        return true;
    hid_t dataset = H5Dopen2(walk->file, path, H5P_DEFAULT);
    bool fine = dataset < 0 || add_dataset(walk->datasets, dataset, path);
    weir_h5_close(&dataset);
    return fine;
}

/* HDF5 looks each name up from the root, so that a chain of 2,000 groups took it a minute. */
static bool is_too_deep(const char *name)
{
    int slashes = 0;
    for (; *name; name++)
        slashes += *name == '/';
    return slashes >= DEEPEST;
}

static herr_t visit_object(hid_t root, const char *name, const H5O_info_t *info, void *payload)
{
    struct walk *walk = payload;
    char *path = NULL;
    (void)root;
    if (strcmp(name, ".") == 0)
        return 0;
    walk->too_deep = is_too_deep(name);
    if (walk->too_deep)
        return -1;
    walk->failed = weir_format(&path, "/%s", name) != WEIR_OK || !add_object(walk, path, info->type);
    weir_free(path);
    return walk->failed ? -1 : 0;
}

/* ---- links that lead out of this file ---- */

static herr_t visit_link(hid_t root, const char *name, const H5L_info_t *info, void *payload)
{
    struct walk *walk = payload;
    char *path = NULL;
    (void)root;
    if (info->type == H5L_TYPE_HARD)
        return 0;
    const char *kind = info->type == H5L_TYPE_EXTERNAL ? "external" : info->type == H5L_TYPE_SOFT ? "soft" : "other";
    if (!walk->links)
        walk->links = cJSON_AddObjectToObject(walk->root, "links");
    walk->failed = weir_format(&path, "/%s", name) != WEIR_OK || !walk->links ||
                   !add_item(walk->links, path, cJSON_CreateString(kind));
    weir_free(path);
    return walk->failed ? -1 : 0;
}

static weir_status describe_file(cJSON *to, hid_t file, const char *path)
{
    struct walk walk = {.file = file, .root = to};
    if (!add_attributes(to, file))
        return weir_fail(WEIR_E_INPUT, "%s: its attributes cannot be read", path);
    walk.groups = cJSON_AddArrayToObject(to, "groups");
    walk.datasets = cJSON_AddObjectToObject(to, "datasets");
    if (!walk.groups || !walk.datasets)
        return weir_fail(WEIR_E_MEMORY, "%s: out of memory", path);
    if (H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, visit_object, &walk, H5O_INFO_BASIC) < 0 ||
        H5Lvisit(file, H5_INDEX_NAME, H5_ITER_INC, visit_link, &walk) < 0) {
        if (walk.too_deep)
            return weir_fail(WEIR_E_UNSUPPORTED,
                             "%s: its groups are nested more than %d deep, which no file of weir's needs", path,
                             DEEPEST);
        return walk.failed ? weir_fail(WEIR_E_INPUT, "%s: an object cannot be described", path)
                           : weir_h5_fail(WEIR_E_INPUT, path, "damaged");
    }
    return WEIR_OK;
}

weir_status weir_store_describe(cJSON **out, const char *path)
{
    struct weir_h5_source source;
    *out = NULL;
    weir_h5_begin();
    TRY(weir_h5_source_open(&source, path));
    cJSON *root = cJSON_CreateObject();
    weir_status status =
        root ? describe_file(root, source.file, path) : weir_fail(WEIR_E_MEMORY, "%s: out of memory", path);
    if (status == WEIR_OK) {
        *out = root;
        root = NULL;
    }
    cJSON_Delete(root);
    weir_h5_source_close(&source);
    return status;
}
