/* .npz archives and files of arrays of whatever format: what numpy saved, and what damaged and hostile ones must not
   do. */
#include "base/alloc.h"
#include "format/bag.h"
#include "format/npz.h"
#include "unit/data_path.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { MOST = 1 << 20 };

/* The bytes of a fixture, in memory of their own, so that the sanitizer sees a byte too many. */
struct bytes {
    uint8_t *data; /* [n] */
    size_t n;
};

static struct bytes read_fixture(const char *name)
{
    char path[4096];
    uint8_t buffer[8192];
    struct bytes bytes;
    snprintf(path, sizeof path, DATA "npz/%s", name);
    FILE *file = fopen(path, "rb");
    cr_assert(file, "%s", path);
    bytes.n = fread(buffer, 1, sizeof buffer, file);
    (void)fclose(file);
    cr_assert(weir_alloc(&bytes.data, bytes.n, 1) == WEIR_OK);
    memcpy(bytes.data, buffer, bytes.n);
    return bytes;
}

/* Counts 0, 1, 2, ... */
static void counts(const struct weir_tensors *tensors, const char *name, size_t n)
{
    float values[8];
    const struct weir_tensor *tensor = weir_tensors_find(tensors, name);
    cr_assert(tensor && tensor->n == n, "%s", name);
    weir_to_f32(values, tensor->data, tensor->type, n);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(values[i], (float)i, "%s", name);
}

static void open_and_count(const char *name)
{
    struct weir_tensors *tensors;
    char path[4096];
    snprintf(path, sizeof path, DATA "npz/%s", name);
    cr_assert(weir_npz_open(&tensors, path) == WEIR_OK, "%s", weir_message());
    cr_assert_eq(tensors->n, 3);
    counts(tensors, "a", 6), counts(tensors, "deep/b", 4);
    cr_assert(strstr(weir_tensors_look(tensors, "ids")->unread, "is of type <i8"));
    weir_tensors_close(tensors);
}

Test(npz, reads_what_numpy_saved_stored_and_deflated)
{
    open_and_count("stored.npz"), open_and_count("deflated.npz");
}

Test(npz, stored_arrays_stay_where_they_lie)
{
    struct bytes bytes = read_fixture("stored.npz");
    struct weir_tensors *tensors;
    cr_assert(weir_npz_parse(&tensors, "x.npz", bytes.data, bytes.n, 0) == WEIR_OK, "%s", weir_message());
    const uint8_t *data = weir_tensors_find(tensors, "a")->data;
    cr_assert(data > bytes.data && data < bytes.data + bytes.n && tensors->n_memory == 0);
    weir_tensors_close(tensors);
    weir_free(bytes.data);
}

Test(npz, an_archive_of_nothing_has_no_arrays)
{
    struct weir_tensors *tensors;
    cr_assert(weir_npz_open(&tensors, DATA "npz/empty.npz") == WEIR_OK, "%s", weir_message());
    cr_assert_eq(tensors->n, 0);
    weir_tensors_close(tensors);
}

Test(npz, members_that_are_no_arrays_are_left_unread)
{
    struct weir_tensors *tensors;
    cr_assert(weir_npz_open(&tensors, DATA "npz/other.npz") == WEIR_OK, "%s", weir_message());
    counts(tensors, "a", 6);
    cr_assert_str_eq(weir_tensors_look(tensors, "notes.txt")->unread, "is no .npy array");
    weir_tensors_close(tensors);
}

static void refuses_bytes(struct bytes bytes, weir_status expected, const char *says)
{
    struct weir_tensors *tensors;
    weir_status status = weir_npz_parse(&tensors, "x.npz", bytes.data, bytes.n, MOST);
    cr_assert(status == expected && !tensors, "%d, not %d (%s): %s", status, expected, says, weir_message());
    cr_assert(strstr(weir_message(), says) && strstr(weir_message(), "x.npz"), "\"%s\" does not say \"%s\"",
              weir_message(), says);
    weir_free(bytes.data);
}

Test(npz, other_methods_and_pytorchs_files_are_refused_with_what_to_do)
{
    refuses_bytes(read_fixture("bzip2.npz"), WEIR_E_UNSUPPORTED, "save it with deflate");
    refuses_bytes(read_fixture("torch.pt"), WEIR_E_UNSUPPORTED, "PyTorch");
}

/* ---- damaged and hostile ---------------------------------------------------------------------------------------- */

