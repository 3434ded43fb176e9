/* Reads .npz: the members of the archive, each by the reader of .npy. */
#include "format/npz.h"

#include "base/alloc.h"
#include "format/npy.h"
#include "format/zip.h"

#include <string.h>
#include <unistd.h>

struct npz {
    const char *file;
    struct weir_tensors *tensors;
};

static bool member_ends_with(const struct weir_zip_member *member, const char *end)
{
    size_t n = strlen(end);
    return member->n_name >= n && memcmp(member->name + member->n_name - n, end, n) == 0;
}

static weir_status add_array(const struct npz *npz, const struct weir_zip_member *member, const char *name)
{
    char *where;
    TRY(weir_format(&where, "%s:%s", npz->file, name));
    weir_status status = weir_npy_add(npz->tensors, where, name, member->data, member->n);
    weir_free(where);
    if (status == WEIR_OK)
        npz->tensors->list[npz->tensors->n - 1].file = npz->file;
    return status;
}

static weir_status add_other(const struct npz *npz, const struct weir_zip_member *member)
{
    struct weir_tensor *tensor;
    TRY(weir_tensors_add(npz->tensors, &tensor, npz->file, member->name, member->n_name));
    return weir_tensor_leave_unread(tensor, "is no .npy array");
}

static weir_status take_array_of(const struct weir_zip_member *member, void *payload)
{
    const struct npz *npz = payload;
    char *name;
    if (member->own)
        TRY(weir_tensors_keep_memory(npz->tensors, member->own));
    if (member_ends_with(member, "/data.pkl"))
        return weir_fail(WEIR_E_UNSUPPORTED,
                         "%s: a file of PyTorch's: save its tensors with safetensors.torch.save_file, or as .npz",
                         npz->file);
    if (!member_ends_with(member, ".npy") || memchr(member->name, '\0', member->n_name))
        return add_other(npz, member);
    TRY(weir_copy_bytes(&name, member->name, member->n_name - strlen(".npy")));
    weir_status status = add_array(npz, member, name);
    weir_free(name);
    return status;
}

weir_status weir_npz_parse(struct weir_tensors **out, const char *path, const uint8_t *data, size_t size,
                           size_t most_inflated)
{
    struct npz npz = {.file = path};
    weir_status status;
    *out = NULL;
    TRY(weir_alloc_zero(&npz.tensors, 1, sizeof *npz.tensors));
    TRY_DONE(weir_zip_read(path, data, size, most_inflated, take_array_of, &npz));
    TRY_DONE(weir_tensors_finish(npz.tensors));
    *out = npz.tensors;
    npz.tensors = NULL;
done:
    weir_tensors_close(npz.tensors);
    return status;
}

weir_status weir_npz_open(struct weir_tensors **out, const char *path)
{
    size_t memory = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    struct weir_map *map;
    *out = NULL;
    TRY(weir_map_open(&map, path));
    weir_status status = weir_npz_parse(out, map->path, map->data, map->size, memory / 2);
    if (status != WEIR_OK) {
        weir_map_close(map);
        return status;
    }
    status = weir_tensors_keep_map(*out, map);
    if (status != WEIR_OK) {
        weir_tensors_close(*out);
        *out = NULL;
    }
    return status;
}
