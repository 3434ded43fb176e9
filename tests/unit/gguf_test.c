/* GGUF files, made well and badly. */
#include "unit/made_bytes.h"

/* ---- GGUF ------------------------------------------------------------------------------------------------------- */

static struct weir_gguf *open_types(void)
{
    struct weir_gguf *gguf;
    cr_assert(weir_gguf_open(&gguf, DATA "types.gguf") == WEIR_OK, "%s", weir_message());
    return gguf;
}

Test(gguf, reads_numbers_of_every_width)
{
    static const struct {
        const char *key;
        int64_t value;
    } whole[] = {
        {"kind.u8", 200},         {"kind.i8", -100},         {"kind.u16", 60000},     {"kind.i16", -30000},
        {"kind.u32", 4000000000}, {"kind.i32", -2000000000}, {"kind.i64", INT64_MIN},
    };
    struct weir_gguf *gguf = open_types();
    int64_t x = 7;
    double f;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        cr_assert(weir_gguf_int(gguf, whole[i].key, &x) == WEIR_OK && x == whole[i].value, "%s", whole[i].key);
        cr_assert(weir_gguf_number(gguf, whole[i].key, &f) == WEIR_OK && f == (double)whole[i].value);
    }
    cr_assert(weir_gguf_int(gguf, "kind.u64", &x) == WEIR_E_INPUT);
    cr_assert(weir_gguf_find(gguf, "kind.u64")->u == UINT64_MAX);
    cr_assert(weir_gguf_number(gguf, "kind.f32", &f) == WEIR_OK && f == (double)0.1f);
    cr_assert(weir_gguf_number(gguf, "kind.f64", &f) == WEIR_OK && f == 0.1);
    weir_gguf_close(gguf);
}

