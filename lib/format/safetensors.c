/* Reads safetensors: one file, or the shards that an index names. */
#include "format/safetensors.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

enum { MAX_HEADER = 100 * 1000 * 1000 }; /* what the reference implementation allows */

/* Of what is not read the size is known, or taken from the file: its layout can be checked. */
static const enum weir_type NOT_READ = WEIR_N_TYPES;

static const struct dtype {
    const char *name;
    enum weir_type type;
    size_t bytes; /* of a value; 0: not known */
} dtypes[] = {
    {"F32", WEIR_T_F32, 4}, {"F16", WEIR_T_F16, 2},   {"BF16", WEIR_T_BF16, 2}, {"F64", WEIR_T_F64, 8},
    {"BOOL", NOT_READ, 1},  {"U8", NOT_READ, 1},      {"I8", NOT_READ, 1},      {"U16", NOT_READ, 2},
    {"I16", NOT_READ, 2},   {"U32", NOT_READ, 4},     {"I32", NOT_READ, 4},     {"U64", NOT_READ, 8},
    {"I64", NOT_READ, 8},   {"F8_E4M3", NOT_READ, 1}, {"F8_E5M2", NOT_READ, 1}, {"F8_E8M0", NOT_READ, 1},
    {"C64", NOT_READ, 8},   {NULL, NOT_READ, 0},
};

/* One shard while it is read. */
struct shard {
    const char *file;
    const uint8_t *data; /* [size], after the header */
    size_t size;
};

/* ---- one tensor ----------------------------------------------------------------------------------------------- */

static weir_status bad_entry(const struct shard *shard, const char *name, const char *what)
{
    return weir_fail(WEIR_E_INPUT, "%s: tensor \"%s\": %s: the file is damaged", shard->file, name, what);
}

/* A size in a JSON header. Those past 2^53, where doubles get holes, no file can hold. */
static bool get_size(const cJSON *item, size_t *out)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0) || item->valuedouble > 0x1p53 ||
        item->valuedouble != floor(item->valuedouble))
        return false;
    *out = (size_t)item->valuedouble;
    return true;
}

static const struct dtype *find_dtype(const char *name)
{
    const struct dtype *dtype = dtypes;
    while (dtype->name && strcmp(dtype->name, name) != 0)
        dtype++;
    return dtype;
}

static weir_status read_json_shape(const struct shard *shard, const cJSON *entry, struct weir_tensor *tensor)
{
    const cJSON *shape = weir_json_get(entry, "shape"), *item;
    if (!cJSON_IsArray(shape))
        return bad_entry(shard, tensor->name, "no shape");
    cJSON_ArrayForEach(item, shape)
    {
        size_t size, *last = &tensor->shape[WEIR_MAX_DIMS - 1];
        if (!get_size(item, &size))
            return bad_entry(shard, tensor->name, "its shape has entries that are not whole numbers");
        if (tensor->n_dims < WEIR_MAX_DIMS)
            tensor->shape[tensor->n_dims++] = size;
        else
            TRY(weir_in(weir_mul(last, *last, size), shard->file));
    }
    return weir_tensor_count(&tensor->n, tensor);
}

/* Why nothing is made of a tensor, where that is known before it is looked for. */
static weir_status judge_tensor(struct weir_tensor *tensor, const cJSON *entry, const char *type)
{
    int n_dims = cJSON_GetArraySize(weir_json_get(entry, "shape"));
    if (n_dims > WEIR_MAX_DIMS)
        return weir_tensor_leave_unread(tensor, "has %d dimensions", n_dims);
    return tensor->type == NOT_READ ? weir_tensor_leave_unread(tensor, "is of type %s", type) : WEIR_OK;
}

/* Its bytes follow from shape and type where the size of a value is `known`. */
static weir_status read_place(const struct shard *shard, const cJSON *entry, struct weir_tensor *tensor, bool known)
{
    const cJSON *offsets = weir_json_get(entry, "data_offsets");
    size_t begin, end;
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
        !get_size(cJSON_GetArrayItem(offsets, 0), &begin) || !get_size(cJSON_GetArrayItem(offsets, 1), &end))
        return bad_entry(shard, tensor->name, "its data_offsets are not two whole numbers");
    if (begin > end)
        return bad_entry(shard, tensor->name, "its data ends before it begins");
    if (end > shard->size)
        return weir_fail(WEIR_E_INPUT,
                         "%s: tensor \"%s\" ends at byte %zu of the data, which has %zu: the file is truncated",
                         shard->file, tensor->name, end, shard->size);
    if (!known)
        tensor->bytes = end - begin;
    if (end - begin != tensor->bytes)
        return weir_fail(WEIR_E_INPUT, "%s: tensor \"%s\" has %zu bytes, and its shape and type need %zu", shard->file,
                         tensor->name, end - begin, tensor->bytes);
    tensor->data = shard->data + begin;
    return WEIR_OK;
}

