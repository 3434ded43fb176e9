#include "base/alloc.h"
#include "base/buffer.h"
#include "base/bytes.h"
#include "base/descriptor.h"
#include "base/escape.h"
#include "base/json.h"
#include "base/parallel.h"
#include "base/random.h"
#include "base/ranked.h"
#include "base/sizes.h"
#include "base/text.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

Test(status, a_message_is_one_line_whatever_a_file_put_into_it)
{
    cr_assert(weir_fail(WEIR_E_INPUT, "tensor '%s'", "a\nb\x1b[2J") == WEIR_E_INPUT);
    cr_assert_str_eq(weir_message(), "tensor 'a\\nb\\x1b[2J'");
    cr_assert(weir_in(WEIR_E_INPUT, "f.gguf") == WEIR_E_INPUT);
    cr_assert_str_eq(weir_message(), "f.gguf: tensor 'a\\nb\\x1b[2J'");
}

Test(status, a_message_names_a_place_once)
{
    (void)!weir_fail(WEIR_E_INPUT, "%s: /activations/z: the attribute layers is damaged", "a\tb.h5");
    cr_assert(weir_in(WEIR_E_INPUT, "a\tb.h5") == WEIR_E_INPUT);
    cr_expect_str_eq(weir_message(), "a\\tb.h5: /activations/z: the attribute layers is damaged");
    (void)!weir_in(WEIR_E_INPUT, "a");
    cr_expect_str_eq(weir_message(), "a: a\\tb.h5: /activations/z: the attribute layers is damaged");
}

Test(status, a_message_that_is_too_long_keeps_its_ends)
{
    char name[6000];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    (void)!weir_fail(WEIR_E_OUTPUT, "first %s: the reason", name);
    cr_assert(strlen(weir_message()) < 1024 && strncmp(weir_message(), "first x", 7) == 0);
    cr_assert_str_eq(weir_message() + strlen(weir_message()) - 12, ": the reason");
    for (size_t i = 0; i + 2 < sizeof name; i += 2)
        memcpy(name + i, "é", 2);
    size_t bad;
    (void)!weir_fail(WEIR_E_OUTPUT, "%s", name);
    cr_assert(weir_utf8_valid(weir_message(), strlen(weir_message()), &bad), "cut between characters");
}

Test(escape, what_steers_a_terminal_or_the_eye_is_shown)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"caf\u00e9 \u65e5\u672c \U0001f600", "caf\u00e9 \u65e5\u672c \U0001f600"},
        {"a\x1b[2J\x7f\a\n\t\r", "a\\x1b[2J\\x7f\\x07\\n\\t\\r"},
        {"\xc2\x9b"
         "2J\xc2\x85\xc2\x80",
         "\\u{9b}2J\\u{85}\\u{80}"},
        {"\u202e\u202a\u2066\u2069\u200e\u200f\u061c",
         "\\u{202e}\\u{202a}\\u{2066}\\u{2069}\\u{200e}\\u{200f}\\u{61c}"},
        {"a\u2028b\u2029", "a\\u{2028}b\\u{2029}"},
        {"\x9b"
         "1m\xff\xc3",
         "\\x9b1m\\xff\\xc3"},
        {"\u200d\u05d0\u0628", "\u200d\u05d0\u0628"},
    };
    char shown[128];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect(weir_escape(shown, sizeof shown, cases[i].text) == strlen(cases[i].shown));
        cr_expect_str_eq(shown, cases[i].shown);
    }
    cr_expect(weir_escape(shown, 6, "ab\u202e") == 2 && strcmp(shown, "ab") == 0, "whole or not at all");
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