Test(gguf, reads_text_and_truth_values)
{
    struct weir_gguf *gguf = open_types();
    char *text = NULL;
    bool yes = false, no = true;
    cr_assert(weir_gguf_text(gguf, "kind.text", &text) == WEIR_OK);
    cr_assert_str_eq(text, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x8c\x8a");
    cr_assert(weir_gguf_bool(gguf, "kind.yes", &yes) == WEIR_OK && yes);
    cr_assert(weir_gguf_bool(gguf, "kind.no", &no) == WEIR_OK && !no);
    weir_free(text);
    weir_gguf_close(gguf);
}

Test(gguf, reads_arrays_of_every_kind)
{
    struct weir_gguf *gguf = open_types();
    const struct weir_gguf_value *v = weir_gguf_find(gguf, "array.text");
    cr_assert(v && v->type == WEIR_GGUF_ARRAY && v->element == WEIR_GGUF_STRING && v->n == 3);
    cr_assert(v->ss[0].n == 0 && v->ss[1].n == 1 && v->ss[1].data[0] == 'a' && v->ss[2].n == 3);
    v = weir_gguf_find(gguf, "array.i32");
    cr_assert(v && v->element == WEIR_GGUF_INT && v->n == 3 && v->is[0] == 1 && v->is[1] == -2 && v->is[2] == 3);
    v = weir_gguf_find(gguf, "array.i64");
    cr_assert(v && v->element == WEIR_GGUF_INT && v->n == 2 && v->is[0] == INT64_MIN && v->is[1] == 5);
    v = weir_gguf_find(gguf, "array.u8");
    cr_assert(v && v->element == WEIR_GGUF_UINT && v->n == 2 && v->us[0] == 1 && v->us[1] == 255);
    v = weir_gguf_find(gguf, "array.bool");
    cr_assert(v && v->element == WEIR_GGUF_UINT && v->n == 3 && v->us[0] == 1 && v->us[1] == 0 && v->us[2] == 1);
    v = weir_gguf_find(gguf, "array.f32");
    cr_assert(v && v->element == WEIR_GGUF_FLOAT && v->n == 2 && v->fs[0] == 0.5 && v->fs[1] == -0.25);
    v = weir_gguf_find(gguf, "array.f64");
    cr_assert(v && v->element == WEIR_GGUF_FLOAT && v->n == 1 && v->fs[0] == 0.1);
    weir_gguf_close(gguf);
}

Test(gguf, keeps_what_is_absent_and_refuses_the_wrong_type)
{
    struct weir_gguf *gguf = open_types();
    int64_t x = 7;
    double f = 8;
    bool b = true;
    char *text = NULL;
    cr_assert(weir_gguf_int(gguf, "no.such", &x) == WEIR_OK && x == 7);
    cr_assert(weir_gguf_number(gguf, "no.such", &f) == WEIR_OK && f == 8);
    cr_assert(weir_gguf_bool(gguf, "no.such", &b) == WEIR_OK && b);
    cr_assert(weir_gguf_text(gguf, "no.such", &text) == WEIR_OK && !text);
    cr_assert(weir_gguf_int(gguf, "kind.text", &x) == WEIR_E_INPUT);
    cr_assert(weir_gguf_int(gguf, "kind.f32", &x) == WEIR_E_INPUT);
    cr_assert(weir_gguf_number(gguf, "array.f32", &f) == WEIR_E_INPUT);
    cr_assert(weir_gguf_bool(gguf, "kind.u8", &b) == WEIR_E_INPUT);
    cr_assert(weir_gguf_text(gguf, "kind.u8", &text) == WEIR_E_INPUT && !text);
    cr_assert(strstr(weir_message(), "kind.u8") && strstr(weir_message(), "types.gguf"));
    weir_gguf_close(gguf);
}

Test(gguf, reverses_shapes_to_outermost_first)
{
    struct weir_gguf *gguf = open_types();
    const struct weir_tensor *t = weir_tensors_find(gguf->tensors, "f32");
    cr_assert(t && t->type == WEIR_T_F32 && t->n_dims == 3 && t->n == 24 && t->bytes == 96);
    cr_assert(t->shape[0] == 2 && t->shape[1] == 3 && t->shape[2] == 4);
    t = weir_tensors_find(gguf->tensors, "q6_k");
    cr_assert(t && t->type == WEIR_T_Q6_K && t->n_dims == 2 && t->shape[0] == 2 && t->shape[1] == 512);
    cr_assert(!weir_tensors_find(gguf->tensors, "F32"));
    weir_gguf_close(gguf);
}

Test(gguf, refuses_a_file_cut_anywhere)
{
    size_t n;
    uint8_t *data = read_whole(DATA "types.gguf", &n);
    struct weir_gguf *gguf;
    cr_assert(parse_gguf(data, n, &gguf) == WEIR_OK, "%s", weir_message());
    weir_gguf_close(gguf);
    for (size_t cut = 0; cut < n; cut++) {
        weir_status status = parse_gguf(data, cut, &gguf);
        cr_assert(status == WEIR_E_INPUT && !gguf, "%zu bytes: %d", cut, status);
        cr_assert(strstr(weir_message(), "x.gguf"));
    }
    weir_free(data);
}

/* Whatever a byte becomes, the file is read or refused, and what is read lies within it. */
Test(gguf, survives_any_byte_changed)
{
    size_t n;
    uint8_t *data = read_whole(DATA "types.gguf", &n);
    struct weir_gguf *gguf;
    for (size_t at = 0; at < 2000; at++) {
        static const uint8_t others[] = {0x00, 0x7f, 0x80, 0xff, 0x09, 0x08};
        uint8_t old = data[at];
        for (size_t k = 0; k < sizeof others; k++) {
            data[at] = others[k];
            weir_status status = parse_gguf(data, n, &gguf);
            cr_assert(status == WEIR_OK || status == WEIR_E_INPUT || status == WEIR_E_UNSUPPORTED, "byte %zu", at);
            weir_gguf_close(gguf);
        }
        data[at] = old;
    }
    weir_free(data);
}

Test(gguf, reads_version_2_and_refuses_others)
{
    struct bytes b = gguf_header(0, 0);
    b.data[4] = 2;
    takes_gguf(&b);
    b.data[4] = 1;
    refuses_gguf(&b, WEIR_E_UNSUPPORTED, "version 1");
    b.data[4] = 4;
    refuses_gguf(&b, WEIR_E_UNSUPPORTED, "version 4");
    b.data[4] = 0;
    b.data[7] = 3;
    refuses_gguf(&b, WEIR_E_UNSUPPORTED, "big-endian");
    b.data[0] = 'X';
    refuses_gguf(&b, WEIR_E_INPUT, "not a GGUF file");
}

Test(gguf, refuses_counts_that_the_file_cannot_hold)
{
    static const uint64_t counts[] = {UINT64_MAX, (uint64_t)1 << 63, (uint64_t)1 << 32, 2};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct bytes b = gguf_header(counts[i], 0);
        refuses_gguf(&b, WEIR_E_INPUT, "tensors");
        b = gguf_header(0, counts[i]);
        refuses_gguf(&b, WEIR_E_INPUT, "count");
    }
}

