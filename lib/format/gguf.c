/* Reads GGUF: header and tensor infos, and the other parts of a model in several files. gguf_values.c reads the
 * metadata. */
#include "format/gguf.h"

#include "base/alloc.h"
#include "format/gguf_values.h"

#include <stdio.h>
#include <string.h>

enum { DEFAULT_ALIGNMENT = 32 };

enum { MIN_VALUE = 8 + 4 + 1, MIN_TENSOR = 8 + 4 + 4 + 8 }; /* bytes that each takes at least */

/* ---- tensors -------------------------------------------------------------------------------------------------- */

/* The types of ggml as the file numbers them; `ours` is WEIR_N_TYPES where weir does not read one. */
static const struct tensor_type {
    const char *name;
    enum weir_type ours;
} tensor_types[] = {
    [0] = {"F32", WEIR_T_F32},           [1] = {"F16", WEIR_T_F16},           [2] = {"Q4_0", WEIR_T_Q4_0},
    [3] = {"Q4_1", WEIR_T_Q4_1},         [4] = {"Q4_2", WEIR_N_TYPES},        [5] = {"Q4_3", WEIR_N_TYPES},
    [6] = {"Q5_0", WEIR_T_Q5_0},         [7] = {"Q5_1", WEIR_T_Q5_1},         [8] = {"Q8_0", WEIR_T_Q8_0},
    [9] = {"Q8_1", WEIR_N_TYPES},        [10] = {"Q2_K", WEIR_T_Q2_K},        [11] = {"Q3_K", WEIR_T_Q3_K},
    [12] = {"Q4_K", WEIR_T_Q4_K},        [13] = {"Q5_K", WEIR_T_Q5_K},        [14] = {"Q6_K", WEIR_T_Q6_K},
    [15] = {"Q8_K", WEIR_N_TYPES},       [16] = {"IQ2_XXS", WEIR_N_TYPES},    [17] = {"IQ2_XS", WEIR_N_TYPES},
    [18] = {"IQ3_XXS", WEIR_N_TYPES},    [19] = {"IQ1_S", WEIR_N_TYPES},      [20] = {"IQ4_NL", WEIR_T_IQ4_NL},
    [21] = {"IQ3_S", WEIR_N_TYPES},      [22] = {"IQ2_S", WEIR_N_TYPES},      [23] = {"IQ4_XS", WEIR_N_TYPES},
    [24] = {"I8", WEIR_N_TYPES},         [25] = {"I16", WEIR_N_TYPES},        [26] = {"I32", WEIR_N_TYPES},
    [27] = {"I64", WEIR_N_TYPES},        [28] = {"F64", WEIR_T_F64},          [29] = {"IQ1_M", WEIR_N_TYPES},
    [30] = {"BF16", WEIR_T_BF16},        [31] = {"Q4_0_4_4", WEIR_N_TYPES},   [32] = {"Q4_0_4_8", WEIR_N_TYPES},
    [33] = {"Q4_0_8_8", WEIR_N_TYPES},   [34] = {"TQ1_0", WEIR_N_TYPES},      [35] = {"TQ2_0", WEIR_N_TYPES},
    [36] = {"IQ4_NL_4_4", WEIR_N_TYPES}, [37] = {"IQ4_NL_4_8", WEIR_N_TYPES}, [38] = {"IQ4_NL_8_8", WEIR_N_TYPES},
    [39] = {"MXFP4", WEIR_N_TYPES},      [40] = {"NVFP4", WEIR_N_TYPES},      [41] = {"Q1_0", WEIR_N_TYPES},
};

static weir_status read_tensor_type(struct weir_bytes *b, struct weir_tensor *tensor)
{
    uint32_t id;
    TRY(weir_bytes_u32(b, &id, tensor->name));
    if (id >= sizeof tensor_types / sizeof *tensor_types)
        return weir_tensor_leave_unread(tensor, "is of ggml type %u", id);
    tensor->type = tensor_types[id].ours;
    return tensor->type == WEIR_N_TYPES ? weir_tensor_leave_unread(tensor, "is of type %s", tensor_types[id].name)
                                        : WEIR_OK;
}

