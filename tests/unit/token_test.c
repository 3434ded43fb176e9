/* Tokenizers by hand-made tokenizer.json; tests/python/test_tokenizer.py compares with the real library. */
#include "base/alloc.h"
#include "token/charset.h"
#include "token/cluster.h"
#include "token/pipeline.h"
#include "token/unicode.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODEL                                                                                                          \
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"abc\":4,\"\\u0120\":5,\"\\u0120a\":6,"  \
    "\"<s>\":7},\"merges\":[\"a b\",[\"ab\",\"c\"],\"\\u0120 a\"]}"
#define BYTE_LEVEL "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"
#define ADDED      "\"added_tokens\":[{\"id\":7,\"content\":\"<s>\",\"special\":true}]"
#define TEMPLATE                                                                                                       \
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}" \
    "},"                                                                                                               \
    "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[7]}}}"
#define WHOLE "{" MODEL "," BYTE_LEVEL "," ADDED "," TEMPLATE "}"

static weir_status open_text(struct weir_tokenizer **out, const char *text)
{
    return weir_tokenizer_from_json(out, text, strlen(text), "t.json");
}

static struct weir_tokenizer *opened(const char *text)
{
    struct weir_tokenizer *t;
    cr_assert_eq(open_text(&t, text), WEIR_OK, "%s", weir_message());
    return t;
}

/* The ids as text, such as "7 4". */
static weir_status ids_of(char *to, size_t size, const struct weir_tokenizer *t, const char *text, size_t n,
                          enum weir_bos bos)
{
    int32_t *ids;
    size_t n_ids, used = 0;
    to[0] = '\0';
    TRY(weir_tokenizer_encode(t, text, n, bos, &ids, &n_ids));
    for (size_t i = 0; i < n_ids && used < size; i++)
        used += (size_t)snprintf(to + used, size - used, i ? " %d" : "%d", ids[i]);
    weir_free(ids);
    return WEIR_OK;
}

static void expect_ids(const struct weir_tokenizer *t, const char *text, enum weir_bos bos, const char *wanted)
{
    char got[256];
    cr_assert_eq(ids_of(got, sizeof got, t, text, strlen(text), bos), WEIR_OK, "%s", weir_message());
    cr_expect_str_eq(got, wanted, "\"%s\": %s, not %s", text, got, wanted);
}

Test(tokenizer, merges_in_the_order_of_the_file)
{
    struct weir_tokenizer *t = opened(WHOLE);
    expect_ids(t, "abc", WEIR_BOS_NO, "4");
    expect_ids(t, "aab ab", WEIR_BOS_NO, "0 3 5 3");
    expect_ids(t, "", WEIR_BOS_NO, "");
    expect_ids(t, "xax", WEIR_BOS_NO, "0"); /* what the vocabulary lacks is left out where there is no unk_token */
    weir_tokenizer_close(t);
}

Test(tokenizer, puts_bos_in_front_as_asked_and_never_twice)
{
    struct weir_tokenizer *t = opened(WHOLE);
    expect_ids(t, "ab", WEIR_BOS_AUTO, "7 3");
    expect_ids(t, "ab", WEIR_BOS_NO, "3");
    expect_ids(t, "<s>ab", WEIR_BOS_AUTO, "7 7 3"); /* as in Hugging Face */
    t->bos = 7;
    expect_ids(t, "ab", WEIR_BOS_YES, "7 3");
    expect_ids(t, "", WEIR_BOS_YES, "7");
    weir_tokenizer_close(t);
    t = opened("{" MODEL "," ADDED "}");
    t->bos = 7;
    expect_ids(t, "ab", WEIR_BOS_AUTO, "3");
    expect_ids(t, "ab", WEIR_BOS_YES, "7 3");
    expect_ids(t, "<s>ab", WEIR_BOS_YES, "7 3");
    weir_tokenizer_close(t);
}

Test(tokenizer, takes_the_longest_of_added_tokens_that_begin_alike)
{
    struct weir_tokenizer *t = opened("{" MODEL ",\"added_tokens\":[{\"id\":7,\"content\":\"<s>\"},"
                                      "{\"id\":8,\"content\":\"<s><s>\"},{\"id\":9,\"content\":\"<s><s><s>\"}]}");
    expect_ids(t, "a<s>b", WEIR_BOS_NO, "0 7 1");
    expect_ids(t, "<s><s>b", WEIR_BOS_NO, "8 1");
    expect_ids(t, "<s><s><s><s>", WEIR_BOS_NO, "9 7");
    weir_tokenizer_close(t);
}