Test(gguf, refuses_lengths_of_strings_and_arrays_past_the_end)
{
    static const uint64_t lengths[] = {UINT64_MAX, (uint64_t)1 << 63, UINT64_MAX / 8 + 2, 100};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct bytes b = gguf_header(0, 1);
        put_number(&b, lengths[i], 8);
        put_zeros(&b, 32);
        refuses_gguf(&b, WEIR_E_INPUT, "key");
        for (uint32_t element = 0; element < 13; element++) {
            if (element == 9)
                continue;
            b = gguf_header(0, 1);
            put_text(&b, "list");
            put_number(&b, 9, 4);
            put_number(&b, element, 4);
            put_number(&b, lengths[i], 8);
            put_zeros(&b, 32);
            refuses_gguf(&b, WEIR_E_INPUT, "list");
        }
    }
}

static struct bytes one_value(uint32_t type)
{
    struct bytes b = gguf_header(0, 1);
    put_text(&b, "some.key");
    put_number(&b, type, 4);
    return b;
}

Test(gguf, refuses_types_of_values_that_do_not_exist)
{
    struct bytes b = one_value(13);
    put_zeros(&b, 16);
    refuses_gguf(&b, WEIR_E_INPUT, "some.key has the unknown type 13");
    b = one_value(UINT32_MAX);
    put_zeros(&b, 16);
    refuses_gguf(&b, WEIR_E_INPUT, "unknown type");
    b = one_value(9);
    put_number(&b, 99, 4);
    put_zeros(&b, 16);
    refuses_gguf(&b, WEIR_E_INPUT, "unknown type 99");
    b = one_value(9);
    put_number(&b, 9, 4);
    put_zeros(&b, 16);
    refuses_gguf(&b, WEIR_E_UNSUPPORTED, "array of arrays");
    b = one_value(7);
    put_number(&b, 2, 1);
    refuses_gguf(&b, WEIR_E_INPUT, "truth value 2");
}

Test(gguf, refuses_keys_that_are_not_text_or_stand_twice)
{
    struct bytes b = gguf_header(0, 1);
    put_u32_value(&b, "bad\xff", 1);
    refuses_gguf(&b, WEIR_E_INPUT, "UTF-8");
    b = gguf_header(0, 1);
    put_u32_value(&b, "", 1);
    refuses_gguf(&b, WEIR_E_INPUT, "key");
    b = gguf_header(0, 1);
    put_number(&b, 3, 8);
    put(&b, "a\0b", 3);
    put_zeros(&b, 8);
    refuses_gguf(&b, WEIR_E_INPUT, "key");
    b = gguf_header(0, 2);
    put_u32_value(&b, "same", 1);
    put_u32_value(&b, "same", 2);
    refuses_gguf(&b, WEIR_E_INPUT, "same occurs twice");
}

Test(gguf, refuses_text_with_nul_or_broken_utf8_when_asked_for_it)
{
    static const char *const bad[] = {"a\0b", "a\xc3z"};
    for (size_t i = 0; i < 2; i++) {
        struct bytes b = one_value(8);
        struct weir_gguf *gguf;
        char *text = NULL;
        put_number(&b, 3, 8);
        put(&b, bad[i], 3);
        cr_assert(parse_gguf(b.data, b.n, &gguf) == WEIR_OK);
        cr_assert(weir_gguf_text(gguf, "some.key", &text) == WEIR_E_INPUT && !text);
        weir_gguf_close(gguf);
    }
}

