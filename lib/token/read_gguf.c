/* The tokenizer.ggml.* values of a GGUF file. What GGUF says by a name (tokenizer.ggml.pre) stands here as the stages
   that the family's own tokenizer.json has, in its language, so that there is one reader of stages. */
#include "token/pipeline.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TYPE_NORMAL = 1, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_USER, TYPE_UNUSED, TYPE_BYTE };

#define BYTE_LEVEL       "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}"
#define BYTES_ONLY       "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}"
#define SEQUENCE(stages) "{\"type\":\"Sequence\",\"pretokenizers\":[" stages "]}"
#define SPLIT(regex)                                                                                                   \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" regex "\"},\"behavior\":\"Isolated\",\"invert\":false}"
#define DIGITS(individual) "{\"type\":\"Digits\",\"individual_digits\":" individual "}"
#define DIGITS_THEN_BYTES  SEQUENCE(DIGITS("true") "," BYTE_LEVEL)
/* the regular expression of Llama 3, Qwen 2 and others; they differ in how many digits go together */
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORDS(digits)                                                                                                  \
    CONTRACTIONS "|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|" digits                                                    \
                 "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define WORDS_THEN_BYTES(digits) SEQUENCE(SPLIT(WORDS(digits)) "," BYTES_ONLY)
#define THREE_DIGITS             WORDS_THEN_BYTES("\\\\p{N}{1,3}")
#define ONE_DIGIT                WORDS_THEN_BYTES("\\\\p{N}")
#define UPPER                    "[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define LOWER                    "[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define GPT4O                                                                                                          \
    SEQUENCE(SPLIT("[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?" UPPER "*" LOWER "+" CONTRACTIONS                                   \
                   "?|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?" UPPER "+" LOWER "*" CONTRACTIONS                                 \
                   "?|\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n/]*|"                                        \
                   "\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+") "," BYTES_ONLY)
#define NFC "{\"type\":\"NFC\"}"

static const struct {
    const char *name, *normalizer, *pre_tokenizer;
    bool add_bos, ignore_merges; /* add_bos: where tokenizer.ggml.add_bos_token is absent */
} families[] = {
    {"default", "null", BYTE_LEVEL, false, false},
    {"gpt-2", "null", BYTE_LEVEL, false, false},
    {"phi-2", "null", BYTE_LEVEL, false, false},
    {"jais", "null", BYTE_LEVEL, false, false},
    {"roberta-bpe", "null", BYTE_LEVEL, false, false},
    {"granite-docling", "null", BYTE_LEVEL, false, false},
    {"mpt", NFC, BYTE_LEVEL, false, false},
    {"olmo", NFC, BYTE_LEVEL, false, false},
    {"smollm", "null", DIGITS_THEN_BYTES, false, false},
    {"starcoder", "null", DIGITS_THEN_BYTES, false, false},
    {"refact", "null", DIGITS_THEN_BYTES, false, false},
    {"codeshell", "null", DIGITS_THEN_BYTES, false, false},
    {"command-r", NFC, DIGITS_THEN_BYTES, false, false},
    {"exaone", NFC, DIGITS_THEN_BYTES, false, false},
    {"llama-bpe", "null", THREE_DIGITS, true, true},
    {"llama3", "null", THREE_DIGITS, true, true},
    {"llama-v3", "null", THREE_DIGITS, true, true},
    {"smaug-bpe", "null", THREE_DIGITS, false, false},
    {"dbrx", "null", THREE_DIGITS, false, false},
    {"qwen2", NFC, ONE_DIGIT, false, false},
    {"deepseek-r1-qwen", NFC, ONE_DIGIT, false, false},
    {"stablelm2", "null", ONE_DIGIT, false, false},
    {"gpt-4o", "null", GPT4O, false, false},
    {"llama4", "null", GPT4O, true, false},
};

/* ---- values ---------------------------------------------------------------------------------------------------- */

static weir_status find_array(const struct weir_gguf_value **out, const struct weir_gguf *gguf, const char *key,
                              enum weir_gguf_type element, size_t n)
{
    const struct weir_gguf_value *value = *out = weir_gguf_find(gguf, key);
    if (!value)
        return WEIR_OK;
    bool whole = element == WEIR_GGUF_INT && value->element == WEIR_GGUF_UINT;
    if (value->type != WEIR_GGUF_ARRAY || (value->element != element && !whole))
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" must be an array of another type", gguf->path, key);
    if (n != 0 && value->n != n)
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" has %zu elements for %zu tokens", gguf->path, key, value->n, n);
    return WEIR_OK;
}

