/* Every allocation of what reads files fails once, the first, the second, ... until none does: each time an error, and
 * nothing leaks (under AddressSanitizer). Dumps are in alloc_sweep_test.c, tokenizers from JSON and SentencePiece in
 * token_test.c. */
#include "analysis/analysis.h"
#include "analysis/heads.h"
#include "base/alloc.h"
#include "format/safetensors.h"
#include "points/select.h"
#include "token/tokenizer.h"
#include "unit/data_path.h"
#include "unit/store_fake.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef weir_status job_fn(void);

static void sweep(const char *name, job_fn *job, long least)
{
    for (long n = 0; n < 100000; n++) {
        weir_alloc_fail_after(n);
        weir_status status = job();
        weir_alloc_fail_after(-1);
        if (status == WEIR_OK) {
            cr_log_info("%s: %ld allocations failed, one at a time", name, n);
            cr_expect_geq(n, least, "%s: only %ld allocations", name, n);
            return;
        }
        cr_assert_eq(status, WEIR_E_MEMORY, "%s, allocation %ld: %s", name, n, weir_message());
    }
    cr_assert_fail("%s: it never succeeded", name);
}

/* ---- model formats ---- */

static weir_status open_shards(void)
{
    struct weir_tensors *tensors;
    weir_status status = weir_safetensors_open(&tensors, DATA "sharded/model.safetensors.index.json");
    if (status == WEIR_OK)
        weir_tensors_close(tensors);
    return status;
}

Test(alloc_read, opening_a_safetensors_file_in_shards)
{
    sweep("safetensors", open_shards, 10);
}

static weir_status open_gguf(void)
{
    struct weir_gguf *gguf;
    weir_status status = weir_gguf_open(&gguf, DATA "types.gguf");
    if (status == WEIR_OK)
        weir_gguf_close(gguf);
    return status;
}

Test(alloc_read, opening_a_gguf_file)
{
    sweep("gguf", open_gguf, 10);
}

/* ---- tokenizers in GGUF ---- */

enum { TYPE_INT32 = 5, TYPE_FLOAT = 6, TYPE_STRING = 8, TYPE_ARRAY = 9 };

/* A GGUF file as it is put together. */
struct bytes {
    uint8_t data[4096];
    size_t n;
};

static void put(struct bytes *b, const void *from, size_t n)
{
    cr_assert(b->n + n <= sizeof b->data);
    memcpy(b->data + b->n, from, n);
    b->n += n;
}

static void put_u32(struct bytes *b, uint32_t value)
{
    put(b, &value, sizeof value);
}

static void put_u64(struct bytes *b, uint64_t value)
{
    put(b, &value, sizeof value);
}

static void put_string(struct bytes *b, const char *text)
{
    put_u64(b, strlen(text));
    put(b, text, strlen(text));
}

static void put_text(struct bytes *b, const char *key, const char *text)
{
    put_string(b, key);
    put_u32(b, TYPE_STRING);
    put_string(b, text);
}

static void begin_array(struct bytes *b, const char *key, uint32_t type, size_t n)
{
    put_string(b, key);
    put_u32(b, TYPE_ARRAY);
    put_u32(b, type);
    put_u64(b, n);
}

static void put_texts(struct bytes *b, const char *key, const char *const *texts, size_t n)
{
    begin_array(b, key, TYPE_STRING, n);
    for (size_t i = 0; i < n; i++)
        put_string(b, texts[i]);
}

static void put_head(struct bytes *b, uint64_t n_values)
{
    b->n = 0;
    put(b, "GGUF", 4);
    put_u32(b, 3);
    put_u64(b, 0); /* tensors */
    put_u64(b, n_values);
}

static struct bytes file;

static weir_status tokenize_gguf(void)
{
    struct weir_gguf *gguf = NULL;
    struct weir_tokenizer *tokenizer = NULL;
    int32_t *ids = NULL;
    size_t n = 0;
    weir_status status = weir_gguf_parse(&gguf, "t.gguf", file.data, file.n);
    if (status == WEIR_OK)
        status = weir_tokenizer_from_gguf(&tokenizer, gguf);
    if (status == WEIR_OK)
        status = weir_tokenizer_encode(tokenizer, "ab a", 4, WEIR_BOS_NO, &ids, &n);
    if (status == WEIR_OK)
        cr_expect_gt(n, 1);
    weir_free(ids);
    weir_tokenizer_close(tokenizer);
    weir_gguf_close(gguf);
    return status;
}

Test(alloc_read, tokenizing_with_a_gguf_file_of_gpt2s_kind)
{
    static const char *const tokens[] = {"a", "b", "ab", "\xc4\xa0", "\304\240a"};
    static const char *const merges[] = {"a b", "\xc4\xa0 a"};
    put_head(&file, 4);
    put_text(&file, "tokenizer.ggml.model", "gpt2");
    put_text(&file, "tokenizer.ggml.pre", "gpt-2");
    put_texts(&file, "tokenizer.ggml.tokens", tokens, 5);
    put_texts(&file, "tokenizer.ggml.merges", merges, 2);
    sweep("gguf tokenizer, BPE", tokenize_gguf, 10);
}

