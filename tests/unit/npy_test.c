/* .npy files: arrays that numpy saved, and what damaged and hostile headers must not do. */
#include "base/alloc.h"
#include "format/npy.h"
#include "unit/data_path.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct weir_tensors *open_array(const char *name)
{
    char path[4096];
    struct weir_tensors *tensors;
    snprintf(path, sizeof path, DATA "npy/%s.npy", name);
    cr_assert(weir_npy_open(&tensors, path) == WEIR_OK, "%s", weir_message());
    cr_assert(tensors->n == 1 && strcmp(tensors->list[0].name, "array") == 0);
    return tensors;
}

/* The array counts 0, 1, 2, ... */
static void counts(const char *name, enum weir_type type, int n_dims, size_t n)
{
    float values[8];
    struct weir_tensors *tensors = open_array(name);
    const struct weir_tensor *array = weir_tensors_find(tensors, "array");
    cr_assert(array && array->type == type && array->n_dims == n_dims && array->n == n, "%s", name);
    weir_to_f32(values, array->data, type, n);
    for (size_t i = 0; i < n; i++)
        cr_assert(values[i] == (n == 1 ? 5 : (float)i), "%s: %g at %zu", name, (double)values[i], i);
    weir_tensors_close(tensors);
}

Test(npy, reads_floats_of_every_width)
{
    counts("f4", WEIR_T_F32, 2, 6), counts("f8", WEIR_T_F64, 2, 6), counts("f2", WEIR_T_F16, 2, 6);
}

Test(npy, reads_scalars_and_empty_arrays)
{
    counts("scalar", WEIR_T_F32, 0, 1), counts("empty", WEIR_T_F32, 2, 0);
}

Test(npy, reads_a_row_in_whatever_order)
{
    counts("fortran_row", WEIR_T_F32, 2, 3);
}

static void leaves_unread(const char *name, const char *why)
{
    struct weir_tensors *tensors = open_array(name);
    const char *unread = tensors->list[0].unread;
    cr_assert(unread && strstr(unread, why), "%s: \"%s\" does not say \"%s\"", name, unread ? unread : "", why);
    weir_tensors_close(tensors);
}

Test(npy, leaves_unread_what_is_not_floats_in_c_order)
{
    leaves_unread("fortran", "ascontiguousarray");
    leaves_unread("i8", "is of type <i8");
    leaves_unread("big", "is of type >f4");
    leaves_unread("bool", "is of type |b1");
    leaves_unread("deep", "has 5 dimensions");
}

Test(npy, leaves_fields_unread_in_every_version)
{
    leaves_unread("fields", "has fields");
    leaves_unread("version2", "has fields");
    leaves_unread("version3", "has fields");
}

/* ---- damaged and hostile ---------------------------------------------------------------------------------------- */

/* From memory of its own, so that the sanitizer sees a byte too many. */
static weir_status parse(const void *data, size_t n, struct weir_tensors **out)
{
    static uint8_t *copy;
    weir_free(copy);
    cr_assert(weir_alloc(&copy, n, 1) == WEIR_OK);
    memcpy(copy, data, n);
    cr_assert(weir_alloc_zero(out, 1, sizeof **out) == WEIR_OK);
    return weir_npy_add(*out, "x.npy", "array", copy, n);
}

static size_t read_f4(uint8_t data[4096])
{
    FILE *file = fopen(DATA "npy/f4.npy", "rb");
    cr_assert(file);
    size_t n = fread(data, 1, 4096, file);
    (void)fclose(file);
    return n;
}

Test(npy, refuses_a_file_cut_anywhere_and_one_that_goes_on)
{
    uint8_t data[4096];
    size_t n = read_f4(data);
    for (size_t cut = 0; cut <= n + 1; cut++) {
        struct weir_tensors *tensors;
        weir_status status = parse(data, cut, &tensors);
        cr_assert(status == (cut == n ? WEIR_OK : WEIR_E_INPUT), "%zu bytes: %d", cut, status);
        cr_assert(status == WEIR_OK || strstr(weir_message(), "x.npy"), "%s", weir_message());
        weir_tensors_close(tensors);
    }
}