Test(tokenizer, finds_single_words_where_they_stand_alone)
{
    struct weir_tokenizer *t =
        opened("{" MODEL ",\"added_tokens\":[{\"id\":8,\"content\":\"ac\",\"single_word\":true}]}");
    expect_ids(t, "ac", WEIR_BOS_NO, "8");
    expect_ids(t, ".ac.", WEIR_BOS_NO, "8");
    expect_ids(t, "acb", WEIR_BOS_NO, "0 2 1");
    expect_ids(t, "bacb", WEIR_BOS_NO, "1 0 2 1");
    expect_ids(t, "bac", WEIR_BOS_NO, "1 0 2");
    weir_tokenizer_close(t);
}

Test(tokenizer, asked_for_a_bos_that_it_has_not_says_so)
{
    char got[64];
    struct weir_tokenizer *t = opened("{" MODEL "}");
    cr_expect_eq(ids_of(got, sizeof got, t, "a", 1, WEIR_BOS_YES), WEIR_E_UNSUPPORTED);
    cr_expect(strstr(weir_message(), "BOS"));
    weir_tokenizer_close(t);
}

Test(tokenizer, names_the_byte_that_is_not_utf8)
{
    char got[64];
    struct weir_tokenizer *t = opened(WHOLE);
    cr_expect_eq(ids_of(got, sizeof got, t, "ab\xc3(", 4, WEIR_BOS_NO), WEIR_E_INPUT);
    cr_expect(strstr(weir_message(), "byte 2"));
    weir_tokenizer_close(t);
}

Test(tokenizer, shows_the_bytes_of_each_token)
{
    size_t n;
    struct weir_tokenizer *t = opened(WHOLE);
    cr_expect_eq(weir_tokenizer_size(t), 8);
    const char *bytes = weir_tokenizer_bytes(t, 6, &n);
    cr_expect(n == 2 && memcmp(bytes, " a", 2) == 0);
    bytes = weir_tokenizer_bytes(t, 7, &n);
    cr_expect(n == 3 && memcmp(bytes, "<s>", 3) == 0);
    cr_expect_null(weir_tokenizer_bytes(t, 8, &n));
    cr_expect_null(weir_tokenizer_bytes(t, -1, &n));
    cr_expect_eq(n, 0);
    weir_tokenizer_close(t);
}

/* tokenizer.model with the pieces <unk> <s> a b ab and the mark, and a charsmap that makes A an a: Unigram. */
static const char spm[] = "\x0a\x0e\x0a\x05<unk>\x15\0\0\0\0\x18\x02"
                          "\x0a\x0c\x0a\x03<s>\x15\0\0\0\0\x18\x03"
                          "\x0a\x08\x0a\x01"
                          "a\x15\0\0\x80\xbf"
                          "\x0a\x08\x0a\x01"
                          "b\x15\0\0\x80\xbf"
                          "\x0a\x09\x0a\x02"
                          "ab\x15\0\0\xc0\xbf"
                          "\x0a\x0a\x0a\x03\xe2\x96\x81\x15\0\0\x80\xbf";
static const char spm_bpe[] = "\x12\x05\x18\x02\xc0\x02\0";
static const char spm_map[] = "\x1a\x18\x12\x16\x10\0\0\0"
                              "\0\0\x01\0\x41\x09\0\0\0\0\0\0\0\0\0\0"
                              "a";

static const char *const memory_texts[] = {
    "{" MODEL "," BYTE_LEVEL "," ADDED "," TEMPLATE ",\"normalizer\":{\"type\":\"NFC\"}}",
    "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"byte_fallback\":true,\"vocab\":[[\"x\",0],[\"ab\",-1],[\"<0x41>\","
    "-2]]},"
    "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Lowercase\"},{\"type\":\"StripAccents\"}]},"
    "\"pre_tokenizer\":{\"type\":\"Punctuation\"},\"decoder\":{\"type\":\"Metaspace\"}}",
    NULL, /* the tokenizer.model above */
};

