/* A list of named tensors, sorted for look-up, and the maps that they are views of. */
#include "format/tensors.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

weir_status weir_tensors_add(struct weir_tensors *tensors, struct weir_tensor **out, const char *file, const char *name,
                             size_t n_name)
{
    size_t bad;
    *out = NULL;
    if (memchr(name, '\0', n_name) || !weir_utf8_valid(name, n_name, &bad))
        return weir_fail(WEIR_E_INPUT, "%s: the name of a tensor is not UTF-8 text: the file is damaged", file);
    TRY(weir_grow(&tensors->list, &tensors->capacity, tensors->n + 1, sizeof *tensors->list));
    struct weir_tensor *tensor = &tensors->list[tensors->n];
    *tensor = (struct weir_tensor){.file = file};
    TRY(weir_copy_bytes(&tensor->name, name, n_name));
    tensors->n++;
    *out = tensor;
    return WEIR_OK;
}

weir_status weir_tensor_leave_unread(struct weir_tensor *tensor, const char *format, ...)
{
    char why[128];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    weir_free(tensor->unread);
    tensor->unread = NULL;
    tensor->type = WEIR_N_TYPES;
    return weir_copy_string(&tensor->unread, why);
}

weir_status weir_tensors_keep_map(struct weir_tensors *tensors, struct weir_map *map)
{
    weir_status status =
        weir_grow(&tensors->maps, &tensors->maps_capacity, tensors->n_maps + 1, sizeof(struct weir_map *));
    if (status == WEIR_OK)
        tensors->maps[tensors->n_maps++] = map;
    else
        weir_map_close(map);
    return status;
}

weir_status weir_tensors_keep_memory(struct weir_tensors *tensors, void *memory)
{
    weir_status status = weir_grow(&tensors->memory, &tensors->memory_capacity, tensors->n_memory + 1, sizeof(void *));
    if (status == WEIR_OK)
        tensors->memory[tensors->n_memory++] = memory;
    else
        weir_free(memory);
    return status;
}

weir_status weir_tensors_check_whole(const struct weir_tensors *tensors)
{
    for (size_t i = 0; tensors && i < tensors->n_maps; i++)
        TRY(weir_map_check(tensors->maps[i]));
    return WEIR_OK;
}

weir_status weir_tensor_count(size_t *out, const struct weir_tensor *tensor)
{
    size_t n = 1;
    bool empty = false;
    *out = 0;
    for (int i = 0; i < tensor->n_dims; i++) {
        if (tensor->shape[i] == 0)
            empty = true;
        else if (weir_mul(&n, n, tensor->shape[i]) != WEIR_OK)
            return weir_fail(WEIR_E_INPUT, "%s: tensor \"%s\": its shape has more values than memory can address",
                             tensor->file, tensor->name);
    }
    *out = empty ? 0 : n;
    return WEIR_OK;
}

/* By place; an empty tensor before one that begins where it does. */
static int by_place(const void *a, const void *b)
{
    const struct weir_tensor *x = a, *y = b;
    if (x->data != y->data)
        return (uintptr_t)x->data < (uintptr_t)y->data ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

weir_status weir_tensors_check_apart(struct weir_tensors *tensors, size_t first)
{
    if (tensors->n - first < 2)
        return WEIR_OK;
    struct weir_tensor *list = tensors->list + first; /* [n] */
    size_t n = tensors->n - first;
    qsort(list, n, sizeof *list, by_place);
    for (size_t i = 1; i < n; i++)
        if ((size_t)(list[i].data - list[i - 1].data) < list[i - 1].bytes)
            return weir_fail(WEIR_E_INPUT, "%s: tensors \"%s\" and \"%s\" overlap: the file is damaged", list[i].file,
                             list[i - 1].name, list[i].name);
    return WEIR_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct weir_tensor *x = a, *y = b;
    return strcmp(x->name, y->name);
}

weir_status weir_tensors_finish(struct weir_tensors *tensors)
{
    if (tensors->n < 2)
        return WEIR_OK;
    qsort(tensors->list, tensors->n, sizeof *tensors->list, by_name);
    for (size_t i = 1; i < tensors->n; i++) {
        const struct weir_tensor *a = &tensors->list[i - 1], *b = &tensors->list[i];
        if (strcmp(a->name, b->name) == 0)
            return weir_fail(WEIR_E_INPUT, "%s: tensor \"%s\" occurs twice (the other in %s): the file is damaged",
                             b->file, b->name, a->file);
    }
    return WEIR_OK;
}

static int name_against(const void *name, const void *tensor)
{
    return strcmp(name, ((const struct weir_tensor *)tensor)->name);
}

struct weir_tensor *weir_tensors_look(const struct weir_tensors *tensors, const char *name)
{
    if (tensors->n == 0)
        return NULL;
    return bsearch(name, tensors->list, tensors->n, sizeof *tensors->list, name_against);
}

struct weir_tensor *weir_tensors_find(const struct weir_tensors *tensors, const char *name)
{
    struct weir_tensor *tensor = weir_tensors_look(tensors, name);
    return tensor && !tensor->unread ? tensor : NULL;
}

void weir_tensors_close(struct weir_tensors *tensors)
{
    if (!tensors)
        return;
    for (size_t i = 0; i < tensors->n; i++) {
        weir_free(tensors->list[i].name);
        weir_free(tensors->list[i].unread);
    }
    for (size_t i = 0; i < tensors->n_maps; i++)
        weir_map_close(tensors->maps[i]);
    for (size_t i = 0; i < tensors->n_memory; i++)
        weir_free(tensors->memory[i]);
    weir_free(tensors->list);
    weir_free(tensors->maps);
    weir_free(tensors->memory);
    weir_free(tensors);
}