/* MXFP4 has no type in the format: its values and scales are U8, recognized by their names. */
static enum weir_type packed_type(const char *name, const struct dtype *dtype)
{
    size_t n = strlen(name);
    if (!dtype->name || strcmp(dtype->name, "U8") != 0 || n < 7)
        return dtype->type;
    return strcmp(name + n - 7, "_blocks") == 0   ? WEIR_T_FP4
           : strcmp(name + n - 7, "_scales") == 0 ? WEIR_T_E8M0
                                                  : dtype->type;
}

/* One entry of the header: type, shape, and where its bytes begin and end. */
static weir_status read_json_tensor(struct weir_tensors *tensors, const struct shard *shard, const cJSON *entry)
{
    struct weir_tensor *tensor;
    const char *name = entry->string;
    if (!cJSON_IsObject(entry))
        return bad_entry(shard, name, "its entry is not an object");
    const char *type = cJSON_GetStringValue(weir_json_get(entry, "dtype"));
    if (!type)
        return bad_entry(shard, name, "no dtype");
    const struct dtype *dtype = find_dtype(type);
    TRY(weir_tensors_add(tensors, &tensor, shard->file, name, strlen(name)));
    tensor->type = packed_type(name, dtype);
    TRY(read_json_shape(shard, entry, tensor));
    TRY(weir_in(weir_mul(&tensor->bytes, tensor->n, dtype->bytes), shard->file));
    if (tensor->type == WEIR_T_FP4) /* its shape counts bytes */
        TRY(weir_in(weir_mul(&tensor->n, tensor->n, 2), shard->file));
    TRY(judge_tensor(tensor, entry, type));
    return read_place(shard, entry, tensor, dtype->bytes > 0);
}

/* ---- one file ------------------------------------------------------------------------------------------------- */

/* Tensors apart from each other whose sizes add up to the data leave no gap and no rest. */
static weir_status check_layout(struct weir_tensors *tensors, const struct shard *shard, size_t first)
{
    size_t used = 0;
    TRY(weir_tensors_check_apart(tensors, first));
    for (size_t i = first; i < tensors->n; i++)
        used += tensors->list[i].bytes;
    if (used != shard->size)
        return weir_fail(WEIR_E_INPUT, "%s: %zu bytes of its data belong to no tensor: the file is damaged",
                         shard->file, shard->size - used);
    return WEIR_OK;
}

/* Eight bytes of length, then so many bytes of JSON; the data follows. */
static weir_status read_json_header(cJSON **out, struct shard *shard, const uint8_t *data, size_t size)
{
    struct weir_bytes b = {.file = shard->file, .data = data, .size = size};
    uint64_t n;
    const uint8_t *text;
    *out = NULL;
    TRY(weir_bytes_u64(&b, &n, "the length of the header"));
    if (n > MAX_HEADER)
        return weir_fail(WEIR_E_INPUT, "%s: a header of %llu bytes: not a safetensors file, or damaged", shard->file,
                         (unsigned long long)n);
    TRY(weir_bytes_take(&b, &text, n, "the header"));
    TRY(weir_json_parse(out, shard->file, (const char *)text, (size_t)n));
    shard->data = data + b.at;
    shard->size = size - b.at;
    if (cJSON_IsObject(*out))
        return WEIR_OK;
    cJSON_Delete(*out);
    *out = NULL;
    return weir_fail(WEIR_E_INPUT, "%s: its header is not a JSON object: not a safetensors file, or damaged",
                     shard->file);
}

/* Appends the tensors of a file. `path` must outlive them. */
static weir_status read_tensors_of_file(struct weir_tensors *tensors, const char *path, const uint8_t *data,
                                        size_t size)
{
    struct shard shard = {.file = path};
    cJSON *header, *entry;
    size_t first = tensors->n;
    weir_status status = WEIR_OK;
    TRY(read_json_header(&header, &shard, data, size));
    cJSON_ArrayForEach(entry, header)
    {
        if (strcmp(entry->string, "__metadata__") != 0)
            TRY_DONE(read_json_tensor(tensors, &shard, entry));
    }
    TRY_DONE(check_layout(tensors, &shard, first));
done:
    cJSON_Delete(header);
    return status;
}