/* GGUF lists the fastest axis first: the shape is its reverse. */
static weir_status read_dimensions(struct weir_bytes *b, struct weir_tensor *tensor)
{
    uint32_t n_dims;
    TRY(weir_bytes_u32(b, &n_dims, tensor->name));
    if (n_dims > WEIR_MAX_DIMS)
        return weir_fail(WEIR_E_INPUT, "%s: byte %zu: tensor \"%s\" has %u dimensions; GGUF allows %d", b->file,
                         b->at - 4, tensor->name, n_dims, WEIR_MAX_DIMS);
    tensor->n_dims = (int)n_dims;
    for (uint32_t i = n_dims; i-- > 0;) {
        uint64_t dim;
        TRY(weir_bytes_u64(b, &dim, tensor->name));
        if (dim > SIZE_MAX)
            return weir_fail(WEIR_E_INPUT, "%s: tensor \"%s\": a dimension of %llu", b->file, tensor->name,
                             (unsigned long long)dim);
        tensor->shape[i] = (size_t)dim;
    }
    return weir_tensor_count(&tensor->n, tensor);
}

/* Quantized blocks do not cross rows. Of a tensor that is not read nothing is known but where it begins. */
static weir_status find_bytes(struct weir_tensor *tensor)
{
    if (tensor->unread)
        return WEIR_OK;
    const struct weir_type_info *info = weir_type_get_info(tensor->type);
    size_t row = tensor->n_dims ? tensor->shape[tensor->n_dims - 1] : 1;
    if (row % info->block_values != 0)
        return weir_fail(WEIR_E_INPUT, "%s: tensor \"%s\": rows of %zu values are not whole blocks of %s (%zu values)",
                         tensor->file, tensor->name, row, info->name, info->block_values);
    return weir_in(weir_type_bytes(&tensor->bytes, tensor->type, tensor->n), tensor->file);
}

static weir_status read_tensor_info(struct weir_gguf *gguf, struct weir_bytes *b, uint64_t *offset)
{
    struct weir_gguf_string name;
    struct weir_tensor *tensor;
    TRY(weir_gguf_read_string(b, &name, "the name of a tensor"));
    TRY(weir_tensors_add(gguf->tensors, &tensor, gguf->path, name.data, name.n));
    TRY(read_dimensions(b, tensor));
    TRY(read_tensor_type(b, tensor));
    TRY(find_bytes(tensor));
    return weir_bytes_u64(b, offset, tensor->name);
}

/* The data begins at the next multiple of the alignment, and each tensor at a multiple from there. */
static weir_status place_tensor(struct weir_tensor *tensor, const struct weir_bytes *b, uint64_t offset,
                                uint64_t alignment)
{
    uint64_t padding = (alignment - b->at % alignment) % alignment, left = b->size - b->at;
    if (offset % alignment != 0)
        return weir_fail(WEIR_E_INPUT, "%s: tensor \"%s\": its offset %llu is not a multiple of the alignment %llu",
                         tensor->file, tensor->name, (unsigned long long)offset, (unsigned long long)alignment);
    if (padding > left || offset > left - padding || tensor->bytes > left - padding - offset)
        return weir_fail(WEIR_E_INPUT,
                         "%s: tensor \"%s\" (%zu bytes at %llu) reaches past the end of the file: it is truncated",
                         tensor->file, tensor->name, tensor->bytes, (unsigned long long)offset);
    tensor->data = b->data + b->at + padding + offset;
    return WEIR_OK;
}

/* Absent keeps *out. */
static weir_status get_alignment(const struct weir_gguf *gguf, uint64_t *out)
{
    int64_t alignment = (int64_t)*out;
    TRY(weir_gguf_int(gguf, "general.alignment", &alignment));
    if (alignment <= 0 || (alignment & (alignment - 1)) != 0 || alignment > UINT32_MAX)
        return weir_fail(WEIR_E_INPUT, "%s: general.alignment is %lld; it must be a power of two below 2^32",
                         gguf->path, (long long)alignment);
    *out = (uint64_t)alignment;
    return WEIR_OK;
}

/* All infos first: where the data begins is known only after the last of them. */
static weir_status read_tensors(struct weir_gguf *gguf, struct weir_bytes *b, size_t n)
{
    uint64_t *offsets = NULL; /* [n] */
    uint64_t alignment = DEFAULT_ALIGNMENT;
    weir_status status;
    TRY_DONE(get_alignment(gguf, &alignment));
    TRY_DONE(weir_alloc(&offsets, n, sizeof *offsets));
    for (size_t i = 0; i < n; i++)
        TRY_DONE(read_tensor_info(gguf, b, &offsets[i]));
    for (size_t i = 0; i < n; i++)
        TRY_DONE(place_tensor(&gguf->tensors->list[i], b, offsets[i], alignment));
    TRY_DONE(weir_tensors_check_apart(gguf->tensors, 0));
    TRY_DONE(weir_tensors_finish(gguf->tensors));
done:
    weir_free(offsets);
    return status;
}