Test(gguf, honours_the_alignment_and_refuses_impossible_ones)
{
    static const uint32_t bad[] = {0, 3, 48, UINT32_MAX};
    struct bytes b = gguf_header(2, 1);
    struct weir_gguf *gguf;
    put_u32_value(&b, "general.alignment", 64);
    put_tensor(&b, "a", 2, 0, 0);
    put_tensor(&b, "b", 2, 0, 64);
    put_data(&b, 64, 64 + 8);
    b.data[b.n - 8] = 1;
    cr_assert(parse_gguf(b.data, b.n, &gguf) == WEIR_OK, "%s", weir_message());
    cr_assert(gguf->tensors->list[1].data - gguf->tensors->list[0].data == 64);
    cr_assert(gguf->tensors->list[1].data[0] == 1);
    weir_gguf_close(gguf);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        b = gguf_header(0, 1);
        put_u32_value(&b, "general.alignment", bad[i]);
        refuses_gguf(&b, WEIR_E_INPUT, "general.alignment");
    }
    b = gguf_header(1, 1);
    put_u32_value(&b, "general.alignment", 0x80000000);
    put_tensor(&b, "a", 2, 0, 0);
    put_data(&b, 32, 64);
    refuses_gguf(&b, WEIR_E_INPUT, "past the end");
    b = gguf_header(0, 1);
    put_text(&b, "general.alignment");
    put_number(&b, 8, 4);
    put_text(&b, "32");
    refuses_gguf(&b, WEIR_E_INPUT, "general.alignment");
}

Test(gguf, refuses_tensors_out_of_place)
{
    struct bytes b = gguf_header(1, 0);
    put_tensor(&b, "a", 2, 0, 8);
    put_data(&b, 32, 64);
    refuses_gguf(&b, WEIR_E_INPUT, "alignment");
    b = gguf_header(1, 0);
    put_tensor(&b, "a", 2, 0, UINT64_MAX - 31);
    put_data(&b, 32, 64);
    refuses_gguf(&b, WEIR_E_INPUT, "past the end");
    b = gguf_header(1, 0);
    put_tensor(&b, "a", 17, 0, 0);
    put_data(&b, 32, 64);
    refuses_gguf(&b, WEIR_E_INPUT, "past the end");
    b = gguf_header(2, 0);
    put_tensor(&b, "a", 9, 0, 0);
    put_tensor(&b, "b", 2, 0, 32);
    put_data(&b, 32, 64);
    refuses_gguf(&b, WEIR_E_INPUT, "overlap");
}

Test(gguf, refuses_tensors_of_the_same_name)
{
    struct bytes b = gguf_header(2, 0);
    put_tensor(&b, "twice", 2, 0, 0);
    put_tensor(&b, "twice", 2, 0, 32);
    put_data(&b, 32, 64);
    refuses_gguf(&b, WEIR_E_INPUT, "\"twice\" occurs twice");
}

Test(gguf, refuses_shapes_that_cannot_be)
{
    struct bytes b = gguf_header(1, 0);
    put_text(&b, "a");
    put_number(&b, 0x80000000, 4);
    put_zeros(&b, 64);
    refuses_gguf(&b, WEIR_E_INPUT, "dimensions");
    b = gguf_header(1, 0);
    put_text(&b, "a");
    put_number(&b, 3, 4);
    put_number(&b, 0, 8); /* a 0 does not hide what the others overflow */
    put_number(&b, (uint64_t)1 << 40, 8);
    put_number(&b, (uint64_t)1 << 40, 8);
    put_zeros(&b, 64);
    refuses_gguf(&b, WEIR_E_INPUT, "shape");
    b = gguf_header(1, 0);
    put_tensor(&b, "a", UINT64_MAX / 2, 0, 0);
    put_data(&b, 32, 64);
    refuses_gguf(&b, WEIR_E_INPUT, "");
    b = gguf_header(1, 0);
    put_tensor(&b, "a", 48, 3, 0);
    put_data(&b, 32, 64);
    refuses_gguf(&b, WEIR_E_INPUT, "whole blocks of Q4_1");
}