static weir_status read_map(struct weir_tensors *tensors, const char *path)
{
    struct weir_map *map;
    TRY(weir_map_open(&map, path));
    TRY(weir_tensors_keep_map(tensors, map));
    return read_tensors_of_file(tensors, map->path, map->data, map->size);
}

/* ---- an index and its shards ----------------------------------------------------------------------------------- */

/* Shards are in the folder of the index: a name that leads elsewhere is refused. */
static weir_status shard_path(char **out, const char *index, const char *name)
{
    const char *slash = strrchr(index, '/'), suffix[] = ".safetensors";
    size_t n = strlen(name), n_suffix = sizeof suffix - 1;
    *out = NULL;
    if (strchr(name, '/') || n <= n_suffix || strcmp(name + n - n_suffix, suffix) != 0)
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" is not the name of a .safetensors file beside it", index, name);
    int folder = slash ? (int)(slash - index + 1) : 0;
    return weir_format(out, "%.*s%s", folder, index, name);
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_listed(const struct weir_tensors *tensors, const char *name)
{
    for (size_t i = tensors->n_maps; i-- > 0;) /* the last first: neighbours are mostly in the same shard */
        if (strcmp(file_name(tensors->maps[i]->path), name) == 0)
            return true;
    return false;
}

static weir_status read_shard(struct weir_tensors *tensors, const char *index, const char *name)
{
    char *path;
    TRY(shard_path(&path, index, name));
    weir_status status = weir_in(read_map(tensors, path), index);
    weir_free(path);
    return status;
}

static weir_status read_shards(struct weir_tensors *tensors, const char *index, const cJSON *weight_map)
{
    const cJSON *entry;
    cJSON_ArrayForEach(entry, weight_map)
    {
        if (!cJSON_IsString(entry))
            return weir_fail(WEIR_E_INPUT, "%s: tensor \"%s\": its shard is not a string", index, entry->string);
        if (!is_listed(tensors, entry->valuestring))
            TRY(read_shard(tensors, index, entry->valuestring));
    }
    return WEIR_OK;
}

/* The index tells which shards there are. Its list of tensors is not trusted: one that it has and no shard is
   missing only where the model needs it. */
static weir_status read_index(struct weir_tensors *tensors, const char *path)
{
    cJSON *index;
    weir_status status;
    TRY(weir_json_read(&index, path));
    const cJSON *weight_map = weir_json_get(index, "weight_map");
    if (!cJSON_IsObject(weight_map) || !weight_map->child)
        TRY_DONE(weir_fail(WEIR_E_INPUT, "%s: no \"weight_map\" with tensors: not the index of a model", path));
    TRY_DONE(read_shards(tensors, path, weight_map));
    TRY_DONE(weir_tensors_finish(tensors));
done:
    cJSON_Delete(index);
    return status;
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/* Gives the tensors out, or closes them. */
static weir_status hand_over(struct weir_tensors **out, struct weir_tensors *tensors, weir_status status)
{
    if (status == WEIR_OK)
        *out = tensors;
    else
        weir_tensors_close(tensors);
    return status;
}

weir_status weir_safetensors_parse(struct weir_tensors **out, const char *path, const uint8_t *data, size_t size)
{
    struct weir_tensors *tensors;
    *out = NULL;
    TRY(weir_alloc_zero(&tensors, 1, sizeof *tensors));
    weir_status status = read_tensors_of_file(tensors, path, data, size);
    if (status == WEIR_OK)
        status = weir_tensors_finish(tensors);
    return hand_over(out, tensors, status);
}

static bool is_index(const char *path)
{
    size_t n = strlen(path);
    return n >= 5 && strcmp(path + n - 5, ".json") == 0;
}

weir_status weir_safetensors_open(struct weir_tensors **out, const char *path)
{
    struct weir_tensors *tensors;
    *out = NULL;
    TRY(weir_alloc_zero(&tensors, 1, sizeof *tensors));
    weir_status status;
    if (is_index(path)) {
        status = read_index(tensors, path);
    } else {
        status = read_map(tensors, path);
        if (status == WEIR_OK)
            status = weir_tensors_finish(tensors);
    }
    return hand_over(out, tensors, status);
}