static weir_status open_nth(struct weir_tokenizer **out, size_t i)
{
    char file[256];
    if (memory_texts[i])
        return open_text(out, memory_texts[i]);
    memcpy(file, spm, sizeof spm - 1);
    memcpy(file + sizeof spm - 1, spm_bpe, sizeof spm_bpe - 1);
    return weir_tokenizer_from_sentencepiece(out, file, sizeof spm + sizeof spm_bpe - 2, "t.model", NULL);
}

Test(tokenizer, keeps_nothing_when_memory_ends)
{
    static const char *const wanted[] = {"7 3 5 7", "1 0 0 1", "1 5 4 0 1 5 2"};
    for (size_t i = 0; i < sizeof memory_texts / sizeof memory_texts[0]; i++) {
        struct weir_tokenizer *t = NULL;
        weir_status status = WEIR_E_MEMORY;
        long n, opening;
        for (n = 0; status != WEIR_OK && n < 1000; n++) {
            weir_alloc_fail_after(n);
            status = open_nth(&t, i);
            weir_alloc_fail_after(-1);
            cr_assert(status == WEIR_OK ? t != NULL : t == NULL && status == WEIR_E_MEMORY, "%ld: %s", n,
                      weir_message());
        }
        cr_assert_eq(status, WEIR_OK);
        opening = n - 1;
        char got[64] = "";
        const char *text = i == 0 ? "ab <s>a\xcc\x81" : i == 1 ? "AB!?ab\xcc\x81" : "ab! <s>a";
        status = WEIR_E_MEMORY;
        for (n = 0; status != WEIR_OK && n < 1000; n++) {
            weir_alloc_fail_after(n);
            status = ids_of(got, sizeof got, t, text, strlen(text), WEIR_BOS_AUTO);
            weir_alloc_fail_after(-1);
            cr_assert(status == WEIR_OK || status == WEIR_E_MEMORY, "%ld: %s", n, weir_message());
        }
        cr_log_info("tokenizer %zu: %ld allocations of opening failed, %ld of tokenizing", i, opening, n - 1);
        cr_expect_str_eq(got, wanted[i], "%zu: %s", i, got);
        weir_tokenizer_close(t);
    }
}

Test(sentencepiece, is_read_with_its_charsmap)
{
    char file[256];
    struct weir_tokenizer *t;
    memcpy(file, spm, sizeof spm - 1);
    memcpy(file + sizeof spm - 1, spm_map, sizeof spm_map);
    cr_assert_eq(weir_tokenizer_from_sentencepiece(&t, file, sizeof spm - 1 + sizeof spm_map, "t.model", NULL), WEIR_OK,
                 "%s", weir_message());
    expect_ids(t, "AB  ab ", WEIR_BOS_NO, "5 2 0 5 4");
    weir_tokenizer_close(t);
}

Test(clusters, are_what_a_reader_takes_for_one_character)
{
    static const struct {
        const char *text;
        size_t n;
    } rows[] = {
        {"ab", 1},
        {"\r\n", 2},
        {"\n\xcc\x81", 1},         /* nothing joins a control */
        {"e\xcc\x81\xcc\x81x", 5}, /* marks join */
        {"\xd8\x80"
         "a",
         3},                                                     /* a number sign joins what follows */
        {"\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8\xe1\x84\x80", 9}, /* Hangul: one syllable */
        {"\xc2\xa9\xe2\x80\x8d\xc2\xae", 7},                     /* pictographs with a joiner between */
        {"a\xe2\x80\x8d\xc2\xae", 4},
    };
    struct weir_clusters clusters;
    weir_clusters_open(&clusters);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t n = weir_cluster_length(&clusters, rows[i].text, strlen(rows[i].text));
        cr_expect_eq(n, rows[i].n, "row %zu: %zu", i, n);
    }
}

struct job {
    const struct weir_tokenizer *t;
    bool right;
};

static void *encode_often(void *argument)
{
    struct job *job = argument;
    char got[64];
    job->right = true;
    for (int i = 0; i < 300; i++)
        job->right = job->right && ids_of(got, sizeof got, job->t, "abc ab<s> a", 11, WEIR_BOS_AUTO) == WEIR_OK &&
                     strcmp(got, "7 4 5 3 7 6") == 0;
    return NULL;
}

