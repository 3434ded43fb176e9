#include "base/alloc.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/parallel.h"

#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>

Test(status, a_message_is_one_line_whatever_a_file_put_into_it)
{
    cr_assert(weir_fail(WEIR_E_INPUT, "tensor '%s'", "a\nb\x1b[2J") == WEIR_E_INPUT);
    cr_assert_str_eq(weir_message(), "tensor 'a?b?[2J'");
    cr_assert(weir_in(WEIR_E_INPUT, "f.gguf") == WEIR_E_INPUT);
    cr_assert_str_eq(weir_message(), "f.gguf: tensor 'a?b?[2J'");
}

Test(alloc, refuses_sizes_that_do_not_fit)
{
    size_t n;
    void *memory;
    cr_assert(weir_mul(&n, SIZE_MAX / 2, 3) != WEIR_OK);
    cr_assert(weir_alloc(&memory, SIZE_MAX, 8) != WEIR_OK);
    cr_assert_null(memory);
}

Test(alloc, fails_the_allocation_that_a_test_asks_it_to_fail)
{
    void *first, *second;
    weir_alloc_fail_after(1);
    cr_assert(weir_alloc(&first, 1, 1) == WEIR_OK);
    cr_assert(weir_alloc(&second, 1, 1) == WEIR_E_MEMORY);
    weir_free(first);
    cr_assert(weir_alloc(&first, 1, 1) == WEIR_OK);
    weir_free(first);
}

Test(bytes, numbers_are_little_endian_and_end_where_the_file_ends)
{
    const uint8_t data[] = {1, 2, 0, 0, 0xff};
    struct weir_bytes b = {"f", data, sizeof data, 0};
    uint32_t x;
    uint16_t y;
    cr_assert(weir_bytes_u32(&b, &x, "count") == WEIR_OK);
    cr_assert_eq(x, 513);
    cr_assert(weir_bytes_u16(&b, &y, "width") == WEIR_E_INPUT);
    cr_assert_eq(b.at, 4);
    cr_assert_not_null(strstr(weir_message(), "f: byte 4: width"));
}

Test(bytes, utf8_is_checked_as_rfc_3629_says)
{
    static const struct {
        const char *text;
        bool valid;
        size_t bad;
    } cases[] = {
        {"plain", true, 0},
        {"\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x98\x80", true, 0},
        {"ab\xff", false, 2},
        {"\xc0\x80", false, 0},
        {"\xed\xa0\x80", false, 0},
        {"a\xe4\xbd", false, 1},
        {"\xf4\x90\x80\x80", false, 0},
        {"\xe0\x9f\xbf", false, 0},
        {"sixteen letters.", true, 0},
        {"eight it\xff", false, 8},
        {"eight it\x80 and more of it", false, 8},
        {"seven \xe4\xbd\xa0 and then \xe4\xbd", false, 19},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t bad = 0;
        cr_expect(weir_utf8_valid(cases[i].text, strlen(cases[i].text), &bad) == cases[i].valid, "case %zu", i);
        cr_expect_eq(bad, cases[i].bad, "case %zu", i);
    }
}

static weir_status parse(cJSON **out, const char *text)
{
    return weir_json_parse(out, "c.json", text, strlen(text));
}

Test(json, refuses_what_cjson_would_let_pass)
{
    cJSON *json;
    char deep[300];
    cr_expect(parse(&json, "{\"a\": 1} x") == WEIR_E_INPUT);
    cr_expect(parse(&json, "{\"a\\u0000b\": 1}") == WEIR_E_INPUT);
    cr_expect(parse(&json, "{\"a\": \"\xff\"}") == WEIR_E_INPUT);
    cr_expect(parse(&json, "") == WEIR_E_INPUT);
    memset(deep, '[', sizeof deep);
    deep[sizeof deep - 1] = '\0';
    cr_expect(parse(&json, deep) == WEIR_E_INPUT);
    cr_expect_not_null(strstr(weir_message(), "deeper"));
}

Test(json, getters_name_the_key_and_keep_what_is_absent)
{
    cJSON *json;
    int64_t n = 5;
    cr_assert(parse(&json, "{\"layers\": 2.5, \"heads\": 99, \"none\": null}") == WEIR_OK);
    cr_expect(weir_json_int(json, "c.json", "missing", 0, 10, &n) == WEIR_OK && n == 5);
    cr_expect(weir_json_int(json, "c.json", "none", 0, 10, &n) == WEIR_OK && n == 5);
    cr_expect(weir_json_int(json, "c.json", "layers", 0, 10, &n) == WEIR_E_INPUT);
    cr_expect_not_null(strstr(weir_message(), "c.json: \"layers\""));
    cr_expect(weir_json_int(json, "c.json", "heads", 0, 10, &n) == WEIR_E_INPUT && n == 5);
    cJSON_Delete(json);
}

/* ---- the pool ---- */

enum { ITEMS = 10007 };

static atomic_int visits[ITEMS];

static void visit(void *context, size_t first, size_t last, int worker)
{
    cr_assert(worker >= 0 && worker < *(int *)context);
    for (size_t i = first; i < last; i++)
        atomic_fetch_add(&visits[i], 1);
}

Test(parallel, every_item_is_done_once_whatever_the_threads_and_the_grain)
{
    for (int threads = 1; threads <= 5; threads++) {
        struct weir_pool *pool;
        cr_assert(weir_pool_open(&pool, threads) == WEIR_OK);
        for (size_t grain = 1; grain < 3 * ITEMS; grain = grain * 7 + 1) {
            memset(visits, 0, sizeof visits);
            weir_parallel(pool, ITEMS, grain, visit, &threads);
            for (size_t i = 0; i < ITEMS; i++)
                cr_assert_eq(visits[i], 1);
        }
        weir_parallel(pool, 0, 1, visit, &threads);
        weir_pool_close(pool);
    }
}

Test(parallel, says_how_many_threads_it_takes)
{
    struct weir_pool *pool;
    cr_assert(weir_pool_open(&pool, 100000) == WEIR_E_USAGE);
    cr_assert_not_null(strstr(weir_message(), "threads"));
}

/* ---- buffers ---- */

Test(buffers, memory_that_nobody_holds_is_used_again)
{
    struct weir_buffers *buffers;
    weir_buffer *a, *b;
    cr_assert(weir_buffers_open(&buffers) == WEIR_OK);
    cr_assert(weir_buffer_take(&a, buffers, 100) == WEIR_OK);
    float *data = a->data;
    weir_buffer_release(a);
    cr_assert(weir_buffer_take(&b, buffers, 90) == WEIR_OK);
    cr_assert_eq(b->data, data);
    weir_buffer_retain(b);
    cr_assert(weir_buffer_is_shared(b));
    weir_buffer_release(b);
    cr_assert_not(weir_buffer_is_shared(b));
    weir_buffers_close(buffers); /* b is still out, and keeps what it needs */
    b->data[0] = 1;
    weir_buffer_release(b);
}