/* ---- the file ------------------------------------------------------------------------------------------------- */

/* Magic and version; in a big-endian file the version's bytes are the other way round. */
static weir_status read_version(struct weir_bytes *b)
{
    const uint8_t *magic;
    uint32_t version;
    TRY(weir_bytes_take(b, &magic, 4, "the magic number"));
    if (memcmp(magic, "GGUF", 4) != 0)
        return weir_fail(WEIR_E_INPUT, "%s: not a GGUF file: it does not begin with \"GGUF\"", b->file);
    TRY(weir_bytes_u32(b, &version, "the version"));
    if (version != 0 && (version & 0xffff) == 0)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: a big-endian GGUF file; weir only reads little-endian ones", b->file);
    if (version != 2 && version != 3)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: GGUF version %u; weir reads 2 and 3: convert the model again",
                         b->file, version);
    return WEIR_OK;
}

static weir_status read_gguf_file(struct weir_gguf *gguf, struct weir_bytes *b)
{
    uint64_t n_tensors;
    size_t n_values;
    TRY(read_version(b));
    TRY(weir_bytes_u64(b, &n_tensors, "the number of tensors"));
    if (n_tensors > (b->size - b->at) / MIN_TENSOR)
        return weir_fail(WEIR_E_INPUT, "%s: it claims %llu tensors, more than the file can hold", b->file,
                         (unsigned long long)n_tensors);
    TRY(weir_gguf_read_count(b, &n_values, MIN_VALUE, "the metadata"));
    TRY(weir_gguf_read_values(gguf, b, n_values));
    return read_tensors(gguf, b, (size_t)n_tensors);
}

weir_status weir_gguf_parse(struct weir_gguf **out, const char *path, const uint8_t *data, size_t size)
{
    struct weir_gguf *gguf = NULL;
    weir_status status;
    *out = NULL;
    TRY_DONE(weir_alloc_zero(&gguf, 1, sizeof *gguf));
    TRY_DONE(weir_copy_string(&gguf->path, path));
    TRY_DONE(weir_alloc_zero(&gguf->tensors, 1, sizeof *gguf->tensors));
    TRY_DONE(read_gguf_file(gguf, &(struct weir_bytes){.file = gguf->path, .data = data, .size = size}));
    *out = gguf;
    gguf = NULL;
done:
    weir_gguf_close(gguf);
    return status;
}

/* One file, with its map kept; a part of a model where it says so. */
static weir_status open_file(struct weir_gguf **out, const char *path)
{
    struct weir_map *map;
    *out = NULL;
    TRY(weir_map_open(&map, path));
    weir_status status = weir_gguf_parse(out, path, map->data, map->size);
    if (status != WEIR_OK) {
        weir_map_close(map);
        return status;
    }
    for (size_t i = 0; i < (*out)->tensors->n; i++)
        (*out)->tensors->list[i].file = map->path; /* which stays when a part is joined to the first */
    status = weir_tensors_keep_map((*out)->tensors, map);
    if (status != WEIR_OK) {
        weir_gguf_close(*out);
        *out = NULL;
    }
    return status;
}

/* ---- models in several files ----------------------------------------------------------------------------------- */

enum { MAX_PARTS = 9999 };

/* The length of the path before the number of the part in "NAME-00002-of-00005.gguf"; 0 where it is not a
   such name, or of another number of parts. */
static size_t before_number(const char *path, int n_parts)
{
    char end[32];
    int n = snprintf(end, sizeof end, "-of-%05d.gguf", n_parts);
    size_t length = strlen(path), tail = (size_t)n + 5; /* NAME-|00002-of-00005.gguf */
    if (length <= tail || strcmp(path + length - (size_t)n, end) != 0 || path[length - tail - 1] != '-')
        return 0;
    return strspn(path + length - tail, "0123456789") == 5 ? length - tail : 0;
}