Test(tokenizer, serves_several_threads)
{
    struct weir_tokenizer *t = opened(WHOLE);
    pthread_t threads[4];
    struct job jobs[4];
    for (int i = 0; i < 4; i++) {
        jobs[i].t = t;
        cr_assert_eq(pthread_create(&threads[i], NULL, encode_often, &jobs[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        cr_expect(jobs[i].right);
    }
    weir_tokenizer_close(t);
}

Test(tokenizer, refuses_types_that_it_does_not_know_by_name)
{
    static const char *const texts[][2] = {
        {"{" MODEL ",\"normalizer\":{\"type\":\"BertNormalizer\"}}", "BertNormalizer"},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}}", "UnicodeScripts"},
        {"{" MODEL ",\"post_processor\":{\"type\":\"BertProcessing\"}}", "BertProcessing"},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{}}}", "WordPiece"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct weir_tokenizer *t;
        cr_expect_eq(open_text(&t, texts[i][0]), WEIR_E_UNSUPPORTED);
        cr_expect(strstr(weir_message(), texts[i][1]) && strstr(weir_message(), "t.json"), "%s", weir_message());
    }
}

Test(tokenizer, finds_vocabulary_and_merges_however_they_are_written)
{
    static const char *const texts[] = {
        "{\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}}",
        "{\"x\":{\"vocab\":[1]},\"y\":\"\\\"model\\\":{\",\"\\u006dodel\" :\n{\"merges\":[\"#version: 0.2\",[ \"a\" , "
        "\"b\" ]],"
        "\"voc\\u0061b\": { \"a\" : 0.0 , \"\\u0062\":1,\"\\u0061b\":2}, \"vocab\":3, \"merges\":{}}, \"model\":4}",
        "\xef\xbb\xbf{\"model\":{\"merges\":[[\"\\u0061\",\"b\"]],\"vocab\":{\"ab\":2e0,\"a\":0,\"b\":1}}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct weir_tokenizer *t = opened(texts[i]);
        expect_ids(t, "abba", WEIR_BOS_NO, "2 1 0");
        weir_tokenizer_close(t);
    }
}

Test(tokenizer, reads_escapes_in_its_vocabulary)
{
    size_t n;
    struct weir_tokenizer *t =
        opened("{\"model\":{\"vocab\":{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\uDE00x\":0},\"merges\":[]}}");
    const char *bytes = weir_tokenizer_bytes(t, 0, &n);
    cr_expect_eq(n, 18);
    cr_expect_arr_eq(bytes, "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80x", 18);
    weir_tokenizer_close(t);
}

Test(tokenizer, names_the_byte_that_is_no_json)
{
    static const char *const texts[][2] = {
        {"{\"model\":{\"vocab\":{\"a\":0,},\"merges\":[]}}", "byte 25: not valid JSON"},
        {"{\"model\":{\"vocab\":{\"a\" 0},\"merges\":[]}}", "byte 23: not valid JSON"},
        {"{\"model\":{\"vocab\":{\"a\":0]},\"merges\":[]}}", "not valid JSON"},
        {"{\"model\":{\"vocab\":{\"a\":0-1},\"merges\":[]}}", "byte 23: not valid JSON"},
        {"{\"model\":{\"vocab\":{\"\\u0000\":0},\"merges\":[]}}", "byte 20: \\u0000"},
        {"{\"model\":{\"vocab\":{\"\\ud83d\":0},\"merges\":[]}}", "byte 22: not valid JSON"},
        {"{\"model\":{\"vocab\":{\"\\ud83d\\u0041\":0},\"merges\":[]}}", "byte 22: not valid JSON"},
        {"{\"model\":{\"vocab\":{\"\\x\":0},\"merges\":[]}}", "byte 20: not valid JSON"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a a\"", "not valid JSON"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[[\"a\"\"a\"]]}}", "merge 0 must be"},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[,]}}", "merge 0 must be"},
        {"{\"model\":{\"vocab\":{\"a\":true},\"merges\":[]}}", "the id of token \"a\""},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]},\"x\":tru}", "not valid JSON"},
        {"{\"model\":{\"vocab\":[[\"a\",0],,,,,,,,,,,]}}", "entry 1"},
        {"{\"model\":{\"vocab\":[", "not valid JSON"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct weir_tokenizer *t;
        cr_expect_eq(open_text(&t, texts[i][0]), WEIR_E_INPUT, "%s", texts[i][0]);
        cr_expect(strstr(weir_message(), texts[i][1]) && strstr(weir_message(), "t.json"), "%s: %s", texts[i][0],
                  weir_message());
    }
}