Test(gguf, lists_tensors_of_types_that_it_does_not_read)
{
    static const struct {
        uint32_t id;
        const char *says;
    } types[] = {{23, "IQ4_XS"}, {26, "I32"},          {39, "MXFP4"},
                 {4, "Q4_2"},    {42, "ggml type 42"}, {UINT32_MAX, "type 4294967295"}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct bytes b = gguf_header(1, 0);
        put_tensor(&b, "blk.0.attn_q.weight", 256, types[i].id, 0);
        put_data(&b, 32, 1024);
        struct weir_gguf *gguf;
        cr_assert(parse_gguf(b.data, b.n, &gguf) == WEIR_OK, "%s", weir_message());
        const struct weir_tensor *tensor = weir_tensors_look(gguf->tensors, "blk.0.attn_q.weight");
        cr_assert(tensor && tensor->unread && strstr(tensor->unread, types[i].says), "%s", types[i].says);
        cr_assert(!weir_tensors_find(gguf->tensors, "blk.0.attn_q.weight"));
        weir_gguf_close(gguf);
    }
}

/* Part `no` of `count`, with one tensor called `tensor`, under `name` in the folder. */
static void write_part(const char *folder, const char *name, uint32_t no, uint32_t count, const char *tensor)
{
    struct bytes b = gguf_header(1, 2);
    put_u32_value(&b, "split.no", no);
    put_u32_value(&b, "split.count", count);
    put_tensor(&b, tensor, 8, 0, 0);
    put_data(&b, 32, 32);
    write_file(folder, name, b.data, b.n);
}

/* Writes three parts, the last with that number and tensor, opens one of them and gives what came of it. */
static weir_status open_parts_of(struct weir_gguf **gguf, const char *opened, uint32_t last_no, const char *last)
{
    static const char *const names[] = {"m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf",
                                        "renamed.gguf"};
    char folder[] = "/tmp/weir-parts-XXXXXX", path[200];
    cr_assert(mkdtemp(folder) != NULL);
    write_part(folder, names[0], 0, 3, "a");
    write_part(folder, names[1], 1, 3, "b");
    write_part(folder, names[2], last_no, 3, last);
    write_part(folder, names[3], 0, 3, "a");
    (void)snprintf(path, sizeof path, "%s/%s", folder, opened);
    weir_status status = weir_gguf_open(gguf, path);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
    return status;
}

Test(gguf, opens_all_parts_of_a_model_by_any_of_them)
{
    static const char *const names[] = {"m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct weir_gguf *gguf;
        cr_assert(open_parts_of(&gguf, names[i], 2, "c") == WEIR_OK, "%s", weir_message());
        cr_assert(gguf->tensors->n == 3 && gguf->tensors->n_maps == 3);
        for (const char *name = "a\0b\0c\0"; *name; name += 2) {
            const struct weir_tensor *tensor = weir_tensors_find(gguf->tensors, name);
            cr_assert(tensor && tensor->data[31] == 0 && strstr(tensor->file, ".gguf"));
        }
        weir_gguf_close(gguf);
    }
}

Test(gguf, refuses_parts_that_do_not_belong_together)
{
    struct weir_gguf *gguf;
    cr_assert(open_parts_of(&gguf, "m-00001-of-00003.gguf", 1, "c") == WEIR_E_INPUT && !gguf);
    cr_assert(strstr(weir_message(), "header says part 2 of 3"), "%s", weir_message());
    cr_assert(open_parts_of(&gguf, "m-00002-of-00003.gguf", 2, "a") == WEIR_E_INPUT && !gguf);
    cr_assert(strstr(weir_message(), "occurs twice"), "%s", weir_message());
    cr_assert(open_parts_of(&gguf, "renamed.gguf", 2, "c") == WEIR_E_INPUT && !gguf);
    cr_assert(strstr(weir_message(), "must be called NAME-00001-of-00003.gguf"), "%s", weir_message());
}

Test(gguf, gives_memory_back_wherever_it_runs_out)
{
    struct weir_gguf *gguf;
    weir_status status = WEIR_E_MEMORY;
    for (long n = 0; status != WEIR_OK; n++) {
        weir_alloc_fail_after(n);
        status = weir_gguf_open(&gguf, DATA "types.gguf");
        weir_alloc_fail_after(-1);
        cr_assert(status == WEIR_OK || (status == WEIR_E_MEMORY && !gguf), "%s", weir_message());
        cr_assert(n < 1000);
    }
    weir_gguf_close(gguf);
}

Test(gguf, names_a_file_that_is_not_there)
{
    struct weir_gguf *gguf;
    cr_assert(weir_gguf_open(&gguf, DATA "none.gguf") == WEIR_E_INPUT && !gguf);
    cr_assert(strstr(weir_message(), "none.gguf"));
}