/* A part names its number and their count; both must agree with its file name. */
static weir_status open_gguf_part(struct weir_gguf **out, const char *path, int part, int n_parts)
{
    char *name;
    int64_t number = -1, count = 1;
    *out = NULL;
    TRY(weir_format(&name, "%.*s%05d-of-%05d.gguf", (int)before_number(path, n_parts), path, part + 1, n_parts));
    weir_status status = open_file(out, name);
    if (status == WEIR_OK)
        status = weir_gguf_int(*out, "split.no", &number);
    if (status == WEIR_OK)
        status = weir_gguf_int(*out, "split.count", &count);
    if (status == WEIR_OK && (number != part || count != n_parts))
        status = weir_fail(WEIR_E_INPUT, "%s: its header says part %lld of %lld, its name part %d of %d", name,
                           (long long)number + 1, (long long)count, part + 1, n_parts);
    if (status != WEIR_OK) {
        weir_gguf_close(*out);
        *out = NULL;
    }
    weir_free(name);
    return status;
}

/* Moves the tensors and the maps of one part to the first. */
static weir_status join_part(struct weir_tensors *to, struct weir_tensors *from)
{
    TRY(weir_grow(&to->list, &to->capacity, to->n + from->n, sizeof *to->list));
    TRY(weir_grow(&to->maps, &to->maps_capacity, to->n_maps + from->n_maps, sizeof(struct weir_map *)));
    if (from->n > 0)
        memcpy(to->list + to->n, from->list, from->n * sizeof *from->list);
    memcpy(to->maps + to->n_maps, from->maps, from->n_maps * sizeof(struct weir_map *));
    to->n += from->n;
    to->n_maps += from->n_maps;
    from->n = from->n_maps = 0;
    return WEIR_OK;
}

/* Opens the other parts and moves their tensors to the first one's list. */
static weir_status join_parts(struct weir_gguf *first, const char *path, int n_parts)
{
    int64_t n_tensors = -1;
    for (int part = 1; part < n_parts; part++) {
        struct weir_gguf *other;
        TRY(open_gguf_part(&other, path, part, n_parts));
        weir_status status = join_part(first->tensors, other->tensors);
        weir_gguf_close(other);
        TRY(status);
    }
    TRY(weir_tensors_finish(first->tensors));
    TRY(weir_gguf_int(first, "split.tensors.count", &n_tensors));
    if (n_tensors >= 0 && (size_t)n_tensors != first->tensors->n)
        return weir_fail(WEIR_E_INPUT, "%s: its %d parts have %zu tensors, its header says %lld", first->path, n_parts,
                         first->tensors->n, (long long)n_tensors);
    return WEIR_OK;
}

/* The whole model that `path` is some part of: the first part has the metadata. */
static weir_status open_parts(struct weir_gguf **out, const char *path, int64_t n_parts)
{
    *out = NULL;
    if (n_parts > MAX_PARTS || before_number(path, (int)n_parts) == 0)
        return weir_fail(WEIR_E_INPUT,
                         "%s: one of %lld parts of a model, which must be called NAME-00001-of-%05lld.gguf", path,
                         (long long)n_parts, (long long)n_parts);
    weir_status status = open_gguf_part(out, path, 0, (int)n_parts);
    if (status == WEIR_OK)
        status = join_parts(*out, path, (int)n_parts);
    if (status != WEIR_OK) {
        weir_gguf_close(*out);
        *out = NULL;
    }
    return weir_in(status, path);
}

weir_status weir_gguf_open(struct weir_gguf **out, const char *path)
{
    int64_t n_parts = 1;
    TRY(open_file(out, path));
    weir_status status = weir_gguf_int(*out, "split.count", &n_parts);
    if (status == WEIR_OK && n_parts <= 1)
        return WEIR_OK;
    weir_gguf_close(*out);
    *out = NULL;
    return status == WEIR_OK ? open_parts(out, path, n_parts) : status;
}

void weir_gguf_close(struct weir_gguf *gguf)
{
    if (!gguf)
        return;
    for (size_t i = 0; i < gguf->n_values; i++) {
        if (gguf->values[i].type == WEIR_GGUF_ARRAY)
            weir_free(gguf->values[i].us);
        weir_free(gguf->values[i].key);
    }
    weir_free(gguf->values);
    weir_tensors_close(gguf->tensors);
    weir_free(gguf->path);
    weir_free(gguf);
}