Test(tokenizer, is_none_where_a_folder_has_no_files_of_one)
{
    char folder[] = "/tmp/weir-token-XXXXXX";
    struct weir_tokenizer *t = NULL;
    cr_assert_not_null(mkdtemp(folder));
    cr_expect_eq(weir_tokenizer_from_folder(&t, folder), WEIR_OK);
    cr_expect_null(t);
    rmdir(folder);
}

/* ---- regular expressions --------------------------------------------------------------------------------------- */

/* The first match as "start-end", or "none". */
static void expect_match(const char *pattern, const char *text, const char *wanted)
{
    struct weir_regex *regex;
    struct weir_match *match;
    size_t start = 0, end = 0;
    bool found;
    char got[32] = "none";
    cr_assert_eq(weir_regex_open(&regex, "t.json", pattern, strlen(pattern)), WEIR_OK, "%s", weir_message());
    cr_assert_eq(weir_match_open(&match), WEIR_OK);
    cr_assert_eq(weir_regex_find(regex, match, text, strlen(text), 0, &found, &start, &end), WEIR_OK);
    if (found)
        snprintf(got, sizeof got, "%zu-%zu", start, end);
    cr_expect_str_eq(got, wanted, "%s in \"%s\": %s, not %s", pattern, text, got, wanted);
    weir_match_close(match);
    weir_regex_close(regex);
}

Test(regex, means_what_it_means_in_ruby_syntax)
{
    expect_match("\\h+", "xyz1f", "3-5");               /* hex digits, not spaces */
    expect_match("a{2}+b", "aaaab", "0-5");             /* a{2} one or more times, not possessive */
    expect_match("a{,2}b", "aaab", "1-4");              /* from 0 to 2 times */
    expect_match("^b$", "a\nb\nc", "2-3");              /* lines */
    expect_match("[a-z&&[^aeiou]]", "aeb", "2-3");      /* sets */
    expect_match("[]a]+", "x]a]", "1-4");               /* a bracket at the front is one of the set */
    expect_match("(?i:'s|k)", "'\xc5\xbf", "0-3");      /* long s */
    expect_match("(?i:[^s])", "sS\xc5\xbfx", "4-5");    /* what a negated class leaves out has both cases */
    expect_match("\\s", "\xe1\xa0\x8e\xc2\x85", "3-5"); /* U+180E is no space, U+0085 is */
    expect_match("\\p{^L}", "ab1", "2-3");
}

Test(regex, refuses_what_it_cannot_translate)
{
    static const char *const patterns[] = {
        "(a)\\1", "(?<n>a)",     "(?m:a)",    "\\R",   "\\X",           "\\K",
        "[a",     "(a",          "a)",        "\\",    "\\p{",          "\\p{Nobody}",
        "a{2,1}", "*",           "[b-a]",     "(?#x)", "(?i:\xc3\xa9)", "[[:nobody:]]",
        "\\u12",  "\\x{110000}", "\\x{d800}", "\\xe9", "(?i)a"};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        struct weir_regex *regex;
        cr_expect_eq(weir_regex_open(&regex, "t.json", patterns[i], strlen(patterns[i])), WEIR_E_UNSUPPORTED, "%s",
                     patterns[i]);
        cr_expect_null(regex);
        cr_expect(strstr(weir_message(), "t.json"));
    }
}

Test(regex, gives_up_with_an_error_not_a_hang)
{
    struct weir_regex *regex;
    struct weir_match *match;
    size_t start, end;
    bool found;
    const char *text = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac";
    cr_assert_eq(weir_regex_open(&regex, "t.json", "(a+a+)+b|(a|a)+d", 16), WEIR_OK);
    cr_assert_eq(weir_match_open(&match), WEIR_OK);
    cr_expect_eq(weir_regex_find(regex, match, text, strlen(text), 0, &found, &start, &end), WEIR_E_UNSUPPORTED);
    cr_expect(strstr(weir_message(), "gave up"));
    weir_match_close(match);
    weir_regex_close(regex);
}