Test(npz, refuses_an_archive_cut_anywhere)
{
    static const char *const names[] = {"stored.npz", "deflated.npz"};
    for (size_t i = 0; i < 2; i++) {
        struct bytes whole = read_fixture(names[i]);
        for (size_t cut = 0; cut < whole.n; cut++) {
            struct bytes bytes = {.n = cut};
            cr_assert(weir_alloc(&bytes.data, cut, 1) == WEIR_OK);
            memcpy(bytes.data, whole.data, cut);
            refuses_bytes(bytes, WEIR_E_INPUT, "x.npz");
        }
        weir_free(whole.data);
    }
}

/* Any byte changed to a few others: it is refused, or the arrays are what they were or differ in name or shape only.
   What changes a value is found by the checksum. */
static void survives_changes(const char *name)
{
    struct bytes bytes = read_fixture(name);
    static const uint8_t changes[] = {0xff, 0x01, 0x80, 0x24};
    for (size_t at = 0; at < bytes.n * sizeof changes; at++) {
        struct weir_tensors *tensors;
        bytes.data[at / sizeof changes] ^= changes[at % sizeof changes];
        weir_status status = weir_npz_parse(&tensors, "x.npz", bytes.data, bytes.n, MOST);
        cr_assert(status == WEIR_OK || status == WEIR_E_INPUT || status == WEIR_E_UNSUPPORTED ||
                      status == WEIR_E_MEMORY,
                  "byte %zu: %d", at / sizeof changes, status);
        if (status == WEIR_OK && weir_tensors_find(tensors, "a"))
            counts(tensors, "a", 6);
        weir_tensors_close(tensors);
        bytes.data[at / sizeof changes] ^= changes[at % sizeof changes];
    }
    weir_free(bytes.data);
}

Test(npz, no_changed_byte_gives_other_values)
{
    survives_changes("stored.npz"), survives_changes("deflated.npz");
}

/* The place of the nth header with that signature, whose fields tests change. */
static uint8_t *find_header(const struct bytes *bytes, const char *signature, int nth)
{
    for (size_t at = 0; at + 46 <= bytes->n; at++)
        if (memcmp(bytes->data + at, signature, 4) == 0 && nth-- == 0)
            return bytes->data + at;
    cr_assert_fail("no header");
    return NULL;
}

#define CENTRAL "PK\1\2"

static void put_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

Test(npz, refuses_members_that_are_encrypted)
{
    struct bytes bytes = read_fixture("stored.npz");
    find_header(&bytes, CENTRAL, 0)[8] |= 1;
    refuses_bytes(bytes, WEIR_E_UNSUPPORTED, "encrypted");
}

Test(npz, refuses_a_claimed_size_that_deflate_cannot_reach)
{
    struct bytes bytes = read_fixture("deflated.npz");
    put_u32(find_header(&bytes, CENTRAL, 0) + 24, 0x7fffffff);
    refuses_bytes(bytes, WEIR_E_INPUT, "a size that its bytes cannot have");
}

Test(npz, refuses_a_claimed_size_that_the_data_does_not_fill)
{
    struct bytes bytes = read_fixture("deflated.npz");
    put_u32(find_header(&bytes, CENTRAL, 0) + 24, 5000);
    refuses_bytes(bytes, WEIR_E_INPUT, "does not inflate to the size");
}

Test(npz, refuses_a_claimed_size_that_leaves_out_data)
{
    struct bytes bytes = read_fixture("deflated.npz");
    put_u32(find_header(&bytes, CENTRAL, 0) + 24, 140);
    refuses_bytes(bytes, WEIR_E_INPUT, "checksum");
}

Test(npz, refuses_more_inflated_bytes_than_are_allowed)
{
    struct bytes bytes = read_fixture("deflated.npz");
    struct weir_tensors *tensors;
    cr_assert(weir_npz_parse(&tensors, "x.npz", bytes.data, bytes.n, 200) == WEIR_E_MEMORY);
    cr_assert(strstr(weir_message(), "200 B") && strstr(weir_message(), "numpy.savez"), "%s", weir_message());
    weir_free(bytes.data);
}

Test(npz, refuses_members_that_share_bytes)
{
    refuses_bytes(read_fixture("overlapping.npz"), WEIR_E_INPUT, "two members share byte");
    refuses_bytes(read_fixture("bomb.npz"), WEIR_E_INPUT, "shares bytes with others");
}

Test(npz, refuses_a_place_past_the_end)
{
    struct bytes bytes = read_fixture("stored.npz");
    put_u32(find_header(&bytes, CENTRAL, 0) + 42, 0x7ffffff0);
    refuses_bytes(bytes, WEIR_E_INPUT, "not where the directory says");
}

