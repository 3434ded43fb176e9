/* Safetensors files and their indexes, made well and badly. */
#include "unit/made_bytes.h"

/* ---- safetensors ------------------------------------------------------------------------------------------------ */

Test(safetensors, reads_shards_and_leaves_integers_unread)
{
    static const struct {
        const char *name;
        enum weir_type type;
    } tensors[] = {{"a.f16", WEIR_T_F16}, {"a.f32", WEIR_T_F32}, {"b.bf16", WEIR_T_BF16}, {"b.f64", WEIR_T_F64}};
    static const float want[] = {1, -2.5f, 0, 65504};
    struct weir_tensors *got;
    cr_assert(weir_safetensors_open(&got, DATA "sharded/model.safetensors.index.json") == WEIR_OK, "%s",
              weir_message());
    cr_assert(got->n > 4);
    for (size_t i = 0, n = 0; i < got->n; i++) {
        n += !got->list[i].unread;
        cr_assert(n <= 4 && (i + 1 < got->n || n == 4));
        cr_assert(!got->list[i].unread || strstr(got->list[i].unread, "is of type "));
    }
    for (size_t i = 0; i < 4; i++) {
        const struct weir_tensor *t = weir_tensors_find(got, tensors[i].name);
        float values[4];
        cr_assert(t != NULL);
        cr_assert(t->type == tensors[i].type && t->n_dims == 2 && t->shape[0] == 2 && t->shape[1] == 2 && t->n == 4);
        cr_assert(strstr(t->file, i < 2 ? "sharded/model-00001" : "sharded/model-00002"));
        weir_to_f32(values, t->data, t->type, 4);
        cr_assert(values[0] == want[0] && values[1] == want[1] && values[2] == want[2]);
        cr_assert(values[3] == (t->type == WEIR_T_BF16 ? 65536 : want[3]));
    }
    weir_tensors_close(got);
}

Test(safetensors, refuses_a_file_cut_anywhere)
{
    size_t n;
    uint8_t *data = read_whole(DATA "sharded/model-00001-of-00002.safetensors", &n);
    struct weir_tensors *tensors;
    cr_assert(parse_safetensors(data, n, &tensors) == WEIR_OK, "%s", weir_message());
    weir_tensors_close(tensors);
    for (size_t cut = 0; cut < n; cut++) {
        weir_status status = parse_safetensors(data, cut, &tensors);
        cr_assert(status == WEIR_E_INPUT && !tensors, "%zu bytes: %d", cut, status);
        cr_assert(strstr(weir_message(), "x.safetensors"));
    }
    weir_free(data);
}

Test(safetensors, survives_any_byte_changed)
{
    size_t n;
    uint8_t *data = read_whole(DATA "sharded/model-00001-of-00002.safetensors", &n);
    struct weir_tensors *tensors;
    for (size_t at = 0; at < n; at++) {
        uint8_t old = data[at];
        for (int other = 0; other < 256; other += 3) {
            data[at] = (uint8_t)other;
            weir_status status = parse_safetensors(data, n, &tensors);
            cr_assert(status == WEIR_OK || status == WEIR_E_INPUT || status == WEIR_E_UNSUPPORTED, "byte %zu", at);
            weir_tensors_close(tensors);
        }
        data[at] = old;
    }
    weir_free(data);
}

#define F32(name, shape, offsets) "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

Test(safetensors, takes_empty_tensors_scalars_and_padding_of_the_header)
{
    struct weir_tensors *tensors;
    struct bytes b = safetensors_bytes("{" F32("none", "[0,3]", "[0,0]") "," F32("one", "[]", "[0,4]") "}   ", 4);
    cr_assert(parse_safetensors(b.data, b.n, &tensors) == WEIR_OK, "%s", weir_message());
    cr_assert(tensors->n == 2 && tensors->list[0].n == 0 && tensors->list[1].n == 1 && tensors->list[1].n_dims == 0);
    weir_tensors_close(tensors);
}

Test(safetensors, refuses_lengths_of_the_header_past_the_end)
{
    static const uint64_t lengths[] = {UINT64_MAX, (uint64_t)1 << 63, 100000001, 50, 3};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct bytes b = {.n = 0};
        struct weir_tensors *tensors;
        put_number(&b, lengths[i], 8);
        put(&b, "{}", 2);
        cr_assert(parse_safetensors(b.data, b.n, &tensors) == WEIR_E_INPUT && !tensors);
        cr_assert(strstr(weir_message(), "header"), "%s", weir_message());
    }
}