static int64_t type_of(const struct weir_gguf_value *types, size_t id)
{
    if (!types)
        return TYPE_NORMAL;
    return types->element == WEIR_GGUF_UINT ? (int64_t)types->us[id] : types->is[id];
}

/* Optional; checked to be a token. -1 when absent. */
static weir_status read_id(const struct weir_gguf *gguf, const char *key, size_t n_tokens, int32_t *out)
{
    int64_t id = -1;
    *out = -1;
    TRY(weir_gguf_int(gguf, key, &id));
    if (id >= (int64_t)n_tokens || id > INT32_MAX)
        return weir_fail(WEIR_E_INPUT, "%s: \"%s\" is %lld, and there are %zu tokens", gguf->path, key, (long long)id,
                         n_tokens);
    *out = id < 0 ? -1 : (int32_t)id;
    return WEIR_OK;
}

/* ---- parts ----------------------------------------------------------------------------------------------------- */

/* Control and user-defined tokens are recognised in text. Of two tokens with one text the later counts. */
static weir_status read_tokens(struct weir_tokenizer *t, const struct weir_gguf *gguf,
                               const struct weir_gguf_value *tokens, const struct weir_gguf_value *types)
{
    size_t bad;
    if (tokens->n >= INT32_MAX)
        return weir_fail(WEIR_E_INPUT, "%s: %zu tokens are too many", gguf->path, tokens->n);
    TRY(weir_vocab_open(&t->vocab, tokens->n));
    for (size_t id = 0; id < tokens->n; id++) {
        struct weir_gguf_string s = tokens->ss[id];
        int64_t type = type_of(types, id);
        if (!weir_utf8_valid(s.data, s.n, &bad))
            return weir_fail(WEIR_E_INPUT, "%s: token %zu is not UTF-8", gguf->path, id);
        TRY(weir_in(weir_vocab_add(&t->vocab, (int32_t)id, s.data, s.n, true), gguf->path));
        if ((type != TYPE_CONTROL && type != TYPE_USER) || s.n == 0)
            continue;
        struct weir_added_token token = {.id = (int32_t)id, .n_content = s.n, .special = type == TYPE_CONTROL};
        TRY(weir_copy_bytes(&token.content, s.data, s.n));
        weir_status status = weir_added_add(&t->added, &token);
        weir_free(token.content);
        TRY(status);
    }
    return WEIR_OK;
}

static weir_status read_stages(struct weir_tokenizer *t, const char *file, const char *normalizer,
                               const char *pre_tokenizer)
{
    cJSON *first = NULL, *second = NULL;
    weir_status status;
    TRY_DONE(weir_json_parse(&first, file, normalizer, strlen(normalizer)));
    TRY_DONE(weir_json_parse(&second, file, pre_tokenizer, strlen(pre_tokenizer)));
    TRY_DONE(weir_normalizers_read(&t->normalizers, first, file));
    TRY_DONE(weir_pre_tokenizers_read(&t->pre_tokenizers, second, file));
done:
    cJSON_Delete(first);
    cJSON_Delete(second);
    return status;
}

static weir_status read_ends(struct weir_tokenizer *t, const struct weir_gguf *gguf, bool add_bos)
{
    bool add_eos = false;
    int32_t eos;
    TRY(read_id(gguf, "tokenizer.ggml.bos_token_id", t->vocab.n_entries, &t->bos));
    TRY(read_id(gguf, "tokenizer.ggml.eos_token_id", t->vocab.n_entries, &eos));
    TRY(weir_gguf_bool(gguf, "tokenizer.ggml.add_bos_token", &add_bos));
    TRY(weir_gguf_bool(gguf, "tokenizer.ggml.add_eos_token", &add_eos));
    if (add_bos && t->bos >= 0)
        TRY(weir_ids_add(&t->front, t->bos));
    return add_eos && eos >= 0 ? weir_ids_add(&t->back, eos) : WEIR_OK;
}