Test(npz, gives_memory_back_wherever_it_runs_out)
{
    weir_status status = WEIR_E_MEMORY;
    for (long n = 0; status == WEIR_E_MEMORY; n++) {
        struct weir_bag bag;
        weir_alloc_fail_after(n);
        status = weir_bag_open(&bag, DATA "npz/deflated.npz");
        weir_alloc_fail_after(-1);
        cr_assert(status == WEIR_OK || (status == WEIR_E_MEMORY && !bag.tensors));
        weir_bag_close(&bag);
    }
    cr_assert(status == WEIR_OK, "%s", weir_message());
}

/* ---- whatever the format ----------------------------------------------------------------------------------------- */

static void opens(const char *name, size_t n_arrays)
{
    struct weir_bag bag;
    char path[4096];
    snprintf(path, sizeof path, DATA "%s", name);
    cr_assert(weir_bag_open(&bag, path) == WEIR_OK, "%s", weir_message());
    cr_assert_eq(bag.tensors->n, n_arrays, "%s: %zu", name, bag.tensors->n);
    cr_assert(!bag.by_layer);
    weir_bag_close(&bag);
}

Test(bag, opens_every_format_by_what_it_begins_with)
{
    opens("npy/f4.npy", 1), opens("npz/stored.npz", 3), opens("npz/empty.npz", 0), opens("types.safetensors", 15);
    opens("types.gguf", 15), opens("sharded/model.safetensors.index.json", 6);
}

static void refuses_file(const char *path, const char *says)
{
    struct weir_bag bag;
    weir_status status = weir_bag_open(&bag, path);
    cr_assert((status == WEIR_E_UNSUPPORTED || status == WEIR_E_INPUT) && !bag.tensors, "%s", path);
    cr_assert(strstr(weir_message(), says), "\"%s\" does not say \"%s\"", weir_message(), says);
}

Test(bag, says_what_a_file_is_that_it_does_not_read)
{
    refuses_file(DATA "npz/torch.pt", "PyTorch");
    refuses_file(DATA "../npz_test.c", "not a file of arrays");
    refuses_file(MODELS "config_cases.h5", "an HDF5 file");
    refuses_file(DATA "npz", "folder");
    refuses_file(DATA "npz/none.npz", "none.npz");
}

static void finds_nothing(const char *file, const char *name, const char *says)
{
    struct weir_bag bag;
    const struct weir_tensor *tensor;
    char path[4096];
    snprintf(path, sizeof path, DATA "npz/%s", file);
    cr_assert(weir_bag_open(&bag, path) == WEIR_OK, "%s", weir_message());
    cr_assert(weir_bag_find(&tensor, &bag, file, name) == WEIR_E_INPUT && !tensor);
    cr_assert(strstr(weir_message(), says), "\"%s\" does not say \"%s\"", weir_message(), says);
    weir_bag_close(&bag);
}

Test(bag, a_name_may_be_left_out_of_a_file_of_one_array_only)
{
    struct weir_bag bag;
    const struct weir_tensor *tensor;
    cr_assert(weir_bag_open(&bag, DATA "npz/one.npz") == WEIR_OK);
    cr_assert(weir_bag_find(&tensor, &bag, "one.npz", NULL) == WEIR_OK && strcmp(tensor->name, "only") == 0);
    weir_bag_close(&bag);
    finds_nothing("stored.npz", NULL, "name one of its arrays, as in stored.npz:a; it has a, deep/b, ids");
    finds_nothing("empty.npz", NULL, "it has nothing");
}

Test(bag, names_what_there_is_where_a_name_is_wrong)
{
    finds_nothing("stored.npz", "b", "has no array \"b\"; it has a, deep/b, ids");
    finds_nothing("stored.npz", "ids", "\"ids\" is of type <i8");
}

Test(bag, a_control_vector_has_a_direction_for_each_layer)
{
    struct weir_bag bag;
    float values[4];
    cr_assert(weir_bag_open(&bag, DATA "npz/vector.gguf") == WEIR_OK, "%s", weir_message());
    cr_assert(bag.by_layer);
    for (int layer = 1; layer <= 3; layer++) {
        const struct weir_tensor *tensor = weir_bag_of_layer(&bag, layer);
        cr_assert(tensor && tensor->n == 4);
        weir_to_f32(values, tensor->data, tensor->type, 4);
        cr_assert_eq(values[3], (float)layer);
    }
    cr_assert(!weir_bag_of_layer(&bag, 0) && !weir_bag_of_layer(&bag, 4));
    weir_bag_close(&bag);
    refuses_file(DATA "npz/not_vector.gguf", "direction.2");
}
