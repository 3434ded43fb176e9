/* Files of weights made byte by byte, and what readers say of them. */
#ifndef WEIR_UNIT_MADE_BYTES_H
#define WEIR_UNIT_MADE_BYTES_H

#include "base/alloc.h"
#include "format/gguf.h"
#include "format/safetensors.h"
#include "unit/data_path.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- bytes made by hand ---------------------------------------------------------------------------------------- */

struct bytes {
    uint8_t data[4096];
    size_t n;
};

static inline void put(struct bytes *b, const void *data, size_t n)
{
    cr_assert(b->n + n <= sizeof b->data);
    memcpy(b->data + b->n, data, n);
    b->n += n;
}

static inline void put_number(struct bytes *b, uint64_t x, size_t width)
{
    for (size_t i = 0; i < width; i++)
        put(b, &(uint8_t){(uint8_t)(x >> 8 * i)}, 1);
}

static inline void put_text(struct bytes *b, const char *text)
{
    put_number(b, strlen(text), 8);
    put(b, text, strlen(text));
}

static inline void put_zeros(struct bytes *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(b, "", 1);
}

static inline struct bytes gguf_header(uint64_t n_tensors, uint64_t n_values)
{
    struct bytes b = {.n = 0};
    put(&b, "GGUF", 4);
    put_number(&b, 3, 4);
    put_number(&b, n_tensors, 8);
    put_number(&b, n_values, 8);
    return b;
}

static inline void put_u32_value(struct bytes *b, const char *key, uint32_t x)
{
    put_text(b, key);
    put_number(b, 4, 4);
    put_number(b, x, 4);
}

/* A row of `n` values of ggml type `type`. */
static inline void put_tensor(struct bytes *b, const char *name, uint64_t n, uint32_t type, uint64_t offset)
{
    put_text(b, name);
    put_number(b, 1, 4);
    put_number(b, n, 8);
    put_number(b, type, 4);
    put_number(b, offset, 8);
}

static inline void put_data(struct bytes *b, size_t alignment, size_t n)
{
    put_zeros(b, (alignment - b->n % alignment) % alignment + n);
}

/* From memory of its own, so that the sanitizer sees a byte too many. */
static inline weir_status parse_gguf(const uint8_t *data, size_t n, struct weir_gguf **out)
{
    static uint8_t *copy;
    weir_free(copy);
    cr_assert(weir_alloc(&copy, n, 1) == WEIR_OK);
    memcpy(copy, data, n);
    return weir_gguf_parse(out, "x.gguf", copy, n);
}

static inline void refuses_gguf(const struct bytes *b, weir_status status, const char *says)
{
    struct weir_gguf *gguf;
    weir_status got = parse_gguf(b->data, b->n, &gguf);
    cr_assert(got == status && gguf == NULL, "status %d: %s", got, weir_message());
    cr_assert(strstr(weir_message(), says), "\"%s\" does not say \"%s\"", weir_message(), says);
    cr_assert(strstr(weir_message(), "x.gguf"), "\"%s\" does not name the file", weir_message());
}

static inline void takes_gguf(const struct bytes *b)
{
    struct weir_gguf *gguf;
    cr_assert(parse_gguf(b->data, b->n, &gguf) == WEIR_OK, "%s", weir_message());
    weir_gguf_close(gguf);
}

static inline weir_status parse_safetensors(const uint8_t *data, size_t n, struct weir_tensors **out)
{
    static uint8_t *copy;
    weir_free(copy);
    cr_assert(weir_alloc(&copy, n, 1) == WEIR_OK);
    memcpy(copy, data, n);
    return weir_safetensors_parse(out, "x.safetensors", copy, n);
}

static inline struct bytes safetensors_bytes(const char *header, size_t n_data)
{
    struct bytes b = {.n = 0};
    put_text(&b, header);
    put_zeros(&b, n_data);
    return b;
}

static inline void refuses_safetensors(const char *header, size_t n_data, weir_status status, const char *says)
{
    struct weir_tensors *tensors;
    struct bytes b = safetensors_bytes(header, n_data);
    weir_status got = parse_safetensors(b.data, b.n, &tensors);
    cr_assert(got == status && tensors == NULL, "status %d: %s", got, weir_message());
    cr_assert(strstr(weir_message(), says), "\"%s\" does not say \"%s\"", weir_message(), says);
    cr_assert(strstr(weir_message(), "x.safetensors"), "\"%s\" does not name the file", weir_message());
}

/* A header of one tensor "w", which opens and is listed as one that cannot be read. */
static inline void is_unread(const char *header, size_t n_data, const char *says)
{
    struct weir_tensors *tensors;
    struct bytes b = safetensors_bytes(header, n_data);
    cr_assert(parse_safetensors(b.data, b.n, &tensors) == WEIR_OK, "%s: %s", header, weir_message());
    const struct weir_tensor *tensor = weir_tensors_look(tensors, "w");
    cr_assert(tensor && tensor->unread && strstr(tensor->unread, says), "%s", header);
    cr_assert(!weir_tensors_find(tensors, "w"));
    weir_tensors_close(tensors);
}

static inline void write_file(const char *folder, const char *name, const void *data, size_t n)
{
    char path[200];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    cr_assert(file && fwrite(data, 1, n, file) == n && fclose(file) == 0);
}

static inline uint8_t *read_whole(const char *path, size_t *n)
{
    uint8_t *data;
    FILE *file = fopen(path, "rb");
    cr_assert(file && fseek(file, 0, SEEK_END) == 0);
    *n = (size_t)ftell(file);
    rewind(file);
    cr_assert(weir_alloc(&data, *n, 1) == WEIR_OK);
    cr_assert(fread(data, 1, *n, file) == *n);
    (void)fclose(file);
    return data;
}

#endif