/* ---- "gpt2": byte-level BPE ------------------------------------------------------------------------------------ */

static weir_status read_merges(struct weir_tokenizer *t, const struct weir_gguf *gguf)
{
    const struct weir_gguf_value *merges;
    TRY(find_array(&merges, gguf, "tokenizer.ggml.merges", WEIR_GGUF_STRING, 0));
    if (!merges)
        return weir_fail(WEIR_E_INPUT, "%s: \"tokenizer.ggml.merges\" is missing", gguf->path);
    TRY(weir_bpe_open(&t->bpe, merges->n));
    for (size_t i = 0; i < merges->n; i++)
        TRY(weir_add_merge_line(t, gguf->path, i, merges->ss[i].data, merges->ss[i].n));
    return WEIR_OK;
}

static weir_status read_byte_level(struct weir_tokenizer *t, const struct weir_gguf *gguf,
                                   const struct weir_gguf_value *types)
{
    char *name = NULL;
    weir_status status;
    (void)types;
    TRY_DONE(weir_gguf_text(gguf, "tokenizer.ggml.pre", &name));
    const char *wanted = name ? name : "default";
    size_t i = 0;
    while (i < sizeof families / sizeof families[0] && strcmp(families[i].name, wanted) != 0)
        i++;
    if (i == sizeof families / sizeof families[0])
        TRY_DONE(
            weir_fail(WEIR_E_UNSUPPORTED, "%s: tokenizer.ggml.pre \"%.64s\" is not supported", gguf->path, wanted));
    TRY_DONE(read_merges(t, gguf));
    TRY_DONE(read_stages(t, gguf->path, families[i].normalizer, families[i].pre_tokenizer));
    TRY_DONE(read_ends(t, gguf, families[i].add_bos));
    t->bpe.ignore_merges = families[i].ignore_merges;
    t->spelling = WEIR_SPELLING_BYTES;
done:
    weir_free(name);
    return status;
}

/* ---- "llama": SentencePiece BPE, whose merges are the tokens in the order of their scores ---------------------- */

struct scored_merge {
    double score;
    uint32_t n_left, n_right; /* characters */
    int32_t left, right, id;
};

struct scored_merges {
    struct scored_merge *merges; /* [n] */
    size_t n, capacity;
};

/* Best score first; of one score the longer left half, then the longer right one; then by ids. */
static int compare_scores(const void *a, const void *b)
{
    const struct scored_merge *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->n_left != y->n_left)
        return x->n_left > y->n_left ? -1 : 1;
    if (x->n_right != y->n_right)
        return x->n_right > y->n_right ? -1 : 1;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->left < y->left ? -1 : x->left > y->left;
}