Test(npy, survives_any_byte_changed)
{
    uint8_t data[4096];
    size_t n = read_f4(data);
    for (size_t at = 0; at < n; at++) {
        uint8_t old = data[at];
        for (int other = 0; other < 256; other++) {
            struct weir_tensors *tensors;
            data[at] = (uint8_t)other;
            weir_status status = parse(data, n, &tensors);
            cr_assert(status == WEIR_OK || status == WEIR_E_INPUT || status == WEIR_E_UNSUPPORTED, "byte %zu", at);
            weir_tensors_close(tensors);
        }
        data[at] = old;
    }
}

static void refuses_header(const char *header, const char *says)
{
    uint8_t data[1024] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)strlen(header), 0};
    struct weir_tensors *tensors;
    snprintf((char *)data + 10, sizeof data - 10, "%s", header);
    cr_assert(parse(data, 10 + strlen(header), &tensors) == WEIR_E_INPUT, "%s", header);
    cr_assert(strstr(weir_message(), says), "%s: \"%s\" does not say \"%s\"", header, weir_message(), says);
    weir_tensors_close(tensors);
}

#define DESCR "'descr': '<f4', "
#define ORDER "'fortran_order': False, "

Test(npy, refuses_headers_that_are_not_what_they_should_be)
{
    refuses_header("", "not a dict");
    refuses_header("[]", "not a dict");
    refuses_header("{" DESCR ORDER "}", "missing");
    refuses_header("{" DESCR ORDER "'shape': (1,)", "not a string");
    refuses_header("{" DESCR ORDER "'shape': (1,)} x", "the end of the dict");
    refuses_header("{" DESCR DESCR ORDER "'shape': (1,)}", "'descr'");
    refuses_header("{" DESCR ORDER "'shape': (1,), 'more': 1}", "'more'");
    refuses_header("{" DESCR ORDER "'shape': (1 2)}", "not a comma or )");
    refuses_header("{" DESCR ORDER "'shape': (,)}", "not a size");
    refuses_header("{" DESCR ORDER "'shape': (-1,)}", "not a size");
    refuses_header("{" DESCR ORDER "'shape': [1]}", "not a shape");
    refuses_header("{" DESCR "'fortran_order': 0, 'shape': (1,)}", "not True or False");
    refuses_header("{'descr' '<f4'", "not a colon");
    refuses_header("{'descr': <f4}", "not a string");
    refuses_header("{'descr': [('a', '<f4'", "not a type");
    refuses_header("{'descr': '<f4", "not a string");
}

Test(npy, refuses_sizes_that_no_memory_holds)
{
    refuses_header("{" DESCR ORDER "'shape': (99999999999999999999999,)}", "memory could hold");
    refuses_header("{" DESCR ORDER "'shape': (9999999999999, 9999999999999)}", "memory can address");
    refuses_header("{" DESCR ORDER "'shape': (0, 9999999999999, 9999999999999)}", "memory can address");
    refuses_header("{" DESCR ORDER "'shape': (4611686018427387904,)}", "x.npy");
}

Test(npy, refuses_versions_to_come)
{
    struct weir_tensors *tensors;
    cr_assert(parse("\x93NUMPY\4\0\0\0\0\0", 12, &tensors) == WEIR_E_UNSUPPORTED);
    cr_assert(strstr(weir_message(), "version 4.0"), "%s", weir_message());
    weir_tensors_close(tensors);
}

Test(npy, gives_memory_back_wherever_it_runs_out)
{
    weir_status status = WEIR_E_MEMORY;
    for (long n = 0; status == WEIR_E_MEMORY; n++) {
        struct weir_tensors *tensors;
        weir_alloc_fail_after(n);
        status = weir_npy_open(&tensors, DATA "npy/f4.npy");
        weir_alloc_fail_after(-1);
        cr_assert(status == WEIR_OK || (status == WEIR_E_MEMORY && !tensors));
        weir_tensors_close(tensors);
    }
    cr_assert(status == WEIR_OK, "%s", weir_message());
}