Test(regex, needs_little_stack_for_long_repetitions)
{
    enum { N = 200000 };
    struct weir_regex *regex;
    struct weir_match *match;
    size_t start, end;
    bool found;
    char *text;
    cr_assert_eq(weir_alloc(&text, N, 1), WEIR_OK);
    memset(text, 'a', N);
    cr_assert_eq(weir_regex_open(&regex, "t.json", "(?:a|b)+", 8), WEIR_OK);
    cr_assert_eq(weir_match_open(&match), WEIR_OK);
    cr_assert_eq(weir_regex_find(regex, match, text, N, 0, &found, &start, &end), WEIR_OK, "%s", weir_message());
    cr_expect(found && start == 0 && end == N);
    weir_match_close(match);
    weir_regex_close(regex);
    weir_free(text);
}

/* ---- Unicode --------------------------------------------------------------------------------------------------- */

static void expect_form(enum weir_normal_form form, const char *text, const char *wanted)
{
    struct weir_text out = {0};
    cr_assert_eq(weir_unicode_normalize(&out, text, strlen(text), form), WEIR_OK);
    cr_expect(out.n == strlen(wanted) && memcmp(out.data, wanted, out.n) == 0, "%s", text);
    weir_text_close(&out);
}

Test(unicode, normalizes)
{
    expect_form(WEIR_NFC, "e\xcc\x81", "\xc3\xa9");
    expect_form(WEIR_NFD, "\xc3\xa9", "e\xcc\x81");
    expect_form(WEIR_NFD, "a\xcc\x87\xcc\xa3", "a\xcc\xa3\xcc\x87"); /* dot below comes before dot above */
    expect_form(WEIR_NFC, "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", "\xea\xb0\x81"); /* Hangul */
    expect_form(WEIR_NFKC, "\xef\xac\x81", "fi");
    expect_form(WEIR_NFC, "\xe2\x84\xab", "\xc3\x85"); /* Angstrom sign */
}

Test(charset, is_closed_under_complement_and_intersection)
{
    struct weir_charset letters = {0}, all = {0};
    bool known;
    cr_assert_eq(weir_charset_add_named(&letters, "L", 1, &known), WEIR_OK);
    cr_assert(known);
    size_t n = letters.n;
    cr_assert_eq(weir_charset_add_set(&all, &letters), WEIR_OK);
    cr_assert_eq(weir_charset_invert(&letters), WEIR_OK);
    cr_assert_eq(weir_charset_intersect(&all, &letters), WEIR_OK);
    cr_expect_eq(all.n, 0);
    cr_assert_eq(weir_charset_invert(&letters), WEIR_OK);
    cr_expect_eq(letters.n, n);
    weir_charset_close(&letters);
    weir_charset_close(&all);
}

Test(bytes, stand_for_letters_and_back)
{
    for (int b = 0; b < 256; b++)
        cr_expect_eq(weir_code_byte(weir_byte_code((unsigned char)b)), b);
    cr_expect_eq(weir_byte_code(' '), 0x120);
    cr_expect_eq(weir_code_byte(' '), -1);
    cr_expect_eq(weir_code_byte(0x144), -1);
}

/* ---- labels ---------------------------------------------------------------------------------------------------- */

Test(show_bytes, writes_what_people_can_read)
{
    static const char text[] = "a\xc3\xa9\n\t\x01\xff\xc3";
    char to[64];
    cr_expect_eq(weir_show_bytes(to, sizeof to, text, sizeof text - 1), strlen("a\xc3\xa9\\n\\t\\x01\\xff\\xc3"));
    cr_expect_str_eq(to, "a\xc3\xa9\\n\\t\\x01\\xff\\xc3");
}

Test(show_bytes, cuts_whole_symbols_and_says_the_whole_length)
{
    char to[8];
    cr_expect_eq(weir_show_bytes(to, 3,
                                 "ab\xc3\xa9"
                                 "c",
                                 5),
                 5);
    cr_expect_str_eq(to, "ab");
    cr_expect_eq(weir_show_bytes(to, 4,
                                 "ab\xc3\xa9"
                                 "c",
                                 5),
                 5);
    cr_expect_str_eq(to, "ab");
    cr_expect_eq(weir_show_bytes(to, 1, "\n", 1), 2);
    cr_expect_str_eq(to, "");
    cr_expect_eq(weir_show_bytes(NULL, 0, "\xff", 1), 4);
    cr_expect_eq(weir_show_bytes(to, sizeof to, "", 0), 0);
    cr_expect_str_eq(to, "");
}