static uint32_t count_chars(const char *text, size_t n)
{
    uint32_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

/* Every way to cut the token into two tokens. */
static weir_status add_cuts(struct scored_merges *all, const struct weir_vocab *vocab, int32_t id, double score)
{
    size_t n, most = 256; /* longer tokens are runs of one character, made whole as added tokens */
    const char *text = weir_vocab_string(vocab, id, &n);
    for (size_t at = 1; at < n && n <= most; at++) {
        if (((unsigned char)text[at] & 0xc0) == 0x80)
            continue;
        int32_t left = weir_vocab_find(vocab, text, at);
        int32_t right = left < 0 ? -1 : weir_vocab_find(vocab, text + at, n - at);
        if (right < 0)
            continue;
        if (all->n == all->capacity)
            TRY(weir_grow(&all->merges, &all->capacity, all->n + 1, sizeof *all->merges));
        all->merges[all->n++] =
            (struct scored_merge){score, count_chars(text, at), count_chars(text + at, n - at), left, right, id};
    }
    return WEIR_OK;
}

static weir_status make_merges(struct weir_tokenizer *t, const struct weir_gguf *gguf,
                               const struct weir_gguf_value *types)
{
    struct scored_merges all = {0};
    const struct weir_gguf_value *scores;
    weir_status status;
    TRY_DONE(find_array(&scores, gguf, "tokenizer.ggml.scores", WEIR_GGUF_FLOAT, t->vocab.n_entries));
    if (!scores)
        TRY_DONE(weir_fail(WEIR_E_INPUT, "%s: \"tokenizer.ggml.scores\" is missing", gguf->path));
    for (size_t id = 0; id < t->vocab.n_entries; id++) {
        int64_t type = type_of(types, id);
        if (isnan(scores->fs[id]))
            TRY_DONE(weir_fail(WEIR_E_INPUT, "%s: the score of token %zu is not a number", gguf->path, id));
        if (type == TYPE_NORMAL || type == TYPE_USER)
            TRY_DONE(add_cuts(&all, &t->vocab, (int32_t)id, scores->fs[id]));
    }
    if (all.n > 0)
        qsort(all.merges, all.n, sizeof *all.merges, compare_scores);
    TRY_DONE(weir_bpe_open(&t->bpe, all.n));
    for (size_t i = 0; i < all.n; i++)
        TRY_DONE(weir_bpe_add(&t->bpe, all.merges[i].left, all.merges[i].right, (uint32_t)i, all.merges[i].id));
done:
    weir_free(all.merges);
    return status;
}

#define SPACES "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\xe2\x96\x81\"}"
#define PREFIX "{\"type\":\"Prepend\",\"prepend\":\"\xe2\x96\x81\"}"

static weir_status read_sentencepiece(struct weir_tokenizer *t, const struct weir_gguf *gguf,
                                      const struct weir_gguf_value *types)
{
    bool prefix = true, squeeze = false;
    int32_t unknown;
    TRY(weir_gguf_bool(gguf, "tokenizer.ggml.add_space_prefix", &prefix));
    TRY(weir_gguf_bool(gguf, "tokenizer.ggml.remove_extra_whitespaces", &squeeze));
    if (squeeze)
        return weir_fail(WEIR_E_UNSUPPORTED, "%s: tokenizer.ggml.remove_extra_whitespaces is not supported",
                         gguf->path);
    TRY(make_merges(t, gguf, types));
    TRY(read_id(gguf, "tokenizer.ggml.unknown_token_id", t->vocab.n_entries, &unknown));
    TRY(read_stages(t, gguf->path, prefix ? "{\"type\":\"Sequence\",\"normalizers\":[" PREFIX "," SPACES "]}" : SPACES,
                    "null"));
    t->bpe.unknown = unknown;
    t->bpe.byte_fallback = t->bpe.fuse_unknown = true;
    t->spelling = WEIR_SPELLING_SPACES;
    return read_ends(t, gguf, true);
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    weir_status (*read)(struct weir_tokenizer *t, const struct weir_gguf *gguf, const struct weir_gguf_value *types);
} models[] = {{"gpt2", read_byte_level}, {"llama", read_sentencepiece}};

static weir_status read_model(struct weir_tokenizer *t, const struct weir_gguf *gguf, const char *name)
{
    const struct weir_gguf_value *tokens, *types;
    TRY(find_array(&tokens, gguf, "tokenizer.ggml.tokens", WEIR_GGUF_STRING, 0));
    if (!tokens)
        return weir_fail(WEIR_E_INPUT, "%s: \"tokenizer.ggml.tokens\" is missing", gguf->path);
    TRY(find_array(&types, gguf, "tokenizer.ggml.token_type", WEIR_GGUF_INT, tokens->n));
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        if (strcmp(models[i].name, name) == 0) {
            TRY(read_tokens(t, gguf, tokens, types));
            TRY(models[i].read(t, gguf, types));
            return weir_in(weir_tokenizer_finish(t), gguf->path);
        }
    return weir_fail(WEIR_E_UNSUPPORTED, "%s: tokenizer.ggml.model \"%.64s\" is not supported", gguf->path, name);
}

weir_status weir_tokenizer_from_gguf(struct weir_tokenizer **out, const struct weir_gguf *gguf)
{
    struct weir_tokenizer *t = NULL;
    char *name = NULL;
    weir_status status;
    *out = NULL;
    TRY_DONE(weir_gguf_text(gguf, "tokenizer.ggml.model", &name));
    if (!name || strcmp(name, "no_vocab") == 0 || strcmp(name, "none") == 0)
        goto done;
    TRY_DONE(weir_tokenizer_new(&t));
    TRY_DONE(read_model(t, gguf, name));
    *out = t;
    t = NULL;
done:
    weir_tokenizer_close(t);
    weir_free(name);
    return status;
}
