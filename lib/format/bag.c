/* Opens files of arrays by what they begin with. */
#include "format/bag.h"

#include "base/alloc.h"
#include "base/sizes.h"
#include "base/text.h"
#include "format/gguf.h"
#include "format/npy.h"
#include "format/npz.h"
#include "format/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- GGUF -------------------------------------------------------------------------------------------------------- */

/* N of "direction.N", written as a number is; -1 for other names. */
static int layer_of_direction(const char *name)
{
    static const char begin[] = "direction.";
    size_t n = sizeof begin - 1;
    if (strncmp(name, begin, n) != 0 || strlen(name) > n + 6 || strspn(name + n, "0123456789") != strlen(name) - n ||
        name[n] == '\0' || (name[n] == '0' && name[n + 1] != '\0'))
        return -1;
    return atoi(name + n);
}

static weir_status check_directions(const struct weir_tensors *tensors, const char *path)
{
    for (size_t i = 0; i < tensors->n; i++) {
        const struct weir_tensor *tensor = &tensors->list[i];
        if (layer_of_direction(tensor->name) < 0 || tensor->n_dims != 1)
            return weir_fail(WEIR_E_INPUT,
                             "%s: a control vector with a tensor \"%s\" of %d dimensions: it must only have "
                             "direction.1, direction.2, ... of one",
                             path, tensor->name, tensor->n_dims);
    }
    return WEIR_OK;
}

static weir_status find_architecture(struct weir_bag *bag, const struct weir_gguf *gguf)
{
    char *architecture = NULL;
    if (!weir_gguf_find(gguf, "general.architecture"))
        return WEIR_OK;
    TRY(weir_gguf_text(gguf, "general.architecture", &architecture));
    bag->by_layer = strcmp(architecture, "controlvector") == 0;
    weir_free(architecture);
    return bag->by_layer ? check_directions(gguf->tensors, gguf->path) : WEIR_OK;
}

/* The tensors stay when the metadata goes; their file's name is the map's. */
static weir_status open_gguf_bag(struct weir_bag *bag, const char *path)
{
    struct weir_gguf *gguf;
    TRY(weir_gguf_open(&gguf, path));
    weir_status status = find_architecture(bag, gguf);
    if (status == WEIR_OK) {
        bag->tensors = gguf->tensors;
        gguf->tensors = NULL;
    }
    weir_gguf_close(gguf);
    return status;
}

/* ---- the others -------------------------------------------------------------------------------------------------- */

static weir_status open_npy_bag(struct weir_bag *bag, const char *path)
{
    return weir_npy_open(&bag->tensors, path);
}

static weir_status open_npz_bag(struct weir_bag *bag, const char *path)
{
    return weir_npz_open(&bag->tensors, path);
}

static weir_status open_safetensors_bag(struct weir_bag *bag, const char *path)
{
    return weir_safetensors_open(&bag->tensors, path);
}

static weir_status refuse_hdf5(struct weir_bag *bag, const char *path)
{
    (void)bag;
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: an HDF5 file: of one that weir wrote, name what is wanted: '%s[z:5]'",
                     path, path);
}

static weir_status refuse_pickle(struct weir_bag *bag, const char *path)
{
    (void)bag;
    return weir_fail(WEIR_E_UNSUPPORTED,
                     "%s: a Python pickle, which may hold a program: save its arrays as .npz or .safetensors", path);
}

static weir_status refuse_other(struct weir_bag *bag, const char *path)
{
    (void)bag;
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: not a file of arrays that weir reads: .npy, .npz, .safetensors or .gguf",
                     path);
}

typedef weir_status open_fn(struct weir_bag *bag, const char *path);

enum { LONGEST_BEGINNING = 9 };

/* What files begin with. A .safetensors has the length of its header, eight bytes, before the brace that opens it. */
static open_fn *find_format(const uint8_t *data, size_t n)
{
    static const struct {
        size_t at, n;
        const char *bytes;
        open_fn *open;
    } formats[] = {
        {0, 6, "\x93NUMPY", open_npy_bag},        {0, 4, "PK\3\4", open_npz_bag},
        {0, 4, "PK\5\6", open_npz_bag},           {0, 4, "GGUF", open_gguf_bag},
        {0, 8, "\x89HDF\r\n\x1a\n", refuse_hdf5}, {8, 1, "{", open_safetensors_bag},
        {0, 1, "{", open_safetensors_bag},        {0, 1, "\x80", refuse_pickle},
    };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (n >= formats[i].at + formats[i].n && memcmp(data + formats[i].at, formats[i].bytes, formats[i].n) == 0)
            return formats[i].open;
    return refuse_other;
}

weir_status weir_bag_open(struct weir_bag *out, const char *path)
{
    uint8_t begin[LONGEST_BEGINNING];
    struct weir_map *map;
    *out = (struct weir_bag){0};
    TRY(weir_map_open(&map, path));
    size_t n = weir_min_size(map->size, sizeof begin);
    memcpy(begin, map->data ? map->data : begin, n);
    weir_map_close(map);
    weir_status status = find_format(begin, n)(out, path);
    if (status != WEIR_OK)
        weir_bag_close(out);
    return status;
}

void weir_bag_close(struct weir_bag *bag)
{
    weir_tensors_close(bag->tensors);
    *bag = (struct weir_bag){0};
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

/* "a, b, c, ..." */
static weir_status list_names(struct weir_text *text, const struct weir_tensors *tensors)
{
    enum { MOST_NAMES = 8 };
    TRY(weir_text_print(text, "%s", tensors->n == 0 ? "nothing" : ""));
    for (size_t i = 0; tensors->list && i < tensors->n && i < MOST_NAMES; i++)
        TRY(weir_text_print(text, "%s%s", i > 0 ? ", " : "", tensors->list[i].name));
    return weir_text_print(text, "%s", tensors->n > MOST_NAMES ? ", ..." : "");
}

static weir_status refuse_name(const struct weir_bag *bag, const char *path, const char *name)
{
    struct weir_text names = {0};
    weir_status status = list_names(&names, bag->tensors);
    if (status == WEIR_OK && name)
        status = weir_fail(WEIR_E_INPUT, "%s has no array \"%s\"; it has %s", path, name, names.data);
    else if (status == WEIR_OK)
        status = weir_fail(WEIR_E_INPUT, "%s: name one of its arrays, as in %s:%s; it has %s", path, path,
                           bag->tensors->list ? bag->tensors->list[0].name : "NAME", names.data);
    weir_text_close(&names);
    return status;
}

weir_status weir_bag_find(const struct weir_tensor **out, const struct weir_bag *bag, const char *path,
                          const char *name)
{
    const struct weir_tensor *tensor = NULL;
    if (name)
        tensor = weir_tensors_look(bag->tensors, name);
    else if (bag->tensors->n == 1)
        tensor = bag->tensors->list;
    *out = NULL;
    if (!tensor)
        return refuse_name(bag, path, name);
    if (tensor->unread)
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" %s", path, tensor->name, tensor->unread);
    *out = tensor;
    return WEIR_OK;
}

const struct weir_tensor *weir_bag_of_layer(const struct weir_bag *bag, int layer)
{
    char name[32];
    snprintf(name, sizeof name, "direction.%d", layer);
    return weir_tensors_find(bag->tensors, name);
}