Test(alloc_read, tokenizing_with_a_gguf_file_of_llamas_kind)
{
    static const char *const tokens[] = {"<unk>", "a", "b", "ab", "\xe2\x96\x81", "\342\226\201a"};
    put_head(&file, 4);
    put_text(&file, "tokenizer.ggml.model", "llama");
    put_texts(&file, "tokenizer.ggml.tokens", tokens, 6);
    begin_array(&file, "tokenizer.ggml.scores", TYPE_FLOAT, 6);
    for (int i = 0; i < 6; i++)
        put(&file, &(float){(float)-i}, sizeof(float));
    begin_array(&file, "tokenizer.ggml.token_type", TYPE_INT32, 6);
    for (uint32_t i = 0; i < 6; i++)
        put_u32(&file, i == 0 ? 2 : 1); /* unknown, normal */
    sweep("gguf tokenizer, scores", tokenize_gguf, 10);
}

/* ---- stored files ---- */

static char path[64];

static void make_file(weir_dtype dtype)
{
    static const size_t lengths[] = {7, 4};
    struct fake fake;
    snprintf(path, sizeof path, "/tmp/weir-alloc-%d.h5", (int)getpid());
    fake_open(&fake, lengths, 2);
    fake.spec.dtype = dtype;
    fake_add_next(&fake, 2);
    fake_add(&fake, WEIR_P_RESID_POST);
    fake_add(&fake, WEIR_P_PATTERN);
    cr_assert_eq(fake_write(&fake, path), WEIR_OK, "%s", weir_message());
    fake_close(&fake);
}

static void remove_file(void)
{
    unlink(path);
}

TestSuite(alloc_stored, .fini = remove_file);

static weir_status read_values(const weir_file *stored)
{
    static float values[FAKE_HEADS * 7 * 7];
    int32_t ids[14];
    weir_file_prompt prompt;
    const weir_block row = {{0, 2, 0}, {FAKE_HEADS, 1, 7}};
    TRY(weir_file_get_prompt(stored, 0, &prompt));
    if (*weir_file_token(stored, 0, 1) == '\0')
        return WEIR_E_MEMORY; /* the only reason here */
    TRY(weir_file_read(stored, weir_file_find(stored, "pattern"), 1, 0, NULL, values));
    TRY(weir_file_read(stored, weir_file_find(stored, "pattern"), 2, 1, &row, values));
    return weir_file_next(stored, 0, ids, NULL, NULL);
}

static weir_status read_file(void)
{
    weir_file *stored;
    TRY(weir_file_open(&stored, path));
    weir_status status = read_values(stored);
    weir_file_close(stored);
    return status;
}

Test(alloc_stored, reading_a_file)
{
    make_file(WEIR_F32);
    sweep("reading, f32", read_file, 10);
}

Test(alloc_stored, reading_a_file_of_16_bits)
{
    make_file(WEIR_BF16);
    sweep("reading, bf16", read_file, 10);
}

static weir_status analyse(const weir_file *stored)
{
    const struct weir_source pattern = {stored, weir_file_find(stored, "pattern")};
    struct weir_stats stats;
    const struct weir_heads_options options = {.exclude_bos = true};
    struct weir_heads *heads;
    struct weir_difference difference;
    struct weir_attention *attention;
    int layer = -1, head = 2;
    TRY(weir_stats_layer(&stats, stored, pattern.point, 0));
    TRY(weir_heads_of_file(&heads, stored, &options));
    weir_heads_close(heads);
    TRY(weir_diff_prompts(stored, stored));
    TRY(weir_diff_point(&difference, &pattern, &pattern));
    TRY(weir_attention_read(&attention, stored, &layer, &head, 1));
    weir_attention_close(attention);
    return WEIR_OK;
}

static weir_status analyse_file(void)
{
    weir_file *stored;
    TRY(weir_file_open(&stored, path));
    weir_status status = analyse(stored);
    weir_file_close(stored);
    return status;
}

Test(alloc_stored, every_analysis_of_a_file)
{
    make_file(WEIR_F16);
    sweep("analyses", analyse_file, 20);
}

static weir_status select_stored(void)
{
    struct weir_selection *selection;
    TRY(weir_selection_parse_stored(&selection, "z[0, ..., ::2],blocks.1.attn.hook_z[0],pattern:0+1.2@3"));
    weir_selection_close(selection);
    return WEIR_OK;
}

Test(alloc_read, a_selection_with_brackets)
{
    sweep("selection", select_stored, 5);
}