Test(safetensors, refuses_headers_that_are_not_what_they_should_be)
{
    refuses_safetensors("", 0, WEIR_E_INPUT, "JSON");
    refuses_safetensors("[]", 0, WEIR_E_INPUT, "JSON object");
    refuses_safetensors("{", 0, WEIR_E_INPUT, "JSON");
    refuses_safetensors("{\"a\":1}", 0, WEIR_E_INPUT, "\"a\"");
    refuses_safetensors("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, WEIR_E_INPUT, "dtype");
    refuses_safetensors("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, WEIR_E_INPUT, "shape");
    refuses_safetensors("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, WEIR_E_INPUT, "data_offsets");
    refuses_safetensors("{" F32("a", "[1.5]", "[0,4]") "}", 4, WEIR_E_INPUT, "shape");
    refuses_safetensors("{" F32("a", "[-1]", "[0,4]") "}", 4, WEIR_E_INPUT, "shape");
    refuses_safetensors("{" F32("a", "[\"1\"]", "[0,4]") "}", 4, WEIR_E_INPUT, "shape");
    refuses_safetensors("{" F32("a", "[1]", "[0]") "}", 4, WEIR_E_INPUT, "data_offsets");
    refuses_safetensors("{" F32("a", "[1]", "[0,4,8]") "}", 4, WEIR_E_INPUT, "data_offsets");
    refuses_safetensors("{" F32("a", "[1]", "[4,0]") "}", 4, WEIR_E_INPUT, "ends before");
}

Test(safetensors, refuses_data_that_disagrees_with_shape_or_file)
{
    refuses_safetensors("{" F32("a", "[2]", "[0,4]") "}", 4, WEIR_E_INPUT, "need 8");
    refuses_safetensors("{" F32("a", "[1]", "[0,8]") "}", 8, WEIR_E_INPUT, "need 4");
    refuses_safetensors("{" F32("a", "[2]", "[0,8]") "}", 7, WEIR_E_INPUT, "truncated");
    refuses_safetensors("{" F32("a", "[1]", "[9007199254740988,9007199254740992]") "}", 8, WEIR_E_INPUT, "truncated");
    refuses_safetensors("{" F32("a", "[1]", "[0,1e300]") "}", 8, WEIR_E_INPUT, "whole numbers");
    refuses_safetensors("{" F32("a", "[4294967296,4294967296,4]", "[0,8]") "}", 8, WEIR_E_INPUT, "shape");
    refuses_safetensors("{" F32("a", "[4294967296,1073741824]", "[0,8]") "}", 8, WEIR_E_INPUT, "x.safetensors");
}

Test(safetensors, refuses_overlap_gap_and_rest)
{
    refuses_safetensors("{" F32("a", "[2]", "[0,8]") "," F32("b", "[2]", "[4,12]") "}", 12, WEIR_E_INPUT, "overlap");
    refuses_safetensors("{" F32("a", "[2]", "[0,8]") "," F32("b", "[2]", "[0,8]") "}", 8, WEIR_E_INPUT, "overlap");
    refuses_safetensors("{" F32("a", "[1]", "[0,4]") "," F32("b", "[1]", "[8,12]") "}", 12, WEIR_E_INPUT, "4 bytes");
    refuses_safetensors("{" F32("a", "[1]", "[0,4]") "}", 5, WEIR_E_INPUT, "1 bytes");
    refuses_safetensors("{\"a\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}," F32("b", "[1]", "[4,8]") "}",
                        8, WEIR_E_INPUT, "overlap");
}

Test(safetensors, refuses_a_name_that_stands_twice)
{
    refuses_safetensors("{" F32("a", "[1]", "[0,4]") "," F32("a", "[1]", "[4,8]") "}", 8, WEIR_E_INPUT, "twice");
}

Test(safetensors, lists_tensors_of_types_and_shapes_that_it_does_not_read)
{
    static const char *const types[] = {"F8_E4M3", "F8_E5M2", "F4", "I32", "nonsense"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char header[200];
        (void)snprintf(header, sizeof header, "{\"w\":{\"dtype\":\"%s\",\"shape\":[4],\"data_offsets\":[0,4]}}",
                       types[i]);
        if (strcmp(types[i], "I32") == 0)
            (void)snprintf(header, sizeof header, "{\"w\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]}}");
        is_unread(header, 4, types[i]);
    }
    is_unread("{\"w\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, "5 dimensions");
    is_unread("{\"w\":{\"dtype\":\"C64\",\"shape\":[2],\"data_offsets\":[0,16]}}", 16, "C64");
}

Test(safetensors, checks_the_layout_of_what_it_does_not_read)
{
    refuses_safetensors("{\"w\":{\"dtype\":\"C64\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, WEIR_E_INPUT, "need 16");
    refuses_safetensors("{\"w\":{\"dtype\":\"nonsense\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4, WEIR_E_INPUT,
                        "truncated");
    refuses_safetensors(
        "{\"w\":{\"dtype\":\"nonsense\",\"shape\":[2],\"data_offsets\":[0,4]}," F32("b", "[1]", "[0,4]") "}", 4,
        WEIR_E_INPUT, "overlap");
    refuses_safetensors("{" F32("w", "[4294967296,2,2,2,4294967296]", "[0,4]") "}", 4, WEIR_E_INPUT, "x.safetensors");
}

Test(safetensors, gives_memory_back_wherever_it_runs_out)
{
    struct weir_tensors *tensors;
    weir_status status = WEIR_E_MEMORY;
    for (long n = 0; status != WEIR_OK; n++) {
        weir_alloc_fail_after(n);
        status = weir_safetensors_open(&tensors, DATA "sharded/model.safetensors.index.json");
        weir_alloc_fail_after(-1);
        cr_assert(status == WEIR_OK || (status == WEIR_E_MEMORY && !tensors), "%s", weir_message());
        cr_assert(n < 1000);
    }
    weir_tensors_close(tensors);
}

/* ---- indexes ---------------------------------------------------------------------------------------------------- */

/* The index beside shard.safetensors (with the tensor "a") and other.safetensors ("b"). */
static void refuses_index(const char *text, const char *says)
{
    static const char *const names[] = {"shard.safetensors", "other.safetensors", "model.safetensors.index.json"};
    char folder[] = "/tmp/weir-index-XXXXXX", path[200];
    struct bytes a = safetensors_bytes("{" F32("a", "[1]", "[0,4]") "}", 4);
    struct bytes b = safetensors_bytes("{" F32("b", "[1]", "[0,4]") "}", 4);
    struct weir_tensors *tensors;
    cr_assert(mkdtemp(folder) != NULL);
    write_file(folder, names[0], a.data, a.n);
    write_file(folder, names[1], b.data, b.n);
    write_file(folder, names[2], text, strlen(text));
    (void)snprintf(path, sizeof path, "%s/%s", folder, names[2]);
    weir_status status = weir_safetensors_open(&tensors, path);
    for (int i = 0; i < 3; i++) {
        char name[200];
        (void)snprintf(name, sizeof name, "%s/%s", folder, names[i]);
        (void)unlink(name);
    }
    (void)rmdir(folder);
    cr_assert(status == WEIR_E_INPUT && !tensors, "%s: %d", text, status);
    cr_assert(strstr(weir_message(), says), "\"%s\" does not say \"%s\"", weir_message(), says);
    cr_assert(strstr(weir_message(), "index.json"), "\"%s\" does not name the index", weir_message());
}

Test(safetensors_index, refuses_shards_that_stand_elsewhere)
{
    refuses_index("{\"weight_map\":{\"a\":\"/tmp/shard.safetensors\"}}", "beside");
    refuses_index("{\"weight_map\":{\"a\":\"../shard.safetensors\"}}", "beside");
    refuses_index("{\"weight_map\":{\"a\":\"..\"}}", "beside");
    refuses_index("{\"weight_map\":{\"a\":\"\"}}", "beside");
    refuses_index("{\"weight_map\":{\"a\":\".safetensors\"}}", "beside");
    refuses_index("{\"weight_map\":{\"a\":\"model.safetensors.index.json\"}}", "beside");
}

Test(safetensors_index, refuses_shards_that_are_missing)
{
    refuses_index("{\"weight_map\":{\"a\":\"gone.safetensors\"}}", "gone.safetensors");
}

Test(safetensors_index, refuses_what_is_no_index)
{
    refuses_index("", "JSON");
    refuses_index("{}", "weight_map");
    refuses_index("{\"weight_map\":{}}", "weight_map");
    refuses_index("{\"weight_map\":[\"a\"]}", "weight_map");
    refuses_index("{\"weight_map\":{\"a\":7}}", "not a string");
}