Test(descriptor, no_file_gets_the_number_of_a_closed_standard_stream)
{
    for (int closed = 1; closed < 8; closed++) {
        int saved[3];
        for (int i = 0; i < 3; i++) {
            saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
            if (closed >> i & 1)
                close(i);
        }
        int fd = weir_open("/dev/null", O_RDWR, 0), none = weir_open("/no/such/file", O_RDONLY, 0), error = errno;
        bool stayed_closed = true;
        for (int i = 0; i < 3; i++) {
            stayed_closed = stayed_closed && (fcntl(i, F_GETFD) < 0) == (closed >> i & 1);
            dup2(saved[i], i);
            close(saved[i]);
        }
        cr_assert(fd > 2 && none < 0 && error == ENOENT && stayed_closed, "%d", closed);
        close(fd);
    }
}

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

Test(sizes, are_shown_with_two_or_three_digits_in_powers_of_1000)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } sizes[] = {{0, "0 B"},         {999, "999 B"},     {1000, "1.0 kB"},      {9949, "9.9 kB"},     {9950, "10 kB"},
                 {999499, "999 kB"}, {999500, "1.0 MB"}, {283000000, "283 MB"}, {UINT64_MAX, "18 EB"}};
    char text[16];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        cr_assert_str_eq(weir_size_text(text, sizes[i].bytes), sizes[i].text);
}

Test(ranked, keeps_the_largest_in_falling_order_and_of_equals_the_first_first)
{
    static const float given[] = {2, 5, 2, 7, 5, 1, 7};
    float values[3];
    int places[3 + 1];
    size_t n = 0;
    for (int i = 0; i < 7; i++)
        places[weir_ranked_insert(values, places, sizeof *places, &n, 3, given[i])] = i;
    cr_assert_eq(n, 3);
    cr_assert(places[0] == 3 && places[1] == 6 && places[2] == 1);
    cr_assert(values[0] == 7 && values[1] == 7 && values[2] == 5);
}

Test(text, that_is_appended_to_a_buffer_ends_where_the_buffer_does)
{
    char to[8] = "ab";
    weir_text_append(to, sizeof to, "-%d", 7);
    cr_assert_str_eq(to, "ab-7");
    weir_text_append(to, sizeof to, "%s", "01234567");
    cr_assert_str_eq(to, "ab-7012");
    weir_text_append(to, sizeof to, "%s", "x");
    cr_assert_str_eq(to, "ab-7012");
}

/* ---- random ---- */

Test(random, mixing_is_splitmix64s_and_names_are_fnv1as)
{
    cr_assert_eq(weir_random_mix(0), 0xe220a8397b1dcdafu);
    cr_assert_eq(weir_random_mix(0x9e3779b97f4a7c15u), 0x6e789e6aa1b965f4u);
    cr_assert_eq(weir_random_name(""), 0xcbf29ce484222325u);
    cr_assert_eq(weir_random_name("a"), 0xaf63dc4c8601ec8cu);
}

/* Values of the formulas in Python. */
Test(random, normal_numbers_are_those_of_the_formulas)
{
    static const double expected[] = {0.054357943036704826, -1.408906788362755, -1.058123114051977};
    for (uint64_t i = 0; i < 3; i++)
        cr_assert_float_eq(weir_random_normal(weir_random_mix(7), i), expected[i], 1e-14);
    cr_assert_eq(weir_random_below(9, 10), 6);
}

Test(random, normal_numbers_have_the_moments_of_a_normal_distribution)
{
    enum { N = 200000 };
    double sum = 0, squares = 0, fourth = 0;
    for (uint64_t i = 0; i < N; i++) {
        double x = weir_random_normal(12345, i);
        sum += x, squares += x * x, fourth += x * x * x * x;
    }
    cr_assert(fabs(sum / N) < 0.01 && fabs(squares / N - 1) < 0.01 && fabs(fourth / N - 3) < 0.1);
}

Test(random, every_one_of_a_few_is_drawn_about_as_often)
{
    int counts[7] = {0};
    for (uint64_t key = 0; key < 7000; key++)
        counts[weir_random_below(key, 7)]++;
    for (int i = 0; i < 7; i++)
        cr_assert(counts[i] > 850 && counts[i] < 1150, "%d: %d", i, counts[i]);
}
